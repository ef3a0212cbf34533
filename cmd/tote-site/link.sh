# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# One ssh connection to each other box for all that this tote-site asks it: to make one takes longer than most answers do. The first
# call makes it, and its ssh keeps it in the background for the next ones (ssh_config(5), ControlPersist). The end closes it; after
# SIGKILL it closes itself. Where it cannot be made, ssh connects for each call as it would without. Needs conf.sh.

# Seconds without a call after which a connection closes itself.
: "${TOTE_SITE_LINK_IDLE:=60}"
# What was connected has no connect time-out to notice by that a box is gone. sshd answers this, whatever the command does; a box that is
# hard at work, or a network that finds another way, must have its time. Behind the words of site.conf, of which ssh takes the first.
readonly LINK_SILENT=(-o ServerAliveInterval=5 -o ServerAliveCountMax=6)
# A socket's path has 108 bytes, of which ssh wants 18 for another name beside it.
readonly LINK_PATH='[A-Za-z0-9._/-]{1,90}'

# Sets REPLY to the socket of the connection to a box, which no other tote-site uses, or to nothing where there can be none.
link_path() { # BOX
	local number
	REPLY=
	# Another program may not know the options.
	[ "${CONF_SSH[0]##*/}" = ssh ] && [ -z "${LINK_OFF[$1]:-}" ] || return 0
	for number in "${!CONF_PEER_NAMES[@]}"; do
		[ "${CONF_PEER_NAMES[number]}" != "$1" ] || REPLY=$SITE_RUN/ssh.$$.$number
	done
	[[ $REPLY =~ ^$LINK_PATH$ ]] || REPLY=
}
# Boxes whose connection cannot be kept.
declare -gA LINK_OFF=()

# Sets LINK_ALIVE, once for all boxes: what site.conf's ssh, or a file that it reads, says itself is not overridden. ssh takes the first
# value of an option, and those of a command line before those of files.
link_alive() {
	local words
	[ -z "$LINK_ASKED" ] && [ ${#CONF_PEER_NAMES[@]} != 0 ] && [ "${CONF_SSH[0]##*/}" = ssh ] || return 0
	LINK_ASKED=yes LINK_ALIVE=("${LINK_SILENT[@]}")
	words=$(bounded 5 "${CONF_SSH[@]}" -G "${CONF_PEERS[${CONF_PEER_NAMES[0]}]}" </dev/null 2>/dev/null 9>&-) || return 0
	# Where nobody has said anything it is 0, with BatchMode in Debian's 300.
	[[ $words =~ serveraliveinterval\ (0|300)($|$'\n') ]] || LINK_ALIVE=()
}
LINK_ASKED='' LINK_ALIVE=()

# Sets LINK to the words that run the ones after them on a box.
link_words() { # BOX
	LINK=("${CONF_SSH[@]}")
	link_path "$1"
	link_alive
	[ -z "$REPLY" ] || LINK+=(-o ControlMaster=auto -o "ControlPath=$REPLY" -o "ControlPersist=$TOTE_SITE_LINK_IDLE" "${LINK_ALIVE[@]}")
	LINK+=("${CONF_PEERS[$1]}")
}
LINK=()

# Whether the next call goes through a connection that was made before: it may have ended with the box's last boot.
link_is_up() { # BOX
	link_path "$1"
	[ -n "$REPLY" ] && [ -S "$REPLY" ]
}

# Whether ssh ended, before it gave its words to the box, as it could not make the socket.
link_has_no_socket() { # COMPLAINTS
	[[ $1 == *unix_listener:* ]]
}

# The next call makes a new one.
link_close() { # BOX
	link_is_up "$1" || return 0
	bounded 5 "${CONF_SSH[@]}" -o "ControlPath=$REPLY" -O exit "${CONF_PEERS[$1]}" </dev/null >/dev/null 2>&1 9>&- || true
	rm -f -- "$REPLY"
}

link_close_all() {
	local box
	for box in "${CONF_PEER_NAMES[@]}"; do
		link_close "$box"
	done
}
at_exit link_close_all
