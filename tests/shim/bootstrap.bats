#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# containerd-shim-tote-v2 as containerd runs it: `start`, `delete`, -info, -v. Without containerd; what they speak to is in
# namespaces of the test's own, with a /run of their own.

bats_require_minimum_version 1.5.0
load ../cli/helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	# Everything that lives in there ends with it. A shell, as it reaps.
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
		sh -c "mount -t tmpfs none /run && touch '$BATS_FILE_TMPDIR/ready' && { sleep 1000 & wait; }" 3>&- &
	export UNSHARE=$!
	eventually test -e "$BATS_FILE_TMPDIR/ready"
	export HOLDER=$(pgrep -P "$UNSHARE")
}

teardown_file() {
	[ -z "${UNSHARE:-}" ] || { kill -9 "$UNSHARE"; wait "$UNSHARE" 2>/dev/null || true; }
}

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	SHIM=$(dirname "$TOTE")/containerd-shim-tote-v2
	[ -x "$SHIM" ] || { echo "$SHIM is not built"; return 1; }
	DIR=$BATS_TEST_TMPDIR
	SOCKETS=/run/containerd/s
	POD=pod-$$
	unset TTRPC_ADDRESS GRPC_ADDRESS SCHED_CORE TOTE_SHIM_V3
}

teardown() {
	local root id
	kill_servers
	for root in /run/containerd/tote/test /run/elsewhere/test; do
		for id in $(inside "$TOTE" --root $root list -q 2>/dev/null); do inside "$TOTE" --root $root delete --force "$id"; done
	done
	inside sh -c 'rm -rf /run/*'
}

inside() {
	nsenter -t "$HOLDER" -m -p --wdns="$PWD" -- "$@"
}

# Process ids, as seen from outside, of all servers in there.
servers() {
	local pid
	for pid in $(pgrep -f "^$SHIM .*start"); do
		[ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink "/proc/$HOLDER/ns/mnt")" ] || [ "$pid" = "$HOLDER" ] || echo "$pid"
	done
}

# A process that was killed may take a connection until it has ended.
kill_servers() {
	local pid
	for pid in $(servers); do kill -9 "$pid"; done
	eventually no_server
}

no_server() {
	[ -z "$(servers)" ]
}

sockets() {
	inside ls "$SOCKETS" 2>/dev/null
}

# A bundle $DIR/NAME; further arguments: an annotation and its value.
bundle() {
	mkdir -p "$DIR/$1"
	printf '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"annotations":{%s}}' "${2:+\"$2\":\"$3\"}" >"$DIR/$1/config.json"
}

# As containerd calls it: in the bundle, output in one, and nobody waits longer than for its end.
start() { # ID [ARGUMENT...]
	local id=$1
	shift
	(cd "$DIR/$id" && timeout 10 nsenter -t "$HOLDER" -m -p --wdns="$DIR/$id" -- \
		"$SHIM" -namespace test -address /run/c.sock -publish-binary /bin/false -id "$id" "$@" start </dev/null 2>&1)
}

delete() { # ID [BUNDLE]
	timeout 10 nsenter -t "$HOLDER" -m -p -- \
		"$SHIM" -namespace test -address /run/c.sock -publish-binary /bin/false -id "$1" -bundle "${2:-$DIR/$1}" delete </dev/null >"$DIR/reply" 2>"$DIR/err"
}

# A message in words. The file, its type.
decode() {
	protoc --decode="shim.$2" -I "$BATS_TEST_DIRNAME/../../cmd/containerd-shim-tote-v2" shim.proto <"$1"
}

