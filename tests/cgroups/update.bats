# SPDX-License-Identifier: Apache-2.0
# update: what is written to the group of a living container, from options and from resources as JSON. What is refused, and device
# rules: tests/cli/update.bats.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
}

teardown() {
	clean_up
}

# A resources object on stdin of update.
update_from() {
	local json=$1
	shift
	tote update "$@" "$ID" <<<"$json"
}

@test "memory, with suffixes, -1, and swap counted together with it" {
	started
	tote update --memory 64m --memory-reservation=16M "$ID"
	reads memory.max $((64 << 20))
	reads memory.low $((16 << 20))
	tote update --memory 0.0625g "$ID"
	reads memory.max $((64 << 20))
	tote update --memory 65011712 "$ID"
	reads memory.max 65011712
	tote update --memory 1GiB --kernel-memory 1 --kernel-memory-tcp 1 "$ID"
	reads memory.max $((1 << 30))
	tote update --memory-swap 1536m "$ID"
	reads memory.swap.max $((512 << 20))
	tote update --memory -1 "$ID"
	reads memory.max max
}

@test "cpu" {
	started
	tote update --cpu-quota 50000 --cpu-period 100000 --cpu-share 1024 "$ID"
	reads cpu.max "50000 100000"
	reads cpu.weight 100
	tote update --cpu-period=200000 "$ID"
	reads cpu.max "50000 200000"
	tote update --cpu-quota -1 "$ID"
	reads cpu.max "max 200000"
	tote update --cpu-idle 1 "$ID"
	reads cpu.idle 1
}

@test "cpuset" {
	started
	tote update --cpuset-cpus 0 --cpuset-mems 0 "$ID"
	reads cpuset.cpus 0
	reads cpuset.mems 0
}

@test "pids" {
	started
	tote update --pids-limit 33 "$ID"
	reads pids.max 33
	tote update --pids-limit -1 "$ID"
	reads pids.max max
}

@test "block I/O" {
	started
	tote update --blkio-weight 1000 "$ID"
	grep -q 'default 1000' "$G"/io*.weight
}

@test "resources from a file, and from stdin in both ways of writing it" {
	started
	update_from '{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}' --resources=-
	reads hugetlb.2MB.max 2097152
	update_from '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}' --resources -
	reads hugetlb.2MB.max 4194304
	echo '{"hugepageLimits": [{"pageSize": "2MB", "limit": 6291456}]}' >r.json
	tote update -r r.json "$ID"
	reads hugetlb.2MB.max 6291456
	update_from '{"unified": {"hugetlb.2MB.max": "8388608"}}' -r=-
	reads hugetlb.2MB.max 8388608
}

@test "options come on top of the file" {
	started
	update_from '{"pids": {"limit": 20}}' -r - --pids-limit 21
	reads pids.max 21
}

@test "created and paused containers can be updated, stopped and unknown ones cannot" {
	bundle sleep 1000
	quietly tote create "$ID"
	update_from '{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}' -r -
	reads hugetlb.2MB.max 2097152
	tote start "$ID"
	tote pause "$ID"
	update_from '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}' -r -
	reads hugetlb.2MB.max 4194304
	status_is paused
	tote resume "$ID"
	tote kill "$ID" KILL
	eventually status_is stopped
	refuses 1 "container not running" update --pids-limit 10 "$ID"
	refuses 1 "container does not exist" update --pids-limit 10 nobody
}
