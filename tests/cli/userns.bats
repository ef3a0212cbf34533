# SPDX-License-Identifier: Apache-2.0
# Containers of root in a user namespace of their own: ids, files, devices, id-mapped mounts, exec, terminals.

load helpers

BASE=100000

setup() {
	make_bundle
	chmod 755 "$BATS_TEST_TMPDIR"
	mapped "{containerID: 0, hostID: $BASE, size: 65536}"
}

teardown() {
	mountpoint -q "$BATS_TEST_TMPDIR/volume/below" && umount "$BATS_TEST_TMPDIR/volume/below"
	clean_up
}

mapped() { # JSON objects
	config ".linux.uidMappings = [$1] | .linux.gidMappings = [$1]
		| .linux.namespaces |= map(select(.type != \"user\")) + [{type: \"user\"}]"
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
	nothing_left
}

start_sleeper() {
	command_is sleep 120
	tote run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	PID=$(tote state "$ID" | jq .pid)
}

volume() { # OPTIONS as JSON strings, further members: mounted on /tmp/v
	VOLUME=$BATS_TEST_TMPDIR/volume
	mkdir -p "$VOLUME"
	config ".mounts += [{destination: \"/mnt\", source: \$v, options: [$1]} + {${2:-}}]" --arg v "$VOLUME"
}

with_writable_root() { # as a root of the container's own, whose files belong to its root
	local root=$BATS_TEST_TMPDIR/rootfs
	cp -a "$ROOTFS" "$root"
	chown -Rh $BASE:$BASE "$root"
	mkdir -p "$root/mnt"
	chown $BASE:$BASE "$root/mnt"
	config '.root = {path: $r, readonly: false}' --arg r "$root"
	ROOTFS=$root
}

@test "the container's root is an ordinary id of the host" {
	start_sleeper
	[ "$(awk '/^Uid:/ {print $2, $3, $4, $5}' "/proc/$PID/status")" = "$BASE $BASE $BASE $BASE" ]
	[ "$(awk '/^Gid:/ {print $2, $3, $4, $5}' "/proc/$PID/status")" = "$BASE $BASE $BASE $BASE" ]
	[ "$(awk '/^Groups:/ {print $2, $3}' "/proc/$PID/status" | xargs)" = "$BASE" ]
	[ "$(readlink "/proc/$PID/ns/user")" != "$(readlink /proc/self/ns/user)" ]
	tote delete --force "$ID"
	nothing_left
}

@test "ids inside are those of the mapping" {
	runs sh -c 'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 0 ]
	[[ ${lines[2]} =~ ^\ *0\ +$BASE\ +65536$ ]]
	[[ ${lines[3]} =~ ^\ *0\ +$BASE\ +65536$ ]]
	[ "${lines[4]}" = allow ]
}

@test "a mapping in several pieces" {
	mapped '{containerID: 0, hostID: 200000, size: 10}, {containerID: 10, hostID: 300000, size: 100}, {containerID: 1000, hostID: 400000, size: 1}'
	config '.process.user = {uid: 1000, gid: 15}'
	start_sleeper
	[ "$(awk '/^Uid:/ {print $2}' "/proc/$PID/status")" = 400000 ]
	[ "$(awk '/^Gid:/ {print $2}' "/proc/$PID/status")" = 300005 ]
}

@test "uids and gids are mapped apart" {
	config '.linux.gidMappings[0].hostID = 500000'
	start_sleeper
	[ "$(awk '/^Uid:/ {print $2}' "/proc/$PID/status")" = $BASE ]
	[ "$(awk '/^Gid:/ {print $2}' "/proc/$PID/status")" = 500000 ]
}

@test "an ordinary user with additional groups" {
	config '.process.user = {uid: 1000, gid: 1001, additionalGids: [5, 77]}'
	start_sleeper
	[ "$(awk '/^Uid:/ {print $2}' "/proc/$PID/status")" = 101000 ]
	[ "$(awk '/^Gid:/ {print $2}' "/proc/$PID/status")" = 101001 ]
	[ "$(awk '/^Groups:/ {print $2, $3}' "/proc/$PID/status")" = "100005 100077" ]
	run tote exec "$ID" id
	[[ $output == "uid=1000 gid=1001 groups="*5*77* ]]
}

@test "files of the host's root belong to nobody, and its volume keeps out" {
	volume '"bind"'
	config '.mounts[-1].destination = "/tmp"'
	touch "$VOLUME/file"
	runs stat -c %u /tmp/file
	[ "$output" = 65534 ]
	command_is touch /tmp/new
	run tote run "$ID"
	[ "$status" = 1 ]
	[[ $output == *"ermission denied"* ]]
}

@test "a root file system of its own is written to with mapped owners" {
	with_writable_root
	runs sh -c 'echo x >/root/file && stat -c %u:%g /root/file'
	[ "$output" = 0:0 ]
	[ "$(stat -c %u:%g "$ROOTFS/root/file")" = $BASE:$BASE ]
	config '.process.user = {uid: 7, gid: 8}'
	config '.process.cwd = "/tmp"'
	chmod 1777 "$ROOTFS/tmp"
	runs sh -c 'echo x >/tmp/file'
	[ "$(stat -c %u:%g "$ROOTFS/tmp/file")" = 100007:100008 ]
}

@test "what create makes in the root file system belongs to the container's root" {
	with_writable_root
	config '.mounts += [{destination: "/made/for/mount", type: "tmpfs", source: "tmpfs", options: ["mode=700"]}]'
	runs stat -c %u:%a /made/for/mount
	[ "$output" = 0:700 ]
	[ "$(stat -c %u "$ROOTFS/made/for")" = $BASE ]
}

@test "the default devices work, new ones cannot be made" {
	config '.process.capabilities |= map_values(. + ["CAP_MKNOD"])'
	runs sh -c 'echo x >/dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c
		echo x >/dev/full || echo full
		for d in null zero full random urandom tty; do [ -c /dev/$d ] || echo "no $d"; done
		readlink /dev/ptmx /dev/fd
		mknod /dev/shm/x c 1 3 || echo refused'
	[ "${lines[0]}" = 4 ]
	[ "${lines[1]}" = 4 ]
	[[ $output == *full* ]]
	[[ $output != *"no "[a-z]* ]]
	[ "${lines[-1]}" = refused ]
}

@test "a device of linux.devices is the host's" {
	local dev=/dev/kmsg
	[ -c $dev ] || dev=/dev/null
	config ".linux.devices = [{path: \"$dev\", type: \"c\", major: $((0x$(stat -c %t $dev))), minor: $((0x$(stat -c %T $dev)))}]"
	runs stat -c %t:%T $dev
	[ "$output" = "$(stat -c %t:%T $dev)" ]
}

@test "a device whose node on the host is another one is refused" {
	config '.linux.devices = [{path: "/dev/zero", type: "c", major: 1, minor: 11}]'
	refused '*/dev/zero*'
}

@test "a bundle, its root and a volume below a directory that the mapped root cannot search" {
	local hidden=$BATS_TEST_TMPDIR/hidden
	mkdir -m 700 "$hidden"
	mv "$BUNDLE" "$hidden/bundle"
	BUNDLE=$hidden/bundle
	cp -a "$ROOTFS" "$BUNDLE/rootfs"
	mkdir "$BUNDLE/rootfs/mnt" "$hidden/volume"
	echo content >"$hidden/volume/file"
	config '.root.path = "rootfs"'
	config '.mounts += [{destination: "/mnt", source: $v, options: ["bind", "ro"]}]' --arg v "$hidden/volume"
	cd "$BUNDLE"
	command_is cat /mnt/file
	run tote run "$ID"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$output" = content ]
	start_sleeper
	run tote exec "$ID" cat /mnt/file
	[ "$output" = content ]
}

need_idmap() {
	volume "$@"
	with_writable_root
	touch "$VOLUME/root" "$VOLUME/user"
	chown 1000:1001 "$VOLUME/user"
}

@test "idmap with the container's mappings keeps the owners of a volume" {
	need_idmap '"bind", "idmap"'
	runs sh -c 'stat -c %u:%g /mnt/root /mnt/user; touch /mnt/new; stat -c %u:%g /mnt/new'
	[ "$output" = $'0:0\n1000:1001\n0:0' ]
	[ "$(stat -c %u:%g "$VOLUME/new")" = 0:0 ]
}

@test "a mount's own mappings decide" {
	need_idmap '"bind"' 'uidMappings: [{containerID: 1000, hostID: 100007, size: 1}], gidMappings: [{containerID: 1001, hostID: 100008, size: 1}]'
	chown 1000:1001 "$VOLUME"
	config '.process.user = {uid: 7, gid: 8}'
	runs sh -c 'stat -c %u:%g /mnt/user /mnt/root; touch /mnt/new'
	[ "$output" = $'7:8\n65534:65534' ]
	[ "$(stat -c %u:%g "$VOLUME/new")" = 1000:1001 ]
}

@test "a mount is mapped by its own mappings also without a user namespace" {
	need_idmap '"bind", "idmap"' 'uidMappings: [{containerID: 1000, hostID: 7, size: 1}], gidMappings: [{containerID: 1001, hostID: 8, size: 1}]'
	config 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	runs stat -c %u:%g /mnt/user
	[ "$output" = 7:8 ]
}

nested_volume() {
	mkdir -p "$VOLUME/below" "$BATS_TEST_TMPDIR/other"
	touch "$BATS_TEST_TMPDIR/other/file"
	mount --bind "$BATS_TEST_TMPDIR/other" "$VOLUME/below"
}

@test "idmap maps one mount, ridmap those below it as well" {
	need_idmap '"rbind", "idmap"'
	nested_volume
	runs stat -c %u /mnt/root /mnt/below/file
	[ "$output" = $'0\n65534' ]
	config '.mounts[-1].options = ["rbind", "ridmap"]'
	runs stat -c %u /mnt/root /mnt/below/file
	[ "$output" = $'0\n0' ]
}

@test "idmap without any mapping, or on another mount than a bind mount, is refused" {
	volume '"bind", "idmap"'
	config '.mounts[-1] |= {destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["idmap"]}'
	refused '*/tmp*bind*'
	config '.mounts[-1] = {destination: "/tmp", source: $v, options: ["bind", "idmap"]}' --arg v "$VOLUME"
	config 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	refused '*/tmp*mapping*'
}

@test "idmap in a user namespace that was entered takes its mappings" {
	need_idmap '"bind", "idmap"'
	unshare --user sleep 60 3>&- >/dev/null 2>&1 &
	local keeper=$!
	eventually eval '[ "$(readlink /proc/'$keeper'/ns/user)" != "$(readlink /proc/self/ns/user)" ]'
	echo "0 $BASE 65536" >"/proc/$keeper/uid_map"
	echo "0 $BASE 65536" >"/proc/$keeper/gid_map"
	config '.linux.namespaces |= map(select(.type != "user")) + [{type: "user", path: $p}] | del(.linux.uidMappings, .linux.gidMappings)' --arg p "/proc/$keeper/ns/user"
	command_is stat -c %u:%g /mnt/root /mnt/user
	run tote run "$ID"
	kill -9 $keeper
	wait $keeper || true
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$output" = $'0:0\n1000:1001' ]
}

@test "a pipe as stdout can be opened again, by whichever user, with run, create and exec" {
	config '.process.user = {uid: 33, gid: 33}'
	command_is sh -c 'echo seen >/dev/stdout'
	[ "$(tote run "$ID" | cat)" = seen ]
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	cat "$BATS_TEST_TMPDIR/fifo" >"$BATS_TEST_TMPDIR/seen" 3>&- & reader=$!
	tote create "$ID" >"$BATS_TEST_TMPDIR/fifo" </dev/null
	tote start "$ID"
	wait $reader
	[ "$(cat "$BATS_TEST_TMPDIR/seen")" = seen ]
	tote delete --force "$ID"
	start_sleeper
	[ "$(tote exec "$ID" sh -c 'echo seen >/dev/stdout' | cat)" = seen ]
}

@test "exec enters with the container's ids, or with those asked for" {
	start_sleeper
	run tote exec "$ID" sh -c 'id -u; readlink /proc/self/ns/user; cat /proc/self/uid_map'
	[ "$status" = 0 ]
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = "$(readlink "/proc/$PID/ns/user")" ]
	[[ ${lines[2]} =~ ^\ *0\ +$BASE\ +65536$ ]]
	run tote exec -u 12:13 -g 14 "$ID" id
	[ "$status" = 0 ]
	[[ $output == "uid=12 gid=13 groups="*14* ]]
	run tote exec -u 65536 "$ID" id
	[ "$status" = 255 ]
	[[ $output == *"user 65536"*nvalid* ]] || { echo "$output"; return 1; }
}

@test "exec gives the capabilities of the container and those asked for, within its namespace" {
	start_sleeper
	run tote exec "$ID" sh -c 'hostname other'
	[ "$status" != 0 ]
	run tote exec -c CAP_SYS_ADMIN "$ID" sh -c 'hostname other && hostname'
	[ "$status" = 0 ]
	[ "$output" = other ]
	[ "$(cat /proc/sys/kernel/hostname)" != other ]
}

# A terminal as an operator has one who types nothing.
on_terminal() {
	[ -p "$BUNDLE/keys" ] || mkfifo "$BUNDLE/keys"
	SHELL=/bin/sh script -qec "$*" /dev/null <>"$BUNDLE/keys"
}

@test "a terminal belongs to the container's user" {
	config '.process.terminal = true'
	command_is sh -c 'tty; stat -c %u $(tty); stat -c %u /dev/console; echo x >/dev/tty'
	run on_terminal "$TOTE" --root "$ROOT" run "$ID"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[[ ${lines[0]} == /dev/pts/0* ]]
	[[ ${lines[1]} == 0* ]]
	[[ ${lines[2]} == 0* ]]
	[[ ${lines[3]} == x* ]]
}

@test "exec with a terminal" {
	start_sleeper
	run on_terminal "$TOTE" --root "$ROOT" exec -t -u 9:9 "$ID" sh -c "'tty; stat -c %u \$(tty); echo x >/dev/tty; exit 3'"
	[ "$status" = 3 ] || { echo "$output"; return 1; }
	[[ ${lines[0]} == /dev/pts/0* ]]
	[[ ${lines[1]} == 9* ]]
	[[ ${lines[2]} == x* ]]
}

@test "limits and the OOM score are set with the host's privilege" {
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 321, hard: 654}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]
		| .process.oomScoreAdj = 321'
	runs sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj'
	[ "$output" = $'321\n654\n0\n321' ]
	[ "$(cat /proc/self/oom_score_adj)" != 321 ]
	start_sleeper
	run tote exec "$ID" sh -c 'ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj'
	[ "$status" = 0 ]
	[ "$output" = $'321\n654\n321' ]
}

