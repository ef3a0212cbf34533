# SPDX-License-Identifier: Apache-2.0
# CNI's bridge, by tote-cni: what the kernel has afterwards, and who can reach whom.

bats_require_minimum_version 1.5.0
load ../bats
load net.bash

setup() {
	net_setup
	new_namespace ONE
	conf='{"cniVersion":"1.0.0","name":"shop","type":"bridge","bridge":"shop0","isGateway":true,"isDefaultGateway":true,
		"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/24"}],[{"subnet":"fd88::/64"}]]}}'
}

teardown() {
	net_teardown
}

change() { # JQ-EXPRESSION: changes the configuration
	conf=$(jq -c "$1" <<<"$conf")
}

# A machine on the host's LAN, 192.0.2.2 and 2001:db8::2; the host is 192.0.2.1 and 2001:db8::1.
new_machine() {
	new_namespace MACHINE
	host ip link add lan0 type veth peer name eth0 netns "$MACHINE"
	host tee /proc/sys/net/ipv6/conf/lan0/accept_dad <<<0
	at "$MACHINE" tee /proc/sys/net/ipv6/conf/eth0/accept_dad <<<0
	host ip addr add 192.0.2.1/24 dev lan0
	host ip addr add 2001:db8::1/64 dev lan0 nodad
	host ip link set lan0 up
	at "$MACHINE" ip addr add 192.0.2.2/24 dev eth0
	at "$MACHINE" ip addr add 2001:db8::2/64 dev eth0 nodad
	at "$MACHINE" ip link set eth0 up
}

@test "containers reach each other and the host at once, over IPv4 and IPv6" {
	new_namespace TWO
	cni ADD one "$ONE"
	cni ADD two "$TWO"
	ping4 "$ONE" 10.88.0.3
	ping6 "$ONE" fd88::3
	ping4 "$TWO" 10.88.0.1
	ping6 "$TWO" fd88::1
	ping4 "$HOST" 10.88.0.2
	ping6 "$HOST" fd88::3
}

@test "a stream passes between containers" {
	new_namespace TWO
	cni ADD one "$ONE"
	cni ADD two "$TWO"
	at "$ONE" python3 -c '
import socket
s = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
s.settimeout(10)
print("ready", flush=True)
for i in range(2):
    c, size = s.accept()[0], 0
    while data := c.recv(65536):
        size += len(data)
    print(size, flush=True)
' >"$BATS_TEST_TMPDIR/got" 3>&- &
	server=$!
	for i in $(seq 600); do
		[ ! -s "$BATS_TEST_TMPDIR/got" ] || break
		sleep 0.05
	done
	at "$TWO" python3 -c '
import socket
for a in ("10.88.0.2", "fd88::2"):
    with socket.create_connection((a, 7000), 10) as c:
        c.sendall(bytes(200000))'
	wait $server
	[ "$(xargs <"$BATS_TEST_TMPDIR/got")" = "ready 200000 200000" ]
}

@test "another machine reaches a container by way of the host, and the other way round" {
	new_machine
	at "$MACHINE" ip route add 10.88.0.0/24 via 192.0.2.1
	at "$MACHINE" ip route add fd88::/64 via 2001:db8::1
	cni ADD one "$ONE"
	ping4 "$MACHINE" 10.88.0.2
	ping6 "$MACHINE" fd88::2
	ping4 "$ONE" 192.0.2.2
	ping6 "$ONE" 2001:db8::2
}

@test "ipMasq: another machine that knows nothing of the network answers" {
	new_machine
	change '.ipMasq = true'
	cni ADD one "$ONE"
	ping4 "$ONE" 192.0.2.2
	ping6 "$ONE" 2001:db8::2
	ping4 "$ONE" 10.88.0.1
	cni DEL one "$ONE"
	[[ $(host nft list ruleset) != *10.88.0.2* ]]
}

