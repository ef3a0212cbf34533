# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# audit.jsonl: who did what and when, one object a line. "prev" is the SHA-256 of the line before, with its newline; that of the
# first line is 64 zeros. So no line can be changed or taken out without changing all behind it.
#
# A power cut may leave half a line at the end. The next entry cuts it off and says so: what it stood for had not begun, as each
# verb writes its line before it changes anything.

readonly AUDIT_NONE=0000000000000000000000000000000000000000000000000000000000000000

audit_sum() { # reads the line
	local sum
	sum=$(sha256sum) && REPLY=${sum%% *}
}

# Appends, or fails and leaves things as they were.
audit() { # VERB KEY=TEXT|KEY:=JSON...
	local words=("${@:2}") verb=$1
	[ -n "$AUDIT_WHO" ] || AUDIT_WHO=$(audit_who)
	(
		flock -w 20 7 || fail error "audit.jsonl: somebody holds it" || exit
		audit_mend || exit
		audit_write verb="$verb" "${words[@]}"
	) 7>>"$FLEET/audit.jsonl" || fail error "nothing was done: audit.jsonl cannot be written"
}

audit_write() { # KEY=TEXT...
	local prev=$AUDIT_NONE size now
	size=$(stat -c %s "$FLEET/audit.jsonl")
	[ "$size" = 0 ] || { audit_sum < <(tail -n 1 "$FLEET/audit.jsonl") && prev=$REPLY; } || return
	TZ=UTC0 printf -v now '%(%FT%TZ)T' -1
	json_object prev="$prev" time="$now" who="$AUDIT_WHO" "$@" || return
	# One write; if the disk is full, what it left is taken back.
	printf '%s\n' "$REPLY" >&7 && sync "$FLEET/audit.jsonl" || {
		truncate -s "$size" "$FLEET/audit.jsonl"
		return "${CODE[full]}"
	}
}

# What the lines of one command have in common is asked once.
AUDIT_WHO=

# SUDO_USER and the address of an ssh session are hints, not proofs; the uid is the system's word.
audit_who() {
	local who
	who="$(id -un 2>/dev/null || echo "uid $(id -u)")@$(uname -n)"
	[ -z "${SUDO_USER:-}" ] || who+=" (sudo by $SUDO_USER)"
	[ -z "${SSH_CONNECTION:-}" ] || who+=" from ${SSH_CONNECTION%% *}"
	printf %s "$who"
}

audit_mend() {
	local file=$FLEET/audit.jsonl torn
	[ -s "$file" ] && [ "$(tail -c 1 "$file" | od -An -tx1)" != " 0a" ] || return 0
	torn=$(tail -n 1 "$file" | wc -c)
	truncate -s -"$torn" "$file" && audit_write verb=audit what="half a line of $torn bytes at the end was cut off"
}

# Sets AUDIT_LINES, AUDIT_BAD (number of the first line that is wrong, or 0), AUDIT_WHY, AUDIT_TORN, AUDIT_HEAD.
audit_verify() { # FILE
	local dir
	work_dir || return
	dir=$WORK/audit AUDIT_BAD=0 AUDIT_WHY='' AUDIT_TORN=0 AUDIT_HEAD=$AUDIT_NONE AUDIT_LINES=0
	rm -rf "$dir" && mkdir "$dir" || return
	[ -s "$1" ] || return 0
	# One process for all sums: a file a line.
	split -l 1 -a 7 -d -- "$1" "$dir/" && find "$dir" -type f -print0 | sort -z |
		xargs -0 sha256sum | cut -c 1-64 >"$WORK/audit.sums" || return
	AUDIT_LINES=$(wc -l <"$1")
	[ "$AUDIT_LINES" = "$(wc -l <"$WORK/audit.sums")" ] || AUDIT_TORN=1
	AUDIT_HEAD=$(sed -n "${AUDIT_LINES}p" "$WORK/audit.sums")
	jq -Rr 'fromjson? // {} | if type == "object" then .prev // "-" | tostring else "-" end' <"$1" >"$WORK/audit.prevs"
	AUDIT_BAD=$({ echo "$AUDIT_NONE" && cat "$WORK/audit.sums"; } | paste - "$WORK/audit.prevs" |
		awk -v lines="$AUDIT_LINES" 'NR <= lines && $1 != $2 { bad = NR; exit } END { print bad + 0 }')
	[ "$AUDIT_BAD" = 0 ] || AUDIT_WHY="line $AUDIT_BAD does not follow line $((AUDIT_BAD - 1)): one of them was changed, added or taken out"
}

verb_audit() {
	local code=0
	[ $# = 0 ] || die usage "audit takes no arguments"
	audit_verify "$FLEET/audit.jsonl" || die error "audit.jsonl cannot be read"
	[ "$AUDIT_BAD" = 0 ] || code=${CODE[refused]}
	if [ "$FORMAT" = json ]; then
		json_object lines:="$AUDIT_LINES" good:="$([ "$code" = 0 ] && echo true || echo false)" bad:="$AUDIT_BAD" why="$AUDIT_WHY" \
			torn:="$([ "$AUDIT_TORN" = 1 ] && echo true || echo false)" head="$AUDIT_HEAD"
		printf '%s\n' "$REPLY"
	else
		audit_print
	fi
	exit "$code"
}

audit_print() {
	[ ! -s "$FLEET/audit.jsonl" ] ||
		jq -Rr 'fromjson? // empty | "\(.time)  \(.verb)  \(del(.prev, .time, .verb, .who) | tojson)  \(.who)"' <"$FLEET/audit.jsonl"
	[ "$AUDIT_TORN" = 0 ] || say "half a line at the end, of a power cut or a full disk: the next entry cuts it off"
	if [ "$AUDIT_BAD" = 0 ]; then
		say "$AUDIT_LINES entries, an unbroken chain; its end is $AUDIT_HEAD"
	else
		say "audit.jsonl: $AUDIT_WHY"
	fi
}
