# SPDX-License-Identifier: Apache-2.0
# tote-cni between network namespaces of the test's own: HOST stands for the host, others for containers and machines.
# The host's real interfaces are never touched.

net_setup() {
	NAMESPACES=()
	root=$BATS_TEST_DIRNAME/../..
	CNI=${BUILD:-build}/tote-cni
	[ "${CNI#/}" != "$CNI" ] || CNI=$root/$CNI
	[ -x "$CNI" ] || { echo "$CNI is not built"; return 1; }
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare --net true 2>/dev/null || skip "cannot make network namespaces"
	new_namespace HOST
	host ip link set lo up
	# A new namespace begins with the host's settings.
	host tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding >/dev/null <<<0
	host ip link add t0 type bridge 2>/dev/null || skip "the kernel has no bridges"
	host ip link del t0
	export TOTE_NET_DIR=$BATS_TEST_TMPDIR/run CNI_PATH=/nonexistent
}

net_teardown() {
	local pid
	for pid in "${NAMESPACES[@]}"; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" || true
	done
}

new_namespace() { # VARIABLE: takes the id of a process that keeps it
	local pid i
	unshare --net sleep "${NET_SECONDS:-300}" 3>&- &
	pid=$!
	NAMESPACES+=($pid)
	for i in $(seq 600); do
		[ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$$/ns/net)" ] || break
		sleep 0.02
	done
	eval "$1=$pid"
}

at() { nsenter -t "$1" -n "${@:2}"; }
host() { at "$HOST" "$@"; }

cni() { # COMMAND CONTAINER PID [NAME=VALUE...] with the configuration in $conf
	local path=
	[ -z "$3" ] || path=/proc/$3/ns/net
	host env CNI_COMMAND="$1" CNI_CONTAINERID="$2" CNI_NETNS="$path" CNI_IFNAME=eth0 "${@:4}" "$CNI" <<<"$conf"
}

ping4() { at "$1" busybox ping -c 1 -W 2 "$2" >/dev/null; }
ping6() { at "$1" busybox ping -6 -c 1 -W 2 "$2" >/dev/null; }

veths() { host ip -o link show type veth | wc -l; }
leases() { find "$TOTE_NET_DIR/leases" -name '*[.:]*' ! -name '.*' ! -name 'last_*' ! -name lock 2>/dev/null | wc -l; }
has_address() { # PID INTERFACE ADDRESS
	at "$1" ip -j addr show dev "$2" |
		jq -e --arg a "$3" '.[0].addr_info | any("\(.local)/\(.prefixlen)" == $a)' >/dev/null
}
