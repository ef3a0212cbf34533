#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The gate of tote-site on three boxes, and the ways in which an update does not end well: what was before comes back.

bats_require_minimum_version 1.5.0
load three

setup_file() { make_three; }
teardown_file() { drop_three; }
setup() { open_three; }
teardown() { close_three; }

# The store runs release 1, $R1.
begin() {
	next_release "$POS1"
	R1=$REPLY
	ends box1 good apply "$DEPOT"
	all_run 1 "$R1"
}

@test "three boxes get a release from one of them, and a second apply changes nothing" {
	long_one
	begin
	answer_is '[.boxes[] | .online and .good] == [true, true, true]'
	[ "$(changes box2)" = 1 ]
	ends box2 good apply "$R1"
	ends box3 good gate
	[ "$(changes box1)$(changes box2)$(changes box3)" = 111 ]
	[ "$(state box2 .previous)" = null ]
	next_release "$POS2"
	ends box3 good apply "$DEPOT"
	all_run 2 "$REPLY"
	[ "$(state box1 .previous)" = "$R1" ]
	[ "$(jq -r .release "$DEPOT/status/store0001.json")" = "$REPLY" ]
}

@test "a store with the right release that is sick is not good" {
	long_one
	begin
	touch "$FAKE_STORE/box2/sick"
	ends box1 gate apply "$R1"
	answer_is '.good == false and .boxes.box2.good == false and .boxes.box1.good and (.why | contains("box2"))'
	# Not by the second try either, and not from another box.
	ends box1 gate apply "$R1"
	ends box3 gate gate
	rm "$FAKE_STORE/box2/sick"
	ends box1 good apply "$R1"
}

@test "a gate that fails on box 1, 2 or 3 brings all back, and the release is remembered" {
	local bad
	begin
	for bad in $(sample 1 box1 box2 box3); do
		next_release "$POS2" "# sick on $bad"
		ends box3 rolled-back apply "$DEPOT"
		answer_is ".release == \"$R1\" and .good and .wanted == \"$REPLY\""
		all_run 1 "$R1"
		[ "$(state box1 ".failed[-1]")$(state box3 ".failed[-1]")" = "$REPLY$REPLY" ]
	done
	# None of its boxes changes again, whichever is asked.
	before=$(changes box1)
	ends box1 rolled-back apply "$REPLY"
	said "failed here before"
	[ "$(changes box1)" = "$before" ]
}

@test "a service that does not come up is the same as a gate that fails" {
	long_one
	begin
	next_release "$POS2" "# fails on box2"
	ends box3 rolled-back apply "$DEPOT"
	answer_is '.why | contains("exit code 7")'
	all_run 1 "$R1"
}

@test "the release before is not well either: it is settled all the same, and not good; by hand that is no success" {
	long_one
	begin
	touch "$FAKE_STORE/box1/sick"
	next_release "$POS2"
	ends box3 rolled-back apply "$DEPOT"
	answer_is '.good == false and .phase == "settled" and (.why | contains("the release before is not well either: box1"))'
	all_run 1 "$R1"
	rm "$FAKE_STORE/box1/sick"
	ends box3 good apply --retry
	touch "$FAKE_STORE/box1/sick"
	ends box3 gate rollback
	all_run 1 "$R1"
}

@test "what is not the release's fault brings all back as well, and is not remembered" {
	long_one
	begin
	next_release "$POS2"
	ends box3 good fetch "$DEPOT"
	touch "$FAKE_STORE/box3/broken"
	ends box3 error apply
	all_run 1 "$R1"
	[ "$(changes box1)" = 3 ]
	[ "$(state box3 '.failed | length')$(state box1 '.failed | length')" = 00 ]
}

@test "--retry tries again what has failed, and it is forgotten when it succeeds" {
	long_one
	begin
	next_release "$POS2" "# sick on box2"
	R2=$REPLY
	ends box3 rolled-back apply "$DEPOT"
	ends box3 rolled-back apply --retry "$R2"
	all_run 1 "$R1"
	# The release is the same, the box is not.
	touch "$FAKE_STORE/box2/cured"
	ends box3 rolled-back apply "$R2"
	ends box3 good apply --retry "$R2"
	all_run 2 "$R2"
	[ "$(state box1 '.failed | length')" = 0 ]
}

@test "by hand the store goes back, and forward only with --retry" {
	long_one
	begin
	next_release "$POS2"
	R2=$REPLY
	ends box3 good apply "$DEPOT"
	ends box1 good rollback
	all_run 1 "$R1"
	[ "$(state box2 '.failed[-1]')" = "$R2" ]
	ends box2 rolled-back apply "$R2"
	ends box1 absent rollback
	ends box2 good apply --retry "$R2"
	all_run 2 "$R2"
	[ "$(state box3 '.failed | length')" = 0 ]
}

