# SPDX-License-Identifier: Apache-2.0
# Rollouts over stores that are directories behind a fake ssh: waves, limits, kinds of failures, pause and abort, kills.
bats_require_minimum_version 1.5.0
REAL_JQ=1
load ../bats
load helpers

setup() {
	command -v parallel >/dev/null || skip "needs GNU parallel"
	# As few as will do: each call of a store, each wave and each command takes processor time.
	make_fleet 8
	make_release 42
}

# The class that is known of a store.
class_of_store() { # STORE
	fleet status "$1" --format json | jq -r '.stores[0].class'
}

# Waits for the driver in the background; it must end like this.
ends_with() { # CODE PID
	local code=0
	wait "$2" || code=$?
	[ "$code" = "$1" ] || { echo "ended with $code" && false; }
}

@test "a rollout goes through its waves in order and ends everywhere" {
	fleet run "$R" --quiet
	[ "$(running "$R")" = 8 ]
	run fleet status --format json
	[ "$(jq -r .state <<<"$output")" = finished ]
	[ "$(jq -c '[.waves[].stores]' <<<"$output")" = "[3,1,4]" ]
	# In the order of the waves: what was first asked in a later one is younger than what was last asked in one before.
	cd "$FLEET"/rollouts/*/
	[ "$(tail -n +2 canary.joblog | wc -l)" = 3 ]
	awk 'FNR == 1 { next } FILENAME ~ /canary/ && $3 > last { last = $3 } FILENAME ~ /w1/ && $3 < last { exit 1 }' canary.joblog w1.joblog
}

@test "plan shows what run does: the same stores in the same waves; twice the same lot" {
	make_fleet 40
	fleet plan "$R" --format json >"$BATS_TEST_TMPDIR/plan"
	[ "$(jq -c '[.waves[] | [.name, .stores, .fail]]' <"$BATS_TEST_TMPDIR/plan")" = '[["canary",3,0],["w1",4,0],["rest",33,1]]' ]
	[ ! -e "$FLEET/rollouts" ]
	fleet plan --freeze "$R"
	fleet plan --freeze "$R"
	cmp "$FLEET"/rollouts/42-pos/waves/w1.stores "$FLEET"/rollouts/42-pos-2/waves/w1.stores
	# Another release draws others (with 37 over 4 the same ones are a chance of 1 in 66,000).
	make_release 43
	fleet plan --freeze "$R"
	run ! cmp -s "$FLEET"/rollouts/42-pos/waves/w1.stores "$FLEET"/rollouts/43-pos/waves/w1.stores
}

# The parts that read them, in this shell: a command for each mistake would cost more than all else here.
reading_parts() {
	local part
	for part in script/say script/release tote-fleet/common tote-fleet/audit tote-fleet/inventory tote-fleet/plan; do
		# shellcheck source=/dev/null
		. "$TESTS/../../cmd/$part.sh"
	done
	WORK=$BATS_TEST_TMPDIR/work
	mkdir "$WORK"
	declare -gA OPT=()
}

read_plan() {
	plan_read "$FLEET/plan" && plan_assign "$R" "$WORK"
}

@test "stores.tsv and plan are checked, with the number of the line" {
	local line
	reading_parts
	while IFS= read -r line; do
		printf '%b\n' "store0001\tbox\tssh\t-\t-\n$line" >"$FLEET/stores.tsv"
		run inventory_read
		[ "$status" = 1 ]
		[[ $output == *"stores.tsv:2: "* ]]
	done <<'END'
store0002\tbox
store0001\tbox\tssh\t-\t-
-oProxyCommand\tbox\tssh\t-\t-
../x\tbox\tssh\t-\t-
store0002\t-oProxyCommand=x\tssh\t-\t-
store0002\tbox;reboot\tssh\t-\t-
default\tbox\tssh\t-\t-
Default\tbox\tssh\t-\t-
store0002\tbox\ttelnet\t-\t-
store0002\tbox\tssh\t$(id)\t-
store0002\tbox\tssh\t-\t25:00-26:00
END
	run fleet plan
	[ "$status" = 1 ]
	[[ $output == *"stores.tsv:2: "* ]]
	printf 'store0001\tbox\tssh\t-\t22:00-05:00 Mars/Base\n' >"$FLEET/stores.tsv"
	run inventory_read
	[ "$status" = 1 ]
	[[ $output == *"Mars/Base"* ]]
	printf 'store0001\tbox\tssh\t-\t22:00-05:00 Europe/Berlin\n' >"$FLEET/stores.tsv"
	inventory_read
	for line in 'wave' 'wave a' 'wave a percent=0' 'wave a percent=101' 'wave a percent=5 stores=@x' 'wave a percent=5 soak=x' 'wave a percent=5 x=1' \
		'wave ../a percent=5' 'wave a stores=nobody' 'wave a stores=@nobody' 'wove a percent=5' 'wave a percent=100 percent=5' "wave b percent=5"$'\n'"wave b percent=5"; do
		echo "$line" >"$FLEET/plan"
		run read_plan
		[ "$status" = 1 ]
		[[ $output == *plan:* ]]
	done
	run fleet plan
	[ "$status" = 1 ]
	[[ $output == *"plan:2: "* ]]
	echo 'wave a percent=5' >"$FLEET/plan"
	fleet plan
}

@test "a bad release touches the canary wave only" {
	echo "$R" >"$FAKE_STORES/bad"
	run fleet run "$R"
	[ "$status" = 3 ]
	[ "$(touched "$R")" -le 3 ]
	[ "$(touched "$R")" -ge 1 ]
	[ "$(running "$R")" = 0 ]
	# Going on does not get any further, and says the same.
	run fleet run
	[ "$status" = 3 ]
	[ "$(touched "$R")" -le 3 ]
}

@test "in a later wave no more than the limit and one batch are touched" {
	make_fleet 12
	printf 'wave canary stores=@lab\nwave rest percent=100 fail=1 parallel=2\n' >"$FLEET/plan"
	fleet plan --freeze "$R"
	for store in $(cat "$FLEET/rollouts/42-pos/waves/rest.stores"); do
		inject "$store" sick
	done
	run fleet run
	[ "$status" = 3 ]
	[ "$(touched "$R")" -ge 5 ]
	# 3 of the canary, limit + 1, and those that were in flight then.
	[ "$(touched "$R")" -le $((3 + 2 + 2)) ]
}

@test "each kind of trouble has its class, and a later run makes good what has become good" {
	make_fleet 24
	printf 'wave all stores=@all fail=100%% timeout=4s parallel=16\n' >"$FLEET/plan"
	local i=0 mode want=(unreachable ok ok hung lying lying lying error ok busy lying lying lying lying refused full between rolled-back gate ok absent unreachable)
	for mode in down down-one "slow 1" hang silent garbage endless missing "busy 2" "busy 999" old other-store half not-json refuse full between sick ill \
		content never cut; do
		i=$((i + 1))
		inject "$(printf 'store%04d' $i)" "$mode"
	done
	TOTE=$TESTS/fake/tote run fleet run "$R" --quiet
	[ "$status" = 8 ]
	fleet status @all --format json | jq -r '.stores | sort_by(.store) | .[:22][].class' >"$BATS_TEST_TMPDIR/classes"
	diff <(printf '%s\n' "${want[@]}") "$BATS_TEST_TMPDIR/classes"
	[ "$(fleet status store0002 --format json | jq -r '.stores[0].box')" = store0002-2 ]
	rm "$FAKE_STORES"/*/mode
	fleet run --quiet
	[ "$(running "$R")" = 24 ]
}

