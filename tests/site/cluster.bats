# SPDX-License-Identifier: Apache-2.0
# A store of three boxes as init-store and configure make it, with real corosync and Pacemaker, each box in namespaces of its own
# (rig/rig): what happens to a container that must not run twice. A sample; rig/full.bats and rig/measure have the rest, by
# `make fleet-check`.
#
# One store serves all tests: each leaves it whole, and the container running.

bats_require_minimum_version 1.5.0
REAL_JQ=1
load ../bats
. "$BATS_TEST_DIRNAME/rig/store.bash"

setup_file() {
	local why
	why=$(can_cluster) || skip "$why"
	open_store 1 3>&- && start_witness
}

teardown_file() {
	close_store
}

setup() {
	RIG_LOG=$RIG_DIR/shared
	whole
	PRESSED=$(wc -l <"$RIG_DIR/power/log")
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || on "$(rig boxes 1 | tail -n 1)" crm_mon -1 || true
}

# How often the power switch was pressed for a box in this test.
pressed() { # BOX
	tail -n "+$((PRESSED + 1))" "$RIG_DIR/power/log" | awk -v box="$1" '$2 == "reboot" && $3 == box { n++ } END { print n + 0 }'
}

@test "configure says what it changes, changes nothing the second time, and checks the times of all boxes" {
	run -0 on s1b2 tote-site configure
	[ "$(grep -c 'as it should be' <<<"$output")" = 5 ]
	[[ $output == *"token: 1000 ms on all boxes"* ]]
	# What is somebody else's stays.
	on s1b1 crm_attribute -n stonith-max-attempts -v 7
	on s1b1 cibadmin --modify -o crm_config --xml-text '<cluster_property_set id="tote-options"><nvpair id="tote-options-dc-deadtime" name="dc-deadtime" value="77s"/></cluster_property_set>'
	run -0 on s1b3 tote-site configure --dry-run
	[[ $output == *"crm_config: would change"* ]]
	on s1b1 cibadmin --query -o crm_config | grep 77s
	run -0 on s1b3 tote-site configure
	[[ $output == *"crm_config: changed"* ]]
	run ! grep 77s <(on s1b1 cibadmin --query -o crm_config)
	on s1b1 cibadmin --query -o crm_config | grep 'name="stonith-max-attempts" value="7"'
	on s1b1 crm_attribute -n stonith-max-attempts -D
	on s1b1 crm_verify --live-check
}

@test "the floating address answers, and boxes reach each other as peers only" {
	wait_for 20 rig hall timeout 5 bash -c ': </dev/tcp/10.50.1.100/22'
	[ "$(on s1b1 ssh -F /etc/tote/ssh/config 10.50.1.3 tote-site peer token)" = 1000 ]
	run -2 on s1b1 ssh -F /etc/tote/ssh/config 10.50.1.3 id
	[[ $output != *uid=* ]]
	# Headquarters' key may do more.
	run -0 rig hall ssh -i "$RIG_DIR/hq/key" -o BatchMode=yes -o UserKnownHostsFile="$RIG_DIR/hq/hostkeys/store0001" -o StrictHostKeyChecking=yes \
		root@10.50.1.2 hostname
	[ "$output" = s1b2 ]
}

@test "a container that dies is started again on its box" {
	local box=$BOX begin
	begin=$(up_time)
	on "$box" tote kill witness KILL
	wait_for 60 started_after "$begin"
	[ "$(started_at nobody)" != "" ]
	[ "$(last_start_box)" = "$box" ]
	[ "$(pressed "$box")" = 0 ]
}

@test "a container runs on while pacemakerd is killed and comes back" {
	local box=$BOX run
	run=$(tail -n 1 "$RIG_LOG/beats" | cut -d ' ' -f 3)
	on "$box" sh -c 'kill -KILL $(cat /run/pacemakerd.pid)'
	sleep 5
	wait_for 60 settled_all
	wait_for 20 beats_now
	[ "$(tail -n 1 "$RIG_LOG/beats" | cut -d ' ' -f 3)" = "$run" ]
	[ "$(pressed "$box")" = 0 ]
}

@test "drain: it goes elsewhere at once, and the box may come back" {
	local box=$BOX
	on "$box" crm_standby -v on -l reboot
	wait_for 60 beats_elsewhere "$box"
	on "$box" crm_standby -D -l reboot
	wait_for 60 settled_all
	[ "$(pressed "$box")" = 0 ]
	[ "$(overlaps | tr '\n' ' ')" = "0 0 " ]
}

@test "a box that loses its power is fenced, and the others take over" {
	local box=$BOX begin
	begin=$(up_time)
	rig kill "$box"
	wait_for 60 beats_elsewhere "$box"
	echo "after $(since "$begin" "$(started_at "$box")") s"
	[ "$(pressed "$box")" -ge 1 ]
	wait_for 60 settled_all
	[ "$(overlaps | tr '\n' ' ')" = "0 0 " ]
}

@test "a box whose cable is cut is switched off before another starts its container" {
	local box=$BOX off
	rig cut "$box"
	wait_for 60 beats_elsewhere "$box"
	[ "$(pressed "$box")" -ge 1 ]
	off=$(awk -v box="$box" '$2 == "off" && $3 == box { t = $1 } END { print t }' "$RIG_DIR/power/log")
	awk -v off="$off" -v start="$(started_at "$box")" 'BEGIN { exit !(off < start) }'
	rig plug "$box"
	wait_for 90 settled_all
	[ "$(overlaps | tr '\n' ' ')" = "0 0 " ]
}
