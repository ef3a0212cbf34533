#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around the shim and within: slow hooks, signals, full disks, a containerd that is away."""
import errno

from harness import *

GROUP = {"io.containerd.runc.v2.group": "g"}


def slow_hook(seconds):
    def change(config):
        config["hooks"] = {"createRuntime": [dict(path="/bin/sleep", args=["sleep", str(seconds)])]}
    return change


def held_hook(fifo):
    """It says that it runs, and ends when it may."""
    def change(config):
        config["hooks"] = {"createRuntime": [dict(path="/bin/sh", args=["sh", "-c", f"echo >{fifo}; read x <{fifo}"])]}
    os.mkfifo(fifo)
    return change


def workers(c, server):
    """Children of the server that are the server's program."""
    return [p for p in children(server) if os.path.realpath(f"/proc/{p}/exe") == os.path.realpath(SHIM)]


@scenario
def slow_create(w):
    """While one container is being made the others are answered at once."""
    a = w.container("a", annotations=GROUP).run()
    fifo = "/run/world/hook"
    b = w.container("b", annotations=GROUP, change=held_hook(fifo))
    call = b.begin_create()
    open(fifo).read()
    times = []
    for _ in range(20):
        for ask in (a.state, lambda: a.client.stats(id="a"), a.pids, lambda: a.client.connect(id="a")):
            began = time.monotonic()
            ask()
            times.append(time.monotonic() - began)
    # To others it is not there yet.
    fails(NOT_FOUND, "container not created: not found", b.client.state, id="b")
    # All else goes on, too.
    assert a.run_exec("x", "true").wait().exit_status == 0
    c = w.container("c", "true", annotations=GROUP).run()
    assert c.wait().exit_status == 0
    a.kill(9)
    assert a.wait().exit_status == 137
    a.delete()
    assert not call.done()
    with open(fifo, "w") as f:
        f.write("\n")
    b.pid, b.created = call.result().pid, True
    print(f"# slowest answer {max(times) * 1000:.1f} ms")


@scenario
def client_leaves_a_slow_create(w):
    """containerd gives up on Create and cleans up: nothing stays."""
    c = w.container("a", change=slow_hook(2))
    c.begin_create()
    time.sleep(0.3)
    c.client.close()
    c.connect()
    c.shutdown()
    w.delete_command("a")
    # Whatever the server does with a container that nobody asks for: containerd's delete ends it, when it was made.
    time.sleep(2.5)

    def ended():
        w.delete_command("a")
        return not os.path.isdir(c.cgroup())
    eventually(ended)


@scenario
def server_killed(w):
    """SIGKILL: what is left goes with containerd's `delete`, with the true status if it is known."""
    c = w.container("a").run()
    server = c.server
    os.kill(server, signal.SIGKILL)
    eventually(lambda: not alive(server))
    assert os.path.exists(c.socket)
    d = w.delete_command("a")
    assert d.exit_status == 137 and d.exited_at.seconds > time.time() - 60, d
    assert d.pid == c.pid, (d, c.pid)
    assert not alive(c.pid) and not mounts_below(c.bundle)
    assert not os.path.exists(c.socket)
    w.delete_command("a")


@scenario
def server_killed_after_an_exit(w):
    """What was known of the end is not lost with the server."""
    c = w.container("a", "sh", "-c", "exit 42").run()
    at = c.wait().exited_at
    os.kill(c.server, signal.SIGKILL)
    eventually(lambda: not shim_processes())
    d = w.delete_command("a")
    assert (d.pid, d.exit_status, d.exited_at) == (c.pid, 42, at), d


@scenario
def server_of_a_pod_killed(w):
    """One `delete` for the sandbox ends its siblings, whose bundles may be gone."""
    pause = w.container("g", annotations={"io.kubernetes.cri.sandbox-id": "g"}, io="").run()
    others = [w.container(f"c{i}", annotations={"io.kubernetes.cri.sandbox-id": "g"}).run() for i in range(2)]
    alone = w.container("alone").run()
    others[0].run_exec("x", "sleep", "1000")
    server = pause.server
    os.kill(server, signal.SIGKILL)
    eventually(lambda: not alive(server))
    os.unlink(os.path.join(others[0].bundle, "config.json"))
    w.delete_command("g")
    for c in [pause] + others:
        assert not alive(c.pid), c.id
        assert not os.path.isdir(c.cgroup()), c.id
    assert alone.state().status == RUNNING
    # Each of the others may come as well.
    for c in others:
        w.delete_command(c.id)
    assert not mounts_below(pause.bundle) and not mounts_below(others[0].bundle)


