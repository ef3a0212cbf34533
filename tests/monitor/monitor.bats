# SPDX-License-Identifier: Apache-2.0
# One container under tote-monitor: how it begins, ends, and is told things.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	set_up_monitor
}

teardown() {
	tear_down_monitor
}

TRAP='trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.02; done'

@test "the exit code, both streams, and nothing is left" {
	command_is sh -c 'echo hello; echo oops >&2; exit 7'
	monitor
	monitor_left
	exit_has '.run == 1 and .reason == "ended" and .code == 7 and .signal == 0 and (.oom | not) and .ranMs >= 0'
	log_has '^[0-9-]+T[0-9:]+\.[0-9]{9}Z stdout F hello$'
	log_has ' stderr F oops$'
	state_is exited
	nothing_left
}

@test "a signal ends it: code and signal" {
	command_is sh -c 'exec sleep 1000'
	monitor
	patiently state_is running
	run -0 tell kill SIGKILL
	[ "$output" = ok ]
	monitor_left
	exit_has '.reason == "asked" and .code == 137 and .signal == 9'
	nothing_left
}

@test "a signal that is no end is not taken for one" {
	command_is sh -c 'trap "echo usr1" USR1; trap "exit 4" HUP; echo ready; while :; do sleep 0.02; done'
	monitor
	patiently log_has ready
	tell kill USR1
	patiently log_has usr1
	tell kill HUP
	monitor_left
	exit_has '.reason == "ended" and .code == 4'
}

@test "the identity of init is in status.json while it runs" {
	command_is sleep 1000
	monitor --wait
	patiently state_is created
	[ "$(jq .started "$DIR/status.json")" = 0 ]
	tell start
	patiently state_is running
	[ "$(tr '\0' ' ' <"/proc/$(init_pid)/cmdline")" = "sleep 1000 " ]
	jq -e '.run == 1 and .started > 0 and .startedAt > 1700000000 and .startMs > 0' "$DIR/status.json"
	run -1 tell start
	[ "$output" = "error start: the container is running" ]
}

@test "stop: its signal, and time to end" {
	command_is sh -c "$TRAP"
	monitor
	patiently log_has ready
	tell stop SIGTERM 20000
	monitor_left
	exit_has '.reason == "asked" and .code == 3'
	log_has asked
	nothing_left
}

@test "stop: one that ignores SIGTERM is killed after its time, and not before" {
	command_is sh -c 'trap "" TERM; echo ready; while :; do sleep 0.02; done'
	monitor
	patiently log_has ready
	begin=$(date +%s%N)
	tell stop SIGTERM 4000
	state_is stopping
	monitor_left
	[ $((($(date +%s%N) - begin) / 1000000)) -ge 4000 ]
	exit_has '.reason == "asked" and .code == 137'
	nothing_left
}

@test "stop: before it was started, and while it is made" {
	command_is sleep 1000
	monitor --wait
	patiently state_is created
	tell stop SIGTERM 20000
	monitor_left
	exit_has '.reason == "asked" and .ranMs == 0'
	nothing_left
	config '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "5"]}]'
	RUN=2
	monitor
	patiently state_is creating
	tell stop SIGTERM 20000
	monitor_left
	exit_has '.run == 2 and .reason == "asked" and .ranMs == 0'
	nothing_left
}

@test "stop: a create that hangs is killed" {
	command_is true
	config '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "600"]}]'
	monitor
	patiently state_is creating
	tell stop SIGTERM 300
	monitor_left
	exit_has '.reason == "asked"'
	nothing_left
}

@test "SIGTERM to the monitor stops its container" {
	command_is sh -c "$TRAP"
	monitor
	patiently log_has ready
	kill -TERM "$MONITOR_PID"
	monitor_left
	exit_has '.reason == "asked" and .code == 3'
}

@test "its own signal and time to stop" {
	command_is sh -c 'trap "" TERM; trap "exit 5" USR2; echo ready; while :; do sleep 0.02; done'
	monitor --stop-signal SIGUSR2 --stop-grace-ms 20000
	patiently log_has ready
	kill -TERM "$MONITOR_PID"
	monitor_left
	exit_has '.reason == "asked" and .code == 5'
}

