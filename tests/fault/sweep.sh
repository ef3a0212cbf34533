#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sweeps create, start, exec, delete and run: at every STEP-th system call the command is killed, or the call fails.
# After each point `delete --force` must leave nothing. TAP on stdout; exit 1 on any failure.
#
#   tests/fault/sweep.sh [COMMAND...]           commands to sweep, all five when none is named
#
#   TOTE=build/tote     the runtime under test, options allowed
#   FAULT=build/fault   the injector
#   STEP=7 OFFSET=n     points 1+OFFSET, 1+OFFSET+STEP, ...; OFFSET is the day of the year modulo STEP, so that a
#                       week of daily runs covers every point
#   MODES="kill kill-all kill-any ENOMEM ENOSPC EIO EMFILE EINTR"   any errno name is a mode
#   BUSYBOX=/bin/busybox  a static one
#
# kill: the command's own calls; kill-all: and all its descendants die with it; kill-any: calls of descendants count
# too, and only the caller dies. An errno hits the command's own calls; for create also those of its descendants,
# which are all the runtime's own as long as the container is not started.

set -u

TOTE=${TOTE:-build/tote}
FAULT=${FAULT:-build/fault}
STEP=${STEP:-7}
OFFSET=${OFFSET:-$((10#$(date +%j) % STEP))}
MODES=${MODES:-kill kill-all kill-any ENOMEM ENOSPC EIO EMFILE EINTR}
BUSYBOX=${BUSYBOX:-/bin/busybox}
read -ra tote <<<"$TOTE"

command_limit=10 # seconds, for the command under test and for delete --force
grace=20         # times 50 ms, for tasks that die with their creator
max_lines=20     # failing points printed in a test

bail() {
	echo "Bail out! $*"
	exit 1
}

# ---- outside: namespaces, so that every process, mount and link seen by the sweep comes from the runtime ----

remove_cgroups() {
	find /sys/fs/cgroup -depth -type d -name "*$1*" 2>/dev/null | while read -r dir; do
		find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null
	done
}

# shellcheck disable=SC2317 # called by a trap
clean_up() {
	local try
	for ((try = 0; try < 20; try++)); do
		remove_cgroups "$prefix"
		[ -z "$(find /sys/fs/cgroup -type d -name "*$prefix*" 2>/dev/null)" ] && break
		sleep 0.1 # processes of a killed namespace are still ending
	done
}

outside() {
	local rc child

	[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
	command -v "${tote[0]}" >/dev/null || bail "no runtime: ${tote[0]}"
	command -v "$FAULT" >/dev/null || bail "no fault: $FAULT"
	[ -x "$BUSYBOX" ] || bail "no busybox: $BUSYBOX (Debian: busybox-static)"
	unshare -m -n -p -f --mount-proc true 2>/dev/null || { echo "1..0 # SKIP needs namespaces"; exit 0; }

	work=$(mktemp -d) || exit 1
	prefix=sweep$$t$(date +%s)p
	# Killing unshare kills the namespaces' first process, and that one's death all the others.
	trap 'kill -KILL "$child" 2>/dev/null; exit 130' INT TERM
	trap 'clean_up; rm -rf "$work"' EXIT
	SWEEP_WORK=$work SWEEP_PREFIX=$prefix unshare -m -n -p -f --mount-proc --kill-child -- bash "$0" "$@" &
	child=$!
	wait "$child"
	rc=$?
	[ "$rc" -le 1 ] || echo "Bail out! the sweep ended with $rc"
	exit "$rc"
}

# ---- the bundles: `idle` sleeps until it is killed, `brief` ends at once ----

# What the v2 tree of this host has controllers for.
limits() {
	local list= name
	for name in $(cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || cat /sys/fs/cgroup/unified/cgroup.controllers); do
		case $name in
		memory) list+=', "memory": {"limit": 67108864}' ;;
		cpu) list+=', "cpu": {"shares": 512, "quota": 90000}' ;;
		pids) list+=', "pids": {"limit": 64}' ;;
		hugetlb) [ ! -d /sys/kernel/mm/hugepages/hugepages-2048kB ] ||
			list+=', "hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]' ;;
		esac
	done
	echo "{\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]$list}"
}

