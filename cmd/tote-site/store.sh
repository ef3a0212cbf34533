# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153
# What a box has: state.json, the directory of releases, and their images in tote's store. Every other part reads and writes them
# through these functions. Needs conf.sh and cmd/script.
#
# A directory below releases/ is whole and was verified when it got its name. An image of a release has a name of its own,
# tote-site/RELEASE:HEX, so that loading moves no name that something runs by, and `tote gc` leaves it alone.

# base: what an update that is under way goes back to. older: what becomes "previous" then.
readonly STORE_EMPTY='{"release":null,"serial":0,"previous":null,"highest":0,"taken":null,"failed":[],
	"phase":"settled","target":null,"since":null,"base":null,"older":null}'
readonly STORE_PHASES='settled|switching|reverting'

STATE='' S_RELEASE='' S_SERIAL=0 S_PREVIOUS='' S_HIGHEST=0 S_TAKEN='' S_PHASE=settled S_TARGET='' S_SINCE='' S_BASE='' S_OLDER=''
declare -gA S_FAILED=()
MISSING=() HAVE=()

store_open() {
	local words dir
	if ! [ -d "$SITE_DIR/releases" ] || ! [ -d "$SITE_DIR/incoming" ] || ! [ -d "$SITE_RUN" ]; then
		words=$(mkdir -p -- "$SITE_DIR"/{releases,incoming} "$SITE_RUN" 2>&1) || fail_by "$SITE_DIR" "$words" || return
	fi
	for dir in "$SITE_DIR" "$SITE_RUN"; do
		[ -O "$dir" ] || fail error "$dir: belongs to somebody else" || return
	done
	[ "$(stat -c %a -- "$SITE_DIR" "$SITE_RUN")" = 700$'\n'700 ] || chmod 700 -- "$SITE_DIR" "$SITE_RUN"
}

site_tote() { # ARGUMENT...
	bounded "${LIMIT:-600}" "${TOTE:-tote}" "$@"
}

# ---- state.json ----

