#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Containers from Create to Shutdown: states, answers, events, several in one shim, clients that come and go."""
import contextlib

from harness import *


@scenario
def whole_life(w):
    c = w.container("a", "sh", "-c", "echo out; echo err >&2; exit 3")
    pid = c.create()
    assert alive(pid)
    connected = c.client.connect(id="a")
    assert connected.task_pid == pid and process_state(connected.shim_pid)
    assert os.path.samefile(f"/proc/{connected.shim_pid}/exe", SHIM)
    # The init is the server's own child.
    assert pid in children(connected.shim_pid)
    s = c.state()
    assert (s.id, s.bundle, s.pid, s.status, s.terminal) == ("a", c.bundle, pid, CREATED, False), s
    assert (s.in_path, s.out_path, s.err_path) == (c.io.paths["i"], c.io.paths["o"], c.io.paths["e"]), s
    assert s.exited_at.seconds == NO_TIME and s.exit_status == 0, s
    assert s.exec_id == "" and s.HasField("exited_at"), s
    assert read(os.path.join(c.bundle, "init.pid")) == str(pid)
    before = [c.begin_wait() for _ in range(3)]
    assert not any(wait.done() for wait in before)
    began = time.time()
    assert c.start() == pid
    answers = [wait.result() for wait in before] + [c.wait()]
    for a in answers:
        assert a.exit_status == 3 and a == answers[0], answers
        assert began - 1 < a.exited_at.seconds + a.exited_at.nanos / 1e9 < time.time() + 1, a
    assert c.io.out.all() == b"out\n" and c.io.err.all() == b"err\n"
    s = c.state()
    assert (s.status, s.pid, s.exit_status, s.exited_at) == (STOPPED, pid, 3, answers[0].exited_at), s
    # Not empty: see remember_init().
    assert c.pids() == [pid]
    d = c.delete()
    assert (d.pid, d.exit_status, d.exited_at) == (pid, 3, answers[0].exited_at), d
    fails(NOT_FOUND, "container not created: not found", c.state)
    fails(NOT_FOUND, "container not created: not found", c.delete)
    assert not mounts_below(c.bundle)
    create = w.events.expect("/tasks/create")
    assert (create.container_id, create.bundle, create.pid) == ("a", c.bundle, pid), create
    assert list(create.rootfs) == c.mounts
    assert (create.io.in_path, create.io.out_path, create.io.err_path, create.io.terminal) == \
        (c.io.paths["i"], c.io.paths["o"], c.io.paths["e"], False)
    assert w.events.expect("/tasks/start") == pb.TaskStart(container_id="a", pid=pid)
    assert w.events.expect("/tasks/exit") == \
        pb.TaskExit(container_id="a", id="a", pid=pid, exit_status=3, exited_at=answers[0].exited_at)
    assert w.events.expect("/tasks/delete") == pb.TaskDelete(container_id="a", pid=pid, exit_status=3, exited_at=answers[0].exited_at)
    server = connected.shim_pid
    c.shutdown()
    eventually(lambda: not alive(server))
    eventually(lambda: c.client.closed)
    assert not os.path.exists(c.socket)
    # Run after a clean shutdown as well.
    w.delete_command("a")


@scenario
def ends_by_signal(w):
    c = w.container("a").run()
    c.kill(signal.SIGKILL)
    assert c.wait().exit_status == 137
    assert c.delete().exit_status == 137
    c = w.container("t", "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done").run()
    c.io.out.expect("ready")
    c.kill(signal.SIGTERM)
    assert c.wait().exit_status == 9


@scenario
def short_lives(w):
    """A process that ends at once is told of as started first."""
    for i in range(15):
        c = w.container(f"c{i}", "true")
        c.create()
        wait = c.begin_wait()
        start = c.client.begin("Start", pb.StartRequest(id=c.id))
        assert wait.result().exit_status == 0
        assert start.result().pid == c.pid
        c.delete()
        c.end()
    eventually(lambda: w.events.topics().count("/tasks/delete") == 15)
    assert w.events.topics() == ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"] * 15


@scenario
def ends_while_it_starts(w):
    """Start is still at its hooks when the process ends: that is told behind it, and State knows of no end before."""
    fifo = "/run/world/hook"
    os.mkfifo(fifo)

    def change(config):
        config["hooks"] = {"poststart": [dict(path="/bin/sh", args=["sh", "-c", f"read x <{fifo}"])]}
    c = w.container("a", "sh", "-c", "exit 6", change=change)
    c.create()
    wait, start = c.begin_wait(), c.client.begin("Start", pb.StartRequest(id="a"))
    eventually(lambda: not alive(c.pid))
    time.sleep(0.1)
    assert not start.done() and not wait.done() and c.state().status == CREATED
    with open(fifo, "w") as f:
        f.write("\n")
    assert start.result().pid == c.pid and wait.result().exit_status == 6
    c.delete()
    eventually(lambda: len(w.events.events) == 4)
    assert w.events.topics() == ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]


