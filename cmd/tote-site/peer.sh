# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# What one box of a store asks another for, and what it does when it is asked: the same functions, whether a box is this one or is
# reached by ssh. A forced command "tote-site peer" takes the words of SSH_ORIGINAL_COMMAND. Needs say.sh, conf.sh, store.sh, box.sh.
#
#	take                    release and images as a tar stream on stdin
#	prepare RELEASE         0: they are here, whole; 8: prints what the image store has, for a stream of what it has not
#	switch RELEASE          this box runs it when this returns; it stays "switching" until ...
#	revert RELEASE          the same on the way back
#	settle RELEASE [FAILED] ... the store as a whole has it. FAILED is remembered
#	retry RELEASE           it is no more remembered as failed
#	status, boot            what this box has and how it is; which boot it is in
#	lock, unlock            the store's lock, as far as it lies on this box
#	token                   how long corosync waits for its token here, in ms, as `configure` asks

# Seconds that each may take: a small one; one that the services decide about; one that carries images.
declare -grA PEER_TIME=([take]=long [prepare]=middle [lock]=middle [switch]=services [revert]=services)
readonly PEER_SHORT=20 PEER_MIDDLE=300 PEER_LONG=7200

# What a word that another box sends may look like, before it means anything.
readonly PEER_WORD='[A-Za-z0-9][A-Za-z0-9._:-]{0,127}'

# Sets BOXES to all boxes of the store, this one last: so an update goes round.
BOXES=()
boxes_list() {
	mapfile -t BOXES < <(printf '%s\n' "${CONF_PEER_NAMES[@]}" | sed '/^$/d' | sort)
	BOXES+=("$CONF_BOX")
}

# ---- asking ----

peer_seconds() { # WORD
	case ${PEER_TIME[$1]:-} in
	services) REPLY=$((CONF_GATE_TIMEOUT + 120)) ;;
	middle) REPLY=$PEER_MIDDLE ;;
	long) REPLY=$PEER_LONG ;;
	*) REPLY=$PEER_SHORT ;;
	esac
}

# Runs WORD on a box. REPLY is what it prints. The exit code is its own; 255: it cannot be reached, or did not answer in time.
box_do() { # BOX WORD [ARGUMENT...]
	local box=$1 words code=0 errors
	if [ "$box" = "$CONF_BOX" ]; then
		"do_${2//-/_}" "${@:3}"
		return
	fi
	peer_seconds "$2"
	errors=$SITE_RUN/peer.$BASHPID.err
	words=$(exec 9>&- && bounded "$REPLY" "${CONF_SSH[@]}" "${CONF_PEERS[$box]}" tote-site peer "${@:2}" </dev/null 2>"$errors") || code=$?
	WHY=$(tail -n 1 "$errors" 2>/dev/null) || true
	rm -f "$errors"
	REPLY=$words
	case $code in
	0) return 0 ;;
	124 | 137) fail error "$box: no answer to \"$2\" in time" || return 255 ;;
	255) WHY="$box cannot be reached: ${WHY:-ssh failed}" ;;
	*) WHY="$box: ${WHY#tote-site: }" ;;
	esac
	[ "$2" = boot ] || [ "$2" = status ] || say "$WHY"
	return "$code"
}

# For what must get through: a box that reboots comes back. Not longer than a gate may take.
box_do_patiently() { # BOX WORD [ARGUMENT...]
	local end code
	box_uptime
	end=$((REPLY + CONF_GATE_TIMEOUT))
	while :; do
		code=0
		box_do "$@" || code=$?
		[ "$code" = 255 ] || return "$code"
		box_uptime
		[ "$REPLY" -lt "$end" ] || return 255
		sleep 2 9>&-
	done
}