write_config() { # args as JSON
	cat <<-END
	{
		"ociVersion": "1.0.2",
		"process": {
			"args": $1, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
			"capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
			"noNewPrivileges": true
		},
		"root": {"path": "$work/rootfs"},
		"hostname": "sweep",
		"mounts": [
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
				"options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
			{"destination": "/dev/pts", "type": "devpts", "source": "devpts",
				"options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
			{"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
				"options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
			{"destination": "/data", "type": "bind", "source": "$work/data", "options": ["rbind", "ro"]}
		],
		"linux": {
			"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
				{"type": "mount"}],
			"resources": $(limits),
			"maskedPaths": ["/proc/kcore", "/proc/keys"],
			"readonlyPaths": ["/proc/sys", "/proc/bus"],
			"seccomp": {
				"defaultAction": "SCMP_ACT_ALLOW",
				"syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
			}
		}
	}
	END
}

write_bundles() {
	mkdir -p "$work"/{rootfs/bin,idle,brief,data,state,tmp,io}
	cp "$BUSYBOX" "$work/rootfs/bin/busybox"
	ln -s busybox "$work/rootfs/bin/sleep"
	ln -s busybox "$work/rootfs/bin/true"
	write_config '["/bin/sleep", "600"]' >"$work/idle/config.json"
	write_config '["/bin/true"]' >"$work/brief/config.json"
}

# ---- what there is, without a fork where the shell can read it itself ----

files_now() {
	find "$work" -path "$work/io" -prune -o -print | sort
}

mounts_now() {
	mapfile -t mounts </proc/self/mountinfo
}

links_now() {
	local line
	links=
	while read -r line; do
		[[ $line == *:* ]] && links+=" ${line%%:*}"
	done </proc/net/dev
}

baseline() {
	base_files=$(files_now)
	mounts_now
	base_mounts=$(printf '%s\n' "${mounts[@]}")
	links_now
	base_links=$links
}

found_processes() {
	local dir pid line
	for dir in /proc/[0-9]*; do
		pid=${dir#/proc/}
		[ "$pid" = $$ ] && continue
		{ read -r line <"$dir/stat"; } 2>/dev/null || continue
		# A zombie is nothing but its exit status; one that has a parent other than the sweep shows its parent here.
		[[ ${line##*) } == Z* || ${line##*) } == X* ]] && continue
		pids+=("$pid")
		found+=("process $pid ${line#* }")
		found[-1]=${found[-1]%)*}")"
	done
}

found_mounts() {
	local line
	mounts_now
	for line in "${mounts[@]}"; do
		[[ $'\n'$base_mounts$'\n' == *$'\n'"$line"$'\n'* ]] || found+=("mount $line")
	done
}

found_files() { # id
	local now line
	now=$(files_now)
	if [ "$now" != "$base_files" ]; then
		while read -r line; do
			found+=("file $line")
		done < <(comm -13 <(echo "$base_files") <(echo "$now"))
		wait
	fi
	while read -r line; do
		[ -z "$line" ] || found+=("file $line")
	done <<<"$(find /run /tmp /var/tmp /dev/shm -maxdepth 3 -name "*$1*" 2>/dev/null)"
}

found_other() { # id
	local line
	while read -r line; do
		[ -z "$line" ] || found+=("cgroup $line")
	done <<<"$(find /sys/fs/cgroup -type d -name "*$1*" 2>/dev/null)"
	while read -r line; do
		[[ $line == *"$1"* || $line == *"$work"* ]] && found+=("socket ${line##* }")
	done </proc/net/unix
	links_now
	[ "$links" = "$base_links" ] || found+=("network links$links, not$base_links")
}

# Sets found to what is left of a container after a while of grace. Without a process nothing else will go away.
leftovers() { # id
	local try idle=0
	for ((try = 0; try < grace; try++)); do
		found=() pids=()
		found_processes
		found_mounts
		found_files "$1"
		found_other "$1"
		[ ${#found[@]} = 0 ] && return
		[ ${#pids[@]} != 0 ] || idle=$((idle + 1))
		[ "$idle" -lt 2 ] || return
		sleep 0.05
	done
}

# One point's leftovers shall not count again at the next.
purge() { # id
	local pid line
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	for ((pid = 0; pid < 64; pid++)); do
		mounts_now
		[ "$(printf '%s\n' "${mounts[@]}")" = "$base_mounts" ] && break
		for line in "${mounts[@]}"; do
			[[ $'\n'$base_mounts$'\n' == *$'\n'"$line"$'\n'* ]] && continue
			read -r _ _ _ _ line _ <<<"$line"
			umount -l "$line" 2>/dev/null
		done
	done
	sleep 0.1
	remove_cgroups "$1"
	comm -13 <(echo "$base_files") <(files_now) | while read -r line; do
		rm -rf "$line"
	done
	wait
	baseline
}

# ---- one point ----

runtime() {
	timeout -k 1 "$command_limit" "${tote[@]}" --root "$work/state" "$@" </dev/null >"$work/io/out" 2>"$work/io/err"
}

prepare() { # command id
	case $1 in
	start) runtime create -b "$work/idle" "$2" ;;
	exec | delete) runtime create -b "$work/idle" "$2" && runtime start "$2" ;;
	esac
}

under_fault() { # command id fault-arguments...
	local command=$1 id=$2
	local -a args
	shift 2
	case $command in
	create) args=(create -b "$work/idle" "$id") ;;
	run) args=(run -b "$work/brief" "$id") ;;
	start) args=(start "$id") ;;
	exec) args=(exec "$id" /bin/true) ;;
	delete) args=(delete --force "$id") ;;
	esac
	"$FAULT" "$@" -t "$command_limit" -- "${tote[@]}" --root "$work/state" "${args[@]}" \
		</dev/null >"$work/io/out" 2>"$work/io/err"
}

# Splits what fault -v says from what the runtime says: sets hit and message.
read_messages() {
	local line
	hit="" message=""
	while IFS= read -r line || [ -n "$line" ]; do
		if [[ $line =~ ^[0-9]+:\ [0-9]+\ ([a-z0-9_]+.*)$ ]]; then
			hit=${BASH_REMATCH[1]}
		else
			message+="$line "
		fi
	done <"$work/io/err"
}

# Judges the command's end; prints nothing when it is as it should be.
judge() { # command id mode rc
	local rc=$4
	if [ "$rc" = 124 ]; then
		echo "did not end in $command_limit s"
	elif [ "$rc" = 125 ]; then
		echo "fault failed: $message"
	elif [[ $3 == kill* ]]; then
		return
	# glibc ends a program that cannot start by a signal, but with a message.
	elif [ "$rc" -ge 128 ] && [ "$rc" -lt 255 ] && [[ $message != *"Fatal glibc error"* ]]; then
		echo "died of signal $((rc - 128)): $message"
	elif [ "$rc" != 0 ] && [[ $3 == *EINTR || $hit == *"(not injected)" || -z $hit ]]; then
		echo "exit $rc: $message"
	elif [ "$rc" != 0 ] && [ -z "${message// /}" ]; then
		echo "exit $rc without a message"
	elif [ "$rc" = 0 ] && [[ $1 == create || $1 == start ]] && ! runtime state "$2"; then
		echo "succeeded, but there is no state"
	fi
}

point() { # command mode n id fault-arguments...
	local command=$1 mode=$2 n=$3 id=$4 rc
	local -a found pids
	shift 4
	problem=
	prepare "$command" "$id" || problem="cannot prepare: $(<"$work/io/err")"
	if [ -z "$problem" ]; then
		under_fault "$command" "$id" "$@" -v -n "$n"
		rc=$?
		read_messages
		judge "$command" "$id" "$mode" "$rc" >"$work/io/problem"
		problem=$(<"$work/io/problem")
	fi
	runtime delete --force "$id"
	rc=$?
	[ "$rc" = 0 ] || problem+="${problem:+; }delete --force: exit $rc: $(<"$work/io/err")"
	leftovers "$id"
	if [ ${#found[@]} != 0 ]; then
		left=$((left + 1))
		problem+="${problem:+; }left: $(printf '%s, ' "${found[@]}")"
		purge "$id"
	fi
}

# ---- one test: a command under a mode ----

fault_arguments() { # mode
	case $1 in
	kill) verb=(kill) ;;
	kill-all) verb=(kill -a) ;;
	kill-any) verb=(kill -c) ;;
	init-*) verb=(fail -c -e "${1#init-}") ;;
	*) verb=(fail -e "$1") ;;
	esac
	count=(count)
	case $1 in
	kill-any | init-*) count=(count -c) ;;
	esac
}

