# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# The course of an update: which box changes when, and what follows when something happens on the way. What is about to be done stands
# in state.json before it is done, so that whoever comes after a crash, on this box or on another one, reads where it was and goes on.
# Needs turn.sh, peer.sh, gate.sh and an engine.

# Phase and event: the next phase. What has no line leaves things as they are, and the answer says that they are between.
declare -grA COURSE_NEXT=(
	[settled begin]=switching [switching begin]=switching [reverting begin]=switching
	[settled back]=reverting [switching back]=reverting [reverting back]=reverting
	[switching good]=settled [reverting good]=settled
	# Of these only "bad" is the release's own fault, and remembered.
	[switching bad]=reverting [switching missing]=reverting [switching full]=reverting [switching absent]=reverting
	[switching refused]=reverting [switching busy]=reverting [switching broken]=reverting
	# A box is missing, and all the others are back: it will find that out when it comes. Or all are back, and not well with that either.
	[reverting missing]=settled [reverting bad]=settled
)
# What the exit code of a box's turn or of the gate means for the course, and with which class the whole ends when that was what made it
# go back.
declare -grA COURSE_EVENT=([0]=good [1]=broken [3]=bad [4]=refused [7]=busy [8]=absent [9]=full [255]=missing)
declare -grA COURSE_CLASS=([bad]=rolled-back [missing]=between [full]=full [absent]=absent
	[refused]=refused [busy]=busy [broken]=error [back]=good)

COURSE_TARGET='' COURSE_BASE=''
# Why it goes back, and the words for it.
COURSE_CAUSE='' COURSE_WHY=''
# This process has begun it: what it did not touch is as it was.
COURSE_FRESH=''
# Boxes that this round has changed or may have changed.
declare -gA TOUCHED=()

# From where this box's state is, with an event, until it is settled or cannot go on. Sets WHY. Returns the class's code.
course_run() { # EVENT
	local event=$1 next code
	while :; do
		next=${COURSE_NEXT["$S_PHASE $event"]:-}
		code=0
		case $next in
		switching) course_switch || code=$? ;;
		reverting) course_revert "$event" || code=$? ;;
		settled) course_settle "$event"; return ;;
		*) course_stuck "$event"; return ;;
		esac
		event=${COURSE_EVENT[$code]:-broken}
		# One that failed before the state was written has changed nothing.
		[ "$S_PHASE" = "$next" ] || return "$code"
	done
}

# The release that boxes go back to.
course_base() {
	COURSE_BASE=$S_BASE
	[ "$S_PHASE" != settled ] || COURSE_BASE=$S_RELEASE
}

# ---- there ----

course_switch() {
	local box
	[ "$S_PHASE" != settled ] || COURSE_FRESH=yes
	do_begin "$COURSE_TARGET" || return
	engine_begin "$COURSE_TARGET" || return
	for box in "${BOXES[@]}"; do
		course_box "$box" switch "$COURSE_TARGET" || return
	done
	engine_finish "$COURSE_TARGET" || return
	LOOK_AT=()
	gate_wait "$COURSE_TARGET" 0 "" "$CONF_GATE_TIMEOUT"
}

# One box: out of the way, changed, looked at, back, looked at.
course_box() { # BOX switch|revert RELEASE
	local since code=0
	if [ -z "${TOUCHED[$1]:-}" ] && [ "$2" = switch ] && [ "$OPT_RETRY" = 0 ] && course_has "$1" "$3"; then
		return 0
	fi
	[ -n "${TOUCHED[$1]:-}" ] || TOUCHED[$1]=standby
	engine_standby "$1" || return
	TOUCHED[$1]=changed
	say "$1: $2 to release ${3:0:12}"
	course_change "$1" "$2" "$3" || return
	LOOK_AT=("$1")
	# The way back has no time for this: what ran before is needed, and what the bad release left of failures goes first.
	[ "$ENGINE_STANDBY" = no ] || [ "$2" = revert ] || gate_wait "$3" 0 0 "$CONF_GATE_TIMEOUT" || return
	engine_unstandby "$1" || return
	box_uptime
	since=$REPLY
	if [ "$2" = switch ]; then
		gate_wait "$3" "$since" "" "$CONF_GATE_TIMEOUT"
		return
	fi
	# The others cannot be well as long as they have the bad release: the end of the way decides.
	GATE_LIMIT=$((CONF_GATE_TIMEOUT < COURSE_BACK ? CONF_GATE_TIMEOUT : COURSE_BACK))
	gate_wait "$3" "$since" 0 "$GATE_LIMIT" || code=$?
	GATE_LIMIT=0
	return "$code"
}
# The longest wait for one box on the way back, in seconds.
readonly COURSE_BACK=60

# A box that reboots meanwhile comes back. It is in the way again then, with what it ran before. Not longer than a gate may take.
course_change() { # BOX switch|revert RELEASE
	local end code away=''
	box_uptime
	end=$((REPLY + CONF_GATE_TIMEOUT))
	while :; do
		code=0
		{ [ -z "$away" ] || engine_standby "$1"; } && box_do "$@" || code=$?
		[ "$code" = 255 ] || return "$code"
		away=yes
		box_uptime
		[ "$REPLY" -lt "$end" ] || return 255
		sleep 2 9>&-
	done
}

# Whether a box had the release when it was asked last, by an apply that was cut off.
course_has() { # BOX RELEASE
	jq -e --arg to "$2" '.release == $to and (.target == null or .target == $to) and (.health | all(.key != "outside"))' \
		<<<"${STATUS[$1]}" >/dev/null
}

