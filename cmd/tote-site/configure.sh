# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034,SC2154
# tote-site configure: puts what init-store wrote to /etc/tote/cluster/ into the running cluster, and checks that all boxes run with
# the same times. It changes elements of its own (their ids begin with "tote-") and can be called again at any time. Needs say.sh
# and conf.sh.

: "${TOTE_SITE_CLUSTER:=/etc/tote/cluster}"
CONFIGURE_TOKEN=1000

verb_configure() {
	local dry=${DRY_RUN:-0} word
	for word; do
		case $word in
		--dry-run) dry=1 ;;
		-h | --help) echo "usage: tote-site configure [--dry-run]" && return 0 ;;
		*) fail usage "configure: unknown word $word" || return ;;
		esac
	done
	[ "$CONF_ENGINE" = pacemaker ] || fail usage "configure: site.conf says engine $CONF_ENGINE: there is no cluster to configure" || return
	need cibadmin crm_verify corosync-cmapctl || return
	configure_files || return
	configure_wait || return
	for word in "${CONFIGURE_SECTIONS[@]}"; do
		configure_section "$word" "$dry" || return
	done
	configure_verify || return
	configure_times
}

# Devices before the property that wants them, defaults before what they apply to.
CONFIGURE_SECTIONS=(rsc_defaults op_defaults resources constraints crm_config)

configure_files() {
	local section
	for section in "${CONFIGURE_SECTIONS[@]}"; do
		[ -r "$TOTE_SITE_CLUSTER/$section.xml" ] || fail error "$TOTE_SITE_CLUSTER/$section.xml is missing: init-store writes it" || return
	done
}

# Without quorum nothing that is written would hold.
configure_wait() {
	local end=$((SECONDS + ${TOTE_SITE_CONFIGURE_WAIT:-90})) head
	while :; do
		head=$(bounded 10 cibadmin --query --no-children 2>/dev/null) || head=
		[[ $head != *'have-quorum="1"'* || $head != *'dc-uuid='* ]] || return 0
		[ $SECONDS -lt $end ] || break
		sleep 1
	done
	if [ -z "$head" ]; then
		fail error "Pacemaker does not answer"
	else
		fail gate "the cluster has no quorum: nothing was changed"
	fi
}

# Two queries that differ in nothing but their counters are the same.
configure_seen() { # SECTION
	bounded 10 cibadmin --query -o "$1" 2>/dev/null
}

# --modify merges by id and leaves alone what others put there: services of releases, the lock of an update, other properties.
configure_section() { # SECTION DRY
	local before after words
	before=$(configure_seen "$1")
	if [ "$2" = 1 ]; then
		if configure_differs "$1" "$before"; then echo "$1: would change"; else echo "$1: as it should be"; fi
		return 0
	fi
	words=$(bounded 30 cibadmin --modify --allow-create -o "$1" --xml-file "$TOTE_SITE_CLUSTER/$1.xml" 2>&1) ||
		fail error "cibadmin, $1: ${words##*$'\n'}" || return
	after=$(configure_seen "$1")
	if [ "$before" = "$after" ]; then echo "$1: as it should be"; else echo "$1: changed"; fi
}

# Whether one attribute of ours is not in there.
configure_differs() { # SECTION SEEN
	local line
	while IFS= read -r line; do
		case $line in
		'<nvpair '* | '<rsc_location '* | '<op '*) [[ $2 == *"${line%/>}"* ]] || return 0 ;;
		esac
	done <"$TOTE_SITE_CLUSTER/$1.xml"
	return 1
}

configure_verify() {
	local words
	words=$(bounded 30 crm_verify --live-check 2>&1) || fail error "the cluster's configuration has errors: ${words%%$'\n'*} (crm_verify -LV)"
}

# ---- times ----

# A box that missed a change of corosync.conf keeps its old times, and suspects the others for ever.
configure_times() {
	local box bad=''
	do_token || return
	[ "$REPLY" = "$CONFIGURE_TOKEN" ] || bad+=" $CONF_BOX $REPLY ms,"
	for box in "${CONF_PEER_NAMES[@]}"; do
		configure_ask "$box" || { bad+=" $box cannot be asked,"; continue; }
		[ "$REPLY" = "$CONFIGURE_TOKEN" ] || bad+=" $box $REPLY ms,"
	done
	[ -z "$bad" ] || fail between "token is not $CONFIGURE_TOKEN ms everywhere:${bad%,}; stop the cluster on all boxes, give all" \
		"the same corosync.conf, start all" || return
	echo "token: $CONFIGURE_TOKEN ms on all boxes"
}

# A box that has just begun may be busy with itself.
configure_ask() { # BOX
	local end=$((SECONDS + ${TOTE_SITE_CONFIGURE_WAIT:-90}))
	until box_do "$1" token 2>/dev/null && [[ $REPLY =~ ^[0-9]+$ ]]; do
		[ $SECONDS -lt $end ] || return 1
		sleep 1
	done
}
