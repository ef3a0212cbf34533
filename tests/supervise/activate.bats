#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Scale to zero: who connects has the container started or thawed. Monitors are run here without a supervisor, on bundles.

bats_require_minimum_version 1.5.0
load ../monitor/helpers

setup() {
	set_up_monitor
	[ -x "$ROOTFS/bin/echo_server" ] ||
		"${CC:-cc}" -O1 -static -o "$ROOTFS/bin/echo_server" "$BATS_TEST_DIRNAME/echo_server.c"
	PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	command_is /bin/echo_server 127.0.0.1 8080
}
teardown() { tear_down_monitor; }

# One line there, and what comes back of it.
ask() { # [WORDS [PORT]]
	timeout 60 bash -c 'exec 7<>"/dev/tcp/127.0.0.1/$1" && echo "$0" >&7 && head -n 1 <&7' "${1:-hello}" "${2:-$PORT}" 3>&-
}

answers() { [ "$(ask "$@")" = "${1:-hello}" ]; }
run_is() { [ "$(jq .run "$DIR/status.json")" = "$1" ]; }
status_is() { jq -e "$1" "$DIR/status.json" >/dev/null; }

# Holds a connection open until let_go.
hold() {
	local answers=$BATS_TEST_TMPDIR/answers
	rm -f "$answers"
	timeout 120 python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"held\n")
while data := s.recv(100):
    print(data, flush=True)
print("end", flush=True)' "$PORT" >"$answers" 2>&1 3>&- &
	HOLDER=$!
	patiently grep -q held "$answers"
}
let_go() {
	kill "$HOLDER"
	wait "$HOLDER" 2>/dev/null || true
}

tell() { timeout 30 python3 "$BATS_TEST_DIRNAME/../monitor/client.py" "$DIR" tell "$@"; }

@test "start: it waits before its program runs, is started by who connects, ends when idle, waits again" {
	monitor --listen "$PORT" --port 8080 --idle-ms 200
	patiently state_is created
	[ ! -s "$LOG" ]
	[ "$(status_of "$ID")" = created ]
	answers
	patiently log_has serving
	# Nobody is connected any more.
	patiently exec_run_2
	exit_has '.run == 1 and .reason == "idle" and .code == 0'
	patiently status_is '.activations == 1 and .connections == 0'
	[ "$(status_of "$ID")" = created ]
	answers again
	patiently status_is '.activations == 2'
}
exec_run_2() { run_is 2 && state_is created; }

@test "start: all who come while its program is yet to listen are answered" {
	command_is /bin/echo_server 127.0.0.1 8080 400
	monitor --listen "127.0.0.1:$PORT" --port 8080
	patiently state_is created
	for n in $(seq 40); do
		ask "caller $n" >"$BATS_TEST_TMPDIR/caller.$n" &
		callers+=" $!"
	done
	wait $callers
	[ "$(cat "$BATS_TEST_TMPDIR"/caller.* | sort -u | wc -l)" = 40 ]
	[ "$(wc -l <"$LOG")" = 1 ]
	patiently status_is '.activations == 1'
}

@test "start: a program that listens on IPv6 alone is reached, and so are several addresses of the host" {
	other=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	command_is /bin/echo_server ::1 8080
	monitor --listen "127.0.0.1:$PORT" --listen "$other" --port 8080
	patiently state_is created
	answers hello "$other"
	answers hello "$PORT"
}

@test "what is sent with the first packet and then ended by the client gets its answer; much comes through unharmed" {
	monitor --listen "$PORT" --port 8080 --idle-ms 30000
	patiently state_is created
	head -c 5000000 /dev/urandom >"$BATS_TEST_TMPDIR/much"
	timeout 60 python3 - "$PORT" "$BATS_TEST_TMPDIR/much" <<'PY'
import socket, sys, threading
data = open(sys.argv[2], "rb").read()
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def send():
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
t = threading.Thread(target=send)
t.start()
got = bytearray()
while chunk := s.recv(65536):
    got += chunk
t.join()
assert got == data, (len(got), len(data))
PY
	run -0 timeout 60 python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"GET /204 HTTP/1.0\r\n\r\n")
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())' "$PORT"
	[[ $output = *" 204 "*ok* ]]
}

@test "an open connection keeps it awake, its end does not" {
	monitor --listen "$PORT" --port 8080 --idle-ms 300
	patiently state_is created
	hold
	sleep 1.5
	patiently state_is running
	patiently status_is '.connections == 1 and .run == 1'
	let_go
	patiently run_is 2
}

