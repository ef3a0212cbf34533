# SPDX-License-Identifier: Apache-2.0
# containerd is killed at every STEP-th system call that the native shim makes for a create and a start, and comes back: the
# container is there and of use, or nothing of it is left. Which calls and which versions of containerd come together depends on the
# day; STEP=1: all, the versions by turns. See daemon_killer.py.

bats_require_minimum_version 1.5.0
load ../bats
load ctr
BY_TOTE=(--runtime io.containerd.tote.v2)
GROUP=(--annotation io.containerd.tote.v2.group=pod)

# In the shim's place containerd finds a program that has it traced when DIR/trace is there.
wrap_shim() {
	cat >"$BATS_FILE_TMPDIR/containerd-shim-tote-v2" <<-END
		#!/bin/bash
		dir=
		for ((i = 1; i < \$#; i++)); do
			[ "\${!i}" != -address ] || { i=\$((i + 1)); dir=\$(dirname "\${!i}"); }
		done
		case " \$* " in
		*" start "*) [ ! -e "\$dir/trace" ] || exec /usr/bin/python3 "$SHIM_TESTS/daemon_killer.py" start "\$dir" "$CTR_BIN_ADD/containerd-shim-tote-v2" "\$@" ;;
		esac
		exec "$CTR_BIN_ADD/containerd-shim-tote-v2" "\$@"
	END
	chmod 755 "$BATS_FILE_TMPDIR/containerd-shim-tote-v2"
	export CTR_BIN_ADD=$BATS_FILE_TMPDIR
}

setup_file() {
	[ -x "$CTR_BIN_ADD/containerd-shim-tote-v2" ] || skip "the shim is not built"
	wrap_shim
	start_containerds
}
teardown_file() { stop_containerds; }
teardown() { each_containerd clean_containers; }

# Turns of it, at most 30 s.
patiently() { # COMMAND...
	soon "$@" || soon "$@" || soon "$@"
}

# What there is of a container c1, of the shim's and of containerd's.
rest_of_c1() {
	local group=/sys/fs/cgroup/$CTR_NS/c1
	[ -e /sys/fs/cgroup/cgroup.controllers ] || group=/sys/fs/cgroup/unified/$CTR_NS/c1
	ls -d "$CTR_DIR/run/tote/$CTR_NS/c1" "$CTR_DIR"/{state,root}/io.containerd.runtime.v2.task/"$CTR_NS/c1" "$group" 2>/dev/null
	in_containerd grep -F "$CTR_NS/c1/" /proc/self/mountinfo
	"$TOTE" --root "$CTR_DIR/run/tote/$CTR_NS" list -q | grep -x c1
	grep -lsE "$CTR_NS/c1$" /proc/[0-9]*/cgroup
}

# Shims and sockets, apart from those of the group that stays.
servers() {
	local keep=${1:-0}
	[ "$(shims | wc -l)" = "$keep" ] && [ "$(find "$CTR_DIR/run/s" -type s 2>/dev/null | wc -l)" = "$keep" ]
}

nothing_of_c1() {
	[ -z "$(rest_of_c1)" ]
}

gone() { # SERVERS-THAT-STAY
	patiently nothing_of_c1 || { echo "left: $(rest_of_c1)"; return 1; }
	patiently servers "$1" || { echo "shims: $(shims | xargs); sockets: $(find "$CTR_DIR/run/s" -type s)"; return 1; }
}

known() { # tasks|containers
	ctr "$1" ls -q | grep -qx c1
}

status_of_c1() {
	ctr tasks ls | awk '$1 == "c1" { print $3 }'
}

# A command in a container says so. When all is over ctr gives up reading, which it may not have begun on a busy machine: then the code
# is 0 without a word, and it is asked again.
says_here() { # CONTAINER
	local said
	for _ in 1 2 3; do
		said=$(ctr tasks exec --exec-id "e$RANDOM" "$1" echo here) || { echo "exec in $1: code $?"; return 1; }
		[ -z "$said" ] || break
	done
	[ "$said" = here ] || { echo "exec in $1 says \"$said\""; return 1; }
}

# A task that is there can be used; afterwards none is. One that was made and not started has nobody who starts it: ctr would make it.
use() {
	local status
	status=$(status_of_c1)
	case $status in
	CREATED) ctr tasks ps c1 >/dev/null || return ;;
	RUNNING) says_here c1 || return ;;
	*) echo "status: $status"; return 1 ;;
	esac
	ctr tasks rm --force c1
}

