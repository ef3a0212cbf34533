# SPDX-License-Identifier: Apache-2.0
# tote-net between two network namespaces of the test's own: HOST stands for the host, BOX for a container. The host's
# real interfaces are never touched. NET is the program under test.

load two

setup() {
	make_two tote-net
	NET=$PROGRAM
	host ip link add eth7 type veth peer name peer7 2>/dev/null || skip "the kernel has no veth interfaces"
	host ip link set peer7 up
}

teardown() {
	end_two
}

configure() { # NAME
	[ -e /proc/sys/net/ipv6 ] || skip "the kernel has no IPv6"
	host ip link set $1 up
	host ip addr add 10.88.0.5/24 brd + dev $1
	host ip addr add 10.88.1.6 peer 10.88.1.7/32 dev $1
	host ip addr add fd00:88::5/64 dev $1 nodad
	host ip addr add fd00:88::6/64 dev $1 nodad
}

addresses() { # host|box NAME: in the order they have, without the name
	$1 ip -o addr show dev $2 scope global | sed -E "s/^[0-9]+: $2 +//; s/ (nodad|$2\\\\).*//"
}

up() { # host|box NAME
	[[ $($1 ip -o link show dev $2) == *[\<,]UP[,\>]* ]]
}

# bash takes no notice of a "! command" that fails, so these say it in other words.
down() { # host|box NAME
	[[ $($1 ip -o link show dev $2) == *\<*\>*"state DOWN"* ]]
}

absent() { # host|box NAME
	[[ $($1 ip link show $2 2>&1) == *"does not exist"* ]]
}

@test "a device moves in under a new name, up, and says how to give it back" {
	run host "$NET" netdev-in --pid $BOX eth7=net0
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = net0=eth7 ]
	up box net0
	absent host eth7
	absent box eth7
}

@test "the name stays when none is given, and --netns takes an inherited descriptor" {
	host "$NET" netdev-in --netns=/proc/self/fd/9 eth7 9</proc/$BOX/ns/net
	up box eth7
}

@test "permanent global addresses of both families are kept in their order" {
	configure eth7
	before=$(addresses host eth7)
	[ "$(wc -l <<<"$before")" = 4 ]
	host "$NET" netdev-in --pid $BOX eth7=net0
	echo "$before"; addresses box net0
	[ "$(addresses box net0)" = "$before" ]
}

@test "an IPv6 address that was usable is usable at once" {
	[ -e /proc/sys/net/ipv6 ] || skip "the kernel has no IPv6"
	host ip link set eth7 up
	host ip addr add fd00:88::9/64 dev eth7
	for i in $(seq 600); do
		[ -n "$(host ip -6 addr show dev eth7 tentative)" ] || break
		sleep 0.05
	done
	host "$NET" netdev-in --pid $BOX eth7=net0
	run box ip -6 addr show dev net0 scope global
	[[ $output == *fd00:88::9/64* ]]
	[[ $output != *tentative* ]]
}

@test "addresses with a lifetime or of link scope stay behind" {
	host ip link set eth7 up
	host ip addr add 10.77.0.1/24 dev eth7 valid_lft 100 preferred_lft 100
	host ip addr add 169.254.3.3/16 dev eth7 scope link
	host ip addr add 10.88.0.5/24 dev eth7
	host "$NET" netdev-in --pid $BOX eth7
	[ "$(box ip -o -4 addr show dev eth7 | wc -l)" = 1 ]
	[[ $(addresses box eth7) == *10.88.0.5/24* ]]
}

@test "routes are kept, also one whose gateway another one makes reachable" {
	configure eth7
	host ip route add default via 10.88.0.1 metric 50
	host ip route add 10.50.0.0/16 dev eth7 mtu 1400
	host ip route add 192.0.2.4 via 10.50.0.1 dev eth7
	host ip -6 route add 2001:db8::/32 via fd00:88::1 src fd00:88::5
	before=$(host ip route show dev eth7; host ip -6 route show dev eth7 | grep -v ^fe80)
	host "$NET" netdev-in --pid $BOX eth7=net0
	after=$(box ip route show dev net0; box ip -6 route show dev net0 | grep -v ^fe80)
	echo "$before"; echo; echo "$after"
	[ "$after" = "$before" ]
	[[ $after == *"2001:db8::/32 via fd00:88::1"* ]]
}

@test "a route that cannot hold inside is a warning" {
	host ip link set lo up
	configure eth7
	host ip route add 192.0.2.0/24 dev eth7 src 127.0.0.1
	run host "$NET" netdev-in --pid $BOX eth7
	[ "$status" = 0 ]
	[[ $output == *"warning: a route was left behind: netlink: RTM_NEWROUTE 192.0.2.0/24 on eth7: Invalid prefsrc address" ]]
	up box eth7
}

@test "a name that is taken inside is an error naming both, and nothing changes" {
	box ip link add net0 type veth peer name net1
	configure eth7
	before=$(addresses host eth7)
	run host "$NET" netdev-in --pid $BOX eth7=net0
	[ "$status" = 1 ]
	[ "$output" = "tote-net: cannot move interface eth7 into the container as net0: the network namespace has an interface net0 already" ]
	[ "$(addresses host eth7)" = "$before" ]
	up host eth7
}

