#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Root file systems whose directories are links, files, fifos and devices: whatever tote makes or mounts, nothing outside
# of the root changes, nothing hangs, nothing is left.

bats_require_minimum_version 1.5.0
load attack

setup() {
	make_bundle
	make_canary
	HOSTILE=$BATS_TEST_TMPDIR/hostile
	BEFORE=$BATS_TEST_TMPDIR/before
	config --arg root "$HOSTILE" '.root = {path: $root, readonly: false}
		| .mounts += [
			{destination: "/etc/resolv.conf", type: "bind", source: "/etc/hostname", options: ["bind", "ro"]},
			{destination: "/run/secrets/deep", type: "bind", source: "/usr/share/doc", options: ["rbind", "ro"]},
			{destination: "/tmp/deep/tree", type: "tmpfs", source: "tmpfs", options: ["size=64k"]}]
		| .linux.devices = [{path: "/dev/extra/null", type: "c", major: 1, minor: 3}]'
	case $BATS_TEST_DESCRIPTION in
	*"/dev in the root"*)
		config '.mounts |= map(select(.destination | startswith("/dev") | not))' ;;
	esac
	case $BATS_TEST_DESCRIPTION in
	*terminal*) config '.process.terminal = true' ;;
	esac
	case $BATS_TEST_DESCRIPTION in
	*"user namespace"*)
		config 'del(.linux.devices) | .linux.namespaces += [{type: "user"}]
			| .linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}]
			| .linux.gidMappings = .linux.uidMappings' ;;
	esac
	host_state >"$BEFORE"
}

teardown() {
	clean_up
}

targets=(/dev /proc /sys /run /etc /tmp /dev/pts /dev/shm /dev/mqueue /dev/null /dev/console /dev/ptmx /dev/extra
	/proc/self /proc/kcore /proc/sys /sys/fs/cgroup /sys/firmware /run/secrets /etc/resolv.conf /tmp/deep /tmp/deep/tree)
kinds=(absolute relative to-file dangling dangling-relative loop root file fifo device)

# Puts something else where the directory or file $2 is expected.
plant() { # kind path
	local path=$HOSTILE$2 up=../../../../../../../../../../../../../../..
	small_rootfs "$HOSTILE"
	mkdir -p "${path%/*}"
	rm -rf "$path"
	case $1 in
	absolute) ln -s "$CANARY" "$path" ;;
	relative) ln -s "$up$CANARY" "$path" ;;
	to-file) ln -s "$up$CANARY/file" "$path" ;;
	dangling) ln -s "$CANARY/new" "$path" ;;
	dangling-relative) ln -s "$up$CANARY/dir/new" "$path" ;;
	loop) ln -s "${path##*/}" "$path" ;;
	root) ln -s / "$path" ;;
	file) echo text >"$path" ;;
	fifo) mkfifo "$path" ;;
	device) mknod "$path" c 1 3 ;;
	esac
}

# Success, or an error in one line; no crash, no hang.
ends_well() {
	local code=0
	timeout -k 1 10 "$TOTE" --root "$ROOT" "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- || code=$?
	case $code in
	0) return 0 ;;
	124 | 13[0-9] | 14[0-9]) echo "$kind $target: tote $*: code $code"; return 2 ;;
	esac
	grep -q '^tote: ' "$BATS_TEST_TMPDIR/err" && [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -le 2 ] && return 1
	echo "$kind $target: tote $*: code $code"
	cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
	return 2
}

attempt() {
	local code=0
	ends_well "$@" || code=$?
	[ $code != 2 ] || exit 1
	return $code
}

each() { # function
	local target kind good=0
	for target in "${targets[@]}"; do
		for kind in "${kinds[@]}"; do
			plant "$kind" "$target"
			"$1" && good=$((good + 1))
		done
		host_unchanged "$BEFORE" || { echo "at $target"; return 1; }
	done
	nothing_left
	# Links inside a root are legitimate: a tote that refused everything would prove nothing.
	[ "$good" -ge "${2:-40}" ] || { echo "only $good containers ran"; return 1; }
}

run_once() {
	attempt run "$ID"
}

@test "the rig sees a write, a new inode and a mount" {
	echo x >>"$CANARY/file"
	run host_unchanged "$BEFORE"
	[ "$status" = 1 ]
	host_state >"$BEFORE"
	touch "$CANARY/dir/new"
	run host_unchanged "$BEFORE"
	rm "$CANARY/dir/new"
	[ "$status" = 1 ]
	host_state >"$BEFORE"
	mount --bind "$CANARY/dir" "$CANARY/dir"
	run host_unchanged "$BEFORE"
	umount "$CANARY/dir"
	[ "$status" = 1 ]
	host_unchanged "$BEFORE"
}