sweep() { # command mode
	local total points=0 bad=0 n first left=0 id=$prefix${1:0:2}${2//-/}
	local -a verb count lines=()
	fault_arguments "$2"
	prepare "$1" "${id}0" || bail "cannot prepare $1: $(<"$work/io/err")"
	under_fault "$1" "${id}0" "${count[@]}" || bail "$1 fails without a fault: $(<"$work/io/err")"
	total=$(<"$work/io/out")
	runtime delete --force "${id}0"

	first=$((1 + OFFSET <= total ? 1 + OFFSET : 1))
	for ((n = first; n <= total; n += STEP)); do
		point "$1" "$2" "$n" "$id$n" "${verb[@]}"
		points=$((points + 1))
		[ -z "$problem" ] && continue
		bad=$((bad + 1))
		[ "$bad" -le "$max_lines" ] && lines+=("# $1 $2 n=$n ${hit:+($hit)}: ${problem//$'\n'/ }")
	done

	test_number=$((test_number + 1))
	if [ "$bad" = 0 ]; then
		echo "ok $test_number - $1 $2"
	else
		echo "not ok $test_number - $1 $2"
		failed=1
	fi
	echo "# points: $points leftovers: $left failures: $bad calls: $total"
	[ "${#lines[@]}" = 0 ] || printf '%s\n' "${lines[@]}"
	[ "$bad" -le "$max_lines" ] || echo "# and $((bad - max_lines)) points more"
}

# Fills the list of tests, "command mode" each. Descendants matter where the command has some.
list_tests() { # command...
	local command mode
	for command; do
		for mode in $MODES; do
			case $command:$mode in
			start:kill-* | delete:kill-*) continue ;;
			esac
			tests+=("$command $mode")
			[[ $command:$mode == create:E* ]] && tests+=("create init-$mode")
		done
	done
}

