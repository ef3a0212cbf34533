/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of files as a pax tar archive, for `tote export`: a container's root file system, whose
 * program may be at work in it. Nothing is followed, and no path is opened: each name is looked up
 * below the descriptor of its directory, and judged before it is opened for reading.
 */
#ifndef OCI_IMAGE_EXPORT_H
#define OCI_IMAGE_EXPORT_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/image/store.h"

struct export_opts {
	int root_fd; /* of the tree; what is mounted in it is left out */
	/* What is not as it was: sockets, mounts, files that change meanwhile. */
	void (*warn)(void *arg, const char *path, const char *what);
	void *arg;
	const volatile int *interrupted; /* becomes non-zero: stop with -EINTR */
};

/*
 * Writes to fd: names sorted, hard links as such, extended attributes user.* and
 * security.capability, times to the nanosecond; no access times, so that the same tree is the same
 * bytes. -ELOOP: deeper than 256 directories. LC_CTYPE should be one of UTF-8.
 */
int export_tree(const struct export_opts *opts, int fd, struct err *err);

/*
 * The root file system of a container of the store, by its directory's name below containers/, as a
 * detached read-only mount: its layers, and what it wrote over them, so that a running one is not
 * disturbed. *ret_lease keeps gc away. Returns a descriptor or -errno; -EPERM without
 * CAP_SYS_ADMIN.
 */
int export_open_container(const struct store *s, const char *name, struct arena *a, int *ret_lease,
			  struct err *err);

/* The directory below containers/ of a stopped container that was kept, by the container's id.
 * -ENOENT, -ENOTUNIQ. */
int export_find_kept(const struct store *s, const char *id, struct arena *a, char **ret_name,
		     struct err *err);

#endif
