# SPDX-License-Identifier: Apache-2.0
"""
Kills a process of the shim at the entry of one of its system calls, from outside: nothing but this one is slowed down, and all of it
can be reached, as a worker is a fork of a server that is already there.

    k = Killer(server, [1], 17)    # the server's next child, at its 17th call
    call = c.begin_create()
    ...
    k.end()                        # True: it came so far; k.call is the number of the system call

way: [] the process itself, [1] its next child, [1, 2] the second one that this child makes.
"""
import ctypes, os, signal, struct

PTRACE_CONT, PTRACE_DETACH, PTRACE_SYSCALL = 7, 17, 24
PTRACE_SETOPTIONS, PTRACE_GETEVENTMSG, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_GET_SYSCALL_INFO = 0x4200, 0x4201, 0x4206, 0x4207, 0x420E
SYSGOOD, CHILDREN = 1, 2 | 4 | 8  # PTRACE_O_*
EVENT_CHILDREN = (1, 2, 3)
WALL = 0x40000000
INFO_ENTRY = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, pid, addr=0, data=0):
    value = _libc.ptrace(request, pid, addr, data)
    if value < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return value


def _stop(pid):
    """The next stop of it: (event, signal)."""
    _, status = os.waitpid(pid, WALL)
    if not os.WIFSTOPPED(status):
        raise ProcessLookupError(pid)
    return status >> 16, os.WSTOPSIG(status)


def _next_child(pid, nth):
    """Lets it go on until it has so many; then it is let alone. The child is stopped at its beginning."""
    child = ctypes.c_ulong()
    while True:
        event, sig = _stop(pid)
        if event in EVENT_CHILDREN:
            _ptrace(PTRACE_GETEVENTMSG, pid, 0, ctypes.addressof(child))
            _stop(child.value)
            nth -= 1
            if not nth:
                break
            _ptrace(PTRACE_DETACH, child.value)
        _ptrace(PTRACE_CONT, pid, 0, 0 if event else sig)
    _ptrace(PTRACE_DETACH, pid)
    return child.value


def _kill_at(pid, nth, tell):
    info = ctypes.create_string_buffer(96)
    _ptrace(PTRACE_SYSCALL, pid)
    tell(b"go")
    while True:
        event, sig = _stop(pid)
        if sig == signal.SIGTRAP | 0x80:
            _ptrace(PTRACE_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
            nth -= info.raw[0] == INFO_ENTRY
            if not nth:
                tell(b"hit %d" % struct.unpack_from("<Q", info, 24))
                os.kill(pid, signal.SIGKILL)
                return
        _ptrace(PTRACE_SYSCALL, pid, 0, 0 if event or sig & 0x80 else sig)


def _trace(pid, way, nth, tell):
    if not way:
        _ptrace(PTRACE_SEIZE, pid, 0, SYSGOOD)
        _ptrace(PTRACE_INTERRUPT, pid)
        _stop(pid)
    else:
        _ptrace(PTRACE_SEIZE, pid, 0, SYSGOOD | CHILDREN)
        tell(b"go")
    for i, which in enumerate(way):
        pid = _next_child(pid, which)
        last = i == len(way) - 1
        _ptrace(PTRACE_SETOPTIONS, pid, 0, SYSGOOD | (0 if last else CHILDREN))
        if not last:
            _ptrace(PTRACE_CONT, pid)
    _kill_at(pid, nth, tell)


class Killer:
    def __init__(self, pid, way, nth):
        self.call = None
        self._news, news = os.pipe()
        self._tracer = os.fork()
        if not self._tracer:
            # Its copies of FIFOs and connections would keep them open.
            os.closerange(3, news)
            os.closerange(news + 1, 1 << 16)
            try:
                _trace(pid, way, nth, lambda text: os.write(news, text + b"\n"))
            except ProcessLookupError:
                pass
            finally:
                os._exit(0)
        os.close(news)
        if not os.read(self._news, 3):
            raise OSError("cannot trace")

    def end(self):
        """What is traced goes on untraced."""
        os.kill(self._tracer, signal.SIGKILL)
        os.waitpid(self._tracer, 0)
        text = b""
        while data := os.read(self._news, 100):
            text += data
        os.close(self._news)
        if b"hit" in text:
            self.call = int(text.split()[-1])
        return self.call is not None
