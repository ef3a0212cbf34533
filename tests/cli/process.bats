# SPDX-License-Identifier: Apache-2.0
# process: every member of it as the program finds it.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
}

teardown() {
	clean_up
}

# A line of /proc/self/status of the program.
status_line() {
	sed -n "s/^$1:[[:space:]]*//p" <<<"$output"
}

# mask_is LINE NUMBER
mask_is() {
	[ -n "$(status_line "$1")" ] && [ "$((0x$(status_line "$1")))" = "$2" ]
}

run_status() {
	command_is cat /proc/self/status
	run -0 --separate-stderr tote run "$ID"
	echo "$output$stderr"
}

@test "user, group and additional groups" {
	config '.process.user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6000]}'
	run_status
	[ "$(status_line Uid)" = $'1000\t1000\t1000\t1000' ]
	[ "$(status_line Gid)" = $'1001\t1001\t1001\t1001' ]
	[[ " $(status_line Groups) " == *" 5 "* && " $(status_line Groups) " == *" 6000 "* ]]
}

@test "the host's groups are gone, the primary one is in the list" {
	config '.process.user = {"uid": 0, "gid": 1001}'
	command_is cat /proc/self/status
	run -0 setpriv --groups 4,27 "$TOTE" --root "$ROOT" run "$ID"
	# Without it a group of the file's mode could be shed by leaving the primary group (CVE-2022-36109).
	[ "$(status_line Groups | xargs)" = 1001 ]
}

@test "umask: 022 unless said otherwise" {
	command_is sh -c umask
	umask 0
	run -0 tote run "$ID"
	[ "$output" = 0022 ]
	config '.process.user.umask = 63'
	run -0 tote run "$ID"
	[ "$output" = 0077 ]
	config '.process.user.umask = 0'
	run -0 tote run "$ID"
	[ "$output" = 0000 ]
}

@test "environment: what config.json says, HOME added, nothing of the caller's" {
	config '.process.env = ["PATH=/bin", "A=1", "B=two words", "C="]'
	command_is env
	LEAK=1 run -0 tote run "$ID"
	[ "$(sort <<<"$output")" = $'A=1\nB=two words\nC=\nHOME=/root\nPATH=/bin' ]
	config '.process.env += ["HOME=/elsewhere"]'
	run -0 tote run "$ID"
	[ "$(grep HOME <<<"$output")" = HOME=/elsewhere ]
}

@test "HOME comes from the image's passwd, by number" {
	printf 'box:x:1000:1000::/home/box:/bin/sh\nodd\n:::::\n' >>"$ROOTFS/etc/passwd"
	command_is sh -c 'echo $HOME'
	config '.process.user.uid = 1000'
	run -0 tote run "$ID"
	[ "$output" = /home/box ]
	config '.process.user.uid = 1234'
	run -0 tote run "$ID"
	[ "$output" = / ]
}

@test "a passwd that is a FIFO, a device or a link out of the root does no harm" {
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	passwd=$BATS_TEST_TMPDIR/rootfs/etc/passwd
	config '.root.path = $p | .process.user.uid = 4242' --arg p "$BATS_TEST_TMPDIR/rootfs"
	command_is sh -c 'echo $HOME'
	rm "$passwd" && mkfifo "$passwd"
	run -0 timeout 10 "$TOTE" --root "$ROOT" run "$ID"
	[ "$output" = / ]
	rm "$passwd" && ln -s /dev/zero "$passwd"
	run -0 timeout 10 "$TOTE" --root "$ROOT" run "$ID"
	[ "$output" = / ]
	echo 'x:x:4242:0::/outside:' >"$BATS_TEST_TMPDIR/passwd"
	ln -sf ../../../../../../../../../"$BATS_TEST_TMPDIR/passwd" "$passwd"
	run -0 timeout 10 "$TOTE" --root "$ROOT" run "$ID"
	[ "$output" = / ]
}

@test "arguments arrive as they are" {
	command_is printf '[%s]' '' 'a b' $'new\nline' '$HOME' 'ü€' '"'
	run -0 tote run "$ID"
	[ "$output" = '[][a b][new'$'\n''line][$HOME][ü€]["]' ]
}

@test "cwd" {
	config '.process.cwd = "/etc"'
	command_is pwd
	run -0 tote run "$ID"
	[ "$output" = /etc ]
}

