# SPDX-License-Identifier: Apache-2.0
# Headquarters and stores together: tote-fleet with the real tote-site on three stores, which are directories; only tote and ssh are
# scripts (tests/site/fake). No signature, sum, serial or stream is made up here. An update of a store with several boxes starts some
# thousand programs, so only the first store has two (tests/site has three, tests/site/rig real ones), and the tests go on with what the
# one before left: in this order, on one set-up.
bats_require_minimum_version 1.5.0
REAL_JQ=1
load ../bats
load helpers

setup_file() {
	export HQ=$BATS_FILE_TMPDIR
	hq_variables
	mkdir -p "$FLEET/releases" "$HQ/pos" "$HQ/here/site/tags"
	ssh-keygen -q -t ed25519 -N '' -C hq -f "$TOTE_FLEET_KEY"
	echo "hq $(cat "$TOTE_FLEET_KEY.pub")" >"$TOTE_SITE_SIGNERS"
	cp "$TOTE_SITE_SIGNERS" "$FLEET/release-signers"
	make_store store0001 box1 box2
	make_store store0002 box1
	make_store store0003 box1
	printf 'wave canary stores=store0001\nwave rest percent=100\n' >"$FLEET/plan"
	# The image store of headquarters.
	printf '%s\n' "$POS1" "$POS2" >"$HQ/here/images"
}

setup() {
	command -v parallel >/dev/null || skip "needs GNU parallel"
	hq_variables
}

hq_variables() {
	# Each box of the real thing forks some hundred times.
	export LIMIT=600
	export TESTS FAKE_CHAIN=$HQ/chain FAKE_SITE=$TESTS/../../cmd/tote-site/tote-site TOTE=$TESTS/../site/fake/tote TOTE_SITE_DIR=$HQ/here/site
	export TOTE_FLEET_SSH=$TESTS/fake/ssh_site TOTE_SITE_SIGNERS=$HQ/signers TOTE_FLEET_KEY=$HQ/key
	FLEET=$HQ/hq POS1=$(echo 1 | sha256sum | cut -c 1-64) POS2=$(echo 2 | sha256sum | cut -c 1-64)
}

make_store() { # STORE BOX...
	local store=$1 box other boxes
	shift
	boxes=$(printf "$store-%s," "$@")
	printf '%s\t%s\tssh\t-\t-\n' "$store" "${boxes%,}" >>"$FLEET/stores.tsv"
	for box; do
		mkdir -p "$FAKE_CHAIN/$store/$box"
		{
			printf '%s\n' "store $store" "box $box" "engine supervise" "gate-seconds 0" "gate-timeout 5" "ssh $TESTS/../site/fake/ssh"
			for other; do
				[ "$box" = "$other" ] || echo "peer $other $other"
			done
		} >"$FAKE_CHAIN/$store/$box/site.conf"
	done
}

# Signs release SERIAL of the image; further words are lines of the Compose file. Sets R.
sign() { # SERIAL IMAGE-ID [LINE...]
	{ echo "# serial $1" && printf '%s\n' "${@:3}" 'image: pos:1'; } >"$HQ/pos/compose.yaml"
	R=$(fleet sign "$HQ/pos" --serial "$1" --image "pos:1@sha256:$2")
}

# What the boxes of all stores run, by what their tote was told last.
boxes_run() { # STORE|*
	# shellcheck disable=SC2086 # a pattern
	sed -n 's/^# serial //p' "$FAKE_CHAIN"/$1/box?/runs.yaml 2>/dev/null | paste -sd ' '
}

# tote-site on a box of store0003, without any network.
site_alone() { # WORDS...
	local dir=$FAKE_CHAIN/store0003/box1
	FAKE_STORE=$FAKE_CHAIN/store0003 TOTE_SITE_CONF=$dir/site.conf TOTE_SITE_DIR=$dir/site TOTE_SITE_RUN=$dir/run unshare -n "$FAKE_SITE" "$@"
}

@test "a release to stores that have nothing; once more without a change; the next one, and back" {
	sign 1 "$POS1"
	fleet run "$R"
	[ "$(boxes_run '*')" = "1 1 1 1" ]
	[ "$(fleet status --format json | jq -r .state)" = finished ]
	# What every box says is at headquarters.
	[ "$(jq -c --arg r "$R" '[.answer.boxes[].release == $r]' <"$FLEET/rollouts/1-pos/status/store0001")" = "[true,true]" ]
	# Nothing to do: one call a store, no stream.
	fleet plan --freeze "$R"
	fleet run
	[ ! -e "$FLEET/rollouts/1-pos-2/parcels" ]
	sign 2 "$POS2"
	fleet run "$R" --quiet
	[ "$(boxes_run '*')" = "2 2 2 2" ]
	fleet rollback --quiet
	[ "$(boxes_run '*')" = "1 1 1 1" ]
	[ "$(jq .serial <"$FAKE_CHAIN/store0002/box1/site/state.json")" = 3 ]
	fleet audit >/dev/null
	run fleet status --ask
	[[ $output == *"store[0001-0003] (3)"* ]]
}

@test "a release that is sick in the first store goes back there by itself, and no further; an old one is refused" {
	sign 4 "$POS2" '# sick on box2'
	run fleet run "$R" --quiet
	[ "$status" = 3 ]
	[ "$(boxes_run '*')" = "1 1 1 1" ]
	[ ! -d "$FAKE_CHAIN/store0002/box1/site/releases/$R" ]
	[ "$(fleet status --format json | jq -r '.stores[0] | .store + " " + .class')" = "store0001 rolled-back" ]
	fleet abort
	sign 2 "$POS2" '# other content'
	echo "wave all stores=@all fail=100%" >"$FLEET/plan"
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(fleet status --stores --format json | jq -c '[.stores[].class] | unique')" = '["refused"]' ]
	[ "$(boxes_run '*')" = "1 1 1 1" ]
	fleet abort
	# One box that cannot be called: the next one answers.
	touch "$FAKE_CHAIN/store0001/box1/down"
	run fleet status --ask store0001
	rm "$FAKE_CHAIN/store0001/box1/down"
	[[ $output != *unreachable* ]]
	[[ $output == *store0001* ]]
}

@test "a stick brings a release to a store without a network, and its answer back" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local stick=$BATS_TEST_TMPDIR/stick
	mkdir "$stick"
	echo "wave all stores=store0002,store0003" >"$FLEET/plan"
	sed -i '/^store0003/s/ssh/usb/' "$FLEET/stores.tsv"
	sign 5 "$POS1"
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(boxes_run 'store000[23]')" = "5 1" ]
	unshare -n "$FLEET_PROGRAM" --dir "$FLEET" export-usb store0003 "$stick"
	site_alone apply "$stick"
	[ "$(boxes_run 'store000[23]')" = "5 5" ]
	unshare -n "$FLEET_PROGRAM" --dir "$FLEET" import-status "$stick"
	[ "$(fleet status --format json | jq -r .state)" = finished ]
	# A stick that somebody wrote on is refused by the store, and that comes back as well.
	sign 6 "$POS2"
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	fleet export-usb store0003 "$stick"
	echo "# more" >>"$stick/releases/$R/compose.yaml"
	run site_alone apply "$stick"
	[ "$status" = 4 ]
	[ "$(boxes_run 'store000[23]')" = "6 5" ]
}
