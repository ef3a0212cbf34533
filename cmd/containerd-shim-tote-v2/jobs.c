/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs on a container that exists. */
#include "cmd/containerd-shim-tote-v2/jobs_private.h"

#include "cmd/containerd-shim-tote-v2/address.h"
#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/mounts.h"
#include "lib/cleanup.h"
#include "oci/resources.h"

#include <errno.h>
#include <string.h>

int jobs_open(const struct job_container *at, bool lock, struct container *ret_c, int *ret_root_fd,
	      struct err *err)
{
	int root = state_root_open(at->root, false, false, err);

	if (root < 0)
		return err->code == -ENOENT
			       ? err_set(err, ENOENT, "container \"%s\": container does not exist",
					 at->id)
			       : err->code;
	*ret_root_fd = root;
	return container_open(root, at->id, lock, ret_c, err);
}

void jobs_log_warnings(const struct container *c)
{
	for_each (w, &c->warnings)
		shim_log("warning", "container %s: %s", c->st.id, *w);
}

char *jobs_path(const struct job_container *at, struct arena *a, const char *name)
{
	return arena_printf(a, "%s/%s", at->bundle, name);
}

static void change(const struct job_container *at, struct worker_result *result,
		   int (*fn)(struct container *c, struct err *err))
{
	autocontainer c = CONTAINER_INIT;
	autofd root = -1;

	if (jobs_open(at, true, &c, &root, &result->err) == 0 && fn(&c, &result->err) == 0)
		result->err.code = 0;
	jobs_log_warnings(&c);
}

void job_start(void *arg, struct worker_result *result)
{
	change(arg, result, container_start);
}

void job_pause(void *arg, struct worker_result *result)
{
	change(arg, result, container_pause);
}

void job_resume(void *arg, struct worker_result *result)
{
	change(arg, result, container_resume);
}

void job_update(void *arg, struct worker_result *result)
{
	const struct job_update *job = arg;
	struct resources_change resources = { 0 };
	autocontainer c = CONTAINER_INIT;
	autoarena a = ARENA_INIT;
	autofd root = -1;

	if (spec_parse_resources(job->resources, job->len, &a, &resources.limits, &result->err) ==
		    0 &&
	    jobs_open(&job->at, true, &c, &root, &result->err) == 0 &&
	    resources_update(&c, &resources, &result->err) == 0)
		result->err.code = 0;
	jobs_log_warnings(&c);
}

static int delete_container(const struct job_container *at, struct err *err)
{
	autofd root = state_root_open(at->root, false, false, err);
	autocontainer c = CONTAINER_INIT;
	int r;

	if (root < 0)
		return err->code == -ENOENT ? 0 : err->code;
	r = container_delete_any(root, at->id, &c, err);
	jobs_log_warnings(&c);
	return r;
}

void job_delete(void *arg, struct worker_result *result)
{
	const struct job_container *at = arg;
	autoarena a = ARENA_INIT;
	struct err unmounted = { 0 };
	int r = delete_container(at, &result->err), u = 0;

	/* What survives is no reason to leave mounts that nobody uses. */
	if (at->bundle)
		u = mounts_remove(jobs_path(at, &a, "rootfs"), &unmounted);
	if (r == 0 && u < 0)
		result->err = unmounted;
	else if (r == 0)
		result->err.code = 0;
}

static bool in_group(int root, const char *id, const char *group, struct arena *a,
		     char **ret_bundle)
{
	autocontainer c = CONTAINER_INIT;
	struct err ignored;
	const char *own;

	if (container_open(root, id, false, &c, &ignored) < 0)
		return false;
	own = address_group_of(&c.st.annotations);
	*ret_bundle = c.st.bundle ? arena_strdup(a, c.st.bundle) : NULL;
	return strcmp(own ? own : id, group) == 0;
}

int job_delete_group(const char *root_path, const char *group, struct err *err)
{
	autofd root = state_root_open(root_path, false, false, err);
	autoarena a = ARENA_INIT;
	struct strv ids;
	int r;

	if (root < 0)
		return err->code == -ENOENT ? 0 : err->code;
	err->code = 0;
	r = state_list(root, &a, &ids, err);
	for (size_t i = 0; r >= 0 && i < ids.count; i++) {
		struct job_container at = { .root = root_path, .id = ids.items[i] };
		struct worker_result result = { 0 };
		char *bundle;

		if (!in_group(root, at.id, group, &a, &bundle))
			continue;
		at.bundle = bundle;
		job_delete(&at, &result);
		/* The others are to end all the same. */
		if (result.err.code < 0 && err->code == 0)
			*err = result.err;
	}
	return r < 0 ? r : err->code;
}
