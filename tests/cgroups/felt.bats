# SPDX-License-Identifier: Apache-2.0
# Limits as the container feels them: killed, slowed down, refused; and what tells of it afterwards.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
	WATCHER=
}

teardown() {
	[ -z "$WATCHER" ] || kill "$WATCHER" || true
	clean_up
}

# tote events, until it is known to watch; its output is in $SEEN.
watch_events() {
	SEEN=$BATS_TEST_TMPDIR/seen
	"$TOTE" --root "$ROOT" events --interval 50ms "$ID" >"$SEEN" 2>&1 3>&- &
	WATCHER=$!
	eventually grep -q '"type":"stats"' "$SEEN"
}

# Takes so many MiB at once.
TAKES='exec dd if=/dev/zero of=/dev/null count=1 bs='

@test "memory: who takes more than the limit is killed, and it is told" {
	RESOURCES='{"memory": {"limit": 33554432, "swap": 33554432}}'
	started
	watch_events
	tote exec "$ID" sh -c "${TAKES}8M"
	[ "$(number_in memory.events oom_kill)" = 0 ]
	ends_with 137 "${TAKES}64M"
	[ "$(number_in memory.events oom_kill)" = 1 ]
	eventually grep -q '"type":"oom"' "$SEEN"
	[ "$(grep -c '"type":"oom"' "$SEEN")" = 1 ]
	# The others live on.
	status_is running
	tote update --memory 128m --memory-swap 128m "$ID"
	tote exec "$ID" sh -c "${TAKES}64M"
}

