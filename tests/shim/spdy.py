# SPDX-License-Identifier: Apache-2.0
"""
The streams of exec, attach and port-forward: SPDY/3.1 over one HTTP connection, as kubelet and kubectl speak it to the URL of CRI.

    with Streams(url, "v4.channel.k8s.io", ["error", "stdin", "stdout", "stderr"]) as s:
        s.stdin.send(b"hello\\n")
        s.stdin.close()             # half a close: the others go on
        s.stdout.read()             # until its end; s.stdout.until(b"text") until that text came
        s.exit_code()               # what the error stream says

One thread reads; everything has a time limit. The compression of headers is done without the protocol's dictionary, which the
other side takes, and its headers are not looked at.
"""
import json, socket, struct, threading, urllib.parse, zlib

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 1
LIMIT = 30


class Stream:
    """One direction or both of them."""

    def __init__(self, connection, number):
        self.connection, self.number = connection, number
        self.data, self.ended, self.accepted = b"", False, False

    def send(self, data):
        for at in range(0, len(data), 1 << 15):
            self.connection._data(self.number, 0, data[at:at + (1 << 15)])

    def close(self):
        self.connection._data(self.number, FIN, b"")

    def read(self, limit=LIMIT):
        self.connection._wait(lambda: self.ended, limit, f"no end of the stream after {self.data[-80:]!r}")
        return self.data

    def until(self, text, limit=LIMIT):
        self.connection._wait(lambda: text in self.data or self.ended, limit, f"no {text!r} in {self.data[-200:]!r}")
        assert text in self.data, f"ended without {text!r}: {self.data[-200:]!r}"
        return self.data


class Streams:
    def __init__(self, url, protocol, names, headers=None):
        self.changed = threading.Condition()
        self.writing = threading.Lock()
        self.gone = False
        self.deflate = zlib.compressobj()
        self._upgrade(url, protocol)
        self.streams = {}
        for i, name in enumerate(names):
            stream = Stream(self, 2 * i + 1)
            self.streams[stream.number] = stream
            setattr(self, name, stream)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        for stream, name in zip(self.streams.values(), names):
            self._syn(stream.number, {"streamtype": name, **{k.lower(): v for k, v in (headers or {}).items()}})
        self._wait(lambda: all(s.accepted for s in self.streams.values()), LIMIT, "streams were not accepted")

    def _upgrade(self, url, protocol):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), LIMIT)
        self.socket.sendall(f"POST {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\n"
                            f"Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocol}\r\nContent-Length: 0\r\n\r\n".encode())
        self.input = self.socket.makefile("rb")
        status = self.input.readline().decode().strip()
        fields = list(iter(self.input.readline, b"\r\n"))
        if not status.startswith("HTTP/1.1 101"):
            raise ConnectionError(f"{status} {fields} {self.input.read(300)}")
        assert any(protocol.encode() in f for f in fields), fields
        self.socket.settimeout(None)

    def _syn(self, number, headers):
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            block += struct.pack(">I", len(name)) + name.encode() + struct.pack(">I", len(value)) + value.encode()
        with self.writing:
            block = self.deflate.compress(block) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
            self._control(SYN_STREAM, struct.pack(">IIBB", number, 0, 0, 0) + block)

    def _control(self, kind, body, flags=0):
        self.socket.sendall(struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body)

    def _data(self, number, flags, data):
        with self.writing:
            self.socket.sendall(struct.pack(">II", number, flags << 24 | len(data)) + data)

    def _read(self):
        try:
            while len(head := self.input.read(8)) == 8:
                first, rest = struct.unpack(">II", head)
                body = self.input.read(rest & 0xFFFFFF)
                with self.changed:
                    self._frame(first, rest >> 24, body)
                    self.changed.notify_all()
        except (OSError, ValueError):
            pass
        with self.changed:
            self.gone = True
            for stream in self.streams.values():
                stream.ended = True
            self.changed.notify_all()

    def _frame(self, first, flags, body):
        if not first & 0x80000000:
            stream = self.streams[first]
            stream.data += body
            stream.ended |= bool(flags & FIN)
            return
        kind = first & 0xFFFF
        if kind == PING:
            with self.writing:
                self._control(PING, body)
        if kind in (SYN_REPLY, RST_STREAM):
            stream = self.streams[struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF]
            stream.accepted |= kind == SYN_REPLY
            stream.ended |= kind == RST_STREAM or bool(flags & FIN)

    def _wait(self, what, limit, failure):
        with self.changed:
            self.changed.wait_for(lambda: what() or self.gone, limit)
            if not what():
                raise TimeoutError(failure)

    def exit_code(self, limit=LIMIT):
        """Of exec and attach. Success has no word about it."""
        status = json.loads(self.error.read(limit) or b"{}")
        if status.get("status") == "Success" or not status:
            return 0
        for cause in status.get("details", {}).get("causes", []):
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
        raise RuntimeError(status)

    def resize_to(self, columns, rows):
        self.resize.send(json.dumps({"Width": columns, "Height": rows}).encode())

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join(5)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
