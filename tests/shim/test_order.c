/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orderings. The service, its operations, tasks and the reaper are real; the kernel, workers,
 * streams and containerd are played by this file, in random schedules: everything may end, fail,
 * answer or vanish at any time that it may in life. What is told outside is checked at each step
 * against a model of what containerd may see.
 *
 * TOTE_ORDER_SEED=N plays one schedule again, TOTE_ORDER_COUNT=N so many (10,000).
 */
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
#define CALLS 512
#define STEPS 300
#define FINAL_ROUNDS 200
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

static void group_end(int task)
{
	for (size_t i = 0; i < PIDS; i++)
		if (fakes[i].used && fakes[i].task == task &&
		    (fakes[i].kind == KIND_INIT || fakes[i].kind == KIND_EXEC))
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
	if (percent(4))
		end_one();
	if (percent(4))
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
	} else if (job->fn == job_delete) {
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

/* --- Streams, groups, files --- */

#define STREAMS_MAX 64
static struct io *ios[STREAMS_MAX];

static void drop_token(struct io_fds *fds)
{
	tokens -= fds->out_from == FD_TOKEN;
	*fds = (struct io_fds)IO_FDS_NONE;
}

int __wrap_io_begin(struct io *io, struct loop *loop, struct io_fds *fds,
		    void (*drained)(struct io *io));
int __wrap_io_begin(struct io *io, struct loop *loop, struct io_fds *fds,
		    void (*drained)(struct io *io))
{
	size_t at = 0;

	HOLDS(fds->out_from == FD_TOKEN, "streams from nowhere");
	drop_token(fds);
	*io = (struct io){ .loop = loop, .drained = drained };
	while (at < STREAMS_MAX && ios[at])
		at++;
	if (mishap(3) || at == STREAMS_MAX)
		return -ENOMEM;
	ios[at] = io;
	streams++;
	io->streams[IO_OUT].open = percent(70);
	if (!io->streams[IO_OUT].open)
		drained(io);
	return 0;
}

bool __wrap_io_drained(const struct io *io);
bool __wrap_io_drained(const struct io *io)
{
	return !io->streams[IO_OUT].open;
}

void __wrap_io_end(struct io *io);
void __wrap_io_end(struct io *io)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (ios[i] == io)
			ios[i] = NULL;
	streams--;
}

static void drain_one(void)
{
	struct io *io = ios[below(STREAMS_MAX)];

	if (!io || !io->streams[IO_OUT].open)
		return;
	io->streams[IO_OUT].open = false;
	io->drained(io);
}

void __wrap_io_exited(struct io *io);
void __wrap_io_exited(struct io *io)
{
	io->exited = true;
}

void __wrap_io_last_call(struct io *io);
void __wrap_io_last_call(struct io *io)
{
	HOLDS(io->loop, "last call for no streams");
}

void __wrap_address_unlink(int listener);
void __wrap_address_unlink(int listener)
{
	(void)listener;
}

void __wrap_io_close(struct io_fds *fds);
void __wrap_io_close(struct io_fds *fds)
{
	drop_token(fds);
}

int __wrap_cg_tree_find(struct cg_tree *ret_tree, struct err *err);
int __wrap_cg_tree_find(struct cg_tree *ret_tree, struct err *err)
{
	(void)err;
	ret_tree->fd = 0;
	return 0;
}

int __wrap_cg_open(const struct cg_tree *tree, const char *path, struct cg *ret_cg,
		   struct err *err);
int __wrap_cg_open(const struct cg_tree *tree, const char *path, struct cg *ret_cg, struct err *err)
{
	(void)tree;
	if (mishap(5))
		return err_set(err, ENOENT, "no such group");
	groups++;
	ret_cg->fd = CG_TOKEN + path[1] - '0';
	return 0;
}

void __wrap_cg_done(struct cg *cg);
void __wrap_cg_done(struct cg *cg)
{
	groups -= cg->fd >= 0;
	cg->fd = -1;
}

int __wrap_cg_kill(const struct cg *cg, int timeout_ms, struct err *err);
int __wrap_cg_kill(const struct cg *cg, int timeout_ms, struct err *err)
{
	(void)err;
	HOLDS(!timeout_ms, "it waits");
	group_end(cg->fd - CG_TOKEN);
	return 0;
}

