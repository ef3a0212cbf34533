/* SPDX-License-Identifier: Apache-2.0 */
/* For test_order.c: chance, processes and workers. Nothing here waits, and pids are used again at
 * once. */
#ifndef TESTS_SHIM_ORDER_KERNEL_H
#define TESTS_SHIM_ORDER_KERNEL_H

#include "cmd/containerd-shim-tote-v2/jobs.h"
#include "cmd/containerd-shim-tote-v2/op.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/task.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/buf.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TASKS 2
#define EXECS 3
#define PIDS 48 /* few, so that they are soon used again */
#define PID_FIRST 100
#define JOBS 32
#define FD_TOKEN 1000000
#define CG_TOKEN 5000

/* --- Chance --- */

static uint64_t seed, chance_state;
static int step;
static bool final; /* nothing fails any more, all comes to its end */

static uint32_t chance_next(void)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return (uint32_t)(chance_state >> 32);
}

static int below(int n)
{
	return (int)(chance_next() % (uint32_t)n);
}

static bool percent(int n)
{
	return below(100) < n;
}

static bool mishap(int n)
{
	return !final && percent(n);
}

#define BROKEN(...)                                                                                \
	do {                                                                                       \
		print_error("TOTE_ORDER_SEED=%llu, step %d: ", (unsigned long long)seed, step);    \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)
#define HOLDS(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond))                                                                       \
			BROKEN(__VA_ARGS__);                                                       \
	} while (0)

void __asan_on_error(void);
void __asan_on_error(void)
{
	print_error("TOTE_ORDER_SEED=%llu, step %d\n", (unsigned long long)seed, step);
}

/* --- What containerd has been told --- */

struct seen {
	bool exists, started, exited;
	pid_t pid;
	bool reaped;
	uint32_t status; /* since reaped */
};

struct seen_task {
	struct seen init, execs[EXECS];
};

static struct seen_task model[TASKS];
static struct server server;

static struct seen *seen_of(int task, int exec)
{
	return exec < 0 ? &model[task].init : &model[task].execs[exec];
}

static int number(const char *name, char letter)
{
	HOLDS(name[0] == letter && name[1] >= '0' && name[1] <= '9' && !name[2], "name %s", name);
	return name[1] - '0';
}

/* --- The kernel: processes --- */

enum kind { KIND_WORKER, KIND_INIT, KIND_EXEC, KIND_LOGGER, KIND_STRAY };

static struct fake {
	bool used, ended, told; /* told: the server knows the pid */
	bool shared_pids;
	enum kind kind;
	int task, exec;
	int status; /* of waitpid(2) */
} fakes[PIDS];

static struct job {
	struct worker *worker; /* NULL: free */
	void (*fn)(void *arg, struct worker_result *result);
	pid_t pid, made, logger;
	int task, exec;
	bool reported;
	struct worker_result result;
} jobs[JOBS];

static int tokens, streams, groups, watches;
static int64_t clock_ns;

static struct fake *fake_of(pid_t pid)
{
	struct fake *f = &fakes[(pid - PID_FIRST + PIDS) % PIDS];

	return pid >= PID_FIRST && pid < PID_FIRST + PIDS && f->used ? f : NULL;
}

static pid_t fake_new(enum kind kind, int task, int exec)
{
	int at = below(PIDS);

	for (int i = 0; i < PIDS; i++, at = (at + 1) % PIDS) {
		if (fakes[at].used)
			continue;
		fakes[at] = (struct fake){ .used = true, .kind = kind, .task = task, .exec = exec };
		return PID_FIRST + at;
	}
	return -EAGAIN;
}

/* With its init a pid namespace ends. */
static void fake_end(struct fake *f, int status)
{
	if (f->ended)
		return;
	f->ended = true;
	f->status = status;
	if (f->kind != KIND_INIT || f->shared_pids)
		return;
	for (size_t i = 0; i < PIDS; i++)
		if (fakes[i].used && fakes[i].kind == KIND_EXEC && fakes[i].task == f->task)
			fake_end(&fakes[i], SIGKILL);
}

static bool no_groups; /* then init is all that the end of a container ends */

static void group_end(int task)
{
	for (size_t i = 0; i < PIDS; i++)
		if (fakes[i].used && fakes[i].task == task &&
		    (fakes[i].kind == KIND_INIT || (fakes[i].kind == KIND_EXEC && !no_groups)))
			fake_end(&fakes[i], SIGKILL);
}

