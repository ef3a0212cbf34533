# SPDX-License-Identifier: Apache-2.0
# The same as compare.bats, for kinds of links that not every kernel has: `make check` runs it in the virtual machine.
# One test a row of compare.py's table; `tests/netns/compare.py ROW` runs one by hand.

load ../bats
load compare

@test "bridge-vlan as Debian's plugins make it" { row bridge-vlan; }
@test "macvlan as Debian's plugins make it" { row macvlan; }
@test "ipvlan-l2 as Debian's plugins make it" { row ipvlan-l2; }
