# SPDX-License-Identifier: Apache-2.0
# What events, stats and metrics say where the kernel counts everything, and that no OOM kill goes unsaid.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
	WATCHER=
	OUT_FILE=$BATS_TEST_TMPDIR/out_file
}

teardown() {
	[ -z "$WATCHER" ] || kill "$WATCHER" || true
	clean_up
}

# A paused container's CPU time is accounted for up to its last period.
holds_still() {
	local before
	before=$(<"$G/cpu.stat")
	sleep 0.3
	[ "$(sed '/^nr_periods/d' "$G/cpu.stat")" = "$(sed '/^nr_periods/d' <<<"$before")" ]
}

# The kernel works the averages out every other second.
has_pressure() {
	local line
	read -r line <"$G/cpu.pressure"
	[[ $line != *avg10=0.00* ]]
}

# jq with a program that must be true of $OUT_FILE: one process, as each takes a second where the processor is emulated.
says() {
	jq -e "$@" "$OUT_FILE" >/dev/null || { cat "$OUT_FILE"; return 1; }
}

# Writes so many pages of 4 KiB to the disk, counted for the container. That dd is read from a disk must not be.
writes_pages() {
	dd if=/dev/zero of=/dev/null bs=4096 count=1 status=none
	(echo $BASHPID >"$G/cgroup.procs" && exec dd if=/dev/zero of=$DISK bs=4096 count="$1" oflag=direct status=none)
}

# tote events, until it is known to watch; its output is in $SEEN.
watch_events() {
	SEEN=$BATS_TEST_TMPDIR/seen
	"$TOTE" --root "$ROOT" events --interval 50ms "$ID" >"$SEEN" 2>&1 3>&- &
	WATCHER=$!
	eventually grep -q '"type":"stats"' "$SEEN"
}

LIMITS='{"memory": {"limit": 67108864, "swap": 100663296, "reservation": 16777216}, "cpu": {"quota": 20000, "period": 100000},
	"pids": {"limit": 20}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'

@test "events --stats: limits and counters are those of the files" {
	RESOURCES=$LIMITS
	started sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; sleep 1000'
	eventually eval '[ "$(number_in cpu.stat nr_throttled)" -gt 0 ]'
	writes_pages 25
	tote pause "$ID"
	eventually holds_still
	tote events --stats "$ID" >"$OUT_FILE"
	read -r major minor < <(stat -c '%Hr %Lr' $DISK)
	says --rawfile stat "$G/memory.stat" --argjson current "$(<"$G/memory.current")" --argjson peak "$(<"$G/memory.peak")" \
		--argjson usec "$(number_in cpu.stat usage_usec)" --argjson throttled "$(number_in cpu.stat nr_throttled)" \
		--argjson throttled_usec "$(number_in cpu.stat throttled_usec)" --argjson major "$major" --argjson minor "$minor" '
		def near($n): . > $n - 1048576 and . < $n + 1048576;
		.data |
		(.cpu.usage.total == $usec * 1000) and
		(.cpu.throttling.throttledPeriods == $throttled and .cpu.throttling.throttledTime == $throttled_usec * 1000) and
		(.cpu.psi.some.total > 0 and (.cpu.psi.some.avg10 | type) == "number") and
		(.memory.usage.limit == 67108864 and (.memory.usage.usage | near($current)) and (.memory.usage.max | near($peak))) and
		(.memory.swap.limit == 100663296 and (.memory.swap.usage | near($current))) and
		(.memory.kernel.usage > 0) and
		((.memory.raw | keys) == ($stat | rtrimstr("\n") | split("\n") | map(split(" ")[0]) | sort)) and
		(.memory.raw.anon | near($stat | split("\n")[0] | split(" ")[1] | tonumber)) and
		(.memory.psi.full.total >= 0) and
		(.pids == {"current": 1, "limit": 20}) and
		([.blkio.ioServiceBytesRecursive[] | select(.major == $major and .minor == $minor)] ==
			[{"op": "Read", "value": 0}, {"op": "Write", "value": 102400}, {"op": "Discard", "value": 0}
				| {"major": $major, "minor": $minor} + .]) and
		([.blkio.ioServicedRecursive[] | select(.major == $major and .minor == $minor and .op == "Write").value] == [25]) and
		(.hugetlb["2MB"] == {"failcnt": 0})'
}