int __wrap_cg_pids(const struct cg *cg, struct arena *a, struct cg_pids *ret_pids, struct err *err);
int __wrap_cg_pids(const struct cg *cg, struct arena *a, struct cg_pids *ret_pids, struct err *err)
{
	(void)a;
	(void)err;
	HOLDS(cg->fd >= CG_TOKEN, "no group");
	*ret_pids = (struct cg_pids){ NULL, 0 };
	return 0;
}

int __wrap_oom_add(struct oom *oom, struct oom_watch *watch, const struct cg *cg);
int __wrap_oom_add(struct oom *oom, struct oom_watch *watch, const struct cg *cg)
{
	(void)oom;
	watch->cg = cg;
	watches++;
	return 0;
}

void __wrap_oom_check(struct oom *oom, struct oom_watch *watch);
void __wrap_oom_check(struct oom *oom, struct oom_watch *watch)
{
	(void)oom;
	HOLDS(!watch->cg || watch->cg->fd >= CG_TOKEN, "it looks at a closed group");
}

void __wrap_oom_remove(struct oom *oom, struct oom_watch *watch);
void __wrap_oom_remove(struct oom *oom, struct oom_watch *watch)
{
	__wrap_oom_check(oom, watch);
	watches -= watch->cg != NULL;
}

int __wrap_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			struct err *err);
int __wrap_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			struct err *err)
{
	(void)dirfd, (void)name, (void)data, (void)len, (void)mode, (void)err;
	return 0;
}