@test "addresses, routes, MTU and settings are what they should be" {
	change '.mtu = 1400 | .ipam.routes = [{"dst":"10.50.0.0/16"},{"dst":"10.60.0.0/16","gw":"10.88.0.77"}]'
	run cni ADD one "$ONE"
	echo "$output"
	[ "$status" = 0 ]
	[ "$(jq -c '[.interfaces[].name[0:4]]' <<<"$output")" = '["shop","veth","eth0"]' ]
	[ "$(jq -c '[.ips[] | [.address, .gateway, .interface]]' <<<"$output")" = '[["10.88.0.2/24","10.88.0.1",2],["fd88::2/64","fd88::1",2]]' ]
	[ "$(jq -r '.interfaces[2].mac' <<<"$output")" = "$(at "$ONE" cat /sys/class/net/eth0/address)" ] ||
		[ "$(jq -r '.interfaces[2].mac' <<<"$output")" = "$(at "$ONE" ip -j link show eth0 | jq -r '.[0].address')" ]
	veth=$(jq -r '.interfaces[1].name' <<<"$output")
	[ "$(host ip -j link show "$veth" | jq -r '.[0] | "\(.mtu) \(.master) \(.operstate)"')" = "1400 shop0 UP" ]
	[ "$(at "$ONE" ip -j link show eth0 | jq -r '.[0] | "\(.mtu) \(.operstate)"')" = "1400 UP" ]
	host ip -j link show shop0 | jq -e '.[0].mtu == 1400'
	has_address "$ONE" eth0 10.88.0.2/24
	has_address "$ONE" eth0 fd88::2/64
	has_address "$HOST" shop0 10.88.0.1/24
	has_address "$HOST" shop0 fd88::1/64
	[ -z "$(at "$ONE" ip -6 addr show dev eth0 scope global tentative)" ]
	[ "$(at "$ONE" ip route | sort)" = "10.50.0.0/16 via 10.88.0.1 dev eth0 
10.60.0.0/16 via 10.88.0.77 dev eth0 
10.88.0.0/24 dev eth0 proto kernel scope link src 10.88.0.2 
default via 10.88.0.1 dev eth0 " ]
	[[ $(at "$ONE" ip -6 route) == *"default via fd88::1 dev eth0"* ]]
	[ "$(host cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | xargs)" = "1 1" ]
	[ "$(host cat /proc/sys/net/ipv6/conf/shop0/accept_ra)" = 0 ]
	[ "$(at "$ONE" cat /proc/sys/net/ipv4/conf/eth0/arp_notify)" = 1 ]
}

@test "without ipam the container gets a port of the bridge, up and without an address" {
	change 'del(.ipam, .isGateway, .isDefaultGateway)'
	run cni ADD one "$ONE"
	[ "$status" = 0 ]
	[ "$(jq -c '.ips' <<<"$output")" = null ] || [ "$(jq -c '.ips' <<<"$output")" = '[]' ]
	at "$ONE" ip -j link show eth0 | jq -e '.[0].operstate == "UP"'
	[ -z "$(at "$ONE" ip addr show dev eth0 scope global)" ]
	[ "$(host cat /proc/sys/net/ipv4/ip_forward)" = 0 ]
	cni DEL one "$ONE"
	[ "$(veths)" = 0 ]
}

@test "hairpinMode, promiscMode and portIsolation" {
	change '.hairpinMode = true | .portIsolation = true'
	veth=$(cni ADD one "$ONE" | jq -r '.interfaces[1].name')
	host ip -d -j link show "$veth" | jq -e '.[0].linkinfo.info_slave_data | .hairpin and .isolated'
	[ "$(at "$ONE" cat /proc/sys/net/ipv6/conf/eth0/accept_dad)" = 0 ]
	cni DEL one "$ONE"
	change '.hairpinMode = false | .portIsolation = false | .promiscMode = true'
	veth=$(cni ADD one "$ONE" | jq -r '.interfaces[1].name')
	host ip -d -j link show "$veth" | jq -e '.[0].linkinfo.info_slave_data | (.hairpin or .isolated) | not'
	[[ $(host ip link show shop0) == *PROMISC* ]]
	change '.hairpinMode = true'
	new_namespace TWO
	run cni ADD two "$TWO"
	[ "$status" = 1 ]
	[[ $output == *"hairpinMode and promiscMode exclude each other"* ]]
}

@test "the hardware address: runtimeConfig before args before CNI_ARGS" {
	mac() { at "$ONE" ip -j link show eth0 | jq -r '.[0].address'; }
	cni ADD one "$ONE" CNI_ARGS='IgnoreUnknown=1;MAC=02:00:00:00:00:0a'
	[ "$(mac)" = 02:00:00:00:00:0a ]
	cni DEL one "$ONE"
	change '.args = {"cni":{"mac":"02:00:00:00:00:0b"}}'
	cni ADD one "$ONE" CNI_ARGS=MAC=02:00:00:00:00:0a
	[ "$(mac)" = 02:00:00:00:00:0b ]
	cni DEL one "$ONE"
	change '.runtimeConfig = {"mac":"02-00-00-00-00-0C"} | .capabilities = {"mac":true}'
	run cni ADD one "$ONE" CNI_ARGS=MAC=02:00:00:00:00:0a
	[ "$(mac)" = 02:00:00:00:00:0c ]
	[ "$(jq -r '.interfaces[2].mac' <<<"$output")" = 02:00:00:00:00:0c ]
	cni DEL one "$ONE"
	change '.runtimeConfig.mac = "01:00:5e:00:00:01"'
	run cni ADD one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *'\"01:00:5e:00:00:01\" is not an interface'* ]]
	[ "$(veths) $(leases)" = "0 0" ]
}

