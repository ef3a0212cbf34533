# SPDX-License-Identifier: Apache-2.0
# What compare.bats cannot ask Debian's plugins: interfaces that come back whatever happened to them, old values restored, CHECK,
# and errors in words. HOST stands for the host, BOX for a container; nic0 is a veth whose other end is another machine.

load two

# 2 MB over TCP; the sender prints the milliseconds from before the first byte to behind the last.
RECEIVER='import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 7000))
s.listen(1)
c = s.accept()[0]
got = 0
while got < 2000000:
    got += len(c.recv(65536)) or exit("cut off")'
SENDER='import socket, sys, time
for _ in range(400):
    try: s = socket.create_connection((sys.argv[1], 7000), 20); break
    except ConnectionRefusedError: time.sleep(0.05)
start = time.monotonic()
s.settimeout(40)
s.sendall(bytes(2000000))
s.shutdown(socket.SHUT_WR)
s.recv(1)
print(int((time.monotonic() - start) * 1000))'

setup() {
	make_two tote-cni
	CNI=$PROGRAM
	host ip link add nic0 address 02:00:00:00:00:aa type veth peer name far0
	export TOTE_NET_DIR=$BATS_TEST_TMPDIR/run CNI_PATH=/usr/lib/cni CNI_IFNAME=eth0 CNI_CONTAINERID=box CNI_NETNS=/proc/$BOX/ns/net
	NIC='{"type": "host-device", "device": "nic0"}'
}

teardown() {
	end_two
}

cni() { # COMMAND PLUGIN...: a list
	local command=$1 list
	shift
	list=$(printf '%s,' "$@")
	run host env CNI_COMMAND="$command" "$CNI" <<<"{\"cniVersion\": \"1.1.0\", \"name\": \"shop\", \"plugins\": [${list%,}]}"
	echo "$command: $status: $output"
}

works() { cni "$@" && [ "$status" = 0 ]; }
refuses() { # WORDS COMMAND PLUGIN...
	local words=$1
	shift
	cni "$@"
	[ "$status" != 0 ] || return 1
	[[ $output == *"$words"* ]] || return 1
}
attribute() { # host|box LINK JQ
	$1 ip -j -d link show dev "$2" | jq -r ".[0].$3"
}
absent() { [[ $($1 ip link show "$2" 2>&1) == *"does not exist"* ]]; }

@test "a lent interface comes back under its old name, though it was renamed inside" {
	works ADD "$NIC"
	absent host nic0
	[ "$(attribute box eth0 ifalias)" = nic0 ]
	box ip link set eth0 down
	box ip link set eth0 name lan7
	works DEL "$NIC"
	[ "$(attribute host nic0 address)" = 02:00:00:00:00:aa ]
	[ "$(attribute host nic0 ifalias)" = null ]
	absent box lan7
	works DEL "$NIC"
}

@test "an interface that came home by itself gets its name back" {
	# What the kernel does with hardware when its namespace ends, under the name it had there.
	host ip link set nic0 alias nic0
	host ip link set nic0 name dev3
	host ip link set dev3 up
	CNI_NETNS= works DEL "$NIC"
	[ "$(attribute host nic0 address)" = 02:00:00:00:00:aa ]
	[ "$(attribute host nic0 ifalias)" = null ]
}

@test "nothing else is taken for a lent interface" {
	box ip link add eth0 type veth peer name eth1
	box ip link set eth0 alias uplink
	host ip link set nic0 alias "the shop's LAN"
	works DEL "$NIC"
	[ "$(attribute box eth0 ifalias)" = uplink ]
	[ "$(attribute host nic0 ifalias)" = "the shop's LAN" ]
}

@test "a name that is taken on the host meanwhile is an error that says so, and DEL works once it is free" {
	works ADD "$NIC"
	host ip link add nic0 type veth peer name other
	refuses "the host has an interface of that name; rename or remove it" DEL "$NIC"
	[ "$(attribute box eth0 ifalias)" = nic0 ]
	host ip link del nic0
	works DEL "$NIC"
	[ "$(attribute host nic0 address)" = 02:00:00:00:00:aa ]
}

