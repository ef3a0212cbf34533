# SPDX-License-Identifier: Apache-2.0
# Containers that make it hard to end them: processes that hang in the kernel (state D), groups in groups, marks that they wrote
# themselves. Whatever it is, delete --force ends within ten seconds, and what it could have killed does not live.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	DISK=
	CG=$(cgroup2_mount)
}

teardown() {
	# Whatever happened: nobody is to hang for ever.
	[ -z "$DISK" ] || fsfreeze -u "$DISK" 2>/dev/null || true
	clean_up
	[ -z "$DISK" ] || umount "$DISK"
	if [ -n "${G:-}" ] && [ -d "$G" ]; then find "$G" -depth -type d -exec rmdir {} +; fi
}

# A file system that can be frozen is the container's /tmp, $DISK here.
make_disk() {
	command -v fsfreeze >/dev/null || skip "needs fsfreeze"
	truncate -s 8M "$BATS_TEST_TMPDIR/image"
	mkfs.ext2 -q "$BATS_TEST_TMPDIR/image"
	mkdir "$BATS_TEST_TMPDIR/disk"
	mount -o loop "$BATS_TEST_TMPDIR/image" "$BATS_TEST_TMPDIR/disk" || skip "needs loop devices"
	DISK=$BATS_TEST_TMPDIR/disk
	config '.mounts += [{destination: "/tmp", type: "bind", source: $d, options: ["rbind"]}]' --arg d "$DISK"
}

# One whose init writes there, with a process beside it that does nothing.
writer() {
	command_is sh -c 'sleep 777 & while :; do echo x >/tmp/file; usleep 1000; done'
	quietly tote run -d "$1"
	eventually test -s "$DISK/file"
}

init_of() {
	jq .pid "$ROOT/$1/state.json"
}

is_stuck() {
	[[ "$(<"/proc/$1/stat")" == *") D"* ]]
}

freeze_disk() {
	local id
	fsfreeze -f "$DISK"
	for id; do
		eventually is_stuck "$(init_of "$id")"
	done
}

# The sleeper of a container, by its name in the group.
sleeper_of() {
	local pid
	for pid in $(cat "$CG/tote-$1/cgroup.procs"); do
		[[ "$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")" != "sleep 777 " ]] || echo "$pid"
	done 2>/dev/null
}

is_gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.*Z' "/proc/$1/status"
}

@test "an init in state D: delete --force says so in time, and nobody beside it lives on" {
	make_disk
	writer "$ID"
	local sleeper
	sleeper=$(sleeper_of "$ID")
	[ -n "$sleeper" ]
	freeze_disk "$ID"
	within 10 refuses 1 "process $(init_of "$ID") survives SIGKILL (state D?)" delete --force "$ID"
	[ "$code" = 0 ]
	is_gone "$sleeper"
	fsfreeze -u "$DISK"
	tote delete --force "$ID"
	[ ! -e "$ROOT/$ID" ] && [ ! -e "$CG/tote-$ID" ]
}

@test "several in state D take delete --force --regex no longer than one" {
	make_disk
	writer "$ID-a"
	writer "$ID-b"
	freeze_disk "$ID-a" "$ID-b"
	local sleeper
	sleeper=$(sleeper_of "$ID-b")
	[ -n "$sleeper" ]
	within 10 run -1 tote delete --force --regex "^$ID-[ab]\$"
	[ "$code" = 0 ]
	[[ $output == *"container $ID-a: process "* && $output == *"container $ID-b: process "* ]]
	is_gone "$sleeper"
	fsfreeze -u "$DISK"
	tote delete --force "$ID-a"
	tote delete --force "$ID-b"
}

@test "pause of one in state D names the process, and leaves the rest running" {
	make_disk
	writer "$ID"
	freeze_disk "$ID"
	refuses 1 "in state D: $(init_of "$ID"); it is thawed again" pause "$ID"
	[ "$(cat "$CG/tote-$ID/cgroup.freeze")" = 0 ]
	fsfreeze -u "$DISK"
	[ "$(status_of "$ID")" = running ]
}

# So many groups, each in the one before, and a process in the last.
nest() {
	local n top=$PWD
	cd "$CG/tote-$ID"
	for ((n = 0; n < $1; n++)); do
		mkdir d
		cd d
	done
	sleep 888 3>&- &
	NESTED=$!
	echo $NESTED >cgroup.procs
	cd "$top"
}

@test "ps and kill --all reach what is two hundred groups deep" {
	background
	nest 200
	[[ "$(tote ps -f json "$ID")" == *[[,]"$NESTED]"* || "$(tote ps -f json "$ID")" == *[[,]"$NESTED",* ]]
	tote kill --all "$ID" TERM
	eventually is_gone $NESTED
	tote delete --force "$ID"
	nothing_left
}

@test "how deep one nests its groups keeps no other one from being deleted" {
	background
	nest 700
	cp -r "$ROOT/$ID" "$BATS_TEST_TMPDIR/saved"
	quietly tote run -d "$ID-b"
	rm "$ROOT/$ID-b"/state.json*
	(ulimit -Sn 256 && tote delete --force "$ID-b")
	[ ! -e "$CG/tote-$ID-b" ]
	[ ! -e "$ROOT/$ID-b" ]
	[ "$(status_of "$ID")" = running ]
	tote delete --force "$ID"
	is_gone $NESTED
	nothing_left
}

mark() {
	python3 -c 'import os, sys
os.setxattr(sys.argv[1], "user.tote", sys.argv[2].encode())' "$1" "$2"
}

# As one that names a directory that is there.
mark_of_root() {
	printf '%x:%x /' $(stat -c '%d %i' /)
}

@test "a mark that a container writes on its own group does not save it" {
	command -v python3 >/dev/null || skip "needs python3"
	local pid mark
	for mark in "0:0 /x" "$(mark_of_root)"; do
		config 'del(.linux.namespaces[] | select(.type == "pid"))'
		background sh -c 'sleep 777 & exec sleep 1000'
		G=$CG/tote-$ID
		eventually test -n "$(sleeper_of "$ID")"
		pid=$(sleeper_of "$ID")
		mark "$G" "$mark"
		tote delete --force "$ID"
		is_gone "$pid"
		nothing_left
	done
}

@test "where only such a mark tells whose a group is, what stays is an error" {
	command -v python3 >/dev/null || skip "needs python3"
	background
	G=$CG/tote-$ID
	python3 -c 'import os, sys
os.removexattr(sys.argv[1], "trusted.tote")' "$G"
	mark "$G" "$(mark_of_root)"
	refuses 1 "cgroup /tote-$ID carries the mark of another one" delete --force "$ID"
	[ -e "$ROOT/$ID" ]
	mark "$G" "0:0 /x"
	tote delete --force "$ID"
	nothing_left
}

@test "a cgroupsPath through the name of a file leaves none of the groups on the way" {
	config ".linux.cgroupsPath = \"/z-$ID/cgroup.procs/y\""
	refuses 1 "create cgroup /z-$ID/cgroup.procs/y: Not a directory" run "$ID"
	[ ! -e "$CG/z-$ID" ]
	[ ! -e "$ROOT/$ID" ]
}
