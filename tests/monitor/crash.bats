# SPDX-License-Identifier: Apache-2.0
# SIGKILL at the monitor's system calls, a sample of them (STEP=1: each one): the next monitor goes on from whatever is there, the
# container begins once, its end is written, and nothing of it is left.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	FAULT=${FAULT:-${TOTE%/*}/tests/fault/fault}
	[ -x "$FAULT" ] || { echo "$FAULT is not built"; return 1; }
	set_up_monitor
}

teardown() {
	tear_down_monitor
}

# fault_at WORD...: a monitor under the tool, to its end.
fault_at() {
	timeout 60 "$FAULT" "$@" -- "$MONITOR" --dir "$DIR" --run 1 --id "$ID" --root "$ROOT" --log-file "$LOG" -- \
		"$TOTE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null 3>&-
}

from_anew() {
	rm -rf "$DIR" "${LOG%/*}"
	mkdir -m 0700 "$DIR" "${LOG%/*}"
}

@test "killed anywhere: one begin, one end, nothing left" {
	command_is sh -c 'echo begun; sleep 0.1; exit 5'
	count=$(fault_at count 2>/dev/null | tail -n 1)
	[ "$count" -gt 100 ]
	exit_has '.code == 5'
	step=${STEP:-$((count / 20))}
	for ((n = 1; n <= count; n += step)); do
		from_anew
		fault_at kill -n "$n" >"$BATS_TEST_TMPDIR/said" 2>&1 || true
		monitor --adopt
		monitor_left || { echo "at call $n of $count"; false; }
		exit_has '.run == 1 and ((.reason == "ended" and .code == 5) or (.reason == "unknown" and .code == -1))' ||
			{ echo "at call $n of $count"; false; }
		[ "$(cat "$LOG" 2>/dev/null | grep -c begun)" -le 1 ] || { echo "begun twice: at call $n of $count"; cat "$LOG"; false; }
		nothing_left || { echo "at call $n of $count"; false; }
	done
}

@test "a call that fails: it ends all the same, with words or well" {
	command_is sh -c 'echo begun; exit 5'
	count=$(fault_at count 2>/dev/null | tail -n 1)
	step=${STEP:-$((count / 8))}
	for e in ENOMEM EMFILE EINTR; do
		for ((n = 7; n <= count; n += step)); do
			from_anew
			code=0
			fault_at fail -n "$n" -e "$e" >"$BATS_TEST_TMPDIR/said" 2>&1 || code=$?
			[ "$code" != 124 ] || { echo "$e hangs at call $n of $count"; false; }
			monitor --adopt
			monitor_left || { echo "$e at call $n of $count"; false; }
			jq -e '.run == 1' "$DIR/exit.json" >/dev/null || { echo "$e at call $n of $count"; cat "$BATS_TEST_TMPDIR/said"; false; }
			nothing_left || { echo "$e at call $n of $count"; false; }
		done
	done
}
