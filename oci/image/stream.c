/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/stream.h"

#include "oci/image/blob.h"
#include "oci/image/hash.h"
#include "oci/image/ring.h"
#include "oci/image/split.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_DECODE, STREAM_HASH, STREAM_USE, STREAM_STAGES };

#define STREAM_CHUNKS 8

struct stream {
	struct stream_opts opts;
	struct blob blob;
	struct hash *hash; /* of the diffID; NULL once taken */
	struct split_writer *split;
	struct ring ring;
	uint64_t bytes; /* that came out of the decoder */
	bool begun;	/* threads run, or are not wanted */
	bool in_use;	/* the caller has a chunk */
	bool ended;	/* everything was delivered, or failed */
	pthread_t threads[STREAM_USE];
	int thread_count;
	struct err errors[STREAM_USE]; /* a stage's own, until it has ended */
	struct err failed;	       /* what the caller was told */
};

int stream_open(const struct stream_opts *opts, struct stream **ret, struct err *err)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, ENOMEM, "out of memory for decompressing a layer");
	s->opts = *opts;
	if (blob_open(&s->blob, &s->opts) < 0 ||
	    ring_init(&s->ring, STREAM_STAGES, opts->threads ? STREAM_CHUNKS : 1) < 0) {
		blob_close(&s->blob);
		free(s);
		return err_set(err, ENOMEM, "out of memory for decompressing a layer");
	}
	s->hash = hash_new(opts->diff_id ?: "sha256");
	if (opts->split_fd >= 0)
		s->split = split_writer_new(opts->split_fd, opts->split_whole);
	*ret = s;
	return 0;
}

/* Fills a chunk: 1, 0 at the end, or -errno. */
static int decode_chunk(struct stream *s, struct ring_chunk *chunk, struct err *err)
{
	int r = blob_fill(&s->blob, chunk, err);

	if (r <= 0)
		return r;
	s->bytes += chunk->len;
	if (s->bytes > s->opts.max_bytes)
		return err_set(err, EFBIG, "the layer holds more than %" PRIu64 " bytes",
			       s->opts.max_bytes);
	return 1;
}

static int hash_chunk(struct stream *s, const struct ring_chunk *chunk, struct err *err)
{
	hash_add(s->hash, chunk->data, chunk->len);
	return s->split ? split_writer_add(s->split, chunk->data, chunk->len, err) : 0;
}

static void *decode_thread(void *arg)
{
	struct stream *s = arg;
	struct ring_chunk *chunk;

	while ((chunk = ring_take(&s->ring, STREAM_DECODE)) &&
	       decode_chunk(s, chunk, &s->errors[STREAM_DECODE]) > 0)
		ring_pass(&s->ring, STREAM_DECODE);
	ring_end(&s->ring, STREAM_DECODE);
	return NULL;
}

static void *hash_thread(void *arg)
{
	struct stream *s = arg;
	struct ring_chunk *chunk;

	while ((chunk = ring_take(&s->ring, STREAM_HASH)) &&
	       hash_chunk(s, chunk, &s->errors[STREAM_HASH]) == 0)
		ring_pass(&s->ring, STREAM_HASH);
	ring_end(&s->ring, STREAM_HASH);
	return NULL;
}

static void join_threads(struct stream *s)
{
	while (s->thread_count)
		pthread_join(s->threads[--s->thread_count], NULL);
}

static int start_thread(struct stream *s, void *(*run)(void *))
{
	int r = ring_thread(&s->threads[s->thread_count], run, s);

	s->thread_count += r == 0;
	return r;
}

/*
 * Only now, as a thread inherits the confinement of the one that starts it. When one cannot be had,
 * the caller does its work by itself: nothing was taken out of the ring yet.
 */
static void begin(struct stream *s)
{
	s->begun = true;
	if (!s->opts.threads)
		return;
	/* Every arena would reserve 128 MiB of an address space that is limited. */
	mallopt(M_ARENA_MAX, 1);
	blob_start(&s->blob);
	if (start_thread(s, hash_thread) == 0 && start_thread(s, decode_thread) < 0) {
		ring_stop(&s->ring);
		join_threads(s);
	}
}

static int fail(struct stream *s, const struct err *why, struct err *err)
{
	s->ended = true;
	s->failed = *why;
	*err = *why;
	return why->code;
}

/* All in the caller's thread. */
static ssize_t next_alone(struct stream *s, const void **ret, struct err *err)
{
	struct ring_chunk *chunk = &s->ring.chunks[0];
	struct err why = { 0 };
	int r = decode_chunk(s, chunk, &why);

	if (r > 0) {
		r = hash_chunk(s, chunk, &why);
		if (r == 0) {
			*ret = chunk->data;
			return (ssize_t)chunk->len;
		}
	}
	s->ended = true;
	return r < 0 ? fail(s, &why, err) : 0;
}

static ssize_t next_of_ring(struct stream *s, const void **ret, struct err *err)
{
	struct ring_chunk *chunk;

	if (s->in_use)
		ring_pass(&s->ring, STREAM_USE);
	chunk = ring_take(&s->ring, STREAM_USE);
	s->in_use = chunk != NULL;
	if (chunk) {
		*ret = chunk->data;
		return (ssize_t)chunk->len;
	}
	s->ended = true;
	/* The decoder may wait for room that nobody makes any more. */
	ring_stop(&s->ring);
	join_threads(s);
	for (int i = 0; i < STREAM_USE; i++)
		if (s->errors[i].code)
			return fail(s, &s->errors[i], err);
	return 0;
}

ssize_t stream_next(struct stream *s, const void **ret, struct err *err)
{
	*ret = NULL;
	if (!s->begun)
		begin(s);
	if (s->failed.code) {
		*err = s->failed;
		return err->code;
	}
	if (s->ended)
		return 0;
	return s->thread_count ? next_of_ring(s, ret, err) : next_alone(s, ret, err);
}

static int judge(const char *what, const char *is, const char *must, struct err *err)
{
	if (!must || strcmp(is, must) == 0)
		return 0;
	return err_set(err, EBADMSG, "the %s is %s and must be %s", what, is, must);
}

static void take_digests(struct stream *s, struct stream_result *ret)
{
	ret->size = s->blob.done;
	ret->bytes = s->bytes;
	hash_finish(s->hash, ret->diff_id);
	s->hash = NULL;
	hash_finish(s->blob.hash, ret->digest);
	s->blob.hash = NULL;
	if (s->blob.same)
		memcpy(ret->digest, ret->diff_id, sizeof(ret->digest));
}

int stream_finish(struct stream *s, struct stream_result *ret, struct err *err)
{
	const void *data;
	struct err why = { 0 };
	ssize_t n;
	int r;

	do {
		n = stream_next(s, &data, err);
	} while (n > 0);
	if (n < 0)
		return (int)n;
	if (!s->hash)
		return err_set(err, EINVAL, "the layer is finished already");
	take_digests(s, ret);
	r = judge("blob's digest", ret->digest, s->opts.digest, &why);
	if (r == 0)
		r = judge("layer's diffID", ret->diff_id, s->opts.diff_id, &why);
	if (r == 0 && s->split)
		r = split_writer_finish(s->split, &why);
	return r < 0 ? fail(s, &why, err) : 0;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	ring_stop(&s->ring);
	join_threads(s);
	blob_close(&s->blob);
	hash_free(s->hash);
	split_writer_free(s->split);
	ring_done(&s->ring);
	free(s);
}
