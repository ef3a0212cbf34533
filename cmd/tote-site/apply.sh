# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# `tote-site apply`: finds out what is to be done and under which locks, and lets course.sh do it. When nothing is to be done the gate
# alone answers, each time: that a box has the right release does not say that it is well. Needs course.sh and fetch.sh.

verb_apply() { # [RELEASE|DIR]
	local code=0 release=${1:-} depot=''
	if [ -n "$release" ] && ! release_is_id "$release"; then
		depot=$release release=''
		fetch_from "$depot" || code=$?
		[ "$code" = 0 ] || [ -n "$FETCH_SECRETS" ] || { apply_report "$depot" "$code"; return "$code"; }
		code=0
		store_load || return
		release=$S_TAKEN
	fi
	between apply_main "$release" || code=$?
	apply_answer "$code"
	[ -z "$FETCH_SECRETS" ] || [ "$code" != 0 ] || { apply_without_secrets && code=${CODE[refused]}; }
	[ -z "$depot" ] || apply_report "$depot" "$code"
	return "$code"
}

# To who called this by ssh, 255 would mean that this box cannot be reached.
between() { # COMMAND...
	local code=0
	"$@" || code=$?
	[ "$code" != 255 ] || code=${CODE[between]}
	return "$code"
}

# The release runs and is well, and that is not all that was asked for.
apply_without_secrets() {
	WHY="the release runs with the secrets of before: $FETCH_SECRETS"
	say "$WHY"
	ANSWER=$(jq -c --arg why "$WHY" '.why = $why' <<<"$ANSWER")
}

apply_answer() { # CODE
	local why=$WHY
	# What is known of all boxes, not only of those that the last look was at.
	if [ ${#LOOK_AT[@]} != 0 ] || [ "$(jq '.boxes | length' <<<"$GATE")" = 0 ]; then
		LOOK_AT=()
		boxes_list
		gate_look "$S_RELEASE" 0 || true
	fi
	WHY=$why
	status_answer "$1"
	[ "$FORMAT" != json ] || return 0
	# They were asked before they settled.
	boxes_ask || true
	WHY=$why
	status_print
}

# What cannot be left there is no reason to fail, and WHY stays what it was.
apply_report() { # DEPOT CODE
	local why=$WHY
	store_answer "$2" "$ANSWER" && depot_report "$1" "$CONF_STORE" <<<"$REPLY" || true
	WHY=$why
}

apply_main() { # RELEASE
	lock_box 0 && store_load || return
	COURSE_TARGET=${1:-$S_TAKEN}
	[ -n "$COURSE_TARGET" ] || fail absent "no release was taken here yet" || return
	boxes_list
	boxes_ask || return
	if [ "$DRY_RUN" = 1 ]; then
		apply_dry_run
	elif [ -n "${S_FAILED[$COURSE_TARGET]:-}" ] && [ "$OPT_RETRY" = 0 ]; then
		apply_failed_before
	elif [ "$OPT_RETRY" = 0 ] && apply_is_done; then
		lock_drop
		GATE_ASKED=yes
		gate_only "$COURSE_TARGET"
	else
		apply_change begin
	fi
}

# Whether all boxes have it, and nobody is under way.
apply_is_done() {
	printf '%s\n' "${STATUS[@]}" | jq -es --arg to "$COURSE_TARGET" 'all(.online and .release == $to and .phase == "settled")' >/dev/null
}

# Going back may have been interrupted.
apply_failed_before() {
	if [ "$S_PHASE" != settled ]; then
		COURSE_CAUSE=bad COURSE_WHY="release ${COURSE_TARGET:0:12} has failed here"
		apply_change back
		return
	fi
	lock_drop
	GATE_ASKED=yes
	gate_look "$S_RELEASE" 0 || return
	fail rolled-back "release ${COURSE_TARGET:0:12} has failed here before: apply --retry tries it again"
}

# Nothing is changed before all of this holds.
apply_change() { # EVENT
	local code=0
	[ "$1" = back ] || apply_verify || return
	apply_all_there || code=$?
	if [ "$code" != 0 ]; then
		[ "$S_PHASE" != settled ] || return "$code"
		# An interrupted one does not wait for the box that is missing: those that are there agree.
		COURSE_CAUSE=missing COURSE_WHY=$WHY
		set -- back
	else
		gate_before || return
	fi
	lock_store && boxes_ask || return
	[ "$1" = back ] || course_prepare "$COURSE_TARGET" || return
	apply_forget_failure || return
	course_run "$1"
}

# What has expired is not begun; what was half way goes back.
apply_verify() {
	local code=0
	store_verify "$COURSE_TARGET" release_fresh || code=$?
	[ "$code" != 0 ] || return 0
	if [ "$S_PHASE" = settled ] || [ "$code" != "${CODE[refused]}" ]; then
		return "$code"
	fi
	COURSE_CAUSE=refused COURSE_WHY=$WHY
	lock_store && boxes_ask || return
	course_run back
}

apply_all_there() {
	local gone
	gone=$(printf '%s\n' "${STATUS[@]}" | jq -rs '[.[] | select(.online | not) |
		"\(.box): \(.why // "" | if . == "" then "cannot be reached" else . end)"] | join("; ")') ||
		fail error "what the boxes say is not understood" || return
	[ -z "$gone" ] || fail between "$gone$([ "$S_PHASE" != settled ] || echo "; nothing was changed")"
}

apply_forget_failure() {
	[ "$OPT_RETRY" = 0 ] || { peers_at_once box_do retry "$COURSE_TARGET" && do_retry "$COURSE_TARGET"; }
}

apply_dry_run() {
	local box
	store_verify "$COURSE_TARGET" release_fresh || return
	for box in "${BOXES[@]}"; do
		jq -r --arg to "$COURSE_TARGET" '"\(.box): " + if .online | not then "cannot be reached"
			elif .release == $to and .phase == "settled" then "has \($to[0:12])"
			else "\(.release // "nothing" | .[0:12]) -> \($to[0:12])" end' <<<"${STATUS[$box]}" >&2
	done
	apply_all_there
}