@scenario
def server_killed_while_it_creates(w):
    """At any moment of a Create: `delete` leaves nothing."""
    w.ordered = False
    for delay in (0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.4):
        c = w.container("a", change=slow_hook(1) if delay == 0.4 else None)
        server = c.server
        c.begin_create()
        time.sleep(delay)
        os.kill(server, signal.SIGKILL)
        eventually(lambda: not alive(server))
        eventually(lambda: not shim_processes())
        w.delete_command("a")
        c.end()
        w.containers.remove(c)
        # The hook is nobody's of the container: it ends by itself.
        eventually(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and read(f"/proc/{p}/cmdline", "").startswith("sleep\0001")])
        w.check_nothing_left()


@scenario
def worker_killed(w):
    """Create fails, and what was made so far goes."""
    c = w.container("a", change=slow_hook(2))
    server = c.server
    call = c.begin_create()
    worker = eventually(lambda: workers(c, server))[0]
    time.sleep(0.3)
    os.kill(worker, signal.SIGKILL)
    fails(ERROR, re.compile("."), call.result)
    w.allow_log.append("worker")
    assert c.client.connect(id="a").shim_pid == server
    w.delete_command("a")
    assert not mounts_below(c.bundle)
    # The id can be used again.
    c.config.pop("hooks")
    with open(os.path.join(c.bundle, "config.json"), "w") as f:
        json.dump(c.config, f)
    time.sleep(2)
    c.io = w.streams()
    c.run()
    assert c.state().status == RUNNING


@scenario
def terminated(w):
    """SIGTERM ends the shim, not its containers."""
    c = w.container("a").run()
    e = c.run_exec("x", "sleep", "1000")
    server = c.server
    os.kill(server, signal.SIGTERM)
    eventually(lambda: not alive(server))
    eventually(lambda: c.client.closed)
    time.sleep(0.2)
    assert alive(c.pid) and alive(e.pid)
    states = json.loads(subprocess.run([TOTE, "--root", "/run/containerd/tote/" + NAMESPACE, "list", "--format", "json"], check=True,
                                       capture_output=True).stdout)
    assert [(s["id"], s["status"]) for s in states] == [("a", "running")], states
    w.delete_command("a")
    assert not alive(c.pid) and not alive(e.pid)


@scenario
def other_signals(w):
    """HUP, PIPE, USR1: nothing that ends it."""
    c = w.container("a").run()
    server = c.server
    for number in (signal.SIGPIPE, signal.SIGUSR1, signal.SIGCHLD):
        os.kill(server, number)
    w.allow_log.append("level=info")
    assert c.state().status == RUNNING and c.server == server


