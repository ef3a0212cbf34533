#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a box makes of the cluster's answer: engine_health on lines as crm_mon prints them. rig/update.bats has it with a real one.
bats_require_minimum_version 1.5.0
REAL_JQ=1
load ../bats

setup() {
	SITE_DIR=$BATS_TEST_TMPDIR SITE_RUN=$BATS_TEST_TMPDIR SAY_NAME=test CONF_BOX=box1 S_RELEASE=new S_TARGET=new S_PHASE=switching TOTE=false
	# shellcheck source=/dev/null
	. "$BATS_TEST_DIRNAME/../../cmd/script/say.sh"
	# shellcheck source=/dev/null
	. "$BATS_TEST_DIRNAME/../../cmd/tote-site/engine_pacemaker.sh"
	# shellcheck source=/dev/null
	. "$BATS_TEST_DIRNAME/../../cmd/tote-site/engine_pacemaker_cib.sh"
	printf 'release\tnew\nshop-db\tshop-db\tsha256:1\t1\tshop-db\nshop-till\tshop-till\tsha256:2\tall\tshop-till-clone\n' >"$SITE_DIR/services.tsv"
	mkdir "$SITE_RUN/bin"
	printf '#!/bin/sh\ncat "%s/answer.xml"\n' "$SITE_RUN" >"$SITE_RUN/bin/crm_mon"
	printf '#!/bin/sh\ncat "%s/standby"\n' "$SITE_RUN" >"$SITE_RUN/bin/crm_attribute"
	echo on >"$SITE_RUN/standby"
	chmod 755 "$SITE_RUN"/bin/*
	CIBADMIN=$(command -v cibadmin) || true
	PATH=$SITE_RUN/bin:$PATH
	HEALTH=()
}

# The cluster's answer: what state box2 is in, how the one db is, and further elements.
cluster() { # NODE-ATTRIBUTES DB-ATTRIBUTES [HISTORY [FAILURES]]
	cat >"$SITE_RUN/answer.xml" <<-END
		<pacemaker-result><summary>
		    <current_dc present="true" name="box1" with_quorum="${QUORUM:-true}"/>
		  </summary>
		  <nodes>
		    <node name="box1" online="true" standby="false" maintenance="false" unclean="false" resources_running="2"/>
		    <node name="box2" maintenance="false" resources_running="0" $1/>
		  </nodes>
		  <resources>
		    <resource id="shop-db" orphaned="false" failure_ignored="false" $2/>
		    <clone id="shop-till-clone">
		      <resource id="shop-till:0" role="Started" active="true" orphaned="false" blocked="false" failed="false" failure_ignored="false"/>
		      <resource id="shop-till:1" role="Started" active="true" orphaned="false" blocked="false" failed="false" failure_ignored="false"/>
		    </clone>
		  </resources>
		  <node_history>
		${3:-}
		  </node_history>
		  <failures>
		${4:-}
		  </failures>
		</pacemaker-result>
	END
}

ON='online="true" standby="false" unclean="false"'
WELL='role="Started" active="true" blocked="false" failed="false"'
STOPPED='role="Stopped" active="false" blocked="false" failed="false"'
FAILURE='    <failure op_key="shop-db_start_0" node="box2" exitstatus="error" exitreason="no such file" last-rc-change="2026-11-23 04:47:37Z"/>'

says() { # LINE...
	HEALTH=()
	engine_health
	printf 'said: %s\n' "${HEALTH[@]}"
	[ "$(printf '%s\n' "${HEALTH[@]}")" = "$(printf '%s\n' "$@")" ]
}

@test "a cluster that is well has nothing to say but that" {
	cluster "$ON" "$WELL"
	says "quorum ok"
	# A failure that the cluster has got over.
	cluster "$ON" "$WELL" "" "$FAILURE"
	says "quorum ok"
}

@test "a release that does not start while an update goes round is bad at once" {
	cluster "$ON" "$STOPPED" "" "$FAILURE"
	says "quorum ok" "resource/shop-db bad it does not start: box2: no such file"
	# On a box whose turn has not come, on the way back, and when nothing is under way, it may become well.
	S_RELEASE=old
	sed -i 's/^release.*/release\told/' "$SITE_DIR/services.tsv"
	says "quorum ok" "resource/shop-db wait 0 of 1 run"
	S_PHASE=reverting S_TARGET=old
	says "quorum ok" "resource/shop-db wait 0 of 1 run"
	S_PHASE=settled S_TARGET=''
	says "quorum ok" "resource/shop-db wait 0 of 1 run"
}

