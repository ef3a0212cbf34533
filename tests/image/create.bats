#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `tote create --image`: what a monitor needs of it. The options that it shares with `run` are tested in options.bats.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_rootfs
	chmod 1777 "$ROOTFS/tmp"
	printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/:/bin/sh\n' >"$ROOTFS/etc/passwd"
	cd "$BATS_FILE_TMPDIR"
	pack "$ROOTFS" base.tar
	CONFIG='.config = {Cmd: ["/bin/sh", "-c", "echo image"], Volumes: {"/declared": {}}}' make_layout plain pos:1 base.tar
	share_store plain
}

setup() {
	enter_store
}

teardown() {
	[ -z "${READER:-}" ] || kill "$READER" 2>/dev/null || true
	ROOT=$ROOT-other clean_up
	leave_store
}

# What bats waits for stays out of the container's hands.
create() { # [OPTION...] ID [ARGUMENT...]
	timeout 30 "$TOTE" --root "$ROOT" create --image pos:1 "$@" 3>&-
}

nothing_of() { # ID
	[ -z "$(ls "$STORE/containers")" ] || { ls "$STORE/containers"; return 1; }
	[ -z "$(ls "$STORE/ids" 2>/dev/null)" ] || { ls "$STORE/ids"; return 1; }
	nothing_left "$1"
}

stopped() {
	[ "$(status_of "$1")" = stopped ]
}

@test "it waits for start, with the streams that it was given, and delete removes all of it" {
	echo typed >in
	create --pid-file pid -i box sh -c 'cat; echo out; echo err >&2; sleep 1000' <in >out 2>err
	[ "$(status_of box)" = created ]
	pid=$(cat pid)
	[ "$(tote state box | jq .pid)" = "$pid" ]
	[ "$(readlink "/proc/$pid/fd/1")" = "$WORK/out" ]
	[ ! -s out ]
	tote start box
	eventually grep -q err err
	[ "$(tr '\n' ' ' <out)" = "typed out " ]
	[ "$(status_of box)" = running ]
	tote kill box KILL
	eventually stopped box
	tote delete box
	nothing_of box
	[ -z "$(ls "$STORE/volumes" 2>/dev/null)" ]
}

@test "without -i stdin is empty; without arguments the image's command runs" {
	create one sh -c 'cat; echo end' <<<typed >out 2>&1
	tote start one
	eventually grep -q end out
	[ "$(cat out)" = end ]
	create two </dev/null >out 2>&1
	tote start two
	eventually grep -q image out
	# What stands behind the ID is the program's, whatever it looks like.
	create three echo --rm -t --pid-file=x </dev/null >out 2>&1
	tote start three
	eventually grep -q pid-file out
	[ "$(cat out)" = "--rm -t --pid-file=x" ]
	[ ! -e x ]
	for id in one two three; do
		tote delete "$id"
	done
	nothing_of one
}

@test "pipes are the container's for as long as it lives" {
	mkfifo out err
	sleep 30 <>out 3>&- &
	READER=$!
	exec 4<>out 5<>err
	create box sh -c 'echo one >/dev/stdout; echo two >/dev/stderr; sleep 1000' </dev/null >&4 2>&5 4>&- 5>&-
	root=$(awk '{print $2}' "/proc/$(tote state box | jq .pid)/uid_map")
	[ "$(stat -c %u out)" = "$root" ]
	tote start box
	read -r -t 20 line <&4
	[ "$line" = one ]
	read -r -t 20 line <&5
	[ "$line" = two ]
	tote delete --force box
	exec 4>&- 5>&-
	nothing_of box
	# A failure gives a file back.
	: >log
	chown 1000 log
	fails 127 /no/such create --image pos:1 box /no/such 2>&1
	code=0
	create box /no/such </dev/null >>log 2>&1 || code=$?
	[ "$code" = 127 ]
	[ "$(stat -c %u log)" = 1000 ]
	nothing_of box
}

