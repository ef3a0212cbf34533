# SPDX-License-Identifier: Apache-2.0
# What containers write, in files of a ring: nothing is lost while there is room, and the cap is kept when there is not.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	set_up_monitor
}

teardown() {
	tear_down_monitor
	mountpoint -q "$BATS_TEST_TMPDIR/small" && umount "$BATS_TEST_TMPDIR/small" || true
}

# The bytes of all files of the log.
log_size() {
	cat "$LOG"* | wc -c
}

@test "1,000 lines a second with rotation: nothing is lost, out of order or broken" {
	command_is sh -c 'i=0; while [ $i -lt 5000 ]; do i=$((i + 1)); echo "line $i"; [ $((i % 50)) != 0 ] || usleep 50000; done'
	monitor --log-size 20000 --log-files 100
	monitor_left
	[ "$(ls "$LOG"* | wc -l)" -gt 5 ]
	for f in "$LOG"*; do
		[ "$(stat -c %s "$f")" -le 20000 ]
		# Whole lines only, in all files.
		run ! grep -vE '^[0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z stdout F line [0-9]+$' "$f"
	done
	log_text | awk '$2 != NR { print "line " NR " is " $0; exit 1 } END { exit NR != 5000 }'
}

@test "as fast as it can: the cap is kept, and the monitor answers" {
	command_is sh -c 'yes "a line of what a program might write to its log"'
	monitor --log-size 1000000 --log-files 3
	patiently test -e "$LOG.2"
	for _ in $(seq 10); do
		begin=$(date +%s%N)
		run -1 tell start
		[ "$output" = "error start: the container is running" ]
		[ $((($(date +%s%N) - begin) / 1000000)) -lt 10000 ]
		# A file that is renamed while we look may be counted twice.
		[ "$(log_size 2>/dev/null)" -le 4000000 ]
	done
	tell stop SIGKILL 0
	monitor_left
	[ "$(log_size)" -le 3000000 ]
	[ "$(ls "$LOG"* | wc -l)" = 3 ]
}

@test "one file only" {
	command_is sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo "line $i"; done'
	monitor --log-size 8192 --log-files 1
	monitor_left
	[ "$(echo "$LOG"*)" = "$LOG" ]
	[ "$(stat -c %s "$LOG")" -le 8192 ]
	[ "$(log_text | tail -1)" = "line 2000" ]
}

