/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/ring.h"

#include <errno.h>
#include <stdlib.h>

int ring_init(struct ring *r, size_t count)
{
	*r = (struct ring){ .memory = malloc(count * RING_CHUNK_SIZE) };
	if (!r->memory)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		r->chunks[i].data = r->memory + i * RING_CHUNK_SIZE;
	pthread_mutex_init(&r->lock, NULL);
	for (int i = 0; i < RING_STAGES; i++)
		pthread_cond_init(&r->wake[i], NULL);
	return 0;
}

static enum ring_stage stage_before(enum ring_stage stage)
{
	return stage == RING_DECODE ? RING_USE : stage - 1;
}

static bool available(const struct ring *r, enum ring_stage stage)
{
	uint64_t credit = stage == RING_DECODE ? RING_CHUNKS : 0;

	return r->passed[stage_before(stage)] + credit > r->passed[stage];
}

struct ring_chunk *ring_take(struct ring *r, enum ring_stage stage)
{
	struct ring_chunk *ret = NULL;

	pthread_mutex_lock(&r->lock);
	while (!r->stopped && !available(r, stage) && !r->ended[stage_before(stage)])
		pthread_cond_wait(&r->wake[stage], &r->lock);
	if (!r->stopped && available(r, stage))
		ret = &r->chunks[r->passed[stage] % RING_CHUNKS];
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static void wake_next(struct ring *r, enum ring_stage stage)
{
	pthread_cond_signal(&r->wake[(stage + 1) % RING_STAGES]);
}

void ring_pass(struct ring *r, enum ring_stage stage)
{
	pthread_mutex_lock(&r->lock);
	r->passed[stage]++;
	wake_next(r, stage);
	pthread_mutex_unlock(&r->lock);
}

void ring_end(struct ring *r, enum ring_stage stage)
{
	pthread_mutex_lock(&r->lock);
	r->ended[stage] = true;
	wake_next(r, stage);
	pthread_mutex_unlock(&r->lock);
}

void ring_stop(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopped = true;
	for (int i = 0; i < RING_STAGES; i++)
		pthread_cond_signal(&r->wake[i]);
	pthread_mutex_unlock(&r->lock);
}

void ring_done(struct ring *r)
{
	if (!r->memory)
		return;
	for (int i = 0; i < RING_STAGES; i++)
		pthread_cond_destroy(&r->wake[i]);
	pthread_mutex_destroy(&r->lock);
	free(r->memory);
	r->memory = NULL;
}
