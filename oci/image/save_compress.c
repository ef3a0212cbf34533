/* SPDX-License-Identifier: Apache-2.0 */
/* Compressing a layer into an unnamed file: a tar header has to say how long it will be. In a
 * confined process, and at the same time as another one reads the layer. */
#include "oci/image/save_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK ((size_t)256 << 10)
#define MEMORY ((size_t)192 << 20)
#define ZSTD_LEVEL 3
#define GZIP_WINDOW (15 + 16) /* the largest, and a gzip header, which has no time in it */

struct compressing {
	enum compression compression;
	int in, out;
	unsigned char *from, *to;
};

static int put(struct compressing *c, size_t len, struct err *err)
{
	int r = fd_write_full(c->out, c->to, len);

	return r < 0 ? err_code(err, r, "spool into the store") : 0;
}

static int deflate_all(struct compressing *c, z_stream *z, struct err *err)
{
	int r = 0, flush;

	do {
		ssize_t n = fd_read_full(c->in, c->from, CHUNK);

		if (n < 0)
			return err_code(err, (int)n, "read the layer");
		flush = (size_t)n < CHUNK ? Z_FINISH : Z_NO_FLUSH;
		z->next_in = c->from;
		z->avail_in = (uInt)n;
		do {
			z->next_out = c->to;
			z->avail_out = CHUNK;
			deflate(z, flush);
			r = put(c, CHUNK - z->avail_out, err);
		} while (r == 0 && !z->avail_out);
	} while (r == 0 && flush != Z_FINISH);
	return r;
}

static int by_gzip(struct compressing *c, struct err *err)
{
	z_stream z = { 0 };
	int r;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(err, ENOMEM, "gzip: out of memory");
	r = deflate_all(c, &z, err);
	deflateEnd(&z);
	return r;
}

/* One piece of input; *ret_left: what is still to be flushed at the end. */
static int zstd_piece(struct compressing *c, ZSTD_CCtx *z, size_t len, bool last, struct err *err)
{
	ZSTD_inBuffer in = { c->from, len, 0 };
	size_t left;
	int r;

	do {
		ZSTD_outBuffer out = { c->to, CHUNK, 0 };

		left = ZSTD_compressStream2(z, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(err, ENOMEM, "zstd: %s", ZSTD_getErrorName(left));
		r = put(c, out.pos, err);
	} while (r == 0 && (last ? left : in.pos < in.size));
	return r;
}

static int by_zstd(struct compressing *c, struct err *err)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	ssize_t n = z ? 0 : -ENOMEM;
	bool last = false;
	int r = 0;

	if (z) {
		ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	}
	while (r == 0 && n >= 0 && !last) {
		n = fd_read_full(c->in, c->from, CHUNK);
		last = n >= 0 && (size_t)n < CHUNK;
		r = n < 0 ? 0 : zstd_piece(c, z, (size_t)n, last, err);
	}
	ZSTD_freeCCtx(z);
	return n < 0 ? err_code(err, (int)n, "read the layer") : r;
}

static int compress_all(void *arg, struct err *err)
{
	struct compressing *c = arg;

	c->from = malloc(CHUNK);
	c->to = malloc(CHUNK);
	if (!c->from || !c->to)
		return err_code(err, ENOMEM, "compress");
	return c->compression == COMPRESSION_GZIP ? by_gzip(c, err) : by_zstd(c, err);
}

static int to_pipe(void *arg, const void *data, size_t len, struct err *err)
{
	int r = fd_write_full(*(int *)arg, data, len);

	return r < 0 ? err_code(err, r, "pass the layer on") : 0;
}

static int run(const struct saving *s, const struct store_layer *layer, int spooled)
{
	struct worker w = WORKER_INIT;
	int ends[2], r, ended;
	struct err why;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(s->err, "pipe");
	autofd in = ends[0], out = ends[1];
	struct compressing c = { s->opts->compression, in, spooled, NULL, NULL };
	const int keep[] = { in, spooled };
	const struct confine_opts confine = { -1, keep, ARRAY_SIZE(keep), MEMORY, false, false };

	r = worker_start(&confine, compress_all, &c, &w, s->err);
	if (r < 0)
		return r;
	close(take_fd(&in));
	r = save_layer_read(s, layer, to_pipe, &out);
	close(take_fd(&out));
	if (r < 0 && r != -EPIPE) {
		worker_kill(&w);
		return r;
	}
	/* It stopped reading, and knows why. */
	ended = worker_wait(&w, &why);
	if (ended < 0) {
		*s->err = why;
		r = ended;
	}
	return r;
}

int save_layer_compress(const struct saving *s, const struct store_layer *layer, int *ret_fd)
{
	autofd fd = fd_create(s->opts->spool, ".", O_TMPFILE | O_RDWR, 0600);
	int r = fd < 0 ? err_errno(s->err, "make an unnamed file in the store") : run(s, layer, fd);

	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = err_errno(s->err, "seek");
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}
