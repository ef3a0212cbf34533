# SPDX-License-Identifier: Apache-2.0
# Published ports, masquerading and the firewall, by tote-cni: who reaches whom, as whom, and what is left. MACHINE is
# another one on the host's LAN.

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
		{"type":"portmap","capabilities":{"portMappings":true}}]}'
	ports '[{"hostPort":8080,"containerPort":80}]'
}

teardown() {
	stop_servers
	net_teardown
}

@test "a port is there for another machine, for the host, for neighbours and for the container itself" {
	cni ADD one "$ONE"
	neighbour TWO two
	serve "$ONE" one tcp 80
	answers "one 192.0.2.2" "$MACHINE" 192.0.2.1 8080
	answers "one 192.0.2.2" "$MACHINE" 192.0.2.7 8080
	answers "one 2001:db8::2" "$MACHINE" 2001:db8::1 8080
	answers "one 192.0.2.1" "$HOST" 192.0.2.1 8080
	answers "one 10.88.0.1" "$HOST" 127.0.0.1 8080
	answers "one 10.88.0.1" "$HOST" 10.88.0.1 8080
	answers "one 2001:db8::1" "$HOST" 2001:db8::1 8080
	answers "one 10.88.0.1" "$TWO" 192.0.2.1 8080
	answers "one fd88::1" "$TWO" 2001:db8::1 8080
	answers "one 10.88.0.1" "$TWO" 10.88.0.1 8080
	answers "one 10.88.0.1" "$ONE" 192.0.2.1 8080
	answers "one fd88::1" "$ONE" 2001:db8::1 8080
}

@test "udp, several ports, other numbers inside" {
	ports '[{"hostPort":5353,"containerPort":53,"protocol":"udp"},{"hostPort":7000,"containerPort":7000,"protocol":"TCP"},
		{"hostPort":7001,"containerPort":7001},{"hostPort":7002,"containerPort":7002}]'
	cni ADD one "$ONE"
	serve "$ONE" dns udp 53
	serve "$ONE" first tcp 7000
	serve "$ONE" last tcp 7002
	answers "dns 192.0.2.2" "$MACHINE" 192.0.2.1 5353 udp
	answers "dns 2001:db8::2" "$MACHINE" 2001:db8::1 5353 udp
	answers "dns 10.88.0.1" "$HOST" 127.0.0.1 5353 udp
	answers "dns 10.88.0.1" "$ONE" 192.0.2.1 5353 udp
	answers "first 192.0.2.2" "$MACHINE" 192.0.2.1 7000
	answers "last 192.0.2.2" "$MACHINE" 192.0.2.1 7002
	answers nothing "$MACHINE" 192.0.2.1 5353
}

@test "a port of one address of the host is on that one only" {
	ports '[{"hostPort":8080,"containerPort":80,"hostIP":"192.0.2.7"},{"hostPort":8081,"containerPort":80,"hostIP":"2001:db8::7"},
		{"hostPort":8082,"containerPort":80,"hostIP":"127.0.0.1"},{"hostPort":8083,"containerPort":80,"hostIP":"0.0.0.0"}]'
	cni ADD one "$ONE"
	serve "$ONE" one tcp 80
	answers "one 192.0.2.2" "$MACHINE" 192.0.2.7 8080
	answers nothing "$MACHINE" 192.0.2.1 8080
	answers "one 2001:db8::2" "$MACHINE" 2001:db8::7 8081
	answers nothing "$MACHINE" 2001:db8::1 8081
	answers "one 10.88.0.1" "$HOST" 127.0.0.1 8082
	answers nothing "$HOST" 192.0.2.1 8082
	answers "one 192.0.2.2" "$MACHINE" 192.0.2.1 8083
	answers nothing "$MACHINE" 2001:db8::1 8083
}

