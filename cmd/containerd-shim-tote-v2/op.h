/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: requests that a worker has to carry out, one at a time for each process, in the order
 * they came. Kill, State, Wait and the like never wait behind them.
 */
#ifndef SHIM_OP_H
#define SHIM_OP_H

#include "cmd/containerd-shim-tote-v2/rules.h"
#include "cmd/containerd-shim-tote-v2/task.h"
#include "cmd/containerd-shim-tote-v2/ttrpc.h"
#include "shim/shim.pb-c.h"

struct op {
	struct op *next; /* that waits behind it */
	const struct op_kind *kind;
	struct process *process;
	struct ttrpc_call *call;		     /* NULL: answered already */
	enum { OP_STAGE_WAIT, OP_STAGE_WORK } stage; /* of Delete and Pause */
	unsigned int looks;	 /* of Delete: how often it has looked for what it waits for */
	struct loop_timer timer; /* of op_look_in() */
	size_t len;
	uint8_t payload[]; /* the packed request */
};

enum op_end { OP_DONE, OP_PROCESS_GONE, OP_TASK_GONE, OP_AGAIN };

struct op_kind {
	enum rule rule;
	const ProtobufCMessageDescriptor *request;
	/* Sets it going by op_work() and returns 0; or answers and returns -errno. */
	int (*begin)(struct op *op, void *request);
	/*
	 * The worker is done: answers the call and tells what became of the process, which may be
	 * freed with its task. OP_AGAIN: not answered yet, op_look_in() or another op_work() follows.
	 */
	enum op_end (*done)(struct op *op, struct worker_result *result);
};

extern const struct op_kind op_create, op_start, op_exec_start, op_delete, op_exec_delete, op_pause,
	op_resume, op_update;

/* Puts it behind those there are. */
void op_add(const struct op_kind *kind, struct process *p, struct ttrpc_call *call,
	    const uint8_t *payload, size_t len);
/* Has a worker do the job; arg is needed no longer when this returns. Answers on failure. */
int op_work(struct op *op, void (*job)(void *arg, struct worker_result *result), void *arg);
/* Comes to done() in so many milliseconds, with an empty result, without a worker. */
void op_look_in(struct op *op, int ms);

/* Whether the Start of an exec is under way. */
bool op_exec_begins(const struct task *task);
/* Answers those that wait for a process that goes. */
void op_refuse_all(struct process *p);
/* The begin() of every Delete: waits until the process's output was read, but not for ever, then
 * comes to done(). 0. */
int op_await_output(struct op *op, void *request);

/* The status code for what a worker reports. */
enum ttrpc_code op_code(const struct err *err);
/* Closes and ends what came beside an error. */
void op_drop_result(struct op *op, struct worker_result *result);
/* Takes over what a worker has made for a process: pid, logger, streams. */
void process_begun(struct process *p, struct worker_result *result);

#endif