@test "cwd that is missing is made, also below a mount and in a read-only root; exec makes none" {
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	config '.root = {path: $p, readonly: true} | .process.user = {uid: 1000, gid: 1000}' --arg p "$BATS_TEST_TMPDIR/rootfs"
	for dir in /made/here /tmp/made; do
		config '.process.cwd = $d' --arg d "$dir"
		command_is sh -c 'pwd; stat -c "%a %u" .'
		run -0 tote run "$ID"
		[ "$output" = "$dir"$'\n755 0' ]
	done
	background
	refuses 255 /never exec --cwd /never "$ID" true
}

@test "cwd that only the user may enter, and one that only root may" {
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	mkdir -m 700 "$BATS_TEST_TMPDIR/rootfs/private"
	chown 1000:1000 "$BATS_TEST_TMPDIR/rootfs/private"
	config '.root.path = $p | .process.cwd = "/private" | .process.user = {"uid": 1000, "gid": 1000}' --arg p "$BATS_TEST_TMPDIR/rootfs"
	command_is pwd
	run -0 tote run "$ID"
	[ "$output" = /private ]
}

@test "rlimits" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
		{"type": "RLIMIT_STACK", "soft": 1048576, "hard": 2097152}]'
	command_is cat /proc/self/limits
	run -0 tote run "$ID"
	grep -Eq '^Max open files +100 +200 ' <<<"$output"
	grep -Eq '^Max core file size +0 +0 ' <<<"$output"
	grep -Eq '^Max stack size +1048576 +2097152 ' <<<"$output"
}

@test "rlimits: unknown, twice, soft above hard" {
	config '.process.rlimits = [{"type": "RLIMIT_PATIENCE", "soft": 1, "hard": 1}]'
	refuses 1 "process.rlimits[0]" create "$ID"
	config '.process.rlimits = [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}, {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]'
	refuses 1 "process.rlimits" create "$ID"
	config '.process.rlimits = [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]'
	refuses 1 "process.rlimits[0]" create "$ID"
}

@test "oomScoreAdj" {
	config '.process.oomScoreAdj = 345'
	command_is cat /proc/self/oom_score_adj
	run -0 tote run "$ID"
	[ "$output" = 345 ]
	before=$(cat /proc/self/oom_score_adj)
	quietly tote create "$ID"
	[ "$(cat /proc/self/oom_score_adj)" = "$before" ]
	[ "$(cat "/proc/$(tote state "$ID" | jq .pid)/oom_score_adj")" = 345 ]
	tote delete "$ID"
	config '.process.oomScoreAdj = 1001'
	refuses 1 "oomScoreAdj" create "$ID"
}

@test "without oomScoreAdj the caller's stays" {
	command_is cat /proc/self/oom_score_adj
	run -0 tote run "$ID"
	[ "$output" = "$(cat /proc/self/oom_score_adj)" ]
}

@test "noNewPrivileges" {
	run_status
	[ "$(status_line NoNewPrivs)" = 1 ]
	config '.process.noNewPrivileges = false'
	run_status
	[ "$(status_line NoNewPrivs)" = 0 ]
}

@test "capabilities: five sets as asked for" {
	config '.process.capabilities = {
		"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_CHROOT", "CAP_MKNOD"],
		"permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_CHROOT"],
		"effective": ["CAP_CHOWN", "CAP_KILL"],
		"inheritable": ["CAP_KILL", "CAP_SYS_CHROOT"],
		"ambient": ["CAP_KILL"]} | .process.user = {"uid": 1000, "gid": 1000}'
	run_status
	mask_is CapBnd $((1 << 0 | 1 << 5 | 1 << 18 | 1 << 27))
	# An ordinary user's execve keeps of permitted and effective what is ambient.
	mask_is CapPrm $((1 << 5))
	mask_is CapEff $((1 << 5))
	mask_is CapInh $((1 << 5 | 1 << 18))
	mask_is CapAmb $((1 << 5))
}

@test "capabilities: none, and no object at all" {
	config '.process.capabilities = {}'
	run_status
	for set in CapBnd CapPrm CapEff CapInh CapAmb; do
		mask_is $set 0
	done
	config 'del(.process.capabilities)'
	run_status
	for set in CapBnd CapPrm CapEff CapInh CapAmb; do
		mask_is $set 0
	done
}

