/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc: frames of ten bytes of header (big endian: length, stream, type, flags) and a protobuf
 * message. The server's side with any number of connections; the client's side, which only the
 * events need, is in events.c and shares the framing. Facts: containerd's ttrpc 1.1 to 1.2, unary
 * calls only.
 */
#ifndef SHIM_TTRPC_H
#define SHIM_TTRPC_H

#include "lib/buf.h"
#include "lib/list.h"
#include "lib/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ttrpc_type { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_DATA = 3 };

#define TTRPC_HEADER_SIZE 10
#define TTRPC_DATA_MAX (4u << 20)

struct ttrpc_frame {
	uint32_t len, stream;
	uint8_t type, flags;
};

void ttrpc_header_read(const uint8_t bytes[TTRPC_HEADER_SIZE], struct ttrpc_frame *ret);
void ttrpc_header_write(const struct ttrpc_frame *frame, uint8_t ret_bytes[TTRPC_HEADER_SIZE]);

/* Status codes of gRPC, those that every containerd from 1.6 on understands. */
enum ttrpc_code {
	TTRPC_OK = 0,
	TTRPC_UNKNOWN = 2,
	TTRPC_INVALID_ARGUMENT = 3,
	TTRPC_DEADLINE_EXCEEDED = 4,
	TTRPC_NOT_FOUND = 5,
	TTRPC_ALREADY_EXISTS = 6,
	TTRPC_RESOURCE_EXHAUSTED = 8,
	TTRPC_FAILED_PRECONDITION = 9,
	TTRPC_UNIMPLEMENTED = 12,
	TTRPC_UNAVAILABLE = 14,
};

struct ttrpc_connection;

/*
 * A request that is to be answered, once, by ttrpc_reply() or ttrpc_fail(), now or later; both end
 * its life. It outlives its connection: an answer to nobody is dropped.
 */
struct ttrpc_call {
	struct ttrpc_connection *connection; /* NULL: closed meanwhile, or told that it is late */
	struct list of_connection;
	/* For who waits, e.g. for the end of a process: when its connection closes or its time is
	 * up, a call that is in such a list is taken out of it and freed. */
	struct list waiting;
	struct loop_timer deadline; /* set when the request has a time limit */
	uint32_t stream;
};

struct ttrpc_server {
	struct loop *loop;
	struct list connections;
	/*
	 * Answers the call or keeps it. service and method are plain names, payload the packed
	 * request; all valid until it returns. wire_reset() is called behind it.
	 */
	void (*handle)(struct ttrpc_server *server, struct ttrpc_call *call, const char *service,
		       const char *method, const uint8_t *payload, size_t len);
	/* A connection came or was closed; connections tells which there are. May be NULL. */
	void (*changed)(struct ttrpc_server *server);
	struct loop_source listener;
	unsigned int connection_count;
	struct loop_timer pause; /* of taking connections, when there are no descriptors */
};

/*
 * Takes connections on a listening socket, which stays the caller's, from peers of our own user and
 * group only (SO_PEERCRED). The caller sets handle and closed. 0 or -errno.
 */
int ttrpc_server_init(struct ttrpc_server *server, struct loop *loop, int listener);
/* Stops taking connections and closes those there are; calls that are kept stay to be answered,
 * those that wait are freed. */
void ttrpc_server_done(struct ttrpc_server *server);

void ttrpc_reply(struct ttrpc_call *call, const void *payload, size_t len);
/* message: any bytes, sanitised here. */
void ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes what is still to be sent, for at most timeout_ms: before the process ends. */
void ttrpc_flush(struct ttrpc_server *server, int timeout_ms);

#endif
