# SPDX-License-Identifier: Apache-2.0
# What the native shim does, without containerd: see test_frames.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "unknown methods" { scenario unknown_methods; }
@test "stream ids" { scenario stream_ids; }
@test "bad messages" { scenario bad_messages; }
@test "frame types" { scenario frame_types; }
@test "sizes" { scenario sizes; }
@test "pieces" { scenario pieces; }
@test "does not read" { scenario does_not_read; }
@test "many connections" { scenario many_connections; }
@test "other users" { scenario other_users; }
@test "long names" { scenario long_names; }
@test "names" { scenario names; }
@test "not utf8" { scenario not_utf8; }
@test "noise" { scenario noise; }
@test "all scenarios are here" { all_here; }
