#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The fault injector itself, and that its sweep sees what is left over. FAULT names the program under test.

bats_require_minimum_version 1.5.0
load ../bats

setup_file() {
	export FAULT=${FAULT:-build/fault}
	# Clones itself into a new pid namespace from a memfd. In argv[1]: p CLONE_PARENT, w waits for the child, which
	# makes the file argv[2] after a while.
	cat >"$BATS_FILE_TMPDIR/cloner.c" <<-'END'
	#define _GNU_SOURCE
	#include <fcntl.h>
	#include <linux/sched.h>
	#include <sched.h>
	#include <signal.h>
	#include <stdio.h>
	#include <string.h>
	#include <sys/mman.h>
	#include <sys/sendfile.h>
	#include <sys/wait.h>
	#include <unistd.h>
	extern char **environ;
	static char stack[65536], *path;
	static int child(void *memfd)
	{
		char *argv[] = { "cloner", "child", path, NULL };
		fexecve(*(int *)memfd, argv, environ);
		_exit(9);
	}
	int main(int argc, char **argv)
	{
		int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_NEWPID | SIGCHLD;
		int exe = open("/proc/self/exe", O_RDONLY), memfd = memfd_create("cloner", MFD_CLOEXEC);
		int pid, pidfd = -1;
		siginfo_t info = { 0 };
		if (argc > 1 && strcmp(argv[1], "child") == 0) {
			if (fork() == 0)
				_exit(0);
			usleep(100000);
			if (argc > 2)
				close(open(argv[2], O_CREAT, 0600));
			return getpid() == 1 ? 42 : 9;
		}
		path = argc > 2 ? argv[2] : NULL;
		while (sendfile(memfd, exe, NULL, 1 << 24) > 0)
			;
		if (argc > 1 && strchr(argv[1], 'p'))
			flags |= CLONE_PARENT;
		pid = clone(child, stack + sizeof(stack), flags, &memfd, &pidfd);
		dprintf(1, "%d\n", pid);
		if (argc > 1 && strchr(argv[1], 'w') && waitid(P_PIDFD, pidfd, &info, WEXITED) < 0)
			return 8;
		return pid < 0 ? 9 : info.si_status;
	}
	END
	"${CC:-cc}" -O1 -o "$BATS_FILE_TMPDIR/cloner" "$BATS_FILE_TMPDIR/cloner.c"
}

setup() {
	cloner=$BATS_FILE_TMPDIR/cloner
}

# The number of the first call of a command that opens a file by this path.
nth_open() { # path command...
	local n path=$1
	shift
	for ((n = 1; n < 200; n++)); do
		if "$FAULT" fail -v -n "$n" -e ENOENT -- "$@" 2>&1 >/dev/null | grep -q "$path: No such file"; then
			echo "$n"
			return
		fi
	done
	return 1
}

running() { # pid
	[ -n "$1" ] && [ -d "/proc/$1" ] && ! grep -q '^State:.*[ZX] ' "/proc/$1/status"
}

# A bare ! is exempt from bats' set -e.
refute() {
	! "$@"
}

wait_gone() { # pid
	local try
	for ((try = 0; try < 300; try++)); do
		running "$1" || return 0
		sleep 0.05
	done
	return 1
}

@test "count prints one number, the same each time" {
	run "$FAULT" count -- /bin/true
	[ "$status" = 0 ]
	[[ $output =~ ^[0-9]+$ ]]
	[ "$output" -gt 1 ]
	first=$output
	run "$FAULT" count -- /bin/true
	[ "$output" = "$first" ]
}

@test "count passes the exit code on and keeps the command's output out of stdout" {
	run "$FAULT" count -- sh -c 'echo noise; exit 7' 2>/dev/null
	[ "$status" = 7 ]
	number=$("$FAULT" count -- sh -c 'echo noise' 2>"$BATS_TEST_TMPDIR/err")
	[[ $number =~ ^[0-9]+$ ]]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = noise ]
}

@test "count -c adds the calls of children" {
	own=$("$FAULT" count -- sh -c '/bin/true; /bin/true; exit 0')
	all=$("$FAULT" count -c -- sh -c '/bin/true; /bin/true; exit 0')
	one=$("$FAULT" count -- /bin/true)
	[ "$all" -ge $((own + 2 * one)) ]
}

@test "kill at each call gives 137, past the last one nothing" {
	calls=$("$FAULT" count -- /bin/true)
	for ((n = 1; n <= calls; n++)); do
		run "$FAULT" kill -n "$n" -- /bin/true
		[ "$status" = 137 ]
	done
	run "$FAULT" kill -n $((calls + 1)) -- /bin/true
	[ "$status" = 0 ]
}