# One string field of a message.
field() { # NUMBER TEXT
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $(($1 << 3 | 2)))\\x$(printf %02x ${#2})%s" "$2"
}

is_address() {
	[[ $1 =~ ^unix:///run/containerd/s/[0-9a-f]{64}$ ]] || { echo "no address: $1"; return 1; }
}

reachable() { # ADDRESS
	inside python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1][7:])' "$1" 2>/dev/null
}

@test "start: prints the address and nothing else, and writes it" {
	bundle a
	run -0 start a
	is_address "$output"
	[ "$(cat "$DIR/a/address")" = "$output" ]
	[ "$(stat -c %a "$DIR/a/address")" = 644 ]
	[ "$(ls -A "$DIR/a")" = "$(printf 'address\nconfig.json')" ]
	[ "$(sockets)" = "${output##*/}" ]
	reachable "$output"
}

@test "start: the server has nothing of ours: no descriptors, directory, session, group" {
	bundle a
	exec 9>"$DIR/held"
	run -0 start a
	exec 9>&-
	pid=$(servers)
	[ "$(wc -w <<<"$pid")" -eq 1 ]
	eventually [ "$(readlink "/proc/$pid/cwd")" = / ]
	for fd in 0 1 2; do [ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]; done
	[[ "$(readlink "/proc/$pid/fd/3")" == socket:* ]]
	for fd in "/proc/$pid/fd"/*; do
		case $(readlink "$fd") in
		/dev/null | socket:* | anon_inode:*) ;;
		*) echo "$fd: $(readlink "$fd")"; return 1 ;;
		esac
	done
	[ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ]
	[ "$(ps -o pgid= -p "$pid" | tr -d ' ')" = "$pid" ]
}

@test "start: the log of the bundle is the server's" {
	bundle a
	mkfifo "$DIR/a/log"
	run -0 start a
	eventually sh -c "ls -l /proc/$(servers)/fd | grep -q '$DIR/a/log'"
}

@test "start: the second of a group finds the first, each annotation" {
	for name in io.containerd.tote.v2.group io.containerd.runc.v2.group io.kubernetes.cri.sandbox-id; do
		bundle "a-$name" "$name" "g-$name"
		bundle "b-$name" "$name" "g-$name"
		run -0 start "a-$name"
		first=$output
		run -0 start "b-$name"
		[ "$output" = "$first" ]
		[ "$(cat "$DIR/b-$name/address")" = "$first" ]
	done
	[ "$(servers | wc -l)" -eq 3 ]
	# The sandbox itself is of its group, without a word.
	bundle g-io.kubernetes.cri.sandbox-id
	run -0 start g-io.kubernetes.cri.sandbox-id
	[ "$output" = "$first" ]
}

@test "start: other containers, namespaces, daemons have other servers" {
	bundle a
	bundle b
	for arguments in "a" "b" "a -namespace other" "a -address /run/d.sock"; do
		# shellcheck disable=SC2086
		run -0 start $arguments
		is_address "$output"
		echo "$output" >>"$DIR/addresses"
	done
	[ "$(sort -u "$DIR/addresses" | wc -l)" -eq 4 ]
	[ "$(servers | wc -l)" -eq 4 ]
}

@test "start: at the same instant, there is one server for all" {
	for i in $(seq 12); do bundle "c$i" io.kubernetes.cri.sandbox-id pod; done
	for round in 1 2 3 4 5; do
		rm -f "$DIR"/out.*
		for i in $(seq 12); do start "c$i" >"$DIR/out.$i" 3>&- & done
		wait
		[ "$(sort -u "$DIR"/out.* | wc -l)" -eq 1 ] || { cat "$DIR"/out.*; return 1; }
		[ "$(cat "$DIR"/out.* "$DIR"/c*/address | grep -o unix:// | wc -l)" -eq 24 ]
		[ "$(servers | wc -l)" -eq 1 ]
		# What it leaves is in the way of the next.
		kill_servers
	done
}

@test "start: a socket that nobody serves is replaced" {
	bundle a
	run -0 start a
	first=$output
	kill_servers
	[ -n "$(sockets)" ]
	! reachable "$first" || return 1
	run -0 start a
	[ "$output" = "$first" ]
	reachable "$output"
	[ "$(servers | wc -l)" -eq 1 ]
}

@test "start: a server that ends takes its socket along" {
	bundle a
	run -0 start a
	kill "$(servers)"
	eventually sh -c "[ ! -e '/proc/$HOLDER/root${output#unix://}' ]"
}

# start ID must fail with this in one line, and leave nothing.
fails_with() { # ID TEXT [ARGUMENT...]
	local id=$1 text=$2
	shift 2
	run -1 start "$id" "$@"
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "io.containerd.tote.v2: "*"$text"* ]] || { echo "not \"$text\": $output"; return 1; }
	[ -z "$(servers)" ] && [ -z "$(sockets)" ]
}

@test "start: without a configuration, or with a broken one, it says so" {
	bundle a
	echo '{"annotations":{"a":1}}' >"$DIR/a/config.json"
	fails_with a 'annotations.a: expected a string'
	echo '{' >"$DIR/a/config.json"
	fails_with a 'config.json: invalid JSON'
	rm "$DIR/a/config.json"
	fails_with a "open $DIR/a/config.json: No such file or directory"
}

