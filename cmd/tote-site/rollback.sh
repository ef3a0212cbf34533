# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# `tote-site rollback`: back to the release before, because somebody says so. The one that runs is remembered as failed, as otherwise the
# next apply would bring it again. Needs apply.sh and course.sh.

verb_rollback() {
	local code=0
	between rollback_main || code=$?
	apply_answer "$code"
	return "$code"
}

rollback_main() {
	lock_box 0 && store_load || return
	course_base
	COURSE_TARGET=$S_TARGET
	case $S_PHASE in
	settled) COURSE_BASE=$S_PREVIOUS COURSE_TARGET=$S_RELEASE ;;
	# What it goes back from was remembered when it began to.
	reverting) COURSE_TARGET='' ;;
	esac
	[ -n "$COURSE_BASE" ] && [ -z "${S_FAILED[$COURSE_BASE]:-}" ] || fail absent "there is no release to go back to" || return
	store_verify "$COURSE_BASE" && boxes_list && boxes_ask || return
	if [ "$DRY_RUN" = 1 ]; then
		say "would go back from ${COURSE_TARGET:0:12} to ${COURSE_BASE:0:12}"
		return
	fi
	apply_all_there || true
	lock_store && boxes_ask || return
	# What an operator has tied to what would go is asked before anything changes, as on the way forward.
	turn_check "$COURSE_BASE" && rollback_note || return
	COURSE_CAUSE=back COURSE_WHY="asked to"
	course_run back || return
}

# What the course reads: that this box is between, and where from.
rollback_note() {
	store_update '.phase = "reverting" | .target = $to | .base = $to | .since = $now |
		.failed = (if $from == "" then .failed else .failed - [$from] + [$from] | .[-32:] end)' \
		--arg to "$COURSE_BASE" --arg from "$COURSE_TARGET" --arg now "$(date -u +%FT%TZ)"
}