# ---- and back ----

course_revert() { # EVENT
	local box code=0 worst=0 failed=''
	course_base
	if [ "$1" != back ]; then
		COURSE_CAUSE=$1 COURSE_WHY=$WHY
		[ "$1" != bad ] || failed=$COURSE_TARGET
	fi
	if [ -z "$COURSE_BASE" ] || [ "$COURSE_BASE" = "$COURSE_TARGET" ]; then
		WHY+="; there is no release before to go back to"
		course_stuck "$1" || return
	fi
	say "back to release ${COURSE_BASE:0:12}: $COURSE_WHY"
	# In this order: a crash between them leads back as well.
	[ -z "$failed" ] || store_update '.failed = (.failed - [$r] + [$r] | .[-32:])' --arg r "$failed" || true
	turn_note reverting "$COURSE_BASE" || S_PHASE=reverting
	engine_begin "$COURSE_BASE" || true
	boxes_ask || true
	course_let_in
	for box in "${BOXES[@]}"; do
		course_needs_revert "$box" || continue
		code=0
		if jq -e .online <<<"${STATUS[$box]}" >/dev/null; then
			course_box "$box" revert "$COURSE_BASE" || code=$?
		else
			WHY="$box cannot be reached" code=255
		fi
		# The others go back all the same, and whether all is well is asked in the end. A missing box is the least trouble.
		case $code in
		0 | "${CODE[gate]}") ;;
		255) [ "$worst" != 0 ] || worst=$code ;;
		*) worst=$code ;;
		esac
	done
	engine_finish "$COURSE_BASE" || worst=$?
	[ "$worst" = 0 ] || return "$worst"
	LOOK_AT=()
	gate_wait "$COURSE_BASE" 0
}

# One that was only put out of the way has what was before: services have a place to go back to at once.
course_let_in() {
	local box
	for box in "${!TOUCHED[@]}"; do
		[ "${TOUCHED[$box]}" = standby ] || continue
		engine_unstandby "$box" || true
		unset "TOUCHED[$box]"
	done
}

# One that says that it is settled with the base was never touched, or is back already.
course_needs_revert() { # BOX
	[ -n "$COURSE_FRESH" ] && [ "$1" = "$CONF_BOX" ] && [ -z "${TOUCHED[$1]:-}" ] && return 1
	! jq -e --arg to "$COURSE_BASE" '.online and .release == $to and .phase == "settled" and (.health | all(.key != "outside"))' \
		<<<"${STATUS[$1]}" >/dev/null
}

# ---- arrived ----

# This box is the last one: as long as it is not settled it will go on with the others.
course_settle() { # EVENT
	local release=$COURSE_TARGET failed=() stuck='' why=$WHY
	if [ "$S_PHASE" = reverting ]; then
		release=$COURSE_BASE
		mapfile -t failed < <(jq -r '.failed[-1] // empty' <<<"$STATE")
	fi
	peers_at_once box_do settle "$release" "${failed[@]}" || stuck=$WHY
	if [ -z "$stuck" ] || [ "$1" = missing ]; then
		do_settle "$release" "${failed[@]}" || stuck=$WHY
	fi
	if [ "$S_PHASE" != settled ] && [ "$1" != missing ]; then
		WHY=$stuck
		return "${CODE[between]}"
	fi
	[ "$1" != bad ] && WHY=$COURSE_WHY || WHY="$COURSE_WHY; the release before is not well either: $why"
	[ "$1" != missing ] || return "${CODE[between]}"
	[ "$1" != bad ] || [ "$COURSE_CAUSE" != back ] || return "${CODE[gate]}"
	[ -z "$COURSE_CAUSE" ] || return "${CODE[${COURSE_CLASS[$COURSE_CAUSE]}]}"
}

course_stuck() { # EVENT
	local box why=$WHY what="is switching to ${S_TARGET:0:12}"
	# Nobody waits outside for ever.
	for box in "${!TOUCHED[@]}"; do
		engine_unstandby "$box" || true
	done
	[ "$S_PHASE" != reverting ] || what="is going back to ${S_TARGET:0:12}"
	[ "$1" = full ] || set -- between
	fail "$1" "$CONF_BOX $what and cannot go on: $why"
}

# ---- before it ----

# Every box gets what it lacks of a release, while the old one runs. This one first: what it lacks it cannot give to others.
course_prepare() { # RELEASE
	box_do "$CONF_BOX" prepare "$1" && peers_at_once course_prepare_peer "$1"
}

course_prepare_peer() { # BOX RELEASE
	local code=0
	box_do "$1" prepare "$2" || code=$?
	[ "$code" = "${CODE[absent]}" ] || return "$code"
	code=0
	peer_send "$1" "$2" "$REPLY" || code=$?
	case $code in
	0) box_do "$1" prepare "$2" ;;
	"${CODE[refused]}") course_prepare_again "$1" "$2" ;;
	*) return "$code" ;;
	esac
}

# It may have taken the release, and refused the secrets that came with it: these do not hold a release up.
course_prepare_again() { # BOX RELEASE
	local why=$WHY code=0
	box_do "$1" prepare "$2" || code=$?
	case $code in
	0) say "$1: has the release all the same, and goes on with its own secrets" ;;
	"${CODE[absent]}")
		WHY=$why
		return "${CODE[refused]}"
		;;
	*) return "$code" ;;
	esac
}
