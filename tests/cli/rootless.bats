# SPDX-License-Identifier: Apache-2.0
# tote as an ordinary user. The account exists only inside a mount namespace of each command, where files of the test's
# own lie over /etc/passwd, /etc/group, /etc/subuid and /etc/subgid; nothing is added to the host.

load helpers

USER_ID=47111
SUB_FIRST=1200000

# Bats' own directories cannot be searched by others: everything that the user sees is below HOME_DIR.
setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root, to become somebody else"
	export HOME_DIR
	HOME_DIR=$(mktemp -d /tmp/tote-rootless.XXXXXX)
	chmod 755 "$HOME_DIR"
	local program
	for program in "$(dirname "$TOTE")"/tote{,-net,-seccomp}; do
		[ ! -x "$program" ] || cp "$program" "$HOME_DIR/"
	done
	[ "$(basename "$TOTE")" = tote ] || cp "$TOTE" "$HOME_DIR/tote"
	(make_rootfs "$HOME_DIR/rootfs" && mkdir "$HOME_DIR/rootfs/mnt")
	chown -Rh $USER_ID:$USER_ID "$HOME_DIR/rootfs"
	mkdir "$HOME_DIR/etc"
	(grep -v '^tote-test:' /etc/passwd; echo "tote-test:x:$USER_ID:$USER_ID::$HOME_DIR:/bin/sh") >"$HOME_DIR/etc/passwd"
	(grep -v '^tote-test:' /etc/group; echo "tote-test:x:$USER_ID:") >"$HOME_DIR/etc/group"
	echo "tote-test:$SUB_FIRST:65536" | tee "$HOME_DIR/etc/subuid" >"$HOME_DIR/etc/subgid"
}

teardown_file() {
	[ -z "${HOME_DIR:-}" ] || rm -rf "$HOME_DIR"
}

setup() {
	BUNDLE=$HOME_DIR/bundle-$BATS_TEST_NUMBER
	RUNTIME=$HOME_DIR/run-$BATS_TEST_NUMBER
	ID=r$$-$BATS_TEST_NUMBER
	GROUP=
	install -d -o $USER_ID -g $USER_ID -m 700 "$BUNDLE" "$RUNTIME"
	user true 2>/dev/null || skip "cannot become another user"
	user unshare --user true 2>/dev/null || skip "ordinary users cannot make user namespaces here"
	user "$HOME_DIR/tote" spec --rootless -b "$BUNDLE"
	config '.process.terminal = false | .root.path = $r' --arg r "$HOME_DIR/rootfs"
}

teardown() {
	local id
	for id in $(tote list -q); do
		tote delete --force "$id"
	done
	[ -z "$GROUP" ] || rmdir "$GROUP"
}

# A command of the user's. HIDE names a program that is not installed for it.
user() {
	HIDE=${HIDE:-} unshare --mount --propagation private sh -c '
		for f in passwd group subuid subgid; do
			[ ! -e /etc/$f ] || mount --bind '"$HOME_DIR"'/etc/$f /etc/$f || exit 99
		done
		[ -z "$HIDE" ] || mount --bind /dev/null "$HIDE" || exit 99
		cd '"$BUNDLE"' && unset HIDE && exec setpriv --reuid='$USER_ID' --regid='$USER_ID' --clear-groups --inh-caps=-all "$@"' \
		sh env -i "PATH=$PATH" HOME="$HOME_DIR" USER=tote-test ${RUNTIME:+"XDG_RUNTIME_DIR=$RUNTIME"} "$@"
}

tote() {
	user "$HOME_DIR/tote" "$@"
}

runs() { # COMMAND...: as the container's, with success
	command_is "$@"
	run tote run "$ID"
	[ "$status" = 0 ] || { echo "code $status: $output"; return 1; }
}

refused() { # PATTERN
	run tote run "$ID"
	[ "$status" = 1 ]
	[[ $output == $1 ]] || { echo "said: $output"; return 1; }
	[ ! -e "$RUNTIME/tote/$ID" ]
}

start_sleeper() {
	command_is sleep 120
	tote run -d "$ID" </dev/null >"$HOME_DIR/out" 2>&1
	PID=$(tote state "$ID" | jq .pid)
}

gone() { # PID: ended, though perhaps not waited for yet
	[ ! -d "/proc/$1" ] || [ "$(awk '/^State:/ {print $2}' "/proc/$1/status")" = Z ]
}

has_status() { [ "$(status_of "$ID")" = "$1" ]; }

