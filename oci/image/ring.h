/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks that go round through stages, each a thread: filled, perhaps changed or looked at, used,
 * and filled again. Nobody copies, and whoever has nothing to do sleeps. Stages are numbered from
 * 0, which fills; names of numbers are up to who makes a ring.
 */
#ifndef OCI_IMAGE_RING_H
#define OCI_IMAGE_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_CHUNKS_MAX 8
#define RING_STAGES_MAX 3
#define RING_CHUNK_SIZE ((size_t)256 * 1024)

struct ring_chunk {
	uint8_t *data;
	size_t len;
};

struct ring {
	struct ring_chunk chunks[RING_CHUNKS_MAX];
	size_t count, stages;
	uint8_t *memory;
	pthread_mutex_t lock;
	pthread_cond_t wake[RING_STAGES_MAX];
	uint64_t passed[RING_STAGES_MAX]; /* chunks that a stage is done with */
	bool ended[RING_STAGES_MAX];	  /* passes nothing more on */
	bool stopped;
};

/* count: of chunks, 1 for a caller that does everything by itself and only wants memory. 0 or
 * -ENOMEM. */
int ring_init(struct ring *r, size_t stages, size_t count);
/* A thread for a stage: with a small stack, and signals are for others. 0 or -errno. */
int ring_thread(pthread_t *ret, void *(*run)(void *arg), void *arg);
/* Waits for the next chunk. NULL: the stage before has ended, or all was stopped. */
struct ring_chunk *ring_take(struct ring *r, size_t stage);
/* Hands on the one that was taken. */
void ring_pass(struct ring *r, size_t stage);
void ring_end(struct ring *r, size_t stage);
/* Nobody gets anything any more. */
void ring_stop(struct ring *r);
void ring_done(struct ring *r);

#endif
