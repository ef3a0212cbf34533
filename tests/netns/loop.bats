# SPDX-License-Identifier: Apache-2.0
# Nothing is left: of many ADDs and DELs, of many at the same time, of those that were killed in the middle. All in a network
# and mount namespace that stand for a host of the test's own.
#
#   LOOP=1000         rounds of the first test
#   STEP=1 OFFSET=0   of the sweeps: every STEP-th system call, beginning with the OFFSET-th

load ../bats

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -nm true 2>/dev/null || skip "cannot make namespaces"
	root=$BATS_TEST_DIRNAME/../..
	CNI=${BUILD:-$root/build}/tote-cni
	[ "${CNI#/}" != "$CNI" ] || CNI=$root/$CNI
	FAULT=${FAULT:-${BUILD:-$root/build}/tests/fault/fault}
	[ "${FAULT#/}" != "$FAULT" ] || FAULT=$root/$FAULT
	[ -x "$CNI" ] || { echo "$CNI is not built"; return 1; }
	export CNI FAULT LOOP=${LOOP:-1000} STEP=${STEP:-3} OFFSET=${OFFSET:-$((10#$(date +%j) % ${STEP:-3}))}
	cat >"$BATS_TEST_TMPDIR/prelude" <<-'END'
		set -u
		mount --make-rprivate / && mount -t tmpfs tmpfs /run
		ip link set lo up
		export CNI_PATH=/usr/lib/cni CNI_IFNAME=eth0
		conf='{"cniVersion": "1.0.0", "name": "shop", "plugins": [
			{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
				"ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24"}], [{"subnet": "fd00:88::/64"}]],
					"routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}},
			{"type": "portmap", "capabilities": {"portMappings": true}}, MORE
			{"type": "tuning", "mtu": 1400}],
			"runtimeConfig": {"portMappings": [{"hostPort": PORT, "containerPort": 80, "protocol": "tcp"}]}}'
		cni() { # COMMAND ID PORT [PROGRAM...]
			local text=${conf/PORT/$3} id=$2
			export CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2
			shift 3
			"$@" "$CNI" <<<"${text/MORE/${more:-}}"
		}
		elements() {
			nft list table inet tote 2>/dev/null | awk '/elements = \{/ { inside = 1 } inside { print } /\}/ { inside = 0 }'
		}
		# What is left; nothing when all is well. Interfaces that are being removed are given a second.
		left() {
			local i links
			for ((i = 0; i < 50; i++)); do
				links=$(ip -o link | grep -vE '^[0-9]+: (lo|cni0):')
				[ -n "$links" ] || break
				sleep 0.02
			done
			[ -z "$links" ] || echo "link: $links"
			elements | sed 's/^/element: /'
			[ ! -d /run/tote-net ] || find /run/tote-net -mindepth 1 ! -type d ! -name 'last_reserved_ip.*' |
				sed 's/^/file: /'
			[ ! -d /run/tote-net/attachments ] || find /run/tote-net/attachments -mindepth 1 | sed 's/^/record: /'
		}
	END
}

# Runs a script in namespaces of its own.
on_a_host() {
	cat "$BATS_TEST_TMPDIR/prelude" - >"$BATS_TEST_TMPDIR/script"
	run timeout -k 5 "$1" unshare -nm --propagation private bash "$BATS_TEST_TMPDIR/script" 3>&-
	echo "$output" | tail -40
	[ "$status" = 0 ]
}

@test "after 1,000 times ADD and DEL nothing is left" {
	on_a_host 300 <<-'END'
		ip netns add box
		before=$(ls /run/netns | wc -l)
		for ((i = 1; i <= LOOP; i++)); do
			cni ADD box 8080 >/run/answer || { cat /run/answer; echo "ADD $i failed"; exit 1; }
			cni DEL box 8080 || { echo "DEL $i failed"; exit 1; }
		done
		[ -z "$(left)" ] || { left; exit 1; }
		[ "$(ls /run/netns | wc -l)" = "$before" ]
		[ -z "$(ip netns exec box ip -o link | grep -v ': lo:')" ]
	END
}