@test "stats and metrics: the same numbers in their forms" {
	RESOURCES=$LIMITS
	started sh -c 'sleep 1000 & sleep 1000 & while :; do :; done'
	writes_pages 25
	eventually reads pids.current 3
	eventually has_pressure
	local start used rate
	start=$(now_ms) used=$(number_in cpu.stat usage_usec)
	tote stats --format json --no-stream --interval 2s >"$OUT_FILE"
	used=$(($(number_in cpu.stat usage_usec) - used)) rate=$((used / 10 / ($(now_ms) - start)))
	echo "used $used us, $rate % of one processor"
	# Of these two seconds, it was at most what the container used while tote ran; and about what it used all the time.
	says --argjson current "$(<"$G/memory.current")" --argjson used "$used" --argjson rate "$rate" '
		def near($n): . > $n - 1048576 and . < $n + 1048576;
		length == 1 and (.[0] |
		(.cpuPercent * 20000 <= $used and .cpuPercent > $rate / 2 and $rate > 0) and
		(.memoryUsage | near($current)) and (.memoryWorkingSet <= .memoryUsage) and (.memoryPeak >= .memoryWorkingSet) and
		(.memoryLimit == 67108864 and .swapLimit == 33554432 and .swapUsage == 0 and .oomKills == 0) and
		(.memoryPercent - 100 * .memoryWorkingSet / 67108864 | . < 0.02 and . > -0.02) and
		(.pids == 3 and .pidsLimit == 20 and .ioReadBytes == 0 and .ioWriteBytes == 102400) and
		(.cpuPressure > 0 and .memoryPressure >= 0 and .ioPressure >= 0))'
	tote stats "$ID" >"$OUT_FILE"
	grep -E "^$ID +[0-9.]+ +[0-9.]+[KM] / 64\.0M +[0-9.]+ +3 +[0-9.]+( cpu| mem| io)? +- / - +0B / 100K +0B\$" "$OUT_FILE"

	tote metrics >"$OUT_FILE"
	for line in 'cpu_limit_cores{id="ID"} 0.200000' 'memory_limit_bytes{id="ID"} 67108864' 'memory_reservation_bytes{id="ID"} 16777216' \
		'memory_swap_limit_bytes{id="ID"} 33554432' 'memory_swap_usage_bytes{id="ID"} 0' 'oom_kills_total{id="ID"} 0' 'pids{id="ID"} 3' \
		'pids_limit{id="ID"} 20' 'pids_failures_total{id="ID"} 0' 'io_written_bytes_total{id="ID",device="vdb"} 102400' \
		'io_writes_total{id="ID",device="vdb"} 25' 'hugetlb_limit_bytes{id="ID",pagesize="2MB"} 4194304' \
		'hugetlb_usage_bytes{id="ID",pagesize="2MB"} 0' 'memory_events_total{id="ID",event="oom_group_kill"} 0' \
		'memory_swap_events_total{id="ID",event="fail"} 0'; do
		grep -qxF "tote_container_${line/ID/$ID}" "$OUT_FILE" || { echo "no line $line"; grep "^tote_container_${line%%\{*}" "$OUT_FILE"; return 1; }
	done
	for name in memory_usage_bytes memory_peak_bytes memory_anon_bytes memory_file_bytes memory_inactive_file_bytes memory_kernel_bytes \
		cpu_throttled_periods_total cpu_throttled_seconds_total; do
		grep -qE "^tote_container_$name\{id=\"$ID\"\} [0-9.]+\$" "$OUT_FILE" || { echo "no line $name"; return 1; }
	done
	[ "$(grep -c '^tote_container_pressure_seconds_total' "$OUT_FILE")" = 6 ]
	# One that the host has no pages of.
	[ ! -e "$G/hugetlb.1GB.max" ] || grep -qxF "tote_container_hugetlb_usage_bytes{id=\"$ID\",pagesize=\"1GB\"} 0" "$OUT_FILE"
	# Only one page size is limited.
	[ "$(grep -c '^tote_container_hugetlb_limit_bytes' "$OUT_FILE")" = 1 ]
}

