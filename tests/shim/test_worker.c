/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: results with descriptors, those that come to no good end, and that nothing of them
 * stays. This process plays the server. */
#include "cmd/containerd-shim-tote-v2/worker.h"

#include "lib/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static struct loop loop;
static struct workers workers;
static unsigned int in_child_calls; /* in the child's copy */
/* What workers and their children tell besides. */
static struct {
	volatile pid_t pid, parent;
	volatile int said;
} * shared;

struct case_worker {
	struct worker worker;
	int calls;
	struct worker_result result;
};

static void note(struct worker *worker, struct worker_result *result)
{
	struct case_worker *w = container_of(worker, struct case_worker, worker);

	w->calls++;
	w->result = *result;
}

static void in_child(void *ctx, int keep)
{
	assert_ptr_equal(ctx, &workers);
	assert_true(fcntl(keep, F_GETFD) >= 0);
	in_child_calls++;
}

static int setup(void **state)
{
	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || loop_init(&loop) < 0)
		return -1;
	workers_init(&workers, &loop, in_child, &workers);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_done(&loop);
	munmap(shared, sizeof(*shared));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return 0;
}

static void run_until_done(struct case_worker *w)
{
	int64_t end = loop_now() + PATIENCE_MS;

	while (!w->calls && loop_now() < end)
		assert_int_equal(loop_once(&loop, 100), 0);
	assert_int_equal(w->calls, 1);
}

static unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* The wait of the reaper: until that child has ended. */
static int reap(pid_t pid)
{
	int status = 0;

	alarm(PATIENCE_MS / 1000);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	alarm(0);
	return status;
}

static void job_pipes(void *arg, struct worker_result *result)
{
	int a[2], b[2];

	if (pipe2(a, O_CLOEXEC) < 0 || pipe2(b, O_CLOEXEC) < 0)
		return;
	result->pid = getpid();
	result->kill_all = true;
	result->io.out_from = a[0];
	result->io.err_keep = b[1];
	result->io.terminal = b[0];
	snprintf(result->cgroup, sizeof(result->cgroup), "/group/%s", (char *)arg);
	snprintf(result->root, sizeof(result->root), "calls %u", in_child_calls);
	if (write(a[1], arg, strlen(arg)) < 0)
		return;
}

static void result_with_fds(void **state)
{
	struct case_worker w = { 0 };
	char arg[] = "hello", text[16] = "";
	unsigned int before = open_fds();
	const struct io_fds *io = &w.result.io;

	(void)state;
	assert_int_equal(worker_begin(&workers, &w.worker, job_pipes, arg, note), 0);
	assert_false(list_empty(&workers.running));
	w.result.pid = w.worker.pid;
	run_until_done(&w);
	assert_true(list_empty(&workers.running));
	assert_int_equal(w.result.err.code, 0);
	assert_true(w.result.kill_all);
	assert_string_equal(w.result.cgroup, "/group/hello");
	/* The server's things were put away before, in the child only. */
	assert_string_equal(w.result.root, "calls 1");
	assert_int_equal(in_child_calls, 0);
	assert_int_equal(read(io->out_from, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	/* Both ends of one pipe, in the places they were sent in. */
	assert_int_equal(write(io->err_keep, "x", 1), 1);
	assert_int_equal(read(io->terminal, text, 1), 1);
	assert_int_equal(fcntl(io->out_from, F_GETFD), FD_CLOEXEC);
	assert_int_equal(io->in_from, -1);
	assert_int_equal(io->in_to, -1);
	assert_int_equal(io->out_to, -1);
	assert_int_equal(io->err_from, -1);
	close(io->out_from);
	close(io->err_keep);
	close(io->terminal);
	assert_int_equal(open_fds(), before);
	assert_int_equal(reap(w.result.pid), 0);
}

static void job_fail(void *arg, struct worker_result *result)
{
	(void)arg;
	err_set(&result->err, ENOTDIR, "no such thing");
}

static void result_of_failure(void **state)
{
	struct case_worker w = { 0 };

	(void)state;
	assert_int_equal(worker_begin(&workers, &w.worker, job_fail, NULL, note), 0);
	run_until_done(&w);
	assert_int_equal(w.result.err.code, -ENOTDIR);
	assert_string_equal(w.result.err.msg, "no such thing");
	assert_int_equal(w.result.io.terminal, -1);
}

static void job_die(void *arg, struct worker_result *result)
{
	(void)result;
	if (arg)
		raise(SIGSEGV);
	_exit(0);
}

static void dies(void **state)
{
	char yes[] = "";

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct case_worker w = { 0 };

		assert_int_equal(worker_begin(&workers, &w.worker, job_die, i ? yes : NULL, note),
				 0);
		run_until_done(&w);
		assert_int_equal(w.result.err.code, -EIO);
		assert_int_equal(w.result.pid, 0);
		assert_int_equal(w.result.io.out_from, -1);
		assert_true(list_empty(&workers.running));
	}
}

static void job_block(void *arg, struct worker_result *result)
{
	(void)arg;
	(void)result;
	shared->parent = getppid();
	shared->pid = getpid();
	for (;;)
		pause();
}

static void wait_for_pid(void)
{
	int64_t end = loop_now() + PATIENCE_MS;

	while (!shared->pid && loop_now() < end)
		poll(NULL, 0, 5);
	assert_int_not_equal(shared->pid, 0);
}

/* While one is stuck, others come and go. */
static void blocks_then_killed(void **state)
{
	struct case_worker stuck = { 0 }, other = { 0 };
	int64_t begun;

	(void)state;
	assert_int_equal(worker_begin(&workers, &stuck.worker, job_block, NULL, note), 0);
	wait_for_pid();
	assert_int_equal(shared->pid, stuck.worker.pid);
	begun = loop_now();
	workers_collect(&workers);
	assert_int_equal(worker_begin(&workers, &other.worker, job_fail, NULL, note), 0);
	run_until_done(&other);
	assert_in_range(loop_now() - begun, 0, PATIENCE_MS);
	assert_int_equal(stuck.calls, 0);
	assert_false(workers_reaped(&workers, getpid()));
	kill(shared->pid, SIGKILL);
	run_until_done(&stuck);
	assert_int_equal(stuck.result.err.code, -EIO);
	assert_true(WIFSIGNALED(reap(shared->pid)));
}

static void job_leave_child(void *arg, struct worker_result *result)
{
	pid_t pid = fork();

	(void)arg;
	(void)result;
	if (pid == 0)
		for (;;)
			pause();
	shared->said = pid;
	raise(SIGKILL);
}

/* Its end of the socket lives on in a process of its own: the reaper tells. */
static void killed_with_child(void **state)
{
	struct case_worker w = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(worker_begin(&workers, &w.worker, job_leave_child, NULL, note), 0);
	pid = w.worker.pid;
	assert_true(WIFSIGNALED(reap(pid)));
	assert_int_equal(loop_once(&loop, 50), 0);
	assert_int_equal(w.calls, 0);
	assert_true(workers_reaped(&workers, pid));
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.result.err.code, -EIO);
	kill(shared->said, SIGKILL);
}