@test "a bridge that is there keeps its addresses" {
	host ip link add shop0 type bridge
	host ip addr add 172.20.0.1/16 dev shop0
	host ip addr add 10.88.0.1/24 dev shop0
	cni ADD one "$ONE"
	has_address "$HOST" shop0 172.20.0.1/16
	has_address "$HOST" shop0 10.88.0.1/24
	has_address "$HOST" shop0 fd88::1/64
	ping4 "$ONE" 172.20.0.1
	cni DEL one "$ONE"
	has_address "$HOST" shop0 172.20.0.1/16
}

@test "an address of the same network is in the way, unless forceAddress" {
	host ip link add shop0 type bridge
	host ip addr add 10.88.0.200/24 dev shop0
	run cni ADD one "$ONE"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"shop0 has the address 10.88.0.200/24 and would need 10.88.0.1/24: remove it"* ]]
	has_address "$HOST" shop0 10.88.0.200/24
	run ! has_address "$HOST" shop0 10.88.0.1/24
	[ "$(veths) $(leases)" = "0 0" ]
	change '.forceAddress = true'
	cni ADD one "$ONE"
	has_address "$HOST" shop0 10.88.0.1/24
	run ! has_address "$HOST" shop0 10.88.0.200/24
}

@test "several subnets: the bridge is the gateway of all" {
	change '.ipam.ranges = [[{"subnet":"10.88.0.0/24"}],[{"subnet":"10.99.0.0/24","gateway":"10.99.0.254"}],[{"subnet":"fd88::/64"}]]'
	cni ADD one "$ONE"
	has_address "$HOST" shop0 10.88.0.1/24
	has_address "$HOST" shop0 10.99.0.254/24
	ping4 "$ONE" 10.99.0.254
	[ "$(at "$ONE" ip route show default | wc -l)" = 1 ]
}

@test "an address without a gateway has the first of its network as one" {
	change '.ipam = {"type":"static","addresses":[{"address":"10.88.0.9/24"}]}'
	run cni ADD one "$ONE"
	[ "$(jq -r '.ips[0].gateway' <<<"$output")" = 10.88.0.1 ]
	ping4 "$ONE" 10.88.0.1
}

@test "a name that is taken by something else" {
	host ip link add shop0 type veth peer name other
	run cni ADD one "$ONE"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *'shop0 is no bridge, but veth: name another in \"bridge\"'* ]]
	[ "$(leases)" = 0 ]
	[ "$(veths)" = 2 ]
	change '.bridge = "lo"'
	run cni ADD one "$ONE"
	[[ $output == *"lo is no bridge"* ]]
}

