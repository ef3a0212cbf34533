# SPDX-License-Identifier: Apache-2.0
# A container that makes groups of its own in its group, as systemd does: no process may be beside them then. And whoever is in them
# belongs to the container all the same.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
	CG=/sys/fs/cgroup
}

teardown() {
	clean_up
}

# init moves aside, hands pids on, and starts a process in a group of its own.
manages_groups() {
	started sh -c "cd $CG && mkdir -p init one/leaf && echo 1 >init/cgroup.procs && echo +pids >cgroup.subtree_control &&
		echo +pids >one/cgroup.subtree_control && { sh -c 'echo \$\$ >one/leaf/cgroup.procs; exec sleep 999' & } && exec sleep 1000"
	eventually settled
}

settled() {
	[ -n "$(cat "$G/one/leaf/cgroup.procs" 2>/dev/null)" ]
}

@test "exec goes where init is, or where it is told to" {
	RESOURCES='{"pids": {"limit": 50}}'
	manages_groups
	reads cgroup.subtree_control pids cgroup.procs ''
	[ "$(tote exec "$ID" cat /proc/self/cgroup)" = 0::/init ]
	[ "$(tote exec --cgroup init "$ID" cat /proc/self/cgroup)" = 0::/init ]
	[ "$(tote exec --cgroup one/leaf "$ID" cat /proc/self/cgroup)" = 0::/one/leaf ]
	refuses 255 "--cgroup one: that group hands controllers on to its children and may hold no processes itself; name a group below it" \
		exec --cgroup one "$ID" true
	refuses 255 "open cgroup /tote-$ID/nowhere: No such file or directory" exec --cgroup nowhere "$ID" true
	refuses 255 '--cgroup: must not hold ".."' exec --cgroup ../x "$ID" true
	refuses 255 '--cgroup: an empty path ("/" is the container' exec --cgroup '' "$ID" true
	# What is inside can freeze its own groups: whoever comes in later need not wait there.
	echo 1 >"$G/one/cgroup.freeze"
	refuses 255 "cannot exec in cgroup /tote-$ID/one/leaf, which is frozen" exec --cgroup one/leaf "$ID" true
	echo 1 >"$G/init/cgroup.freeze"
	status_is running
	refuses 255 "cannot exec in cgroup /tote-$ID/init, which is frozen" exec "$ID" true
	echo 0 >"$G/init/cgroup.freeze"
	tote exec "$ID" true
}

@test "ps, pause, resume, kill and update reach all groups, delete leaves none" {
	RESOURCES='{"pids": {"limit": 50}}'
	manages_groups
	local group pid listed
	listed=" $(tote ps -f json "$ID" | tr -c 0-9 ' ') "
	for group in init one/leaf; do
		read -r pid <"$G/$group/cgroup.procs"
		[[ $listed == *" $pid "* ]]
	done
	tote pause "$ID"
	eventually status_is paused
	for group in init one/leaf; do
		eventually eval '[ "$(number_in $group/cgroup.events frozen)" = 1 ]'
	done
	refuses 255 "cannot exec in a paused container" exec "$ID" true
	tote resume "$ID"
	[ "$(number_in one/leaf/cgroup.events frozen)" = 0 ]
	tote update --pids-limit 60 "$ID"
	reads pids.max 60
	tote kill --all "$ID" KILL
	eventually status_is stopped
	tote delete "$ID"
	nothing_left
}
