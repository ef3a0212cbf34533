/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/op.h"

#include "cmd/containerd-shim-tote-v2/jobs.h"
#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/wire.h"

#include "lib/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* containerd's own shim waits 2 s (1.x) or 10 s, but CRI gives up a Delete after 10 s itself. */
#define DRAIN_MS 5000
/* For a reader to take what is in a FIFO: a second. */
#define TAKEN_PAUSE_MS 2
#define TAKEN_LOOKS 500
/* Clients ask one after the other. */
#define WAITING_MAX 64

static void op_free(struct op *op)
{
	loop_timer_clear(&op->timer);
	free(op);
}

/* Sets it going, or answers. */
static int begin(struct op *op)
{
	void *request = wire_unpack(op->kind->request, op->payload, op->len);

	if (!request) {
		ttrpc_fail(op->call, TTRPC_INVALID_ARGUMENT,
			   "unmarshal request error: invalid argument");
		return -EINVAL;
	}
	if (!rules_allow(op->kind->rule, op->process, op->call))
		return -EBUSY;
	return op->kind->begin(op, request);
}

static struct op *take_waiting(struct process *p)
{
	struct op *op = p->waiting;

	if (op)
		p->waiting = op->next;
	return op;
}

/* Those that are refused or cannot begin are gone; the first that begins stays. */
static void begin_next(struct process *p)
{
	while (!p->op && (p->op = take_waiting(p))) {
		struct op *op = p->op;

		if (begin(op) == 0)
			return;
		p->op = NULL;
		op_free(op);
	}
}

void op_add(const struct op_kind *kind, struct process *p, struct ttrpc_call *call,
	    const uint8_t *payload, size_t len)
{
	struct op **last = &p->waiting, *op;
	unsigned int count = 0;

	for (; *last; last = &(*last)->next)
		count++;
	if (count >= WAITING_MAX) {
		ttrpc_fail(call, TTRPC_RESOURCE_EXHAUSTED, "%u requests wait already", count);
		return;
	}
	op = calloc(1, sizeof(*op) + len);
	if (!op)
		_Exit(255);
	op->kind = kind;
	op->process = p;
	op->call = call;
	op->len = len;
	memcpy(op->payload, payload, len);
	*last = op;
	begin_next(p);
	/* A container whose Create could not even begin. */
	if (kind->rule == RULE_CREATE && !p->op)
		task_free(p->task);
}

/* It is out of the way first: what done() tells is no longer kept back for it. */
static void finish(struct op *op, struct worker_result *result)
{
	struct process *p = op->process;
	struct task *task = p->task;
	struct server *server = task->server;
	enum op_end end;

	p->op = NULL;
	end = op->kind->done(op, result);
	if (end == OP_AGAIN) {
		p->op = op;
		return;
	}
	op_free(op);
	if (end == OP_DONE) {
		/* What comes next is to find it as it is. */
		process_reap(p);
		begin_next(p);
	}
	if (end != OP_TASK_GONE)
		task_settle(task);
	server_reap(server);
	server_settle(server);
	wire_reset();
}

static void worker_done(struct worker *worker, struct worker_result *result)
{
	struct process *p = container_of(worker, struct process, worker);

	finish(p->op, result);
}

static bool makes_process(const struct op *op)
{
	return op->kind->rule == RULE_CREATE ||
	       (op->kind->rule == RULE_START && op->process != &op->process->task->init);
}

int op_work(struct op *op, void (*job)(void *arg, struct worker_result *result), void *arg)
{
	struct process *p = op->process;
	int r;

	if (op->call && makes_process(op) && workers_have_room() < 0) {
		ttrpc_fail(op->call, TTRPC_UNKNOWN, "too many open files");
		return -EMFILE;
	}
	r = worker_begin(&p->task->server->workers, &p->worker, job, arg, worker_done);
	if (r < 0 && op->call)
		ttrpc_fail(op->call, TTRPC_UNKNOWN, "make a worker: %s", err_text(r));
	return r;
}

static bool awaits_output(const struct op *op)
{
	return op->kind->rule == RULE_DELETE && op->stage == OP_STAGE_WAIT;
}

static void look(struct loop_timer *timer)
{
	struct op *op = container_of(timer, struct op, timer);
	struct worker_result nothing = { .io = IO_FDS_NONE };

	if (awaits_output(op)) {
		if (op->process->io_open && !io_taken(&op->process->io) &&
		    ++op->looks < TAKEN_LOOKS) {
			op_look_in(op, TAKEN_PAUSE_MS);
			return;
		}
		op->looks = 0;
	}
	finish(op, &nothing);
}

void op_look_in(struct op *op, int ms)
{
	loop_timer_set(&op->process->task->server->loop, &op->timer, ms, look);
}

bool op_exec_begins(const struct task *task)
{
	for_list (exec, &task->execs, struct process, link)
		if (exec->op && exec->op->kind->rule == RULE_START)
			return true;
	return false;
}

void op_refuse_all(struct process *p)
{
	struct op *op;

	while ((op = take_waiting(p))) {
		ttrpc_fail(op->call, TTRPC_NOT_FOUND, "cannot %s a deleted process: not found",
			   op->kind->rule == RULE_DELETE ? "delete" : "change");
		op_free(op);
	}
}

/* A process in the background may keep a pipe open for ever. */
int op_await_output(struct op *op, void *request)
{
	struct process *p = op->process;
	/* One that never ran has nothing to say, though it keeps its pipes. */
	bool drained = p->status == TASK_CREATED || !p->io_open || io_drained(&p->io);

	(void)request;
	if (p->io_open && p->status != TASK_CREATED)
		io_last_call(&p->io);
	op_look_in(op, drained ? 0 : DRAIN_MS);
	return 0;
}

static void drained(struct io *io)
{
	struct process *p = container_of(io, struct process, io);
	struct op *op = p->op;

	if (op && awaits_output(op))
		op_look_in(op, 0);
}

void op_drop_result(struct op *op, struct worker_result *result)
{
	io_close(&result->io);
	if (result->logger)
		logger_end(op->process->task->server, result->logger);
}

void process_begun(struct process *p, struct worker_result *result)
{
	int r = io_begin(&p->io, &p->task->server->loop, &result->io, drained);

	p->pid = result->pid;
	p->logger = result->logger;
	p->io_open = r == 0;
	if (p->io_open && p->in_closed)
		io_close_input(&p->io);
	if (r < 0)
		shim_log("error", "streams of process %d: %s", p->pid, err_text(r));
}

enum ttrpc_code op_code(const struct err *err)
{
	switch (err->code) {
	case -EEXIST:
		return TTRPC_ALREADY_EXISTS;
	case -ENOSYS:
		return TTRPC_UNIMPLEMENTED;
	default:
		return TTRPC_UNKNOWN;
	}
}

struct job_container job_container_of(const struct task *task)
{
	const struct server *server = task->server;

	return (struct job_container){ task->root ? task->root : server->root,
				       server->args->namespace, task->id, task->bundle };
}
