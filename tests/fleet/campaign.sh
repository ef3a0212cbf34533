#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2153
# The long tests of tote-fleet (make fleet-check): 2,000 stores behind the fake ssh. Prints TAP; STORES, KILLS and SEED can be set.
set -uo pipefail
# shellcheck source=tests/fleet/helpers.bash
. "$(dirname -- "$(realpath -- "$0")")/helpers.bash"
: "${STORES:=2000}" "${KILLS:=20}" "${SEED:=$RANDOM}" "${TMPDIR:=/tmp}"
export LIMIT=1800
BASE=$(mktemp -d "$TMPDIR/tote-fleet-campaign.XXXXXX")
trap 'rm -rf "$BASE"' EXIT
# What drivers that are killed leave behind goes with the rest.
export TMPDIR=$BASE
NUMBER=0 FAILED=0 CASE=''
RANDOM=$SEED

begin() { # CASE
	CASE=$1 BAD=0
	NUMBER=$((NUMBER + 1))
	rm -rf "${BASE:?}/case"
	mkdir "$BASE/case"
	make_fleet "$STORES" "$BASE/case"
	make_release 42
}

check() { # WORDS COMMAND...
	"${@:2}" && return
	echo "# not so: $1"
	BAD=1
}

end() {
	if [ "$BAD" = 0 ]; then
		echo "ok $NUMBER $CASE"
	else
		echo "not ok $NUMBER $CASE" && FAILED=$((FAILED + 1))
	fi
}

is() { # WANTED GOT
	[ "$1" = "$2" ] || { echo "# wanted $1, got $2" && false; }
}

at_most() { # LIMIT NUMBER
	[ "$2" -le "$1" ] || { echo "# at most $1, got $2" && false; }
}

# The target, 30 s for 2,000 stores on two processors that have nothing else to do, is told as PASS or MISS. Whose machine is busy
# has not broken anything, so a MISS does not fail.
no_op() {
	begin "a pass with nothing to do over $STORES stores"
	echo "wave all stores=@all parallel=32" >"$FLEET/plan"
	for store in "$FAKE_STORES"/store*; do
		echo "$R" >"$store/release"
	done
	local begin=$EPOCHREALTIME wall cpu before load verdict=PASS TIMEFORMAT='%U %S'
	read -r before _ </proc/loadavg
	cpu=$({ time fleet run "$R" --quiet >/dev/null 2>&1; } 2>&1 | awk '{ printf "%.1f", $1 + $2 }')
	wall=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
	read -r load _ </proc/loadavg
	[ $wall -le $((30000 * STORES / 2000)) ] || verdict=MISS
	echo "# $verdict: $wall ms for $STORES stores ($((30000 * STORES / 2000)) ms is the target), $cpu s of processors," \
		"with load $before before and $load after on $(nproc) processors"
	check "all are there" is "$STORES" "$(fleet status --format json | jq '.waves[0].ok')"
	check "nothing was changed" is 0 "$(touched "$R")"
	end
}

bad_release() {
	begin "a bad release touches the canary wave only"
	echo "$R" >"$FAKE_STORES/bad"
	fleet run "$R" --quiet >/dev/null 2>&1
	check "halted" is 3 $?
	check "three stores" at_most 3 "$(touched "$R")"
	check "all back" is 0 "$(running "$R")"
	end
}

later_wave() {
	begin "a release that is bad in a later wave: the limit, and one batch"
	printf 'wave canary stores=@lab\nwave w1 percent=10 fail=2%% parallel=16\nwave rest percent=100 fail=5%% parallel=32\n' >"$FLEET/plan"
	fleet plan --freeze "$R" >/dev/null 2>&1
	local store n
	while IFS= read -r store; do
		inject "$store" sick
	done <"$FLEET/rollouts/42-pos/waves/rest.stores"
	n=$(wc -l <"$FLEET/rollouts/42-pos/waves/rest.stores")
	fleet run --quiet >/dev/null 2>&1
	check "halted" is 3 $?
	check "limit + 1 + in flight" at_most $((3 + STORES / 10 + n * 5 / 100 + 1 + 32)) "$(touched "$R")"
	end
}

