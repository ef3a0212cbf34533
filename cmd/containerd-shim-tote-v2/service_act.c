/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that act at once: none of them can block. */
#include "cmd/containerd-shim-tote-v2/rules.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Of one container, bytes. A specification has some 2,000. */
#define SPECS_MAX ((size_t)8 << 20)

static void reply_empty(struct ttrpc_call *call)
{
	Shim__Empty empty = SHIM__EMPTY__INIT;

	service_reply(call, &empty.base);
}

/* SIGKILL by the kernel in one step, any other signal one by one. */
static int kill_group(struct task *task, int sig)
{
	struct cg_pids pids = { NULL, 0 };
	autoarena a = ARENA_INIT;
	struct err err;
	int r;

	if (sig == SIGKILL) {
		r = cg_kill(&task->cg, 0, &err);
		return r == -ETIMEDOUT ? 0 : r;
	}
	r = cg_pids(&task->cg, &a, &pids, &err);
	for_each (pid, &pids)
		kill(*pid, sig);
	return r;
}

/* One that was reaped has no pid any more: the rules have refused that. */
static int send_signal(struct process *p, int sig, bool all)
{
	struct task *task = p->task;

	if (all && p == &task->init && task->cg.fd >= 0)
		return kill_group(task, sig);
	return kill(p->pid, sig) < 0 ? -errno : 0;
}

/* What is left of a container whose init has ended may still be killed. */
static bool may_kill(struct process *p, const Shim__KillRequest *from, struct ttrpc_call *call)
{
	if (from->all && p == &p->task->init && p->task->cg.fd >= 0)
		return true;
	return rules_allow(RULE_KILL, p, call);
}

void service_kill(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__KillRequest *from = request;
	struct process *p = service_process(server, from->id, from->exec_id, call);
	int r;

	if (!p || !may_kill(p, from, call))
		return;
	if (from->signal > (uint32_t)SIGRTMAX) {
		ttrpc_fail(call, TTRPC_INVALID_ARGUMENT, "unknown signal %u: invalid argument",
			   from->signal);
		return;
	}
	r = send_signal(p, (int)from->signal, from->all);
	if (r == -ESRCH || r == -ENOENT || r == -ENODEV)
		ttrpc_fail(call, TTRPC_NOT_FOUND, "process already finished: not found");
	else if (r < 0)
		ttrpc_fail(call, TTRPC_UNKNOWN, "send signal %u: %s", from->signal, err_text(r));
	else
		reply_empty(call);
}

/* What a client forgot to start stays with the container. */
static size_t specs_kept(const struct task *task)
{
	size_t size = 0;

	for_list (exec, &task->execs, struct process, link)
		size += exec->spec ? sizeof(*exec) + exec->spec_len : 0;
	return size;
}

void service_exec(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__ExecRequest *from = request;
	struct task *task = service_task(server, from->id, call);
	Shim__TaskExecAdded event = SHIM__TASK_EXEC_ADDED__INIT;
	struct process *p;

	if (!task || !rules_allow(RULE_EXEC, &task->init, call))
		return;
	if (!from->exec_id[0] || !from->spec || !from->spec->value.len) {
		ttrpc_fail(call, TTRPC_INVALID_ARGUMENT,
			   "an exec needs an id and a process: invalid argument");
		return;
	}
	if (process_find(task, from->exec_id)) {
		ttrpc_fail(call, TTRPC_ALREADY_EXISTS, "id %s: already exists", from->exec_id);
		return;
	}
	if (specs_kept(task) + from->spec->value.len > SPECS_MAX) {
		ttrpc_fail(call, TTRPC_RESOURCE_EXHAUSTED,
			   "too many execs of container %s were never started", task->id);
		return;
	}
	p = process_new(task, from->exec_id);
	process_set_paths(p, &(struct io_paths){ from->in_path, from->out_path, from->err_path,
						 from->terminal });
	process_set_spec(p, from->spec->value.data, from->spec->value.len);
	event.container_id = task->id;
	event.exec_id = p->id;
	events_publish(&server->events, "/tasks/exec-added", &event.base);
	reply_empty(call);
}

void service_resize_pty(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__ResizePtyRequest *from = request;
	struct process *p = service_process(server, from->id, from->exec_id, call);
	int r = 0;

	if (!p)
		return;
	if (p->status == TASK_STOPPED && p != &p->task->init) {
		ttrpc_fail(call, TTRPC_UNKNOWN, "cannot resize a stopped container");
		return;
	}
	if (p->io_open && p->status != TASK_STOPPED)
		r = io_resize(&p->io, from->width, from->height);
	if (r < 0)
		ttrpc_fail(call, TTRPC_UNKNOWN, "resize the terminal: %s", err_text(r));
	else
		reply_empty(call);
}

void service_close_io(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__CloseIORequest *from = request;
	struct process *p = service_process(server, from->id, from->exec_id, call);

	if (!p)
		return;
	p->in_closed = true;
	if (p->io_open)
		io_close_input(&p->io);
	reply_empty(call);
}

void service_checkpoint(struct server *server, struct ttrpc_call *call, void *request)
{
	const Shim__CheckpointRequest *from = request;
	struct task *task = service_task(server, from->id, call);

	if (task && rules_allow(RULE_CHECKPOINT, &task->init, call))
		ttrpc_fail(call, TTRPC_UNIMPLEMENTED, "checkpoint: not implemented");
}

/* Of a pod the last one closes the door. That comes before the answer: whoever starts the same
 * container again then shall find no server that is about to go. */
void service_shutdown(struct server *server, struct ttrpc_call *call, void *request)
{
	(void)request;
	if (list_empty(&server->tasks))
		server_stop(server);
	reply_empty(call);
}
