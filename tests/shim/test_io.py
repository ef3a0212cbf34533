#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Standard streams: pipes, terminals, files and loggers; readers that are slow, late, gone or never there."""
import hashlib
import resource

from harness import *


@scenario
def stdin_half_close(w):
    """The end of the client is no end; after CloseIO it is."""
    c = w.container("a", "sh", "-c", "cat; echo end").run()
    c.io.write("one\n")
    c.io.out.expect("one\n")
    c.io.close_input()
    time.sleep(0.3)
    assert c.state().status == RUNNING and not c.io.out.ended
    # Another client goes on.
    c.io.write("two\n")
    c.io.out.expect("two\n")
    c.close_io()
    assert not c.io.out.ended
    c.io.write("three\n")
    c.io.close_input()
    assert c.io.out.all() == b"one\ntwo\nthree\nend\n"
    assert c.wait().exit_status == 0
    c.close_io()


@scenario
def close_before_start(w):
    c = w.container("a", "sh", "-c", "cat; echo end")
    c.create()
    c.close_io()
    c.start()
    c.io.out.expect("end")
    assert c.wait().exit_status == 0
    d = w.container("b").run()
    e = d.exec("x", "sh", "-c", "cat; echo end")
    e.close_io()
    e.start()
    e.io.out.expect("end")


@scenario
def much_output(w):
    """Thirty megabytes through pipe and FIFO, unchanged."""
    c = w.container("a", "sh", "-c", "i=0; while [ $i -lt 30 ]; do yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c 1048576; i=$((i + 1)); done").run()
    data = c.io.out.all()
    part = (b"0123456789abcdefghijklmnopqrstuvwxyz\n" * 30000)[:1 << 20]
    assert len(data) == 30 << 20 and hashlib.md5(data).digest() == hashlib.md5(part * 30).digest()
    assert c.wait().exit_status == 0


@scenario
def much_input(w):
    c = w.container("a", "md5sum").run()
    data = os.urandom(8 << 20)
    c.io.write(data)
    c.io.close_input()
    c.close_io()
    assert c.io.out.all().split()[0].decode() == hashlib.md5(data).hexdigest()


@scenario
def slow_reader(w):
    """A full FIFO stops the container, not the shim, and costs it nothing."""
    c = w.container("a", "sh", "-c", "head -c 3000000 /dev/zero; echo end >&2", io="oe").run()
    c.io.out.hold()

    def ticks():
        return sum(map(int, read(f"/proc/{server}/stat").rpartition(")")[2].split()[11:13]))
    server = c.server
    time.sleep(0.5)
    before = ticks()
    assert c.state().status == RUNNING and c.io.err.data == b""
    assert c.run_exec("x", "true").wait().exit_status == 0
    time.sleep(1)
    assert ticks() - before <= 10, "the shim is busy"
    c.io.out.hold(False)
    assert c.io.out.all() == bytes(3000000)
    c.io.err.expect("end")
    assert c.wait().exit_status == 0


@scenario
def reader_goes_and_comes(w):
    """What is written while no client is there waits for the next one; nobody gets SIGPIPE."""
    c = w.container("a", "sh", "-c", "trap 'exit 99' PIPE; while read x; do echo got $x; done; exit 7", io="ioe").run()
    c.io.write("1\n")
    c.io.out.expect("got 1\n")
    c.io.detach()
    c.io.write("2\n")
    time.sleep(0.2)
    c.io.attach()
    c.io.out.expect("got 2\n")
    c.close_io()
    c.io.close_input()
    assert c.wait().exit_status == 7


@scenario
def removed_fifos(w):
    c = w.container("a", "sh", "-c", "while read x; do echo got $x; done").run()
    c.io.write("1\n")
    c.io.out.expect("got 1\n")
    for path in c.io.paths.values():
        os.unlink(path)
    c.io.write("2\n")
    c.io.out.expect("got 2\n")
    c.stop()
    # And one that is not there at all.
    d = w.container("b")
    os.unlink(d.io.paths["o"])
    d.io.detach()
    try:
        d.create()
    except Failure as e:
        assert e.code in (ERROR, NOT_FOUND) and e.message, e
    else:
        d.start()


@scenario
def nobody_reads(w):
    """Create waits for a reader; all else goes on meanwhile, and a late one is in time."""
    group = {"io.containerd.runc.v2.group": "g"}
    other = w.container("other", annotations=group).run()
    c = w.container("a", "sh", "-c", "echo hello", annotations=group, io=w.streams(read=False))
    call = c.begin_create()
    time.sleep(0.5)
    assert not call.done()
    assert other.state().status == RUNNING and other.run_exec("x", "true").wait().exit_status == 0
    assert not call.done()
    c.io.attach()
    c.pid, c.created = call.result().pid, True
    c.start()
    assert c.io.out.all() == b"hello\n"


