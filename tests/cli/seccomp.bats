# SPDX-License-Identifier: Apache-2.0
# Filters of system calls: profiles, actions, the built-in profile, the cache, listeners, exec.

load helpers

setup_file() {
	mkdir "$BATS_FILE_TMPDIR/bin"
	cc -static -Wall -o "$BATS_FILE_TMPDIR/bin/agent" "$BATS_TEST_DIRNAME/seccomp_agent.c"
	printf '#include <sys/syscall.h>\nmkdirat=SYS_mkdirat personality=SYS_personality keyctl=SYS_keyctl io_uring_setup=SYS_io_uring_setup socket=SYS_socket userfaultfd=SYS_userfaultfd ioctl=SYS_ioctl\n' |
		cc -E -P - | tail -n 1 >"$BATS_FILE_TMPDIR/numbers"
}

setup() {
	AGENT=
	make_bundle
	config '.mounts += [{destination: "/root", source: $d, options: ["bind"]}]' --arg d "$BATS_FILE_TMPDIR/bin"
	eval "$(cat "$BATS_FILE_TMPDIR/numbers")"
}

teardown() {
	clean_up
	[ -z "$AGENT" ] || { kill "$AGENT" && wait "$AGENT"; } || true
}

profile() { # JSON of linux.seccomp, arguments of jq
	local json=$1
	shift
	config ".linux.seccomp = $json" "$@"
}

blocks_mkdir() { # further members of the rule
	profile "{defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [\"mkdir\", \"mkdirat\"], $1}]}"
}

calls() { # CALL ARG... in the container; its result is $output
	command_is /root/agent call "$@"
	run tote run "$ID"
}

# bash fails a test at the last line or at a plain command only: this says what was different.
is() { # STATUS OUTPUT
	[ "$status" = "$1" ] && [ "$output" = "$2" ] || { echo "code $status: $output"; return 1; }
}

refused() { # PATTERN
	run tote run "$ID"
	[ "$status" = 1 ]
	[[ $output == $1 ]] || { echo "said: $output"; return 1; }
	nothing_left
}

start_agent() {
	"$BATS_FILE_TMPDIR/bin/agent" listen "$BATS_TEST_TMPDIR/agent.sock" >"$BATS_TEST_TMPDIR/agent.out" 2>&1 3>&- &
	AGENT=$!
	eventually test -S "$BATS_TEST_TMPDIR/agent.sock"
}