@test "start: wrong arguments" {
	bundle a
	fails_with a 'no namespace' -namespace ""
	fails_with a 'invalid container id "../x"' -id ../x
	fails_with a 'invalid boolean value "7"' -debug=7
	run -1 inside "$SHIM" -namespace n -id a dance
	[[ $output == *'unknown action "dance"' ]]
}

@test "start: a bundle that cannot be written to" {
	bundle a
	inside mount --bind -o ro "$DIR/a" "$DIR/a"
	fails_with a "bundle $DIR/a: "
	inside umount "$DIR/a"
}

@test "start: a bundle on a full disk" {
	mkdir "$DIR/a"
	inside mount -t tmpfs -o size=64k none "$DIR/a"
	inside sh -c "echo '{}' >'$DIR/a/config.json'; cat /dev/zero >'$DIR/a/fill' 2>/dev/null" || true
	run -1 start a
	[[ $output == "io.containerd.tote.v2: bundle $DIR/a: "*"No space left on device" ]]
	[ -z "$(servers)" ] && [ -z "$(sockets)" ]
	inside umount "$DIR/a"
}

@test "start: one that fails leaves the group's server alone" {
	bundle a io.containerd.runc.v2.group g
	bundle b io.containerd.runc.v2.group g
	run -0 start a
	inside mount --bind -o ro "$DIR/b" "$DIR/b"
	run -1 start b
	inside umount "$DIR/b"
	reachable "$(cat "$DIR/a/address")"
	[ "$(servers | wc -l)" -eq 1 ]
}

@test "start: does not wait for a stdin that stays open" {
	bundle a
	mkfifo "$DIR/in"
	exec 8<>"$DIR/in"
	run -1 timeout 10 nsenter -t "$HOLDER" -m -p --wdns="$DIR/a" -- "$SHIM" -namespace test -id a start <&8
	exec 8>&-
	[ "$output" = "io.containerd.tote.v2: stdin is not closed" ]
}

@test "start: whose reader is gone leaves no server" {
	bundle a
	(cd "$DIR/a" && nsenter -t "$HOLDER" -m -p --wdns="$DIR/a" -- "$SHIM" -namespace test -address /run/c.sock -id a start </dev/null >/dev/full 2>"$DIR/err") && return 1
	[ "$(cat "$DIR/err")" = "io.containerd.tote.v2: write to stdout: No space left on device" ]
	[ -z "$(servers)" ] && [ -z "$(sockets)" ]
}

params() { # SOCKET_DIR [OPTIONS]
	field 1 a
	field 2 test
	field 5 /run/p.sock.ttrpc
	field 6 /run/p.sock
	[ -z "$1" ] || field 9 "$1"
}

start_with() { # FILE: stdin
	(cd "$DIR/a" && timeout 10 nsenter -t "$HOLDER" -m -p --wdns="$DIR/a" -- "$SHIM" -namespace test -address /run/c.sock -id a start <"$1")
}

