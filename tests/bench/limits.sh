#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/bench/limits.sh: what limits add to a run, and what statistics of 100 containers cost, as Markdown on stdout.
# Needs a pure v2 host: `make bench` runs it here if this is one, else in tests/vm. Times in an emulated machine are many times
# longer than on a processor; their ratios are what counts.
#
#   BUILD=DIR TOTE=FILE ROUNDS=25 WARMUPS=3 CONTAINERS=100
#   RUN_MS=N      the time of a plain run on a real processor: an estimate of what limits add there is printed as well
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
	"$TOTE" --root "$WORK/state" delete --force --regex . || true
	rmdir "$GROUP" || true
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
	jq ".process.terminal = false | .process.args = [\"/bin/true\"] | $2" "$WORK/$1/config.json" >"$WORK/config.json"
	mv "$WORK/config.json" "$WORK/$1/config.json"
}

# A quota that is not used up, as it is what setting it costs that counts.
limits='.linux.resources += {
	"memory": {"limit": 67108864}, "cpu": {"shares": 512, "quota": 200000, "period": 100000}, "pids": {"limit": 100}}'
make_bundle plain .
make_bundle limits "$limits"
make_bundle idle "$limits | .process.args = [\"/bin/sleep\", \"3600\"]"

# value RESULT NAME METRIC: a median
value() {
	jq -r --arg name "$2" --arg metric "$3" '.contenders[] | select(.name == $name) | .[$metric].median' "$WORK/$1.json"
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

measure_stats() {
	local i
	for i in $(seq "$CONTAINERS"); do
		"$TOTE" --root "$WORK/state" run -d -b "$WORK/idle" "s$i" </dev/null >/dev/null 2>&1
	done
	measure stats all "all=$TOTE --root $WORK/state stats --no-stream --format json" "one=$TOTE --root $WORK/state events --stats s1"
	printf '\n| statistics of %s containers | cpu |\n|---|--:|\n' "$CONTAINERS"
	printf '| `tote stats --no-stream --format json` | %.2f ms |\n' "$(value stats all cpu_ms)"
	printf '| `tote events --stats`, of one | %.2f ms |\n' "$(value stats one cpu_ms)"
}

measure_limits
measure_stats
