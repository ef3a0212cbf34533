/* SPDX-License-Identifier: Apache-2.0 */
/* Start and Delete of an exec: its process is made by Start. */
#include "cmd/containerd-shim-tote-v2/jobs.h"
#include "cmd/containerd-shim-tote-v2/op.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static int begin_start(struct op *op, void *request)
{
	struct process *p = op->process, *init = &p->task->init;
	struct job_exec job = {
		.at = job_container_of(p->task),
		.io = { p->in, p->out, p->err, p->terminal },
		.exec_id = p->id,
		.process = p->spec,
		.process_len = p->spec_len,
		.owner = p->task->owner,
	};

	(void)request;
	if (init->reaped || init->status == TASK_STOPPED ||
	    (init->op && init->op->kind->rule == RULE_DELETE)) {
		ttrpc_fail(op->call, TTRPC_FAILED_PRECONDITION,
			   "container %s init process is not running: failed precondition",
			   p->task->id);
		return -ESRCH;
	}
	if (p->task->init.status == TASK_PAUSED || p->task->init.status == TASK_PAUSING) {
		ttrpc_fail(op->call, TTRPC_UNKNOWN, "cannot exec in a paused state");
		return -EBUSY;
	}
	return op_work(op, job_exec, &job);
}

/* Who waits for it learns that there is nothing to wait for; it may be started again. */
static enum op_end done_start(struct op *op, struct worker_result *result)
{
	Shim__StartResponse answer = SHIM__START_RESPONSE__INIT;
	Shim__TaskExecStarted event = SHIM__TASK_EXEC_STARTED__INIT;
	struct process *p = op->process;

	if (result->err.code) {
		ttrpc_fail(op->call, op_code(&result->err), "OCI runtime exec failed: %s",
			   result->err.msg);
		if (result->pid)
			kill(result->pid, SIGKILL);
		op_drop_result(op, result);
		process_release(p);
		return OP_DONE;
	}
	process_begun(p, result);
	/* It was too late for what ended with init. */
	if (p->task->init.reaped)
		kill(p->pid, SIGKILL);
	p->status = TASK_RUNNING;
	free(p->spec);
	p->spec = NULL;
	event.container_id = p->task->id;
	event.exec_id = p->id;
	event.pid = answer.pid = (uint32_t)result->pid;
	events_publish(&p->task->server->events, "/tasks/exec-started", &event.base);
	service_reply(op->call, &answer.base);
	return OP_DONE;
}

static enum op_end done_delete(struct op *op, struct worker_result *result)
{
	Shim__DeleteResponse answer = SHIM__DELETE_RESPONSE__INIT;
	struct process *p = op->process;
	Shim__Timestamp at = wire_time(p->exited_at);

	(void)result;
	answer.pid = (uint32_t)p->pid;
	answer.exit_status = p->exit_status;
	answer.exited_at = &at;
	process_free(p);
	service_reply(op->call, &answer.base);
	return OP_PROCESS_GONE;
}

const struct op_kind op_exec_start = { RULE_START, &shim__start_request__descriptor, begin_start,
				       done_start };
const struct op_kind op_exec_delete = { RULE_DELETE, &shim__delete_request__descriptor,
					op_await_output, done_delete };
