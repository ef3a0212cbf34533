# SPDX-License-Identifier: Apache-2.0
"""
Scenarios of pods for tests/shim/cri.bats, which sets CTR_DIR, CTR_SOCKET, CTR_NS and IMAGE and runs `cri_pod.py NAME` in the mount
and network namespaces of a containerd. Exit code 77: skipped, with the reason. A scenario removes its pods; afterwards nothing may be
left of them: no process, mount, cgroup, socket or state.
"""
import glob, os, re, signal, socket, subprocess, sys, tempfile, time, traceback

import grpc

from cri import EXITED, NODE, NOT_READY, POD, READY, RUNNING, Runtime, eventually

DIR, SOCKET, GROUP = os.environ["CTR_DIR"], os.environ["CTR_SOCKET"], os.environ["CTR_NS"]
SPACE = "k8s.io"
scenarios = {}


def scenario(f):
    scenarios[f.__name__] = f
    return f


def read(path, default=""):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return default


class Skipped(Exception):
    pass


class World:
    def __init__(self, name):
        self.name = name
        self.cri = Runtime(SOCKET, image=os.environ["IMAGE"], cgroup_parent="/" + GROUP)
        self.pods = []
        self.pids = set()
        ready = lambda: all(c.status for c in self.cri.call("Status").status.conditions if c.type == "RuntimeReady")
        eventually(ready)

    def pod(self, name="web", **options):
        options.setdefault("network", NODE)
        logs = tempfile.mkdtemp(prefix=f"{self.name}-{name}-", dir=DIR)
        pod = self.cri.run_pod(name, logs, **options)
        self.pods.append(pod)
        return pod

    def shims(self):
        """Processes of our shims: those that serve."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            words = read(path).split("\0")
            if "containerd-shim-tote-v2" in words[0] and SOCKET in words:
                found.append(int(path.split("/")[2]))
        return found

    def processes(self):
        """Of all pods, by their cgroups, and their shims."""
        return set(self.shims()) | set(self.members())

    def members(self):
        lists = glob.glob(f"/sys/fs/cgroup/{GROUP}/**/cgroup.procs", recursive=True)
        return [int(pid) for path in lists for pid in read(path).split()]

    def seen(self):
        self.pids |= self.processes()

    def end(self):
        listed = {pod.id for pod in self.cri.call("ListPodSandbox").items}
        for pod in self.pods:
            self.seen()
            if pod.id in listed:
                pod.stop()
                pod.remove()
        assert not self.cri.call("ListPodSandbox").items and not self.cri.call("ListContainers").containers
        self.check_nothing_left()

    def left(self):
        left = [f"process {pid} {read(f'/proc/{pid}/comm')!r}" for pid in self.pids | self.processes() if alive(pid)]
        left += ["group " + path for path in glob.glob(f"/sys/fs/cgroup/{GROUP}/*/")]
        left += ["mount " + line for line in read("/proc/self/mountinfo").splitlines() if re.search(rf"{DIR}/(run|state)/\S*{SPACE}|/netns/", line)]
        for pattern in (f"{DIR}/run/s/*", f"{DIR}/run/tote/{SPACE}/*", f"{DIR}/state/io.containerd.runtime.v2.task/{SPACE}/*",
                        f"{DIR}/root/io.containerd.runtime.v2.task/{SPACE}/*", f"{DIR}/state/io.containerd.grpc.v1.cri/*/*", "/run/netns/*"):
            left += ["file " + path for path in glob.glob(pattern)]
        left += ["socket " + line.split()[-1] for line in read("/proc/net/unix").splitlines() if f"{DIR}/run/s/" in line]
        return left

    def check_nothing_left(self):
        try:
            eventually(lambda: not self.left())
        except TimeoutError:
            raise AssertionError("left: " + "; ".join(self.left())) from None

    def check_gone(self, container):
        """All its processes."""
        eventually(lambda: not read(f"/sys/fs/cgroup/{GROUP}/{container.id}/cgroup.procs"))


def alive(pid):
    return re.search(r"^State:\s+[^ZX]", read(f"/proc/{pid}/status"), re.M) is not None


def raises(code, f, *arguments, **options):
    """The words of the error."""
    try:
        f(*arguments, **options)
    except grpc.RpcError as e:
        assert e.code() == code, e
        return e.details()
    raise AssertionError(f"no error, {code} is expected")


SLEEP = ["sleep", "1000"]
# Ends at SIGTERM with 3; sleep is in the background because a shell waits for what is in front before it sees a signal.
POLITE = ["sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; sleep 1000 & wait"]


@scenario
def lifecycle(w):
    pod = w.pod()
    assert pod.status().status.state == READY
    a, b = pod.run("a", POLITE), pod.run("b", SLEEP)
    assert [c.status().state for c in (a, b)] == [RUNNING, RUNNING]
    assert len(w.shims()) == 1, f"{len(w.shims())} shims of one pod"
    assert len(w.members()) == 4, w.members()
    eventually(lambda: a.log() == [("stdout", "F", b"up")])
    a.stop(timeout=10)
    status = a.status()
    assert (status.state, status.exit_code) == (EXITED, 3), status
    assert status.created_at <= status.started_at < status.finished_at
    assert a.log()[-1] == ("stdout", "F", b"bye")
    a.remove()
    raises(grpc.StatusCode.NOT_FOUND, a.status)
    assert b.status().state == RUNNING
    w.seen()
    # Twice each, as a kubelet may.
    pod.stop()
    pod.stop()
    assert pod.status().status.state == NOT_READY
    assert (b.status().state, b.status().exit_code) == (EXITED, 137), b.status()
    pod.remove()
    raises(grpc.StatusCode.NOT_FOUND, pod.status)
    pod.remove()


@scenario
def two_pods(w):
    """Pods have shims of their own; a container that ends and one that is made again do not change that."""
    pods = [w.pod("one"), w.pod("two")]
    for pod in pods:
        pod.run("x", ["true"]).wait()
    first = [pod.run("y", ["sh", "-c", "exit 4"]) for pod in pods]
    assert [c.wait().exit_code for c in first] == [4, 4]
    again = pods[0].run("z", SLEEP)
    assert len(w.shims()) == 2
    w.seen()
    pods[1].stop()
    pods[1].remove()
    assert again.status().state == RUNNING
    eventually(lambda: len(w.shims()) == 1)


@scenario
def not_startable(w):
    """What a kubelet shows as the reason of a container that does not start."""
    pod = w.pod()
    c = pod.create("x", ["/no/such/program"])
    words = raises(grpc.StatusCode.UNKNOWN, c.start)
    assert "no such file or directory" in words.lower(), words
    status = c.status()
    assert (status.state, status.reason, status.exit_code) == (EXITED, "StartError", 128), status
    c.remove()
    assert pod.run("y", ["true"]).wait().exit_code == 0


@scenario
def exec_sync(w):
    c = w.pod().run("c", SLEEP, env={"A": "b"})
    assert c.exec_sync("sh", "-c", "echo $A; echo err >&2; exit 7") == (7, b"b\n", b"err\n")
    assert c.exec_sync("true") == (0, b"", b"")
    code, out, err = c.exec_sync("sh", "-c", "seq 1 200000; echo end >&2")
    assert (code, err) == (0, b"end\n") and out == b"".join(b"%d\n" % i for i in range(1, 200001)), len(out)
    assert "no such file or directory" in raises(grpc.StatusCode.UNKNOWN, c.exec_sync, "/no/such/program").lower()
    assert c.exec_sync("sh", "-c", "kill -KILL $$")[0] == 137
    for i in range(20):
        assert c.exec_sync("sh", "-c", f"echo {i}; exit {i}") == (i, b"%d\n" % i, b"")


@scenario
def exec_sync_timeout(w):
    c = w.pod().run("c", SLEEP)
    before = set(w.members())
    start = time.monotonic()
    words = raises(grpc.StatusCode.DEADLINE_EXCEEDED, c.exec_sync, "sleep", "777", timeout=1)
    assert "timeout" in words, words
    assert time.monotonic() - start >= 1
    eventually(lambda: set(w.members()) == before)
    assert c.exec_sync("echo", "on") == (0, b"on\n", b"")


@scenario
def exec_streams(w):
    c = w.pod().run("c", SLEEP)
    with c.exec("sh", "-c", "cat; echo done >&2; exit 5", stdin=True) as s:
        s.stdin.send(b"one\n")
        s.stdout.until(b"one\n")
        s.stdin.send(b"x" * 200000)
        s.stdin.close()
        assert s.stdout.read() == b"one\n" + b"x" * 200000
        assert s.stderr.read() == b"done\n"
        assert s.exit_code() == 5
    with c.exec("sh", "-c", "echo out; echo err >&2") as s:
        assert (s.stdout.read(), s.stderr.read(), s.exit_code()) == (b"out\n", b"err\n", 0)


@scenario
def exec_terminal(w):
    c = w.pod().run("c", SLEEP)
    with c.exec("sh", "-c", "tty; echo ready; until stty size | grep '37 101'; do sleep 0.05; done; read a; echo got $a; exit 6", stdin=True, tty=True) as s:
        assert b"/dev/pts/" in s.stdout.until(b"ready\r\n")
        s.resize_to(101, 37)
        s.stdin.send(b"word\n")
        out = s.stdout.read()
        assert b"37 101\r\n" in out and b"got word\r\n" in out, out
        assert s.exit_code() == 6
    # Output of a short program is complete, each time.
    for _ in range(10):
        with c.exec("sh", "-c", "seq 1 5000", tty=True) as s:
            out = s.stdout.read()
            assert out.endswith(b"\r\n5000\r\n") and out.count(b"\n") == 5000, out[-100:]
    with c.exec("sh", stdin=True, tty=True) as s:
        # One program says "up" and sleeps: ^C reaches it, and not a shell that has yet to give the terminal away.
        s.stdin.send(b"sh -c 'echo up; exec sleep 1000'\n")
        s.stdout.until(b"\r\nup\r\n")
        s.stdin.send(b"\x03exit 9\n")
        s.stdout.read()
        assert s.exit_code() == 9


@scenario
def attach(w):
    pod = w.pod()
    # containerd begins with the input: what is answered before the output is attached goes to the log alone.
    tick = "(while sleep 0.1; do echo up; done) & "
    c = pod.run("c", ["sh", "-c", tick + "while read x; do echo got $x; echo err >&2; done; echo end; sleep 1000"], stdin=True)
    with c.attach(stdin=True) as s:
        s.stdout.until(b"up\n")
        s.stdin.send(b"one\n")
        s.stdout.until(b"got one\n")
        s.stderr.until(b"err\n")
    # Who detaches does not close the container's stdin.
    with c.attach(stdin=True) as s:
        s.stdout.until(b"up\n")
        s.stdin.send(b"two\n")
        s.stdout.until(b"got two\n")
    once = pod.run("once", ["sh", "-c", tick + "cat; kill $!; echo end; exit 8"], stdin=True, stdin_once=True)
    with once.attach(stdin=True) as s:
        s.stdout.until(b"up\n")
        s.stdin.send(b"three\n")
        s.stdout.until(b"three\n")
        s.stdin.close()
        s.stdout.until(b"end\n")
    assert once.wait().exit_code == 8
    assert [text for _, _, text in once.log() if text != b"up"] == [b"three", b"end"]


@scenario
def attach_terminal(w):
    c = w.pod().run("c", ["sh", "-c", "while read x; do echo got $x; until stty size | grep '30 90'; do sleep 0.05; done; done"], stdin=True, tty=True)
    with c.attach(stdin=True, tty=True) as s:
        s.resize_to(90, 30)
        s.stdin.send(b"one\n")
        s.stdout.until(b"got one\r\n")
        s.stdout.until(b"30 90\r\n")
        s.stdin.send(b"\x04")
        s.stdout.read()
    assert c.wait().exit_code == 0


@scenario
def logs(w):
    pod = w.pod()
    command = "seq 1 20000; echo e >&2; printf %040000d 0; echo; echo last; printf part"
    expected = b"".join(b"%d\n" % i for i in range(1, 20001)) + b"0" * 40000 + b"\nlast\npart"

    def run(name, command):
        """What was logged of stdout and of stderr; where it is cut is no end of a line."""
        c = pod.run(name, ["sh", "-c", command])
        assert c.wait().exit_code == 0
        parts = {"stdout": b"", "stderr": b""}
        for stream, tag, text in c.log():
            parts[stream] += text + b"\n" * (tag == "F")
        return parts["stdout"], parts["stderr"]

    out, err = run("slow", command + "; sleep 1")
    assert err == b"e\n" and out.rstrip(b"\n") == expected, (len(out), out[-100:])
    for i in range(4):
        out, err = run(f"quick{i}", command)
        # CRI of 1.6 may close the FIFO of a container that ended before it has read all, with every shim.
        lost = os.environ["CTR_VERSION"].startswith("1.6.") and expected.startswith(out.rstrip(b"\n"))
        assert err == b"e\n" and (out.rstrip(b"\n") == expected or lost), (len(out), out[-100:])
    for i in range(5):
        assert run(f"short{i}", "echo hello") == (b"hello\n", b"")


@scenario
def stop_timeout(w):
    """A container that ignores SIGTERM is killed after its time, with all its processes."""
    c = w.pod().run("c", ["sh", "-c", "trap '' TERM; sleep 1000 & echo up; while :; do sleep 1; done"])
    eventually(c.log)
    w.seen()
    start = time.monotonic()
    c.stop(timeout=2)
    took = time.monotonic() - start
    assert 2 <= took < 20, took
    assert c.status().exit_code == 137
    w.check_gone(c)


@scenario
def stats(w):
    pod = w.pod()
    busy, idle = pod.run("busy", ["sh", "-c", "while :; do :; done"]), pod.run("idle", SLEEP)
    first = busy.stats()
    assert first.attributes.id == busy.id and first.cpu.timestamp > 0
    eventually(lambda: busy.stats().cpu.usage_core_nano_seconds.value > first.cpu.usage_core_nano_seconds.value + 50_000_000)
    entries = w.cri.call("ListContainerStats", filter={"pod_sandbox_id": pod.id}).stats
    assert {e.attributes.id for e in entries} == {busy.id, idle.id}
    if "memory" in read("/sys/fs/cgroup/cgroup.controllers").split():
        assert busy.stats().memory.usage_bytes.value > 0, busy.stats()
    busy.stop()
    assert busy.status().exit_code == 137


def ctr_metrics(c):
    """All numbers that the shim tells, by containerd's other client."""
    done = subprocess.run([os.environ["CTR_BIN"] + "/ctr", "-a", SOCKET, "-n", SPACE, "tasks", "metrics", c.id], stdout=subprocess.PIPE,
                          text=True, timeout=60, check=True)
    return {words[0]: int(words[1]) for words in map(str.split, done.stdout.splitlines()) if len(words) == 2 and words[1].isdigit()}