static bool init_runs(int task)
{
	for (size_t i = 0; i < PIDS; i++)
		if (fakes[i].used && fakes[i].kind == KIND_INIT && fakes[i].task == task &&
		    !fakes[i].ended)
			return true;
	return false;
}

static struct fake *some_fake(bool worker)
{
	int at = below(PIDS);

	for (int i = 0; i < PIDS; i++, at = (at + 1) % PIDS)
		if (fakes[at].used && !fakes[at].ended && (fakes[at].kind == KIND_WORKER) == worker)
			return &fakes[at];
	return NULL;
}

static void end_one(void)
{
	struct fake *f = some_fake(false);

	/* Mostly something happens before a container ends. */
	if (f && (f->kind != KIND_INIT || percent(20)))
		fake_end(f, percent(50) ? SIGKILL : below(200) << 8);
}

static void step_worker(void);

/* What goes on beside a call of the kernel. */
static void meanwhile(void)
{
	if (mishap(4))
		end_one();
	if (mishap(4))
		step_worker();
}

static void reaped(struct fake *f)
{
	bool process = f->kind == KIND_INIT || f->kind == KIND_EXEC;
	struct seen *seen = process ? seen_of(f->task, f->exec) : NULL;

	/* Else one of a container that was given up. */
	if (seen && seen->pid == PID_FIRST + (f - fakes)) {
		seen->reaped = true;
		seen->status = WIFSIGNALED(f->status) ? 128u + (uint32_t)WTERMSIG(f->status)
						      : (uint32_t)WEXITSTATUS(f->status);
	}
	for (size_t i = 0; process && i < JOBS; i++)
		HOLDS(!jobs[i].worker || jobs[i].made != PID_FIRST + (f - fakes),
		      "process was reaped before its worker told of it");
	f->used = false;
}

pid_t __wrap_waitpid(pid_t pid, int *ret_status, int options);
pid_t __wrap_waitpid(pid_t pid, int *ret_status, int options)
{
	struct fake *f = fake_of(pid);

	HOLDS(options == WNOHANG, "it waits");
	HOLDS(f, "waits for %d, which is no child", pid);
	meanwhile();
	if (!f->ended)
		return 0;
	if (ret_status)
		*ret_status = f->status;
	reaped(f);
	return pid;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	int at = below(PIDS);

	assert_int_equal(type, P_ALL);
	assert_int_equal(id, 0);
	HOLDS(options == (WEXITED | WNOHANG | WNOWAIT), "it waits");
	meanwhile();
	info->si_pid = 0;
	for (int i = 0; i < PIDS && !info->si_pid; i++, at = (at + 1) % PIDS)
		if (fakes[at].used && fakes[at].ended)
			info->si_pid = PID_FIRST + at;
	return 0;
}

int __wrap_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig)
{
	struct fake *f = fake_of(pid);

	HOLDS(f && f->told, "signal %d to %d, which is nobody that it knows", sig, pid);
	if (sig == SIGKILL || (sig == SIGTERM && percent(50)))
		fake_end(f, sig);
	meanwhile();
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	(void)clock;
	ret->tv_sec = clock_ns / 1000000000;
	ret->tv_nsec = clock_ns % 1000000000;
	return 0;
}

/* --- Workers --- */

int __wrap_worker_begin(struct workers *all, struct worker *worker,
			void (*fn)(void *arg, struct worker_result *result), void *arg,
			void (*done)(struct worker *worker, struct worker_result *result));
int __wrap_worker_begin(struct workers *all, struct worker *worker,
			void (*fn)(void *arg, struct worker_result *result), void *arg,
			void (*done)(struct worker *worker, struct worker_result *result))
{
	const struct job_container *at = arg;
	struct job *job = NULL;
	pid_t pid;

	HOLDS(!worker->link.next, "two workers for one process");
	for (size_t i = 0; i < JOBS && !job; i++)
		if (!jobs[i].worker)
			job = &jobs[i];
	pid = mishap(3) || !job ? -EAGAIN : fake_new(KIND_WORKER, -1, -1);
	if (pid < 0)
		return -EAGAIN;
	*job = (struct job){ .worker = worker,
			     .fn = fn,
			     .pid = pid,
			     .task = number(at->id, 'c'),
			     .exec = -1,
			     .result.io = IO_FDS_NONE };
	if (fn == job_exec) {
		job->exec = number(((const struct job_exec *)arg)->exec_id, 'e');
		HOLDS(!model[job->task].init.reaped, "exec begins though init was reaped");
	}
	worker->all = all;
	worker->pid = pid;
	worker->done = done;
	list_add(&all->running, &worker->link);
	return 0;
}