@test "what tuning changed of a lent interface is as it was when it is back" {
	host ip link set nic0 mtu 1480 txqueuelen 777
	tuning='{"type": "tuning", "mac": "02:00:00:44:55:66", "mtu": 1300, "promisc": true, "allmulti": true, "txQLen": 55}'
	works ADD "$NIC" "$tuning"
	[[ $output == *'"mac":"02:00:00:44:55:66"'* ]]
	[ "$(attribute box eth0 address)" = 02:00:00:44:55:66 ]
	[ "$(attribute box eth0 mtu)" = 1300 ]
	[ "$(attribute box eth0 txqlen)" = 55 ]
	[ "$(attribute box eth0 promiscuity)" = 1 ]
	works CHECK "$NIC" "$tuning"
	works DEL "$NIC" "$tuning"
	[ "$(attribute host nic0 address)" = 02:00:00:00:00:aa ]
	[ "$(attribute host nic0 mtu)" = 1480 ]
	[ "$(attribute host nic0 txqlen)" = 777 ]
	[ "$(attribute host nic0 promiscuity)" = 0 ]
	[[ $(attribute host nic0 flags) != *MULTI,* ]]
	[ -z "$(find "$TOTE_NET_DIR/tuning" -type f)" ]
}

@test "CHECK sees what somebody changed" {
	tuning='{"type": "tuning", "mtu": 1300, "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}'
	works ADD "$NIC" "$tuning"
	[ "$(box cat /proc/sys/net/ipv4/conf/eth0/arp_filter)" = 1 ]
	[ "$(host cat /proc/sys/net/ipv4/conf/all/arp_filter)" = 0 ]
	works CHECK "$NIC" "$tuning"
	box sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_filter'
	refuses "arp_filter is 0, not 1" CHECK "$NIC" "$tuning"
	box sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_filter'
	box ip link set eth0 mtu 1200
	refuses "another address, mtu, queue or mode" CHECK "$NIC" "$tuning"
	box ip link set eth0 mtu 1300
	works CHECK "$NIC" "$tuning"
	box ip link set eth0 down
	refuses "eth0 of container box is down" CHECK "$NIC" "$tuning"
}

@test "CHECK takes values as the kernel writes them" {
	tuning='{"type": "tuning", "mac": "02-00-00-44-55-6A", "sysctl": {"net.ipv4.ip_local_port_range": "2000 3000"}}'
	works ADD "$NIC" "$tuning"
	[[ $output == *'"mac":"02:00:00:44:55:6a"'* ]]
	works CHECK "$NIC" "$tuning"
	box sh -c 'echo 2000 3001 >/proc/sys/net/ipv4/ip_local_port_range'
	refuses "ip_local_port_range is 2000" CHECK "$NIC" "$tuning"
}

@test "CHECK sees limits of bandwidth that are gone" {
	host ip link add probe type ifb 2>/dev/null || skip "the kernel has no ifb"
	host ip link del probe
	ptp='{"type": "ptp", "ipam": {"type": "host-local", "subnet": "10.88.0.0/24"}}'
	bandwidth='{"type": "bandwidth", "ingressRate": 8000000, "ingressBurst": 80000, "egressRate": 8000000, "egressBurst": 80000}'
	works ADD "$ptp" "$bandwidth"
	works CHECK "$ptp" "$bandwidth"
	ifb=$(host ip -j link show type ifb | jq -r '.[0].ifname')
	host tc qdisc del dev "$ifb" root
	refuses "$ifb lets 0 bytes a second pass, not 1000000" CHECK "$ptp" "$bandwidth"
	works DEL "$ptp" "$bandwidth"
	[ "$(host ip -o link show type ifb | wc -l)" = 0 ]
}