@scenario
def stats_numbers(w):
    """They are those of the controllers."""
    if not {"cpu", "memory", "pids"} <= set(read("/sys/fs/cgroup/cgroup.controllers").split()):
        raise Skipped("no controllers in this host's cgroup2 tree")
    held, limit = 24 << 20, 64 << 20
    c = w.pod().run("c", ["sh", "-c", f"head -c {held} /dev/zero >/dev/shm/x; sleep 1000 & sleep 1000 & echo up; while :; do :; done"], memory=limit)
    count = lambda file: int(read(f"/sys/fs/cgroup/{GROUP}/{c.id}/{file}").split()[0])
    used = lambda: int(re.search(r"^usage_usec (\d+)", read(f"/sys/fs/cgroup/{GROUP}/{c.id}/cpu.stat"), re.M)[1]) * 1000
    eventually(lambda: c.log() == [("stdout", "F", b"up")])
    before, stats, after = used(), c.stats(), used()
    assert 0 < before <= stats.cpu.usage_core_nano_seconds.value <= after, (before, stats, after)
    usage, working = stats.memory.usage_bytes.value, stats.memory.working_set_bytes.value
    assert held <= working <= usage <= limit and abs(usage - count("memory.current")) < 4 << 20, (stats, count("memory.current"))
    numbers = ctr_metrics(c)
    assert numbers["pids.current"] == count("pids.current") == 3, numbers
    assert numbers["memory.usage_limit"] == count("memory.max") == limit, numbers
    assert held <= numbers["memory.usage"] <= limit, numbers
    assert before // 1000 <= numbers["cpu.usage_usec"] <= used() // 1000, numbers
    c.stop()


