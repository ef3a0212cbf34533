#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Further processes in a container, and how their ends come before its own."""
from harness import *

# What a container without a pid namespace of its own is changed to.
def host_pids(config):
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]


@scenario
def whole_exec(w):
    c = w.container("a").run()
    e = c.exec("x", "sh", "-c", "echo out; echo err >&2; echo $VAR; pwd; id -u; exit 7", env=["PATH=/bin", "VAR=var"], cwd="/tmp",
               user=dict(uid=65534, gid=65534))
    s = e.state()
    assert (s.id, s.status, s.pid, s.exited_at.seconds, s.bundle) == ("x", CREATED, 0, NO_TIME, c.bundle), s
    assert (s.in_path, s.out_path, s.err_path) == tuple(e.io.paths[x] for x in "ioe"), s
    waits = [e.begin_wait() for _ in range(3)]
    pid = e.start()
    assert pid > 0
    answers = [wait.result() for wait in waits] + [e.wait()]
    assert all(a == answers[0] and a.exit_status == 7 for a in answers), answers
    assert e.io.out.all() == b"out\nvar\n/tmp\n65534\n" and e.io.err.all() == b"err\n"
    s = e.state()
    assert (s.status, s.pid, s.exit_status, s.exited_at) == (STOPPED, pid, 7, answers[0].exited_at), s
    d = e.delete()
    assert (d.pid, d.exit_status, d.exited_at) == (pid, 7, answers[0].exited_at), d
    fails(NOT_FOUND, "process does not exist x: not found", e.state)
    assert c.state().status == RUNNING
    eventually(lambda: len(w.events.events) == 5)
    assert w.events.topics() == ["/tasks/create", "/tasks/start", "/tasks/exec-added", "/tasks/exec-started", "/tasks/exit"]
    exit = w.events.events[-1].message
    assert (exit.container_id, exit.id, exit.pid, exit.exit_status) == ("a", "x", pid, 7), exit


@scenario
def child_of_the_server(w):
    c = w.container("a").run()
    e = c.run_exec("x", "sleep", "1000")
    assert {c.pid, e.pid} <= set(children(c.server))
    # No worker stays.
    eventually(lambda: set(children(c.server)) == {c.pid, e.pid})
    e.kill(signal.SIGTERM)
    assert e.wait().exit_status == 143
    assert not os.path.exists(f"/proc/{e.pid}")


@scenario
def ids(w):
    c = w.container("a").run()
    e = c.exec("x", "true")
    fails(EXISTS, "id x: already exists", c.exec, "x", "true")
    e.start()
    e.wait()
    fails(EXISTS, "id x: already exists", c.exec, "x", "true")
    e.delete()
    for i in range(3):
        e = c.run_exec("x", "sh", "-c", f"exit {i}")
        assert e.wait().exit_status == i
        e.delete()
    # One that was never started goes, too.
    e = c.exec("y", "true")
    e.delete()
    fails(NOT_FOUND, "process does not exist y: not found", e.state)
    c.run_exec("y", "true").wait()
    # Two containers have their own.
    d = w.container("b").run()
    d.run_exec("y", "true").wait()


@scenario
def program_missing(w):
    """It is Start that fails: the exec stays created, and who waits is let go with status 0 and no time."""
    c = w.container("a").run()
    e = c.exec("x", "nosuchbin")
    wait = e.begin_wait()
    fails(ERROR, re.compile(r'^OCI runtime exec failed: .*exec: "nosuchbin": executable file not found in \$PATH'), e.start)
    answer = wait.result()
    assert (answer.exit_status, answer.exited_at.seconds) == (0, NO_TIME), answer
    s = e.state()
    assert (s.status, s.pid, s.exit_status, s.exited_at.seconds) == (CREATED, 0, 0, NO_TIME), s
    # Its output ends, as clients wait for that.
    assert e.io.out.all() == b""
    e.delete()
    for i, (path, words) in enumerate((("/nosuch/bin", "no such file or directory"), ("/etc/passwd", "permission denied"))):
        e = c.exec(f"x{i}", path)
        fails(ERROR, re.compile("^OCI runtime exec failed: .*" + words, re.I), e.start)
        e.delete()
    assert c.state().status == RUNNING
    assert "/tasks/exec-started" not in w.events.topics()


