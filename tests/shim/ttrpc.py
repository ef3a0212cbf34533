# SPDX-License-Identifier: Apache-2.0
"""
What containerd is to the shim, without containerd: a ttrpc client and the receiver of its events. For tests in Python.

    from ttrpc import Client, EventServer, Failure, Frame, messages as pb        # pb has the messages of shim.proto

    c = Client("/run/x.sock")                       # or "unix:///run/x.sock"; connects within limit=30 seconds or fails
    pid = c.call("Create", pb.CreateRequest(id="a", bundle="/b")).pid            # waits for the answer, at most limit=30 seconds
    wait = c.begin("Wait", pb.WaitRequest(id="a"))  # does not wait; any number at a time
    c.call("Kill", pb.KillRequest(id="a", signal=9))
    wait.done()                                     # True when the answer is there (does not block)
    wait.result(limit=30).exit_status               # TimeoutError when none comes
    c.call("State", pb.StateRequest(id="no"))       # raises Failure: .code (5; pb names in CODES), .message
    c.state(id="a") ...                             # every method by its name in small letters: c.create(), c.close_io(), ...
                                                    # the request's fields are the keywords; also limit= and timeout_ns=
    c.call(method, request, service=..., answer=pb.X, timeout_ns=...)            # Client(path, service=V3) for v3

Bad input and slow readers:

    c.send(Frame(stream=4, type=1, flags=0, data=b"..."))    # as it is; stream=None: the next odd one. Returns the stream
    c.send_bytes(b"\\0\\0")                          # anything, also half a frame
    c.request_data(method, request)                 # the bytes of a Request, for send(Frame(data=...))
    c.receive(limit=30)                             # the next frame that is no answer to a begin(), as Frame; None: closed
    c.status(frame)                                 # (code, message) of an answer; (0, "") for success
    c.hold(); c.release()                           # stops and goes on reading, after the frame that it waits for
    c.closed                                        # the shim has closed the connection
    c.close()                                       # or `with Client(...) as c`

Events:

    e = EventServer("/run/events.sock")             # listens at once; the shim's TTRPC_ADDRESS
    e.take(limit=30)                                # the next event, in order of arrival: Event(topic, namespace, message, stream)
    e.expect("/tasks/start", limit=30)              # the next one, which must have this topic: its message, e.g. pb.TaskStart
    e.events                                        # all that have come so far and were taken by an answer (a list, not consumed)
    e.topics()                                      # their topics
    e.down(); e.up()                                # as containerd that stops (connections closed, socket removed) and starts again
    e.mute = True                                   # takes events and answers nothing
    e.refuse = (2, "no") or None                    # answers with an error; what was refused is not in .events
    e.drop_next = n                                 # closes the connection instead of answering, n times
    e.connections                                   # how many there were so far
    e.close()

One thread of each object reads; everything may be called from any thread. The generated module is made by protoc in a temporary
directory when this file is imported. Needs protobuf-compiler and python3-protobuf, so Debian's own python: /usr/bin/python3.
"""
import atexit, collections, importlib.util, os, re, shutil, socket, struct, subprocess, tempfile, threading, time

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cmd/containerd-shim-tote-v2/shim.proto")
V2, V3 = "containerd.task.v2.Task", "containerd.task.v3.Task"
EVENTS = "containerd.services.events.ttrpc.v1.Events"
REQUEST, RESPONSE, DATA = 1, 2, 3
DATA_MAX = 4 << 20
CODES = {0: "OK", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound", 6: "AlreadyExists",
         8: "ResourceExhausted", 9: "FailedPrecondition", 12: "Unimplemented", 14: "Unavailable"}


def _generate():
    where = tempfile.mkdtemp(prefix="tote-proto.")
    try:
        subprocess.run(["protoc", "--proto_path=" + os.path.dirname(PROTO), "--python_out=" + where, PROTO], check=True)
        spec = importlib.util.spec_from_file_location("shim_pb2", os.path.join(where, "shim_pb2.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        shutil.rmtree(where)


messages = pb = _generate()

# Method -> request, response. Nothing is answered with Empty unless said.
METHODS = {name: (getattr(pb, name + "Request"), getattr(pb, name + "Response", pb.Empty)) for name in (
    "State", "Create", "Start", "Delete", "Pids", "Pause", "Resume", "Checkpoint", "Kill", "Exec", "ResizePty", "CloseIO",
    "Update", "Wait", "Stats", "Connect", "Shutdown")}
# create, resize_pty, close_io ...
SMALL = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): name for name in METHODS}