@test "only what the store lacks makes it get the stream, once, to the box that asked" {
	inject store0004 content
	export FAKE_CALLS=1
	echo "wave all stores=store0004,store0005" >"$FLEET/plan"
	TOTE=$TESTS/fake/tote fleet run "$R" --quiet
	[ "$(cut -d ' ' -f 1-3 "$FAKE_STORES/store0004/calls" | paste -sd,)" = "store0004-1 tote-site apply,store0004-1 tote-site take,store0004-1 tote-site apply" ]
	[ "$(wc -l <"$FAKE_STORES/store0005/calls")" = 1 ]
	tar -tf "$FAKE_STORES/store0004/taken" >"$BATS_TEST_TMPDIR/names"
	grep -qx "./releases/$R/manifest.sig" "$BATS_TEST_TMPDIR/names"
	grep -qx "./images/$(printf %064d 0).tar" "$BATS_TEST_TMPDIR/names"
	# What the store has was told to `tote save`.
	grep -q 'sha256:11' <<<"$(tar -xOf "$FAKE_STORES/store0004/taken" "./images/$(printf %064d 0).tar")"
}

@test "a store that refuses the secrets of a stream, not the release, runs it, and that is said; one that refuses the release has failed" {
	inject store0004 stale
	inject store0005 foreign
	echo "wave all stores=store0004,store0005" >"$FLEET/plan"
	TOTE=$TESTS/fake/tote run fleet run "$R" --quiet
	[ "$status" = 3 ]
	[[ $output == *"store0004 ok, but what was sent was refused: tote-site: the secrets have the serial 1, and 2 is here already"* ]]
	[[ $output == *"store0005 FAILED, refused: tote-site: the manifest is signed by nobody known here"* ]]
	[ "$(class_of_store store0004)$(class_of_store store0005)" = okrefused ]
	[ "$(cat "$FAKE_STORES/store0004/release")" = "$R" ]
}