subordinate() {
	[ -u /usr/bin/newuidmap ] || skip "newuidmap (Debian package uidmap) is not installed"
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "the host has no /etc/subuid"
	config ".linux.uidMappings = [{containerID: 0, hostID: $USER_ID, size: 1}, {containerID: 1, hostID: $SUB_FIRST, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings"
}

@test "spec --rootless maps the user's own ids and asks for nothing that takes root" {
	[ "$(jq -c '.linux.uidMappings, .linux.gidMappings' "$BUNDLE/config.json" | sort -u)" = "[{\"containerID\":0,\"hostID\":$USER_ID,\"size\":1}]" ]
	jq -e '.linux.namespaces | map(.type) | index("user") and (index("network") | not)' "$BUNDLE/config.json"
	jq -e '.linux.resources == null' "$BUNDLE/config.json"
	jq -e '[.mounts[].options // [] | .[] | select(startswith("gid="))] == []' "$BUNDLE/config.json"
}

@test "run: root inside, the user outside, setgroups denied" {
	runs sh -c 'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; hostname; exit 0'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 0 ]
	[[ ${lines[2]} =~ ^\ *0\ +$USER_ID\ +1$ ]]
	[[ ${lines[3]} =~ ^\ *0\ +$USER_ID\ +1$ ]]
	[ "${lines[4]}" = deny ]
	[ "${lines[5]}" = tote ]
}

@test "the exit code passes through, errors as well" {
	command_is sh -c 'exit 37'
	run tote run "$ID"
	[ "$status" = 37 ]
	command_is /no/such/program
	refused '*/no/such/program*No such file*'
}

@test "the life of a container: create, state, start, list, exec, kill, delete" {
	command_is sh -c 'echo started; exec sleep 120'
	tote create --pid-file "$BUNDLE/pid" "$ID" </dev/null >"$HOME_DIR/out" 2>&1
	has_status created
	[ "$(stat -c %u:%a "$RUNTIME/tote")" = $USER_ID:1700 ]
	[ "$(stat -c %u:%a "$RUNTIME/tote/$ID")" = $USER_ID:700 ]
	[ "$(cat "$BUNDLE/pid")" = "$(tote state "$ID" | jq .pid)" ]
	tote start "$ID"
	eventually grep -q started "$HOME_DIR/out"
	has_status running
	run tote list -f json
	[ "$(jq -r '.[0].id + " " + .[0].owner' <<<"$output")" = "$ID $USER_ID" ]
	run tote exec "$ID" sh -c 'id -u; echo $PPID; readlink /proc/1/exe; exit 5'
	[ "$status" = 5 ]
	[ "${lines[0]}" = 0 ]
	run tote delete "$ID"
	[ "$status" = 1 ]
	tote kill "$ID" KILL
	eventually has_status stopped
	tote delete "$ID"
	run tote state "$ID"
	[ "$status" = 1 ]
	[[ $output == *"container does not exist"* ]]
	[ ! -e "$RUNTIME/tote/$ID" ]
}

@test "without XDG_RUNTIME_DIR a state directory must be given" {
	RUNTIME= run tote list
	[ "$status" = 1 ]
	[[ $output == *--root*XDG_RUNTIME_DIR* ]]
	command_is id -u
	RUNTIME= run tote --root "$BUNDLE/state" run "$ID"
	[ "$status" = 0 ]
	[ "$output" = 0 ]
	[ "$(stat -c %a "$BUNDLE/state")" = 1700 ]
}

@test "--rootless=true and false decide where containers are recorded" {
	command_is true
	run tote --rootless=false run "$ID"
	[ "$status" = 1 ]
	[[ $output == *"state directory /run/tote: Permission denied"* ]]
	run tote --rootless=perhaps list
	[ "$status" = 1 ]
	[[ $output == *"--rootless: expected true, false or auto"* ]]
}

@test "root of a user namespace that is not root by name keeps to the user's directory" {
	command_is sleep 120
	config 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	run user unshare --user --map-root-user sh -c "exec $HOME_DIR/tote create $ID >$BUNDLE/out 2>&1"
	[ -e "$RUNTIME/tote/$ID/state.json" ] || { echo "$output"; return 1; }
	has_status created
	tote delete --force "$ID"
}

@test "root of a user namespace without a name, as podman's monitor starts it, does so too" {
	command_is sleep 120
	config 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	run user unshare --user --map-root-user env -u USER sh -c "exec $HOME_DIR/tote create $ID >$BUNDLE/out 2>&1"
	[ -e "$RUNTIME/tote/$ID/state.json" ] || { echo "$output"; cat "$BUNDLE/out"; return 1; }
	tote delete --force "$ID"
}