@test "--dry-run changes nothing and says what it would" {
	long_one
	begin
	next_release "$POS2"
	ends box3 good fetch "$DEPOT"
	ends box3 good apply --dry-run
	said "box1: ${R1:0:12} -> ${REPLY:0:12}"
	all_run 1 "$R1"
	ends box3 good apply
	ends box3 good rollback --dry-run
	all_run 2 "$REPLY"
}

@test "a peer that cannot be reached: nothing is changed, and the answer says who has what" {
	long_one
	begin
	next_release "$POS2"
	touch "$FAKE_STORE/box2/down"
	ends box3 between apply "$DEPOT"
	answer_is '.boxes.box2.online == false and .boxes.box1.online and (.why | contains("box2"))'
	[ "$(runs box1)$(runs box2)$(runs box3)" = 111 ]
	ends box3 between gate
	rm "$FAKE_STORE/box2/down"
	ends box3 good apply
	all_run 2 "$REPLY"
}

@test "a peer that goes away between two questions: 6, not 255, which would mean this box, and nothing is changed" {
	local word
	begin
	next_release "$POS2"
	ends box3 good fetch "$DEPOT"
	for word in $(sample 1 prepare lock); do
		touch "$FAKE_STORE/box2/gone-at-$word"
		ends box3 between apply
		answer_is '.why | contains("box2 cannot be reached: ssh: connect to host box2: No route to host")'
		rm "$FAKE_STORE/box2/gone-at-$word"
	done
	touch "$FAKE_STORE/box2/gone-at-lock"
	ends box3 between rollback || ends box3 absent rollback
	[ "$(runs box1)$(runs box2)$(runs box3)" = 111 ]
}

@test "why a peer is not there is said as the peer or ssh says it" {
	begin
	next_release "$POS2"
	ends box3 good fetch "$DEPOT"
	touch "$FAKE_STORE/box2/down"
	ends box3 between apply
	answer_is '.why | contains("box2: cannot be reached: ssh: connect to host box2: No route to host")'
	answer_is '.boxes.box2.why == "cannot be reached: ssh: connect to host box2: No route to host"'
	rm "$FAKE_STORE/box2/down"
	echo '{' >"$FAKE_STORE/box2/site/state.json"
	ends box3 between apply
	answer_is '.why | contains("box2: ") and contains("state.json") and (contains("reached") | not)'
}

@test "what a peer says that is not understood is an error, before anything is changed" {
	. "$SITE_SOURCE/gate.sh"
	declare -A STATUS=([box2]='{"box":"box2","online":true,"health":[{"key":"quorum","value":"ok","why":""}]}')
	gate_before
	STATUS[box2]='{"box":"box2","online":true,"health":7}'
	run -"${CODE[error]}" gate_before
	[[ $output == *"not understood"* ]]
}

# Signed secrets of the store, with a serial.
secrets() { # DEPOT SERIAL
	rm -rf "$1/secrets"
	mkdir -p "$1/secrets/store0001"
	echo "x$2" >"$1/secrets/store0001/db.age"
	secrets_make "$1/secrets/store0001" "$HQ/key" store0001 "$2"
}

@test "secrets that a peer refuses, as it has newer ones, do not hold the release up" {
	begin
	secrets "$DEPOT" 1
	ends box3 good fetch "$DEPOT"
	cp -a "$DEPOT" "$FAKE_STORE/depot2"
	secrets "$FAKE_STORE/depot2" 2
	ends box2 good fetch "$FAKE_STORE/depot2"
	rm -rf "$DEPOT/secrets"
	# Nobody opens them here.
	mkdir "$FAKE_STORE/bin"
	printf '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho open >"$2"\n' >"$FAKE_STORE/bin/age"
	chmod 755 "$FAKE_STORE/bin/age"
	next_release "$POS2"
	PATH=$FAKE_STORE/bin:$PATH ends box3 good apply "$DEPOT"
	said "box2: the secrets have the serial 1, and 2 is here already"
	all_run 2 "$REPLY"
}

@test "no room on a box: 9, and the old version runs on everywhere" {
	long_one
	local full
	begin
	for full in $(sample 1 box1 box3); do
		next_release "$POS2"
		ends box3 good fetch "$DEPOT"
		touch "$FAKE_STORE/$full/full"
		ends box3 full apply
		rm "$FAKE_STORE/$full/full"
		[ "$(runs box1)$(runs box2)$(runs box3)" = 111 ]
		ends box3 good tend --continue
		all_run 1 "$R1"
		[ "$(state box3 '.failed | length')" = 0 ]
	done
	ends box3 good apply
	all_run "$SERIAL" "$REPLY"
}

