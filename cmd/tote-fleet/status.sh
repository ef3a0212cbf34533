# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# status: what is known of a rollout, from its files; with --ask what the stores say now, by clush, equal answers folded.

verb_status() { # [STORE|@GROUP...]
	work_dir || exit
	inventory_read || exit
	if [ -n "${OPT[ask]:-}" ]; then
		status_ask "$@" || exit
	else
		[ $# = 0 ] || OPT[stores]=1
		[ -n "${OPT[rollout]:-}" ] || status_newest || exit
		rollout_open "${OPT[rollout]}" || exit
		answers_table "${WAVES[@]}" || exit
		"status_$FORMAT" "$@"
	fi
}

# The newest of all: also one that is finished or aborted has a status.
status_newest() {
	local dir
	for dir in "$FLEET"/rollouts/*/; do
		[ -f "$dir/frozen" ] || continue
		dir=${dir%/}
		[ -n "${OPT[rollout]:-}" ] && [ "$FLEET/rollouts/${OPT[rollout]}/frozen" -nt "$dir/frozen" ] || OPT[rollout]=${dir##*/}
	done
	[ -n "${OPT[rollout]:-}" ] || fail error "there is no rollout yet"
}

# REPLY: aborted, finished, paused, running (a driver is at work), or open.
status_state() {
	local state
	for state in aborted finished paused; do
		[ ! -e "$ROLLOUT/$state" ] || { REPLY=$state && return; }
	done
	REPLY=open
	[ ! -e "$ROLLOUT/lock" ] || flock -n "$ROLLOUT/lock" true || REPLY=running
}

# Prints "wave <tab> stores ok failed unreachable waiting by-hand may-fail state".
status_waves() {
	local name state
	for name in "${WAVES[@]}"; do
		wave_limits "$name"
		answers_count "$name"
		state=open
		if [ -e "$ROLLOUT/waves/$name.done" ]; then
			state=through
		elif [ "${COUNT[failed]}" -gt "$LIMIT_FAIL" ] || [ "${COUNT[unreachable]}" -gt "$LIMIT_UNREACHABLE" ]; then
			state=halted
		elif [ -e "$ROLLOUT/waves/$name.soak" ]; then
			state=soaking
		fi
		printf '%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n' "$name" "${COUNT[all]}" "${COUNT[ok]}" "${COUNT[failed]}" "${COUNT[unreachable]}" \
			"${COUNT[open]}" "${COUNT[by-hand]}" "$LIMIT_FAIL" "$state"
	done
}

# The lines of WORK/table of the stores that are wanted: those named, or all that are not ok.
status_stores() { # [STORE|@GROUP...]
	if [ $# -gt 0 ]; then
		stores_choose "$@" >"$WORK/chosen" && awk -F '\t' 'NR == FNR { want[$1] = 1; next } $2 in want' "$WORK/chosen" "$WORK/table"
	else
		awk -F '\t' -v all="${OPT[stores]:-0}" 'all == 1 || ($3 != "ok" && $3 != "not-yet")' "$WORK/table"
	fi
}

status_text() { # [STORE...]
	status_state
	echo "rollout $ROLLOUT_ID: $REPLY, release $RELEASE"
	{ printf 'WAVE\tSTORES\tOK\tFAILED\tUNREACHABLE\tWAITING\tBY HAND\tMAY FAIL\tSTATE\n' && status_waves; } | column -t -s $'\t'
	status_stores "$@" | awk -F '\t' 'BEGIN { OFS = "  " } { print $2, $3, $9 }'
}

status_json() { # [STORE...]
	local waves stores state
	status_state
	state=$REPLY
	waves=$(status_waves | jq -Rnc '[inputs | split("\t") | {name: .[0], stores: .[1] | tonumber, ok: .[2] | tonumber, failed: .[3] | tonumber,
		unreachable: .[4] | tonumber, waiting: .[5] | tonumber, by_hand: .[6] | tonumber, may_fail: .[7] | tonumber, state: .[8]}]')
	stores=$(status_stores "$@" | jq -Rnc '[inputs | split("\t") |
		{store: .[1], wave: .[0], class: .[2], transport: .[3], box: .[6], release: .[7], why: .[8]}]')
	jq -nc --arg id "$ROLLOUT_ID" --arg release "$RELEASE" --arg state "$state" --argjson waves "$waves" --slurpfile stores /dev/stdin \
		'{rollout: $id, release: $release, state: $state, waves: $waves, stores: $stores[0]}' <<<"$stores"
}

# ---- asking now ----

# clush runs store-ask in the place of ssh, with the store's name in the place of a host's.
status_ask() { # [STORE|@GROUP...]
	need clush clubak || return
	[ $# -gt 0 ] || set -- @all
	stores_choose "$@" >"$WORK/chosen" || return
	mkdir -p "$WORK/boxes" || return
	awk -F '\t' -v dir="$WORK/boxes" 'NR == FNR { want[$1] = 1; next }
		$3 == "ssh" && ($1 in want) { print $1 > (dir "/.list"); f = dir "/" $1; print $2 > f; close(f) }' "$WORK/chosen" "$INVENTORY"
	[ -s "$WORK/boxes/.list" ] || fail usage "none of them is reached by ssh" || return
	export FLEET_DIR=$FLEET FLEET_BOXES=$WORK/boxes
	export FLEET_SSH=${TOTE_FLEET_SSH:-ssh -o BatchMode=yes -o ConnectTimeout=10}
	# clush has nothing of the person's settings here, and no host list of its own.
	CLUSTERSHELL_CFGDIR=$WORK clush --worker=ssh -O ssh_path="$PARTS/store-ask" -f 64 -u 60 -t 30 -q --hostfile="$WORK/boxes/.list" \
		-o '' -L tote-site status --format json >"$WORK/asked" 2>"$WORK/asked.err" </dev/null || true
	status_ask_"$FORMAT"
}

readonly STATUS_JQ='
def short(n): tostring | gsub("[^ -~]"; " ") | .[0:n];
split("\t") as $w | ($w[1:] | join(" ") | fromjson? // null) as $a |
if ($a | type) == "object" and $a."tote-site" == 1 and $a.store == $w[0] then
	[$w[0], "\($a.release // "none" | short(12)) \($a.name // "-" | short(63)) \($a.phase | short(20)) " +
		if $a.good == true then "good" else "NOT GOOD: \($a.why | short(200))" end]
else [$w[0], "lying: that is no answer of its own"] end | @tsv'

# One line a store: what differs between two good stores (names, times) is left out.
status_ask_table() {
	sed 's/^\([^:]*\): /\1\t/' "$WORK/asked" | jq -Rr "$STATUS_JQ" | sort -u -t $'\t' -k 1,1 >"$WORK/said"
	awk -F '\t' -v OFS='\t' 'NR == FNR { said[$1] = 1; print; next }
		!($1 in said) { print $1, "unreachable" }' "$WORK/said" "$WORK/boxes/.list"
}

status_ask_text() {
	# clubak folds names only when they are "name: line".
	status_ask_table | sed 's/\t/: /' | clubak -b --color=never
}

status_ask_json() {
	status_ask_table | jq -Rnc '[inputs | split("\t") | {store: .[0], says: .[1]}]'
}