@test "start: parameters of containerd 2.3 on stdin; the answer is plain, or new when it is asked for" {
	bundle a
	params /run/other >"$DIR/params"
	run -0 start_with "$DIR/params"
	[[ $output =~ ^unix:///run/other/[0-9a-f]{64}$ ]]
	reachable "$output"
	plain=$output
	TOTE_SHIM_V3=1 start_with "$DIR/params" >"$DIR/reply"
	[ "$(decode "$DIR/reply" BootstrapResult)" = "$(printf 'version: 3\naddress: "%s"\nprotocol: "ttrpc"' "$plain")" ]
	# Only who sends them can read it.
	run -0 env TOTE_SHIM_V3=1 bash -c "$(declare -f start_with); DIR=$DIR HOLDER=$HOLDER SHIM=$SHIM start_with /dev/null"
	is_address "$output"
	# The daemon's address is that of the parameters.
	params "" >"$DIR/params"
	run -0 start_with "$DIR/params"
	one=$output
	run -0 start a -address /run/p.sock
	[ "$output" = "$one" ]
}

@test "start: what is on stdin and no message" {
	bundle a
	echo garbage >"$DIR/in"
	run -1 start_with "$DIR/in"
	[ "$output" = "io.containerd.tote.v2: stdin holds neither options nor parameters" ]
	[ -z "$(servers)" ]
}

@test "start: shim_cgroup is where the server goes; none by that name is an error" {
	bundle a
	group=tote-boot-$$
	field 3 "/$group" >"$DIR/options"
	{ field 1 containerd.runc.v1.Options; field 2 "$(cat "$DIR/options")"; } >"$DIR/any"
	run -1 start_with "$DIR/any"
	[[ $output == *"shim cgroup \"/$group\""* ]]
	[ -z "$(servers)" ] && [ -z "$(sockets)" ]
	mkdir "$(cgroup2_mount)/$group"
	run -0 start_with "$DIR/any"
	pid=$(servers)
	line=$(grep ^0:: "/proc/$pid/cgroup")
	kill_servers
	eventually rmdir "$(cgroup2_mount)/$group" 2>/dev/null
	[ "$line" = "0::/$group" ]
}

@test "start: the kernel is to take the server before containerd" {
	bundle a
	for pair in "500 501" "999 1000" "1000 1000"; do
		read -r ours expected <<<"$pair"
		# shellcheck disable=SC2016
		run -0 nsenter -t "$HOLDER" -m -p --wdns="$DIR/a" -- sh -c 'echo $2 >/proc/self/oom_score_adj; "$1" -namespace test -id a start </dev/null; true' sh "$SHIM" "$ours"
		pid=$(servers)
		[ "$(cat "/proc/$pid/oom_score_adj")" = "$expected" ]
		kill_servers
	done
}

@test "start: SCHED_CORE, as far as the kernel has it" {
	bundle a
	# PR_SCHED_CORE_GET of our own process.
	errno=$(python3 -c 'import ctypes; c = ctypes.CDLL(None, use_errno=True); v = ctypes.c_ulong(); print(0 if c.prctl(62, 0, 0, 0, ctypes.byref(v)) == 0 else ctypes.get_errno())')
	SCHED_CORE=1 run start a
	case $errno in
	0 | 19) [ "$status" -eq 0 ]; is_address "$output" ;;
	*) [ "$status" -eq 1 ]; [[ $output == "io.containerd.tote.v2: core scheduling (SCHED_CORE): "* ]]; [ -z "$(servers)" ] ;;
	esac
}

