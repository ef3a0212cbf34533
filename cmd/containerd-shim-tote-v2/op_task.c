/* SPDX-License-Identifier: Apache-2.0 */
/* Create, Start and Delete of a container. */
#include "cmd/containerd-shim-tote-v2/jobs.h"
#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/op.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* How often a Delete looks whether the last process has ended. */
#define ENDS_PAUSE_MS 20
#define ENDS_LOOKS 250

static struct task *task_of(const struct op *op)
{
	return op->process->task;
}

static int begin_create(struct op *op, void *request)
{
	Shim__CreateRequest *from = request;
	struct process *init = op->process;
	struct job_create job = {
		.at = job_container_of(init->task),
		.io = { from->in_path, from->out_path, from->err_path, from->terminal },
		.request = from,
	};

	process_set_paths(init, &job.io);
	return op_work(op, job_create, &job);
}

/* Without it there are no numbers, but everything else. */
static void open_cgroup(struct task *task, const char *path)
{
	struct server *server = task->server;
	struct err err = { 0 };

	if (!path[0])
		return;
	if (server->tree.fd < 0 && cg_tree_find(&server->tree, &err) < 0)
		server->tree.fd = -1;
	if (server->tree.fd < 0 || cg_open(&server->tree, path, &task->cg, &err) < 0 ||
	    oom_add(&server->oom, &task->oom, &task->cg) < 0)
		shim_log("warning", "watch cgroup %s of container %s: %s", path, task->id, err.msg);
}

static void publish_create(struct task *task, Shim__CreateRequest *from)
{
	Shim__TaskCreate event = SHIM__TASK_CREATE__INIT;
	Shim__TaskIO io = SHIM__TASK_IO__INIT;

	io.in_path = task->init.in;
	io.out_path = task->init.out;
	io.err_path = task->init.err;
	io.terminal = task->init.terminal;
	event.container_id = task->id;
	event.bundle = task->bundle;
	event.io = &io;
	event.pid = (uint32_t)task->init.pid;
	if (from) {
		event.rootfs = from->rootfs;
		event.n_rootfs = from->n_rootfs;
	}
	events_publish(&task->server->events, "/tasks/create", &event.base);
}

/* A worker that failed has undone what it did; one that was killed, or whose descriptors were lost,
 * has not, nor one whose container is not wanted any more: then another one clears up. */
static enum op_end fail_create(struct op *op, struct worker_result *result)
{
	bool left = result->err.code == -EIO || result->err.code == -EMFILE ||
		    result->err.code == -ECANCELED;
	struct job_container at = job_container_of(task_of(op));

	ttrpc_fail(op->call, op_code(&result->err), "OCI runtime create failed: %s",
		   result->err.msg);
	op->call = NULL;
	op_drop_result(op, result);
	op->stage = OP_STAGE_WORK;
	if (left && op_work(op, job_create_undo, &at) == 0)
		return OP_AGAIN;
	task_free(task_of(op));
	return OP_TASK_GONE;
}

static enum op_end done_create(struct op *op, struct worker_result *result)
{
	Shim__CreateResponse answer = SHIM__CREATE_RESPONSE__INIT;
	struct task *task = task_of(op);

	if (op->stage == OP_STAGE_WORK) {
		task_free(task);
		return OP_TASK_GONE;
	}
	/* Nobody would ever delete it. */
	if (!result->err.code && !op->call->connection)
		err_set(&result->err, ECANCELED, "who asked for it is gone");
	if (result->err.code)
		return fail_create(op, result);
	task->made = true;
	task->kill_all = result->kill_all;
	task_set_root(task, result->root);
	task->owner = result->owner;
	process_begun(&task->init, result);
	open_cgroup(task, result->cgroup);
	publish_create(task, wire_unpack(op->kind->request, op->payload, op->len));
	answer.pid = (uint32_t)result->pid;
	service_reply(op->call, &answer.base);
	return OP_DONE;
}

static int begin_start(struct op *op, void *request)
{
	struct job_container at = job_container_of(task_of(op));

	(void)request;
	return op_work(op, job_start, &at);
}

static enum op_end done_start(struct op *op, struct worker_result *result)
{
	Shim__StartResponse answer = SHIM__START_RESPONSE__INIT;
	Shim__TaskStart event = SHIM__TASK_START__INIT;
	struct task *task = task_of(op);

	if (result->err.code) {
		ttrpc_fail(op->call, op_code(&result->err), "OCI runtime start failed: %s",
			   result->err.msg);
		return OP_DONE;
	}
	task->init.status = TASK_RUNNING;
	event.container_id = task->id;
	event.pid = answer.pid = (uint32_t)task->init.pid;
	events_publish(&task->server->events, "/tasks/start", &event.base);
	service_reply(op->call, &answer.base);
	return OP_DONE;
}

/* The container is killed, but without a cgroup an exec may not be, and one that was being started
 * may have missed it. Their ends, and that of an init that was never started, are told first. */
static bool end_process(struct process *p)
{
	process_reap(p);
	if (p->pid && !p->reaped)
		kill(p->pid, SIGKILL);
	return !p->op && (p->reaped || !p->pid);
}

static bool end_processes(struct task *task)
{
	bool all = true;

	for_list (exec, &task->execs, struct process, link)
		all = end_process(exec) && all;
	return end_process(&task->init) && all;
}

static enum op_end tell_delete(struct op *op)
{
	Shim__DeleteResponse answer = SHIM__DELETE_RESPONSE__INIT;
	Shim__TaskDelete event = SHIM__TASK_DELETE__INIT;
	struct task *task = task_of(op);
	Shim__Timestamp at = wire_time(task->init.exited_at);

	event.container_id = task->id;
	event.pid = answer.pid = (uint32_t)task->init.pid;
	event.exit_status = answer.exit_status = task->init.exit_status;
	event.exited_at = answer.exited_at = &at;
	events_publish(&task->server->events, "/tasks/delete", &event.base);
	/* Whoever hears of it finds everything closed. */
	task_free(task);
	service_reply(op->call, &answer.base);
	return OP_TASK_GONE;
}

/* Here when the output is drained, when the worker is done, and until all have ended. */
static enum op_end done_delete(struct op *op, struct worker_result *result)
{
	struct task *task = task_of(op);
	struct job_container at = job_container_of(task);

	if (result->err.code) {
		ttrpc_fail(op->call, op_code(&result->err), "failed to delete task: %s",
			   result->err.msg);
		return OP_DONE;
	}
	if (op->stage == OP_STAGE_WAIT) {
		op->stage = OP_STAGE_WORK;
		return op_work(op, job_delete, &at) == 0 ? OP_AGAIN : OP_DONE;
	}
	if (!end_processes(task)) {
		if (++op->looks > ENDS_LOOKS) {
			ttrpc_fail(op->call, TTRPC_UNKNOWN,
				   "failed to delete task: processes survive SIGKILL (state D?)");
			return OP_DONE;
		}
		op_look_in(op, ENDS_PAUSE_MS);
		return OP_AGAIN;
	}
	return tell_delete(op);
}

const struct op_kind op_create = { RULE_CREATE, &shim__create_request__descriptor, begin_create,
				   done_create };
const struct op_kind op_start = { RULE_START, &shim__start_request__descriptor, begin_start,
				  done_start };
const struct op_kind op_delete = { RULE_DELETE, &shim__delete_request__descriptor, op_await_output,
				   done_delete };
