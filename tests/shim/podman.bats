# SPDX-License-Identifier: Apache-2.0
# tote in runc's place under podman, by the drop-in that is installed (share/containers/tote.conf) and by a path.

bats_require_minimum_version 1.5.0
load podman

setup_file() { start_podman; }
teardown_file() { stop_podman; }
teardown() { clean_podman; }

new() { # NAME COMMAND...: a container in the background
	podman run -d --name "$1" ${OPTIONS:-} "$IMAGE" "${@:2}" >"$POD_DIR/out" 2>&1 3>&- </dev/null || { cat "$POD_DIR/out"; return 1; }
}

by_hand() {
	inside "$TOTE_COPY" "$@"
}

nothing_left() {
	[ "$(by_hand list -f json)" = '[]' ] || { by_hand list; return 1; }
	[ -z "$POD_PARENT" ] || [ -z "$(find "$POD_PARENT" -name 'libpod-*' -not -name '*conmon*' 2>/dev/null)" ] || { echo "cgroups left"; return 1; }
}

@test "run: output, input, exit codes, nothing left" {
	ran podman run --rm --env A=b --workdir /tmp --hostname box "$IMAGE" sh -c 'echo $A; pwd; hostname; id -u; exit 7'
	[ "$status" = 7 ]
	[ "$output" = $'b\n/tmp\nbox\n0' ]
	[ "$(echo piped | podman run --rm -i "$IMAGE" tr a-z A-Z)" = PIPED ]
	ran podman run --rm --pid host "$IMAGE" sh -c 'kill -KILL $$'
	[ "$status" = 137 ]
	nothing_left
}

@test "run: a runtime by its path, without the drop-in's word for it" {
	RUNTIME=$POD_DIR/bin/other
	cp "$TOTE_COPY" "$RUNTIME"
	ran podman run --rm "$IMAGE" echo hello
	[ "$output" = hello ]
	ran podman run --rm "$IMAGE" nosuch
	[ "$status" = 127 ]
	[[ $output == *'executable file not found in $PATH'* ]]
	ran podman run --rm --cgroups=disabled "$IMAGE" true
	[ "$status" = 125 ]
	[[ $output == *NoCgroups* ]]
}

@test "run: read-only root, user, mounts, capabilities, seccomp, ids" {
	mkdir -p "$POD_DIR/volume"
	echo seen >"$POD_DIR/volume/file"
	ran podman run --rm --read-only --user 1:1 -v "$POD_DIR/volume:/mnt:ro" --tmpfs /run --cap-drop all --security-opt no-new-privileges "$IMAGE" \
		sh -c 'exec 2>/dev/null; id -u; cat /mnt/file; echo >/x || echo >/mnt/x || echo closed; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\t"'
	[ "$status" = 0 ]
	[ "$output" = $'1\nseen\nclosed\nCapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2' ]
	ran podman run --rm --privileged "$IMAGE" grep Seccomp: /proc/self/status
	[[ $output == *0 ]]
	ran podman run --rm --uidmap 0:100000:1000 --gidmap 0:100000:1000 "$IMAGE" sh -c 'cat /proc/self/uid_map; id -u'
	[ "$status" = 0 ]
	[[ $output == *100000*1000*$'\n'0 ]]
}

@test "exit codes 126 and 127" {
	ran podman run --rm "$IMAGE" nosuch
	[ "$status" = 127 ]
	[[ $output == *'executable file not found in $PATH'* ]]
	ran podman run --rm "$IMAGE" /no/such
	[ "$status" = 127 ]
	ran podman run --rm "$IMAGE" /etc/passwd
	[ "$status" = 126 ]
	new a sleep 1000
	ran podman exec a nosuch
	[ "$status" = 127 ]
	ran podman exec a /no/such
	[ "$status" = 127 ]
	ran podman exec a /etc/passwd
	[ "$status" = 126 ]
	ran podman exec --workdir /no/such a true
	[ "$status" = 127 ]
	[ "$(podman inspect a --format '{{.State.Status}}')" = running ]
}