@scenario
def exec_that_nobody_reads(w):
    c = w.container("a").run()
    e = c.exec("x", "echo", "hello", io=w.streams(read=False))
    start = c.client.begin("Start", pb.StartRequest(id="a", exec_id="x"))
    time.sleep(0.3)
    assert not start.done() and c.state().status == RUNNING
    assert c.run_exec("y", "true").wait().exit_status == 0
    e.io.attach()
    assert start.result().pid
    assert e.io.out.all() == b"hello\n"


@scenario
def slow_reader_at_the_end(w):
    """Clients give up, when Delete is answered, a FIFO that they have not begun to read: so it is not before they have."""
    c = w.container("a").run()
    e = c.exec("x", "sh", "-c", "echo out; echo err >&2")
    e.io.out.hold()
    e.io.err.hold()
    e.start()
    assert e.wait().exit_status == 0
    call = c.client.begin("Delete", pb.DeleteRequest(id="a", exec_id="x"))
    time.sleep(0.2)
    e.io.out.hold(False)
    time.sleep(0.1)
    assert not call.done(), "answered, with output that nobody has read"
    assert c.run_exec("y", "true").wait().exit_status == 0
    e.io.err.hold(False)
    assert call.result(0.5).exit_status == 0
    assert e.io.out.all() + e.io.err.all() == b"out\nerr\n"
    # Whoever does not read at all, or has gone, does not stop it.
    for name, leave, limit in (("holds", lambda io: io.out.hold(), 1.5), ("gone", lambda io: io.detach(), 0.5)):
        e = c.exec(name, "sh", "-c", "read x; echo out")
        e.start()
        leave(e.io)
        e.io.write("\n")
        e.wait()
        e.delete(limit=limit)
        e.io.out.hold(False)
    # The same of a container.
    d = w.container("d", "echo", "out")
    d.create()
    d.io.out.hold()
    d.start()
    d.wait()
    call = d.client.begin("Delete", pb.DeleteRequest(id="d"))
    time.sleep(0.2)
    assert not call.done()
    d.io.out.hold(False)
    call.result(2)
    d.gone = True
    assert d.io.out.all() == b"out\n"


@scenario
def some_streams(w):
    for i, want in enumerate(("o", "e", "i", "io", "oe")):
        c = w.container(f"c{i}", "sh", "-c", "echo out; echo err >&2; exit 2", io=want).run()
        assert c.wait().exit_status == 2
        for letter, reader, text in (("o", c.io.out, b"out\n"), ("e", c.io.err, b"err\n")):
            assert not reader if letter not in want else reader.all() == text
        c.end()


@scenario
def to_a_file(w):
    file = "/run/world/logs/deep/out.log"
    for i in range(2):
        c = w.container(f"c{i}", "sh", "-c", f"echo out{i}; echo err{i} >&2", io="")
        c.create(out_path="file://" + file, err_path="file://" + file)
        c.start()
        c.wait()
        c.delete()
    # Appended to, both streams.
    assert sorted(read(file).split()) == ["err0", "err1", "out0", "out1"]
    c = w.container("plain", "echo", "plain", io="")
    with open("/run/world/plain", "w") as f:
        f.write("old\n")
    c.create(out_path="/run/world/plain")
    c.start()
    c.wait()
    c.delete()
    assert "plain" in read("/run/world/plain")


@scenario
def to_a_logger(w):
    """The program gets the streams on 3 and 4, says that it is ready on 5, and has an environment of two variables."""
    logger = "/run/world/logger"
    with open(logger, "w") as f:
        # As containerd's, it is told to end by SIGTERM, and has time to write what there still is.
        f.write("""#!/bin/sh
trap '' TERM
tr '\\0' '\\n' </proc/$$/environ >/run/world/environment
echo "$*" >/run/world/arguments
exec 5>&-
cat <&4 >/run/world/err &
cat <&3 >/run/world/out
wait
echo ended >/run/world/ended
""")
    os.chmod(logger, 0o755)
    uri = f"binary://{logger}?key=value&other=x"
    c = w.container("a", "sh", "-c", "echo out; echo err >&2", io="")
    c.create(out_path=uri, err_path=uri)
    c.start()
    assert c.wait().exit_status == 0
    c.delete()
    eventually(lambda: os.path.exists("/run/world/ended"))
    assert (read("/run/world/out"), read("/run/world/err")) == ("out\n", "err\n")
    assert read("/run/world/arguments").split() == ["key", "value", "other", "x"]
    environment = set(read("/run/world/environment").split())
    assert {"CONTAINER_ID=a", "CONTAINER_NAMESPACE=" + NAMESPACE} <= environment, environment
    assert not any(v.startswith("TTRPC_ADDRESS") for v in environment), environment
    c = w.container("b", io="")
    fails(ERROR, re.compile("."), c.create, out_path="binary:///nosuch/logger", err_path="binary:///nosuch/logger")


