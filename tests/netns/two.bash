# SPDX-License-Identifier: Apache-2.0
# Two network namespaces of the test's own: HOST stands for the host, BOX for a container. The host's real interfaces are never touched.
#
#   load two
#   setup()    { make_two tote-cni; }      # the program under test: its path is in $PROGRAM
#   teardown() { end_two [PID...]; }
load ../bats

make_two() { # PROGRAM
	HOST='' BOX=''
	PROGRAM=${BUILD:-$BATS_TEST_DIRNAME/../../build}/$1
	[ "${PROGRAM#/}" != "$PROGRAM" ] || PROGRAM=$BATS_TEST_DIRNAME/../../$PROGRAM
	[ -x "$PROGRAM" ] || { echo "$PROGRAM is not built"; return 1; }
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare --net true 2>/dev/null || skip "cannot make network namespaces"
	unshare --net sleep 600 3>&- & HOST=$!
	unshare --net sleep 600 3>&- & BOX=$!
	wait_for_netns $HOST
	wait_for_netns $BOX
}

# With other processes of the test.
end_two() { # PID...
	local pid
	for pid in $HOST $BOX "$@"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
}

wait_for_netns() { # PID
	local i
	for i in $(seq 600); do
		[ "$(readlink "/proc/$1/ns/net")" = "$(readlink /proc/$$/ns/net)" ] || return 0
		sleep 0.05
	done
	return 1
}

host() { nsenter -t "$HOST" -n "$@"; }
box() { nsenter -t "$BOX" -n "$@"; }