@test "run -d, ps, inspect, logs, top, kill, wait, rm" {
	new a sh -c 'trap "echo ended; exit 9" TERM; echo started; echo wrong >&2; while :; do sleep 0.1; done'
	soon started a
	[ "$(podman ps --format '{{.Names}}')" = a ]
	local id pid
	id=$(podman inspect a --format '{{.Id}}')
	pid=$(podman inspect a --format '{{.State.Pid}}')
	[ "$(by_hand state "$id" | jq -c '[.status, .pid]')" = "[\"running\",$pid]" ]
	[ "$(podman inspect a --format '{{.OCIRuntime}}')" = tote ]
	[ "$(podman logs a 2>&1 | sort | tr '\n' ' ')" = "started wrong " ]
	ran podman top a pid comm
	[[ $output == *1*sh* ]]
	podman kill --signal TERM a
	[ "$(podman wait a)" = 9 ]
	[ "$(podman logs --tail 1 a)" = ended ]
	ran podman kill a
	[ "$status" != 0 ]
	podman rm a
	nothing_left
}

started() {
	podman logs "$1" 2>/dev/null | grep -q started
}

started_times() {
	[ "$(podman logs a | grep -c started)" = "$1" ]
}

@test "stop, start, restart, rm -f" {
	new a sh -c 'echo started; exec sleep 1000'
	soon started_times 1
	podman stop -t 0 a
	[ "$(podman inspect a --format '{{.State.Status}} {{.State.ExitCode}}')" = "exited 137" ]
	podman start a
	soon started_times 2
	podman restart -t 0 a
	[ "$(podman inspect a --format '{{.State.Status}}')" = running ]
	soon started_times 3
	podman rm -f -t 0 a
	nothing_left
}

