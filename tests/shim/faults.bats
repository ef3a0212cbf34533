# SPDX-License-Identifier: Apache-2.0
# What the native shim does, without containerd: see test_faults.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "slow create" { scenario slow_create; }
@test "client leaves a slow create" { scenario client_leaves_a_slow_create; }
@test "server killed" { scenario server_killed; }
@test "server killed after an exit" { scenario server_killed_after_an_exit; }
@test "server of a pod killed" { scenario server_of_a_pod_killed; }
@test "server killed while it creates" { scenario server_killed_while_it_creates; }
@test "worker killed" { scenario worker_killed; }
@test "terminated" { scenario terminated; }
@test "other signals" { scenario other_signals; }
@test "stale socket" { scenario stale_socket; }
@test "bundle removed" { scenario bundle_removed; }
@test "full disk" { scenario full_disk; }
@test "events away" { scenario events_away; }
@test "events lost on the way" { scenario events_lost_on_the_way; }
@test "no events" { scenario no_events; }
@test "many events away" { scenario many_events_away; }
@test "lean" { scenario lean; }
@test "all scenarios are here" { all_here; }