@test "capabilities that cannot be granted: a warning names each" {
	command_is grep CapEff /proc/self/status
	config '.process.capabilities = {"effective": ["CAP_KILL", "CAP_CHOWN"], "bounding": ["CAP_CHOWN", "CAP_NEW", "CAP_NEWER"]}'
	run -0 --separate-stderr tote run "$ID"
	[[ $output == *$'\t'0000000000000001 ]]
	[ "$stderr" = "tote: warning: process.capabilities: CAP_NEW cannot be granted
tote: warning: process.capabilities: CAP_NEWER cannot be granted
tote: warning: process.capabilities: CAP_KILL cannot be granted: not in the bounding set" ]
	# The caller lacks one; in a user namespace all are there.
	config '.process.capabilities = ({"bounding", "effective", "permitted"} | map_values(["CAP_NET_RAW", "CAP_KILL"]))'
	run -0 --separate-stderr setpriv --bounding-set -net_raw "$TOTE" --root "$ROOT" run "$ID"
	[[ $output == *$'\t'0000000000000020 ]]
	[ "$stderr" = "tote: warning: process.capabilities: CAP_NET_RAW cannot be granted: not had by the caller" ]
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
	run -0 --separate-stderr setpriv --bounding-set -net_raw "$TOTE" --root "$ROOT" run "$ID"
	[[ $output == *$'\t'0000000000002020 && -z $stderr ]]
}

@test "capabilities hold: without CHOWN even root may not chown" {
	config '.root.readonly = false'
	command_is sh -c 'touch /tmp/mine && chown 1000 /tmp/mine'
	run -1 tote run "$ID"
	[[ $output == *"not permitted"* ]]
}

@test "scheduler" {
	config '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 7}'
	command_is cat /proc/self/stat
	run -0 tote run "$ID"
	read -ra field <<<"${output##*) }"
	[ "${field[16]}" = 7 ]		# proc(5) calls it 19, counting from 1 with pid and comm
	[ "${field[38]}" = 3 ]		# 41: SCHED_BATCH
	config '.process.scheduler.policy = "SCHED_DREAM"'
	refuses 1 "process.scheduler.policy" create "$ID"
}

@test "ioPriority" {
	config '.process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 6}'
	command_is ionice
	run -0 tote run "$ID"
	[[ $output == *best-effort*"prio 6"* ]]
	config '.process.ioPriority.class = "IOPRIO_CLASS_IDLE" | .process.ioPriority.priority = 0'
	run -0 tote run "$ID"
	[[ $output == *idle* ]]
	config '.process.ioPriority.priority = 8'
	refuses 1 "process.ioPriority" create "$ID"
}

@test "personality" {
	[ "$(uname -m)" = x86_64 ] || skip "LINUX32 shows differently on $(uname -m)"
	config '.linux.personality = {"domain": "LINUX32"}'
	command_is uname -m
	run -0 tote run "$ID"
	[ "$output" = i686 ]
	config '.linux.personality = {"domain": "LINUX"}'
	run -0 tote run "$ID"
	[ "$output" = x86_64 ]
	config '.linux.personality = {"domain": "LINUX", "flags": ["NO_SUCH_FLAG"]}'
	refuses 1 "linux.personality.flags" create "$ID"
}

@test "hostname and domainname" {
	config '.hostname = "box7" | .domainname = "shop.example"'
	command_is sh -c 'hostname; cat /proc/sys/kernel/domainname'
	run -0 tote run "$ID"
	[ "$output" = $'box7\nshop.example' ]
	[ "$(hostname)" != box7 ]
}

@test "a pipe as stdout can be opened again by another user" {
	config '.process.user = {"uid": 1000, "gid": 1000}'
	command_is sh -c 'echo by-name >/proc/self/fd/1; echo by-dev >/dev/stdout; echo to-err >/dev/stderr'
	[ "$(tote run "$ID" 2>"$BATS_TEST_TMPDIR/err" | cat)" = $'by-name\nby-dev' ]
	result=$( { tote run "$ID" 2>&1 >/dev/null | cat; } )
	[ "$result" = to-err ]
}

@test "the owner of a file given as stdout stays" {
	config '.process.user = {"uid": 1000, "gid": 1000}'
	command_is echo hello
	tote run "$ID" >"$BATS_TEST_TMPDIR/out"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = hello ]
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/out")" = 0 ]
	tote run "$ID" >/dev/null
	[ "$(stat -c %u /dev/null)" = 0 ]
}

