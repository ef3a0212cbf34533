# SPDX-License-Identifier: Apache-2.0
# What the native shim costs, without containerd: see test_memory.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "execs leave nothing" { scenario execs_leave_nothing; }
@test "all scenarios are here" { all_here; }
