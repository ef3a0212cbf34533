#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The commands for what is up already (logs, status, stop, ...) on files that are prepared: no supervisor, no containers, no root.
# TOTE is the program whose neighbour tote-compose is under test.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	: "${TOTE:=$BATS_TEST_DIRNAME/../../build/tote}"
	COMPOSE=$(dirname "$(realpath "$TOTE")")/tote-compose
	[ -x "$COMPOSE" ] || { echo "$COMPOSE is not built"; return 1; }
	export TOTE_SUPERVISE_DIR=$BATS_TEST_TMPDIR/dir
	unset COMPOSE_PROJECT_NAME COMPOSE_FILE
	mkdir -p "$TOTE_SUPERVISE_DIR"/{state,run/i,log/shop}
	LOG=$TOTE_SUPERVISE_DIR/log/shop
	mkdir "$BATS_TEST_TMPDIR/empty"
	cd "$BATS_TEST_TMPDIR/empty"
}

teardown() {
	[ -z "${FOLLOWER:-}" ] || kill "$FOLLOWER" 2>/dev/null || true
}

# service NAME [JSON MEMBERS]: as STATE has it.
service() {
	printf '{"name":"%s","replicas":1,"image":"%s","digest":"sha256:%064d","options":[],"args":[],"restart":"always"%s}' "$1" "$1" 1 "${2:+,$2}"
}

# project NAME SERVICE...
project() {
	local name=$1 IFS=,
	shift
	printf '{"name":"%s","source":"/srv/%s/compose.yaml","services":[%s]}' "$name" "$name" "$*" >"$TOTE_SUPERVISE_DIR/state/$name.json"
}

shop() {
	project shop "$(service db)" "$(service web '"replicas":2' | sed 's/"replicas":1,//')"
}

lines() {
	printf '%s\n' "$@"
}

shows() { # EXPECTED ARGUMENT...
	local want=$1
	shift
	run --separate-stderr "$COMPOSE" "$@" </dev/null
	[ "$status" -eq 0 ] || { echo "tote $*: code $status, $stderr"; return 1; }
	[ "$output" = "$want" ] || { echo "tote $*:"; diff <(echo "$want") <(echo "$output"); return 1; }
	[ -z "$stderr" ] || { echo "tote $*: $stderr"; return 1; }
}

refuses() { # CODE WORDS ARGUMENT...
	local code=$1 words=$2
	shift 2
	run --separate-stderr timeout 20 "$COMPOSE" "$@" </dev/null
	echo "tote $*: code $status, stdout \"$output\", stderr \"$stderr\""
	[ "$status" -eq "$code" ] || return 1
	[ -z "$output" ] || return 1
	[ "${#stderr_lines[@]}" -eq 1 ] || return 1
	[[ $stderr == *"$words"* ]]
}

rotated() {
	lines '2026-01-01T10:00:00.000000001Z stdout F one' \
		'2026-01-01T10:00:01.000000000Z stdout P par' \
		'2026-01-01T10:00:01.500000000Z stderr F oops' >"$LOG/shop-web-1.log.1"
	lines '2026-01-01T10:00:02.000000000Z stdout P ti' \
		'2026-01-01T10:00:03.000000000Z stdout F al' \
		'2026-01-01T10:00:05.000000000Z stdout F last' >"$LOG/shop-web-1.log"
}

docker() {
	cat >"$LOG/shop-web-2.log" <<-'EOF'
		{"log":"json one\n","stream":"stdout","time":"2026-01-01T10:00:00.5Z"}
		{"log":"half ","stream":"stdout","time":"2026-01-01T10:00:04Z"}
		{"log":"\u00e4\ud83d\ude00 \"q\" \\ \/\n","stream":"stdout","attrs":{"a":"b","c":"}"},"time":"2026-01-01T12:00:04.1+02:00"}
	EOF
}