@test "closed stdio does not confuse it" {
	command_is sh -c 'exit 3'
	run -3 sh -c '"$1" --root "$2" run "$3" <&- >&- 2>&-' sh "$TOTE" "$ROOT" "$ID"
	nothing_left
}

@test "no descriptor of the caller's gets in" {
	command_is ls /proc/self/fd
	exec 9</etc/hostname 12<"$BATS_TEST_TMPDIR"
	run -0 tote run "$ID"
	[ "$output" = $'0\n1\n2\n3' ]
	command_is sh -c 'ls /proc/self/fd; exec sleep 1000'
	quietly tote create "$ID"
	tote start "$ID"
	eventually grep -q 3 "$OUT"
	[ "$(cat "$OUT")" = $'0\n1\n2\n3' ]
}

@test "signals are as a program expects them: none blocked, none ignored" {
	command_is cat /proc/self/status
	run -0 env --block-signal=USR1 --ignore-signal=HUP,INT,QUIT,PIPE "$TOTE" --root "$ROOT" run "$ID"
	mask_is SigBlk 0
	mask_is SigIgn 0
}

@test "it leads its session" {
	command_is sh -c 'read -r stat </proc/self/stat; set -- ${stat##*) }; echo $3 $4'
	run -0 tote run "$ID"
	[ "$output" = "1 1" ]
}

