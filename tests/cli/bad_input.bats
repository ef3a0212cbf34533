# SPDX-License-Identifier: Apache-2.0
# What tote is asked for cannot be done: the exit code, the message, and that nothing is left behind.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	PID_FILE=$BATS_TEST_TMPDIR/pid
}

teardown() {
	clean_up
}

# create and run must refuse the bundle with these words, and leave host, bundle and state directory as they were.
bundle_refused() {
	local words=$1 verb before
	shift
	before=$(ls -A "$BUNDLE")
	for verb in create run; do
		refuses 1 "$words" "$verb" --pid-file "$PID_FILE" "$@" "$ID"
		nothing_left
		[ "$(ls -A "$BUNDLE")" = "$before" ]
		[ ! -e "$PID_FILE" ]
	done
}

@test "a bundle without config.json" {
	rm config.json
	bundle_refused "config.json"
	[[ $stderr == *"$BUNDLE"* ]]
	[[ ${stderr,,} == *"no such file or directory"* ]]
}

@test "a bundle that does not exist" {
	bundle_refused "$BUNDLE/nowhere" --bundle "$BUNDLE/nowhere"
	[[ ${stderr,,} == *"no such file or directory"* ]]
}

@test "a bundle that is a file" {
	bundle_refused "$BUNDLE/config.json" --bundle "$BUNDLE/config.json"
	[[ ${stderr,,} == *"not a directory"* ]]
}

@test "config.json that is no JSON" {
	for text in '' '{' '{"ociVersion": "1.0.2",}' 'hello' '{} {}'; do
		echo "$text" >config.json
		bundle_refused "config.json"
	done
}

@test "config.json that is a directory, a FIFO or a device does not hang" {
	rm config.json && mkdir config.json
	bundle_refused "config.json"
	rmdir config.json && mkfifo config.json
	bundle_refused "config.json"
	rm config.json && ln -s /dev/zero config.json
	bundle_refused "config.json"
}

@test "config.json with a wrong type names the JSON path" {
	config '.process.user.uid = "abc"'
	bundle_refused "process.user.uid"
	[[ $stderr == *config.json*abc* ]]
}

@test "config.json with a key twice" {
	sed -i '0,/"ociVersion"/s//"ociVersion": "1.0.2", "ociVersion"/' config.json
	bundle_refused "ociVersion"
}

@test "config.json of another major version" {
	config '.ociVersion = "2.0.0"'
	bundle_refused "ociVersion"
	[[ $stderr == *2.0.0* ]]
}

@test "config.json without process, and without args" {
	config 'del(.process)'
	bundle_refused "process"
	config '.process = {"cwd": "/", "args": [], "user": {"uid": 0, "gid": 0}}'
	bundle_refused "process.args"
}

@test "an unknown namespace type" {
	config '.linux.namespaces += [{"type": "dream"}]'
	bundle_refused "linux.namespaces"
	[[ $stderr == *dream* ]]
}

@test "a namespace path that does not exist, and one of another type" {
	config '(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/nowhere"'
	bundle_refused "/proc/self/ns/nowhere"
	config '(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/uts"'
	bundle_refused "network namespace"
}

@test "a missing root file system" {
	config '.root.path = "nowhere"'
	bundle_refused "$BUNDLE/nowhere"
	[[ ${stderr,,} == *"root file system"*"no such file or directory"* ]]
}

@test "a root file system that is a file" {
	touch "$BATS_TEST_TMPDIR/file"
	config '.root.path = $p' --arg p "$BATS_TEST_TMPDIR/file"
	bundle_refused "$BATS_TEST_TMPDIR/file"
	[[ ${stderr,,} == *"not a directory"* ]]
}

@test "a root file system that is a dangling link" {
	ln -s /nowhere/at/all "$BATS_TEST_TMPDIR/link"
	config '.root.path = $p' --arg p "$BATS_TEST_TMPDIR/link"
	bundle_refused "$BATS_TEST_TMPDIR/link"
}

