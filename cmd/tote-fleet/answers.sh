# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# What the stores of a rollout have answered, and what that means. status/STORE is the truth, parallel's joblog follows it.

# class -> what it counts as. The classes of a job are in store-job, where they come from; "not-yet", "by-hand" and "silent" are
# those of stores that have not answered.
declare -grA ANSWER_KIND=([ok]=ok [unreachable]=unreachable [silent]=unreachable [busy]=unreachable [not-yet]=open [by-hand]=by-hand
	[gate]=failed [refused]=failed [rolled-back]=failed [between]=failed [absent]=failed [full]=failed
		[error]=failed [hung]=failed [lying]=failed)

# A good answer is read again here as a whole, by a parser: whoever says less than all this lies.
readonly ANSWER_JQ='
def word: tostring | gsub("[^ -~]"; " ");
# What a job took for good by its ends and what is no JSON all the same.
(fromjson? // ((capture("^.\"store\":\"(?<store>[^\"]+)\"") // {}) + {class: "lying", why: "its answer is no JSON"})) |
select(type == "object" and has("store")) |
if .class == "ok" then
	if (.answer | type) == "object" and .answer.release == $release and .answer.good == true and .answer.code == 0
		and .answer.store == .store and (.answer.boxes | type) == "object" and (.answer.boxes | length) > 0
		and all(.answer.boxes[]; type == "object" and .release == $release)
	then . else .class = "lying" | .why = "its answer does not say that every box runs the release" end
else . end
| [.store, .class, .box // "", (.answer | if type == "object" then .release // "" | word else "" end), (.why // "" | word)] | @tsv'

# WORK/answers: store, class, box, release, why; one line for each store that has answered.
answers_read() {
	work_dir || return
	find "$ROLLOUT/status" -maxdepth 1 -type f ! -name '.*' -print0 | xargs -0 -r awk 1 |
		jq -Rr --arg release "$RELEASE" "$ANSWER_JQ" >"$WORK/answers" || fail error "the answers in $ROLLOUT/status cannot be read"
}

# WORK/table: wave, store, class, transport, window, boxes, box, release, why; in the order of the stores' turn. Also stores
# that have not answered, and those that are no longer in stores.tsv. Needs inventory_read.
answers_table() { # WAVE...
	local name
	answers_read || return
	for name; do
		sed "s/^/$name\t/" "$ROLLOUT/waves/$name.stores"
	done >"$WORK/turns"
	awk -F '\t' -v OFS='\t' '
		FNR == 1 { part++ }
		FILENAME == ARGV[1] { transport[$1] = $3; window[$1] = $5; boxes[$1] = $2; next }
		FILENAME == ARGV[2] { class[$1] = $2; box[$1] = $3; release[$1] = $4; why[$1] = $5; next }
		!($2 in transport) && class[$2] != "ok" {
			print $1, $2, "unreachable", "-", "-", "-", "", "", "is no longer in stores.tsv"; next }
		{
			c = class[$2]
			if (c == "") c = transport[$2] == "usb" ? "by-hand" : "not-yet"
			print $1, $2, c, transport[$2], window[$2], boxes[$2], box[$2], release[$2], why[$2]
		}' "$INVENTORY" "$WORK/answers" "$WORK/turns" >"$WORK/table"
}

# Sets COUNT[kind] and COUNT[class] for the stores of WORK/table, or of one wave of it.
declare -gA COUNT=()
answers_count() { # [WAVE]
	local class n kind
	COUNT=([ok]=0 [failed]=0 [unreachable]=0 [open]=0 [by-hand]=0 [all]=0)
	while read -r class n; do
		kind=${ANSWER_KIND[$class]:-failed}
		COUNT[$kind]=$((COUNT[$kind] + n)) COUNT[all]=$((COUNT[all] + n))
		[ "$class" = "$kind" ] || COUNT[$class]=$n
	done < <(awk -F '\t' -v wave="${1:-}" 'wave == "" || $1 == wave { n[$3]++ } END { for (c in n) print c, n[c] }' "$WORK/table")
}

counts_in_words() {
	REPLY="${COUNT[ok]} ok, ${COUNT[failed]} failed, ${COUNT[unreachable]} unreachable, ${COUNT[open]} waiting"
	[ "${COUNT[by-hand]}" = 0 ] || REPLY+=", ${COUNT[by-hand]} by hand"
	REPLY+=" of ${COUNT[all]}"
}
