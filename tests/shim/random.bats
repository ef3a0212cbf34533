# SPDX-License-Identifier: Apache-2.0
# What the native shim does, without containerd: see test_random.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "schedules" { scenario schedules; }
@test "all scenarios are here" { all_here; }
