# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# rollback: a box takes nothing with a lower serial, so the way back is a way on: the old content, signed anew under the highest
# serial, in a rollout of its own. The rollout that is undone is aborted.

verb_rollback() {
	local undone release old words
	[ $# = 0 ] || die usage "rollback [--rollout ID] [--to RELEASE] [--all]"
	run_prepare
	sign_key || exit
	[ -n "${OPT[rollout]:-}" ] || { status_newest && true; } || exit
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

# The release with the highest serial below that of the one to be undone -> REPLY.
rollback_old() { # RELEASE
	local file limit best=0
	REPLY=${OPT[to]:-}
	if [ -z "$REPLY" ]; then
		release_read "$FLEET/releases/$1/manifest" || return
		limit=$RELEASE_SERIAL
		for file in "$FLEET"/releases/*/manifest; do
			release_read "$file" || continue
			[ "$RELEASE_SERIAL" -lt "$limit" ] && [ "$RELEASE_SERIAL" -gt "$best" ] || continue
			best=$RELEASE_SERIAL file=${file%/manifest} REPLY=${file##*/}
		done
		[ -n "$REPLY" ] || fail error "no release of before $1 is here; name one by --to" || return
	fi
	release_check "$REPLY" && REPLY=$RELEASE
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
		[ -z "$path" ] || words+=(file="$path=$dir/$path")
	done < <(printf '%s\n' "${!RELEASE_FILES[@]}" | sort)
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		words+=(image="$name@sha256:${RELEASE_IMAGES[$name]}")
	done
}

rollback_abort() {
	[ ! -e "$ROLLOUT/aborted" ] && [ ! -e "$ROLLOUT/finished" ] || return 0
	printf 'rolled back by %s at %s\n' "$(audit_who)" "$(date -u +%FT%TZ)" | replace_file "$ROLLOUT/aborted"
}

# The waves of the rollout that is undone, or all stores at once.
rollback_plan() { # ROLLOUT-ID
	if [ -n "${OPT[all]:-}" ]; then
		echo "wave all stores=@all fail=100% parallel=64" >"$WORK/plan"
	else
		cp -- "$FLEET/rollouts/$1/plan" "$WORK/plan"
	fi
}
