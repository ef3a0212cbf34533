#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A process of the host swaps directories of the root file system with links to a canary while containers start on it.
# RACES containers for each target (default 30; 1000 is a night's worth).

bats_require_minimum_version 1.5.0
load attack

setup_file() {
	compile race
}

setup() {
	make_bundle
	make_canary
	HOSTILE=$BATS_TEST_TMPDIR/hostile
	BEFORE=$BATS_TEST_TMPDIR/before
	races=${RACES:-30} up=../../../../../../../../../../../../../../..
	small_rootfs "$HOSTILE"
	config --arg root "$HOSTILE" '.root = {path: $root, readonly: false}'
	command_is /bin/true
	host_state >"$BEFORE"
}

teardown() {
	[ -z "${RACER:-}" ] || kill "$RACER" 2>/dev/null || true
	clean_up
}

# Path $1 of the root takes turns with a link to $2; both exist from the start.
swap() {
	local here=$HOSTILE$1 there=$HOSTILE/bin/.swap-${1//\//-}
	[ -e "$here" ] || mkdir -p "$here"
	ln -s "$up$2" "$there"
	pairs+=("$here" "$there")
}

race() { # tote arguments
	local i ok=0 code
	"$BATS_FILE_TMPDIR/race" "${pairs[@]}" >swaps 3>&- &
	RACER=$!
	for ((i = 0; i < races; i++)); do
		code=0
		timeout -k 1 10 "$TOTE" --root "$ROOT" "$@" "$ID" </dev/null >out 2>err 3>&- || code=$?
		case $code in
		0) ok=$((ok + 1)) ;;
		1) [ "$(wc -l <err)" -le 1 ] || { cat err; return 1; } ;;
		*) echo "code $code"; cat err; return 1 ;;
		esac
	done
	kill "$RACER"
	wait "$RACER"
	RACER=
	echo "$ok of $races ran, $(cat swaps) swaps"
	[ "$(cat swaps)" -gt "$races" ]
	# Some must get through, or only the refusal was tested.
	[ "$ok" -ge "${least:-1}" ]
	host_unchanged "$BEFORE"
	nothing_left
}

@test "races: the mount points of tote spec" {
	pairs=()
	config '.mounts += [{destination: "/run", type: "tmpfs", source: "t"}]'
	for path in /tmp /run; do
		swap "$path" "$CANARY"
	done
	race run
}

@test "races: one at a time, /dev" {
	pairs=()
	swap /dev "$CANARY"
	race run
}

@test "races: one at a time, /sys" {
	pairs=()
	swap /sys "$CANARY"
	race run
}

@test "races: one at a time, /proc" {
	pairs=()
	swap /proc "$CANARY"
	race run
}

@test "races: /dev in the root, its directories and nodes" {
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	pairs=()
	swap /dev "$CANARY"
	race run
}

@test "races: deep bind targets and their parents" {
	config '.mounts += [
		{destination: "/etc/a/b/file", type: "bind", source: "/etc/hostname", options: ["bind"]},
		{destination: "/run/x/y/z", type: "bind", source: "/usr/share/doc", options: ["rbind", "ro"]},
		{destination: "/tmp/t/u", type: "tmpfs", source: "t", options: ["tmpcopyup", "size=64k"]}]
		| .mounts |= map(select(.destination != "/tmp"))'
	pairs=()
	for path in /etc/a/b /etc/a /run/x/y /run/x /tmp/t; do
		swap "$path" "$CANARY/dir"
	done
	race run
}

@test "races: masked and read-only paths" {
	mkdir -p "$HOSTILE"/secret/deep "$HOSTILE"/fixed/deep
	config '.linux.maskedPaths += ["/secret/deep", "/secret"] | .linux.readonlyPaths += ["/fixed/deep", "/fixed"]'
	pairs=()
	for path in /secret/deep /secret /fixed/deep /fixed; do
		swap "$path" "$CANARY/dir"
	done
	race run
}

@test "races: the console and the terminal" {
	config '.process.terminal = true | .mounts |= map(select(.destination != "/dev"))'
	mkdir -p "$HOSTILE"/dev/{pts,shm,mqueue}
	touch "$HOSTILE/dev/console"
	pairs=()
	swap /dev/console "$CANARY/console"
	swap /dev/pts "$CANARY/pts"
	swap /dev/ptmx "$CANARY/ptmx"
	least=0 race run
}

@test "races: the console" {
	config '.process.terminal = true | .mounts |= map(select(.destination != "/dev"))'
	mkdir -p "$HOSTILE"/dev/{pts,shm,mqueue}
	touch "$HOSTILE/dev/console"
	pairs=()
	swap /dev/console "$CANARY/console"
	race run
}