@test "argv[0] that PATH does not have" {
	command_is no-such-program
	bundle_refused 'executable file not found in'
	[[ $stderr == *'"no-such-program"'* ]]
}

@test "argv[0] that PATH has elsewhere" {
	command_is sh
	config '.process.env = ["PATH=/etc:/nowhere"]'
	bundle_refused 'executable file not found in'
}

@test "argv[0] with a slash that does not exist" {
	command_is /bin/no-such-program
	bundle_refused '"/bin/no-such-program"'
	[[ ${stderr,,} == *"no such file or directory"* ]]
}

@test "argv[0] relative to a cwd that lacks it" {
	command_is ./sh
	config '.process.cwd = "/etc"'
	bundle_refused '"./sh"'
	[[ ${stderr,,} == *"no such file or directory"* ]]
}

@test "argv[0] that is not executable, or a directory" {
	command_is /etc/passwd
	bundle_refused '"/etc/passwd"'
	[[ ${stderr,,} == *"permission denied"* ]]
	command_is /etc
	bundle_refused '"/etc"'
	[[ ${stderr,,} == *"permission denied"* ]]
}

@test "argv[0] that only another user may execute" {
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	cp "$ROOTFS/bin/busybox" "$BATS_TEST_TMPDIR/rootfs/bin/private"
	chmod 700 "$BATS_TEST_TMPDIR/rootfs/bin/private"
	command_is /bin/private
	config '.process.user = {"uid": 1000, "gid": 1000} | .root.path = $p' --arg p "$BATS_TEST_TMPDIR/rootfs"
	bundle_refused '"/bin/private"'
	[[ ${stderr,,} == *"permission denied"* ]]
}

@test "a script whose interpreter is missing fails at start, or in run" {
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	printf '#!/no/such/shell\n' >"$BATS_TEST_TMPDIR/rootfs/bin/script"
	chmod 755 "$BATS_TEST_TMPDIR/rootfs/bin/script"
	command_is script
	config '.root.path = $p' --arg p "$BATS_TEST_TMPDIR/rootfs"
	refuses 1 '"script"' run "$ID"
	nothing_left
	quietly tote create "$ID"
	refuses 1 '"script"' start "$ID"
	[[ ${stderr,,} == *"no such file or directory"* ]]
	[ "$(status_of "$ID")" = stopped ]
	tote delete "$ID"
	nothing_left
}

@test "a cwd that cannot be made" {
	config '.process.cwd = "/etc/passwd/directory"'
	bundle_refused "/etc/passwd/directory"
	[[ ${stderr,,} == *"chdir"*"not a directory"* ]]
}

@test "a cwd that is a file" {
	config '.process.cwd = "/etc/passwd"'
	bundle_refused "/etc/passwd"
	[[ ${stderr,,} == *"not a directory"* ]]
}

@test "a relative cwd" {
	config '.process.cwd = "etc"'
	bundle_refused "process.cwd"
}

@test "a busy id leaves its owner alone" {
	background
	pid=$(tote state "$ID" | jq .pid)
	refuses 1 "container with given ID already exists" run --pid-file "$PID_FILE" "$ID"
	refuses 1 "container with given ID already exists" create --pid-file "$PID_FILE" "$ID"
	[ ! -e "$PID_FILE" ]
	[ "$(status_of "$ID")" = running ]
	[ "$(tote state "$ID" | jq .pid)" = "$pid" ]
	kill -0 "$pid"
}

@test "a failing create with the pid file of another container leaves that file" {
	command_is sleep 1000
	quietly tote create --pid-file "$PID_FILE" "$ID"
	before=$(cat "$PID_FILE")
	refuses 1 "already exists" create --pid-file "$PID_FILE" "$ID"
	[ "$(cat "$PID_FILE")" = "$before" ]
}

