#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote-site, or a whole box, dies at any point of an update: no store is left between two releases without saying so, and whoever
# comes next brings it there or back.

bats_require_minimum_version 1.5.0
load three

setup_file() { make_three; }
teardown_file() { drop_three; }
setup() { open_three; }
teardown() { close_three; }

begin() {
	next_release "$POS1"
	R1=$REPLY
	ends box3 good apply "$DEPOT"
	all_run 1 "$R1"
}

# SIGKILL for tote-site on a box and all that it has started there, and those it asked, as they would lose a power line together.
kill_all_of() { # PID
	local pid
	for pid in $(pgrep -P "$1"); do
		kill_all_of "$pid"
	done
	kill -KILL "$1" 2>/dev/null || true
}

# Between two releases some box says so.
says_so() {
	local box releases=''
	for box in box1 box2 box3; do
		[ "$(state $box .phase)" = settled ] || return 0
		releases+="$(runs $box) "
	done
	[ "$(tr ' ' '\n' <<<"$releases" | sed '/^$/d' | sort -u | wc -l)" = 1 ] || { echo "boxes run $releases and all say they are settled"; return 1; }
}

@test "SIGKILL at any moment of an update: it says so, and tend brings it to its end" {
	local delay
	begin
	for delay in $(sample 1 0.3 1 2 3 4.5 7); do
		next_release "$POS2"
		ends box3 good fetch "$DEPOT"
		begin_on box3 apply
		sleep "$delay"
		kill_all_of "$PID"
		wait "$PID" || true
		says_so
		ends box3 good tend
		all_run "$SERIAL" "$REPLY"
	done
}

@test "SIGKILL on the way back: it goes on going back, and the release stays failed" {
	long_one
	begin
	next_release "$POS2" "# sick on box3"
	R2=$REPLY
	ends box3 good fetch "$DEPOT"
	begin_on box3 apply
	patiently in_phase box3 reverting
	kill_all_of "$PID"
	wait "$PID" || true
	says_so
	ends box3 rolled-back tend
	all_run 1 "$R1"
	[ "$(state box1 '.failed[-1]')" = "$R2" ]
	ends box1 rolled-back apply "$R2"
}

@test "by hand in the middle of going back: it goes on, and what it goes back to has not failed" {
	long_one
	begin
	next_release "$POS2" "# sick on box3"
	ends box3 good fetch "$DEPOT"
	begin_on box3 apply
	patiently in_phase box3 reverting
	kill_all_of "$PID"
	wait "$PID" || true
	ends box3 good rollback
	all_run 1 "$R1"
	[ "$(state box3 '.failed | join(" ")')$(state box1 '.failed | join(" ")')" = "$REPLY$REPLY" ]
}

in_phase() { [ "$(state "$1" .phase)" = "$2" ]; }

@test "the box that led the update dies: the others agree on what was before, and it goes on when it is back" {
	long_one
	begin
	next_release "$POS2"
	R2=$REPLY
	ends box3 good fetch "$DEPOT"
	touch "$FAKE_STORE/box2/hang"
	begin_on box3 apply
	patiently in_phase box2 switching
	kill_all_of "$PID"
	wait "$PID" || true
	touch "$FAKE_STORE/box3/down"
	rm "$FAKE_STORE/box2/hang"
	[ "$(runs box1)" = 2 ]
	ends box1 between tend
	answer_is '.boxes.box3.online == false'
	[ "$(runs box1)$(runs box2)" = 11 ]
	[ "$(state box1 .phase)" = settled ]
	# Its power comes back, and its timer.
	rm -rf "$FAKE_STORE/box3/run" "$FAKE_STORE/box3/down"
	ends box3 good tend
	all_run 2 "$R2"
}

@test "a box dies during its own switch: the others go back, it is named, and later all get it" {
	long_one
	begin
	next_release "$POS2"
	R2=$REPLY
	ends box3 good fetch "$DEPOT"
	touch "$FAKE_STORE/box2/hang"
	begin_on box3 apply --format json
	patiently in_phase box2 switching
	touch "$FAKE_STORE/box2/down"
	rm "$FAKE_STORE/box2/hang"
	code=0
	wait "$PID" || code=$?
	[ "$code" = "${CODE[between]}" ]
	grep -q '"box2":{"release":null,"online":false' "$FAKE_STORE/out.box3"
	[ "$(runs box1)$(runs box3)" = 11 ]
	[ "$(state box3 '.failed | length')" = 0 ]
	rm -rf "$FAKE_STORE/box2/run" "$FAKE_STORE/box2/down"
	# What box2 has is neither this nor that until somebody looks.
	ends box3 good apply
	all_run 2 "$R2"
}

@test "a state that is damaged is an error, not an empty one" {
	begin
	echo '{' >"$FAKE_STORE/box3/site/state.json"
	ends box3 error apply
	[ "$(runs box1)$(runs box3)" = 11 ]
}