@test "logs: services and replicas merged by time, rotated files, parts joined, both formats" {
	shop
	rotated
	docker
	echo '2026-01-01T10:00:02.500000000Z stderr F ready' >"$LOG/shop-db-1.log"
	shows "$(lines 'web-1 | one' 'web-2 | json one' 'web-1 | oops' 'db-1  | ready' 'web-1 | partial' 'web-2 | half ä😀 "q" \ /' 'web-1 | last')" logs
	shows "$(lines 'web-1 | one' 'web-1 | oops' 'web-1 | partial' 'web-1 | last')" logs -p shop web-1
	shows "$(lines 'db-1  | ready' 'web-1 | partial' 'web-2 | half ä😀 "q" \ /')" logs --since 2026-01-01T10:00:02.5Z --until 2026-01-01T10:00:04.5Z --tail 1
	shows ready logs --no-prefix db
	shows "db-1 | 2026-01-01T10:00:02.500000000Z ready" logs --timestamps db
}

@test "logs: --tail takes the last of each replica, over rotated files, with all parts of the first" {
	shop
	rotated
	shows 'web-1 | last' logs --tail 1 web
	shows "$(lines 'web-1 | partial' 'web-1 | last')" logs -n 2 web
	shows "$(lines 'web-1 | oops' 'web-1 | partial' 'web-1 | last')" logs --tail 3 web
	shows "$(lines 'web-1 | one' 'web-1 | oops' 'web-1 | partial' 'web-1 | last')" logs --tail 100 web
	shows "$(lines 'web-1 | one' 'web-1 | oops' 'web-1 | partial' 'web-1 | last')" logs --tail all web
	shows "" logs --tail 0 web
}

@test "logs: an update's second instance is shown under the same name, and --tail counts both" {
	shop
	rotated
	lines '2026-01-01T10:00:04.000000000Z stdout F new' '2026-01-01T10:00:06.000000000Z stdout F newest' >"$LOG/shop-web-1.b.log"
	shows "$(lines 'web-1 | partial' 'web-1 | new' 'web-1 | last' 'web-1 | newest')" logs --tail 4 web
	shows "$(lines 'web-1 | last' 'web-1 | newest')" logs --tail 2 web
}

@test "logs: --since and --until" {
	shop
	rotated
	shows "$(lines 'web-1 | partial' 'web-1 | last')" logs --since 2026-01-01T12:00:03+02:00 web
	shows "$(lines 'web-1 | one' 'web-1 | oops')" logs --until 2026-01-01T10:00:02Z web
	shows "$(lines 'web-1 | oops')" logs --until 2026-01-01T10:00:02Z --tail 1 web
	shows "" logs --since 10m web
	shows "$(lines 'web-1 | last')" logs --since "@$(date -u -d 2026-01-01T10:00:05 +%s)" web
	printf '%s stdout F now\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" >>"$LOG/shop-web-1.log"
	shows "web-1 | now" logs --since 10m web
	shows "web-1 | now" logs --since 1h30m --until 0s web
}

@test "logs: damaged files: half lines, text that is none of ours, an end in the middle" {
	shop
	printf '2026-01-01T10:00:00.000000000Z stdout F good\nnot of ours\n{"log":"cut\n\n2026-01-01T10:00:01.000000000Z stdout F\n2026-13-01T10:00:01Z stdout F x\n2026-01-01T10:00:02.000000000Z stdout P no end' >"$LOG/shop-db-1.log"
	want=$(lines good 'not of ours' '{"log":"cut' '' '' '2026-13-01T10:00:01Z stdout F x' 'no end')
	shows "$want" logs --no-prefix db
	printf '\\' >>"$LOG/shop-db-1.log"
	printf '{"log":"\\' >"$LOG/shop-web-1.log"
	shows '{"log":"\' logs --no-prefix web
}

