/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard streams. In the worker: opens what containerd names (FIFOs, files, loggers), makes the
 * pipes, and puts the container's ends in place as descriptors 0 to 2, which what is cloned next
 * inherits. In the server: copies between the ends that came back, without a buffer of its own
 * (splice), until both sides are done.
 */
#ifndef SHIM_IO_H
#define SHIM_IO_H

#include "lib/err.h"
#include "lib/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As a request has them; "" or NULL: /dev/null. */
struct io_paths {
	const char *in, *out, *err;
	bool terminal;
};

/* The server's ends; -1: none. All are non-blocking and close-on-exec. */
struct io_fds {
	int in_from, in_keep, in_to;	/* FIFO's reader, its writer that keeps it open, pipe */
	int out_from, out_to, out_keep; /* pipe, FIFO's writer or file, its reader that is never
					   read (behind io_last_call() a writer) */
	int err_from, err_to, err_keep;
	int terminal; /* the master; in_to and out_from are -1 then */
};
#define IO_FDS (sizeof(struct io_fds) / sizeof(int))
#define IO_FDS_NONE                                                                                \
	{                                                                                          \
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1                                             \
	}

struct io_owner {
	uid_t uid; /* of the pipes: the container's, so that /dev/stdout can be opened anew */
	gid_t gid;
};

/*
 * Worker: opens and makes everything, waits up to 30 s for a reader of a FIFO, and puts the
 * container's ends at 0, 1, 2 (with a terminal: /dev/null). Starts a binary:// logger as the
 * server's child (*ret_logger) with the environment that the protocol says. Fails in words; 12 is
 * -ENOSYS: a scheme that is not done. io_open.c
 */
int io_open(const struct io_paths *paths, const struct io_owner *owner, const char *id,
	    const char *namespace, struct io_fds *ret_fds, pid_t *ret_logger, struct err *err);
void io_close(struct io_fds *fds);

/* How long io_open() waits at most; tests shorten it. */
struct io_limits {
	int reader_ms; /* for somebody who reads a FIFO: 30,000 */
	int logger_ms; /* for a logger to be ready: 10,000 */
};
extern struct io_limits io_limits;

enum { IO_IN, IO_OUT, IO_ERR, IO_STREAMS };

struct io;

/* One direction of copying. */
struct io_stream {
	struct io *io;
	struct loop_source from, to; /* either is watched: `to` while it is full */
	bool by_hand;		     /* no splice(2) between these two */
	bool file;		     /* `to` is a regular file: never full, errors pass */
	bool open;		     /* more may come */
	char *rest;		     /* what a terminal took only a part of; seldom */
	size_t rest_len;
	uint64_t dropped; /* bytes that nobody could take: a full disk, a dead logger */
};

/* Zeroed: nothing open. */
struct io {
	struct loop *loop;
	struct io_fds fds;
	struct io_stream streams[IO_STREAMS];
	bool exited;	/* the process has ended: EIO of a terminal is the end now */
	bool in_closed; /* CloseIO: the end of the FIFO is the end of stdin */
	/* Both outputs came to their end. May be called from within io_begin() (there are none) and
	 * the loop; once. It may call io_end() and free this. NULL: nobody wants to know. */
	void (*drained)(struct io *io);
};

/* Server: begins copying; fds are taken over. 0 or -errno (then they are closed). */
int io_begin(struct io *io, struct loop *loop, struct io_fds *fds, void (*drained)(struct io *io));
/* True when no output is to come any more (none was there to begin with, too). */
bool io_drained(const struct io *io);
/* The process has ended: a terminal is read to its end, others may still write to the pipes. */
void io_exited(struct io *io);
/*
 * Deleted: output that is still there goes to whoever reads now. Until here a FIFO is kept open for
 * a reader that comes back; containerd 1.6's CRI closes it before the end, which then is one.
 */
void io_last_call(struct io *io);
/*
 * Behind that: whether readers have taken what there was. A client whose open(2) of a FIFO has not come back
 * when Delete is answered gives it up with all that is in it (containerd/fifo, the context that Delete ends).
 */
bool io_taken(const struct io *io);
/* CloseIO: the client has no more input. Nothing with a terminal, which has no end of input: clients
 * come back to it. */
void io_close_input(struct io *io);
/* 0 or -errno; nothing without a terminal. */
int io_resize(struct io *io, unsigned int width, unsigned int height);
/* Closes everything, so that readers of the FIFOs see their end. */
void io_end(struct io *io);

#endif
