# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153
# The engine of stores whose boxes are a cluster: Pacemaker says what runs where, and files of each box (services.sh) say how. An update
# puts a box in standby, so that it runs nothing, changes its files, and lets it come back. Needs store.sh, services.sh, lock.sh,
# box.sh and engine_pacemaker_cib.sh.

ENGINE_STANDBY=yes
readonly ENGINE_LOCK=tote-site-lock ENGINE_SECONDS=30
# Where the agent keeps the parameters that a running container was made with.
: "${TOTE_SITE_AGENT_DIR:=/run/resource-agents}"

engine_call() { # COMMAND...: REPLY is what it prints
	local code=0
	REPLY=$(bounded "$ENGINE_SECONDS" "$@" 2>&1 9>&-) || code=$?
	return "$code"
}

# ---- what the cluster says ----

# crm_mon's XML has one element a line. Sets CRM to its lines as words with tabs between.
CRM=''
engine_look() {
	engine_call crm_mon --one-shot --output-as=xml || fail error "the cluster gives no answer: ${REPLY##*$'\n'}" || return
	CRM=$(awk -v OFS='\t' '
		function attr(name) {
			if (!match($0, " " name "=\"[^\"]*\""))
				return ""
			return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
		}
		/<current_dc / { print "dc", attr("present"), attr("with_quorum") }
		/<(nodes|resources|node_history|failures)[ >]/ { match($0, /[a-z_]+/); part = substr($0, RSTART, RLENGTH) }
		/<\/(nodes|resources|node_history|failures)>/ { part = "" }
		part == "nodes" && /<node / { print "node", attr("name"), attr("online"), attr("standby"), attr("unclean"),
			attr("maintenance"), attr("resources_running") }
		part == "resources" && /<resource / {
			id = attr("id")
			sub(/:[0-9]+$/, "", id)
			print "resource", id, attr("role"), attr("active"), attr("failed"), attr("blocked"), attr("orphaned"), attr("failure_ignored")
		}
		part == "node_history" && /<node / { node = attr("name") }
		part == "node_history" && /<resource_history / { print "count", attr("id"), node, attr("fail-count"), attr("migration-threshold") }
		part == "failures" && /<failure / { print "failure", attr("op_key"), attr("node"), attr("last-rc-change"), attr("exitreason") }
	' <<<"$REPLY")
	[[ $CRM == *dc$'\t'* ]] || fail error "crm_mon is not understood"
}

engine_node() { # BOX COLUMN: sets REPLY
	REPLY=$(awk -F '\t' -v box="$1" -v column="$2" '$1 == "node" && $2 == box { print $column }' <<<"$CRM")
}

# Off, as the cluster sees it, which must be able to see: the others may be off, or we may be cut off.
engine_is_offline() { # BOX
	engine_look && grep -qxP 'dc\ttrue\ttrue' <<<"$CRM" || return 1
	engine_node "$1" 3
	[ "$REPLY" = false ] || return 1
	engine_node "$1" 5
	[ "$REPLY" = false ]
}

# ---- the lock: an element of the CIB that only one can create ----

engine_lock_xml() {
	printf '<cluster_property_set id="%s"><nvpair id="%s-holder" name="%s-holder" value="%s"/></cluster_property_set>' \
		"$ENGINE_LOCK" "$ENGINE_LOCK" "$ENGINE_LOCK" "$1"
}

# Sets REPLY to BOX BOOT WORD of the holder, or nothing.
engine_lock_holder() {
	engine_call cibadmin --query --xpath "//nvpair[@id='$ENGINE_LOCK-holder']" || REPLY=
	[[ $REPLY =~ value=\"([A-Za-z0-9._ -]+)\" ]] && REPLY=${BASH_REMATCH[1]} || REPLY=
}

engine_lock() {
	local try code holder words
	for try in 1 2 3; do
		code=0
		engine_call cibadmin --create --scope crm_config --xml-text "$(engine_lock_xml "$LOCK_TOKEN")" || code=$?
		case $code in
		0) return 0 ;;
		# CRM_EX_EXISTS
		108) ;;
		*) fail error "the store's lock: cibadmin ended with $code: ${REPLY##*$'\n'}" || return ;;
		esac
		engine_lock_holder
		holder=$REPLY
		read -ra words <<<"$holder"
		[ "$holder" != "$LOCK_TOKEN" ] || return 0
		[ ${#words[@]} != 0 ] || continue
		lock_is_stale "${words[@]}" || fail busy "${words[0]} is at work on the store" || return
		say "the lock of ${words[0]}, which has gone, is broken"
		engine_lock_break "$holder"
	done
	fail busy "the store's lock was taken by others each time"
}

# Only this very lock: what somebody else has made of it meanwhile stays.
engine_lock_break() { # HOLDER
	engine_call cibadmin --delete --xpath "//cluster_property_set[@id='$ENGINE_LOCK'][nvpair/@value='$1']" || true
}

engine_unlock() {
	engine_lock_break "$LOCK_TOKEN"
}

# There is nothing of it on a box.
engine_lock_here() { :; }
engine_unlock_here() { :; }

# ---- in and out of the way ----

# Until its next boot: a box that dies on the way comes back as one of the cluster. The value is as true as "on", which is what
# people and other tools write: so ours is known from theirs.
readonly ENGINE_OUTSIDE=yes
engine_standby() { # BOX
	local failures=''
	! engine_look || failures=$(grep -P '^failure\t' <<<"$CRM") || true
	engine_call crm_attribute --type status --node "$1" --name standby --update "$ENGINE_OUTSIDE" ||
		fail error "$1: standby: ${REPLY##*$'\n'}" || return
	engine_until_empty "$1" "$failures"
}

# Services have their time to stop; the cluster fences a box that does not get it done.
# What moves to boxes that were changed before is started by the new release there: when that fails nobody waits for more of it.
engine_until_empty() { # BOX FAILURES-BEFORE
	local end failure
	box_uptime
	end=$((REPLY + CONF_GATE_TIMEOUT))
	while :; do
		if engine_look; then
			engine_node "$1" 3
			[ "$REPLY" != false ] || { WHY="$1 is offline" && return 255; }
			engine_node "$1" 4
			if [ "$REPLY" = true ]; then
				engine_node "$1" 7
				[ "$REPLY" != 0 ] || return 0
			fi
			failure=$(grep -P '^failure\t.*_start_0\t' <<<"$CRM" | grep -vxF -- "${2:--}" | head -n 1) || true
			[ -z "$failure" ] || [ "$S_PHASE" != switching ] || fail gate "$(awk -F '\t' '{ print $3 ": " $2 ": " $5 }' <<<"$failure")" || return
		fi
		box_uptime
		[ "$REPLY" -lt "$end" ] || fail error "$1: its services do not stop" || return
		sleep 0.2
	done
}

# What failed with the files of before is forgotten, else the cluster would not try it here.
engine_unstandby() { # BOX
	engine_cleanup "$1"
	engine_call crm_attribute --type status --node "$1" --name standby --delete || fail error "$1: standby: ${REPLY##*$'\n'}"
}

# After engine_look.
engine_is_outside() {
	engine_node "$CONF_BOX" 4
	[ "$REPLY" = true ] && engine_call crm_attribute --type status --node "$CONF_BOX" --name standby --query --quiet &&
		[ "$REPLY" = "$ENGINE_OUTSIDE" ]
}

engine_cleanup() { # [BOX]
	engine_call crm_resource --cleanup ${1:+--node "$1"} || true
}

# ---- the change ----

# Whether this cluster can run a release. One that does not answer is no reason to refuse it.
engine_check() { # RELEASE
	engine_elements "$1" || return
	engine_cib 2>/dev/null || return 0
	engine_cib_read "$RELEASE_PROJECT" "$(engine_project)" && engine_clash && engine_held
}

engine_switch() { # RELEASE
	local list dir=$SITE_DIR/releases/$1
	services_params "$dir" "$SITE_RUN/params" || return
	list=$(services_list "$dir") && replace_file "$SITE_DIR/services.tsv" 600 <<<"release"$'\t'"$1"$'\n'"$list"
}

# The files lie on a tmpfs.
engine_boot() { # RELEASE
	engine_switch "$1"
}

# Where the boot had no chance to.
engine_mend() {
	[ -n "$S_RELEASE" ] && [ ! -d "$SITE_RUN/params" ] || return 0
	engine_boot "$S_RELEASE" && engine_cleanup "$CONF_BOX"
}

# ---- health ----

# Of crm_mon's lines and of "want" (services.tsv): what the whole cluster says. $box is this one. $switched: it has the new release
# while an update goes round, and nobody waits until the cluster has tried in vain to start it on each box, several times.
readonly ENGINE_HEALTH='
[inputs | split("\t")] as $l |
def of($kind): $l[] | select(.[0] == $kind);
[of("node") | select(.[2] == "true" and .[3] != "true" and .[4] != "true") | .[1]] as $able |
(if any(of("dc"); .[1] == "true" and .[2] == "true") then "quorum ok" else "quorum wait the boxes have no majority" end),
(of("node") | select(.[1] == $box) |
	if .[3] != "true" then empty
	elif $outside then "outside \(if $may_standby then "ok" else "wait" end) it is out of the way for an update"
	elif $may_standby then empty
	else "standby wait the box is in standby" end,
	if .[5] == "true" then "maintenance wait the box is in maintenance" else empty end),
(of("node") | select(.[2] != "true" or .[4] == "true") | "node/\(.[1]) wait it is offline"),
(of("resource") | .[1] as $id |
	if .[6] == "true" then "resource/\($id) wait it is not wanted any more, and not stopped yet"
	elif .[5] == "true" then "resource/\($id) bad it is blocked"
	elif .[4] == "true" and .[7] != "true" then "resource/\($id) wait it has failed"
	else empty end),
(of("want") | .[1] as $id | (if .[4] == "all" then ($able | length) else ([(.[4] | tonumber), ($able | length)] | min) end) as $count |
	[of("resource") | select(.[1] == $id and .[3] == "true" and .[2] == "Started")] as $active |
	[of("count") | select(.[1] == $id and (.[3] | IN("", "0") | not) and
		(.[3] == "1000000" or (.[3] | tonumber) >= ((.[4] | tonumber? // 0) | if . == 0 then 1000000 else . end))) | .[2]] as $given_up |
	if any(of("resource"); .[1] == $id) | not then (if $may_lack then empty else "resource/\($id) wait the cluster does not know it" end)
	elif ($active | length) >= $count then empty
	elif $switched and any(of("failure"); .[1] == "\($id)_start_0") then
		"resource/\($id) bad it does not start: " + first(of("failure") | select(.[1] == "\($id)_start_0") | "\(.[2]): \(.[4])")
	elif ($able | length) > 0 and all($able[]; IN($given_up[])) then "resource/\($id) bad it was given up on each box"
	else "resource/\($id) wait \($active | length) of \($count) run" end)'

# Sets HEALTH: what the cluster says, and how what runs on this box was made.
engine_health() {
	local file=$SITE_DIR/services.tsv may=false switched=false outside=false
	if [ "$(head -n 1 "$file" 2>/dev/null)" != "release"$'\t'"$S_RELEASE" ]; then
		HEALTH=("release wait it was never brought up here whole")
		return
	fi
	[ "$S_PHASE" = settled ] || may=true
	[ "$S_PHASE" != switching ] || [ "$S_RELEASE" != "$S_TARGET" ] || switched=true
	engine_look || return
	engine_is_outside && outside=true
	mapfile -t HEALTH < <({ tail -n +2 "$file" | sed 's/^/want\t/'; printf '%s\n' "$CRM"; } |
		jq -Rnr --arg box "$CONF_BOX" --argjson may_lack "$may" --argjson may_standby "$may" \
			--argjson switched "$switched" --argjson outside "$outside" "$ENGINE_HEALTH" || echo "engine wait jq")
	engine_health_here "$file"
}

# A container of another release than this box's files stands beside its parameters, which the agent has copied at its start.
engine_health_here() { # FILE
	local container made since now
	now=$(date +%s)
	while IFS=$'\t' read -r _ container _; do
		[ -n "$container" ] && "${TOTE:-tote}" state --quiet "$container" >/dev/null 2>&1 9>&- || continue
		made=$TOTE_SITE_AGENT_DIR/tote-$container.params
		if ! cmp -s "$made" "$SITE_RUN/params/$container"; then
			HEALTH+=("$container bad it was made of another release's parameters")
		else
			since=$(stat -c %Y "$made" 2>/dev/null) || since=$now
			HEALTH+=("$container $((now > since ? now - since : 0)) running")
		fi
	done < <(tail -n +2 "$1")
}
