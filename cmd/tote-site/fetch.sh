# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153
# `tote-site fetch`: takes in the release that a depot wants this store to have, its images and secrets. Everything is first
# copied to incoming/, verified there and then renamed, so that a stick may be pulled out and the power fail at any point.
# Needs store.sh and secrets.sh.
#
# The order is: the release, its images, then state.json's "taken", then the secrets. What was cut off before "taken" is gone on
# with by the next fetch, and nobody applies it meanwhile by itself.

: "${TOTE_SITE_FETCH_WAIT:=60}" "${TOTE_SITE_LOAD_TIMEOUT:=3600}"
FETCH_LOCK=''

verb_fetch() { # [DEPOT]
	local depot code worst=${CODE[error]}
	[ $# -gt 0 ] || set -- "${CONF_DEPOTS[@]}"
	[ $# -gt 0 ] || fail usage "fetch: no depot is given, and site.conf has none" || return
	for depot; do
		code=0
		fetch_from "$depot" || code=$?
		[ "$code" != "${CODE[absent]}" ] || worst=$code
		# One that cannot be reached, or lacks something, is not the only one.
		[ "$code" = "${CODE[error]}" ] || [ "$code" = "${CODE[absent]}" ] || { worst=$code; break; }
	done
	code=$worst
	[ "$code" = 0 ] || return "$code"
	fetch_report
}

fetch_report() {
	[ "$FORMAT" = json ] || [ "$DRY_RUN" = 1 ] || echo "release $RELEASE_NAME, serial $RELEASE_SERIAL, is here: $RELEASE"
}

# RELEASE is asked of the depot where it is not given. "here": see store_admits.
fetch_from() { # DEPOT [RELEASE] [here]
	local depot=${1#file://} release=${2:-} code=0
	fetch_lock || return
	fetch_all "$depot" "$release" "${3:-}" || code=$?
	fetch_unlock
	return "$code"
}

# Two fetches at once would write to one incoming/. The second one waits, and then finds all of it there.
fetch_lock() {
	[ -z "$FETCH_LOCK" ] || fail error "fetch: has the lock already" || return
	exec {FETCH_LOCK}>"$SITE_RUN/fetch.lock" || fail error "$SITE_RUN/fetch.lock: cannot be written" || return
	flock -w "$TOTE_SITE_FETCH_WAIT" "$FETCH_LOCK" && return
	fetch_unlock
	fail busy "another fetch or take is at work"
}

fetch_unlock() {
	exec {FETCH_LOCK}>&-
	FETCH_LOCK=''
}

fetch_all() { # DEPOT RELEASE|"" HERE
	local depot=$1 release=$2 code=0
	store_load && fetch_sweep && depot_there "$depot" || return
	if [ -z "$release" ]; then
		depot_wanted "$depot" "$CONF_STORE" || return
		release=$REPLY
	fi
	if store_has "$release"; then
		store_verify "$release" store_admits "$3" || return
	else
		fetch_release "$depot" "$release" "$3" || return
	fi
	[ "$DRY_RUN" = 0 ] || { fetch_dry "$release"; return; }
	fetch_images "$depot" "$release" || return
	# A serial that is lower, of a release that is here, stays a lower one.
	store_update 'if $serial > .highest then .highest = $serial | .taken = $release else . end' \
		--argjson serial "$RELEASE_SERIAL" --arg release "$release" || return
	FETCH_SECRETS=
	secrets_take "$depot" || code=$?
	# All else is here, and can be applied with the secrets of before.
	[ "$code" != "${CODE[refused]}" ] || FETCH_SECRETS=$WHY
	[ "$code" = 0 ] || [ -n "$FETCH_SECRETS" ] || return "$code"
	store_sweep && store_read "$release" || return
	[ "$code" = 0 ] || WHY=$FETCH_SECRETS
	return "$code"
}
# Why secrets were refused of a depot whose release was taken.
FETCH_SECRETS=

# What was cut off. Who makes a stream for a peer has no lock, and is given its time.
fetch_sweep() {
	find "$SITE_DIR/incoming" -mindepth 1 -maxdepth 1 ! -name images ! -name 'pack.*' ! -path "${TAKE_DIR:-}" -exec rm -rf -- {} + &&
		find "$SITE_DIR/incoming" -mindepth 1 -maxdepth 1 -name 'pack.*' -mmin +120 -exec rm -rf -- {} + ||
		fail error "$SITE_DIR/incoming: cannot be swept"
}

fetch_dry() { # RELEASE
	local code=0
	if ! store_has "$1"; then
		echo "would take in release $RELEASE_NAME, serial $RELEASE_SERIAL: $1"
	else
		store_missing "$1" || code=$?
		[ ${#MISSING[@]} = 0 ] || printf 'would load image sha256:%s\n' "${MISSING[@]}"
	fi
	[ "$code" != "${CODE[absent]}" ] || code=0
	return "$code"
}

# ---- the release ----

fetch_release() { # DEPOT RELEASE HERE
	local dir=$SITE_DIR/incoming/$2 code=0
	rm -rf -- "$dir"
	fetch_verified "$1" "$2" "$dir" "$3" || code=$?
	# Not the depot's lack of something, but half of a release.
	if [ "$code" = "${CODE[absent]}" ]; then
		code=0
		depot_there "$1" && fail refused "release ${2:0:12}: half copied: $WHY" || code=$?
	fi
	if [ "$code" = 0 ] && [ "$DRY_RUN" = 0 ]; then
		replace_dir "$dir" "$SITE_DIR/releases/$2" || code=$?
	fi
	rm -rf -- "$dir"
	return "$code"
}

# Nothing but what the signed manifest names is asked for.
fetch_verified() { # DEPOT RELEASE DIR HERE
	local depot=$1 release=$2 dir=$3 path words
	words=$(mkdir -p -- "$dir" 2>&1) || fail_by "$dir" "$words" || return
	depot_get "$depot" "releases/$release/manifest" "$dir/manifest" "$RELEASE_MANIFEST_MAX" || return
	depot_get "$depot" "releases/$release/manifest.sig" "$dir/manifest.sig" 65536 || return
	release_verify_manifest "$dir" "$SITE_SIGNERS" fetch_admits "$release" "$4" || return
	for path in compose.yaml "${!RELEASE_FILES[@]}"; do
		words=$(mkdir -p -- "$dir/$(dirname -- "$path")" 2>&1) || fail_by "$dir" "$words" || return
		depot_get "$depot" "releases/$release/$path" "$dir/$path" "$RELEASE_FILE_MAX" || return
	done
	# They are mounted into containers, whose root is nobody here. That none can be executed is a rule of the format.
	release_verify_files "$dir" && chmod -R u=rwX,go=rX -- "$dir"
}

fetch_admits() { # RELEASE HERE
	[ "$RELEASE" = "$1" ] || fail refused "release ${1:0:12}: is another one inside" || return
	store_admits "$2"
}

# ---- images ----

# All that can be had are loaded, also where one is missing: the next try needs less.
fetch_images() { # DEPOT RELEASE
	local hex code first=0 wanted
	store_missing "$2" 2>/dev/null || [ $? = "${CODE[absent]}" ] || { say "$WHY"; return "${CODE[error]}"; }
	fetch_sweep_parts
	wanted=("${MISSING[@]}")
	for hex in "${wanted[@]}"; do
		code=0
		fetch_image "$1" "$2" "$hex" || code=$?
		# Others' halves are in the way.
		if [ "$code" = "${CODE[full]}" ] && fetch_drop_parts "$1" "$hex"; then
			code=0
			fetch_image "$1" "$2" "$hex" || code=$?
		fi
		[ "$code" = 0 ] || [ "$code" = "${CODE[absent]}" ] || { first=$code; break; }
	done
	if [ "$first" != 0 ]; then
		return "$first"
	fi
	store_missing "$2" && store_keep_images "$2"
}

fetch_image() { # DEPOT RELEASE HEX
	local code=0 try file=$1/images/$3.tar
	if ! depot_is_url "$1"; then
		depot_there "$1" || return
		[ -e "$file" ] || fail absent "images/$3.tar: is not in $1" || return
		[ -f "$file" ] && [ ! -L "$file" ] || fail refused "images/$3.tar: is no plain file" || return
		fetch_load "$file" "$2" "$3" || code=$?
		# Who pulled the stick out has not damaged an image.
		[ "$code" = 0 ] || depot_there "$1" || return
		return "$code"
	fi
	file=$SITE_DIR/incoming/images/$3.tar
	# What was resumed may be two files in one: then once more from the start.
	for try in 1 2; do
		code=0
		mkdir -p -- "${file%/*}" && fetch_large "$1" "images/$3.tar" "$file" || return
		fetch_load "$file" "$2" "$3" || code=$?
		[ "$code" = "${CODE[full]}" ] || rm -f -- "$file"
		[ "$code" = "${CODE[refused]}" ] || [ "$code" = "${CODE[error]}" ] || break
	done
	return "$code"
}

# Sets REPLY to how large FILE may get: a tenth of the disk, or 1 GiB of a large one, is left to what runs.
fetch_room() { # FILE
	local size free
	read -r size free < <(df --output=size,avail -B1 -- "$SITE_DIR" | tail -n 1) || fail error "$SITE_DIR: its size is not known" || return
	size=$((size / 10 < 1 << 30 ? size / 10 : 1 << 30))
	REPLY=$((free - size + $(stat -c %s -- "$1" 2>/dev/null || echo 0)))
	[ "$REPLY" -le "$DEPOT_IMAGE_MAX" ] || REPLY=$DEPOT_IMAGE_MAX
}

# A server says what comes and how much, and nothing of it is signed: a stream without an end must not take the disk, nor stay.
fetch_large() { # DEPOT PATH FILE
	local max code=0
	fetch_room "$3" || return
	max=$REPLY
	if [ "$max" -gt 0 ]; then
		depot_get_large "$1" "$2" "$3" "$max" || code=$?
		[ "$code" != 0 ] || return 0
		[ "$code" = "${CODE[refused]}" ] || [ "$(stat -c %s -- "$3" 2>/dev/null || echo 0)" -ge "$max" ] || return "$code"
	fi
	rm -f -- "$3"
	[ "$max" -lt "$DEPOT_IMAGE_MAX" ] || return "$code"
	fail full "$2: No space left for it, beside what has to stay free"
}

# What was not the image that was meant leaves nothing in the store, else each try would take more of it.
fetch_load() { # FILE RELEASE HEX
	local code=0 why
	fetch_load_image "$@" || code=$?
	if [ "$code" = "${CODE[refused]}" ]; then
		why=$WHY
		site_tote gc >/dev/null 2>&1 || say "tote gc has failed; the next one will remove what is left"
		WHY=$why
	fi
	return "$code"
}

# The name is the release's own; what it leads to then must be the image that was meant.
fetch_load_image() { # FILE RELEASE HEX
	local words code=0 ids
	store_image_name "$2" "$3"
	local name=$REPLY
	words=$(LIMIT=$TOTE_SITE_LOAD_TIMEOUT site_tote load --progress none --name "$name" "$1" 2>&1) || code=$?
	store_image_failed "$code" "image ${3:0:12}" "$words" || return
	ids=$(site_tote inspect "$name" | jq -r '.[] | .id, .digest') || fail error "image ${3:0:12}: cannot be read" || return
	grep -qxF "sha256:$3" <<<"$ids" && return
	site_tote rmi --no-gc "$name" >/dev/null 2>&1 || true
	fail refused "image ${3:0:12}: another image was in its archive, ${ids%%$'\n'*}"
}

# Removes parts of downloads, but that of this image where it is needed. Fails when there were none.
fetch_drop_parts() { # DEPOT HEX
	local file dropped=1
	for file in "$SITE_DIR"/incoming/images/*; do
		[ -f "$file" ] || continue
		depot_is_url "$1" && [ "${file##*/}" = "$2.tar" ] || { rm -f -- "$file" && dropped=0; }
	done
	return "$dropped"
}

# Parts of downloads that nobody wants any more.
fetch_sweep_parts() {
	local file hex
	for file in "$SITE_DIR"/incoming/images/*; do
		hex=${file##*/}
		[[ " ${MISSING[*]} " == *" ${hex%.tar} "* ]] || rm -rf -- "$file"
	done
}
