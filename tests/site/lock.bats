#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One update at a time, on a box and in a store; and what becomes of a lock whose holder has gone.

bats_require_minimum_version 1.5.0
load three

setup_file() { make_three; }
teardown_file() { drop_three; }
setup() { open_three; }
teardown() { close_three; }

# box3 is at work on the store, at box1's switch, until $FAKE_STORE/box1/hang goes: sets PID.
box3_at_work() {
	next_release "$POS1"
	R1=$REPLY
	ends box3 good fetch "$DEPOT"
	touch "$FAKE_STORE/box1/hang"
	begin_on box3 apply
	patiently grep -q -- '--wait ' "$FAKE_STORE/box1/calls"
}

# Whoever holds the lock, all of it is let go.
nobody_locks() {
	[ -z "$(ls "$FAKE_STORE"/box*/run/store-lock 2>/dev/null)" ]
}

@test "two at once, on one box and on two: one of them is busy, and says who is at work" {
	box3_at_work
	ends box3 busy apply
	# It was given the release, and could lead as well.
	ends box2 busy apply
	said "box3 is at work"
	# Nobody broke it for that.
	grep -q ^box3 "$FAKE_STORE/box2/run/store-lock"
	rm "$FAKE_STORE/box1/hang"
	wait "$PID"
	all_run 1 "$R1"
	nobody_locks
	[ "$(changes box1)" = 1 ]
	ends box2 good apply
}

@test "the lock of a box that answers is not broken, though its tote-site was killed; its own next one goes on" {
	long_one
	box3_at_work
	kill -KILL "$PID"
	wait "$PID" || true
	# What it has started still runs, and does not have the box's lock.
	flock -n "$FAKE_STORE/box3/run/lock" true
	rm "$FAKE_STORE/box1/hang"
	# box2 was given it.
	ends box2 busy apply
	ends box3 good tend --continue
	all_run 1 "$R1"
	nobody_locks
}

@test "the lock of a box that has booted since is broken" {
	long_one
	box3_at_work
	kill -KILL "$PID"
	rm "$FAKE_STORE/box1/hang"
	ends box2 good fetch "$DEPOT"
	ends box2 busy apply
	# What /run is after a boot.
	rm -rf "$FAKE_STORE/box3/run"
	ends box2 good apply
	all_run 1 "$R1"
	nobody_locks
}

@test "the lock of a box that is off is broken, but nothing begins without that box" {
	long_one
	box3_at_work
	kill -KILL "$PID"
	touch "$FAKE_STORE/box3/down"
	rm "$FAKE_STORE/box1/hang"
	ends box2 good fetch "$DEPOT"
	ends box2 between apply
	answer_is '.boxes.box3.online == false'
	rm -rf "$FAKE_STORE/box3/run" "$FAKE_STORE/box3/down"
	ends box2 good apply
	all_run 1 "$R1"
	nobody_locks
}

@test "the lock of a box that was taken out of the store is broken" {
	next_release "$POS1"
	R1=$REPLY
	local box
	for box in box1 box2; do
		mkdir -p "$FAKE_STORE/$box/run"
		echo "box3 0123-boot word" >"$FAKE_STORE/$box/run/store-lock"
		sed -i '/^peer box3/d' "$FAKE_STORE/$box/site.conf"
	done
	touch "$FAKE_STORE/box3/down"
	ends box1 good apply "$DEPOT"
	[ "$(runs box1)$(runs box2)" = 11 ]
	nobody_locks
}

@test "ten at once on three boxes: each is good or busy, and the store is settled" {
	long_one
	local n code pids=() codes=''
	next_release "$POS1"
	R1=$REPLY
	for n in 1 2 3; do
		ends "box$n" good fetch "$DEPOT"
	done
	for n in 1 2 3 1 2 3 1 2 3 1; do
		begin_on "box$n" apply
		pids+=("$PID")
	done
	for PID in "${pids[@]}"; do
		code=0
		wait "$PID" || code=$?
		codes+=" $code"
		[ "$code" = 0 ] || [ "$code" = "${CODE[busy]}" ]
	done
	[[ $codes == *" 0"* ]] || ends box1 good apply
	all_run 1 "$R1"
	nobody_locks
}
