#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
tests/bench/shim.py: the native shim against containerd's own with crun, as Markdown on stdout.

`make bench` calls it, as root. One containerd with all its files on a tmpfs has both shims' containers; they take turns, and times are
medians. All of it happens in a cgroup and namespaces of its own, for the reasons that tests/bench/run.sh gives. Times of `ctr` have the
start of ctr in them, which both shims bear alike. What is measured "without ctr" speaks to a shim's socket, as containerd does.

  BUILD=DIR TOTE=FILE ROUNDS=60 PODS=10 EXECS=1000 PARALLEL=50   PARTS=memory,run,direct,parallel
"""
import contextlib, json, os, shutil, statistics, subprocess, sys, tempfile, time

from world import equal_target, fail, run_in_group, target, targets

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "../shim")
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
TOTE = os.path.abspath(os.environ.get("TOTE", BUILD + "/tote"))
ROUNDS = int(os.environ.get("ROUNDS", "60"))
PODS = int(os.environ.get("PODS", "10"))
EXECS = int(os.environ.get("EXECS", "1000"))
PARALLEL = int(os.environ.get("PARALLEL", "50"))
PARTS = os.environ.get("PARTS", "memory,run,direct,parallel").split(",")
WARMUPS = 3
PAUSE = 0.04  # what containerd and the kernel do after an answer is not the next one's
LIMIT = 900  # seconds for everything
PYTHON = "/usr/bin/python3"  # Debian's own has protobuf; others that come first in PATH may not

def ms(values):
    return f"{statistics.median(values) * 1000:.1f}"


# ---- around it ----

# $1: this file. The groups that runtimes see begin at our own, which has no controllers for crun to enable in the host's.
WORLD = """
set -e
mount -t cgroup2 none /sys/fs/cgroup
mkdir /sys/fs/cgroup/driver
echo $$ >/sys/fs/cgroup/driver/cgroup.procs
mount -t tmpfs -o mode=755 none /run
mkdir /run/containerd /run/ctr
skip() { echo "shim.py: $1" >&2; exit 1; }
case ,$PARTS, in *,direct,*)
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private sh -c '
		mount -t tmpfs -o mode=755 none /run; mkdir "/sys/fs/cgroup/$TOTE_SHIM_GROUP"; exec "$@"' sh "$PYTHON" "$1" --direct ;;
esac
export CTR_DIR=/run/ctr CTR_LIMIT=120
. "$TESTS/ctr.bash"
start_containerd
code=0
in_containerd env IMAGE="$IMAGE" PATH="$CTR_BIN:$CTR_BIN_ADD:$PATH" "$PYTHON" "$1" --inside || code=$?
stop_containerd
exit $code
"""


def outside():
    wrapper = [] if subprocess.run(["sh", "-c", "ulimit -l unlimited"], stderr=subprocess.DEVNULL).returncode == 0 \
        else [BUILD + "/tests/bench/memlock"]
    with tempfile.TemporaryDirectory() as where:
        env = {**os.environ, "BUILD": BUILD, "TOTE": TOTE, "TESTS": TESTS, "PYTHON": PYTHON, "PARTS": ",".join(PARTS),
               "TOTE_SHIM_GROUP": "direct", "RESULTS": where + "/results"}
        # The group itself must have no process, lest crun tries for seconds to enable controllers in it.
        sys.exit(run_in_group([*wrapper, "unshare", "--mount", "--cgroup", "--propagation", "private", "bash", "-c", WORLD, "bash",
                               os.path.abspath(__file__)], env, LIMIT))


# ---- the shims ----

class Shim:
    def __init__(self, name, options, program):
        self.name, self.options, self.program = name, options, program

    def run(self, id, *command, detach=True, annotations=()):
        marks = [word for a in annotations for word in ("--annotation", a)]
        return ["run", "-d" if detach else "--rm", "--cpu-shares", "0", *self.options, *marks, os.environ["IMAGE"], id, *command]

    def processes(self):
        """Of containerd's namespace; what workers there are is not meant."""
        found = []
        for p in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{p}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if os.path.basename(words[0]).decode() == self.program and os.environ["CTR_SOCKET"].encode() in words:
                found.append(int(p))
        return found


