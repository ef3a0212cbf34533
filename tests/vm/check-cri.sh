#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check-vm` runs besides: pods through CRI where the host has cgroup v2 alone, with all controllers.
cd "$(dirname "$0")/../.." || exit 1
exec tests/vm/run --timeout 1500 -- env CRI_LIMIT=300 bats --tap -f 'statistics|OOMKilled|from its beginning' tests/shim/cri.bats
