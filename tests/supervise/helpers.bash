# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of `tote up`: a box of each test's own, with its own cgroups, network, /run and directories.
#
#   load helpers
#   setup_file() { make_store; }          # images box:1, and with "services" nginx:1, mosquitto:1, redis:1
#   setup()      { open_box; }
#   teardown()   { close_box; }
#
# in_box COMMAND... runs there, tote ARGUMENT... is `tote` in there. $WORK is the working directory, $RUN, $STATE and $LOG are the
# supervisor's. close_box kills everything that was ever started in there, as it is all in one group, whatever the test left.

load ../cli/helpers

# Images are the same for all tests of a file.
make_store() { # [services]
	[ "$(id -u)" = 0 ] || return 0
	export BUILD=${BUILD:-$BATS_TEST_DIRNAME/../../build} TOTE_STORE
	SHARED=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-supervise.XXXXXX")
	TOTE_STORE=$SHARED/store
	export SHARED
	make_rootfs "$SHARED/box"
	tar -C "$SHARED/box" -cf "$SHARED/box.tar" .
	import_image box:1 --cmd sh "$SHARED/box.tar"
	[ "${1:-}" = services ] || return 0
	IMAGES=$(exec 2>"$SHARED/images.err"; "$BATS_TEST_DIRNAME/../online" "$BATS_TEST_DIRNAME/images" "$BUILD/tests/services" 3>&-) || {
		cat "$SHARED/images.err"
		return 1
	}
	export IMAGES
	import_image nginx:1 --cmd '["nginx","-g","daemon off;"]' "$IMAGES/nginx.tar"
	import_image mosquitto:1 --cmd '["mosquitto","-c","/etc/mosquitto/mosquitto.conf"]' "$IMAGES/mosquitto.tar"
	import_image redis:1 --entrypoint entrypoint --cmd "redis-server --protected-mode no" --workdir /data "$IMAGES/redis.tar"
}

drop_store() {
	[ -z "${SHARED:-}" ] || rm -rf "$SHARED"
}

import_image() { # NAME IMPORT-WORDS...
	"$TOTE" import -q "${@:2}" "$1" >/dev/null
}

# ---- the box ----

open_box() {
	local tree
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare --net --mount true 2>/dev/null || skip "cannot make namespaces"
	WORK=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-box.XXXXXX")
	export TOTE_SUPERVISE_DIR=$WORK/supervise TOTE_NET_DIR=$WORK/net NETCONFPATH=$WORK/net.d CNI_PATH=/nonexistent
	RUN=$TOTE_SUPERVISE_DIR/run STATE=$TOTE_SUPERVISE_DIR/state LOG=$TOTE_SUPERVISE_DIR/log ROOT=$WORK/root
	SUPERVISE=${TOTE%/*}/tote-supervise
	mkdir "$NETCONFPATH"
	cd "$WORK"
	SUPERVISOR=
	tree=$(cgroup2_mount)
	GROUP=$tree/tote-box.$$.$BATS_TEST_NUMBER
	mkdir "$GROUP"
	# Processes are in a group of the box's first level, lest they forbid controllers to the others.
	sh -c 'echo 0 >"$1/cgroup.procs" && exec unshare --net --mount --cgroup --propagation private sh -c "
		mount -t cgroup2 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/driver && echo 0 >/sys/fs/cgroup/driver/cgroup.procs &&
		for c in \$(cat /sys/fs/cgroup/cgroup.controllers); do echo +\$c >/sys/fs/cgroup/cgroup.subtree_control; done
		mount -t tmpfs -o mode=755 none /run
		ip link set lo up && echo 0 >/proc/sys/net/ipv4/ip_forward
		echo ready >\"\$0\"; exec sleep 3600" "$2"' sh "$GROUP" "$WORK/ready" >"$WORK/box.log" 2>&1 3>&- &
	BOX=$!
	eventually test -s "$WORK/ready" || { cat "$WORK/box.log"; return 1; }
	# As the box sees them: a test may mount something there.
	RUN=/proc/$BOX/root$RUN STATE=/proc/$BOX/root$STATE LOG=/proc/$BOX/root$LOG
}

# What is left of it is killed together; namespaces, mounts and interfaces go with the last process.
close_box() {
	[ -n "${GROUP:-}" ] || return 0
	[ -z "${BATS_TEST_COMPLETED:-}" ] && show_box
	echo 1 >"$GROUP/cgroup.kill" || true
	[ -z "${BOX:-}" ] || wait "$BOX" 2>/dev/null || true
	eventually group_gone "$GROUP" || echo "$GROUP is still there"
	cd /
	rm -rf "$WORK" "$TOTE_STORE"/containers/*
}

# After a failure: what there is to see.
show_box() {
	local file
	for file in "$WORK/supervise.log" "$LOG/tote-supervise.log" "$RUN"/i/*/{status,exit,record}.json; do
		[ -s "$file" ] && { echo "-- ${file##*/supervise/}"; tail -c 2000 "$file"; echo; }
	done
	return 0
}

group_gone() {
	find "$1" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
	rmdir "$1" 2>/dev/null || [ ! -d "$1" ]
}

in_box() {
	nsenter -t "$BOX" -n -m -C --wdns="$PWD" sh -c 'echo 0 >/sys/fs/cgroup/driver/cgroup.procs && exec "$0" "$@"' "$@" 3>&-
}

tote() { in_box timeout -k 5 "${LIMIT:-120}" "$TOTE" --root "$ROOT" "$@" </dev/null; }

# ---- the supervisor ----

# Sets $SUPERVISOR. Further words are its options.
start_supervisor() {
	(exec nsenter -t "$BOX" -n -m -C --wdns="$PWD" sh -c 'echo 0 >/sys/fs/cgroup/driver/cgroup.procs && exec "$0" "$@"' \
		"$SUPERVISE" --root "$ROOT" "$@") </dev/null >>"$WORK/supervise.log" 2>&1 3>&- &
	SUPERVISOR=$!
}

supervisor_answers() { tote status >/dev/null 2>&1 && [ -S "$RUN/control" ] && ping_supervisor; }

# The supervisor itself, as `tote status` can do without it.
ping_supervisor() {
	in_box python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(b"{\"do\":\"ping\"}\n")
sys.exit(not s.recv(100))' "$RUN/control" 2>/dev/null
}

# Also those that `tote up` has started, as it does where there is none.
kill_supervisor() {
	local pid
	for pid in $(supervisors); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	# It may not have got as far as its name.
	[ -z "$SUPERVISOR" ] || kill -KILL "$SUPERVISOR" 2>/dev/null || true
	[ -z "$SUPERVISOR" ] || wait "$SUPERVISOR" 2>/dev/null || true
	SUPERVISOR=
}

supervisors() {
	local pid
	for pid in $(cat "$GROUP/driver/cgroup.procs"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != tote-supervise ] || echo "$pid"
	done
}

# Sends SIGTERM and waits, at most 60 s. Sets $code.
stop_supervisor() {
	kill -TERM "$SUPERVISOR"
	patiently process_gone "$SUPERVISOR"
	code=0
	wait "$SUPERVISOR" || code=$?
}

process_gone() { [ ! -d "/proc/$1" ] || [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) = Z* ]]; }