# A command by exec that ends with a code, whatever it says.
ends_with() {
	code=0
	timeout 60 "$TOTE" --root "$ROOT" exec "$ID" sh -c "$2" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- </dev/null || code=$?
	[ $code = "$1" ] || { echo "code $code"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
}

@test "memory: run ends with 137 when it is the container's program" {
	RESOURCES='{"memory": {"limit": 16777216, "swap": 16777216}}'
	bundle sh -c "${TAKES}32M"
	code=0
	quietly timeout 60 "$TOTE" --root "$ROOT" run "$ID" || code=$?
	[ $code = 137 ]
	nothing_left
}

@test "memory: with the annotation all processes die together" {
	RESOURCES='{"memory": {"limit": 16777216, "swap": 16777216}}' ANNOTATIONS='{"org.tote.memory.oom.group": "true"}'
	started sh -c 'sleep 1000 & sleep 1000 & wait'
	watch_events
	ends_with 137 "${TAKES}32M"
	eventually status_is stopped
	[ "$(number_in memory.events oom_group_kill)" = 1 ]
	eventually grep -q '"type":"oom"' "$SEEN"
}

@test "memory: swap is used up to its limit" {
	read -r _ _ size _ < <(grep /dev /proc/swaps) || skip "this machine has no swap"
	[ "$size" -gt 50000 ] || skip "this machine has too little swap"
	RESOURCES='{"memory": {"limit": 16777216, "swap": 50331648}}'
	started
	ends_with 0 "${TAKES}24M"
	tote update --memory-swap 16m "$ID"
	reads memory.swap.max 0
	ends_with 137 "${TAKES}24M"
}

@test "memory: above nine tenths of the limit the container is slowed down, by the annotation" {
	RESOURCES='{"memory": {"limit": 41943040, "swap": 41943040}}' ANNOTATIONS='{"org.tote.memory.high": "90%"}'
	started
	local slow high try
	takes_38_mib
	slow=$took high=$(number_in memory.events high)
	echo "with memory.high at 36 MiB: $slow ms, memory.events: $(tr '\n' ' ' <"$G/memory.events")"
	[ "$high" -gt 0 ]
	resources '{"unified": {"memory.high": "max"}}'
	# Whatever else the host does, once of three times.
	for try in 1 2 3; do
		takes_38_mib
		echo "without: $took ms"
		[ $((took + 500)) -gt "$slow" ] || break
	done
	[ $((took + 500)) -le "$slow" ]
	[ "$(number_in memory.events high)" = "$high" ]
	[ "$(number_in memory.events oom_kill)" = 0 ]
}

# Leaves the time in $took, ms.
takes_38_mib() {
	local start
	start=$(now_ms)
	ends_with 0 "${TAKES}38M"
	took=$(($(now_ms) - start))
}

# What README.md says.
@test "memory: 192 KiB are enough for /bin/true" {
	for namespaces in '' '' '' '{"type": "time"}'; do
		RESOURCES='{"memory": {"limit": 196608, "swap": 196608}, "pids": {"limit": 1}}' NAMESPACES=$namespaces
		bundle /bin/true
		quietly timeout 20 "$TOTE" --root "$ROOT" run "$ID"
		nothing_left
	done
}

@test "memory: however small the limit, it works or is an error, and nothing is left" {
	for limit in 1 4096 16384 65536 131072 163840; do
		for namespaces in '' '{"type": "time"}'; do
			RESOURCES="{\"memory\": {\"limit\": $limit, \"swap\": $limit}}" NAMESPACES=$namespaces
			bundle /bin/true
			status=0
			timeout -s KILL 20 "$TOTE" --root "$ROOT" run "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
			echo "$limit $namespaces: code $status, $(<"$BATS_TEST_TMPDIR/out")"
			# 137 is the container's program killed; ours killed would leave something.
			[ "$status" = 0 ] || [ "$status" = 137 ] || [ "$status" = 1 -a -s "$BATS_TEST_TMPDIR/out" ]
			nothing_left
		done
	done
}

@test "memory: exec into a container that has none left is an error, and tote lives" {
	RESOURCES='{"memory": {"limit": 4194304, "swap": 4194304}}'
	started
	tote update --memory 131072 --memory-swap 131072 "$ID" || true
	for _ in 1 2 3; do
		status=0
		timeout -s KILL 20 "$TOTE" --root "$ROOT" exec "$ID" /bin/true </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
		echo "code $status: $(<"$BATS_TEST_TMPDIR/out")"
		[ "$status" = 0 ] || [ -s "$BATS_TEST_TMPDIR/out" ]
		status_is running || break
	done
	quietly tote delete --force "$ID"
	nothing_left
}

@test "cpu: a quota of 20 % holds, and the container is throttled" {
	RESOURCES='{"cpu": {"quota": 20000, "period": 100000}}'
	started sh -c 'while :; do :; done'
	takes_of_cpu 10 30
	[ "$(number_in cpu.stat nr_throttled)" -ge 5 ]
	tote update --cpu-quota 60000 "$ID"
	takes_of_cpu 35 80
}

# From so many to so many per cent of one processor, in one of some tries: a host that is busy for a while takes from both sides.
takes_of_cpu() {
	local try
	for try in 1 2 3 4 5; do
		share_of_cpu 2
		echo "try $try, of one processor: $SHARE %"
		[ "$SHARE" -lt "$1" ] || [ "$SHARE" -gt "$2" ] || return 0
	done
	return 1
}

# What the container takes of one processor in some seconds, in per cent.
share_of_cpu() {
	local used start
	used=$(number_in cpu.stat usage_usec) start=$(now_ms)
	sleep "$1"
	SHARE=$((($(number_in cpu.stat usage_usec) - used) / 10 / ($(now_ms) - start)))
}

@test "cpuset: processes run where they may, those of exec too" {
	[ "$(nproc)" -gt 1 ] || skip "needs two processors"
	RESOURCES='{"cpu": {"cpus": "1"}}'
	started
	[ "$(tote exec "$ID" grep Cpus_allowed_list /proc/self/status /proc/1/status | tr -d '\t')" = \
		"$(printf '/proc/%s/status:Cpus_allowed_list:1\n' self 1)" ]
	tote update --cpuset-cpus 0 "$ID"
	[ "$(tote exec "$ID" grep Cpus_allowed_list /proc/self/status /proc/1/status | tr -d '\t')" = \
		"$(printf '/proc/%s/status:Cpus_allowed_list:0\n' self 1)" ]
}

@test "pids: fork fails at the limit, exec says so" {
	RESOURCES='{"pids": {"limit": 3}}'
	started sh -c 'sleep 1000 & sleep 1000 & exec sleep 1000'
	becomes pids.current 3
	reads pids.events 'max 0'
	refuses 255 "(is pids.max of its cgroup reached, or RLIMIT_NPROC?): Resource temporarily unavailable" exec "$ID" true
	reads pids.events 'max 1'
	tote update --pids-limit 5 "$ID"
	ends_with 0 'sleep 0 & wait'
	ends_with 2 'sleep 1 & sleep 1 & wait'
	grep "can't fork: Resource temporarily unavailable" "$BATS_TEST_TMPDIR/out"
}

@test "pids: a limit of one holds for the program, not for the stage that enters namespaces ahead of it" {
	RESOURCES='{"pids": {"limit": 1}}' NAMESPACES='{"type": "time"}'
	bundle sh -c 'cat /sys/fs/cgroup/pids.max; sleep 0 & wait'
	status=0
	timeout 20 "$TOTE" --root "$ROOT" run "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
	cat "$BATS_TEST_TMPDIR/out"
	[ "$status" = 2 ]
	[[ $(<"$BATS_TEST_TMPDIR/out") == *"can't fork"* ]]
	nothing_left
}

@test "block I/O: a rate holds" {
	read -r major minor < <(stat -c '%Hr %Lr' $DISK)
	DEVICES='{"path": "/dev/disk", "type": "b", "major": '$major', "minor": '$minor'}'
	RESOURCES='{"devices": [{"allow": false}, {"allow": true, "type": "b", "major": '$major', "minor": '$minor', "access": "r"}],
		"blockIO": {"throttleReadBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 1048576}]}}'
	started
	local slow fast took try
	reads_2_mib
	slow=$took
	resources '{"blockIO": {"throttleReadBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 0}]}}'
	# Whatever else the host does, once of three times.
	for try in 1 2 3; do
		reads_2_mib
		fast=$took
		echo "2 MiB at 1 MiB/s: $slow ms; without a limit: $fast ms"
		[ "$fast" -ge "$slow" ] || break
	done
	[ "$slow" -ge 1500 ]
	[ "$fast" -lt "$slow" ]
}

# Leaves the time in $took, ms.
reads_2_mib() {
	local start
	start=$(now_ms)
	ends_with 0 'exec dd if=/dev/disk of=/dev/null bs=64k count=32 iflag=direct'
	took=$(($(now_ms) - start))
}

@test "block I/O: who weighs more gets more, by the cost model" {
	[ -e $TREE/io.cost.qos ] || skip "this kernel has no cost model for block I/O"
	local device
	device=$(stat -c '%Hr:%Lr' $DISK)
	# A disk that the model takes for slow is one that is always busy.
	echo "$device enable=1 ctrl=user min=100.00 max=100.00" >$TREE/io.cost.qos
	echo "$device ctrl=user model=linear rbps=4194304 rseqiops=64 rrandiops=64 wbps=4194304 wseqiops=64 wrandiops=64" >$TREE/io.cost.model
	two_readers
	echo "$device enable=0" >$TREE/io.cost.qos
	ten_times_the_weight_read_more
}

@test "block I/O: who weighs more gets more, by BFQ" {
	local queue=/sys/block/${DISK##*/}/queue
	modprobe bfq || skip "this kernel has no BFQ"
	echo bfq >"$queue/scheduler"
	# It prefers who has just begun.
	echo 0 >"$queue/iosched/low_latency"
	# It waits for the next request of who has its turn; here so long as a busy host may need for one.
	echo 100 >"$queue/iosched/slice_idle"
	two_readers
	echo none >"$queue/scheduler"
	modprobe -r bfq
	ten_times_the_weight_read_more
}

# Containers with the weights 100 and 1000 read from the disk at once. Leaves in $few and $many how much they got in 4 s, in one of some
# tries: the host may be busy.
two_readers() {
	local light=$G heavy=$G-heavy try
	reader 100
	ID=$ID-heavy G=$heavy
	reader 1000
	for try in 1 2 3 4 5; do
		few=$(bytes_read "$light") many=$(bytes_read "$heavy")
		sleep 4
		few=$(($(bytes_read "$light") - few)) many=$(($(bytes_read "$heavy") - many))
		echo "try $try: weight 100 read $few bytes, 1000 read $many"
		! ten_times_the_weight_read_more || break
	done
}

ten_times_the_weight_read_more() {
	[ "$many" -ge $((3 * few)) ] && [ "$many" -ge 4000000 ]
}

# A container of a weight that reads from the disk without end.
reader() {
	DEVICES=$(stat -c '{"path": "/dev/disk", "type": "b", "major": %Hr, "minor": %Lr}' $DISK)
	RESOURCES='{"devices": [{"allow": false}, {"allow": true, "type": "b", "access": "r"}], "blockIO": {"weight": '$1'}}'
	started sh -c 'while :; do dd if=/dev/disk of=/dev/null bs=64k iflag=direct; done'
}

# rbytes of all devices in the group.
bytes_read() {
	local words word sum=0
	mapfile -t words < <(tr ' ' '\n' <"$1/io.stat")
	for word in "${words[@]}"; do
		[[ $word != rbytes=* ]] || sum=$((sum + ${word#rbytes=}))
	done
	echo $sum
}

@test "huge pages: no more than the limit" {
	read -r pages </proc/sys/vm/nr_hugepages
	[ "$pages" -ge 4 ] || skip "this machine has no huge pages"
	RESOURCES='{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
	MOUNTS='{"destination": "/mnt", "type": "hugetlbfs", "source": "none", "options": ["pagesize=2M"]}'
	started
	ends_with 0 'fallocate -l 4m /mnt/x'
	reads hugetlb.2MB.current 4194304
	ends_with 1 'fallocate -l 6m /mnt/x'
	[ "$(number_in hugetlb.2MB.events max)" -gt 0 ]
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 6291456}]}'
	ends_with 0 'fallocate -l 6m /mnt/x'
}
