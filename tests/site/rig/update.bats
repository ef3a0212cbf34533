# SPDX-License-Identifier: Apache-2.0
# Releases on a real store of three boxes: tote-site apply from a stick, box by box, with a gate that fails, and with boxes that lose
# their power on the way. For `make fleet-check`.

bats_require_minimum_version 1.5.0
. "$BATS_TEST_DIRNAME/store.bash"

setup_file() {
	local why
	why=$(can_cluster) || skip "$why"
	[ -f "$RIG_SOURCE/cmd/tote-site/engine_pacemaker.sh" ] || skip "tote-site has no engine for Pacemaker"
	open_store 1 3>&-
}

teardown_file() {
	close_store
}

setup() {
	RIG_LOG=$RIG_DIR/shared
	wait_for 120 settled_all
	hq_tools
}

teardown() {
	local box
	[ -z "${BATS_TEST_COMPLETED:-}" ] || return 0
	for box in $(rig boxes 1); do
		echo "-- $box"
		on "$box" crm_mon -1 | tail -n 20 || true
		on "$box" cat /var/lib/tote-site/state.json || true
		on "$box" tote list || true
	done
}

# tote-site apply of the stick on a box ends with CODE.
applies() { # CODE BOX [WORD...]
	local code=$1 box=$2
	shift 2
	run --separate-stderr on "$box" timeout 400 tote-site apply "${@:-/shared/depot}" --format json
	echo "apply on $box: code $status"$'\n'"$output"$'\n'"$stderr"
	[ "$status" -eq "$code" ]
}

# All boxes say that they have this release, are settled and well.
all_have() { # RELEASE
	local box
	for box in $(rig boxes 1); do
		[ "$(on "$box" jq -r '.release + " " + .phase' /var/lib/tote-site/state.json 2>/dev/null)" = "$1 settled" ] || return 1
	done
}

# The one witness runs, with the serial's image, and a till on each box.
store_runs() { # SERIAL
	local box
	beats_now || return 1
	[ "$(on "$BOX" tote exec shop-witness cat /serial)" = "$1" ] || return 1
	for box in $(rig boxes 1); do
		[ "$(on "$box" tote exec shop-till cat /serial)" = "$1" ] || return 1
	done
}

no_overlap() {
	[ "$(overlaps | tr '\n' ' ')" = "0 0 " ]
}

nobody_waits_outside() {
	! on s1b1 crm_mon -1 | grep -i standby
}

@test "the first release comes from a stick to one box, and runs on all" {
	hq_release 1
	applies 0 s1b1
	[ "$(jq -r .release <<<"$output")" = "$RELEASE" ]
	[ "$(jq -c '[.boxes[] | .good] | unique' <<<"$output")" = '[true]' ]
	all_have "$RELEASE"
	wait_for 20 store_runs 1
	nobody_waits_outside
	[ -s "$DEPOT/status/store0001.json" ]
}

@test "applied again it changes nothing, on whatever box" {
	local run
	beats_now
	run=$(tail -n 1 "$RIG_LOG/beats" | cut -d ' ' -f 3)
	applies 0 s1b3
	[ "$(tail -n 1 "$RIG_LOG/beats" | cut -d ' ' -f 3)" = "$run" ]
}

@test "the next release goes round, one box after the other, and the witness is never there twice" {
	local before
	hq_release 2
	before=$(up_time)
	applies 0 s1b2
	echo "took $(since "$before") s"
	all_have "$RELEASE"
	wait_for 20 store_runs 2
	nobody_waits_outside
	no_overlap
}

@test "a release whose gate fails goes back by itself, is remembered, and the one before runs" {
	local good serial
	read -r good serial < <(on s1b1 jq -r '"\(.release) \(.serial)"' /var/lib/tote-site/state.json)
	hq_release 3 'test -e /nowhere'
	applies 5 s1b1
	all_have "$good"
	wait_for 60 store_runs "$serial"
	nobody_waits_outside
	no_overlap
	# Not tried again, at once.
	applies 5 s1b1
	all_have "$good"
	beats_now
}

@test "a box that loses its power during its own update: nobody is between two releases for long without saying so" {
	local box release
	hq_release 4
	release=$RELEASE
	box=s1b2
	on s1b1 sh -c 'setsid tote-site apply /shared/depot --format json >/shared/answer 2>/shared/answer.err </dev/null
		echo $? >/shared/answer.code' 3>&- &
	wait_for 120 switching "$box"
	rig kill "$box"
	wait_for 400 [ -s "$RIG_LOG/answer.code" ]
	echo "apply: $(cat "$RIG_LOG/answer.code") $(cat "$RIG_LOG/answer") $(cat "$RIG_LOG/answer.err")"
	wait_for 90 settled_all
	# What the timer does on every box.
	tended "$release" || true
	wait_for 30 store_runs 4
	all_have "$release"
	nobody_waits_outside
	no_overlap
}

switching() { # BOX
	[ "$(jq -r .phase "$(rig path "$1")/var/lib/tote-site/state.json" 2>/dev/null)" = switching ]
}

tended() { # RELEASE
	local _ box
	for _ in 1 2 3; do
		for box in $(rig boxes 1); do
			all_have "$1" && return
			on "$box" timeout 300 tote-site tend || echo "tend on $box: $?"
		done
	done
	all_have "$1"
}

@test "the box from which an update is led loses its power: the timer of any box brings it to an end" {
	local release
	hq_release 5
	release=$RELEASE
	on s1b3 sh -c 'tote-site apply /shared/depot --format json >/shared/answer 2>&1 </dev/null' 3>&- &
	wait_for 120 switching s1b1
	sleep 1
	rig kill s1b3
	wait || true
	wait_for 90 settled_all
	tended "$release"
	wait_for 30 store_runs 5
	nobody_waits_outside
	no_overlap
}

@test "the whole store loses its power: it comes back with its release before anybody does anything" {
	local box
	for box in $(rig boxes 1); do
		rig kill "$box"
	done
	for box in $(rig boxes 1); do
		rig start "$box"
	done
	wait_for 120 beats_now
	wait_for 90 settled_all
	wait_for 30 store_runs 5
	run -0 on s1b2 timeout 200 tote-site gate
	no_overlap
}