# Waits (at most 30 s) until a command succeeds.
patiently() {
	local end=$((SECONDS + 30))
	while [ $SECONDS -lt $end ]; do
		"$@" >"$WORK/last.out" 2>&1 && return 0
		sleep 0.1
	done
	echo "waited in vain: $*"
	cat "$WORK/last.out"
	return 1
}

# ---- what instances say of themselves ----

file_of() { # INSTANCE NAME
	cat "$RUN/i/$1/$2.json"
}
field() { # INSTANCE NAME JQ
	jq -r "$3" "$RUN/i/$1/$2.json" 2>/dev/null
}
instances() { ls "$RUN/i" 2>/dev/null; }
is_running() { [ "$(field "$1" status .state)" = running ] && kill -0 "$(init_of "$1")" 2>/dev/null; }
init_of() { field "$1" status .pid; }
run_of() { field "$1" status .run; }
monitor_of() { cut -d " " -f 1 "$RUN/i/$1/monitor"; }
log_of() { cat "$LOG/$1.log" 2>/dev/null || cat "$LOG"/*/"$1.log"; } # INSTANCE

# Processes of the box besides the one that keeps it and the supervisor.
strangers() {
	local pid
	for pid in $(cat "$GROUP"/cgroup.procs "$GROUP"/*/cgroup.procs "$GROUP"/*/*/cgroup.procs 2>/dev/null); do
		[ "$pid" = "$BOX" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = tote-supervise ] || echo "$pid $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
	done
}

# Nothing of any container is left in the box, but for what is desired, logs, volumes and the network itself.
nothing_left() {
	local left
	left=$(strangers
		find "$GROUP" -mindepth 1 -maxdepth 2 -type d ! -path "$GROUP/driver*"
		find "$RUN/i" "$ROOT" -mindepth 1 -maxdepth 1 ! -name .seccomp 2>/dev/null
		in_box ip -o link show type veth
		in_box cat /proc/self/mountinfo | grep -e "$WORK" -e "$TOTE_STORE"
		find "$TOTE_NET_DIR/leases" -name '*[.:]*' ! -name '.*' ! -name 'last_*' ! -name lock 2>/dev/null
		find "$TOTE_NET_DIR/attachments" "$TOTE_STORE/containers" -mindepth 1 -maxdepth 1 2>/dev/null)
	[ -z "$left" ] || { echo "left behind: $left"; return 1; }
}

# ---- what the supervisor says ----

status_json() { tote status --format json; }
service() { # SERVICE JQ: of the one project that there is
	status_json | jq -r --arg s "$1" '.projects[0].services[] | select(.name == $s) | '"$2"
}
service_is() { [ "$(service "$1" "$2")" = "$3" ]; } # SERVICE JQ VALUE
all_ok() { # every service is as it is wanted
	[ "$(status_json | jq '[.projects[].services[].instances[] | .state == "running" or .state == "completed" | not] | any')" = false ]
}

compose() { cat >"$WORK/compose.yaml"; } # <COMPOSE-FILE
