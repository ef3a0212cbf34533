#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
tests/bench/supervise.py: what it costs to keep containers running by `tote up`, as Markdown on stdout.

`make bench` calls it, as root. All of it happens in a cgroup and namespaces of its own, with all files on a tmpfs. "Ours" are the
supervisor and the monitors: whatever tote keeps in memory while containers run. Processor time is the scheduler's (schedstat), in
nanoseconds, with that of children that have ended.

  BUILD=DIR TOTE=FILE COUNT=200 SECONDS=60 ROUNDS=200   PARTS=memory,health,start,thaw,others
"""
import glob, json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

from world import fail, run_in_group, target, targets

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
TOTE = os.path.abspath(os.environ.get("TOTE", BUILD + "/tote"))
COUNT = int(os.environ.get("COUNT", "200"))
SECONDS = float(os.environ.get("SECONDS", "60"))
ROUNDS = int(os.environ.get("ROUNDS", "200"))
PARTS = os.environ.get("PARTS", "memory,health,start,thaw,others").split(",")
WARMUPS = 3
LIMIT = 1500  # seconds for everything
PATIENCE = 120
GREETER = BUILD + "/tests/bench/greeter"
IDLE_MS = 200


# ---- around it ----

# A group and namespaces of its own; processes are in a group below, lest they forbid controllers to containers'.
WORLD = """
mount -t cgroup2 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/driver && echo 0 >/sys/fs/cgroup/driver/cgroup.procs || exit
for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$c >/sys/fs/cgroup/cgroup.subtree_control; done
mount -t tmpfs -o mode=755 none /run || exit
if [ -d "$PODMAN/etc" ] && [ -d /etc/containers ]; then mount --bind "$PODMAN/etc" /etc/containers || exit; fi
ip link set lo up
exec "$0" "$@"
"""


def outside():
    where = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    env = {**os.environ, "BUILD": BUILD, "TOTE": TOTE, "WHERE": where, "TOTE_SUPERVISE_DIR": where + "/supervise", "TOTE_STORE": where + "/store",
           "TOTE_NET_DIR": where + "/net", "NETCONFPATH": where + "/net.d", "CNI_PATH": "/nonexistent", "PARTS": ",".join(PARTS),
           "PODMAN": where + "/podman"}
    os.makedirs(where + "/net.d")
    podman_config(where + "/podman")
    try:
        code = run_in_group(["unshare", "--net", "--mount", "--cgroup", "--propagation", "private", "sh", "-c", WORLD, sys.executable,
                             os.path.abspath(__file__), "--inside"], env, LIMIT)
    finally:
        shutil.rmtree(where, ignore_errors=True)
    sys.exit(code)


# ---- tote ----

def run(*command, **options):
    p = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE * 2, **options)
    if p.returncode:
        fail(f"{' '.join(command)}: {p.returncode}: {p.stdout}{p.stderr}")
    return p.stdout


def tote(*words):
    return run(TOTE, "--root", os.environ["WHERE"] + "/root", *words)


def supervise_dir(name):
    return f"{os.environ['TOTE_SUPERVISE_DIR']}/{name}"


def make_images():
    root = os.environ["WHERE"] + "/box"
    for d in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        os.makedirs(f"{root}/{d}")
    shutil.copy(shutil.which("busybox"), root + "/bin/")
    shutil.copy(GREETER, root + "/bin/")
    run("chroot", root, "/bin/busybox", "--install", "-s", "/bin")
    run("tar", "-C", root, "-cf", root + ".tar", ".")
    tote("import", "-q", "--cmd", "sh", root + ".tar", "box:1")


def compose(text):
    path = os.environ["WHERE"] + "/compose.yaml"
    with open(path, "w") as f:
        f.write(text)
    return path


class Supervisor:
    def __init__(self):
        self.log = open(os.environ["WHERE"] + "/log", "a")
        self.process = subprocess.Popen([BUILD + "/tote-supervise", "--root", os.environ["WHERE"] + "/root"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def wait_ready(self):
        eventually("the supervisor answers", self.answers)
        return self

    def answers(self):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(supervise_dir("run/control"))
            s.sendall(b'{"do":"ping"}\n')
            return bool(s.recv(100))
        except OSError:
            return False
        finally:
            s.close()

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            fail("the supervisor does not end")


def eventually(what, condition, pause=0.01):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            fail(f"waited in vain: {what}: {open(os.environ['WHERE'] + '/log').read()[-2000:]}")
        time.sleep(pause)


def statuses():
    found = []
    for path in glob.glob(supervise_dir("run/i/*/status.json")):
        try:
            found.append(json.load(open(path)))
        except (OSError, ValueError):
            pass
    return found


def all_in(state, count):
    return lambda: sum(s["state"] == state for s in statuses()) >= count


def down(project):
    tote("down", "-p", project)


# ---- processes ----

def ours():
    """{pid: program name} of what is in our group, without this program."""
    found = {}
    with open("/sys/fs/cgroup/driver/cgroup.procs") as f:
        for line in f:
            try:
                with open(f"/proc/{int(line)}/comm") as c:
                    name = c.read().strip()
            except OSError:
                continue
            if name.startswith("tote"):
                found[int(line)] = name
    return found


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_"))


def cpu_seconds(pids):
    total = 0.0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat") as f:
            total += int(f.read().split()[0]) / 1e9
        with open(f"/proc/{pid}/stat") as f:
            words = f.read().rsplit(") ", 1)[1].split()
        total += (int(words[13]) + int(words[14])) / os.sysconf("SC_CLK_TCK")  # cutime, cstime
    return total


def core_percent(seconds):
    pids = ours()
    before, start = cpu_seconds(pids), time.monotonic()
    time.sleep(seconds)
    after, took = cpu_seconds(pids), time.monotonic() - start
    if set(ours()) != set(pids):
        print("supervise.py: processes came or went while it was measured", file=sys.stderr)
    return 100 * (after - before) / took


# ---- parts ----

def memory():
    """Many that only wait: memory, idle processor time, and the time from nothing to all running."""
    path = compose(f"""