notifies_mkdir() { # further members of the profile
	profile "{defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"$BATS_TEST_TMPDIR/agent.sock\",
		syscalls: [{names: [\"mkdir\", \"mkdirat\"], action: \"SCMP_ACT_NOTIFY\"}] ${1:-}}"
}

cache_files() {
	find "$ROOT" -name '*.bpf' | sort
}

@test "without a profile nothing is filtered" {
	command_is grep Seccomp: /proc/self/status
	run tote run "$ID"
	is 0 $'Seccomp:\t0'
}

@test "a call fails with the errno of its rule, or EPERM" {
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 28'
	calls "$mkdirat" 0 0
	is 0 -28
	blocks_mkdir 'action: "SCMP_ACT_ERRNO"'
	calls "$mkdirat" 0 0
	is 0 -1
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 0'
	calls "$mkdirat" 0 0
	is 0 0
}

@test "the default action and its errno" {
	local allowed='read write open openat close fstat newfstatat mmap mprotect munmap brk execve execveat exit exit_group arch_prctl
		set_tid_address set_robust_list rseq prlimit64 readlinkat readlink getrandom uname prctl rt_sigaction ioctl poll ppoll
		capset capget close_range sendto recvfrom futex'
	profile "{defaultAction: \"SCMP_ACT_ERRNO\", defaultErrnoRet: 99, syscalls: [{names: (\$a | split(\"[ \\n\\t]+\"; \"\")), action: \"SCMP_ACT_ALLOW\"}]}" --arg a "$allowed" || return 1
	calls "$mkdirat" 0 0
	is 0 -99
}

@test "a killed call ends the container with 159" {
	local action
	for action in KILL KILL_THREAD KILL_PROCESS TRAP; do
		blocks_mkdir "action: \"SCMP_ACT_$action\""
		calls "$mkdirat" 0 0
		is 159 "" || { echo "with $action"; return 1; }
	done
	nothing_left
}

@test "LOG and ALLOW let the call through" {
	profile '{defaultAction: "SCMP_ACT_LOG", syscalls: [{names: ["mkdirat"], action: "SCMP_ACT_ALLOW"}]}'
	calls "$mkdirat" 0 0
	is 0 -14
	profile '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdirat"], action: "SCMP_ACT_LOG"}]}'
	calls "$mkdirat" 0 0
	is 0 -14
}

@test "rules on arguments, by value and by mask" {
	profile '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{names: ["personality"], action: "SCMP_ACT_ERRNO", errnoRet: 50, args: [{index: 0, value: 8, op: "SCMP_CMP_EQ"}]},
		{names: ["keyctl"], action: "SCMP_ACT_ERRNO", errnoRet: 51, args: [{index: 0, value: 240, valueTwo: 16, op: "SCMP_CMP_MASKED_EQ"}]},
		{names: ["mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 52, args: [{index: 2, value: 100, op: "SCMP_CMP_GT"}, {index: 0, value: 3, op: "SCMP_CMP_NE"}]}]}'
	calls "$personality" 8
	is 0 -50
	calls "$personality" 0xffffffff
	is 0 0
	calls "$keyctl" 0x1f
	is 0 -51
	calls "$keyctl" 0x2f
	is 0 -95
	calls "$mkdirat" 4 0 101
	is 0 -52
	calls "$mkdirat" 3 0 101
	is 0 -14
	calls "$mkdirat" 4 0 100
	is 0 -14
}

@test "two conditions on one argument are alternatives" {
	profile '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["personality"], action: "SCMP_ACT_ERRNO", errnoRet: 50,
		args: [{index: 0, value: 8, op: "SCMP_CMP_EQ"}, {index: 0, value: 9, op: "SCMP_CMP_EQ"}]}]}'
	calls "$personality" 8
	is 0 -50
	calls "$personality" 9
	is 0 -50
	calls "$personality" 0xffffffff
	is 0 0
}

@test "names that libseccomp does not know are passed over" {
	profile '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["no_such_call", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}'
	calls "$mkdirat" 0 0
	is 0 -28
}

@test "a filter that forbids all, also execve, ends in an error or by the signal and never hangs" {
	profile '{defaultAction: "SCMP_ACT_KILL_PROCESS"}'
	command_is true
	run timeout 10 "$TOTE" --root "$ROOT" run "$ID"
	is 159 ""
	nothing_left
	profile '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["execve"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
	refused '*exec: "true": Operation not permitted*'
}

@test "the filter is loaded without no_new_privs as well" {
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 28'
	config '.process.noNewPrivileges = false'
	calls "$mkdirat" 0 0
	is 0 -28
	command_is grep -E '^(NoNewPrivs|Seccomp|Seccomp_filters):' /proc/self/status
	run tote run "$ID"
	[ "${lines[0]}" = $'NoNewPrivs:\t0' ]
	[ "${lines[1]}" = $'Seccomp:\t2' ]
	[ "${lines[2]}" = $'Seccomp_filters:\t1' ]
}

@test "a profile needs to allow no call of ours but execve, and capset without no_new_privs" {
	command_is sh -c 'echo runs'
	for calls in '"close_range", "capget", "capset", "openat2", "sendto"' '"close_range", "capget", "openat2", "sendto"'; do
		profile "{defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [$calls], action: \"SCMP_ACT_KILL_PROCESS\"}]}"
		config '.process.noNewPrivileges = $nnp' --argjson nnp "$([[ $calls == *capset* ]] && echo true || echo false)"
		run tote run "$ID"
		is 0 runs
		background
		run tote exec "$ID" echo runs
		is 0 runs
		tote delete --force "$ID"
		command_is sh -c 'echo runs'
	done
}

@test "flags are handed to the kernel, unknown ones are refused" {
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 28'
	config '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]'
	command_is /root/agent call "$mkdirat" 0 0
	run strace -f -qq -e trace=seccomp -o "$BATS_TEST_TMPDIR/trace" "$TOTE" --root "$ROOT" run "$ID"
	is 0 -28
	grep -q 'SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_LOG|SECCOMP_FILTER_FLAG_SPEC_ALLOW' "$BATS_TEST_TMPDIR/trace"
	config '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_NONE"]'
	refused '*linux.seccomp.flags*SECCOMP_FILTER_FLAG_NONE*'
}

@test "wrong profiles are refused with the place" {
	profile '{defaultAction: "SCMP_ACT_PRAY"}'
	refused '*linux.seccomp.defaultAction*SCMP_ACT_PRAY*'
	profile '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: [], action: "SCMP_ACT_KILL"}]}'
	refused '*linux.seccomp.syscalls*names*'
	profile '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["read"], action: "SCMP_ACT_KILL", args: [{index: 6, value: 0, op: "SCMP_CMP_EQ"}]}]}'
	refused '*index*'
	profile '{defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_PDP11"]}'
	refused '*architectures*SCMP_ARCH_PDP11*'
}

with_builtin() {
	rm "$BUNDLE/config.json"
	"$TOTE" spec --seccomp -b "$BUNDLE"
	config '.process.terminal = false | .root.path = $r
		| .mounts += [{destination: "/root", source: $d, options: ["bind"]}]' --arg r "$ROOTFS" --arg d "$BATS_FILE_TMPDIR/bin"
}

@test "the built-in profile runs a shell and is not compiled" {
	with_builtin
	command_is sh -c 'grep Seccomp: /proc/self/status; x=$(ls /bin | wc -l); [ $x -gt 100 ] && date >/dev/null && (sleep 0 & wait) && mkdir /dev/shm/d && echo fine'
	run tote run "$ID"
	is 0 $'Seccomp:\t2\nfine'
	[ -z "$(cache_files)" ]
}

@test "the built-in profile keeps the dangerous calls out, and says ENOSYS to unknown ones" {
	with_builtin
	calls "$io_uring_setup" 1 0
	[ "$output" = -1 ] || [ "$output" = -38 ] || { echo "io_uring_setup: $output"; return 1; }
	calls "$keyctl" 0 0
	[ "$output" = -1 ] || [ "$output" = -38 ] || { echo "keyctl: $output"; return 1; }
	calls "$userfaultfd" 0
	[ "$output" = -1 ] || [ "$output" = -38 ] || { echo "userfaultfd: $output"; return 1; }
	calls "$socket" 38 5 0
	[[ $output == -1 || $output == -97 || $output == -38 || $output == -22 ]] || { echo "AF_ALG: $output"; return 1; }
	calls "$socket" 40 1 0
	[[ $output == -1 || $output == -97 || $output == -38 || $output == -22 ]] || { echo "AF_VSOCK: $output"; return 1; }
	calls "$ioctl" 0 0x5412 0
	[[ $output == -1 || $output == -38 ]] || { echo "TIOCSTI: $output"; return 1; }
	calls "$ioctl" 0 0x1200005412 0
	[[ $output == -1 || $output == -38 ]] || { echo "TIOCSTI with upper bits: $output"; return 1; }
	calls "$ioctl" 0 0x541c 0
	[[ $output == -1 || $output == -38 ]] || { echo "TIOCLINUX: $output"; return 1; }
	calls 1000
	is 0 -38
	calls "$mkdirat" 0 0
	is 0 -14
}

@test "a filter is kept for the next run, and only whole ones are taken" {
	local file
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 28'
	calls "$mkdirat" 0 0
	is 0 -28
	file=$(cache_files)
	[ -f "$file" ]
	[ "$(stat -c %a "$file")" = 600 ]
	local before
	before=$(stat -c '%i %Y' "$file")
	calls "$mkdirat" 0 0
	is 0 -28
	[ "$(stat -c '%i %Y' "$file")" = "$before" ]
	truncate -s 100 "$file"
	calls "$mkdirat" 0 0
	is 0 -28
	[ "$(stat -c %s "$file")" -gt 100 ]
}

@test "profiles that differ in one number do not share a filter" {
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 28'
	calls "$mkdirat" 0 0
	is 0 -28
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 29'
	calls "$mkdirat" 0 0
	is 0 -29
	calls "$mkdirat" 0 0
	is 0 -29
	[ "$(cache_files | wc -l)" = 2 ]
}

@test "a filter in the cache that others may write is not taken" {
	local file
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 29'
	calls "$mkdirat" 0 0
	cp "$(cache_files)" "$BATS_TEST_TMPDIR/other"
	rm "$(cache_files)"
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 28'
	calls "$mkdirat" 0 0
	file=$(cache_files)
	chmod 666 "$file"
	before=$(stat -c %i "$file")
	calls "$mkdirat" 0 0
	is 0 -28
	[ "$(stat -c %i:%a "$file")" != "$before:666" ]
	cat "$BATS_TEST_TMPDIR/other" >"$file"
	calls "$mkdirat" 0 0
	is 0 -28
}

@test "exec is filtered, with and without a cached filter" {
	blocks_mkdir 'action: "SCMP_ACT_ERRNO", errnoRet: 28'
	command_is sleep 60
	tote run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	run tote exec "$ID" /root/agent call "$mkdirat" 0 0
	is 0 -28
	rm "$(cache_files)"
	run tote exec "$ID" /root/agent call "$mkdirat" 0 0
	is 0 -28
	run tote exec "$ID" grep Seccomp: /proc/self/status
	is 0 $'Seccomp:\t2'
}

@test "exec of a killed call gives 159" {
	blocks_mkdir 'action: "SCMP_ACT_KILL_PROCESS"'
	command_is sleep 60
	tote run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	run tote exec "$ID" /root/agent call "$mkdirat" 0 0
	is 159 ""
	[ "$(status_of "$ID")" = running ]
}

@test "a listener gets the calls and the container's state" {
	start_agent
	notifies_mkdir ', listenerMetadata: "note 7"'
	config '.annotations = {"org.example": "x"}'
	calls "$mkdirat" 0 0
	is 0 -77
	local json=$BATS_TEST_TMPDIR/agent.out
	[ "$(jq -c '.fds' "$json")" = '["seccompFd"]' ]
	[ "$(jq -r '.metadata' "$json")" = "note 7" ]
	[ "$(jq -r '.state.id' "$json")" = "$ID" ]
	[ "$(jq -r '.state.status' "$json")" = creating ]
	[ "$(jq -r '.state.bundle' "$json")" = "$BUNDLE" ]
	[ "$(jq -r '.state.annotations["org.example"]' "$json")" = x ]
	[ "$(jq -r '.ociVersion | startswith("1.")' "$json")" = true ]
	[ "$(jq '.pid == .state.pid and .pid > 1' "$json")" = true ]
	nothing_left
}

@test "a listener with create and start, and another for exec" {
	start_agent
	notifies_mkdir
	command_is sh -c '/root/agent call $0 0 0; exec sleep 60' "$mkdirat"
	tote create "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	[ "$(status_of "$ID")" = created ]
	[ "$(jq -r .state.id "$BATS_TEST_TMPDIR/agent.out")" = "$ID" ]
	tote start "$ID"
	eventually grep -q -- '^-77$' "$BATS_TEST_TMPDIR/out"
	run tote exec "$ID" /root/agent call "$mkdirat" 0 0
	is 0 -77
	[ "$(jq -s 'length' "$BATS_TEST_TMPDIR/agent.out")" = 2 ]
	[ "$(jq -s '.[1].pid != .[0].pid and .[1].state.pid == .[0].state.pid' "$BATS_TEST_TMPDIR/agent.out")" = true ]
	[ "$(jq -sr '.[1].state.status' "$BATS_TEST_TMPDIR/agent.out")" = running ]
}

@test "a listener together with flags, and without no_new_privs" {
	start_agent
	notifies_mkdir ', flags: ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]'
	config '.process.noNewPrivileges = false'
	calls "$mkdirat" 0 0
	is 0 -77
	config '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]'
	calls "$mkdirat" 0 0
	is 0 -77 || [[ $output == *"Invalid argument"* ]]
}

@test "a listener that nobody answers, or with a missing path, is an error that leaves nothing" {
	notifies_mkdir
	command_is true
	refused '*linux.seccomp.listenerPath*agent.sock*No such file*'
	config 'del(.linux.seccomp.listenerPath)'
	refused '*listenerPath*'
	profile '{defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/x"}'
	refused '*defaultAction*SCMP_ACT_NOTIFY*'
}

@test "the listener's own descriptor does not reach the program" {
	start_agent
	notifies_mkdir
	command_is ls -l /proc/self/fd
	run tote run "$ID"
	[ "$status" = 0 ]
	[[ $output != *seccomp* ]]
}
