#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The supervisor and the monitors are killed at any time: no container restarts, no exit code is lost. A sample; all of it, which
# takes minutes, with ALL=1.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	make_store
	import_image box:2 -e RELEASE=2 --cmd sh "$SHARED/box.tar"
}
teardown_file() { drop_store; }
setup() {
	open_box
	KILLS=$([ -n "${ALL:-}" ] && echo 100 || echo 30)
}
teardown() { close_box; }

come_back() {
	start_supervisor
	patiently ping_supervisor
}

# What is true of containers that nobody disturbed: each one's first process, and its run.
identities() { # NAME-PATTERN
	local i
	for i in $(instances | grep -E "$1"); do
		echo "$i $(field "$i" status '"\(.run) \(.pid)"') $(awk '{print $22}' "/proc/$(init_of "$i")/stat")"
	done
}

# Twelve that stay, six that end on their own with codes of theirs, two that end again and again and count it.
twenty() {
	local n
	{
		echo 'name: k'
		echo 'services:'
		echo '  stay: {image: "box:1", command: ["sleep", "3600"], deploy: {replicas: 12}, stop_grace_period: 0s, restart: always}'
		for n in 1 2 3 4 5 6; do
			echo "  job$n: {image: 'box:1', command: [sh, -c, 'sleep $n; exit 4$n'], restart: 'no'}"
		done
		for n in 1 2; do
			echo "  again$n: {image: 'box:1', command: [sh, -c, 'echo begin; sleep 0.2; exit 5'], restart: always}"
		done
	} | compose
}

@test "SIGKILL of the supervisor, again and again, with 20 containers: nothing restarts, no exit code is lost" {
	twenty
	come_back
	tote up
	patiently stay_run
	before=$(identities '^k-stay-')
	[ "$(wc -l <<<"$before")" = 12 ]
	for n in $(seq "$KILLS"); do
		kill_supervisor
		start_supervisor
		# In its first steps, or when it has work.
		case $((n % 3)) in
		0) patiently ping_supervisor ;;
		1) sleep "0.0$((n % 10))" ;;
		2) sleep "0.$((n % 4))" ;;
		esac
	done
	kill_supervisor
	come_back
	[ "$(identities '^k-stay-')" = "$before" ]
	[ "$(service stay .restarts)" = 0 ]
	[ "$(status_json | jq '[.projects[0].services[] | select(.name == "stay") | .instances[].run] | unique == [1]')" = true ]
	for n in 1 2 3 4 5 6; do
		patiently service_is "job$n" '.instances[0].exit.code' "4$n"
		service_is "job$n" '.instances[0].run' 1
		service_is "job$n" '.instances[0].exit.reason' ended
	done
	for n in 1 2; do
		# Every run is known, with its own code, and none was run beside another.
		[ "$(service "again$n" '[.instances[0].exits[].code] | unique | join(" ")')" = 5 ]
		[ "$(service "again$n" '.instances[0] | .run - .restarts')" = 1 ]
		[ "$(service "again$n" '[.instances[0].exits[].run] | . == ([range(.[0]; .[0] + length)])')" = true ]
		begun=$(log_of "k-again$n-1" | grep -c begin)
		run=$(service "again$n" '.instances[0].run')
		[ "$begun" = "$run" ] || [ $((begun + 1)) = "$run" ] || [ "$begun" = $((run + 1)) ]
	done
}

stay_run() { [ "$(service stay '[.instances[] | select(.state == "running")] | length')" = 12 ]; }

@test "SIGKILL of the supervisor while containers are being made and stopped" {
	twenty
	for n in $(seq 0 $((KILLS / 3))); do
		come_back
		tote up >/dev/null 2>&1 &
		up=$!
		sleep "0.$((n % 10))"
		kill_supervisor
		wait "$up" || true
		kill_supervisor
		[ $((n % 2)) = 0 ] || continue
		come_back
		tote down >/dev/null 2>&1 &
		up=$!
		sleep "0.0$((n % 10))"
		kill_supervisor
		wait "$up" || true
		kill_supervisor
	done
	come_back
	tote up
	patiently stay_run
	# As many processes as there should be.
	[ "$(strangers | grep -cE '^[0-9]+ sleep 3600')" = 12 ]
	for n in 1 2 3 4 5 6; do
		patiently service_is "job$n" '.instances[0].exit.code' "4$n"
	done
	tote down
	patiently nothing_left
}

