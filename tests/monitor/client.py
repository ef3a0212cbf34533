# SPDX-License-Identifier: Apache-2.0
"""The other end of a monitor's socket: client.py DIR tell WORD... | DIR attach [--type TEXT] [--resize COLUMNS ROWS] [--for SECONDS]
[--after FILE]. tell prints the answer; attach prints what comes, with --streams as "1 text", until the container has ended;
with --after nothing is read until FILE is there, with --told FILE is made when it is attached."""
import os
import select
import socket
import sys
import time


def connect(directory):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fd = os.open(directory, os.O_PATH)
    sock.connect(f"/proc/self/fd/{fd}/control")
    sock.settimeout(30)
    return sock


def tell(sock, words):
    sock.send(" ".join(words).encode())
    answer = sock.recv(1024).decode()
    print(answer)
    return 0 if answer == "ok" else 1


def attach(sock, args):
    seconds, after, told, types, streams, resize = 20.0, None, None, [], False, None
    while args:
        word = args.pop(0)
        if word == "--type":
            types.append(args.pop(0).encode().decode("unicode_escape").encode())
        elif word == "--bytes":
            types += [b"x" * 4000] * (int(args.pop(0)) // 4000)
        elif word == "--resize":
            resize = f"{args.pop(0)} {args.pop(0)}"
        elif word == "--for":
            seconds = float(args.pop(0))
        elif word == "--after":
            after = args.pop(0)
        elif word == "--told":
            told = args.pop(0)
        elif word == "--streams":
            streams = True
    sock.send(b"attach")
    assert sock.recv(100) == b"ok"
    if resize:
        sock.send(b"r" + resize.encode())
    for text in types:
        sock.send(b"\0" + text)
    if told:
        open(told, "w").close()
    end = time.monotonic() + seconds
    while after and not os.path.exists(after) and time.monotonic() < end:
        time.sleep(0.05)
    while time.monotonic() < end:
        if not select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
            break
        packet = sock.recv(65536)
        if not packet or packet[:1] == b"x":
            break
        if streams:
            sys.stdout.write(f"{packet[0]} ")
            sys.stdout.flush()
        sys.stdout.buffer.write(packet[1:])
        sys.stdout.buffer.flush()
    return 0


def main():
    sock = connect(sys.argv[1])
    return tell(sock, sys.argv[3:]) if sys.argv[2] == "tell" else attach(sock, sys.argv[3:])


sys.exit(main())
