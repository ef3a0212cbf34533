/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the server's side share: ttrpc.c takes connections and requests, ttrpc_call.c
 * answers. */
#ifndef SHIM_TTRPC_PRIVATE_H
#define SHIM_TTRPC_PRIVATE_H

#include "cmd/containerd-shim-tote-v2/ttrpc.h"
#include "cmd/containerd-shim-tote-v2/wire.h"

#define TTRPC_CONNECTIONS_MAX 512
/* Calls of one connection that are not answered yet. */
#define TTRPC_CALLS_MAX 1024
/* A peer that lets so many bytes of answers lie is not listened to until it has taken them. */
#define TTRPC_UNSENT_MAX (64u << 10)

struct ttrpc_connection {
	struct list link;
	struct ttrpc_server *server;
	struct loop_source source;
	int fd;
	struct list calls;
	unsigned int call_count;
	struct buf in;	/* what is no whole frame yet; no memory while that is nothing */
	uint32_t skip;	/* bytes of a frame that is too large which are still to come */
	struct buf out; /* answers, of which `sent` bytes were written */
	size_t sent;
	uint32_t last_stream;
	bool held; /* whole frames lie in `in` that came while too much was unsent */
	bool busy; /* in the handler: not to be freed */
	bool dead; /* is closed when the loop next looks at it */
};

/* Serves a connected socket, which is taken over, also on failure. 0 or -errno. */
int ttrpc_connection_add(struct ttrpc_server *server, int fd);

/* Whether it has so much to take that no more is done for it. */
bool ttrpc_full(const struct ttrpc_connection *c);
/* Writes what there is until the socket is full, and waits for what it has to. */
void ttrpc_write(struct ttrpc_connection *c);
/* An answer to a stream that has no call. */
void ttrpc_refuse(struct ttrpc_connection *c, uint32_t stream, enum ttrpc_code code,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* NULL: there are too many. */
struct ttrpc_call *ttrpc_call_new(struct ttrpc_connection *c, uint32_t stream, int64_t timeout_ns);
/* The connection is about to be closed: nobody takes an answer to these any more. */
void ttrpc_calls_drop(struct ttrpc_connection *c);

#endif