@test "fewer files than before: those there are too many go" {
	for i in 1 2 3 4 5; do echo old >"$LOG.$i"; done
	command_is echo new
	monitor --log-files 3
	monitor_left
	[ "$(ls "$LOG"*)" = "$LOG
$LOG.1
$LOG.2" ]
}

@test "lines longer than any buffer" {
	command_is sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo; echo short'
	monitor --log-size 50000 --log-files 10
	monitor_left
	[ "$(log_text | head -1 | wc -c)" = 100001 ]
	[ "$(log_text | tail -1)" = short ]
	for f in "$LOG"*; do [ "$(stat -c %s "$f")" -le 50000 ]; done
}

@test "a line without its end, at the very end" {
	command_is sh -c 'echo one; printf two'
	monitor
	monitor_left
	log_has ' F one$'
	log_has ' P two$'
}

@test "a line whose end comes later is there already" {
	command_is sh -c 'printf "password: "; sleep 1000'
	monitor
	patiently log_has ' stdout P password: $'
}

@test "json-file: what Docker's readers read" {
	command_is sh -c 'printf "a \"quoted\" \\\\ \t tab\n\001\377 grün\n"; echo err >&2; printf end'
	monitor --log-driver json-file
	monitor_left
	[ "$(jq -r 'select(.stream == "stdout").log' -j "$LOG" | od -An -tx1)" = "$(printf 'a "quoted" \\ \t tab\n\001\357\277\275 grün\nend' | od -An -tx1)" ]
	[ "$(jq -r 'select(.stream == "stderr").log' "$LOG")" = err ]
	run ! jq -re '.time | select(test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{9}Z$") | not)' "$LOG"
}

@test "none: no file at all" {
	command_is sh -c 'yes | head -100000; exit 2'
	monitor --log-driver none
	monitor_left
	exit_has '.code == 2'
	[ ! -e "$LOG" ]
}

@test "journald: without a journal it is dropped and counted" {
	[ ! -e /run/systemd/journal/socket ] || skip "there is a journal"
	command_is sh -c 'echo 123456789; exit 2'
	monitor --log-driver journald
	monitor_left
	exit_has '.code == 2'
	[ "$(jq .logDropped "$DIR/status.json")" = 10 ]
}

small_disk() {
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=64k,mode=0700 tote-monitor-test "$BATS_TEST_TMPDIR/small"
	LOG=$BATS_TEST_TMPDIR/small/box.log
}

@test "disk full: it drops, counts, goes on, and says so when there is room again" {
	small_disk
	head -c 100000 /dev/zero >"$BATS_TEST_TMPDIR/small/ballast" || true
	command_is sh -c 'i=0; while :; do i=$((i + 1)); echo "line $i"; sleep 0.01; done'
	monitor
	patiently state_is running
	dropped() { [ "$(jq .logDropped "$DIR/status.json")" -gt "$1" ]; }
	patiently dropped 100
	state_is running
	rm "$BATS_TEST_TMPDIR/small/ballast"
	patiently log_has 'stderr F tote: [0-9]+ bytes before this were not logged$'
	patiently log_has 'stdout F line '
	tell stop SIGKILL 0
	monitor_left
	# What is said to be lost is what is missing.
	said=$(sed -n 's/.*tote: \([0-9]*\) bytes.*/\1/p' "$LOG")
	first=$(log_text | awk '/^line/ { print $2; exit }')
	missing=0
	for i in $(seq $((first - 1))); do line="line $i"; missing=$((missing + ${#line} + 1)); done
	[ "$said" = "$missing" ]
	[ "$(jq .logDropped "$DIR/status.json")" = "$said" ]
}

@test "disk full in the middle of a file: no line is there in part" {
	small_disk
	command_is sh -c 'i=0; while [ $i -lt 5000 ]; do i=$((i + 1)); echo "line $i"; done; exit 3'
	monitor --log-size 1000000 --log-files 2
	monitor_left
	exit_has '.code == 3'
	run ! grep -vE '^[0-9TZ:.-]+ (stdout F line [0-9]+|stderr F tote: [0-9]+ bytes before this were not logged)$' "$LOG"
	[ "$(tail -c 1 "$LOG" | od -An -tx1)" = " 0a" ]
	[ "$(jq .logDropped "$DIR/status.json")" -gt 10000 ]
}

@test "a log without its directory" {
	LOG=$BATS_TEST_TMPDIR/nowhere/box.log
	command_is sh -c 'echo 12345; exit 3'
	monitor
	monitor_left
	exit_has '.code == 3'
	[ "$(jq .logDropped "$DIR/status.json")" = 6 ]
}

@test "renamed by somebody else: reopen" {
	command_is sh -c 'i=0; while :; do i=$((i + 1)); echo "line $i"; sleep 0.02; done'
	monitor
	patiently log_has 'line 5$'
	mv "$LOG" "$LOG.old"
	tell reopen
	patiently test -s "$LOG"
	tell stop SIGKILL 0
	monitor_left
	cat "$LOG.old" "$LOG" | awk '$5 != NR { print "line " NR " is " $0; exit 1 }'
}

@test "a torn line of an earlier power cut does not spoil the next one" {
	printf '2026-01-01T00:00:00.000000000Z stdout F torn' >"$LOG"
	command_is echo whole
	monitor
	monitor_left
	[ "$(wc -l <"$LOG")" = 2 ]
	log_has 'Z stdout F whole$'
}
