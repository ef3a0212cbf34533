# SPDX-License-Identifier: Apache-2.0
# What the native shim does, without containerd: see test_io.py.
bats_require_minimum_version 1.5.0
load scenarios

@test "stdin half close" { scenario stdin_half_close; }
@test "close before start" { scenario close_before_start; }
@test "much output" { scenario much_output; }
@test "much input" { scenario much_input; }
@test "slow reader" { scenario slow_reader; }
@test "reader goes and comes" { scenario reader_goes_and_comes; }
@test "removed fifos" { scenario removed_fifos; }
@test "nobody reads" { scenario nobody_reads; }
@test "exec that nobody reads" { scenario exec_that_nobody_reads; }
@test "a slow reader at the end" { scenario slow_reader_at_the_end; }
@test "some streams" { scenario some_streams; }
@test "to a file" { scenario to_a_file; }
@test "to a logger" { scenario to_a_logger; }
@test "unknown schemes" { scenario unknown_schemes; }
@test "terminal" { scenario terminal; }
@test "terminal of an exec" { scenario terminal_of_an_exec; }
@test "terminal to its end" { scenario terminal_to_its_end; }
@test "terminal keys" { scenario terminal_keys; }
@test "reopened" { scenario reopened; }
@test "open files" { scenario open_files; }
@test "out of descriptors" { scenario out_of_descriptors; }
@test "all scenarios are here" { all_here; }