@scenario
def never_started(w):
    c = w.container("a")
    c.create()
    wait = c.begin_wait()
    pid = c.pid
    assert c.delete().pid == pid and not alive(pid)
    # Whoever waited is told in some way, not left hanging.
    with contextlib.suppress(Failure):
        assert wait.result().exit_status in (0, 137)
    fails(NOT_FOUND, "container not created: not found", c.state)
    # Kill without Start ends it, too.
    c = w.container("b")
    c.create()
    c.kill(9)
    assert c.wait().exit_status == 137
    assert c.state().status == STOPPED
    c.delete()


@scenario
def no_streams(w):
    """A pause container: all three are empty."""
    c = w.container("a", "sh", "-c", "read x; echo y; echo z >&2; ls -l /proc/self/fd; exit 5", io="").run()
    assert c.wait().exit_status == 5
    assert c.state().in_path == "" and c.state().out_path == ""
    c.close_io()
    c.delete()


@scenario
def program_missing(w):
    """It is Create that fails, and nothing stays."""
    c = w.container("a", "nosuchbin")
    fails(ERROR, re.compile(r'^OCI runtime create failed: .*exec: "nosuchbin": executable file not found in \$PATH'), c.create)
    fails(NOT_FOUND, "container not created: not found", c.state)
    assert not mounts_below(c.bundle) and not os.path.isdir(c.cgroup())
    for path, words in (("/nosuch/bin", "no such file or directory"), ("/etc/passwd", "permission denied"), ("/etc", "permission denied|is a directory")):
        c = w.container("b" + path.replace("/", "-"), path)
        fails(ERROR, re.compile("^OCI runtime create failed: .*(" + words + ")", re.I), c.create)
    # The id is free again.
    c = w.container("d", "nosuchbin")
    fails(ERROR, re.compile("executable file not found"), c.create)
    c.config["process"]["args"] = ["true"]
    with open(os.path.join(c.bundle, "config.json"), "w") as f:
        json.dump(c.config, f)
    c.run()
    assert c.wait().exit_status == 0
    eventually(lambda: "/tasks/exit" in w.events.topics())
    assert w.events.topics() == ["/tasks/create", "/tasks/start", "/tasks/exit"]


@scenario
def bad_bundles(w):
    c = w.container("a")
    os.unlink(os.path.join(c.bundle, "config.json"))
    fails(ERROR, re.compile("^OCI runtime create failed: .*config.json"), c.create)
    with open(os.path.join(c.bundle, "config.json"), "w") as f:
        f.write('{"ociVersion": ')
    fails(ERROR, re.compile("^OCI runtime create failed: "), c.create)
    fails(ERROR, re.compile("^OCI runtime create failed: "), c.create, bundle="/nosuch")
    c = w.container("m", mounts=[pb.Mount(type="bind", source="/nosuch", options=["rbind"])])
    fails(ERROR, re.compile("nosuch"), c.create)
    c = w.container("n", mounts=[pb.Mount(type="nosuchfs", source="none")])
    fails(ERROR, re.compile("."), c.create)
    assert not mounts_below(w.tasks)


@scenario
def create_twice(w):
    c = w.container("a").run()
    fails(EXISTS, re.compile("already exists"), c.create)
    assert c.state().status == RUNNING and c.state().pid == c.pid
    assert len(mounts_below(c.bundle)) == 1
    # Two at once: one of them.
    d = w.container("b")
    calls = [d.begin_create() for _ in range(5)]
    done = []
    for call in calls:
        try:
            done.append(call.result().pid)
        except Failure as e:
            assert e.code == EXISTS, e
    assert len(done) == 1 and d.state().pid == done[0], done
    d.pid, d.created = done[0], True
    d.start()
    d.stop()


@scenario
def id_again(w):
    c = w.container("a", "true").run()
    c.wait()
    c.delete()
    for status in (4, 5):
        c.config["process"]["args"] = ["sh", "-c", f"exit {status}"]
        with open(os.path.join(c.bundle, "config.json"), "w") as f:
            json.dump(c.config, f)
        c.io = w.streams()
        c.run()
        assert c.wait().exit_status == status
        c.delete()
    eventually(lambda: w.events.topics().count("/tasks/delete") == 3)


@scenario
def pod(w):
    """Containers of one group have one server, which ends with the last."""
    group = {"io.kubernetes.cri.sandbox-id": "pause"}
    pause = w.container("pause", annotations=group, io="").run()
    others = [w.container(f"c{i}", "sh", "-c", f"echo {i}; sleep 1000", annotations=group) for i in range(3)]
    for i, c in enumerate(others):
        assert c.address == pause.address and read(os.path.join(c.bundle, "address")) == c.address
        c.run()
        c.io.out.expect(str(i))
    assert len(shim_processes()) == 1 and len({c.server for c in others + [pause]}) == 1
    pause.shutdown()
    others[0].kill(9)
    assert others[0].wait().exit_status == 137
    others[0].delete()
    others[0].shutdown()
    time.sleep(0.2)
    assert [c.state().status for c in [pause] + others[1:]] == [RUNNING] * 3
    fails(NOT_FOUND, "container not created: not found", others[0].state)
    assert others[0].client.connect(id="c0").task_pid == 0
    # Another group, another server.
    other = w.container("alone").run()
    assert other.address != pause.address and len(shim_processes()) == 2