NATIVE = Shim("native", ["--runtime", "io.containerd.tote.v2"], "containerd-shim-tote-v2")
GO = Shim("go", ["--runtime", "io.containerd.runc.v2", "--runc-binary", "crun"], "containerd-shim-runc-v2")
BOTH = (NATIVE, GO)


def ctr_command(*arguments):
    return ["ctr", "-a", os.environ["CTR_SOCKET"], "-n", os.environ["CTR_NS"], *arguments]


def spawn(*arguments):
    command = ctr_command(*arguments)
    return os.posix_spawn(shutil.which("ctr"), command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])


def ctr(*arguments):
    """The seconds it took."""
    start = time.perf_counter()
    status = os.waitpid(spawn(*arguments), 0)[1]
    took = time.perf_counter() - start
    if status:
        fail(f"ctr {' '.join(arguments)}: status {status}")
    return took


def remove(ids):
    for id in ids:
        ctr("task", "rm", "-f", id)
        ctr("container", "rm", id)


# ---- memory ----

def usage(pid):
    values = {}
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in list(f)[1:]:
            words = line.split()
            values[words[0].rstrip(":")] = int(words[1])
    return dict(dirty=values["Private_Dirty"], private=values["Private_Dirty"] + values["Private_Clean"], pss=values["Pss"],
                rss=values["Rss"], threads=len(os.listdir(f"/proc/{pid}/task")), fds=len(os.listdir(f"/proc/{pid}/fd")))


COLUMNS = ("private", "dirty", "pss", "rss", "threads", "fds")


def row(title, shim, of):
    """Of several processes the largest."""
    most = {c: max(u[c] for u in of) for c in COLUMNS}
    names = {"native": "**native**", "go": "runc.v2"}
    print(f"| {title} | {names[shim.name]} | " + " | ".join(str(most[c]) for c in COLUMNS) + " |", flush=True)
    return most


def execs(client, messages, id, count, where, command=["/bin/echo", "hello"], said=b"hello\n"):
    """As containerd makes them, with the output of a client that reads."""
    spec = messages.Any(type_url="types.containerd.io/opencontainers/runtime-spec/1/Process", value=json.dumps(
        dict(args=command, cwd="/", env=["PATH=/bin"], user=dict(uid=0, gid=0))).encode())
    took = []
    for i in range(count):
        at = dict(id=id, exec_id=f"x{i}")
        pipes = {name: f"{where}/{name}" for name in ("out", "err")}  # runc.v2 wants both or none
        for pipe in pipes.values():
            os.mkfifo(pipe)
        fds = [os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) for pipe in pipes.values()]
        begun = time.perf_counter()
        client.exec(**at, spec=spec, out_path=pipes["out"], err_path=pipes["err"])
        client.start(**at)
        status = client.wait(**at).exit_status
        client.delete(**at)
        took.append(time.perf_counter() - begun)
        os.set_blocking(fds[0], True)  # a shim may close its end behind the answer
        text = os.read(fds[0], 100)
        for fd, pipe in zip(fds, pipes.values()):
            os.close(fd)
            os.unlink(pipe)
        if status or text != said:
            fail(f"exec {i}: {status} {text}")
    return took


def settled(pid, fds):
    """Streams are closed behind the answer to Delete."""
    for _ in range(50):
        found = usage(pid)
        if found["fds"] <= fds:
            break
        time.sleep(0.1)
    return found


def shim_socket(id):
    with open(f"{os.environ['CTR_DIR']}/state/io.containerd.runtime.v2.task/{os.environ['CTR_NS']}/{id}/address") as f:
        return f.read()


def memory_after_execs(shim, pid, id):
    from ttrpc import Client, messages
    seen = []
    fds = usage(pid)["fds"] + 1  # our connection
    with Client(shim_socket(id)) as client, tempfile.TemporaryDirectory(dir="/run") as where:
        for _ in range(2):
            took = execs(client, messages, id, EXECS, where)
            print(f"{shim.name}: {EXECS} execs, {ms(took)} ms each", file=sys.stderr)
            seen.append(settled(pid, fds))
    return seen


