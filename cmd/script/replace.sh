# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# Files and directories that are there whole or not at all, also after a power cut or with a full disk: written beside, synced,
# renamed, and the directory synced. Needs say.sh.

# What a program prints when there is no room; LC_ALL=C is set by the main scripts.
is_space_error() { # TEXT
	[[ $1 == *"No space left"* || $1 == *"Disk quota exceeded"* ]]
}

# Fails with the class that the words of a program tell.
fail_by() { # WORDS-BEFORE TEXT-OF-PROGRAM
	local class=error
	! is_space_error "$2" || class=full
	fail "$class" "$1: ${2##*$'\n'}"
}

sync_dir() { # DIR
	local words
	words=$(sync "$1" 2>&1) || fail_by "$1" "$words"
}

# stdin becomes FILE. Others may write to the directory, as on a mount: nothing that is there, or put there, is opened or
# changed by its name (O_EXCL; a shell's "set -C" opens devices).
replace_file() { # FILE [MODE]
	local beside words mask
	local dir=.
	[[ $1 != */* ]] || dir=${1%/*}
	beside=$dir/.${1##*/}.new
	printf -v mask %04o $((8#777 & ~8#${2:-644}))
	if ! words=$({ rm -f "$beside" && umask "$mask" &&
		dd of="$beside" bs=64k conv=excl,fsync status=none && mv -fT "$beside" "$1"; } 2>&1); then
		rm -f "$beside"
		fail_by "$1" "$words" || return
	fi
	sync_dir "${dir:-/}"
}

# FROM, a tree nobody else writes to, becomes TO, which must not be there. Both are on one file system.
replace_dir() { # FROM TO
	local words
	# One sync of the file system is cheaper than one for each file, and covers the directories.
	words=$({ sync -f "$1" && mv -nT "$1" "$2" && [ ! -e "$1" ]; } 2>&1) || fail_by "$2" "${words:-is there already}" || return
	sync_dir "$(dirname -- "$2")" && sync_dir "$(dirname -- "$1")"
}

# Whether less than so many bytes are free for root.
disk_full() { # DIR BYTES
	local free
	free=$(df --output=avail -B1 -- "$1" | tail -n 1) && [ "$free" -lt "$2" ]
}
