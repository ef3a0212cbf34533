#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs in the virtual machine, as the host may not have cgroup v2 alone: limits that are felt, the unit
# tests of groups once more, and the shim's statistics and OOM events.
cd "$(dirname "$0")/../.." || exit 1
for source in tests/cgroups/test_*.c; do
	set -- "$@" "${BUILD:-build}/${source%.c}"
done
exec tests/vm/run --timeout 1500 --file-timeout 600 "$@" tests/cgroups/*.bats tests/cli/update.bats tests/shim/control.bats
