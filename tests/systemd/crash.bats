# SPDX-License-Identifier: Apache-2.0
# tote is killed while it makes a container in a scope. In a file of its own, as it takes long.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	needs_systemd
	make_bundle
	UNIT=tote-$ID.scope
}

teardown() {
	clean_up
}

@test "killed at any point of create, delete --force leaves nothing" {
	config '.linux.resources += {memory: {limit: 67108864}, pids: {limit: 5}}'
	command_is sleep 1000
	local calls n how
	calls=$("$FAULT" count -t 120 -- "$TOTE" --root "$ROOT" --systemd-cgroup create "$ID" </dev/null 2>/dev/null)
	tote delete --force "$ID"
	[ "$calls" -gt 100 ]
	# A sample, beginning at another call each day.
	for how in "" -a; do
		for ((n = 15 + 10#$(date +%j) % (calls / 8); n < calls; n += calls / 8)); do
			"$FAULT" kill -t 120 -n $n $how -- "$TOTE" --root "$ROOT" --systemd-cgroup create "$ID" </dev/null >/dev/null 2>&1 || true
			tote delete --force "$ID" || { echo "killed at call $n $how"; return 1; }
			# systemd may have been asked a moment before the end.
			eventually no_unit || { echo "killed at call $n $how"; return 1; }
			nothing_left || { echo "killed at call $n $how"; return 1; }
		done
	done
}
