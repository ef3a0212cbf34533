# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# rollback: a box takes nothing with a lower serial, so the way back is a way on: the old content, signed anew under the highest
# serial, in a rollout of its own. The rollout that is undone is aborted, and marked: nobody goes back to its release unasked.

verb_rollback() {
	local undone release old words
	[ $# = 0 ] || die usage "rollback [--rollout ID] [--to RELEASE] [--all [--fail SHARE]]"
	[ -z "${OPT[fail]:-}" ] || { [ -n "${OPT[all]:-}" ] && [[ ${OPT[fail]} =~ ^(${PLAN_FORM[fail]})$ ]]; } ||
		die usage "--fail goes with --all, and takes a number or a share, as 5%"
	run_prepare
	sign_key || exit
	[ -n "${OPT[rollout]:-}" ] || rollback_newest || exit
	rollout_open "${OPT[rollout]}" || exit
	undone=$ROLLOUT_ID release=$RELEASE
	rollback_old "$release" && old=$REPLY || exit
	rollback_words "$old" || exit
	if [ -n "${OPT[dry-run]:-}" ]; then
		say "would abort $undone and bring the content of $old out again"
		printf '%s\n' "${words[@]}"
		exit 0
	fi
	audit rollback rollout="$undone" from="$release" to="$old" || exit
	rollback_abort || exit
	resume_wait
	fleet_lock || exit
	sign_make "${words[@]}" || exit
	rollback_plan "$undone" || exit
	rollout_new "$RELEASE" "$WORK/plan" || exit
	say "rollout $ROLLOUT_ID: back to the content of $old"
	run_locked
}

# The one that began last: one that was only planned is nothing to go back from. A driver makes its lock, which nobody writes to; a
# rollout by sticks alone has none.
rollback_newest() {
	local dir begun newest=''
	for dir in "$FLEET"/rollouts/*/; do
		begun=${dir}lock
		[ -e "$begun" ] || begun=$(find "${dir}status" -type f ! -name '.*' -print -quit)
		[ -f "${dir}frozen" ] && [ -n "$begun" ] || continue
		[ -n "$newest" ] && [ "$newest" -nt "$begun" ] || { newest=$begun && OPT[rollout]=$(basename -- "$dir"); }
	done
	[ -n "$newest" ] || fail error "no rollout has begun yet"
}

# The release of before that of the rollout to be undone -> REPLY: the highest serial below it, of the same project and with another
# content, that went through all waves of a rollout and was not taken back since.
rollback_old() { # RELEASE
	local dir release limit project content best=0 found=''
	if [ -z "${OPT[to]:-}" ]; then
		release_read "$FLEET/releases/$1/manifest" || return
		limit=$RELEASE_SERIAL project=$RELEASE_PROJECT content=$(rollback_content "$1")
		for dir in "$FLEET"/rollouts/*/; do
			rollback_went_well "${dir%/}" && release=$(cat "$dir/release") || continue
			release_read "$FLEET/releases/$release/manifest" 2>/dev/null || continue
			[ "$RELEASE_SERIAL" -lt "$limit" ] && [ "$RELEASE_SERIAL" -gt "$best" ] && [ "$RELEASE_PROJECT" = "$project" ] || continue
			[ "$(rollback_content "$release")" != "$content" ] && ! rollback_undone "$release" || continue
			best=$RELEASE_SERIAL found=$release
		done
		[ -n "$found" ] || fail error "no release of the project $project from before was brought out well; name one by --to" || return
	fi
	release_check "${OPT[to]:-$found}" && REPLY=$RELEASE
}

# Not aborted, and finished or through its last wave: also where some stores are still away.
rollback_went_well() { # ROLLOUT-DIR
	local list
	[ -f "$1/frozen" ] && [ ! -e "$1/aborted" ] || return
	[ ! -e "$1/finished" ] || return 0
	for list in "$1"/waves/*.stores; do
		[ -e "${list%.stores}.done" ] || return
	done
}

# Whether a rollback has taken this release back.
rollback_undone() { # RELEASE
	local file
	for file in "$FLEET"/rollouts/*/undone; do
		[ ! -e "$file" ] || [ "$(cat "${file%/undone}/release")" != "$1" ] || return 0
	done
	return 1
}

rollback_content() { # RELEASE
	sed '/^serial /d; /^name /d; /^expires /d' "$FLEET/releases/$1/manifest" | sha256sum
}

# Fills `words` of the caller: what release_make makes the same content of.
rollback_words() { # RELEASE
	local dir=$FLEET/releases/$1 serial path name expires
	sign_next_serial && serial=$REPLY
	release_read "$dir/manifest" || return
	# What has nearly expired would be refused by stores that come late.
	expires=${OPT[expires]:-}
	[ -n "$expires" ] || [ "$RELEASE_EXPIRES_AT" -gt $(($(date +%s) + 30 * 86400)) ] || expires=180d
	sign_expires "${expires:-$RELEASE_EXPIRES}"
	words=(serial="$serial" name="$RELEASE_NAME" project="$RELEASE_PROJECT" expires="$REPLY" compose="$dir/compose.yaml")
	while IFS= read -r path; do
		[ -z "$path" ] || words+=(below="$dir//$path")
	done < <(printf '%s\n' "${!RELEASE_FILES[@]}" | sort)
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		words+=(image="$name@sha256:${RELEASE_IMAGES[$name]}")
	done
}

rollback_abort() {
	printf 'by %s at %s\n' "$(audit_who)" "$(date -u +%FT%TZ)" | replace_file "$ROLLOUT/undone" || return
	[ ! -e "$ROLLOUT/aborted" ] && [ ! -e "$ROLLOUT/finished" ] || return 0
	printf 'rolled back by %s at %s\n' "$(audit_who)" "$(date -u +%FT%TZ)" | replace_file "$ROLLOUT/aborted"
}

# The waves of the rollout that is undone, or all stores at once with the limits of its last wave.
rollback_plan() { # ROLLOUT-ID
	local words word
	[ -n "${OPT[all]:-}" ] || { cp -- "$FLEET/rollouts/$1/plan" "$WORK/plan" && return; }
	read -ra words < <(grep -Ev '^[[:space:]]*(#|$)' "$FLEET/rollouts/$1/plan" | tail -n 1 | tr -d '\r')
	printf 'wave all stores=@all' >"$WORK/plan"
	for word in "${words[@]:2}"; do
		case $word in
		stores=* | percent=* | soak=* | ask=*) ;;
		fail=*) [ -n "${OPT[fail]:-}" ] || printf ' %s' "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done >>"$WORK/plan"
	printf '%s\n' "${OPT[fail]:+ fail=${OPT[fail]}}" >>"$WORK/plan"
}