# The state in one line, its words in the next ("-" stands for null, as read would drop empty fields), then a line for each that failed.
readonly STORE_LINES='if length == 1 and (.[0] | type) == "object" then $empty + .[0] else error end | tojson,
	([.release, .serial, .previous, .highest, .taken, .phase, .target, .since, .base, .older] | map(. // "-") | join(" ")),
	(.failed[] | strings | select(. != ""))'

# Sets STATE and S_*. A state that cannot be read is an error: nobody knows what this box runs.
store_load() {
	local file=$SITE_DIR/state.json text='' lines=("$STORE_EMPTY" "- 0 - 0 - settled - - - -")
	if [ -e "$file" ]; then
		{ IFS= read -r -d '' text <"$file"; } 2>/dev/null || true
		# What was read before is the same.
		[ -z "$text" ] || [ "$text" != "$STORE_LOADED" ] || return 0
		mapfile -t lines < <(jq -nr --argjson empty "$STORE_EMPTY" "[inputs] | $STORE_LINES" <<<"$text" 2>/dev/null)
	fi
	STATE=$STORE_EMPTY STORE_LOADED=
	[ ${#lines[@]} -ge 2 ] || fail error "$file: is damaged; tote-site(8) says what to do" || return
	STATE=${lines[0]}
	store_words "${lines[@]:1}" && STORE_LOADED=$text
}
STORE_LOADED=

store_words() { # WORDS FAILED...
	local file=$SITE_DIR/state.json name
	read -r S_RELEASE S_SERIAL S_PREVIOUS S_HIGHEST S_TAKEN S_PHASE S_TARGET S_SINCE S_BASE S_OLDER <<<"$1"
	for name in S_RELEASE S_PREVIOUS S_TAKEN S_TARGET S_SINCE S_BASE S_OLDER; do
		[ "${!name}" != - ] || printf -v "$name" ''
	done
	for name in "$S_RELEASE" "$S_PREVIOUS" "$S_TAKEN" "$S_TARGET" "$S_BASE" "$S_OLDER"; do
		[ -z "$name" ] || release_is_id "$name" || fail error "$file: has a name of a release that is none" || return
	done
	[[ "$S_SERIAL $S_HIGHEST" =~ ^[0-9]{1,16}\ [0-9]{1,16}$ && $S_PHASE =~ ^($STORE_PHASES)$ ]] ||
		fail error "$file: is damaged; tote-site(8) says what to do" || return
	S_FAILED=()
	for name in "${@:2}"; do
		S_FAILED[$name]=1
	done
}

# Reads, changes by a jq program and writes back, alone. Further words are jq's.
store_update() { # FILTER [JQ-ARGUMENT...]
	local code=0 lock
	exec {lock}>"$SITE_DIR/.state.lock" || fail error "$SITE_DIR/.state.lock: cannot be written" || return
	flock -w 30 "$lock" || { exec {lock}>&-; fail busy "$SITE_DIR/state.json: somebody else holds it"; return; }
	store_load && store_change "$@" || code=$?
	exec {lock}>&-
	return "$code"
}

# The state as it is then is read by the same jq.
store_change() { # FILTER [JQ-ARGUMENT...]
	local lines
	mapfile -t lines < <(jq -nre --argjson empty "$STORE_EMPTY" "${@:2}" "[inputs | ($1)] | $STORE_LINES" <<<"$STATE")
	[ ${#lines[@]} -ge 2 ] || fail error "state.json: cannot be changed by $1" || return
	replace_file "$SITE_DIR/state.json" 600 <<<"${lines[0]}" || return
	STATE=${lines[0]} STORE_LOADED=
	store_words "${lines[@]:1}" && STORE_LOADED=$STATE$'\n'
}

# ---- releases ----

store_dir() { # RELEASE
	REPLY=$SITE_DIR/releases/$1
}

store_has() { # RELEASE
	release_is_id "$1" && [ -d "$SITE_DIR/releases/$1" ]
}

store_read() { # RELEASE
	store_has "$1" || fail absent "release ${1:0:12}: is not here" || return
	release_read "$SITE_DIR/releases/$1/manifest" && RELEASE=$1
}

store_verify() { # RELEASE [CHECK...]
	local release=$1
	store_has "$release" || fail absent "release ${release:0:12}: is not here" || return
	shift
	release_verify "$SITE_DIR/releases/$release" "$SITE_SIGNERS" "$@" || return
	[ "$RELEASE" = "$release" ] || fail refused "release ${release:0:12}: is another one inside"
}

# Whether this release may come in: it is fresh, and newer than all before it or the same one again. With "here" one that is
# here is let in as well, as its images may be missing. After release_read and release_id.
store_admits() { # [here]
	release_fresh || return
	[ "$RELEASE" = "$S_TAKEN" ] || [ "$RELEASE_SERIAL" -gt "$S_HIGHEST" ] || { [ "${1:-}" = here ] && store_has "$RELEASE"; } ||
		fail refused "release $RELEASE_NAME has the serial $RELEASE_SERIAL, and $S_HIGHEST was taken already"
}

# ---- images ----

# Sets MISSING to those that the image store lacks: an image is known by its ID or by its manifest's digest.
store_missing() { # RELEASE
	local there name hex
	MISSING=()
	store_read "$1" || return
	there=$(site_tote images -f json | jq -r '.[] | .id, .digest') || fail error "tote cannot list its images" || return
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		hex=${RELEASE_IMAGES[$name]}
		grep -qxF "sha256:$hex" <<<"$there" || MISSING+=("$hex")
	done
	[ ${#MISSING[@]} = 0 ] || fail absent "release $RELEASE_NAME: ${#MISSING[@]} of ${#RELEASE_IMAGE_NAMES[@]} images are not here"
}

# Sets HAVE for `tote save --missing-from`. What a cut load left of a missing image does not count.
store_have() {
	local all hex
	all=$(site_tote images --layers) || fail error "tote cannot list its layers" || return
	for hex in "${MISSING[@]}"; do
		all=$(grep -vxF "sha256:$hex" <<<"$all") || true
	done
	mapfile -t HAVE < <(grep -xE "sha256:$RELEASE_HEX" <<<"$all")
}

store_image_name() { # RELEASE HEX
	REPLY=tote-site/$1:$2
}

# Each image of the release gets the name that keeps it. After store_missing.
store_keep_images() { # RELEASE
	local hex
	for hex in "${RELEASE_IMAGES[@]}"; do
		store_image_name "$1" "$hex"
		store_tag "$hex" "$REPLY" || return
	done
}

# The names of compose.yaml lead to this release's images.
store_name_images() { # RELEASE
	local name
	store_missing "$1" || return
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		store_tag "${RELEASE_IMAGES[$name]}" "$name" || return
	done
}

store_tag() { # HEX NAME
	local words code=0
	words=$(site_tote tag "sha256:$1" "$2" 2>&1) || code=$?
	store_image_failed "$code" "image $2" "$words"
}

# What tote's exit code on images (tote-load(8)) means here.
store_image_failed() { # TOTE-CODE WORDS-BEFORE TOTE-WORDS
	local -A class=([3]=absent [4]=refused [5]=full)
	[ "$1" = 0 ] || fail "${class[$1]:-error}" "$2: ${3##*$'\n'}"
}

# ---- sweeping ----

# What state.json names stays, and of others the newest, so that there are `keep`. Then what nobody named before goes.
store_sweep() {
	local kept name number=0
	local -A keep=()
	store_load || return
	for name in "$S_RELEASE" "$S_PREVIOUS" "$S_TARGET" "$S_TAKEN" "$S_BASE" "$S_OLDER"; do
		[ -z "$name" ] || keep[$name]=1
	done
	kept=${#keep[@]}
	while read -r name; do
		[ -z "${keep[$name]:-}" ] || continue
		[ "$kept" -ge "$CONF_KEEP" ] || { kept=$((kept + 1)) keep[$name]=1; continue; }
		store_drop "$name" || return
		number=$((number + 1))
	done < <(store_by_age)
	store_sweep_names || return
	[ "$number" = 0 ] || site_tote gc >/dev/null 2>&1 || say "tote gc has failed; the next one will remove what is left"
}

# Names of releases, the one that came last first.
store_by_age() {
	find "$SITE_DIR/releases" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %f\n' | sort -rn | cut -d ' ' -f 2
}

# The directory first loses its name, so that nobody takes half of it for a release.
store_drop() { # RELEASE
	local grave
	grave=$(mktemp -d "$SITE_DIR/incoming/swept.XXXXXX") && mv -T -- "$SITE_DIR/releases/$1" "$grave/r" && rm -rf -- "$grave" ||
		fail error "release ${1:0:12}: cannot be removed"
}

# Names in tote's store of releases that are not here. A removal that was cut off is completed by this as well.
store_sweep_names() {
	local names=() name release
	while IFS= read -r name; do
		release=${name#tote-site/}
		release=${release%%:*}
		store_has "$release" || names+=("$name")
	done < <(site_tote images -f json | jq -r '.[].names[] | select(test("^tote-site/[0-9a-f]{64}:[0-9a-f]{64}$"))')
	[ ${#names[@]} = 0 ] || site_tote rmi --force --no-gc "${names[@]}" >/dev/null || fail error "old images cannot be removed"
}

# ---- to others ----

# The stream of `take` with what a peer lacks, by its list of what it has.
store_pack() { # RELEASE HAVE-FILE|""
	local scratch code=0
	store_read "$1" || return
	scratch=$(mktemp -d "$SITE_DIR/incoming/pack.XXXXXX") || fail full "$SITE_DIR/incoming: cannot be written" || return
	depot_pack "$scratch" "$SITE_DIR/releases/$1" "$2" "$SITE_DIR/secrets" "$CONF_STORE" || code=$?
	rm -rf -- "$scratch"
	return "$code"
}

# Sets REPLY to the answer, with JSON, an object, laid over it.
store_answer() { # CODE [JSON]
	local name='' missing='[]' have='[]' extra=${2:-}
	[ -n "$extra" ] || extra='{}'
	store_load 2>/dev/null || true
	[ -z "$S_RELEASE" ] || ! store_has "$S_RELEASE" || name=$(sed -n 's/^name //p' "$SITE_DIR/releases/$S_RELEASE/manifest" | head -n 1)
	if [ "$1" = "${CODE[absent]}" ]; then
		missing=$(printf 'sha256:%s\n' "${MISSING[@]}" | jq -nRc '[inputs | select(. != "sha256:")]')
		store_have 2>/dev/null || HAVE=()
		have=$(printf '%s\n' "${HAVE[@]}" | jq -nRc '[inputs | select(. != "")]')
	fi
	# The list may be longer than a word of a command can be: by descriptor.
	REPLY=$(jq -c --argjson code "$1" --arg store "$CONF_STORE" --arg box "$CONF_BOX" --arg name "$name" \
		--arg why "$([ "$1" = 0 ] || echo "$WHY")" --arg time "$(date -u +%FT%TZ)" --argjson missing "$missing" \
		--slurpfile have <(printf '%s' "$have") --argjson extra "$extra" '
		{"tote-site": 1, store: $store, box: $box, release, serial, name: (if $name == "" then null else $name end), phase, wanted: .taken,
			highest, failed, good: ($code == 0), why: $why, code: $code, boxes: {}, time: $time}
		+ (if $code == 8 then {missing: $missing, have: $have[0]} else {} end) + $extra' <<<"$STATE") ||
		fail error "the answer cannot be written"
}
