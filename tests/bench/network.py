#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
tests/bench/network.py: attaching containers to a network, tote against Debian's CNI plugins, as Markdown on stdout.

`make bench` calls it, as root. All of it happens in network and mount namespaces of its own; contenders take turns, numbers are
medians. The plugins are executed as a runtime does: each of a list in its own process; tote-cni has the list in one (its second row:
a process each, as a runtime does that knows nothing of it).

  BUILD=DIR TOTE=FILE ROUNDS=40 SECONDS=1 BLOCKS=4 FLOWS=4  ROUNDS=0: round trips and streams alone
"""
import json, os, random, re, shutil, signal, statistics, subprocess, sys, tempfile, time
from world import run_time, target, targets, what_it_adds

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
TOTE = os.path.abspath(os.environ.get("TOTE", BUILD + "/tote"))
TOTE_CNI = os.path.abspath(os.environ.get("TOTE_CNI", BUILD + "/tote-cni"))
ROUND_TRIP = BUILD + "/tests/bench/round_trip"
PLUGINS = "/usr/lib/cni"
ROUNDS = int(os.environ.get("ROUNDS", "40"))
SECONDS = float(os.environ.get("SECONDS", "1"))
BLOCKS = int(os.environ.get("BLOCKS", "4"))  # of boxes, for
FLOWS = int(os.environ.get("FLOWS", "4"))  # rounds of round trips and throughput
WAYS = ("container to container", "host to container")
LIMIT = 60


def network(bridge, octet):
    ipam = {"type": "host-local", "ranges": [[{"subnet": f"10.{octet}.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return [{"type": "bridge", "bridge": bridge, "isGateway": True, "ipMasq": True, "ipam": ipam},
            {"type": "portmap", "capabilities": {"portMappings": True}}]


def ports(port):
    return {"portMappings": [{"hostPort": port, "containerPort": 80, "protocol": "tcp"}]}


def sh(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT).stdout


# ---- ADD and DEL ----

class Contender:
    """A way to attach: a list of (program, configuration)."""

    def __init__(self, name, bridge, octet, port):
        self.name, self.port = name, port
        self.conf = network(bridge, octet)

    def steps(self):
        for plugin in self.conf:
            yield f"{PLUGINS}/{plugin['type']}", plugin

    def call(self, command, program, plugin, box, previous):
        conf = {"cniVersion": "1.0.0", "name": self.name, **plugin, "runtimeConfig": ports(self.port)}
        if previous is not None:
            conf["prevResult"] = previous
        env = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": self.name + box, "CNI_IFNAME": "eth0",
               "CNI_NETNS": f"/run/netns/{box}", "CNI_PATH": PLUGINS}
        return execute(program, json.dumps(conf).encode(), env)

    def add(self, box):
        """Returns the result and the seconds it took."""
        result, took = None, 0
        for program, plugin in self.steps():
            text, seconds = self.call("ADD", program, plugin, box, result)
            result, took = json.loads(text), took + seconds
        return result, took

    def delete(self, box, result):
        return sum(self.call("DEL", program, plugin, box, result)[1] for program, plugin in reversed(list(self.steps())))


class ToteEach(Contender):
    def steps(self):
        for plugin in self.conf:
            yield TOTE_CNI, plugin


class ToteOne(Contender):
    def steps(self):
        yield TOTE_CNI, {"type": "tote-cni", "plugins": self.conf}


def execute(program, text, env):
    """Runs a plugin; what it printed and how long it took, from the start of the process to its end."""
    with tempfile.TemporaryFile(dir="/run") as given, tempfile.TemporaryFile(dir="/run") as printed:
        given.write(text)
        given.seek(0)
        actions = [(os.POSIX_SPAWN_DUP2, given.fileno(), 0), (os.POSIX_SPAWN_DUP2, printed.fileno(), 1)]
        start = time.perf_counter()
        pid = os.posix_spawn(program, [program], env, file_actions=actions)
        code = os.waitpid(pid, 0)[1]
        took = time.perf_counter() - start
        printed.seek(0)
        output = printed.read().decode()
    if code:
        sys.exit(f"network.py: {program}: {env['CNI_COMMAND']}: {output}")
    return output, took


def ms(seconds):
    return f"{seconds * 1000:.2f}"


def attach_times():
    contenders = [Contender("debian", "deb0", 91, 8081), ToteOne("tote", "tote1", 92, 8082), ToteEach("toteeach", "tote2", 93, 8083)]
    adds, dels = {c: [] for c in contenders}, {c: [] for c in contenders}
    sh("ip", "netns", "add", "times")
    for i in range(ROUNDS + 2):
        for c in contenders:
            result, took = c.add("times")
            removed = c.delete("times", result)
            if i >= 2:  # the first ones make bridges and tables
                adds[c].append(took)
                dels[c].append(removed)
            time.sleep(0.04)  # what the kernel does later is nobody's
    sh("ip", "netns", "del", "times")
    print(f"Attaching a container to a bridge with ipMasq and a published port, milliseconds, medians of {ROUNDS}.\n")
    print("| | ADD | DEL | both |\n|---|--:|--:|--:|")
    sums = []
    for c, name in zip(contenders, ("Debian's plugins 1.1.1", "tote-cni, the list in one process", "tote-cni, a process each")):
        both = statistics.median(a + d for a, d in zip(adds[c], dels[c]))
        sums.append(both)
        print(f"| {name} | {ms(statistics.median(adds[c]))} | {ms(statistics.median(dels[c]))} | {ms(both)} |")
    target("ADD + DEL: tote / Debian's plugins", sums[1] / sums[0], 0.10)


# ---- what a network adds to a run ----

def bundle(where, *command):
    os.makedirs(where + "/rootfs/bin")
    for name in ("true", "ip"):
        shutil.copy(shutil.which("busybox"), where + "/rootfs/bin/" + name)
    sh(TOTE, "spec", "--bundle", where)
    with open(where + "/config.json") as f:
        config = json.load(f)
    config["process"].update(args=list(command), terminal=False)
    with open(where + "/config.json", "w") as f:
        json.dump(config, f)


def run_command(where, *options, bundle="bundle"):
    return [TOTE, "--root", where + "/state", "run", *options, "--bundle", f"{where}/{bundle}", "bench"]


def run_times():
    text = subprocess.run([TOTE, "run", "--help"], capture_output=True, text=True, timeout=LIMIT).stdout
    if "--network" not in text:
        print("\n(This tote's `run` has no --network.)")
        return
    with tempfile.TemporaryDirectory(dir="/run") as where:
        bundle(where + "/bundle", "/bin/true")
        # A run that attaches nothing would be fast.
        bundle(where + "/look", "/bin/ip", "-4", "addr", "show", "dev", "eth0")
        run_time(run_command(where, "--network", "bridge", bundle="look"))
        # The kernel takes a network namespace apart when its container is gone already, under the lock that the next
        # one's interfaces need: without a pause either run pays for the other's.
        plain, attached, added = what_it_adds(run_command(where), run_command(where, "--network", "bridge"), ROUNDS * 8, 0.04)
    print(f"\n| /bin/true | ms |\n|---|--:|\n| tote run | {plain:.2f} |\n| tote run --network bridge | {attached:.2f} |")
    target("what `--network bridge` adds to `tote run`", added, 1.5, "{:.2f} ms")


# ---- packets ----

def inside(box, *command):
    return ["ip", "netns", "exec", box, *command] if box else list(command)


def with_server(command, ready, measure):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        for line in server.stdout:
            if re.search(ready, line):
                break
        return measure()
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


def round_trip(server, client, address):
    return with_server(inside(server, ROUND_TRIP, "server", address, "7101"), "ready", lambda: float(
        sh(*inside(client, ROUND_TRIP, "client", address, "7101", str(SECONDS)))))


def throughput(server, client, address):
    """Gigabits a second."""
    text = with_server(inside(server, "iperf3", "-s", "-1", "-B", address, "-p", "7102", "--forceflush"), "listening", lambda: sh(
        *inside(client, "iperf3", "-J", "-c", address, "-p", "7102", "-t", str(max(1, round(SECONDS))))))
    return json.loads(text)["end"]["sum_received"]["bits_per_second"] / 1e9


def make_boxes(contenders):
    """Two boxes of each: (name, server, client, address) of what can be measured, and (contender, box, result) to delete."""
    pairs, made = [("loopback", None, None, "127.0.0.1")], []
    for c in contenders:
        for n in "ab":
            box = c.name + n
            sh("ip", "netns", "add", box)
            made.append((c, box, c.add(box)[0]))
            c.port += 100
        server, client = c.name + "a", c.name + "b"
        address = made[-2][2]["ips"][0]["address"].split("/")[0]
        pairs += [(f"{c.name}, {WAYS[0]}", server, client, address), (f"{c.name}, {WAYS[1]}", server, None, address)]
    return pairs, made


def measure_flows():
    """Round trips and rates by name, one a round. Two pairs of boxes that the same program made differ by up to a fifth for as long as
    they live: so there are new ones for each block, made in turn."""
    trips, rates = {}, {}
    for block in range(BLOCKS):
        contenders = [Contender("debian", "deb0", 91, 8081), ToteOne("tote", "tote1", 92, 8082)]
        pairs, made = make_boxes(contenders[::-1] if block % 2 else contenders)
        for _ in range(FLOWS):
            for name, server, client, address in random.sample(pairs, len(pairs)):
                trips.setdefault(name, []).append(round_trip(server, client, address))
                rates.setdefault(name, []).append(throughput(server, client, address))
        for c, box, result in made:
            c.delete(box, result)
            sh("ip", "netns", "del", box)
    return trips, rates


def ratio(some, others):
    """Of what was measured in the same round: a machine is not as fast all the time."""
    return statistics.median(a / b for a, b in zip(some, others))


def flows():
    trips, rates = measure_flows()
    print(f"\nOne byte there and back over TCP, and one stream of iperf3, medians of {BLOCKS * FLOWS} times {SECONDS:g} s.\n")
    print("| | round trip, us | / loopback | Gbit/s | / loopback |\n|---|--:|--:|--:|--:|")
    for name in sorted(trips):
        print(f"| {name} | {statistics.median(trips[name]):.1f} | {ratio(trips[name], trips['loopback']):.2f} | "
              f"{statistics.median(rates[name]):.1f} | {ratio(rates[name], rates['loopback']):.2f} |")
    for way in WAYS:
        ours, theirs = f"tote, {way}", f"debian, {way}"
        # The same kernel objects: what differs is noise, of which this much is usual.
        target(f"round trip, {way}: tote / Debian's", ratio(trips[ours], trips[theirs]), 1.05)
        target(f"time for a byte of a stream, {way}: tote / Debian's", ratio(rates[theirs], rates[ours]), 1.05)


def main():
    if sys.argv[1:] != ["--inside"]:
        os.execvp("unshare", ["unshare", "-nm", "--propagation", "private", sys.executable, os.path.abspath(__file__), "--inside"])
    sh("sh", "-c", "for dir in /run /var/lib/cni /etc/cni; do [ ! -d $dir ] || mount -t tmpfs tmpfs $dir; done; mkdir -p /run/lock; ip link set lo up")
    if ROUNDS:
        attach_times()
        run_times()
    if os.path.exists(ROUND_TRIP) and shutil.which("iperf3"):
        flows()
    print("\n| target | measured | wanted | |\n|---|--:|--:|---|")
    print("\n".join(targets))


if __name__ == "__main__":
    main()
