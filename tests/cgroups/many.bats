# SPDX-License-Identifier: Apache-2.0
# More groups in a container's group than are removed in a moment, and commands in a group that has no memory left.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
}

teardown() {
	clean_up
}

@test "thousands of empty groups go with the container, in time" {
	started sh -c 'cd /sys/fs/cgroup; i=0; while [ $i -lt 80 ]; do mkdir $i; (cd $i; mkdir $(seq 100)); i=$((i + 1)); done; echo >/dev/made; sleep 1000'
	local i left before
	for ((i = 0; i < 400; i++)); do
		[ "$(number_in cgroup.stat nr_descendants)" -lt 8080 ] || break
		sleep 0.5
	done
	[ "$(number_in cgroup.stat nr_descendants)" = 8080 ]
	# An emulated machine on a busy host may need more calls. Each ends in time, and leaves fewer than the one before.
	left=8080 code=1
	while [ $code != 0 ]; do
		within 10 tote delete --force "$ID" 2>"$BATS_TEST_TMPDIR/said"
		cat "$BATS_TEST_TMPDIR/said"
		[ $code != 0 ] || break
		before=$left
		left=$(sed -n 's/.* and \([0-9]*\) groups below it are left: call again$/\1/p' "$BATS_TEST_TMPDIR/said")
		[ "$left" -lt "$before" ]
	done
	nothing_left
}

@test "a command that finds no memory in the group says so" {
	RESOURCES='{"memory": {"limit": 67108864, "swap": 67108864}}'
	bundle sh -c 'dd if=/dev/zero of=/dev/fill bs=1M count=20 2>/dev/null; exec sleep 1000'
	# Nobody in there can be killed to make room.
	sed -i 's/"cwd": "\/"/&, "oomScoreAdj": -1000/' config.json
	quietly timeout 30 "$TOTE" --root "$ROOT" run -d "$ID"
	# Executing it needs memory as well.
	eventually eval '[ "$(<"$G/memory.current")" -gt 20000000 ] && [ "$(<"/proc/$(head -n 1 "$G/cgroup.procs")/comm")" = sleep ]'
	echo 4M >"$G/memory.max"
	refuses 255 "its cgroup ran out of memory" exec "$ID" true
}
