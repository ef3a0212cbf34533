/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker's files for standard streams share: names taken apart, pipes, loggers. */
#ifndef SHIM_IO_PRIVATE_H
#define SHIM_IO_PRIVATE_H

#include "cmd/containerd-shim-tote-v2/io.h"
#include "lib/arena.h"
#include "lib/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* What a stream is named by: a path, or SCHEME://PATH?QUERY with %XX for bytes. */
struct io_uri {
	const char *scheme; /* "": a plain path */
	char *path;	    /* decoded; "" of a scheme that has none */
	char **query; /* decoded keys and values in turn, of each key the first; NULL at the end */
	size_t query_count; /* of both */
};

#define IO_QUERY_MAX 256 /* words */

/* In the arena. -EINVAL, -E2BIG in words. */
int io_uri_parse(const char *text, struct arena *a, struct io_uri *ret, struct err *err);

enum { IO_READ, IO_WRITE };
/* Both ends close-on-exec and blocking, owned by owner. 0 or -errno in words. */
int io_pipe(const struct io_owner *owner, int ret_ends[2], struct err *err);
/* 0 or -errno in words. */
int io_unblock(int fd, struct err *err);

struct io_logger {
	pid_t pid;
	int out, err; /* where to write for it */
};

/*
 * Starts the program that the URI names, as a child of our parent (CLONE_PARENT), and waits until
 * it says that it is ready. With must_say its end without that word is an error, otherwise it is
 * as good. On failure it is killed.
 */
int io_logger_start(const struct io_uri *uri, bool must_say, const struct io_owner *owner,
		    const char *id, const char *namespace, struct arena *a, struct io_logger *ret,
		    struct err *err);

#endif