# Boxes at once, all without words. Sets STATUS[BOX] to what each says, or to {"online":false}.
declare -gA STATUS=()
boxes_ask() { # [BOX...]
	local box dir pids=() lines=()
	[ $# -gt 0 ] || set -- "${BOXES[@]}"
	dir=$(mktemp -d "$SITE_RUN/ask.XXXXXX") || fail error "$SITE_RUN: cannot be written" || return
	for box; do
		{ exec 9>&- && box_do "$box" status && printf '%s\n' "$REPLY" >"$dir/$box"; } >"$dir/.$box" 2>&1 &
		pids+=($!)
	done
	wait "${pids[@]}" || true
	# One jq for all: three lines for each box.
	mapfile -t lines < <(for box; do
		printf '%s\n' "$box" "$({ head -n 1 "$dir/$box"; } 2>/dev/null)" "$(tail -n 1 "$dir/.$box")"
	done | jq -Rnc '[inputs] | range(0; length; 3) as $i | .[$i] as $box | .[$i + 2] as $why | (.[$i + 1] | if . == "" then null else try fromjson catch null end) |
		if type == "object" and .box == $box then .online = true else {$box, online: false, $why} end')
	rm -rf "$dir"
	[ ${#lines[@]} = $# ] || fail error "what the boxes say cannot be read" || return
	for box; do
		STATUS[$box]=${lines[0]}
		lines=("${lines[@]:1}")
	done
}

# A peer gets what it lacks of a release, while what it runs goes on.
peer_send() { # BOX RELEASE HAVE
	local box=$1 have codes
	have=$(mktemp "$SITE_RUN/have.XXXXXX") && printf '%s\n' "$3" >"$have" || fail full "$SITE_RUN: cannot be written" || return
	say "$box gets release ${2:0:12}"
	codes=(0 0)
	store_pack "$2" "$have" 9>&- 2>"$have.pack" |
		bounded "$PEER_LONG" "${CONF_SSH[@]}" "${CONF_PEERS[$box]}" tote-site peer take >/dev/null 2>"$have.take" 9>&- || codes=("${PIPESTATUS[@]}")
	# What cut the stream off is the reason, where both complain.
	[ "${codes[1]}" = 0 ] || WHY="$box: $(tail -n 1 "$have.take" | sed 's/^tote-site: //')"
	[ "${codes[0]}" = 0 ] || [ "${codes[0]}" = 141 ] || { WHY=$(tail -n 1 "$have.pack" | sed 's/^tote-site: //') codes[1]=${codes[0]}; }
	rm -f "$have" "$have".*
	[ "${codes[1]}" = 0 ] || say "$WHY"
	return "${codes[1]}"
}

# ---- being asked ----

do_token() {
	REPLY=$(bounded 10 corosync-cmapctl -g runtime.config.totem.token 2>/dev/null) || fail error "corosync does not answer" || return
	REPLY=${REPLY##* }
}

verb_peer() { # WORD [ARGUMENT...]
	local words=("$@") word code=0
	if [ $# = 0 ]; then
		read -ra words <<<"${SSH_ORIGINAL_COMMAND:-}" || true
		[ "${words[0]:-}" != tote-site ] || words=("${words[@]:1}")
		[ "${words[0]:-}" != peer ] || words=("${words[@]:1}")
	fi
	for word in "${words[@]}"; do
		[[ $word =~ ^$PEER_WORD$ ]] || fail usage "peer: ${word@Q} is not understood" || return
	done
	case ${words[0]:-} in
	take) verb_take "${words[@]:1}" || return ;;
	status | boot | prepare | token)
		REPLY=
		"do_${words[0]}" "${words[@]:1}" || code=$?
		printf '%s\n' "$REPLY"
		return "$code"
		;;
	# These are for the case that the box is at work.
	lock | unlock) "do_${words[0]}" "${words[@]:1}" || return ;;
	switch | revert | settle | retry)
		lock_box 60 && "do_${words[0]}" "${words[@]:1}" || return
		;;
	*) fail usage "peer: no such word: ${words[0]:-}" || return ;;
	esac
}
