#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check-vm` runs besides: every other kind and mode of link.
cd "$(dirname "$0")/../.." || exit 1
exec tests/vm/run --timeout 900 --file-timeout 800 tests/netns/compare_vm_more.bats
