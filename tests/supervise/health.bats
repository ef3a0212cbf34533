#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Health checks: commands inside the container, and probes without a process, against real containers.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	make_store
	[ "$(id -u)" = 0 ] || return 0
	"${CC:-cc}" -O1 -static -o "$SHARED/box/bin/echo_server" "$BATS_TEST_DIRNAME/echo_server.c"
	tar -C "$SHARED/box" -cf "$SHARED/echo.tar" .
	import_image echo:1 --cmd '["/bin/echo_server","0.0.0.0","8080"]' "$SHARED/echo.tar"
}
teardown_file() { drop_store; }
setup() {
	open_box
	start_supervisor
	patiently ping_supervisor
}
teardown() { close_box; }

health_of() { service "$1" '.instances[0].health'; }
health_is() { [ "$(health_of "$1")" = "$2" ]; }
health_why() { service "$1" '.instances[0].healthWhy'; }
why_is() { [ "$(health_why "$1")" = "$2" ]; }

@test "probes without a process: tcp, http, IPv6; their reasons when they fail" {
	compose <<'END'
name: h
services:
  tcp: {image: "echo:1", x-tote: {health: {tcp: 8080, interval: 300ms}}}
  http: {image: "echo:1", x-tote: {health: {http: "8080/302", interval: 300ms}}}
  six:
    image: "echo:1"
    command: [/bin/echo_server, "::1", "8080"]
    x-tote: {health: {tcp: "[::1]:8080", interval: 300ms}}
  status: {image: "echo:1", restart: "no", x-tote: {health: {http: "8080/500", interval: 200ms, retries: 2}}}
  port: {image: "echo:1", restart: "no", x-tote: {health: {tcp: 8081, interval: 200ms, retries: 2}}}
  late: {image: "echo:1", restart: "no", command: [sh, -c, 'mkfifo /tmp/f; exec nc -l -p 8080 </tmp/f'], tmpfs: /tmp, x-tote: {health: {http: "8080/", interval: 200ms, timeout: 300ms, retries: 1}}}
END
	tote up
	for name in tcp http six; do
		patiently health_is $name healthy
		[ "$(health_why $name)" = null ]
	done
	for name in status port late; do
		patiently health_is $name unhealthy
	done
	# As long as nobody listened yet it was another.
	patiently why_is status "HTTP status 500"
	[ "$(health_why port)" = "port 8081: Connection refused" ]
	[[ $(health_why late) = "no answer within 300 ms" || $(health_why late) = "port 8080: Connection refused" ]]
	# No process was started for any of it.
	[ -z "$(ls "$RUN"/i/*/health.pid 2>/dev/null)" ]
}

@test "commands: their exit code and first line; what takes too long is killed inside the container as well" {
	compose <<'END'
name: h
services:
  good: {image: "box:1", command: [sleep, "1000"], healthcheck: {test: "test -d /proc", interval: 300ms}}
  bad:
    image: "box:1"
    command: [sleep, "1000"]
    restart: "no"
    healthcheck: {test: [CMD, sh, -c, 'echo; echo "  not today"; echo nor tomorrow; exit 3'], interval: 200ms, retries: 2}
  slow:
    image: "box:1"
    command: [sleep, "1000"]
    restart: "no"
    healthcheck: {test: 'sleep 777 & sleep 778', interval: 200ms, timeout: 400ms, retries: 2}
END
	tote up
	patiently health_is good healthy
	patiently health_is bad unhealthy
	[ "$(health_why bad)" = "exit code 3: not today" ]
	patiently health_is slow unhealthy
	[ "$(health_why slow)" = "no answer within 400 ms" ]
	# At most those of the probe that is under way, and perhaps for a moment some that are still ending: what is left would stay.
	for _ in 1 2 3 4 5; do
		patiently one_probe_at_most
		sleep 0.3
	done
}
one_probe_at_most() { [ "$(strangers | sort -u | grep -cE 'sleep 77[78]')" -le 4 ]; }

@test "start_period: failures do not count until the first success or its end; retries in a row do" {
	compose <<'END'
name: h
services:
  warm:
    image: "box:1"
    command: [sleep, "1000"]
    tmpfs: /tmp
    healthcheck: {test: "test -e /tmp/ok", interval: 60s, start_period: 60s, start_interval: 200ms, retries: 1}
  cold:
    image: "box:1"
    command: [sleep, "1000"]
    restart: "no"
    healthcheck: {test: "false", interval: 200ms, start_period: 3s, start_interval: 200ms, retries: 1}
END
	tote up
	begun=$SECONDS
	patiently health_is warm starting
	sleep 1
	health_is warm starting
	tote exec h-warm-1 touch /tmp/ok
	# Had failures counted, or the long interval applied, it would not be.
	patiently health_is warm healthy
	[ $((SECONDS - begun)) -lt 50 ]
	[ "$(service warm .restarts)" = 0 ]
	patiently health_is cold unhealthy
	ran=$(service cold '.instances[0].uptimeMs')
	[ "$ran" -ge 2800 ]
}

@test "unhealthy: it is restarted where that is wanted, and left alone where not" {
	compose <<'END'
name: h
services:
  again:
    image: "box:1"
    command: [sleep, "1000"]
    restart: always
    stop_grace_period: 0s
    healthcheck: {test: "test ! -e /tmp/sick", interval: 200ms, retries: 2}
    tmpfs: /tmp
  alone:
    image: "box:1"
    command: [sleep, "1000"]
    restart: always
    tmpfs: /tmp
    healthcheck: {test: "test ! -e /tmp/sick", interval: 200ms, retries: 2}
    x-tote: {health: {action: none}}
END
	tote up
	for name in again alone; do
		patiently health_is $name healthy
		tote exec "h-$name-1" touch /tmp/sick
	done
	patiently service_is again .restarts 1
	patiently health_is again healthy
	patiently health_is alone unhealthy
	sleep 1
	[ "$(service alone .restarts)" = 0 ]
	tote exec h-alone-1 rm /tmp/sick
	patiently health_is alone healthy
}

@test "SIGKILL of the supervisor: it is starting again, healthy by the next probe, nothing restarts" {
	compose <<'END'
name: h
services:
  echo: {image: "echo:1", restart: always, x-tote: {health: {tcp: 8080, interval: 60s, start_period: 60s, start_interval: 300ms}}}
  slow: {image: "box:1", command: [sleep, "1000"], restart: always, healthcheck: {test: 'sleep 779', interval: 200ms, timeout: 600s}}
END
	tote up
	patiently health_is echo healthy
	patiently probe_runs
	before=$(init_of_echo)
	kill_supervisor
	start_supervisor
	patiently ping_supervisor
	patiently health_is echo healthy
	[ "$(init_of_echo)" = "$before" ]
	[ "$(service echo .restarts)" = 0 ]
	# The probe that the first one had begun is not left beside the next one's.
	patiently one_probe
}
probe_runs() { strangers | grep -q 'sleep 779'; }
init_of_echo() { jq -r .pid "$RUN/i/h-echo-1/status.json"; }
one_probe() { [ "$(strangers | grep -v 'tote\|sh -c' | grep -c 'sleep 779')" = 1 ]; }
