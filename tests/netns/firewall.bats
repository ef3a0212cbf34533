# SPDX-License-Identifier: Apache-2.0
# Containers behind a host's own firewall, which drops what is forwarded: the plugin "firewall" of tote-cni.

bats_require_minimum_version 1.5.0
load ../bats
load net.bash
load traffic.bash

setup() {
	command -v nft >/dev/null || skip "needs nft"
	net_setup
	new_namespace ONE
	new_machine
	conf='{"cniVersion":"1.0.0","name":"shop","plugins":[
		{"type":"bridge","bridge":"shop0","isGateway":true,"ipMasq":true,
			"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/24"}],[{"subnet":"fd88::/64"}]],
				"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}},
		{"type":"portmap","capabilities":{"portMappings":true}},
		{"type":"firewall"}]}'
	ports '[{"hostPort":8080,"containerPort":80}]'
}

teardown() {
	stop_servers
	net_teardown
}

with_iptables() {
	command -v iptables-nft >/dev/null || skip "needs iptables-nft"
	host iptables-nft -P FORWARD DROP
	host ip6tables-nft -P FORWARD DROP
}

passes_all() {
	answers "one 192.0.2.2" "$MACHINE" 192.0.2.1 8080
	answers "one 2001:db8::2" "$MACHINE" 2001:db8::1 8080
	answers "one 10.88.0.1" "$HOST" 127.0.0.1 8080
	answers "far 192.0.2.1" "$ONE" 192.0.2.2 7000
	[[ $(ask "$ONE" 2001:db8::2 7000) == "far 2001:db8::"[17] ]]
}

passes_nothing() {
	answers nothing "$MACHINE" 192.0.2.1 8080
	answers nothing "$MACHINE" 2001:db8::1 8080
	answers nothing "$ONE" 192.0.2.2 7000
	answers nothing "$ONE" 2001:db8::2 7000
}

serve_all() {
	serve "$ONE" one tcp 80
	serve "$MACHINE" far tcp 7000
}

ours() { host nft list ruleset | grep -c 'meta mark & 0x10000000 == 0x10000000.* accept'; }

@test "iptables that drop: containers are let through, and iptables' own commands go on working" {
	with_iptables
	host iptables-nft -A FORWARD -s 192.0.2.99 -j ACCEPT
	change 'del(.plugins[2])'
	cni ADD one "$ONE"
	serve_all
	passes_nothing
	cni DEL one "$ONE"
	change '.plugins[2] = {"type":"firewall","backend":"iptables"}'
	cni ADD one "$ONE"
	passes_all
	host iptables-nft -S FORWARD
	[ "$(host iptables-nft -S FORWARD | sed -n 2p)" = \
		'-A FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment "tote: what inet tote_firewall admits" -j ACCEPT' ]
	# Saved and restored, it is still one rule, still works and still goes.
	host iptables-nft-save >"$BATS_TEST_TMPDIR/saved"
	host iptables-nft-restore <"$BATS_TEST_TMPDIR/saved"
	[ "$(host iptables-nft -S FORWARD | wc -l)" = 3 ]
	passes_all
	neighbour TWO two
	[ "$(host iptables-nft -S FORWARD | wc -l)" = 3 ]
	cni DEL two "$TWO"
	passes_all
	cni DEL one "$ONE"
	[ "$(host iptables-nft -S FORWARD)" = "$(printf '%s\n' '-P FORWARD DROP' '-A FORWARD -s 192.0.2.99/32 -j ACCEPT')" ]
	run ! grep -q 'elements = ' <<<"$(host nft list table inet tote_firewall)"
	cni DEL one "$ONE"
}

@test "what does not belong to a container stays forbidden" {
	with_iptables
	cni ADD one "$ONE"
	new_namespace OTHER
	host ip link add lan1 type veth peer name eth0 netns "$OTHER"
	host ip addr add 198.51.100.1/24 dev lan1
	host ip link set lan1 up
	at "$OTHER" ip addr add 198.51.100.2/24 dev eth0
	at "$OTHER" ip link set eth0 up
	at "$OTHER" ip route add default via 198.51.100.1
	at "$MACHINE" ip route add default via 192.0.2.1
	serve_all
	answers nothing "$OTHER" 192.0.2.2 7000
	# Nor is an unpublished port of a container for whoever has a route to it.
	answers nothing "$MACHINE" 10.88.0.2 80
	host iptables-nft -P FORWARD ACCEPT
	answers "far 198.51.100.2" "$OTHER" 192.0.2.2 7000
	answers "one 192.0.2.2" "$MACHINE" 10.88.0.2 80
}

@test "nftables that drop, by policy or by a last rule" {
	host nft -f - <<-'END'
		table inet admin {
			chain forward {
				type filter hook forward priority filter; policy drop;
			}
		}
		table ip other {
			chain late {
				type filter hook forward priority 10; policy accept;
				ip saddr 192.0.2.99 accept
				counter reject with icmp admin-prohibited
			}
			chain harmless {
				type filter hook forward priority 20; policy accept;
				ip saddr 192.0.2.99 drop
			}
			chain incoming {
				type filter hook input priority 0; policy accept;
			}
		}
	END
	before=$(host nft list ruleset)
	cni ADD one "$ONE"
	serve_all
	passes_all
	[ "$(ours)" = 2 ]
	cni ADD one "$ONE" || true
	[ "$(ours)" = 2 ]
	cni DEL one "$ONE"
	host nft delete table inet tote
	host nft delete table inet tote_firewall
	[ "$(host nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//')" = "$(sed 's/packets [0-9]* bytes [0-9]*//' <<<"$before")" ]
}

@test "isolated networks do not reach each other, and what is in one does" {
	change '.plugins[2].ingressPolicy = "same-bridge"'
	cni ADD one "$ONE"
	neighbour TWO two
	other=$(jq -c '.name = "office" | .plugins[0].bridge = "office0" |
		.plugins[0].ipam.ranges = [[{"subnet":"10.89.0.0/24"}],[{"subnet":"fd89::/64"}]] | del(.runtimeConfig)' <<<"$conf")
	new_namespace THREE
	mine=$conf
	conf=$other
	cni ADD three "$THREE"
	conf=$mine
	serve "$ONE" one tcp 80
	answers "one 10.88.0.3" "$TWO" 10.88.0.2 80
	answers nothing "$THREE" 10.88.0.2 80
	answers nothing "$THREE" fd88::2 80
	answers "one 192.0.2.2" "$MACHINE" 192.0.2.1 8080
	# One that does not ask for it is not isolated.
	conf=$other
	cni DEL three "$THREE"
	change '.plugins[2].ingressPolicy = "open"'
	cni ADD three "$THREE"
	answers "one 10.88.0.1" "$THREE" 10.88.0.2 80
}

@test "many at the same time leave one rule each, and then none" {
	local pids=() i
	with_iptables
	ports '[]'
	for i in $(seq 20); do
		new_namespace "C$i"
	done
	for i in $(seq 20); do
		name=C$i
		cni ADD "c$i" "${!name}" >/dev/null 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	[ "$(ours)" = 2 ]
	pids=()
	for i in $(seq 20); do
		name=C$i
		cni DEL "c$i" "${!name}" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	[ "$(host iptables-nft -S FORWARD)" = "-P FORWARD DROP" ]
	run ! grep -q 'elements = ' <<<"$(host nft list table inet tote_firewall)"
}

@test "a configuration that is not understood is refused" {
	change '.plugins[2].ingressPolicy = "closed"'
	run cni ADD one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *ingressPolicy* ]]
	[ "$(containers)" = 0 ]
}