@test "the gate runs also when nothing changed: an ill store is not taken for done by a later run" {
	printf 'wave all stores=@all fail=0 parallel=4\n' >"$FLEET/plan"
	for store in "$FAKE_STORES"/store*; do
		echo "$R" >"$store/release"
	done
	inject store0007 ill
	run fleet run "$R" --quiet
	[ "$status" = 3 ]
	run fleet run --quiet
	[ "$status" = 3 ]
	[ "$(class_of_store store0007)" = gate ]
}

@test "unreachable stores have a limit of their own" {
	local i
	for i in 5 6 7; do
		inject store000$i down
	done
	printf 'wave all stores=@all fail=0 unreachable=25%% parallel=2\n' >"$FLEET/plan"
	run fleet run "$R"
	[ "$status" = 3 ]
	[[ $output == *"unreachable stores of 8, 2 are allowed"* ]]
	printf 'wave all stores=@all fail=0\n' >"$FLEET/plan"
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(running "$R")" = 5 ]
	rm "$FAKE_STORES"/*/mode
	FAKE_CALLS=1 fleet run --rollout 42-pos-2 --quiet
	[ "$(running "$R")" = 8 ]
	# Only those three were called again.
	[ "$(cat "$FAKE_STORES"/*/calls | wc -l)" = 3 ]
}

@test "a wave whose stores are all away proves nothing: the next one does not begin" {
	inject store0001 down
	inject store0002 down
	inject store0003 down
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(touched "$R")" = 0 ]
}

@test "pause: what runs ends, nothing new begins; resume goes on; abort is final" {
	echo "wave all stores=@all parallel=2" >"$FLEET/plan"
	export FAKE_SLEEP=3
	fleet run "$R" --quiet 3>&- &
	local driver=$! n
	eventually has_touched 2
	fleet pause
	ends_with 5 $driver
	n=$(touched "$R")
	[ "$n" -lt 8 ]
	[ "$(running "$R")" = "$n" ]
	run fleet run
	[ "$status" = 5 ]
	[[ $output == *"paused, by "* ]]
	[ "$(touched "$R")" = "$n" ]
	[ "$(fleet status --format json | jq -r .state)" = paused ]
	FAKE_SLEEP='' fleet resume --quiet
	[ "$(running "$R")" = 8 ]
	no_double "$R"
	make_release 43
	fleet plan --freeze "$R"
	fleet abort
	for verb in run resume pause; do
		run fleet $verb --rollout 43-pos
		[ "$status" = 6 ]
	done
	[ "$(touched "$R")" = 0 ]
}

@test "a pause during the last stores of a wave: the wave is through, the next one does not begin, and after the last one all is done" {
	printf 'wave one stores=@lab parallel=3\nwave all stores=@all parallel=8\n' >"$FLEET/plan"
	export FAKE_SLEEP=3
	local driver
	fleet run "$R" --quiet 3>&- &
	driver=$!
	eventually has_touched 1
	fleet pause
	ends_with 5 $driver
	[ "$(touched "$R")" = 3 ]
	[ -e "$FLEET/rollouts/42-pos/waves/one.done" ]
	fleet resume --quiet 3>&- &
	driver=$!
	eventually has_touched 4
	fleet pause
	ends_with 0 $driver
	[ "$(running "$R")" = 8 ]
	[ "$(fleet status --format json | jq -r .state)" = finished ]
}

