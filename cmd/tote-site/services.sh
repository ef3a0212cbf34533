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

# Sets SERVICES_PROJECT to the desired project, JSON. Further words are options of `tote config`.
services_load() { # RELEASE-DIR [WORD...]
	local said code=0
	services_read "$1" || return
	said=$(mktemp) || fail error "no room for a temporary file" || return
	SERVICES_PROJECT=$(box_compose "$SERVICES_SECONDS" "${TOTE:-tote}" config "${SERVICES_WORDS[@]}" "${@:2}" 2>"$said") || code=$?
	WHY=$(tail -n 1 "$said")
	rm -f "$said"
	case $code in
	0) return 0 ;;
	124) fail error "$1: tote config gave no answer within $SERVICES_SECONDS s" ;;
	*) fail "${SERVICES_CLASS[$code]:-error}" "${WHY:-tote config ended with $code}" ;;
	esac
}

# A function of services.jq, on the project.
services_jq() { # PROGRAM [OPTION OF JQ...]
	jq -r -L "$SERVICES_LIB" "${@:2}" "include \"services\"; $1" <<<"$SERVICES_PROJECT" || fail error "jq cannot read a project"
}

# Whether a cluster can do what the release asks for; says all that is wrong, and warns of what may surprise.
services_check() { # RELEASE-DIR
	services_load "$1" && services_judge
}

services_judge() {
	local refused line
	refused=$(services_jq refused) || return
	while IFS= read -r line; do
		[ -z "$line" ] || say "warning: $line"
	done < <(services_jq warnings)
	[ -n "$refused" ] || return 0
	while IFS= read -r line; do
		fail refused "$line" || true
	done <<<"$refused"
	return "${CODE[refused]}"
}

services_cib() { # RELEASE-DIR [PARAMS-DIR]
	services_load "$1" && services_judge || return
	# shellcheck disable=SC2016 # jq's variable
	services_jq 'cib($params)' --arg params "${2:-$SITE_RUN/params}"
}

# RESOURCE CONTAINER DIGEST INSTANCES TOP IMAGE-ID, tabs between them.
services_list() { # RELEASE-DIR
	local pins name
	services_load "$1" || return
	pins=$(for name in "${RELEASE_IMAGE_NAMES[@]}"; do printf '%s\n' "$name" "sha256:${RELEASE_IMAGES[$name]}"; done |
		jq -Rcn '[inputs] | [range(0; length; 2) as $i | {key: .[$i], value: .[$i + 1]}] | from_entries') ||
		fail error "jq cannot read the names of images" || return
	# shellcheck disable=SC2016
	services_jq 'list($pins)' --argjson pins "$pins"
}

# What the box needs, then the files. Called again it changes nothing of what is right, also beside running containers.
services_params() { # RELEASE-DIR OUT-DIR
	local base content=''
	base=$(dirname -- "$2")
	content=$base/.content
	(umask 077 && mkdir -p -- "$2" "$base/files") || fail error "$2: cannot be made" || return
	services_load "$1" --prepare --contents "$content" && services_judge &&
		services_write_contents "$content" "$base/files" && services_write_params "$2" "$base/files"
	local code=$?
	rm -rf -- "$content"
	[ "$code" = 0 ] || return "$code"
	services_sweep_all "$2" "$base/files"
}

# What no service needs any more, when all is there that they do.
services_sweep_all() { # OUT-DIR FILES-DIR
	local names files
	names=$(services_jq names) && files=$(services_jq 'files | split("\t")[5]') || return
	services_sweep "$1" "$names"
	services_sweep "$2" "$files"
}

# A secret has a copy for each container: where the file system cannot map ids, it is given to the container that runs.
services_write_contents() { # CONTENT-DIR FILES-DIR
	local list content container uid gid mode name
	list=$(services_jq files) || return
	while IFS=$'\t' read -r content container uid gid mode name; do
		[ -n "$content" ] && [ ! -e "$2/$name" ] || continue
		services_write_content "$1/$content" "$2" "$name" "$uid:$gid" "$(printf %o "$mode")" || return
	done <<<"$list"
}

# What has a name there is whole, with its owner.
services_write_content() { # FROM DIR NAME OWNER MODE
	local words
	words=$({ rm -f -- "$2/.new" && (umask 077 && cat -- "$1" >"$2/.new") && chown -- "$4" "$2/.new" && chmod "$5" "$2/.new" &&
		mv -fT -- "$2/.new" "$2/$3"; } 2>&1) || fail_by "$2/$3" "$words"
}

services_write_params() { # OUT-DIR FILES-DIR
	local services service container text
	# shellcheck disable=SC2016
	services=$(services_jq '_services[] | [.name, .container] | @tsv') || return
	while IFS=$'\t' read -r service container; do
		[ -n "$service" ] || continue
		# shellcheck disable=SC2016
		text=$(services_jq 'params($service; $files)' --arg service "$service" --arg files "$2") || return
		replace_file "$1/$container" 600 <<<"$text" || return
	done <<<"$services"
}

services_sweep() { # DIR NAMES
	local path
	for path in "$1"/* "$1"/.[!.]*; do
		[ -f "$path" ] || continue
		grep -qxF -- "${path##*/}" <<<"$2" || rm -f -- "$path"
	done
}