/* It has sent its result and ended before anybody looked. */
static void result_after_reaping(void **state)
{
	struct case_worker w = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(worker_begin(&workers, &w.worker, job_fail, NULL, note), 0);
	pid = w.worker.pid;
	assert_int_equal(reap(pid), 0);
	assert_true(workers_reaped(&workers, pid));
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.result.err.code, -ENOTDIR);
}

static void again(struct worker *worker, struct worker_result *result)
{
	struct case_worker *w = container_of(worker, struct case_worker, worker);

	w->result = *result;
	if (++w->calls < 5)
		assert_int_equal(worker_begin(&workers, worker, job_fail, NULL, again), 0);
}

static void begun_again_when_done(void **state)
{
	struct case_worker w = { 0 };
	int64_t end = loop_now() + PATIENCE_MS;

	(void)state;
	assert_int_equal(worker_begin(&workers, &w.worker, job_fail, NULL, again), 0);
	while (w.calls < 5 && loop_now() < end) {
		workers_collect(&workers);
		poll(NULL, 0, 1);
	}
	assert_int_equal(w.calls, 5);
	assert_true(list_empty(&workers.running));
}

static void on_signal(int sig)
{
	(void)sig;
}

static void job_signals(void *arg, struct worker_result *result)
{
	sigset_t mask;
	struct sigaction action;

	(void)arg;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int sig = 1; sig < NSIG; sig++) {
		if (sigismember(&mask, sig) == 1)
			err_set(&result->err, EINVAL, "signal %d is blocked", sig);
		if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
			err_set(&result->err, EINVAL, "signal %d is not as it was", sig);
	}
}

static void signals_are_reset(void **state)
{
	struct case_worker w = { 0 };
	sigset_t some, before;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, on_signal);
	sigemptyset(&some);
	sigaddset(&some, SIGCHLD);
	sigaddset(&some, SIGTERM);
	sigprocmask(SIG_BLOCK, &some, &before);
	assert_int_equal(worker_begin(&workers, &w.worker, job_signals, NULL, note), 0);
	run_until_done(&w);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	assert_string_equal(w.result.err.msg, "");
}

static void job_files(void *arg, struct worker_result *result)
{
	struct rlimit limit;

	(void)arg;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		result->pid = (pid_t)limit.rlim_cur;
}

/* The soft limit is raised for us alone. */
static void files_are_ours(void **state)
{
	struct case_worker w = { 0 };
	struct rlimit before, low, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	workers_raise_files(&workers);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(worker_begin(&workers, &w.worker, job_files, NULL, note), 0);
	run_until_done(&w);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(now.rlim_cur, before.rlim_max);
	assert_int_equal(w.result.pid, 100);
}

