# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# `tote-site tend`: what the timer and the boot call. Goes on with what was interrupted, takes in what a depot wants, applies it, and
# looks whether all is well. Needs apply.sh and fetch.sh.

verb_tend() {
	local code=0 fetched=0 depot
	if [ "$OPT_BOOT" = 1 ]; then
		tend_boot
		return
	fi
	if [ "$OPT_CONTINUE" = 0 ]; then
		for depot in "${CONF_DEPOTS[@]}"; do
			fetched=0
			fetch_from "$depot" || fetched=$?
			[ "$fetched" != 0 ] || break
		done
	fi
	store_load || return
	[ "$DRY_RUN" = 1 ] || engine_mend || return
	code=0
	tend_apply || code=$?
	# A depot that cannot be reached is no trouble of the store's; one that was refused, or for which there is no room, is.
	if [ "$code" = 0 ] && [[ $fetched == @("${CODE[refused]}"|"${CODE[full]}") ]]; then
		code=$fetched
	fi
	for depot in "${CONF_DEPOTS[@]}"; do
		apply_report "$depot" "$code"
	done
	return "$code"
}

tend_apply() {
	# A box that has nothing yet is no trouble.
	[ -n "$S_TAKEN$S_RELEASE" ] || { say "no release was taken here yet"; return 0; }
	if [ "$OPT_CONTINUE" = 0 ]; then
		verb_apply
	else
		tend_continue
	fi
}

tend_continue() {
	case $S_PHASE in
	switching) verb_apply "$S_TARGET" ;;
	reverting) tend_revert ;;
	*) verb_gate ;;
	esac
}

tend_revert() {
	local code=0
	if [ "$DRY_RUN" = 1 ]; then
		say "would go on going back to release ${S_TARGET:0:12}"
		return
	fi
	lock_box 0 && store_load || return
	COURSE_CAUSE=back COURSE_WHY="what was interrupted goes on"
	if [ -n "$S_TAKEN" ] && [ -n "${S_FAILED[$S_TAKEN]:-}" ]; then
		COURSE_CAUSE=bad COURSE_WHY="release ${S_TAKEN:0:12} has failed here"
	fi
	boxes_list
	boxes_ask && between lock_store && between course_run back || code=$?
	apply_answer "$code"
	return "$code"
}

# Before the cluster engine: what lies on a tmpfs and was lost. No other box and no network is needed.
tend_boot() {
	[ -n "$S_RELEASE" ] || return 0
	secrets_open && engine_boot "$S_RELEASE"
}
