/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's stream out of a confined process, as the split file is a stranger's: it comes through a
 * pipe, and is believed by its digest. */
#include "oci/image/save_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/hash.h"
#include "oci/image/split.h"
#include "oci/image/verify.h"
#include "oci/image/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CHUNK ((size_t)256 << 10)
#define PIPE_SIZE (1 << 20)
/* The decoder of the split file. */
#define MEMORY ((size_t)192 << 20)

struct reading {
	int split, root, out;
};

static int put_together(void *arg, struct err *err)
{
	struct reading *r = arg;
	struct split_reader *reader = split_reader_new(r->split, r->root);
	const void *data;
	ssize_t n;
	int ret = 0;

	while (ret == 0 && (n = split_reader_next(reader, &data, err)) != 0) {
		ret = n < 0 ? (int)n : fd_write_full(r->out, data, (size_t)n);
		if (n > 0 && ret < 0)
			err_code(err, ret, "pass the layer on");
	}
	split_reader_free(reader);
	return ret;
}

static int start(const struct reading *r, struct worker *ret, struct err *err)
{
	const int keep[] = { r->split, r->root, r->out };
	const struct confine_opts confine = { .root_fd = r->root,
					      .keep = keep,
					      .keep_count = ARRAY_SIZE(keep),
					      .memory = MEMORY,
					      .read = true };

	return worker_start(&confine, put_together, (void *)r, ret, err);
}

static int changed(const char *how, struct err *err)
{
	return err_set(err, EBADMSG, "its contents have changed: %s", how);
}

/* Until the end of the stream, which must be the layer's. */
static int pump(const struct saving *s, const struct store_layer *layer, int in, save_sink *sink,
		void *arg)
{
	struct hash *hash = hash_new(layer->diff_id);
	autofree char *chunk = malloc(CHUNK);
	char digest[DIGEST_SIZE];
	uint64_t left = layer->bytes;
	ssize_t n;
	int r = chunk ? 0 : err_code(s->err, ENOMEM, "read");

	while (r == 0 && (n = read(in, chunk, CHUNK)) != 0) {
		if (s->opts->interrupted && *s->opts->interrupted)
			r = err_set(s->err, EINTR, "interrupted");
		else if (n < 0)
			r = errno == EINTR ? 0 : err_errno(s->err, "read");
		else if ((uint64_t)n > left)
			r = changed("there is more of it", s->err);
		else
			r = sink(arg, chunk, (size_t)n, s->err);
		if (r < 0 || n < 0)
			continue;
		hash_add(hash, chunk, (size_t)n);
		left -= (uint64_t)n;
	}
	hash_finish(hash, digest);
	if (r == 0 && strcmp(digest, layer->diff_id) != 0)
		r = changed(left ? "there is less of it" : "they have another digest", s->err);
	return r;
}

static int run(const struct saving *s, const struct store_layer *layer, struct reading *reading,
	       save_sink *sink, void *arg)
{
	struct worker w = WORKER_INIT;
	struct err why;
	int ends[2], r, ended;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(s->err, "pipe");
	autofd in = ends[0], out = ends[1];

	/* Larger than a chunk, so that both sides work at once; refused, it only costs time. */
	fcntl(out, F_SETPIPE_SZ, PIPE_SIZE);
	reading->out = out;
	r = start(reading, &w, s->err);
	if (r < 0)
		return r;
	close(take_fd(&out));
	r = pump(s, layer, in, sink, arg);
	if (r < 0 && r != -EBADMSG) {
		worker_kill(&w);
		return r;
	}
	/* What it failed with says more than that the stream ended too soon. Without a reader it
	 * ends, wherever it is. */
	close(take_fd(&in));
	ended = worker_wait(&w, &why);
	if (ended < 0 && ended != -EPIPE) {
		*s->err = why;
		r = ended;
	}
	return r;
}

/* So that the next load takes it in again: a quick look might not see what is wrong. */
static int damaged(const struct saving *s, const struct store_layer *layer)
{
	struct err seen;

	verify_layer(s->opts->store, layer, VERIFY_DEEP, &seen);
	s->err->code = -EBADMSG;
	err_prefix(s->err, "image is damaged, load it again: layer %.19s", layer->diff_id);
	return -EBADMSG;
}

int save_layer_read(const struct saving *s, const struct store_layer *layer, save_sink *sink,
		    void *arg)
{
	autoarena a = ARENA_INIT;
	autofd dir = fd_open(s->opts->store->fd, arena_printf(&a, "layers/%s", layer->id),
			     O_RDONLY | O_DIRECTORY),
	       root = -1, split = -1;
	struct reading reading;
	int r;

	if (dir >= 0)
		root = fd_open(dir, "fs", O_RDONLY | O_DIRECTORY);
	if (root >= 0)
		split = fd_open(dir, "split", O_RDONLY);
	if (split < 0) {
		r = err_errno(s->err, "parts of it are missing");
	} else {
		reading = (struct reading){ split, root, -1 };
		r = run(s, layer, &reading, sink, arg);
	}
	return r == -EBADMSG || r == -ENOENT ? damaged(s, layer) : r;
}
