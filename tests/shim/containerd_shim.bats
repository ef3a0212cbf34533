# SPDX-License-Identifier: Apache-2.0
# tote by its own shim, driven by ctr.

load containerd_tests
STATE_DIR=tote
BY_TOTE=(--runtime io.containerd.tote.v2)

@test "the versions" {
	each_containerd true
	skip_missing_versions
}

@test "run --rm: output, exit codes, nothing left" {
	each_containerd run_rm
}

@test "run: read-only root, mounts, devices, seccomp, namespaces of others, privileges" {
	each_containerd options
}

@test "run -d, ps, kill, rm with the true exit code" {
	each_containerd detached
}

@test "kill --all, rm --force" {
	each_containerd all_killed
}

@test "exec: output, input, user, exit codes, detached" {
	each_containerd execs
}

@test "run -t, exec -t: a terminal of the right size, keys, interrupts" {
	each_containerd terminals
}

@test "attach" {
	each_containerd attached
}

@test "pause, resume" {
	each_containerd frozen
}

@test "tasks metrics" {
	each_containerd metrics
}

@test "errors: the words that clients look for" {
	each_containerd errors
}

@test "checkpoint is refused, the container goes on" {
	each_containerd checkpoints
}

@test "containerd is killed and comes back: the container is the same" {
	each_containerd restarts
}

@test "the shim is killed: containerd has tote remove the container" {
	each_containerd no_shim
}

@test "twelve at the same time" {
	each_containerd many
}

# More than one container in a shim, as in a pod: by its annotation.
pods() {
	local i
	for i in 1 2 3; do
		ctr run -d "${BY_TOTE[@]}" --annotation io.containerd.tote.v2.group=pod "$IMAGE" "g$i" sleep 1000 3>&- </dev/null >/dev/null
	done
	[ "$(shims | wc -l)" = 1 ]
	[ "$(find "$CTR_DIR/run/s" -type s | wc -l)" = 1 ]
	ctr tasks kill -s KILL g2
	soon status_is g2 STOPPED
	ctr tasks rm g2 >/dev/null 2>&1 || true
	status_is g1 RUNNING
	[ "$(ctr tasks exec --exec-id e1 g3 echo here)" = here ]
	ctr tasks rm --force g1 g3 >/dev/null 2>&1
	soon no_shims
	[ "$(find "$CTR_DIR/run/s" -type s | wc -l)" = 0 ]
}

@test "one shim for a group, and none when it is over" {
	each_containerd pods
}

# Killed, it can tidy nothing up: containerd runs `delete` for each container that it knows.
pod_killed() {
	local i pids
	for i in 1 2 3; do
		ctr run -d "${BY_TOTE[@]}" --annotation io.containerd.tote.v2.group=pod "$IMAGE" "g$i" sleep 1000 3>&- </dev/null >/dev/null
	done
	pids="$(pid_of g1) $(pid_of g2) $(pid_of g3)"
	kill -KILL $(shims)
	for i in $pids; do soon gone_pid "$i"; done
	for i in 1 2 3; do soon nothing_of "g$i"; done
	soon no_sockets
}

no_sockets() {
	[ -z "$(find "$CTR_DIR/run/s" -type s)" ]
}

@test "the shim of a group is killed: no container of it and no socket is left" {
	each_containerd pod_killed
}

# What ended while containerd was away is told when it is back.
ended_meanwhile() {
	new c1 sh -c 'trap "exit 12" TERM; : >/up; while :; do sleep 0.1; done'
	soon is_up c1
	local pid
	pid=$(pid_of c1)
	kill_containerd
	kill -TERM "$pid"
	soon gone_pid "$pid"
	sleep 1
	boot_containerd
	soon status_is c1 STOPPED
	ran ctr tasks rm c1
	[[ $output == *"exit code 12"* ]]
	nothing_of c1
}

@test "a container that ends while containerd is down: its true exit code" {
	each_containerd ended_meanwhile
}

same_name() {
	local i
	for i in $(seq 10); do
		ran ctr run --rm "${BY_TOTE[@]}" "$IMAGE" same sh -c "exit $i"
		[ "$status" = "$i" ]
	done
}

@test "the same name again and again" {
	each_containerd same_name
}

in_parallel() {
	local pids=() i
	for i in $(seq 50); do
		ctr run -d "${BY_TOTE[@]}" "$IMAGE" "p$i" sleep 1000 >/dev/null 2>&1 </dev/null 3>&- &
		pids[i]=$!
	done
	for i in $(seq 50); do
		wait "${pids[i]}"
	done
	[ "$(ctr tasks ls | grep -c RUNNING)" = 50 ]
	ctr tasks rm --force $(ctr tasks ls -q) >/dev/null 2>&1
	soon no_shims
}

@test "50 creates at the same time" {
	each_containerd in_parallel
}
