# SPDX-License-Identifier: Apache-2.0
# exec: a further process in a container, in all the ways that clients ask for one.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	PID_FILE=$BATS_TEST_TMPDIR/pid
}

teardown() {
	clean_up
}

# Writes process.json: the container's own process changed by a jq program.
process_json() {
	jq ".process | $1" config.json >"$BATS_TEST_TMPDIR/process.json"
}

@test "arguments, stdio and exit code" {
	background
	run -0 --separate-stderr tote exec "$ID" sh -c 'echo "$# $1 $2"; echo err >&2' name "a b" ""
	[ "$output" = "2 a b " ]
	[ "$stderr" = err ]
	run -0 tote exec "$ID" cat <<<input
	[ "$output" = input ]
	for code in 1 7 126 127 254 255; do
		run -$code --separate-stderr tote exec "$ID" sh -c "exit $code"
		[ -z "$output$stderr" ]
	done
	run -137 tote exec "$ID" sh -c 'kill -9 $$'
	run -143 tote exec "$ID" sh -c 'kill -TERM $$'
	[ "$(status_of "$ID")" = running ]
}

@test "options end at the container's id" {
	background
	run -0 tote exec "$ID" echo -t --user -p --bogus
	[ "$output" = "-t --user -p --bogus" ]
	run -0 tote exec -- "$ID" echo -n y
	[ "$output" = y ]
}

@test "it is in the container's namespaces, cgroup and root" {
	background
	pid=$(tote state "$ID" | jq .pid)
	for ns in mnt pid net ipc uts cgroup; do
		[ "$(tote exec "$ID" readlink /proc/self/ns/$ns)" = "$(readlink /proc/$pid/ns/$ns)" ]
		[ "$(readlink /proc/$pid/ns/$ns)" != "$(readlink /proc/self/ns/$ns)" ]
	done
	[ "$(tote exec "$ID" hostname)" = tote ]
	[ "$(tote exec "$ID" cat /proc/1/comm)" = sleep ]
	[ "$(tote exec "$ID" grep -c '^0::/$' /proc/self/cgroup)" = 1 ]
	[ "$(tote exec "$ID" ls -di / | awk '{print $1}')" = "$(ls -di /proc/$pid/root/ | awk '{print $1}')" ]
}

@test "it gets no descriptor beyond stdio" {
	background
	exec 9</etc/hostname
	run -0 tote exec "$ID" ls /proc/self/fd
	# 3 is ls reading the directory.
	[ "$output" = $'0\n1\n2\n3' ]
}

@test "a binary that is missing: 255 and the words" {
	background
	for _ in 1 2 3 4 5; do
		refuses 255 'executable file not found in' exec "$ID" no-such-program
	done
	refuses 255 '"/no/such/program"' exec "$ID" /no/such/program
	[[ ${stderr,,} == *"no such file or directory"* ]]
	refuses 255 '"/etc/passwd"' exec "$ID" /etc/passwd
	[[ ${stderr,,} == *"permission denied"* ]]
	refuses 255 '"/etc"' exec "$ID" /etc
	refuses 255 '"no-such-program"' exec -d --pid-file "$PID_FILE" "$ID" no-such-program
	[ ! -e "$PID_FILE" ]
	[ "$(tote ps -f json "$ID" | jq length)" = 1 ]
}

@test "into a created container, refused into a stopped one" {
	command_is sleep 1000
	quietly tote create "$ID"
	run -0 tote exec "$ID" echo early
	[ "$output" = early ]
	[ "$(status_of "$ID")" = created ]
	tote kill "$ID" 9
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	refuses 255 "container not running" exec "$ID" true
}

@test "environment: the container's, added to and replaced" {
	config '.process.env += ["COLOUR=red", "EMPTY="]'
	background
	run -0 tote exec -e COLOUR=blue -e NEW=1 -e 'SPACE=a b=c' -e COLOUR=green "$ID" env
	echo "$output"
	[ "$(grep -c '^COLOUR=' <<<"$output")" = 1 ]
	grep -qx COLOUR=green <<<"$output"
	grep -qx NEW=1 <<<"$output"
	grep -qx 'SPACE=a b=c' <<<"$output"
	grep -qx EMPTY= <<<"$output"
	grep -qx TERM=xterm <<<"$output"
	grep -qx HOME=/root <<<"$output"
	[ "$(grep -c '^PATH=' <<<"$output")" = 1 ]
	run -0 tote exec "$ID" env
	grep -qx COLOUR=red <<<"$output"
	[[ $output != *NEW=* ]]
}

