# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# Where a box keeps its things, and what its site.conf says: one "key value" a line, read strictly, as a key that is not
# understood could be the one that matters. Needs say.sh.

: "${TOTE_SITE_CONF:=/etc/tote/site.conf}" "${TOTE_SITE_SIGNERS:=/etc/tote/release-signers}"
: "${TOTE_SITE_DIR:=/var/lib/tote-site}" "${TOTE_SITE_RUN:=/run/tote-site}"
SITE_CONF=$TOTE_SITE_CONF SITE_SIGNERS=$TOTE_SITE_SIGNERS SITE_DIR=$TOTE_SITE_DIR SITE_RUN=$TOTE_SITE_RUN

CONF_STORE='' CONF_BOX='' CONF_ENGINE='' CONF_GATE_SECONDS=30 CONF_GATE_TIMEOUT=300 CONF_KEEP=2
CONF_SSH=(ssh -o BatchMode=yes -o ConnectTimeout=10)
CONF_DEPOTS=() CONF_PEER_NAMES=()
declare -gA CONF_PEERS=()

readonly CONF_NAME='[A-Za-z0-9][A-Za-z0-9._-]{0,62}' CONF_MAX=65536
# What each key's value looks like. The first three must be there; "many" may stand more than once.
readonly CONF_NEEDED=(store box engine)
declare -grA CONF_MANY=([peer]=1 [depot]=1)
declare -grA CONF_FORM=(
	[store]="$CONF_NAME"
	[box]="$CONF_NAME"
	[engine]='pacemaker|supervise'
	[peer]="$CONF_NAME"' +[A-Za-z0-9][A-Za-z0-9.:%_-]*|'"$CONF_NAME"' +\[[0-9a-fA-F:.]+\]'
	[depot]='(https?|file)://[^ ]+|/.*'
	[gate-seconds]='[0-9]{1,5}'
	[gate-timeout]='[1-9][0-9]{0,5}'
	[ssh]='[^ ].*'
	[keep]='[1-9][0-9]{0,2}'
)

# Sets CONF_*.
conf_load() {
	local lines line number=0 key
	local -A seen=()
	[ -f "$SITE_CONF" ] || fail error "$SITE_CONF: is missing (tote-site(8) has an example)" || return
	[ "$(stat -Lc %s -- "$SITE_CONF")" -le "$CONF_MAX" ] || fail error "$SITE_CONF: has more than $CONF_MAX bytes" || return
	mapfile -t lines <"$SITE_CONF"
	for line in "${lines[@]}"; do
		number=$((number + 1))
		[[ $line =~ ^[[:space:]]*(#|$) ]] && continue
		[[ $line =~ ^([a-z-]+)[[:blank:]]+(.*[^[:blank:]])[[:blank:]]*$ ]] || conf_bad "$number" "is not \"key value\"" || return
		key=${BASH_REMATCH[1]} line=${BASH_REMATCH[2]}
		[ -n "${CONF_FORM[$key]:-}" ] || conf_bad "$number" "there is no key \"$key\"" || return
		[ -z "${seen[$key]:-}" ] || [ -n "${CONF_MANY[$key]:-}" ] || conf_bad "$number" "\"$key\" is there twice" || return
		[[ $line =~ ^(${CONF_FORM[$key]})$ ]] || conf_bad "$number" "\"$key\" cannot be ${line@Q}" || return
		seen[$key]=1
		conf_take "$key" "$line" || conf_bad "$number" "$WHY" || return
	done
	for key in "${CONF_NEEDED[@]}"; do
		[ -n "${seen[$key]:-}" ] || fail error "$SITE_CONF: \"$key\" is missing" || return
	done
	[ -z "${CONF_PEERS[$CONF_BOX]:-}" ] || fail error "$SITE_CONF: the box $CONF_BOX is its own peer"
}

conf_bad() { # LINE WORDS
	fail error "$SITE_CONF:$1: $2"
}

conf_take() { # KEY VALUE
	local words
	case $1 in
	# On a stick the case of letters may be lost.
	store) [ "${2,,}" != default ] && CONF_STORE=$2 || { WHY="\"store\" cannot be $2: wanted/default is the wish of all stores"; return 1; } ;;
	box) CONF_BOX=$2 ;;
	engine) CONF_ENGINE=$2 ;;
	gate-seconds) CONF_GATE_SECONDS=$((10#$2)) ;;
	gate-timeout) CONF_GATE_TIMEOUT=$((10#$2)) ;;
	keep) CONF_KEEP=$((10#$2)) ;;
	depot) CONF_DEPOTS+=("$2") ;;
	# Words at blanks, without a shell: no quotes, no variables, no globs.
	ssh) read -ra CONF_SSH <<<"$2" ;;
	peer)
		read -ra words <<<"$2"
		[ -z "${CONF_PEERS[${words[0]}]:-}" ] || { WHY="the peer ${words[0]} is there twice"; return 1; }
		CONF_PEERS[${words[0]}]=${words[1]}
		CONF_PEER_NAMES+=("${words[0]}")
		;;
	esac
}