@test "two drivers: the second is refused and says who is there" {
	echo "wave all stores=@all parallel=2" >"$FLEET/plan"
	FAKE_SLEEP=4 fleet run "$R" --quiet 3>&- &
	local driver=$!
	eventually has_touched 1
	run fleet run --rollout 42-pos
	[ "$status" = 7 ]
	[[ $output == *"another driver is at work: pid "*"rollout 42-pos"* ]]
	# Another rollout is refused as well: they would change the same stores.
	run fleet run "$R"
	[ "$status" = 7 ]
	fleet abort
	ends_with 6 $driver
}

@test "a killed driver: what was in flight ends, a later run repeats nothing that was done" {
	echo "wave all stores=@all parallel=2" >"$FLEET/plan"
	local i
	fleet plan --freeze "$R"
	for i in 1 2; do
		TMPDIR=$BATS_TEST_TMPDIR FAKE_SLEEP=1 "$FLEET_PROGRAM" --dir "$FLEET" run --quiet 3>&- &
		eventually has_touched $((i * 2))
		kill -9 $!
		wait $! || true
	done
	fleet run --quiet
	[ "$(running "$R")" = 8 ]
	no_double "$R"
	[ "$(cat "$FAKE_STORES"/*/changes | wc -l)" = 8 ]
	fleet audit >/dev/null
}

@test "a torn joblog and torn answers do no harm" {
	printf 'wave w1 percent=40\nwave rest percent=100\n' >"$FLEET/plan"
	fleet run "$R" --quiet
	cd "$FLEET/rollouts/42-pos"
	rm finished
	truncate -s -20 rest.joblog
	sed -i '3s/\t0\t0\t/\t1\t0\t/' w1.joblog
	: >"status/$(head -n 1 waves/rest.stores)"
	truncate -s -5 "status/$(sed -n 2p waves/rest.stores)"
	FAKE_CALLS=1 fleet run --quiet
	# Only the two whose answers were lost.
	[ "$(cat "$FAKE_STORES"/*/calls | wc -l)" = 2 ]
}

@test "frozen lists and releases that were changed are refused" {
	fleet plan --freeze "$R"
	echo store0001 >>"$FLEET/rollouts/42-pos/waves/rest.stores"
	run fleet run
	[ "$status" = 4 ]
	sed -i '$d' "$FLEET/rollouts/42-pos/waves/rest.stores"
	echo "# more" >>"$FLEET/releases/$R/compose.yaml"
	run fleet run
	[ "$status" = 4 ]
	[ "$(touched "$R")" = 0 ]
}

@test "a release that has expired, or is signed by somebody else, does not go out" {
	echo "hq $(cat "$BATS_TEST_TMPDIR/key.pub")" >"$FLEET/release-signers"
	fleet plan "$R"
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/other"
	echo "hq $(cat "$BATS_TEST_TMPDIR/other.pub")" >"$FLEET/release-signers"
	run fleet run "$R"
	[ "$status" = 4 ]
	rm "$FLEET/release-signers"
	make_release 43 2020-01-01T00:00:00Z
	run fleet run "$R"
	[ "$status" = 4 ]
	[ ! -e "$FLEET/rollouts" ]
	# Also not when it was good as the rollout began.
	fleet plan --freeze "$R"
	run fleet run
	[ "$status" = 4 ]
	[ "$(touched "$R")" = 0 ]
}

@test "an image that headquarters lacks is told before the first store is called" {
	FAKE_NO_IMAGE=1 run fleet run "$R"
	[ "$status" = 8 ]
	[[ $output == *"image pos:1@sha256:0000"*"not in the image store here"* ]]
	[ ! -e "$FLEET/rollouts" ]
	fleet plan --freeze "$R"
	FAKE_CALLS=1 FAKE_NO_IMAGE=1 run fleet run
	[ "$status" = 8 ]
	[ -z "$(cat "$FAKE_STORES"/*/calls 2>/dev/null)" ]
}