@test "an interface that the container has already stays, and nothing is left" {
	at "$ONE" ip link add eth0 type veth peer name eth1
	run cni ADD one "$ONE"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"container one has an interface eth0 already"* ]]
	[ "$(veths) $(leases)" = "0 0" ]
	at "$ONE" ip link show eth0
}

@test "an ADD that fails half way leaves nothing" {
	change '.ipam.routes = [{"dst":"10.50.0.0/16","gw":"172.31.0.1"}]'
	run cni ADD one "$ONE"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"RTM_NEWROUTE 10.50.0.0/16 via 172.31.0.1 on eth0: "* ]]
	[ "$(veths) $(leases)" = "0 0" ]
	run ! at "$ONE" ip link show eth0
}

@test "DEL twice, without a namespace, and after it is gone" {
	cni ADD one "$ONE"
	[ "$(veths) $(leases)" = "1 2" ]
	cni DEL one "$ONE"
	[ "$(veths) $(leases)" = "0 0" ]
	run ! at "$ONE" ip link show eth0
	cni DEL one "$ONE"
	cni ADD one "$ONE"
	cni DEL one ""
	[ "$(veths) $(leases)" = "0 0" ]
	cni ADD one "$ONE"
	kill "$ONE"
	wait "$ONE" || true
	cni DEL one "$ONE"
	[ "$(veths) $(leases)" = "0 0" ]
	host ip link show shop0
}

@test "DEL returns when the names are free: the next ADD has them" {
	for i in $(seq 20); do
		cni ADD one "$ONE" >/dev/null
		cni DEL one "$ONE"
	done
	[ "$(veths) $(leases)" = "0 0" ]
}

@test "a pair that a crash left is replaced" {
	veth=$(cni ADD one "$ONE" | jq -r '.interfaces[1].name')
	cni DEL one "$ONE"
	new_namespace TWO
	host ip link add "$veth" type veth peer name eth0 netns "$TWO"
	cni ADD one "$ONE"
	[ "$(veths)" = 1 ]
	ping4 "$ONE" 10.88.0.1
	run ! at "$TWO" ip link show eth0
}

@test "many containers at once on a bridge that is not there yet" {
	pids=()
	for i in $(seq 8); do
		new_namespace "BOX$i"
	done
	for i in $(seq 8); do
		box=BOX$i
		cni ADD "box$i" "${!box}" >"$BATS_TEST_TMPDIR/out$i" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	[ "$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR"/out* | sort -u | wc -l)" = 8 ]
	[ "$(host ip -o link show master shop0 | wc -l)" = 8 ]
	[ "$(host ip -o -4 addr show dev shop0 | wc -l)" = 1 ]
	ping4 "$BOX1" "$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR/out8" | cut -d/ -f1)"
	[ "$(host cat /proc/sys/net/ipv6/conf/shop0/accept_ra)" = 0 ]
}

@test "what the host has in the subnet is given to nobody" {
	host ip link add shop0 type bridge
	host ip link set shop0 up
	host ip addr add 10.88.0.2/24 dev shop0
	change '.isGateway = false | .isDefaultGateway = false | .ipam = {type: "host-local", subnet: "10.88.0.0/24"}'
	cni ADD one "$ONE" | jq -e '.ips[0].address == "10.88.0.3/24"'
	has_address "$ONE" eth0 10.88.0.3/24
	cni DEL one "$ONE"
	run cni ADD one "$ONE" CNI_ARGS=IP=10.88.0.2
	[ "$(jq .code <<<"$output")" = 102 ]
	[[ $output == *"10.88.0.2 is asked for, which the host itself has"* ]]
	[ "$(veths)" = 0 ]
	[ "$(leases)" = 0 ]
	# That all of a network is local does not make each address the host's.
	host ip route add local 10.88.0.0/24 dev lo table local
	cni ADD one "$ONE" CNI_ARGS=IP=10.88.0.9
	has_address "$ONE" eth0 10.88.0.9/24
}

