/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/proc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static pid_t start_child(const char *name)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void wait_for_zombie(pid_t pid)
{
	siginfo_t si;

	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
}

static void a_living_one(void **state)
{
	struct proc_id id, self;
	int fd;
	/* What a careless reader of /proc/PID/stat stumbles over. */
	pid_t pid = start_child(") Z 1 (x) R 2");

	(void)state;
	assert_int_equal(proc_identify(pid, &id), 0);
	assert_int_equal(id.pid, pid);
	assert_int_equal(strlen(id.boot_id), 36);
	assert_int_equal(proc_identify(getpid(), &self), 0);
	assert_string_equal(self.boot_id, id.boot_id);
	assert_true(id.start_time >= self.start_time && self.start_time > 0);
	assert_true(proc_alive(&id) && proc_alive(&self));
	fd = proc_open(&id);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(proc_wait_gone(fd, 0), 0);
	assert_int_equal(proc_signal(fd, 0), 0);
	assert_int_equal(proc_signal(fd, SIGKILL), 0);
	assert_int_equal(proc_wait_gone(fd, 10000), 1);
	/* A zombie until it is waited for. */
	assert_false(proc_alive(&id));
	assert_int_equal(proc_open(&id), -ESRCH);
	assert_int_equal(proc_wait(fd), 128 + SIGKILL);
	assert_false(proc_alive(&id));
	assert_int_equal(proc_open(&id), -ESRCH);
	assert_int_equal(proc_signal(fd, 0), -ESRCH);
	assert_int_equal(proc_wait(fd), -ECHILD);
	close(fd);
	assert_int_equal(proc_identify(pid, &id), -ESRCH);
}

static void not_the_same(void **state)
{
	struct proc_id self, other;

	(void)state;
	assert_int_equal(proc_identify(getpid(), &self), 0);
	other = self;
	other.start_time++;
	assert_false(proc_alive(&other));
	assert_int_equal(proc_open(&other), -ESRCH);
	other = self;
	other.boot_id[0] = other.boot_id[0] == '0' ? '1' : '0';
	assert_false(proc_alive(&other));
	assert_int_equal(proc_open(&other), -ESRCH);
	other = self;
	other.boot_id[0] = '\0';
	assert_int_equal(proc_open(&other), -ESRCH);
	for (int pid = 0; pid >= -1; pid--) {
		other = self;
		other.pid = pid;
		assert_false(proc_alive(&other));
		assert_int_equal(proc_open(&other), -ESRCH);
		assert_int_equal(proc_identify(pid, &other), -ESRCH);
		assert_int_equal(other.pid, pid);
	}
}

static void exit_codes(void **state)
{
	static const int codes[] = { 0, 1, 127, 255 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct proc_id id;
		pid_t pid = fork();
		int fd;

		if (pid == 0) {
			/* Not before we hold it. */
			raise(SIGSTOP);
			_exit(codes[i]);
		}
		assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
		assert_int_equal(proc_identify(pid, &id), 0);
		fd = proc_open(&id);
		assert_true(fd >= 0);
		kill(pid, SIGCONT);
		wait_for_zombie(pid);
		assert_int_equal(proc_wait(fd), codes[i]);
		close(fd);
	}
}

static int run(const char *script, const char *input, int timeout_ms, struct buf *out,
	       struct err *err)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	char *envp[] = { (char *)"A=1", (char *)"PATH=/usr/bin:/bin", NULL };

	return proc_run("/bin/sh", argv, envp, input, timeout_ms, out, err);
}

