/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/split.h"

#include "lib/fd.h"
#include "oci/image/split_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define PENDING_MAX ((size_t)64 * 1024)
#define OUT_SIZE ((size_t)128 * 1024)

struct split_writer {
	int fd;
	struct split_walk walk;
	ZSTD_CCtx *zstd;
	uint64_t file; /* bytes of a file's content that were passed over and not noted yet */
	size_t pending_len, out_len;
	uint8_t pending[PENDING_MAX], out[OUT_SIZE];
};

struct split_writer *split_writer_new(int fd, bool whole)
{
	struct split_writer *w = calloc(1, sizeof(*w));
	ZSTD_inBuffer nothing = { NULL, 0, 0 };
	ZSTD_outBuffer out;

	if (!w)
		_exit(255);
	w->fd = fd;
	w->walk = (struct split_walk)SPLIT_WALK_INIT;
	if (whole)
		w->walk.place = SPLIT_REST;
	w->zstd = ZSTD_createCCtx();
	if (!w->zstd)
		_exit(255);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	/* Has all of its memory allocated now. */
	out = (ZSTD_outBuffer){ w->out, OUT_SIZE, 0 };
	if (ZSTD_isError(ZSTD_compressStream2(w->zstd, &out, &nothing, ZSTD_e_continue)))
		_exit(255);
	w->out_len = out.pos;
	return w;
}

static int write_out(struct split_writer *w, struct err *err)
{
	int r = fd_write_full(w->fd, w->out, w->out_len);

	w->out_len = 0;
	return r < 0 ? err_code(err, r, "cannot write the layer's split file") : 0;
}

/* Compresses, and with ZSTD_e_end writes everything out. */
static int put(struct split_writer *w, const void *data, size_t len, ZSTD_EndDirective how,
	       struct err *err)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { w->out, OUT_SIZE, w->out_len };
		int r;

		left = ZSTD_compressStream2(w->zstd, &out, &in, how);
		w->out_len = out.pos;
		if (ZSTD_isError(left))
			return err_set(err, EIO, "cannot compress the layer's split file: %s",
				       ZSTD_getErrorName(left));
		if (w->out_len < OUT_SIZE && how == ZSTD_e_continue)
			continue;
		r = write_out(w, err);
		if (r < 0)
			return r;
	} while (in.pos < in.size || (how == ZSTD_e_end && left));
	return 0;
}

static int put_record(struct split_writer *w, int kind, uint64_t len, struct err *err)
{
	uint8_t record[SPLIT_RECORD] = { (uint8_t)kind };

	for (int i = 0; i < 8; i++)
		record[1 + i] = (uint8_t)(len >> 8 * i);
	return put(w, record, sizeof(record), ZSTD_e_continue, err);
}

static int put_bytes(struct split_writer *w, const void *data, size_t len, struct err *err)
{
	int r = put_record(w, SPLIT_BYTES, len, err);

	return r < 0 ? r : put(w, data, len, ZSTD_e_continue, err);
}

static int flush_pending(struct split_writer *w, struct err *err)
{
	size_t len = w->pending_len;

	w->pending_len = 0;
	return len ? put_bytes(w, w->pending, len, err) : 0;
}

static int note_bytes(struct split_writer *w, const void *data, size_t len, struct err *err)
{
	if (w->pending_len + len > PENDING_MAX) {
		int r = flush_pending(w, err);

		if (r < 0)
			return r;
	}
	if (len > PENDING_MAX)
		return put_bytes(w, data, len, err);
	memcpy(w->pending + w->pending_len, data, len);
	w->pending_len += len;
	return 0;
}

static int note_file(struct split_writer *w, struct err *err)
{
	uint64_t len = w->file;
	int r = flush_pending(w, err);

	w->file = 0;
	return r < 0 || !len ? r : put_record(w, SPLIT_FILE, len, err);
}

int split_writer_add(struct split_writer *w, const void *data, size_t len, struct err *err)
{
	const uint8_t *p = data, *end = p + len;

	while (p < end) {
		bool in_file = w->walk.in_file;
		size_t n = split_walk(&w->walk, p, (size_t)(end - p));
		int r = 0;

		if (!in_file)
			r = note_bytes(w, p, n, err);
		else
			w->file += n;
		if (in_file && !w->walk.in_file)
			r = note_file(w, err);
		if (r < 0)
			return r;
		p += n;
	}
	return 0;
}

int split_writer_finish(struct split_writer *w, struct err *err)
{
	int r = note_file(w, err);

	return r < 0 ? r : put(w, NULL, 0, ZSTD_e_end, err);
}

void split_writer_free(struct split_writer *w)
{
	if (!w)
		return;
	tar_frame_done(&w->walk.frame);
	ZSTD_freeCCtx(w->zstd);
	free(w);
}
