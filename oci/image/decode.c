/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/decode.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>
#ifdef TOTE_ISAL
#include "oci/image/gzip_header.h"

#include <isa-l/igzip_lib.h>
#endif

/* 128 MiB: what `zstd --ultra` makes at most without being told to. */
#define WINDOW_LOG_MAX 27

static int broken_gzip(const char *why, struct err *err)
{
	return err_set(err, EBADMSG, "the gzip data is broken: %s", why);
}

#ifdef TOTE_ISAL
struct isal {
	struct inflate_state inflate;
	struct gzip_header header;
	bool in_header, more; /* more: not the first member */
};

static void *isal_open(void)
{
	struct isal *s = calloc(1, sizeof(*s));

	if (s)
		isal_inflate_init(&s->inflate);
	return s;
}

/* 1 when the header is complete. */
static int isal_header(struct isal *s, struct decode_io *io, struct err *err)
{
	int r = gzip_header_take(&s->header, &io->in, &io->in_len);

	if (r == -EBADMSG)
		return broken_gzip("the checksum of a header is wrong", err);
	if (r < 0)
		return broken_gzip(s->more ? "something else follows it" : "no gzip header", err);
	s->in_header = r == 0;
	return r;
}

static void isal_begin(struct isal *s)
{
	isal_inflate_reset(&s->inflate);
	/* Without header, and with the trailer verified. */
	s->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER;
	s->header = (struct gzip_header){ 0 };
	s->in_header = true;
}

static int isal_data(struct isal *s, struct decode_io *io, struct err *err)
{
	struct inflate_state *z = &s->inflate;
	int r;

	z->next_in = (uint8_t *)io->in;
	z->avail_in = (uint32_t)io->in_len;
	z->next_out = io->out;
	z->avail_out = (uint32_t)io->out_len;
	r = isal_inflate(z);
	io->in = z->next_in;
	io->in_len = z->avail_in;
	io->out = z->next_out;
	io->out_len = z->avail_out;
	if (r == ISAL_INCORRECT_CHECKSUM)
		return broken_gzip("its checksum or length is wrong", err);
	return r < 0 ? broken_gzip("invalid compressed data", err) : 0;
}

static int isal_run(void *state, struct decode_io *io, bool *boundary, struct err *err)
{
	struct isal *s = state;
	int r;

	for (;;) {
		if (*boundary) {
			if (!io->in_len)
				return 0;
			isal_begin(s);
			*boundary = false;
		}
		if (s->in_header) {
			r = isal_header(s, io, err);
			if (r <= 0)
				return r;
		}
		r = isal_data(s, io, err);
		if (r < 0 || s->inflate.block_state != ISAL_BLOCK_FINISH)
			return r;
		*boundary = true;
		s->more = true;
	}
}
#endif

struct zlib {
	z_stream inflate;
	bool more; /* not the first member */
};

static void *zlib_open(void)
{
	struct zlib *s = calloc(1, sizeof(*s));

	/* 16: gzip only; 15: the largest window */
	if (s && inflateInit2(&s->inflate, 16 + 15) != Z_OK) {
		free(s);
		return NULL;
	}
	return s;
}

static int zlib_error(const struct zlib *s, int code, struct err *err)
{
	if (code == Z_MEM_ERROR)
		return err_set(err, ENOMEM, "out of memory while decompressing gzip");
	if (s->more && !s->inflate.total_out)
		return broken_gzip("something else follows it", err);
	return broken_gzip(s->inflate.msg ? s->inflate.msg : "invalid compressed data", err);
}

static int zlib_run(void *state, struct decode_io *io, bool *boundary, struct err *err)
{
	struct zlib *s = state;
	z_stream *z = &s->inflate;

	for (;;) {
		int r;

		if (*boundary) {
			if (!io->in_len)
				return 0;
			inflateReset(z);
			*boundary = false;
		}
		z->next_in = (uint8_t *)io->in;
		z->avail_in = (uInt)io->in_len;
		z->next_out = io->out;
		z->avail_out = (uInt)io->out_len;
		r = inflate(z, Z_NO_FLUSH);
		io->in = z->next_in;
		io->in_len = z->avail_in;
		io->out = z->next_out;
		io->out_len = z->avail_out;
		if (r == Z_OK || r == Z_BUF_ERROR)
			return 0;
		if (r != Z_STREAM_END)
			return zlib_error(s, r, err);
		*boundary = true;
		s->more = true;
	}
}

static void zlib_close(void *state)
{
	struct zlib *s = state;

	inflateEnd(&s->inflate);
	free(s);
}

static void *zstd_open(void)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();

	if (z)
		ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return z;
}

static int zstd_error(size_t code, struct err *err)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		return err_set(err, EFBIG,
			       "the zstd data needs a window of more than 128 MiB to decompress");
	case ZSTD_error_memory_allocation:
		return err_set(err, ENOMEM, "out of memory while decompressing zstd");
	default:
		return err_set(err, EBADMSG, "the zstd data is broken: %s",
			       ZSTD_getErrorName(code));
	}
}

static int zstd_run(void *state, struct decode_io *io, bool *boundary, struct err *err)
{
	ZSTD_inBuffer in = { io->in, io->in_len, 0 };
	ZSTD_outBuffer out = { io->out, io->out_len, 0 };
	size_t r = 0;

	/* At a boundary without input it would ask for the next frame's header. */
	if (!io->in_len && *boundary)
		return 0;
	do {
		r = ZSTD_decompressStream(state, &out, &in);
	} while (!ZSTD_isError(r) && in.pos < in.size && out.pos < out.size);
	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (ZSTD_isError(r))
		return zstd_error(r, err);
	*boundary = r == 0;
	return 0;
}

static void zstd_close(void *state)
{
	ZSTD_freeDCtx(state);
}

const struct decoder_kind decoder_kinds[] = {
#ifdef TOTE_ISAL
	{ "isa-l", COMPRESSION_GZIP, isal_open, isal_run, free },
#endif
	{ "zlib", COMPRESSION_GZIP, zlib_open, zlib_run, zlib_close },
	{ "zstd", COMPRESSION_ZSTD, zstd_open, zstd_run, zstd_close },
};
const size_t decoder_kind_count = ARRAY_SIZE(decoder_kinds);

const struct decoder_kind *decoder_find(enum compression compression)
{
	size_t i = 0;

	while (decoder_kinds[i].compression != compression)
		i++;
	return &decoder_kinds[i];
}

int decoder_open(struct decoder *d, const struct decoder_kind *kind, struct err *err)
{
	*d = (struct decoder){ .kind = kind, .state = kind->open(), .boundary = true };
	if (!d->state)
		return err_set(err, ENOMEM, "out of memory for decompressing with %s", kind->name);
	return 0;
}

int decoder_run(struct decoder *d, struct decode_io *io, struct err *err)
{
	return d->kind->run(d->state, io, &d->boundary, err);
}

bool decoder_at_end(const struct decoder *d)
{
	return d->boundary;
}

void decoder_close(struct decoder *d)
{
	if (d->state)
		d->kind->close(d->state);
	d->state = NULL;
}
