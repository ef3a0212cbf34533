#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a box makes of the cluster's answer: engine_health on lines as crm_mon prints them. rig/update.bats has it with a real one.
bats_require_minimum_version 1.5.0

setup() {
	SITE_DIR=$BATS_TEST_TMPDIR SITE_RUN=$BATS_TEST_TMPDIR SAY_NAME=test CONF_BOX=box1 S_RELEASE=new S_TARGET=new S_PHASE=switching TOTE=false
	# shellcheck source=/dev/null
	. "$BATS_TEST_DIRNAME/../../cmd/script/say.sh"
	# shellcheck source=/dev/null
	. "$BATS_TEST_DIRNAME/../../cmd/tote-site/engine_pacemaker.sh"
	printf 'release\tnew\nshop-db\tshop-db\tsha256:1\t1\tshop-db\nshop-till\tshop-till\tsha256:2\tall\tshop-till-clone\n' >"$SITE_DIR/services.tsv"
	mkdir "$SITE_RUN/bin"
	printf '#!/bin/sh\ncat "%s/answer.xml"\n' "$SITE_RUN" >"$SITE_RUN/bin/crm_mon"
	printf '#!/bin/sh\ncat "%s/standby"\n' "$SITE_RUN" >"$SITE_RUN/bin/crm_attribute"
	echo on >"$SITE_RUN/standby"
	chmod 755 "$SITE_RUN"/bin/*
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
