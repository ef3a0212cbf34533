# SPDX-License-Identifier: Apache-2.0
# Shared by the command-line tests: a bundle on busybox-static and a private state directory for each test.
#
#   load helpers
#   setup()    { make_bundle; }
#   teardown() { clean_up; }
#
# TOTE is the program (default build/tote); $BUNDLE the bundle; $ROOT the state directory. tote() adds --root.

load ../bats

: "${TOTE:=$BATS_TEST_DIRNAME/../../build/tote}"
TOTE=$(realpath "$TOTE")
BUSYBOX=$(command -v busybox)

# One root file system for all tests of a file, read-only in use.
make_rootfs() {
	ROOTFS=${1:-$BATS_FILE_TMPDIR/rootfs}
	[ -x "$ROOTFS/bin/busybox" ] && return
	mkdir -p "$ROOTFS"/{bin,dev,etc,proc,sys,tmp,root}
	cp "$BUSYBOX" "$ROOTFS/bin/busybox"
	chroot "$ROOTFS" /bin/busybox --install -s /bin
	echo 'root:x:0:0:root:/root:/bin/sh' >"$ROOTFS/etc/passwd"
	echo 'root:x:0:' >"$ROOTFS/etc/group"
}

# A bundle with `tote spec`'s configuration, no terminal, a shared root file system (symlinks are followed for root.path).
make_bundle() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_rootfs
	BUNDLE=$BATS_TEST_TMPDIR/bundle
	ROOT=$BATS_TEST_TMPDIR/state
	ID=t$$-$BATS_TEST_NUMBER
	mkdir -p "$BUNDLE"
	"$TOTE" spec -b "$BUNDLE"
	config ".process.terminal = false | .root.path = \"$ROOTFS\""
	cd "$BUNDLE"
}

# Changes config.json by a jq program; further arguments go to jq.
config() {
	jq "$@" <"$BUNDLE/config.json" >"$BUNDLE/config.new" && mv "$BUNDLE/config.new" "$BUNDLE/config.json"
}

# The container's command, as words.
command_is() {
	config '.process.args = $ARGS.positional' --args -- "$@"
}

tote() {
	"$TOTE" --root "$ROOT" "$@"
}

cgroup2_mount() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi
}

# Waits (at most 30 s: the machine may be busy) until a command succeeds.
eventually() {
	local end=$((SECONDS + 30))
	while [ "$SECONDS" -lt "$end" ]; do
		"$@" && return 0
		sleep 0.05
	done
	echo "waited in vain: $*"
	return 1
}

# A command must end, however, in so many seconds; leaves its code in $code. They are those of a clock beside it whose every tick is
# late when the machine is: what is promised in seconds is kept or not, however long others have the processors.
within() { # SECONDS COMMAND...
	local seconds=$1 tick=$BATS_TEST_TMPDIR/tick clock
	shift
	[ -p "$tick" ] || mkfifo "$tick"
	(for ((i = 0; i < seconds * 10; i++)); do read -rt 0.1 || true; done) <>"$tick" 3>&- &
	clock=$!
	code=0
	"$@" || code=$?
	kill "$clock" 2>/dev/null || { echo "$*: not within $seconds s"; return 1; }
	wait "$clock" 2>/dev/null || true
}

# A command that goes on, in the background; what it prints in $LINES_FILE.
watch_by() {
	"$TOTE" --root "$ROOT" "$@" >"$LINES_FILE" 2>"$LINES_FILE.err" 3>&- </dev/null &
	WATCHER=$!
}

stop_watcher() {
	[ -z "${WATCHER:-}" ] || kill "$WATCHER" 2>/dev/null || true
}

# Waits for the watcher, at most 30 s, and sets $code.
watcher_ends() {
	for _ in $(seq 600); do
		if ! kill -0 "$WATCHER" 2>/dev/null; then
			code=0
			wait "$WATCHER" || code=$?
			WATCHER=
			return
		fi
		sleep 0.05
	done
	return 1
}

status_of() {
	tote state "$1" | jq -r .status
}

# Nothing of the container ID is left anywhere.
nothing_left() {
	[ ! -e "$ROOT/${1:-$ID}" ] || { echo "state directory left"; return 1; }
	# A short ID of a test's own could be part of somebody else's name.
	[ -z "$(find "$(cgroup2_mount)" -maxdepth 2 -name "${1:+tote-}${1:-*$ID*}" 2>/dev/null)" ] || { echo "cgroup left"; return 1; }
	! grep -q "$BATS_TEST_TMPDIR" /proc/self/mountinfo || { echo "mount left"; return 1; }
}

clean_up() {
	[ -n "${ROOT:-}" ] && [ -d "$ROOT" ] || return 0
	for id in $(tote list -q); do
		tote delete --force "$id"
	done
}

# What bats's `run` would wait for holds its pipe: whoever leaves a process behind writes to a file instead, $OUT and $ERR.
quietly() {
	OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
	"$@" </dev/null >"$OUT" 2>"$ERR" 3>&- || { local code=$?; cat "$ERR"; return $code; }
}

# A container that only waits, started without anyone attached; further arguments are its command.
background() {
	if [ $# -gt 0 ]; then command_is "$@"; else command_is sleep 1000; fi
	quietly tote run -d "$ID"
}

# tote ARGUMENT... must end with code $1, say $2 in one line on stderr, and print nothing on stdout.
refuses() {
	local code=$1 words=$2
	shift 2
	run --separate-stderr timeout 20 "$TOTE" --root "$ROOT" "$@" 3>&- </dev/null
	echo "tote $*: code $status, stdout \"$output\", stderr \"$stderr\""
	[ "$status" -eq "$code" ] || return 1
	[ -z "$output" ] || return 1
	[ "${#stderr_lines[@]}" -eq 1 ] || return 1
	[[ $stderr == *"$words"* ]]
}

# The program at the other end of console, pidfd and notify sockets.
make_unixsock() {
	UNIXSOCK=$BATS_FILE_TMPDIR/unixsock
	[ -x "$UNIXSOCK" ] || "${CC:-cc}" -O1 -o "$UNIXSOCK" "$BATS_TEST_DIRNAME/unixsock.c"
}

# Starts it in the background ($UNIXSOCK_PID, its output in $RECEIVED) and waits for its socket, $SOCKET.
listen_on_socket() {
	local kind=$1
	shift
	make_unixsock
	SOCKET=$BATS_TEST_TMPDIR/socket RECEIVED=$BATS_TEST_TMPDIR/received
	"$UNIXSOCK" "$kind" "$SOCKET" "$@" >"$RECEIVED" 2>&1 3>&- &
	UNIXSOCK_PID=$!
	eventually test -S "$SOCKET"
}

# Makes a byte another one, whatever it was.
flip() { # FILE OFFSET
	python3 -c 'import sys
f = open(sys.argv[1], "r+b", buffering=0)
f.seek(int(sys.argv[2]))
b = f.read(1)
f.seek(int(sys.argv[2]))
f.write(bytes([b[0] ^ 0x10]))' "$1" "$2"
}

# The bit of a capability number in a mask as /proc/PID/status prints it.
has_capability() {
	[ $((0x$1 >> $2 & 1)) = 1 ]
}