@scenario
def unknown_schemes(w):
    c = w.container("a", io="")
    for uri in ("ttrpc+unix:///run/x?streaming_id=1", "http://x/y"):
        try:
            c.create(out_path=uri)
        except Failure as e:
            assert e.code in (ERROR, UNIMPLEMENTED) and uri.partition(":")[0] in e.message, e
        else:
            raise AssertionError(uri)
    c.run()


@scenario
def terminal(w):
    c = w.container("a", "sh", "-c", "stty size; tty; read x; stty size; echo got $x; exit 3", terminal=True)
    c.create()
    assert c.state().terminal and c.state().err_path == ""
    c.resize(101, 43)
    c.start()
    c.io.out.expect("43 101")
    c.io.out.expect("/dev/")
    c.resize(77, 22)
    c.io.write("word\n")
    c.io.out.expect("22 77")
    c.io.out.expect("got word")
    assert c.wait().exit_status == 3
    assert c.io.out.all().endswith(b"got word\r\n")
    c.resize(1, 1)
    c.delete()


@scenario
def terminal_of_an_exec(w):
    c = w.container("a").run()
    c.resize(80, 25)
    e = c.exec("x", "sh", "-c", "stty size; read x; stty size; echo got $x", terminal=True)
    assert e.state().terminal
    e.start()
    e.io.out.expect("\n")
    e.resize(101, 43)
    e.resize(0, 0)
    e.resize(132, 50)
    e.io.write("word\n")
    e.io.out.expect("50 132")
    e.io.out.expect("got word")
    assert e.wait().exit_status == 0
    fails(ERROR, "cannot resize a stopped container", e.resize, 1, 1)
    e.io.out.all()


@scenario
def terminal_to_its_end(w):
    """Everything that was shown arrives, however soon the process ended."""
    c = w.container("a").run()
    for i in range(15):
        e = c.run_exec(f"x{i}", "sh", "-c", "seq 1 3000", terminal=True)
        assert e.wait().exit_status == 0
        lines = e.io.out.all().split()
        assert lines == [str(n).encode() for n in range(1, 3001)], (i, len(lines))
        e.delete()


@scenario
def terminal_keys(w):
    """^C goes to who is in front, ^D ends its input; a client that leaves ends nothing."""
    c = w.container("a", "sh", "-c", "trap 'echo int' INT; cat; echo rest; cat; exit 4", terminal=True).run()
    c.io.write("x\r")
    c.io.out.expect("x\r\nx\r\n")
    c.io.close_input()
    time.sleep(0.2)
    assert c.state().status == RUNNING
    c.io.write("\x04")
    c.io.out.expect("rest")
    c.io.write("y\r")
    c.io.out.expect("y\r\ny\r\n")
    c.io.write("\x03")
    c.io.out.expect("int")
    c.wait()


@scenario
def reopened(w):
    """A user who is not root can open what /dev/stdout stands for."""
    def change(config):
        config["process"]["user"] = dict(uid=1234, gid=1234)
    options = pb.Any(type_url="containerd.runc.v1.Options", value=pb.RuncOptions(io_uid=1234, io_gid=1234).SerializeToString())
    c = w.container("a", "sh", "-c", "echo again >/proc/self/fd/1; echo err >/proc/self/fd/2", change=change, options=options).run()
    assert c.wait().exit_status == 0
    assert c.io.out.all() == b"again\n" and c.io.err.all() == b"err\n"


@scenario
def open_files(w):
    """The server takes all it may have; a process without a limit of its own gets what the shim was given."""
    def change(config):
        config["process"].pop("rlimits", None)
    given = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, given[1]))
    try:
        c = w.container("a", "sh", "-c", "ulimit -Sn; exec sleep 1000", change=change).run()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, given)
    assert resource.prlimit(c.server, resource.RLIMIT_NOFILE) == (given[1], given[1])
    c.io.out.expect("512\n")
    assert resource.prlimit(c.pid, resource.RLIMIT_NOFILE) == (512, given[1])
    e = c.run_exec("x", "sh", "-c", "ulimit -Sn")
    assert e.wait().exit_status == 0 and e.io.out.all() == b"512\n"


@scenario
def out_of_descriptors(w):
    """It is told before anything is made, and passes."""
    group = {"io.kubernetes.cri.sandbox-id": "a"}
    c = w.container("a", annotations=group).run()
    d = w.container("b", annotations=group)
    assert d.server == c.server
    e = c.exec("x", "echo", "hello")
    given = resource.prlimit(c.server, resource.RLIMIT_NOFILE)
    used = len(descriptors(c.server))
    resource.prlimit(c.server, resource.RLIMIT_NOFILE, (used + 8, given[1]))
    fails(ERROR, "too many open files", e.start)
    assert len(descriptors(c.server)) == used
    fails(ERROR, "too many open files", d.create)
    resource.prlimit(c.server, resource.RLIMIT_NOFILE, given)
    e.start()
    assert e.wait().exit_status == 0 and e.io.out.all() == b"hello\n"
    d.run()


main(__name__)
