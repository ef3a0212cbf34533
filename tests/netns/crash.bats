# SPDX-License-Identifier: Apache-2.0
# tote-cni is killed, or a call fails, at every STEP-th system call of an ADD and of a DEL on a bridge with ports. Then one
# DEL must leave nothing: no interface, lease, record, or element in nf_tables. STEP=1 does every call.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	HOST= BOX=
	root=$BATS_TEST_DIRNAME/../..
	CNI=${BUILD:-build}/tote-cni
	FAULT=${FAULT:-${BUILD:-build}/tests/fault/fault}
	[ "${CNI#/}" != "$CNI" ] || CNI=$root/$CNI
	[ "${FAULT#/}" != "$FAULT" ] || FAULT=$root/$FAULT
	[ -x "$CNI" ] && [ -x "$FAULT" ] || { echo "$CNI or $FAULT is not built"; return 1; }
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare --net true 2>/dev/null || skip "cannot make network namespaces"
	unshare --net sleep 600 3>&- & HOST=$!
	unshare --net sleep 600 3>&- & BOX=$!
	for pid in $HOST $BOX; do
		for i in $(seq 600); do
			[ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$$/ns/net)" ] || break
			sleep 0.05
		done
	done
	host ip link add t0 type veth peer name t1 2>/dev/null || skip "the kernel has no veth interfaces"
	host ip link del t0
	host ip link add t0 type bridge 2>/dev/null || skip "the kernel has no bridges"
	host ip link del t0
	STEP=${STEP:-7}
	OFFSET=${OFFSET:-$((10#$(date +%j) % STEP))}
	cd "$BATS_TEST_TMPDIR"
	export TOTE_NET_DIR=$PWD/run CNI_PATH=/nonexistent
	export CNI_CONTAINERID=box1 CNI_IFNAME=eth0 CNI_NETNS=/proc/$BOX/ns/net
	cat >conf <<-END
		{"cniVersion":"1.0.0","name":"shop","plugins":[{"type":"bridge","bridge":"shop0","isGateway":true,"ipMasq":true,
			"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/24"}],[{"subnet":"fd88::/64"}]]}},
			{"type":"portmap","capabilities":{"portMappings":true}},{"type":"firewall"}],
		"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}
	END
}

teardown() {
	local pid
	for pid in $HOST $BOX; do
		kill $pid 2>/dev/null
		wait $pid || true
	done
}

host() { nsenter -t $HOST -n "$@"; }

cni() { # COMMAND [PROGRAM WITH OPTIONS...]
	local command=$1
	shift
	host env CNI_COMMAND=$command timeout 60 "$@" "$CNI" <conf
}

left() { # what there is of the container
	host ip -o link show type veth
	nsenter -t $BOX -n ip -o link show eth0 2>/dev/null
	find run/leases -type f ! -name 'last_reserved_ip.*' ! -name lock 2>/dev/null
	find run/leases -type l 2>/dev/null
	find run/attachments -mindepth 1 2>/dev/null
	# Elements have their owner as a comment; what is of the network stays, as its bridge does.
	! command -v nft >/dev/null || host nft list ruleset | grep -E 'comment "[0-9a-f]{24}"' || true
}

# Interfaces are destroyed by a child that outlives DEL; what is listed still is on its way.
nothing_left() {
	local i
	for i in $(seq 600); do
		[ -n "$(left)" ] || return 0
		sleep 0.05
	done
	left
	return 1
}

sweep() { # ADD|DEL VERB OPTION...: each point; the ADD before a DEL is whole
	local command=$1 n count points=0
	shift
	[ $command = ADD ] || cni ADD >/dev/null
	count=$(cni $command "$FAULT" count -c -- 2>/dev/null | tail -n 1)
	[ $command = DEL ] || cni DEL
	[ "$count" -ge 50 ]
	for ((n = 1 + OFFSET; n <= count; n += STEP)); do
		[ $command = ADD ] || cni ADD >/dev/null || { echo "point $n: the ADD before"; return 1; }
		cni $command "$FAULT" "$@" -n $n -c -- >said 2>&1 || true
		cni DEL >after 2>&1 || { echo "point $n of $count: $(cat said after)"; return 1; }
		nothing_left || { echo "point $n of $count: $(cat said)"; return 1; }
		points=$((points + 1))
	done
	[ $points -ge $((count / STEP)) ]
}

@test "ADD killed anywhere" {
	sweep ADD kill -a
}

@test "DEL killed anywhere" {
	sweep DEL kill -a
}

@test "ADD with a call that fails" {
	sweep ADD fail -e ENOMEM
}

@test "DEL with a call that fails" {
	sweep DEL fail -e EIO
}

@test "ADD killed anywhere, and again before the DEL" {
	count=$(cni ADD "$FAULT" count -c -- 2>/dev/null | tail -n 1)
	cni DEL
	for ((n = 1 + OFFSET; n <= count; n += STEP * 2)); do
		cni DEL
		cni ADD "$FAULT" kill -a -n $n -c -- >said 2>&1 || true
		# All was done, and only the result not written: to add it twice is an error.
		! jq -e .done run/attachments/box1/eth0 >/dev/null 2>&1 || continue
		cni ADD >again 2>&1 || { echo "point $n of $count: $(cat again)"; return 1; }
		[ "$(host ip -o link show type veth | grep -c shop0)" = 1 ]
		cni DEL >after 2>&1 || { echo "point $n of $count: $(cat after)"; return 1; }
		nothing_left || { echo "point $n of $count"; return 1; }
	done
}