def memory():
    print("Memory of a shim in KiB, the largest of the shims; crun is runc.v2's runtime.\n")
    print("| | | private | of it dirty | PSS | RSS | threads | descriptors |\n|---|---|--:|--:|--:|--:|--:|--:|")
    for shim in BOTH:
        ids = [f"{shim.name}-{i}" for i in range(PODS)]
        for id in ids:
            ctr(*shim.run(id, "sleep", "3600"))
        time.sleep(1)
        many = row(f"{PODS} pods of 1 container", shim, [usage(p) for p in shim.processes()])
        if shim is NATIVE:
            target(f"{PODS} pods of 1: private KiB of a shim", many["private"], 300, "{}")
            target(f"{PODS} pods of 1: RSS of a shim, KiB", many["rss"], 2048, "{}")
            equal_target("threads of a shim", many["threads"], 1)
        remove(ids)
    for shim in BOTH:
        memory_of_pod(shim)


def memory_of_pod(shim):
    """First alone, when clean pages of the program's file are shared with nobody; then beside another pod, as they all are on a host of tens."""
    ids = [f"{shim.name}-{i}" for i in range(5)]
    for id in ids:
        ctr(*shim.run(id, "sleep", "3600", annotations=("io.containerd.runc.v2.group=pod",)))
    time.sleep(1)
    found = shim.processes()
    if len(found) != 1:
        fail(f"{shim.name}: {len(found)} shims for one pod")
    pid = found[0]
    alone = row("1 pod of 5, the only one", shim, [usage(pid)])
    ids.append(shim.name + "-other")
    ctr(*shim.run(ids[-1], "sleep", "3600"))
    time.sleep(1)
    before = row("1 pod of 5, and another pod", shim, [usage(pid)])
    first, second = memory_after_execs(shim, pid, ids[0])
    row(f"&nbsp; after {EXECS:,} execs", shim, [first])
    row(f"&nbsp; after {EXECS:,} more", shim, [second])
    if shim is NATIVE:
        target("1 pod of 5, the only one: private KiB", alone["private"], 300, "{}")
        target("1 pod of 5, and another pod: private KiB", before["private"], 300, "{}")
        target("1 pod of 5: RSS, KiB", before["rss"], 2048, "{}")
        target(f"1 pod of 5, after {2 * EXECS:,} execs: private KiB", second["private"], 300, "{}")
        target(f"growth of private memory over the second {EXECS:,} execs, KiB", second["private"] - first["private"], 0, "{}")
        equal_target("descriptors after the execs, less the connection of the bench", second["fds"] - 1, before["fds"])
    remove(ids)


# ---- speed ----

def take_turns(measure):
    """{shim: seconds}, without those of the warm-up."""
    times = {shim: [] for shim in BOTH}
    for i in range(ROUNDS + WARMUPS):
        for shim in BOTH:
            time.sleep(PAUSE)
            times[shim].append(measure(shim, i))
    return {shim: t[WARMUPS:] for shim, t in times.items()}


def exec_directly():
    """What ctr has containerd ask of the shim, asked by us: ctr itself takes longer than all of it."""
    from ttrpc import Client, messages
    clients = {shim: Client(shim_socket(shim.name)) for shim in BOTH}
    with tempfile.TemporaryDirectory(dir="/run") as where:
        return take_turns(lambda shim, i: execs(clients[shim], messages, shim.name, 1, where, ["/bin/true"], b"")[0])


def run_times():
    runs = take_turns(lambda shim, i: ctr(*shim.run(f"{shim.name}-{i}", "/bin/true", detach=False)))
    for shim in BOTH:
        ctr(*shim.run(shim.name, "sleep", "3600"))
    by_ctr = take_turns(lambda shim, i: ctr("task", "exec", "--exec-id", f"x{i}", shim.name, "/bin/true"))
    by_us = exec_directly()
    remove(shim.name for shim in BOTH)
    alone = [ctr("version") for _ in range(ROUNDS)]
    print(f"\n/bin/true under containerd, milliseconds, medians of {ROUNDS}.\n")
    print("| | native | runc.v2 with crun |\n|---|--:|--:|")
    rows = (("ctr run --rm", runs, 0.6), ("ctr task exec", by_ctr, 0.4), ("Exec, Start, Wait and Delete, without ctr", by_us, 0.4))
    for title, times, wanted in rows:
        native, go = times[NATIVE], times[GO]
        print(f"| {title} | {ms(native)} | {ms(go)} |")
        target(f"{title}: native / runc.v2 with crun", statistics.median(native) / statistics.median(go), wanted)
    print(f"| (ctr version, which asks and does nothing) | {ms(alone)} | |", flush=True)


