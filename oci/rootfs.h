/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of a container that runs from an image: its layers in the store
 * (oci/image/store.h), one over the other, and a directory of its own for what it writes. Filled by
 * whoever runs an image, handed to container_create(); oci/launch.c mounts it. The mount is
 * detached: it is in nobody's list of mounts, so that a crash leaves none behind.
 */
#ifndef OCI_ROOTFS_H
#define OCI_ROOTFS_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/types.h"

#include <stdbool.h>

#define ROOTFS_LAYERS_MAX 500 /* overlayfs's own limit */

struct rootfs {
	const char *store;     /* absolute; one file system and one mount */
	struct strv layers;    /* names of links below STORE/l, uppermost first */
	const char *container; /* its directory below STORE/containers, unless read_only with
				  upper/ and work/ */
	bool read_only;	       /* no upper/: nothing can be written, not even mount points made */
	bool user_xattr;       /* layers mark by user.overlay.*, as ordinary users unpack them */
	bool keep;	       /* container_delete() leaves the container's directory */
	bool discard; /* unless keep: what it writes is of no use after a crash. overlayfs's
			 "volatile" (Linux 5.10) leaves out every sync, also that of the store's
			 whole file system which the end of an overlay brings about */
	int tree;     /* from rootfs_open(), by who looked into it before; borrowed. -1: none */
	int userns;   /* which that was opened with: the container's, made ahead with the mappings
			 of its config; borrowed. -1: the container has none, or makes its own */
	int *rest;    /* for rootfs_open() to leave a detached mount in that nobody needs any more,
			 if it made one: its end takes a moment (an RCU grace period), so it is
			 closed when nobody waits. NULL: at once */
};

#define ROOTFS_INIT                                                                                \
	{                                                                                          \
		.tree = -1, .userns = -1                                                           \
	}

/* -EINVAL or -E2BIG when it is incomplete or has too many layers. */
int rootfs_check(const struct rootfs *r, struct err *err);

/* Where it is mounted, and known as the container's root: over its own upper directory, in the
 * container's mount namespace. In the arena. */
char *rootfs_mount_point(const struct rootfs *r, struct arena *a);

/*
 * The detached mount: a descriptor, or -errno. CAP_SYS_ADMIN in the user namespace of the caller's
 * mount namespace (-EPERM: without). userns >= 0: files look as in that user namespace, by an
 * id-mapped mount of the store (Linux 5.19, -EOPNOTSUPP before; the store's file system must know
 * them as well). simple: a lone read-only layer may be a bind mount, which is cheaper; not for a
 * container that could make it writable again (CAP_SYS_ADMIN). Up to Linux 6.7 the work is done by
 * a child in a mount namespace of its own.
 */
int rootfs_open(const struct rootfs *r, int userns, bool simple, struct err *err);

/*
 * Until rootfs_leave_ids() files are made as this user. Root of the host has no id in an id-mapped
 * store, nor in an overlay on it (EOVERFLOW): the container's root has, and overlayfs makes its own
 * files as who mounted it. All capabilities stay. *ret_signal: for rootfs_leave_ids(), as the
 * kernel forgets who asked for PR_SET_PDEATHSIG.
 */
int rootfs_enter_ids(unsigned int uid, unsigned int gid, int *ret_signal, struct err *err);
void rootfs_leave_ids(int signal);

/*
 * For tote-init to do the same in a user namespace, where overlayfs may be mounted since Linux
 * 5.11: STEP_MOUNT's form of options, and from *ret_page on (0: too many layers for it) the data of
 * mount(2), with names relative to STORE/l.
 */
void rootfs_options(const struct rootfs *r, struct buf *out, size_t *ret_page);

/* "overlay of 3 layers, writable in /x/upper"; simple as above. */
void rootfs_text(const struct rootfs *r, bool simple, struct buf *out);

/*
 * Removes STORE/containers/NAME; what is gone already is no error. What an ordinary user may not
 * remove himself, files of subordinate ids, is left to tote-image.
 */
int rootfs_remove(const char *store, const char *container, struct err *err);

#endif
