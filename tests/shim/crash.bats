# SPDX-License-Identifier: Apache-2.0
# The native shim's workers, what they make, and its server, killed at every STEP-th system call: see test_crash.py.
bats_require_minimum_version 1.5.0
load scenarios

setup_file() {
	[ -z "${STEP:-}" ] || export SCENARIO_LIMIT=1200
}

@test "worker of a create" { scenario worker_of_create; }
@test "helper of a create" { scenario helper_of_create; }
@test "init of a create" { scenario init_of_create; }
@test "worker of an exec" { scenario worker_of_exec; }
@test "process of an exec" { scenario process_of_exec; }
@test "worker of a delete" { scenario worker_of_delete; }
@test "server in a create" { scenario server_in_create; }
@test "server in an exec" { scenario server_in_exec; }
@test "server in a delete" { scenario server_in_delete; }
@test "all scenarios are here" { all_here; }
