# SPDX-License-Identifier: Apache-2.0
# The rest of cluster.bats: what takes longer, for `make fleet-check`. Two boxes lost, all cables cut, headquarters lost, going on
# alone, daemons of the cluster killed, an image that is missing, a container that does not end.

bats_require_minimum_version 1.5.0
. "$BATS_TEST_DIRNAME/store.bash"

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
	PRESSED=$(grep -c reboot "$RIG_DIR/power/log" || true)
}

teardown() {
	local box
	[ -z "${BATS_TEST_COMPLETED:-}" ] || return 0
	for box in $(rig boxes 1); do
		on "$box" crm_mon -1 || true
	done
	cat "$RIG_DIR/power/log"
}

pressed() { # TIMES: the power switch, in this test
	[ "$(grep -c reboot "$RIG_DIR/power/log" || true)" = $((PRESSED + $1)) ]
}

others() { # BOX
	rig boxes 1 | grep -vx "$1"
}

no_overlap() {
	[ "$(overlaps | tr '\n' ' ')" = "0 0 " ]
}

# A second container, on a box or two. PARAMETERS as nvpairs.
resource() { # NAME "K=V"... [-- OP-TIMEOUT]
	local name=$1 word
	shift
	{
		echo "<resources><primitive id=\"$name\" class=\"ocf\" provider=\"tote\" type=\"container\"><instance_attributes id=\"$name-p\">"
		for word; do
			echo "<nvpair id=\"$name-${word%%=*}\" name=\"${word%%=*}\" value=\"${word#*=}\"/>"
		done
		echo "</instance_attributes><operations><op id=\"$name-start\" name=\"start\" interval=\"0s\" timeout=\"20s\"/>"
		echo "<op id=\"$name-stop\" name=\"stop\" interval=\"0s\" timeout=\"${STOP_TIMEOUT:-20s}\"/>"
		echo "<op id=\"$name-monitor\" name=\"monitor\" interval=\"2s\" timeout=\"10s\"/></operations></primitive></resources>"
	} >"$RIG_LOG/resource.xml"
	on s1b1 cibadmin --modify --allow-create -o resources --xml-file /shared/resource.xml
}

no_resource() { # NAME
	on s1b1 cibadmin --delete --xml-text "<primitive id=\"$1\"/>"
	on s1b1 crm_resource --cleanup --resource "$1" >/dev/null 2>&1 || true
}

runs_on() { # RESOURCE: sets REPLY
	REPLY=$(on s1b1 crm_resource --quiet --resource "$1" --locate 2>/dev/null) && [ -n "$REPLY" ]
}

@test "two of three boxes lost: the third has no quorum and stops, and goes on when a second one is back" {
	local box=$BOX two
	mapfile -t two < <(others "$box")
	# Neither is fenced and started again by those who are gone, and the third may not fence.
	rig kill "${two[0]}" & rig kill "${two[1]}" & wait
	wait_for 30 no_beats_now
	[ "$(on "$box" crm_mon -1 | grep -c 'partition WITHOUT quorum')" = 1 ]
	sleep 3
	no_beats_now
	rig start "${two[0]}"
	wait_for 90 beats_now
	rig start "${two[1]}"
	wait_for 90 settled_all
	no_overlap
}

@test "two of three boxes lost: the third goes on alone when somebody says so, and configure ends that" {
	local box=$BOX two
	mapfile -t two < <(others "$box")
	rig kill "${two[0]}" & rig kill "${two[1]}" & wait
	wait_for 30 no_beats_now
	on "$box" crm_attribute -n no-quorum-policy -v ignore
	wait_for 60 beats_now
	[ "$BOX" = "$box" ]
	rig start "${two[0]}"
	rig start "${two[1]}"
	wait_for 90 settled_all
	on "$box" tote-site configure | grep 'crm_config: changed'
	on "$box" crm_attribute -n no-quorum-policy -G -q | grep -x stop
	no_overlap
}

@test "the switch is lost: all boxes stop their containers, none is fenced, and all comes back with it" {
	local box begin
	begin=$(up_time)
	for box in $(rig boxes 1); do
		rig cut "$box"
	done
	wait_for 30 no_beats_now
	echo "nobody after $(since "$begin" "$(last_beat "$BOX" 999999999)") s"
	sleep 2
	no_beats_now
	for box in $(rig boxes 1); do
		rig plug "$box"
	done
	begin=$(up_time)
	wait_for 90 beats_now
	echo "back after $(since "$begin" "$(started_at nobody)") s"
	wait_for 90 settled_all
	no_overlap
}

