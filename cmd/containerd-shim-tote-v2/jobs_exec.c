/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/jobs_private.h"

#include "lib/cleanup.h"
#include "oci/exec.h"

#include <errno.h>
#include <unistd.h>

static int run(const struct job_exec *job, struct container *c, struct worker_result *result)
{
	struct exec_opts opts = {
		.ret_pid = result->made ? result->made : &result->pid,
		.siblings = &result->siblings,
	};
	int pidfd = -1, terminal = -1;
	int r = spec_parse_process(job->process, job->process_len, &c->arena, &opts.process,
				   &result->err);

	if (r < 0)
		return r;
	opts.process->terminal = job->io.terminal;
	r = io_open(&job->io, &job->owner, job->at.id, job->at.namespace, &result->io,
		    &result->logger, &result->err);
	if (r == 0)
		r = container_exec(c, &opts, &pidfd, &terminal, &result->err);
	if (r < 0)
		return r;
	result->pid = *opts.ret_pid;
	result->io.terminal = terminal;
	return 0;
}

void job_exec(void *arg, struct worker_result *result)
{
	const struct job_exec *job = arg;
	struct container c = CONTAINER_INIT;
	int root, r = jobs_open(&job->at, false, &c, &root, &result->err);

	if (r == 0)
		r = run(job, &c, result);
	jobs_log_warnings(&c);
	if (r < 0)
		io_close(&result->io);
	else
		result->err.code = 0;
}
