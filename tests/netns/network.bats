# SPDX-License-Identifier: Apache-2.0
# `tote network`, in network namespaces of the test's own: HOST stands for the host, A and B for containers. The host's real
# interfaces and /etc/cni/net.d are never touched.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	HOST= A= B=
	root=$BATS_TEST_DIRNAME/../..
	NET=$(realpath -m "${BUILD:-$root/build}/tote-net")
	[ "${BUILD:-}" = "${BUILD#/}" ] && [ -n "${BUILD:-}" ] && NET=$(realpath -m "$root/$BUILD/tote-net")
	[ -x "$NET" ] || { echo "$NET is not built"; return 1; }
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare --net true 2>/dev/null || skip "cannot make network namespaces"
	export TOTE_NET_DIR=$BATS_TEST_TMPDIR/run NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$BATS_TEST_TMPDIR/none
	new_netns HOST
	new_netns A
	new_netns B
	host ip link set lo up
	host ip link add probe type bridge 2>/dev/null || skip "the kernel has no bridges"
	host ip link del probe
}

teardown() {
	local pid
	for pid in $HOST $A $B ${WATCH:-}; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

new_netns() { # VARIABLE: the process whose namespace it is
	local i
	unshare --net sleep 300 3>&- &
	printf -v "$1" %s $!
	for i in $(seq 600); do
		[ "$(readlink "/proc/${!1}/ns/net")" = "$(readlink /proc/$$/ns/net)" ] || return 0
		sleep 0.05
	done
	return 1
}

host() { nsenter -t "$HOST" -n "$@"; }
in_a() { nsenter -t "$A" -n "$@"; }
in_b() { nsenter -t "$B" -n "$@"; }
net() { host "$NET" network "$@"; }

# up CONTAINER PID NETWORK [OPTION...]
up() { net up --pid "$2" --config "$3" "${@:4}" "$1"; }

has_link() { # NAME: on the host
	host ip link show "$1" >/dev/null 2>&1
}

links() { host ip -j link | jq -r '[.[].ifname] | sort | join(" ")'; }
leases() { find "$TOTE_NET_DIR/leases" -type f -not -name 'last_*' 2>/dev/null | wc -l; }
records() { find "$TOTE_NET_DIR/attachments" -type f 2>/dev/null | wc -l; }

# Elements of a set come in any order.
ruleset() { host nft list ruleset | tr ',{}' '\n\n\n' | sed 's/^[[:space:]]*//; s/[[:space:]]*$//' | sort; }

reaches() { # A|B ADDRESS
	nsenter -t "${!1}" -n busybox ping -c 1 -W 2 "$2" >/dev/null
}

# fails WORDS COMMAND...: with exit code 1 and these words in one line
fails() {
	local words=$1
	shift
	run "$@"
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"$words"* ]]
}

eventually() {
	local i
	for i in $(seq 600); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

make_nic() { # NAME: with another machine behind it
	host ip link add "$1" type veth peer name "$1-far" 2>/dev/null || skip "the kernel has no veth interfaces"
	host ip link set "$1" up
	host ip link set "$1-far" up
}

@test "create writes a conflist that others can use, and prints the name" {
	run net create shop --subnet 10.88.7.0/24 --subnet fd00:88::/64 --gateway 10.88.7.254 --ip-range 10.88.7.128/26 \
		--dns 10.0.0.53 --route 10.9.0.0/16=10.88.7.3 --mtu 1400
	[ "$status" = 0 ]
	[ "$output" = shop ]
	jq -e '.cniVersion == "1.0.0" and .name == "shop" and ([.plugins[].type] == ["bridge", "portmap", "firewall"]) and
		(.plugins[0] | .bridge == "tote-shop" and .isGateway and .ipMasq and .mtu == 1400 and
			.dns.nameservers == ["10.0.0.53"] and .ipam.type == "host-local" and
			.ipam.ranges == [[{"subnet": "10.88.7.0/24", "rangeStart": "10.88.7.128", "rangeEnd": "10.88.7.191",
				"gateway": "10.88.7.254"}], [{"subnet": "fd00:88::/64"}]] and
			.ipam.routes == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}, {"dst": "10.9.0.0/16", "gw": "10.88.7.3"}])' \
		"$NETCONFPATH/shop.conflist"
	[ "$(ls -A "$NETCONFPATH")" = shop.conflist ]
	[ "$(stat -c %a "$NETCONFPATH/shop.conflist")" = 644 ]
}

