# SPDX-License-Identifier: Apache-2.0
# What the native shim does, without containerd: see test_exec.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "whole exec" { scenario whole_exec; }
@test "child of the server" { scenario child_of_the_server; }
@test "ids" { scenario ids; }
@test "program missing" { scenario program_missing; }
@test "bad processes" { scenario bad_processes; }
@test "long arguments" { scenario long_arguments; }
@test "kills" { scenario kills; }
@test "before init starts" { scenario before_init_starts; }
@test "after init" { scenario after_init; }
@test "init ends last" { scenario init_ends_last; }
@test "init ends last in the hosts pids" { scenario init_ends_last_in_the_hosts_pids; }
@test "ends and starts at once" { scenario ends_and_starts_at_once; }
@test "paused meanwhile" { scenario paused_meanwhile; }
@test "output held open" { scenario output_held_open; }
@test "hundred at once" { scenario hundred_at_once; }
@test "back to the baseline" { scenario back_to_the_baseline; }
@test "all scenarios are here" { all_here; }
