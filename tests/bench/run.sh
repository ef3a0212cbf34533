#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/bench/run.sh: tote against Debian's crun and runc and against the floor (floor.c), as Markdown on stdout.
# `make bench` calls it, as root, with the programs of this folder built. It installs with apt what is missing.
#
#   BUILD=DIR      where tests/bench/{bench,files_cost,floor,memlock,nothing} and tote-shared are (default: build)
#   TOTE=FILE      the tote to measure (default: $BUILD/tote); without one, its columns stay empty
#   CONFIG=FILE CONFIG_SECCOMP=FILE
#                  configs to use instead of those of `tote spec` and `tote spec --seccomp`
#   RESULTS=FILE   where to leave what tests/bench/limits.sh takes from here, as words NAME=NUMBER
#   ROUNDS=50 WARMUPS=5 CONTAINERS=100 (of the statistics)
#
# All contenders run in one private world, so that they can be compared and the host stays as it was:
# - a cgroup of our own as the root of a cgroup namespace, with a fresh cgroup2 on /sys/fs/cgroup. crun refuses hybrid
#   hosts otherwise. The group has no controllers unless the host's root gives some to its children. This matters, as
#   runc turns on whatever cgroup.controllers lists in the topmost group it sees, which must not be the host's;
# - a private mount namespace with a tmpfs on /run, where all of them keep their state;
# - below `memlock` when RLIMIT_MEMLOCK cannot be raised, as crun 1.8 gives up otherwise.
set -euo pipefail
export LC_ALL=C

BUILD=${BUILD:-build}
TOTE=${TOTE:-$BUILD/tote}
ROUNDS=${ROUNDS:-50}
WARMUPS=${WARMUPS:-5}
CONTAINERS=${CONTAINERS:-100}
LIMIT=900 # seconds for everything
PROGRAMS=$BUILD/tests/bench

fail() {
	echo "bench: $*" >&2
	exit 1
}

# ---- outside: packages, cgroup, cleaning up ----

