/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ends of processes. A child can end before the worker that made it has told us its pid: so
 * results are taken first, and as long as a worker is at work nobody is reaped whose pid we do not
 * know. No pid is used again before that.
 */
#include "cmd/containerd-shim-tote-v2/op.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/task.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

static bool ended(pid_t pid, int *ret_status)
{
	return pid > 0 && waitpid(pid, ret_status, WNOHANG) == pid;
}

void process_reap(struct process *p)
{
	int status;

	if (ended(p->logger, &status))
		p->logger = 0;
	if (!p->reaped && !p->op && ended(p->pid, &status))
		process_ended(p, status);
}

static void reap_tasks(struct server *server)
{
	for_list (task, &server->tasks, struct task, link) {
		for_list (exec, &task->execs, struct process, link)
			process_reap(exec);
		process_reap(&task->init);
	}
}

static void reap_loggers(struct server *server)
{
	for_list (logger, &server->loggers, struct logger, link) {
		int status;

		if (!ended(logger->pid, &status))
			continue;
		list_remove(&logger->link);
		loop_timer_clear(&logger->timer);
		free(logger);
	}
}

/* False when none has ended. What follows from its end may change the list. */
static bool reap_worker(struct server *server)
{
	for_list (worker, &server->workers.running, struct worker, link) {
		int status;

		if (ended(worker->pid, &status))
			return workers_reaped(&server->workers, worker->pid);
	}
	return false;
}

static bool is_of(const struct process *p, pid_t pid)
{
	return pid == p->logger || (pid == p->pid && !p->reaped);
}

static bool is_ours(struct server *server, pid_t pid)
{
	for_list (logger, &server->loggers, struct logger, link)
		if (logger->pid == pid)
			return true;
	for_list (task, &server->tasks, struct task, link) {
		if (is_of(&task->init, pid))
			return true;
		for_list (exec, &task->execs, struct process, link)
			if (is_of(exec, pid))
				return true;
	}
	return false;
}

/* Grandchildren that came to us, as their parents ended. */
static void reap_strays(struct server *server)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid ||
		    is_ours(server, info.si_pid))
			return;
		waitpid(info.si_pid, NULL, WNOHANG);
	}
}

static void reap_all(struct server *server)
{
	workers_collect(&server->workers);
	while (reap_worker(server))
		;
	reap_tasks(server);
	reap_loggers(server);
	if (list_empty(&server->workers.running))
		reap_strays(server);
}

/* Results that are taken here may ask for it again. */
void server_reap(struct server *server)
{
	server->reap_again = true;
	if (server->reaping)
		return;
	server->reaping = true;
	while (server->reap_again) {
		server->reap_again = false;
		reap_all(server);
	}
	server->reaping = false;
}