@scenario
def shared_pids(w):
    """One pid namespace: the pause program is process 1 and takes the others along."""
    pod = w.pod(pid=POD)
    a, b = pod.run("a", POLITE), pod.run("b", ["sleep", "888"])
    code, out, _ = b.exec_sync("ps", "-o", "pid,args")
    lines = [line.split(None, 1) for line in out.decode().splitlines()]
    assert code == 0 and ["1", "sleep 1000000"] in lines, lines
    assert any(words[1] == "sleep 888" for words in lines) and any("trap" in words[1] for words in lines), lines
    a.stop(timeout=10)
    assert a.status().exit_code == 3
    # What a container left in the namespace ends with it.
    w.check_gone(a)
    assert b.status().state == RUNNING


@scenario
def oom(w):
    if "memory" not in read("/sys/fs/cgroup/cgroup.controllers").split():
        raise Skipped("no memory controller in this host's cgroup2 tree")
    c = w.pod().run("c", ["sh", "-c", "tail /dev/zero"], memory=16 << 20)
    status = c.wait()
    assert (status.reason, status.exit_code) == ("OOMKilled", 137), status


ECHO = ["nc", "-ll", "-p", "7777", "-e", "cat"]


def forward_works(pod):
    """There and back through CRI's port-forward, with an end."""
    with pod.forward(7777) as s:
        s.data.send(b"hello\n")
        s.data.until(b"hello\n")
        s.data.send(b"x" * 100000)
        s.data.until(b"x" * 100000)