# One point; $outcome tells what came of it: "past" when the shim had made all its calls before.
kill_at() { # N [SERVER]
	local server=${2:-} code=0 keep=0 said
	[ -z "$server" ] || keep=1
	outcome=gone
	echo "$1" >"$CTR_DIR/nth"
	rm -f "$CTR_DIR"/{hit,call,trace}
	if [ -n "$server" ]; then
		/usr/bin/python3 "$SHIM_TESTS/daemon_killer.py" serve "$CTR_DIR" "$server" || return
	else
		: >"$CTR_DIR/trace"
	fi
	ctr run -d "${BY_TOTE[@]}" ${server:+"${GROUP[@]}"} "$IMAGE" c1 sleep 1000 >"$CTR_DIR/out" 2>&1 </dev/null 3>&- || code=$?
	rm -f "$CTR_DIR"/{nth,trace}
	[ "$code" != 124 ] || { echo "ctr run hangs"; return 1; }
	if [ ! -e "$CTR_DIR/hit" ]; then
		[ "$code" = 0 ] || { cat "$CTR_DIR/out"; return 1; }
		outcome=past
	else
		containerd_pid
		patiently gone_pid "$CTR_PID" || return
		boot_containerd || return
	fi
	if known tasks; then
		[ "$outcome" = past ] || outcome=$(status_of_c1)
		use || return
	fi
	! known containers || ctr containers rm c1 || return
	gone "$keep" || return
	said=$(ctr run --rm "${BY_TOTE[@]}" ${server:+"${GROUP[@]}"} "$IMAGE" c1 echo again) || { echo "run: code $?"; return 1; }
	[ "$said" = again ] || { echo "run says \"$said\""; return 1; }
	gone "$keep"
}

tell() { # N
	echo "containerd $CTR_VERSION killed at call $1 ($(cat "$CTR_DIR/call" 2>/dev/null))"
	ls -la "$CTR_DIR/state/io.containerd.runtime.v2.task/$CTR_NS/c1" 2>/dev/null || true
	head -c 200 "$CTR_DIR"/state/io.containerd.runtime.v2.task/"$CTR_NS"/c1/{address,init.pid,bootstrap.json} 2>/dev/null || true
	shims | xargs -r ps -o pid,ppid,wchan,args -p
	cat "$CTR_DIR/out"
	grep -v 'loading plugin\|skip loading' "$CTR_DIR/log" | tail -n 20
}

# Both for every point: that of the day, then each STEP-th, under each version in turn, until one has not come so far.
sweep() { # STEP LEAST FUNCTION DIR...: the function is done first for each point
	local step=${STEP:-$1} least=$2 before=$3 n turn=0 past=0 counts= dirs
	dirs=("${@:4}")
	n=${FIRST:-$((10#$(date +%j) % step + 1))}
	[ "$step" = 1 ] || turn=$((10#$(date +%j)))
	while [ "$past" = 0 ]; do
		. "${dirs[$((turn++ % ${#dirs[@]}))]}/env"
		$before
		kill_at "$n" ${keeper:+"$keeper"} || { tell "$n"; return 1; }
		counts+=" $outcome"
		[ "$outcome" != past ] || past=1
		n=$((n + step))
	done
	n=$((n - step))
	[ "$n" -gt "$least" ] || { echo "only $n calls"; return 1; }
	tr ' ' '\n' <<<"$counts" | grep . | sort | uniq -c | sed 's/^/# /' >&3
}

@test "killed at every point of a create with a shim of its own" {
	keeper=
	sweep 193 300 true $CTR_DIRS
}

# The server of a container that goes on; it is of use whatever happened to the other one.
with_keeper() {
	if [ -z "$(ctr tasks ls -q)" ]; then
		ctr run -d "${BY_TOTE[@]}" "${GROUP[@]}" "$IMAGE" keeper sleep 1000 >/dev/null 3>&- </dev/null
	fi
	says_here keeper
	keeper=$(shims)
}

# Not under 1.6: of a create that it was killed in it keeps the bundle as long as there is a shim, whoever made it.
@test "killed at every point of a create in the shim of another container" {
	local dir newer=
	for dir in $CTR_DIRS; do
		. "$dir/env"
		[[ $CTR_VERSION == 1.[0-6].* ]] || newer+=" $dir"
	done
	[ -n "$newer" ] || skip "only containerd $CTR_VERSION"
	sweep 223 200 with_keeper $newer
}
