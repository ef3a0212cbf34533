# SPDX-License-Identifier: Apache-2.0
# CNI's ptp and loopback, by tote-cni.

bats_require_minimum_version 1.5.0
load ../bats
load net.bash

setup() {
	net_setup
	new_namespace ONE
	conf='{"cniVersion":"1.0.0","name":"direct","type":"ptp","dns":{"nameservers":["10.77.0.53"]},
		"ipam":{"type":"host-local","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]],
			"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}'
}

teardown() {
	net_teardown
}

change() { # JQ-EXPRESSION: changes the configuration
	conf=$(jq -c "$1" <<<"$conf")
}

@test "ptp: containers reach the host and each other, over IPv4 and IPv6" {
	new_namespace TWO
	cni ADD one "$ONE"
	cni ADD two "$TWO"
	ping4 "$ONE" 10.77.0.1
	ping6 "$ONE" fd77::1
	ping4 "$HOST" 10.77.0.3
	ping4 "$ONE" 10.77.0.3
	ping6 "$ONE" fd77::3
}

@test "ptp: addresses, routes and the result are what they should be" {
	change '.mtu = 1400'
	run cni ADD one "$ONE"
	echo "$output"
	[ "$status" = 0 ]
	[ "$(jq -c '[.interfaces[].name[0:4]]' <<<"$output")" = '["veth","eth0"]' ]
	[ "$(jq -c '.ips[] | [.address, .gateway, .interface]' <<<"$output" | xargs)" = '[10.77.0.2/24,10.77.0.1,1] [fd77::2/64,fd77::1,1]' ]
	[ "$(jq -c '.dns' <<<"$output")" = '{"nameservers":["10.77.0.53"]}' ]
	veth=$(jq -r '.interfaces[0].name' <<<"$output")
	has_address "$HOST" "$veth" 10.77.0.1/32
	has_address "$HOST" "$veth" fd77::1/128
	[ "$(host ip -j link show "$veth" | jq '.[0].mtu')" = 1400 ]
	[ "$(host ip route)" = "10.77.0.2 dev $veth scope host " ]
	[[ $(host ip -6 route) == *"fd77::2 dev $veth "* ]]
	[ "$(at "$ONE" ip route)" = "default via 10.77.0.1 dev eth0 
10.77.0.0/24 via 10.77.0.1 dev eth0 src 10.77.0.2 
10.77.0.1 dev eth0 scope link src 10.77.0.2 " ]
	[[ $(at "$ONE" ip -6 route) == *"fd77::/64 via fd77::1 dev eth0 src fd77::2"* ]]
	[ "$(host cat "/proc/sys/net/ipv6/conf/$veth/accept_ra")" = 0 ]
	[ "$(host cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | xargs)" = "1 1" ]
}

@test "ptp: CHECK, and DEL twice" {
	result=$(cni ADD one "$ONE")
	plain=$conf
	conf=$(jq -c --argjson r "$result" '.prevResult = $r' <<<"$conf")
	cni CHECK one "$ONE"
	veth=$(jq -r '.interfaces[0].name' <<<"$result")
	host ip route del 10.77.0.2
	run cni CHECK one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *"$veth has no route 10.77.0.2/32"* ]]
	host ip addr del 10.77.0.1/32 dev "$veth"
	run cni CHECK one "$ONE"
	[[ $output == *"$veth has no address 10.77.0.1/32"* ]]
	conf=$plain
	cni DEL one "$ONE"
	cni DEL one "$ONE"
	[ "$(veths) $(leases)" = "0 0" ]
}

@test "ptp: without ipam, and without a gateway, in words" {
	change 'del(.ipam)'
	run cni ADD one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *'ptp needs an \"ipam\" that gives addresses'* ]]
	change '.ipam = {"type":"static","addresses":[{"address":"10.77.0.9/24"}]}'
	run cni ADD one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *"ipam gave 10.77.0.9/24 without a gateway"* ]]
	[ "$(veths) $(leases)" = "0 0" ]
}

@test "ptp: the pair of another's plugin goes by what the result says" {
	host ip link add theirs type veth peer name eth0 netns "$ONE"
	cni DEL one "$ONE"
	[ "$(veths)" = 1 ]
	change '.prevResult = {"cniVersion":"1.0.0","interfaces":[{"name":"theirs"},{"name":"eth0","sandbox":"/x"}],"ips":[{"interface":1,"address":"10.77.0.2/24"}]}'
	cni DEL one "$ONE"
	[ "$(veths)" = 0 ]
}

@test "loopback: up, checked, down" {
	conf='{"cniVersion":"1.0.0","name":"lo","type":"loopback"}'
	run cni ADD one "$ONE" CNI_IFNAME=lo
	echo "$output"
	[ "$(jq -c '[.interfaces[0].name, .interfaces[0].mac, [.ips[].address]]' <<<"$output")" = '["lo","00:00:00:00:00:00",["127.0.0.1/8","::1/128"]]' ]
	ping4 "$ONE" 127.0.0.1
	conf=$(jq -c --argjson r "$output" '.prevResult = $r' <<<"$conf")
	cni CHECK one "$ONE" CNI_IFNAME=lo
	at "$ONE" ip link set lo down
	run cni CHECK one "$ONE" CNI_IFNAME=lo
	[ "$status" = 1 ]
	[[ $output == *"lo of container one is down"* ]]
	at "$ONE" ip link set lo up
	cni DEL one "$ONE" CNI_IFNAME=lo
	[[ $(at "$ONE" ip link show lo) == *"state DOWN"* ]]
	cni DEL one "" CNI_IFNAME=lo
}
