#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote-site apply and its kin on one box, with a real supervisor and real containers.

bats_require_minimum_version 1.5.0
load real

setup_file() { make_headquarters; }
teardown_file() { drop_headquarters; }
setup() { open_real; }
teardown() { close_box; }

@test "a release is applied, once more without a change, then the next one, and back by hand" {
	next_release "$POS1"
	R1=$REPLY
	site_ends good fetch
	site_ends good apply
	answer_is ".good and .release == \"$R1\" and .phase == \"settled\" and .boxes.box1.good"
	[ "$(version_runs)" = 1 ]
	site_ends good apply "$R1"
	next_release "$POS2"
	R2=$REPLY
	site_ends good apply "$DEPOT"
	answer_is ".release == \"$R2\" and .serial == 2"
	[ "$(version_runs)" = 2 ]
	[ "$(jq -r .release "$DEPOT/status/store0001.json")" = "$R2" ]
	site_ends good rollback
	answer_is ".release == \"$R1\" and .failed == [\"$R2\"]"
	[ "$(version_runs)" = 1 ]
	# The one that somebody went back from is not brought again by the timer.
	site_ends rolled-back tend
	[ "$(version_runs)" = 1 ]
	site_ends good apply --retry "$R2"
	answer_is ".failed == []"
	[ "$(version_runs)" = 2 ]
}

@test "a release that does not stay up: the one before comes back, and it is not tried again" {
	long_one
	next_release "$POS1"
	R1=$REPLY
	site_ends good apply "$DEPOT"
	next_release "$POS2" "command: [sh, -c, 'exit 7']"
	site_ends rolled-back apply "$DEPOT"
	answer_is ".release == \"$R1\" and .good and .failed == [\"$REPLY\"] and .phase == \"settled\""
	[ "$(version_runs)" = 1 ]
	site_ends rolled-back tend
	said "failed here before"
}

@test "a release that is the same but for its configuration is found out as well when it does not come up" {
	long_one
	next_release "$POS1"
	R1=$REPLY
	site_ends good apply "$DEPOT"
	next_release "$POS1" "environment: {MODE: new}" "x-tote: {update_timeout: 3s, health: {tcp: 9, retries: 1, interval: 1s}}"
	site_ends rolled-back apply "$DEPOT"
	answer_is ".release == \"$R1\" and .good"
}

@test "a service that is stopped or sick fails the gate of the right release" {
	long_one
	next_release "$POS1"
	site_ends good apply "$DEPOT"
	in_box "$TOTE" stop -p pos
	site_ends gate apply
	answer_is '.good == false and (.why | contains("stopped by hand"))'
	site_ends good apply --retry
}

@test "kill -9 of tote-site in the middle, then tend" {
	next_release "$POS1"
	site_ends good apply "$DEPOT"
	next_release "$POS2" "stop_signal: SIGUSR1"
	site_ends good fetch
	in_box "$SITE_SOURCE/tote-site" apply </dev/null >"$WORK/killed" 2>&1 3>&- &
	pid=$!
	patiently phase_is switching
	pkill -KILL -P "$pid" || true
	kill -KILL "$pid" || true
	wait "$pid" || true
	site_ends good tend
	answer_is ".release == \"$REPLY\" and .phase == \"settled\""
	[ "$(version_runs)" = 2 ]
}

phase_is() { [ "$(jq -r .phase "$SITE/state.json")" = "$1" ]; }

@test "no room for its own files: 9, and the old version runs on" {
	long_one
	mkdir "$SITE"
	in_box mount -t tmpfs -o mode=700,size=8m none "$SITE"
	next_release "$POS1"
	site_ends good apply "$DEPOT"
	next_release "$POS2"
	site_ends good fetch
	in_box sh -c "cat /dev/zero >'$SITE/fill'" 2>/dev/null || true
	site_ends full apply
	[ "$(version_runs)" = 1 ]
	in_box rm "$SITE/fill"
	site_ends good apply
	[ "$(version_runs)" = 2 ]
}