/* Not for a process's streams, though a few are left. */
static void room(void **state)
{
	struct rlimit before, low;
	unsigned int open = open_fds();

	(void)state;
	assert_int_equal(workers_have_room(), 0);
	assert_int_equal(open_fds(), open);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = open + 5;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(workers_have_room(), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(open_fds(), open);
}

/* We take the orphan, to see how it ends. */
static void server_death_kills(void **state)
{
	pid_t server;
	int status;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	server = fork();
	if (server == 0) {
		static struct case_worker w;

		worker_begin(&workers, &w.worker, job_block, NULL, note);
		while (!shared->pid)
			poll(NULL, 0, 5);
		_exit(0);
	}
	assert_int_equal(reap(server), 0);
	assert_int_equal(shared->parent, server);
	status = reap(shared->pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* The descriptors of other workers are not for one, nor is its own end for the server. */
static void job_count_fds(void *arg, struct worker_result *result)
{
	(void)arg;
	result->pid = (pid_t)open_fds();
}

static void nothing_is_inherited(void **state)
{
	struct case_worker alone = { 0 }, beside = { 0 }, stuck[5] = { 0 };

	(void)state;
	assert_int_equal(worker_begin(&workers, &alone.worker, job_count_fds, NULL, note), 0);
	run_until_done(&alone);
	for (int i = 0; i < 5; i++)
		assert_int_equal(worker_begin(&workers, &stuck[i].worker, job_block, NULL, note),
				 0);
	assert_int_equal(worker_begin(&workers, &beside.worker, job_count_fds, NULL, note), 0);
	run_until_done(&beside);
	assert_int_equal(beside.result.pid, alone.result.pid);
	for (int i = 0; i < 5; i++) {
		kill(stuck[i].worker.pid, SIGKILL);
		run_until_done(&stuck[i]);
	}
}

/* While one is stuck the server reaps nobody that it does not know. */
static void others_leave_no_zombies(void **state)
{
	struct case_worker stuck = { 0 };
	int zombies = 0;

	(void)state;
	assert_int_equal(worker_begin(&workers, &stuck.worker, job_block, NULL, note), 0);
	for (int i = 0; i < 50; i++) {
		struct case_worker w = { 0 };

		assert_int_equal(worker_begin(&workers, &w.worker, job_fail, NULL, note), 0);
		run_until_done(&w);
		poll(NULL, 0, 2);
		workers_collect(&workers);
	}
	kill(stuck.worker.pid, SIGKILL);
	run_until_done(&stuck);
	while (waitpid(-1, NULL, 0) > 0)
		zombies++;
	assert_in_range(zombies, 1, 5);
}

static void job_sibling(void *arg, struct worker_result *result)
{
	siginfo_t info;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	(void)arg;
	if (pid == 0)
		_exit(0);
	/* Not ours to wait for. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 || errno != ECHILD)
		err_set(&result->err, EPROTO, "it is a child of the worker");
	proc_wait_gone(pidfd_open(pid, 0), -1);
	siblings_add(&result->siblings, pid);
	result->pid = pid;
}

/* Already when its result is told. */
static void ended_siblings_are_reaped(void **state)
{
	struct case_worker w = { 0 };

	(void)state;
	assert_int_equal(worker_begin(&workers, &w.worker, job_sibling, NULL, note), 0);
	run_until_done(&w);
	assert_string_equal(w.result.err.msg, "");
	assert_int_equal(waitpid(w.result.pid, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
}

static void thousand(void **state)
{
	static struct case_worker w[10];
	unsigned int before = open_fds();
	char arg[] = "x";

	(void)state;
	for (int round = 0; round < 100; round++) {
		memset(w, 0, sizeof(w));
		for (int i = 0; i < 10; i++)
			assert_int_equal(worker_begin(&workers, &w[i].worker,
						      i == 9 ? job_die : job_pipes, arg, note),
					 0);
		for (int i = 0; i < 10; i++) {
			run_until_done(&w[i]);
			if (i == 9)
				continue;
			close(w[i].result.io.out_from);
			close(w[i].result.io.err_keep);
			close(w[i].result.io.terminal);
		}
		/* What the workers that came after have left. */
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
	assert_int_equal(open_fds(), before);
	assert_true(list_empty(&workers.running));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(result_with_fds),
		TEST(result_of_failure),
		TEST(dies),
		TEST(blocks_then_killed),
		TEST(killed_with_child),
		TEST(result_after_reaping),
		TEST(begun_again_when_done),
		TEST(signals_are_reset),
		TEST(files_are_ours),
		TEST(room),
		TEST(server_death_kills),
		TEST(nothing_is_inherited),
		TEST(others_leave_no_zombies),
		TEST(ended_siblings_are_reaped),
		TEST(thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
