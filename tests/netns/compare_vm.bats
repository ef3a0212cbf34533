# SPDX-License-Identifier: Apache-2.0
# The same as compare.bats, for kinds of links that not every kernel has: `make check` runs it in the virtual machine.
# One test a row of compare.py's table; `tests/netns/compare.py ROW` runs one by hand.

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -nm true 2>/dev/null || skip "cannot make namespaces"
	[ -x /usr/lib/cni/bridge ] || skip "Debian's containernetworking-plugins are not installed"
	command -v tc >/dev/null || skip "tc is not installed"
}

row() {
	run timeout -k 5 400 python3 "$BATS_TEST_DIRNAME/compare.py" "$1"
	echo "$output"
	[[ $output != "skip "* ]] || skip "${output#*: }"
	[ "$status" = 0 ]
	[ "$output" = "ok $1" ]
}

@test "every row has its test" {
	for row in $(python3 "$BATS_TEST_DIRNAME/compare.py" --list --vm); do
		grep -q "{ row $row; }" "$BATS_TEST_FILENAME" || { echo "$row has none"; return 1; }
	done
}

@test "bridge-vlan as Debian's plugins make it" { row bridge-vlan; }
@test "host-device-dummy as Debian's plugins make it" { row host-device-dummy; }
@test "macvlan as Debian's plugins make it" { row macvlan; }
@test "macvlan-default-master as Debian's plugins make it" { row macvlan-default-master; }
@test "macvlan-private as Debian's plugins make it" { row macvlan-private; }
@test "macvlan-vepa as Debian's plugins make it" { row macvlan-vepa; }
@test "macvlan-passthru as Debian's plugins make it" { row macvlan-passthru; }
@test "ipvlan-l2 as Debian's plugins make it" { row ipvlan-l2; }
@test "ipvlan-l3 as Debian's plugins make it" { row ipvlan-l3; }
@test "ipvlan-l3s as Debian's plugins make it" { row ipvlan-l3s; }
@test "ipvlan-default-master as Debian's plugins make it" { row ipvlan-default-master; }