@test "ids that are no file names, empty or too long" {
	for id in a/b ../a .. . '' /abs '.hidden' 'a b' 'ä' $'a\nb' "$(printf 'x%.0s' {1..1025})"; do
		for verb in create run start state kill delete pause resume ps; do
			refuses 1 "" "$verb" -- "$id"
		done
		run tote delete --force -- "$id"
		[ "$status" -le 1 ]
		refuses 255 "" exec -- "$id" true
	done
	[ -z "$(find "$ROOT" -mindepth 1 2>/dev/null)" ]
	[ ! -e "$BATS_TEST_TMPDIR/a" ] && [ ! -e "$BATS_TEST_TMPDIR/abs" ]
}

@test "ids that are fine: punctuation, a leading dash after --, 200 characters" {
	command_is echo fine
	for id in a+b_c-d.e _x +x -- "$(printf 'x%.0s' {1..200})"; do
		[ "$id" = -- ] && id=-x
		run -0 tote run -- "$id"
		[ "$output" = fine ]
		nothing_left "$id"
	done
}

@test "unknown commands and options, missing and extra arguments" {
	refuses 1 'unknown command "fly"' fly
	refuses 1 "--wings" run --wings "$ID"
	refuses 1 "-W" run -W "$ID"
	refuses 1 "--wings" --wings list
	refuses 1 "missing argument" run
	refuses 1 "missing argument" state
	refuses 1 '"extra"' state "$ID" extra
	refuses 1 '"extra"' run "$ID" extra
	refuses 1 "requires an argument" run --bundle
	refuses 1 "requires an argument" run -b
	refuses 1 "preserve-fds" run --preserve-fds x "$ID"
	refuses 1 "preserve-fds" run --preserve-fds -1 "$ID"
	refuses 255 "--wings" exec --wings "$ID" true
	refuses 255 "missing argument" exec "$ID"
	refuses 255 "" exec
	refuses 1 '"XYZ"' list --format XYZ
	nothing_left
}

@test "no command at all prints the usage and fails" {
	run --separate-stderr tote
	[ "$status" -eq 1 ]
	[[ $output$stderr == *usage* ]]
}

@test "commands on an unknown container" {
	for command in "start" "state" "kill" "delete" "pause" "resume" "ps"; do
		refuses 1 "container does not exist" $command "$ID"
		[[ $stderr == *"$ID"* ]]
	done
	refuses 1 "container does not exist" kill "$ID" 9
	refuses 255 "container does not exist" exec "$ID" true
	run -0 --separate-stderr tote delete --force "$ID"
	[ -z "$output" ]
}

@test "the same with a state directory that exists" {
	background
	for command in "start" "state" "kill" "delete" "pause" "resume" "ps"; do
		refuses 1 "container does not exist" $command other
	done
	refuses 255 "container does not exist" exec other true
	run -0 tote delete --force other
}

@test "a terminal without console socket" {
	config '.process.terminal = true'
	refuses 1 "console-socket" create "$ID"
	nothing_left
	refuses 1 "console-socket" run -d "$ID"
	nothing_left
}

@test "a console socket without terminal, and one that does not exist" {
	refuses 1 "process.terminal" create --console-socket "$BATS_TEST_TMPDIR/none" "$ID"
	config '.process.terminal = true'
	refuses 1 "$BATS_TEST_TMPDIR/none" create --console-socket "$BATS_TEST_TMPDIR/none" "$ID"
	nothing_left
}

@test "a terminal without a devpts to take it from" {
	config '.process.terminal = true | .mounts |= map(select(.destination != "/dev/pts"))'
	listen_on_socket fd
	refuses 1 "terminal" create --console-socket "$SOCKET" "$ID"
	nothing_left
	kill "$UNIXSOCK_PID"
}

@test "a pid file that cannot be written undoes the container" {
	refuses 1 "/no/such/dir/pid" create --pid-file /no/such/dir/pid "$ID"
	nothing_left
	refuses 1 "/no/such/dir/pid" run --pid-file /no/such/dir/pid "$ID"
	nothing_left
}

@test "descriptors to be preserved that are not open" {
	refuses 1 "not open" run --preserve-fds 4 "$ID"
	nothing_left
	LISTEN_FDS=2 refuses 1 "not open" run "$ID"
	nothing_left
}

