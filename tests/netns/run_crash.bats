#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `tote run --network` is killed at every STEP-th system call, its own and those of tote-net, tote-init and the program.
# Then `delete --force`, or the loss of the state, and `tote network gc` must leave nothing. STEP=1 does every call.

bats_require_minimum_version 1.5.0
load ../cli/helpers
load net

setup() {
	NET_SECONDS=3000 # all calls take longer than a test mostly does
	net_setup
	make_bundle
	FAULT=${FAULT:-${BUILD:-build}/tests/fault/fault}
	[ "${FAULT#/}" != "$FAULT" ] || FAULT=$root/$FAULT
	[ -x "$FAULT" ] || { echo "$FAULT is not built"; return 1; }
	export TOTE_STORE=$BATS_FILE_TMPDIR/store NETCONFPATH=$BATS_TEST_TMPDIR/net.d
	mkdir "$NETCONFPATH"
	STEP=${STEP:-71}
	OFFSET=${OFFSET:-$((10#$(date +%j) % STEP))}
	command_is true
}

teardown() {
	clean_up
	net_teardown
}

tote() { host timeout 20 "$TOTE" --root "$ROOT" "$@"; }

left() {
	host ip -o link show type veth
	host nft -j list table inet tote 2>/dev/null | jq -c '.. | .elem? // empty'
	find "$TOTE_NET_DIR"/{leases,attachments,names} -mindepth 1 ! -type d ! -name 'last_reserved_ip.*' 2>/dev/null
	find "$TOTE_NET_DIR"/{attachments,names} -mindepth 1 -type d 2>/dev/null
	find "$ROOT" -mindepth 1 -maxdepth 1 ! -name .seccomp
	return 0
}

# A namespace and what is in it are destroyed by the kernel's own time.
nothing_left() {
	local i found
	for i in $(seq 600); do
		found=$(left)
		[ -n "$found" ] || return 0
		sleep 0.05
	done
	echo "left: $found"
	return 1
}

under_fault() { # VERB [OPTION...] -- OPTION...: of run
	local -a fault=()
	while [ "$1" != -- ]; do
		fault+=("$1")
		shift
	done
	host "$FAULT" "${fault[@]}" -t 20 -c -- "$TOTE" --root "$ROOT" run --network bridge -p 8080:80 "${@:2}"
}

delete_it() { tote delete --force "$1" || [ "$(ls -A "$ROOT")" = "" ]; }

lose_it() {
	rm -rf "${ROOT:?}/$1"
	rmdir "$(cgroup2_mount)/tote-$1" 2>/dev/null || true
}

sweep() { # END ID KILL... -- RUN...: END is called with the id after each point
	local end=$1 id=$2 count n points=0
	local -a kill=()
	shift 2
	while [ "$1" != -- ]; do
		kill+=("$1")
		shift
	done
	count=$(under_fault count "$@" 2>"$BATS_TEST_TMPDIR/said" | tail -n 1) || { cat "$BATS_TEST_TMPDIR/said"; return 1; }
	[ "$count" -ge 300 ]
	$end "$id"
	nothing_left
	for ((n = 1 + OFFSET; n <= count; n += STEP)); do
		under_fault "${kill[@]}" -v -n $n "$@" >"$BATS_TEST_TMPDIR/said" 2>&1 || true
		$end "$id" >"$BATS_TEST_TMPDIR/after" 2>&1 && tote network gc >>"$BATS_TEST_TMPDIR/after" 2>&1 ||
			{ echo "point $n of $count: $(cat "$BATS_TEST_TMPDIR"/{said,after})"; return 1; }
		nothing_left || { echo "point $n of $count: $(cat "$BATS_TEST_TMPDIR"/{said,after})"; return 1; }
		points=$((points + 1))
	done
	[ $points -ge $((count / STEP)) ]
}

@test "whoever makes the call is killed, then delete --force" {
	sweep delete_it "$ID" kill -- "$ID"
}

@test "all are killed, then delete --force" {
	sweep delete_it "$ID" kill -a -- "$ID"
}

@test "all are killed, and the state is lost" {
	sweep lose_it "$ID" kill -a -- "$ID"
}

@test "all are killed, with names and an image, then delete --force" {
	tar -C "$ROOTFS" -c . | "$TOTE" import -q - box:1 >/dev/null
	sweep delete_it till kill -a -- --name till box:1 true
}