Event = collections.namedtuple("Event", "topic namespace message stream")


class Failure(Exception):
    """An answer that is an error."""

    def __init__(self, code, message):
        super().__init__(f"{CODES.get(code, code)}: {message}")
        self.code, self.message = code, message


class Frame:
    HEADER = struct.Struct(">IIBB")

    def __init__(self, stream=None, type=REQUEST, flags=0, data=b"", length=None):
        """length: what the header says, when that is not what follows."""
        self.stream, self.type, self.flags, self.data, self.length = stream, type, flags, data, length

    def pack(self):
        length = len(self.data) if self.length is None else self.length
        return self.HEADER.pack(length, self.stream, self.type, self.flags) + self.data

    def __repr__(self):
        return f"Frame(stream={self.stream}, type={self.type}, flags={self.flags}, data={self.data!r})"


def _read(sock, n):
    """Exactly n bytes, or None at the end."""
    data = b""
    while len(data) < n:
        try:
            more = sock.recv(n - len(data))
        except OSError:
            return None
        if not more:
            return None
        data += more
    return data


def _read_frame(sock):
    header = _read(sock, Frame.HEADER.size)
    if header is None:
        return None
    length, stream, kind, flags = Frame.HEADER.unpack(header)
    data = _read(sock, length)
    return None if data is None else Frame(stream, kind, flags, data)


def _path(address):
    return address[len("unix://"):] if address.startswith("unix://") else address


class Call:
    """A request on its way."""

    def __init__(self, method, stream, answer):
        self.method, self.stream, self._answer, self._frame, self._ended = method, stream, answer, None, threading.Event()

    def _end(self, frame):
        self._frame = frame
        self._ended.set()

    def done(self):
        return self._ended.is_set()

    def result(self, limit=30):
        if not self._ended.wait(limit):
            raise TimeoutError(f"{self.method}: no answer within {limit} s")
        if self._frame is None:
            raise ConnectionError(f"{self.method}: connection closed")
        response = pb.Response.FromString(self._frame.data)
        if response.status.code:
            raise Failure(response.status.code, response.status.message)
        return self._answer.FromString(response.payload)