@test "a port that a program of the host has is refused with that program's name" {
	serve "$HOST" own tcp 8080
	run cni ADD one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *"port 8080/tcp of the host is in use: python3 (pid ${SERVERS[0]}) listens on "* ]] || [[ $output == *"port 8080/tcp of the host is in use: "*"python"*" listens on [::]:8080"* ]]
	[ "$(containers)" = 0 ]
	[ "$(leases)" = 0 ]
	ports '[{"hostPort":8080,"containerPort":80,"protocol":"udp"}]'
	cni ADD one "$ONE"
	cni DEL one "$ONE"
	serve "$HOST" own udp 8080 127.0.0.1
	run cni ADD one "$ONE"
	[[ $output == *"port 8080/udp of the host is in use: "*" listens on 127.0.0.1:8080"* ]]
	# On an address where it does not listen, there is no conflict; nor is one for a connection that goes out.
	ports '[{"hostPort":8080,"containerPort":80,"protocol":"udp","hostIP":"192.0.2.1"}]'
	cni ADD one "$ONE"
}

@test "what has connected from a port does not keep it from being published" {
	serve "$MACHINE" far tcp 7000
	host python3 -c '
import socket, time
s = socket.socket()
s.bind(("192.0.2.1", 8080))
s.connect(("192.0.2.2", 7000))
print("ready", flush=True)
time.sleep(60)' >"$BATS_TEST_TMPDIR/ready" 3>&- &
	SERVERS+=($!)
	for i in $(seq 600); do [ ! -s "$BATS_TEST_TMPDIR/ready" ] || break; sleep 0.05; done
	cni ADD one "$ONE"
}

@test "a port belongs to one container at a time, on one address or all" {
	cni ADD one "$ONE"
	new_namespace TWO
	run cni ADD two "$TWO"
	[ "$status" = 1 ]
	[[ $output == *"port 8080/tcp of the host is published for container one already"* ]]
	[ "$(containers)" = 1 ]
	ports '[{"hostPort":8080,"containerPort":80,"hostIP":"192.0.2.7"}]'
	run cni ADD two "$TWO"
	[ "$status" = 1 ]
	[[ $output == *"port 8080/tcp of the host is published for container one already"* ]]
	cni DEL one "$ONE"
	cni ADD two "$TWO"
	ports '[{"hostPort":8080,"containerPort":80}]'
	run cni ADD one "$ONE"
	[[ $output == *"port 8080/tcp of the host is published for container two already"* ]]
	cni DEL two "$TWO"
	cni ADD one "$ONE"
}

@test "DEL leaves no element, also twice, and without namespace or ports" {
	cni ADD one "$ONE"
	[ -n "$(elements)" ]
	cni CHECK one "$ONE"
	cni DEL one "$ONE"
	[ -z "$(elements)" ]
	cni DEL one "$ONE"
	cni ADD one "$ONE"
	ports '[]'
	cni DEL one ""
	[ -z "$(elements)" ]
}

@test "CHECK sees a port that is missing" {
	cni ADD one "$ONE" >"$BATS_TEST_TMPDIR/result"
	change ".prevResult = $(cat "$BATS_TEST_TMPDIR/result")"
	cni CHECK one "$ONE"
	host nft flush map inet tote ports4
	run ! cni CHECK one "$ONE"
}

@test "containers go out to the world by the host's address, but not to each other" {
	cni ADD one "$ONE"
	neighbour TWO two
	serve "$MACHINE" far tcp 7000
	serve "$TWO" two tcp 7000
	answers "far 192.0.2.1" "$ONE" 192.0.2.2 7000
	[[ $(ask "$ONE" 2001:db8::2 7000) == "far 2001:db8::"[17] ]]
	answers "two 10.88.0.2" "$ONE" 10.88.0.3 7000
	cni DEL one "$ONE"
	# The one that is left still does.
	answers "far 192.0.2.1" "$TWO" 192.0.2.2 7000
}

@test "snat and masqAll decide whose address the container sees" {
	change '.plugins[1].masqAll = true'
	cni ADD one "$ONE"
	serve "$ONE" one tcp 80
	answers "one 10.88.0.1" "$MACHINE" 192.0.2.1 8080
	cni DEL one "$ONE"
	change '.plugins[1] |= (del(.masqAll) | .snat = false)'
	cni ADD one "$ONE"
	answers "one 192.0.2.2" "$MACHINE" 192.0.2.1 8080
	answers nothing "$ONE" 192.0.2.1 8080
}

