#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `tote run --network`, in a network namespace of the test's own that stands for the host.

bats_require_minimum_version 1.5.0
load ../cli/helpers
load net
load traffic

setup() {
	net_setup
	new_machine
	make_bundle
	SERVERS=()
	export TOTE_STORE=$BATS_FILE_TMPDIR/store NETCONFPATH=$BATS_TEST_TMPDIR/net.d
	mkdir "$NETCONFPATH"
}

teardown() {
	clean_up
	net_teardown
	rmdir "$(cgroup2_mount)/left-$ID" 2>/dev/null || true
}

# On the namespace that stands for the host.
tote() { host "$TOTE" --root "$ROOT" "$@"; }

make_image() {
	tar -C "$ROOTFS" -c . | "$TOTE" import -q - box:1 >/dev/null
}

# A network's file; the bridge is named as the network.
network() { # NAME SUBNET
	cat >"$NETCONFPATH/$1.conflist" <<-EOF
	{"cniVersion": "1.0.0", "name": "$1", "plugins": [
	 {"type": "bridge", "bridge": "$1", "isGateway": true, "ipMasq": true, "hairpinMode": true,
	  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$2"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
	 {"type": "portmap", "capabilities": {"portMappings": true}}]}
	EOF
}

elements() { host nft list table inet tote 2>/dev/null | grep -c comment.*: || true; }

nothing_left() {
	[ "$(leases)" = 0 ]
	[ -z "$(find "$TOTE_NET_DIR/attachments" "$TOTE_NET_DIR/names" -mindepth 1 2>/dev/null)" ]
	[ -z "$(host nft -j list table inet tote 2>/dev/null | jq '.. | .elem? // empty')" ]
	eventually no_veths
	[ -z "$(ls "$ROOT")" ]
}

no_veths() { [ "$(veths)" = 1 ]; } # the machine's

has_ended() { [ "$(tote state "$1" | jq -r .status)" = stopped ]; }

serve_in() { # ID TEXT: answers on port 80
	tote run -d --name "$1" "${@:3}" box:1 sh -c "while :; do echo $2 | nc -l -p 80 >/dev/null; done" >/dev/null
}

# For a shell in a container: between two clients the server listens anew.
READ='read_from() { for i in 1 2 3 4 5 6 7 8 9; do nc -w 3 $1 $2 </dev/null 2>/dev/null && return; sleep 0.1; done; }'

read_from() { # PID ADDRESS PORT
	at "$1" busybox nc -w 3 "$2" "$3" </dev/null
}

reads() { [ "$(read_from "$1" "$2" "$3")" = "$4" ]; }

@test "a bundle: address, route out, and nothing left afterwards" {
	network shop 10.90.0.0/24
	command_is sh -c 'ip -o -4 addr show eth0; ip route; ping -c 1 -W 2 192.0.2.2'
	config '.process.capabilities |= map_values(. + ["CAP_NET_RAW"])'
	run tote run --network shop "$ID"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *10.90.0.2/24* ]]
	[[ $output = *"default via 10.90.0.1"* ]]
	[[ $output = *"1 packets received"* ]]
	nothing_left
}

@test "the network that is always there, and the first one of the directory" {
	command_is ip -o -4 addr show eth0
	run tote run --network bridge "$ID"
	[[ $output = *10.87.0.2/16* ]]
	run tote run -p 8080:80 "$ID"
	[[ $output = *10.87.0.3/16* ]]
	network shop 10.90.0.0/24
	run tote run -p 8080:80 "$ID"
	[[ $output = *10.90.0.2/24* ]]
	nothing_left
}

@test "every id that tote allows" {
	network shop 10.90.0.0/24
	command_is ip -o -4 addr show eth0
	for id in _box -box +box.+; do
		run tote run --network shop -- "$id"
		echo "$id: $output"
		[ "$status" = 0 ]
		[[ $output = *10.90.0.* ]]
		nothing_left
	done
}

