#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input: frames, messages, names, peers."""
import random

from harness import *


def state_of(c, id="a"):
    return c.request_data("State", pb.StateRequest(id=id))


@scenario
def unknown_methods(w):
    c = w.container("a").run()
    fails(UNIMPLEMENTED, re.compile("^service nosuch.Service"), c.client.call, "State", pb.StateRequest(id="a"), service="nosuch.Service")
    fails(UNIMPLEMENTED, re.compile("^service "), c.client.call, "State", pb.StateRequest(id="a"), service="containerd.task.v4.Task")
    fails(UNIMPLEMENTED, re.compile("^method Nosuch"), c.client.call, "Nosuch", pb.Empty())
    fails(UNIMPLEMENTED, re.compile("^method state"), c.client.call, "state", pb.StateRequest(id="a"))
    assert c.state().status == RUNNING


@scenario
def stream_ids(w):
    """Odd ones, each larger than the last."""
    c = w.container("a").run()
    k = Client(c.address)
    data = state_of(k)
    for stream, words in ((2, "StreamID must be odd for client initiated streams"), (0, "StreamID must be odd for client initiated streams")):
        k.send(Frame(stream, data=data))
        frame = k.receive()
        assert frame.stream == stream and k.status(frame) == (INVALID, words), (frame, k.status(frame))
    k.send(Frame(101, data=data))
    assert k.status(k.receive()) == (OK, "")
    for stream in (101, 99, 1):
        k.send(Frame(stream, data=data))
        frame = k.receive()
        assert frame.stream == stream
        assert k.status(frame) == (INVALID, "StreamID cannot be re-used and must increment"), k.status(frame)
    k.send(Frame(0xffffffff, data=data))
    assert k.status(k.receive()) == (OK, "")


@scenario
def bad_messages(w):
    c = w.container("a").run()
    k = Client(c.address)
    for data in (b"\xff", b"\x0a\x7f", b"\x0a\xff\xff\xff\xff\x0f", b"\x80" * 30):
        k.send(Frame(data=data))
        code, words = k.status(k.receive())
        assert code == INVALID and words.startswith("unmarshal request error"), (code, words)
    # A request in order with a message that is not.
    for payload in (b"\xff", b"\x0a\x7f", b"\x0a\x02\xc3"):
        k.send(Frame(data=pb.Request(service=V2, method="State", payload=payload).SerializeToString()))
        assert k.status(k.receive())[0] == INVALID
    k.send(Frame(data=b""))
    assert k.status(k.receive())[0] in (INVALID, UNIMPLEMENTED)
    assert c.state().status == RUNNING


@scenario
def frame_types(w):
    """What is no request is passed over."""
    c = w.container("a").run()
    k = Client(c.address)
    for type in (0, 2, 3, 4, 255):
        k.send(Frame(1000001, type=type, data=b"data"))
    assert k.call("State", pb.StateRequest(id="a")).status == RUNNING
    # Flags of a request that has a stream to follow: unary all the same.
    stream = k.send(Frame(type=1, flags=1, data=state_of(k)))
    frame = k.receive()
    # Data of a stream that there is none of may be refused, as Go's server does.
    while frame.stream != stream:
        assert frame.stream == 1000001 and k.status(frame)[0] == INVALID, frame
        frame = k.receive()
    assert k.status(frame)[0] == OK


@scenario
def sizes(w):
    c = w.container("a").run()
    k = Client(c.address)
    big = 4 << 20
    stream = k.send(Frame(data=bytes(big + 1)))
    frame = k.receive()
    assert frame.stream == stream
    assert k.status(frame) == (EXHAUSTED, f"message length {big + 1} exceed maximum message size of {big}"), k.status(frame)
    # Just fits, and holds nothing that is known.
    k.send(Frame(data=pb.Request(service=V2, method="State", payload=pb.StateRequest(id="a").SerializeToString()).SerializeToString()
                 + b"\x7a" + bytes([0xf0, 0xff, 0x7f]) + bytes(0x1ffff0)))
    assert k.status(k.receive())[0] == OK
    assert c.state().status == RUNNING
    server = c.server
    assert memory(server)["Private_Dirty"] < 1024, memory(server)
    # A header that promises what never comes.
    with Client(c.address) as other:
        other.send_bytes(struct.pack(">IIBB", 0xffffffff, 1, 1, 0) + bytes(100))
        time.sleep(0.1)
        assert c.state().status == RUNNING


@scenario
def pieces(w):
    """Byte by byte, and many frames in one write."""
    c = w.container("a").run()
    k = Client(c.address)
    data = Frame(10001, data=state_of(k)).pack()
    for i in range(len(data)):
        k.send_bytes(data[i:i + 1])
    assert k.status(k.receive()) == (OK, "")
    k.send_bytes(b"".join(Frame(10003 + 2 * i, data=state_of(k)).pack() for i in range(500)))
    assert sorted(k.receive().stream for _ in range(500)) == [10003 + 2 * i for i in range(500)]
    # Half a frame, and gone.
    for cut in (1, 9, 10, 11, len(data) - 1):
        with Client(c.address) as other:
            other.send_bytes(data[:cut])
    assert c.state().status == RUNNING