@test "what a group has anyway needs no group: podman's and containerd's defaults" {
	config '.linux.resources = {"pids": {"limit": 0}, "cpu": {"shares": 1024}, "memory": {"limit": -1}}'
	runs true
	config '.linux.resources.cpu.shares = 1023'
	refused '*cgroup*'
}

@test "a state directory of somebody else, or open to others, is refused" {
	mkdir -m 755 "$HOME_DIR/foreign"
	run tote --root "$HOME_DIR/foreign" run "$ID"
	[ "$status" = 1 ]
	[[ $output == *"$HOME_DIR/foreign: must be owned by user $USER_ID"* ]]
	chown $USER_ID "$HOME_DIR/foreign"
	chmod 777 "$HOME_DIR/foreign"
	run tote --root "$HOME_DIR/foreign" list
	[ "$status" = 1 ]
	[[ $output == *"writable by no one else"* ]]
	rmdir "$HOME_DIR/foreign"
	mkdir -m 700 "$HOME_DIR/closed"
	run tote --root "$HOME_DIR/closed" list
	[ "$status" = 1 ]
	[[ $output == *"$HOME_DIR/closed"*"ermission denied"* ]]
	rmdir "$HOME_DIR/closed"
}

@test "what the container writes belongs to the user" {
	config '.root.readonly = false'
	mkdir "$BUNDLE/volume"
	chown $USER_ID "$BUNDLE/volume"
	config '.mounts += [{destination: "/mnt", source: $v, options: ["bind", "nosuid"]}]' --arg v "$BUNDLE/volume"
	runs sh -c 'echo x >/mnt/file; stat -c %u:%g /mnt/file; grep " /mnt " /proc/self/mountinfo'
	[ "${lines[0]}" = 0:0 ]
	[[ ${lines[1]} == *nosuid* ]]
	[ "$(stat -c %u:%g "$BUNDLE/volume/file")" = $USER_ID:$USER_ID ]
}

@test "devices, read-only paths, masked paths and the root are set up as for root" {
	runs sh -c 'echo x >/dev/null; head -c 3 /dev/zero | wc -c; [ -c /dev/tty ] && echo tty
		wc -c </proc/interrupts; echo 1 >/proc/sys/kernel/domainname || echo readonly; touch /x || echo closed; mount | grep -c cgroup'
	[ "${lines[0]}" = 3 ]
	[ "${lines[1]}" = tty ]
	[ "${lines[2]}" = 0 ]
	[[ $output == *readonly* ]]
	[[ $output == *closed* ]]
}

@test "a network namespace of its own, with loopback and sysctls" {
	config '.linux.namespaces += [{type: "network"}] | .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	runs sh -c 'ip -o link show lo; cat /proc/sys/net/ipv4/ip_forward'
	[[ ${lines[0]} == *LOWER_UP* ]]
	[ "${lines[1]}" = 1 ]
}

@test "a terminal" {
	config '.process.terminal = true'
	command_is sh -c 'tty; stat -c %u $(tty); exit 4'
	mkfifo "$BUNDLE/keys"
	run user env SHELL=/bin/sh script -qec "$HOME_DIR/tote run $ID" /dev/null <>"$BUNDLE/keys"
	[ "$status" = 4 ] || { echo "$output"; return 1; }
	[[ ${lines[0]} == /dev/pts/0* ]]
	[[ ${lines[1]} == 0* ]]
	config '.process.terminal = false'
	start_sleeper
	run user env SHELL=/bin/sh script -qec "$HOME_DIR/tote exec -t $ID tty" /dev/null <>"$BUNDLE/keys"
	[ "$status" = 0 ]
	[[ ${lines[0]} == /dev/pts/0* ]]
}

@test "seccomp, no_new_privs, the OOM score and limits" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 13}]}
		| .process.oomScoreAdj = 500 | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}]'
	runs sh -c 'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn; mkdir /dev/shm/x || echo blocked'
	[[ $output == *$'NoNewPrivs:\t1'*$'Seccomp:\t2'*$'500\n100\n200\n'*blocked ]]
	config '.process.oomScoreAdj = -900'
	refused '*oom_score_adj*-900*ermission denied*'
	config 'del(.process.oomScoreAdj) | .process.rlimits[0].hard = 9000000'
	refused '*RLIMIT_NOFILE*not permitted*'
}

@test "ids that a single mapping does not hold are refused in words" {
	config '.process.user.uid = 5'
	refused '*user 5*nvalid argument*'
	config '.process.user.uid = 0 | .process.user.additionalGids = [0]'
	refused '*additionalGids*subordinate ids*'
}

