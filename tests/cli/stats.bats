# SPDX-License-Identifier: Apache-2.0
# stats: what containers use, as a table that refreshes on a terminal, and as JSON.
bats_require_minimum_version 1.5.0
load helpers

MEMBERS='["id","pid","cpuPercent","cpuSeconds","memoryUsage","memoryWorkingSet","memoryLimit","memoryPercent","memoryPeak","swapUsage","swapLimit","oomKills","pids","pidsLimit","netRxBytes","netTxBytes","ioReadBytes","ioWriteBytes","cpuPressure","memoryPressure","ioPressure"]'

setup() {
	make_bundle
	LINES_FILE=$BATS_TEST_TMPDIR/lines
}

teardown() {
	stop_watcher
	clean_up
}

# stats in the background, what it prints in $LINES_FILE.
watch() {
	watch_by stats "$@"
}

# The last line that is whole.
last() {
	sed -n '$p' "$LINES_FILE" | jq -r "$1" 2>/dev/null
}

last_says() {
	[ "$(last "$1")" = "$2" ]
}

# One more container of the same bundle.
another() {
	quietly tote run -d "$1"
}

# stats with further arguments on a terminal of $1 columns and $2 lines, until it has drawn $4 (of grep) $3 times or ends by itself;
# what it draws is in $LINES_FILE.
on_terminal() {
	local columns=$1 lines=$2 times=$3 what=$4
	shift 4
	cat >"$BATS_TEST_TMPDIR/command" <<-END
	#!/bin/sh
	stty cols $columns rows $lines
	'$TOTE' --root '$ROOT' stats $* &
	while kill -0 \$! 2>/dev/null && [ "\$(grep -o '$what' '$LINES_FILE' | wc -l)" -lt $times ]; do sleep 0.05; done
	kill \$! 2>/dev/null
	wait
	END
	timeout 60 script -qec "sh '$BATS_TEST_TMPDIR/command'" /dev/null </dev/null >"$LINES_FILE" 3>&- || true
}

@test "without a terminal: one table, no escape codes, and the end" {
	background
	run -0 --separate-stderr timeout 10 "$TOTE" --root "$ROOT" stats
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} == ID*"CPU %"*"MEM / LIMIT"*"MEM %"*PIDS*PRESSURE*"NET RX / TX"*"IO READ/WRITE"*SWAP ]]
	[[ ${lines[1]} == "$ID "* ]]
	[[ $output != *$'\033'* ]]
	[ -z "$stderr" ]
	[ "$(timeout 10 "$TOTE" --root "$ROOT" stats "$ID" --no-stream | wc -l)" = 2 ]
}

@test "JSON: an array on one line whose members are stable" {
	background
	before=$(awk '$1 == "usage_usec" { print $2 }' "$(cgroup2_mount)/tote-$ID/cpu.stat")
	tote stats --format json >"$LINES_FILE"
	[ "$(wc -l <"$LINES_FILE")" = 1 ]
	[ "$(command jq -r 'map(keys_unsorted) | tojson' "$LINES_FILE")" = "[$MEMBERS]" ]
	[ "$(last '.[0].id')" = "$ID" ]
	[ "$(last '.[0].pid')" = "$(tote state "$ID" | jq .pid)" ]
	[ "$(last ".[0].cpuSeconds * 1000000 | round >= $before")" = true ]
	[ "$(last '.[0].cpuPercent | type')" = number ]
	[ "$(last '.[0].netRxBytes')" = 0 ]
	if [ ! -e "$(cgroup2_mount)/tote-$ID/memory.current" ]; then
		[ "$(last '.[0] | .memoryUsage, .memoryPercent, .oomKills | tojson' | sort -u)" = null ]
	fi
}

@test "the share of CPU time is that of the interval" {
	background
	command_is sh -c 'while :; do :; done'
	another "$ID-busy"
	tote stats --format json --no-stream --interval 1s >"$LINES_FILE"
	[ "$(last 'map(.id) | tojson')" = "[\"$ID\",\"$ID-busy\"]" ]
	[ "$(last '.[0].cpuPercent < 5')" = true ]
	[ "$(last '.[1].cpuPercent > 3 and .[1].cpuPercent < 105')" = true ]
	# The table says the same with one decimal.
	share=$(tote stats "$ID-busy" | awk 'NR == 2 { print int($2) }')
	[ "$share" -gt 3 ] && [ "$share" -lt 105 ]
}

