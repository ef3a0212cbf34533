#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `--init`: pid 1 is tote-init, the program its child.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_rootfs
	chmod 1777 "$ROOTFS/tmp"
	cd "$BATS_FILE_TMPDIR"
	pack "$ROOTFS" base.tar
	make_layout plain pos:1 base.tar
	share_store plain
}

setup() {
	enter_store
}

teardown() {
	leave_store
}

# An init that keeps what it should not makes its host wait.
tote() { timeout 60 "$TOTE" --root "$ROOT" "$@"; }

in_image() { # [OPTION...] IMAGE [COMMAND...]
	run --separate-stderr not_127 timeout 30 "$TOTE" --root "$ROOT" run --rm "$@" 3>&- </dev/null
	echo "run --rm $*: $status, \"$output\", $stderr"
	[ -z "$(tote list -q)" ]
}

stopped() { [ "$(status_of "$1")" = stopped ]; }

@test "the program is its child and its exit code the container's; failures are told as ever" {
	in_image --init pos:1 sh -c 'ps -o pid,ppid,comm | grep -v ps; exit 7'
	[ "$status" = 7 ]
	[ "$(tr -s ' ' <<<"${lines[1]}")" = " 1 0 tote-init" ]
	[[ $(tr -s ' ' <<<"${lines[2]}") == " "[0-9]*" 1 sh" ]]
	in_image --init pos:1 sh -c 'kill -9 $$'
	[ "$status" = 137 ]
	in_image --init pos:1 true
	[ "$status" = 0 ]
	fails 127 "/no/such" run --rm --init pos:1 /no/such
	fails 126 "/etc/passwd" run --rm --init pos:1 /etc/passwd
	# Told at start when it is found too late for create: the file is there, its interpreter is not.
	tote create --init --image pos:1 box sh -c true </dev/null >/dev/null 2>&1 3>&-
	rm "$STORE"/containers/box-*/upper/bin/sh 2>/dev/null || true
	tote start box
	eventually stopped box
	tote delete box
}

@test "an exec that fails behind the init is the start's failure" {
	printf '#!/no/interpreter\n' >"$WORK/script"
	chmod 755 "$WORK/script"
	fails 127 "/mnt/script" run --rm --init -v "$WORK:/mnt" pos:1 /mnt/script
	tote create --init --image pos:1 -v "$WORK:/mnt" box /mnt/script </dev/null >/dev/null 2>&1 3>&-
	fails 1 "/mnt/script" start box
	eventually stopped box
	tote delete box
}

@test "signals are passed on, orphans are reaped" {
	tote create --init --image pos:1 box sh -c 'trap "echo got TERM" TERM; trap "echo got USR1" USR1; trap "echo got INT; exit 3" INT
		(sleep 0.1 & echo $! >/tmp/orphan); while :; do sleep 0.1; done' </dev/null >out 2>&1 3>&-
	tote start box
	eventually tote exec box test -s /tmp/orphan
	orphan=$(tote exec box cat /tmp/orphan)
	eventually tote exec box test ! -e "/proc/$orphan"
	tote kill box TERM
	eventually grep -q TERM out
	tote kill box USR1
	eventually grep -q USR1 out
	# From inside as well.
	tote exec box kill -INT 1
	eventually stopped box
	[ "$(tr '\n' ' ' <out)" = "got TERM got USR1 got INT " ]
	tote delete box
	# A program that takes no signals as pid 1 would ignore them; behind an init it ends.
	tote create --init --image pos:1 box sleep 1000 </dev/null >/dev/null 2>&1 3>&-
	tote start box
	tote kill box TERM
	eventually stopped box
	tote delete box
}

@test "a caller that ignores SIGCHLD" {
	run python3 -c 'import os, signal, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$TOTE" --root "$ROOT" run --rm --init pos:1 sh -c 'sleep 0.1; exit 9' 3>&-
	echo "$output"
	[ "$status" = 9 ]
}

# The lines of /proc/PID/status that tell of privileges.
rights() { # PID
	grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Seccomp_filters):' "/proc/$1/status"
}

@test "it has no more rights than the program, hardly any memory, and no descriptors" {
	tote create --init --image pos:1 -u 5:6 box sleep 1000 </dev/null >/dev/null 2>&1 3>&-
	tote start box
	init=$(tote state box | jq .pid)
	eventually pgrep -P "$init" -x sleep
	program=$(pgrep -P "$init")
	[ "$(rights "$init")" = "$(rights "$program")" ]
	[[ $(rights "$init") == *"Seccomp:"*2* ]]
	[ "$(ls "/proc/$init/fd" | tr '\n' ' ')" = "0 1 2 " ]
	private=$(awk '/^Private/ { n += $2 } END { print n }' "/proc/$init/smaps_rollup")
	[ "$private" -le 64 ]
	# What people write to pid 1's stdout gets there.
	tote delete --force box
	in_image --init pos:1 sh -c 'echo to-one >/proc/1/fd/1'
	[ "$output" = to-one ]
}

@test "with the host's processes in sight it is a subreaper" {
	tote create --init --pid host --image pos:1 box sh -c '(sleep 1000 & echo $! >/tmp/orphan); exec sleep 1000' </dev/null >/dev/null 2>&1 3>&-
	tote start box
	init=$(tote state box | jq .pid)
	eventually tote exec box test -s /tmp/orphan
	[ "$(awk '/^PPid:/ { print $2 }' "/proc/$(tote exec box cat /tmp/orphan)/status")" = "$init" ]
	tote delete --force box
}

@test "a terminal: what is typed reaches the program, which has job control" {
	script -qefc "$TOTE --root $ROOT run --rm -it --init pos:1 sh -c 'trap \"echo got INT; exit 5\" INT; set -m; sleep 0.1 & fg; echo ready; while :; do sleep 0.1; done'; echo code=\$?" \
		screen < <(for _ in {1..200}; do grep -q ready screen 2>/dev/null && break; sleep 0.1; done; printf '\003'; for _ in {1..200}; do grep -q code= screen && break; sleep 0.1; done) >/dev/null
	cat screen
	grep -q "got INT" screen
	grep -q code=5 screen
	run ! grep -q "can't access tty" screen
}

@test "descriptors that are handed over are the program's" {
	echo three >three
	LISTEN_FDS=1 LISTEN_FDNAMES=web timeout 30 "$TOTE" --root "$ROOT" run --rm --init pos:1 sh -c '[ $LISTEN_PID = $$ ] && [ $$ != 1 ] && cat <&3; echo $LISTEN_FDNAMES' \
		3<three </dev/null >out 2>&1
	cat out
	[ "$(tr '\n' ' ' <out)" = "three web " ]
}

@test "of a bundle, by its annotation" {
	make_bundle
	command_is sh -c 'echo $$; exit 4'
	config '.annotations["org.tote.init"] = "true"'
	run tote run "$ID" 3>&-
	[ "$status" = 4 ]
	[ "$output" -gt 1 ]
	config '.annotations["org.tote.init"] = "yes"'
	fails 1 'annotations["org.tote.init"]: expected true or false, found "yes"' run "$ID"
}
