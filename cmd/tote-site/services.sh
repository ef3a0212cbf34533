# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034,SC2153
# From a release to Pacemaker: what the cluster is told (names, clones, order), and the files of this box from which the agent
# ocf:tote:container makes containers. services.jq does the translation; here are the calls of tote, and files. Nothing of a release is
# executed or expanded by a shell. Needs say.sh, replace.sh, release.sh, conf.sh; box.sh for box_compose.

SERVICES_LIB=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# tote reads files and asks the store; with many images still in less.
readonly SERVICES_SECONDS=120
# What else tote config ends with.
declare -grA SERVICES_CLASS=([3]=absent [5]=full)

# Sets SERVICES_WORDS to what `tote config` and `tote up` take to mean exactly this release.
services_read() { # RELEASE-DIR
	local name
	release_read "$1/manifest" || return
	SERVICES_WORDS=(-f "$1/compose.yaml" -p "$RELEASE_PROJECT")
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		SERVICES_WORDS+=(--pin "$name@sha256:${RELEASE_IMAGES[$name]}")
	done
}

services_words() { # RELEASE-DIR: prints them, each with a NUL behind it
	services_read "$1" && printf '%s\0' "${SERVICES_WORDS[@]}"
}

# Sets SERVICES_PROJECT to the desired project, JSON. Further words are options of `tote config`. What was loaded last is the same
# until this process ends.
services_load() { # RELEASE-DIR [WORD...]
	local said code=0
	services_read "$1" || return
	[ "$SERVICES_LOADED" != "$*" ] || return 0
	SERVICES_LOADED='' SERVICES_PLAN=''
	said=$(mktemp) || fail error "no room for a temporary file" || return
	SERVICES_PROJECT=$(box_compose "$SERVICES_SECONDS" "${TOTE:-tote}" config "${SERVICES_WORDS[@]}" "${@:2}" 2>"$said") || code=$?
	WHY=$(tail -n 1 "$said")
	rm -f "$said"
	case $code in
	0) SERVICES_LOADED=$* ;;
	124) fail error "$1: tote config gave no answer within $SERVICES_SECONDS s" ;;
	*) fail "${SERVICES_CLASS[$code]:-error}" "${WHY:-tote config ended with $code}" ;;
	esac
}
SERVICES_LOADED='' SERVICES_PLAN='' SERVICES_PLAN_OF=''

