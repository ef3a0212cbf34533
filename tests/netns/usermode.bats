#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Networks of ordinary users, carried by pasta and slirp4netns, from a network namespace that stands for the host.

bats_require_minimum_version 1.5.0
load ../cli/helpers
load net
load traffic

setup() {
	net_setup
	new_machine
	host ip route add default via 192.0.2.2
	[ -c /dev/net/tun ] || skip "no /dev/net/tun"
	make_rootfs
	export XDG_RUNTIME_DIR=$BATS_FILE_TMPDIR/runtime TOTE_STORE=$BATS_FILE_TMPDIR/store
	unset TOTE_NET_DIR
	mkdir -p "$XDG_RUNTIME_DIR" "$TOTE_STORE"
	chmod 700 "$XDG_RUNTIME_DIR" "$TOTE_STORE"
	chown 65534:65534 "$XDG_RUNTIME_DIR" "$TOTE_STORE"
	PROGRAMS=$BATS_FILE_TMPDIR/programs
	mkdir -p "$PROGRAMS"
	cp "$(dirname "$TOTE")"/tote{,-image,-net,-seccomp} "$PROGRAMS"
	open_way "$BATS_FILE_TMPDIR"
	tar -C "$ROOTFS" -c . | tote import -q - box:1 >/dev/null
}

teardown() { net_teardown; }

# Directories of the test that others must get through.
open_way() {
	local dir=$1
	while [ "$dir" != /tmp ] && [ "$dir" != / ]; do
		chmod o+x "$dir"
		dir=$(dirname "$dir")
	done
}

# An ordinary user on the namespace that stands for the host, whose /dev/net/tun is everybody's as distributions have it.
tote() {
	nsenter -t "$HOST" -n unshare --mount sh -c '
		mount -t tmpfs none /mnt && mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun &&
		exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"' sh "$PROGRAMS/tote" "$@"
}

need() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

ended() { ! pgrep -f "^[^ ]*$1 .*$2" >/dev/null; }

carries() { # NAME PORT
	local pid
	tote run --rm --network "$1" -p "$2:80" box:1 sh -c 'ip -o -4 addr; cat /etc/hosts; echo hello | timeout 20 nc -l -p 80' \
		>"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	eventually reads "$2"
	wait "$pid" || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
	cat "$BATS_TEST_TMPDIR/out"
	grep -q 'scope global' "$BATS_TEST_TMPDIR/out"
	grep -q localhost "$BATS_TEST_TMPDIR/out"
	eventually ended "$1" "$2"
	[ -z "$(find "$XDG_RUNTIME_DIR" -name 'pasta*' -o -name 'slirp*')" ]
}

listens() { [ -n "$(host ss -Hltn "sport = :$1")" ]; }

reads() { [ "$(host busybox nc -w 3 127.0.0.1 "$1" </dev/null)" = hello ]; }

@test "pasta: an address, a published port, and it ends with the container" {
	need pasta
	carries pasta 18080
}

@test "slirp4netns: the same" {
	need slirp4netns
	carries slirp4netns 18081
}

@test "a port alone means one of them" {
	need pasta
	run tote run --rm -p 18082:80 box:1 ip -o -4 addr
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *192.0.2.1* ]]
	eventually ended pasta 18082
}

@test "what cannot be is refused: sctp, a busy port, root's networks, neither program" {
	need pasta
	run -125 tote run --rm --network pasta -p 18083:80/sctp box:1 true
	[[ $output = *"TCP and UDP"* ]]
	run -125 tote run --rm --network bridge box:1 true
	[[ $output = *"only root"* ]]
	host busybox nc -l -p 18084 </dev/null >/dev/null 3>&- &
	eventually listens 18084
	run -125 tote run --rm --network pasta -p 18084:80 box:1 true
	echo "$output"
	kill "$!"
	[[ $output = *"18084/tcp of the host is in use"* ]]
	run -125 env PATH=/nowhere /usr/bin/nsenter -t "$HOST" -n /usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$PROGRAMS/tote" run --rm --network pasta box:1 true
	echo "$output"
	[[ $output = *"not on PATH"*passt* ]]
}