static void deliver(struct job *job)
{
	struct worker *worker = job->worker;
	struct worker_result result = job->result;

	for (int i = 0; i < 2; i++) {
		pid_t pid = i ? result.logger : result.pid;

		if (pid)
			fake_of(pid)->told = true;
	}
	job->worker = NULL;
	list_remove(&worker->link);
	worker->pid = 0;
	worker->done(worker, &result);
}

void __wrap_workers_collect(struct workers *all);
void __wrap_workers_collect(struct workers *all)
{
	(void)all;
	for (size_t i = 0; i < JOBS; i++)
		if (jobs[i].worker && jobs[i].reported)
			deliver(&jobs[i]);
}

bool __wrap_workers_reaped(struct workers *all, pid_t pid);
bool __wrap_workers_reaped(struct workers *all, pid_t pid)
{
	(void)all;
	for (size_t i = 0; i < JOBS; i++) {
		struct job *job = &jobs[i];

		if (!job->worker || job->pid != pid)
			continue;
		if (!job->reported) {
			job->result = (struct worker_result){ .io = IO_FDS_NONE };
			err_set(&job->result.err, EIO, "ended without a word");
		}
		deliver(job);
		return true;
	}
	return false;
}

static void make_process(struct job *job, enum kind kind)
{
	pid_t pid = fake_new(kind, job->task, job->exec);

	if (pid < 0) {
		err_set(&job->result.err, EAGAIN, "too many processes");
		return;
	}
	job->made = job->result.pid = pid;
	fake_of(pid)->shared_pids = job->result.kill_all;
	job->result.io.out_from = FD_TOKEN;
	tokens++;
	if (percent(20)) {
		pid = fake_new(KIND_LOGGER, -1, -1);
		job->logger = job->result.logger = pid < 0 ? 0 : pid;
	}
}

static void act(struct job *job)
{
	struct worker_result *r = &job->result;
	bool fails = mishap(15);

	if (job->fn == job_create && !fails) {
		r->kill_all = percent(40);
		snprintf(r->root, sizeof(r->root), "/root");
		if (percent(80))
			snprintf(r->cgroup, sizeof(r->cgroup), "/%d", job->task);
		make_process(job, KIND_INIT);
	} else if (job->fn == job_exec && init_runs(job->task) && !fails) {
		make_process(job, KIND_EXEC);
	} else if (job->fn == job_delete || job->fn == job_create_undo) {
		group_end(job->task);
		if (fails)
			err_set(&r->err, EBUSY, "it is busy");
	} else if (fails || !init_runs(job->task)) {
		err_set(&r->err, EINVAL, "it does not work");
	}
	/* Too many descriptors. */
	if (r->pid && mishap(5))
		err_set(&r->err, EMFILE, "too many open files");
}

/* Its work, then its word, then its end; or its end before. */
static void step_worker(void)
{
	struct fake *f = some_fake(true);
	pid_t pid = f ? PID_FIRST + (pid_t)(f - fakes) : 0;
	struct job *job = NULL;

	if (!f)
		return;
	for (size_t i = 0; i < JOBS; i++)
		if (jobs[i].worker && jobs[i].pid == pid)
			job = &jobs[i];
	if (!job || job->reported) {
		fake_end(f, 0);
		return;
	}
	if (mishap(3)) {
		fake_end(f, SIGKILL);
		return;
	}
	act(job);
	if (mishap(3)) {
		fake_end(f, SIGKILL);
		tokens -= job->result.io.out_from >= 0;
		job->made = 0;
		return;
	}
	job->reported = true;
}

static void deliver_one(void)
{
	int at = below(JOBS);

	for (int i = 0; i < JOBS; i++, at = (at + 1) % JOBS)
		if (jobs[at].worker && jobs[at].reported) {
			deliver(&jobs[at]);
			return;
		}
}

#endif
