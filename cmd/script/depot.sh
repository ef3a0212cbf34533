# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034,SC2153
# A depot: where releases, images and secrets lie for boxes, as a directory (a USB stick) or below a URL (tote-release(5)). What
# comes from it is believed by nobody before it is verified; here it is only bounded, in size and in time. Needs say.sh,
# replace.sh and release.sh.

: "${DEPOT_TIMEOUT:=60}"       # seconds for one small file
: "${DEPOT_STALL:=30}"         # seconds in which a large one must get on by DEPOT_STALL_BYTES a second
: "${DEPOT_STALL_BYTES:=1024}"
: "${DEPOT_LARGE_TIMEOUT:=86400}"
readonly DEPOT_IMAGE_MAX=$((64 * 1024 * 1024 * 1024))
readonly DEPOT_STORE='[A-Za-z0-9][A-Za-z0-9._-]{0,62}'

# What curl's exit codes mean here; any other is "error".
declare -grA DEPOT_CURL=([63]=refused)

# "file://" is a directory as well.
depot_is_url() { # DEPOT
	[[ $1 =~ ^https?:// ]]
}

# A depot that is not there any more is not one that lacks a file.
depot_there() { # DEPOT
	depot_is_url "$1" || [ -d "${1#file://}/releases" ] || fail error "$1: is no depot, or was taken away"
}

# One small file of a depot becomes FILE, which the caller will verify and rename.
depot_get() { # DEPOT PATH FILE MAX-BYTES
	if depot_is_url "$1"; then
		depot_curl "$1" "$2" "$3" "$4" --max-time "$DEPOT_TIMEOUT"
	else
		depot_copy "$@"
	fi
}

# The same for what may be large: what FILE has of an interrupted try is gone on with.
depot_get_large() { # DEPOT PATH FILE MAX-BYTES
	if depot_is_url "$1"; then
		depot_curl "$1" "$2" "$3" "$4" --max-time "$DEPOT_LARGE_TIMEOUT" --continue-at - \
			--speed-limit "$DEPOT_STALL_BYTES" --speed-time "$DEPOT_STALL"
	else
		DEPOT_TIMEOUT=$DEPOT_LARGE_TIMEOUT depot_copy "$@"
	fi
}

depot_copy() { # DIR PATH FILE MAX-BYTES
	local from=${1#file://}/$2 words code=0
	depot_there "$1" || return
	[ -e "$from" ] || [ -L "$from" ] || fail absent "$2: is not in $1" || return
	[ -f "$from" ] && [ ! -L "$from" ] || fail refused "$2: is no plain file" || return
	# One byte more tells what is too large. What is no plain file any more cannot block for long.
	words=$(bounded "$DEPOT_TIMEOUT" head -c $(($4 + 1)) -- "$from" 2>&1 >"$3") || code=$?
	[ "$code" = 0 ] || depot_there "$1" || return
	[ "$code" = 0 ] || fail_by "$2 from $1" "$words" || return
	[ "$(stat -c %s -- "$3")" -le "$4" ] || fail refused "$2: has more than $4 bytes"
}

depot_curl() { # URL PATH FILE MAX-BYTES CURL-OPTION...
	local depot=$1 path=$2 url=${1%/}/$2 file=$3 max=$4 words code=0
	need curl || return
	shift 4
	# Where a server does not say how much comes, the limit of the process holds (in KiB, rounded up).
	words=$(ulimit -f $((max / 1024 + 1)) && trap '' XFSZ && curl -q --silent --show-error --fail --location --max-redirs 5 \
		--proto =http,https --proto-redir =http,https --connect-timeout 10 --max-filesize "$max" --output "$file" "$@" -- "$url" 2>&1) || code=$?
	case $code in
	0) ;;
	# The server cannot resume. Without the file that is not asked for again.
	33 | 36) rm "$file" && depot_curl "$depot" "$path" "$file" "$max" "$@" || return ;;
	22) depot_http_error "$url" "$file" "$words" || return ;;
	23) disk_full "$(dirname -- "$file")" 65536 && words="No space left on the device"; fail_by "$url" "$words" || return ;;
	*) fail "${DEPOT_CURL[$code]:-error}" "$url: $words" || return ;;
	esac
	[ -e "$file" ] || : >"$file"
	[ "$(stat -c %s -- "$file")" -le "$max" ] || fail refused "$path: has more than $max bytes"
}