@test "run: every target as every kind of thing" {
	command_is /bin/true
	each run_once
}

@test "run with a terminal" {
	command_is /bin/true
	each run_once
}

@test "run with /dev in the root" {
	command_is /bin/true
	targets=(/dev /dev/pts /dev/null /dev/zero /dev/ptmx /dev/fd /dev/stdin /dev/extra /dev/extra/null)
	each run_once 10
}

@test "run with a terminal and /dev in the root" {
	command_is /bin/true
	targets=(/dev /dev/pts /dev/pts/ptmx /dev/ptmx /dev/console /dev/tty)
	# Without a devpts there is no terminal to be had: what counts is that nothing happens.
	each run_once 0
}

@test "run with a user namespace" {
	command_is /bin/true
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
	targets=(/dev /dev/null /dev/console /dev/ptmx /proc /sys /run/secrets /tmp/deep)
	each run_once 10
}

# A container that came to be is then turned hostile from the inside: exec meets what its root has become.
live_once() {
	attempt create "$ID" || return 1
	attempt start "$ID"
	attempt exec "$ID" true
	attempt exec -t "$ID" true
	attempt delete --force "$ID"
}

@test "create, start, exec, exec -t, delete" {
	command_is sleep 100
	kinds=(absolute dangling-relative root fifo)
	each live_once 20
}

@test "exec after the container has replaced its own directories" {
	kind=live target=exec
	plant file /nothing
	# More than any container should have, so that it can replace what is mounted.
	config '.process.capabilities[] += ["CAP_SYS_ADMIN"]'
	background sleep 100
	attempt exec "$ID" /bin/busybox mkfifo /etc/passwd
	attempt exec "$ID" /bin/busybox true
	for path in /dev/pts /dev/ptmx /dev/console /dev/null /dev/tty /etc /etc/passwd /tmp /bin/true; do
		for link in "$CANARY" "/proc/1/root$CANARY/null" /proc/self/root loop; do
			quietly tote exec "$ID" /bin/busybox sh -c "
				/bin/busybox umount $path 2>/dev/null
				/bin/busybox rm -rf $path.old; /bin/busybox mv $path $path.old; /bin/busybox ln -s $link $path; exit 0"
			attempt exec "$ID" true || true
			attempt exec -t "$ID" true || true
			attempt exec --cwd "$path" "$ID" /bin/busybox true || true
		done
		host_unchanged "$BEFORE"
	done
	attempt delete --force "$ID"
	host_unchanged "$BEFORE"
}

@test "mount destinations that climb or name the root" {
	plant file /nothing
	kind=destination
	command_is /bin/true
	cp "$BUNDLE/config.json" base.json
	for target in / // /.. /proc/.. "/proc/../.." "../..$CANARY" "/../../../../..$CANARY/dir" "$CANARY/new" "/tmp/a/../../..$CANARY" \
		/proc/1/root /proc/self/root /proc/self/fd/0 /proc/self/cwd "/proc/1/root$CANARY" /dev/fd/3; do
		jq --arg d "$target" '.mounts += [{destination: $d, type: "tmpfs", source: "t", options: ["size=64k"]}]' <base.json >config.json
		attempt run "$ID" || true
		jq --arg d "$target" --arg s "$HOSTILE" '.mounts += [{destination: $d, type: "bind", source: $s, options: ["rbind"]}]' \
			<base.json >config.json
		attempt run "$ID" || true
		jq --arg d "$target/node" '.linux.devices = [{path: $d, type: "c", major: 1, minor: 3}]' <base.json >config.json
		attempt run "$ID" || true
		jq --arg d "$target" '.linux.maskedPaths = [$d] | .linux.readonlyPaths = [$d]' <base.json >config.json
		attempt run "$ID" || true
		host_unchanged "$BEFORE" || { echo "at $target"; return 1; }
	done
	nothing_left
}

@test "config.json as fifo, device, directory, endless and huge file" {
	mkfifo fifo
	truncate -s 100M huge
	for file in fifo /dev/zero /dev/tty "$HOSTILE" . huge /proc/kmsg; do
		run timeout -k 1 5 "$TOTE" --root "$ROOT" run -f "$file" "$ID" </dev/null
		[ "$status" = 1 ]
		[ "${#lines[@]}" = 1 ]
	done
	nothing_left
}
