# SPDX-License-Identifier: Apache-2.0
# Groups and kernels that do not do as they are told: a clear error or an end within ten seconds, and nothing left behind.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
	TOP=$TREE/top-$ID
	PROGRAM=$TOTE HOLDER=
}

teardown() {
	TOTE=$PROGRAM
	clean_up
	[ -z "$HOLDER" ] || { kill "$HOLDER" && wait "$HOLDER" || true; } 2>/dev/null
	[ ! -d "$TOP" ] || find "$TOP" -depth -type d -exec rmdir {} +
}

# From here on tote is run by a script: a command that executes its further arguments.
prepared_by() {
	TOTE=$BATS_TEST_TMPDIR/prepared
	printf '#!/bin/sh\n%s "%s" "$@"\n' "$1" "$PROGRAM" >"$TOTE"
	chmod +x "$TOTE"
}

@test "limits that the kernel refuses leave no group, no parent and no state" {
	local case
	for case in 'cpu.cpus {"cpu":{"cpus":"900"},"memory":{"limit":50000000}}' 'cpu.quota {"cpu":{"quota":1}}' \
		'unified["memory.max"] {"unified":{"memory.max":"much"},"pids":{"limit":5}}'; do
		RESOURCES=${case#* } GROUP=/top-$ID/deep/er
		bundle true
		refuses 1 "linux.resources.${case%% *}: write " run "$ID"
		[ ! -e "$TOP" ]
		nothing_left
	done
}

@test "a limit below what is in use takes hold in bounded time" {
	RESOURCES='{"memory": {"limit": 67108864, "swap": 67108864}}'
	# What lies in a file system in memory cannot be dropped, and swap is forbidden: somebody must die.
	started sh -c 'dd if=/dev/zero of=/dev/fill bs=1M count=20 2>/dev/null; sleep 1000 & wait'
	eventually eval '[ "$(<"$G/memory.current")" -gt 20000000 ]'
	within 10 tote update --memory 4m --memory-swap 4m "$ID"
	[ $code = 0 ]
	eventually status_is stopped
	[ "$(number_in memory.events oom_kill)" -gt 0 ]
	tote delete "$ID"
	nothing_left
}

@test "a limit that is too small for anything to start is an error that says so" {
	RESOURCES='{"memory": {"limit": 65536, "swap": 65536}}'
	bundle true
	within 10 refuses 1 "its cgroup ran out of memory" create "$ID"
	[ $code = 0 ]
	nothing_left
}

@test "an OOM kill that a group had seen before is not blamed for another end" {
	mkdir -p "$TOP/box"
	echo +memory >"$TOP/cgroup.subtree_control"
	echo 8M >"$TOP/box/memory.max"
	echo 0 >"$TOP/box/memory.swap.max"
	sh -c "echo \$\$ >$TOP/box/cgroup.procs && exec dd if=/dev/zero of=/dev/null count=1 bs=64M" 2>/dev/null && return 1
	G=$TOP/box
	[ "$(number_in memory.events oom_kill)" = 1 ]
	# A hook that kills what it is called for.
	GROUP=/top-$ID/box
	ANNOTATIONS='{}, "hooks": {"createRuntime": [{"path": "/bin/sh",
		"args": ["sh", "-c", "kill -KILL $(sed '"'s/.*\\\"pid\\\": *//;s/[^0-9].*//'"')"]}]}'
	bundle true
	refuses 1 "process ended before it was ready" create "$ID"
	[[ $stderr != *"ran out of memory"* ]]
}

@test "what is no limit is not to be set as one" {
	local file
	for file in cgroup.freeze cgroup.procs cgroup.threads cgroup.kill cgroup.type cgroup.subtree_control; do
		RESOURCES='{"unified": {"'$file'": "1"}}'
		bundle true
		refuses 1 "linux.resources.unified[\"$file\"]: is not a limit" run "$ID"
	done
	nothing_left
}

@test "a controller that is absent is named" {
	# A cgroup namespace whose root has pids and nothing else, held by a process.
	mkdir -p "$TOP/part/me"
	echo +pids >"$TOP/cgroup.subtree_control"
	sh -c "echo \$\$ >$TOP/part/cgroup.procs && exec unshare --cgroup --mount sh -c '
		echo \$\$ >$TOP/part/me/cgroup.procs && umount -l $TREE && mount -t cgroup2 none $TREE && exec sleep 1000'" 3>&- &
	HOLDER=$!
	eventually eval '[ "$(</proc/$HOLDER/comm)" = sleep ]'
	prepared_by "echo \$\$ >$TOP/part/me/cgroup.procs && exec nsenter -t $HOLDER -m -C --wdns=$BUNDLE"
	RESOURCES='{"memory": {"limit": 50000000}, "pids": {"limit": 5}}' G=$TOP/part/tote-$ID
	bundle true
	refuses 1 "linux.resources.memory.limit: the memory controller is not handed to this cgroup namespace; enable it from outside" run "$ID"
	[ ! -e "$G" ]
	RESOURCES='{"pids": {"limit": 5}}'
	bundle true
	sleep 1000 3>&- &
	echo $! >"$TOP/part/cgroup.procs"
	refuses 1 "the pids controller cannot be enabled below cgroup /: that group holds processes itself; move them to a group below it first" run "$ID"
	echo $! >"$TOP/part/me/cgroup.procs"
	kill $!
	started
	reads pids.max 5
	refuses 1 "update container $ID: linux.resources.cpu.shares: the cpu controller is not handed to" update --cpu-share 512 "$ID"
	tote delete --force "$ID"
	[ ! -e "$G" ]
}

