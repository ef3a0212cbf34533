# SPDX-License-Identifier: Apache-2.0
# Headquarters and whole stores for real: tote-fleet brings releases over ssh to six stores of three boxes each ($RIG_STORES), with
# corosync, Pacemaker and tote in every box. For `make fleet-check`; it takes its time, and 3 GB of memory.

bats_require_minimum_version 1.5.0
. "$BATS_TEST_DIRNAME/store.bash"

setup_file() {
	local why
	why=$(can_cluster) || skip "$why"
	command -v parallel >/dev/null || skip "needs GNU parallel"
	[ -f "$RIG_SOURCE/cmd/tote-site/engine_pacemaker.sh" ] || skip "tote-site has no engine for Pacemaker"
	export RIG_STORES=${RIG_STORES:-6}
	open_store "$RIG_STORES" 3>&-
}

teardown_file() {
	close_store
}

setup() {
	RIG_LOG=$RIG_DIR/shared
	FLEET=$RIG_DIR/hq
	export TOTE_FLEET_KEY=$FLEET/key TOTE=$BUILD/tote TOTE_STORE=$FLEET/store
	export TOTE_FLEET_SSH="ssh -i $FLEET/key -o BatchMode=yes -o ConnectTimeout=10 -o IdentitiesOnly=yes -o ServerAliveInterval=15"
	cp "$FLEET/signers" "$FLEET/release-signers"
	printf 'wave canary stores=store0001 timeout=15m\nwave rest percent=100 parallel=3 timeout=15m\n' >"$FLEET/plan"
}

# Beside the stores' switches, whose addresses this machine does not know.
fleet() {
	rig hall timeout 1800 "$RIG_SOURCE/cmd/tote-fleet/tote-fleet" --dir "$FLEET" "$@" 3>&-
}

# Signs a release of two services, whose image has its serial in it. Sets R.
sign() { # SERIAL [HEALTH-COMMAND]
	echo "$1" >"$FLEET/witness/serial"
	tar -C "$FLEET/witness" -cf "$FLEET/pos.tar" .
	"$TOTE" import -q --cmd 'sleep 100000' "$FLEET/pos.tar" "pos:$1" >/dev/null
	"$TOTE" tag "pos:$1" pos:1
	mkdir -p "$FLEET/shop"
	cat >"$FLEET/shop/compose.yaml" <<-END
		services:
		  db:
		    {image: pos:1, init: true, restart: always, network_mode: none, x-tote: {update_timeout: 15s},
		    healthcheck: {test: ["CMD-SHELL", "${2:-true}"], interval: 2s, retries: 2}}
		  till: {image: pos:1, init: true, restart: always, network_mode: none, deploy: {mode: global}}
	END
	R=$(fleet sign "$FLEET/shop" --serial "$1" --project shop)
}

# Serials that the boxes of all stores have, each once.
serials() {
	local box
	for box in $(rig boxes); do
		on "$box" tote exec shop-till cat /serial || echo none
	done | sort -u | paste -sd ' '
}

@test "a release reaches all stores, wave by wave" {
	local begin
	sign 1
	begin=$(up_time)
	run fleet run "$R"
	echo "code $status after $(since "$begin") s: $output"
	fleet status || true
	[ "$status" = 0 ]
	[ "$(serials)" = 1 ]
	fleet audit
}

@test "a release that is sick stops at the canary, which goes back by itself" {
	sign 2 'test -e /nowhere'
	run fleet run "$R"
	echo "code $status: $output"
	[ "$status" = 3 ]
	[ "$(serials)" = 1 ]
	[ "$(on s1b1 jq -r '.failed[0]' /var/lib/tote-site/state.json)" = "$R" ]
	[ "$(on s2b1 jq .highest /var/lib/tote-site/state.json)" = 1 ]
}

@test "the next good one goes out although a box of a store is cut off, that store is told apart, and gets it when the box is back" {
	local store
	echo 'wave all percent=100 parallel=3 timeout=15m fail=1' >"$FLEET/plan"
	sign 3
	rig cut s2b3
	run fleet run "$R"
	echo "code $status: $output"
	[ "$status" != 0 ]
	for store in $(cut -f 1 "$FLEET/stores.tsv"); do
		jq -r '"\(.store) \(.class)"' "$FLEET/rollouts/3-shop/status/$store"
	done | sort >"$FLEET/classes"
	[ "$(grep -v ' ok$' "$FLEET/classes")" = "store0002 between" ]
	# Nothing was changed there.
	[ "$(on s2b1 tote exec shop-till cat /serial)" = 1 ]
	rig plug s2b3
	wait_for 180 settled_stores
	run -0 fleet run --rollout 3-shop
	[ "$(serials)" = 3 ]
}

settled_stores() {
	local box
	for box in $(rig boxes); do
		rig settled "$box" || return 1
	done
}