# Each fifth time while it begins, else after some more stores. How many, and when then, is up to the dice.
kill_moment() { # NUMBER
	local until j
	if [ $(($1 % 5)) != 0 ]; then
		until=$(($(touched "$R") + RANDOM % (2 * STORES / KILLS)))
		for ((j = 0; j < 600 && $(touched "$R") < until; j++)); do
			sleep 0.1
		done
	fi
	sleep "0.$((RANDOM % 10))"
}

# The driver's parallel, if it has come so far: a child of the guard. Its name is the script's.
parallel_of() { # DRIVER
	local guard
	guard=$(pgrep -P "$1" parallel-guard) && pgrep -P "$guard" -x parallel
}

# A driver alone, or with its parallel; never the jobs, as a store goes on with what it was told whoever has died here.
kills() {
	begin "$KILLS SIGKILLs at random moments and a resume: nothing is done twice (SEED=$SEED)"
	echo "wave all stores=@all parallel=24" >"$FLEET/plan"
	fleet plan --freeze "$R" >/dev/null 2>&1
	local i driver parallel
	for ((i = 0; i < KILLS && $(running "$R") < STORES; i++)); do
		setsid "$FLEET_PROGRAM" --dir "$FLEET" run --rollout 42-pos --quiet >/dev/null 2>>"$BASE/drivers" &
		driver=$!
		kill_moment $i
		parallel=
		[ $((i % 2)) = 0 ] || parallel=$(parallel_of "$driver")
		# shellcheck disable=SC2086 # a word or nothing
		kill -9 "$driver" $parallel 2>/dev/null
		wait "$driver" 2>/dev/null
	done
	echo "# $i kills; $(running "$R") of $STORES before the last run"
	fleet run --rollout 42-pos --quiet >/dev/null 2>>"$BASE/drivers"
	check "all done" is 0 $?
	check "everywhere" is "$STORES" "$(running "$R")"
	check "nothing twice" no_double "$R"
	check "the log is whole" fleet audit >/dev/null 2>&1
	end
}

two_drivers() {
	begin "two drivers, pause, resume, abort"
	echo "wave all stores=@all parallel=24" >"$FLEET/plan"
	local driver n
	fleet run "$R" --quiet >/dev/null 2>&1 &
	driver=$!
	check "it begins" eventually has_touched $((STORES / 40 + 1))
	fleet run --quiet >/dev/null 2>&1
	check "the second is refused" is 7 $?
	fleet pause 2>/dev/null
	wait $driver
	check "paused" is 5 $?
	check "not all" at_most $((STORES - 1)) "$(touched "$R")"
	n=$(touched "$R")
	fleet resume --quiet >/dev/null 2>&1 &
	driver=$!
	check "it goes on" eventually has_touched $((n + 1))
	fleet abort 2>/dev/null
	wait $driver
	check "aborted" is 6 $?
	check "nothing half done" is "$(touched "$R")" "$(running "$R")"
	check "nothing twice" no_double "$R"
	fleet run --rollout 42-pos --quiet >/dev/null 2>&1
	check "final" is 6 $?
	end
}

# A mixed fleet: 5 % away, some sick, slow, lying. All that can be is brought to the release, each trouble is told.
mixed() {
	begin "a fleet with every kind of trouble"
	echo "wave all stores=@all parallel=48 fail=100%" >"$FLEET/plan"
	local i mode modes=(down down-one "slow 1" silent garbage endless missing "busy 1" old half refuse full between sick ill)
	for ((i = 10; i <= STORES; i += 10)); do
		mode=${modes[i / 10 % ${#modes[@]}]}
		inject "$(printf 'store%04d' "$i")" "$mode"
	done
	fleet run "$R" --quiet >/dev/null 2>&1
	check "some are left" is 8 $?
	check "all others" is $((STORES - STORES / 10)) "$(fleet status --stores --format json | jq '[.stores[] | select(.class == "ok" and (.store | test("0$") | not))] | length')"
	rm "$FAKE_STORES"/*/mode
	fleet run --quiet >/dev/null 2>&1
	check "all" is 0 $?
	check "everywhere" is "$STORES" "$(running "$R")"
	end
}

for case in ${CASES:-no_op bad_release later_wave kills two_drivers mixed}; do
	"$case"
done
echo "1..$NUMBER"
[ "$FAILED" = 0 ]