@scenario
def forward_host(w):
    pod = w.pod()
    pod.run("c", ECHO)
    eventually(lambda: listens(("127.0.0.1", 7777)))
    forward_works(pod)


def listens(address):
    try:
        socket.create_connection(address, 1).close()
        return True
    except OSError:
        return False


def links():
    return set(re.findall(r"^\s*(\S+):", read("/proc/net/dev"), re.M))


def network(w, handler, bridge, prefix):
    """A pod on a bridge: address, name, a neighbour, the outside of the pod, a published port, port-forward."""
    eventually(lambda: all(c.status for c in w.cri.call("Status").status.conditions))
    pod = w.pod("web", network=POD, handler=handler, ports=[(7777, 8888)])
    address = pod.status().status.network.ip
    assert address.startswith(prefix), address
    pod.run("server", ECHO)
    client = pod.run("client", SLEEP)
    eventually(lambda: listens((address, 7777)))
    assert bridge in links()
    code, out, _ = client.exec_sync("sh", "-c", "hostname; ip -4 addr show dev eth0; ip -4 addr show dev lo")
    out = out.decode()
    assert code == 0 and out.startswith("web\n") and f"inet {address}/24" in out and "inet 127.0.0.1/8" in out, out
    # Both containers are in the pod's network namespace.
    assert client.exec_sync("sh", "-c", "echo here | nc -w 2 127.0.0.1 7777")[1] == b"here\n"
    other = w.pod("other", network=POD, handler=handler)
    talk = other.run("talk", SLEEP)
    assert talk.exec_sync("sh", "-c", f"echo there | nc -w 2 {address} 7777")[1] == b"there\n"
    gateway = prefix + "1"
    assert client.exec_sync("ping", "-c", "1", "-W", "2", gateway)[0] == 0
    eventually(lambda: listens((gateway, 8888)))
    forward_works(pod)
    assert len(w.shims()) == 2
    # A killed pause program takes no address with it: StopPodSandbox gives it back.
    w.seen()
    pod.stop()
    pod.remove()
    assert not listens((gateway, 8888))
    assert other.status().status.state == READY
    other.stop()
    other.remove()
    # The kernel takes its time for them.
    eventually(lambda: not [name for name in links() if name.startswith("veth")])
    left = [path for path in glob.glob("/var/lib/cni/networks/*/[0-9]*") + glob.glob("/run/tote-net/leases/*/[0-9]*")
            + glob.glob("/run/tote-net/attachments/*") + glob.glob("/var/lib/cni/results/*")]
    assert not left, left