@test "CHECK finds what is missing" {
	command -v nft >/dev/null || skip "needs nft"
	change '.ipMasq = true'
	result=$(cni ADD one "$ONE")
	with_result() { jq -c --argjson r "$result" '.prevResult = $r' <<<"$conf"; }
	conf=$(with_result)
	cni CHECK one "$ONE"
	host nft flush map inet tote masqueraded4
	run cni CHECK one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *"masqueraded4"* ]]
	key=$(host nft list map inet tote masqueraded6 | grep -o '[0-9a-f]\{24\}')
	host nft add element inet tote masqueraded4 "{ 10.88.0.2 comment \"$key\" : jump outside_10.88.0.0/24 }"
	cni CHECK one "$ONE"
	host ip link set shop0 down
	run cni CHECK one "$ONE"
	[[ $output == *"bridge shop0 is down"* ]]
	host ip link set shop0 up
	veth=$(jq -r '.interfaces[1].name' <<<"$result")
	host ip link set "$veth" nomaster
	run cni CHECK one "$ONE"
	[[ $output == *"$veth, the host's end of eth0 of container one, is not in its bridge"* ]]
	host ip link set "$veth" master shop0
	cni CHECK one "$ONE"
	at "$ONE" ip route del default
	run cni CHECK one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *"eth0 has no route default via 10.88.0.1"* ]]
	at "$ONE" ip route add default via 10.88.0.1
	cni CHECK one "$ONE"
	at "$ONE" ip addr del 10.88.0.2/24 dev eth0
	run cni CHECK one "$ONE"
	[[ $output == *"no address 10.88.0.2/24"* ]]
	at "$ONE" ip link del eth0
	run cni CHECK one "$ONE"
	[[ $output == *"container one has no veth eth0"* ]]
	host ip link del shop0
	run cni CHECK one "$ONE"
	[[ $output == *"there is no bridge shop0 any more"* ]]
}

@test "vlan: in it or in words" {
	change '.vlan = 100 | .preserveDefaultVlan = false'
	if ! host ip link add t0 type bridge vlan_filtering 1 2>/dev/null; then
		run cni ADD one "$ONE"
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"the kernel has no bridges, or none that know VLANs"* ]]
		[ "$(veths) $(leases)" = "0 0" ]
		skip "the kernel's bridges have no VLANs"
	fi
	new_namespace TWO
	new_namespace OTHER
	veth=$(cni ADD one "$ONE" | jq -r '.interfaces[1].name')
	cni ADD two "$TWO"
	host bridge -j vlan show dev "$veth" | jq -e '.[0].vlans | length == 1 and .[0].vlan == 100 and (.[0].flags | index("PVID") != null)'
	ping4 "$ONE" 10.88.0.3
	ping4 "$ONE" 10.88.0.1
	has_address "$HOST" shop0.100 10.88.0.1/24
	# What a crash left half made, or what another bridge of that name left, is of use again.
	host ip link set vshop0.100 nomaster
	cni DEL two "$TWO"
	cni ADD two "$TWO"
	ping4 "$TWO" 10.88.0.1
	change '.vlan = 200 | .name = "other" | .isGateway = false | .isDefaultGateway = false | .ipam = {"type":"static","addresses":[{"address":"10.88.0.50/24"}]}'
	cni ADD other "$OTHER"
	run ! ping4 "$OTHER" 10.88.0.2
}

@test "what is not done is refused in words" {
	while IFS='|' read -r key words; do
		saved=$conf
		change "$key"
		run cni ADD one "$ONE"
		conf=$saved
		echo "$key: $output"
		[ "$status" = 1 ]
		[[ $output == *"$words"* ]]
	done <<-'END'
		.macspoofchk = true|macspoofchk is not supported
		.disableContainerInterface = true|disableContainerInterface is not supported
		.vlanTrunk = [{"id":5}]|vlanTrunk is not supported
		.vlan = 4095|4095 is not between 0 and 4094
		.bridge = "br%d"|is not a name for a network interface
		.bridge = "much/too"|is not a name for a network interface
		.mtu = 20|RTM_NEWLINK
		.mtu = "x"|mtu: expected an unsigned integer
	END
	[ "$(veths) $(leases)" = "0 0" ]
}
