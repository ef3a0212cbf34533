/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up, in a forked child, everything that decoding and extracting hostile bytes does not
 * need: hardening.md. After it a flaw in a library reaches the staging directory, and nothing else.
 */
#ifndef OCI_IMAGE_CONFINE_H
#define OCI_IMAGE_CONFINE_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>

struct confine_opts {
	int root_fd;	 /* becomes the root and working directory (a mount namespace of its own and
			    pivot_root; chroot where that is refused), the only place that Landlock
			    (5.13) lets it touch. -1: no files at all can be opened */
	const int *keep; /* descriptors that stay open; all others are closed */
	size_t keep_count;
	size_t memory; /* RLIMIT_AS in bytes beyond what is mapped now */
	bool threads;  /* may clone threads */
	bool read;     /* what is below root_fd is read, and not written */
};

/*
 * no_new_privs, capabilities CHOWN DAC_OVERRIDE FOWNER FSETID SETFCAP MKNOD only (none with root_fd
 * -1), RLIMIT_AS, RLIMIT_CORE 0, namespaces for network and mounts where possible, Landlock,
 * seccomp (allow-list; what is missing kills). What the kernel lacks (Landlock) or an ordinary user
 * may not is left out, the rest is not: -errno with words.
 */
int confine(const struct confine_opts *opts, struct err *err);

/* The words and the code (-errno, or -EBADMSG for what is none) of a confined process that failed,
 * in *err: it has read hostile bytes, and may have written anything. Returns the code. */
int confine_failed(int code, const struct err *said, struct err *err);

#endif
