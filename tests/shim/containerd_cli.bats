# SPDX-License-Identifier: Apache-2.0
# tote in runc's place: containerd's shim for runc, with BinaryName=tote, driven by ctr.

load containerd_tests
STATE_DIR=runc

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

@test "features" {
	each_containerd features
}