@test "a terminal goes to the console socket" {
	make_unixsock() { # The one of tests/cli.
		UNIXSOCK=$BATS_FILE_TMPDIR/unixsock
		[ -x "$UNIXSOCK" ] || "${CC:-cc}" -O1 -o "$UNIXSOCK" "$BATS_TEST_DIRNAME/../cli/unixsock.c"
	}
	fails 125 "a console socket is needed" create --image pos:1 -t box sh
	nothing_of box
	listen_on_socket fd
	create -t --console-socket "$SOCKET" box sh -c 'test -t 0 && test -t 2 && echo is-a-$TERM; sleep 1000' </dev/null
	tote start box
	eventually grep -q is-a-xterm "$RECEIVED"
	tote delete --force box
	nothing_of box
}

@test "descriptors: --preserve-fds and LISTEN_FDS" {
	echo three >three
	echo four >four
	LISTEN_FDS=1 LISTEN_FDNAMES=web timeout 30 "$TOTE" --root "$ROOT" create --image pos:1 --preserve-fds 1 box \
		sh -c 'cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID $$ $LISTEN_FDNAMES; ls -l /proc/self/fd | wc -l' \
		3<three 4<four </dev/null >out 2>&1
	tote start box
	eventually stopped box
	[ "$(head -n 3 out | tr '\n' ' ')" = "three four 1 1 1 web " ]
	tote delete box
}

@test "a reboot in between: the same ID again" {
	create box sh -c 'echo x >/x' </dev/null >/dev/null 2>&1
	tote start box
	eventually stopped box
	[ "$(ls -d "$STORE"/containers/box-* | wc -l)" = 1 ]
	ids=$(ls "$STORE/ids")
	# The state is on a tmpfs, the store is not.
	rm -rf "$ROOT/box"
	rmdir "$(cgroup2_mount)/tote-box"
	create box sh -c 'test ! -e /x && echo new' </dev/null >out 2>&1
	tote start box
	eventually grep -q new out
	# What was left over is nobody's.
	[ "$(ls -d "$STORE"/containers/box-* | wc -l)" = 1 ]
	[ -z "$ids" ] || [ ! -e "$STORE/ids/$ids" ] || [ "$(ls "$STORE/ids" | wc -l)" = 1 ]
	tote delete box
	nothing_of box
}

@test "an ID that is in use, and what others left of a similar name, stay as they are" {
	create box sleep 1000 </dev/null >/dev/null 2>&1
	create box-more sleep 1000 </dev/null >/dev/null 2>&1
	fails 125 "already exists" create --image pos:1 box true
	mkdir "$STORE/containers/box-0123456789abcdef" "$STORE/containers/box-more-0123456789abcdef"
	[ -d "$STORE/containers/box-0123456789abcdef" ]
	# The same ID below another root is another container.
	"$TOTE" --root "$ROOT-other" create --image pos:1 --cgroup-parent elsewhere other true </dev/null >/dev/null 2>&1 3>&-
	create other true </dev/null >/dev/null 2>err || { cat err; false; }
	[ "$(ls -d "$STORE"/containers/other-* | wc -l)" = 2 ]
	tote start box
	tote start box-more
	[ "$(status_of box)$(status_of box-more)" = runningrunning ]
	"$TOTE" --root "$ROOT-other" delete other
	rm -r "$STORE"/containers/*-0123456789abcdef
}

@test "without --image nothing is new: options behind the ID, and those for images are refused" {
	make_bundle
	command_is true
	fails 1 "--image" create -e A=1 "$ID"
	fails 1 "--image" create --network bridge "$ID"
	fails 1 "unknown option: --detach" create --detach "$ID"
	fails 1 "unknown option: -e" create "$ID" -e A=1
	fails 1 'unexpected argument "true"' create "$ID" true
	fails 125 "--bundle" create --image pos:1 -b . "$ID"
	fails 125 'no image "none:1"' create --image none:1 "$ID"
	quietly tote create "$ID" --pid-file "$WORK/pid"
	[ -s "$WORK/pid" ]
	tote delete "$ID"
	nothing_left "$ID"
}
