/* SPDX-License-Identifier: Apache-2.0 */
/* What workers do: each takes what a request asks for and calls the library. They run in a child
 * that ends behind them, so they free nothing. */
#ifndef SHIM_JOBS_H
#define SHIM_JOBS_H

#include "cmd/containerd-shim-tote-v2/io.h"
#include "cmd/containerd-shim-tote-v2/options.h"
#include "cmd/containerd-shim-tote-v2/worker.h"

#include <stddef.h>

/* Which container: its directory is ROOT/ID. */
struct job_container {
	const char *root; /* "/run/containerd/tote/NAMESPACE" */
	const char *namespace, *id, *bundle;
};

struct task;
/* Of a task; borrowed from it. op.c */
struct job_container job_container_of(const struct task *task);

struct job_create {
	struct job_container at;
	struct io_paths io;
	const Shim__CreateRequest *request; /* rootfs and options; borrowed for the fork */
};
/* Mounts the rootfs, opens the streams, makes the container. The result has pid, io, cgroup. On
 * failure nothing is left, not even the mounts. */
void job_create(void *arg, struct worker_result *result);
/* arg is a struct job_container. For one that was killed half way: job_delete() in the root that it
 * had chosen. */
void job_create_undo(void *arg, struct worker_result *result);

struct job_exec {
	struct job_container at;
	struct io_paths io;
	const char *exec_id;
	const char *process; /* JSON */
	size_t process_len;
	struct io_owner owner;
};
void job_exec(void *arg, struct worker_result *result);

/* arg is a struct job_container. */
void job_start(void *arg, struct worker_result *result);
void job_pause(void *arg, struct worker_result *result);
void job_resume(void *arg, struct worker_result *result);
/* Kills and removes; unmounts BUNDLE/rootfs. A container that is not there is fine. */
void job_delete(void *arg, struct worker_result *result);

struct job_update {
	struct job_container at;
	const char *resources; /* JSON */
	size_t len;
};
void job_update(void *arg, struct worker_result *result);

/* What `containerd-shim-tote-v2 delete` does besides: job_delete() on each container that was in the
 * server of this group (address_group_of(), else the id). Only when that server is gone, and under
 * its address's lock: they are the server's else, and containerd calls `delete` after a clean end of
 * one as well. */
int job_delete_group(const char *root, const char *group, struct err *err);

#endif
