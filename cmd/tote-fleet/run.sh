# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# run: a driver takes a rollout through its waves. It can be killed at any point; who runs it again goes on.

# Since run may be called for what is there already, the release is checked each time: nothing unverified goes out.
verb_run() { # [RELEASE]
	local release=${1:-${OPT[release]:-}}
	[ $# -le 1 ] || die usage "run [RELEASE]"
	[ -z "$release" ] || [ -z "${OPT[rollout]:-}" ] || die usage "either a release or --rollout"
	[ -z "${OPT[dry-run]:-}" ] || { run_preview "$release" && exit 0; } || exit
	run_prepare
	if [ -n "$release" ]; then
		run_check "$release" && fleet_lock && rollout_new "$release" "$FLEET/plan" || exit
		say "rollout $ROLLOUT_ID"
	else
		# Before the lock, which says whether a driver is at work on one.
		rollout_open "${OPT[rollout]:-}" && fleet_lock || exit
	fi
	run_locked
}

run_preview() { # RELEASE
	if [ -n "$1" ]; then
		verb_plan "$1"
	else
		work_dir && inventory_read && rollout_open "${OPT[rollout]:-}" || return
		OPT[rollout]=$ROLLOUT_ID
		verb_plan
	fi
}

# What every store would refuse, or could not be given, is found here.
run_check() { # RELEASE
	release_check "$1" && release_fresh && run_check_images
}

# By the IDs that the manifest has; after release_read.
run_check_images() {
	local name tote=${TOTE:-tote}
	need "$tote" || return
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		bounded 60 "$tote" inspect "sha256:${RELEASE_IMAGES[$name]}" >/dev/null 2>&1 ||
			fail absent "image $name@sha256:${RELEASE_IMAGES[$name]} is not in the image store here, so no store could get it; load it" || return
	done
}

run_prepare() {
	need parallel ssh setpriv timeout || exit
	work_dir || exit
	inventory_read || exit
	WAIT=0
	[ -z "${OPT[wait]:-}" ] || { seconds_of "${OPT[wait]}" && WAIT=$REPLY; } || die usage "--wait takes a time, as 90s or 2h"
}

# The fleet is locked. Goes; the exit code is the rollout's.
run_locked() {
	local code=0
	rollout_lock || exit
	wave_flag || exit
	run_check "$RELEASE" || exit
	# The lock is ours: whoever made them has gone.
	rm -rf "$ROLLOUT/parcels"
	trap 'INTERRUPTED=1' INT TERM HUP
	audit run rollout="$ROLLOUT_ID" release="$RELEASE" || exit
	run_waves || code=$?
	run_end $code
	rm -rf "$ROLLOUT/parcels"
	exit "$code"
}

run_waves() {
	local name
	for name in "${WAVES[@]}"; do
		run_wave "$name" || return
	done
	# Who could not be reached in an earlier wave was tried again above; now all together.
	run_count || return
	[ "${COUNT[ok]}" = "${COUNT[all]}" ] || return "$UNFINISHED"
}

# Of all waves; nothing is called between the last wave and the end.
RUN_COUNTED=
run_count() {
	[ -z "$RUN_COUNTED" ] || return 0
	answers_table "${WAVES[@]}" && answers_count && RUN_COUNTED=yes
}

run_wave() { # WAVE
	local done_file=$ROLLOUT/waves/$1.done code=0
	[ ! -e "$done_file" ] || run_wave_is_open "$1" || return 0
	wave_flag || return
	wave_limits "$1"
	say "wave $1: $WAVE_SIZE stores, $LIMIT_FAIL may fail"
	wave_run "$1" || code=$?
	# A wave that is through has proved itself: stores of it that are still away hold nobody up.
	[ $code != "$UNFINISHED" ] || [ ! -e "$done_file" ] || code=0
	[ $code = 0 ] || { run_audit_wave "$1" stopped $code && return $code; }
	if [ ! -e "$done_file" ]; then
		soak "$1" || { code=$? && run_audit_wave "$1" stopped $code && return $code; }
		date -u +%FT%TZ | replace_file "$done_file" || return
	fi
	run_audit_wave "$1" through 0
	counts_in_words && say "wave $1: $REPLY"
}

# Whether a store of a wave that is through is still to be asked.
run_wave_is_open() { # WAVE
	answers_table "$1" && answers_count "$1" && [ $((COUNT[ok] + COUNT[by-hand])) -lt "${COUNT[all]}" ]
}

run_audit_wave() { # WAVE WHAT CODE
	audit wave rollout="$ROLLOUT_ID" wave="$1" what="$2" code:="$3" ok:="${COUNT[ok]:-0}" failed:="${COUNT[failed]:-0}" \
		unreachable:="${COUNT[unreachable]:-0}" waiting:="${COUNT[open]:-0}"
}

# Tells the end; a rollout that is everywhere is finished.
run_end() { # CODE
	run_count && counts_in_words || return 0
	say "rollout $ROLLOUT_ID: $REPLY"
	if [ "$1" = 0 ]; then
		date -u +%FT%TZ | replace_file "$ROLLOUT/finished" || true
	fi
	audit end rollout="$ROLLOUT_ID" code:="$1" ok:="${COUNT[ok]}" failed:="${COUNT[failed]}" unreachable:="${COUNT[unreachable]}" || true
	[ "$FORMAT" = text ] || { run_json "$1" && printf '%s\n' "$REPLY"; }
}

run_json() { # CODE
	json_object rollout="$ROLLOUT_ID" release="$RELEASE" code:="$1" why="$WHY" ok:="${COUNT[ok]}" failed:="${COUNT[failed]}" \
		unreachable:="${COUNT[unreachable]}" waiting:="${COUNT[open]}" by_hand:="${COUNT[by-hand]}" stores:="${COUNT[all]}"
}
