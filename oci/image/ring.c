/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/ring.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define STACK_SIZE ((size_t)256 * 1024)

int ring_init(struct ring *r, size_t stages, size_t count)
{
	*r = (struct ring){ .count = count,
			    .stages = stages,
			    .memory = malloc(count * RING_CHUNK_SIZE) };
	if (!r->memory)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		r->chunks[i].data = r->memory + i * RING_CHUNK_SIZE;
	pthread_mutex_init(&r->lock, NULL);
	for (size_t i = 0; i < stages; i++)
		pthread_cond_init(&r->wake[i], NULL);
	return 0;
}

int ring_thread(pthread_t *ret, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(ret, &attr, run, arg);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static size_t stage_before(const struct ring *r, size_t stage)
{
	return (stage ? stage : r->stages) - 1;
}

static bool available(const struct ring *r, size_t stage)
{
	uint64_t credit = stage == 0 ? r->count : 0;

	return r->passed[stage_before(r, stage)] + credit > r->passed[stage];
}

struct ring_chunk *ring_take(struct ring *r, size_t stage)
{
	struct ring_chunk *ret = NULL;

	pthread_mutex_lock(&r->lock);
	while (!r->stopped && !available(r, stage) && !r->ended[stage_before(r, stage)])
		pthread_cond_wait(&r->wake[stage], &r->lock);
	if (!r->stopped && available(r, stage))
		ret = &r->chunks[r->passed[stage] % r->count];
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static void wake_next(struct ring *r, size_t stage)
{
	pthread_cond_signal(&r->wake[(stage + 1) % r->stages]);
}

void ring_pass(struct ring *r, size_t stage)
{
	pthread_mutex_lock(&r->lock);
	r->passed[stage]++;
	wake_next(r, stage);
	pthread_mutex_unlock(&r->lock);
}

void ring_end(struct ring *r, size_t stage)
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
	for (size_t i = 0; i < r->stages; i++)
		pthread_cond_signal(&r->wake[i]);
	pthread_mutex_unlock(&r->lock);
}

void ring_done(struct ring *r)
{
	if (!r->memory)
		return;
	for (size_t i = 0; i < r->stages; i++)
		pthread_cond_destroy(&r->wake[i]);
	pthread_mutex_destroy(&r->lock);
	free(r->memory);
	r->memory = NULL;
}