@test "nothing runs: a heading, an empty array" {
	[ "$(tote stats | wc -l)" = 1 ]
	[ "$(tote stats --format json)" = "[]" ]
	[ ! -e "$ROOT" ]
	quietly tote create "$ID" # waits for start
	[ "$(tote stats --format json)" = "[]" ]
	[ "$(tote stats --format json "$ID" | jq -r '.[].id')" = "$ID" ]
}

@test "a paused container is listed, a stopped one is not" {
	background
	tote pause "$ID"
	[ "$(tote stats -f json | jq -r '.[].id')" = "$ID" ]
	tote resume "$ID"
	command_is true
	another "$ID-done"
	eventually eval '[ "$(status_of "$ID-done")" = stopped ]'
	[ "$(tote stats -f json | jq -r '.[].id')" = "$ID" ]
}

@test "with an interval it goes on: containers come and go" {
	watch --interval 100ms --format json
	eventually last_says length 0
	background
	eventually last_says '.[0].id' "$ID"
	eventually last_says '.[0].cpuPercent != null' true
	another "$ID-2"
	eventually last_says length 2
	tote delete --force "$ID"
	eventually last_says '.[].id' "$ID-2"
	# Another container under a name that was seen before.
	quietly tote run -d "$ID"
	eventually last_says length 2
	eventually last_says '.[0].pid' "$(tote state "$ID" | jq .pid)"
	kill "$WATCHER"
	[ ! -s "$LINES_FILE.err" ]
}

@test "named containers: it ends with the last of them" {
	background
	another "$ID-2"
	watch --interval 100ms -f json "$ID-2" "$ID"
	eventually last_says 'map(.id) | join(" ")' "$ID-2 $ID"
	tote kill "$ID" KILL
	eventually last_says 'map(.id) | join(" ")' "$ID-2"
	tote delete --force "$ID-2"
	watcher_ends
	[ "$code" = 0 ]
	[ ! -s "$LINES_FILE.err" ]
	# Its last word is no empty array.
	[ "$(tail -n 1 "$LINES_FILE" | jq length)" -ge 1 ]
}

@test "a named container that is made anew between two looks goes on" {
	background
	watch --interval 500ms -f json "$ID"
	eventually last_says length 1
	# Between two looks, however long this takes.
	kill -STOP "$WATCHER"
	tote delete --force "$ID"
	command_is sh -c 'while :; do :; done'
	quietly tote run -d "$ID"
	kill -CONT "$WATCHER"
	pid=$(tote state "$ID" | jq .pid)
	eventually last_says '.[0].pid' "$pid"
	# It counts from 0 again, and may have come further than the other one did.
	[ "$(jq -r "map(select(.pid == $pid).cpuPercent) | .[]" "$LINES_FILE" 2>/dev/null | head -n 1)" = null ]
}

@test "tables one after the other are parted by a line" {
	background
	watch --interval 100ms
	eventually eval '[ "$(grep -c "^$ID " "$LINES_FILE")" -ge 3 ]'
	kill "$WATCHER"
	[ "$(sed -n 3p "$LINES_FILE")" = "" ]
	[[ $(sed -n 4p "$LINES_FILE") == "ID "* ]]
	run ! grep -q $'\033' "$LINES_FILE"
}

@test "a container in the host's network has no numbers of it" {
	config '.linux.namespaces |= map(select(.type != "network"))'
	background
	[ "$(tote stats -f json | jq -c '.[] | [.netRxBytes, .netTxBytes]')" = "[null,null]" ]
}

@test "the loopback device does not count as network traffic" {
	background
	nsenter -t "$(tote state "$ID" | jq .pid)" -n "$BUSYBOX" ifconfig lo 127.0.0.1 up
	nsenter -t "$(tote state "$ID" | jq .pid)" -n "$BUSYBOX" ping -c 1 127.0.0.1
	[ "$(tote stats -f json | jq -c '.[] | [.netRxBytes, .netTxBytes]')" = "[0,0]" ]
}

@test "a container without a cgroup is a line without numbers" {
	command_is sleep 1000
	quietly tote --cgroup-manager disabled run -d "$ID"
	[ "$(tote stats -f json | jq -c '.[] | [.id, .cpuPercent, .cpuSeconds, .pids]')" = "[\"$ID\",null,null,null]" ]
	[[ $(tote stats | tail -n 1) =~ ^$ID\ +-\ +-\ /\ -\ +-\ +-\ +-\  ]]
}

