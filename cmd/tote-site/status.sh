# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# What this box says of itself and how it is, for the gate and for people; and the members of the answer that are about the whole
# store. Needs store.sh, box.sh, peer.sh and an engine.

# Sets REPLY to what the gate wants to know of a box. HEALTH has lines "KEY VALUE WORDS", where VALUE is "ok", "wait" (it may become
# good), "bad" (not by itself), or the seconds for which it has been good.
HEALTH=()
do_status() {
	local boot
	store_load && box_boot || return
	boot=$REPLY
	HEALTH=()
	if [ -n "$S_RELEASE" ]; then
		engine_health || HEALTH+=("engine wait $WHY")
	else
		HEALTH+=("release bad there is no release yet")
	fi
	REPLY=$({ printf '%s\n' "${HEALTH[@]}" || true; } |
		jq -Rnc --argjson state "$STATE" --arg store "$CONF_STORE" --arg box "$CONF_BOX" --arg boot "$boot" '
		$state + {store: $store, box: $box, boot: $boot,
			health: [inputs | capture("^(?<key>[^ ]+) (?<value>[^ ]+) ?(?<why>.*)$")]}') ||
		fail error "the status cannot be written"
}

# ---- all boxes ----

# Sets ANSWER to what the last look at the boxes has to say. After gate_look.
status_answer() { # CODE
	local wanted=${COURSE_TARGET:-$S_TAKEN}
	ANSWER=$(jq -c --argjson code "$1" --arg wanted "$wanted" --arg why "$WHY" '{
			wanted: (if $wanted == "" then null else $wanted end),
			good: (.verdict == "good" and ($code == 0 or $code == 5)),
			why: (if $code != 0 and $why != "" then $why else .why end),
			boxes: (.boxes | map_values({release, online, good, why}))}' <<<"$GATE")
}

verb_status() {
	local code=0
	boxes_list
	gate_look "$S_RELEASE" 0 || return
	WHY=
	case $GATE_VERDICT in
	good) ;;
	missing) code=${CODE[between]} ;;
	*) code=${CODE[gate]} ;;
	esac
	[ "$S_PHASE" = settled ] || code=${CODE[between]}
	status_answer "$code"
	[ "$FORMAT" = json ] || status_print
	return "$code"
}

# One line for each box: what it has, and why it is not good.
status_print() {
	printf '%s\n' "${STATUS[@]}" | jq -rs --argjson gate "$GATE" --arg store "$CONF_STORE" '
		sort_by(.box)[] | .box as $box | $gate.boxes[$box] as $seen |
		[$store, $box, (.release // "-")[0:12], (if .serial then "serial \(.serial)" else "-" end), .phase // "unknown",
			(if $seen.online | not then "offline" elif $seen.good then "good" else "not good" end), $seen.why // ""]
		| map(select(. != "")) | join("  ")'
}