@test "create chooses a subnet that neither a network nor the host uses" {
	host ip link add lan type veth peer name lan-far 2>/dev/null || skip "the kernel has no veth interfaces"
	host ip addr add 10.88.0.9/24 dev lan
	host ip link set lan up
	host ip route add 10.88.2.0/23 dev lan
	net create one
	net create two
	[ "$(jq -r '.plugins[0].ipam.ranges[0][0].subnet' "$NETCONFPATH"/{one,two}.conflist | xargs)" = "10.88.1.0/24 10.88.4.0/24" ]
}

@test "create chooses beside a network that has all of 10.88, as podman's has" {
	net create podman --subnet 10.88.0.0/16
	net create shop
	[ "$(jq -r '.plugins[0].ipam.ranges[0][0].subnet' "$NETCONFPATH"/shop.conflist)" = 10.89.0.0/24 ]
	net create rest --subnet 10.90.0.0/15
	net create more --subnet 10.92.0.0/14
	net create till --subnet 10.89.128.0/17
	net create high
	[ "$(jq -r '.plugins[0].ipam.ranges[0][0].subnet' "$NETCONFPATH"/high.conflist)" = 10.89.1.0/24 ]
}

@test "twenty at the same time get twenty subnets" {
	local i pids=()
	for i in $(seq 20); do
		net create "n$i" 3>&- >/dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(jq -r '.plugins[0].ipam.ranges[0][0].subnet' "$NETCONFPATH"/*.conflist | sort -u | wc -l)" = 20 ]
}

@test "what overlaps is refused, with both named" {
	make_nic lan
	host ip addr add 10.50.0.2/16 dev lan
	net create shop --subnet 10.88.7.0/24 --subnet fd00:88::/64
	fails "10.88.7.128/25 of network other overlaps with network shop" net create other --subnet 10.88.7.128/25
	fails "10.0.0.0/8 of network other overlaps with" net create other --subnet 10.0.0.0/8
	fails "fd00:88::/80 of network other overlaps with network shop" net create other --subnet fd00:88::/80
	fails "10.50.3.0/24 of network other overlaps with the host's address 10.50.0.2/16 on lan" \
		net create other --subnet 10.50.3.0/24
	[ "$(ls "$NETCONFPATH")" = shop.conflist ]
}

@test "wrong input to create is one line, and nothing is made" {
	make_nic lan
	while IFS='|' read -r args words; do
		fails "$words" net create $args
	done <<-'END'
		a/b|"a/b" is not a network's name
		-- -x|"-x" is not a network's name
		host|"host" means something else
		pasta|"pasta" means something else
		n --driver vlan|--driver: expected bridge, macvlan, ipvlan or ptp, found "vlan"
		n --driver macvlan|--parent is missing
		n --driver macvlan --parent nosuch|the host has no network interface nosuch; it has: lan
		n --parent lan|--parent is for macvlan and ipvlan
		n --driver ptp --bridge b|--bridge is for --driver bridge
		n --bridge sixteencharacter|is not a name for a network interface
		n --bridge lan|lan exists and is no bridge (veth)
		n --subnet 10.1.2.0|not a subnet such as
		n --subnet 10.1.2.3/24|did you mean 10.1.2.0/24?
		n --subnet 10.1.2.0/31|no room
		n --subnet 10.1.2.0/24 --subnet 10.1.3.0/24|are both IPv4
		n --subnet 10.1.2.0/24 --gateway 10.1.3.1|10.1.3.1 is in no --subnet
		n --subnet 10.1.2.0/24 --gateway x|"x" is not an IP address
		n --subnet 10.1.2.0/24 --ip-range 10.1.0.0/16|10.1.0.0/16 is within no --subnet
		n --subnet 10.1.2.0/24 --ip-range 10.1.2.1|not a part of a subnet
		n --subnet 127.1.0.0/16|127.1.0.0/16 is loopback
		n --subnet 224.1.0.0/16|is multicast
		n --subnet 169.254.0.0/16|is link-local
		n --subnet 255.255.255.0/24|is broadcast
		n --subnet fe80::/64|is link-local
		n --subnet ff02::/64|is multicast
		n --subnet ::ffff:10.1.0.0/112|is IPv4 within IPv6
		n --subnet 10.1.2.0/24 --gateway 10.1.2.0|10.1.2.0 is the first or last address of 10.1.2.0/24
		n --subnet 10.1.2.0/24 --gateway 10.1.2.255|10.1.2.255 is the first or last address of 10.1.2.0/24
		n --subnet 10.1.2.0/24 --ip-range 10.1.2.0/31|10.1.2.0/31 has no address for a container
		n --subnet 10.1.2.0/24 --gateway 10.1.2.254 --ip-range 10.1.2.254/31|has no address for a container
		n --subnet 10.1.2.0/24 --route 10.9.0.0/16=10.1.3.1|the gateway is in no --subnet
		n --route 10.0.0.1|not a destination
		n --route 10.0.0.0/8=fd00::1|do not mix
		n --dns shop.example|not an IP address
		n --mtu 10|expected 68 to 65535 bytes
		n --subnet fd00:1::/64 --mtu 1000|expected 1280
		n --mtu x|expected a number
		n m|unexpected argument "m": tote network create NAME
	END
	[ ! -d "$NETCONFPATH" ] || [ -z "$(ls -A "$NETCONFPATH")" ]
	fails "missing argument: tote network create NAME" net create
	fails 'unknown command "creat"' net creat
}

@test "create never replaces a file, and says where the network is" {
	net create shop
	fails "network shop exists already: $NETCONFPATH/shop.conflist" net create shop
	echo '{"broken' >"$NETCONFPATH/other.conflist"
	fails "the file other.conflist exists already" net create other
	[ "$(cat "$NETCONFPATH/other.conflist")" = '{"broken' ]
	run net ls
	[[ $output == *"other.conflist: "* ]]
	# By its name within the file, too.
	sed 's/"shop"/"till"/; s/tote-shop/tote-till/; s/10\.88\.0/10.88.9/' "$NETCONFPATH/shop.conflist" >"$NETCONFPATH/00.conflist"
	fails "network till exists already: $NETCONFPATH/00.conflist" net create till
}

@test "a bridge that is there is used only when it is named, and stays" {
	host ip link add tote-shop type bridge
	host ip addr add 10.60.0.1/24 dev tote-shop
	host ip link set tote-shop up
	fails "there is a bridge tote-shop already" net create shop
	net create shop --bridge tote-shop --subnet 10.60.0.0/24 --ip-range 10.60.0.64/26
	up box1 "$A" shop
	reaches A 10.60.0.1
	net down box1
	net rm shop
	has_link tote-shop
}

@test "the bridge of a long name is derived from all of it" {
	local a=a-network-with-a-long-name-1 b=a-network-with-a-long-name-2
	net create $a
	net create $b
	a=$(jq -r '.plugins[0].bridge' "$NETCONFPATH/$a.conflist")
	b=$(jq -r '.plugins[0].bridge' "$NETCONFPATH/$b.conflist")
	[ "$a" != "$b" ]
	[ ${#a} -le 15 ]
	[ ${#b} -le 15 ]
}

@test "ls lists networks with what is attached, as a table and as JSON" {
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop
	run net ls
	[ "$status" = 0 ]
	[[ ${lines[1]} == "shop "*"bridge "*"tote-shop "*" 1 "*"10.88.7.0/24" ]]
	net ls --format json | jq -e '.[] | select(.name == "shop") | .attachments == 1 and .subnets == ["10.88.7.0/24"]'
	[ "$(net ls -q | xargs)" = "shop bridge" ]
	fails 'expected table or json, found "yaml"' net ls --format yaml
}

@test "up attaches a container, and inspect and check tell" {
	net create shop --subnet 10.88.7.0/24
	run up box1 "$A" shop --hostname web
	[ "$status" = 0 ]
	echo "$output"
	jq -e '.cniVersion == "1.0.0" and .ips[0].address == "10.88.7.2/24" and .ips[0].gateway == "10.88.7.1"' <<<"$output"
	up box2 "$B" shop
	reaches A 10.88.7.1
	reaches A 10.88.7.3
	reaches A 127.0.0.1
	net inspect shop | jq -e '.conflist.name == "shop" and (.attachments | length == 2) and
		(.attachments[0] | .container == "box1" and .interface == "eth0" and .addresses == ["10.88.7.2/24"] and .alive and
			.complete and .hostname == "web") and
		([.leases[] | select(.alive) | .address] | sort == ["10.88.7.2", "10.88.7.3"])'
	net check box1
	fails "container box9 is on no network" net check box9
	in_a ip link set eth0 down
	fails "eth0 of container box1 on network shop" net check box1
}

@test "up gives the address, hardware address and ports that are asked for" {
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop --ip 10.88.7.77 --mac-address 02:42:0a:58:07:4d --ifname net1 -p 8080:80 -p 127.0.0.1:5000-5001:50-51/udp
	in_a ip -j addr show net1 | jq -e '.[0].address == "02:42:0a:58:07:4d" and
		any(.[0].addr_info[]; .local == "10.88.7.77" and .prefixlen == 24)'
	in_a sh -c 'echo hello | busybox nc -l -p 80' 3>&- &
	eventually in_a sh -c 'busybox netstat -ltn | grep -q :80'
	[ "$(host busybox nc -w 2 10.88.7.1 8080 </dev/null)" = hello ]
	fails "10.88.7.77 on network shop is in use by container box1" up box2 "$B" shop --ip 10.88.7.77
	fails "8080" up box2 "$B" shop -p 8080:80
	[ "$(records)" = 1 ]
	[ "$(leases)" = 1 ]
}

@test "wrong input to up is one line, and nothing is made" {
	net create shop --subnet 10.88.7.0/24
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	while IFS='|' read -r args words; do
		fails "$words" net up $args
	done <<-END
		box1|give either --netns or --pid
		--pid $A --netns /proc/$A/ns/net box1|give either --netns or --pid
		--pid $A --config nosuch box1|no network "nosuch" in
		--pid $HOST box1|the host's own network namespace
		--netns $BATS_TEST_TMPDIR/fifo box1|is not a network namespace
		--netns /nonexistent box1|No such file or directory
		--pid $A -p 80 box1|the container's port is missing
		--pid $A -p 80:80 -p 80:81 box1|are the same on the host
		--pid $A --ip 10.1 box1|"10.1" is not an IP address
		--pid $A --ip 10.1.1.1 box1|in no range of network shop
		--pid $A --mac-address zz box1|is not a hardware address
		--pid $A --mac-address zz box1|--mac-address: "zz" is not a hardware address
		--pid $A --ifname a/b box1|is not a name
		--pid $A a/b|"a/b" is no container's id
	END
	[ "$(links)" = lo ] || [ "$(links)" = "lo tote-shop" ]
	[ "$(records)" = 0 ]
	[ "$(leases)" = 0 ]
}

@test "several networks become eth0 and eth1, all or none" {
	net create one --subnet 10.88.1.0/24
	net create two --subnet 10.88.2.0/30 --internal
	net up --pid "$A" --config one --config two box1
	reaches A 10.88.1.1
	reaches A 10.88.2.1
	in_a ip -j route | jq -e '[.[] | select(.dst == "default") | .dev] == ["eth0"]'
	# The second is full by now.
	fails "network two has no address left" net up --pid "$B" --config one --config two box2
	[ "$(records)" = 2 ]
	[ "$(leases)" = 2 ]
	in_b ip -j link | jq -e '[.[].ifname] == ["lo"]'
}

@test "down is idempotent, with and without the namespace, of all networks or one" {
	net create one
	net create two
	net up --pid "$A" --config one --config two box1
	net down --config one box1
	[ "$(records)" = 1 ]
	in_a ip -j link | jq -e '[.[].ifname] | sort == ["eth1", "lo"]'
	kill "$A"
	wait "$A" || true
	net down box1
	net down box1
	net down --config one box1
	net down --config one --netns /nonexistent box1
	[ "$(records)" = 0 ]
	[ "$(leases)" = 0 ]
	[[ $(links) != *veth* ]]
	fails 'no network "nosuch"' net down --config nosuch box1
}

@test "the namespace may come over a socket, from who started us" {
	net create shop --subnet 10.88.7.0/24
	cat >"$BATS_TEST_TMPDIR/hand-over.py" <<-'END'
		import os, socket, struct, subprocess, sys
		ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		child = subprocess.Popen(sys.argv[2:], stdin=theirs)
		theirs.close()
		if sys.argv[1] != "none":
		    fd = os.open("/proc/%s/ns/net" % sys.argv[1], os.O_RDONLY)
		    socket.send_fds(ours, [struct.pack("=i", int(sys.argv[1]))], [fd])
		ours.close()
		sys.exit(child.wait())
	END
	mkdir "$BATS_TEST_TMPDIR/owner"
	host python3 "$BATS_TEST_TMPDIR/hand-over.py" "$A" "$NET" network up --netns=- --config=shop \
		--owner="$BATS_TEST_TMPDIR/owner" box1
	reaches A 10.88.7.1
	run host python3 "$BATS_TEST_TMPDIR/hand-over.py" none "$NET" network up --netns=- --config=shop box2
	[ "$status" = 1 ]
	[ "$output" = "tote-net: --netns -: no namespace came over stdin" ]
	# The owner decides, not the namespace.
	rmdir "$BATS_TEST_TMPDIR/owner"
	net gc
	[ "$(records)" = 0 ]
}

@test "rm is refused while containers are attached, and takes bridge, leases and rules along" {
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop
	fails "network shop is in use by container box1 (eth0): delete that, or use --force" net rm shop
	has_link tote-shop
	net down box1
	[ "$(net rm shop)" = shop ]
	run ! has_link tote-shop
	[ ! -e "$TOTE_NET_DIR/leases/shop" ]
	if command -v nft >/dev/null; then
		rules=$(host nft list ruleset)
		[[ $rules == *"map masqueraded4"* && $rules != *10.88.7.* ]]
	fi
	[ -z "$(ls -A "$NETCONFPATH")" ]
	fails 'no network "shop"' net rm shop
	[ "$(net rm --force shop bridge)" = "" ]
	fails "is built in" net rm bridge
}

@test "rm --force detaches first, and a dead container is no user" {
	net create shop
	net create till
	up box1 "$A" shop -p 8080:80
	up box2 "$B" till
	net rm --force shop
	in_a ip -j link | jq -e '[.[].ifname] == ["lo"]'
	kill "$B"
	wait "$B" || true
	net rm till
	[ "$(links)" = lo ]
	[ "$(records)" = 0 ]
}

@test "a bridge that others use stays" {
	net create shop
	up box1 "$A" shop
	net down box1
	host ip link add other type veth peer name other-far
	host ip link set other master tote-shop
	run net rm shop
	[ "$status" = 0 ]
	[[ $output == *"the bridge tote-shop stays: others use it"* ]]
	has_link tote-shop
}

@test "a record that cannot be read is told, and nothing of its container's goes" {
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop -p 8080:80
	before=$(ruleset)
	cp "$TOTE_NET_DIR/attachments/box1/eth0" "$BATS_TEST_TMPDIR/eth0"
	echo garbage >"$TOTE_NET_DIR/attachments/box1/eth0"
	for verb in ls "inspect shop"; do
		run --separate-stderr net $verb
		[ "$status" = 0 ]
		[[ $stderr == *"container box1: attachments/box1/eth0: "*"invalid JSON"* ]]
	done
	for verb in repair gc; do
		fails "attachments/box1/eth0: " net $verb
	done
	fails "attachments/box1/eth0: " net check box1
	fails "network shop may be in use by container box1" net rm shop
	[ "$(ruleset)" = "$before" ]
	[ "$(leases)" = 1 ]
	fails "name the network with --config" net down box1
	reaches A 10.88.7.1
	[ "$(records)" = 1 ]
	net down --config shop box1
	[ "$(links)" = "lo tote-shop" ]
	[ "$(records)" = 0 ]
	[ "$(leases)" = 0 ]
	[ "$(host nft list table inet tote | grep -c 8080)" = 0 ]
	net gc
}

@test "a file that is passed over for the default network is told" {
	net create shop --subnet 10.88.7.0/24
	echo '{' >"$NETCONFPATH/00-first.conflist"
	echo '{' >"$NETCONFPATH/zz-last.conflist"
	run --separate-stderr net up --pid "$A" box1
	[ "$status" = 0 ]
	[[ $stderr == *"00-first.conflist: "*": network shop is used instead"* ]]
	[[ $stderr != *zz-last* ]]
	run --separate-stderr net up --pid "$B" --config shop box2
	[ "$status" = 0 ]
	[ -z "$stderr" ]
}

@test "gc removes what dead containers left, and nothing else" {
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop -p 8080:80
	up box2 "$B" shop -p 8081:80
	# What a killed process leaves of a lease.
	: >"$TOTE_NET_DIR/leases/shop/10.88.7.200"
	kill "$A"
	wait "$A" || true
	run net gc
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"container box1 is gone: eth0 removed from network shop"* ]]
	[ "$(records)" = 1 ]
	[ "$(leases)" = 1 ]
	net check box2
	reaches B 10.88.7.1
	run net gc
	[ "$output" = "" ]
}

@test "repair makes a lost bridge again, with its address and members" {
	net create shop --subnet 10.88.7.0/24 --subnet fd00:88::/64
	up box1 "$A" shop
	up box2 "$B" shop
	host ip link del tote-shop
	run ! reaches A 10.88.7.1
	fails "no bridge tote-shop any more" net check box1
	run net repair
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"bridge tote-shop: made again"* ]]
	net check box1
	net check box2
	eventually reaches A 10.88.7.1
	eventually reaches A 10.88.7.3
	eventually reaches A fd00:88::1
	run net repair
	[ "$output" = "" ]
	port=$(host bridge -j link | jq -r '.[0].ifname')
	host ip link set "$port" down
	host ip link set tote-shop down
	run net repair
	[[ $output == *"bridge tote-shop: is up again"* ]]
	[[ $output == *"$port is in bridge tote-shop again"* ]]
	net check box1
	net check box2
}

@test "what repair makes again has all that it had: isolation, ways of ports, routes" {
	mkdir -p "$NETCONFPATH"
	echo '{"cniVersion":"1.1.0","name":"shop","plugins":[{"type":"bridge","bridge":"shop0","isGateway":true,"isDefaultGateway":true,
		"portIsolation":true,"ipam":{"type":"host-local","subnet":"10.88.7.0/24","routes":[{"dst":"0.0.0.0/0","mtu":1400,"priority":50},
		{"dst":"10.77.0.0/16","gw":"10.88.7.9","table":7}]}},
		{"type":"portmap","capabilities":{"portMappings":true}}]}' >"$NETCONFPATH/shop.conflist"
	up box1 "$A" shop -p 8080:80
	state() {
		host bridge -d -j link | jq -c '[.[] | {ifname, master, hairpin, isolated}]'
		host cat /proc/sys/net/ipv4/conf/shop0/route_localnet
		in_a ip -j route show table all | jq -c 'sort_by(.dst)[] | select(.table != "local" and .dst != "fe80::/64") |
			{dst, gateway, table, metric, metrics}'
	}
	before=$(state)
	[[ $before == *'"isolated":true'*$'\n1\n'*1400* ]]
	host sysctl -qw net.ipv4.conf.shop0.route_localnet=0
	fails "route_localnet is 0, not 1" net check box1
	host ip link del shop0
	net repair
	diff <(state) <(echo "$before")
	in_a ip link del eth0
	net repair
	diff <(state) <(echo "$before")
	net check box1
}

@test "repair makes the nf_tables table again after a flush" {
	command -v nft >/dev/null || skip "needs nft"
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop -p 8080:80
	before=$(ruleset)
	host nft flush ruleset
	net repair
	diff <(ruleset) <(echo "$before")
	host nft flush map inet tote ports4
	net repair
	diff <(ruleset) <(echo "$before")
	host nft flush map inet tote masqueraded4
	run net repair
	[ "$output" = "container box1: masquerading of eth0 is there again" ]
	diff <(ruleset) <(echo "$before")
}

@test "repair makes an interface again, with its addresses" {
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop --mac-address 02:42:0a:58:07:4d -p 8080:80
	in_a ip link del eth0
	net repair
	in_a ip -j addr show eth0 | jq -e '.[0].address == "02:42:0a:58:07:4d" and .[0].addr_info[0].local == "10.88.7.2"'
	reaches A 10.88.7.1
	net check box1
	net down box1
	[ "$(leases)" = 0 ]
	[ "$(records)" = 0 ]
}

start_watch() {
	nsenter -t "$HOST" -n "$NET" network watch >"$BATS_TEST_TMPDIR/watch.log" 2>&1 3>&- &
	WATCH=$!
	sleep 0.3
}

said() { grep -q "$1" "$BATS_TEST_TMPDIR/watch.log"; }

@test "watch repairs what is lost: bridge, member, address, interface" {
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop
	start_watch
	up box2 "$B" shop
	sleep 0.5
	[ ! -s "$BATS_TEST_TMPDIR/watch.log" ]
	host ip link del tote-shop
	eventually said "bridge tote-shop: made again"
	eventually reaches A 10.88.7.3
	host ip addr del 10.88.7.1/24 dev tote-shop
	eventually said "bridge tote-shop: has its addresses again"
	eventually reaches A 10.88.7.1
	: >"$BATS_TEST_TMPDIR/watch.log"
	port=$(host ip -j link show master tote-shop | jq -r '.[0].ifname')
	host ip link set "$port" nomaster
	eventually said "$port is in bridge tote-shop again"
	in_b ip link del eth0
	eventually said "container box2: eth0 on network shop is there again"
	eventually reaches B 10.88.7.2
	cat "$BATS_TEST_TMPDIR/watch.log"
	kill -TERM "$WATCH"
	wait "$WATCH"
	WATCH=
}

@test "watch notices a flushed table, and a container's end is no loss" {
	command -v nft >/dev/null || skip "needs nft"
	net create shop --subnet 10.88.7.0/24
	up box1 "$A" shop -p 8080:80
	before=$(ruleset)
	host nft flush ruleset
	# It looks at once when it starts.
	start_watch
	eventually said "table inet tote: made again"
	diff <(ruleset) <(echo "$before")
	: >"$BATS_TEST_TMPDIR/watch.log"
	net down box1
	sleep 0.5
	cat "$BATS_TEST_TMPDIR/watch.log"
	[ ! -s "$BATS_TEST_TMPDIR/watch.log" ]
	kill -INT "$WATCH"
	wait "$WATCH"
	WATCH=
}

to_neighbour() { # B is another machine on the LAN
	host ip link set lan-far netns "/proc/$B/ns/net"
	in_b ip addr add 192.168.7.1/24 dev lan-far
	in_b ip link set lan-far up
}

@test "an interface on a card that went comes back with the card" {
	make_nic lan
	host ip link add probe link lan type macvlan 2>/dev/null || skip "the kernel has no macvlan"
	host ip link del probe
	to_neighbour
	net create lan --driver macvlan --parent lan --subnet 192.168.7.0/24 --ip-range 192.168.7.128/25
	up till "$A" lan --ip 192.168.7.200
	mac=$(in_a ip -j link show eth0 | jq -r '.[0].address')
	eventually reaches A 192.168.7.1
	start_watch
	host ip link del lan
	sleep 0.5
	make_nic lan
	to_neighbour
	eventually said "container till: eth0 on network lan is there again"
	[ "$(in_a ip -j link show eth0 | jq -r '.[0].address')" = "$mac" ]
	eventually reaches A 192.168.7.1
}

@test "--help of every verb" {
	local verb
	for verb in create ls inspect rm up down check gc repair watch; do
		run "$NET" network $verb --help
		[ "$status" = 0 ]
		[[ $output == "usage: tote network $verb "* ]]
	done
	run "$NET" network --help
	[ "$status" = 0 ]
	[[ $output == "usage: tote network "*"create"*"watch"* ]]
	run "$NET" network
	[ "$status" = 1 ]
}
