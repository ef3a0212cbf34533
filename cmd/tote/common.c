/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int open_root(bool create, struct err *err)
{
	int fd = state_root_open(globals.root, create, globals.rootless, err);

	if (fd == -ENOENT && !create) {
		err->code = 0;
		return -1;
	}
	/* -EPERM, that of somebody else's directory, is -1 as well. */
	return fd == -1 ? -EACCES : fd;
}

void log_warnings(const struct container *c)
{
	for_each (w, &c->warnings)
		log_warning("%s", *w);
}

int open_container(const char *id, bool lock, struct container *ret_c, int *ret_root,
		   struct err *err)
{
	int root = open_root(false, err), r;

	if (root < -1)
		return root;
	r = container_open(root, id, lock, ret_c, err);
	if (r < 0 && root >= 0)
		close(root);
	else
		*ret_root = root;
	return r;
}

int inherited_fds(unsigned int preserve, unsigned int *ret_listen, unsigned int *ret_all,
		  struct err *err)
{
	const char *text = getenv("LISTEN_FDS");
	unsigned long listen = text ? strtoul(text, NULL, 10) : 0;

	/* sd_listen_fds(3): LISTEN_PID may name our caller's child or be missing, as with
	 * containerd; it is not checked. */
	if (listen > INT_MAX - 3 - preserve)
		return err_set(err, EINVAL, "LISTEN_FDS: \"%s\" is no number of descriptors", text);
	for (unsigned int i = 0; i < preserve + listen; i++) {
		int flags = fcntl(3 + (int)i, F_GETFD);

		/* Close-on-exec: one of our own, as it would not have come to us through execve. */
		if (flags < 0 || flags & FD_CLOEXEC)
			return err_set(err, EBADF,
				       "descriptor %u is to be preserved but is not open", 3 + i);
	}
	*ret_listen = (unsigned int)listen;
	*ret_all = preserve + (unsigned int)listen;
	return 0;
}
