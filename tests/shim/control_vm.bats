# SPDX-License-Identifier: Apache-2.0
# Of control.bats what is another thing where every controller is on cgroup v2, as in the virtual machine. See test_control.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "update" { scenario update; }
@test "stats" { scenario stats; }
@test "oom" { scenario oom; }
