#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Layers that mean harm, unpacked beside a canary: hostile.py makes them, hostile.c unpacks and judges.
# HOSTILE_SEED=N repeats a run of random ones, HOSTILE_COUNT=N makes more of them.

load ../bats

setup_file() {
	DIR=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/hostile.XXXXXX")
	export DIR
	mkdir "$DIR/named" "$DIR/random"
	python3 "$BATS_TEST_DIRNAME/hostile.py" named "$DIR/named" "$DIR/work" >"$DIR/count"
}

teardown_file() {
	rm -rf "$DIR"
}

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	rm -rf "$DIR/work"
	mkdir "$DIR/work"
}

hostile() {
	mode=$1
	shift
	run timeout 300 "$BUILD/tests/image/hostile" "$DIR/work" "$mode" "$@"
	echo "$output"
}

@test "at least 138 named layers are made" {
	[ "$(cat "$DIR/count")" -ge 138 ]
}

@test "GNU tar -P escapes, and the rig sees it" {
	hostile control "$DIR"/named/*-link-*.tar "$DIR"/named/*-dotted-*.tar "$DIR"/named/*-absolute-*.tar
	[ "$status" -eq 0 ]
	escaped=$(echo "$output" | sed -n 's/.* \([0-9]*\) escaped.*/\1/p')
	[ "$escaped" -ge 20 ]
}

@test "named layers, the extractor alone" {
	hostile bare "$DIR"/named/*.tar
	[ "$status" -eq 0 ]
}

@test "named layers, confined" {
	hostile confined "$DIR"/named/*.tar
	[ "$status" -eq 0 ]
	# the process that waits for bombs stays small
	[ "$(echo "$output" | sed -n 's/.* \([0-9]*\) KiB.*/\1/p')" -le 8192 ]
}

@test "random layers, confined, and a fifth by the extractor alone" {
	seed=${HOSTILE_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
	echo "HOSTILE_SEED=$seed"
	python3 "$BATS_TEST_DIRNAME/hostile.py" random "$DIR/random" "$DIR/work" "$seed" "${HOSTILE_COUNT:-1000}"
	hostile bare "$DIR"/random/*[05].tar
	[ "$status" -eq 0 ]
	rm -rf "$DIR/work"
	mkdir "$DIR/work"
	hostile confined "$DIR"/random/*.tar
	[ "$status" -eq 0 ]
}
