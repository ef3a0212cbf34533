#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A thousand lifecycles, a thousand execs: nothing grows. LIFECYCLES=10000 on demand.

bats_require_minimum_version 1.5.0
load attack

setup_file() {
	compile count
}

setup() {
	make_bundle
	count=${LIFECYCLES:-1000}
	command_is /bin/true
}

teardown() {
	clean_up
}

groups() {
	find "$(cgroup2_mount)" -type d -name "tote-$ID*" | wc -l
}

# Others work on this machine as well: what they come and go with is waited out, a leak of a thousand is not.
no_more_than() { # file with counts
	"$BATS_FILE_TMPDIR/count" >after
	while read -r what before <&4 && read -r _ now <&5; do
		[ "$now" -le $((before + ${slack:-0})) ] || { echo "$what: $before -> $now"; return 1; }
	done 4<"$1" 5<after
}

eventually_no_more() {
	for _ in $(seq 60); do
		no_more_than "$1" >why && return
		sleep 0.1
	done
	slack=20 no_more_than "$1" || { cat why; return 1; }
	echo "grown by less than 2 %: the work of others" >&2
}

@test "lifecycles: run" {
	"$BATS_FILE_TMPDIR/count" >before
	for ((i = 0; i < count; i++)); do
		"$TOTE" --root "$ROOT" run "$ID-$i" </dev/null 3>&- || { echo "run $i: code $?"; return 1; }
	done
	[ -z "$(ls "$ROOT")" ]
	[ "$(groups)" = 0 ]
	eventually_no_more before
}

@test "lifecycles: create, start, delete with a user namespace" {
	config '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	"$BATS_FILE_TMPDIR/count" >before
	for ((i = 0; i < count / 10; i++)); do
		quietly tote create "$ID-$i"
		tote start "$ID-$i"
		tote delete --force "$ID-$i"
	done
	[ -z "$(ls "$ROOT")" ]
	[ "$(groups)" = 0 ]
	eventually_no_more before
}

@test "lifecycles: that fail" {
	config '.hooks.createContainer = [{path: "/bin/false"}]'
	"$BATS_FILE_TMPDIR/count" >before
	for ((i = 0; i < count / 10; i++)); do
		! "$TOTE" --root "$ROOT" run "$ID-$i" </dev/null 2>err 3>&- || return 1
		grep -q "hook /bin/false" err
	done
	[ -z "$(ls "$ROOT")" ]
	[ "$(groups)" = 0 ]
	eventually_no_more before
}

@test "execs into one container" {
	background
	pid=$(tote state "$ID" | jq .pid)
	fds=$(ls "/proc/$pid/fd" | wc -l)
	"$BATS_FILE_TMPDIR/count" >before
	for ((i = 0; i < count; i++)); do
		"$TOTE" --root "$ROOT" exec "$ID" true </dev/null 3>&- || { echo "exec $i: code $?"; return 1; }
	done
	[ "$(status_of "$ID")" = running ]
	[ "$(tote state "$ID" | jq .pid)" = "$pid" ]
	[ "$(ls "/proc/$pid/fd" | wc -l)" = "$fds" ]
	[ "$(tote ps -f json "$ID" | jq length)" = 1 ]
	[ "$(ls -A "$ROOT" | wc -l)" = 1 ]
	[ "$(groups)" = 1 ]
	eventually_no_more before
	tote delete --force "$ID"
	nothing_left
}