@test "PATH of the process, not the host's, finds the program" {
	background
	run -0 tote exec -e PATH=/nowhere:/bin "$ID" echo found
	[ "$output" = found ]
	refuses 255 'executable file not found in' exec -e PATH=/nowhere "$ID" echo
}

@test "working directory" {
	config '.process.cwd = "/tmp"'
	background
	[ "$(tote exec "$ID" pwd)" = /tmp ]
	[ "$(tote exec --cwd /etc "$ID" pwd)" = /etc ]
	refuses 255 "/no/such/dir" exec --cwd /no/such/dir "$ID" true
	[[ ${stderr,,} == *"no such file or directory"* ]]
	refuses 255 "etc" exec --cwd etc "$ID" true
}

@test "user, group, additional groups, HOME" {
	echo 'box:x:1000:1000::/home/box:/bin/sh' >>"$ROOTFS/etc/passwd"
	config '.process.user.additionalGids = [10]'
	background
	[ "$(tote exec -u 1000:1001 "$ID" sh -c 'echo "$(id -u) $(id -g)"')" = "1000 1001" ]
	[ "$(tote exec -u 1000 "$ID" sh -c 'echo "$(id -u) $(id -g) $HOME"')" = "1000 0 /home/box" ]
	[ "$(tote exec -u 4242 "$ID" sh -c 'echo "$HOME"')" = / ]
	run -0 tote exec -g 5 --additional-gids 6 "$ID" id -G
	for gid in 0 10 5 6; do grep -qw $gid <<<"$output"; done
	[ "$(tote exec -u 1000:1001 "$ID" grep '^CapEff' /proc/self/status)" = $'CapEff:\t0000000000000000' ]
	for user in root 1000: :5 -1 4294967295 1.5 '' 1:x; do
		refuses 255 "--user" exec --user "$user" "$ID" true
	done
	refuses 255 "gids" exec -g wheel "$ID" true
}

@test "capabilities" {
	background
	mask() { tote exec "$@" "$ID" sed -n 's/^Cap\(Eff\|Prm\|Bnd\|Inh\|Amb\):\t/\1 /p' /proc/self/status; }
	run -0 mask
	own=$(sed -n 's/^Eff //p' <<<"$output")
	has_capability "$own" 5		# CAP_KILL, of the default configuration
	run ! has_capability "$own" 0
	run -0 mask -c CAP_CHOWN --cap CAP_NET_ADMIN
	for set in Eff Prm Bnd; do
		has_capability "$(sed -n "s/^$set //p" <<<"$output")" 0
		has_capability "$(sed -n "s/^$set //p" <<<"$output")" 12
		has_capability "$(sed -n "s/^$set //p" <<<"$output")" 5
	done
	[ "$((0x$(sed -n 's/^Inh //p' <<<"$output")))" = 0 ]
	run -0 --separate-stderr tote exec -c CAP_NONSENSE "$ID" true
	[[ $stderr == *CAP_NONSENSE* ]]
}

@test "no-new-privs" {
	config '.process.noNewPrivileges = false'
	background
	[ "$(tote exec "$ID" grep NoNewPrivs /proc/self/status)" = $'NoNewPrivs:\t0' ]
	[ "$(tote exec --no-new-privs "$ID" grep NoNewPrivs /proc/self/status)" = $'NoNewPrivs:\t1' ]
}

@test "-p process.json: everything comes from the file" {
	background
	process_json '.args = ["sh", "-c", "env; id -u; id -g; pwd; umask; grep NoNewPrivs /proc/self/status; ulimit -n; exit 9"]
		| .env = ["PATH=/bin", "ONLY=this"] | .cwd = "/etc" | .user = {"uid": 7, "gid": 8, "umask": 63}
		| .noNewPrivileges = false | .rlimits = [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]'
	run -9 --separate-stderr tote exec -p "$BATS_TEST_TMPDIR/process.json" "$ID"
	echo "$output"
	[ -z "$stderr" ]
	grep -qx ONLY=this <<<"$output"
	[[ $output != *TERM=* ]]
	[[ $output == *$'\n7\n8\n/etc\n0077\nNoNewPrivs:\t0\n50' ]]
	cd /
	run -9 tote exec --process="$BATS_TEST_TMPDIR/process.json" "$ID"
}

