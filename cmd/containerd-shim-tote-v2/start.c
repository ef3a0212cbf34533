/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/start.h"

#include "cgroups/cg.h"
#include "cmd/containerd-shim-tote-v2/address.h"
#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whatever hangs: containerd itself has no limit for us. */
#define START_SECONDS 15
#define OOM_SCORE_MAX 1000
/* What listen() and pipes are given in the server: behind 0 to 2. */
#define FIRST_FD 3

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#define PR_SCHED_CORE_CREATE 1
#endif
#define SCOPE_PROCESS_GROUP 2

/* A server that was forked but not yet told to begin. */
struct child {
	pid_t pid;
	int go; /* a byte tells it to begin; its end, to end */
};

/* Descriptors 0 to 2 are open, so that nothing of ours gets their numbers. */
static int hold_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd < FIRST_FD);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Closes all but two; both may be moved. 0 or -errno. */
static int close_others(int *listener, int *go)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Out of the way of what they become. */
	int l = fcntl(*listener, F_DUPFD_CLOEXEC, 16), g = fcntl(*go, F_DUPFD_CLOEXEC, 16);

	if (null < 0 || l < 0 || g < 0)
		return -errno;
	for (int fd = 0; fd < FIRST_FD; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	*listener = dup3(l, FIRST_FD, O_CLOEXEC);
	*go = dup3(g, FIRST_FD + 1, O_CLOEXEC);
	if (*listener < 0 || *go < 0)
		return -errno;
	return close_range(FIRST_FD + 2, ~0U, 0) < 0 ? -errno : 0;
}

/* The server's process. It begins when it is told to, and ends unseen when whoever was to do that
 * has died. */
static _Noreturn void serve(const struct shim_args *args, int listener, int go)
{
	char byte;

	setsid();
	if (close_others(&listener, &go) < 0 || fd_read_full(go, &byte, 1) != 1)
		_exit(1);
	close(go);
	/* From now on SO_PEERCRED names this process. */
	listen(listener, SOMAXCONN);
	_exit(server_main(args, listener));
}

static int fork_server(const struct shim_args *args, int listener, struct child *ret,
		       struct err *err)
{
	int go[2];

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	ret->pid = fork();
	if (ret->pid == 0) {
		close(go[1]);
		serve(args, listener, go[0]);
	}
	if (ret->pid < 0)
		err_errno(err, "fork");
	close(go[0]);
	ret->go = go[1];
	if (ret->pid < 0)
		close(go[1]);
	return ret->pid < 0 ? err->code : 0;
}

static void kill_server(struct child *child)
{
	close(child->go);
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int join_cgroup(pid_t pid, const char *path, struct err *err)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	int r = cg_tree_find(&tree, err);

	if (r < 0)
		return r;
	r = cg_open(&tree, path, &cg, err);
	if (r == 0)
		r = cg_add_pid(&cg, pid, err);
	cg_tree_close(&tree);
	return r < 0 ? err_prefix(err, "shim cgroup \"%.80s\"", path) : 0;
}

/* One more than containerd's: the kernel is to take us before it. Without the right to, it stays
 * what it is. */
static int set_oom_score(pid_t pid, struct err *err)
{
	char path[64], text[32];
	long score;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)getppid());
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return 0;
	score = strtol(text, NULL, 10) + 1;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof(text), "%ld", score < OOM_SCORE_MAX ? score : OOM_SCORE_MAX);
	r = file_poke(AT_FDCWD, path, text);
	return r < 0 && r != -EACCES && r != -EPERM ? err_code(err, r, "write to %s", path) : 0;
}

/* containerd's sched_core: this group of processes, the server and its containers share cores with
 * nobody else. Without SMT there is nobody to share them with (ENODEV). */
static int set_sched_core(struct err *err)
{
	const char *wanted = getenv("SCHED_CORE");

	if (!wanted || !*wanted)
		return 0;
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, SCOPE_PROCESS_GROUP, 0) < 0 &&
	    errno != ENODEV)
		return err_errno(err, "core scheduling (SCHED_CORE)");
	return 0;
}

static int print_address(const struct shim_args *args, const char *address, struct err *err)
{
	Shim__BootstrapResult result = SHIM__BOOTSTRAP_RESULT__INIT;
	const char *v3 = getenv("TOTE_SHIM_V3");
	autobuf out = BUF_INIT;
	int r;

	result.version = 3;
	result.address = (char *)address;
	result.protocol = (char *)"ttrpc";
	if (args->new_reply && v3 && strcmp(v3, "1") == 0)
		wire_pack(&result.base, &out);
	else
		buf_adds(&out, address);
	r = fd_write_full(STDOUT_FILENO, out.data, out.len);
	return r < 0 ? err_code(err, r, "write to stdout") : 0;
}

/* The server is there and waits; the last that can fail is telling of it. */
static int settle_server(const struct shim_args *args, struct child *child, const char *address,
			 struct err *err)
{
	int r = 0;

	if (args->shim_cgroup && *args->shim_cgroup)
		r = join_cgroup(child->pid, args->shim_cgroup, err);
	if (r == 0)
		r = set_oom_score(child->pid, err);
	if (r == 0) {
		r = fd_write_full(child->go, "", 1);
		if (r < 0)
			err_code(err, r, "begin to serve");
	}
	return r < 0 ? r : print_address(args, address, err);
}

static int begin_server(const struct shim_args *args, int listener, const char *address,
			struct err *err)
{
	struct child child = { 0, -1 };
	int r = set_sched_core(err);

	if (r == 0)
		r = fork_server(args, listener, &child, err);
	if (r < 0)
		return r;
	r = settle_server(args, &child, address, err);
	if (r < 0)
		kill_server(&child);
	else
		close(child.go);
	return r;
}

/* Under the lock to the end: who comes meanwhile finds a server that will stay. */
static int start_at(const struct shim_args *args, const char *address, struct err *err)
{
	autofd lock = address_lock(address, err), listener = -1;
	int found, r;

	if (lock < 0)
		return lock;
	found = address_listen(address, &listener, err);
	if (found < 0)
		return found;
	r = address_write(args->bundle, address, err);
	if (r == 0)
		r = found ? print_address(args, address, err)
			  : begin_server(args, listener, address, err);
	if (r < 0 && !found)
		address_unlink(listener);
	return r;
}

int start_main(struct shim_args *args)
{
	static struct arena a = ARENA_INIT; /* the server lives on it */
	const char *group;
	struct err err;
	int r;

	alarm(START_SECONDS);
	/* A reader that is gone is an error of write(). */
	signal(SIGPIPE, SIG_IGN);
	r = hold_standard();
	if (r < 0)
		r = err_code(&err, r, "open /dev/null");
	if (r == 0)
		r = args_read_stdin(args, &a, &err);
	if (r == 0)
		r = address_group(args->bundle, args->id, &a, &group, &err);
	/* The server does not inherit what reading took. */
	malloc_trim(0);
	if (r == 0)
		r = start_at(args, address_make(args, group, &a), &err);
	if (r < 0)
		args_complain(&err);
	return r < 0;
}