@test "logs: --tail of a large file reads its end only" {
	shop
	head -c 300000000 /dev/zero >"$LOG/shop-db-1.log"
	printf '\n2026-01-01T10:00:00.000000000Z stdout F a\n2026-01-01T10:00:01.000000000Z stdout F b\n2026-01-01T10:00:02.000000000Z stdout F c\n' >>"$LOG/shop-db-1.log"
	command -v strace >/dev/null || skip "strace is missing"
	# Leaks cannot be looked for by one that is traced itself.
	ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=pread64 -o "$BATS_TEST_TMPDIR/trace" "$COMPOSE" logs --no-prefix --tail 2 db >"$BATS_TEST_TMPDIR/out"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = "$(lines b c)" ]
	[ "$(grep -c pread64 "$BATS_TEST_TMPDIR/trace")" -le 60 ]
}

@test "logs: --tail, --since and --until show what they should of any files" {
	shop
	cat >../any.py <<-'EOF'
		import datetime, json, os, random, subprocess, sys
		compose, log, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
		r = random.Random(seed)
		def stamp(ns):
		    return datetime.datetime.utcfromtimestamp(ns // 10**9).strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % (ns % 10**9)
		def instance(base):
		    """Its lines as (time of the end, text), and its files."""
		    now, parts, lines, files, out = base, {"stdout": "", "stderr": ""}, [], [], b""
		    for n in range(r.randint(0, 60)):
		        now += r.choice([1, 5 * 10**8, 10**9, 10**10])
		        stream, partial, driver = r.choice(["stdout", "stdout", "stderr"]), r.random() < 0.3, r.random() < 0.5
		        text = "%d:%s" % (n, "x" * r.choice([0, 3, 50, 3000, 70000]))
		        if driver:
		            out += ("%s %s %s %s\n" % (stamp(now), stream, "P" if partial else "F", text)).encode()
		        else:
		            out += (json.dumps({"log": text + ("" if partial else "\n"), "stream": stream, "time": stamp(now)}) + "\n").encode()
		        parts[stream] += text
		        if not partial:
		            lines.append((now, parts[stream]))
		            parts[stream] = ""
		        if r.random() < 0.1:
		            files.append(out)
		            out = b""
		    files.append(out)
		    # What has no end yet is a line as well: it comes last, with the last time that there was.
		    rest = [(now, parts[s]) for s in ("stdout", "stderr") if parts[s]]
		    return lines, rest, files
		for round in range(12):
		    for f in os.listdir(log):
		        os.unlink(log + "/" + f)
		    base = 1767261600 * 10**9 + r.randint(0, 10**9)
		    lines, rest, files = instance(base)
		    for n, data in enumerate(reversed(files)):
		        open(log + "/shop-db-1.log" + (".%d" % n if n else ""), "wb").write(data)
		    def check(options, want):
		        got = subprocess.run([compose, "logs", "--no-prefix", *options, "db"], stdout=subprocess.PIPE, timeout=60, check=True).stdout.decode()
		        want = "".join(text + "\n" for time, text in want)
		        if got != want:
		            sys.exit("seed %d, round %d, %s: %d bytes instead of %d:\n%s\n--\n%s" % (seed, round, options, len(got), len(want), got[:2000], want[:2000]))
		    check([], lines + rest)
		    tail = r.randint(0, 20)
		    # Whether a line without an end is among the last ones depends on where its parts are.
		    if not rest:
		        check(["--tail", str(tail)], lines[-tail:] if tail else [])
		    if lines and not rest:
		        since = r.choice(lines)[0]
		        check(["--since", stamp(since)], [l for l in lines if l[0] >= since])
		        kept = [l for l in lines if l[0] >= since]
		        check(["--since", stamp(since), "--tail", str(tail)], kept[-tail:] if tail else [])
		        until = r.choice(lines)[0]
		        early = [l for l in lines if l[0] <= until]
		        check(["--until", stamp(until)], early)
		        check(["--until", stamp(until), "--tail", str(tail)], early[-tail:] if tail else [])
	EOF
	for seed in 1 2 3; do
		python3 -W ignore ../any.py "$COMPOSE" "$LOG" $seed
	done
}

eventually() {
	for _ in $(seq 400); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

follow() {
	"$COMPOSE" logs -f "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- </dev/null &
	FOLLOWER=$!
}

has_line() {
	grep -qxF -- "$1" "$BATS_TEST_TMPDIR/out"
}

now() {
	printf '%s stdout %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" "$1" "$2"
}

@test "logs -f: goes on over rotation, new replicas, updates and late parts, and repeats nothing" {
	shop
	rotated
	follow --tail 1
	eventually has_line 'web-1 | last'
	now P 'late ' >>"$LOG/shop-web-1.log"
	mv "$LOG/shop-web-1.log.1" "$LOG/shop-web-1.log.2"
	mv "$LOG/shop-web-1.log" "$LOG/shop-web-1.log.1"
	now F end >"$LOG/shop-web-1.log"
	eventually has_line 'web-1 | late end'
	# Two rotations at once.
	mv "$LOG/shop-web-1.log.1" "$LOG/shop-web-1.log.2"
	mv "$LOG/shop-web-1.log" "$LOG/shop-web-1.log.1"
	now F between >"$LOG/shop-web-1.log"
	mv "$LOG/shop-web-1.log.1" "$LOG/shop-web-1.log.2"
	mv "$LOG/shop-web-1.log" "$LOG/shop-web-1.log.1"
	now F after >"$LOG/shop-web-1.log"
	eventually has_line 'web-1 | after'
	now F updated >"$LOG/shop-web-1.b.log"
	eventually has_line 'web-1 | updated'
	now F more >"$LOG/shop-web-2.log"
	eventually has_line 'web-2 | more'
	now F again >>"$LOG/shop-web-1.log"
	eventually has_line 'web-1 | again'
	diff "$BATS_TEST_TMPDIR/out" <(lines 'web-1 | last' 'web-1 | late end' 'web-1 | between' 'web-1 | after' 'web-1 | updated' 'web-2 | more' 'web-1 | again')
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "logs -f: a file that somebody emptied begins anew" {
	shop
	rotated
	follow --tail 1 web
	eventually has_line 'web-1 | last'
	: >"$LOG/shop-web-1.log"
	now F anew >>"$LOG/shop-web-1.log"
	eventually has_line 'web-1 | anew'
}

@test "logs -f: waits for a project that has not written anything yet" {
	shop
	rmdir "$LOG"
	follow
	sleep 0.3
	mkdir "$LOG"
	now F first >"$LOG/shop-db-1.log"
	eventually has_line 'db-1 | first'
}

@test "logs: of the drivers journald and none" {
	project shop "$(service db '"log":{"driver":"journald"}')" "$(service web '"log":{"driver":"none"}')" "$(service app)"
	echo '2026-01-01T10:00:00.000000000Z stdout F x' >"$LOG/shop-app-1.log"
	run --separate-stderr "$COMPOSE" logs
	[ "$output" = "app-1 | x" ]
	[[ $stderr == *"web logs nothing"* && $stderr == *"db logs to the journal"* ]]
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' >"$BATS_TEST_TMPDIR/bin/journalctl"
	chmod +x "$BATS_TEST_TMPDIR/bin/journalctl"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	shows "$(lines --no-pager --output=short --follow --lines=5 --since=@1700000000 CONTAINER_NAME=shop-db-1 CONTAINER_NAME=shop-db-1.b)" \
		logs -f --tail 5 --since @1700000000 db
}

@test "logs: of a project that is down, as long as its files are there" {
	rotated
	shows "web-1 | last" logs -p shop --tail 1
	refuses 4 "no log" logs -p shop db
}

@test "logs: wrong input" {
	shop
	refuses 1 "--tail: expected a number or all" logs --tail -1
	refuses 1 "--tail: expected a number or all" logs --tail 1x
	refuses 1 "--since: expected a duration" logs --since yesterday
	refuses 1 "--since: expected a duration" logs --since 2026-02-30
	refuses 1 "--until: expected a duration" logs --until 10
	refuses 1 "--until: not with --follow" logs -f --until 1m
	refuses 4 "no such service: nope of project shop" logs nope
	refuses 4 "no such service: web-x of project shop" logs web-x
	refuses 4 "no such project: other" logs -p other
	refuses 1 "is no project's name" logs -p ../shop
	mkfifo "$LOG/shop-web-1.log"
	refuses 1 "shop-web-1.log is no regular file" logs web
}

@test "which project: the only one, the named one, and no guess" {
	refuses 4 "nothing is up" logs
	shop
	echo '2026-01-01T10:00:00.000000000Z stdout F x' >"$LOG/shop-db-1.log"
	shows "db-1 | x" logs
	project till "$(service app)"
	refuses 1 "Choose one of shop, till" logs
	shows "db-1 | x" logs -p shop
	COMPOSE_PROJECT_NAME=shop shows "db-1 | x" logs
	mkdir ../till
	cd ../till
	echo 'services: {app: {image: app}}' >compose.yaml
	mkdir -p "$TOTE_SUPERVISE_DIR/log/till"
	echo '2026-01-01T10:00:00.000000000Z stdout F of till' >"$TOTE_SUPERVISE_DIR/log/till/till-app-1.log"
	shows "app-1 | of till" logs
}

status_by_files() { # ARGUMENT...: without a supervisor it is always 3
	run --separate-stderr "$COMPOSE" status "$@"
	[ "$status" -eq 3 ] || { echo "code $status: $stderr"; return 1; }
	[[ $stderr == *"no supervisor runs"* ]]
}

@test "status without a supervisor: says so, reads what is there, exit code 3" {
	shop
	mkdir "$TOTE_SUPERVISE_DIR/run/i/shop-web-1"
	# Ourselves in place of a container.
	printf '{"state":"running","run":3,"pid":%d,"startTime":%s,"bootId":"%s","started":1,"startedAt":1700000000}' \
		$$ "$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)" "$(cat /proc/sys/kernel/random/boot_id)" >"$TOTE_SUPERVISE_DIR/run/i/shop-web-1/status.json"
	echo '{"run":2,"restarts":2,"health":"healthy","healthRun":3}' >"$TOTE_SUPERVISE_DIR/run/i/shop-web-1/record.json"
	mkdir "$TOTE_SUPERVISE_DIR/run/i/shop-web-2"
	echo '{"run":1,"reason":"ended","code":7,"signal":0,"oom":false,"ended":1,"endedAt":1,"ranMs":1}' >"$TOTE_SUPERVISE_DIR/run/i/shop-web-2/exit.json"
	status_by_files
	[ "$(awk 'NR > 1 { print $3, $4, $5, $7 }' <<<"$output")" = "$(lines 'shop-db-1 running absent 0' 'shop-web-1 running running 2' 'shop-web-2 running exited 0')" ]
	[[ $output == *"its monitor is gone"* && $output == *"it ended with exit code 7"* ]]
	[[ $output != *$'\033'* ]]
	status_by_files --format json
	[ "$(jq -r '.supervisor, .good, (.projects[0].services[1].instances[] | .state, .pid, .exit.code)' <<<"$output" | tr '\n' ' ')" = "null false running $$ null exited null 7 " ]
	status_by_files --quiet web
	[ "$output" = "$(lines shop-web-1 shop-web-2)" ]
}

@test "status without a supervisor: stopped, completed, idle" {
	project shop "$(service db '"stopped":true')" "$(service job | sed 's/always/no/')"
	mkdir "$TOTE_SUPERVISE_DIR"/run/i/shop-{db,job}-1
	echo '{"run":1,"reason":"ended","code":0}' | tee "$TOTE_SUPERVISE_DIR"/run/i/shop-{db,job}-1/exit.json
	status_by_files
	[ "$(awk 'NR > 1 { print $2, $4, $5, $NF }' <<<"$output")" = "$(lines 'db stopped stopped -' 'job running completed -')" ]
	status_by_files --format json
	[ "$(jq .good <<<"$output")" = true ]
}

@test "status without a supervisor: an exit of a run before is not that of this one" {
	project shop "$(service job | sed 's/always/no/')"
	mkdir "$TOTE_SUPERVISE_DIR/run/i/shop-job-1"
	echo '{"run":1,"reason":"ended","code":0}' >"$TOTE_SUPERVISE_DIR/run/i/shop-job-1/exit.json"
	echo '{"state":"running","run":2,"pid":0}' >"$TOTE_SUPERVISE_DIR/run/i/shop-job-1/status.json"
	status_by_files
	[ "$(awk 'NR > 1 { print $5 }' <<<"$output")" = exited ]
}

@test "status: all projects, or the one that is meant; wrong input" {
	shop
	project till "$(service app)"
	status_by_files
	[ "$(awk 'NR > 1 { print $1 }' <<<"$output" | sort -u | xargs)" = "shop till" ]
	status_by_files -p till
	[ "$(awk 'NR > 1 { print $3 }' <<<"$output")" = till-app-1 ]
	refuses 4 "no such project: nope" status -p nope
	refuses 4 "no such service: nope of project till" status -p till nope
	refuses 1 "Choose one of shop, till" status web
	refuses 1 "--format: expected table or json" status --format yaml
}

@test "status: says when a log is incomplete, which is no reason not to be well" {
	project shop "$(service db '"stopped":true')"
	mkdir "$TOTE_SUPERVISE_DIR/run/i/shop-db-1"
	echo '{"state":"exited","run":1,"logDropped":3000}' >"$TOTE_SUPERVISE_DIR/run/i/shop-db-1/status.json"
	status_by_files
	[[ $output == *"3 KiB of its log are lost"* ]]
	status_by_files --format json
	[ "$(jq .good <<<"$output")" = true ]
}

@test "status: colours on a terminal, unless NO_COLOR is set" {
	command -v script >/dev/null || skip "script is missing"
	shop
	run script -qec "$COMPOSE status" /dev/null
	[[ $output == *$'\033[31mabsent'* ]]
	NO_COLOR=1 run script -qec "$COMPOSE status" /dev/null
	[[ $output == *absent* && $output != *$'\033['* ]]
}

@test "status: words of a container do not move the cursor" {
	shop
	mkdir "$TOTE_SUPERVISE_DIR/run/i/shop-db-1"
	printf '{"run":1,"reason":"not created","code":1,"message":"bad \\u001b[31m\\nthing"}' >"$TOTE_SUPERVISE_DIR/run/i/shop-db-1/exit.json"
	status_by_files db
	[[ $output == *"bad ?[31m?thing"* ]]
}

@test "what needs a supervisor says that there is none, exit code 3" {
	shop
	for command in stop restart down "stop web" "restart db web" "down --force"; do
		refuses 3 "no supervisor runs" $command
	done
	refuses 3 "no supervisor runs" events --all
	refuses 4 "no such service: nope" stop nope
	refuses 4 "no such project: nope" down -p nope
	refuses 1 "nowhere.yaml" stop -f nowhere.yaml
	refuses 1 "--volumes: not with names of services" down --volumes db
	refuses 1 "--format: expected json" events --format table
	refuses 1 "service web does not run" attach web
	refuses 4 "no such service: web-x" attach web-x
	refuses 1 "missing argument" attach
	[ -f "$TOTE_SUPERVISE_DIR/state/shop.json" ]
}

@test "tote hands on what is about services, and only that" {
	shop
	COMPOSE=$TOTE
	refuses 3 "no supervisor runs" events --all --follow -p shop
	refuses 3 "no supervisor runs" stop web
	refuses 4 "no such project: nope" down -p nope
	refuses 1 "missing argument: tote events ID" events
	refuses 1 "--follow and --project need --all" events --follow box1
	refuses 1 "--all: not with an ID" events --all box1
	refuses 1 "--format: expected json" events --all --format yaml
}