@scenario
def bad_processes(w):
    c = w.container("a").run()
    for i, spec in enumerate((pb.Any(type_url=SPEC + "Process", value=b"{"), pb.Any(type_url=SPEC + "Process", value=b"[]"), pb.Any(),
                              any_json("Process", dict(args=[], cwd="/")), any_json("Process", dict(args=["true"], cwd="tmp")),
                              pb.Any(type_url=SPEC + "Process", value=b'{"args": ["true"], "cwd": "/", "x": "' + b"y" * 100))):
        # Refused now or at Start, but always in words, and the shim goes on.
        try:
            c.client.exec(id="a", exec_id=f"x{i}", spec=spec)
            c.client.start(id="a", exec_id=f"x{i}")
        except Failure as e:
            assert e.code in (ERROR, INVALID) and e.message, e
        else:
            raise AssertionError(f"{spec} was started")
    assert c.run_exec("ok", "true").wait().exit_status == 0


@scenario
def long_arguments(w):
    c = w.container("a").run()
    text = "0123456789" * 10000
    e = c.exec("x", "sh", "-c", 'printf %s "$1" | md5sum', "sh", text)
    e.start()
    import hashlib
    assert e.io.out.all().split()[0].decode() == hashlib.md5(text.encode()).hexdigest()


@scenario
def kills(w):
    c = w.container("a").run()
    e = c.exec("x", "sleep", "1000")
    fails(PRECONDITION, "process not created: failed precondition", e.kill)
    e.start()
    e.kill(0)
    fails(ERROR, "cannot delete a running process", e.delete)
    fails(ERROR, "cannot start a running process", e.start)
    e.kill(9)
    assert e.wait().exit_status == 137
    fails(NOT_FOUND, "process already finished: not found", e.kill)
    fails(ERROR, "cannot start a stopped process", e.start)
    e.delete()
    fails(NOT_FOUND, "process does not exist x: not found", e.kill)


@scenario
def before_init_starts(w):
    """An exec may be added to a container that is not started yet."""
    c = w.container("a")
    c.create()
    e = c.exec("x", "echo", "y")
    assert e.state().status == CREATED
    c.start()
    e.start()
    assert e.io.out.all() == b"y\n"
    assert e.wait().exit_status == 0


@scenario
def after_init(w):
    c = w.container("a", "sh", "-c", "read x; exit 3").run()
    e = c.exec("x", "true")
    c.io.write("x\n")
    assert c.wait().exit_status == 3
    fails(PRECONDITION, "container a init process is not running: failed precondition", e.start)
    fails(ERROR, "cannot exec in a stopped state", c.exec, "y", "true")
    e.delete()


@scenario
def init_ends_last(w):
    """The kernel ends them with init, and the end of init is told last."""
    c = w.container("a").run()
    execs = [c.run_exec(f"x{i}", "sleep", "1000", io="") for i in range(20)]
    waits = [e.begin_wait() for e in execs]
    c.kill(9)
    assert c.wait().exit_status == 137
    assert [wait.result().exit_status for wait in waits] == [137] * 20
    eventually(lambda: w.events.topics().count("/tasks/exit") == 21)
    assert w.events.events[-1].message.id == "a"


@scenario
def init_ends_last_in_the_hosts_pids(w):
    """Without a pid namespace of its own nobody dies with init: the shim sees to that."""
    c = w.container("a", change=host_pids).run()
    e = c.run_exec("x", "sh", "-c", "sleep 1000 & echo $!; wait")
    eventually(lambda: e.io.out.data.endswith(b"\n"))
    grandchild = int(e.io.out.data)
    assert alive(grandchild)
    wait = e.begin_wait()
    c.kill(9)
    assert c.wait().exit_status == 137
    assert wait.result().exit_status == 137
    eventually(lambda: not alive(grandchild))
    eventually(lambda: w.events.topics().count("/tasks/exit") == 2)
    assert [e.message.id for e in w.events.events[-2:]] == ["x", "a"]


