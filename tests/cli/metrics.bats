# SPDX-License-Identifier: Apache-2.0
# metrics: numbers of all containers in Prometheus' text format, on stdout or in a file that is replaced in one step.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	DOC=$BATS_TEST_TMPDIR/doc
	OUT_DIR=$BATS_TEST_TMPDIR/textfiles
	mkdir -p "$OUT_DIR"
}

teardown() {
	clean_up
}

another() {
	quietly tote run -d "$1"
}

metrics() {
	tote metrics "$@" >"$DOC"
}

# The value of a line, without the part of its name that all share: value 'pids{id="box"}'.
value() {
	awk -v name="tote_$1" '$1 == name { print $2 }' "$DOC"
}

# Each family has its HELP and TYPE once, before its lines, and all lines of a family stand together.
families_are_whole() {
	awk '
		$2 == "HELP" { if (seen[$3]++) { print "twice: " $3; bad = 1 } family = $3; next }
		$2 == "TYPE" { if ($3 != family) { print "TYPE of " $3 " behind HELP of " family; bad = 1 } next }
		{ name = $1; sub(/\{.*/, "", name); if (name != family) { print name " in " family; bad = 1 } n++ }
		END { exit bad || !n }' "$DOC"
}

@test "promtool takes the document of containers in every state" {
	promtool=$("$BATS_TEST_DIRNAME/../online" "$BATS_TEST_DIRNAME/../promtool" 2>"$BATS_TEST_TMPDIR/why") ||
		skip "promtool cannot be had: $(cat "$BATS_TEST_TMPDIR/why")"
	# What it must refuse, to know that it looks.
	run ! "$promtool" check metrics <<<'a_total{id="x} 1'
	background
	another "$ID-paused"
	tote pause "$ID-paused"
	quietly tote create "$ID-created"
	command_is true
	another "$ID-stopped"
	eventually eval '[ "$(status_of "$ID-stopped")" = stopped ]'
	metrics
	[ "$(grep -c '^tote_container_state{.*} 1$' "$DOC")" = 4 ]
	run -0 "$promtool" check metrics <"$DOC"
	[ -z "$output" ]
	clean_up
	metrics
	run -0 "$promtool" check metrics <"$DOC"
	[ -z "$output" ]
}

@test "no containers: a document all the same" {
	metrics
	[ "$(grep -v '^#' "$DOC")" = "tote_build_info{version=\"$(tote --version | sed -n '1s/.* //p')\"} 1
tote_unreadable_containers 0" ]
	families_are_whole
	[ ! -e "$ROOT" ]
}

@test "families are whole, and no line is there twice" {
	background
	another "$ID-2"
	metrics
	families_are_whole
	[ "$(grep -v '^#' "$DOC" | awk '{ print $1 }' | sort | uniq -d)" = "" ]
	# Counters, and nothing else, end in _total.
	[ "$(awk '$2 == "TYPE" && ($4 == "counter") != ($3 ~ /_total$/)' "$DOC")" = "" ]
	[ "$(tail -c 1 "$DOC" | od -An -c | tr -d ' ')" = '\n' ]
}

@test "the state is one of five" {
	background
	for state in running paused; do
		[ $state = running ] || tote pause "$ID"
		metrics
		[ "$(grep -c "^tote_container_state{id=\"$ID\"" "$DOC")" = 5 ]
		[ "$(value "container_state{id=\"$ID\",state=\"$state\"}")" = 1 ]
		[ "$(grep -c '^tote_container_state{.*} 0$' "$DOC")" = 4 ]
	done
}

@test "numbers are those of the kernel, in base units" {
	background
	group=$(cgroup2_mount)/tote-$ID
	metrics
	usec=$(awk '$1 == "usage_usec" { print $2 }' "$group/cpu.stat")
	[ "$(value "container_cpu_seconds_total{id=\"$ID\"}")" = "$(printf '%d.%06d' $((usec / 1000000)) $((usec % 1000000)))" ]
	if [ -e "$group/io.pressure" ]; then
		usec=$(sed -n 's/^some.*total=//p' "$group/io.pressure")
		[ "$(value "container_pressure_seconds_total{id=\"$ID\",resource=\"io\",stall=\"waiting\"}")" = "$(printf '%d.%06d' $((usec / 1000000)) $((usec % 1000000)))" ]
	fi
	if [ -e "$group/memory.max" ]; then
		[ "$(value "container_memory_usage_bytes{id=\"$ID\"}")" -gt 0 ]
	else
		run ! grep -q memory_usage "$DOC"
	fi
	# What is not limited has no line.
	run ! grep -q '_limit' "$DOC"
}

@test "when it was created and started" {
	background
	metrics
	created=$(date -d "$(tote state "$ID" | jq -r .created)" +%s.%6N)
	[ "$(value "container_created_time_seconds{id=\"$ID\"}")" = "$created" ]
	started=$(value "container_start_time_seconds{id=\"$ID\"}")
	# The kernel tells when the host was booted in whole seconds.
	awk -v a="$started" -v b="$created" 'BEGIN { exit !(a - b < 2 && b - a < 2) }'
	# The leap day, and the last second of a year.
	for time in 2024-02-29T23:59:59.000001Z 2024-03-01T00:00:00Z 2099-12-31T23:59:59.999999999Z 1970-01-01T00:00:01Z; do
		jq ".created = \"$time\"" <"$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/state.json"
		cp "$BATS_TEST_TMPDIR/state.json" "$ROOT/$ID/state.json"
		metrics
		[ "$(value "container_created_time_seconds{id=\"$ID\"}")" = "$(date -d "$time" +%s.%6N)" ]
	done
	for time in '' yesterday 2024-02-29T23:59:59 2024-02-29; do
		jq ".created = \"$time\"" <"$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/state.json"
		cp "$BATS_TEST_TMPDIR/state.json" "$ROOT/$ID/state.json"
		metrics
		run ! grep -q created_time "$DOC"
	done
	tote kill "$ID" KILL
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	metrics
	run ! grep -q start_time "$DOC"
}

@test "restarts are those of the state" {
	background
	metrics
	[ "$(value "container_restarts_total{id=\"$ID\"}")" = 0 ]
	jq '.restarts = 3' <"$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/state.json"
	cp "$BATS_TEST_TMPDIR/state.json" "$ROOT/$ID/state.json"
	metrics
	[ "$(value "container_restarts_total{id=\"$ID\"}")" = 3 ]
}

@test "interfaces of the container's own network, with any name" {
	background
	pid=$(tote state "$ID" | jq .pid)
	metrics
	[ "$(value "container_network_receive_bytes_total{id=\"$ID\",interface=\"lo\"}")" = 0 ]
	nsenter -t "$pid" -n ip link set lo up
	nsenter -t "$pid" -n "$BUSYBOX" ping -c 1 127.0.0.1
	nsenter -t "$pid" -n ip link set lo down
	nsenter -t "$pid" -n ip link set lo name 'a"b\c'$'\xff'
	metrics
	[ "$(value "container_network_transmit_packets_total{id=\"$ID\",interface=\"a\\\\\"b\\\\\\\\c\xef\xbf\xbd\"}")" -gt 0 ]
	iconv -f UTF-8 -t UTF-8 "$DOC" >/dev/null
}

@test "--output: the file is replaced in one step, readable by all, and nothing else is left" {
	background
	umask 077
	tote metrics --output "$OUT_DIR/tote.prom"
	[ "$(stat -c %a "$OUT_DIR/tote.prom")" = 644 ]
	[ "$(ls -A "$OUT_DIR")" = tote.prom ]
	[ "$(tail -n 1 "$OUT_DIR/tote.prom" | tail -c 1 | od -An -c | tr -d ' ')" = '\n' ]
	exec 8<"$OUT_DIR/tote.prom"
	inode=$(stat -c %i "$OUT_DIR/tote.prom")
	(cd "$OUT_DIR" && tote metrics -o tote.prom)
	[ "$(stat -c %i "$OUT_DIR/tote.prom")" != "$inode" ]
	# Who had opened the old one reads on.
	[ "$(grep -c build_info <&8)" = 3 ]
	exec 8<&-
	[ "$(ls -A "$OUT_DIR")" = tote.prom ]
	# Nothing on stdout.
	[ -z "$(tote metrics -o "$OUT_DIR/tote.prom")" ]
}

@test "--output: many writers at once leave one whole file" {
	background
	for _ in $(seq 8); do
		tote metrics -o "$OUT_DIR/tote.prom" 3>&- &
	done
	wait
	[ "$(ls -A "$OUT_DIR")" = tote.prom ]
	cp "$OUT_DIR/tote.prom" "$DOC"
	families_are_whole
	grep -q "^tote_container_cpu_seconds_total{id=\"$ID\"}" "$DOC"
}

@test "--output: a full disk leaves the old file and no new one" {
	background
	run -0 unshare -m sh -ec '
		mount -t tmpfs -o size=8k,nr_inodes=8 tmpfs "$1"
		cd "$1"
		echo old >tote.prom
		head -c 4096 /dev/zero >filler
		"$2" --root "$3" metrics --output tote.prom && exit 9
		[ "$(cat tote.prom)" = old ]
		[ "$(ls -A)" = "$(printf "filler\ntote.prom")" ]
		umount -l "$1"
		mount -t tmpfs -o size=1m tmpfs "$1"
		cd "$1"
		echo old >tote.prom
		"$2" --root "$3" metrics --output tote.prom
		grep -q ^tote_container_state tote.prom
		[ "$(ls -A)" = tote.prom ]
	' sh "$OUT_DIR" "$TOTE" "$ROOT"
	[[ $output == *"metrics: --output tote.prom: write: No space left on device"* ]]
}

@test "--output: a file system without nameless files, and a failure at the last moment" {
	background
	echo old >"$OUT_DIR/tote.prom"
	# The first time that something is opened in the directory.
	strace -o "$DOC" -P "$OUT_DIR" -e trace=openat -e inject=openat:error=EOPNOTSUPP:when=1 "$TOTE" --root "$ROOT" metrics -o "$OUT_DIR/tote.prom"
	grep -q 'O_TMPFILE.*INJECTED' "$DOC"
	[ "$(ls -A "$OUT_DIR")" = tote.prom ]
	[ "$(stat -c %a "$OUT_DIR/tote.prom")" = 644 ]
	grep -q '^tote_container_state' "$OUT_DIR/tote.prom"
	echo old >"$OUT_DIR/tote.prom"
	for when in 1 2; do
		injections=(-e inject=renameat,renameat2:error=EIO)
		[ $when = 1 ] || injections+=(-P "$OUT_DIR" -e inject=openat:error=EOPNOTSUPP:when=1)
		run -1 --separate-stderr strace -o "$DOC" "${injections[@]}" "$TOTE" --root "$ROOT" metrics -o "$OUT_DIR/tote.prom"
		[ "$stderr" = "tote: metrics: --output $OUT_DIR/tote.prom: rename: Input/output error" ]
		[ "$(ls -A "$OUT_DIR")" = tote.prom ] && [ "$(cat "$OUT_DIR/tote.prom")" = old ]
	done
}

@test "--output: what is no plain file is left alone" {
	ln -s /dev/null "$OUT_DIR/link.prom"
	mkfifo "$OUT_DIR/fifo.prom"
	mkdir "$OUT_DIR/dir.prom"
	for name in link fifo dir; do
		refuses 1 "metrics: --output $OUT_DIR/$name.prom: not a regular file" metrics --output "$OUT_DIR/$name.prom"
	done
	[ -L "$OUT_DIR/link.prom" ] && [ -p "$OUT_DIR/fifo.prom" ] && [ -d "$OUT_DIR/dir.prom" ]
	refuses 1 "No such file or directory" metrics --output "$OUT_DIR/none/tote.prom"
	refuses 1 "is no file name" metrics --output "$OUT_DIR/"
	refuses 1 "is no file name" metrics --output ""
	refuses 1 "File name too long" metrics --output "$OUT_DIR/$(printf 'x%.0s' {1..250}).prom"
	[ "$(ls -A "$OUT_DIR" | wc -l)" = 3 ]
}

@test "a container that cannot be read is told of and counted, the others are there" {
	background
	mkdir -m 700 "$ROOT/broken" "$ROOT/empty"
	echo '{' >"$ROOT/broken/state.json"
	run --separate-stderr -1 timeout 10 "$TOTE" --root "$ROOT" metrics --output "$OUT_DIR/tote.prom"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"metrics: "*broken* ]]
	cp "$OUT_DIR/tote.prom" "$DOC"
	[ "$(value unreadable_containers)" = 1 ]
	[ "$(value "container_state{id=\"$ID\",state=\"running\"}")" = 1 ]
	run ! grep -q '"broken"\|"empty"' "$DOC"
	rm -r "$ROOT/broken" "$ROOT/empty"
}

@test "a stopped container keeps its last numbers" {
	background sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done'
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	metrics
	[ "$(value "container_state{id=\"$ID\",state=\"stopped\"}")" = 1 ]
	awk -v v="$(value "container_cpu_seconds_total{id=\"$ID\"}")" 'BEGIN { exit !(v > 0) }'
	run ! grep -q network "$DOC"
}

@test "a container without a cgroup has a state and no numbers" {
	command_is sleep 1000
	quietly tote --cgroup-manager disabled run -d "$ID"
	metrics
	[ "$(value "container_state{id=\"$ID\",state=\"running\"}")" = 1 ]
	run ! grep -q cpu_ "$DOC"
}

@test "a full disk behind stdout is an error; arguments are none" {
	run -1 sh -c "'$TOTE' --root '$ROOT' metrics 2>&1 >/dev/full"
	[[ $output == *"metrics: write to stdout: No space left on device"* ]]
	refuses 1 'unexpected argument "box"' metrics box
}