def parallel():
    for shim in BOTH:
        ids = [f"{shim.name}-{i}" for i in range(PARALLEL)]
        start = time.perf_counter()
        pids = [spawn(*shim.run(id, "sleep", "3600")) for id in ids]
        codes = [os.waitpid(pid, 0)[1] for pid in pids]
        took = time.perf_counter() - start
        print(f"\n{PARALLEL} `ctr run -d` at the same time, {shim.program}: {took:.1f} s, {sum(map(bool, codes))} failed.", flush=True)
        if shim is NATIVE:
            equal_target(f"{PARALLEL} parallel creates: errors", sum(map(bool, codes)), 0)
        remove(id for id, code in zip(ids, codes) if not code)


# ---- speed, as containerd speaks to a shim ----

def kill_times(world, shim, container, rounds):
    """From Kill being sent to the event of the end being there, and the whole of create, start, kill, delete."""
    kills = []
    for _ in range(rounds):
        c = container(shim)
        c.create()
        c.start()
        start = time.perf_counter()
        call = c.client.begin("Kill", kill_request(c.id))
        while True:
            event = world.events.take()
            if event.topic == "/tasks/exit" and event.message.container_id == c.id:
                break
        kills.append(time.perf_counter() - start)
        call.result()
        c.delete()
        with contextlib.suppress(ConnectionError):  # runc.v2 may be faster gone than to answer
            c.shutdown()
    return kills


def kill_request(id):
    from ttrpc import messages
    return messages.KillRequest(id=id, signal=9)


def direct():
    sys.path.insert(0, TESTS)
    import harness
    from ttrpc import messages
    world = harness.World()
    programs = {NATIVE: BUILD + "/containerd-shim-tote-v2", GO: shutil.which(GO.program)}
    # containerd.runc.v1.Options with the sixth field, binary_name.
    options = {NATIVE: None, GO: messages.Any(type_url="containerd.runc.v1.Options", value=b"\x32\x04crun")}
    count = iter(range(1 << 20))

    def container(shim):
        harness.SHIM = programs[shim]
        return world.container(f"c{next(count)}", "sleep", "3600", io="", options=options[shim])

    kills = {shim: [] for shim in BOTH}
    for i in range(ROUNDS + WARMUPS):
        for shim in BOTH:
            kills[shim] += kill_times(world, shim, container, 1)
    print(f"From Kill to TaskExit, in containerd's place, milliseconds, medians of {ROUNDS}: native {ms(kills[NATIVE][WARMUPS:])}, "
          f"runc.v2 with crun {ms(kills[GO][WARMUPS:])}.\n", flush=True)
    target("from Kill to TaskExit, ms", statistics.median(kills[NATIVE][WARMUPS:]) * 1000, 5)
    with open(os.environ["RESULTS"], "w") as f:
        json.dump(targets, f)
    # Shims end with the namespace of processes.
    sys.stdout.flush()
    os._exit(0)


def inside():
    sys.path.insert(0, TESTS)
    with open(os.environ["RESULTS"], "a+") as f:
        f.seek(0)
        targets.extend(json.loads(f.read() or "[]"))
    if "memory" in PARTS:
        memory()
    if "run" in PARTS:
        run_times()
    if "parallel" in PARTS:
        parallel()
    print("\n| target | measured | wanted | |\n|---|--:|--:|---|")
    print("\n".join(targets))


if __name__ == "__main__":
    {"--inside": inside, "--direct": direct}.get(" ".join(sys.argv[1:]), outside)()