@test "a terminal is drawn over, as wide and high as it is" {
	background
	for i in 2 3 4 5 6; do another "$ID-$i"; done
	TERM=xterm on_terminal 60 5 4 $'\033\\[H' --interval 300ms
	# Frames begin at the top left, each line is erased behind its end, the screen below the last.
	[ "$(grep -o $'\033\[H' "$LINES_FILE" | wc -l)" -ge 3 ]
	[ "$(grep -o $'\033\[2J' "$LINES_FILE" | wc -l)" = 1 ]
	frame=$(tr -d '\r' <"$LINES_FILE" | sed -n "$(printf '/\033\\[J/,$p')" | sed -n '1,4p')
	[ "$(printf '%s\n' "$frame" | grep -c $'\033\[K$')" = 4 ]
	text=$(printf '%s\n' "$frame" | sed $'s/\033\\[[A-Z0-9]*//g')
	[ "$(printf '%s\n' "$text" | wc -L)" -le 60 ]
	[[ $text == *"MEM %"* ]] && [[ $text != *SWAP* ]]
	# The state of the terminal is not changed, so that there is nothing to restore.
	run ! grep -q $'\033\[?' "$LINES_FILE"
}

@test "a terminal that changes its size is drawn at once" {
	background
	cat >"$BATS_TEST_TMPDIR/command" <<-END
	#!/bin/sh
	stty cols 120 rows 10
	'$TOTE' --root '$ROOT' stats --interval 1h &
	until grep -q 'ID .*SWAP' '$LINES_FILE'; do sleep 0.05; done
	stty cols 40
	kill -WINCH \$!
	until [ \$(grep -c 'ID .*CPU %' '$LINES_FILE') -ge 2 ]; do sleep 0.05; done
	kill \$!
	END
	TERM=xterm timeout 60 script -qec "sh '$BATS_TEST_TMPDIR/command'" /dev/null </dev/null >"$LINES_FILE" 3>&- || true
	[ "$(grep -o $'\033\[H' "$LINES_FILE" | wc -l)" -ge 2 ]
	[ "$(grep -c 'ID .*SWAP' "$LINES_FILE")" = 1 ]
	[ "$(grep -c 'ID .*CPU %' "$LINES_FILE")" -ge 2 ]
}

@test "Ctrl-C ends it" {
	background
	code=0
	{ eventually grep -q "^$ID " "$LINES_FILE"; printf '\003'; sleep 2; } 3>&- | TERM=xterm timeout 60 script -qec "'$TOTE' --root '$ROOT' stats" /dev/null >"$LINES_FILE" 3>&- || code=$?
	[ "$code" = 130 ]
	grep -q "^$ID " "$LINES_FILE"
}

@test "a terminal without abilities gets tables one after the other" {
	background
	TERM=dumb on_terminal 100 20 3 "$ID " --interval 300ms
	[ "$(grep -c "^$ID " "$LINES_FILE")" -ge 3 ]
	run ! grep -q $'\033' "$LINES_FILE"
	TERM=xterm on_terminal 100 20 1000 nothing --no-stream
	[ "$(grep -c "^$ID " "$LINES_FILE")" = 1 ]
	run ! grep -q $'\033' "$LINES_FILE"
}

@test "a named container must be there and run" {
	refuses 1 "container does not exist" stats nobody
	background
	refuses 1 "container does not exist" stats "$ID" nobody
	tote kill "$ID" KILL
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	refuses 1 "container not running" stats "$ID"
}

@test "a container that cannot be read is told of and left out" {
	background
	mkdir -m 700 "$ROOT/broken" "$ROOT/empty"
	echo '{' >"$ROOT/broken/state.json"
	run --separate-stderr -0 timeout 10 "$TOTE" --root "$ROOT" stats -f json
	[ "$(echo "$output" | jq -r '.[].id')" = "$ID" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"warning: stats: "*broken* ]]
	refuses 1 broken stats broken
	rm -r "$ROOT/broken" "$ROOT/empty"
}

@test "wrong options; whoever reads may go away" {
	refuses 1 '--format: expected table or json, found "yaml"' stats -f yaml
	refuses 1 '--interval: expected a duration like 500ms, 5s or 1m, found "5"' stats --interval 5
	background
	timeout 10 "$TOTE" --root "$ROOT" stats --interval 20ms -f json 3>&- | head -n 2 >"$LINES_FILE"
	[ "$(wc -l <"$LINES_FILE")" = 2 ]
	run -1 sh -c "'$TOTE' --root '$ROOT' stats 2>&1 >/dev/full"
	[[ $output == *"stats: write to stdout: No space left on device"* ]]
}
