#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What Prometheus and load balancers are told: /metrics and /health, on a unix socket and on a port.

bats_require_minimum_version 1.5.0
load helpers

setup_file() { make_store; }
teardown_file() { drop_store; }
setup() { open_box; }
teardown() { close_box; }

begin() { # OPTION...
	start_supervisor "$@"
	patiently ping_supervisor
}

fetch() { in_box curl -s -m 30 --unix-socket "$RUN/metrics" -o "$WORK/page" -w '%{http_code}' "http://x$1" </dev/null; } # PATH
line_is() { grep -qxF "$1" "$WORK/page" || { echo "missing: $1"; grep "^${1%%\{*}{" "$WORK/page"; return 1; }; }
page_has() { [ "$(fetch "$1")" = "$2" ] && grep -q "$3" "$WORK/page"; } # PATH CODE PATTERN

three() {
	compose <<'END'
name: m
services:
  stay: {image: "box:1", command: [sleep, "1000"], deploy: {replicas: 2}, stop_grace_period: 0s}
  sick: {image: "box:1", command: [sleep, "1000"], restart: "no", stop_grace_period: 0s, healthcheck: {test: "false", interval: 200ms, retries: 1}}
  again: {image: "box:1", command: [sh, -c, "exit 7"], restart: always}
  job: {image: "box:1", command: [sh, -c, "exit 3"], restart: "no"}
END
}

@test "the page of metrics: every service, every instance, behind it what tote metrics says; promtool takes it" {
	begin
	three
	tote up
	patiently page_has /metrics 200 'tote_service_degraded{project="m",service="again",instance="m-again-1"} 1'
	patiently page_has /metrics 200 'instance="m-sick-1",state="unhealthy"} 1'
	line_is 'tote_service_wanted{project="m",service="stay"} 2'
	for n in 1 2; do
		line_is "tote_service_up{project=\"m\",service=\"stay\",instance=\"m-stay-$n\"} 1"
		line_is "tote_service_restarts_total{project=\"m\",service=\"stay\",instance=\"m-stay-$n\"} 0"
		line_is "tote_service_health{project=\"m\",service=\"stay\",instance=\"m-stay-$n\",state=\"none\"} 1"
		line_is "tote_service_log_dropped_bytes_total{project=\"m\",service=\"stay\",instance=\"m-stay-$n\"} 0"
		grep -q "^tote_service_start_duration_seconds{project=\"m\",service=\"stay\",instance=\"m-stay-$n\"} [0-9]*\.[0-9]*[1-9]" "$WORK/page"
		grep -q "^tote_service_uptime_seconds{project=\"m\",service=\"stay\",instance=\"m-stay-$n\"} [0-9]" "$WORK/page"
		# Of tote metrics.
		grep -q "^tote_container_state{id=\"m-stay-$n\",state=\"running\"} 1" "$WORK/page"
	done
	line_is 'tote_service_last_exit_code{project="m",service="job",instance="m-job-1"} 3'
	line_is 'tote_service_last_exit_code{project="m",service="again",instance="m-again-1"} 7'
	line_is 'tote_service_up{project="m",service="job",instance="m-job-1"} 0'
	[ "$(grep '^tote_service_restarts_total{.*"m-again-1"' "$WORK/page" | sed 's/.* //')" -ge 3 ]
	run ! grep -q '^tote_service_uptime_seconds{.*"m-job-1"' "$WORK/page"
	run ! grep -q '^tote_service_last_exit_code{.*"m-stay-1"' "$WORK/page"
	tote stop stay
	patiently page_has /metrics 200 'tote_service_wanted{project="m",service="stay"} 0'
	promtool=$("$BATS_TEST_DIRNAME/../online" "$BATS_TEST_DIRNAME/../promtool") || skip "promtool cannot be had"
	run -0 "$promtool" check metrics <"$WORK/page"
}

@test "health: 200 as long as all is as it should be, 503 with words else" {
	begin
	[ "$(fetch /health)" = 200 ]
	[ "$(cat "$WORK/page")" = ok ]
	printf 'name: m\nservices:\n  stay: {image: "box:1", command: [sleep, "1000"], stop_grace_period: 0s}\n' | compose
	tote up
	patiently page_has /health 200 ok
	three
	tote up
	patiently page_has /health 503 '^m-sick-1: .*exit code 1'
	patiently page_has /health 503 '^m-again-1: '
	run ! grep -q m-stay "$WORK/page"
	tote down
	patiently page_has /health 200 ok
}

@test "on a port: loopback alone unless an address is given; other paths and methods are refused" {
	begin --metrics :9464
	[ "$(in_box curl -s -m 30 -o /dev/null -w '%{http_code}' http://127.0.0.1:9464/metrics)" = 200 ]
	[ "$(in_box ss -Hltn 'sport = :9464' | awk '{print $4}')" = 127.0.0.1:9464 ]
	[ "$(fetch /)" = 404 ]
	[ "$(fetch /metricsx)" = 404 ]
	[ "$(in_box curl -s -m 30 --unix-socket "$RUN/metrics" -X POST -o /dev/null -w '%{http_code}' http://x/metrics)" = 405 ]
	[ "$(stat -c %a "$RUN/metrics")" = 600 ]
	# A supervisor that comes back has the socket again.
	kill_supervisor
	begin --metrics '[::1]:9465'
	[ "$(fetch /metrics)" = 200 ]
	[ "$(in_box curl -s -g -m 30 -o /dev/null -w '%{http_code}' 'http://[::1]:9465/health')" = 200 ]
}

@test "slow clients, and more than there is room for, keep nobody else waiting for good" {
	begin
	in_box timeout 100 python3 - "$RUN/metrics" <<'PY'
import socket, sys, time
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.settimeout(60)
    return s
begun = time.monotonic()
slow = []
for _ in range(20):
    slow.append(connect())
    slow[-1].sendall(b"GET /metr")
good = connect()
good.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
answer = good.makefile("rb").read()
assert answer.startswith(b"HTTP/1.1 200 "), answer
assert answer.endswith(b"\r\n\r\nok\n"), answer
# Those who were before it were cut off, in as many turns as it takes.
assert slow[0].recv(10) == b""
assert time.monotonic() - begun > 5
# A request without an end is one that is none.
s = connect()
s.sendall(b"GET /" + b"a" * 4091)
assert s.makefile("rb").read().startswith(b"HTTP/1.1 400 ")
PY
	[ "$(fetch /metrics)" = 200 ]
	# No descriptor is left behind.
	[ "$(ls "/proc/$SUPERVISOR/fd" | wc -l)" -lt 40 ]
}

@test "without a descriptor left who asks waits, and that costs no time" {
	start_supervisor
	patiently supervisor_answers
	hard=$(awk '/Max open files/ {print $5}' "/proc/$SUPERVISOR/limits")
	spent() { awk '{print $14 + $15}' "/proc/$SUPERVISOR/stat"; }
	prlimit --pid "$SUPERVISOR" --nofile=3:"$hard"
	fetch /health >"$WORK/code" &
	asked=$!
	sleep 1
	before=$(spent)
	sleep 3
	# Hundredths of a second.
	[ $(($(spent) - before)) -lt 60 ]
	prlimit --pid "$SUPERVISOR" --nofile="$hard:$hard"
	wait "$asked"
	[ "$(cat "$WORK/code")" = 200 ]
}
