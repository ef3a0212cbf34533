# SPDX-License-Identifier: Apache-2.0
# All other rows for the virtual machine, which `make check-vm` runs.
# One test a row of compare.py's table; `tests/netns/compare.py ROW` runs one by hand.

load ../bats
load compare

@test "every row has its test" {
	python3 "$BATS_TEST_DIRNAME/compare.py" --list --vm >"$BATS_TEST_TMPDIR/rows"
	each_has_its_test "$BATS_TEST_DIRNAME"/compare_vm*.bats <"$BATS_TEST_TMPDIR/rows"
}

@test "host-device-dummy as Debian's plugins make it" { row host-device-dummy; }
@test "macvlan-default-master as Debian's plugins make it" { row macvlan-default-master; }
@test "macvlan-private as Debian's plugins make it" { row macvlan-private; }
@test "macvlan-vepa as Debian's plugins make it" { row macvlan-vepa; }
@test "macvlan-passthru as Debian's plugins make it" { row macvlan-passthru; }
@test "ipvlan-l3 as Debian's plugins make it" { row ipvlan-l3; }
@test "ipvlan-l3s as Debian's plugins make it" { row ipvlan-l3s; }
@test "ipvlan-default-master as Debian's plugins make it" { row ipvlan-default-master; }
