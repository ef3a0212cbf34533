# SPDX-License-Identifier: Apache-2.0
# Where groups lie: cgroupsPath, parents that come and go, neighbours that stay as they are, groups that are there already.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
	# Relative names begin at the mount for root.
	TOP=$TREE/top-$ID
	SLEEPER=
}

teardown() {
	clean_up
	[ -z "$SLEEPER" ] || { kill -KILL "$SLEEPER" && wait "$SLEEPER" || true; } 2>/dev/null
	[ ! -d "$TOP" ] || find "$TOP" -depth -type d -exec rmdir {} +
}

# A foreign process in a group.
sleeps_in() {
	sleep 1000 3>&- &
	SLEEPER=$!
	echo $SLEEPER >"$1/cgroup.procs"
}

@test "relative, absolute and deep paths; parents go with the container" {
	RESOURCES='{"pids": {"limit": 5}}'
	local path
	for path in "top-$ID" "/top-$ID/./a//b/c/d/e/f/g/"; do
		GROUP=$path G=$TOP
		[[ $path != */g/ ]] || G=$TOP/a/b/c/d/e/f/g
		started
		reads pids.max 5
		[ -n "$(<"$G/cgroup.procs")" ]
		tote delete --force "$ID"
		[ ! -e "$TOP" ]
	done
	GROUP=/top-$ID/../x
	bundle true
	refuses 1 "linux.cgroupsPath: must not contain" run "$ID"
	GROUP=/
	bundle true
	refuses 1 "cgroup path /: the root group is not ours" run "$ID"
	nothing_left
}

@test "controllers are enabled where they are needed, neighbours stay as they are" {
	mkdir -p "$TOP/other" "$TOP/dir"
	echo +memory >"$TOP/cgroup.subtree_control"
	echo 49999872 >"$TOP/other/memory.max"
	sleeps_in "$TOP/other"
	GROUP=/top-$ID/dir/box G=$TOP/dir/box RESOURCES='{"pids": {"limit": 5}, "cpu": {"shares": 512}}'
	started
	reads pids.max 5 cpu.weight 59 cgroup.controllers 'cpu pids'
	G=$TOP reads cgroup.subtree_control 'cpu memory pids'
	G=$TOP/dir reads cgroup.subtree_control 'cpu pids' pids.max max cpu.weight 100
	G=$TOP/other reads memory.max 49999872 pids.max max cpu.weight 100 cgroup.procs "$SLEEPER" cgroup.subtree_control ''
	resources '{"memory": {"limit": 59998208}}'
	reads memory.max 59998208
	G=$TOP/dir reads cgroup.subtree_control 'cpu memory pids'
	tote delete --force "$ID"
	# What was there before is still there, and nothing was taken from anybody.
	[ -d "$TOP/dir" ] && [ ! -e "$TOP/dir/box" ]
	G=$TOP/other reads memory.max 49999872 cgroup.procs "$SLEEPER"
	kill -0 "$SLEEPER"
}

@test "a parent stays as long as there is another group in it" {
	GROUP=/top-$ID/a/box
	started
	mkdir "$TOP/other"
	tote delete --force "$ID"
	[ -d "$TOP/other" ] && [ ! -e "$TOP/a" ]
}

@test "the last container in a parent that was made for the first takes it along" {
	GROUP=/top-$ID/a/pod/box
	mkdir -p "$TOP/a"
	started
	GROUP=/top-$ID/a/pod/box2
	bundle sleep 1000
	quietly timeout 30 "$TOTE" --root "$ROOT" run -d "$ID-2"
	tote delete --force "$ID"
	[ -d "$TOP/a/pod/box2" ]
	tote delete --force "$ID-2"
	[ -d "$TOP/a" ] && [ ! -e "$TOP/a/pod" ]
}

@test "a group that is there already is joined when it is empty, and kept" {
	mkdir -p "$TOP/box"
	echo '+memory +pids' >"$TOP/cgroup.subtree_control"
	echo 49999872 >"$TOP/box/memory.max"
	# One that somebody left frozen is no trap.
	echo 1 >"$TOP/box/cgroup.freeze"
	GROUP=/top-$ID/box G=$TOP/box RESOURCES='{"pids": {"limit": 5}}'
	started sh -c 'sleep 1000 & wait'
	reads memory.max 49999872 pids.max 5 cgroup.freeze 0
	tote exec "$ID" true
	tote delete --force "$ID"
	reads memory.max 49999872 cgroup.procs ''
	bundle true
	quietly tote run "$ID"
	[ -d "$TOP/box" ]
	# A configuration that is refused leaves it as well.
	RESOURCES='{"cpu": {"cpus": "900"}}'
	bundle true
	refuses 1 'linux.resources.cpu.cpus: write "900" to cpuset.cpus' run "$ID"
	[ -d "$TOP/box" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "one that holds processes, itself or below, or hands controllers on, is not joined" {
	mkdir -p "$TOP/box/below"
	GROUP=/top-$ID/box
	sleeps_in "$TOP/box"
	bundle true
	refuses 1 "cgroup /top-$ID/box exists and holds processes" run "$ID"
	echo $SLEEPER >"$TOP/box/below/cgroup.procs"
	refuses 1 "cgroup /top-$ID/box exists and holds processes" run "$ID"
	kill -0 "$SLEEPER"
	echo $SLEEPER >"$TREE/cgroup.procs"
	echo +pids >"$TOP/cgroup.subtree_control"
	echo +pids >"$TOP/box/cgroup.subtree_control"
	refuses 1 "cgroup /top-$ID/box exists and hands controllers on to its children" run "$ID"
	[ -d "$TOP/box/below" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "below a group that holds processes there is room for a container, but not for limits" {
	mkdir "$TOP"
	sleeps_in "$TOP"
	GROUP=/top-$ID/box G=$TOP/box
	local limits
	# The kernel would take the second, and make all groups in there unfit for processes.
	for limits in 'memory.limit {"memory":{"limit":49999872}}' 'pids.limit {"pids":{"limit":5}}' 'cpu.shares {"cpu":{"shares":512}}'; do
		RESOURCES=${limits#* }
		bundle true
		refuses 1 "linux.resources.${limits%% *}: the ${limits%%.*} controller cannot be enabled below cgroup /top-$ID: that group holds processes itself; use another cgroupsPath" \
			run "$ID"
		[ ! -e "$G" ]
		G=$TOP reads cgroup.subtree_control '' cgroup.type domain
	done
	RESOURCES='{}'
	started
	[ -n "$(<"$G/cgroup.procs")" ]
	refuses 1 "update container $ID: linux.resources.pids.limit: the pids controller cannot be enabled below" update --pids-limit 5 "$ID"
	tote delete --force "$ID"
	[ ! -e "$G" ]
	kill -0 "$SLEEPER"
}