@test "what the cluster has given up, and what it does not know" {
	local given='    <node name="%s">\n      <resource_history id="shop-db" orphan="false" migration-threshold="3" fail-count="1000000"/>\n    </node>\n'
	S_PHASE=settled
	# shellcheck disable=SC2059
	cluster "$ON" "$STOPPED" "$(printf "$given" box1)"
	says "quorum ok" "resource/shop-db wait 0 of 1 run"
	# shellcheck disable=SC2059
	cluster "$ON" "$STOPPED" "$(printf "$given$given" box1 box2)"
	says "quorum ok" "resource/shop-db bad it was given up on each box"
	cluster "$ON" 'role="Started" active="true" blocked="true" failed="false"'
	says "quorum ok" "resource/shop-db bad it is blocked"
	cluster "$ON" "$WELL"
	sed -i 's/shop-db/other-db/g' "$SITE_RUN/answer.xml"
	says "quorum ok" "resource/shop-db wait the cluster does not know it"
	S_PHASE=switching
	says "quorum ok"
}

@test "boxes that are off, cut off or out of the way" {
	S_PHASE=settled
	cluster 'online="false" standby="false" unclean="false"' "$WELL"
	says "quorum ok" "node/box2 wait it is offline"
	QUORUM=false cluster "$ON" "$WELL"
	says "quorum wait the boxes have no majority"
	cluster "$ON" "$WELL"
	sed -i '/name="box1" online/s/standby="false"/standby="true"/' "$SITE_RUN/answer.xml"
	says "quorum ok" "standby wait the box is in standby"
	S_PHASE=switching
	says "quorum ok"
	# By an update, maybe one that was cut off.
	echo yes >"$SITE_RUN/standby"
	says "quorum ok" "outside ok it is out of the way for an update"
	S_PHASE=settled
	says "quorum ok" "outside wait it is out of the way for an update"
}

# ---- whose an element is: the real cibadmin, on a file, so that what Pacemaker refuses cannot pass ----

# A release of "shop" is lines as services.jq writes them, golden/shop.xml but for what CHANGE, a script of sed, makes of it.
release() { # [CHANGE]
	sed "s#/run/tote-site#$SITE_RUN#${1:+;$1}" "$BATS_TEST_DIRNAME/golden/shop.xml" >"$SITE_RUN/release.xml"
}
store_read() { :; }
services_check() { :; }
services_lines() { cat "$SITE_RUN/release.xml"; }

# A cluster that has that release, and things of an operator's.
cluster_of_shop() { # [CONSTRAINTS [RESOURCES [MORE]]]
	local -A parts=()
	local id
	[ -n "$CIBADMIN" ] || skip "needs cibadmin"
	printf '#!/bin/sh\necho "$*" >>"%s/calls"\nexec "%s" "$@"\n' "$SITE_RUN" "$CIBADMIN" >"$SITE_RUN/bin/cibadmin"
	printf '#!/bin/sh\n' >"$SITE_RUN/bin/crm_resource"
	chmod 755 "$SITE_RUN/bin/cibadmin" "$SITE_RUN/bin/crm_resource"
	export CIB_file=$SITE_RUN/cib.xml
	RELEASE_PROJECT=shop S_RELEASE=''
	release
	engine_elements old
	for id in "${ELEMENT_IDS[@]}"; do
		parts[${ELEMENT_PART[$id]}]+=${ELEMENTS[$id]}
	done
	cat >"$CIB_file" <<-END
		<cib validate-with="pacemaker-3.5" epoch="1" num_updates="0" admin_epoch="0"><configuration>
		<crm_config/><nodes><node id="3" uname="box3"/></nodes>
		<resources><primitive id="tote-fence" class="stonith" type="fence_rig"/>${parts[resources]}${2:-}</resources>
		<constraints>${parts[constraints]}${1:-}</constraints>${3:-}
		</configuration><status/></cib>
	END
	cibadmin --query >"$SITE_RUN/before.xml"
	: >"$SITE_RUN/calls"
}

update() { # RELEASE'S CHANGE
	release "$1"
	engine_check new
	engine_begin new
	engine_finish new
	settled
}

# The cluster has what the release has, each with its mark, and nothing else of it.
settled() {
	local id
	engine_there shop
	for id in "${ELEMENT_IDS[@]}"; do
		[ "${THERE[$id]}" = "${ELEMENT_SUM[$id]:-marked}" ]
	done
	for id in "${THERE_IDS[@]}"; do
		[ "${THERE[$id]}" = - ] || [ -n "${ELEMENTS[$id]:-}" ]
	done
}

