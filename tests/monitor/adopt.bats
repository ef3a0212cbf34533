# SPDX-License-Identifier: Apache-2.0
# A monitor that is killed costs nothing: the next one goes on wherever it was.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	set_up_monitor
}

teardown() {
	tear_down_monitor
	[ -z "${PARENT:-}" ] || kill "$PARENT" 2>/dev/null || true
}

# Whether the kernel keeps exit codes with pidfds (Linux 6.15).
kernel_tells() {
	[ "$(printf '%s\n' 6.15 "$(uname -r)" | sort -V | head -1)" = 6.15 ]
}

in_state() { [[ $(cut -d' ' -f3 "/proc/$2/stat") = "$1" ]]; } # LETTER PID

COUNT='trap "echo asked; exit 3" TERM; i=0; while :; do i=$((i + 1)); echo "line $i"; sleep 0.01; done'

@test "killed while it runs: no line and no container is lost" {
	command_is sh -c "$COUNT"
	monitor
	patiently log_has 'line 20$'
	pid=$(init_pid)
	for i in 1 2 3; do
		# What a monitor has read and not yet written is lost with it: it has nothing in its hands when it sleeps while the container
		# is silent.
		kill -STOP "$pid"
		patiently in_state T "$pid"
		sleep 0.3
		patiently in_state S "$MONITOR_PID"
		kill_monitor
		kill -CONT "$pid"
		sleep 0.2
		monitor --adopt
		patiently log_has "line $((i * 100))\$"
		[ "$(init_pid)" = "$pid" ]
		state_is running
	done
	tell stop SIGTERM 20000
	monitor_left
	exit_has '.run == 1 and .reason == "asked" and .ranMs > 1000'
	if kernel_tells; then exit_has '.code == 3'; fi
	# Every line once, in order.
	log_text | grep '^line' | awk '$2 != NR { print "line " NR " is " $0; exit 1 }'
	log_has asked
	nothing_left
}

@test "a container waits for its next monitor with what it writes" {
	command_is sh -c 'echo ready; sleep 0.5; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "line $i of some length"; done; exit 9'
	monitor
	patiently log_has ready
	kill_monitor
	sleep 2
	pid=$(init_pid)
	kill -0 "$pid"
	monitor --adopt
	monitor_left
	exit_has '.reason == "ended" or .reason == "unknown"'
	if kernel_tells; then exit_has '.reason == "ended" and .code == 9'; fi
	[ "$(log_text | grep -c '^line')" = 20000 ]
	nothing_left
}

@test "killed while tote create runs: it is made anew, in the same run" {
	# The first time it takes long enough to be looked at.
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", $hook]}]' \
		--arg hook "mkdir $BATS_TEST_TMPDIR/once 2>/dev/null || exit 0; exec sleep 10"
	command_is sh -c 'echo here; exit 5'
	monitor
	patiently test -s "$ROOT/$ID/state.json"
	state_is creating
	kill_monitor
	monitor --adopt
	monitor_left
	exit_has '.run == 1 and .reason == "ended" and .code == 5'
	[ "$(log_text | grep -c '^here$')" = 1 ]
	nothing_left
}

@test "killed before anything was made" {
	command_is sh -c 'exit 5'
	monitor --adopt
	monitor_left
	exit_has '.run == 1 and .code == 5'
}

@test "killed while it waits for its start" {
	command_is sh -c 'exit 5'
	monitor --wait
	patiently state_is created
	kill_monitor
	monitor --wait --adopt
	patiently tell start
	monitor_left
	if kernel_tells; then exit_has '.code == 5'; fi
	nothing_left
}

@test "killed between create and start: it is started" {
	command_is sh -c 'exit 5'
	monitor --wait
	patiently state_is created
	kill_monitor
	monitor --adopt
	monitor_left
	exit_has '.run == 1 and .ranMs >= 0'
	if kernel_tells; then exit_has '.reason == "ended" and .code == 5'; fi
}

@test "killed while it stops: stopping goes on" {
	command_is sh -c 'trap "" TERM; echo ready; while :; do sleep 0.02; done'
	monitor
	patiently log_has ready
	tell stop SIGTERM 600000
	kill_monitor
	monitor --adopt --stop-grace-ms 500
	monitor_left
	exit_has '.reason == "asked"'
	nothing_left
}

@test "killed while it is frozen" {
	command_is sh -c "$COUNT"
	monitor
	patiently log_has 'line 5$'
	tell freeze
	kill_monitor
	monitor --adopt
	patiently tell thaw
	state_is running
	patiently log_has 'line 50$'
	tell stop TERM 20000
	monitor_left
	exit_has '.reason == "asked"'
}

@test "it ended meanwhile: everything it wrote is logged, and what it had is removed" {
	command_is sh -c 'echo ready; sleep 0.5; exit 8'
	monitor
	patiently log_has ready
	pid=$(init_pid)
	kill_monitor
	patiently gone "$pid"
	monitor --adopt
	monitor_left
	exit_has '.run == 1 and .reason == "unknown" and .code == -1'
	nothing_left
}

@test "its end was written already: only what it had is removed" {
	command_is sh -c 'echo ready; sleep 1000'
	monitor
	patiently log_has ready
	kill_monitor
	kill -KILL "$(init_pid)"
	echo '{"run":1,"reason":"ended","code":42}' >"$DIR/exit.json"
	monitor --adopt
	monitor_left
	exit_has '.code == 42'
	nothing_left
}