@test "thaw: it is started at once, sleeps when idle, and wakes as the same process" {
	monitor --listen "$PORT" --port 8080 --idle-ms 300 --mode thaw
	patiently state_is frozen
	pid=$(init_pid)
	patiently status_is '.activations == 0'
	group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	grep -q 'frozen 1' "$(cgroup2_mount)$group/cgroup.events"
	answers
	patiently status_is '.activations == 1'
	patiently state_is frozen
	answers again
	hold
	sleep 1
	patiently state_is running
	[ "$(init_pid)" = "$pid" ]
	let_go
	patiently state_is frozen
	# One that sleeps is stopped like any other.
	tell stop TERM 20000
	monitor_left
	exit_has '.reason == "asked" and .code == 0'
}

@test "hand-over: the program has the sockets itself; it is ended when no connection is left, and waits again" {
	command_is /bin/echo_server fds
	monitor --listen "127.0.0.1:$PORT" --listen "127.0.0.2:$PORT" --port 0 --idle-ms 600
	patiently state_is created
	answers
	patiently log_has serving
	hold
	# The second one, if it took us so long.
	run=$(jq .run "$DIR/status.json")
	sleep 2
	patiently state_is running
	run_is "$run"
	patiently status_is '.connections == 1'
	let_go
	waits_again() { run_is $((run + 1)) && state_is created; }
	patiently waits_again
	exit_has ".run == $run"' and .reason == "idle" and .code == 0'
	answers again
}

@test "hand-over: it is frozen when idle and thawed by who connects" {
	command_is /bin/echo_server fds
	monitor --listen "$PORT" --port 0 --idle-ms 500 --mode thaw
	patiently state_is frozen
	pid=$(init_pid)
	answers
	patiently state_is frozen
	answers
	[ "$(init_pid)" = "$pid" ]
}

@test "a program that ends by itself ends the connection; its exit is told, and the monitor leaves" {
	monitor --listen "$PORT" --port 8080
	patiently state_is created
	hold
	kill -KILL "$(init_pid)"
	monitor_left
	exit_has '.reason == "ended" and .code == 137'
	patiently grep -q end "$BATS_TEST_TMPDIR/answers"
	run ! ask
}

@test "while it ends for idleness, who connects is kept for the next run" {
	command_is sh -c 'trap "sleep 4; exit 0" TERM; /bin/echo_server 127.0.0.1 8080 & while :; do wait; done'
	monitor --listen "$PORT" --port 8080 --idle-ms 200
	patiently state_is created
	answers
	patiently state_is stopping
	answers second
	run_is 2
}

@test "a port that is taken is told as a container that could not be made" {
	python3 -c '
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
print("ready", flush=True)
time.sleep(60)' "$PORT" >"$BATS_TEST_TMPDIR/taker" 2>&1 3>&- &
	taker=$!
	patiently grep -q ready "$BATS_TEST_TMPDIR/taker"
	monitor --listen "127.0.0.1:$PORT" --port 8080
	patiently test -s "$DIR/exit.json"
	exit_has '.reason == "not created" and .message == "cannot listen on 127.0.0.1:'"$PORT"': Address already in use"'
	kill "$taker"
	patiently gone "$MONITOR_PID"
	MONITOR_PID=
	[ "$(tote list -q)" = "" ]
}

@test "addresses that are none are refused" {
	for address in 0 70000 localhost nowhere:80 1.2.3.4 '[::1]' 127.0.0.1:; do
		rm -f "$DIR/exit.json"
		monitor --listen "$address" --port 8080
		patiently gone "$MONITOR_PID"
		exit_has '.message | startswith("--listen: expected PORT")'
		MONITOR_PID=
	done
}

@test "the monitor is killed: the next one has the sockets again, of its own or the container's" {
	for port in 8080 0; do
		[ "$port" = 0 ] && command_is /bin/echo_server fds
		monitor --listen "127.0.0.1:$PORT" --port "$port" --idle-ms 5000
		patiently state_is created
		answers
		pid=$(init_pid)
		kill -KILL "$MONITOR_PID"
		wait "$MONITOR_PID" 2>/dev/null || true
		RUN=$(jq .run "$DIR/status.json") monitor --adopt --listen "127.0.0.1:$PORT" --port "$port" --idle-ms 5000
		patiently answers
		[ "$(init_pid)" = "$pid" ]
		# It is put to sleep and woken as before.
		patiently exec_run_2
		answers
		tell stop KILL 1000
		monitor_left
		rm -f "$DIR"/{exit,status}.json "$LOG"
	done
}