@scenario
def does_not_read(w):
    """A client that asks without end and takes no answer holds up itself alone."""
    c = w.container("a").run()
    other = Client(c.address)
    other.hold()
    other._sock.settimeout(1)
    data = b"".join(Frame(1 + 2 * i, data=state_of(other)).pack() for i in range(20000))
    with contextlib.suppress(OSError):
        other._sock.sendall(data)
    assert c.state().status == RUNNING
    assert memory(c.server)["Private_Dirty"] < 4096, memory(c.server)
    other.close()
    assert c.state().status == RUNNING


@scenario
def many_connections(w):
    c = w.container("a").run()
    server = c.server
    before = len(descriptors(server))
    clients = [Client(c.address) for _ in range(200)]
    assert all(k.state(id="a").status == RUNNING for k in clients)
    for k in clients:
        k.close()
    eventually(lambda: len(descriptors(server)) == before)


@scenario
def other_users(w):
    """Nobody but ourselves is served, whatever the socket's mode."""
    c = w.container("a").run()
    assert stat.S_IMODE(os.stat(c.socket).st_mode) == 0o600
    attempt = f"""
import socket, sys, os
os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX); s.settimeout(5)
try:
    s.connect({c.socket!r})
    s.sendall(bytes.fromhex({Frame(1, data=state_of(c.client)).pack().hex()!r}))
    sys.exit(10 + (len(s.recv(100)) > 0))
except PermissionError:
    sys.exit(20)
except (ConnectionResetError, BrokenPipeError):
    sys.exit(10)
"""

    def code(gid, uid):
        return subprocess.run([sys.executable, "-c", attempt, str(gid), str(uid)], timeout=10).returncode
    assert code(0, 0) == 11
    assert code(65534, 65534) == 20
    os.chmod(c.socket, 0o666)
    os.chmod("/run/containerd/s", 0o711)
    os.chmod("/run/containerd", 0o711)
    assert code(65534, 65534) == 10
    assert code(65534, 0) == 10
    assert c.state().status == RUNNING
    w.allow_log.append("refused")


@scenario
def long_names(w):
    """76 characters are what containerd allows."""
    id, exec_id = "a" + "b" * 75, "x" + "y" * 75
    c = w.container(id, "sh", "-c", "read x; exit 4").run()
    e = c.run_exec(exec_id, "sh", "-c", "echo hello")
    assert e.io.out.all() == b"hello\n" and e.wait().exit_status == 0
    e.delete()
    c.io.write("x\n")
    assert c.wait().exit_status == 4
    assert c.delete().exit_status == 4


@scenario
def names(w):
    """What is no name for a container is refused before it is a path."""
    c = w.container("a")
    for id in ("", "..", "../x", "a/b", "/a", "x" * 5000, "a\nb", "a b"):
        try:
            c.create(id=id)
        except Failure as e:
            assert e.code in (ERROR, INVALID) and e.message, (id, e)
        else:
            raise AssertionError(id)
    assert not os.path.isdir("/run/containerd/tote/" + NAMESPACE) or os.listdir("/run/containerd/tote/" + NAMESPACE) == []
    c.run()
    fails(NOT_FOUND, "container not created: not found", c.client.state, id="x" * 5000)


@scenario
def not_utf8(w):
    """containerd drops a whole message for one bad byte: none is sent back."""
    c = w.container("a").run()
    k = Client(c.address)
    bad = b"a\xff\xfe\xc3("
    field = bytes([0x0a, len(bad)]) + bad
    requests = [("State", field), ("Kill", field), ("State", b"\x0a\x01a\x12" + bytes([len(bad)]) + bad),
                ("Create", field + b"\x12\x02/x"), ("Exec", b"\x0a\x01a\x12" + bytes([len(bad)]) + bad)]
    for method, payload in requests:
        k.send(Frame(data=pb.Request(service=V2, method=method, payload=payload).SerializeToString()))
        # Python's protobuf is as strict: this raises for a bad byte.
        code, words = k.status(k.receive())
        assert code, (method, words)
    k.send(Frame(data=b"\x0a\x03\xff\xfe\xfd\x12\x05State"))
    assert k.status(k.receive())[0] in (UNIMPLEMENTED, INVALID)
    # In words that come from elsewhere: the name of a program.
    spec = pb.Any(type_url=SPEC + "Process", value=b'{"args": ["/no\xff\xfe"], "cwd": "/"}')
    with contextlib.suppress(Failure):
        k.exec(id="a", exec_id="x", spec=spec)
        k.start(id="a", exec_id="x")
        raise AssertionError("started")
    assert c.state().status == RUNNING


@scenario
def noise(w):
    """Random bytes, and requests with random bytes in them."""
    c = w.container("a").run()
    r = random.Random(1)
    methods = ["State", "Create", "Start", "Pids", "Exec", "ResizePty", "CloseIO", "Update", "Stats", "Connect", "Wait"]
    for i in range(300):
        k = Client(c.address)
        payload = r.randbytes(r.randrange(0, 60))
        with contextlib.suppress(OSError):
            if i % 3 == 0:
                k.send_bytes(r.randbytes(r.randrange(0, 200)))
            elif i % 3 == 1:
                k.send(Frame(data=r.randbytes(r.randrange(0, 200))))
            else:
                k.send(Frame(data=pb.Request(service=V2, method=r.choice(methods), payload=payload).SerializeToString()))
        k.close()
    assert c.state().status == RUNNING
    eventually(lambda: len(descriptors(c.server)) < 40)


main(__name__)