@test "limits of bandwidth are felt, either way" {
	host ip link add probe type ifb 2>/dev/null || skip "the kernel has no ifb"
	host ip link del probe
	ptp='{"type": "ptp", "ipam": {"type": "host-local", "subnet": "10.88.0.0/24"}}'
	for way in ingress egress; do
		# 8 Mbit/s, that is 2 s for 2 MB, while an unlimited veth needs some milliseconds.
		bandwidth='{"type": "bandwidth", "'$way'Rate": 8000000, "'$way'Burst": 80000}'
		works ADD "$ptp" "$bandwidth"
		if [ $way = ingress ]; then server=box client=host; else server=host client=box; fi
		$server timeout 60 python3 -c "$RECEIVER" 3>&- & receiver=$!
		if [ $way = ingress ]; then address=$(jq -r '.ips[0].address | split("/")[0]' <<<"$output"); else address=10.88.0.1; fi
		took=$($client timeout 60 python3 -c "$SENDER" "$address")
		wait $receiver
		echo "$way: $took ms"
		[ "$took" -gt 1500 ]
		[ "$took" -lt 30000 ]
		works DEL "$ptp" "$bandwidth"
	done
}

@test "bad configurations and missing interfaces are errors in words" {
	refuses 'has to say which interface' ADD '{"type": "host-device"}'
	refuses 'has to say which interface' ADD '{"type": "host-device", "device": "nic0", "hwaddr": "02:00:00:00:00:aa"}'
	refuses 'the host has no interface nic9' ADD '{"type": "host-device", "device": "nic9"}'
	refuses 'the host has no interface with the address 02:00:00:00:00:99' ADD '{"type": "host-device", "hwaddr": "02:00:00:00:00:99"}'
	refuses '\"xy\" is not a hardware address' ADD '{"type": "host-device", "hwaddr": "xy"}'
	refuses 'is not below /sys/devices' ADD '{"type": "host-device", "kernelpath": "/etc"}'
	refuses 'the host has no PCI device 0000:ff:1f.7' ADD '{"type": "host-device", "pciBusID": "0000:ff:1f.7"}'
	refuses 'a loopback interface cannot leave' ADD '{"type": "host-device", "device": "lo"}'
	refuses 'not one of bridge, private, vepa, passthru' ADD '{"type": "macvlan", "master": "nic0", "mode": "wide"}'
	refuses 'not one of l2, l3, l3s' ADD '{"type": "ipvlan", "master": "nic0", "mode": "l4"}'
	refuses 'the host has no interface nic9 to be the \"master\"' ADD '{"type": "macvlan", "master": "nic9"}'
	refuses 'unshapedSubnets is not supported' ADD "$NIC" '{"type": "bandwidth", "unshapedSubnets": ["10.0.0.0/8"]}'
	refuses 'no default route' ADD '{"type": "macvlan"}'
	refuses 'the mtu can be at most that of nic0, 1500' ADD '{"type": "macvlan", "master": "nic0", "mtu": 9000}'
	refuses 'no result of a plugin before it' ADD '{"type": "tuning", "mtu": 1300}'
	refuses 'is not a setting below net' ADD "$NIC" '{"type": "tuning", "sysctl": {"kernel.panic": "1"}}'
	refuses 'the kernel has no setting net.nosuch' ADD "$NIC" '{"type": "tuning", "sysctl": {"net.nosuch": "1"}}'
	refuses 'ingressRate and ingressBurst are set together' ADD "$NIC" '{"type": "bandwidth", "ingressRate": 1000}'
	[ "$(attribute host nic0 address)" = 02:00:00:00:00:aa ]
	[ "$(box ip -o link | wc -l)" = 1 ]
}

@test "a container that has an interface of that name keeps it" {
	box ip link add eth0 type veth peer name eth1
	refuses 'has an interface eth0 already' ADD "$NIC"
	[ "$(attribute host nic0 address)" = 02:00:00:00:00:aa ]
	[ "$(attribute host nic0 ifalias)" = null ]
	box ip link show eth0
}
