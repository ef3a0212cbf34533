# SPDX-License-Identifier: Apache-2.0
# Headquarters and stores together: tote-fleet with the real tote-site on three stores of three boxes, which are directories; only
# tote and ssh are scripts (tests/site/fake). No signature, sum, serial or stream is made up here.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	command -v parallel >/dev/null || skip "needs GNU parallel"
	local store box other
	# Each box of the real thing forks some hundred times.
	export LIMIT=600
	export TESTS FAKE_CHAIN=$BATS_TEST_TMPDIR/chain FAKE_SITE=$TESTS/../../cmd/tote-site/tote-site TOTE=$TESTS/../site/fake/tote
	export TOTE_FLEET_SSH=$TESTS/fake/ssh_site TOTE_SITE_SIGNERS=$BATS_TEST_TMPDIR/signers TOTE_FLEET_KEY=$BATS_TEST_TMPDIR/key
	FLEET=$BATS_TEST_TMPDIR/hq
	ssh-keygen -q -t ed25519 -N '' -C hq -f "$TOTE_FLEET_KEY"
	echo "hq $(cat "$TOTE_FLEET_KEY.pub")" >"$TOTE_SITE_SIGNERS"
	mkdir -p "$FLEET/releases" "$BATS_TEST_TMPDIR/pos" "$BATS_TEST_TMPDIR/here/site/tags"
	cp "$TOTE_SITE_SIGNERS" "$FLEET/release-signers"
	for store in store0001 store0002 store0003; do
		printf '%s\t%s-box1,%s-box2,%s-box3\tssh\t-\t-\n' $store $store $store $store
		for box in box1 box2 box3; do
			mkdir -p "$FAKE_CHAIN/$store/$box"
			{
				printf '%s\n' "store $store" "box $box" "engine supervise" "gate-seconds 0" "gate-timeout 5" "ssh $TESTS/../site/fake/ssh"
				for other in box1 box2 box3; do
					[ "$box" = $other ] || echo "peer $other $other"
				done
			} >"$FAKE_CHAIN/$store/$box/site.conf"
		done
	done >"$FLEET/stores.tsv"
	printf 'wave canary stores=store0001\nwave rest percent=100\n' >"$FLEET/plan"
	# The image store of headquarters.
	export TOTE_SITE_DIR=$BATS_TEST_TMPDIR/here/site
	POS1=$(echo 1 | sha256sum | cut -c 1-64) POS2=$(echo 2 | sha256sum | cut -c 1-64)
	printf '%s\n' "$POS1" "$POS2" >"$BATS_TEST_TMPDIR/here/images"
}

# Signs release SERIAL of the image; further words are lines of the Compose file. Sets R.
sign() { # SERIAL IMAGE-ID [LINE...]
	{ echo "# serial $1" && printf '%s\n' "${@:3}" 'image: pos:1'; } >"$BATS_TEST_TMPDIR/pos/compose.yaml"
	R=$(fleet sign "$BATS_TEST_TMPDIR/pos" --serial "$1" --image "pos:1@sha256:$2")
}

# What the boxes of a store run, by what their tote was told last.
boxes_run() { # STORE
	sed -n 's/^# serial //p' "$FAKE_CHAIN/$1"/box?/runs.yaml 2>/dev/null | paste -sd ' '
}

@test "a release to stores that have nothing, once more without a change, the next one, and back" {
	sign 1 "$POS1"
	fleet run "$R"
	for store in store0001 store0002 store0003; do
		[ "$(boxes_run $store)" = "1 1 1" ]
	done
	[ "$(fleet status --format json | jq -r .state)" = finished ]
	# Nothing to do: one call a store, no stream.
	fleet plan --freeze "$R"
	fleet run
	[ ! -e "$FLEET/rollouts/1-pos-2/parcels" ]
	sign 2 "$POS2"
	fleet run "$R" --quiet
	[ "$(boxes_run store0003)" = "2 2 2" ]
	fleet rollback --quiet
	[ "$(boxes_run store0002)" = "1 1 1" ]
	[ "$(jq .serial <"$FAKE_CHAIN/store0002/box1/site/state.json")" = 3 ]
	fleet audit >/dev/null
	run fleet status --ask
	[[ $output == *"store[0001-0003] (3)"* ]]
}

@test "a release that is sick in the first store goes back there by itself, and no further" {
	sign 1 "$POS1"
	fleet run "$R" --quiet
	sign 2 "$POS2" '# sick on box2'
	run fleet run "$R" --quiet
	[ "$status" = 3 ]
	[ "$(boxes_run store0001)" = "1 1 1" ]
	[ "$(boxes_run store0002)" = "1 1 1" ]
	[ ! -d "$FAKE_CHAIN/store0002/box1/site/releases/$R" ]
	[ "$(fleet status --format json | jq -r '.stores[0] | .store + " " + .class')" = "store0001 rolled-back" ]
}

@test "a store one of whose boxes cannot be called is asked through the next; an old release is refused by all" {
	sign 2 "$POS1"
	fleet run "$R" --quiet
	sign 1 "$POS2"
	echo "wave all stores=@all fail=100%" >"$FLEET/plan"
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(fleet status --stores --format json | jq -c '[.stores[].class] | unique')" = '["refused"]' ]
	touch "$FAKE_CHAIN/store0001/box1/down"
	run fleet status --ask store0001
	[[ $output != *unreachable* ]]
}

@test "a stick brings a release to a store without a network, and its answer back" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local stick=$BATS_TEST_TMPDIR/stick dir=$FAKE_CHAIN/store0003/box1
	mkdir "$stick"
	sed -i '/^store0003/s/ssh/usb/' "$FLEET/stores.tsv"
	sign 1 "$POS1"
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(boxes_run store0003)" = "" ]
	unshare -n "$FLEET_PROGRAM" --dir "$FLEET" export-usb store0003 "$stick"
	FAKE_STORE=$FAKE_CHAIN/store0003 TOTE_SITE_CONF=$dir/site.conf TOTE_SITE_DIR=$dir/site TOTE_SITE_RUN=$dir/run \
		unshare -n "$FAKE_SITE" apply "$stick"
	[ "$(boxes_run store0003)" = "1 1 1" ]
	unshare -n "$FLEET_PROGRAM" --dir "$FLEET" import-status "$stick"
	[ "$(fleet status --format json | jq -r .state)" = finished ]
	# A stick that somebody wrote on is refused by the store, and that comes back as well.
	sign 2 "$POS2"
	run fleet run "$R" --quiet
	fleet export-usb store0003 "$stick"
	echo "# more" >>"$stick/releases/$R/compose.yaml"
	FAKE_STORE=$FAKE_CHAIN/store0003 TOTE_SITE_CONF=$dir/site.conf TOTE_SITE_DIR=$dir/site TOTE_SITE_RUN=$dir/run \
		run "$FAKE_SITE" apply "$stick"
	[ "$status" = 4 ]
	[ "$(boxes_run store0003)" = "1 1 1" ]
}
