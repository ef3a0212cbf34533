# SPDX-License-Identifier: Apache-2.0
# What the native shim does, without containerd: see test_control.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "signals" { scenario signals; }
@test "kill all" { scenario kill_all; }
@test "pids" { scenario pids; }
@test "pause and resume" { scenario pause_and_resume; }
@test "killed while paused" { scenario killed_while_paused; }
@test "refusals of states" { scenario refusals_of_states; }
@test "refusals of execs" { scenario refusals_of_execs; }
@test "checkpoint" { scenario checkpoint; }
@test "update" { scenario update; }
@test "stats" { scenario stats; }
@test "stats without a group" { scenario stats_without_a_group; }
@test "stats often" { scenario stats_often; }
@test "oom" { scenario oom; }
@test "all scenarios are here" { all_here; }
