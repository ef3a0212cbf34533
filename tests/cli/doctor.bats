# SPDX-License-Identifier: Apache-2.0
# doctor: what the host can do, in words and as JSON, for root and for an ordinary user.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	ROOT=$BATS_TEST_TMPDIR/state
}

# Exit code 0 or 1, as the report says itself.
report() {
	local code=0
	"$@" --format json >"$BATS_TEST_TMPDIR/report" 2>"$BATS_TEST_TMPDIR/err" || code=$?
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	[ "$code" = "$(ask 'if any(.status == "fail") then 1 else 0 end')" ]
}

ask() {
	jq -r "$1" "$BATS_TEST_TMPDIR/report"
}

status_of_check() {
	ask ".[] | select(.check == \"$1\").status"
}

# A sanitized build cannot look for leaks while it is traced.
traced() {
	ASAN_OPTIONS=detect_leaks=0 strace -qq "$@"
}

@test "JSON: one object for each check, with a remedy unless it is ok" {
	report tote doctor
	[ "$(ask 'length > 40')" = true ]
	[ "$(command jq -r 'map(keys_unsorted) | unique | tojson' "$BATS_TEST_TMPDIR/report")" = '[["check","status","detail","remedy"]]' ]
	[ "$(ask 'map(.status) - ["ok", "warn", "fail"] | length')" = 0 ]
	[ "$(ask 'map(select((.status == "ok") != (.remedy == null))) | length')" = 0 ]
	[ "$(ask 'map(select(.detail | length == 0)) | length')" = 0 ]
	[ "$(ask '(map(.check) | unique | length) == length')" = true ]
}

@test "the table has the same lines, without colour when it is no terminal" {
	report tote doctor
	tote doctor >"$BATS_TEST_TMPDIR/table" || true
	[ "$(wc -l <"$BATS_TEST_TMPDIR/table")" = "$(ask length)" ]
	[ "$(awk '{ print $1, $2 }' "$BATS_TEST_TMPDIR/table")" = "$(ask '.[] | .status + " " + .check')" ]
	[ "$(grep -c '; remedy: .' "$BATS_TEST_TMPDIR/table")" = "$(ask 'map(select(.remedy)) | length')" ]
	run ! grep -q $'\e' "$BATS_TEST_TMPDIR/table"
}

@test "colour on a terminal" {
	script -qec "$TOTE --root $ROOT doctor" /dev/null >"$BATS_TEST_TMPDIR/table" </dev/null || true
	grep -q $'^\e\\[3[123]m' "$BATS_TEST_TMPDIR/table"
}

@test "limits that this host cannot set are named with the way out" {
	report tote doctor
	for c in memory cpu pids io cpuset hugetlb; do
		if grep -qw "$c" "$(cgroup2_mount)/cgroup.controllers"; then
			[ "$(status_of_check "controller-$c")" = ok ]
		else
			[ "$(status_of_check "controller-$c")" = warn ]
		fi
	done
	if [ -e /sys/fs/cgroup/unified/cgroup.procs ]; then
		[ "$(status_of_check cgroup)" = warn ]
		ask '.[] | select(.check == "cgroup").remedy' | grep -q systemd.unified_cgroup_hierarchy=1
	fi
}

@test "a state directory that others may write to fails" {
	mkdir -m 0777 "$ROOT"
	chmod 0777 "$ROOT"
	report tote doctor
	[ "$(status_of_check state-directory)" = fail ]
	chmod 0700 "$ROOT"
	report tote doctor
	[ "$(status_of_check state-directory)" = ok ]
}

@test "an ordinary user is answered for that user" {
	[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
	# Whom the build directory may be closed to.
	exec 7<"$TOTE"
	report setpriv --reuid 64321 --regid 64321 --clear-groups /proc/self/fd/7 --root "$ROOT" doctor
	exec 7<&-
	[ "$(status_of_check cgroup-delegation)" = warn ]
	[ "$(status_of_check subuid)" = warn ]
	ask '.[] | select(.check == "subuid").remedy' | grep -q 'usermod --add-subuids 100000-165535 64321'
	ask '.[] | select(.check == "subgid").remedy' | grep -q 'usermod --add-subgids 100000-165535 64321'
	[ "$(status_of_check device-programs)" = ok ]
}

@test "a missing capability is found" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	report setpriv --bounding-set -sys_admin --inh-caps -all "$TOTE" --root "$ROOT" doctor
	[ "$(status_of_check sys-admin)" = warn ]
}

@test "a system call that is not there is found" {
	command -v strace >/dev/null || skip "needs strace"
	report traced -o /dev/null -e inject=mount_setattr,pidfd_getfd:error=ENOSYS "$TOTE" --root "$ROOT" doctor
	[ "$(status_of_check mount_setattr)" = fail ]
	ask '.[] | select(.check == "mount_setattr").remedy' | grep -q 'Linux 5.12'
	[ "$(status_of_check pidfd_getfd)" = warn ]
	[ "$(status_of_check openat2)" = ok ]
}

@test "memfds that may not be executed are found" {
	command -v strace >/dev/null || skip "needs strace"
	report traced -o /dev/null -e inject=memfd_create:error=EACCES "$TOTE" --root "$ROOT" doctor
	[ "$(status_of_check memfd-exec)" = fail ]
	ask '.[] | select(.check == "memfd-exec").remedy' | grep -q vm.memfd_noexec
}

@test "nothing on the host is written, made, mounted or loaded" {
	command -v strace >/dev/null || skip "needs strace"
	calls=mkdir,mkdirat,mknodat,unlink,unlinkat,rename,renameat,renameat2,mount,umount2,init_module,finit_module,kill,setns
	report traced -f -o "$BATS_TEST_TMPDIR/trace" -e trace=openat,$calls "$TOTE" --root "$ROOT" doctor
	grep -q 'openat(.*/proc/self/mountinfo' "$BATS_TEST_TMPDIR/trace"
	run -1 grep -E "O_WRONLY|O_RDWR|O_CREAT|^[0-9]+ +(${calls//,/|})\\(" "$BATS_TEST_TMPDIR/trace"
	[ ! -e "$ROOT" ]
}

@test "a format that does not exist" {
	run -1 --separate-stderr tote doctor --format xml
	[ -z "$output" ]
	[[ "$stderr" == *'expected table or json, found "xml"'* ]]
	run -1 --separate-stderr tote doctor now
	[[ "$stderr" == *'unexpected argument "now"'* ]]
}