@test "run without words takes the newest that is under way, not the one that was driven last" {
	fleet run "$R" --quiet
	make_release 43
	fleet plan --freeze "$R"
	fleet run --quiet
	[ "$(running "$R")" = 8 ]
	make_release 44
	fleet plan --freeze "$R"
	fleet abort
	run fleet run
	[ "$status" = 1 ]
	[[ $output == *"no rollout that is under way"* ]]
}

@test "stores that lie count at once: the rollout halts at the first one" {
	local mode n=42
	echo "wave all stores=@all fail=0 parallel=1" >"$FLEET/plan"
	for mode in no-boxes half not-json; do
		n=$((n + 1))
		make_release $n
		fleet plan --freeze "$R"
		rm -f "$FAKE_STORES"/*/mode
		inject "$(head -n 1 "$FLEET/rollouts/$n-pos/waves/all.stores")" $mode
		run fleet run
		[ "$status" = 3 ]
		[[ $output == *"FAILED, lying"* ]]
		# The one behind may have been begun.
		[ "$(running "$R")" -le 1 ]
		fleet abort
	done
}

@test "what others remove while a store's stream is made takes nothing from it" {
	echo "wave all stores=store0004" >"$FLEET/plan"
	inject store0004 content
	mkdir "$BATS_TEST_TMPDIR/bin"
	# One that has met what was gone a moment later.
	printf '#!/bin/sh\n%s "$@"\ncase $* in *parcels*) exit 1 ;; esac\n' "$(command -v find)" >"$BATS_TEST_TMPDIR/bin/find"
	chmod 755 "$BATS_TEST_TMPDIR/bin/find"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH fleet run "$R" --quiet
	[ "$(running "$R")" = 1 ]
	tar -tf "$FAKE_STORES/store0004/taken" >/dev/null
}

@test "what was made for a store that lacks something is kept for few others, and not behind the end" {
	local i
	for i in 1 2 3 4 5 6 7; do
		inject store000$i "has $i$i"
	done
	inject store0008 never
	echo "wave all stores=@all fail=100% parallel=1" >"$FLEET/plan"
	cat >"$BATS_TEST_TMPDIR/tote" <<-END
		#!/bin/sh
		ls "$FLEET/rollouts/42-pos/parcels" | grep -c 'tar\$' >>"$BATS_TEST_TMPDIR/counts"
		exec "$TESTS/fake/tote" "\$@"
	END
	chmod +x "$BATS_TEST_TMPDIR/tote"
	TOTE=$BATS_TEST_TMPDIR/tote run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(running "$R")" = 7 ]
	[ "$(sort -n "$BATS_TEST_TMPDIR/counts" | tail -n 1)" = 4 ]
	[ ! -e "$FLEET/rollouts/42-pos/parcels" ]
}

@test "soak: a store that goes bad meanwhile stops the rollout" {
	printf 'wave canary stores=@lab fail=0 soak=6s ask=1s\nwave rest percent=100\n' >"$FLEET/plan"
	fleet run "$R" --quiet 3>&- &
	local driver=$!
	eventually test -s "$FLEET/rollouts/42-pos/waves/canary.soak"
	inject store0002 relapse
	ends_with 3 $driver
	[ "$(touched "$R")" = 3 ]
	rm "$FAKE_STORES/store0002/mode"
	fleet run --quiet
	[ "$(running "$R")" = 8 ]
}

@test "windows: stores outside of theirs wait, and the next wave does too" {
	local open closed
	printf 'wave canary stores=@lab\nwave rest percent=100\n' >"$FLEET/plan"
	open="$(date -u -d '-1 hour' +%H:%M)-$(date -u -d '+1 hour' +%H:%M)"
	closed="$(TZ=Asia/Tokyo date -d '+1 hour' +%H:%M)-$(TZ=Asia/Tokyo date -d '+2 hours' +%H:%M) Asia/Tokyo"
	awk -F '\t' -v OFS='\t' -v open="$open" -v closed="$closed" '{ $5 = $1 == "store0002" ? closed : open; print }' "$FLEET/stores.tsv" >"$FLEET/new"
	mv "$FLEET/new" "$FLEET/stores.tsv"
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(touched "$R")" = 2 ]
	[ "$(fleet status --format json | jq .waves[0].waiting)" = 1 ]
	# The driver waits as long as it is told, and can be told to leave.
	run fleet run --quiet --wait 2
	[ "$status" = 8 ]
	"$FLEET_PROGRAM" --dir "$FLEET" run --quiet --wait 10m 3>&- &
	local driver=$!
	sleep 2
	kill $driver
	ends_with 1 $driver
	sed -i "s|$closed|-|" "$FLEET/stores.tsv"
	fleet run --quiet
	[ "$(running "$R")" = 8 ]
}

@test "status --ask folds equal answers and names who lies and who is away" {
	echo "wave all stores=@all" >"$FLEET/plan"
	fleet run "$R" --quiet
	inject store0002 down
	inject store0003 garbage
	run fleet status --ask
	[[ $output == *"store[0001,0004-0008] (6)"* ]]
	[[ $output == *"unreachable"* ]]
	[[ $output == *"lying"* ]]
	[ "$(fleet status --ask store0002 store0004 --format json | jq -c 'map(.says | .[0:11])')" = "[\"${R:0:11}\",\"unreachable\"]" ]
}

@test "a full disk at headquarters: the rollout stops, and goes on when there is room" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local small=$BATS_TEST_TMPDIR/small
	mkdir "$small"
	mount -t tmpfs -o size=2m none "$small"
	mkdir "$small/hq"
	cp -a "$FLEET/." "$small/hq"
	FLEET=$small/hq
	echo "wave all stores=@all fail=100% parallel=2" >"$FLEET/plan"
	fleet plan --freeze "$R"
	dd if=/dev/zero of="$small/fill" bs=4k 2>/dev/null || true
	run fleet run --quiet
	[ "$status" != 0 ]
	[ "$(touched "$R")" -le 4 ]
	rm "$small/fill"
	fleet run --quiet
	[ "$(running "$R")" = 8 ]
	no_double "$R"
	fleet audit >/dev/null
	umount "$small"
}

@test "the audit log: who did what; the first line that was changed is named; half a line at the end is mended" {
	echo "wave canary stores=@lab" >"$FLEET/plan"
	fleet run "$R" --quiet
	fleet audit >/dev/null
	[ "$(fleet audit --format json | jq -c '[.good, .bad, .torn]')" = '[true,0,false]' ]
	[ "$(jq -rs '.[0].verb + " " + .[1].verb + " " + .[-1].verb' <"$FLEET/audit.jsonl")" = "plan run end" ]
	cp "$FLEET/audit.jsonl" "$BATS_TEST_TMPDIR/good"
	sed -i '3s/canary/Canary/' "$FLEET/audit.jsonl"
	run fleet audit
	[ "$status" = 4 ]
	[[ $output == *"line 4 does not follow line 3"* ]]
	sed '2d' <"$BATS_TEST_TMPDIR/good" >"$FLEET/audit.jsonl"
	run fleet audit --format json
	[ "$status" = 4 ]
	[ "$(tail -n 1 <<<"$output" | jq .bad)" = 2 ]
	{ cat "$BATS_TEST_TMPDIR/good" && printf '{"prev":"half'; } >"$FLEET/audit.jsonl"
	[ "$(fleet audit --format json | jq -c '[.good, .torn]')" = '[true,true]' ]
	make_release 43
	fleet plan --freeze "$R"
	[ "$(fleet audit --format json | jq -c '[.good, .torn]')" = '[true,false]' ]
	grep -q 'half a line of 13 bytes' "$FLEET/audit.jsonl"
}

@test "usage and what is not there" {
	local words
	for words in "" "frob" "run --frob" "plan a b" "run --wait x" "pause x" "--dir" "run --rollout 1 $R"; do
		# shellcheck disable=SC2086
		run fleet $words
		[ "$status" = 2 ] || { echo "$words: $status" && false; }
	done
	for words in "run" "status" "status nobody" "pause" "run --rollout none" "run --rollout ../x" "plan $(printf %064d 1)"; do
		# shellcheck disable=SC2086
		run fleet $words
		[ "$status" = 1 ] || { echo "$words: $status" && false; }
	done
	[ ! -e "$FLEET/audit.jsonl" ]
	mkdir "$FLEET b"
	run "$FLEET_PROGRAM" --dir "$FLEET b" status
	[ "$status" = 2 ]
}
