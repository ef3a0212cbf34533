#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Commands that meet: one wins, the others say so, what `state` prints is always whole, nothing is left.

bats_require_minimum_version 1.5.0
load attack

setup() {
	make_bundle
	rounds=${ROUNDS:-20}
	command_is sleep 100
}

teardown() {
	[ -z "${WATCHER:-}" ] || kill "$WATCHER" 2>/dev/null || true
	clean_up
}

# In the background, its output and exit code in files.
bg() { # name tote-arguments
	local name=$1
	shift
	{
		local code=0
		timeout -k 1 20 "$TOTE" --root "$ROOT" "$@" </dev/null >"$name.out" 2>"$name.err" || code=$?
		echo "$code" >"$name.code"
	} 3>&- &
}

# No crash, no hang, at most a line of complaint.
decent() {
	local name code
	for name in "$@"; do
		code=$(cat "$name.code")
		[ "$code" -le 1 ] || [ "$code" = 255 ] || [ "$code" = 137 ] || { echo "$name: code $code"; cat "$name.err"; return 1; }
		[ "$(grep -c . "$name.err")" -le 1 ] || { cat "$name.err"; return 1; }
	done
}

# Prints what is wrong with each answer of `state` until it is killed.
watch_state() {
	while :; do
		"$TOTE" --root "$ROOT" state "$ID" >watch.out 2>watch.err && {
			jq -e '.status | IN("creating", "created", "running", "paused", "stopped")' watch.out >/dev/null 2>&1 ||
				cp watch.out watch.bad
			continue
		}
		grep -q 'does not exist' watch.err || cp watch.err watch.bad
	done
}

start_watching() {
	watch_state 3>&- &
	WATCHER=$!
}

state_was_whole() {
	kill "$WATCHER"
	wait "$WATCHER" 2>/dev/null || true
	WATCHER=
	[ ! -e watch.bad ] || { cat watch.bad; return 1; }
}

@test "two creates of one id: one winner" {
	rounds=${ROUNDS:-50}
	start_watching
	for ((i = 0; i < rounds; i++)); do
		bg a create "$ID"
		a=$!
		bg b create "$ID"
		wait $a $!
		[ "$(sort a.code b.code | tr -d '\n')" = 01 ] || { cat ./?.err; return 1; }
		grep -q 'already exists' a.err b.err
		[ "$(status_of "$ID")" = created ]
		tote start "$ID"
		[ "$(status_of "$ID")" = running ]
		tote delete --force "$ID"
	done
	state_was_whole
	nothing_left
}

@test "delete --force during create: afterwards all or nothing" {
	start_watching
	for ((i = 0; i < rounds; i++)); do
		bg a create "$ID"
		a=$!
		[ $((i % 4)) = 0 ] || sleep "0.00$((i % 10))"
		bg b delete --force "$ID"
		wait $a $!
		decent a b
		[ "$(cat b.code)" = 0 ] || { cat b.err; return 1; }
		tote delete --force "$ID"
		nothing_left
	done
	state_was_whole
}

@test "delete and delete --force during start" {
	start_watching
	for ((i = 0; i < rounds; i++)); do
		quietly tote create "$ID"
		bg a start "$ID"
		a=$!
		[ $((i % 3)) = 0 ] || sleep "0.00$((i % 5))"
		[ $((i % 2)) = 0 ] && bg b delete --force "$ID" || bg b delete "$ID"
		wait $a $!
		decent a b
		tote delete --force "$ID"
		nothing_left
	done
	state_was_whole
}

@test "kill during create" {
	start_watching
	for ((i = 0; i < rounds; i++)); do
		bg a create "$ID"
		a=$!
		sleep "0.00$((i % 10))"
		bg b kill "$ID" KILL
		wait $a $!
		decent a b
		tote delete --force "$ID"
		nothing_left
	done
	state_was_whole
}

