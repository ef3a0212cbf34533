# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# The gate: whether boxes run a release, and have been well with it for gate-seconds. Each look asks all boxes and is judged by one
# jq program. How long something has been good counts from before the look where that is known, so that a store that is well answers
# at once. Needs store.sh, peer.sh, status.sh.

# Looks of which each has to find the same before nobody waits any longer, and seconds for which a box may not answer where nothing
# is under way: a look can fall into a restart.
readonly GATE_LOOKS=3 GATE_MISSING=5

GATE='{"verdict":"wait","why":"","left":0,"boxes":{},"seen":{}}' GATE_VERDICT=wait GATE_WHY='' GATE_LEFT=0

# Of lines "box/key": seen has when each was last found not good. $from: what was before does not count, if it is not 0.
readonly GATE_JUDGE='
($before.seen // {}) as $seen |
def rank: {"missing": 3, "bad": 2, "wait": 1, "good": 0}[.];
def lines: . as $b |
	if .online | not then {key: "online", value: "missing", why: (.why // "" | if . == "" then "cannot be reached" else . end)}
	else
		(if (.release // "") != $release then
			{key: "release", value: "bad",
				why: "has release \((.release // "none")[0:12]) instead of \(if $release == "" then "none" else $release[0:12] end)"}
		else empty end),
		(if $settled and .phase != "settled" then {key: "phase", value: "wait", why: "is \(.phase)"} else empty end),
		(.health[] | .why = "\(.key): \(.why)")
	end | .box = $b.box | .id = "\(.box)/\(.key)";
def judge: . as $l | .value |
	if . == "ok" then {state: "good"}
	elif . == "missing" or . == "bad" then {state: .}
	elif test("^[0-9]+$") then
		([tonumber, $now - ([$from, ($seen[$l.id] // 0)] | max)] | min) as $good |
		if $good >= $seconds then {state: "good"}
		else {state: "wait", left: ($seconds - $good), young: true, why: "\($l.key): good for \($good) s of \($seconds) s"} end
	else {state: "wait"} end | $l + .;
[inputs] as $boxes | [$boxes[] | lines | judge] as $all |
([$all[] | .state] | max_by(rank) // "good") as $verdict |
{
	verdict: $verdict,
	why: (first($all[] | select(.state == $verdict and .state != "good") | "\(.box): \(.why)") // ""),
	left: ([$all[] | .left // 0] | max // 0),
	only_young: all($all[] | select(.state != "good"); .young // false),
	seen: ($seen + ([$all[] | select(.state != "good" and (.young | not)) | {key: .id, value: $now}] | from_entries)),
	boxes: ([$boxes[] | .box as $box | {key: $box, value: {release, phase, online,
		good: all($all[] | select(.box == $box); .state == "good"),
		why: (first($all[] | select(.box == $box and .state != "good") | .why) // "")}}] | from_entries)
}'

# Sets GATE, and GATE_VERDICT and GATE_WHY of it, and GATE_LEFT: seconds until it can be good, if time alone is missing, else 0. Things
# have to be good for SECONDS, of which none before FROM (uptime) counts; 0: as long as is known.
gate_look() { # RELEASE FROM [SECONDS]
	local now box looked=() lines=()
	[ -n "$GATE_ASKED" ] || boxes_ask "${LOOK_AT[@]}" || return
	GATE_ASKED=
	box_uptime
	now=$REPLY
	for box in "${LOOK_AT[@]:-${BOXES[@]}}"; do
		looked+=("${STATUS[$box]}")
	done
	mapfile -t lines < <(printf '%s\n' "${looked[@]}" |
		jq -nrc --arg release "$1" --argjson from "$2" --argjson seconds "${3:-$CONF_GATE_SECONDS}" \
		--argjson now "$now" --argjson settled "$GATE_SETTLED" --argjson before "$GATE" \
		"$GATE_JUDGE"' | tojson, .verdict, (.why | gsub("\\n"; " ")), if .only_young then .left else 0 end')
	[ ${#lines[@]} = 4 ] || fail error "the gate cannot be judged" || return
	GATE=${lines[0]} GATE_VERDICT=${lines[1]} GATE_WHY=${lines[2]} GATE_LEFT=${lines[3]}
}

# Which boxes are looked at, none: all; whether none of them may be in an update; whether STATUS has what they say just now.
LOOK_AT=()
GATE_SETTLED=false
GATE_ASKED=
# Seconds instead of gate-timeout, if not 0.
GATE_LIMIT=0

# Waits, at most gate-timeout, until all is good. 3: it is not; 255: a box did not answer for so many seconds.
gate_wait() { # RELEASE FROM [SECONDS [MISSING-SECONDS]]
	local end verdict same=0 before='' since pause=1
	box_uptime
	since=$REPLY end=$((REPLY + (GATE_LIMIT ? GATE_LIMIT : CONF_GATE_TIMEOUT)))
	GATE='{"seen":{}}'
	while :; do
		gate_look "$1" "$2" "${3:-}" || return
		verdict=$GATE_VERDICT WHY=$GATE_WHY
		[ "$verdict" != good ] || return 0
		[ "$verdict" = "$before" ] && same=$((same + 1)) || same=1
		gate_is_over "$verdict" "$same" "$since" "$end" "${4:-$GATE_MISSING}" && break
		[ "$verdict" = "$before" ] || { box_uptime; since=$REPLY before=$verdict; }
		gate_pause "$pause"
		pause=$((pause < 7 ? pause * 2 + 1 : 8))
	done
	say "$WHY"
	[ "$verdict" != missing ] || return 255
	return "${CODE[gate]}"
}

# Between two looks: as long as time alone is missing, else a little longer each time. What was good may end meanwhile.
gate_pause() { # QUARTERS-OF-A-SECOND
	if [ "$GATE_LEFT" -gt 0 ]; then
		sleep $((GATE_LEFT < GATE_PAUSE ? GATE_LEFT : GATE_PAUSE)) 9>&-
	else
		sleep "$(($1 / 4)).$(($1 % 4 * 25))" 9>&-
	fi
}
readonly GATE_PAUSE=5

# Whether there is nothing left to wait for.
gate_is_over() { # VERDICT LOOKS SINCE END MISSING-SECONDS
	box_uptime
	[ "$REPLY" -lt "$4" ] || return 0
	case $1 in
	bad) [ "$2" -ge "$GATE_LOOKS" ] ;;
	missing) [ "$2" -ge 2 ] && [ $((REPLY - $3)) -ge "$5" ] ;;
	*) false ;;
	esac
}

# What must hold before anything is changed: the store decides for itself, and each box is there. Health need not: the release may
# be what mends it. After boxes_ask.
gate_before() {
	local why
	why=$(printf '%s\n' "${STATUS[@]}" | jq -rs 'first(.[] | .box as $b | (.health // [])[] |
		select((.key == "quorum" or .key == "standby") and .value != "ok") | "\($b): \(.key): \(.why)") // ""') ||
		fail error "what the boxes say is not understood" || return
	[ -z "$why" ] || fail gate "$why; nothing was changed"
}

verb_gate() {
	local code=0
	[ -n "$S_RELEASE" ] || fail absent "there is no release on $CONF_BOX yet" || return
	boxes_list
	gate_only "$S_RELEASE" || code=$?
	status_answer "$code"
	[ "$FORMAT" = json ] || status_print
	return "$code"
}

# The gate with nothing changed before.
gate_only() { # RELEASE
	local code=0
	GATE_SETTLED=true
	gate_wait "$1" 0 || code=$?
	GATE_SETTLED=false
	[ "$code" != 255 ] || code=${CODE[between]}
	return "$code"
}