static void running(void **state)
{
	static const struct {
		const char *script, *input;
		int code;
		const char *message;
	} cases[] = {
		{ "exit 0", NULL, 0, NULL },
		{ "echo to stdout; echo to stderr >&2", NULL, 0, NULL },
		{ "exit 3", NULL, 3, "/bin/sh ended with code 3" },
		{ "echo first >&2; echo second >&2; exit 1", NULL, 1,
		  "/bin/sh ended with code 1: first" },
		{ "kill -TERM $$", NULL, 143, "/bin/sh ended with code 143" },
		{ "test \"$(cat)\" = \"two words\"", "two words", 0, NULL },
		{ "test -z \"$(cat)\"", "", 0, NULL },
		{ "test -z \"$(cat)\"", NULL, 0, NULL },
		{ "test \"$(/usr/bin/env | grep -c ^A=1)\" = 1", NULL, 0, NULL },
		{ "exit 5", "unread", 5, "/bin/sh ended with code 5" },
		{ "head -c 100000 /dev/zero >&2; exit 0", NULL, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(run(cases[i].script, cases[i].input, 10000, NULL, &err),
				 cases[i].code);
		if (cases[i].message) {
			assert_string_equal(err.msg, cases[i].message);
			assert_int_equal(err.code, -EIO);
		} else {
			assert_string_equal(err.msg, "");
		}
	}
}

static void long_complaints_are_cut(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(run("printf %0900d 1 >&2; exit 1", NULL, -1, NULL, &err), 1);
	assert_in_range(strlen(err.msg), 100, sizeof(err.msg) - 1);
	assert_null(strchr(err.msg, '\n'));
}

static void output_is_taken(void **state)
{
	autobuf out = BUF_INIT;
	struct err err;

	(void)state;
	assert_int_equal(run("cat; printf '\\0b'", "a", -1, &out, &err), 0);
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.data, "a\0b", 3);
}

static void in_a_directory(void **state)
{
	static const char *const dirs[][2] = { { "/usr/..", "/" },
					       { "/proc/self", "/proc/" },
					       { "/nonexistent", "/" } };
	char *argv[] = { (char *)"pwd", (char *)"-P", NULL };
	char ours[64], after[64];

	(void)state;
	assert_non_null(getcwd(ours, sizeof(ours)));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		autobuf out = BUF_INIT;
		struct err err;

		assert_int_equal(
			proc_run_in(dirs[i][0], "/bin/pwd", argv, NULL, NULL, -1, &out, &err), 0);
		assert_memory_equal(buf_str(&out), dirs[i][1], strlen(dirs[i][1]));
	}
	assert_string_equal(getcwd(after, sizeof(after)), ours);
}

static void what_cannot_run(void **state)
{
	char *argv[] = { (char *)"x", NULL };
	struct err err;

	(void)state;
	assert_int_equal(proc_run("/nonexistent", argv, NULL, NULL, -1, NULL, &err), 127);
	assert_string_equal(err.msg, "/nonexistent ended with code 127");
	assert_int_equal(proc_run("/", argv, NULL, NULL, -1, NULL, &err), 127);
}

static void time_runs_out(void **state)
{
	struct timespec start, end;
	struct err err;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(run("exec sleep 30", NULL, 100, NULL, &err), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_string_equal(err.msg, "run /bin/sh: timed out after 100 ms");
	assert_true(end.tv_sec - start.tv_sec < 10);
	/* Killed and waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* A caller's descriptor without close-on-exec, its signal mask. */
static void nothing_is_inherited(void **state)
{
	sigset_t all, old;
	struct err err;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, 37), 37);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	assert_int_equal(run("test ! -e /proc/self/fd/37", NULL, 10000, NULL, &err), 0);
	assert_int_equal(run("grep -q '^SigBlk:.*0000000000000000' /proc/self/status", NULL, 10000,
			     NULL, &err),
			 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(37);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_living_one),	   cmocka_unit_test(not_the_same),
		cmocka_unit_test(exit_codes),	   cmocka_unit_test(running),
		cmocka_unit_test(output_is_taken), cmocka_unit_test(long_complaints_are_cut),
		cmocka_unit_test(in_a_directory),  cmocka_unit_test(what_cannot_run),
		cmocka_unit_test(time_runs_out),   cmocka_unit_test(nothing_is_inherited),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
