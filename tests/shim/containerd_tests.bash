# SPDX-License-Identifier: Apache-2.0
# What ctr's users expect, whichever way tote comes to containerd: by runc's shim (containerd_cli.bats) or its own
# (containerd_shim.bats). Who loads this sets BY_TOTE, the options of `ctr run`, and STATE_DIR, where below /run/containerd tote's
# directory of containers is. Every test runs under every version of containerd that is to be had (see fetch-containerd).

bats_require_minimum_version 1.5.0
load ../bats
load ctr

setup_file() { start_containerds; }
teardown_file() { stop_containerds; }
teardown() { each_containerd clean_containers; }

new() { # ID COMMAND...: a container in the background
	ctr run -d "${BY_TOTE[@]}" "$IMAGE" "$@" >"$CTR_DIR/out" 2>&1 3>&- </dev/null || { cat "$CTR_DIR/out"; return 1; }
}

status_is() { # ID STATUS
	[ "$(ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }')" = "$2" ]
}

pid_of() {
	ctr tasks ls | awk -v id="$1" '$1 == id { print $2 }'
}

# Its program has got as far as to say so: `: >/up`.
is_up() { # ID
	in_containerd test -e "$CTR_DIR/state/io.containerd.runtime.v2.task/$CTR_NS/$1/rootfs/up"
}

by_hand() {
	"$TOTE" --root "$CTR_DIR/run/$STATE_DIR/$CTR_NS" "$@"
}

# Of a container nothing is left in tote's state directory, and no process.
nothing_of() { # ID
	[ ! -e "$CTR_DIR/run/$STATE_DIR/$CTR_NS/$1" ] || { echo "$1 is left in tote's state directory"; return 1; }
	[ ! -d "$(cgroup_of "$1")" ] || { echo "the cgroup of $1 is left"; return 1; }
}

cgroup_of() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo "/sys/fs/cgroup/$CTR_NS/$1"; else echo "/sys/fs/cgroup/unified/$CTR_NS/$1"; fi
}

run_rm() {
	ran ctr run --rm "${BY_TOTE[@]}" --env A=b --cwd /tmp "$IMAGE" c1 sh -c 'echo $A; pwd; id -u; hostname; exit 7'
	[ "$status" = 7 ]
	[ "${lines[0]}" = b ]
	[ "${lines[1]}" = /tmp ]
	[ "${lines[2]}" = 0 ]
	nothing_of c1
	ran ctr run --rm "${BY_TOTE[@]}" --with-ns "pid:/proc/$$/ns/pid" "$IMAGE" c1 sh -c 'kill -KILL $$'
	[ "$status" = 137 ]
	[ -z "$(ctr containers ls -q)" ]
}

