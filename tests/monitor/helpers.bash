# SPDX-License-Identifier: Apache-2.0
# For the tests of tote-monitor: a bundle, an instance's directory $DIR, a monitor in the background.
. "$BATS_TEST_DIRNAME/../cli/helpers.bash"
MONITOR=${TOTE%/*}/tote-monitor

set_up_monitor() {
	make_bundle
	DIR=$BATS_TEST_TMPDIR/dir LOG=$BATS_TEST_TMPDIR/log/box.log MONITOR_PID=
	mkdir -m 0700 "$DIR" "${LOG%/*}"
}

# monitor OPTION...: starts one for the bundle; its run is $RUN.
monitor() {
	"$MONITOR" --dir "$DIR" --run "${RUN:-1}" --id "$ID" --root "$ROOT" --log-file "$LOG" "$@" -- \
		"$TOTE" --root "$ROOT" create -b "$BUNDLE" $CREATE_OPTIONS "$ID" </dev/null >"$BATS_TEST_TMPDIR/monitor.out" 2>&1 3>&- &
	MONITOR_PID=$!
}

tell() {
	timeout 30 python3 "$BATS_TEST_DIRNAME/client.py" "$DIR" tell "$@"
}

attach() {
	timeout 60 python3 "$BATS_TEST_DIRNAME/client.py" "$DIR" attach "$@"
}

# Waits (at most 30 s) until a command succeeds.
patiently() {
	for _ in $(seq 600); do
		"$@" && return 0
		sleep 0.05
	done
	echo "in vain: $*"
	cat "$DIR/status.json" "$DIR/exit.json" "$BATS_TEST_TMPDIR/monitor.out" || true
	return 1
}

state_is() {
	[ "$(jq -r .state "$DIR/status.json" 2>/dev/null)" = "$1" ]
}

# The monitor must leave by itself, at most 30 s from now, with code 0.
monitor_left() {
	local code=0
	patiently gone "$MONITOR_PID" || return 1
	wait "$MONITOR_PID" || code=$?
	[ "$code" = 0 ] || { echo "monitor: code $code"; cat "$BATS_TEST_TMPDIR/monitor.out"; return 1; }
	MONITOR_PID=
}

gone() {
	! kill -0 "$1" 2>/dev/null || [[ $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) = Z ]]
}

# exit_has FILTER: true of exit.json.
exit_has() {
	jq -e "$1" "$DIR/exit.json" >/dev/null || { cat "$DIR/exit.json"; return 1; }
}

init_pid() {
	jq -r .pid "$DIR/status.json"
}

log_has() {
	grep -qE "$1" "$LOG"
}

# The texts of the log, without times, streams and marks; parts are joined.
log_text() {
	cat $(ls "$LOG"* | sort -t. -k3 -rn) | awk '{ tag = $3; sub(/^[^ ]+ [^ ]+ [FP] /, ""); printf "%s%s", $0, tag == "F" ? "\n" : "" }'
}

# Until it is gone: another one could not have the claim before.
kill_monitor() {
	kill -KILL "$MONITOR_PID"
	wait "$MONITOR_PID" 2>/dev/null || true
}

tear_down_monitor() {
	[ -z "${MONITOR_PID:-}" ] || kill -KILL "$MONITOR_PID" 2>/dev/null || true
	clean_up
}