@test "secrets that are refused: the release runs all the same, and the answer says what is missing" {
	next_release "$POS1"
	mkdir -p "$DEPOT/secrets/store0001"
	echo "tote-secrets 1" >"$DEPOT/secrets/store0001/index"
	ends box1 refused apply "$DEPOT"
	all_run 1 "$REPLY"
	answer_is '.good and (.why | startswith("the release runs with the secrets of before: "))'
	answer_is '.why | contains("index.sig")'
	# Word is left on the stick.
	[ "$(jq -c '[.code, .release]' "$DEPOT/status/store0001.json")" = "[4,\"$REPLY\"]" ]
	rm -r "$DEPOT/secrets"
	ends box1 good apply "$DEPOT"
}

@test "expired, also in between: refused, and nobody is left between" {
	long_one
	begin
	EXPIRES=$(date -u -d '+30 seconds' +%FT%TZ) next_release "$POS2"
	ends box3 good fetch "$DEPOT"
	touch "$FAKE_STORE/box2/hang"
	begin_on box3 apply
	patiently grep -q -- '--wait ' "$FAKE_STORE/box2/calls"
	patiently eval '[ "$(state box2 .phase)" = switching ]'
	kill -KILL "$PID"
	sleep 30
	rm "$FAKE_STORE/box2/hang"
	ends box3 refused apply
	said "has expired"
	all_run 1 "$R1"
}

@test "images that vanished are no reason to begin: 8 names the box" {
	long_one
	begin
	next_release "$POS2"
	ends box3 good fetch "$DEPOT"
	sed -i "/$POS2/d" "$FAKE_STORE/box3/images"
	ends box3 absent apply
	[ "$(runs box1)$(runs box2)$(runs box3)" = 111 ]
	# A peer that lacks them gets them.
	ends box3 good apply "$DEPOT"
	all_run 2 "$REPLY"
}

@test "a release with an image that its manifest does not name is refused" {
	long_one
	begin
	next_release "$POS2" "image: other:1"
	ends box3 refused apply "$DEPOT"
	said "other:1"
	all_run 1 "$R1"
	[ "$(changes box1)" = 1 ]
}

@test "a box that was replaced gets what the others run" {
	long_one
	begin
	rm -rf "$FAKE_STORE"/box2/{site,run,images,tags,runs*,calls}
	ends box3 good apply
	all_run 1 "$R1"
}

@test "a first release that fails leaves nothing to go back to, and says so until it is well" {
	long_one
	next_release "$POS1" "# sick on box2"
	ends box3 between apply "$DEPOT"
	said "no release before"
	ends box3 between apply
}

# What the gate makes of one box's line "x VALUE", at uptime 1000 with gate-seconds 30.
judged() { # VALUE [FROM [SEEN-JSON]]
	. "$SITE_SOURCE/gate.sh"
	jq -nc --arg release R --argjson from "${2:-0}" --argjson seconds 30 --argjson now 1000 --argjson settled true --argjson before "{\"seen\": ${3:-{\}}}" "$GATE_JUDGE" <<-END |
		{"box": "b", "online": true, "release": "R", "phase": "settled", "health": [{"key": "x", "value": "$1", "why": "words"}]}
	END
		jq -r '"\(.verdict) \(.left)"'
}

@test "how long something has been good counts from before, but not from before a switch, nor from before it was seen to be bad" {
	[ "$(judged ok)" = "good 0" ]
	[ "$(judged 30)" = "good 0" ]
	[ "$(judged 29)" = "wait 1" ]
	[ "$(judged 500 980)" = "wait 10" ]
	[ "$(judged 500 960)" = "good 0" ]
	[ "$(judged 500 0 '{"b/x": 990}')" = "wait 20" ]
	[ "$(judged 500 0 '{"b/y": 990}')" = "good 0" ]
	[ "$(judged wait)" = "wait 0" ]
	[ "$(judged bad)" = "bad 0" ]
}

@test "the course has a next phase for each event that can come, or stays where it says so" {
	local event
	. "$SITE_SOURCE/course.sh"
	for event in "${COURSE_EVENT[@]}"; do
		[ -n "${COURSE_NEXT["switching $event"]:-}" ] || { echo "switching $event"; return 1; }
		[ "$event" = good ] || [ "${COURSE_NEXT["switching $event"]}" = reverting ]
		[ "$event" = good ] || [ -n "${CODE[${COURSE_CLASS[$event]}]:-}" ] || { echo "$event has no class"; return 1; }
	done
	[ "${COURSE_NEXT["switching good"]}${COURSE_NEXT["reverting good"]}" = settledsettled ]
}
