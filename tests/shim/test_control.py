#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Signals, processes, pause, limits, what is used; and what is refused, in which words."""
from harness import *


def host_pids(config):
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]


@scenario
def signals(w):
    c = w.container("a", "sh", "-c", "trap 'echo usr1' USR1; trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done").run()
    c.io.out.expect("ready")
    c.kill(0)
    c.kill(signal.SIGUSR1)
    c.io.out.expect("usr1")
    c.kill(signal.SIGHUP)
    c.io.out.expect("hup")
    for bad in (65, 1000, 0xffffffff):
        try:
            c.kill(bad)
        except Failure as e:
            assert e.code in (ERROR, INVALID), e
        else:
            raise AssertionError(f"signal {bad}")
    assert c.state().status == RUNNING
    c.kill(9)
    assert c.wait().exit_status == 137
    fails(NOT_FOUND, "process already finished: not found", c.kill, 9)
    fails(NOT_FOUND, "process already finished: not found", c.kill, 0)


@scenario
def kill_all(w):
    for id, change in (("own", None), ("host", host_pids)):
        c = w.container(id, "sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000 & echo ready; while :; do sleep 1; done", change=change).run()
        c.io.out.expect("ready")
        eventually(lambda: len(c.pids()) >= 3)
        pids = c.pids()
        assert c.pid in pids
        c.kill(9, all=True)
        assert c.wait().exit_status == 137
        for pid in pids:
            eventually(lambda: not alive(pid))
        # Run once more by CRI, when everything is gone.
        with contextlib.suppress(Failure):
            c.kill(9, all=True)
        # Not empty: see remember_init().
        assert c.pids() == [c.pid]


@scenario
def pids(w):
    c = w.container("a", "sh", "-c", "sleep 1000 & sleep 1000 & wait").run()
    e = c.run_exec("x", "sleep", "1000")
    eventually(lambda: len(c.pids()) == 4)
    answer = c.client.pids(id="a").processes
    by_pid = {p.pid: p for p in answer}
    assert {c.pid, e.pid} <= set(by_pid)
    info = by_pid[e.pid].info
    assert info.type_url == "containerd.runc.v1.ProcessDetails" and pb.ProcessDetails.FromString(info.value).exec_id == "x", info
    assert not by_pid[c.pid].HasField("info")
    assert sum(p.HasField("info") for p in answer) == 1
    e.kill(9)
    e.wait()
    assert e.pid not in c.pids()