@test "a killed call is not executed" {
	dir=$BATS_TEST_TMPDIR/made
	calls=$("$FAULT" count -- mkdir "$dir")
	rmdir "$dir"
	for ((n = 1; n <= calls; n++)); do
		run "$FAULT" kill -v -n "$n" -- mkdir "$dir"
		[[ $output =~ ^$n:\ [0-9]+\ [a-z0-9_]+$ ]]
		[[ $output == *" mkdir" || $output == *" mkdirat" ]] && break
	done
	[ "$n" -lt "$calls" ]
	[ ! -e "$dir" ]
}

@test "kill -c kills the caller only, kill -a the main process too" {
	run "$FAULT" count -c -- sh -c '/bin/true; exit 3'
	[ "$status" = 3 ]
	calls=$output callers=0 main=0
	# The last few may come in another order.
	for ((n = 1; n < calls - 5; n += 2)); do
		run "$FAULT" kill -c -n "$n" -- sh -c '/bin/true; exit 3'
		case $status in
		3) callers=$((callers + 1)) ;;
		137) main=$((main + 1)) ;;
		*) false ;;
		esac
		run "$FAULT" kill -a -c -n "$n" -- sh -c '/bin/true; exit 3'
		[ "$status" = 137 ]
	done
	[ "$callers" -gt 5 ]
	[ "$main" -gt 5 ]
}

@test "kill -a without -c kills a sleeping child at the main process's call" {
	script='sleep 3 >/dev/null 2>&1 3>&- & echo $!; exit 0'
	calls=$("$FAULT" count -- sh -c "$script" 2>"$BATS_TEST_TMPDIR/pid")
	kill "$(cat "$BATS_TEST_TMPDIR/pid")"
	run "$FAULT" kill -a -n "$calls" -- sh -c "$script"
	[ "$status" = 137 ]
	[[ $output =~ ^[0-9]+$ ]]
	refute running "$output"
}

@test "fail ENOENT on the open that cat makes" {
	echo text >"$BATS_TEST_TMPDIR/file"
	n=$(nth_open "$BATS_TEST_TMPDIR/file" cat "$BATS_TEST_TMPDIR/file")
	run "$FAULT" fail -v -n "$n" -e ENOENT -- cat "$BATS_TEST_TMPDIR/file"
	[ "$status" = 1 ]
	[[ ${lines[0]} =~ ^$n:\ [0-9]+\ open(at)?$ ]]
	[[ ${lines[1]} == *"No such file or directory" ]]
	run "$FAULT" fail -n "$n" -e EMFILE -- cat "$BATS_TEST_TMPDIR/file"
	[[ $output == *"Too many open files" ]]
}

@test "fail does not inject into calls that cannot fail" {
	calls=$("$FAULT" count -- /bin/true)
	run "$FAULT" fail -v -n "$calls" -e ENOMEM -- /bin/true
	[ "$status" = 0 ]
	[[ $output == *" exit_group (not injected)" ]]
}

@test "a failing close still closes" {
	program='import os
r, w = os.pipe()
try:
	os.close(w)
except OSError as e:
	print(e.errno, os.read(r, 1))'
	command -v python3 >/dev/null || skip "needs python3"
	calls=$("$FAULT" count -- python3 -c "$program")
	for ((n = calls; n > 1; n--)); do
		run "$FAULT" fail -t 5 -n "$n" -e EIO -- python3 -c "$program"
		[ "$output" = "5 b''" ] && return
	done
	false
}

@test "enosys reaches descendants, with and without -v" {
	run "$FAULT" enosys -s mkdir,mkdirat -- sh -c 'mkdir "$0"/x; mkdir "$0"/y; exit 5' "$BATS_TEST_TMPDIR"
	[ "$status" = 5 ]
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[1]} == *"Function not implemented" ]]
	run "$FAULT" enosys -v -s mkdir,mkdirat -- sh -c 'mkdir "$0"/x; exit 5' "$BATS_TEST_TMPDIR"
	[ "$status" = 5 ]
	[[ ${lines[0]} =~ ^1:\ [0-9]+\ mkdir(at)?$ ]]
	[[ ${lines[1]} == *"Function not implemented" ]]
}

@test "a surviving child is let go, neither stopped nor traced" {
	for verb in "count -c" "fail -c -n 100000 -e EIO" "kill -c -n 100000"; do
		"$FAULT" $verb -- sh -c 'sleep 30 >/dev/null 2>&1 & echo $! >"$0"' "$BATS_TEST_TMPDIR/pid" 3>&-
		pid=$(cat "$BATS_TEST_TMPDIR/pid")
		running "$pid"
		grep -q '^TracerPid:.*[^0-9]0$' "/proc/$pid/status"
		refute grep -q '^State:.*[tT] ' "/proc/$pid/status"
		kill "$pid"
		wait_gone "$pid"
	done
}