void __wrap_shim_log(const char *level, const char *fmt, ...);
void __wrap_shim_log(const char *level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

/* --- Events --- */

static uint64_t told, deleted, exec_exits; /* that there were any to speak of */

static void saw_create(const Shim__TaskCreate *e)
{
	int task = number(e->container_id, 'c');
	struct seen *s = seen_of(task, -1);

	HOLDS(!s->exists, "create twice");
	*s = (struct seen){ .exists = true, .pid = (pid_t)e->pid };
	HOLDS(fake_of(s->pid) && fake_of(s->pid)->kind == KIND_INIT &&
		      fake_of(s->pid)->task == task,
	      "create of %d, which is not its init", s->pid);
}

static void saw_start(struct seen *s, uint32_t pid)
{
	HOLDS(s->exists, "start before create");
	HOLDS(!s->started, "start twice");
	HOLDS(!s->exited, "start behind exit");
	HOLDS(!s->pid || s->pid == (pid_t)pid, "start with pid %u", pid);
	s->started = true;
	s->pid = (pid_t)pid;
}

static void saw_exit(const Shim__TaskExit *e)
{
	int task = number(e->container_id, 'c');
	bool init = strcmp(e->id, e->container_id) == 0;
	struct seen *s = seen_of(task, init ? -1 : number(e->id, 'e'));

	HOLDS(init ? s->exists : s->started, "exit before start");
	HOLDS(!s->exited, "exit twice");
	HOLDS(s->reaped && s->status == e->exit_status && s->pid == (pid_t)e->pid,
	      "exit of %u with status %u: it is %d, %u", e->pid, e->exit_status, s->pid, s->status);
	s->exited = true;
	exec_exits += !init;
	for (int i = 0; init && i < EXECS; i++)
		HOLDS(!model[task].execs[i].started || model[task].execs[i].exited,
		      "init's exit is not the last");
}

static void saw_delete(const Shim__TaskDelete *e)
{
	struct seen_task *task = &model[number(e->container_id, 'c')];

	deleted++;
	HOLDS(task->init.exited, "delete before exit");
	HOLDS(task->init.status == e->exit_status, "delete with status %u", e->exit_status);
	for (int i = 0; i < EXECS; i++)
		HOLDS(!task->execs[i].started || task->execs[i].exited, "exec without an exit");
	*task = (struct seen_task){ 0 };
}

static void saw_exec_added(const Shim__TaskExecAdded *e)
{
	int task = number(e->container_id, 'c');
	struct seen *s = seen_of(task, number(e->exec_id, 'e'));

	HOLDS(model[task].init.exists && !model[task].init.exited, "exec added to nothing");
	HOLDS(!s->exists, "exec added twice");
	s->exists = true;
}

static void saw_exec_started(const Shim__TaskExecStarted *e)
{
	int task = number(e->container_id, 'c');

	HOLDS(!model[task].init.exited, "exec started behind init's exit");
	saw_start(seen_of(task, number(e->exec_id, 'e')), e->pid);
}

void __wrap_events_publish(struct events *events, const char *topic, const ProtobufCMessage *m);
void __wrap_events_publish(struct events *events, const char *topic, const ProtobufCMessage *m)
{
	(void)events;
	told++;
	if (strcmp(topic, "/tasks/create") == 0) {
		saw_create((const void *)m);
	} else if (strcmp(topic, "/tasks/start") == 0) {
		const Shim__TaskStart *e = (const void *)m;

		saw_start(seen_of(number(e->container_id, 'c'), -1), e->pid);
	} else if (strcmp(topic, "/tasks/exit") == 0) {
		saw_exit((const void *)m);
	} else if (strcmp(topic, "/tasks/delete") == 0) {
		saw_delete((const void *)m);
	} else if (strcmp(topic, "/tasks/exec-added") == 0) {
		saw_exec_added((const void *)m);
	} else if (strcmp(topic, "/tasks/exec-started") == 0) {
		saw_exec_started((const void *)m);
	}
}

/* --- Calls --- */

enum method {
	CREATE,
	START,
	DELETE,
	WAIT,
	KILL,
	EXEC,
	STATE,
	PAUSE,
	RESUME,
	UPDATE,
	SHUTDOWN,
	METHODS
};

struct call {
	struct ttrpc_call call;
	enum method method;
	int task, exec;
	bool answered;
	enum ttrpc_code code;
};

static struct call *calls[CALLS];
static int call_count;
static int somebody; /* a connection */

static struct call *take_call(struct ttrpc_call *ttrpc)
{
	struct call *call = container_of(ttrpc, struct call, call);

	HOLDS(!call->answered, "method %d answered twice", call->method);
	call->answered = true;
	list_remove(&ttrpc->waiting);
	return call;
}

static void check_wait(const struct seen *s, const void *payload, size_t len)
{
	Shim__WaitResponse *r = shim__wait_response__unpack(NULL, len, payload);

	HOLDS(r, "no answer to Wait");
	if (s->exited)
		HOLDS(r->exit_status == s->status, "Wait tells %u, not %u", r->exit_status,
		      s->status);
	else
		HOLDS(!s->started && r->exit_status == 0, "Wait is answered before the exit");
	shim__wait_response__free_unpacked(r, NULL);
}

static void check_state(const struct seen *s, const void *payload, size_t len)
{
	Shim__StateResponse *r = shim__state_response__unpack(NULL, len, payload);

	HOLDS(r && s->exists, "State of nobody");
	HOLDS((r->status == TASK_STOPPED) == s->exited, "State is %d, exited %d", (int)r->status,
	      s->exited);
	HOLDS((r->status == TASK_CREATED) == (!s->started && !s->exited), "State is %d, started %d",
	      (int)r->status, s->started);
	shim__state_response__free_unpacked(r, NULL);
}

void __wrap_ttrpc_reply(struct ttrpc_call *ttrpc, const void *payload, size_t len);
void __wrap_ttrpc_reply(struct ttrpc_call *ttrpc, const void *payload, size_t len)
{
	struct call *call = take_call(ttrpc);
	struct seen *s;

	if (call->method == SHUTDOWN)
		return;
	s = seen_of(call->task, call->exec);
	switch (call->method) {
	case CREATE:
		HOLDS(s->exists, "Create answered before its event");
		break;
	case START:
		HOLDS(s->started, "Start answered before its event");
		break;
	case WAIT:
		check_wait(s, payload, len);
		break;
	case STATE:
		check_state(s, payload, len);
		break;
	case DELETE:
		if (call->exec < 0) {
			HOLDS(!s->exists, "Delete answered before its event");
		} else {
			HOLDS(!s->started || s->exited, "exec deleted before its exit");
			*s = (struct seen){ 0 };
		}
		break;
	default:
		break;
	}
}

void __wrap_ttrpc_fail(struct ttrpc_call *ttrpc, enum ttrpc_code code, const char *fmt, ...);
void __wrap_ttrpc_fail(struct ttrpc_call *ttrpc, enum ttrpc_code code, const char *fmt, ...)
{
	struct call *call = take_call(ttrpc);

	(void)fmt;
	call->code = code;
	HOLDS(code != TTRPC_OK, "failure without a code");
	if (call->method == WAIT || call->method == STATE)
		HOLDS(!seen_of(call->task, call->exec)->exists, "it exists");
}

/* As ttrpc_call.c does when nobody is there any more. */
static void abandon(struct call *call)
{
	if (call->answered)
		return;
	call->call.connection = NULL;
	if (call->call.waiting.next) {
		list_remove(&call->call.waiting);
		call->answered = true;
	}
}

static void handle(const char *name, struct call *call, const ProtobufCMessage *request)
{
	autobuf payload = BUF_INIT;

	wire_pack(request, &payload);
	service_handle(&server.ttrpc, &call->call, "containerd.task.v2.Task", name,
		       (const uint8_t *)payload.data, payload.len);
	wire_reset();
}

static const int signals[] = { 0, SIGTERM, SIGKILL };

#define SEND(Name, TYPE, ...)                                                                      \
	do {                                                                                       \
		Shim__##Name##Request request = SHIM__##TYPE##_REQUEST__INIT;                      \
                                                                                                   \
		request.id = id;                                                                   \
		__VA_ARGS__;                                                                       \
		handle(#Name, call, &request.base);                                                \
	} while (0)

static struct call *send_call(enum method method, int task, int exec)
{
	struct call *call = call_count < CALLS ? calloc(1, sizeof(*call)) : NULL;
	char id[] = { 'c', (char)('0' + task), '\0' };
	char exec_id[] = { exec < 0 ? '\0' : 'e', (char)('0' + exec), '\0' };
	Shim__Any spec = SHIM__ANY__INIT;

	if (!call)
		return NULL;
	spec.value.data = (uint8_t *)"{}";
	spec.value.len = 2;
	calls[call_count++] = call;
	*call = (struct call){ .method = method, .task = task, .exec = exec };
	call->call.connection = (void *)&somebody;
	switch (method) {
	case CREATE:
		SEND(Create, CREATE, request.bundle = (char *)"/bundle");
		break;
	case START:
		SEND(Start, START, request.exec_id = exec_id);
		break;
	case DELETE:
		SEND(Delete, DELETE, request.exec_id = exec_id);
		break;
	case WAIT:
		SEND(Wait, WAIT, request.exec_id = exec_id);
		break;
	case KILL:
		SEND(Kill, KILL, request.exec_id = exec_id; request.all = percent(30);
		     request.signal = (uint32_t)signals[below(3)]);
		break;
	case EXEC:
		SEND(Exec, EXEC, request.exec_id = exec_id; request.spec = &spec);
		break;
	case STATE:
		SEND(State, STATE, request.exec_id = exec_id);
		break;
	case PAUSE:
		SEND(Pause, PAUSE, );
		break;
	case RESUME:
		SEND(Resume, RESUME, );
		break;
	case UPDATE:
		SEND(Update, UPDATE, request.resources = &spec);
		break;
	default:
		SEND(Shutdown, SHUTDOWN, );
		HOLDS(!server.loop.stop || list_empty(&server.tasks), "it ends with containers");
		server.loop.stop = false;
	}
	return call;
}

static void send_any(void)
{
	static const enum method often[] = { CREATE, CREATE, START,  START,   START,  START,  START,
					     EXEC,   EXEC,   EXEC,   EXEC,    WAIT,   WAIT,   WAIT,
					     STATE,  STATE,  KILL,   KILL,    DELETE, DELETE, PAUSE,
					     RESUME, RESUME, UPDATE, SHUTDOWN };
	enum method method = often[below(ARRAY_SIZE(often))];
	int exec = method == EXEC || (method != CREATE &&
				      percent(method == KILL || method == DELETE ? 85 : 60))
			   ? below(EXECS)
			   : -1;

	if (method == PAUSE || method == RESUME || method == UPDATE || method == SHUTDOWN)
		exec = -1;
	send_call(method, below(TASKS), exec);
}

/* --- The schedule --- */

static void pass_time(int ms)
{
	clock_ns += (int64_t)ms * 1000000;
	loop_once(&server.loop, 0);
}

static void drop_connection(void)
{
	for (int i = 0; i < call_count; i++)
		abandon(calls[i]);
}

static void random_step(void)
{
	int n = below(100);

	if (n < 45)
		send_any();
	else if (n < 65)
		step_worker();
	else if (n < 72)
		deliver_one();
	else if (n < 85)
		server_reap(&server);
	else if (n < 89)
		end_one();
	else if (n < 93)
		pass_time(percent(90) ? below(30) : below(13000));
	else if (n < 97)
		drain_one();
	else if (n < 98)
		fake_new(KIND_STRAY, -1, -1);
	else if (n < 99 && call_count)
		abandon(calls[below(call_count)]);
	else if (percent(30))
		drop_connection();
}

static void delete_all(void)
{
	for (int task = 0; task < TASKS; task++) {
		for (int exec = 0; exec < EXECS; exec++)
			if (model[task].execs[exec].exists)
				send_call(DELETE, task, exec);
		if (model[task].init.exists)
			send_call(DELETE, task, -1);
	}
}

static bool all_gone(void)
{
	for (size_t i = 0; i < PIDS; i++)
		if (fakes[i].used)
			return false;
	return list_empty(&server.tasks) && list_empty(&server.loggers);
}

/* Everything ends, and is deleted. */
static void finish(void)
{
	final = true;
	for (int round = 0; round < FINAL_ROUNDS && !all_gone(); round++) {
		for (int i = 0; i < PIDS; i++)
			step_worker();
		for (size_t i = 0; i < PIDS; i++)
			if (fakes[i].used && fakes[i].kind != KIND_WORKER)
				fake_end(&fakes[i], SIGKILL);
		server_reap(&server);
		if (round % 8 == 7)
			delete_all();
		pass_time(below(3000));
	}
	step = -1;
	HOLDS(list_empty(&server.tasks), "a container is left");
	HOLDS(all_gone(), "a process is left");
	for (int i = 0; i < call_count; i++)
		HOLDS(calls[i]->answered, "method %d of c%d e%d is not answered", calls[i]->method,
		      calls[i]->task, calls[i]->exec);
	HOLDS(!tokens && !streams, "descriptors are left: %d, %d", tokens, streams);
	HOLDS(!groups && !watches, "groups are left: %d, %d", groups, watches);
}

static void end_play(void)
{
	finish();
	for (int i = 0; i < call_count; i++)
		free(calls[i]);
	call_count = 0;
}

static void play(uint64_t with)
{
	seed = with;
	chance_state = with * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (int i = 0; i < 8; i++)
		chance_next();
	final = false;
	for (step = 0; step < STEPS; step++)
		random_step();
	end_play();
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void orders_hold(void **state)
{
	uint64_t one = environment("TOTE_ORDER_SEED", 0);
	uint64_t count = environment("TOTE_ORDER_COUNT", 10000);

	(void)state;
	if (one)
		play(one);
	for (uint64_t i = 1; !one && i <= count; i++)
		play(i);
	/* Else it would have been about nothing. */
	if (!one)
		assert_true(told > 10 * count && deleted > count && exec_exits > count / 2);
}

/* --- Orders that chance seldom finds --- */

/* Its worker does all of its work. */
static void let_work(void)
{
	step_worker();
	deliver_one();
	step_worker();
	server_reap(&server);
}

static void begin_play(void)
{
	seed = 0;
	chance_state = 1;
	final = true;
}

static void running_container(void)
{
	begin_play();
	send_call(CREATE, 0, -1);
	let_work();
	send_call(START, 0, -1);
	let_work();
	assert_true(model[0].init.started);
}

static struct fake *fake_init(void)
{
	return fake_of(model[0].init.pid);
}

/* There is nothing to wait for. */
static void failed_exec_ends_waits(void **state)
{
	struct call *wait, *start;

	(void)state;
	running_container();
	send_call(EXEC, 0, 0);
	wait = send_call(WAIT, 0, 0);
	start = send_call(START, 0, 0);
	fake_end(some_fake(true), SIGKILL);
	server_reap(&server);
	assert_int_equal(start->code, TTRPC_UNKNOWN);
	assert_true(wait->answered);
	assert_int_equal(wait->code, TTRPC_OK);
	end_play();
}

/* With shared pids nobody else would end it, and with it what is told of init. */
static void late_exec_is_killed(void **state)
{
	struct call *wait;

	(void)state;
	running_container();
	fake_init()->shared_pids = true;
	send_call(EXEC, 0, 0);
	send_call(START, 0, 0);
	wait = send_call(WAIT, 0, -1);
	step_worker();
	fake_end(fake_init(), 0);
	jobs[0].reported = false;
	server_reap(&server);
	assert_false(wait->answered);
	jobs[0].reported = true;
	server_reap(&server);
	server_reap(&server);
	assert_true(model[0].execs[0].exited);
	assert_true(wait->answered);
	end_play();
}

/* Its output is being waited for, but it has ended. */
static void exec_delete_keeps_no_exit(void **state)
{
	struct call *wait, *del;

	(void)state;
	running_container();
	send_call(EXEC, 0, 0);
	send_call(START, 0, 0);
	let_work();
	wait = send_call(WAIT, 0, -1);
	process_find(task_find(&server, "c0"), "e0")->io.streams[IO_OUT].open = true;
	fake_end(fake_of(model[0].execs[0].pid), 0);
	server_reap(&server);
	del = send_call(DELETE, 0, 0);
	assert_false(del->answered);
	fake_end(fake_init(), 0);
	server_reap(&server);
	assert_true(wait->answered);
	assert_false(del->answered);
	end_play();
}

static void next_operation_finds_it_ended(void **state)
{
	struct call *update, *pause;

	(void)state;
	running_container();
	update = send_call(UPDATE, 0, -1);
	pause = send_call(PAUSE, 0, -1);
	fake_end(fake_init(), 0);
	let_work();
	assert_true(update->answered);
	assert_true(model[0].init.exited);
	assert_true(pause->answered);
	end_play();
}

/* It blocks for ever in its start: there is no output to wait for. */
static void created_is_deleted_at_once(void **state)
{
	struct call *del;
	int64_t before;

	(void)state;
	begin_play();
	send_call(CREATE, 0, -1);
	let_work();
	before = clock_ns;
	task_find(&server, "c0")->init.io.streams[IO_OUT].open = true;
	del = send_call(DELETE, 0, -1);
	for (int i = 0; i < 10 && !del->answered; i++) {
		pass_time(20);
		let_work();
		server_reap(&server);
	}
	assert_true(del->answered && clock_ns - before < INT64_C(1000000000));
	end_play();
}

static void create_for_nobody_is_undone(void **state)
{
	struct call *create;

	(void)state;
	begin_play();
	create = send_call(CREATE, 0, -1);
	step_worker();
	abandon(create);
	deliver_one();
	assert_true(create->answered);
	assert_false(model[0].init.exists);
	let_work();
	server_reap(&server);
	assert_true(list_empty(&server.tasks));
	end_play();
}

static int setup(void **state)
{
	static const struct shim_args args = { .namespace = "test" };

	(void)state;
	memset(model, 0, sizeof(model));
	memset(fakes, 0, sizeof(fakes));
	memset(jobs, 0, sizeof(jobs));
	memset(ios, 0, sizeof(ios));
	tokens = streams = groups = watches = call_count = 0;
	server = (struct server){ .args = &args };
	server.tree.fd = -1;
	clock_ns = INT64_C(1000000000000);
	list_init(&server.tasks);
	list_init(&server.loggers);
	list_init(&server.workers.running);
	list_init(&server.ttrpc.connections);
	return loop_init(&server.loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_timer_clear(&server.idle);
	loop_done(&server.loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(failed_exec_ends_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(late_exec_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(exec_delete_keeps_no_exit, setup, teardown),
		cmocka_unit_test_setup_teardown(next_operation_finds_it_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(created_is_deleted_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(create_for_nobody_is_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(orders_hold, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