class Client:
    def __init__(self, address, service=V2, limit=30, namespace=None):
        self.service, self.namespace, self.closed = service, namespace, False
        self._lock, self._calls, self._stream = threading.Lock(), {}, -1
        self._others, self._news = collections.deque(), threading.Condition()
        self._reads = threading.Event()
        self._reads.set()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end = time.monotonic() + limit
        while True:
            try:
                self._sock.connect(_path(address))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > end:
                    self._sock.close()
                    raise
                time.sleep(0.01)
        threading.Thread(target=self._reader, daemon=True).start()

    def _reader(self):
        while True:
            self._reads.wait()
            frame = _read_frame(self._sock)
            if frame is None:
                break
            with self._lock:
                call = self._calls.pop(frame.stream, None) if frame.type == RESPONSE else None
            if call:
                call._end(frame)
            else:
                with self._news:
                    self._others.append(frame)
                    self._news.notify_all()
        with self._lock:
            self.closed = True
            calls, self._calls = self._calls, {}
        for call in calls.values():
            call._end(None)
        with self._news:
            self._news.notify_all()

    # Requests.

    def request_data(self, method, request, service=None, timeout_ns=0):
        payload = request if isinstance(request, bytes) else request.SerializeToString()
        r = pb.Request(service=service or self.service, method=method, payload=payload, timeout_nano=timeout_ns)
        if self.namespace:
            r.metadata.add(key="containerd-namespace-ttrpc", value=self.namespace)
        return r.SerializeToString()

    def begin(self, method, request=None, service=None, answer=None, timeout_ns=0):
        known = METHODS.get(method, (pb.Empty, pb.Empty))
        data = self.request_data(method, known[0]() if request is None else request, service, timeout_ns)
        with self._lock:
            if self.closed:
                raise ConnectionError(f"{method}: connection closed")
            self._stream += 2
            call = self._calls[self._stream] = Call(method, self._stream, answer or known[1])
            self._sock.sendall(Frame(call.stream, data=data).pack())
        return call

    def call(self, method, request=None, service=None, answer=None, timeout_ns=0, limit=30):
        return self.begin(method, request, service, answer, timeout_ns).result(limit)

    def __getattr__(self, name):
        if name not in SMALL:
            raise AttributeError(name)
        method = SMALL[name]

        def call(limit=30, timeout_ns=0, **fields):
            return self.call(method, METHODS[method][0](**fields), limit=limit, timeout_ns=timeout_ns)
        return call

    # Frames.

    def send(self, frame):
        with self._lock:
            if frame.stream is None:
                self._stream += 2
                frame.stream = self._stream
            elif frame.stream % 2 and frame.stream > self._stream:
                self._stream = frame.stream
            self._sock.sendall(frame.pack())
        return frame.stream

    def send_bytes(self, data):
        with self._lock:
            self._sock.sendall(data)

    def receive(self, limit=30):
        with self._news:
            if not self._news.wait_for(lambda: self._others or self.closed, limit):
                raise TimeoutError(f"no frame within {limit} s")
            return self._others.popleft() if self._others else None

    @staticmethod
    def status(frame):
        status = pb.Response.FromString(frame.data).status
        return status.code, status.message

    def hold(self):
        self._reads.clear()

    def release(self):
        self._reads.set()

    def close(self):
        self._reads.set()
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class EventServer:
    def __init__(self, path):
        self.path, self.events, self.connections = path, [], 0
        self.mute, self.refuse, self.drop_next, self.answered = False, None, 0, 0
        self._taken, self._news, self._socks, self._listener = 0, threading.Condition(), set(), None
        self.up()
        atexit.register(self.close)

    def up(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        listener.listen(16)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self):
        listener, self._listener = self._listener, None
        if not listener:
            return
        os.unlink(self.path)
        # A thread that waits in accept() keeps the socket.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self._news:
            socks, self._socks = self._socks, set()
        for sock in socks:
            self._hang_up(sock)

    close = down

    @staticmethod
    def _hang_up(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sock.close()

    def _accept(self, listener):
        while True:
            try:
                sock = listener.accept()[0]
            except OSError:
                return
            with self._news:
                if self._listener is not listener:
                    sock.close()
                    return
                self._socks.add(sock)
                self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        while True:
            frame = _read_frame(sock)
            if frame is None:
                break
            if not self.mute and not self._answer(sock, frame):
                break
        with self._news:
            self._socks.discard(sock)
        self._hang_up(sock)

    def _answer(self, sock, frame):
        request = pb.Request.FromString(frame.data)
        assert (request.service, request.method) == (EVENTS, "Forward"), request
        envelope = pb.ForwardRequest.FromString(request.payload).envelope
        response = pb.Response()
        with self._news:
            if self.drop_next > 0:
                self.drop_next -= 1
                return False
            if self.refuse:
                response.status.code, response.status.message = self.refuse
            else:
                self.events.append(self._event(envelope, frame.stream))
                self._news.notify_all()
        try:
            sock.sendall(Frame(frame.stream, RESPONSE, data=response.SerializeToString()).pack())
        except OSError:
            return False
        self.answered += 1
        return True

    @staticmethod
    def _event(envelope, stream):
        kind = envelope.event.type_url
        assert kind.startswith("containerd.events."), kind
        assert envelope.timestamp.seconds > 0, envelope
        message = getattr(pb, kind.rpartition(".")[2]).FromString(envelope.event.value)
        return Event(envelope.topic, envelope.namespace, message, stream)

    def take(self, limit=30):
        with self._news:
            if not self._news.wait_for(lambda: len(self.events) > self._taken, limit):
                raise TimeoutError(f"no event within {limit} s; so far {self.topics()}")
            self._taken += 1
            return self.events[self._taken - 1]

    def expect(self, topic, limit=30):
        event = self.take(limit)
        assert event.topic == topic, f"{event} instead of {topic}"
        return event.message

    def topics(self):
        return [e.topic for e in self.events]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