@test "a child of the command with CLONE_PARENT, from a memfd, in a pid namespace, survives it" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	for flags in x p; do
		pid=$("$FAULT" kill -c -n 100000 -- "$cloner" "$flags" "$BATS_TEST_TMPDIR/$flags" 3>&- | cat)
		wait_gone "$pid"
		[ -e "$BATS_TEST_TMPDIR/$flags" ]
	done
	run "$FAULT" kill -c -n 100000 -- "$cloner" w
	[ "$status" = 42 ]
}

@test "the first process of a pid namespace is killed at each of its calls" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	run "$FAULT" count -c -- "$cloner" w 2>/dev/null
	[ "$status" = 42 ]
	calls=${lines[-1]}
	for ((n = 1; n < calls; n += 3)); do
		run "$FAULT" kill -a -c -n "$n" -- "$cloner" w
		[ "$status" = 137 ]
		[ -z "$output" ] || refute running "$output"
	done
}

@test "stopping signals and SIGTERM work as without a tracer" {
	run "$FAULT" count -c -- sh -c 'sleep 30 & kill -STOP $!; until grep -q "^State:.*[Tt]" /proc/$!/status; do sleep 0.1; done
		kill -CONT $! && kill -TERM $!; wait $!'
	[ "$status" = 143 ]
	run "$FAULT" count -- sh -c 'kill -TERM $$'
	[ "$status" = 143 ]
}

@test "the time-out kills all that is traced and gives 124" {
	start=$SECONDS
	run "$FAULT" kill -t 0.3 -c -n 100000 -- sh -c 'sleep 30 & echo $!; sleep 30'
	[ "$status" = 124 ]
	[ $((SECONDS - start)) -lt 25 ]
	wait_gone "$output"
}

@test "killing fault kills what it traces" {
	"$FAULT" count -c -- sh -c 'echo $$ >"$0"; exec sleep 30' "$BATS_TEST_TMPDIR/pid" 3>&- >/dev/null &
	fault=$!
	for ((try = 0; try < 600; try++)); do
		[ -s "$BATS_TEST_TMPDIR/pid" ] && break
		sleep 0.05
	done
	kill -KILL "$fault"
	wait_gone "$(cat "$BATS_TEST_TMPDIR/pid")"
}

@test "wrong usage and missing commands" {
	for args in "" "nothing" "kill -- true" "kill -n 0 -- true" "fail -n 1 -- true" "fail -n 1 -e EWRONG -- true" \
		"enosys -- true" "enosys -s wrong -- true" "count" "count -t x -- true"; do
		run "$FAULT" $args
		[ "$status" = 125 ]
		[ -n "$output" ]
	done
	run -127 "$FAULT" kill -n 1 -- /nonexistent/program
	run -126 "$FAULT" kill -n 1 -- /etc/passwd
}

# A runtime of directories, in one process: what it starts would go on behind its end. $1 is the file that delete must find to remove
# the container.
write_runtime() {
	cat >"$BATS_TEST_TMPDIR/runtime" <<-END
	#!/usr/bin/perl
	my (\$verb, \$dir) = (\$ARGV[2], "\$ARGV[1]/\$ARGV[-1]");
	if (\$verb eq "create") {
		mkdir \$dir or exit 1;
		open(my \$state, ">", "\$dir/state") or exit 1;
		print \$state "\$\$\n";
		close \$state or exit 1;
	} elsif (\$verb eq "run") {
		mkdir \$dir and rmdir \$dir or exit 1;
	} elsif (\$verb eq "delete" and -s "\$dir/$1") {
		unlink "\$dir/state";
		rmdir \$dir or exit 1;
	}
	END
	chmod +x "$BATS_TEST_TMPDIR/runtime"
}

sweep() {
	TOTE=$BATS_TEST_TMPDIR/runtime STEP=3 OFFSET=0 MODES=kill run "$BATS_TEST_DIRNAME/sweep.sh" create
	[[ $output != *SKIP* ]] || skip "${lines[0]}"
}

@test "the sweep passes a runtime that leaves nothing" {
	[ -x /bin/busybox ] || skip "needs busybox-static"
	write_runtime .
	sweep
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "1..1" ]
	[[ $output == *"ok 1 - create kill"* ]]
	[[ $output == *" leftovers: 0 "* ]]
}

@test "the sweep sees a runtime that writes its state too late" {
	[ -x /bin/busybox ] || skip "needs busybox-static"
	write_runtime state
	sweep
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"not ok 1 - create kill"* ]]
	[[ $output =~ create\ kill\ n=[0-9]+\ .*left:\ file\ .*/state/ ]]
}