refused() { # WORDS: check and begin, and nothing is changed
	run -4 engine_check new
	[[ $output == *"$1"* ]]
	run -4 engine_begin new
	[[ $output == *"$1"* ]]
	cibadmin --query | cmp - "$SITE_RUN/before.xml"
}

# Changes of the release.
WITHOUT_POS='/shop-pos/d'
POS_CLONE='s/^<primitive \(id="shop-pos".*\)$/<clone id="shop-pos-clone"><primitive \1<\/clone>/;/^<rsc/s/"shop-pos"/"shop-pos-clone"/'
WITHOUT_ADDRESS='/shop-ip/d'
NEW='s/^<\/resources>/<primitive id="shop-new" class="ocf" provider="tote" type="container"\/>\n&/'
PRINTER='<primitive id="shop-printer" description="the printer" class="ocf" provider="heartbeat" type="Dummy"/>'

@test "what a release has comes, changes and goes; what an operator has made keeps its place, whatever its name" {
	cluster_of_shop '<rsc_colocation id="shop-printer-with-db" score="100" rsc="shop-printer" with-rsc="shop-db"/>' "$PRINTER"
	settled
	# Nothing but the constraints is put when nothing is new.
	update ""
	[ "$(grep -v -e --query "$SITE_RUN/calls")" = "--modify --allow-create --scope constraints --xml-pipe" ]
	cibadmin --query | cmp - "$SITE_RUN/before.xml"
	update "$NEW"
	grep -e '--create .*id="shop-new"' "$SITE_RUN/calls"
	update "$WITHOUT_POS"
	[ "${THERE[shop-new]:-none}" = none ]
	[ "${THERE[shop-printer]} ${THERE[shop-printer-with-db]} ${THERE[tote-fence]} ${THERE[shop-pos]:-none}" = "- - - none" ]
	update 's/130s/140s/'
	[ "$(grep -c -e --replace "$SITE_RUN/calls")" = 5 ]
	[ "${THERE[shop-printer]} ${THERE[shop-printer-with-db]} ${THERE[tote-fence]}" = "- - -" ]
}

@test "a service of one box becomes one of many, and the other way round" {
	cluster_of_shop
	update "$POS_CLONE"
	[ "${THERE[shop-pos]:-none}" = none ]
	update ""
	[ "${THERE[shop-pos-clone]:-none}" = none ]
}

@test "what a release drops and an operator's constraint names: refused before anything is changed" {
	# As crm_resource --move leaves it.
	cluster_of_shop '<rsc_location id="cli-prefer-shop-pos" rsc="shop-pos" node="box1" score="INFINITY"/>'
	update ""
	release "$WITHOUT_POS"
	refused "cli-prefer-shop-pos is no release's and names shop-pos"
	release "$POS_CLONE"
	refused "cli-prefer-shop-pos is no release's and names shop-pos"
	# Within a clone, in a set, by a tag.
	cluster_of_shop '<rsc_location id="not-till" rsc="shop-till" node="box1" score="-1"/>'
	release '/shop-till/d'
	refused "not-till is no release's and names shop-till"
	cluster_of_shop '<rsc_order id="mine"><resource_set id="set">
		<resource_ref id="tote-fence"/><resource_ref id="shop-pos"/></resource_set></rsc_order>'
	release "$WITHOUT_POS"
	refused "mine is no release's and names shop-pos"
	cluster_of_shop "" "" '<tags><tag id="mine"><obj_ref id="shop-pos"/></tag></tags>'
	release "$WITHOUT_POS"
	refused "mine is no release's and names shop-pos"
}

@test "on the way back what cannot go is stopped, and comes again whole" {
	cluster_of_shop '<rsc_location id="cli-prefer-shop-pos" rsc="shop-pos" node="box1" score="INFINITY"/>'
	S_PHASE=reverting
	release "$WITHOUT_POS"
	engine_begin old
	engine_finish old
	engine_there shop
	[ "${THERE[shop-pos]} ${THERE[shop-pos-after-db]:-none} ${THERE[cli-prefer-shop-pos]}" = "stopped none -" ]
	cibadmin --query --xpath "//primitive[@id='shop-pos']/meta_attributes" | grep 'name="target-role" value="Stopped"'
	S_PHASE=switching
	update ""
	run ! grep target-role "$CIB_file"
}

