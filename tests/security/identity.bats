#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A pid is only a number: what state.json says is believed only about the very process it was written for.

bats_require_minimum_version 1.5.0
load attack

setup() {
	make_bundle
	sleep 1000 3>&- &
	BYSTANDER=$!
	# Start times are of 10 ms: a container that starts within the same ones would be the same process by its time.
	sleep 0.03
}

teardown() {
	# A state that was made to lie does not lead delete to the container any more.
	local group
	group=$(cgroup2_mount)/tote-$ID
	[ ! -e "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill"
	kill "$BYSTANDER" 2>/dev/null || true
	[ ! -e "$ROOT/$ID/state.true" ] || mv "$ROOT/$ID/state.true" "$ROOT/$ID/state.json"
	clean_up
	for _ in $(seq 50); do [ -d "$group" ] || break; rmdir "$group" 2>/dev/null || sleep 0.02; done
}

edit_state() { # jq arguments
	[ -e "$ROOT/$ID/state.true" ] || cp "$ROOT/$ID/state.json" "$ROOT/$ID/state.true"
	jq -c "$@" "$ROOT/$ID/state.true" >"$ROOT/$ID/state.json"
}

start_time() {
	sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20
}

unharmed() {
	kill -0 "$1"
	! grep -q '^State:.*[ZTt] ' "/proc/$1/status"
}

# All that could signal: none of it reaches process $1.
signals_nobody() {
	[ "$(status_of "$ID")" = stopped ]
	refuses 1 "container not running" kill "$ID" KILL
	refuses 1 "container not running" kill "$ID" STOP
	refuses 255 "container not running" exec "$ID" true
	sleep 0.1
	unharmed "$1"
}

@test "another start time: the pid was reused" {
	background
	pid=$(tote state "$ID" | jq .pid)
	edit_state '.startTime += 1'
	signals_nobody "$pid"
	edit_state '.startTime -= 1'
	signals_nobody "$pid"
}

@test "another boot: nothing of then is alive now" {
	background
	pid=$(tote state "$ID" | jq .pid)
	edit_state '.bootId = "00000000-0000-4000-8000-000000000000"'
	signals_nobody "$pid"
	edit_state '.bootId = ""'
	signals_nobody "$pid"
}

@test "a bystander that has the pid by now: delete removes the container and spares it" {
	background
	edit_state --argjson pid "$BYSTANDER" '.pid = $pid'
	signals_nobody "$BYSTANDER"
	tote kill --all "$ID" KILL
	unharmed "$BYSTANDER"
	tote delete --force "$ID"
	unharmed "$BYSTANDER"
	nothing_left
}

@test "a bystander with its own start time but of another boot is spared" {
	background
	edit_state --argjson pid "$BYSTANDER" --argjson time "$(start_time "$BYSTANDER")" \
		'.pid = $pid | .startTime = $time | .bootId = "00000000-0000-4000-8000-000000000000"'
	signals_nobody "$BYSTANDER"
	tote delete --force "$ID"
	unharmed "$BYSTANDER"
}

@test "the group of another boot's container may be somebody else's now" {
	background
	pid=$(tote state "$ID" | jq .pid)
	mkdir "$ROOT/old"
	jq -c '.id = "old" | .bootId = "00000000-0000-4000-8000-000000000000"' "$ROOT/$ID/state.json" >"$ROOT/old/state.json"
	cp "$ROOT/$ID/config.json" "$ROOT/old/"
	[ "$(status_of old)" = stopped ]
	tote kill --all old KILL
	unharmed "$pid"
	tote delete --force old
	sleep 0.2
	unharmed "$pid"
	[ "$(status_of "$ID")" = running ]
}

@test "a process that was already there in the container's place: pid 1, tote itself, negative and huge numbers" {
	background
	for pid in 1 0 -1 -2147483648 2147483647; do
		edit_state --argjson pid "$pid" '.pid = $pid'
		run timeout 10 "$TOTE" --root "$ROOT" kill "$ID" 0
		[ "$status" -le 1 ]
		run timeout 10 "$TOTE" --root "$ROOT" kill "$ID" CONT
		[ "$status" -le 1 ]
		run tote state "$ID"
		[ "$status" -le 1 ]
	done
}

@test "a damaged state is an error, and delete --force removes it" {
	background
	cp "$ROOT/$ID/state.json" "$ROOT/$ID/state.true"
	for text in '' '{' '[]' '{"pid": "x"}' '{"pid": 99999999999}' 'null'; do
		printf '%s' "$text" >"$ROOT/$ID/state.json"
		run timeout 10 "$TOTE" --root "$ROOT" kill "$ID" KILL
		[ "$status" = 1 ]
		[ "${#lines[@]}" = 1 ]
		run timeout 10 "$TOTE" --root "$ROOT" list -q
		[ "$status" -le 1 ]
	done
	mv "$ROOT/$ID/state.true" "$ROOT/$ID/state.json"
	tote delete --force "$ID"
	nothing_left
}

@test "a state directory that others own or may write to is refused" {
	background
	for how in "chmod 0777" "chmod 0770" "chmod 1777" "chown 1000"; do
		$how "$ROOT"
		for verb in "state $ID" "kill $ID" "delete --force $ID" "exec $ID true" "list" "run other" "create other" "start $ID" "ps $ID"; do
			run timeout 10 "$TOTE" --root "$ROOT" $verb </dev/null
			echo "$how, $verb: code $status, $output"
			[ "$status" != 0 ]
			[[ $output == *"must be owned by"* ]]
		done
		chown 0 "$ROOT"
		chmod 0700 "$ROOT"
	done
	[ "$(status_of "$ID")" = running ]
}

@test "links in place of a container's directory or state are not followed" {
	background
	pid=$(tote state "$ID" | jq .pid)
	ln -s "$ROOT/$ID" "$ROOT/link"
	refuses 1 "link" kill link KILL
	refuses 1 "exists" run link
	unharmed "$pid"
	run tote delete --force link
	unharmed "$pid"
	[ "$(status_of "$ID")" = running ]
	rm -f "$ROOT/link"
}