@test "seccomp and no_new_privs" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 13}]}
		| .process.noNewPrivileges = true'
	runs sh -c 'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; mkdir /tmp/x || echo blocked'
	[[ $output == *$'NoNewPrivs:\t1'* ]]
	[[ $output == *$'Seccomp:\t2'* ]]
	[[ $output == *"Permission denied"*blocked ]]
	config '.process.noNewPrivileges = false'
	runs sh -c 'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; mkdir /tmp/x || echo blocked'
	[[ $output == *$'NoNewPrivs:\t0'* ]]
	[[ $output == *blocked ]]
}

@test "sysctls, hostname, cgroup and masked paths in a user namespace" {
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "4096"} | .hostname = "mapped"'
	runs sh -c 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax; hostname; grep ^0: /proc/self/cgroup; wc -c </proc/interrupts; ip -o link show lo | grep -c LOWER_UP'
	[ "$output" = $'1\n4096\nmapped\n0::/\n0\n1' ]
}

@test "create and start, hooks on both sides" {
	cat >"$BATS_TEST_TMPDIR/hook" <<-'EOF'
		#!/bin/sh
		echo "$1 $(id -u) $(jq -r .status)" >>"$(dirname "$0")/hooks"
	EOF
	chmod 755 "$BATS_TEST_TMPDIR/hook"
	config '.hooks = {createRuntime: [{path: $h, args: ["hook", "runtime"], env: ["PATH=/usr/bin:/bin"]}], poststop: [{path: $h, args: ["hook", "poststop"], env: ["PATH=/usr/bin:/bin"]}]}' --arg h "$BATS_TEST_TMPDIR/hook"
	command_is sh -c 'id -u'
	tote create "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	[ "$(status_of "$ID")" = created ]
	tote start "$ID"
	eventually grep -q '^0$' "$BATS_TEST_TMPDIR/out"
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	tote delete "$ID"
	[ "$(cat "$BATS_TEST_TMPDIR/hooks")" = $'runtime 0 creating\npoststop 0 stopped' ]
	nothing_left
}

@test "KILL, TERM and delete reach a container of another user" {
	start_sleeper
	tote pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	tote resume "$ID"
	tote kill "$ID" KILL
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	tote delete "$ID"
	nothing_left
}

@test "a mapping without 0 is refused in words" {
	mapped '{containerID: 1, hostID: 100001, size: 100}'
	config '.process.user = {uid: 1, gid: 1}'
	refused '*is 0 mapped?*'
}

@test "a user, group or additional group outside of the mapping is refused in words" {
	config '.process.user.uid = 70000'
	refused '*user 70000*nvalid argument*'
	config '.process.user.uid = 0 | .process.user.gid = 70000'
	refused '*70000*nvalid argument*'
	config '.process.user.gid = 0 | .process.user.additionalGids = [70001]'
	refused '*nvalid argument*'
}

@test "mappings that the kernel or the spec refuses" {
	config '.linux.namespaces |= map(select(.type != "user"))'
	refused '*uidMappings*needs a namespace of type user*'
	mapped '{containerID: 0, hostID: 100000, size: 10}, {containerID: 5, hostID: 200000, size: 10}'
	refused '*uidMappings*overlaps*'
}