@test "exec during delete --force" {
	for ((i = 0; i < rounds; i++)); do
		quietly tote run -d "$ID"
		bg a exec "$ID" sleep 100
		a=$!
		bg b exec "$ID" sleep 100
		b=$!
		sleep "0.00$((i % 10))"
		bg c delete --force "$ID"
		wait $a $b $!
		decent a b c
		[ "$(cat c.code)" = 0 ] || { cat c.err; return 1; }
		nothing_left
	done
}

@test "exec during delete --force without a pid namespace" {
	config '.linux.namespaces |= map(select(.type != "pid")) | .mounts |= map(select(.destination != "/proc"))
		| .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	for ((i = 0; i < rounds; i++)); do
		quietly tote run -d "$ID"
		bg a exec "$ID" sleep 100
		a=$!
		bg b exec "$ID" sleep 100
		b=$!
		sleep "0.00$((i % 10))"
		bg c delete --force "$ID"
		wait $a $b $!
		decent a b c
		tote delete --force "$ID"
		nothing_left
	done
}

@test "two starts, two deletes" {
	for ((i = 0; i < rounds; i++)); do
		quietly tote create "$ID"
		bg a start "$ID"
		a=$!
		bg b start "$ID"
		wait $a $!
		decent a b
		[ "$(sort a.code b.code | tr -d '\n')" = 01 ]
		bg a delete --force "$ID"
		a=$!
		bg b delete --force "$ID"
		wait $a $!
		[ "$(sort a.code b.code | tr -d '\n')" = 00 ] || { cat ./?.err; return 1; }
		nothing_left
	done
}

@test "fifty in parallel" {
	command_is /bin/true
	pids=()
	for ((i = 0; i < 50; i++)); do
		bg "p$i" run "$ID-$i"
		pids+=($!)
	done
	wait "${pids[@]}"
	for ((i = 0; i < 50; i++)); do
		[ "$(cat "p$i.code")" = 0 ] || { cat "p$i.err"; return 1; }
	done
	[ -z "$(ls "$ROOT")" ]
	[ -z "$(find "$(cgroup2_mount)" -maxdepth 1 -name "tote-$ID*")" ]
}

@test "run killed in the foreground: delete --force leaves nothing" {
	for ((i = 0; i < 20; i++)); do
		"$TOTE" --root "$ROOT" run "$ID" </dev/null >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.0$((i % 10))"
		kill -KILL $pid
		wait $pid || true
		tote delete --force "$ID"
		nothing_left
	done
}

@test "run on a terminal whose output goes away ends, and leaves nothing" {
	command_is yes
	config '.process.terminal = true'
	timeout -k 1 10 "$TOTE" --root "$ROOT" run "$ID" </dev/null 2>/dev/null 3>&- | head -n 1
	[ "${PIPESTATUS[0]}" != 124 ]
	nothing_left
}

@test "delete --force of a container whose start hangs in a hook" {
	config '.hooks.startContainer = [{path: "/bin/sleep", args: ["sleep", "100"]}]'
	quietly tote create "$ID"
	bg a start "$ID"
	sleep 0.3
	timeout 12 "$TOTE" --root "$ROOT" delete --force "$ID" || { code=$?; tote kill "$ID" KILL; echo "code $code"; return 1; }
	wait
	nothing_left
}

@test "delete --force of a container that was paused before its start" {
	quietly tote create "$ID"
	tote pause "$ID"
	bg a start "$ID"
	sleep 0.3
	timeout 12 "$TOTE" --root "$ROOT" delete --force "$ID" || { code=$?; tote kill "$ID" KILL; echo "code $code"; return 1; }
	wait
	nothing_left
}

@test "delete --force of a stopped and of a frozen container" {
	quietly tote run -d "$ID"
	kill -STOP "$(tote state "$ID" | jq .pid)"
	timeout 10 "$TOTE" --root "$ROOT" delete --force "$ID"
	nothing_left
	quietly tote run -d "$ID"
	tote pause "$ID"
	timeout 10 "$TOTE" --root "$ROOT" delete --force "$ID"
	nothing_left
}