@scenario
def pause_and_resume(w):
    c = w.container("a", "sh", "-c", "while :; do echo x; sleep 0.05; done")
    c.create()
    fails(ERROR, "cannot pause task in created state", c.client.pause, id="a")
    fails(ERROR, "cannot resume task in created state", c.client.resume, id="a")
    c.start()
    e = c.run_exec("e", "sleep", "1000")
    c.io.out.expect("x")
    c.client.pause(id="a")
    assert c.state().status == PAUSED and e.state().status == PAUSED
    assert read(c.cgroup("cgroup.events")).split()[-1] == "1"
    # What it had written before is still on its way.
    eventually(lambda: unchanged(lambda: len(c.io.out.data), 0.3))
    size = len(c.io.out.data)
    fails(ERROR, "cannot pause a paused container", c.client.pause, id="a")
    fails(ERROR, "cannot exec in a paused state", c.exec, "y", "true")
    fails(ERROR, "cannot start a paused process", c.start)
    fails(ERROR, "cannot delete a paused process", c.delete)
    assert sorted(c.pids())
    c.client.resume(id="a")
    assert c.state().status == RUNNING
    c.io.out.expect(b"x\n" * (size // 2 + 3))
    fails(ERROR, "cannot resume a running process", c.client.resume, id="a")
    e.stop()
    eventually(lambda: "/tasks/resumed" in w.events.topics())
    assert [t for t in w.events.topics() if t in ("/tasks/paused", "/tasks/resumed")] == ["/tasks/paused", "/tasks/resumed"]


@scenario
def killed_while_paused(w):
    c = w.container("a").run()
    c.client.pause(id="a")
    c.kill(9)
    assert c.wait().exit_status == 137
    assert c.state().status == STOPPED
    c.delete()
    # And by somebody else.
    c = w.container("b").run()
    c.client.pause(id="b")
    os.kill(c.pid, signal.SIGKILL)
    if os.path.exists(c.cgroup("cgroup.kill")):
        with open(c.cgroup("cgroup.kill"), "w") as f:
            f.write("1")
    assert c.wait().exit_status == 137
    assert c.state().status == STOPPED


@scenario
def refusals_of_states(w):
    """The table of states and requests, as far as it is not in the other scenarios."""
    process = any_json("Process", dict(args=["true"], cwd="/"))
    limits = any_json("LinuxResources", {})
    c = w.container("a")
    c.create()
    fails(ERROR, "cannot checkpoint a task in created state", c.client.checkpoint, id="a", path="/run/world/image")
    c.client.update(id="a", resources=limits)
    c.start()
    fails(ERROR, "cannot start a running process", c.start)
    fails(ERROR, "cannot delete a running process", c.delete)
    fails(ERROR, "cannot resume a running process", c.client.resume, id="a")
    c.client.update(id="a", resources=limits)
    c.client.pause(id="a")
    c.client.update(id="a", resources=limits)
    c.client.resume(id="a")
    c.kill(9)
    c.wait()
    for words, call, fields in (
            ("cannot start a stopped process", c.client.start, {}),
            ("cannot pause a stopped container", c.client.pause, {}),
            ("cannot resume a stopped container", c.client.resume, {}),
            ("cannot update a stopped container", c.client.update, dict(resources=limits)),
            ("cannot checkpoint a stopped container", c.client.checkpoint, dict(path="/run/world/image")),
            ("cannot exec in a stopped state", c.client.exec, dict(exec_id="x", spec=process))):
        fails(ERROR, words, call, id="a", **fields)
    fails(NOT_FOUND, "process already finished: not found", c.kill)
    c.delete()
    unknown = "container not created: not found"
    for call, fields in ((c.client.state, {}), (c.client.start, {}), (c.client.delete, {}), (c.client.pids, {}), (c.client.pause, {}),
                         (c.client.resume, {}), (c.client.checkpoint, dict(path="/x")), (c.client.kill, dict(signal=9)),
                         (c.client.exec, dict(exec_id="x", spec=process)), (c.client.resize_pty, dict(width=1, height=1)),
                         (c.client.close_io, dict(in_closed=True)), (c.client.update, dict(resources=limits)), (c.client.wait, {}),
                         (c.client.stats, {})):
        fails(NOT_FOUND, unknown, call, id="a", **fields)
        fails(NOT_FOUND, unknown, call, id="", **fields)


@scenario
def refusals_of_execs(w):
    c = w.container("a").run()
    at = dict(id="a", exec_id="nope")
    for call, fields in ((c.client.state, {}), (c.client.start, {}), (c.client.delete, {}), (c.client.kill, dict(signal=9)),
                         (c.client.resize_pty, dict(width=1, height=1)), (c.client.close_io, dict(in_closed=True)), (c.client.wait, {})):
        fails(NOT_FOUND, "process does not exist nope: not found", call, **at, **fields)
    assert c.state().status == RUNNING


@scenario
def checkpoint(w):
    """Not done: in words that clients know."""
    c = w.container("a").run()
    fails(UNIMPLEMENTED, re.compile("not implemented$"), c.client.checkpoint, id="a", path="/run/world/image")
    assert c.state().status == RUNNING
    d = w.container("b")
    fails(UNIMPLEMENTED, re.compile("not implemented$"), d.create, checkpoint="/run/world/image")


@scenario
def update(w):
    c = w.container("a").run()
    for bad in (b"{", b"[]", b"", b'{"memory": {"limit": "x"}}'):
        fails(ERROR, re.compile("."), c.client.update, id="a", resources=any_json("LinuxResources", bad))
    c.client.update(id="a", resources=any_json("LinuxResources", {}), annotations={"k": "v"})
    assert c.state().status == RUNNING
    controllers = read("/sys/fs/cgroup/cgroup.controllers").split()
    if "pids" in controllers:
        c.client.update(id="a", resources=any_json("LinuxResources", dict(pids=dict(limit=77))))
        assert read(c.cgroup("pids.max")) == "77\n"
        assert metrics(c).pids.limit == 77
    else:
        fails(ERROR, re.compile("pids"), c.client.update, id="a", resources=any_json("LinuxResources", dict(pids=dict(limit=77))))


def metrics(c):
    any = c.client.stats(id=c.id).stats
    assert any.type_url == "io.containerd.cgroups.v2.Metrics", any
    return pb.Metrics.FromString(any.value)


@scenario
def stats(w):
    c = w.container("a", "sh", "-c", "while :; do read x; seq 1 300000 >/dev/null; echo done; done")
    c.create()
    metrics(c)
    c.start()
    c.io.write("x\n")
    c.io.out.expect("done")
    m = metrics(c)
    at = dict(line.split() for line in read(c.cgroup("cpu.stat")).splitlines())
    assert 10000 < m.cpu.usage_usec <= int(at["usage_usec"]), m
    for part in ("pids", "cpu", "memory", "io", "memory_events"):
        assert m.HasField(part), part
    if os.path.exists(c.cgroup("memory.max")):
        assert m.memory.usage > 0 and m.memory.usage_limit == (1 << 64) - 1 and m.memory.anon > 0, m
    if os.path.exists(c.cgroup("pids.max")):
        assert m.pids.current == len(c.pids()) and m.pids.limit == (1 << 64) - 1, m
    if os.path.exists(c.cgroup("cpu.pressure")):
        with contextlib.suppress(OSError):
            read(c.cgroup("cpu.pressure"))
            assert m.cpu.HasField("psi")
    # Between exit and Delete as well: that is when an OOM kill is asked for.
    c.kill(9)
    c.wait()
    assert metrics(c).cpu.usage_usec >= m.cpu.usage_usec
    c.delete()


@scenario
def stats_without_a_group(w):
    """Somebody has removed it, as systemd removes a scope."""
    c = w.container("a").run()
    c.kill(9)
    c.wait()
    os.rmdir(c.cgroup())
    fails(NOT_FOUND, "cgroup does not exist: not found", c.client.stats, id="a")
    # Not empty: see remember_init().
    assert c.pids() == [c.pid]
    assert c.delete().exit_status == 137


@scenario
def stats_often(w):
    """Twice a second for every container, for years."""
    c = w.container("a").run()
    server = c.server
    for _ in range(50):
        metrics(c)
    # One that is not answered in time has its connection closed, and comes again on another.
    eventually(lambda: w.events.answered == 2)
    before, fds = memory(server), descriptors(server)
    began = time.monotonic()
    for _ in range(1000):
        c.client.stats(id="a")
    print(f"# {(time.monotonic() - began):.2f} ms each")
    after = memory(server)
    now = descriptors(server)
    assert now == fds, f"descriptors: {sorted(fds.items())} before, {sorted(now.items())} after"
    assert after["Private_Dirty"] <= before["Private_Dirty"] + 4, (before, after)


@scenario
def oom(w):
    """Told once, before the end."""
    if "memory" not in read("/sys/fs/cgroup/cgroup.controllers").split():
        skip("needs the memory controller on cgroup v2")

    def change(config):
        config["linux"]["resources"]["memory"] = dict(limit=32 << 20, swap=32 << 20)
    c = w.container("a", "sh", "-c", "read x; exec tail /dev/zero", change=change).run()
    c.io.write("x\n")
    assert c.wait().exit_status == 137
    assert metrics(c).memory_events.oom_kill == 1
    eventually(lambda: "/tasks/exit" in w.events.topics())
    assert w.events.topics() == ["/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit"]
    c.delete()
    # One of several, while the container goes on.
    c = w.container("b", "sh", "-c", "tail /dev/zero; read x", change=change).run()
    eventually(lambda: w.events.topics().count("/tasks/oom") == 2)
    assert c.state().status == RUNNING


main(__name__)
