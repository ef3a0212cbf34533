#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
tests/netns/compare.py: the same networks, made by Debian's CNI plugins and by tote-cni, must leave the same kernel.

  compare.py ROW...       runs rows: prints "ok ROW", "skip ROW: why" or "not ok ROW" with the differences; exit code 1 for the last
  compare.py --into DIR ROW...   the same, several at a time; what it says of each is in a file of that name
  compare.py --list       the names of all rows; with --vm of those that need the modules of the virtual machine's kernel
  compare.py --show ROW   what Debian's plugins make, as JSON

Each row is run by either in namespaces of its own: a "host" with a few interfaces and a container. What is compared: the result,
links, addresses, routes of all tables, bridge ports and VLANs, queueing disciplines and filters, settings below net.*.conf, after ADD
and after DEL. Names, indexes and hardware addresses that are made up by either are given common names first. Rules of packet filters
are not compared: theirs are iptables', ours nf_tables', and tests/netns/*.bats send packets through them.

  BUILD=DIR  TOTE_CNI=FILE  PLUGINS=/usr/lib/cni
"""
import concurrent.futures, difflib, json, os, re, socket, subprocess, sys, time

BUILD = os.environ.get("BUILD", "build")
TOTE_CNI = os.path.abspath(os.environ.get("TOTE_CNI", BUILD + "/tote-cni"))
PLUGINS = os.environ.get("PLUGINS", "/usr/lib/cni")
LIMIT = 60  # seconds for one command
ROW_LIMIT = 240  # seconds for all commands of a row, on one side
AT_ONCE = 6  # rows; they mostly wait for links to settle

V4 = {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}
V6 = {"type": "host-local", "ranges": [[{"subnet": "fd00:88::/64"}]], "routes": [{"dst": "::/0"}]}
DUAL = {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24"}], [{"subnet": "fd00:88::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}
RANGES = {"type": "host-local", "ranges": [
    [{"subnet": "10.88.0.0/24", "rangeStart": "10.88.0.200", "rangeEnd": "10.88.0.210", "gateway": "10.88.0.254"}],
    [{"subnet": "10.89.0.0/16", "rangeStart": "10.89.7.9"}],
    [{"subnet": "fd00:88::/64", "rangeStart": "fd00:88::99"}]],
    "routes": [{"dst": "0.0.0.0/0"}]}
ROUTES = {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24"}], [{"subnet": "fd00:88::/64"}]],
          "routes": [{"dst": "192.168.5.0/24"}, {"dst": "172.20.0.0/16", "gw": "10.88.0.77"}, {"dst": "2001:db8:5::/48", "gw": "fd00:88::77"}]}
STATIC = {"type": "static", "addresses": [{"address": "10.88.0.50/24", "gateway": "10.88.0.1"}, {"address": "fd00:88::50/64"}],
          "routes": [{"dst": "0.0.0.0/0", "gw": "10.88.0.1"}], "dns": {"nameservers": ["10.88.0.53"], "search": ["shop"]}}
# A NIC on the LAN, to be shared or lent.
LAN = ["link add nic0 address 02:00:00:00:00:aa type dummy", "link set nic0 up", "addr add 192.168.77.2/24 dev nic0",
       "route add default via 192.168.77.1"]
LAN_IPAM = {"type": "host-local", "ranges": [[{"subnet": "192.168.77.0/24", "rangeStart": "192.168.77.100"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}
# The same where there is no dummy interface: one end of a veth, whose other end is another machine.
WIRE = ["netns add lan", "link add nic0 address 02:00:00:00:00:aa type veth peer name far0 address 02:00:00:00:00:bb netns lan",
        "-n lan link set far0 up", "link set nic0 up", "addr add 192.168.77.2/24 dev nic0"]
PORTS = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}, {"hostPort": 5353, "containerPort": 53, "protocol": "udp"}]}


def bridge(ipam=V4, **options):
    return {"type": "bridge", "bridge": "cni0", "ipam": ipam, **options}


def portmap():
    return {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}


def row(*plugins, host=(), needs=(), **rest):
    """host: `ip` commands before; needs: kinds of links; runtime: runtimeConfig; args: CNI_ARGS; cni_args: "args" in the
    configuration; differ: patterns of lines that may differ, each with the reason."""
    return {"plugins": plugins, "host": host, "needs": needs, **rest}


NOTIFY = [(r"\.box\.sysctl\.ipv4/conf/eth0/arp_notify", "theirs tells neighbours who has the address now only behind a bridge")]

HAIRPIN = [(r"hairpin", "ours lets a container reach its own published port")]

VLAN = [(r'^[+-]\.interfaces: .*"name": "cni0"', "ours tells the address that is pinned, theirs that of a port which comes and goes"),
        (r"cni0\.100/accept_ra|VETH_HERE/accept_(ra|dad)", "ours refuses advertisements where the gateway's addresses are"),
        (r"txqlen", "theirs gives it a queue of no length"),
        (r"\.host\.(link|addr|route6)\S* .*(MAC|EUI64)", "ours pins the bridge's address when it is made")]

ROWS = {
    "bridge-plain": row(bridge(), needs=["bridge"]),
    "bridge-no-ipam": row(bridge(ipam={}), needs=["bridge"]),
    "bridge-isgateway": row(bridge(isGateway=True), needs=["bridge"]),
    "bridge-isdefaultgateway": row(bridge(isDefaultGateway=True, ipam={**V4, "routes": []}), needs=["bridge"]),
    "bridge-ipmasq": row(bridge(isGateway=True, ipMasq=True), needs=["bridge"]),
    "bridge-mtu": row(bridge(isGateway=True, mtu=1400), needs=["bridge"]),
    "bridge-hairpin": row(bridge(isGateway=True, hairpinMode=True), needs=["bridge"]),
    "bridge-promisc": row(bridge(isGateway=True, promiscMode=True), needs=["bridge"]),
    "bridge-forceaddress": row(bridge(isGateway=True, forceAddress=True), needs=["bridge"],
                               host=["link add cni0 type bridge", "addr add 10.88.0.99/24 dev cni0"]),
    "bridge-exists": row(bridge(isGateway=True), needs=["bridge"],
                         host=["link add cni0 address 02:00:00:00:00:cc mtu 1450 type bridge", "addr add 10.88.0.1/24 dev cni0"]),
    "bridge-v6": row(bridge(V6, isGateway=True), needs=["bridge"]),
    "bridge-dual": row(bridge(DUAL, isGateway=True, ipMasq=True), needs=["bridge"]),
    "bridge-ranges": row(bridge(RANGES), needs=["bridge"]),
    "bridge-static": row(bridge(STATIC, isGateway=True), needs=["bridge"]),
    "bridge-routes": row(bridge(ROUTES, isGateway=True), needs=["bridge"]),
    "bridge-mac": row(bridge(isGateway=True, capabilities={"mac": True}), needs=["bridge"], runtime={"mac": "02:00:00:11:22:33"}),
    "bridge-ips": row(bridge({**V4, "ranges": V4["ranges"]}, isGateway=True, capabilities={"ips": True}), needs=["bridge"],
                      runtime={"ips": ["10.88.0.77/24"]}),
    "bridge-args-ip": row(bridge(isGateway=True), needs=["bridge"], args="IgnoreUnknown=1;IP=10.88.0.99"),
    "bridge-vlan": row(bridge(isGateway=True, vlan=100), needs=["bridge", "vlan"], differ=VLAN),
    "bridge-dns": row(bridge(isGateway=True, dns={"nameservers": ["10.88.0.1"], "domain": "shop.example", "options": ["ndots:2"]}),
                      needs=["bridge"]),
    "ptp": row({"type": "ptp", "ipam": V4}, differ=NOTIFY),
    "ptp-ipmasq-mtu": row({"type": "ptp", "ipMasq": True, "mtu": 1380, "ipam": V4}, differ=NOTIFY),
    "ptp-dual": row({"type": "ptp", "ipam": DUAL}, differ=NOTIFY),
    "loopback": row({"type": "loopback"}, ifname="lo"),
    "portmap": row(bridge(isGateway=True, ipMasq=True), portmap(), needs=["bridge"], runtime=PORTS, differ=HAIRPIN),
    "portmap-dual": row(bridge(DUAL, isGateway=True, ipMasq=True), portmap(), needs=["bridge"], runtime=PORTS, differ=HAIRPIN),
    "firewall": row(bridge(isGateway=True), {"type": "firewall", "backend": "iptables"}, needs=["bridge"]),
    "tuning-sysctl": row(bridge(isGateway=True), {"type": "tuning", "sysctl": {
        "net.core.somaxconn": "500", "net.ipv4.conf.IFNAME.arp_filter": "1", "net.ipv4.ip_unprivileged_port_start": "80"}},
        needs=["bridge"]),
    "tuning-mac": row(bridge(isGateway=True), {"type": "tuning", "mac": "02:00:00:44:55:66"}, needs=["bridge"]),
    "tuning-mac-runtime": row(bridge(isGateway=True), {"type": "tuning", "capabilities": {"mac": True}}, needs=["bridge"],
                              runtime={"mac": "02:00:00:44:55:77"}),
    "tuning-mtu": row(bridge(isGateway=True), {"type": "tuning", "mtu": 1300}, needs=["bridge"]),
    "tuning-modes": row(bridge(isGateway=True), {"type": "tuning", "promisc": True, "allmulti": True}, needs=["bridge"]),
    "bandwidth": row(bridge(isGateway=True), {"type": "bandwidth", "ingressRate": 8000000, "ingressBurst": 800000,
                                              "egressRate": 16000000, "egressBurst": 1600000}, needs=["bridge", "ifb"]),
    "bandwidth-ingress": row(bridge(isGateway=True), {"type": "bandwidth", "ingressRate": 123456, "ingressBurst": 654321}, needs=["bridge"]),
    "bandwidth-runtime": row(bridge(isGateway=True, mtu=1400), {"type": "bandwidth", "capabilities": {"bandwidth": True}},
                             needs=["bridge", "ifb"], runtime={"bandwidth": {"egressRate": 100000000, "egressBurst": 2147483647}}),
    "bandwidth-ptp": row({"type": "ptp", "ipam": V4}, {"type": "bandwidth", "ingressRate": 40000000000, "ingressBurst": 1000000000,
                                                       "egressRate": 8000, "egressBurst": 12000}, needs=["ifb"], differ=NOTIFY),
    "chain": row(bridge({**DUAL, "routes": []}, isDefaultGateway=True, ipMasq=True, hairpinMode=True, mtu=1420), portmap(),
                 {"type": "firewall", "backend": "iptables"}, {"type": "tuning", "sysctl": {"net.core.somaxconn": "600"}, "mtu": 1410},
                 {"type": "bandwidth", "ingressRate": 8000000, "ingressBurst": 800000, "egressRate": 8000000, "egressBurst": 800000},
                 needs=["bridge", "ifb"], runtime=PORTS),
    "host-device": row({"type": "host-device", "device": "nic0", "ipam": LAN_IPAM}, host=WIRE),
    "host-device-plain": row({"type": "host-device", "device": "nic0"}, host=WIRE),
    "host-device-hwaddr": row({"type": "host-device", "hwaddr": "02:00:00:00:00:aa", "ipam": STATIC}, host=WIRE),
    "host-device-tuned": row({"type": "host-device", "device": "nic0"},
                             {"type": "tuning", "mac": "02:00:00:44:55:66", "mtu": 1300, "promisc": True, "allmulti": True}, host=WIRE),
    "host-device-renamed": row({"type": "host-device", "device": "nic0", "ipam": LAN_IPAM}, host=WIRE, ifname="nic0"),
    "host-device-dummy": row({"type": "host-device", "device": "nic0"}, host=LAN, needs=["dummy"]),
    "macvlan": row({"type": "macvlan", "master": "nic0", "ipam": LAN_IPAM}, host=LAN, needs=["dummy", "macvlan"]),
    "macvlan-default-master": row({"type": "macvlan", "ipam": LAN_IPAM}, host=LAN, needs=["dummy", "macvlan"]),
    "macvlan-private": row({"type": "macvlan", "master": "nic0", "mode": "private", "mtu": 1400, "ipam": STATIC}, host=LAN,
                           needs=["dummy", "macvlan"]),
    "macvlan-vepa": row({"type": "macvlan", "master": "nic0", "mode": "vepa", "capabilities": {"mac": True}}, host=LAN,
                        needs=["dummy", "macvlan"], runtime={"mac": "02:00:00:11:22:33"}),
    "macvlan-passthru": row({"type": "macvlan", "master": "nic0", "mode": "passthru", "ipam": LAN_IPAM}, host=LAN,
                            needs=["dummy", "macvlan"]),
    "ipvlan-l2": row({"type": "ipvlan", "master": "nic0", "ipam": LAN_IPAM}, host=LAN, needs=["dummy", "ipvlan"]),
    "ipvlan-l3": row({"type": "ipvlan", "master": "nic0", "mode": "l3", "mtu": 1400, "ipam": STATIC}, host=LAN,
                     needs=["dummy", "ipvlan"]),
    "ipvlan-l3s": row({"type": "ipvlan", "master": "nic0", "mode": "l3s", "ipam": LAN_IPAM}, host=LAN, needs=["dummy", "ipvlan"]),
    "ipvlan-default-master": row({"type": "ipvlan", "ipam": LAN_IPAM}, host=LAN, needs=["dummy", "ipvlan"]),
}
VM_KINDS = {"macvlan", "ipvlan", "vlan", "dummy"}


class Failed(Exception):
    pass


def run(*command, check=True, limit=LIMIT, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, **options)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


# ---- plugins, chained as a runtime does it ----

def configuration(entry, plugin, previous):
    conf = {"cniVersion": "1.0.0", "name": "shop", **plugin}
    offered = {k: v for k, v in entry.get("runtime", {}).items() if plugin.get("capabilities", {}).get(k)}
    if offered:
        conf["runtimeConfig"] = offered
    if previous is not None:
        conf["prevResult"] = previous
    return conf


def call(entry, who, command, plugin, previous):
    ifname = entry.get("ifname", "eth0")
    env = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": "box1", "CNI_NETNS": "/run/netns/box",
           "CNI_IFNAME": ifname, "CNI_PATH": PLUGINS}
    if "args" in entry:
        env["CNI_ARGS"] = entry["args"]
    program = TOTE_CNI if who == "tote" else f"{PLUGINS}/{plugin['type']}"
    text = json.dumps(configuration(entry, plugin, previous)).replace("IFNAME", ifname)
    done = subprocess.run([program], input=text, capture_output=True, text=True, timeout=LIMIT, env=env)
    if done.returncode != 0:
        raise Failed(f"{who}: {command} of {plugin['type']}: {(done.stdout + done.stderr).strip()}")
    return json.loads(done.stdout) if command == "ADD" else None


def add(entry, who):
    result = None
    for plugin in entry["plugins"]:
        result = call(entry, who, "ADD", plugin, result)
    return result


def delete(entry, who, result):
    for plugin in reversed(entry["plugins"]):
        call(entry, who, "DEL", plugin, result)


# ---- what the kernel has ----

SPACES = {"host": (), "box": ("ip", "netns", "exec", "box")}


def js(space, *command):
    text = run(*SPACES[space], *command, check=command[0] != "bridge")
    return json.loads(text) if text.strip() else []


def settle():
    """Link states are known to addresses and routes up to a second later than to whoever set them."""
    before, since = None, time.time()
    while time.time() - since < 8:
        now = [run(*SPACES[s], "ip", *what) for s in SPACES for what in (("-o", "addr"), ("-o", "link"), ("-6", "route", "show", "table", "all"))]
        now = re.sub(r"\d+sec", "", "".join(now))
        unsure = "NO-CARRIER" in now or "state LOWERLAYERDOWN" in now
        if now == before and "tentative" not in now and (not unsure or time.time() - since > 1.6):
            return
        before = now
        time.sleep(0.4)


def filters(space, links):
    found = {}
    for link in links:
        for parent in ("root", "ingress"):
            got = js(space, "tc", "-j", "filter", "show", "dev", link["ifname"], parent)
            for part in got:
                # Theirs adds the action twice; the first one leaves nothing for the second.
                for action in part.get("options", {}).pop("actions", [])[:1]:
                    part["action"] = {k: v for k, v in action.items() if k not in ("index", "ref", "bind")}
            if got:
                found[f"{link['ifname']} {parent}"] = got
    return found


def settings(space):
    text = run(*SPACES[space], "sh", "-c", "cd /proc/sys/net && grep -r . ipv4/conf ipv6/conf ipv4/ip_forward core/somaxconn "
               "ipv4/ip_unprivileged_port_start bridge 2>/dev/null || :")
    return dict(line.split(":", 1) for line in sorted(text.splitlines()) if not re.search(r"stable_secret|/mtu:", line))


def snapshot():
    settle()
    state = {}
    for space in SPACES:
        links = js(space, "ip", "-j", "-d", "link")
        state[space] = {
            "link": {l["ifname"]: l for l in links},
            "addr": {a["ifname"]: a.get("addr_info", []) for a in js(space, "ip", "-j", "addr")},
            "route": js(space, "ip", "-j", "-d", "-4", "route", "show", "table", "all"),
            "route6": js(space, "ip", "-j", "-d", "-6", "route", "show", "table", "all"),
            "rule": js(space, "ip", "-j", "rule"),
            "port": {p["ifname"]: p for p in js(space, "bridge", "-j", "-d", "link")},
            "vlan": {v["ifname"]: v for v in js(space, "bridge", "-j", "vlan")},
            "qdisc": js(space, "tc", "-j", "qdisc"),
            "filter": filters(space, links),
            "sysctl": settings(space),
        }
    return state


# ---- the same names for the same things ----

CLASSES = [(r"veth[0-9a-f]{6,11}|vcni0\.\d+", "VETH"), (r"(bwp|ifb)[0-9a-f]{6,}", "IFB")]
# What differs between two runs of the same program: counters, times, who came first.
NOISE = {"nodad", "ifindex", "link_index", "link_netnsid", "stats", "stats64", "preferred_life_time", "valid_life_time", "hello_timer", "tcn_timer",
         "topology_change_timer", "gc_timer", "bytes", "packets", "drops", "overlimits", "requeues", "backlog", "qlen", "refcnt", "expires",
         "installed", "last_used", "firstused", "bridge_id", "root_id", "bridge", "designated_bridge", "cost", "id", "used", "success", "rule hit",
         "designated_root"}


def is_noise(key, value):
    return key.endswith("_timer") or (key in NOISE and not isinstance(value, list))


# Lines that may differ in any row, and why.
DIFFER = [
    (r"\.box\.sysctl\.ipv6/conf/eth0/accept_dad", "theirs switches the detection of duplicates off for all of an interface, ours for "
     "the addresses of leases, which are marked so (nodad)"),
    (r"\.host\.sysctl\.ipv6/conf/(cni0(\.100)?|VETH)/accept_dad", "without it ours forwards at once, theirs when it has asked for duplicates of "
     "its own random address"),
    (r"\.sysctl\.ipv6/conf/VETH/accept_ra", "theirs refuses router advertisements on a port, which cannot get any: its bridge does"),
    (r'\.dns\.(nameservers: "10\.88\.0\.53"|search: "shop")', "theirs forgets the name servers that IPAM has"),
    (r"link\.(IFB|eth0)\.txqlen", "theirs gives some kinds a queue of no length, where the kernel's own choice is 32 or 1000"),
    (r"link\.(VETH\w*|eth0|cni0\.\d+)\.num_[rt]x_queues", "theirs may be given one for each processor by ethtool -L; both use one, and ours was never "
     "made to have more, which takes the kernel less time"),
    (r"ifalias", "theirs leaves the name an interface had on the host as its alias when it is back"),
]


class Names:
    """Common names for a run's interfaces and hardware addresses."""

    def __init__(self, literal):
        self.names, self.macs, self.literal = {}, {}, literal
        self.rules = []

    def see(self, state):
        for space in state:
            for name, link in sorted(state[space]["link"].items()):
                for pattern, label in CLASSES:
                    if re.fullmatch(pattern, name):
                        # Both ends on the host: how theirs reaches a bridge's VLAN.
                        self.names[name] = label if "link_netnsid" in link or label != "VETH" else "VETH_HERE"
                mac = link.get("address", "")
                if re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", mac) and mac not in self.literal and int(mac[:2], 16) & 2:
                    owner = f"{space}:{self.names.get(name, name)}"
                    self.macs.setdefault(mac, [])
                    if owner not in self.macs[mac]:
                        self.macs[mac].append(owner)
        self.rules = [(re.compile(rf"\b{re.escape(n)}\b"), v) for n, v in self.names.items()]
        for mac, owners in self.macs.items():
            label = "MAC(" + sorted(owners, key=lambda o: "VETH" not in o)[0] + ")"
            # A bridge has the lowest of its ports' addresses, whosever that is.
            label = label.replace("VETH_HERE", "VETH")
            self.rules.append((re.compile(re.escape(mac), re.I), label))
            self.rules.append((re.compile(re.escape(link_local(mac)) + r"\b"), "fe80::" + label))

    def text(self, value):
        for pattern, label in self.rules:
            value = pattern.sub(label, value)
        value = re.sub(r"\bif\d+\b", "PEER", value)
        return re.sub(r"fe80::[0-9a-f:]+ff:fe[0-9a-f:]+", "fe80::EUI64", value)  # of an address that a bridge had for a moment

    def apply(self, value):
        if isinstance(value, dict):
            return {self.text(k): self.apply(v) for k, v in value.items() if not is_noise(k, v)}
        if isinstance(value, list):
            return [self.apply(v) for v in value]
        return self.text(value) if isinstance(value, str) else value


def link_local(mac):
    """As the kernel derives it and `ip` prints it: an address that begins with 02:00 gives one more group of zeros."""
    b = bytes.fromhex(mac.replace(":", ""))
    return socket.inet_ntop(socket.AF_INET6, bytes([0xfe, 0x80] + [0] * 6 + [b[0] ^ 2]) + b[1:3] + b"\xff\xfe" + b[3:])


def flat(value, path=""):
    """One line for each leaf; lists of objects by their content, as their order is nobody's promise."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from flat(value[key], f"{path}.{key}")
    elif isinstance(value, list):
        for item in sorted(json.dumps(v, sort_keys=True) for v in value):
            yield f"{path}: {item}"
    else:
        yield f"{path}: {json.dumps(value)}"


# ---- one run ----

def kind_works(kind):
    options = {"vlan": "name probe0 type bridge vlan_filtering 1", "macvlan": "link probe1 name probe0 type macvlan",
               "ipvlan": "link probe1 name probe0 type ipvlan"}.get(kind, f"name probe0 type {kind}")
    script = f"ip link add probe1 type dummy 2>/dev/null; ip link add {options}"
    return subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, timeout=LIMIT).returncode == 0


def inside(name, who):
    """In namespaces of our own: make, look, take down, look again. Prints it as JSON."""
    entry = ROWS[name]
    run("sh", "-c", "mount --make-rprivate / && for dir in /run /var/lib; do mount -t tmpfs tmpfs $dir; done; mkdir -p /run/lock; "
        "ip link set lo up; ip netns add box; sysctl -q -w net.ipv6.conf.default.dad_transmits=0; "
        "ip netns exec box sysctl -q -w net.ipv6.conf.default.dad_transmits=0")
    for command in entry["host"]:
        run("ip", *command.split())
    answer = {"before": snapshot()}
    answer["result"] = add(entry, who)
    answer["made"] = snapshot()
    delete(entry, who, answer["result"])
    answer["after"] = snapshot()
    if who == "tote":
        delete(entry, who, None)  # once more; some of theirs fail then
    json.dump(answer, sys.stdout)


def in_namespaces(name, who):
    text = run("unshare", "-nm", "--", sys.executable, os.path.abspath(__file__), "--inside", name, who, limit=ROW_LIMIT)
    answer = json.loads(text)
    literal = set(re.findall(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", json.dumps(ROWS[name])))
    names = Names(literal)
    for part in ("before", "made", "after"):
        names.see(answer[part])
    return {part: list(flat(names.apply(answer[part]))) for part in ("before", "made", "after", "result")}


def allowed(entry, line):
    return any(re.search(pattern, line) for pattern, _reason in DIFFER + entry.get("differ", []))


def compare(name):
    """Whether it is well, and what is to be said."""
    entry = ROWS[name]
    lacking = [kind for kind in entry["needs"] if not kind_works(kind)]
    if lacking:
        return True, f"skip {name}: the kernel has no {', '.join(lacking)}"
    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:  # either mostly waits for the kernel
            theirs, ours = pool.map(in_namespaces, [name, name], ["debian", "tote"])
    except (Failed, subprocess.TimeoutExpired) as failure:
        return False, f"not ok {name}: {failure}"
    lines = []
    for part in ("result", "made", "after"):
        if part == "after" and ours["after"] == ours["before"]:
            continue  # cleaner than theirs is no fault
        for line in difflib.unified_diff(theirs[part], ours[part], "debian " + part, "tote " + part, lineterm="", n=0):
            if line[:3] in ("---", "+++") or (line[0] in "+-" and not allowed(entry, line)):
                lines.append(line)
    if all(line[:3] in ("---", "+++") for line in lines):
        return True, f"ok {name}"
    return False, "\n".join([f"not ok {name}", *lines])


def compare_all(names):
    good = True
    for name in names:
        well, said = compare(name)
        print(said, flush=True)
        good = good and well
    return good


def compare_into(folder, names):
    def one(name):
        well, said = compare(name)
        with open(f"{folder}/{name}", "w") as file:
            print(said, file=file)
        return well

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return all(list(pool.map(one, names)))


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--inside"]:
        return inside(*arguments[1:])
    if arguments[:1] == ["--list"]:
        for name, entry in ROWS.items():
            if bool(VM_KINDS & set(entry["needs"])) == ("--vm" in arguments):
                print(name)
        return 0
    if arguments[:1] == ["--show"]:
        return print(json.dumps(in_namespaces(arguments[1], "debian"), indent=1))
    folder = arguments[1] if arguments[:1] == ["--into"] and len(arguments) > 1 else None
    names = arguments[2:] if folder else arguments
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names:
        sys.exit(__doc__ if not names else f"compare.py: there is no row {unknown[0]}")
    return 0 if (compare_into(folder, names) if folder else compare_all(names)) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"not ok: {failure}")
        sys.exit(1)
