/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events to containerd, in order, each until it was taken: a queue of packed envelopes, one on its
 * way at a time over a connection of our own to containerd's ttrpc socket; on any failure
 * connected anew, with pauses from 100 ms to 5 s. A containerd that is being replaced for minutes
 * misses nothing until the queue is full. What containerd itself refuses is dropped: at once when
 * it calls it invalid, else the fifth time.
 */
#ifndef SHIM_EVENTS_H
#define SHIM_EVENTS_H

#include "lib/buf.h"
#include "lib/list.h"
#include "lib/loop.h"
#include "shim/shim.pb-c.h"

#include <stddef.h>
#include <stdint.h>

/* Behind these OOM, pause and resume events go first, then beginnings, then ends, the oldest of each
 * kind; how many is logged. */
#define EVENTS_MAX 1024
#define EVENTS_BYTES_MAX (128u << 10)

struct events {
	struct loop *loop;
	const char *address;   /* a path, without "unix://"; NULL: nobody is told */
	const char *namespace; /* of the envelopes */
	struct list queue;
	size_t count, bytes;
	uint64_t dropped, dropped_told; /* since the beginning; of these were logged */
	int fd;
	struct loop_source source;
	struct loop_timer timer; /* the answer's limit (5 s), or the pause before the next try */
	uint32_t stream;	 /* the last one used on this connection */
	struct buf in;		 /* of the answer */
	size_t sent;		 /* bytes of the first event that were written */
	unsigned int pause_ms;
	unsigned int refusals; /* of the first event */
};

/* Strings stay the caller's and must live as long. */
void events_init(struct events *events, struct loop *loop, const char *address,
		 const char *namespace);

/* topic "/tasks/exit"; message any of shim.proto's Task*; its type is sent as
 * "containerd.events.NAME" after the descriptor's name. */
void events_publish(struct events *events, const char *topic, const ProtobufCMessage *message);

/* Goes on for at most timeout_ms to send what is left: before the process ends, not in the middle
 * of a request (it calls wire_reset()). */
void events_flush(struct events *events, int timeout_ms);
void events_done(struct events *events);

#endif