@test "SIGKILL of a monitor: another one takes over at once, the container goes on, its log and its exit code are not lost" {
	compose <<-'END'
	name: m
	services:
	  w:
	    image: box:1
	    command: ["sh", "-c", "trap 'exit 7' TERM; n=0; while :; do n=$$((n + 1)); echo line $$n; sleep 0.05; done"]
	    restart: "no"
	END
	come_back
	tote up
	patiently is_running m-w-1
	before=$(identities m-w-1)
	slowest=0
	for n in 1 2 3 4 5; do
		old=$(monitor_of m-w-1)
		kill -KILL "$old"
		start=$(date +%s%N)
		eventually another_monitor "$old"
		took=$((($(date +%s%N) - start) / 1000000))
		[ "$took" -le "$slowest" ] || slowest=$took
		sleep 0.3
	done
	echo "# another monitor after at most $slowest ms" >&3
	[ "$slowest" -lt 15000 ]
	[ "$(identities m-w-1)" = "$before" ]
	kill -TERM "$(init_of m-w-1)"
	patiently service_is w '.instances[0].state' failed
	service_is w '.instances[0].run' 1
	# Linux before 6.15 tells the exit code to the parent alone, which is the supervisor then.
	service_is w '.instances[0].exit.code' 7
	service_is w '.instances[0].exit.reason' ended
	# All lines, each once.
	log_of m-w-1 | grep -o 'line [0-9]*' | cut -d ' ' -f 2 >seen
	diff seen <(seq "$(wc -l <seen)")
}

another_monitor() { # OLD
	local new
	new=$(monitor_of m-w-1 2>/dev/null) && [ -n "$new" ] && [ "$new" != "$1" ] && kill -0 "$new" 2>/dev/null
}

@test "SIGKILL of supervisor and monitors together: the next supervisor adopts what runs" {
	twenty
	come_back
	tote up
	patiently stay_run
	before=$(identities '^k-stay-')
	kill_supervisor
	for i in $(instances | grep stay); do kill -KILL "$(monitor_of "$i")"; done
	come_back
	for i in $(instances | grep stay); do patiently lives "$i"; done
	[ "$(identities '^k-stay-')" = "$before" ]
	# One of them ends: with its code where the kernel tells it, unknown otherwise; and only this one starts again.
	kill -KILL "$(init_of k-stay-3)"
	patiently service_is stay '.instances[2].run' 2
	[ "$(identities '^k-stay-' | grep -v k-stay-3)" = "$(grep -v k-stay-3 <<<"$before")" ]
	tote down
	patiently nothing_left
}

lives() { local p; p=$(monitor_of "$1") && [ -d "/proc/$p" ] && ! process_gone "$p"; }

@test "SIGKILL of the supervisor in every phase of an update: one container in the end, the new or the old one" {
	compose <<-'END'
	name: u
	services:
	  w:
	    image: box:${V}
	    command: ["sh", "-c", "trap 'exit 0' TERM; sleep 0.2; touch /tmp/ok; while :; do sleep 0.05; done"]
	    healthcheck: {test: ["CMD", "test", "-e", "/tmp/ok"], interval: 200ms, start_period: 5s, start_interval: 100ms}
	END
	come_back
	V=1 tote up --wait
	new=1
	for n in $(seq 0 $((KILLS / 3))); do
		new=$((3 - new))
		V=$new tote up >/dev/null 2>&1 &
		up=$!
		sleep "$(awk "BEGIN {print $n * 0.9 / ($KILLS / 3)}")"
		kill_supervisor
		wait "$up" || true
		kill_supervisor
		come_back
		patiently one_healthy
	done
	[ "$(strangers | grep -cE '^[0-9]+ sh -c .*touch /tmp/ok')" = 1 ]
	V=2 tote up --wait
	one_healthy
	tr '\0' '\n' <"/proc/$(service w '.instances[0].pid')/environ" | grep -q RELEASE=2
}

one_healthy() {
	[ "$(service w '[.health, .state, (.instances | length), .instances[0].health] | join(" ")')" = "healthy running 1 healthy" ]
}

@test "SIGKILL of everything of ours at the same time, twenty times, while it starts" {
	[ -n "${ALL:-}" ] || skip "takes long: ALL=1"
	twenty
	for n in $(seq 20); do
		come_back
		tote up >/dev/null 2>&1 || true
		sleep "0.$((n % 10))"
		kill_supervisor
		for i in $(instances); do kill -KILL "$(monitor_of "$i" 2>/dev/null)" 2>/dev/null || true; done
	done
	come_back
	tote up
	patiently stay_run
	[ "$(strangers | grep -cE '^[0-9]+ sleep 3600')" = 12 ]
	tote down
	patiently nothing_left
}