@scenario
def ends_and_starts_at_once(w):
    """Starts of execs while init ends: each is either started and ended, or refused."""
    for round in range(5):
        c = w.container(f"c{round}").run()
        execs = [c.exec(f"x{i}", "sleep", "1000", io="") for i in range(8)]
        starts = [c.client.begin("Start", pb.StartRequest(id=c.id, exec_id=e.exec_id)) for e in execs[:4]]
        c.client.begin("Kill", pb.KillRequest(id=c.id, signal=9))
        starts += [c.client.begin("Start", pb.StartRequest(id=c.id, exec_id=e.exec_id)) for e in execs[4:]]
        wait, started = c.begin_wait(), 0
        for start in starts:
            with contextlib.suppress(Failure):
                started += start.result().pid > 0
        assert wait.result().exit_status == 137
        for e in execs:
            s = e.state()
            assert s.status in (CREATED, STOPPED), s
            e.delete()
        c.delete()
        eventually(lambda: w.events.topics()[-1] == "/tasks/delete")
        of_round = [e.topic for e in w.events.events if getattr(e.message, "container_id", "") == c.id]
        assert of_round.count("/tasks/exit") == started + 1 == of_round.count("/tasks/exec-started") + 1, of_round
        c.end()


@scenario
def paused_meanwhile(w):
    """A Pause that comes while an exec is being started: neither hangs, and the container can be killed."""
    for round in range(10):
        c = w.container(f"c{round}").run()
        e = c.exec("x", "sleep", "1000", io="")
        start = c.client.begin("Start", pb.StartRequest(id=c.id, exec_id="x"))
        time.sleep(round / 2000)
        pause = c.client.begin("Pause", pb.PauseRequest(id=c.id))
        with contextlib.suppress(Failure):
            start.result()
        pause.result()
        c.kill(9)
        assert c.wait().exit_status == 137
        e.delete()
        c.delete()
    # Afterwards it is refused.
    c = w.container("a").run()
    e = c.exec("x", "true")
    c.client.pause(id="a")
    fails(ERROR, re.compile("paused"), e.start)


@scenario
def output_held_open(w):
    """A child in the background keeps the output open: Delete waits for it, but not for ever."""
    c = w.container("a").run()
    e = c.run_exec("x", "sh", "-c", "sleep 1000 & echo done")
    assert e.wait().exit_status == 0
    e.io.out.expect("done")
    assert not e.io.out.ended
    began = time.monotonic()
    e.delete()
    assert time.monotonic() - began > 1
    assert e.io.out.all() == b"done\n"


@scenario
def hundred_at_once(w):
    c = w.container("a").run()
    execs = [c.exec(f"x{i}", "sh", "-c", f"echo {i}; exit {i}", io="o") for i in range(100)]
    starts = [c.client.begin("Start", pb.StartRequest(id="a", exec_id=e.exec_id)) for e in execs]
    waits = [e.begin_wait() for e in execs]
    assert all(start.result(30).pid for start in starts)
    assert [wait.result(30).exit_status for wait in waits] == list(range(100))
    assert [e.io.out.all() for e in execs] == [f"{i}\n".encode() for i in range(100)]
    for e in execs:
        e.delete()


@scenario
def back_to_the_baseline(w):
    """Descriptors and memory after two hundred execs are what they were after twenty."""
    c = w.container("a").run()
    server = c.server

    def some(n):
        for i in range(n):
            e = c.run_exec(f"x{i}", "true")
            e.wait()
            e.io.out.all()
            e.delete()
        return len(descriptors(server)), memory(server)
    fds, before = some(20)
    _, after = some(200)
    # The connection for events comes and goes.
    eventually(lambda: len(descriptors(server)) <= fds)
    assert after["Private_Dirty"] <= before["Private_Dirty"] + 8 and after["Rss"] <= before["Rss"] + 16, (before, after)
    eventually(lambda: children(server) == [c.pid])
    assert len(os.listdir(f"/proc/{server}/task")) == 1
    print(f"# private {after['Private_Dirty']} KiB, Rss {after['Rss']} KiB, {fds} descriptors")


main(__name__)