@test "a create that fails says why" {
	command_is /no/such/program
	monitor
	monitor_left
	exit_has '.reason == "not created" and .code == 1 and (.message | test("/no/such/program"))'
	log_has 'stderr F .*/no/such/program'
	nothing_left
}

@test "a program for create that is not there" {
	"$MONITOR" --dir "$DIR" --run 1 --id "$ID" --root "$ROOT" --log-driver none -- /no/such/tote create "$ID" 3>&-
	exit_has '.reason == "not created" and .code == 127 and (.message | test("/no/such/tote"))'
}

@test "freeze and thaw" {
	command_is sh -c 'i=0; while :; do i=$((i + 1)); echo $i; sleep 0.02; done'
	monitor
	patiently log_has ' 5$'
	run -0 tell freeze
	state_is frozen
	[ "$(status_of "$ID")" = paused ]
	# What it had written before is still on its way.
	patiently eval 'lines=$(wc -l <"$LOG"); sleep 0.3; [ "$(wc -l <"$LOG")" = "$lines" ]'
	tell thaw
	state_is running
	patiently log_has " $((lines + 10))\$"
	# What is frozen can be stopped, in its own way.
	tell freeze
	tell stop SIGKILL 20000
	monitor_left
	exit_has '.reason == "asked" and .code == 137'
	nothing_left
}

@test "frozen: stop is a signal that it gets" {
	command_is sh -c "$TRAP"
	monitor
	patiently log_has ready
	tell freeze
	tell stop TERM 20000
	monitor_left
	exit_has '.reason == "asked" and .code == 3'
}

@test "two monitors on one directory: the second one leaves" {
	command_is sh -c "$TRAP"
	monitor
	patiently log_has ready
	first=$MONITOR_PID pid=$(init_pid)
	monitor --adopt
	monitor_left
	kill -0 "$first"
	[ "$(init_pid)" = "$pid" ]
	MONITOR_PID=$first
	tell stop TERM 20000
	monitor_left
	exit_has '.code == 3'
}

@test "requests that are none" {
	command_is sleep 1000
	monitor
	patiently state_is running
	for words in nonsense "stop" "stop TERM" "stop NOSIGNAL 1" "stop TERM many" "kill 0" "kill 65" "resize 1" "start now" "attach all" "attach it"; do
		run -1 tell $words
		[[ $output = error\ * ]]
	done
	run -1 tell resize 80 25
	[ "$output" = "error the container has no terminal" ]
	run -0 tell kill RTMIN+3
	# As process 1 it ignores what it does not handle.
	state_is running
}

@test "programs that init leaves behind do not outlive it without a pid namespace" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	# A sleep that no other test has.
	command_is sh -c "sleep 1000.$$ & echo started; exit 6"
	monitor
	monitor_left
	exit_has '.code == 6'
	log_has started
	nothing_left
	[ -z "$(pgrep -f "^sleep 1000\.$$\$")" ]
}

@test "the umask and the protection that the supervisor has are not the container's" {
	command_is sh -c 'umask; cat /proc/self/oom_score_adj; exit 4'
	config 'del(.process.oomScoreAdj)'
	umask 077
	# Lowering it takes CAP_SYS_RESOURCE.
	lowered=0
	{ echo -100 >/proc/self/oom_score_adj && lowered=1; } 2>/dev/null || true
	monitor
	monitor_left
	exit_has '.code == 4'
	log_has ' F 0022$'
	[ "$lowered" = 0 ] || log_has ' F 0$'
}

@test "wrong options" {
	run -1 "$MONITOR" --dir "$DIR" --id x --root "$ROOT" -- true
	[[ $output == *"--run"* ]]
	run -1 "$MONITOR" --dir "$DIR" --run 1 --id x --root "$ROOT" --log-driver syslog -- true
	[[ $output == *"syslog"* ]]
	run -1 "$MONITOR" --dir "$DIR" --run 1 --id x --root "$ROOT" --log-file relative -- true
	[[ $output == *"absolute path"* ]]
	run -1 "$MONITOR" --dir /no/such/dir --run 1 --id x --root "$ROOT" --log-driver none -- true
	[[ $output == *"/no/such/dir"* ]]
}