@test "a terminal: attached" {
	config '.process.terminal = true'
	command_is sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo all; ls -l /dev/console; exit 4'
	run -4 script -qec "'$TOTE' --root '$ROOT' run '$ID'" /dev/null
	echo "$output"
	[[ $output == */dev/* ]]
	[[ $output == *all* ]]
	[[ $output == *"crw"*"/dev/console"* ]]
	nothing_left
}

@test "a terminal: attached, it has the caller's size and takes input" {
	config '.process.terminal = true'
	command_is sh -c 'stty size; read -r line; echo "got <$line>"'
	# The program looks before tote passes on sizes.
	run -0 script -qec "stty rows 33 cols 111; strace -o /dev/null -e inject=ioctl:delay_enter=300000 '$TOTE' --root '$ROOT' run '$ID'" /dev/null <<<typed
	echo "$output"
	[[ $output == *"33 111"* ]]
	[[ $output == *"got <typed>"* ]]
}

@test "a terminal: over a console socket, with create" {
	config '.process.terminal = true | .process.consoleSize = {"height": 20, "width": 61}'
	command_is sh -c 'stty size; tty; read -r line; echo "got <$line>"'
	listen_on_socket fd $'typed\n'
	quietly tote create --console-socket "$SOCKET" "$ID"
	[ ! -s "$ERR" ]
	tote start "$ID"
	wait "$UNIXSOCK_PID"
	cat "$RECEIVED"
	[ "$(head -n 1 "$RECEIVED")" = "name /dev/pts/ptmx" ]
	grep -q '^is .*ptmx' "$RECEIVED"
	grep -q '^20 61' "$RECEIVED"
	grep -q '^got <typed>' "$RECEIVED"
}

@test "a terminal belongs to the program's user" {
	config '.process.terminal = true | .process.user = {"uid": 1000, "gid": 1000}'
	command_is sh -c 'stat -c %u "$(readlink /proc/self/fd/0)"; echo again >/proc/self/fd/1'
	listen_on_socket fd
	quietly tote run -d --console-socket "$SOCKET" "$ID"
	wait "$UNIXSOCK_PID"
	cat "$RECEIVED"
	grep -q '^1000' "$RECEIVED"
	grep -q '^again' "$RECEIVED"
}

@test "a console socket whose path is longer than an address" {
	config '.process.terminal = true'
	command_is echo over-a-long-path
	listen_on_socket fd
	long=$BATS_TEST_TMPDIR/$(printf 'd%.0s' {1..120})
	mkdir "$long"
	mv "$SOCKET" "$long/socket"
	quietly tote run -d --console-socket "$long/socket" "$ID"
	wait "$UNIXSOCK_PID"
	grep -q over-a-long-path "$RECEIVED"
}

@test "--pidfd-socket sends a pidfd of the container" {
	command_is sleep 1000
	listen_on_socket fd
	quietly tote create --pidfd-socket "$SOCKET" "$ID"
	wait "$UNIXSOCK_PID"
	grep -q '^is .*pidfd' "$RECEIVED"
}

@test "--preserve-fds" {
	echo three >"$BATS_TEST_TMPDIR/three"
	command_is sh -c 'cat <&3; exec ls /proc/self/fd'
	run -0 eval 'tote run --preserve-fds 1 "$ID" 3<"$BATS_TEST_TMPDIR/three" 4</dev/null'
	[ "$output" = $'three\n0\n1\n2\n3\n4' ]
	quietly eval 'tote create --preserve-fds=1 "$ID" 3<"$BATS_TEST_TMPDIR/three"'
	tote start "$ID"
	eventually grep -q three "$OUT"
}

@test "LISTEN_FDS" {
	echo listen >"$BATS_TEST_TMPDIR/three"
	echo preserved >"$BATS_TEST_TMPDIR/four"
	command_is sh -c 'echo "$LISTEN_FDS $LISTEN_PID"; cat <&3; cat <&4; env | grep -c LISTEN'
	run -0 eval 'LISTEN_FDS=1 LISTEN_PID=77 tote run --preserve-fds 1 "$ID" 3<"$BATS_TEST_TMPDIR/three" 4<"$BATS_TEST_TMPDIR/four"'
	[ "$output" = $'1 1\nlisten\npreserved\n2' ]
	command_is env
	run -0 tote run "$ID"
	[[ $output != *LISTEN* ]]
}

@test "NOTIFY_SOCKET: start waits for READY and passes it on" {
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	"${CC:-cc}" -static -O1 -o "$BATS_TEST_TMPDIR/rootfs/bin/notify" "$BATS_TEST_DIRNAME/notify.c"
	config '.root.path = $p' --arg p "$BATS_TEST_TMPDIR/rootfs"
	command_is sh -c 'case $NOTIFY_SOCKET in /run/notify/*) ;; *) exit 9;; esac; sleep 0.5; notify READY=1; exec sleep 1000'
	listen_on_socket notify 2
	export NOTIFY_SOCKET=$SOCKET
	quietly timeout 10 "$TOTE" --root "$ROOT" create "$ID"
	[ ! -s "$RECEIVED" ]
	begun=${EPOCHREALTIME/[^0-9]/}
	quietly timeout 10 "$TOTE" --root "$ROOT" start "$ID"
	# The time until the program says it.
	[ $((${EPOCHREALTIME/[^0-9]/} - begun)) -ge 500000 ]
	eventually grep -q '^READY=1' "$RECEIVED"
	eventually grep -q "^MAINPID=$(tote state "$ID" | jq .pid)" "$RECEIVED"
	kill "$UNIXSOCK_PID" 2>/dev/null || true
}

@test "NOTIFY_SOCKET: run in the foreground, as a service of Type=notify" {
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	"${CC:-cc}" -static -O1 -o "$BATS_TEST_TMPDIR/rootfs/bin/notify" "$BATS_TEST_DIRNAME/notify.c"
	config '.root.path = $p' --arg p "$BATS_TEST_TMPDIR/rootfs"
	command_is sh -c 'notify READY=1; sleep 0.2; exit 3'
	listen_on_socket notify 1
	NOTIFY_SOCKET=$SOCKET run -3 timeout 10 "$TOTE" --root "$ROOT" run "$ID"
	wait "$UNIXSOCK_PID"
	grep -q '^READY=1' "$RECEIVED"
}

@test "NOTIFY_SOCKET: a program that ends without READY does not hang start" {
	command_is true
	listen_on_socket notify 1
	export NOTIFY_SOCKET=$SOCKET
	quietly timeout 10 "$TOTE" --root "$ROOT" create "$ID"
	code=0
	timeout 10 "$TOTE" --root "$ROOT" start "$ID" 3>&- || code=$?
	[ "$code" -ne 124 ]
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	kill "$UNIXSOCK_PID"
}

@test "a terminal whose program does not read stays in reach: its end, and signals" {
	command_is sleep 60
	tote run -d "$ID"
	head -c 300000 /dev/zero | tr '\0' a >"$BATS_TEST_TMPDIR/flood"
	run -0 timeout 10 "$TOTE" --root "$ROOT" exec -t "$ID" sh -c 'busybox stty raw -echo; sleep 1; echo done' <"$BATS_TEST_TMPDIR/flood"
	[[ $output == *done* ]]
	run -143 timeout --preserve-status -k 5 1 "$TOTE" --root "$ROOT" exec -t "$ID" sh -c 'busybox stty raw -echo; exec sleep 30' <"$BATS_TEST_TMPDIR/flood"
}