# 404 and 410 say that it is not there; 416 that there is nothing behind what we have; all others may pass.
depot_http_error() { # URL FILE WORDS
	case $3 in
	*" 404"* | *" 410"*) fail absent "$1: is not there" ;;
	*" 416"*) [ -s "$2" ] ;;
	*) fail error "$1: $3" ;;
	esac
}

# Sets REPLY to the release that a store shall have.
depot_wanted() { # DEPOT STORE
	local file code=0
	file=$(mktemp) || fail error "cannot make a temporary file" || return
	depot_wanted_to "$1" "$2" "$file" || code=$?
	rm -f "$file"
	return "$code"
}

depot_wanted_to() { # DEPOT STORE FILE
	local name code=0
	[[ $2 =~ ^$DEPOT_STORE$ ]] || fail error "$2: no name of a store" || return
	for name in "$2" default; do
		code=0
		# More than it may be, as curl measures the page of a 404 as well.
		depot_get "$1" "wanted/$name" "$3" 65536 2>/dev/null || code=$?
		[ "$code" = "${CODE[absent]}" ] || break
	done
	[ "$code" != "${CODE[absent]}" ] || fail absent "$1: wants nothing of $2" || return
	[ "$code" = 0 ] || { say "$WHY"; return "$code"; }
	text_check "$3" 200 2>/dev/null || fail refused "wanted/$name: ${WHY#*: }" || return
	REPLY=$(<"$3")
	release_is_id "$REPLY" || fail refused "wanted/$name: is no release's name"
}

# Leaves word for headquarters, where the depot takes it.
depot_report() { # DEPOT STORE <JSON
	local dir=${1#file://}/status
	if depot_is_url "$1" || [ ! -d "$dir" ] || [ -L "$dir" ] || [ ! -w "$dir" ]; then
		cat >/dev/null
		return 0
	fi
	[[ $2 =~ ^$DEPOT_STORE$ ]] || fail error "$2: no name of a store" || return
	replace_file "$dir/$2.json"
}

# The stream that `tote-site take` reads: a small depot as tar, with only what the other side lacks. SCRATCH is an empty
# directory. As the images come in order, each may do without the layers of those before it.
depot_pack() { # SCRATCH RELEASE-DIR HAVE-FILE|"" [SECRETS-DIR STORE]
	local scratch=$1 dir=$2 have=$3 name hex
	release_id "$dir" && release_read "$dir/manifest" || return
	mkdir -p "$scratch/depot/releases" "$scratch/depot/images" && cp -a -- "$dir" "$scratch/depot/releases/$RELEASE" &&
		{ if [ -n "$have" ]; then cp -- "$have" "$scratch/have"; else : >"$scratch/have"; fi; } ||
		fail full "$scratch: cannot be written" || return
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		hex=${RELEASE_IMAGES[$name]}
		! grep -qx "sha256:$hex" "$scratch/have" || continue
		depot_save "$hex" "$scratch" || return
	done
	if [ -n "${4:-}" ] && [ -f "$4/index" ]; then
		mkdir -p "$scratch/depot/secrets/$5" && cp -- "$4"/index "$4"/index.sig "$scratch/depot/secrets/$5" ||
			fail full "$scratch: cannot be written" || return
		for name in "$4"/*.age; do
			[ ! -f "$name" ] || cp -- "$name" "$scratch/depot/secrets/$5" || fail full "$scratch: cannot be written" || return
		done
	fi
	tar -C "$scratch/depot" --owner=0 --group=0 --numeric-owner -cf - . || fail error "the stream was cut off"
}

depot_save() { # HEX SCRATCH
	local words code=0
	words=$(bounded 3600 "${TOTE:-tote}" save --missing-from "$2/have" -o "$2/depot/images/$1.tar" "sha256:$1" 2>&1) || code=$?
	case $code in
	0) ;;
	3) fail absent "image sha256:$1: ${words##*$'\n'}" || return ;;
	5) fail full "image sha256:$1: ${words##*$'\n'}" || return ;;
	*) fail error "image sha256:$1: ${words##*$'\n'}" || return ;;
	esac
	"${TOTE:-tote}" inspect "sha256:$1" | jq -r '.[] | .id, .layers[].diffId' >>"$2/have" || fail error "image sha256:$1: cannot be read"
}