# A server that nobody was told of ends; one that was, serves. Every STEP-th system call, which ones depends on the day.
@test "start: killed, or with a failing call, at every point" {
	[ -x "${FAULT:=$(dirname "$TOTE")/tests/fault/fault}" ] || skip "fault is not built"
	bundle a
	cd "$DIR/a"
	shim=("$SHIM" -namespace test -address /run/c.sock -id a start)
	total=$(inside "$FAULT" count -- "${shim[@]}" </dev/null 2>/dev/null)
	[ "$total" -ge 40 ]
	kill_servers
	inside rm -rf /run/containerd
	step=${STEP:-7}
	for n in $(seq $((10#$(date +%j) % step + 1)) "$step" "$total"); do
		for mode in kill "fail -e EIO" "fail -e ENOMEM"; do
			code=0
			# shellcheck disable=SC2086
			out=$(inside timeout 15 "$FAULT" $mode -n "$n" -- "${shim[@]}" </dev/null 2>"$DIR/err") || code=$?
			if [ "$code" -eq 0 ]; then
				is_address "$out" && reachable "$out" || { echo "$mode $n: $out"; return 1; }
			elif [ "$code" -ge 128 ]; then
				eventually no_idle_server || { echo "$mode $n: a server that nobody knows of"; return 1; }
			else
				[ -z "$(servers)" ] && [ -s "$DIR/err" ] || { echo "$mode $n: $code $(cat "$DIR/err")"; return 1; }
			fi
			out=$(inside "${shim[@]}" </dev/null) && reachable "$out" || { echo "$mode $n: the next start: $out"; return 1; }
			[ "$(servers | wc -l)" -eq 1 ] || { echo "$mode $n: $(servers | wc -l) servers"; return 1; }
			kill_servers
		done
	done
}

# None, or one that takes connections.
no_idle_server() {
	local name
	[ -z "$(servers)" ] && return
	name=$(sockets | head -n 1)
	[ -n "$name" ] && reachable "unix://$SOCKETS/$name"
}

@test "delete: of nothing is answered soon, in silence" {
	SECONDS=0
	begun=$(date +%s)
	delete nothing /nonexistent
	[ "$SECONDS" -lt 20 ]
	[ ! -s "$DIR/err" ]
	run -0 decode "$DIR/reply" DeleteResponse
	[ "${lines[0]}" = "exit_status: 137" ]
	[ "${lines[1]}" = "exited_at {" ]
	[ "${lines[2]##*: }" -ge "$begun" ]
	run ! inside test -e /run/containerd
}

@test "delete: tells how the container ended" {
	bundle a
	printf 4711 >"$DIR/a/init.pid"
	echo "3 1700000000 5" >"$DIR/a/exit"
	delete a
	[ "$(decode "$DIR/reply" DeleteResponse | tr -s ' \n' ' ')" = "pid: 4711 exit_status: 3 exited_at { seconds: 1700000000 nanos: 5 } " ]
	# Torn or wrong notes are none.
	for text in "" "3" "3 17" "256 1700000000 5" "3 1700000000 1000000000" "x 1 1" "3 1 1 1" "99999999999999999999 1 1"; do
		echo "$text" >"$DIR/a/exit"
		delete a
		decode "$DIR/reply" DeleteResponse | grep -qx "exit_status: 137" || { echo "$text"; return 1; }
	done
	echo 12x >"$DIR/a/init.pid"
	delete a
	[ "$(decode "$DIR/reply" DeleteResponse | head -n 1)" = "exit_status: 137" ]
}

@test "delete: without -bundle it is next to the working directory" {
	bundle a
	bundle b
	printf 11 >"$DIR/b/init.pid"
	nsenter -t "$HOLDER" -m -p --wdns="$DIR/a" -- "$SHIM" -namespace test -id b delete </dev/null >"$DIR/reply"
	[ "$(decode "$DIR/reply" DeleteResponse | head -n 1)" = "pid: 11" ]
}

@test "delete: removes a socket that nobody serves, and no other" {
	bundle a io.containerd.runc.v2.group g
	bundle b io.containerd.runc.v2.group g
	run -0 start a
	run -0 start b
	delete b
	[ -n "$(sockets)" ]
	reachable "$output"
	kill_servers
	delete a
	[ -z "$(sockets)" ]
	# By config.json alone, and by the id alone.
	run -0 start a
	kill_servers
	rm "$DIR/a/address"
	delete a
	[ -z "$(sockets)" ]
	bundle c
	run -0 start c
	kill_servers
	rm -r "$DIR/c"
	delete c
	[ -z "$(sockets)" ]
}

@test "delete: what is in the way of the notes does no harm" {
	bundle a
	mkfifo "$DIR/a/exit" "$DIR/a/init.pid" "$DIR/a/runtime-root"
	mkdir "$DIR/a/address"
	delete a
	decode "$DIR/reply" DeleteResponse | grep -qx "exit_status: 137"
	rmdir "$DIR/a/address"
	touch "$DIR/victim"
	echo "unix://$DIR/victim" >"$DIR/a/address"
	delete a
	[ -e "$DIR/victim" ]
}

@test "delete: unmounts rootfs" {
	bundle a
	mkdir "$DIR/a/rootfs"
	inside mount -t tmpfs none "$DIR/a/rootfs"
	inside mkdir "$DIR/a/rootfs/below"
	inside mount -t tmpfs none "$DIR/a/rootfs/below"
	delete a
	run ! inside grep -q "$DIR/a" /proc/self/mountinfo
}

# A container, created by tote itself, in ROOT; $pid is its init.
container() { # ID ROOT [ANNOTATION VALUE]
	[ -e "${BUNDLE:-/nonexistent}/config.json" ] || make_bundle
	mkdir -p "$DIR/$1/rootfs"
	cp "$BUNDLE/config.json" "$DIR/$1/config.json"
	[ -z "${3:-}" ] || jq ".annotations.\"$3\" = \"$4\"" "$BUNDLE/config.json" >"$DIR/$1/config.json"
	inside "$TOTE" --root "$2" create -b "$DIR/$1" --pid-file "$DIR/$1/init.pid" "$1" </dev/null >"$DIR/out" 2>&1 3>&- || { cat "$DIR/out"; return 1; }
}

known() { # ROOT
	inside "$TOTE" --root "$1" list -q | tr '\n' ' '
}

@test "delete: kills and removes the container, in the default directory or the one that was noted" {
	for root in /run/containerd/tote/test /run/elsewhere/test; do
		container $POD-1 "$root"
		[ "$root" = /run/containerd/tote/test ] || echo "$root" >"$DIR/$POD-1/runtime-root"
		[ "$(known "$root")" = "$POD-1 " ]
		pid=$(cat "$DIR/$POD-1/init.pid")
		inside test -e "/proc/$pid"
		delete $POD-1
		[ -z "$(known "$root")" ]
		run ! inside test -e "/proc/$pid"
		[ "$(decode "$DIR/reply" DeleteResponse | head -n 2 | tr '\n' ' ')" = "pid: $pid exit_status: 137 " ]
		rm -r "$DIR/$POD-1"
	done
}

@test "delete: of a pod whose server was killed takes its other containers along; with the server alive it does not" {
	root=/run/containerd/tote/test
	container $POD $root io.kubernetes.cri.sandbox-id $POD
	container $POD-1 $root io.kubernetes.cri.sandbox-id $POD
	container $POD-other $root io.kubernetes.cri.sandbox-id $POD-2
	run -0 start $POD
	delete $POD
	[ "$(known $root)" = "$POD-1 $POD-other " ]
	kill_servers
	delete $POD
	[ "$(known $root)" = "$POD-other " ]
	delete $POD-other
	[ -z "$(known $root)" ]
}

@test "delete: of any of a pod whose server was killed takes the others along, also when none is called like the pod" {
	root=/run/containerd/tote/test
	for id in 1 2; do
		container $POD-1 $root io.containerd.runc.v2.group $POD
		container $POD-2 $root io.containerd.runc.v2.group $POD
		container $POD-other $root
		run -0 start $POD-1
		run -0 start $POD-2
		kill_servers
		delete $POD-$id
		[ "$(known $root)" = "$POD-other " ]
		delete $POD-other
	done
	# The one that is called like it goes with the others, too.
	container $POD $root
	container $POD-1 $root io.containerd.runc.v2.group $POD
	run -0 start $POD-1
	kill_servers
	delete $POD-1
	[ -z "$(known $root)" ]
}

@test "start: a hung server of others is in nobody's way" {
	bundle a
	bundle b
	run -0 start a
	pid=$(servers)
	kill -STOP "$pid"
	# Until its queue is full.
	inside timeout 60 python3 -c '
import socket, sys, time
held = []
while True:
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    held.append(s)
    try: s.connect(sys.argv[1][7:])
    except BlockingIOError: break
print("full", flush=True)
time.sleep(60)
' "$output" >"$DIR/full" 3>&- &
	holder=$!
	eventually grep -q full "$DIR/full"
	start a >"$DIR/hung" 3>&- &
	hung=$!
	sleep 0.3
	run -0 start b
	# The other one is still at it.
	kill -0 "$hung"
	code=0
	wait "$hung" || code=$?
	kill "$holder"
	kill -CONT "$pid"
	[ "$code" -eq 1 ]
	grep -q "takes no connections" "$DIR/hung"
}

@test "-h: usage; without an action it is said that it is missing" {
	for flag in -h -help --help; do
		"$SHIM" $flag >"$DIR/usage" 2>"$DIR/err"
		grep -q "^usage: containerd-shim-tote-v2 .*start|delete" "$DIR/usage"
		[ ! -s "$DIR/err" ]
	done
	run -1 "$SHIM" -namespace n -id x
	[ "$output" = 'io.containerd.tote.v2: no action: "start" or "delete" is missing' ]
}

@test "-info: name, version, features; options come back" {
	{ field 1 some.Options; field 2 value; } >"$DIR/any"
	inside "$SHIM" -info <"$DIR/any" >"$DIR/reply" 2>"$DIR/err"
	[ ! -s "$DIR/err" ]
	run -0 decode "$DIR/reply" RuntimeInfo
	[ "${lines[0]}" = 'name: "io.containerd.tote.v2"' ]
	[ "${lines[2]}" = "  version: \"$("$TOTE" --version | sed -n 's/^tote version //p')\"" ]
	[[ $output == *'options {
  type_url: "some.Options"
  value: "value"
}'* ]]
	[[ $output == *'type_url: "types.containerd.io/opencontainers/runtime-spec/1/features/Features"'* ]]
	features=$("$TOTE" features)
	LC_ALL=C grep -qaF "$features" "$DIR/reply"
	# What containerd looks for.
	[ "$(jq '.mountOptions | index("rro") != null' <<<"$features")" = true ]
	[ "$(jq .linux.mountExtensions.idmap.enabled <<<"$features")" = true ]
	inside "$SHIM" -info </dev/null >"$DIR/reply"
	run -0 decode "$DIR/reply" RuntimeInfo
	[[ $output != *options* ]]
}

@test "-v: for people" {
	run -0 "$SHIM" -v
	[[ ${lines[0]} == "containerd-shim-tote-v2 version $("$TOTE" --version | sed -n 's/^tote version //p')" ]]
	[[ $output == *"protobuf-c: "* ]]
}