@scenario
def network_debian(w):
    if not os.path.exists("/usr/lib/cni/bridge"):
        raise Skipped("containernetworking-plugins is not installed")
    network(w, "tote", "debian0", "10.91.0.")


@scenario
def network_tote(w):
    network(w, "tote-cni", "tote0", "10.92.0.")


@scenario
def daemon_restart(w):
    """Pods live on without containerd; what ended meanwhile has its true status."""
    pod = w.pod()
    a, b = pod.run("a", SLEEP), pod.run("b", ["sh", "-c", "read x; exit 42"], stdin=True)
    shims = w.shims()
    pids = [int(p) for p in w.members() if "read x" in read(f"/proc/{p}/cmdline")]
    assert len(pids) == 1
    pid = int(read(f"{DIR}/pid"))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    os.kill(pids[0], signal.SIGKILL)
    eventually(lambda: not alive(pids[0]))
    log = open(f"{DIR}/log", "a")
    daemon = subprocess.Popen([os.environ["CTR_BIN"] + "/containerd", "-c", f"{DIR}/config.toml"], stdin=subprocess.DEVNULL, stdout=log,
                              stderr=log, env={**os.environ, "PATH": f"{os.environ['CTR_BIN']}:{os.environ['CTR_BIN_ADD']}:{os.environ['PATH']}"})
    with open(f"{DIR}/pid", "w") as f:
        f.write(str(daemon.pid))
    eventually(lambda: ready(w.cri))
    assert w.shims() == shims
    assert a.status().state == RUNNING
    status = b.wait()
    assert status.exit_code == 137, status
    assert a.exec_sync("echo", "on") == (0, b"on\n", b"")
    c = pod.run("c", ["sh", "-c", "exit 2"])
    assert c.wait().exit_code == 2
    assert w.shims() == shims


def ready(cri):
    cri.connect()
    try:
        return cri.call("Status", limit=2)
    except grpc.RpcError:
        return None


@scenario
def shim_killed(w):
    """No container outlives its shim; the pod can be removed."""
    pod = w.pod()
    a, b = pod.run("a", SLEEP), pod.run("b", SLEEP)
    w.seen()
    for pid in w.shims():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not w.members())
    assert [c.wait().state for c in (a, b)] == [EXITED, EXITED]
    eventually(lambda: pod.status().status.state == NOT_READY)


def main():
    sys.stdout.reconfigure(line_buffering=True)
    w = World(sys.argv[1])
    try:
        scenarios[sys.argv[1]](w)
    except Skipped as e:
        w.end()
        print(e)
        sys.exit(77)
    except BaseException:
        traceback.print_exc()
        for pod in w.pods:
            for end in (pod.stop, pod.remove):
                try:
                    end()
                except grpc.RpcError as e:
                    print(f"{end.__name__}: {e.details()}")
        raise
    w.end()


if __name__ == "__main__":
    main()
