#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Kills a containerd when the native shim comes to its N-th system call, whichever of its processes makes it: `start`, the server, its
workers, and what these make. They go on, untraced.

    daemon_killer.py start DIR SHIM ARGUMENT...    becomes that shim, for a wrapper that containerd finds in the shim's place
    daemon_killer.py serve DIR PID                 for a server that runs already, which returns when it is traced

DIR/nth holds N, DIR/pid the daemon's pid. DIR/nth becomes DIR/hit before the daemon is killed; who takes it away is too late or has
called it off. DIR/call tells N and the number of the call.
"""
import ctypes, os, signal, struct, sys

from crash import (CHILDREN, EVENT_CHILDREN, INFO_ENTRY, PTRACE_GETEVENTMSG, PTRACE_GET_SYSCALL_INFO, PTRACE_INTERRUPT, PTRACE_SEIZE,
                   PTRACE_SYSCALL, SYSGOOD, WALL, _ptrace)


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def kill_daemon(directory, nth, info):
    write(directory + "/call", f"{nth} {struct.unpack_from('<Q', info, 24)[0]}\n")
    try:
        os.rename(directory + "/nth", directory + "/hit")
    except FileNotFoundError:
        return
    os.kill(int(read(directory + "/pid")), signal.SIGKILL)


def trace(directory, nth):
    """Until the call was made or all that is traced has ended; the kernel lets go of all when the tracer ends."""
    info, calls = ctypes.create_string_buffer(96), 0
    while True:
        try:
            pid, status = os.waitpid(-1, WALL)
        except ChildProcessError:
            return
        if not os.WIFSTOPPED(status):
            continue
        event, sig = status >> 16, os.WSTOPSIG(status)
        try:
            if sig == signal.SIGTRAP | 0x80:
                _ptrace(PTRACE_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
                calls += info.raw[0] == INFO_ENTRY
                if calls == nth and info.raw[0] == INFO_ENTRY:
                    kill_daemon(directory, nth, info.raw)
                    return
            # A stop of its own is no signal for it; neither is the first stop of a child.
            _ptrace(PTRACE_SYSCALL, pid, 0, 0 if event or sig & 0x80 else sig)
        except OSError:
            # It was killed meanwhile.
            continue


def begin(pid):
    _ptrace(PTRACE_SEIZE, pid, 0, SYSGOOD | CHILDREN)
    _ptrace(PTRACE_INTERRUPT, pid)


def in_background(directory, pid, tell):
    """A process that nobody waits for and that keeps nothing of its maker's open."""
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for fd in range(64):
        if fd != tell:
            os.closerange(fd, fd + 1)
    nth = int(read(directory + "/nth"))
    begin(pid)
    os.write(tell, b"x")
    os.close(tell)
    trace(directory, nth)
    os._exit(0)


def main(how, directory, *rest):
    pid = os.getpid() if how == "start" else int(rest[0])
    traced, tell = os.pipe()
    in_background(directory, pid, tell)
    os.close(tell)
    if not os.read(traced, 1):
        sys.exit("cannot trace")
    os.close(traced)
    if how == "start":
        os.execv(rest[0], rest)


main(*sys.argv[1:])
