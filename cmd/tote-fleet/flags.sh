# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# pause, resume, abort: a file in the rollout's directory, which each job looks for before it begins and the driver twice a second.

verb_pause() {
	flag_set paused pause "$@"
}

# In flight stores are finished by the driver; nothing of them is left half done.
verb_abort() {
	flag_set aborted abort "$@"
}

flag_set() { # FLAG VERB
	[ $# = 2 ] || die usage "$2 [--rollout ID]"
	rollout_open "${OPT[rollout]:-}" || exit
	[ ! -e "$ROLLOUT/aborted" ] || { wave_flag_words aborted && exit "$ABORTED"; }
	audit "$2" rollout="$ROLLOUT_ID" || exit
	printf 'by %s at %s\n' "$(audit_who)" "$(date -u +%FT%TZ)" | replace_file "$ROLLOUT/$1" || exit
	say "rollout $ROLLOUT_ID: $1; stores that are being changed are finished"
}

wave_flag_words() { # FLAG
	say "rollout $ROLLOUT_ID is $1, $(cat "$ROLLOUT/$1")"
}

verb_resume() {
	[ $# = 0 ] || die usage "resume [--rollout ID]"
	run_prepare
	rollout_open "${OPT[rollout]:-}" || exit
	[ ! -e "$ROLLOUT/paused" ] || resume_wait
	fleet_lock || exit
	[ ! -e "$ROLLOUT/aborted" ] || { wave_flag_words aborted && exit "$ABORTED"; }
	if [ -e "$ROLLOUT/paused" ]; then
		audit resume rollout="$ROLLOUT_ID" || exit
		rm -f "$ROLLOUT/paused" && sync_dir "$ROLLOUT" || exit
	fi
	run_locked
}

# The driver that was stopped may still be finishing its stores.
resume_wait() {
	(flock -w "${TOTE_FLEET_LOCK_WAIT:-7200}" 8) 8>>"$FLEET/rollouts/.lock" || die busy "the driver before is still at work"
}
