#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Networks of `tote create --image`, and the names that containers have on them.

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
	tar -C "$ROOTFS" -c . | "$TOTE" import -q - box:1 >/dev/null
	network shop 10.90.0.0/24
	network other 10.99.0.0/24
}

teardown() {
	clean_up
	net_teardown
}

# On the namespace that stands for the host.
tote() { host "$TOTE" --root "$ROOT" "$@"; }

network() { # NAME SUBNET
	cat >"$NETCONFPATH/$1.conflist" <<-EOT
	{"cniVersion": "1.0.0", "name": "$1", "plugins": [
	 {"type": "bridge", "bridge": "$1", "isGateway": true, "ipMasq": true,
	  "capabilities": {"ips": true, "mac": true}, "ipam": {"type": "host-local", "ranges": [[{"subnet": "$2"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
	 {"type": "portmap", "capabilities": {"portMappings": true}}]}
	EOT
}

nothing_left() {
	[ "$(leases)" = 0 ]
	[ -z "$(find "$TOTE_NET_DIR/attachments" "$TOTE_NET_DIR/names" -mindepth 1 2>/dev/null)" ]
	eventually no_veths
	[ -z "$(ls "$ROOT")" ]
	[ -z "$(ls "$TOTE_STORE/containers")" ]
}

no_veths() { [ "$(veths)" = 1 ]; } # the machine's

create() { # [OPTION...] ID [ARGUMENT...]
	tote create --image box:1 "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
}

in_box() { # [OPTION...] COMMAND...
	run tote run --rm --network shop "$@" 3>&-
	echo "$output"
}

@test "the network is there when create returns, and goes with the container" {
	create --network shop --ip 10.90.0.77 --mac-address 02:00:00:00:00:77 -p 8080:80 web sh -c 'ip -o addr show eth0; while :; do echo hello | nc -l -p 80 >/dev/null; done'
	pid=$(tote state web | jq .pid)
	at "$pid" ip -o addr show eth0 | grep -q 10.90.0.77/24
	at "$pid" ip link show eth0 | grep -q 02:00:00:00:00:77
	[ "$(leases)" = 1 ]
	tote start web
	eventually grep -q 10.90.0.77 "$BATS_TEST_TMPDIR/out"
	answered() { [ "$(at "$MACHINE" busybox nc -w 3 192.0.2.1 8080 </dev/null)" = hello ]; }
	eventually answered
	tote delete --force web
	nothing_left
	# One that was never started.
	create --network shop web true
	tote delete web
	nothing_left
	run -127 tote create --image box:1 --network shop web /no/such 3>&-
	nothing_left
}

@test "further names on its networks, which its neighbours alone see" {
	create --network shop --network-alias db --network-alias db.shop --hostname till web sleep 1000
	create --network other --network-alias far away sleep 1000
	in_box box:1 cat /etc/hosts
	[[ $output = *10.90.0.2$'\t'"till web db db.shop"* ]]
	[[ $output != *far* ]]
	in_box --network-alias me --network-alias mine --name seen box:1 cat /etc/hosts
	[[ $output = *localhost*"seen me mine"*"till web db db.shop"* ]]
	run tote exec web cat /etc/hosts
	[[ $output != *mine* ]]
	create --network shop --network-alias late third true
	run -0 tote exec web cat /etc/hosts
	[[ $output = *"third late"* ]]
	tote delete third
	run -0 tote exec web cat /etc/hosts
	[[ $output != *late* ]]
	for id in web away; do
		tote delete --force "$id"
	done
	nothing_left
	# A later one of the same ID has none of them.
	create --network shop web sleep 1000
	in_box box:1 cat /etc/hosts
	[[ $output != *db* ]]
	tote delete --force web
}

@test "further hosts, the gateway among them, stay when neighbours come and go" {
	create --network other --network shop --add-host box:10.1.2.3 --add-host up:host-gateway web sleep 1000
	create --network shop more true
	tote delete more
	run -0 tote exec web cat /etc/hosts
	echo "$output"
	[[ $output = *localhost*10.1.2.3$'\t'box*10.99.0.1$'\t'up*10.99.0.2$'\t'web* ]]
	tote delete --force web
	nothing_left
}

@test "name servers: what is asked for, else the network's, else the host's" {
	jq '.plugins[0].dns = {"nameservers": ["9.9.9.9"], "domain": "of.net", "options": ["rotate"]}' \
		"$NETCONFPATH/shop.conflist" >new && mv new "$NETCONFPATH/shop.conflist"
	in_box box:1 cat /etc/resolv.conf
	[ "${lines[*]}" = "nameserver 9.9.9.9 domain of.net options rotate" ]
	in_box --dns 1.1.1.1 --dns 2.2.2.2 box:1 cat /etc/resolv.conf
	[ "${lines[*]}" = "domain of.net options rotate nameserver 1.1.1.1 nameserver 2.2.2.2" ]
	in_box --dns-search mine --dns-option ndots:3 box:1 cat /etc/resolv.conf
	[ "${lines[*]}" = "nameserver 9.9.9.9 search mine options ndots:3" ]
	in_box --dns-search . box:1 cat /etc/resolv.conf
	[ "${lines[*]}" = "nameserver 9.9.9.9 options rotate" ]
	nothing_left
}

@test "who shares a container's network has its names, unless it has some of its own" {
	create --network shop --add-host box:10.1.2.3 web sleep 1000
	create --network shop --network-alias db data sleep 1000
	run -0 tote run --rm --network container:web box:1 cat /etc/hosts 3>&-
	[[ $output = *10.1.2.3$'\t'box*web*"data db"* ]]
	run -0 tote run --rm --network container:web --add-host own:10.1.2.4 box:1 cat /etc/hosts 3>&-
	echo "$output"
	[[ $output = *localhost*10.1.2.4$'\t'own* ]]
	[[ $output != *10.1.2.3* ]]
	tote delete --force web
	tote delete --force data
	nothing_left
}

@test "after a reboot the same ID can be made again" {
	create --network shop --network-alias db web sleep 1000
	pid=$(tote state web | jq .pid)
	kill -9 "$pid"
	eventually test ! -e "/proc/$pid"
	# State, records and names are on a tmpfs; the kernel's part went with the namespaces.
	rmdir "$(cgroup2_mount)/tote-web"
	rm -rf "$ROOT/web" "$TOTE_NET_DIR"
	create --network shop web sleep 1000
	[ "$(ls "$TOTE_STORE/containers" | wc -l)" = 1 ]
	tote delete --force web
}
