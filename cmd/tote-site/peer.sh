# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# What one box of a store asks another for, and what it does when it is asked: the same functions, whether a box is this one or is
# reached by ssh (link.sh). A forced command "tote-site peer" takes the words of SSH_ORIGINAL_COMMAND.
# Needs say.sh, conf.sh, store.sh, box.sh.
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
	local box=$1 code=0 again=''
	if [ "$box" = "$CONF_BOX" ]; then
		"do_${2//-/_}" "${@:3}"
		return
	fi
	[ -n "${CONF_PEERS[$box]:-}" ] || { WHY="$box is no box of this store" && return 255; }
	! link_is_up "$box" || again=yes
	peer_call "$@" || code=$?
	# Each word may be said twice. But a box that was away has its services again: course_change puts it out of the way first.
	if [ "$code" = 255 ] && [ -n "$again" ]; then
		link_close "$box"
		WHY=${WHY:-the connection broke off}
		if [[ $2 != @(switch|revert) ]]; then
			code=0
			peer_call "$@" || code=$?
		fi
	fi
	case $code in
	0) return 0 ;;
	124 | 137)
		link_close "$box"
		fail error "$box: no answer to \"$2\" in time" || return 255
		;;
	255) WHY="$box cannot be reached: ${WHY:-ssh failed}" ;;
	*) WHY="$box: ${WHY#tote-site: }" ;;
	esac
	[ "$2" = boot ] || [ "$2" = status ] || say "$WHY"
	return "$code"
}

# Sets REPLY to what it prints and WHY to the last line of its complaints. Returns ssh's exit code.
peer_call() { # BOX WORD [ARGUMENT...]
	local code=0 errors=$SITE_RUN/ask.$$.call.$BASHPID
	{ : >"$errors"; } 2>/dev/null || fail full "$SITE_RUN: cannot be written" || return
	peer_call_once "$errors" "$@" || code=$?
	if [ "$code" = 255 ] && link_has_no_socket "$(<"$errors")"; then
		LINK_OFF[$1]=yes code=0
		peer_call_once "$errors" "$@" || code=$?
	fi
	WHY=$(tail -n 1 "$errors" 2>/dev/null) || true
	# ssh's own lines end for a terminal.
	WHY=${WHY%$'\r'}
	rm -f "$errors"
	return "$code"
}

peer_call_once() { # FILE-FOR-COMPLAINTS BOX WORD [ARGUMENT...]
	local words code=0
	link_words "$2"
	peer_seconds "$3"
	words=$(exec 9>&- && bounded "$REPLY" "${LINK[@]}" tote-site peer "${@:3}" </dev/null 2>"$1") || code=$?
	REPLY=$words
	return "$code"
}

