# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# sign: a directory with a compose.yaml becomes a release in releases/. The key may be that of an ssh agent, so that it is on no
# disk of headquarters.

verb_sign() { # DIR
	local dir=${1:-} words=()
	[ $# = 1 ] || die usage "sign DIR"
	[ -f "$dir/compose.yaml" ] || die error "$dir: has no compose.yaml"
	sign_key || exit
	sign_words "$dir" || exit
	if [ -n "${OPT[dry-run]:-}" ]; then
		printf '%s\n' "${words[@]}"
		exit 0
	fi
	sign_make "${words[@]}" || exit
	[ "$FORMAT" = text ] || { json_object release="$RELEASE" serial:="$RELEASE_SERIAL" \
		name="$RELEASE_NAME" expires="$RELEASE_EXPIRES" && printf '%s\n' "$REPLY" && exit; }
	echo "$RELEASE"
}

# Sets KEY.
sign_key() {
	KEY=${OPT[key]:-${TOTE_FLEET_KEY:-}}
	[ -n "$KEY" ] || fail usage "which key? --key FILE or TOTE_FLEET_KEY" || return
	[ -f "$KEY" ] || fail error "$KEY: there is no such key"
}

# Makes releases/RELEASE of release_make's words, and audits it. Sets RELEASE.
sign_make() { # WORD...
	local made
	mkdir -p "$FLEET/releases" && made=$(mktemp -u "$FLEET/releases/.made.XXXXXX") || fail full "$FLEET/releases: cannot be written" || return
	release_make "$made" "$KEY" "$@" || return
	release_fresh || { rm -rf "$made" && return "${CODE[refused]}"; }
	if [ -f "$FLEET/release-signers" ] && ! release_verify "$made" "$FLEET/release-signers" release_fresh; then
		rm -rf "$made"
		fail refused "the key $KEY is not one of $FLEET/release-signers, or the release is not good" || return
	fi
	audit sign release="$RELEASE" serial:="$RELEASE_SERIAL" name="$RELEASE_NAME" && replace_dir "$made" "$FLEET/releases/$RELEASE" ||
		{ rm -rf "$made" && return 1; }
}

# Fills `words` of the caller.
sign_words() { # DIR
	local dir name expires serial=${OPT[serial]:-} project
	dir=$(realpath -- "$1")
	[ -n "$serial" ] || { sign_next_serial && serial=$REPLY; } || return
	name=${OPT[name]:-${dir##*/}}
	[[ $name =~ ^${RELEASE_FORM[name]}$ ]] ||
		fail usage "\"$name\" is no name of a release: small letters, digits, \".\", \"_\", \"-\"; give --name" || return
	# Releases of one thing have one project: a version at the end is not of its name.
	project=${OPT[project]:-${name%%[-._][0-9]*}}
	[[ $project =~ ^${RELEASE_FORM[project]}$ ]] ||
		fail usage "\"$project\" is no name of a project: small letters, digits, \"_\", \"-\"; give --project" || return
	sign_expires "${OPT[expires]:-180d}" && expires=$REPLY || return
	words=(serial="$serial" name="$name" project="$project" expires="$expires" compose="$dir/compose.yaml")
	sign_files "$dir" && sign_images "$dir"
}

# What else is in DIR, told by name: a person may not know of all of it. Names that begin with a dot are an editor's, git's, a
# key's; .env is Compose's.
sign_files() { # DIR
	local path
	local -a own=('(' -name '.*' ! -path ./.env ! -path . ')')
	work_dir && cd -- "$1" || fail error "$1: cannot be read" || return
	find . "${own[@]}" -prune -printf '%P\n' | sort >"$WORK/left" || return
	[ ! -s "$WORK/left" ] || say "left out: $(paste -sd ' ' "$WORK/left")"
	[ -z "$(find . "${own[@]}" -prune -o ! -type f ! -type d -print -quit)" ] ||
		fail refused "$1: has something that is neither a file nor a directory" || return
	while IFS= read -r -d '' path; do
		words+=(below="$1//$path")
		say "takes ${path@Q}"
	done < <(find . "${own[@]}" -prune -o -type f ! -path ./compose.yaml -printf '%P\0' | sort -z)
	cd -- "$OLDPWD" || return
}

# One more than the highest that was ever made here.
sign_next_serial() {
	local file highest=0
	for file in "$FLEET"/releases/*/manifest; do
		[ -f "$file" ] && release_read "$file" || continue
		[ "$RELEASE_SERIAL" -le "$highest" ] || highest=$RELEASE_SERIAL
	done
	REPLY=$((highest + 1))
}

sign_expires() { # DURATION|TIME
	if seconds_of "$1"; then
		REPLY=$(date -u -d "@$(($(date +%s) + REPLY))" +%FT%TZ)
	else
		REPLY=$1
	fi
}

# Those of --image, or what compose.yaml names, by the IDs that the image store here has.
sign_images() { # DIR
	local name id tote=${TOTE:-tote}
	if [ -n "${OPT[image]:-}" ]; then
		while IFS= read -r name; do
			[ -z "$name" ] || words+=(image="$name")
		done <<<"${OPT[image]}"
		return
	fi
	work_dir || return
	"$tote" config -f "$1/compose.yaml" --images >"$WORK/images" 2>"$WORK/words" ||
		fail error "$1/compose.yaml: $(tail -n 1 "$WORK/words")" || return
	while IFS= read -r name; do
		id=$("$tote" inspect "$name" 2>/dev/null | jq -re '.[0].id') ||
			fail error "$name: is not in the image store here; load it, or give --image" || return
		words+=(image="$name@$id")
	done <"$WORK/images"
}