@test "a cluster of a tote-site that made no marks: its elements are known, with the address" {
	local other='<primitive id="shop-ip-10.0.0.9" class="ocf" provider="heartbeat" type="IPaddr2"/>'
	cluster_of_shop "" "$other"
	sed -i 's/ description="tote-site:[^"]*"//g' "$CIB_file"
	engine_there shop
	[ "${THERE[shop-db]} ${THERE[shop-till-clone]} ${THERE[shop-ip-10.0.0.5]}" = "old old old" ]
	[ "${THERE[shop-ip-10.0.0.9]} ${THERE[shop-door-after-ip-10.0.0.5]}" = "- marked" ]
	cp "$CIB_file" "$SITE_RUN/before.xml"
	update ""
	cp "$SITE_RUN/before.xml" "$CIB_file"
	update "$WITHOUT_ADDRESS"
	[ "${THERE[shop-ip-10.0.0.5]:-none} ${THERE[shop-door-with-ip-10.0.0.5]:-none} ${THERE[shop-ip-10.0.0.9]}" = "none none -" ]
}

@test "a release that needs a name that an operator has: refused before anything is changed, wherever it stands" {
	local why="the cluster has an element of this name that is no release's" dummy='class="ocf" provider="heartbeat" type="Dummy"/>'
	cluster_of_shop "" "<primitive id=\"shop-new\" $dummy"
	release "$NEW"
	refused "shop-new: $why"
	cluster_of_shop "" "<clone id=\"shop-new-clone\"><primitive id=\"shop-new\" $dummy</clone>"
	release "$NEW"
	refused "shop-new (in shop-new-clone): $why"
	cluster_of_shop "" "<primitive id=\"mine\" ${dummy%/>}><meta_attributes id=\"shop-new\"/></primitive>"
	release "$NEW"
	refused "shop-new (in mine): $why"
	# One of the release's own that was put in a group.
	cluster_of_shop
	awk '/<primitive .*id="shop-cache"/ { print "<group id=\"mine\">"; inside = 1 }
		!/<rsc.*shop-cache/
		inside && /<\/primitive>/ { print "</group>"; inside = 0 }' "$SITE_RUN/before.xml" >"$CIB_file"
	cibadmin --query >"$SITE_RUN/before.xml"
	refused "shop-cache (in mine): $why"
}

@test "the mark alone makes nothing a release's, and another project's is not ours" {
	local mark="tote-site: shop 0123456789abcdef" dummy='class="ocf" provider="heartbeat" type="Dummy"/>'
	cluster_of_shop "" "<primitive id=\"copy\" description=\"$mark\" $dummy
		<primitive id=\"shop-2-db\" description=\"${mark/shop/shop-2}\" $dummy"
	update ""
	[ "${THERE[copy]} ${THERE[shop-2-db]}" = "- -" ]
	# What runs is of that project.
	mkdir -p "$SITE_DIR/releases/old"
	echo "project shop-2" >"$SITE_DIR/releases/old/manifest"
	S_RELEASE=old
	update ""
	[ "${THERE[copy]} ${THERE[shop-2-db]:-none}" = "- none" ]
}

@test "what somebody has changed by hand stays, but for --retry" {
	cluster_of_shop
	cibadmin --modify --xml-text '<nvpair id="shop-db-meta_attributes-failure-timeout" value="1s"/>'
	update ""
	grep 'name="failure-timeout" value="1s"' "$CIB_file"
	OPT_RETRY=1
	update ""
	run ! grep 'value="1s"' "$CIB_file"
}

@test "a cluster's answer is read whatever its lines are, or not at all" {
	local answer
	cluster_of_shop
	answer=$(cibadmin --query --scope configuration)
	says_cluster() { # ANSWER
		printf '%s\n' "$1" >"$SITE_RUN/answer"
		printf '#!/bin/sh\ncat "%s/answer"\n' "$SITE_RUN" >"$SITE_RUN/bin/cibadmin"
	}
	says_cluster "$(tr -d '\n' <<<"$answer" | tr -s ' ')"
	settled
	says_cluster "${answer/<resources>/<resources><!-- <primitive id=\"shop-x\"> -->}"
	settled
	for answer in "" "<cib>$answer</cib>" "${answer%</configuration>}" "${answer//resources>/things>}" "Call cib_query failed"; do
		says_cluster "$answer"
		run -1 engine_there shop
		[[ $output == *"cibadmin is not understood"* ]]
		run -1 engine_check new
	done
	# One that does not answer is no reason to refuse a release, nor to change anything.
	printf '#!/bin/sh\nexit 102\n' >"$SITE_RUN/bin/cibadmin"
	engine_check new
	run -1 engine_begin new
}
