# SPDX-License-Identifier: Apache-2.0
# What the native shim does, without containerd: see test_lifecycle.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "whole life" { scenario whole_life; }
@test "ends by signal" { scenario ends_by_signal; }
@test "short lives" { scenario short_lives; }
@test "ends while it starts" { scenario ends_while_it_starts; }
@test "never started" { scenario never_started; }
@test "no streams" { scenario no_streams; }
@test "program missing" { scenario program_missing; }
@test "bad bundles" { scenario bad_bundles; }
@test "create twice" { scenario create_twice; }
@test "id again" { scenario id_again; }
@test "pod" { scenario pod; }
@test "group names" { scenario group_names; }
@test "both services" { scenario both_services; }
@test "containerd restarts" { scenario containerd_restarts; }
@test "vanishing clients" { scenario vanishing_clients; }
@test "time limits" { scenario time_limits; }
@test "shutdown waits for the last" { scenario shutdown_waits_for_the_last; }
@test "before create" { scenario before_create; }
@test "many at once" { scenario many_at_once; }
@test "all scenarios are here" { all_here; }
