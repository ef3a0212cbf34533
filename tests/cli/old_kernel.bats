#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A kernel that answers ENOSYS to newer system calls: what is missing and since when is said, and nothing is left behind.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	command_is true
	: "${FAULT:=$BATS_TEST_DIRNAME/../../build/tests/fault/fault}"
	[ -x "$FAULT" ] || skip "needs $FAULT (make fault-tool)"
}

teardown() {
	clean_up
}

@test "each system call that a start needs is named by the Linux that has it" {
	for call in clone3 openat2 close_range mount_setattr open_tree move_mount fsopen fsmount; do
		run --separate-stderr "$FAULT" enosys -s "$call" -- "$TOTE" --root "$ROOT" run "$ID"
		echo "$call: $status $stderr"
		[ "$status" = 1 ]
		[[ $stderr == *"needs Linux >= 5."* ]]
		nothing_left
	done
}
