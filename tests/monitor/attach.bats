# SPDX-License-Identifier: Apache-2.0
# Streams and terminals of a container that runs, from outside.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	set_up_monitor
}

teardown() {
	tear_down_monitor
}

with_terminal() {
	config '.process.terminal = true'
	CREATE_OPTIONS="--console-socket $DIR/console"
}

@test "attached: both streams, from then on, until the end" {
	command_is sh -c 'echo early; read x; echo "out $x"; echo "err $x" >&2; exit 4'
	monitor --stdin
	patiently log_has early
	run -0 attach --streams --type 'text\n'
	[[ $output = *"1 out text"* ]]
	[[ $output = *"2 err text"* ]]
	[[ $output != *early* ]]
	monitor_left
	exit_has '.code == 4'
	# It is logged all the same.
	log_has 'stdout F out text'
}

@test "stdin outlives those who type, and the monitor" {
	command_is sh -c 'echo ready; while read x; do echo "got $x"; [ "$x" != last ] || exit 6; done; exit 7'
	monitor --stdin
	patiently log_has ready
	attach --type 'one\n' --for 0.2
	patiently log_has 'got one'
	kill_monitor
	monitor --stdin --adopt
	patiently attach --type 'two\n' --for 0.2
	patiently log_has 'got two'
	attach --type 'last\n'
	monitor_left
	log_has 'got last'
}

@test "without stdin: its stdin is empty, and what is typed goes nowhere" {
	command_is sh -c 'read x; echo "code $?"; sleep 1000'
	monitor
	patiently log_has 'code 1'
	run -0 attach --type 'text\n' --for 0.2
	tell stop SIGKILL 0
	monitor_left
}

@test "a terminal: typed, shown, resized, logged" {
	with_terminal
	command_is sh -c 'stty -echo; trap "stty size" WINCH; tty; echo ready; while :; do read x || continue; echo "got $x"; [ "$x" != last ] || exit 6; done'
	monitor --tty
	patiently log_has ready
	log_has '/dev/pts/0'
	tell resize 132 43
	# The shell's read is interrupted by the signal.
	attach --resize 100 30 --type 'a\n' --for 0.3 >/dev/null
	patiently log_has 'got a'
	patiently log_has '30 100'
	run -0 attach --type 'last\n'
	[[ $output = *"got last"* ]]
	monitor_left
	exit_has '.code == 6'
	nothing_left
}

@test "a terminal that is closed for a while is read on" {
	with_terminal
	command_is sh -c 'echo ready; exec <&- >&- 2>&-; sleep 0.5; echo late >/dev/console; exec </dev/console >/dev/console; read x; echo "got $x"; sleep 100'
	monitor --tty
	patiently log_has ready
	patiently log_has late
	attach --type 'more\n' --for 0.3 >/dev/null
	patiently log_has 'got more'
	tell stop SIGKILL 0
	monitor_left
	nothing_left
}

@test "a terminal: ^C is a signal, its end another" {
	with_terminal
	command_is sh -c 'trap "echo int; exit 9" INT; echo ready; while :; do sleep 0.02; done'
	monitor --tty
	patiently log_has ready
	attach --type '\x03' >/dev/null
	monitor_left
	exit_has '.code == 9'
	log_has int
}

@test "whoever does not read holds up nobody" {
	command_is sh -c 'read x; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "line $i of what nobody looks at"; done; echo done; sleep 1; echo more; exit 3'
	monitor --stdin
	patiently state_is running
	attach --type 'go\n' --for 50 --after "$BATS_TEST_TMPDIR/read" >"$BATS_TEST_TMPDIR/seen" 3>&- &
	slow=$!
	patiently log_has ' done$'
	[ ! -s "$BATS_TEST_TMPDIR/seen" ]
	monitor_left
	exit_has '.code == 3'
	touch "$BATS_TEST_TMPDIR/read"
	wait "$slow"
	[ "$(log_text | grep -c '^line')" = 20000 ]
	[ "$(wc -c <"$BATS_TEST_TMPDIR/seen")" -lt 600000 ]
}

@test "more typed than stdin takes: it waits, and nothing is lost" {
	command_is sh -c 'echo ready; sleep 1; head -c 400000 | wc -c; exit 5'
	monitor --stdin
	patiently log_has ready
	run -0 attach --bytes 400000
	[[ $output = *400000* ]]
	monitor_left
	exit_has '.code == 5'
}

@test "many at once, and no more than it bears" {
	command_is sh -c 'read x; echo "got $x"; exit 2'
	monitor --stdin
	patiently state_is running
	for i in $(seq 20); do
		attach --for 50 --told "$BATS_TEST_TMPDIR/told.$i" >"$BATS_TEST_TMPDIR/seen.$i" 3>&- &
	done
	patiently eval '[ "$(ls "$BATS_TEST_TMPDIR" | grep -c ^told)" = 20 ]'
	tell kill CONT
	attach --type 'x\n'
	monitor_left
	wait
	[ "$(cat "$BATS_TEST_TMPDIR"/seen.* | grep -c 'got x')" = 20 ]
}

@test "nobody else may ask" {
	command_is sleep 1000
	monitor
	patiently state_is running
	[ "$(stat -c '%a %U' "$DIR/control")" = "600 root" ]
	chmod 777 "$DIR/control" "$DIR" "$BATS_TEST_TMPDIR"
	cat >"$BATS_TEST_TMPDIR/ask.py" <<'END'
import os, socket, sys
os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect("control")
s.settimeout(20)
try:
    s.send(b"stop SIGKILL 0")
    sys.exit(0 if s.recv(100) == b"" else 3)
except OSError:
    sys.exit(0)
END
	cd "$DIR"
	python3 "$BATS_TEST_TMPDIR/ask.py"
	sleep 0.3
	state_is running
}