warm_up() { # what the runtime makes once and keeps (directories, caches) is no leftover
	local id=${prefix}warm
	if ! { runtime create -b "$work/idle" "$id" && runtime start "$id" && runtime exec "$id" /bin/true; }; then
		bail "an ordinary container fails: $(<"$work/io/err")"
	fi
	runtime delete --force "$id" || bail "delete --force: $(<"$work/io/err")"
	runtime run -b "$work/brief" "$id" || bail "an ordinary run fails: $(<"$work/io/err")"
	baseline
	found=() pids=()
	leftovers "$id"
	[ ${#found[@]} = 0 ] || bail "left over without a fault: ${found[*]}"
}

inside() {
	local -a tests=()
	local test
	work=$SWEEP_WORK prefix=$SWEEP_PREFIX test_number=0 failed=0 hit=
	unset SWEEP_WORK SWEEP_PREFIX
	export TMPDIR=$work/tmp
	trap 'exit 130' INT TERM # the first process of a pid namespace gets no signal that it does not handle
	[ $# != 0 ] || set -- create start exec delete run
	list_tests "$@"
	echo "1..${#tests[@]}"
	echo "# step $STEP offset $OFFSET"
	write_bundles
	warm_up
	for test in "${tests[@]}"; do
		# shellcheck disable=SC2086 # command and mode
		sweep $test
	done
	exit "$failed"
}

for word; do
	case $word in
	create | start | exec | delete | run) ;;
	*) bail "$word: not a command to sweep" ;;
	esac
done
if [ -n "${SWEEP_WORK:-}" ]; then
	inside "$@"
else
	outside "$@"
fi
