# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153
# Of the engine of clusters: the elements of a release in the cluster's configuration (CIB), how they are known from an operator's, and
# how they get there. Needs services.sh and engine_pacemaker.sh.
#
# A resource of a release has a name that begins with its project, and a mark, its description: "tote-site: PROJECT SUM", of the element
# as the release has it. A constraint can have none: it is a release's when its id begins as the release's do, and all that it names are
# resources with the mark. What else is in the cluster is an operator's.

# Sets ELEMENTS[ID] and ELEMENT_PART[ID] in the order of ELEMENT_IDS, and ELEMENT_SUM[ID] of resources. Of $RELEASE_PROJECT.
declare -gA ELEMENTS=() ELEMENT_PART=() ELEMENT_SUM=()
ELEMENT_IDS=()
engine_elements() { # RELEASE
	local line part='' id sum
	ELEMENTS=() ELEMENT_PART=() ELEMENT_SUM=() ELEMENT_IDS=()
	store_read "$1" && services_check "$SITE_DIR/releases/$1" || return
	while IFS= read -r line; do
		case $line in
		"<resources>") part=resources ;;
		"<constraints>") part=constraints ;;
		*)
			[[ $line =~ ^\<[a-z_]+\ id=\"([^\"]+)\" ]] && [ -n "$part" ] || continue
			id=${BASH_REMATCH[1]}
			if [ "$part" = resources ]; then
				sum=$(sha256sum <<<"$line") && ELEMENT_SUM[$id]=${sum:0:16}
				line=${line/ id=/ description=\""$ENGINE_MARK $RELEASE_PROJECT ${sum:0:16}"\" id=}
			fi
			ELEMENT_IDS+=("$id")
			ELEMENTS[$id]=$line ELEMENT_PART[$id]=$part
			;;
		esac
	done < <(services_lines cib)
}
readonly ENGINE_MARK=tote-site:

# What is in the cluster's configuration, as words with tabs between:
#   element ID MARK TAG PROJECT FIRST SECOND    a constraint or a resource, constraints first; of a constraint also the two that it names
#   id ID TOP                                   each XML ID, and the element that it is in
#   names TOP ID                                an element that names an ID of another one
#   understood
# As the schema has it, an ID stands once in all of the configuration, and one that is named is there.
readonly ENGINE_CIB='
BEGIN {
	RS = "<"
	count = split(projects, project, " ")
	# As services.jq has it: an XML ID does not begin with a digit.
	for (p = 1; p <= count; p++)
		prefix[p] = (project[p] ~ /^[0-9]/ ? "_" : "") project[p] "-"
	split("rsc with-rsc first then id-ref template reference ref", naming, " ")
	refers["resource_ref"] = refers["obj_ref"] = refers["role"] = 1
}
function attr(name) {
	if (!match($0, "[ \n]" name "=\"[^\"]*\""))
		return ""
	return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
}
# Which project the element has the name of.
function named(id, p) {
	for (p = 1; p <= count; p++)
		if (index(id, prefix[p]) == 1)
			return p
	return 0
}
function judge(id, p, words) {
	for (p = 1; p <= count; p++) {
		words = mark " " project[p] " "
		if (index(id, prefix[p]) == 1 && index(description[id], words) == 1) {
			owner[id] = project[p]
			return substr(description[id], length(words) + 1)
		}
	}
	return named(id) && file[id] ? "old" : "-"
}
function ours(id) { return id in is && is[id] != "-" }
function or_none(word) { return word == "" ? "none" : word }

/^!--/ { comment = 1 }
comment { comment = !/-->/; next }
NR == 1 || /^[?!]/ { next }
/^\// { depth--; next }
{
	tag = $1
	sub(/[\/>].*/, "", tag)
	id = attr("id")
}
depth == 0 { whole = tag == "configuration" }
depth == 1 { part = tag; parts[part] = 1 }
depth == 2 {
	top = id
	if (part == "resources" || part == "constraints") {
		kind[top] = tag
		order[part, ++length_of[part]] = top
		description[top] = attr("description")
		address[top] = attr("type") == "IPaddr2"
		first[top] = attr("first") attr("rsc")
		second[top] = attr("then") attr("with-rsc")
	}
}
depth > 1 {
	if (id != "")
		print (tag in refers ? "names\t" top "\t" id : "id\t" id "\t" top)
	for (n in naming)
		if (attr(naming[n]) != "")
			print "names\t" top "\t" attr(naming[n])
	if (attr("name") == "params_file" && index(attr("value"), params) == 1)
		file[top] = 1
}
!/\/>[ \t\r\n]*$/ { depth++ }

END {
	for (n = 1; n <= length_of["resources"]; n++)
		is[order["resources", n]] = judge(order["resources", n])
	# An address has no parameters of ours: that one of ours has to be where it is says whose it is.
	for (n = 1; n <= length_of["constraints"]; n++) {
		id = order["constraints", n]
		p = named(id)
		if (p && index(id, "-with-ip-") && ours(first[id]) && index(second[id], prefix[p] "ip-") == 1 && address[second[id]] && !ours(second[id]))
			is[second[id]] = "old"
	}
	for (n = 1; n <= length_of["constraints"]; n++) {
		id = order["constraints", n]
		print "element", id, (named(id) && ours(first[id]) && ours(second[id]) ? "marked" : "-"), kind[id], "none", first[id], second[id]
	}
	for (n = 1; n <= length_of["resources"]; n++) {
		id = order["resources", n]
		print "element", id, or_none(is[id]), kind[id], (id in owner ? owner[id] : named(id) ? project[named(id)] : "none")
	}
	if (whole && depth == 0 && parts["resources"] && parts["constraints"])
		print "understood"
}'

# Sets THERE[ID] to what the cluster has: the sum of a resource of these projects, "marked" for a constraint of theirs, "-" for what is
# an operator's; and THERE_IDS, so that what names others comes before them. A resource without a mark whose container has a file of
# ours was made by a tote-site that made no marks; so was its address. ID_TOP[ID] is the element that an ID is in, and NAMES has
# "TOP ID" for each that is named.
declare -gA THERE=() THERE_TAG=() THERE_PROJECT=() THERE_ENDS=() ID_TOP=()
THERE_IDS=() NAMES=()
engine_there() { # PROJECT...
	engine_cib && engine_cib_read "$@"
}

CIB=''
engine_cib() {
	engine_call cibadmin --query --scope configuration || fail error "the cluster gives no answer: ${REPLY##*$'\n'}" || return
	CIB=$REPLY
}

engine_cib_read() { # PROJECT...
	local what id word tag project ends understood=''
	THERE=() THERE_TAG=() THERE_PROJECT=() THERE_ENDS=() THERE_IDS=() ID_TOP=() NAMES=()
	while IFS=$'\t' read -r what id word tag project ends; do
		case $what in
		element)
			THERE_IDS+=("$id")
			THERE[$id]=$word THERE_TAG[$id]=$tag THERE_PROJECT[$id]=$project THERE_ENDS[$id]=${ends/$'\t'/ }
			;;
		id) ID_TOP[$id]=$word ;;
		names) NAMES+=("$id $word") ;;
		understood) understood=yes ;;
		esac
	done < <(awk -v OFS='\t' -v mark="$ENGINE_MARK" -v params="$SITE_RUN/params/" -v projects="$*" "$ENGINE_CIB" <<<"$CIB")
	[ -n "$understood" ] || fail error "cibadmin is not understood"
}

