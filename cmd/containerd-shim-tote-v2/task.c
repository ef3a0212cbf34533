/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/task.h"

#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/op.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define LOGGER_MS 12000

/* As lib/arena.h has it: without memory nothing useful can follow. */
static void *owned(void *p)
{
	if (!p)
		_Exit(255);
	return p;
}

static char *copy(const char *s)
{
	return owned(strdup(s ? s : ""));
}

static void process_init(struct process *p, struct task *task, const char *id)
{
	p->task = task;
	p->id = copy(id);
	p->status = TASK_CREATED;
	p->exited_at = WIRE_NO_TIME;
	list_init(&p->waiters);
	process_set_paths(p, &(struct io_paths){ 0 });
}

static void process_done(struct process *p)
{
	op_refuse_all(p);
	process_release(p);
	if (p->io_open)
		io_end(&p->io);
	if (p->logger)
		logger_end(p->task->server, p->logger);
	free(p->id);
	free(p->in);
	free(p->out);
	free(p->err);
	free(p->spec);
}

void process_set_paths(struct process *p, const struct io_paths *paths)
{
	free(p->in);
	free(p->out);
	free(p->err);
	p->in = copy(paths->in);
	p->out = copy(paths->out);
	p->err = copy(paths->err);
	p->terminal = paths->terminal;
}

void process_set_spec(struct process *p, const void *json, size_t len)
{
	p->spec = owned(malloc(len + 1));
	memcpy(p->spec, json, len);
	p->spec[len] = '\0';
	p->spec_len = len;
}

struct task *task_new(struct server *server, const char *id, const char *bundle)
{
	struct task *task = owned(calloc(1, sizeof(*task)));

	task->server = server;
	task->id = copy(id);
	task->bundle = copy(bundle);
	task->cg = (struct cg)CG_INIT;
	list_init(&task->execs);
	process_init(&task->init, task, "");
	list_add(&server->tasks, &task->link);
	return task;
}

void task_free(struct task *task)
{
	struct list *exec;

	list_remove(&task->link);
	while ((exec = list_pop(&task->execs)))
		process_free(container_of(exec, struct process, link));
	process_done(&task->init);
	oom_remove(&task->server->oom, &task->oom);
	cg_done(&task->cg);
	free(task->id);
	free(task->bundle);
	free(task->root);
	free(task);
}

void task_set_root(struct task *task, const char *root)
{
	free(task->root);
	task->root = copy(root);
}

struct task *task_find(struct server *server, const char *id)
{
	for_list (task, &server->tasks, struct task, link)
		if (task->made && strcmp(task->id, id) == 0)
			return task;
	return NULL;
}

struct process *process_new(struct task *task, const char *exec_id)
{
	struct process *p = owned(calloc(1, sizeof(*p)));

	process_init(p, task, exec_id);
	list_add(&task->execs, &p->link);
	return p;
}

void process_free(struct process *p)
{
	list_remove(&p->link);
	process_done(p);
	free(p);
}

struct process *process_find(struct task *task, const char *exec_id)
{
	if (!exec_id[0])
		return &task->init;
	for_list (exec, &task->execs, struct process, link)
		if (strcmp(exec->id, exec_id) == 0)
			return exec;
	return NULL;
}

void process_release(struct process *p)
{
	Shim__Timestamp at = wire_time(p->exited_at);
	Shim__WaitResponse answer = SHIM__WAIT_RESPONSE__INIT;
	struct list *waiting;

	answer.exit_status = p->exit_status;
	answer.exited_at = &at;
	while ((waiting = list_pop(&p->waiters)))
		service_reply(container_of(waiting, struct ttrpc_call, waiting), &answer.base);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* For `delete`, should we be killed before containerd has asked. */
static void note_exit(const struct process *p)
{
	char path[4096], text[64];
	struct err err;
	int len = snprintf(text, sizeof(text), "%u %lld %lld\n", p->exit_status,
			   (long long)(p->exited_at / 1000000000),
			   (long long)(p->exited_at % 1000000000));

	int path_len = snprintf(path, sizeof(path), "%s/exit", p->task->bundle);
	int r = path_len < (int)sizeof(path)
			? file_replace(AT_FDCWD, path, text, (size_t)len, 0644, &err)
			: err_set(&err, ENAMETOOLONG, "the path of the bundle is too long");

	/* Without its bundle there will be no `delete` either. */
	if (r < 0 && r != -ENOENT)
		shim_log("warning", "note how container %s ended: %s", p->task->id, err.msg);
}

static void publish_exit(const struct process *p)
{
	Shim__Timestamp at = wire_time(p->exited_at);
	Shim__TaskExit event = SHIM__TASK_EXIT__INIT;

	event.container_id = p->task->id;
	event.id = p->id[0] ? p->id : p->task->id;
	event.pid = (uint32_t)p->pid;
	event.exit_status = p->exit_status;
	event.exited_at = &at;
	events_publish(&p->task->server->events, "/tasks/exit", &event.base);
}

static void tell_end(struct process *p)
{
	p->status = TASK_STOPPED;
	publish_exit(p);
	process_release(p);
}

/* Whether an exec runs, or may turn out to: then init's end has to wait for its end. */
static bool execs_left(const struct task *task)
{
	for_list (exec, &task->execs, struct process, link)
		if (exec->pid ? !exec->reaped : exec->op != NULL)
			return true;
	return false;
}

static void tell_init_end(struct task *task)
{
	struct process *init = &task->init;

	if (!init->reaped || init->status == TASK_STOPPED || execs_left(task))
		return;
	oom_check(&task->server->oom, &task->oom);
	note_exit(init);
	tell_end(init);
}

void task_settle(struct task *task)
{
	tell_init_end(task);
}

/* Without a cgroup those that we know. */
static void kill_rest(struct task *task)
{
	struct err err;

	if (task->cg.fd >= 0 && cg_kill(&task->cg, 0, &err) < 0)
		shim_log("warning", "kill what is left of container %s: %s", task->id, err.msg);
	for_list (exec, &task->execs, struct process, link)
		if (exec->pid && !exec->reaped)
			kill(exec->pid, SIGKILL);
}

void process_ended(struct process *p, int status)
{
	struct task *task = p->task;

	p->reaped = true;
	p->exit_status = WIFSIGNALED(status) ? 128u + (uint32_t)WTERMSIG(status)
					     : (uint32_t)WEXITSTATUS(status);
	p->exited_at = now_ns();
	if (p->io_open)
		io_exited(&p->io);
	if (p != &task->init)
		tell_end(p);
	else if (task->kill_all || op_exec_begins(task))
		kill_rest(task);
	tell_init_end(task);
}

static void kill_logger(struct loop_timer *timer)
{
	kill(container_of(timer, struct logger, timer)->pid, SIGKILL);
}

void logger_end(struct server *server, pid_t pid)
{
	struct logger *logger = owned(calloc(1, sizeof(*logger)));

	logger->pid = pid;
	list_add(&server->loggers, &logger->link);
	kill(pid, SIGTERM);
	loop_timer_set(&server->loop, &logger->timer, LOGGER_MS, kill_logger);
}
