/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of jobs share. */
#ifndef SHIM_JOBS_PRIVATE_H
#define SHIM_JOBS_PRIVATE_H

#include "cmd/containerd-shim-tote-v2/jobs.h"
#include "oci/container.h"

/* Opens a container of the root; *ret_root_fd stays open as long as it is used. */
int jobs_open(const struct job_container *at, bool lock, struct container *ret_c, int *ret_root_fd,
	      struct err *err);
/* Hands what the library found worth a word to the log. */
void jobs_log_warnings(const struct container *c);
/* BUNDLE/NAME */
char *jobs_path(const struct job_container *at, struct arena *a, const char *name);

#endif
