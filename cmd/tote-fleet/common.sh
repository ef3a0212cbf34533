# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# What several verbs need: a scratch directory, durations, shares, names that may become paths.

readonly FLEET_NAME='[A-Za-z0-9][A-Za-z0-9._-]{0,62}'

# A directory for this call alone; removed when it ends.
WORK=
work_dir() {
	[ -z "$WORK" ] || return 0
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/tote-fleet.XXXXXX") || fail full "no scratch directory can be made" || return
	at_exit work_remove
}

work_remove() {
	rm -rf "$WORK"
}

is_name() { # WORD
	[[ $1 =~ ^$FLEET_NAME$ ]]
}

# 90, 90s, 30m, 2h, 1d -> REPLY in seconds.
seconds_of() { # DURATION
	local -A unit=([s]=1 [m]=60 [h]=3600 [d]=86400)
	[[ $1 =~ ^([0-9]{1,6})([smhd]?)$ ]] || return
	REPLY=$((10#${BASH_REMATCH[1]} * ${unit[${BASH_REMATCH[2]:-s}]}))
}

# 12 or 5% of so many, rounded down -> REPLY.
share_of() { # SHARE COUNT
	[[ $1 =~ ^([0-9]{1,6})(%?)$ ]] || return
	REPLY=$((10#${BASH_REMATCH[1]}))
	[ -z "${BASH_REMATCH[2]}" ] || REPLY=$((REPLY * $2 / 100))
}

show_duration() { # SECONDS
	local s=$1
	REPLY=${s}s
	if ((s > 0 && s % 3600 == 0)); then
		REPLY=$((s / 3600))h
	elif ((s > 0 && s % 60 == 0)); then
		REPLY=$((s / 60))m
	fi
}

# The directory of a release that headquarters has -> REPLY.
release_dir() { # RELEASE
	release_is_id "$1" || fail usage "$1: a release is named by 64 hex digits" || return
	REPLY=$FLEET/releases/$1
	[ -d "$REPLY" ] || fail error "the release $1 is not in $FLEET/releases" || return
}

# Whole, as its manifest says, and named by it. Signed by somebody we know, when there is a list of signers here.
release_check() { # RELEASE
	local dir
	release_dir "$1" && dir=$REPLY || return
	if [ -f "$FLEET/release-signers" ]; then
		release_verify "$dir" "$FLEET/release-signers" || return
	else
		release_read "$dir/manifest" && release_id "$dir" && release_verify_files "$dir" || return
	fi
	[ "$RELEASE" = "$1" ] || fail refused "$dir: its manifest is another one"
}
