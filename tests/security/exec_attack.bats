#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A hostile process inside looks at everything that hundreds of execs put beside it (CVE-2016-9962, CVE-2019-5736,
# CVE-2024-21626). EXECS sets their number.

bats_require_minimum_version 1.5.0
load attack

setup_file() {
	compile exec_attack
}

setup() {
	make_bundle
	HOSTILE=$BATS_TEST_TMPDIR/hostile
	small_rootfs "$HOSTILE"
	ln "$BATS_FILE_TMPDIR/exec_attack" "$HOSTILE/bin/exec_attack"
	config --arg root "$HOSTILE" '.root = {path: $root, readonly: false}
		| .process.capabilities[] = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETUID", "CAP_SETGID",
			"CAP_MKNOD", "CAP_SYS_CHROOT", "CAP_NET_RAW"]'
	before=$(sha256sum <"$TOTE")
}

teardown() {
	clean_up
}

# tote-init itself, its plan and its socket belong to the container that it prepares: who may trace everything in a
# container may see them there, and nothing more.
loot() {
	grep GOT "$OUT" | grep -v -e 'memfd:tote-init' -e '-> /memfd:plan' -e '-> socket:' | sed 's/\[[0-9]*\]//' | sort | uniq -c | sort -rn
}

attack() {
	local i execs=${EXECS:-400}
	command_is /bin/exec_attack 60
	quietly tote run -d "$ID"
	eventually grep -q READY "$OUT"
	for ((i = 0; i < execs; i++)); do
		# The attacker may well kill or stop what is in its own container; it must not get more.
		CANARY_SECRET=1 timeout -k 1 10 "$TOTE" --root "$ROOT" exec "$ID" /bin/true </dev/null >/dev/null 2>&1 3>&- || true
	done
	tote kill "$ID" TERM
	eventually grep -q LOOKED "$OUT" || tote delete --force "$ID"
	grep -q LOOKED "$OUT"
	# It did see them: an attacker that comes too late proves nothing.
	grep -e SEEN -e LOOKED "$OUT"
	[ "$(sed -n 's/^SEEN //p' "$OUT")" -gt $((execs / 20)) ]
	loot | head -20
	case $BATS_TEST_DESCRIPTION in
	*PTRACE* | *"all its"*) [ -z "$(loot)" ] ;;
	*) ! grep GOT "$OUT" || return 1 ;;
	esac
	[ "$(sha256sum <"$TOTE")" = "$before" ]
	tote delete --force "$ID"
	nothing_left
}

@test "exec beside a hostile root" {
	attack
}

@test "exec beside a hostile root of a user namespace" {
	config '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	attack
}

@test "exec beside a hostile root of a user namespace with all its capabilities" {
	config '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}] | .linux.gidMappings = .linux.uidMappings
		| .process.capabilities[] += ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_NET_ADMIN"]'
	EXECS=300 attack
}

@test "exec beside a hostile root with CAP_SYS_PTRACE" {
	config '.process.capabilities[] += ["CAP_SYS_PTRACE"]'
	EXECS=300 attack
}

@test "a working directory by way of a descriptor leads nowhere" {
	background
	cp "$BUNDLE/config.json" base.json
	for n in $(seq 0 64); do
		jq --arg cwd "/proc/self/fd/$n" '.process.cwd = $cwd | .process.args = ["/bin/busybox", "sh", "-c", "cat ../etc/hostname ../../etc/hostname ../../../../etc/hostname 2>/dev/null; pwd"]' \
			<base.json >config.json
		run timeout 10 "$TOTE" --root "$ROOT" run "$ID-cwd" </dev/null 40</ 50<"$HOSTILE"
		[[ $output != *"$(cat /etc/hostname)"* ]]
		[ "$status" -le 1 ]
		run timeout 10 "$TOTE" --root "$ROOT" exec --cwd "/proc/self/fd/$n" "$ID" /bin/busybox cat ../etc/hostname ../../../etc/hostname </dev/null 40</
		[[ $output != *"$(cat /etc/hostname)"* ]]
		[ "$status" != 124 ]
	done
}

@test "a program by way of a descriptor is not found" {
	mkdir probe
	cp "$BUSYBOX" probe/unique
	cp "$BUNDLE/config.json" base.json
	background
	for n in $(seq 3 64); do
		jq --arg n "$n" '.process.args = ["/proc/self/fd/\($n)/unique", "echo", "escaped"]' <base.json >config.json
		run timeout 10 "$TOTE" --root "$ROOT" run "$ID-fd" </dev/null 40<probe
		[ "$status" = 1 ]
		[[ $output != *escaped* ]]
		run timeout 10 "$TOTE" --root "$ROOT" exec "$ID" "/proc/self/fd/$n/unique" echo escaped </dev/null 40<probe
		[ "$status" = 255 ]
		[[ $output != *escaped* ]]
	done
}

@test "descriptors of the caller reach neither program nor hooks inside" {
	command_is /bin/busybox ls /proc/self/fd
	run -0 timeout 10 "$TOTE" --root "$ROOT" run "$ID" </dev/null 9</ 40</etc
	# 3 is the directory that ls reads.
	[ "$output" = $'0\n1\n2\n3' ]
	config '.hooks.startContainer = [{path: "/bin/busybox", args: ["sh", "-c", "busybox ls /proc/self/fd >/fds"]}]'
	run -0 timeout 10 "$TOTE" --root "$ROOT" run "$ID" </dev/null 9</ 40</etc
	[ "$(cat "$HOSTILE/fds")" = $'0\n1\n2\n3' ]
	background
	run -0 timeout 10 "$TOTE" --root "$ROOT" exec "$ID" /bin/busybox ls /proc/self/fd </dev/null 9</ 40</etc
	[ "$output" = $'0\n1\n2\n3' ]
}

@test "closed standard descriptors become /dev/null, and nothing else takes their place" {
	command_is /bin/busybox sh -c 'for n in 0 1 2 3 4 5 6 7 8 9; do busybox readlink /proc/$$/fd/$n; done >/fds; true'
	tote run "$ID" <&- >&- 2>&- 3>&-
	[ "$(sort -u "$HOSTILE/fds")" = $'/dev/null\n/fds' ]
	command_is /bin/busybox sleep 100
	tote create "$ID" <&- >&- 2>&- 3>&-
	pid=$(tote state "$ID" | jq .pid)
	tote start "$ID" <&- >&- 2>&- 3>&-
	eventually grep -q sleep "/proc/$pid/cmdline"
	[ "$(cd "/proc/$pid/fd" && readlink ./* | sort | uniq -c | tr -s ' ')" = " 3 /dev/null" ]
}

@test "/proc/self/exe as program and as interpreter is never the host's" {
	printf '#!/proc/self/exe\n' >"$HOSTILE/bin/script"
	chmod 755 "$HOSTILE/bin/script"
	ln -s /proc/self/exe "$HOSTILE/bin/link"
	background
	for program in /proc/self/exe /bin/script /bin/link /proc/1/exe; do
		config --arg p "$program" '.process.args = [$p, "--version"]'
		run timeout 10 "$TOTE" --root "$ROOT" run "$ID-exe" </dev/null
		[ "$status" != 124 ]
		[[ $output != *"tote version"* ]]
		code=0
		output=$(timeout 10 "$TOTE" --root "$ROOT" exec "$ID" "$program" --version </dev/null 2>&1) || code=$?
		[ "$code" != 124 ]
		[[ $output != *"tote version"* ]]
	done
	[ "$(sha256sum <"$TOTE")" = "$before" ]
}