@test "headquarters and the internet are lost: nobody in the store notices" {
	local run
	run=$(tail -n 1 "$RIG_LOG/beats" | cut -d ' ' -f 3)
	rig hall ip addr del 10.50.1.254/24 dev br1
	sleep 5
	settled_all
	on s1b1 tote-site configure
	# A box can be drained and come back without it.
	on "$BOX" crm_standby -v on -l reboot
	wait_for 60 beats_elsewhere "$BOX"
	for box in $(rig boxes 1); do
		on "$box" crm_standby -D -l reboot
	done
	rig hall ip addr add 10.50.1.254/24 dev br1
	[ -n "$run" ]
	pressed 0
	no_overlap
}

@test "the cluster's daemons killed one by one: the container is never there twice, and the store heals" {
	local box daemon
	for daemon in pacemaker-execd pacemaker-fenced pacemaker-attrd pacemaker-schedulerd pacemaker-based pacemaker-controld corosync; do
		whole
		box=$BOX
		echo "$daemon on $box"
		on "$box" pkill -KILL -x "$(cut -c 1-15 <<<"$daemon")"
		sleep 4
		wait_for 120 settled_all
		wait_for 60 beats_now
		no_overlap
		echo "$daemon: pressed $(($(grep -c reboot "$RIG_DIR/power/log" || true) - PRESSED)) times until now, runs on $BOX"
	done
}

@test "an image that a box lacks keeps the container from that box alone" {
	on s1b2 tote tag witness:1 lone:1
	resource lone image=lone:1 "run_cmd=" "run_opts=-v /shared/none:/log -v /etc/hostname:/etc/box:ro"
	mkdir -p "$RIG_LOG/none" && chmod 777 "$RIG_LOG/none"
	wait_for 60 runs_on lone
	wait_for 60 [ -s "$RIG_LOG/none/events" ]
	[ "$(awk '{ print $2 }' "$RIG_LOG/none/events" | sort -u)" = s1b2 ]
	no_resource lone
	wait_for 60 not_there s1b2 lone
}

not_there() { # BOX CONTAINER
	local code=0
	on "$1" tote state --quiet "$2" || code=$?
	[ "$code" = 3 ]
}

@test "a container that does not end is killed within its time, and nobody is fenced" {
	mkdir -p "$RIG_LOG/none" && chmod 777 "$RIG_LOG/none"
	STOP_TIMEOUT=15s resource stubborn image=witness:1 "run_opts=-v /shared/none:/log -v /etc/hostname:/etc/box:ro -e STOP=1000"
	wait_for 60 runs_on stubborn
	box=$REPLY
	on s1b1 crm_resource --resource stubborn --meta --set-parameter target-role --parameter-value Stopped
	wait_for 30 not_there "$box" stubborn
	pressed 0
	no_resource stubborn
}

@test "a stop that fails is a reason to switch the box off" {
	mkdir -p "$RIG_LOG/none" && chmod 777 "$RIG_LOG/none"
	resource stuck image=witness:1 "run_opts=-v /shared/none:/log -v /etc/hostname:/etc/box:ro"
	wait_for 60 runs_on stuck
	box=$REPLY
	# The program is away: nobody can say whether the container runs.
	on "$box" mv /usr/local/bin/tote /usr/local/bin/tote.away
	on s1b1 crm_resource --resource stuck --meta --set-parameter target-role --parameter-value Stopped
	wait_for 60 pressed_once
	wait_for 20 off_now "$box"
	mv "$RIG_DIR/box/$box/upper/usr/local/bin/tote.away" "$RIG_DIR/box/$box/upper/usr/local/bin/tote" 2>/dev/null || true
	wait_for 90 settled_all
	on s1b1 cibadmin --delete --xml-text '<primitive id="stuck"/>'
	wait_for 60 beats_now
	no_overlap
}

pressed_once() {
	[ "$(grep -c reboot "$RIG_DIR/power/log" || true)" -gt "$PRESSED" ]
}

off_now() {
	grep -q " off $1\$" "$RIG_DIR/power/log"
}

@test "the whole store loses its power: it comes back by itself" {
	local box begin
	for box in $(rig boxes 1); do
		rig kill "$box"
	done
	begin=$(up_time)
	for box in $(rig boxes 1); do
		rig start "$box"
	done
	wait_for 120 beats_now
	echo "after $(since "$begin" "$(started_at nobody)") s"
	wait_for 90 settled_all
	pressed 0
	no_overlap
}

@test "boxes that are shut down in order, one after the other, take the container along, and nobody is fenced" {
	local box
	for box in $(rig boxes 1); do
		whole
		rig halt "$box"
		wait_for 60 beats_elsewhere "$box"
		rig start "$box"
	done
	wait_for 90 settled_all
	pressed 0
	no_overlap
}