@test "mappings of somebody else's ids are refused in words" {
	config '.linux.uidMappings[0].hostID = 0'
	refused '*uid*'
	[[ $output == *newuidmap* ]]
}

@test "id-mapped mounts are refused in words" {
	config '.mounts += [{destination: "/mnt", source: $v, options: ["bind", "idmap"]}]' --arg v "$BUNDLE"
	refused '*/mnt*id-mapped*CAP_SYS_ADMIN*'
}

@test "subordinate ids come through newuidmap and newgidmap" {
	subordinate
	config '.process.user = {uid: 1000, gid: 1001, additionalGids: [5, 6]}'
	start_sleeper
	[ "$(awk '/^Uid:/ {print $2}' "/proc/$PID/status")" = $((SUB_FIRST + 999)) ]
	[ "$(awk '/^Gid:/ {print $2}' "/proc/$PID/status")" = $((SUB_FIRST + 1000)) ]
	[ "$(awk '/^Groups:/ {print $2, $3}' "/proc/$PID/status")" = "$((SUB_FIRST + 4)) $((SUB_FIRST + 5))" ]
	run tote exec "$ID" id
	[ "$status" = 0 ]
	[[ $output == "uid=1000 gid=1001 groups="*5*6* ]]
	run tote exec -u 0:0 "$ID" sh -c 'cat /proc/self/setgroups; id -u'
	[ "$output" = $'allow\n0' ]
	tote kill "$ID" KILL
	eventually has_status stopped
	tote delete "$ID"
}

@test "subordinate ids that are somebody else's, or without newuidmap, are refused in words" {
	subordinate
	config '.linux.uidMappings[1].hostID = 5000000'
	refused '*newuidmap*5000000*'
	subordinate
	HIDE=/usr/bin/newgidmap refused '*newgidmap is needed*uidmap*'
}

@test "no cgroup is delegated: containers run without limits, and limits are refused in words" {
	runs grep '^0:' /proc/self/cgroup
	start_sleeper
	run tote pause "$ID"
	[ "$status" = 1 ]
	[[ $output == *cgroup* ]]
	run tote ps -f json "$ID"
	[ "$status" = 0 ] || [[ $output == *cgroup* ]]
	tote delete --force "$ID"
	eventually gone "$PID"
	config '.linux.resources = {pids: {limit: 10}}'
	refused '*cgroup*'
	run tote --cgroup-manager disabled run "$ID"
	[ "$status" = 1 ]
	[[ $output == *"linux.resources: there is no cgroup to limit"* ]]
	config 'del(.linux.resources)'
	command_is true
	tote --cgroup-manager disabled run "$ID"
}

delegate() { # a group of the user's own, which its commands are in
	GROUP=$(cgroup2_mount)/$ID-user
	mkdir "$GROUP"
	chown $USER_ID "$GROUP" "$GROUP"/cgroup.{procs,threads,subtree_control}
}

in_group() {
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$GROUP" bash -c "$(declare -f user); HOME_DIR=$HOME_DIR BUNDLE=$BUNDLE USER_ID=$USER_ID RUNTIME=$RUNTIME; user \"\$@\"" bash "$HOME_DIR/tote" "$@"
}

@test "a delegated cgroup holds the container, which is paused, killed and removed with it" {
	delegate
	config '.linux.namespaces |= map(select(.type != "pid")) | .mounts |= map(if .type == "proc" then {destination: "/proc", source: "/proc", options: ["rbind"]} else . end)'
	command_is sh -c 'sleep 120 & exec sleep 120'
	in_group run -d "$ID" </dev/null >"$HOME_DIR/out" 2>&1
	[ -d "$GROUP/tote-$ID" ]
	eventually eval '[ $(wc -l <"$GROUP/tote-$ID/cgroup.procs") = 2 ]'
	in_group pause "$ID"
	has_status paused
	in_group resume "$ID"
	in_group kill "$ID" KILL
	eventually has_status stopped
	eventually grep -q 'populated 0' "$GROUP/tote-$ID/cgroup.events"
	in_group delete "$ID"
	[ ! -e "$GROUP/tote-$ID" ]
}

@test "a limit that no delegated controller serves is named" {
	delegate
	config '.linux.resources = {memory: {limit: 10000000}}'
	grep -q memory "$GROUP/cgroup.controllers" && skip "the memory controller is on v2 here"
	run in_group run "$ID"
	[ "$status" = 1 ]
	[[ $output == *memory* ]]
	[ ! -e "$GROUP/tote-$ID" ]
}
