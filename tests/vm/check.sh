#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs in the virtual machine, as the host may not have cgroup v2 alone: limits that are felt, the unit tests of
# groups once more, the shim's statistics and OOM events; and as its kernel may lack macvlan, ipvlan and VLANs: networks of these.
cd "$(dirname "$0")/../.." || exit 1
for source in tests/cgroups/test_*.c; do
	set -- "$@" "${BUILD:-build}/${source%.c}"
done
exec tests/vm/run --timeout 2900 --file-timeout 1500 "$@" tests/cgroups/*.bats tests/shim/*_vm.bats tests/netns/compare_vm.bats