@test "-p: what the file leaves out is the container's" {
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}] | .linux.personality = {domain: "LINUX32"}'
	background
	echo '{"cwd": "/", "user": {"uid": 0, "gid": 0}, "args": ["sh", "-c", "grep -E \"^Cap(Eff|Bnd)\" /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj; uname -m"],
		"env": ["PATH=/bin"]}' >"$BATS_TEST_TMPDIR/process.json"
	run -0 tote exec -p "$BATS_TEST_TMPDIR/process.json" "$ID"
	own=$output
	run -0 tote exec "$ID" sh -c 'grep -E "^Cap(Eff|Bnd)" /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj; uname -m'
	[ "$own" = "$output" ]
	[[ $own == *$'\n100\n'* && $own != *0000000000000000* ]]
	[ "$(uname -m)" != x86_64 ] || [[ $own == *i686 ]]
}

@test "-p with a bad file" {
	background
	refuses 255 "$BATS_TEST_TMPDIR/none" exec -p "$BATS_TEST_TMPDIR/none" "$ID"
	[[ ${stderr,,} == *"no such file or directory"* ]]
	echo '{' >"$BATS_TEST_TMPDIR/process.json"
	refuses 255 "" exec -p "$BATS_TEST_TMPDIR/process.json" "$ID"
	process_json '.args = []'
	refuses 255 "args" exec -p "$BATS_TEST_TMPDIR/process.json" "$ID"
	process_json '.cwd = "etc"'
	refuses 255 "cwd" exec -p "$BATS_TEST_TMPDIR/process.json" "$ID"
	process_json '.user.uid = "root"'
	refuses 255 "user.uid" exec -p "$BATS_TEST_TMPDIR/process.json" "$ID"
}

@test "--detach with --pid-file" {
	background
	SECONDS=0
	quietly tote exec --detach --pid-file "$PID_FILE" "$ID" sh -c 'echo started; exec sleep 1001'
	[ "$SECONDS" -lt 60 ]
	[ ! -s "$ERR" ]
	pid=$(cat "$PID_FILE")
	printf %s "$pid" | cmp - "$PID_FILE"
	eventually grep -q started "$OUT"
	[ "$(readlink "/proc/$pid/ns/mnt")" = "$(readlink "/proc/$(tote state "$ID" | jq .pid)/ns/mnt")" ]
	[ "$(tote ps -f json "$ID" | jq "index($pid) != null")" = true ]
	[ "$(awk '{print $4}' "/proc/$pid/stat")" != $$ ]
}

@test "as conmon calls it: detached, with process file, console socket and pid file" {
	background
	listen_on_socket fd
	process_json '.terminal = true | .args = ["sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo all"]'
	quietly tote --log "$BATS_TEST_TMPDIR/log" exec --pid-file "$PID_FILE" --process "$BATS_TEST_TMPDIR/process.json" \
		--console-socket "$SOCKET" --detach "$ID"
	wait "$UNIXSOCK_PID"
	grep -q '^is .*ptmx$' "$RECEIVED"
	grep -q '^/dev/pts/[0-9]' "$RECEIVED"
	grep -q '^all' "$RECEIVED"
	[[ $(cat "$PID_FILE") =~ ^[0-9]+$ ]]
	[ ! -s "$BATS_TEST_TMPDIR/log" ]
}

@test "a terminal of its own size over a console socket, and what is typed arrives" {
	background
	listen_on_socket fd $'typed\n'
	process_json '.terminal = true | .consoleSize = {"height": 31, "width": 97}
		| .args = ["sh", "-c", "stty size; read line; echo \"got $line\""]'
	quietly tote exec --process "$BATS_TEST_TMPDIR/process.json" --console-socket "$SOCKET" --detach "$ID"
	wait "$UNIXSOCK_PID"
	grep -q '^31 97' "$RECEIVED"
	grep -q '^got typed' "$RECEIVED"
}

