# SPDX-License-Identifier: Apache-2.0
# update: what is written to the group of a living container, from options and from resources as JSON.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
}

teardown() {
	clean_up
}

group_file() {
	cat "$(cgroup2_mount)/tote-$ID/$1"
}

# Hybrid hosts hold most controllers on v1; what they refuse is tested below.
needs() {
	grep -qw "$1" "$(cgroup2_mount)/cgroup.controllers" || skip "the cgroup v2 tree has no $1 controller"
}

is_stopped() {
	[ "$(status_of "$ID")" = stopped ]
}

# A resources object on stdin of update.
resources() {
	local json=$1
	shift
	printf '%s' "$json" | tote update "$@"
}

@test "memory, with suffixes, -1, and swap counted together with it" {
	needs memory
	background
	tote update --memory 64m --memory-reservation=16M "$ID"
	[ "$(group_file memory.max)" = $((64 << 20)) ]
	[ "$(group_file memory.low)" = $((16 << 20)) ]
	tote update --memory 65011712 "$ID"
	[ "$(group_file memory.max)" = 65011712 ]
	tote update --memory 1GiB --kernel-memory 1 --kernel-memory-tcp 1 "$ID"
	[ "$(group_file memory.max)" = $((1 << 30)) ]
	if [ -e "$(cgroup2_mount)/tote-$ID/memory.swap.max" ]; then
		tote update --memory-swap 1536m "$ID"
		[ "$(group_file memory.swap.max)" = $((512 << 20)) ]
	fi
	tote update --memory -1 "$ID"
	[ "$(group_file memory.max)" = max ]
}

@test "cpu" {
	needs cpu
	background
	tote update --cpu-quota 50000 --cpu-period 100000 --cpu-share 1024 "$ID"
	[ "$(group_file cpu.max)" = "50000 100000" ]
	[ "$(group_file cpu.weight)" = 100 ]
	tote update --cpu-period=200000 "$ID"
	[ "$(group_file cpu.max)" = "50000 200000" ]
	tote update --cpu-quota -1 "$ID"
	[ "$(group_file cpu.max)" = "max 200000" ]
	tote update --cpu-idle 1 "$ID"
	[ "$(group_file cpu.idle)" = 1 ]
}

@test "cpuset" {
	needs cpuset
	background
	tote update --cpuset-cpus 0 --cpuset-mems 0 "$ID"
	[ "$(group_file cpuset.cpus)" = 0 ]
	[ "$(group_file cpuset.mems)" = 0 ]
}

@test "pids" {
	needs pids
	background
	tote update --pids-limit 33 "$ID"
	[ "$(group_file pids.max)" = 33 ]
	tote update --pids-limit -1 "$ID"
	[ "$(group_file pids.max)" = max ]
}

@test "block I/O" {
	needs io
	background
	# BFQ or the cost model: a kernel may have neither.
	run --separate-stderr tote update --blkio-weight 1000 "$ID"
	[[ $stderr != *"kernel lacks"* ]] || skip "no weights for block I/O in this kernel"
	[ "$status" -eq 0 ]
	grep -q 'default 1000' "$(cgroup2_mount)/tote-$ID"/io*.weight
}

@test "resources from a file, and from stdin in both ways of writing it" {
	needs hugetlb
	[ -e /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no huge pages of 2 MB"
	background
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}' --resources=- "$ID"
	[ "$(group_file hugetlb.2MB.max)" = 2097152 ]
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}' --resources - "$ID"
	[ "$(group_file hugetlb.2MB.max)" = 4194304 ]
	echo '{"hugepageLimits": [{"pageSize": "2MB", "limit": 6291456}]}' >r.json
	tote update -r r.json "$ID"
	[ "$(group_file hugetlb.2MB.max)" = 6291456 ]
	resources '{"unified": {"hugetlb.2MB.max": "8388608"}}' -r=- "$ID"
	[ "$(group_file hugetlb.2MB.max)" = 8388608 ]
}

@test "options come on top of the file" {
	needs pids
	background
	resources '{"pids": {"limit": 20}}' -r - --pids-limit 21 "$ID"
	[ "$(group_file pids.max)" = 21 ]
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

@test "created and paused containers can be updated, stopped and unknown ones cannot" {
	needs hugetlb
	[ -e /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no huge pages of 2 MB"
	command_is sleep 1000
	quietly tote create "$ID"
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}' -r - "$ID"
	[ "$(group_file hugetlb.2MB.max)" = 2097152 ]
	tote start "$ID"
	tote pause "$ID"
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}' -r - "$ID"
	[ "$(group_file hugetlb.2MB.max)" = 4194304 ]
	[ "$(status_of "$ID")" = paused ]
	tote resume "$ID"
	tote kill "$ID" KILL
	eventually is_stopped
	refuses 1 "container not running" update --pids-limit 10 "$ID"
	refuses 1 "container does not exist" update --pids-limit 10 nobody
}

@test "values that are none are refused before anything is written" {
	background
	refuses 1 '--memory: expected a size like 512m or -1, found "64x"' update --memory 64x "$ID"
	refuses 1 '--memory: expected a size' update --memory= "$ID"
	refuses 1 '--memory: expected a size' update --memory -2 "$ID"
	refuses 1 '--memory: expected a size' update --memory 99999999999t "$ID"
	refuses 1 '--pids-limit: expected a number or -1, found "many"' update --pids-limit many "$ID"
	refuses 1 '--cpu-share: expected a number, found "-5"' update --cpu-share -5 "$ID"
	refuses 1 '--blkio-weight: expected a number, found "70000"' update --blkio-weight 70000 "$ID"
	refuses 1 'option --memory requires an argument' update "$ID" --memory
	refuses 1 'unknown option: --colour' update --colour "$ID"
	refuses 1 'blockIO.weight: is not in 10..1000' update --blkio-weight 5 "$ID"
	refuses 1 'missing argument' update
}

@test "resources that are none are refused" {
	background
	refuses 1 "--resources: open nofile" update -r nofile "$ID"
	for case in 'invalid JSON|{' 'pids.limit: |{"pids": {"limit": "x"}}' 'devices[0].type: |{"devices": [{"allow": true, "type": "z"}]}' \
		'not the name of a cgroup file|{"unified": {"../x": "1"}}'; do
		printf '%s' "${case#*|}" >r.json
		refuses 1 "${case%%|*}" update -r r.json "$ID"
		[[ $stderr == *"update: --resources: "* ]]
	done
}
