# SPDX-License-Identifier: Apache-2.0
"""A cgroup for a benchmark alone, how busy others are meanwhile, and the rows of its verdicts."""
import contextlib, os, resource, signal, statistics, subprocess, sys, time

NAME = os.path.basename(sys.argv[0])

targets = []


def fail(words):
    sys.exit(f"{NAME}: {words}")


def verdict(name, measured, wanted, good):
    targets.append(f"| {name} | {measured} | {wanted} | {'PASS' if good else 'MISS'} |")


def target(name, measured, wanted, form="{:.2f}"):
    """Not more than is wanted."""
    verdict(name, form.format(measured), "<= " + form.format(wanted), measured <= wanted)


def equal_target(name, measured, wanted):
    verdict(name, measured, wanted, measured == wanted)


def cgroup_tree():
    for path in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if os.path.exists(path + "/cgroup.procs") and os.path.exists(path + "/cgroup.controllers"):
            return path
    fail("no cgroup v2 tree is mounted")


def remove_group(path):
    with contextlib.suppress(OSError), open(path + "/cgroup.kill", "w") as f:
        f.write("1")
    for _ in range(100):
        for below, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(below)
        if not os.path.isdir(path):
            return
        time.sleep(0.1)
    print(f"{NAME}: {path} is still there", file=sys.stderr)


def run_in_group(command, env, limit):
    """Runs it as root in a group of its own, of which nothing is left then, for at most limit seconds; its exit code."""
    if os.geteuid():
        fail("must be root")
    path = f"{cgroup_tree()}/tote-bench-{NAME.removesuffix('.py')}.{os.getpid()}"
    os.mkdir(path)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return subprocess.run(["timeout", "--foreground", "-k", "10", str(limit), "sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', path,
                               *command], env=env, stdin=subprocess.DEVNULL).returncode
    finally:
        remove_group(path)


class Others:
    """What the processors do that is neither idling nor done by this process and its children."""

    def __init__(self):
        self.before = self.worked()

    def worked(self):
        with open("/proc/stat") as f:
            user, nice, system, _, _, irq, softirq, steal = (int(field) for field in f.readline().split()[1:9])
        ours = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - ours

    def seconds(self):
        return self.worked() - self.before


def quietest(rounds):
    """The quarter of them, three at least, whose "others" is least."""
    return sorted(rounds, key=lambda r: r["others"])[:max(3, len(rounds) // 4)]


def run_time(command):
    """Milliseconds from its start to its end, which must be a good one."""
    began = time.perf_counter()
    # Not by subprocess with a time-out: that looks for the end after 0.5, 1.5, 3.5, 7.5 and 15.5 ms only.
    status = os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)[1]
    if status:
        fail(f"{' '.join(command)}: status {status}")
    return (time.perf_counter() - began) * 1000


def what_it_adds(plain, with_it, pairs, pause):
    """Milliseconds of both commands and of their difference, run in turn after pauses of so many seconds: medians of the quarter of
    rounds of ten pairs in which the two together were fastest. What else the machine does slows both, and a virtual one's host shows
    in no counter of ours."""
    rounds = []
    for _ in range(max(1, pairs // 10)):
        pair = []
        for _ in range(10):
            time.sleep(pause)
            first = run_time(plain)
            time.sleep(pause)
            pair.append((first, run_time(with_it)))
        rounds.append(pair)
    rounds.sort(key=lambda pair: statistics.median(a + b for a, b in pair))
    quiet = [both for pair in rounds[:max(3, len(rounds) // 4)] for both in pair]
    return (statistics.median(a for a, _ in quiet), statistics.median(b for _, b in quiet), statistics.median(b - a for a, b in quiet))
