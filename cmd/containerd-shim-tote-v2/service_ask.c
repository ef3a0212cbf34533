/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that ask: State, Wait, Pids, Stats, Connect. They change nothing and never wait for an
 * operation. */
#include "cmd/containerd-shim-tote-v2/metrics.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A paused container's processes are all paused. */
static enum task_status status_of(const struct process *p)
{
	enum task_status whole = p->task->init.status;

	if (p->status == TASK_RUNNING && (whole == TASK_PAUSED || whole == TASK_PAUSING))
		return whole;
	return p->status;
}

void service_state(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__StateRequest *from = request;
	struct process *p = service_process(server, from->id, from->exec_id, call);
	Shim__StateResponse answer = SHIM__STATE_RESPONSE__INIT;
	Shim__Timestamp at;

	if (!p)
		return;
	at = wire_time(p->status == TASK_STOPPED ? p->exited_at : WIRE_NO_TIME);
	answer.id = p->id[0] ? p->id : p->task->id;
	answer.bundle = p->task->bundle;
	answer.pid = (uint32_t)p->pid;
	answer.status = (uint32_t)status_of(p);
	answer.in_path = p->in;
	answer.out_path = p->out;
	answer.err_path = p->err;
	answer.terminal = p->terminal;
	answer.exit_status = p->status == TASK_STOPPED ? p->exit_status : 0;
	answer.exited_at = &at;
	service_reply(call, &answer.base);
}

void service_wait(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__WaitRequest *from = request;
	struct process *p = service_process(server, from->id, from->exec_id, call);

	if (!p)
		return;
	list_add(&p->waiters, &call->waiting);
	if (p->status == TASK_STOPPED)
		process_release(p);
}

/* The exec that was started as this process; NULL: none. */
static const struct process *exec_of(const struct task *task, pid_t pid)
{
	for_list (exec, &task->execs, struct process, link)
		if (exec->pid == pid && !exec->reaped)
			return exec;
	return NULL;
}

static void answer_pids(const struct task *task, const struct cg_pids *pids,
			struct ttrpc_call *call, struct arena *a)
{
	Shim__PidsResponse answer = SHIM__PIDS_RESPONSE__INIT;
	Shim__ProcessInfo *infos = arena_calloc(a, pids->count, sizeof(*infos));

	answer.processes = arena_calloc(a, pids->count, sizeof(Shim__ProcessInfo *));
	for_each (pid, pids) {
		const struct process *exec = exec_of(task, *pid);
		Shim__ProcessInfo *info = &infos[answer.n_processes];

		shim__process_info__init(info);
		answer.processes[answer.n_processes++] = info;
		info->pid = (uint32_t)*pid;
		if (exec) {
			Shim__ProcessDetails details = SHIM__PROCESS_DETAILS__INIT;
			struct buf packed = BUF_INIT;

			details.exec_id = exec->id;
			wire_pack(&details.base, &packed);
			info->info = arena_alloc(a, sizeof(*info->info));
			shim__any__init(info->info);
			info->info->type_url = (char *)"containerd.runc.v1.ProcessDetails";
			info->info->value.data = arena_memdup(a, packed.data, packed.len);
			info->info->value.len = packed.len;
			buf_done(&packed);
		}
	}
	service_reply(call, &answer.base);
}

/* Without a group of its own those that we started. */
static void own_pids(const struct task *task, struct arena *a, struct cg_pids *ret)
{
	size_t count = 1;

	for_list (exec, &task->execs, struct process, link)
		count++;
	ret->items = arena_calloc(a, count, sizeof(pid_t));
	ret->count = 0;
	if (task->init.pid && !task->init.reaped)
		ret->items[ret->count++] = task->init.pid;
	for_list (exec, &task->execs, struct process, link)
		if (exec->pid && !exec->reaped)
			ret->items[ret->count++] = exec->pid;
}

/*
 * From 1.7 on a containerd that comes back takes a task without processes for a forgotten one, and
 * removes it before anybody could ask how it ended: so one that was not deleted yet has its pid.
 */
static void remember_init(const struct task *task, struct arena *a, struct cg_pids *ret)
{
	ret->items = arena_memdup(a, &task->init.pid, sizeof(pid_t));
	ret->count = 1;
}

void service_pids(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__PidsRequest *from = request;
	struct task *task = service_task(server, from->id, call);
	struct cg_pids pids = { NULL, 0 };
	autoarena a = ARENA_INIT;
	struct err err;

	if (!task)
		return;
	if (task->cg.fd < 0)
		own_pids(task, &a, &pids);
	else if (cg_pids(&task->cg, &a, &pids, &err) < 0)
		pids.count = 0;
	if (pids.count == 0)
		remember_init(task, &a, &pids);
	answer_pids(task, &pids, call, &a);
}

void service_stats(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__StatsRequest *from = request;
	struct task *task = service_task(server, from->id, call);
	Shim__StatsResponse answer = SHIM__STATS_RESPONSE__INIT;
	Shim__Any any = SHIM__ANY__INIT;
	autobuf packed = BUF_INIT;
	struct err err;

	if (!task)
		return;
	if (task->cg.fd < 0 || metrics_read(&task->cg, &packed, &err) < 0) {
		ttrpc_fail(call, TTRPC_NOT_FOUND, "cgroup does not exist: not found");
		return;
	}
	any.type_url = (char *)METRICS_TYPE;
	any.value.data = (uint8_t *)packed.data;
	any.value.len = packed.len;
	answer.stats = &any;
	service_reply(call, &answer.base);
}

void service_connect(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__ConnectRequest *from = request;
	struct task *task = task_find(server, from->id);
	Shim__ConnectResponse answer = SHIM__CONNECT_RESPONSE__INIT;

	answer.shim_pid = (uint32_t)getpid();
	answer.task_pid = task ? (uint32_t)task->init.pid : 0;
	answer.version = (char *)TOTE_VERSION;
	service_reply(call, &answer.base);
}