name: many
services:
  w: {{image: "box:1", command: ["sleep", "36000"], deploy: {{replicas: {COUNT}}}, stop_grace_period: 0s}}
""")
    s = Supervisor().wait_ready()
    start = time.monotonic()
    tote("up", "-f", path)
    eventually("all run", all_in("running", COUNT))
    first = time.monotonic() - start
    s.stop()
    shutil.rmtree(supervise_dir("run"))  # a tmpfs: gone after a reboot
    start = time.monotonic()
    s = Supervisor()
    eventually("all run after a reboot", all_in("running", COUNT))
    boot = time.monotonic() - start
    time.sleep(3)
    processes = ours()
    kib = {pid: private_kib(pid) for pid in processes}
    monitors = [kib[p] for p, name in processes.items() if name == "tote-monitor"]
    own = kib[s.process.pid]
    total = sum(kib.values()) / 1024
    percent = core_percent(SECONDS)
    s.stop(signal.SIGKILL)
    start = time.monotonic()
    s = Supervisor().wait_ready()
    again = time.monotonic() - start
    down("many")
    s.stop()
    print(f"{COUNT} containers of `sleep` on a network of their project's.\n")
    print("| | |\n|---|--:|")
    print(f"| private memory of a monitor, median and largest, KiB | {statistics.median(monitors):.0f}, {max(monitors)} |")
    print(f"| private memory of the supervisor, KiB | {own} |")
    print(f"| `tote up` until all run, s | {first:.1f} |")
    print(f"| from the supervisor's start after a reboot until all run, s | {boot:.1f} |")
    print(f"| &nbsp; for each container, ms | {boot / COUNT * 1000:.1f} |")
    print(f"| a killed supervisor's successor answers after, ms | {again * 1000:.0f} |", flush=True)
    target(f"{COUNT} containers: private memory of everything of ours, MB", total, 60)
    target("private memory of a monitor, KiB, the largest", max(monitors), 200, "{:.0f}")
    target(f"{COUNT} containers: idle for {SECONDS:.0f} s, % of a core", percent, 0.5, "{:.3f}")


def health():
    count = COUNT // 2
    path = compose(f"""
name: probed
services:
  w:
    image: box:1
    command: ["greeter", "80"]
    deploy: {{replicas: {count}}}
    stop_grace_period: 0s
    x-tote: {{health: {{tcp: 80, interval: 10s, start_interval: 500ms, start_period: 30s}}}}
""")
    s = Supervisor().wait_ready()
    tote("up", "--wait", "-f", path)
    time.sleep(12)  # past the time of start_interval
    percent = core_percent(SECONDS)
    if any(s["state"] != "running" for s in statuses()):
        fail("not all run")
    down("probed")
    s.stop()
    target(f"{count} containers with TCP probes every 10 s, % of a core", percent, 1.0, "{:.3f}")


def first_byte(port):
    """Seconds from connect() to the first byte."""
    s = socket.socket()
    s.settimeout(30)
    start = time.perf_counter()
    s.connect(("127.0.0.1", port))
    try:
        got = s.recv(1)
    except OSError as e:
        fail(f"no first byte: {e}: {open(os.environ['WHERE'] + '/log').read()[-1000:]}")
    took = time.perf_counter() - start
    s.close()
    if got != b"x":
        fail("no first byte came")
    return took


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p / 100))] * 1000


rows = []


def row(name, times):
    rows.append(f"| {name} | {len(times)} | {percentile(times, 50):.2f} | {percentile(times, 99):.2f} | {min(times) * 1000:.2f} | {max(times) * 1000:.2f} |")


def activated(mode, how, wanted, title):
    port = 8081
    inner = "" if how == "fds" else "port: 80, "
    path = compose(f"""