@test "a read-only cgroup mount: what to do instead is said, and what is left can be deleted later" {
	started
	prepared_by "exec unshare --mount --propagation private sh -c 'mount -o remount,bind,ro $TREE && exec \"\$@\"' sh"
	refuses 1 "update container $ID: linux.resources.pids.limit: " update --pids-limit 5 "$ID"
	refuses 1 "freeze cgroup /tote-$ID: Read-only file system" pause "$ID"
	status_is running
	refuses 1 "kill cgroup /tote-$ID: Read-only file system" delete --force "$ID"
	[ -d "$G" ]
	TOTE=$PROGRAM
	tote delete --force "$ID"
	nothing_left

	prepared_by "exec unshare --mount --propagation private sh -c 'mount -o remount,bind,ro $TREE && exec \"\$@\"' sh"
	refuses 1 "create cgroup /tote-$ID: the cgroup2 mount is read-only; remount it read-write, or go without (--cgroup-manager disabled)" run "$ID"
	bundle true
	quietly tote --cgroup-manager disabled run "$ID"
	nothing_left
}

@test "groups and processes that others put into the container's group go with it" {
	started
	mkdir -p "$G/foreign/below" "$G/empty"
	sleep 1000 3>&- &
	local pid=$!
	echo $pid >"$G/foreign/below/cgroup.procs"
	within 10 tote delete --force "$ID"
	[ $code = 0 ]
	wait $pid && false || [ $? = 137 ]
	nothing_left
}

@test "frozen, with processes fifty groups deep: delete takes --force, and no time" {
	started sh -c 'cd /sys/fs/cgroup; p=.; i=0; while [ $i -lt 50 ]; do p=$p/d; i=$((i + 1)); done; mkdir -p $p
		echo $$ >$p/cgroup.procs; sleep 1000 & echo 1 >d/d/cgroup.freeze; sleep 1000'
	eventually frozen_inside
	tote pause "$ID"
	refuses 1 "cannot delete container $ID that is not stopped: it is paused" delete "$ID"
	within 10 tote delete --force "$ID"
	[ $code = 0 ]
	nothing_left
}

frozen_inside() {
	[ -e "$G/d/d/cgroup.events" ] && [ "$(number_in d/d/cgroup.events frozen)" = 1 ]
}

@test "stopped by SIGSTOP, frozen by a group above: delete --force all the same" {
	GROUP=/top-$ID/box G=$TOP/box
	started
	read -r pid <"$G/cgroup.procs"
	kill -STOP "$pid"
	echo 1 >"$TOP/cgroup.freeze"
	eventually eval '[ "$(number_in cgroup.events frozen)" = 1 ]'
	within 10 refuses 1 "thaw cgroup /top-$ID/box: a group above it is frozen" resume "$ID"
	[ $code = 0 ]
	within 10 tote delete --force "$ID"
	[ $code = 0 ]
	nothing_left
	# The container made this one.
	[ ! -e "$TOP" ]
	mkdir "$TOP"
	echo 1 >"$TOP/cgroup.freeze"
	bundle true
	within 10 refuses 1 "create cgroup /top-$ID/box: a group above it is frozen" run "$ID"
	[ $code = 0 ]
	[ ! -e "$G" ]
}

@test "a fork bomb ends by kill --all, and by delete --force" {
	RESOURCES='{"pids": {"limit": 200}}'
	local bomb='echo "BEGIN { while (1) system(\"exec awk -f /dev/bomb &\") }" >/dev/bomb; exec awk -f /dev/bomb'
	started sh -c "$bomb"
	eventually eval '[ "$(number_in pids.events max)" -gt 0 ]'
	within 10 tote kill --all "$ID" KILL
	[ $code = 0 ]
	eventually status_is stopped
	becomes pids.current 0
	tote delete "$ID"
	started sh -c "$bomb"
	eventually eval '[ "$(number_in pids.events max)" -gt 0 ]'
	within 10 tote delete --force "$ID"
	[ $code = 0 ]
	nothing_left
}
