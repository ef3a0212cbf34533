# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Depots: what headquarters lays down for stores that come for it (publish/) or get it by hand (a stick), and what they report.

# Lays a release and all its images into a depot. What is there already, from an earlier call, stays.
depot_fill() { # DEPOT RELEASE
	local depot=$1 dir=$FLEET/releases/$2 name hex
	mkdir -p "$depot"/{wanted,releases,images,secrets,status} || fail full "$depot: cannot be written" || return
	if [ ! -d "$depot/releases/$2" ]; then
		rm -rf "$depot/releases/.new" && cp -R -- "$dir" "$depot/releases/.new" || fail full "$depot: the release cannot be copied" || return
		replace_dir "$depot/releases/.new" "$depot/releases/$2" || return
	fi
	release_read "$dir/manifest" || return
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		hex=${RELEASE_IMAGES[$name]}
		[ -f "$depot/images/$hex.tar" ] || depot_fill_image "$depot" "$hex" || return
	done
}

depot_fill_image() { # DEPOT HEX
	local words code=0 beside=$1/images/.$2.new
	words=$("${TOTE:-tote}" save -o "$beside" "sha256:$2" 2>&1) || code=$?
	case $code in
	0) sync "$beside" && mv -fT "$beside" "$1/images/$2.tar" && sync_dir "$1/images" ;;
	5) rm -f "$beside" && fail full "image sha256:$2: ${words##*$'\n'}" ;;
	*) rm -f "$beside" && fail error "image sha256:$2 is not in the image store here: ${words##*$'\n'}" ;;
	esac
}

# The last thing: from here on the store wants it.
depot_want() { # DEPOT STORE RELEASE
	local dir=$FLEET/secrets/$2
	if [ -f "$dir/index" ]; then
		rm -rf "$1/secrets/.new" && mkdir -p "$1/secrets" && cp -RH -- "$dir" "$1/secrets/.new" && rm -rf "$1/secrets/${2:?}" &&
			replace_dir "$1/secrets/.new" "$1/secrets/$2" || fail full "$1: the secrets of $2 cannot be copied" || return
	fi
	[ "$(cat "$1/wanted/$2" 2>/dev/null)" = "$3" ] || printf '%s\n' "$3" | replace_file "$1/wanted/$2"
}

# ---- reports ----

# What a report means for the rollout. A report of before the store was told is none: it prints nothing.
readonly REPORT_JQ='
split("\t") as $w | ($w[0] | capture("/(?<s>[^/]+)\\.json$") | .s) as $store | ($w[1:] | join(" ") | fromjson?) |
select(type == "object" and ."tote-site" == 1 and .store == $store) |
({"1": "error", "2": "error",
	"3": "gate", "4": "refused", "5": "rolled-back", "6": "between", "8": "absent", "9": "full"}[.code | tostring]) as $class |
(if .release == $release and .good == true and .code == 0 then "ok"
 elif (.failed | type) == "array" and (.failed | any(. == $release)) then "rolled-back"
 elif .wanted == $release and $class != null then $class
 else empty end) as $class |
[$store, (.time | tostring | gsub("[^ -~]"; "")),
	({store: $store, class: $class, exit: .code, box: (.box // "" | tostring), why: (.why // "" | tostring), answer: .} | tojson)] | @tsv'

# Takes the reports of a depot that belong to this rollout; sets TAKEN to the number of those that were news, OTHERS to that of those
# that do not.
reports_take() { # DEPOT
	local store time line old
	TAKEN=0 OTHERS=0
	[ -d "$1/status" ] || return 0
	# Strangers write here: plain files of a bounded size, the first line of each.
	find "$1/status" -maxdepth 1 -type f -size -128k -name '[A-Za-z0-9]*.json' -print0 |
		xargs -0 -r awk -v OFS='\t' 'FNR == 1 { print FILENAME, $0 }' |
		jq -Rr --arg release "$RELEASE" "$REPORT_JQ" >"$WORK/reports" || fail error "the reports in $1/status cannot be read" || return
	awk -F '\t' 'NR == FNR { mine[$1] = 1; next } $1 in mine' <(cat "$ROLLOUT"/waves/*.stores) "$WORK/reports" >"$WORK/mine"
	OTHERS=$(($(find "$1/status" -maxdepth 1 -name '[A-Za-z0-9]*.json' | wc -l) - $(wc -l <"$WORK/mine")))
	while IFS=$'\t' read -r store time line; do
		old=$(jq -r '.answer.time? // ""' "$ROLLOUT/status/$store" 2>/dev/null) || old=
		# RFC 3339 in UTC compares as text.
		[[ $time > $old ]] || continue
		TAKEN=$((TAKEN + 1))
		[ -n "${OPT[dry-run]:-}" ] || printf '%b\n' "$line" | replace_file "$ROLLOUT/status/$store" || return
	done <"$WORK/mine"
}

# ---- pull stores of a wave ----

# Their depot is switched when their wave's turn comes; from then on they are waited for.
wave_pull() { # WAVE
	local store since now file=$ROLLOUT/waves/$1.switched
	awk -F '\t' '$4 == "pull" && $3 != "ok" { print $2 }' "$WORK/table" >"$WORK/pull"
	[ -s "$WORK/pull" ] || return 0
	depot_fill "$FLEET/publish" "$RELEASE" || return
	while IFS= read -r store; do
		depot_want "$FLEET/publish" "$store" "$RELEASE" || return
	done <"$WORK/pull"
	[ -s "$file" ] || date +%s | replace_file "$file" || return
	reports_take "$FLEET/publish" || return
	since=$(cat "$file") && printf -v now '%(%s)T' -1
	[ $((now - since)) -ge "${WAVE[$1 report]}" ] || return 0
	while IFS= read -r store; do
		[ -e "$ROLLOUT/status/$store" ] || json_line_silent "$store" "${WAVE[$1 report]}" | replace_file "$ROLLOUT/status/$store" || return
	done <"$WORK/pull"
}

json_line_silent() { # STORE SECONDS
	show_duration "$2"
	printf '{"store":"%s","class":"silent","exit":255,"box":"","why":"has not reported within %s","answer":null}\n' "$1" "$REPLY"
}