@test "events, stats, metrics: without limits none is shown" {
	started
	tote events --stats "$ID" >"$OUT_FILE"
	grep -qF '"limit":18446744073709551615,' "$OUT_FILE"
	says '.data | (.pids | keys) == ["current"] and .memory.usage.failcnt == 0'
	tote stats -f json >"$OUT_FILE"
	says '.[0] | .memoryLimit == null and .memoryPercent == null and .swapLimit == null and .pidsLimit == null and .pids == 1'
	tote metrics >"$OUT_FILE"
	[ "$(grep -c '^tote_container_[a-z_]*_limit' "$OUT_FILE")" = 0 ]
}

@test "pids: a fork that failed is counted" {
	RESOURCES='{"pids": {"limit": 2}}'
	started sh -c 'sleep 1000 & sleep 1000 & wait' 2>/dev/null
	eventually reads pids.events 'max 1'
	tote metrics >"$OUT_FILE"
	grep -qxF "tote_container_pids_failures_total{id=\"$ID\"} 1" "$OUT_FILE"
}

@test "an OOM kill that ends the container is told, though its group goes at once" {
	local try
	RESOURCES='{"memory": {"limit": 16777216, "swap": 16777216}}'
	bundle sh -c 'while [ ! -e /mnt/go ]; do sleep 0.05; done; exec dd if=/dev/zero of=/dev/null count=1 bs=64M'
	for try in 1 2 3; do
		rm -f "$BATS_FILE_TMPDIR/rootfs/mnt/go"
		# Removes the container and its group as soon as its program has ended.
		timeout 60 "$TOTE" --root "$ROOT" run "$ID" </dev/null >/dev/null 2>&1 3>&- &
		eventually status_is running
		watch_events
		touch "$BATS_FILE_TMPDIR/rootfs/mnt/go"
		wait $! || true
		watcher_ends
		[ "$code" = 0 ]
		[ "$(grep '"type":"oom"' "$SEEN")" = "{\"type\":\"oom\",\"id\":\"$ID\"}" ] || { tail -n 3 "$SEEN"; return 1; }
	done
}

@test "an OOM kill in a group below is one of the container's" {
	RESOURCES='{"memory": {"limit": 67108864, "swap": 67108864}}'
	started sh -ec 'cd /sys/fs/cgroup; mkdir own small; echo 1 >own/cgroup.procs; echo +memory >cgroup.subtree_control; '\
'echo 8M >small/memory.max; echo 0 >small/memory.swap.max; while [ ! -e /mnt/below ]; do sleep 0.05; done; '\
'sh -c "echo 0 >small/cgroup.procs; exec dd if=/dev/zero of=/dev/null count=1 bs=32M" || sleep 1000'
	eventually test -e "$G/small/memory.max"
	watch_events
	touch "$BATS_FILE_TMPDIR/rootfs/mnt/below"
	eventually grep -q '"type":"oom"' "$SEEN"
	[ "$(number_in memory.events oom_kill)" = 1 ]
	[ "$(number_in small/memory.events oom_kill)" = 1 ]
	tote metrics >"$OUT_FILE"
	grep -qxF "tote_container_oom_kills_total{id=\"$ID\"} 1" "$OUT_FILE"
	tote stats "$ID" -f json >"$OUT_FILE"
	says '.[0].oomKills == 1'
}

@test "memory that is limited later is watched from then on" {
	started
	watch_events
	tote update --memory 16m --memory-swap 16m "$ID"
	timeout 60 "$TOTE" --root "$ROOT" exec "$ID" dd if=/dev/zero of=/dev/null count=1 bs=64M >/dev/null 2>&1 3>&- </dev/null || true
	eventually grep -q '"type":"oom"' "$SEEN"
}