@scenario
def group_names(w):
    a = w.container("a", annotations={"io.containerd.runc.v2.group": "g", "io.kubernetes.cri.sandbox-id": "x"})
    b = w.container("b", annotations={"io.containerd.tote.v2.group": "g", "io.containerd.runc.v2.group": "y"})
    c = w.container("c", annotations={"io.kubernetes.cri.sandbox-id": "g"})
    d = w.container("g")
    assert len({x.address for x in (a, b, c, d)}) == 1
    assert w.container("h").address != a.address


@scenario
def both_services(w):
    """Version 3 is the same under another name."""
    c = w.container("a", "sh", "-c", "exit 4", service=V3).run()
    assert c.wait().exit_status == 4
    with Client(c.address, service=V2) as v2:
        assert v2.state(id="a").exit_status == 4
    c.delete()


@scenario
def containerd_restarts(w):
    """New connections find everything; what ended meanwhile has its true status."""
    keep, ends = w.container("keep").run(), w.container("ends", "sh", "-c", "read x; exit 42").run()
    for c in (keep, ends):
        waits = [c.begin_wait() for _ in range(2)]
        c.client.close()
    ends.io.write("x\n")
    eventually(lambda: not alive(ends.pid))
    for c in (keep, ends):
        c.connect()
        assert c.client.connect(id=c.id).task_pid == c.pid
    assert keep.pids() == [keep.pid] and ends.pids() == [ends.pid]
    assert keep.state().status == RUNNING and ends.state().status == STOPPED
    assert ends.wait().exit_status == 42
    wait = keep.begin_wait()
    keep.kill(9)
    assert wait.result().exit_status == 137
    assert ends.delete().exit_status == 42


def made_or_gone(c):
    c.pid = c.client.connect(id="a").task_pid
    c.created = c.pid > 0
    if not c.created:
        with contextlib.suppress(Failure):
            c.create()
    return c.created


@scenario
def vanishing_clients(w):
    """Calls whose connection is gone harm nobody, also while a worker is at them."""
    c = w.container("a")
    c.begin_create()
    c.client.close()
    c.connect()
    # Made for nobody it goes again, unless it was ready before the end was seen.
    eventually(lambda: made_or_gone(c))
    for _ in range(20):
        with Client(c.address) as other:
            for _ in range(10):
                other.begin("Wait", pb.WaitRequest(id="a"))
    with Client(c.address) as other:
        other.begin("Start", pb.StartRequest(id="a"))
        other.send_bytes(b"\0\0\0")
    c.until(RUNNING)
    fds = descriptors(c.server)
    assert len([t for t in fds.values() if t.startswith("socket:")]) <= 5, fds
    c.stop()


@scenario
def time_limits(w):
    c = w.container("a").run()
    wait, patient = c.begin_wait(timeout_ns=200_000_000), c.begin_wait(timeout_ns=30_000_000_000)
    began = time.monotonic()
    try:
        wait.result(2)
        raise AssertionError("a wait for what goes on")
    except Failure as e:
        assert e.code == DEADLINE, e
        assert time.monotonic() - began > 0.15
    except TimeoutError:
        pass  # containerd has forgotten the stream: no answer is one, too
    c.kill(9)
    assert patient.result().exit_status == 137


@scenario
def shutdown_waits_for_the_last(w):
    c = w.container("a").run()
    server = c.server
    for _ in range(3):
        c.shutdown()
    c.client.shutdown(id="a", now=True)
    time.sleep(0.2)
    assert alive(server) and c.state().status == RUNNING
    c.stop()
    c.shutdown()
    eventually(lambda: not alive(server))


@scenario
def before_create(w):
    """A shim that has no container yet."""
    c = w.container("a")
    connected = c.client.connect(id="a")
    assert connected.task_pid == 0 and alive(connected.shim_pid)
    for method, request in (("State", pb.StateRequest), ("Start", pb.StartRequest), ("Wait", pb.WaitRequest), ("Pids", pb.PidsRequest)):
        fails(NOT_FOUND, "container not created: not found", c.client.call, method, request(id="a"))
    c.shutdown()
    eventually(lambda: not alive(connected.shim_pid))


@scenario
def many_at_once(w):
    """A pod of twenty, all made at the same time."""
    group = {"io.containerd.runc.v2.group": "g"}
    all = [w.container(f"c{i}", "sh", "-c", f"exit {i}", io="", annotations=group) for i in range(20)]
    creates = [c.begin_create() for c in all]
    for c, call in zip(all, creates):
        c.pid, c.created = call.result(30).pid, True
    waits = [c.begin_wait() for c in all]
    starts = [c.client.begin("Start", pb.StartRequest(id=c.id)) for c in all]
    assert [call.result().pid for call in starts] == [c.pid for c in all]
    assert [wait.result().exit_status for wait in waits] == list(range(20))
    deletes = [c.client.begin("Delete", pb.DeleteRequest(id=c.id)) for c in all]
    assert [call.result().exit_status for call in deletes] == list(range(20))
    for c in all:
        c.gone = True


main(__name__)
