/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/mount_apart.h"

#include "lib/fd.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int enter_namespace(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(err, "make a mount namespace");
	/* Nothing of this shows up on the host. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(err, "make the mounts private");
	return 0;
}

_Noreturn static void child(int (*make)(const void *arg, struct err *err), const void *arg,
			    int sock)
{
	struct err err = { 0 };
	int tree = enter_namespace(&err);

	if (tree == 0)
		tree = make(arg, &err);
	if (tree >= 0)
		fd_send(sock, &err, sizeof(err), tree);
	else
		fd_send_message(sock, &err, sizeof(err));
	_exit(0);
}

static int hear_child(int sock, const char *purpose, struct err *err)
{
	struct err said = { 0 };
	int tree = -1;
	ssize_t n = fd_recv(sock, &said, sizeof(said), &tree);

	if (tree >= 0)
		return tree;
	if (n == (ssize_t)sizeof(said) && said.code < 0) {
		*err = said;
		return err->code;
	}
	return err_set(err, ECHILD, "the process that %s ended too soon", purpose);
}

int mount_apart(int (*make)(const void *arg, struct err *err), const void *arg, const char *purpose,
		struct err *err)
{
	int pair[2], tree;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	pid = fork();
	if (pid == 0)
		child(make, arg, pair[1]);
	close(pair[1]);
	tree = pid < 0 ? err_errno(err, "fork") : hear_child(pair[0], purpose, err);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return tree;
}
