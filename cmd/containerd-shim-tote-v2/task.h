/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers and their processes as containerd knows them: a task is a container with its init, an
 * exec a further process in it. Who changes them: the operations (op.h), one after the other for
 * each process, and the reaper.
 */
#ifndef SHIM_TASK_H
#define SHIM_TASK_H

#include "cgroups/cg.h"
#include "cmd/containerd-shim-tote-v2/io.h"
#include "cmd/containerd-shim-tote-v2/oom.h"
#include "cmd/containerd-shim-tote-v2/worker.h"
#include "lib/list.h"
#include "lib/loop.h"

#include <stdint.h>
#include <sys/types.h>

struct op;
struct server;

/* containerd.v1.types.Status */
enum task_status {
	TASK_UNKNOWN,
	TASK_CREATED,
	TASK_RUNNING,
	TASK_STOPPED,
	TASK_PAUSED,
	TASK_PAUSING,
	TASK_STATUSES
};

struct process {
	struct list link; /* of the task's execs */
	struct task *task;
	char *id; /* the exec's; "" for init */
	enum task_status status;
	pid_t pid; /* 0 until there is one; stays when it is gone */
	pid_t logger;
	bool reaped; /* the pid may be somebody else's by now */
	uint32_t exit_status;
	int64_t exited_at; /* Unix nanoseconds; WIRE_NO_TIME until it is told */
	char *in, *out, *err;
	bool terminal;
	char *spec; /* an exec's, as JSON, until it is started */
	size_t spec_len;
	bool in_closed; /* before there were streams */
	struct io io;
	bool io_open;
	struct list waiters; /* struct ttrpc_call by waiting */
	struct op *op;	     /* under way: what it will tell of the process's beginning comes before
				what is told of its end */
	struct op *waiting;  /* for that */
	struct worker worker;
};

struct task {
	struct list link;
	struct server *server;
	char *id, *bundle;
	char *root;	       /* the directory of containers that it is in */
	struct io_owner owner; /* of the pipes of its processes */
	bool made;	       /* false while Create is under way: to others it does not exist */
	bool kill_all;
	struct process init;
	struct list execs;
	struct cg cg; /* fd -1: none of its own */
	struct oom_watch oom;
};

struct task *task_new(struct server *server, const char *id, const char *bundle);
/* The end of it: closes, frees. No operation may be under way. */
void task_free(struct task *task);
void task_set_root(struct task *task, const char *root);
/* NULL: none, or none yet. */
struct task *task_find(struct server *server, const char *id);

struct process *process_new(struct task *task, const char *exec_id);
void process_free(struct process *p);
/* exec_id "": init. NULL: none. */
struct process *process_find(struct task *task, const char *exec_id);
void process_set_paths(struct process *p, const struct io_paths *paths);
void process_set_spec(struct process *p, const void *json, size_t len);

/* Sees whether it has ended, unless an operation is about to tell of its beginning or end. reap.c */
void process_reap(struct process *p);
/* It has ended with a status of waitpid(2). Told at once, but init's end only when its execs have
 * ended. */
void process_ended(struct process *p, int status);
/* An exec's operation or life came to its end: init's end may be told now. */
void task_settle(struct task *task);
/* Answers everybody who waits for its end. */
void process_release(struct process *p);

/* What the loggers of processes that are gone become, until they have ended. */
struct logger {
	struct list link;
	struct loop_timer timer;
	pid_t pid;
};
void logger_end(struct server *server, pid_t pid);

#endif