@test "exec: output, input, user, exit codes, detached" {
	new a sleep 1000
	ran podman exec --user 1 --workdir /tmp --env A=b a sh -c 'id -u; pwd; echo $A; exit 5'
	[ "$status" = 5 ]
	[ "$output" = $'1\n/tmp\nb' ]
	[ "$(echo piped | podman exec -i a tr a-z A-Z)" = PIPED ]
	podman exec -d a sh -c 'echo >/tmp/mark; exec sleep 999'
	soon podman exec a test -e /tmp/mark
	podman top a args | grep -q 'sleep 999'
	ran podman exec --privileged a grep CapEff /proc/self/status
	[ $((0x${output##*[[:space:]]} >> 21 & 1)) = 1 ]
	ran podman exec a sh -c 'kill -TERM $$'
	[ "$status" = 143 ]
}

@test "run -it, exec -it, attach: a terminal" {
	ran on_terminal podman run --rm -it "$IMAGE" sh -c 'tty; for i in $(seq 50); do size=$(stty size 2>/dev/null) && [ -n "$size" ] && echo $size && exit 4; sleep 0.1; done' </dev/null
	[ "$status" = 4 ]
	[[ $output == *"/dev/pts/0"*"24 80"* ]]
	new a sleep 1000
	ran on_terminal podman exec -it a sh <<<'echo typed $((40+2)); tty; exit 3'
	[ "$status" = 3 ]
	[[ $output == *"typed 42"*"/dev/pts/0"* ]]
	OPTIONS=-it new b sh
	ran on_terminal podman attach b <<<'echo again $((1+1)); exit 8'
	[[ $output == *"again 2"* ]]
	[ "$(podman wait b)" = 8 ]
}

@test "pause, unpause" {
	new a sh -c 'while :; do echo x >>/count; sleep 0.02; done'
	soon podman exec a test -s /count
	podman pause a
	[ "$(podman inspect a --format '{{.State.Status}}')" = paused ]
	[ "$(by_hand state "$(podman inspect a --format '{{.Id}}')" | jq -r .status)" = paused ]
	ran podman exec a true
	[ "$status" != 0 ]
	podman unpause a
	podman exec a true
	podman pause a
	podman rm -f -t 0 a
	nothing_left
}

has_worked() {
	ran podman stats --no-stream --format json a
	[ "$(sed -n '/^\[/,$p' <<<"$output" | jq -r '.[0].cpu_time')" != 0s ]
}

@test "stats" {
	new a sh -c 'while :; do :; done'
	# Time of processors is counted without a controller as well.
	soon has_worked
	[ "$status" = 0 ]
}

@test "update" {
	podman update --help >/dev/null 2>&1 || skip "this podman has no update"
	new a sleep 1000
	podman update --cpu-shares 1024 a
	grep -qw pids "$(cgroup_tree)/cgroup.controllers" || return 0
	podman update --pids-limit 77 a
	grep -qrx 77 --include=pids.max "$(cgroup_tree)/libpod_parent"
}

@test "--cgroups=disabled" {
	new a sleep 1000
	OPTIONS=--cgroups=disabled new b sleep 1000
	[ -n "$(by_hand state "$(podman inspect b --format '{{.Id}}')" | jq .pid)" ]
	# Nobody made a group for it: it is where podman is, the other is not.
	[ "$(cat "/proc/$(podman inspect b --format '{{.State.Pid}}')/cgroup")" = "$(inside cat /proc/self/cgroup)" ]
	[ "$(cat "/proc/$(podman inspect a --format '{{.State.Pid}}')/cgroup")" != "$(inside cat /proc/self/cgroup)" ]
	podman exec b true
	podman rm -f -t 0 b
}

@test "a health check runs in the container" {
	OPTIONS='--health-cmd /health --health-interval disable' new a sh -c 'echo "exit 0" >/health; chmod 755 /health; exec sleep 1000'
	soon podman exec a test -x /health
	podman exec a sh -c 'printf "#!/bin/sh\nexit 0\n" >/health'
	podman healthcheck run a
	podman exec a sh -c 'printf "#!/bin/sh\nexit 1\n" >/health'
	ran podman healthcheck run a
	[ "$status" = 1 ]
}

@test "a pod: shared namespaces, kill, pause, rm -f" {
	podman pod create --name p --infra-command 'sleep 1000' --hostname podhost
	OPTIONS='--pod p' new a sleep 1000
	ran podman run --rm --pod p "$IMAGE" hostname
	[ "$output" = podhost ]
	OPTIONS='--pod p' new b sleep 1000
	local pid_a pid_b
	pid_a=$(podman inspect a --format '{{.State.Pid}}')
	pid_b=$(podman inspect b --format '{{.State.Pid}}')
	[ "$(readlink "/proc/$pid_a/ns/ipc")" = "$(readlink "/proc/$pid_b/ns/ipc")" ]
	[ "$(readlink "/proc/$pid_a/ns/pid")" != "$(readlink "/proc/$pid_b/ns/pid")" ]
	[ "$(podman pod inspect p --format '{{.NumContainers}}')" = 3 ]
	podman pod pause p
	[ "$(podman inspect b --format '{{.State.Status}}')" = paused ]
	podman pod unpause p
	podman pod kill p
	[ "$(podman wait b)" = 137 ]
	podman pod rm -f -t 0 p
	nothing_left
}

@test "checkpoint is refused before anything is done" {
	new a sleep 1000
	ran podman container checkpoint a
	[ "$status" = 125 ]
	[[ $output == *"does not support checkpoint/restore"* || $output == *CRIU* ]]
	[ "$(podman inspect a --format '{{.State.Status}}')" = running ]
}

@test "the process is killed from outside: the code is known, the container can be removed" {
	new a sleep 1000
	kill -KILL "$(podman inspect a --format '{{.State.Pid}}')"
	[ "$(podman wait a)" = 137 ]
	podman rm a
	nothing_left
}

@test "an ordinary user: run, exec, logs, kill, a pod" {
	make_user
	as_user unshare --user true 2>/dev/null || skip "ordinary users cannot make user namespaces here"
	ran user_podman import --change ENV=PATH=/bin "$POD_DIR/box.tar" "$IMAGE"
	[ "$status" = 0 ]
	ran user_podman run --rm "$IMAGE" sh -c 'id -u; cat /proc/self/uid_map; exit 7'
	[ "$status" = 7 ]
	[[ $output == *$'0\n'*"0"*"$USER_ID"*"$SUB_FIRST"* ]]
	ran user_podman run --rm --userns keep-id --user 1:1 --read-only --tmpfs /run "$IMAGE" id -u
	[ "${lines[-1]}" = 1 ]
	ran user_podman run --rm "$IMAGE" nosuch
	[ "$status" = 127 ]
	user_podman run -d --name a "$IMAGE" sh -c 'echo started; exec sleep 1000' >"$USER_HOME/out" 2>&1 3>&- </dev/null
	soon user_started
	# Where the contract says, though podman's monitor does not say who the user is.
	[ -d "$USER_HOME/run/tote/$(user_podman inspect a --format '{{.Id}}')" ]
	ran user_podman exec a sh -c 'id -u; exit 3'
	[ "$status" = 3 ]
	user_podman kill a
	[ "$(user_podman wait a)" = 137 ]
	user_podman rm a
	user_podman pod create --name p --infra-command 'sleep 1000' >"$USER_HOME/out" 2>&1
	ran user_podman run --rm --pod p "$IMAGE" hostname
	[ "${lines[-1]}" = p ]
	user_podman pod rm -f -t 0 p
	[ -z "$(ls "$USER_HOME/run/tote")" ]
}

user_started() {
	user_podman logs a 2>/dev/null | grep -q started
}