# What is in the way of a release, before anything is changed: an operator's element with an ID that it needs, and one that names what
# it does not have any more. Both are left alone. After engine_there, as all of these.
engine_clash() {
	local id top
	while IFS= read -r id; do
		top=${ID_TOP[$id]:-}
		[ -n "$top" ] && engine_is_foreign "$top" || continue
		[ "$top" = "$id" ] || id+=" (in $top)"
		fail refused "$id: the cluster has an element of this name that is no release's: give it, or the service, another name" || return
	done < <(engine_ids)
}

engine_held() {
	engine_holders
	[ ${#HELD[@]} = 0 ] || fail refused "$HELD_WHY: remove that first"
}

# Sets HELD[TOP] to why that cannot go though it has to, and HELD_WHY to one of them.
declare -gA HELD=()
HELD_WHY=''
engine_holders() {
	local names by id top ids
	HELD=() HELD_WHY=''
	ids=" $(engine_ids | paste -sd ' ') "
	for names in "${NAMES[@]}"; do
		by=${names% *} id=${names#* }
		top=${ID_TOP[$id]:-}
		[ -n "$top" ] && engine_is_foreign "$by" && ! engine_is_foreign "$top" || continue
		[ -z "${ELEMENTS[$top]:-}" ] || [[ $ids != *" $id "* ]] || continue
		HELD_WHY="$by is no release's and names $id, which has to go"
		HELD[$top]=$HELD_WHY
	done
}

engine_is_foreign() { # TOP
	[ "${THERE[$1]:--}" = - ]
}

# All XML IDs of the release.
engine_ids() {
	[ ${#ELEMENTS[@]} = 0 ] || printf '%s\n' "${ELEMENTS[@]}" | grep -oP ' id="\K[^"]*'
}

# Before the first box changes: what the release does not have any more goes, of its project and of that which runs. The way back is
# gone as far as it can be.
engine_begin() { # RELEASE
	engine_elements "$1" && engine_there "$RELEASE_PROJECT" "$(engine_project)" || return
	[ "$S_PHASE" = reverting ] || { engine_clash && engine_held; } || return
	# So that each failed start from here on is one of the release's own (ENGINE_HEALTH).
	[ "$S_PHASE" != switching ] || engine_cleanup
	engine_sweep
}

# What cannot go on the way back is stopped.
engine_sweep() {
	local id code=0
	engine_holders
	for id in "${THERE_IDS[@]}"; do
		engine_goes "$id" || continue
		if [ -n "${HELD[$id]:-}" ]; then
			say "${HELD[$id]}: it is stopped"
			engine_rest "$id" || code=$?
		else
			say "$id goes"
			engine_delete "$id" || code=$?
		fi
		[ "$code" = 0 ] || [ "$S_PHASE" = reverting ] || return "$code"
	done
	return "$code"
}

# A constraint may stay by its name and yet name what goes.
engine_goes() { # ID
	local end
	! engine_is_foreign "$1" || return
	[ -n "${ELEMENTS[$1]:-}" ] || return 0
	for end in ${THERE_ENDS[$1]:-}; do
		[ -n "${ELEMENTS[$end]:-}" ] || return 0
	done
	return 1
}

engine_delete() { # ID
	engine_call cibadmin --delete --xpath "/cib/configuration/*[self::resources or self::constraints]/*[@id='$1']" ||
		fail error "$1: cibadmin: ${REPLY##*$'\n'}"
}

# Its mark is no sum, so that a release that has it again puts its own in its place.
engine_rest() { # ID
	local tag=${THERE_TAG[$1]} set=$1-meta_attributes xml
	xml="<$tag id=\"$1\" description=\"$ENGINE_MARK ${THERE_PROJECT[$1]} stopped\"><meta_attributes id=\"$set\">"
	xml+="<nvpair id=\"$set-target-role\" name=\"target-role\" value=\"Stopped\"/></meta_attributes></$tag>"
	engine_call cibadmin --modify --scope resources --xml-text "$xml" || fail error "$1: cibadmin: ${REPLY##*$'\n'}"
}

# The project of what runs.
engine_project() {
	[ -z "$S_RELEASE" ] || sed -n 's/^project //p' "$SITE_DIR/releases/$S_RELEASE/manifest" 2>/dev/null || true
}

# After the last one: what is new comes, and what is another one now is replaced; with --retry also what somebody may have changed.
engine_finish() { # RELEASE
	local id constraints=''
	engine_elements "$1" && engine_there "$RELEASE_PROJECT" "$(engine_project)" && engine_clash || return
	for id in "${ELEMENT_IDS[@]}"; do
		if [ "${ELEMENT_PART[$id]}" = constraints ]; then
			constraints+=${ELEMENTS[$id]}
		elif [ "${OPT_RETRY:-0}" = 1 ] || [ "${THERE[$id]:-}" != "${ELEMENT_SUM[$id]}" ]; then
			engine_put "$id" || return
		fi
	done
	# Each has the same attributes as the one before with its name, so that this sets all of them.
	[ -z "$constraints" ] ||
		engine_call cibadmin --modify --allow-create --scope constraints --xml-pipe <<<"<constraints>$constraints</constraints>" ||
		fail error "constraints: cibadmin: ${REPLY##*$'\n'}"
}

engine_put() { # ID
	local how=--replace
	[ -n "${THERE[$1]:-}" ] || how=--create
	engine_call cibadmin "$how" --scope resources --xml-text "${ELEMENTS[$1]}" ||
		fail error "$1: cibadmin: ${REPLY##*$'\n'}${HELD_WHY:+ ($HELD_WHY)}"
}
