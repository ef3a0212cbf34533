/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/jobs_private.h"

#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/mounts.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOTFS_MODE 0711
/* Where `delete` finds containers that are not in the default directory. */
#define ROOT_FILE "runtime-root"

struct creating {
	const struct job_create *job;
	struct worker_result *result;
	struct shim_options options;
	const char *root, *rootfs;
	bool mounted;
	struct arena a;
	struct err *err;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* As exec.LookPath(3) of Go tells it, whose words clients look for. */
static int check_program(const char *name, struct arena *a, struct err *err)
{
	if (strchr(name, '/'))
		return access(name, X_OK) < 0 ? err_errno(err, "exec: \"%s\"", name) : 0;
	return proc_find(name, a)
		       ? 0
		       : err_set(err, ENOENT, "exec: \"%s\": executable file not found in $PATH",
				 name);
}

/* The runtime is in us: another one that is asked for is not used, but has to be there. */
static int check_binary_name(struct creating *cr)
{
	const char *name = cr->options.binary_name;
	int r;

	if (!name || !*name || strcmp(base_name(name), "tote") == 0)
		return 0;
	r = check_program(name, &cr->a, cr->err);
	if (r == 0)
		shim_log("warning", "option BinaryName \"%s\" is not used: this shim is a runtime",
			 name);
	return r;
}

/* In the bundle, as it is known to whoever comes when we are gone. */
static int note_root(struct creating *cr)
{
	autofd bundle = fd_open(AT_FDCWD, cr->job->at.bundle, O_PATH | O_DIRECTORY);

	if (bundle < 0)
		return err_errno(cr->err, "open bundle %s", cr->job->at.bundle);
	return file_replace(bundle, ROOT_FILE, cr->root, strlen(cr->root), 0600, cr->err);
}

static int choose_root(struct creating *cr)
{
	const struct job_container *at = &cr->job->at;
	bool usual = !cr->options.root || !*cr->options.root;

	cr->root =
		usual ? at->root : arena_printf(&cr->a, "%s/%s", cr->options.root, at->namespace);
	if (cr->root[0] != '/' || strlen(cr->root) >= sizeof(cr->result->root))
		return err_set(cr->err, EINVAL,
			       "option Root: \"%s\" is no absolute path, or too long", cr->root);
	strcpy(cr->result->root, cr->root);
	return usual ? 0 : note_root(cr);
}

static int mount_rootfs(struct creating *cr)
{
	const Shim__CreateRequest *request = cr->job->request;
	int r;

	cr->rootfs = jobs_path(&cr->job->at, &cr->a, "rootfs");
	if (!request->n_rootfs)
		return 0;
	if (mkdir(cr->rootfs, ROOTFS_MODE) < 0 && errno != EEXIST)
		return err_errno(cr->err, "make %s", cr->rootfs);
	r = mounts_make(cr->rootfs, request->rootfs, request->n_rootfs, cr->err);
	cr->mounted = r == 0;
	return r < 0 ? err_prefix(cr->err, "failed to mount rootfs component") : 0;
}

static int open_streams(struct creating *cr)
{
	const struct job_create *job = cr->job;

	cr->result->owner = (struct io_owner){ cr->options.io_uid, cr->options.io_gid };
	return io_open(&job->io, &cr->result->owner, job->at.id, job->at.namespace, &cr->result->io,
		       &cr->result->logger, cr->err);
}

static int take_terminal(struct creating *cr, int terminal)
{
	if (!cr->job->io.terminal)
		return 0;
	if (terminal < 0)
		return err_set(cr->err, EINVAL,
			       "a terminal is asked for, but process.terminal is false");
	cr->result->io.terminal = terminal;
	return 0;
}

/* Its process is not started yet, so that it owes nothing to anybody. */
static void undo_container(struct creating *cr, struct container *c)
{
	struct err ignored;

	if (container_delete(c, true, &ignored) < 0)
		shim_log("error", "container %s: %s", cr->job->at.id, ignored.msg);
	else
		siblings_add(&cr->result->siblings, cr->result->pid);
}

static void describe(const struct container *c, struct worker_result *result)
{
	const char *cgroup = c->st.cgroup_path ? c->st.cgroup_path : "";

	result->pid = c->st.init.pid;
	result->kill_all = !c->st.private_pids;
	if (strlen(cgroup) < sizeof(result->cgroup))
		strcpy(result->cgroup, cgroup);
	else
		shim_log("warning", "container %s: its cgroup's path is too long to be watched",
			 c->st.id);
}

static int make_container(struct creating *cr)
{
	const struct job_create *job = cr->job;
	struct container c = CONTAINER_INIT;
	struct create_opts opts = {
		.id = job->at.id,
		.bundle = job->at.bundle,
		.root = cr->root,
		.attended = job->io.terminal,
		.no_pivot = cr->options.no_pivot,
		.no_new_keyring = cr->options.no_new_keyring,
		.measured = true,
		.siblings = &cr->result->siblings,
		.pid_file = jobs_path(&job->at, &cr->a, "init.pid"),
		.manager = cr->options.systemd_cgroup ? CGROUP_SYSTEMD : CGROUP_BY_PATH,
	};
	int root = state_root_open(cr->root, true, false, cr->err), terminal = -1, r;

	if (root < 0)
		return root;
	r = container_create(root, &opts, &c, NULL, &terminal, cr->err);
	if (r < 0)
		return r;
	jobs_log_warnings(&c);
	describe(&c, cr->result);
	r = take_terminal(cr, terminal);
	if (r < 0)
		undo_container(cr, &c);
	return r;
}

static void undo(struct creating *cr)
{
	struct worker_result *result = cr->result;
	struct err ignored;

	/* The logger ends with its streams, or is ended by who reaps it. */
	io_close(&result->io);
	if (cr->mounted && mounts_remove(cr->rootfs, &ignored) < 0)
		shim_log("error", "container %s: %s", cr->job->at.id, ignored.msg);
	result->pid = 0;
}

void job_create(void *arg, struct worker_result *result)
{
	struct creating cr = { .job = arg, .result = result, .err = &result->err };
	int r = options_decode(cr.job->request->options, &cr.a, &cr.options, cr.err);

	if (r == 0)
		r = check_binary_name(&cr);
	if (r == 0)
		r = choose_root(&cr);
	if (r == 0)
		r = mount_rootfs(&cr);
	if (r == 0)
		r = open_streams(&cr);
	if (r == 0)
		r = make_container(&cr);
	if (r < 0)
		undo(&cr);
	else
		result->err.code = 0;
}

void job_create_undo(void *arg, struct worker_result *result)
{
	struct job_container at = *(const struct job_container *)arg;
	autoarena a = ARENA_INIT;
	struct err ignored;
	char *root;
	size_t len;

	if (file_read(AT_FDCWD, jobs_path(&at, &a, ROOT_FILE), PATH_MAX, &a, &root, &len,
		      &ignored) == 0 &&
	    root[0] == '/')
		at.root = root;
	job_delete(&at, result);
}
