# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# A release: a directory that is named by the SHA-256 of its manifest (tote-release(5)). Read strictly, verified, and made. Used
# by tote-site for what it takes in and by `tote-fleet sign`. Needs say.sh, replace.sh and signed.sh.
#
# Nothing of a release is ever executed or expanded here, and nothing of it becomes a path before a pattern has allowed it.

readonly RELEASE_MANIFEST_MAX=$((1024 * 1024)) RELEASE_FILE_MAX=$((64 * 1024 * 1024)) RELEASE_NAMESPACE=tote-release
readonly RELEASE_HEX='[0-9a-f]{64}'
# A word of a path: no "..", nothing that could be taken for an option.
readonly RELEASE_WORD='\.?[A-Za-z0-9_][A-Za-z0-9._@+=-]*'
readonly RELEASE_PATH="$RELEASE_WORD(/$RELEASE_WORD)*"
readonly RELEASE_IMAGE='[a-zA-Z0-9][a-zA-Z0-9._/:-]*' RELEASE_NAME_MAX=255 RELEASE_LINES_MAX=2000

# Keys of a manifest in their order: how often each may stand, and what its value looks like. Lengths that have a limit are
# looked at afterwards: counting makes patterns slow.
readonly RELEASE_KEYS=(tote-release serial name project expires compose file image)
declare -grA RELEASE_COUNT=([file]=0- [image]=1-)
declare -grA RELEASE_FORM=(
	[tote-release]=1
	[serial]='[1-9][0-9]{0,15}'
	[name]='[a-z0-9][a-z0-9._-]{0,62}'
	[project]='[a-z0-9][a-z0-9_-]{0,62}'
	[expires]='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z'
	[compose]='sha256:[0-9a-f]+'
	[file]="$RELEASE_PATH sha256:[0-9a-f]+"
	[image]="$RELEASE_IMAGE@sha256:[0-9a-f]+"
)

RELEASE='' RELEASE_SERIAL='' RELEASE_NAME='' RELEASE_PROJECT='' RELEASE_EXPIRES='' RELEASE_EXPIRES_AT='' RELEASE_COMPOSE=''
declare -gA RELEASE_FILES=() RELEASE_IMAGES=()
RELEASE_IMAGE_NAMES=()

release_is_id() { # WORD
	[[ $1 =~ ^$RELEASE_HEX$ ]]
}

release_id() { # DIR
	local sum
	[ -f "$1/manifest" ] || fail refused "$1: has no manifest" || return
	sum=$(sha256sum <"$1/manifest") || fail error "$1/manifest cannot be read" || return
	RELEASE=${sum%% *}
}

# ---- reading ----

