#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs in the virtual machine with systemd: the systemd cgroup manager.
cd "$(dirname "$0")/../.." || exit 1
exec tests/vm/run --systemd --timeout 1500 --file-timeout 900 tests/systemd/*.bats
