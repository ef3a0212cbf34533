#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/bench/limits.sh: what limits add to a run, and what statistics of 100 containers cost, as Markdown on stdout.
# Needs a pure v2 host: `make bench` runs it here if this is one, else in tests/vm. Times in an emulated machine are many times
# longer than on a processor; their ratios are what counts.
#
#   BUILD=DIR TOTE=FILE ROUNDS=25 WARMUPS=3 CONTAINERS=100
# What was measured on a real processor, as tests/bench/run.sh leaves it; estimates of what holds there are printed then as well:
#   RUN_MS=N      the time of a plain run
#   STATS_MS=N    the processor time of the statistics of so many containers in groups without controllers
set -euo pipefail
export LC_ALL=C

BUILD=${BUILD:-build}
TOTE=${TOTE:-$BUILD/tote}
ROUNDS=${ROUNDS:-25}
WARMUPS=${WARMUPS:-3}
CONTAINERS=${CONTAINERS:-100}
BENCH=$BUILD/tests/bench/bench

for controller in memory cpu pids; do
	grep -qw $controller /sys/fs/cgroup/cgroup.controllers 2>/dev/null ||
		{ echo "bench: /sys/fs/cgroup has no $controller controller" >&2; exit 1; }
done

WORK=$(mktemp -d)
GROUP=/sys/fs/cgroup/tote-bench-$$

# shellcheck disable=SC2317 # called by a trap
clean_up() {
	local root
	for root in "$WORK"/{state,full,bare}; do
		[ ! -d "$root" ] || "$TOTE" --root "$root" delete --force --regex . || true
	done
	rmdir "$GROUP" "$GROUP"-* || true
	rm -rf --one-file-system "$WORK"
}
trap clean_up EXIT

# The kernel patches its own code when the first group with a quota appears and when the last one goes, which is dear on an
# emulated processor. One stands by, as on a box that runs more than one container.
mkdir "$GROUP"
echo 50000 >"$GROUP/cpu.max"

# make_bundle NAME JQ_FILTER: /bin/true of busybox
make_bundle() {
	mkdir -p "$WORK/$1"/rootfs/{bin,dev,proc,sys}
	cp "$(command -v busybox)" "$WORK/$1/rootfs/bin/true"
	ln -s true "$WORK/$1/rootfs/bin/sleep"
	"$TOTE" spec -b "$WORK/$1"
	gojq ".process.terminal = false | .process.args = [\"/bin/true\"] | $2" "$WORK/$1/config.json" >"$WORK/config.json"
	mv "$WORK/config.json" "$WORK/$1/config.json"
}

# A quota that is not used up, as it is what setting it costs that counts.
limits='.linux.resources += {
	"memory": {"limit": 67108864}, "cpu": {"shares": 512, "quota": 200000, "period": 100000}, "pids": {"limit": 100}}'
make_bundle plain .
make_bundle limits "$limits"
make_bundle idle '.process.args = ["/bin/sleep", "3600"] | .linux.cgroupsPath = "/GROUP"'

# value RESULT NAME METRIC: a median
value() {
	gojq -r --arg name "$2" --arg metric "$3" '.contenders[] | select(.name == $name) | .[$metric].median' "$WORK/$1.json"
}

measure() { # RESULT BASE NAME=COMMAND...
	"$BENCH" -n "$ROUNDS" -w "$WARMUPS" -t 300 -b "$2" -j "$WORK/$1.json" "${@:3}" >&2
}

measure_limits() {
	local commands=() name program cost
	for name in tote crun runc; do
		program=$name
		[ $name = tote ] && program="$TOTE --root $WORK/state"
		commands+=("$name=$program run -b $WORK/plain p-$name-%i" "$name-limits=$program run -b $WORK/limits l-$name-%i")
	done
	measure limits tote "${commands[@]}"
	printf '| | tote | crun | runc |\n|---|--:|--:|--:|\n'
	row run ''
	row 'run with limits of memory, cpu and pids' -limits
	cost=$("$BUILD/tests/bench/limits_cost")
	awk -v us="$cost" -v run="$(value limits tote wall_ms)" -v ms="${RUN_MS:-}" 'BEGIN {
		printf "\nThe limits alone take %.0f us, %.1f %% of a run here", us, us / run / 10
		if (ms) printf "; that much of %.2f ms is %.2f ms (wanted: <= 0.30 ms)", ms, us / run / 1000 * ms
		print "." }'
}

row() { # TITLE SUFFIX
	printf '| %s | %.2f ms | %.2f ms | %.2f ms |\n' "$1" "$(value limits "tote$2" wall_ms)" "$(value limits "crun$2" wall_ms)" \
		"$(value limits "runc$2" wall_ms)"
}

# make_containers NAME: all below one group, which hands NAME's controllers on: all that it has, or none. Without the others'
# commands, as a process takes a tenth of a second where the processor is emulated.
make_containers() {
	local config i group=$GROUP-$1
	mkdir "$group"
	[ "$1" = bare ] || sed 's/[a-z]\+/+&/g' "$group/cgroup.controllers" >"$group/cgroup.subtree_control"
	config=$(<"$WORK/idle/config.json")
	for ((i = 1; i <= CONTAINERS; i++)); do
		echo "${config/GROUP/${group##*/}/s$i}" >"$WORK/idle/config.json"
		"$TOTE" --root "$WORK/$1" run -d -b "$WORK/idle" "s$i" </dev/null >/dev/null 2>&1
	done
	echo "$config" >"$WORK/idle/config.json"
}

# With all controllers and without any, in turn, so that what else the machine does falls on both.
measure_stats() {
	local arguments="stats --no-stream --format json"
	make_containers bare
	make_containers full
	measure stats full "full=$TOTE --root $WORK/full $arguments" "bare=$TOTE --root $WORK/bare $arguments" \
		"one=$TOTE --root $WORK/full events --stats s1"
	print_stats
}

print_stats() {
	local full bare
	full=$(value stats full cpu_ms) bare=$(value stats bare cpu_ms)
	printf '\n| processor time of the statistics of %s containers | |\n|---|--:|\n' "$CONTAINERS"
	printf '| `tote stats --no-stream --format json` | %.2f ms |\n' "$full"
	printf '| the same where groups have no controllers | %.2f ms |\n' "$bare"
	printf '| `tote events --stats`, of one | %.2f ms |\n\n' "$(value stats one cpu_ms)"
	awk -v full="$full" -v bare="$bare" -v ms="${STATS_MS:-}" 'BEGIN {
		printf "All controllers: %.2f times as long as none", full / bare
		if (ms) printf "; that many times %.2f ms are %.2f ms (wanted: <= 20 ms)", ms, ms * full / bare
		else printf "; %.2f ms (wanted: <= 20 ms)", full
		print "." }'
}

measure_limits
measure_stats
