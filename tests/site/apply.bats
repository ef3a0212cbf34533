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