@test "two networks, an address and a hardware address" {
	network one 10.91.0.0/24
	network two 10.92.0.0/24
	command_is sh -c 'ip -o -4 addr; ip link show eth0'
	for file in "$NETCONFPATH"/*; do
		jq '.plugins[0].capabilities = {"ips": true, "mac": true}' "$file" >"$file.new" && mv "$file.new" "$file"
	done
	run tote run --network two --network one --ip 10.92.0.77 --mac-address 02:00:00:00:00:17 "$ID"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *eth0*10.92.0.77/24*eth1*10.91.0.2/24* ]]
	[[ $output = *02:00:00:00:00:17* ]]
	nothing_left
}

@test "a published port: from another machine, from the host, from a neighbour, and its holder" {
	make_image
	network shop 10.90.0.0/24
	serve_in web hello --network shop -p 8080:80
	eventually reads "$MACHINE" 192.0.2.1 8080 hello
	eventually reads "$HOST" 192.0.2.1 8080 hello
	eventually reads "$HOST" 127.0.0.1 8080 hello
	run tote run --rm --network shop box:1 sh -c "$READ; read_from 10.90.0.1 8080"
	[ "$output" = hello ]
	run tote run --rm --network shop -p 8080:80 box:1 true
	[ "$status" = 125 ]
	[[ $output = *8080* ]]
	eventually reads "$MACHINE" 192.0.2.1 8080 hello
	tote delete --force web
	nothing_left
}

@test "containers on a network find each other by name as they come and go" {
	make_image
	network shop 10.90.0.0/24
	network other 10.99.0.0/24
	serve_in web hello --network shop --hostname till
	serve_in far away --network other
	run tote run --rm --name seen --network shop box:1 sh -c "$READ; read_from till 80; read_from web 80; cat /etc/hosts"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *hello*hello*127.0.0.1*localhost*seen*"10.90.0.2"*"till web"* ]]
	[[ $output != *far* ]]
	run tote exec web cat /etc/hosts
	[[ $output != *seen* ]]
	serve_in db data --network shop
	run tote exec web cat /etc/hosts
	[[ $output = *till*db* ]]
	tote delete --force db
	run tote exec web cat /etc/hosts
	[[ $output != *db* ]]
	tote delete --force web
	tote delete --force far
	nothing_left
}

@test "none, host, a path, another container's" {
	make_image
	network shop 10.90.0.0/24
	run tote run --rm box:1 sh -c 'ls /sys/class/net; cat /etc/hosts'
	[[ $output = lo*localhost* ]]
	[[ $output != *eth0* ]]
	run tote run --rm --network host box:1 ip link show lan0
	[ "$status" = 0 ]
	run tote run --rm --network "ns:/proc/$MACHINE/ns/net" box:1 ip addr show eth0
	[[ $output = *192.0.2.2* ]]
	serve_in web hello --network shop
	run tote run --rm --network container:web box:1 sh -c 'nc -w 3 127.0.0.1 80 </dev/null; ip addr show eth0'
	echo "$output"
	[[ $output = *10.90.0.2* ]]
	tote delete --force web
	command_is ip link show lan0
	run tote run --network host "$ID"
	[ "$status" = 0 ]
	command_is ls /sys/class/net
	run tote run --network none "$ID"
	[ "$output" = lo ]
	nothing_left
}

@test "what was flushed or removed by hand is repaired for a running container" {
	make_image
	network shop 10.90.0.0/24
	serve_in web hello --network shop -p 8080:80
	eventually reads "$MACHINE" 192.0.2.1 8080 hello
	host nft flush ruleset
	run ! reads "$MACHINE" 192.0.2.1 8080 hello
	tote network repair
	eventually reads "$MACHINE" 192.0.2.1 8080 hello
	host ip link del shop
	tote network repair
	eventually reads "$MACHINE" 192.0.2.1 8080 hello
	tote network check web
	tote delete --force web
	nothing_left
}

@test "a container that has ended gives its ports to the next one" {
	make_image
	network shop 10.90.0.0/24
	tote run --name halted --network shop -p 8080:80 box:1 true
	[ "$(leases)" = 0 ]
	serve_in web hello --network shop -p 8080:80
	tote kill web KILL
	eventually has_ended web
	serve_in next hello --network shop -p 8080:80
	eventually reads "$MACHINE" 192.0.2.1 8080 hello
	for id in halted web next; do tote delete --force "$id"; done
	nothing_left
}

has_rules() { # ADDRESS
	host nft list map inet tote masqueraded4 | grep -q "$1" && host nft list set inet tote_firewall admitted4 | grep -q "$1"
}

# Interfaces and rules of the former one may be removed when it has been waited for: not those of the next.
@test "one that comes again at once, and another with the same address, keep what is theirs" {
	local round id machines
	machines=$(veths)
	command_is true
	cp config.json true.json
	command_is sleep 100
	for round in 1 2 3 4 5 6 7 8; do
		id=$ID$((round % 2))
		host sh -c '"$0" --root "$1" run --network bridge --ip 10.87.0.9 --config true.json "$2"1 &&
			"$0" --root "$1" run -d --network bridge --ip 10.87.0.9 "$3"' "$TOTE" "$ROOT" "$ID" "$id"
		eventually veths_are $((machines + 1))
		sleep 0.05
		has_rules 10.87.0.9
		ping4 "$HOST" 10.87.0.9
		tote delete --force "$id"
	done
	nothing_left
}

veths_are() { [ "$(veths)" = "$1" ]; }

@test "interrupted while it starts: nothing is left" {
	make_image
	network shop 10.90.0.0/24
	local wait
	for wait in 0.002 0.005 0.01 0.015 0.02 0.05; do
		host env --default-signal=INT timeout -s INT -k 10 "$wait" "$TOTE" --root "$ROOT" run --rm --name interrupted --network shop -p 8080:80 box:1 \
			sh -c 'trap "exit 3" INT; sleep 5' 3>&- || true
	done
	nothing_left
}

@test "names that would be more than one word are refused, hosts files cannot be changed from inside" {
	make_image
	network shop 10.90.0.0/24
	for name in $'a\n10.0.0.1 evil' 'a b' 'a#b'; do
		run -125 tote run --rm --hostname "$name" --network shop box:1 true
		[[ $output = *"no host name"* ]]
	done
	jq '.plugins[0].dns = {"nameservers": ["1.1.1.1\nsearch evil", "9.9.9.9"], "domain": "a\nnameserver 6.6.6.6"}' \
		"$NETCONFPATH/shop.conflist" >new && mv new "$NETCONFPATH/shop.conflist"
	run tote run --rm --userns host --network shop box:1 sh -c 'cat /etc/resolv.conf; echo x >>/etc/hosts; truncate -s 1g /etc/hosts'
	echo "$output"
	[[ $output = *9.9.9.9*"Read-only"* ]]
	[[ $output != *evil* ]]
	[[ $output != *6.6.6.6* ]]
	nothing_left
}

@test "with the ids of the host and with its own" {
	make_image
	network shop 10.90.0.0/24
	for how in host auto; do
		run tote run --rm --userns "$how" --network shop box:1 sh -c 'ip -o -4 addr show eth0; cat /etc/hosts; cat /proc/sys/net/ipv4/ping_group_range'
		echo "$output"
		[ "$status" = 0 ]
		[[ $output = *10.90.0.*localhost* ]]
	done
	nothing_left
}

@test "a bundle with a user namespace: that one owns the network namespace" {
	network shop 10.90.0.0/24
	command_is sh -c 'ip addr add 127.9.9.9/8 dev lo && ip -o -4 addr show eth0'
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 1000}] | .linux.gidMappings = .linux.uidMappings
		| .process.capabilities |= map_values(. + ["CAP_NET_ADMIN"])'
	run tote run --network shop "$ID"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *10.90.0.2/24* ]]
	nothing_left
}

@test "wrong input is refused before anything is made" {
	network shop 10.90.0.0/24
	local words
	while read -r -a words; do
		run -1 tote run "${words[@]}" "$ID"
		echo "${words[*]}: $output"
		[ "${#lines[@]}" = 1 ]
	done <<-EOF
	--network nosuch
	--network none --network shop
	--network shop --network host
	--network none -p 80:80
	--network host --ip 10.90.0.5
	--network ns:relative
	--network ns:/etc/passwd
	--network container:nobody
	--network shop -p 70000:80
	--network shop -p 80
	--network shop -p 8000-8002:80-81
	--network shop -p 8080:80/icmp
	--network shop --ip 10.1.2.3.4
	--network shop --mac-address zz
	EOF
	nothing_left
	config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/1/ns/net" else . end)'
	run -1 tote run --network shop "$ID"
	[[ $output = *"somebody else's"* ]]
}

@test "a program that cannot be executed, and tote-net killed: nothing left" {
	network shop 10.90.0.0/24
	command_is /nonexistent
	run -1 tote run --network shop "$ID"
	nothing_left
}

@test "tote killed while the container runs: delete --force, or gc when the state is gone" {
	network shop 10.90.0.0/24
	command_is sleep 100
	tote run -d --network shop "$ID"
	tote delete --force "$ID"
	nothing_left
	tote run -d --network shop "$ID"
	tote kill "$ID" KILL
	rm -r "${ROOT:?}/$ID"
	[ "$(leases)" = 1 ]
	tote network gc
	rmdir "$(cgroup2_mount)/tote-$ID" 2>/dev/null || true
	nothing_left
}

# The process that waits for the container to leave its networks.
helper_of() { # PID: of tote
	local pid
	for pid in $(pgrep -P "$1"); do
		[ ! "/proc/$pid/exe" -ef "/proc/$1/exe" ] || echo "$pid"
	done
}

is_running() { [ "$(tote state "$1" | jq -r .status)" = running ]; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }

@test "the process for networks is killed: it leaves all the same; tote is killed: that one goes as well" {
	local pid helper code
	network shop 10.90.0.0/24
	command_is sleep 100
	for round in helper tote; do
		code=0
		nsenter -t "$HOST" -n "$TOTE" --root "$ROOT" run --network shop -p 8080:80 "$ID" 3>&- &
		pid=$!
		eventually is_running "$ID"
		helper=$(helper_of $pid)
		[ "$(wc -w <<<"$helper")" = 1 ]
		if [ $round = helper ]; then
			kill -KILL "$helper"
			tote kill "$ID" KILL
			wait $pid || code=$?
			[ $code = 137 ]
		else
			kill -KILL $pid
			eventually is_gone "$helper"
			tote delete --force "$ID"
		fi
		nothing_left
	done
}

@test "a namespace that somebody else holds: the interface goes with the container" {
	network shop 10.90.0.0/24
	command_is sleep 100
	for round in 1 2 3; do
		tote run -d --network shop "$ID"
		exec {held}<"/proc/$(tote state "$ID" | jq .pid)/ns/net"
		tote delete --force "$ID"
		nothing_left
		exec {held}<&-
	done
}

@test "the record names the namespace by the container's process" {
	network shop 10.90.0.0/24
	command_is sleep 100
	tote run -d --network shop "$ID"
	local path
	path=/proc/$(tote state "$ID" | jq .pid)/ns/net
	run -0 jq -r '.done, .netns, .result.interfaces[-1].sandbox' "$TOTE_NET_DIR/attachments/$ID/eth0"
	[ "$output" = "true
$path
$path" ]
}

@test "create leaves the network to its caller" {
	network shop 10.90.0.0/24
	run tote create --network shop "$ID"
	[ "$status" != 0 ]
	command_is ls /sys/class/net
	tote create "$ID" 3>&-
	[ ! -e "$TOTE_NET_DIR/attachments/$ID" ]
}

@test "a network is removed right behind its last container, and its bridge with it" {
	command -v strace >/dev/null || skip "strace is missing"
	host "${TOTE%/*}/tote-net" create shop --subnet 10.90.0.0/24 --bridge shop
	command_is sleep 1000
	quietly tote run -d --network shop "$ID"
	# What takes its interfaces away when delete has ended already is held up, and the namespace does not go by itself.
	exec 8<"/proc/$(tote state "$ID" | jq .pid)/ns/net"
	host strace -D -f -o trace -e inject=clock_nanosleep:delay_enter=700000 "$TOTE" --root "$ROOT" delete --force "$ID"
	host "${TOTE%/*}/tote-net" rm shop
	exec 8<&-
	run ! host ip link show shop
	nothing_left
}

# systemd ends a service's cgroup with its main process.
@test "what is killed with the cgroup when tote ends leaves nothing in nf_tables" {
	local group i pid
	host "${TOTE%/*}/tote-net" create shop --subnet 10.90.0.0/24 --bridge shop
	command_is true
	group=$(cgroup2_mount)/left-$ID
	mkdir "$group"
	for i in $(seq 10); do
		host sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
			"$TOTE" --root "$ROOT" run --network shop --ip 10.90.0.$((10 + i)) -p 8080:80 "$ID"
		while read -r pid; do
			kill -KILL "$pid" || true
		done <"$group/cgroup.procs"
		[ -z "$(host nft -j list ruleset | jq -c '.. | .elem? // empty')" ]
	done
	eventually rmdir "$group"
	nothing_left
}

@test "an address whose elements are nobody's can be had, though gc cannot remove all" {
	local dir=$TOTE_NET_DIR/attachments
	host "${TOTE%/*}/tote-net" create shop --subnet 10.90.0.0/24 --bridge shop
	command_is sleep 1000
	quietly tote run -d --network shop "$ID"
	# A container that is gone, and the program that it needs as well.
	mkdir "$dir/gone"
	jq '.container = "gone" | .owner = "/nonexistent" | .network.name = "old" | .network.plugins = [{"type": "missing"}]' \
		"$dir/$ID/eth0" >"$dir/gone/eth0"
	tote delete --force "$ID"
	command_is true
	host nft add element inet tote masqueraded4 '{ 10.90.0.7 comment "nobody" : jump outside_10.90.0.0/24 }'
	tote run --network shop --ip 10.90.0.7 "$ID"
	[ -z "$(host nft -j list table inet tote | jq -c '.. | .elem? // empty')" ]
	run -1 host "${TOTE%/*}/tote-net" gc
	[[ "$output" = *"container gone is gone, but"* ]]
	rm -r "$dir/gone"
	nothing_left
}
