# SPDX-License-Identifier: Apache-2.0
# ps: the processes of a container, as a list of pids and as ps(1) shows them.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
}

teardown() {
	[ -z "${GROUP:-}" ] || [ ! -d "$GROUP" ] || echo 1 >"$GROUP/cgroup.kill"
	clean_up
}

pid_of_init() {
	tote state "$ID" | jq .pid
}

@test "JSON is an array of pids as the caller sees them" {
	background
	[ "$(tote ps --format json "$ID")" = "[$(pid_of_init)]" ]
	[ "$(tote ps -f=json "$ID")" = "[$(pid_of_init)]" ]
}

@test "processes in groups below are listed" {
	background sh -c 'sleep 1000 & sleep 1000'
	GROUP=$(cgroup2_mount)/tote-$ID
	eventually eval '[ $(wc -l <"$GROUP/cgroup.procs") = 2 ]'
	mkdir -p "$GROUP/below/deeper"
	tail -n 1 "$GROUP/cgroup.procs" >"$GROUP/below/deeper/cgroup.procs"
	[ "$(wc -l <"$GROUP/cgroup.procs")" = 1 ]
	[ "$(tote ps -f json "$ID" | jq -c sort)" = "$(cat "$GROUP/cgroup.procs" "$GROUP/below/deeper/cgroup.procs" | jq -sc sort)" ]
	[ "$(tote ps "$ID" | wc -l)" = 3 ]
}

@test "the table is what ps -ef says of them" {
	background
	pid=$(pid_of_init)
	tote ps "$ID" >"$BATS_TEST_TMPDIR/table"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/table")" = 2 ]
	[[ $(head -n 1 "$BATS_TEST_TMPDIR/table") == UID*PID*PPID* ]]
	[ "$(awk 'NR == 2 { print $2 }' "$BATS_TEST_TMPDIR/table")" = "$pid" ]
	[ "$(tote ps --format table "$ID" | awk 'NR == 2 { print $2 }')" = "$pid" ]
}

@test "arguments are for ps(1), with blanks and quotes" {
	background
	pid=$(pid_of_init)
	[ "$(tote ps "$ID" -e -o pid,ppid,args | awk 'NR == 2 { print $1, $3, $4 }')" = "$pid sleep 1000" ]
	[ "$(tote ps "$ID" -e -o "ppid pid" | awk 'NR == 2 { print $2 }')" = "$pid" ]
	refuses_ps "does not take these arguments" "it's none"
}

# As refuses, without counting what ps(1) itself says on stderr.
refuses_ps() {
	run --separate-stderr -1 timeout 20 "$TOTE" --root "$ROOT" ps "$ID" "${@:2}" </dev/null
	[ -z "$output" ] && [[ $stderr == *"tote: ps: "*"$1"* ]]
}

@test "a command line longer than any buffer stays one line" {
	background sh -c "sleep 1000; : $(printf 'x%.0s' {1..9000})"
	tote ps "$ID" -e -ww -o pid,args >"$BATS_TEST_TMPDIR/table"
	[ "$(grep -c xxx "$BATS_TEST_TMPDIR/table")" = 1 ]
	[ "$(grep xxx "$BATS_TEST_TMPDIR/table" | wc -c)" -gt 9000 ]
}

@test "a heading without PID, a wrong format, no ps(1), no container" {
	background
	refuses_ps "must keep the column PID" -e -o pid=
	refuses_ps "must keep the column PID" -e -o args
	refuses 1 '--format: expected table or json, found "yaml"' ps -f yaml "$ID"
	run --separate-stderr -1 env PATH=/nowhere "$TOTE" --root "$ROOT" ps "$ID"
	[ "$stderr" = "tote: ps: ps(1) is missing (Debian package procps)" ]
	run -0 env PATH=/nowhere "$TOTE" --root "$ROOT" ps -f json "$ID"
	refuses 1 "container does not exist" ps nobody
	refuses 1 "missing argument" ps
}

@test "a container that has stopped has no processes" {
	background true
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	[ "$(tote ps -f json "$ID")" = "[]" ]
}
