/* SPDX-License-Identifier: Apache-2.0 */
/* Pause, Resume and Update of a container. */
#include "cmd/containerd-shim-tote-v2/jobs.h"
#include "cmd/containerd-shim-tote-v2/op.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/wire.h"

/* How often a Pause looks whether the last exec has begun. */
#define EXECS_PAUSE_MS 5

static enum op_end answer(struct op *op, const struct worker_result *result, const char *what)
{
	Shim__Empty empty = SHIM__EMPTY__INIT;

	if (result->err.code)
		ttrpc_fail(op->call, op_code(&result->err), "OCI runtime %s failed: %s", what,
			   result->err.msg);
	else
		service_reply(op->call, &empty.base);
	return OP_DONE;
}

/* From now on no exec is started; those that are under way would be frozen with their start. */
static int begin_pause(struct op *op, void *request)
{
	(void)request;
	op->process->status = TASK_PAUSING;
	op_look_in(op, 0);
	return 0;
}

static enum op_end done_pause(struct op *op, struct worker_result *result)
{
	struct task *task = op->process->task;
	Shim__TaskPaused event = SHIM__TASK_PAUSED__INIT;
	struct job_container at = job_container_of(task);

	if (op->stage == OP_STAGE_WAIT) {
		if (op_exec_begins(task)) {
			op_look_in(op, EXECS_PAUSE_MS);
			return OP_AGAIN;
		}
		op->stage = OP_STAGE_WORK;
		if (op_work(op, job_pause, &at) == 0)
			return OP_AGAIN;
		task->init.status = TASK_RUNNING;
		return OP_DONE;
	}
	task->init.status = result->err.code ? TASK_RUNNING : TASK_PAUSED;
	event.container_id = task->id;
	if (!result->err.code)
		events_publish(&task->server->events, "/tasks/paused", &event.base);
	return answer(op, result, "pause");
}

static int begin_resume(struct op *op, void *request)
{
	struct job_container at = job_container_of(op->process->task);

	(void)request;
	return op_work(op, job_resume, &at);
}

static enum op_end done_resume(struct op *op, struct worker_result *result)
{
	struct task *task = op->process->task;
	Shim__TaskResumed event = SHIM__TASK_RESUMED__INIT;

	event.container_id = task->id;
	if (!result->err.code) {
		task->init.status = TASK_RUNNING;
		events_publish(&task->server->events, "/tasks/resumed", &event.base);
	}
	return answer(op, result, "resume");
}

static int begin_update(struct op *op, void *request)
{
	const Shim__UpdateRequest *from = request;
	struct job_update job = { .at = job_container_of(op->process->task) };

	if (!from->resources) {
		ttrpc_fail(op->call, TTRPC_INVALID_ARGUMENT, "no resources: invalid argument");
		return -1;
	}
	job.resources = (const char *)from->resources->value.data;
	job.len = from->resources->value.len;
	return op_work(op, job_update, &job);
}

static enum op_end done_update(struct op *op, struct worker_result *result)
{
	return answer(op, result, "update");
}

const struct op_kind op_pause = { RULE_PAUSE, &shim__pause_request__descriptor, begin_pause,
				  done_pause };
const struct op_kind op_resume = { RULE_RESUME, &shim__resume_request__descriptor, begin_resume,
				   done_resume };
const struct op_kind op_update = { RULE_UPDATE, &shim__update_request__descriptor, begin_update,
				   done_update };