# Sets SERVICES_PLAN to all that services.jq makes of the project that was loaded: to begin takes jq longer than all of this. The
# agent's files are to lie in PARAMS-DIR.
services_plan() { # [PARAMS-DIR]
	local params=${1:-$SITE_RUN/params} name pins=()
	[ -z "$SERVICES_PLAN" ] || [ "$SERVICES_PLAN_OF" != "$params" ] || return 0
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		pins+=("$name" "sha256:${RELEASE_IMAGES[$name]}")
	done
	# shellcheck disable=SC2016 # jq's variables
	SERVICES_PLAN=$(jq -r -L "$SERVICES_LIB" --arg params "$params" --arg place "${params%/*}/files" 'include "services";
		($ARGS.positional | [range(0; length; 2) as $i | {key: .[$i], value: .[$i + 1]}] | from_entries) as $pins |
		plan($params; $place; $pins)' --args "${pins[@]}" <<<"$SERVICES_PROJECT") || fail error "jq cannot read a project" || return
	SERVICES_PLAN_OF=$params
}

# Of the plan, the lines of one word.
services_lines() { # WORD
	sed -n "s/^$1\t//p" <<<"$SERVICES_PLAN"
}

# Whether a cluster can do what the release asks for; says all that is wrong, and warns of what may surprise.
services_check() { # RELEASE-DIR
	services_load "$1" && services_plan && services_judge
}

services_judge() {
	local line refused
	while IFS= read -r line; do
		say "warning: $line"
	done < <(services_lines warning)
	mapfile -t refused < <(services_lines refused)
	for line in "${refused[@]}"; do
		fail refused "$line" || true
	done
	[ ${#refused[@]} = 0 ] || return "${CODE[refused]}"
}

services_cib() { # RELEASE-DIR [PARAMS-DIR]
	services_load "$1" && services_plan "${2:-}" && services_judge && services_lines cib
}

# RESOURCE CONTAINER DIGEST INSTANCES TOP IMAGE-ID, tabs between them.
services_list() { # RELEASE-DIR
	[ -n "$SERVICES_PLAN" ] && [[ "$SERVICES_LOADED " == "$1 "* ]] || { services_load "$1" && services_plan || return; }
	services_lines list
}

# What the box needs, then the files. Called again it changes nothing of what is right, also beside running containers.
services_params() { # RELEASE-DIR OUT-DIR
	local base=${2%/*} content code=0
	content=$base/.content
	(umask 077 && mkdir -p -- "$2" "$base/files") || fail error "$2: cannot be made" || return
	# What it prepares may be gone since it was loaded.
	SERVICES_LOADED=
	services_prepare "$1" "$content" && services_plan "$2" && services_judge &&
		services_write_contents "$content" "$base/files" && services_write_params "$2" || code=$?
	rm -rf -- "$content"
	[ "$code" = 0 ] || return "$code"
	# What no service needs any more, when all is there that they do.
	services_sweep "$2" "$(services_lines container)"
	services_sweep "$base/files" "$(services_lines file | cut -f 6)"
}

# Networks, directories, contents. A network of the project that this release has another one of is made anew: nothing is to run here
# that uses it, and as long as something does, tote does not remove it.
services_prepare() { # RELEASE-DIR CONTENT-DIR
	local code=0 name before='' words
	while :; do
		services_load "$1" --prepare --contents "$2" 2>/dev/null && return || code=$?
		[[ $WHY =~ "tote network rm "([A-Za-z0-9_.-]+) ]] && name=${BASH_REMATCH[1]} || name=
		if [[ $name != "${RELEASE_PROJECT}_"* ]] || [ "$name" = "$before" ]; then
			say "$WHY"
			return "$code"
		fi
		before=$name
		say "network $name: it is another one now"
		words=$(bounded "$SERVICES_SECONDS" "${TOTE:-tote}" network rm "$name" 2>&1) || fail error "network $name: ${words##*$'\n'}" || return
	done
}

# A secret has a copy for each container: where the file system cannot map ids, it is given to the container that runs.
services_write_contents() { # CONTENT-DIR FILES-DIR
	local content container uid gid mode name
	while IFS=$'\t' read -r content container uid gid mode name; do
		[ -n "$content" ] && [ ! -e "$2/$name" ] || continue
		services_write_content "$1/$content" "$2" "$name" "$uid:$gid" "$(printf %o "$mode")" || return
	done < <(services_lines file)
}

# What has a name there is whole, with its owner.
services_write_content() { # FROM DIR NAME OWNER MODE
	local words
	words=$({ rm -f -- "$2/.new" && (umask 077 && cat -- "$1" >"$2/.new") && chown -- "$4" "$2/.new" && chmod "$5" "$2/.new" &&
		mv -fT -- "$2/.new" "$2/$3"; } 2>&1) || fail_by "$2/$3" "$words"
}

services_write_params() { # OUT-DIR
	local what line container='' text=''
	while IFS=$'\t' read -r what line; do
		if [ "$what" = param ]; then
			text+=$line$'\n'
		else
			services_write_param "$1/$container" "$text" || return
			container=$line text=''
		fi
	done < <(sed -n '/^\(container\|param\)\t/p' <<<"$SERVICES_PLAN" && echo end)
}

services_write_param() { # FILE TEXT
	local there=''
	[ -n "$2" ] || return 0
	[ ! -f "$1" ] || [ -L "$1" ] || IFS= read -r -d '' there <"$1" || true
	[ "$there" = "$2" ] || replace_file "$1" 600 <<<"${2%$'\n'}"
}

services_sweep() { # DIR NAMES
	local path
	for path in "$1"/* "$1"/.[!.]*; do
		[ -f "$path" ] || continue
		grep -qxF -- "${path##*/}" <<<"$2" || rm -f -- "$path"
	done
}
