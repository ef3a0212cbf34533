# SPDX-License-Identifier: Apache-2.0
# update: what is written to the group of a living container, from options and from resources as JSON; and what is refused.
# Limits that are written: tests/cgroups/update.bats, where every controller is on v2.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
}

teardown() {
	clean_up
}

# A resources object on stdin of update.
resources() {
	local json=$1
	shift
	printf '%s' "$json" | tote update "$@"
}

@test "a limit whose controller is not on v2 names it and the remedy" {
	background
	refused=0
	for option in "memory --memory=64m memory.limit" "cpu --cpu-share=512 cpu.shares" "pids --pids-limit=10 pids.limit" \
		"cpuset --cpuset-cpus=0 cpu.cpus"; do
		read -r controller flag field <<<"$option"
		if ! grep -qw "$controller" "$(cgroup2_mount)/cgroup.controllers"; then
			refuses 1 "update container $ID: linux.resources.$field: " update "$flag" "$ID"
			[[ $stderr == *"the $controller controller is not on the v2 tree"* ]]
			[[ $stderr == *cgroup_no_v1* || $stderr == *systemd.unified_cgroup_hierarchy* ]]
			refused=1
		fi
	done
	[ "$(status_of "$ID")" = running ]
	[ $refused = 1 ] || skip "this host has all controllers on v2"
}

@test "new device rules replace the old ones, the default devices stay" {
	# The kernel's log, which anyone may open for writing who is let through to it.
	config '.linux.devices = [{"path": "/dev/log0", "type": "c", "major": 1, "minor": 11}]'
	background
	refuses 1 "Operation not permitted" exec "$ID" sh -c ': >/dev/log0'
	resources '{"devices": [{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "w"}]}' -r - "$ID"
	tote exec "$ID" sh -c ': >/dev/log0 >/dev/null'
	refuses 1 "Operation not permitted" exec "$ID" sh -c ': </dev/log0'
	resources '{"devices": [{"allow": false, "access": "rwm"}]}' -r - "$ID"
	refuses 1 "Operation not permitted" exec "$ID" sh -c ': >/dev/log0'
	tote exec "$ID" sh -c ': >/dev/null </dev/zero'
	# No rules given: those in force stay.
	resources '{"devices": []}' -r - "$ID"
	refuses 1 "Operation not permitted" exec "$ID" sh -c ': >/dev/log0'
}

@test "what only cgroup v1 has is refused" {
	background
	refuses 1 "cpu.realtimeRuntime: cgroup v2 has no such thing" update --cpu-rt-runtime 1000 "$ID"
	refuses 1 "cpu.realtimePeriod: cgroup v2 has no such thing" update --cpu-rt-period=1000 "$ID"
}

@test "options without effect are taken" {
	background
	tote update --kernel-memory 1g --kernel-memory-tcp=1g "$ID"
	tote update "$ID"
}

@test "a container without a resctrl group has no cache shares" {
	background
	refuses 1 "no resctrl group" update --l3-cache-schema "L3:0=ff" "$ID"
	refuses 1 "no resctrl group" update --mem-bw-schema=MB:0=50 "$ID"
}

@test "values that are none are refused before anything is written" {
	background
	refuses 1 '--memory: expected a size like 512m or -1, found "64x"' update --memory 64x "$ID"
	refuses 1 '--memory: expected a size' update --memory= "$ID"
	refuses 1 '--memory: expected a size' update --memory -2 "$ID"
	refuses 1 '--memory: expected a size' update --memory 1.5.5g "$ID"
	refuses 1 '--memory: expected a size' update --memory 99999999999t "$ID"
	refuses 1 '--pids-limit: expected a number or -1, found "many"' update --pids-limit many "$ID"
	refuses 1 '--cpu-share: expected a number, found "-5"' update --cpu-share -5 "$ID"
	refuses 1 '--blkio-weight: expected a number, found "70000"' update --blkio-weight 70000 "$ID"
	refuses 1 'option --memory requires an argument' update "$ID" --memory
	refuses 1 'unknown option: --colour' update --colour "$ID"
	refuses 1 'blockIO.weight: is not in 10..1000' update --blkio-weight 5 "$ID"
	refuses 1 'cpu.cpus: is not one line' update --cpuset-cpus $'0\n1' "$ID"
	refuses 1 'cpu.idle: is neither 0 nor 1' update --cpu-idle 2 "$ID"
	refuses 1 'cpu.burst: is more than cpu.quota' update --cpu-quota 30000 --cpu-burst 40000 "$ID"
	refuses 1 'missing argument' update
}

@test "resources that are none are refused" {
	background
	refuses 1 "--resources: open nofile" update -r nofile "$ID"
	for case in 'invalid JSON|{' 'pids.limit: |{"pids": {"limit": "x"}}' 'devices[0].type: |{"devices": [{"allow": true, "type": "z"}]}' \
		'not the name of a cgroup file|{"unified": {"../x": "1"}}' \
		'has no member of linux.resources|{"linux": {"resources": {"pids": {"limit": 5}}}}'; do
		printf '%s' "${case#*|}" >r.json
		refuses 1 "${case%%|*}" update -r r.json "$ID"
		[[ $stderr == *"update: --resources: "* ]]
	done
	for case in 'unified["memory.max"]: an empty line|{"unified": {"memory.max": ""}}' \
		'rdma: has neither hcaHandles nor hcaObjects|{"rdma": {"mlx5_0": {}}}' \
		'blockIO.weightDevice: has no weight|{"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}'; do
		printf '%s' "${case#*|}" >r.json
		refuses 1 "linux.resources.${case%%|*}" update -r r.json "$ID"
	done
}

@test "what is no limit needs no controller" {
	background
	tote update --cpu-quota 0 --cpu-burst 0 --cpu-idle 0 --memory 0 "$ID"
	resources '{"pids": {}}' -r - "$ID"
}
