# SPDX-License-Identifier: Apache-2.0
# events: lines of JSON in runc's form, until the container is gone.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	LINES_FILE=$BATS_TEST_TMPDIR/lines
}

teardown() {
	stop_watcher
	clean_up
}

# events in the background, its lines in $LINES_FILE.
watch() {
	watch_by events "$@"
}

# It has the container's process, and waits.
is_watching() {
	ls -l "/proc/$WATCHER/fd" | grep -q pidfd && grep -q '^State:.S' "/proc/$WATCHER/status"
}

has_lines() {
	[ "$(wc -l <"$LINES_FILE")" -ge "$1" ]
}

is_stopped() {
	[ "$(status_of "$ID")" = stopped ]
}

usage_usec() {
	awk '$1 == "usage_usec" { print $2 }' "$(cgroup2_mount)/tote-$ID/cpu.stat"
}

has_worked() {
	[ "$(usage_usec)" -gt 1000 ]
}

stat_of() {
	jq -r "$1" "$LINES_FILE"
}

@test "--stats prints one line" {
	background sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; sleep 1000'
	eventually has_worked
	tote events --stats "$ID" >"$LINES_FILE"
	[ "$(wc -l <"$LINES_FILE")" = 1 ]
	[ "$(stat_of .type)" = stats ]
	[ "$(stat_of .id)" = "$ID" ]
	[ "$(stat_of 'keys | tojson')" = '["data","id","type"]' ]
	[ "$(stat_of '.data | keys | tojson')" = '["blkio","cpu","hugetlb","memory","network_interfaces","pids"]' ]
	[ "$(stat_of '.data.memory | has("usage") and has("swap") and has("kernel") and has("raw")')" = true ]
}

@test "CPU time is told in nanoseconds" {
	background sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; sleep 1000'
	eventually has_worked
	before=$(usage_usec)
	tote events "$ID" --stats >"$LINES_FILE"
	after=$(usage_usec)
	total=$(stat_of .data.cpu.usage.total)
	[ "$total" -ge "${before}000" ] && [ "$total" -le "${after}000" ]
	[ "$(stat_of '.data.cpu.usage | .user + .kernel > 0')" = true ]
	[ ! -e "$(cgroup2_mount)/tote-$ID/cpu.pressure" ] || [ "$(stat_of '.data.cpu.psi.some.avg10 | type')" = number ]
}

@test "what the group's files say is what is printed" {
	background
	group=$(cgroup2_mount)/tote-$ID
	tote events --stats "$ID" >"$LINES_FILE"
	if [ -e "$group/pids.current" ]; then
		[ "$(stat_of .data.pids.current)" = "$(cat "$group/pids.current")" ]
	else
		[ "$(stat_of '.data.pids | tojson')" = '{}' ]
	fi
	if [ -e "$group/memory.current" ]; then
		[ "$(stat_of '.data.memory.usage.usage > 0')" = true ]
		[ "$(stat_of '.data.memory.raw.anon')" -ge 0 ]
	else
		[ "$(stat_of '.data.memory.raw | tojson')" = '{}' ]
		[ "$(stat_of '.data.memory.usage == {limit: 0, failcnt: 0}')" = true ]
	fi
}

@test "the interfaces of its own network namespace are listed, the host's are not" {
	background
	tote events --stats "$ID" >"$LINES_FILE"
	[ "$(stat_of '.data.network_interfaces | map(.Name) | index("lo")')" = 0 ]
	[ "$(stat_of '.data.network_interfaces[0].RxBytes')" = 0 ]
	pid=$(tote state "$ID" | jq .pid)
	nsenter -t "$pid" -n "$BUSYBOX" ifconfig lo 127.0.0.1 up
	nsenter -t "$pid" -n "$BUSYBOX" ping -c 1 127.0.0.1
	tote events --stats "$ID" >"$LINES_FILE"
	[ "$(stat_of '.data.network_interfaces[0] | .RxBytes > 0 and .RxBytes == .TxBytes and .RxPackets == .TxPackets')" = true ]
}

@test "a container in the host's network shows no interfaces" {
	config '.linux.namespaces |= map(select(.type != "network"))'
	background
	tote events --stats "$ID" >"$LINES_FILE"
	[ "$(stat_of '.data.network_interfaces | tojson')" = '[]' ]
}

@test "a line each interval, and the end when the container is gone" {
	background
	start=$(date +%s%N)
	watch --interval 100ms "$ID"
	eventually has_lines 3
	[ $(($(date +%s%N) - start)) -ge 300000000 ]
	tote kill "$ID" KILL
	watcher_ends
	[ "$code" = 0 ]
	[ ! -s "$LINES_FILE.err" ]
	[ "$(jq -s 'map(.type) | unique | tojson' "$LINES_FILE")" = '"[\"stats\"]"' ]
	[ "$(jq -s 'map(.data.cpu.usage.total) | . == sort' "$LINES_FILE")" = true ]
}

@test "the end of the container does not wait for the interval" {
	background
	watch --interval 1h30m "$ID"
	eventually is_watching
	tote delete --force "$ID"
	watcher_ends
	[ "$code" = 0 ]
	[ ! -s "$LINES_FILE" ] && [ ! -s "$LINES_FILE.err" ]
}

@test "whoever watches delays a delete by a moment at most" {
	background
	watch --interval 1h "$ID"
	eventually is_watching
	kill -STOP "$WATCHER"
	run -0 timeout 20 "$TOTE" --root "$ROOT" delete --force "$ID"
	nothing_left
	kill -CONT "$WATCHER"
	watcher_ends
	[ "$code" = 0 ]
	[ ! -s "$LINES_FILE" ] && [ ! -s "$LINES_FILE.err" ]
}

@test "a paused container is still measured" {
	background
	tote pause "$ID"
	tote events --stats "$ID" >"$LINES_FILE"
	[ "$(stat_of .type)" = stats ]
}

@test "whoever reads may go away" {
	background
	timeout 10 "$TOTE" --root "$ROOT" events --interval 20ms "$ID" 3>&- | head -n 2 >"$LINES_FILE"
	[ "$(wc -l <"$LINES_FILE")" = 2 ]
	# Full disks are told of, not ignored.
	run -1 sh -c "'$TOTE' --root '$ROOT' events --stats '$ID' 2>&1 >/dev/full"
	[[ $output == *"events: write to stdout: No space left on device"* ]]
}

@test "an out-of-memory kill is an event" {
	grep -qw memory "$(cgroup2_mount)/cgroup.controllers" || skip "the cgroup v2 tree has no memory controller"
	config '.linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
	background
	watch --interval 1h "$ID"
	eventually is_watching
	run -137 tote exec "$ID" sh -c 'x=a; while :; do x=$x$x; done'
	eventually has_lines 1
	[ "$(jq -c . "$LINES_FILE")" = "{\"type\":\"oom\",\"id\":\"$ID\"}" ]
	tote kill "$ID" KILL
	watcher_ends
	[ "$code" = 0 ]
}

@test "containers that do not run, and durations that are none" {
	refuses 1 "container does not exist" events --stats nobody
	command_is true
	quietly tote run -d "$ID"
	eventually is_stopped
	refuses 1 "container not running" events "$ID"
	refuses 1 "container not running" events --stats "$ID"
	for interval in 5 0s -1s 1.s.s 0x5s inf '' s 5d '5s ' 1e3s 99999999h; do
		refuses 1 "--interval: expected a duration like 500ms, 5s or 1m, found \"$interval\"" events --interval "$interval" "$ID"
	done
}