@test "50 at the same time have 50 different addresses, and leave nothing" {
	on_a_host 120 <<-'END'
		mkdir /run/answers
		for ((i = 1; i <= 50; i++)); do ip netns add box$i; done
		for ((i = 1; i <= 50; i++)); do
			{ cni ADD box$i $((9000 + i)) >/run/answers/$i || touch /run/failed; } &
		done
		wait
		[ ! -e /run/failed ] || { cat /run/answers/*; exit 1; }
		for family in '"10\.88[^"]*"' '"fd00:88[^"]*/64"'; do
			count=$(cat /run/answers/* | grep -oE "\"address\": *$family" | sort -u | wc -l)
			[ "$count" = 50 ] || { echo "$count different addresses"; exit 1; }
		done
		[ "$(for ((i = 1; i <= 50; i++)); do ip netns exec box$i ip -4 -o addr show dev eth0; done | awk '{ print $4 }' | sort -u | wc -l)" = 50 ]
		[ "$(ip -o link show type veth | wc -l)" = 50 ]
		for ((i = 1; i <= 50; i++)); do
			{ cni DEL box$i $((9000 + i)) || touch /run/failed; } &
		done
		wait
		[ ! -e /run/failed ]
		[ -z "$(left)" ] || { left; exit 1; }
	END
}

@test "an ADD that is killed at any system call leaves only what DEL removes" {
	[ -x "$FAULT" ] || skip "$FAULT is not built"
	on_a_host 500 <<-'END'
		ip netns add box
		cni ADD box 8080 >/run/answer || { cat /run/answer; exit 1; }
		cni DEL box 8080
		total=$(cni ADD box 8080 "$FAULT" count -- 2>/run/answer) || { cat /run/answer; exit 1; }
		cni DEL box 8080
		echo "calls: $total"
		[ "$total" -gt 20 ] || exit 1
		for ((n = 1 + OFFSET; n <= total; n += STEP)); do
			cni ADD box 8080 "$FAULT" kill -n $n -v -- >/run/answer 2>/run/hit
			cni DEL box 8080 >/run/answer || { echo "killed at $n: DEL fails"; cat /run/hit /run/answer; failed=1; }
			[ -z "$(left)" ] || { echo "killed at $n:"; cat /run/hit; left; failed=1; break; }
			[ -z "$(ip netns exec box ip -o link | grep -v ': lo:')" ] || { echo "killed at $n: link left inside"; exit 1; }
		done
		exit ${failed:-0}
	END
}

@test "a DEL that is killed at any system call leaves only what another removes" {
	[ -x "$FAULT" ] || skip "$FAULT is not built"
	on_a_host 500 <<-'END'
		ip netns add box
		cni ADD box 8080 >/run/answer || { cat /run/answer; exit 1; }
		total=$(cni DEL box 8080 "$FAULT" count -- 2>/run/answer) || { cat /run/answer; exit 1; }
		echo "calls: $total"
		[ "$total" -gt 20 ] || exit 1
		for ((n = 1 + OFFSET; n <= total; n += STEP)); do
			cni ADD box 8080 >/run/answer || { echo "before $n: ADD fails"; cat /run/answer; exit 1; }
			cni DEL box 8080 "$FAULT" kill -a -n $n -v -- >/run/answer 2>/run/hit
			cni DEL box 8080 >/run/answer || { echo "killed at $n: DEL fails"; cat /run/hit /run/answer; failed=1; }
			[ -z "$(left)" ] || { echo "killed at $n:"; cat /run/hit; left; failed=1; break; }
		done
		exit ${failed:-0}
	END
}

@test "the same with limits of bandwidth" {
	[ -x "$FAULT" ] || skip "$FAULT is not built"
	unshare -n ip link add probe type ifb 2>/dev/null || skip "the kernel has no ifb"
	on_a_host 500 <<-'END'
		more='{"type": "bandwidth", "ingressRate": 8000000, "ingressBurst": 80000, "egressRate": 8000000, "egressBurst": 80000},'
		ip netns add box
		total=$(cni ADD box 8080 "$FAULT" count -- 2>/run/answer) || { cat /run/answer; exit 1; }
		ip -o link show type ifb | grep -q . || exit 1
		cni DEL box 8080
		for ((n = 1 + OFFSET; n <= total; n += STEP)); do
			cni ADD box 8080 "$FAULT" kill -n $n -v -- >/run/answer 2>/run/hit
			cni DEL box 8080 >/run/answer || { echo "killed at $n: DEL fails"; cat /run/hit /run/answer; failed=1; }
			[ -z "$(left)" ] || { echo "killed at $n:"; cat /run/hit; left; failed=1; break; }
		done
		exit ${failed:-0}
	END
}

@test "DEL goes well when the namespace is gone, and twice" {
	on_a_host 60 <<-'END'
		ip netns add box
		cni ADD box 8080 >/run/answer || { cat /run/answer; exit 1; }
		ip netns del box
		cni DEL box 8080 && cni DEL box 8080 || exit 1
		[ -z "$(left)" ] || { left; exit 1; }
	END
}