@test "--root: / is refused, and so is a directory that others can write" {
	run -1 --separate-stderr "$TOTE" --root / list
	[[ $stderr == *--root* ]]
	run -1 --separate-stderr "$TOTE" --root //// list
	mkdir -m 777 "$BATS_TEST_TMPDIR/open"
	run -1 --separate-stderr "$TOTE" --root "$BATS_TEST_TMPDIR/open" run "$ID"
	[[ $stderr == *"$BATS_TEST_TMPDIR/open"* ]]
	touch "$BATS_TEST_TMPDIR/file"
	run -1 --separate-stderr "$TOTE" --root "$BATS_TEST_TMPDIR/file" run "$ID"
	[[ $stderr == *"$BATS_TEST_TMPDIR/file"* ]]
}

@test "global options with bad values" {
	refuses 1 "--log-level" --log-level loud list
	refuses 1 "--cgroup-manager" --cgroup-manager none list
	refuses 1 "--rootless" --rootless perhaps list
	refuses 1 "/no/such/dir/log" --log /no/such/dir/log list
}

@test "an unknown capability is a warning" {
	config '.process.capabilities.bounding += ["CAP_TIME_TRAVEL"]'
	command_is true
	run -0 --separate-stderr tote run "$ID"
	[[ $stderr == *warning*CAP_TIME_TRAVEL* ]]
}

@test "unknown properties are ignored" {
	config '.surprise = {"a": [1]} | .process.surprise = true | .linux.surprise = null'
	command_is echo fine
	run -0 --separate-stderr tote run "$ID"
	[ "$output" = fine ]
	[ -z "$stderr" ]
}

@test "a cgroup path that climbs out" {
	config '.linux.cgroupsPath = "/../../x"'
	bundle_refused "cgroupsPath"
}

# Somebody has yet to reap it, perhaps.
has_ended() { # PID
	[ ! -d "/proc/$1" ] || [ "$(awk '/^State:/ {print $2}' "/proc/$1/status")" = Z ]
}

@test "a damaged state: an error, and delete --force cleans up" {
	background
	pid=$(tote state "$ID" | jq .pid)
	cp "$ROOT/$ID/state.json" "$BATS_TEST_TMPDIR/good"
	echo '{"id": 3' >"$ROOT/$ID/state.json"
	refuses 1 "$ID" state "$ID"
	refuses 1 "$ID" kill "$ID" 9
	refuses 1 "$ID" delete "$ID"
	run -0 tote list -q
	cp "$BATS_TEST_TMPDIR/good" "$ROOT/$ID/state.json"
	[ "$(status_of "$ID")" = running ]
	mkdir -m 700 "$ROOT/empty"
	refuses 1 "empty" state empty
	run -0 tote delete --force empty
	[ ! -e "$ROOT/empty" ]
	kill -0 "$pid"
	group=$(cgroup2_mount)$(jq -r .cgroupPath "$BATS_TEST_TMPDIR/good")
	[ -d "$group" ]
	echo '{"id": 3' >"$ROOT/$ID/state.json"
	run -0 --separate-stderr tote delete --force "$ID"
	[[ $stderr == *"$ID\": state.json: "*": only what ran of it is removed"* ]]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$group" ]
	has_ended "$pid"
}

@test "a state that is gone: delete --force ends what runs, with a group anywhere or none" {
	config '.linux.cgroupsPath = "/tote-deep.'"$$"'/a/b"'
	background
	pid=$(tote state "$ID" | jq .pid)
	tote pause "$ID"
	rm "$ROOT/$ID/state.json"
	run -0 tote delete --force "$ID"
	has_ended "$pid"
	[ ! -e "$(cgroup2_mount)/tote-deep.$$" ]
	quietly tote --cgroup-manager disabled run -d "$ID"
	pid=$(tote state "$ID" | jq .pid)
	: >"$ROOT/$ID/state.json"
	run -0 tote delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
	has_ended "$pid"
}