@test "what the configuration says about iptables is accepted or refused" {
	change '.plugins[1].externalSetMarkChain = "KUBE-MARK-MASQ"'
	cni ADD one "$ONE"
	cni DEL one "$ONE"
	change '.plugins[1] |= (del(.externalSetMarkChain) | .markMasqBit = 7 | .conditionsV4 = [])'
	cni ADD one "$ONE"
	cni DEL one "$ONE"
	change '.plugins[1].conditionsV4 = ["!", "-d", "192.0.2.0/24"]'
	run cni ADD one "$ONE"
	[ "$status" = 1 ]
	[[ $output == *"conditionsV4 and conditionsV6 are not supported"* ]]
	for bad in '{"hostPort":0,"containerPort":80}' '{"hostPort":80,"containerPort":70000}' \
		'{"hostPort":80,"containerPort":80,"protocol":"icmp"}' '{"hostPort":80,"containerPort":80,"hostIP":"eth0"}'; do
		change 'del(.plugins[1].conditionsV4)'
		ports "[$bad]"
		run cni ADD one "$ONE"
		[ "$status" = 1 ]
		[[ $output == *portMappings* ]]
	done
	[ "$(containers)" = 0 ]
}

# CVE-2020-8558
@test "neighbours do not reach what listens on the host's 127.0.0.1" {
	cni ADD one "$ONE"
	host sysctl -qw net.ipv4.conf.shop0.rp_filter=0 net.ipv4.conf.all.rp_filter=0
	serve "$HOST" secret udp 9999 127.0.0.1
	at "$ONE" ip addr flush dev lo
	at "$ONE" sysctl -qw net.ipv4.conf.all.route_localnet=1
	at "$ONE" ip route add 127.0.0.1 via 10.88.0.1
	answers nothing "$ONE" 127.0.0.1 9999 udp
	# The test tells: without the guard it is reached.
	host nft flush chain inet tote guard
	answers "secret 10.88.0.2" "$ONE" 127.0.0.1 9999 udp
}

@test "many at the same time: each gets its port, and of those that want the same one does" {
	local pids=() i ok=0
	for i in $(seq 50); do
		new_namespace "C$i"
	done
	for i in $(seq 50); do
		name=C$i
		ports "[{\"hostPort\":$((9000 + i / 2)),\"containerPort\":80}]"
		cni ADD "c$i" "${!name}" >/dev/null 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		! wait "$pid" || ok=$((ok + 1))
	done
	[ "$ok" = 26 ]
	[ "$(containers)" = 26 ]
	[ "$(host nft list table inet tote | grep -c 'map @ports4 ')" = 1 ]
	for i in $(seq 50); do
		name=C$i
		cni DEL "c$i" "${!name}" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]:50}"
	[ -z "$(elements)" ]
}

@test "a sender of udp that never pauses reaches the container that has the port now" {
	ports '[{"hostPort":5140,"containerPort":514,"protocol":"udp"}]'
	at "$MACHINE" python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.2", 6000))
s.settimeout(0.1)
answers = []
for i in range(1500):
    time.sleep(0.05)
    try:
        s.sendto(b"?", ("192.0.2.1", 5140))
        answer = s.recv(100).decode()
    except OSError:
        continue
    if answer not in answers:
        answers.append(answer)
        print(answer, flush=True)
    if len(answers) == 2:
        break
' >"$BATS_TEST_TMPDIR/answers" 3>&- &
	sender=$!
	# It sends before anybody has the port.
	sleep 0.3
	cni ADD one "$ONE"
	serve "$ONE" one udp 514
	for i in $(seq 300); do grep -q one "$BATS_TEST_TMPDIR/answers" && break; sleep 0.1; done
	cni DEL one "$ONE"
	neighbour TWO two "$(jq -c .runtimeConfig.portMappings <<<"$conf")"
	serve "$TWO" two udp 514
	wait $sender
	cat "$BATS_TEST_TMPDIR/answers"
	[ "$(cat "$BATS_TEST_TMPDIR/answers")" = "$(printf 'one 192.0.2.2\ntwo 192.0.2.2')" ]
}
