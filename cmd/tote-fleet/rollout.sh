# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# rollouts/ID/: one release on its way through the waves. What was decided at its beginning (release, plan, lists of stores) is
# frozen, and its sums are in the audit log; the rest is found again by who goes on with it.

# The sums of what is frozen, in a fixed order.
rollout_sums() { # DIR
	(cd -- "$1" && sha256sum release plan waves/*.stores)
}

# Makes rollouts/ID of stores.tsv and the plan; sets ROLLOUT, ROLLOUT_ID, RELEASE. Call release_check before.
rollout_new() { # RELEASE PLAN-FILE
	local beside id n=1 name=$RELEASE_NAME serial=$RELEASE_SERIAL
	[ -n "$1" ] || fail usage "which release?" || return
	plan_read "$2" || return
	mkdir -p "$FLEET/rollouts" && beside=$(mktemp -d "$FLEET/rollouts/.new.XXXXXX") || fail full "$FLEET/rollouts: cannot be written" || return
	chmod 755 "$beside"
	mkdir "$beside/waves" "$beside/status" "$beside/log" && printf '%s\n' "$1" >"$beside/release" && cat -- "$2" >"$beside/plan" &&
		plan_assign "$1" "$beside/waves" && rollout_sums "$beside" >"$beside/frozen" ||
			{ rm -rf "$beside" && fail error "no rollout was made" || return; }
	id=$serial-$name
	id=${id:0:56}
	while [ -e "$FLEET/rollouts/$id" ]; do
		n=$((n + 1)) && id=$serial-${name:0:40}-$n
	done
	audit plan rollout="$id" release="$1" serial:="$serial" stores:="$(cat "$beside"/waves/*.stores | wc -l)" \
		frozen="$(sha256sum <"$beside/frozen" | cut -c 1-64)" &&
		replace_dir "$beside" "$FLEET/rollouts/$id" || { rm -rf "$beside" && return 1; }
	rollout_open "$id"
}

# Sets ROLLOUT ROLLOUT_ID RELEASE, reads the frozen plan. Refuses what is not as it was frozen.
rollout_open() { # [ID]
	local id=${1:-}
	[ -n "$id" ] || { rollout_current && id=$REPLY; } || return
	is_name "$id" && [ -d "$FLEET/rollouts/$id" ] || fail error "$id: there is no such rollout" || return
	ROLLOUT_ID=$id ROLLOUT=$FLEET/rollouts/$id
	[ "$(rollout_sums "$ROLLOUT" 2>/dev/null)" = "$(cat "$ROLLOUT/frozen")" ] ||
		fail refused "rollout $id: its plan or a list of stores is not what was frozen; make a new one" || return
	RELEASE=$(cat "$ROLLOUT/release")
	plan_read "$ROLLOUT/plan"
}

# The one that a driver is at work on, or the newest that is neither finished nor aborted.
rollout_current() {
	local dir
	REPLY=
	if [ -e "$FLEET/rollouts/.driver" ] && ! flock -n "$FLEET/rollouts/.lock" true; then
		REPLY=$(sed -n 's/^pid .* rollout \([^,]*\), .*/\1/p' "$FLEET/rollouts/.driver")
		[ -z "$REPLY" ] || return 0
	fi
	for dir in "$FLEET"/rollouts/*/; do
		dir=${dir%/}
		[ -f "$dir/frozen" ] && [ ! -e "$dir/aborted" ] && [ ! -e "$dir/finished" ] || continue
		[ -z "$REPLY" ] || [ "$dir/frozen" -nt "$FLEET/rollouts/$REPLY/frozen" ] || continue
		REPLY=${dir##*/}
	done
	[ -n "$REPLY" ] || fail error "there is no rollout that is under way; name one by --rollout"
}

# One driver at a time. What runs parallel for it has the locks as well (fds 8 and 9): while stores of a driver that was killed
# are still being changed, nobody else begins. If all three were killed, the stores' own locks are left: they say "busy".
fleet_lock() {
	local pid
	mkdir -p "$FLEET/rollouts" && exec 8>>"$FLEET/rollouts/.lock" || fail error "$FLEET/rollouts: cannot be written" || return
	! flock -n 8 || return 0
	pid=$(sed -n 's/^pid \([0-9]*\) .*/\1/p' "$FLEET/rollouts/.driver" 2>/dev/null) || pid=
	if [ -n "$pid" ] && [ -e "/proc/$pid" ]; then
		fail busy "another driver is at work: $(cat "$FLEET/rollouts/.driver"); nothing was done" || return
	fi
	say "the driver before has died; waiting until its last stores are done"
	flock -w "${TOTE_FLEET_LOCK_WAIT:-7200}" 8 || fail busy "stores of a driver that has died are still being changed; try again later"
}

# Needs fleet_lock; the rollout's own lock is what tells others that this one is under way.
rollout_lock() {
	exec 9>>"$ROLLOUT/lock" && flock -w 60 9 || fail busy "$ROLLOUT/lock: somebody holds it" || return
	printf 'pid %d on %s, rollout %s, since %s\n' $$ "$(uname -n)" "$ROLLOUT_ID" "$(date -u +%FT%TZ)" >"$FLEET/rollouts/.driver" ||
		fail full "$FLEET/rollouts: cannot be written"
}

# What stops a rollout: 0, or the exit code.
rollout_flags() {
	[ ! -e "$ROLLOUT/aborted" ] || return "$ABORTED"
	[ ! -e "$ROLLOUT/paused" ] || return "$PAUSED"
}

# A wave's numbers in words of the plan -> LIMIT_FAIL, LIMIT_UNREACHABLE, WAVE_SIZE.
wave_limits() { # WAVE
	WAVE_SIZE=$(wc -l <"$ROLLOUT/waves/$1.stores")
	share_of "${WAVE[$1 fail]}" "$WAVE_SIZE" && LIMIT_FAIL=$REPLY
	share_of "${WAVE[$1 unreachable]}" "$WAVE_SIZE" && LIMIT_UNREACHABLE=$REPLY
}
