# SPDX-License-Identifier: Apache-2.0
"""A cgroup for a benchmark alone, and the rows of its verdicts: for shim.py, supervise.py and network.py."""
import contextlib, os, signal, subprocess, sys, time

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
