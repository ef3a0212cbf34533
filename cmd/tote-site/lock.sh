# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One at a time: the lock of this box, which the kernel lets go with its holder, and what the engines' locks of the whole store have
# in common. Needs say.sh, box.sh and an engine.

LOCK_HELD=
LOCK_TOKEN=

# Holds the box's lock until lock_drop or the end, by descriptor 9, which nothing that we start may inherit.
lock_box() { # SECONDS
	[ -z "$LOCK_HELD" ] || return 0
	{ exec 9>>"$SITE_RUN/lock"; } 2>/dev/null || fail error "$SITE_RUN/lock: cannot be opened" || return
	if ! flock -w "$1" 9; then
		exec 9>&-
		fail busy "another tote-site is at work on $CONF_BOX" || return
	fi
	LOCK_HELD=yes
}

lock_drop() {
	[ -n "$LOCK_HELD" ] || return 0
	exec 9>&-
	LOCK_HELD=
}

# Sets LOCK_TOKEN, what a lock of the store says of its holder: BOX BOOT and a word of its own.
lock_token() {
	local boot
	[ -z "$LOCK_TOKEN" ] || return 0
	box_boot || return
	boot=$REPLY
	read -r REPLY </proc/sys/kernel/random/uuid
	LOCK_TOKEN="$CONF_BOX $boot $REPLY"
}

# Whether the holder of a lock has gone: an earlier tote-site of this box (it has ended when the box's lock can be had), a box that is
# off, or one that has booted since; or the box was taken out of the store, or what is written there is no lock at all.
lock_is_stale() { # BOX BOOT [WORD]
	[ "$1" != "$CONF_BOX" ] || { lock_box 0 2>/dev/null; return; }
	[ -n "${CONF_PEERS[$1]:-}" ] || return 0
	! engine_is_offline "$1" || return 0
	box_do "$1" boot 2>/dev/null && [ "$REPLY" != "${2:-}" ]
}

# The whole store's, until the end.
lock_store() {
	lock_token && engine_lock || return
	at_exit engine_unlock
}
