#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
tests/shim/terminal.py COMMAND...: runs a command on a terminal of its own (80 columns, 24 lines). What comes on stdin is typed once
the command has shown something, or after two seconds; with $TYPE_AFTER not before it has shown these words. What it shows goes to
stdout. Ends with the command's code, at the latest after $LIMIT (30) seconds.
"""
import fcntl, os, pty, select, signal, struct, sys, termios, time


def main():
    keys = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    words, seen = os.environ.get("TYPE_AFTER", "").encode(), b""
    end = time.monotonic() + int(os.environ.get("LIMIT", "30"))
    type_at = end if words else time.monotonic() + 2
    while True:
        now = time.monotonic()
        if now > end:
            os.kill(pid, signal.SIGKILL)
            print("terminal.py: no end", file=sys.stderr)
            break
        if keys and now > type_at:
            os.write(master, keys)
            keys = b""
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            shown = os.read(master, 4096)
        except OSError:  # EIO: nobody has the terminal open any more
            break
        if not shown:
            break
        sys.stdout.buffer.write(shown)
        sys.stdout.buffer.flush()
        seen += shown
        if words in seen:
            type_at = min(type_at, now + 0.3)
    status = os.waitpid(pid, 0)[1]
    sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


main()