options() {
	mkdir -p "$CTR_DIR/volume"
	echo seen >"$CTR_DIR/volume/file"
	ran ctr run --rm "${BY_TOTE[@]}" --read-only --with-ns "uts:/proc/$$/ns/uts" --net-host \
		--mount "type=bind,src=$CTR_DIR/volume,dst=/mnt,options=rbind:ro" --device /dev/full --seccomp \
		--label a=b "$IMAGE" c1 sh -c 'exec 2>/dev/null; cat /mnt/file; echo >/x || echo >/mnt/x || echo closed; echo >/dev/full || echo full
			grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\t"; readlink /proc/self/ns/net'
	[ "$status" = 0 ]
	[[ $output == seen$'\n'*closed*full*NoNewPrivs:1*Seccomp:2*"$(readlink /proc/self/ns/net)" ]]
	ran ctr run --rm "${BY_TOTE[@]}" --privileged "$IMAGE" c1 grep CapEff /proc/self/status
	[ "$status" = 0 ]
	[ $((0x${output##*[[:space:]]} >> 21 & 1)) = 1 ]
}

detached() {
	new c1 sh -c 'trap "exit 9" TERM; : >/up; while :; do sleep 0.1; done'
	status_is c1 RUNNING
	soon is_up c1
	[ "$(by_hand state c1 | jq -r .status)" = running ]
	[ "$(by_hand state c1 | jq -r .pid)" = "$(pid_of c1)" ]
	ran ctr tasks ps c1
	[[ $output == *"$(pid_of c1)"* ]]
	ran ctr tasks rm c1
	[ "$status" != 0 ]
	[[ $output == *"must be stopped"* || $output == *"to be stopped"* ]]
	ctr tasks kill -s TERM c1
	soon status_is c1 STOPPED
	# A second signal finds nobody: ctr has words for that.
	ran ctr tasks kill -s TERM c1
	[ "$status" != 0 ]
	[[ $output == *"process already finished"*"not found"* ]]
	ran ctr tasks rm c1
	[[ $output == *"exit code 9"* ]]
	nothing_of c1
}

all_killed() {
	new c1 sh -c 'sleep 1000 & sleep 1000 & wait'
	soon eval '[ "$(by_hand ps -f json c1 | jq length)" -ge 2 ]'
	ctr tasks kill -a -s KILL c1
	soon status_is c1 STOPPED
	ran ctr tasks rm c1
	[[ $output == *"exit code 137"* ]]
	nothing_of c1
	new c2 sleep 1000
	ctr tasks rm --force c2
	nothing_of c2
}

execs() {
	new c1 sleep 1000
	ran ctr tasks exec --exec-id e1 --cwd /tmp --user 1:1 c1 sh -c 'pwd; id -u; echo wrong >&2; exit 5'
	[ "$status" = 5 ]
	[[ $output == *"/tmp"*1* ]]
	[[ $output == *wrong* ]]
	[ "$(echo piped | ctr tasks exec --exec-id e2 c1 tr a-z A-Z)" = PIPED ]
	ran ctr tasks exec --exec-id e3 c1 sh -c 'kill -TERM $$'
	[ "$status" = 143 ]
	ctr tasks exec -d --exec-id e4 c1 sh -c 'echo $$ >/tmp/pid; exec sleep 1000' >/dev/null 2>&1 3>&- </dev/null
	soon ctr tasks exec --exec-id e5 c1 test -s /tmp/pid
	ctr tasks kill --exec-id e4 -s KILL c1
	soon no_exec e4
	status_is c1 RUNNING
}

no_exec() {
	! ctr tasks kill --exec-id "$1" -s 0 c1 >/dev/null 2>&1
}

terminals() {
	ran on_terminal ctr run --rm -t "${BY_TOTE[@]}" "$IMAGE" c1 \
		sh -c 'tty; for i in $(seq 50); do size=$(stty size 2>/dev/null) && [ -n "$size" ] && echo $size && exit 4; sleep 0.1; done' </dev/null
	[ "$status" = 4 ]
	[[ $output == *"/dev/pts/0"* ]]
	# ctr tells the size when the process runs already.
	[[ $output == *"24 80"* ]]
	new c2 sleep 1000
	ran on_terminal ctr tasks exec -t --exec-id e1 c2 sh <<<'echo typed $((40+2)); tty; exit 3'
	[ "$status" = 3 ]
	[[ $output == *"typed 42"* ]]
	[[ $output == *"/dev/pts/0"* ]]
	# ^C goes to the container's foreground process, not to ctr.
	TYPE_AFTER=ready ran on_terminal ctr tasks exec -t --exec-id e2 c2 \
		sh -c 'trap "echo caught; exit 6" INT; echo ready; while :; do sleep 0.1; done' < <(printf '\003')
	[ "$status" = 6 ]
	[[ $output == *caught* ]]
}

attached() {
	ran on_terminal ctr run -d -t "${BY_TOTE[@]}" "$IMAGE" c1 sh </dev/null
	ran on_terminal ctr tasks attach c1 <<<'echo again $((1+1)); exit 8'
	[ "$status" = 8 ]
	[[ $output == *"again 2"* ]]
}

frozen() {
	new c1 sh -c 'while :; do echo x >>/count; sleep 0.02; done'
	soon ctr tasks exec --exec-id e1 c1 test -s /count
	ctr tasks pause c1
	status_is c1 PAUSED
	[ "$(by_hand state c1 | jq -r .status)" = paused ]
	local rootfs before
	rootfs=$CTR_DIR/state/io.containerd.runtime.v2.task/$CTR_NS/c1/rootfs
	before=$(in_containerd stat -c %s "$rootfs/count")
	sleep 0.2
	[ "$(in_containerd stat -c %s "$rootfs/count")" = "$before" ]
	ctr tasks resume c1
	status_is c1 RUNNING
	soon eval '[ "$(in_containerd stat -c %s "$rootfs/count")" -gt "$before" ]'
}

metrics() {
	new c1 sleep 1000
	ran ctr tasks metrics c1
	[ "$status" = 0 ]
	[[ $output == *pids.current* ]]
	[[ $output == *memory.usage* ]]
	# Only what controllers of version 2 count can be told; without them there are zeros.
	grep -qw memory "$(dirname "$(cgroup_of c1)")/cgroup.controllers" || return 0
	[ "$(awk '$1 == "memory.usage" { print $2 }' <<<"$output")" -gt 0 ]
	[ "$(awk '$1 == "pids.current" { print $2 }' <<<"$output")" = 1 ]
}

told() { # WORDS COMMAND...: it fails, and says so, in small letters or large
	local words=$1
	shift
	ran "$@"
	[ "$status" != 0 ]
	grep -qiF -- "$words" <<<"$output"
}

errors() {
	told 'exec: "nosuch": executable file not found in $PATH' ctr run --rm "${BY_TOTE[@]}" "$IMAGE" c1 nosuch
	nothing_of c1
	told 'no such file or directory' ctr run --rm "${BY_TOTE[@]}" "$IMAGE" c1 /no/such
	told 'permission denied' ctr run --rm "${BY_TOTE[@]}" "$IMAGE" c1 /etc/passwd
	told 'no such file or directory' ctr run --rm "${BY_TOTE[@]}" --mount type=bind,src=/no/such,dst=/mnt,options=bind "$IMAGE" c1 true
	nothing_of c1
	new c2 sleep 1000
	told 'exec: "nosuch": executable file not found in $PATH' ctr tasks exec --exec-id e1 c2 nosuch
	told 'no such file or directory' ctr tasks exec --exec-id e1 c2 /no/such
	told 'permission denied' ctr tasks exec --exec-id e1 c2 /etc/passwd
	# Nothing of the failed ones is in the way.
	ctr tasks exec --exec-id e1 c2 true
	told 'no such file or directory' ctr run --rm --runc-binary /no/such/tote "$IMAGE" c3 true
}

checkpoints() {
	new c1 sleep 1000
	told checkpoint ctr tasks checkpoint c1
	status_is c1 RUNNING
}

restarts() {
	new c1 sh -c 'trap "exit 12" TERM; : >/up; while :; do sleep 0.1; done'
	soon is_up c1
	kill_containerd
	boot_containerd
	status_is c1 RUNNING
	[ "$(ctr tasks exec --exec-id e1 c1 echo still)" = still ]
	ctr tasks kill c1
	soon status_is c1 STOPPED
	ran ctr tasks rm c1
	[[ $output == *"exit code 12"* ]]
}

no_shim() {
	new c1 sleep 1000
	local pid shim
	pid=$(pid_of c1)
	shim=$(shims)
	kill -KILL $shim
	soon gone_pid "$pid"
	soon nothing_of c1
}

many() {
	local pids=() i
	for i in $(seq 12); do
		ctr run --rm "${BY_TOTE[@]}" "$IMAGE" "m$i" sh -c "exit $i" >/dev/null 2>&1 </dev/null 3>&- &
		pids[i]=$!
	done
	for i in $(seq 12); do
		local code=0
		wait "${pids[i]}" || code=$?
		[ "$code" = "$i" ]
	done
}

# Release 2 asks the runtime what it can do.
features() {
	[ "${CTR_VERSION%%.*}" -ge 2 ] || return 0
	ran ctr plugins inspect-runtime --runtime io.containerd.runc.v2 --runc-binary "$TOTE"
	[ "$status" = 0 ]
	[ "$(jq -r .Features.ociVersionMax <<<"$output")" = "$("$TOTE" features | jq -r .ociVersionMax)" ]
}
