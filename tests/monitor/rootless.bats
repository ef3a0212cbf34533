# SPDX-License-Identifier: Apache-2.0
# The monitor of an ordinary user's container.
bats_require_minimum_version 1.5.0
load helpers

USER_ID=47115

# Bats' own directories cannot be searched by others.
setup() {
	[ "$(id -u)" = 0 ] || skip "needs root, to become somebody else"
	HOME_DIR=$(mktemp -d /tmp/tote-monitor.XXXXXX)
	chmod 755 "$HOME_DIR"
	(make_rootfs "$HOME_DIR/rootfs")
	cp "$TOTE" "$MONITOR" "$HOME_DIR/"
	DIR=$HOME_DIR/dir BUNDLE=$HOME_DIR/bundle LOG=$HOME_DIR/log/box.log ROOT=$HOME_DIR/run/tote ID=m$$-$BATS_TEST_NUMBER
	install -d -m 700 "$DIR" "$BUNDLE" "${LOG%/*}" "$HOME_DIR/run"
	chown -Rh $USER_ID:$USER_ID "$HOME_DIR"
	user unshare --user true 2>/dev/null || skip "ordinary users cannot make user namespaces here"
	user "$HOME_DIR/tote" spec --rootless -b "$BUNDLE"
	config ".process.terminal = false | .root.path = \"$HOME_DIR/rootfs\""
}

teardown() {
	[ -z "${MONITOR_PID:-}" ] || kill -KILL "$MONITOR_PID" 2>/dev/null || true
	[ ! -e "$ROOT/$ID" ] || user "$HOME_DIR/tote" --root "$ROOT" delete --force "$ID"
	rm -rf "$HOME_DIR"
}

user() {
	(cd "$HOME_DIR" && XDG_RUNTIME_DIR=$HOME_DIR/run HOME=$HOME_DIR \
		setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --inh-caps=-all "$@")
}

user_monitor() {
	user "$HOME_DIR/tote-monitor" --dir "$DIR" --run 1 --id "$ID" --root "$ROOT" --log-file "$LOG" "$@" -- \
		"$HOME_DIR/tote" --root "$ROOT" create -b "$BUNDLE" $CREATE_OPTIONS "$ID" </dev/null >"$BATS_TEST_TMPDIR/monitor.out" 2>&1 3>&- &
	MONITOR_PID=$!
}

user_tell() {
	user timeout 30 python3 - "$DIR" tell "$@" <"$BATS_TEST_DIRNAME/client.py"
}

@test "rootless: begin, lines, stop, end" {
	command_is sh -c 'trap "exit 3" TERM; echo "hello $(id -u)"; echo oops >&2; while :; do sleep 0.02; done'
	user_monitor
	patiently log_has 'stderr F oops'
	log_has 'stdout F hello 0'
	[ "$(stat -c %u "$LOG" "$DIR/status.json" | sort -u)" = $USER_ID ]
	user_tell stop SIGTERM 20000
	monitor_left
	exit_has '.reason == "asked" and .code == 3'
	[ ! -e "$ROOT/$ID" ]
}

@test "rootless: a container that takes the rights from its streams is adopted all the same" {
	command_is sh -c 'trap "exit 3" TERM; chmod 0 /proc/self/fd/1 /proc/self/fd/2; echo ready; while :; do sleep 0.02; done'
	user_monitor
	patiently log_has ready
	[ "$(stat -c %a "$DIR/out")" = 0 ]
	read -r pid _ <"$DIR/monitor"
	kill -KILL "$pid"
	patiently gone "$MONITOR_PID"
	user_monitor --adopt
	patiently user_tell stop SIGTERM 20000
	monitor_left
	exit_has '.reason == "asked"'
	[ ! -e "$ROOT/$ID" ]
}

@test "rootless: a terminal" {
	config '.process.terminal = true'
	CREATE_OPTIONS="--console-socket $DIR/console"
	command_is sh -c 'tty; echo ready; read x; echo "got $x"; exit 4'
	user_monitor --tty
	patiently log_has ready
	log_has /dev/pts/0
	user timeout 60 python3 - "$DIR" attach --type 'text\n' <"$BATS_TEST_DIRNAME/client.py"
	monitor_left
	exit_has '.code == 4'
	log_has 'got text'
}

@test "rootless: a monitor that was killed" {
	command_is sh -c 'trap "exit 3" TERM; i=0; while :; do i=$((i + 1)); echo "line $i"; sleep 0.02; done'
	user_monitor
	patiently log_has 'line 5$'
	# setpriv has become it.
	kill -KILL "$(cut -d' ' -f1 "$DIR/monitor")"
	patiently gone "$MONITOR_PID"
	user_monitor --adopt
	patiently log_has 'line 50$'
	user_tell stop SIGTERM 20000
	monitor_left
	exit_has '.reason == "asked"'
	log_text | awk '$2 != NR { print "line " NR " is " $0; exit 1 }'
	[ ! -e "$ROOT/$ID" ]
}
