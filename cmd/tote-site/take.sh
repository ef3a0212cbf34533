# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153
# `tote-site take`: the same as fetch, of a stream on stdin: a small depot as tar (tote-release(5)). Nothing of the stream is
# trusted: it is unpacked into a new directory, plain files with known names only, bounded, and then it is a depot like a stick.
# Needs fetch.sh.
#
# tar does not write a single file: it hands each one's content to take_member.sh, so that no link, device, mode or owner of the
# stream ever becomes one of this box.

: "${TOTE_SITE_TAKE_MAX:=$((64 * 1024 * 1024 * 1024))}" "${TOTE_SITE_TAKE_TIMEOUT:=14400}"
TAKE_DIR=''

verb_take() {
	local code=0
	fetch_lock || return
	# First of all: what was cut off may be what fills the disk.
	fetch_sweep || code=$?
	[ "$code" != 0 ] || TAKE_DIR=$(mktemp -d "$SITE_DIR/incoming/take.XXXXXX") || fail full "$SITE_DIR/incoming: cannot be written" || code=$?
	[ "$code" != 0 ] || take_all || code=$?
	[ -z "$TAKE_DIR" ] || rm -rf -- "$TAKE_DIR"
	TAKE_DIR=''
	fetch_unlock
	[ "$code" = 0 ] || return "$code"
	fetch_report
}

take_all() {
	local found
	take_unpack || return
	found=("$TAKE_DIR"/releases/*)
	[ -d "${found[0]}" ] && [ ${#found[@]} = 1 ] || fail refused "the stream has no release, or several" || return
	fetch_all "$TAKE_DIR" "${found[0]##*/}" here
}

# Sets nothing: what came is below TAKE_DIR.
take_unpack() {
	local words code=0 why
	words=$(export TAKE_DIR TAKE_MEMBER=$PARTS/take_member.sh
		head -c $((TOTE_SITE_TAKE_MAX + 1)) |
			bounded "$TOTE_SITE_TAKE_TIMEOUT" tar -xf - --no-wildcards --to-command='exec bash "$TAKE_MEMBER"' 2>&1) || code=$?
	if [ -s "$TAKE_DIR/.why" ]; then
		why=$(<"$TAKE_DIR/.why")
		fail "${why%% *}" "the stream: ${why#* }" || return
	fi
	[ "$code" = 0 ] || ! is_space_error "$words" || fail full "the stream: $words" || return
	[ "$code" = 0 ] || fail refused "the stream is cut off or damaged: ${words%%$'\n'*}" || return
}