# Who was killed has left these behind.
peer_sweep() {
	local file pid
	for file in "$SITE_RUN"/ask.*; do
		pid=${file##*/ask.}
		[ ! -e "$file" ] || kill -0 "${pid%%.*}" 2>/dev/null || rm -rf -- "$file"
	done
}

# Jobs that ask. When this ends in the middle of it they do so as well, before their connections are closed under them: nobody would hear
# what a box says to the second call.
PEER_JOBS=()
peer_end() {
	local file
	[ ${#PEER_JOBS[@]} = 0 ] || kill "${PEER_JOBS[@]}" 2>/dev/null && wait "${PEER_JOBS[@]}" 2>/dev/null || true
	for file in "$SITE_RUN/ask.$$."*; do
		[ ! -e "$file" ] || rm -rf -- "$file"
	done
}
at_exit peer_end

# Sets REPLY to a new directory for what the jobs say.
peer_dir() {
	link_alive
	peer_sweep
	REPLY=$(mktemp -d "$SITE_RUN/ask.$$.XXXXXX") || fail full "$SITE_RUN: cannot be written"
}

# Calls a function with each of the other boxes, at once. Returns what it did for the first of those for which it failed, and sets WHY.
peers_at_once() { # FUNCTION WORD...
	local box dir pids=() pid code=0 one
	peer_dir || return
	dir=$REPLY
	for box in "${BOXES[@]:0:${#BOXES[@]}-1}"; do
		{ exec 9>&- && "$1" "$box" "${@:2}" || { one=$?; printf '%s\n' "$WHY" >"$dir/$box"; exit "$one"; }; } &
		pids+=("$!:$box") PEER_JOBS+=("$!")
	done
	for pid in "${pids[@]}"; do
		one=0
		wait "${pid%%:*}" || one=$?
		[ "$one" = 0 ] || [ "$code" != 0 ] || { code=$one; WHY=$(cat "$dir/${pid#*:}"); }
	done
	PEER_JOBS=()
	rm -rf -- "$dir"
	return "$code"
}

# Boxes at once, all without words. Sets STATUS[BOX] to what each says, or to {"online":false}.
declare -gA STATUS=()
boxes_ask() { # [BOX...]
	local box dir lines=()
	[ $# -gt 0 ] || set -- "${BOXES[@]}"
	peer_dir || return
	dir=$REPLY
	for box; do
		{ exec 9>&- && { box_do "$box" status && printf '%s\n' "$REPLY" >"$dir/$box" || peer_why "$box"; }; } >"$dir/.$box" 2>&1 &
		PEER_JOBS+=($!)
	done
	wait "${PEER_JOBS[@]}" || true
	PEER_JOBS=()
	# One jq for all: three lines for each box.
	mapfile -t lines < <(for box; do
		printf '%s\n' "$box" "$({ head -n 1 "$dir/$box"; } 2>/dev/null)" "$(tail -n 1 "$dir/.$box")"
	done | jq -Rnc '[inputs] | range(0; length; 3) as $i |
		.[$i] as $box | .[$i + 2] as $why | (.[$i + 1] | if . == "" then null else try fromjson catch null end) |
		if type == "object" and .box == $box then .online = true
		else {$box, online: false, why: (if $why == "" then "what it says is not understood" else $why end)} end')
	rm -rf "$dir"
	[ ${#lines[@]} = $# ] || fail error "what the boxes say cannot be read" || return
	for box; do
		STATUS[$box]=${lines[0]}
		lines=("${lines[@]:1}")
	done
}

# The reason without the box's name, which the gate says.
peer_why() { # BOX
	local why=${WHY#"$1"}
	why=${why#:}
	printf '%s\n' "${why# }"
}

# A peer gets what it lacks of a release, while what it runs goes on.
peer_send() { # BOX RELEASE HAVE
	local box=$1 have codes
	link_words "$box"
	have=$(mktemp "$SITE_RUN/ask.$$.XXXXXX") && printf '%s\n' "$3" >"$have" || fail full "$SITE_RUN: cannot be written" || return
	say "$box gets release ${2:0:12}"
	codes=(0 0)
	store_pack "$2" "$have" 9>&- 2>"$have.pack" |
		bounded "$PEER_LONG" "${LINK[@]}" tote-site peer take >/dev/null 2>"$have.take" 9>&- || codes=("${PIPESTATUS[@]}")
	# What cut the stream off is the reason, where both complain.
	if [ "${codes[1]}" != 0 ]; then
		WHY=$(tail -n 1 "$have.take" | sed 's/^tote-site: //')
		WHY="$box: ${WHY:-the connection broke off}"
	fi
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
	# Its leader may have lost the first call, which goes on here, and says it again.
	switch | revert) lock_box $((CONF_GATE_TIMEOUT + 60)) && "do_${words[0]}" "${words[@]:1}" || return ;;
	settle | retry)
		lock_box 60 && "do_${words[0]}" "${words[@]:1}" || return
		;;
	*) fail usage "peer: no such word: ${words[0]:-}" || return ;;
	esac
}
