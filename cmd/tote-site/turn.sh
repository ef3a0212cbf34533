# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# What a box does when it is its turn in an update: be ready for a release, change to it, and note in state.json what it is about to
# do before it does it. peer.sh says who calls. Needs store.sh, box.sh and an engine.

# Less free than this is a full disk: what has to be written on the way, and on the way back, must have room.
readonly TURN_ROOM=$((4 * 1024 * 1024))

# The release that this box goes back to: the last one that the whole store was good with. For jq.
readonly TURN_BASE='(if .phase == "settled" then .release else .base end)'

turn_is_release() { # WORD
	release_is_id "$1" || fail usage "${1@Q} is no release"
}

# 0: release and images are here, as they were signed. On "absent" REPLY is what the image store has, one digest a line.
do_prepare() { # RELEASE
	local code=0
	REPLY=
	turn_is_release "$1" || return
	{ store_verify "$1" && store_missing "$1" && turn_check "$1"; } || code=$?
	if [ "$code" = "${CODE[absent]}" ]; then
		store_have 2>/dev/null || HAVE=()
		REPLY=$(printf '%s\n' "${HAVE[@]}")
	fi
	[ "$code" = 0 ] || return "$code"
	! disk_full "$SITE_DIR" "$TURN_ROOM" || fail full "$SITE_DIR: No space left on $CONF_BOX"
}

# What is wrong with a project that was signed is found before anything changes.
turn_check() { # RELEASE
	local code=0
	engine_check "$1" || code=$?
	[ "$code" != "${CODE[error]}" ] || fail refused "release ${1:0:12}: $WHY" || return
	return "$code"
}

# On disk before anything else happens: from here on this box is between.
turn_note() { # PHASE RELEASE
	store_update '.base = (if $phase == "reverting" then $to else '"$TURN_BASE"' end) | .phase = $phase | .target = $to | .since = $now' \
		--arg phase "$1" --arg to "$2" --arg now "$(date -u +%FT%TZ)"
}

do_begin() { # RELEASE
	turn_is_release "$1" && turn_note switching "$1"
}

do_switch() { # RELEASE
	turn_is_release "$1" && store_verify "$1" && turn_note switching "$1" && store_name_images "$1" && turn_change "$1"
}

# The way back goes on where it can: the note of it may find no room, and what was before has run here.
do_revert() { # RELEASE
	turn_is_release "$1" && store_verify "$1" || return
	turn_note reverting "$1" || true
	# engine_switch finds names that lead elsewhere.
	store_name_images "$1" || true
	turn_change "$1"
}

# "older" is what becomes "previous" again when the way leads back.
turn_change() { # RELEASE
	secrets_open && engine_switch "$1" && store_read "$1" || return
	store_update '.release = $to | .serial = $serial
		| if .base == $to then (if .previous == $to then .previous = .older else . end)
		  elif .base == null or .previous == .base then .
		  else .older = .previous | .previous = .base end' --arg to "$1" --argjson serial "$RELEASE_SERIAL"
}

do_settle() { # RELEASE [FAILED]
	turn_is_release "$1" && { [ -z "${2:-}" ] || turn_is_release "$2"; } || return
	store_load || return
	[ "$S_RELEASE" = "$1" ] || fail between "$CONF_BOX has release ${S_RELEASE:0:12}, not ${1:0:12}" || return
	store_update '.phase = "settled" | .target = null | .base = null | .since = $now
		| .failed = (.failed - [$to] | if $failed == "" then . else . - [$failed] + [$failed] | .[-32:] end)' \
		--arg to "$1" --arg failed "${2:-}" --arg now "$(date -u +%FT%TZ)"
}

do_retry() { # RELEASE
	turn_is_release "$1" && store_update '.failed -= [$to]' --arg to "$1"
}

do_boot() {
	box_boot
}

# BOX BOOT WORD
do_lock() {
	engine_lock_here "$@"
}

do_unlock() {
	engine_unlock_here "$@"
}