# Sets the variables above. The signature is no matter of this function.
release_read() { # MANIFEST
	local line number=0 at=0 key seen=0 lines
	RELEASE_FILES=() RELEASE_IMAGES=() RELEASE_IMAGE_NAMES=()
	text_check "$1" "$RELEASE_MANIFEST_MAX" || return
	mapfile -t lines <"$1"
	[ ${#lines[@]} -le $RELEASE_LINES_MAX ] || release_bad $RELEASE_LINES_MAX "more lines than a release may have" || return
	for line in "${lines[@]}"; do
		number=$((number + 1)) key=${line%% *}
		while [ "$key" != "${RELEASE_KEYS[at]:-}" ]; do
			release_may_end "$at" "$seen" || release_bad "$number" "\"${RELEASE_KEYS[at]:-end}\" is expected" || return
			at=$((at + 1)) seen=0
			[ "$at" -lt ${#RELEASE_KEYS[@]} ] || release_bad "$number" "no such key, or not at this place" || return
		done
		[ "$seen" = 0 ] || [ -n "${RELEASE_COUNT[$key]:-}" ] || release_bad "$number" "\"$key\" is there already" || return
		[[ "${line#* }" =~ ^(${RELEASE_FORM[$key]})$ ]] || release_bad "$number" "\"$key\" has no good value" || return
		release_take_value "$key" "${line#* }" || release_bad "$number" "$WHY" || return
		seen=$((seen + 1))
	done
	[ "$at" = $((${#RELEASE_KEYS[@]} - 1)) ] && [ "$seen" -gt 0 ] || release_bad "$number" "no image at the end"
}

release_bad() { # LINE WORDS
	fail refused "manifest:$1: $2"
}

# Whether another key may follow after so many of this one.
release_may_end() { # INDEX SEEN
	[ "$2" -gt 0 ] || [ "${RELEASE_COUNT[${RELEASE_KEYS[$1]}]:-}" = 0- ]
}

# The value is well formed; what no pattern can tell is checked here. Leaves words in WHY.
release_take_value() { # KEY VALUE
	local name=${2%% *} hex=${2##*sha256:}
	case $1 in compose | file | image)
		[ ${#hex} = 64 ] || { WHY="\"$1\" has no good value"; return 1; }
		[ ${#2} -le $((RELEASE_NAME_MAX + 72)) ] || { WHY="the name is too long"; return 1; }
		;;
	esac
	case $1 in
	serial) [ "$2" -le 9007199254740991 ] && RELEASE_SERIAL=$2 || { WHY="the serial is too high"; return 1; } ;;
	name) RELEASE_NAME=$2 ;;
	project) RELEASE_PROJECT=$2 ;;
	expires) RELEASE_EXPIRES=$2 && release_time "$2" ;;
	compose) RELEASE_COMPOSE=$hex ;;
	file)
		case $name in manifest | manifest.sig | compose.yaml | manifest/* | manifest.sig/* | compose.yaml/*) false ;; esac &&
			[ -z "${RELEASE_FILES[$name]:-}" ] ||
			{ WHY="the file \"$name\" cannot have this name, or is there twice"; return 1; }
		RELEASE_FILES[$name]=$hex
		;;
	image)
		name=${2%@*}
		[ -z "${RELEASE_IMAGES[$name]:-}" ] || { WHY="the image \"$name\" is there twice"; return 1; }
		RELEASE_IMAGES[$name]=$hex
		RELEASE_IMAGE_NAMES+=("$name")
		;;
	esac
}

# date(1) takes 31 February for a day in March: the way back must lead to the same words.
release_time() { # TIME
	RELEASE_EXPIRES_AT=$(date -u -d "$1" +%s 2>/dev/null) && [ "$(date -u -d "@$RELEASE_EXPIRES_AT" +%FT%TZ)" = "$1" ] ||
		{ WHY="there is no such time as $1"; return 1; }
}

# ---- verifying ----

# In the order of the contract: signature, syntax, what CHECK looks at, then each file. DIR must be one that nobody else writes to.
release_verify() { # DIR SIGNERS [CHECK...]
	release_verify_manifest "$@" && release_verify_files "$1"
}

# The same before the other files are there.
release_verify_manifest() { # DIR SIGNERS [CHECK...]
	local dir=$1 signers=$2
	# Before ssh-keygen reads it whole.
	text_check "$dir/manifest" "$RELEASE_MANIFEST_MAX" || return
	signed_check "$dir/manifest" "$dir/manifest.sig" "$signers" "$RELEASE_NAMESPACE" || return
	release_read "$dir/manifest" && release_id "$dir" || return
	shift 2
	[ $# = 0 ] || "$@"
}

release_fresh() {
	[ "$(date +%s)" -lt "$RELEASE_EXPIRES_AT" ] || fail refused "release $RELEASE_NAME has expired, at $RELEASE_EXPIRES"
}

# After release_read: each file has its sum, and there is nothing else, neither links nor devices.
release_verify_files() { # DIR
	local path found sums
	local -A expected=([manifest]=f [manifest.sig]=f [compose.yaml]=f)
	for path in "${!RELEASE_FILES[@]}"; do
		expected[$path]=f
		while [[ $path == */* ]]; do
			path=${path%/*}
			[ "${expected[$path]:-d}" = d ] || fail refused "$path: is a file and a directory" || return
			expected[$path]=d
		done
	done
	while IFS= read -r -d '' found; do
		path=${found#* }
		[ "${expected[$path]:-}" = "${found%% *}" ] || fail refused "${path@Q}: does not belong to the release" || return
		unset "expected[$path]"
	done < <(find "$1" -mindepth 1 -printf '%y %P\0')
	for path in "${!expected[@]}"; do
		fail refused "$path: is missing, the release is half copied" || return
	done
	sums="$RELEASE_COMPOSE  compose.yaml"
	for path in "${!RELEASE_FILES[@]}"; do
		sums+=$'\n'"${RELEASE_FILES[$path]}  $path"
	done
	found=$(cd -- "$1" && sha256sum --check --strict --quiet <<<"$sums" 2>/dev/null) ||
		fail refused "${found%%:*}: is not what the manifest says"
}

# ---- making ----

# Makes and signs DIR, which must not be there. Nobody sees half of it. Sets RELEASE and what release_read sets. file=REL=PATH ends
# REL at the first "="; below=TOP//REL is for any REL.
release_make() { # DIR KEY serial=N name= project= expires= compose=PATH [file=REL=PATH|below=TOP//REL]... image=NAME@sha256:HEX...
	local dir=$1 key=$2 beside
	[ ! -e "$dir" ] || fail error "$dir: is there already" || return
	beside=$(mktemp -d -- "$(dirname -- "$dir")/.release.XXXXXX") || fail error "$dir: cannot make it" || return
	chmod 755 "$beside"
	release_make_in "$beside" "$key" "${@:3}" && replace_dir "$beside" "$dir" || { set -- $?; rm -rf "$beside"; return "$1"; }
}

release_make_in() { # DIR KEY WORD...
	local dir=$1 key=$2 word value words=()
	local -A one=()
	shift 2
	for word; do
		value=${word#*=}
		case ${word%%=*} in
		serial | name | project | expires) one[${word%%=*}]=$value ;;
		compose) release_copy "$value" "$dir" compose.yaml && one[compose]=sha256:$REPLY || return ;;
		file) release_copy "${value#*=}" "$dir" "${value%%=*}" && words+=("file ${value%%=*} sha256:$REPLY") || return ;;
		below) release_copy "$value" "$dir" "${value##*//}" && words+=("file ${value##*//} sha256:$REPLY") || return ;;
		image) words+=("image $value") ;;
		*) fail usage "$word: no part of a release" || return ;;
		esac
	done
	{
		echo "tote-release 1"
		for word in serial name project expires compose; do
			echo "$word ${one[$word]:-}"
		done
		# "file" before "image"; a word of Compose's order within each.
		[ ${#words[@]} = 0 ] || printf '%s\n' "${words[@]}" | grep '^file ' || true
		[ ${#words[@]} = 0 ] || printf '%s\n' "${words[@]}" | grep '^image ' || true
	} >"$dir/manifest" || fail error "$dir/manifest cannot be written" || return
	release_read "$dir/manifest" && signed_make "$dir/manifest" "$key" "$RELEASE_NAMESPACE" || return
	chmod 644 "$dir"/manifest* && release_verify_files "$dir" && release_id "$dir"
}

# Sets REPLY to the sum of what was copied, not of what lies there later.
release_copy() { # FILE DIR PATH
	local words
	[[ $3 =~ ^$RELEASE_PATH$ ]] || fail usage "$3: no name for a file of a release" || return
	[ -f "$1" ] || fail error "$1: there is no such file" || return
	words=$({ mkdir -p -- "$2/$(dirname -- "$3")" && install -m 644 -- "$1" "$2/$3"; } 2>&1) || fail_by "$1" "$words" || return
	[ "$(stat -c %s -- "$2/$3")" -le "$RELEASE_FILE_MAX" ] || fail error "$1: has more than $RELEASE_FILE_MAX bytes" || return
	REPLY=$(sha256sum <"$2/$3") && REPLY=${REPLY%% *}
}