@test "%d stands for the lowest number that is free" {
	box ip link add net0 type veth peer name net2
	run host "$NET" netdev-in --pid $BOX eth7=net%d
	[ "$output" = net1=eth7 ]
	up box net1
	run host "$NET" netdev-in --pid $BOX peer7=a%s
	[ "$status" = 1 ]
	[[ $output == *"takes no % but one %d"* ]]
}

@test "when a later device fails, the earlier ones return as they were" {
	configure eth7
	host ip route add default via 10.88.0.1
	before=$(addresses host eth7; host ip route)
	run host "$NET" netdev-in --pid $BOX eth7=net0 peer7=net0
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"cannot move interface peer7 into the container as net0: "*"net0 already" ]]
	up host eth7
	up host peer7
	[ "$(addresses host eth7; host ip route)" = "$before" ]
	absent box net0
}

@test "a device that was down returns down" {
	host ip addr add 10.88.0.5/24 dev eth7
	run host "$NET" netdev-in --pid $BOX eth7=net0 peer7=net0
	[ "$status" = 1 ]
	down host eth7
	[[ $(addresses host eth7) == *10.88.0.5/24* ]]
}

@test "an address refused inside takes the device back, in the kernel's words" {
	configure eth7
	before=$(addresses host eth7)
	box sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	run host "$NET" netdev-in --pid $BOX eth7=net0
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == "tote-net: cannot move interface eth7 into the container as net0: netlink: RTM_NEWADDR fd00:88::"[56]"/64 on net0: "?* ]]
	up host eth7
	[ "$(addresses host eth7)" = "$before" ]
	absent box net0
}

@test "many addresses travel, more than one request queue holds" {
	host ip link set eth7 up
	for i in $(seq 100); do echo "addr add 10.9.$i.1/24 dev eth7"; done | host ip -batch -
	host "$NET" netdev-in --pid $BOX eth7
	[ "$(box ip -o -4 addr show dev eth7 | wc -l)" = 100 ]
}

@test "the loopback stays" {
	run host "$NET" netdev-in --pid $BOX lo
	[ "$status" = 1 ]
	[ "$output" = "tote-net: cannot move interface lo into the container as lo: a loopback interface cannot leave its network namespace" ]
}

@test "what the kernel will not move is an error in its words" {
	host ip link add br7 type bridge 2>/dev/null || skip "the kernel has no bridges"
	run host "$NET" netdev-in --pid $BOX br7
	[ "$status" = 1 ]
	[[ $output == *": netlink: RTM_NEWLINK br7 to another network namespace as br7: "?* ]]
	host ip link show br7
}

@test "a device is given back under its old name, down and bare" {
	configure eth7
	host "$NET" netdev-in --pid $BOX eth7=net0
	run host "$NET" netdev-out --netns /proc/$BOX/ns/net net0=eth7
	[ "$status" = 0 ]
	[ -z "$output" ]
	down host eth7
	[ -z "$(addresses host eth7)" ]
	absent box net0
}

@test "giving back goes on after a device that is gone or whose name is taken" {
	host "$NET" netdev-in --pid $BOX eth7=net0 peer7=net1
	host ip link add eth7 type veth peer name other
	run host "$NET" netdev-out --pid $BOX nosuch=eth8 net0=eth7 net1=peer7
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 2 ]
	[ "${lines[0]}" = "tote-net: cannot give interface nosuch back as eth8: netlink: RTM_GETLINK nosuch: No such device" ]
	[ "${lines[1]}" = "tote-net: cannot give interface net0 back as eth7: the host has an interface eth7 already" ]
	host ip link show peer7
}

@test "bad arguments are one line and exit code 1" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	while IFS='|' read -r args words; do
		run host "$NET" $args
		echo "$args: $output"
		[ "$status" = 1 ]
		[ "${#lines[@]}" = 1 ]
		[[ $output == "tote-net: "*"$words"* ]]
	done <<-END
		netdev|unknown command "netdev"
		netdev-in eth7|give either --pid or --netns
		netdev-in --pid 1 --netns /x eth7|give either --pid or --netns
		netdev-in --pid|requires an argument
		netdev-in --bogus|unknown option --bogus
		netdev-in --pid 12x eth7|expected a process id, found "12x"
		netdev-in --pid 0 eth7|expected a process id
		netdev-in --pid -1 eth7|expected a process id
		netdev-in --pid 99999999999999999999 eth7|expected a process id
		netdev-in --netns /nonexistent eth7|/nonexistent: No such file or directory
		netdev-in --netns /proc/$BOX/ns/pid eth7|not a network namespace
		netdev-in --netns $BATS_TEST_TMPDIR/fifo eth7|not a network namespace
		netdev-in --pid $HOST eth7|the host's own network namespace
		netdev-in --pid $BOX|no interface is named
		netdev-in --pid $BOX nosuch|RTM_GETLINK nosuch: No such device
		netdev-in --pid $BOX eth7=a/b|"a/b" is not a name
		netdev-in --pid $BOX eth7=|"" is not a name
		netdev-in --pid $BOX eth7=sixteencharacter|"sixteencharacter" is not a name
		netdev-in --pid $BOX =net0|"" is not a name
	END
	host ip link show eth7
}

@test "--help and --version" {
	run "$NET" --help
	[ "$status" = 0 ]
	[[ $output == "usage: tote network "* ]]
	run "$NET" --version
	[ "$status" = 0 ]
	[[ $output == "tote-net version "* ]]
}
