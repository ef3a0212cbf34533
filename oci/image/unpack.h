/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking a layer in a confined process of its own: stream, libarchive reading tar, extractor,
 * each without a way out (oci/image/confine.h). Several run at once; unpack_start() returns at
 * once, unpack_wait() takes the result.
 */
#ifndef OCI_IMAGE_UNPACK_H
#define OCI_IMAGE_UNPACK_H

#include "lib/err.h"
#include "oci/image/extract.h"
#include "oci/image/stream.h"

#include <sys/types.h>

struct unpack_opts {
	struct stream_opts stream; /* progress must be in shared memory */
	struct extract_opts extract;
};

struct unpack_result {
	struct stream_result stream;
	struct extract_result extract;
};

struct unpack {
	pid_t pid;
	int pidfd;  /* readable when it has ended */
	int result; /* the pipe it writes struct unpack_result or struct err to */
	/* internal */
	int root_fd, opaque_fd;
};

/* Clones the process, which must have one thread only. The descriptors in opts may be closed
 * afterwards. The child dies with us. */
int unpack_start(const struct unpack_opts *opts, struct unpack *ret, struct err *err);
/*
 * Waits for its end and reaps it. What it failed with becomes ours; a process that died by itself
 * is -EBADMSG ("the process that unpacked it was killed by signal N": a bomb that hit its memory
 * limit, or a system call that it must not make). When extract.needs_lower or .replaced is set, the
 * tree is not to be used: to be done again.
 */
int unpack_wait(struct unpack *u, struct unpack_result *ret, struct err *err);
/* Kills and reaps it. */
void unpack_kill(struct unpack *u);

#endif