install_missing() {
	local missing=()
	command -v crun >/dev/null || missing+=(crun)
	command -v runc >/dev/null || missing+=(runc)
	command -v jq >/dev/null || missing+=(jq)
	command -v strace >/dev/null || missing+=(strace)
	dpkg -s busybox-static >/dev/null 2>&1 || missing+=(busybox-static)
	[ ${#missing[@]} = 0 ] && return
	apt-get update >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >&2
}

find_cgroup_tree() {
	local dir
	for dir in /sys/fs/cgroup /sys/fs/cgroup/unified; do
		[ "$(stat -f -c %T "$dir" 2>/dev/null)" = cgroup2fs ] && echo "$dir" && return
	done
	fail "no cgroup v2 tree is mounted"
}

# The leaves go first; an exited process may hold its group for a moment.
remove_group() {
	local tries=50
	[ -d "$GROUP" ] || return 0
	echo 1 >"$GROUP/cgroup.kill" || true
	while [ $((tries--)) -gt 0 ]; do
		find "$GROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
		[ -d "$GROUP" ] || return 0
		sleep 0.1
	done
	echo "bench: $GROUP is still there" >&2
}

cleanup() {
	trap '' INT TERM
	remove_group
	rm -rf --one-file-system "$WORK"
}

# What the statistics read of a group that has controllers, and nothing of one without, as v1 calls it: the same code of the kernel on
# the same processor. The two of pids, which the group at hand may not have, are numbers like others.
V1_FILES=(memory/{usage_in_bytes,max_usage_in_bytes,limit_in_bytes,memsw.limit_in_bytes,oom_control,stat,failcnt,soft_limit_in_bytes}
	blkio/throttle.io_service_bytes)

# Microseconds of one container's files of controllers, where the host has these as v1; else nothing.
controllers_cost() {
	local name controller group files=()
	for name in "${V1_FILES[@]}"; do
		controller=${name%/*}
		group=$(awk -F: -v name="$controller" '$2 == name { print $3 }' /proc/self/cgroup)
		files+=("/sys/fs/cgroup/$controller$group/$controller.${name#*/}")
		[ -r "${files[-1]}" ] || return 0
	done
	"$PROGRAMS/files_cost" $((ROUNDS * 100)) "${files[@]}"
}

outside() {
	[ "$(id -u)" = 0 ] || fail "must be root, as its peers are measured as root"
	local program
	for program in bench files_cost floor memlock nothing; do
		[ -x "$PROGRAMS/$program" ] || fail "$PROGRAMS/$program is not built (make bench builds it)"
	done
	install_missing
	WORK=$(mktemp -d)
	GROUP=$(find_cgroup_tree)/tote-bench.$$
	trap cleanup EXIT
	trap 'exit 130' INT TERM
	mkdir "$GROUP"
	local wrapper=()
	(ulimit -l unlimited) 2>/dev/null || wrapper=("$PROGRAMS/memlock")
	CONTROLLERS_US=$(controllers_cost)
	export WORK BUILD TOTE ROUNDS WARMUPS CONTAINERS CONTROLLERS_US MEMLOCK=${wrapper[*]:-}
	# In the background and waited for, so that the traps run at once; --foreground keeps ^C working.
	# shellcheck disable=SC2016 # the inner shell expands it
	timeout --foreground -k 10 "$LIMIT" bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$GROUP" \
		"${wrapper[@]}" unshare -m -C --propagation private bash "$0" --inside </dev/null &
	wait $!
}

# ---- inside: the private world ----

# Processes sit in a leaf, so that controllers can be enabled beside it where there are some.
enter_world() {
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mkdir /sys/fs/cgroup/driver
	echo $$ >/sys/fs/cgroup/driver/cgroup.procs
	mount -t tmpfs -o mode=755 tmpfs /run
}

have_tote() {
	[ -x "$TOTE" ]
}

# write_config FILE [--seccomp]: what all contenders are given.
write_config() {
	local given=$CONFIG
	[ $# = 2 ] && given=$CONFIG_SECCOMP
	if [ -n "$given" ]; then
		cp "$given" "$1"
	elif have_tote; then
		rm -rf "$WORK/spec" && mkdir "$WORK/spec"
		"$TOTE" spec "${@:2}" -b "$WORK/spec"
		cp "$WORK/spec/config.json" "$1"
	else
		fail "$TOTE is not there to write a config: set CONFIG (and CONFIG_SECCOMP)"
	fi
}

# make_bundle NAME BASE_CONFIG TRUE ARGS_JSON: a bundle whose /bin/true is the program TRUE.
make_bundle() {
	local dir=$WORK/$1
	mkdir -p "$dir"/rootfs/{bin,dev,etc,proc,run,sys,tmp}
	cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
	cp "$3" "$dir/rootfs/bin/true"
	jq --argjson args "$4" '.process.args = $args | .process.terminal = false' "$2" >"$dir/config.json"
}

make_bundles() {
	local busybox
	busybox=$(command -v busybox)
	write_config "$WORK/base.json"
	make_bundle plain "$WORK/base.json" "$busybox" '["/bin/true"]'
	make_bundle small "$WORK/base.json" "$PROGRAMS/nothing" '["/bin/true"]'
	make_bundle sleeping "$WORK/base.json" "$busybox" '["/bin/busybox", "sleep", "3600"]'
	if [ -n "$CONFIG_SECCOMP" ] || { [ -z "$CONFIG" ] && have_tote; }; then
		write_config "$WORK/base-seccomp.json" --seccomp
		make_bundle seccomp "$WORK/base-seccomp.json" "$busybox" '["/bin/true"]'
	fi
}

# measure RESULT NAME=COMMAND...: the table goes to stderr, the JSON to $WORK/RESULT.json
measure() {
	local result=$1
	shift
	echo "$result" >&2
	"$PROGRAMS/bench" -n "$ROUNDS" -w "$WARMUPS" -b crun -j "$WORK/$result.json" "$@" >&2
	echo >&2
}

# for_runtimes FORMAT: one NAME=COMMAND a runtime, with @ standing for its program, into the array COMMANDS
for_runtimes() {
	local name
	COMMANDS=()
	for name in "${NAMES[@]}"; do
		COMMANDS+=("$name=${1//@/${RUNTIME[$name]}}")
	done
}

measure_run() {
	for_runtimes "@ run -b $WORK/$1 $1-%i"
	measure "run-$1" "floor=$PROGRAMS/floor $2 $WORK/$1/rootfs" "${COMMANDS[@]}"
}

# bench's own "@reap" must not meet for_runtimes' "@": it comes in as a parameter.
measure_lifecycle() {
	local reap='%reap'
	for_runtimes "@ create -b $WORK/plain life-%i ; @ start life-%i ; $reap ; @ state life-%i ; @ delete life-%i"
	measure lifecycle "${COMMANDS[@]//$reap/@reap}"
}

measure_exec() {
	local name
	for name in "${NAMES[@]}"; do
		"${RUNTIME[$name]}" run -d -b "$WORK/sleeping" "sleeping-$name" </dev/null >/dev/null 2>&1
	done
	COMMANDS=()
	for name in "${NAMES[@]}"; do
		COMMANDS+=("$name=${RUNTIME[$name]} exec sleeping-$name /bin/true")
	done
	measure exec "${COMMANDS[@]}"
	for name in "${NAMES[@]}"; do
		"${RUNTIME[$name]}" delete -f "sleeping-$name"
	done
}

# count_calls NAME COMMAND...: the system calls of the command and all its children, /bin/true's among them
count_calls() {
	local file=$WORK/calls-$1
	timeout -k 5 60 strace -f -c -o "$file" "${@:2}" >/dev/null 2>&1 </dev/null || fail "strace of $1 failed"
	awk '$NF == "total" { print $4 }' "$file"
}

count_all_calls() {
	local name
	CALLS[floor]=$(count_calls floor "$PROGRAMS/floor" "$WORK/plain/rootfs")
	for name in "${NAMES[@]}"; do
		CALLS[$name]=$(count_calls "$name" "${RUNTIME[$name]}" run -b "$WORK/plain" "calls-$name")
	done
}

measure_startup() {
	[ -x "$BUILD/tote-shared" ] && have_tote || return 0
	echo startup >&2
	"$PROGRAMS/bench" -n "$ROUNDS" -w "$WARMUPS" -b shared -j "$WORK/startup.json" \
		"static=$TOTE --version" "shared=$BUILD/tote-shared --version" >&2
}

# In groups without controllers, unless the host gives some to all groups.
measure_stats() {
	have_tote || return 0
	local i tote="$TOTE --root $WORK/stats"
	for ((i = 1; i <= CONTAINERS; i++)); do
		$tote run -d -b "$WORK/sleeping" "stats-$i" </dev/null >/dev/null 2>&1
	done
	echo statistics >&2
	"$PROGRAMS/bench" -n "$ROUNDS" -w "$WARMUPS" -t 60 -b tote -j "$WORK/stats.json" "tote=$tote stats --no-stream --format json" >&2
	$tote delete --force --regex .
}

# ---- results ----

# value RESULT NAME [METRIC [PART]]: a median, or nothing; memory is the maximum
value() {
	[ -f "$WORK/$1.json" ] || return 0
	jq -r --arg name "$2" --arg metric "${3:-wall_ms}" --arg part "${4:-}" '
		.contenders[] | select(.name == $name)
		| if $part == "" then . else .parts[$part | tonumber] end
		| .[$metric] | if $metric == "maxrss_kib" then .max else .median end' "$WORK/$1.json"
}

# row TITLE FORMAT VALUE...: missing values become a dash
row() {
	local title=$1 format=$2 v
	shift 2
	printf '| %s |' "$title"
	for v in "$@"; do
		# shellcheck disable=SC2059 # the format is ours
		if [ -n "$v" ]; then printf " $format |" "$v"; else printf ' – |'; fi
	done
	echo
}

# result_row TITLE RESULT [METRIC [PART]]
result_row() {
	local name values=() format='%.2f ms'
	[ "${3:-}" = maxrss_kib ] && format='%.0f KiB'
	for name in tote floor crun runc; do
		values+=("$(value "$2" "$name" "${@:3}")")
	done
	row "$1" "$format" "${values[@]}"
}

# verdict TITLE VALUE BASE TARGET: PASS when VALUE / BASE <= TARGET; no row without both
verdict() {
	[ -n "$2" ] && [ -n "$3" ] || return 0
	awk -v title="$1" -v value="$2" -v base="$3" -v target="$4" 'BEGIN {
		ratio = value / base
		format = target > 10 ? "%.0f" : "%.2f"
		printf "| %s | " format " | <= " format " | %s |\n", title, ratio, target, ratio <= target ? "PASS" : "MISS"
	}'
}

print_machine() {
	echo "$(uname -sr), $(nproc) x $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1);" \
		"$(crun --version | head -1), $(runc --version | head -1), both Debian's;" \
		"medians of $ROUNDS interleaved runs of /bin/true (busybox), all on the same config.json."
	[ -z "$MEMLOCK" ] || echo "RLIMIT_MEMLOCK cannot be raised here: all of them ran under a filter that pretends it was."
	echo
}

print_results() {
	local part=0 verb name
	echo '| | tote | floor | crun | runc |'
	echo '|---|--:|--:|--:|--:|'
	result_row 'run' run-plain
	result_row 'run, seccomp' run-seccomp
	result_row 'create + start + state + delete' lifecycle
	for verb in create start state delete; do
		result_row "&nbsp; $verb" lifecycle wall_ms $((part++))
	done
	result_row 'exec' exec
	result_row 'peak RSS of a run' run-small maxrss_kib
	row 'system calls of a run' '%s' "${CALLS[tote]:-}" "${CALLS[floor]}" "${CALLS[crun]}" "${CALLS[runc]}"
	print_statistics
	# shellcheck disable=SC2016 # Markdown
	[ ! -f "$WORK/startup.json" ] || printf '\n`tote --version`: static %.2f ms, shared %.2f ms\n' \
		"$(value startup static)" "$(value startup shared)"
}

# Without controllers, and with what their files take when v1 has them.
statistics_ms() {
	awk -v ms="$(value stats tote cpu_ms)" -v us="$CONTROLLERS_US" -v n="$CONTAINERS" 'BEGIN { printf "%.2f", ms + us * n / 1000 }'
}

print_statistics() {
	[ -f "$WORK/stats.json" ] || return 0
	# shellcheck disable=SC2016 # Markdown
	printf '\n`tote stats --no-stream --format json`, %s containers without controllers: %.2f ms of processor time' \
		"$CONTAINERS" "$(value stats tote cpu_ms)"
	[ -z "$CONTROLLERS_US" ] || printf '; reading the files of controllers, as v1 has them here: %.1f us each, %.2f ms with them' \
		"$CONTROLLERS_US" "$(statistics_ms)"
	echo
}

# The highest of all tote processes that were measured with a program in the container that is smaller than they are.
peak_rss() {
	local parts
	parts=$(value run-small tote maxrss_kib)
	[ -z "$parts" ] || { echo "$parts"; value lifecycle tote maxrss_kib; } | sort -n | tail -1
}

print_verdicts() {
	local result title
	have_tote || { echo "$TOTE is not there: no ratios." && return; }
	printf '\n| target | measured | wanted | |\n|---|--:|--:|---|\n'
	for result in run-plain run-seccomp; do
		title=${result/-plain/}
		verdict "${title/-/, }: tote / crun" "$(value $result tote)" "$(value $result crun)" 0.45
		verdict "${title/-/, }: tote / runc" "$(value $result tote)" "$(value $result runc)" 0.15
		verdict "${title/-/, }: tote / floor" "$(value $result tote)" "$(value $result floor)" 1.25
	done
	verdict 'create + start + state + delete: tote / crun' "$(value lifecycle tote)" "$(value lifecycle crun)" 0.40
	verdict 'peak RSS of any tote process, KiB' "$(peak_rss)" 1 1200
	[ -z "$CONTROLLERS_US" ] || verdict "statistics of $CONTAINERS containers with all controllers, processor ms" "$(statistics_ms)" \
		1 "$((CONTAINERS / 5))"
}

inside() {
	CONFIG=${CONFIG:-} CONFIG_SECCOMP=${CONFIG_SECCOMP:-}
	declare -gA CALLS=() RUNTIME=([tote]=$TOTE [crun]=$(command -v crun) [runc]=$(command -v runc))
	NAMES=(crun runc)
	have_tote && NAMES=(tote "${NAMES[@]}")
	enter_world
	make_bundles
	measure_run plain ''
	[ ! -d "$WORK/seccomp" ] || measure_run seccomp -s
	measure_run small ''
	measure_lifecycle
	measure_exec
	count_all_calls
	measure_startup
	measure_stats
	print_machine
	print_results
	print_verdicts
	[ -z "${RESULTS:-}" ] || ! have_tote || echo "RUN_MS=$(value run-plain tote) STATS_MS=$(value stats tote cpu_ms)" >"$RESULTS"
}

if [ "${1:-}" = --inside ]; then inside; else outside; fi