def is_stale(path):
    """A process that was killed has no program any more a little before its sockets are closed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        return s.connect_ex(path) == errno.ECONNREFUSED


@scenario
def stale_socket(w):
    """A socket that nobody serves is replaced by the next `start`."""
    c = w.container("a")
    os.kill(c.server, signal.SIGKILL)
    eventually(lambda: is_stale(c.socket))
    assert os.path.exists(c.socket)
    address = c.address
    assert c.start_shim() == address
    c.run()
    assert c.state().status == RUNNING


@scenario
def bundle_removed(w):
    """Under the shim, which has its working directory elsewhere."""
    c = w.container("a").run()
    assert os.readlink(f"/proc/{c.server}/cwd") == "/"
    e = c.run_exec("x", "sh", "-c", "read x; echo got $x")
    w.remove_bundle(c.bundle)
    e.io.write("y\n")
    assert e.io.out.all() == b"got y\n"
    assert c.run_exec("y", "true").wait().exit_status == 0
    c.kill(9)
    assert c.wait().exit_status == 137
    assert c.delete().exit_status == 137
    c.shutdown()
    eventually(lambda: not shim_processes())
    w.delete_command("a")


@scenario
def full_disk(w):
    """Nothing can be written to /run: Create fails in words, and the next one is done."""
    os.makedirs("/run/containerd/tote")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", "/run/containerd/tote"], check=True)
    c = w.container("a")
    with contextlib.suppress(OSError):
        with open("/run/containerd/tote/fill", "wb") as f:
            while True:
                f.write(bytes(4096))
                f.flush()
    try:
        c.create()
    except Failure as e:
        assert e.code == ERROR and "No space left" in e.message, e
    else:
        raise AssertionError("made")
    assert not mounts_below(c.bundle)
    os.unlink("/run/containerd/tote/fill")
    c.run()
    c.run_exec("x", "true").wait()
    with contextlib.suppress(OSError):
        with open("/run/containerd/tote/fill", "wb") as f:
            while True:
                f.write(bytes(4096))
                f.flush()
    # What runs is ended all the same.
    c.kill(9)
    assert c.wait().exit_status == 137
    assert c.delete().exit_status == 137
    os.unlink("/run/containerd/tote/fill")


@scenario
def events_away(w):
    """containerd is down for a while: everything comes, once and in order."""
    c = w.container("a").run()
    eventually(lambda: len(w.events.events) == 2)
    w.events.down()
    for i in range(30):
        e = c.run_exec(f"x{i}", "sh", "-c", f"exit {i}", io="")
        assert e.wait().exit_status == i
        e.delete()
    c.kill(9)
    c.wait()
    c.delete()
    assert len(w.events.events) == 2
    time.sleep(1)
    w.events.up()
    eventually(lambda: len(w.events.events) == 2 + 90 + 2)
    topics = w.events.topics()[2:]
    assert topics == ["/tasks/exec-added", "/tasks/exec-started", "/tasks/exit"] * 30 + ["/tasks/exit", "/tasks/delete"]
    assert [e.message.exit_status for e in w.events.events if e.topic == "/tasks/exit"] == list(range(30)) + [137]


@scenario
def events_lost_on_the_way(w):
    """Connections that break, errors, and a containerd that never answers."""
    c = w.container("a").run()
    eventually(lambda: len(w.events.events) == 2)
    w.events.drop_next = 3
    c.run_exec("x", "true", io="").wait()
    eventually(lambda: len(w.events.events) == 5)
    w.events.refuse = (2, "not now")
    w.allow_log.append("event refused")
    c.run_exec("y", "true", io="").wait()
    time.sleep(0.5)
    w.events.refuse = None
    eventually(lambda: "y" in [getattr(e.message, "id", "") for e in w.events.events])
    w.events.mute = True
    c.run_exec("z", "true", io="").wait()
    time.sleep(0.3)
    # Nobody waits for events.
    assert c.state().status == RUNNING
    w.events.mute = False
    c.kill(9)
    c.wait()
    eventually(lambda: w.events.topics()[-1] == "/tasks/exit" and w.events.events[-1].message.id == "a")


@scenario
def no_events(w):
    """Nobody wants to know."""
    w.events.down()
    c = w.container("a", "sh", "-c", "exit 3").run()
    assert c.wait().exit_status == 3
    c.delete()
    server = c.server
    c.shutdown()
    eventually(lambda: not alive(server))


@scenario
def many_events_away(w):
    """More than are kept: memory stays bounded, and what comes later is in order."""
    w.events.down()
    c = w.container("a").run()
    e = c.exec("x", "true", io="")
    process = e and any_json("Process", dict(args=["true"], cwd="/"))
    for i in range(1500):
        c.client.exec(id="a", exec_id=f"{'n' * 60}{i}", spec=process)
        c.client.delete(id="a", exec_id=f"{'n' * 60}{i}")
    w.allow_log.append("dropped")
    w.allow_log.append("event")
    used = memory(c.server)
    assert used["Private_Dirty"] < 700, used
    w.events.up()
    c.kill(9)
    c.wait()
    eventually(lambda: w.events.events and w.events.topics()[-1] == "/tasks/exit")
    added = [e.message.exec_id for e in w.events.events if e.topic == "/tasks/exec-added"]
    numbers = [int(id[60:]) for id in added if id.startswith("n")]
    assert numbers == sorted(numbers) and numbers[-1] == 1499 and len(numbers) > 300, (numbers[:3], len(numbers))
    # The beginning is what was given up.
    w.ordered = False


@scenario
def lean(w):
    """One thread, few descriptors, little memory."""
    other = w.container("other").run()
    c = w.container("a").run()
    server = c.server
    time.sleep(0.2)
    assert alive(other.server) and other.server != server
    used, fds = memory(server), descriptors(server)
    assert len(os.listdir(f"/proc/{server}/task")) == 1
    # The other one has the program in common with it.
    assert used["Private_Dirty"] + used["Private_Clean"] <= 300 and used["Rss"] <= 2048, used
    # 0 to 2, the socket, its connections, loop, signals, inotify, events, six ends of streams.
    assert len(fds) <= 24, fds
    assert all(fds[n] in ("/dev/null", os.path.join(c.bundle, "log")) for n in (0, 1, 2)), fds
    assert read(f"/proc/{server}/oom_score_adj").strip() == str(min(1000, int(read("/proc/self/oom_score_adj")) + 1))
    print(f"# private {used['Private_Dirty']} KiB, Rss {used['Rss']} KiB, {len(fds)} descriptors")


main(__name__)