name: act
services:
  w:
    image: box:1
    command: ["greeter"]
    stop_grace_period: 100ms
    x-tote: {{activate: {{listen: {port}, {inner}idle: {IDLE_MS}ms, mode: {mode}}}}}
""")
    resting = "created" if mode == "start" else "frozen"
    s = Supervisor().wait_ready()
    tote("up", "-f", path)
    times = []
    for i in range(ROUNDS + WARMUPS):
        eventually("it rests", lambda: any(s["state"] == resting and s["activations"] >= i for s in statuses()), 0.002)
        time.sleep(0.03)  # what it does to come to rest is not the next one's
        times.append(first_byte(port))
    tote("down", "-p", "act")
    s.stop()
    row(title, times[WARMUPS:])
    if wanted:
        target(f"first byte through {title}, p99, ms", percentile(times[WARMUPS:], 99), wanted)


def start():
    activated("start", "fds", 15, "a cold start, socket handed over")
    activated("start", "relay", 15, "a cold start, relayed")


def thaw():
    activated("thaw", "relay", 3, "a thaw, relayed")
    activated("thaw", "fds", 3, "a thaw, socket handed over")


# ---- others ----

def podman_config(where):
    os.makedirs(where + "/etc")
    files = {
        "containers.conf": '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\npids_limit = 0\nnetns = "none"\n'
                           'log_driver = "k8s-file"\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n',
        "storage.conf": f'[storage]\ndriver = "overlay"\ngraphroot = "{where}/storage"\nrunroot = "{where}/run"\n',
        "policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}',
        "registries.conf": ""}
    for name, text in files.items():
        with open(f"{where}/etc/{name}", "w") as f:
            f.write(text)


def socket_activated(*command, rounds):
    """systemd-socket-activate, which becomes the command at the first connection."""
    times = []
    log = open(os.environ["WHERE"] + "/log", "a")
    for i in range(rounds + 1):
        port = 9000 + i % 500
        p = subprocess.Popen(["systemd-socket-activate", "-l", f"127.0.0.1:{port}", *command], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log, start_new_session=True)
        eventually("it listens", lambda: listens(port))
        time.sleep(0.03)
        times.append(first_byte(port))
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
    return times[1:]


def listens(port):
    with open("/proc/net/tcp") as f:
        return any(line.split()[1:4:2] == [f"0100007F:{port:04X}", "0A"] for line in list(f)[1:])


def others():
    if not shutil.which("systemd-socket-activate"):
        print("supervise.py: systemd-socket-activate is missing: not compared", file=sys.stderr)
        return
    row("systemd-socket-activate, a plain process (no container)", socket_activated(GREETER, rounds=min(ROUNDS, 100)))
    if not shutil.which("podman"):
        return
    run("podman", "import", "--change", "CMD=greeter", os.environ["WHERE"] + "/box.tar", "box:1")
    # crun sets limits that a host without CAP_SYS_RESOURCE refuses.
    wrapper = [] if subprocess.run(["sh", "-c", "ulimit -l unlimited"], stderr=subprocess.DEVNULL).returncode == 0 \
        else [BUILD + "/tests/bench/memlock"]
    command = [*wrapper, "podman", "run", "--rm", "--network", "none", "localhost/box:1", "/bin/greeter"]
    row("systemd-socket-activate with podman run (crun)", socket_activated(*command, rounds=min(ROUNDS, 20)))
    run(*wrapper, "podman", "run", "-d", "--name", "c", "--network", "none", "localhost/box:1", "/bin/greeter")
    conmon = int(run("podman", "inspect", "-f", "{{.State.ConmonPid}}", "c"))
    print(f"\nFor comparison: private memory of podman's conmon, one a container: {private_kib(conmon)} KiB.")
    subprocess.run(["podman", "rm", "-f", "-t", "0", "-a"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)


def inside():
    make_images()
    for part in PARTS:
        globals()[part]()
    if rows:
        print(f"\nFrom connect() to the first byte, milliseconds.\n")
        print("| | times | p50 | p99 | least | most |\n|---|--:|--:|--:|--:|--:|")
        print("\n".join(rows))
    print("\n| target | measured | wanted | |\n|---|--:|--:|---|")
    print("\n".join(targets))


if __name__ == "__main__":
    inside() if sys.argv[1:] == ["--inside"] else outside()
