/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks that go round through the stages of oci/image/stream.h, each a thread: decoded, hashed,
 * used, and decoded into again. Nobody copies, and whoever has nothing to do sleeps.
 */
#ifndef OCI_IMAGE_RING_H
#define OCI_IMAGE_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_CHUNKS 8
#define RING_CHUNK_SIZE ((size_t)256 * 1024)

enum ring_stage { RING_DECODE, RING_HASH, RING_USE, RING_STAGES };

struct ring_chunk {
	uint8_t *data;
	size_t len;
};

struct ring {
	struct ring_chunk chunks[RING_CHUNKS];
	uint8_t *memory;
	pthread_mutex_t lock;
	pthread_cond_t wake[RING_STAGES];
	uint64_t passed[RING_STAGES]; /* chunks that a stage is done with */
	bool ended[RING_STAGES];      /* passes nothing more on */
	bool stopped;
};

/* count: of chunks, RING_CHUNKS for threads, 1 for a caller that does everything by itself and only
 * wants memory. 0 or -ENOMEM. */
int ring_init(struct ring *r, size_t count);
/* Waits for the next chunk. NULL: the stage before has ended, or all was stopped. */
struct ring_chunk *ring_take(struct ring *r, enum ring_stage stage);
/* Hands on the one that was taken. */
void ring_pass(struct ring *r, enum ring_stage stage);
void ring_end(struct ring *r, enum ring_stage stage);
/* Nobody gets anything any more. */
void ring_stop(struct ring *r);
void ring_done(struct ring *r);

#endif
