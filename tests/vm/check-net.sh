#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs in the virtual machine as the host's kernel may not have it: macvlan, ipvlan, VLANs.
cd "$(dirname "$0")/../.." || exit 1
exec tests/vm/run --timeout 900 --file-timeout 800 tests/netns/compare_vm.bats