@test "--tty attached to a terminal passes input, output and exit code" {
	background
	run -6 script -qec "'$TOTE' --root '$ROOT' exec -t '$ID' sh -c 'tty; test -t 0 && echo is-tty; exit 6'" /dev/null
	[[ $output == */dev/pts/* ]]
	[[ $output == *is-tty* ]]
}

@test "a detached terminal needs a console socket, a console socket a terminal" {
	background
	refuses 255 "console-socket" exec -d -t "$ID" true
	refuses 255 "terminal" exec --console-socket /nowhere "$ID" true
	refuses 255 "/no/such/socket" exec -d -t --console-socket /no/such/socket --pid-file "$PID_FILE" "$ID" sleep 1001
	[ ! -e "$PID_FILE" ]
	eventually eval '[ "$(tote ps -f json "$ID" | jq length)" = 1 ]'
}

@test "--pidfd-socket sends a pidfd" {
	background
	listen_on_socket fd
	run -0 tote exec --pidfd-socket "$SOCKET" "$ID" true
	wait "$UNIXSOCK_PID"
	grep -q '^is .*pidfd' "$RECEIVED"
}

@test "paused: refused, with --ignore-paused it runs after resume" {
	background
	tote pause "$ID"
	refuses 255 "paused" exec "$ID" true
	tote exec --ignore-paused "$ID" echo thawed </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	sleep 0.2
	[ ! -s "$BATS_TEST_TMPDIR/out" ]
	kill -0 $pid
	tote resume "$ID"
	wait $pid
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = thawed ]
}

@test "--preserve-fds" {
	background
	echo three >"$BATS_TEST_TMPDIR/three"
	echo four >"$BATS_TEST_TMPDIR/four"
	run -0 eval 'tote exec --preserve-fds 2 "$ID" sh -c "cat <&3; cat <&4; exec ls /proc/self/fd" \
		3<"$BATS_TEST_TMPDIR/three" 4<"$BATS_TEST_TMPDIR/four" 5</dev/null'
	[ "$output" = $'three\nfour\n0\n1\n2\n3\n4\n5' ]
	run eval 'tote exec --preserve-fds 1 "$ID" sh -c "cat <&4" 3<"$BATS_TEST_TMPDIR/three" 4<"$BATS_TEST_TMPDIR/four"'
	[ "$status" -ne 0 ]
	refuses 255 "not open" exec --preserve-fds 3 "$ID" true
}

@test "--cgroup puts it into a group below the container's" {
	background
	group=$(cgroup2_mount)/tote-$ID/below
	mkdir "$group"
	run -0 tote exec --cgroup below "$ID" cat /proc/self/cgroup
	grep -qx '0::/below' <<<"$output"
	refuses 255 ".." exec --cgroup ../below "$ID" true
	refuses 255 "missing" exec --cgroup missing "$ID" true
	tote delete --force "$ID"
	nothing_left
}

@test "signals to the client reach the process" {
	background
	"$TOTE" --root "$ROOT" exec "$ID" sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.02; done' \
		</dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	eventually grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM $pid
	code=0
	wait $pid || code=$?
	[ "$code" -eq 3 ]
}

@test "an exec whose container dies ends with 137" {
	background
	tote exec "$ID" sleep 1001 </dev/null >/dev/null 2>&1 3>&- &
	pid=$!
	eventually eval '[ "$(tote ps -f json "$ID" | jq length)" = 2 ]'
	tote kill "$ID" KILL
	code=0
	wait $pid || code=$?
	[ "$code" -eq 137 ]
}

@test "the container's settings hold for it as well: rlimits, masked paths, seccomp" {
	rm config.json
	"$TOTE" spec --seccomp -b "$BUNDLE"
	config ".process.terminal = false | .root.path = \"$ROOTFS\""
	background
	[ "$(tote exec "$ID" grep '^Seccomp:' /proc/self/status)" = $'Seccomp:\t2' ]
	[ "$(tote exec "$ID" sh -c 'ulimit -n')" = 1024 ]
	[ "$(tote exec "$ID" sh -c 'wc -c </proc/interrupts')" = 0 ]
}
