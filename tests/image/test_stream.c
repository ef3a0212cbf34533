/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/decode.h"
#include "oci/image/hash.h"
#include "oci/image/split.h"
#include "oci/image/stream.h"

#include "lib/buf.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#define BIG ((size_t)5 * 1024 * 1024 + 123)

/* Compressible, and never the same twice. */
static void add_text(struct buf *b, size_t len, unsigned int seed)
{
	while (len) {
		char line[80];
		size_t n;

		seed = seed * 1103515245 + 12345;
		n = (size_t)snprintf(line, sizeof(line), "%x is what %u became, again\n", seed,
				     seed >> 20);
		n = n < len ? n : len;
		buf_add(b, line, n);
		len -= n;
	}
}

enum { WITH_FIELDS = 1 };

static void add_gzip(struct buf *b, const void *data, size_t len, int flags)
{
	z_stream z = { 0 };
	gz_header head = {
		.extra = (Bytef *)"AB\3\0xyz",
		.extra_len = 7,
		.name = (Bytef *)"layer.tar",
		.comment = (Bytef *)"of no use",
		.hcrc = 1,
	};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, 0), Z_OK);
	if (flags & WITH_FIELDS)
		deflateSetHeader(&z, &head);
	z.avail_out = (uInt)deflateBound(&z, len) + 100;
	z.next_out = (Bytef *)buf_reserve(b, z.avail_out);
	z.next_in = (Bytef *)data;
	z.avail_in = (uInt)len;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len += z.total_out;
	deflateEnd(&z);
}

static void add_zstd(struct buf *b, const void *data, size_t len, bool says_size, int window_log)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t room = ZSTD_compressBound(len) + 100;
	ZSTD_outBuffer out = { buf_reserve(b, room), room, 0 };
	ZSTD_inBuffer in = { data, len, 0 };

	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, says_size);
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	if (window_log)
		ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_log);
	/* In two steps: a frame that was written at once always says its size. */
	if (!says_size) {
		in.size = len / 2;
		assert_false(ZSTD_isError(ZSTD_compressStream2(z, &out, &in, ZSTD_e_flush)));
		in.size = len;
	}
	assert_int_equal(ZSTD_compressStream2(z, &out, &in, ZSTD_e_end), 0);
	b->len += out.pos;
	ZSTD_freeCCtx(z);
}

static void add_skippable(struct buf *b, unsigned char magic, uint32_t len)
{
	unsigned char head[8] = { 0x50 | magic, 0x2a, 0x4d, 0x18, len & 0xff, (len >> 8) & 0xff };

	buf_add(b, head, sizeof(head));
	memset(buf_reserve(b, len), 'S', len);
	b->len += len;
}

static int file_of(const struct buf *b)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_int_equal(write(fd, buf_str(b), b->len), b->len);
	return fd;
}

static struct stream_opts opts_for(int fd, uint64_t size, bool threads)
{
	return (struct stream_opts){
		.fd = fd,
		.size = size,
		.threads = threads,
		.split_fd = -1,
		.max_bytes = UINT64_MAX,
	};
}

/* All of a stream; what it failed with, or 0. */
static int read_all(const struct stream_opts *opts, struct buf *ret, struct stream_result *result,
		    struct err *err)
{
	struct stream *s;
	const void *data;
	ssize_t n;

	assert_int_equal(stream_open(opts, &s, err), 0);
	while ((n = stream_next(s, &data, err)) > 0)
		buf_add(ret, data, (size_t)n);
	if (n == 0)
		n = stream_finish(s, result, err);
	else
		assert_int_equal(stream_finish(s, result, err), n);
	stream_close(s);
	return (int)n;
}

/* With and without threads the stream is what was packed, and both digests are right. */
static void assert_unpacks(const struct buf *blob, const struct buf *text)
{
	char digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
	autofd fd = file_of(blob);

	hash_bytes(buf_str(blob), blob->len, digest);
	hash_bytes(buf_str(text), text->len, diff_id);
	for (int threads = 0; threads < 2; threads++) {
		struct stream_opts opts = opts_for(fd, blob->len, threads);
		struct stream_result result = { 0 };
		struct err err = { 0 };
		autobuf got = BUF_INIT;
		volatile uint64_t progress = 0;

		opts.digest = digest;
		opts.diff_id = diff_id;
		opts.progress = &progress;
		if (read_all(&opts, &got, &result, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(got.len, text->len);
		assert_memory_equal(buf_str(&got), buf_str(text), got.len);
		assert_string_equal(result.digest, digest);
		assert_string_equal(result.diff_id, diff_id);
		assert_int_equal(result.size, blob->len);
		assert_int_equal(result.bytes, text->len);
		assert_int_equal(progress, blob->len);
	}
}

static void assert_fails(const struct buf *blob, int code, const char *words)
{
	autofd fd = file_of(blob);

	for (int threads = 0; threads < 2; threads++) {
		struct stream_opts opts = opts_for(fd, blob->len, threads);
		struct stream_result result;
		struct err err = { 0 };
		autobuf got = BUF_INIT;

		assert_int_equal(read_all(&opts, &got, &result, &err), -code);
		assert_int_equal(err.code, -code);
		if (!strstr(err.msg, words))
			fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
	}
}

static void gzip_of_one_member(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;

	(void)state;
	add_text(&text, BIG, 1);
	add_gzip(&blob, text.data, text.len, 0);
	assert_unpacks(&blob, &text);
}

static void gzip_of_many_members_with_all_header_fields(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;

	(void)state;
	for (unsigned int i = 0; i < 600; i++) {
		size_t at = text.len;

		/* some are empty */
		add_text(&text, i % 7 * (i % 13) * 97, i);
		add_gzip(&blob, text.data ? text.data + at : "", text.len - at,
			 i % 2 ? WITH_FIELDS : 0);
	}
	assert_unpacks(&blob, &text);
}

static void zstd_of_many_frames_and_skippable_ones(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;

	(void)state;
	add_skippable(&blob, 15, 70);
	for (unsigned int i = 0; i < 200; i++) {
		size_t at = text.len;

		add_text(&text, i % 7 * (i % 13) * 997, i);
		add_zstd(&blob, text.data ? text.data + at : "", text.len - at, i % 2, 0);
		if (i % 3 == 0)
			add_skippable(&blob, (unsigned char)(i % 16), i * 100);
	}
	assert_unpacks(&blob, &text);
}

static void zstd_of_one_frame_without_its_size(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;

	(void)state;
	add_text(&text, BIG, 1);
	add_zstd(&blob, text.data, text.len, false, 27);
	assert_unpacks(&blob, &text);
}

static void a_larger_window_is_refused(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;

	(void)state;
	add_text(&text, BIG, 1);
	add_zstd(&blob, text.data, text.len, false, 28);
	assert_fails(&blob, EFBIG, "128 MiB");
}

static void what_is_not_compressed_passes_through(void **state)
{
	autobuf text = BUF_INIT, nothing = BUF_INIT;

	(void)state;
	assert_unpacks(&nothing, &nothing);
	add_text(&text, 1, 5);
	assert_unpacks(&text, &text);
	buf_reset(&text);
	add_text(&text, BIG, 1);
	assert_unpacks(&text, &text);
	assert_unpacks(&text, &text);
}

static void both_digests_may_be_sha512(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;
	struct stream_result result;
	struct err err = { 0 };

	(void)state;
	add_text(&text, 100000, 1);
	for (int plain = 0; plain < 2; plain++) {
		autobuf got = BUF_INIT;
		char digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
		struct hash *h = hash_new("sha512");
		struct stream_opts opts;
		autofd fd = -1;

		buf_reset(&blob);
		if (plain)
			buf_add(&blob, text.data, text.len);
		else
			add_gzip(&blob, text.data, text.len, 0);
		fd = file_of(&blob);
		opts = opts_for(fd, blob.len, plain);
		hash_add(h, blob.data, blob.len);
		hash_finish(h, digest);
		hash_bytes(text.data, text.len, diff_id);
		opts.digest = digest;
		opts.diff_id = diff_id;
		if (read_all(&opts, &got, &result, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(result.digest, digest);
		assert_string_equal(result.diff_id, diff_id);
	}
}

static void part_of_a_file_is_a_blob_too(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT, got = BUF_INIT;
	struct stream_result result;
	struct err err = { 0 };
	struct stream_opts opts;
	autofd fd = -1;

	(void)state;
	add_text(&text, BIG, 1);
	buf_adds(&blob, "in front");
	add_gzip(&blob, text.data, text.len, 0);
	opts = opts_for(-1, blob.len - 8, true);
	buf_adds(&blob, "behind");
	opts.fd = fd = file_of(&blob);
	opts.offset = 8;
	assert_int_equal(read_all(&opts, &got, &result, &err), 0);
	assert_int_equal(got.len, text.len);
	assert_memory_equal(got.data, text.data, got.len);
}

/* At every length: nothing that was cut is ever taken for whole. */
static void what_is_cut_is_an_error(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		autobuf text = BUF_INIT, blob = BUF_INIT;
		size_t first, len;

		add_text(&text, 3000, 1);
		if (kind)
			add_zstd(&blob, text.data, text.len, false, 0);
		else
			add_gzip(&blob, text.data, text.len, WITH_FIELDS);
		first = blob.len;
		if (kind)
			add_zstd(&blob, text.data, text.len, true, 0);
		else
			add_gzip(&blob, text.data, text.len, 0);
		for (len = blob.len - 1; len >= 4; len--) {
			blob.len = len;
			if (len != first)
				assert_fails(&blob, EBADMSG, "");
		}
	}
}

static void a_file_shorter_than_said_is_truncated(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;

	(void)state;
	add_text(&text, BIG, 1);
	add_gzip(&blob, text.data, text.len, 0);
	for (int plain = 0; plain < 2; plain++) {
		const struct buf *b = plain ? &text : &blob;
		autofd fd = file_of(b);

		for (int threads = 0; threads < 2; threads++) {
			struct stream_opts opts = opts_for(fd, b->len + 1, threads);
			struct stream_result result;
			struct err err = { 0 };
			autobuf got = BUF_INIT;

			assert_int_equal(read_all(&opts, &got, &result, &err), -EBADMSG);
			assert_non_null(strstr(err.msg, "truncated"));
		}
	}
}

static void garbage_behind_it_is_an_error(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} garbage[] = { { "x", 1 }, { "\0", 1 }, { "\x1f", 1 }, { "garbage, and more of it", 23 } };
	char zeros[1024] = "";

	(void)state;
	for (int zstd = 0; zstd < 2; zstd++) {
		autobuf text = BUF_INIT, blob = BUF_INIT;
		size_t len;

		add_text(&text, BIG, 1);
		if (zstd)
			add_zstd(&blob, text.data, text.len, true, 0);
		else
			add_gzip(&blob, text.data, text.len, 0);
		len = blob.len;
		for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
			blob.len = len;
			buf_add(&blob, garbage[i].bytes, garbage[i].len);
			assert_fails(&blob, EBADMSG, "");
		}
		blob.len = len;
		buf_add(&blob, zeros, sizeof(zeros));
		assert_fails(&blob, EBADMSG, zstd ? "broken" : "something else follows it");
	}
}

static void a_wrong_checksum_or_length_of_a_member_is_found(void **state)
{
	autobuf text = BUF_INIT;

	(void)state;
	add_text(&text, 100000, 1);
	for (size_t back = 1; back <= 8; back++) {
		autobuf blob = BUF_INIT;

		add_gzip(&blob, text.data, text.len, 0);
		blob.data[blob.len - back] ^= 1;
		/* and in one that others follow */
		if (back % 2)
			add_gzip(&blob, text.data, text.len, 0);
		assert_fails(&blob, EBADMSG, "broken");
	}
}

static void a_flipped_byte_is_found_wherever_it_is(void **state)
{
	char digest[DIGEST_SIZE];
	autobuf text = BUF_INIT, blob = BUF_INIT;

	(void)state;
	add_text(&text, 5000, 1);
	add_gzip(&blob, text.data, text.len, WITH_FIELDS);
	hash_bytes(blob.data, blob.len, digest);
	for (size_t i = 0; i < blob.len; i++) {
		autofd fd = -1;
		struct stream_opts opts;
		struct stream_result result;
		struct err err = { 0 };
		autobuf got = BUF_INIT;
		int r;

		blob.data[i] ^= 4;
		fd = file_of(&blob);
		opts = opts_for(fd, blob.len, i % 2);
		opts.digest = digest;
		r = read_all(&opts, &got, &result, &err);
		assert_int_equal(r, -EBADMSG);
		blob.data[i] ^= 4;
	}
}

static void a_digest_that_differs_is_told_with_both(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;
	char other[DIGEST_SIZE], digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
	autofd fd = -1;

	(void)state;
	add_text(&text, BIG, 1);
	add_gzip(&blob, text.data, text.len, 0);
	fd = file_of(&blob);
	hash_bytes("other", 5, other);
	hash_bytes(blob.data, blob.len, digest);
	hash_bytes(text.data, text.len, diff_id);
	for (int which = 0; which < 4; which++) {
		struct stream_opts opts = opts_for(fd, blob.len, which & 1);
		const char *is = which & 2 ? diff_id : digest;
		struct stream_result result;
		struct err err = { 0 };
		autobuf got = BUF_INIT;

		opts.digest = which & 2 ? digest : other;
		opts.diff_id = which & 2 ? other : diff_id;
		assert_int_equal(read_all(&opts, &got, &result, &err), -EBADMSG);
		assert_non_null(strstr(err.msg, other));
		assert_non_null(strstr(err.msg, is));
	}
}

static void a_bomb_is_stopped_at_its_limit(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;
	autofd fd = -1;

	(void)state;
	memset(buf_reserve(&text, BIG * 10), 0, BIG * 10);
	text.len = BIG * 10;
	add_gzip(&blob, text.data, text.len, 0);
	fd = file_of(&blob);
	for (int threads = 0; threads < 2; threads++) {
		struct stream_opts opts = opts_for(fd, blob.len, threads);
		struct stream_result result;
		struct err err = { 0 };
		autobuf got = BUF_INIT;

		opts.max_bytes = BIG;
		assert_int_equal(read_all(&opts, &got, &result, &err), -EFBIG);
		assert_true(got.len <= BIG);
		buf_reset(&got);
		opts.max_bytes = text.len;
		assert_int_equal(read_all(&opts, &got, &result, &err), 0);
		opts.max_bytes = text.len - 1;
		assert_int_equal(read_all(&opts, &got, &result, &err), -EFBIG);
	}
}

static void known_compression_that_we_lack_is_named(void **state)
{
	static const struct {
		const char *bytes, *name;
	} known[] = {
		{ "\xfd"
		  "7zXZ\0..........",
		  "xz" },
		{ "BZh91AY&SY......", "bzip2" },
		{ "\x04\x22\x4d\x18............", "lz4" },
	};
	char tar[512] = "BZh91AY&SY";
	enum compression kind = COMPRESSION_ZSTD;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		autobuf blob = BUF_INIT;

		buf_add(&blob, known[i].bytes, 16);
		assert_fails(&blob, EOPNOTSUPP, known[i].name);
	}
	memcpy(tar + 257, "ustar", 6);
	assert_int_equal(compression_sniff(tar, sizeof(tar), &kind, &err), 0);
	assert_int_equal(kind, COMPRESSION_NONE);
	assert_int_equal(compression_sniff("\x1f", 1, &kind, &err), 0);
	assert_int_equal(kind, COMPRESSION_NONE);
	assert_int_equal(compression_sniff("\x5f\x2a\x4d\x18", 4, &kind, &err), 0);
	assert_int_equal(kind, COMPRESSION_ZSTD);
}

static void closing_early_ends_the_threads_at_once(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;
	autofd fd = -1;
	struct timespec begin, end;

	(void)state;
	add_text(&text, BIG * 4, 1);
	add_gzip(&blob, text.data, text.len, 0);
	fd = file_of(&blob);
	/* The time of the processor, as a machine that is busy with others makes any time long. */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (int chunks = 0; chunks < 12; chunks++) {
		struct stream_opts opts = opts_for(fd, blob.len, true);
		struct stream *s;
		const void *data;
		struct err err;

		assert_int_equal(stream_open(&opts, &s, &err), 0);
		for (int i = 0; i < chunks; i++)
			assert_true(stream_next(s, &data, &err) > 0);
		stream_close(s);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_true(end.tv_sec - begin.tv_sec < 5);
}

static void what_is_not_asked_for_is_judged_by_finish(void **state)
{
	autobuf text = BUF_INIT, blob = BUF_INIT;
	char diff_id[DIGEST_SIZE];
	autofd fd = -1;

	(void)state;
	add_text(&text, BIG, 1);
	add_gzip(&blob, text.data, text.len, 0);
	fd = file_of(&blob);
	hash_bytes(text.data, text.len, diff_id);
	for (int threads = 0; threads < 2; threads++) {
		struct stream_opts opts = opts_for(fd, blob.len, threads);
		struct stream_result result;
		struct stream *s;
		const void *data;
		struct err err;

		opts.diff_id = diff_id;
		assert_int_equal(stream_open(&opts, &s, &err), 0);
		assert_true(stream_next(s, &data, &err) > 0);
		assert_int_equal(stream_finish(s, &result, &err), 0);
		assert_int_equal(result.bytes, text.len);
		stream_close(s);
	}
}

static void a_split_file_that_cannot_be_written_is_an_error(void **state)
{
	autobuf text = BUF_INIT;
	autofd fd = -1;

	(void)state;
	add_text(&text, BIG, 1);
	fd = file_of(&text);
	for (int threads = 0; threads < 2; threads++) {
		struct stream_opts opts = opts_for(fd, text.len, threads);
		autofd full = open("/dev/full", O_WRONLY | O_CLOEXEC);
		struct stream_result result;
		struct err err = { 0 };
		autobuf got = BUF_INIT;

		opts.split_fd = full;
		opts.split_whole = true;
		assert_int_equal(read_all(&opts, &got, &result, &err), -ENOSPC);
		assert_non_null(strstr(err.msg, "split file"));
	}
}

/* Any library, whatever the pieces that it gets and may write. */
static void every_decoder_takes_pieces_of_any_size(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64, 511, 4096, 100000 };
	autobuf text = BUF_INIT, gzip = BUF_INIT, zstd = BUF_INIT;

	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		size_t at = text.len;

		add_text(&text, i % 5 * 700, i);
		add_gzip(&gzip, text.data ? text.data + at : "", text.len - at,
			 i % 2 ? WITH_FIELDS : 0);
		add_zstd(&zstd, text.data ? text.data + at : "", text.len - at, i % 2, 0);
	}
	for (size_t k = 0; k < decoder_kind_count; k++) {
		const struct buf *blob =
			decoder_kinds[k].compression == COMPRESSION_GZIP ? &gzip : &zstd;

		for (size_t i = 0; i < ARRAY_SIZE(pieces) * ARRAY_SIZE(pieces); i++) {
			size_t in = pieces[i / ARRAY_SIZE(pieces)];
			size_t out = pieces[i % ARRAY_SIZE(pieces)], at = 0;
			autobuf got = BUF_INIT;
			struct decoder d;
			struct err err;
			struct decode_io io = { 0 };

			assert_int_equal(decoder_open(&d, &decoder_kinds[k], &err), 0);
			do {
				size_t n = blob->len - at < in ? blob->len - at : in;

				io.in = (const uint8_t *)blob->data + at;
				io.in_len = n;
				at += n;
				do {
					io.out = (uint8_t *)buf_reserve(&got, out);
					io.out_len = out;
					if (decoder_run(&d, &io, &err) < 0)
						fail_msg("%s: %s", d.kind->name, err.msg);
					got.len += out - io.out_len;
				} while (!io.out_len);
				assert_int_equal(io.in_len, 0);
			} while (at < blob->len);
			assert_true(decoder_at_end(&d));
			decoder_close(&d);
			assert_int_equal(got.len, text.len);
			assert_memory_equal(got.data, text.data, text.len);
		}
	}
}

/* Both for gzip, so that none is the lenient one. */
static void every_decoder_finds_what_is_broken(void **state)
{
	autobuf text = BUF_INIT, room = BUF_INIT;

	(void)state;
	add_text(&text, 4000, 1);
	buf_reserve(&room, 100000);
	for (size_t k = 0; k < decoder_kind_count; k++) {
		autobuf blob = BUF_INIT;
		size_t found = 0;

		if (decoder_kinds[k].compression != COMPRESSION_GZIP)
			continue;
		add_gzip(&blob, text.data, text.len, WITH_FIELDS);
		/* the last bits of compressed data say nothing */
		for (size_t i = 0; i < blob.len; i++) {
			struct decode_io io = { (uint8_t *)blob.data, blob.len,
						(uint8_t *)room.data, 100000 };
			struct decoder d;
			struct err err;

			blob.data[i] ^= 1;
			assert_int_equal(decoder_open(&d, &decoder_kinds[k], &err), 0);
			if (decoder_run(&d, &io, &err) < 0) {
				assert_int_equal(err.code, -EBADMSG);
				found++;
			} else {
				found += !decoder_at_end(&d);
			}
			decoder_close(&d);
			blob.data[i] ^= 1;
		}
		assert_int_equal(found, blob.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gzip_of_one_member),
		cmocka_unit_test(gzip_of_many_members_with_all_header_fields),
		cmocka_unit_test(zstd_of_many_frames_and_skippable_ones),
		cmocka_unit_test(zstd_of_one_frame_without_its_size),
		cmocka_unit_test(a_larger_window_is_refused),
		cmocka_unit_test(what_is_not_compressed_passes_through),
		cmocka_unit_test(both_digests_may_be_sha512),
		cmocka_unit_test(part_of_a_file_is_a_blob_too),
		cmocka_unit_test(what_is_cut_is_an_error),
		cmocka_unit_test(a_file_shorter_than_said_is_truncated),
		cmocka_unit_test(garbage_behind_it_is_an_error),
		cmocka_unit_test(a_wrong_checksum_or_length_of_a_member_is_found),
		cmocka_unit_test(a_flipped_byte_is_found_wherever_it_is),
		cmocka_unit_test(a_digest_that_differs_is_told_with_both),
		cmocka_unit_test(a_bomb_is_stopped_at_its_limit),
		cmocka_unit_test(known_compression_that_we_lack_is_named),
		cmocka_unit_test(closing_early_ends_the_threads_at_once),
		cmocka_unit_test(what_is_not_asked_for_is_judged_by_finish),
		cmocka_unit_test(a_split_file_that_cannot_be_written_is_an_error),
		cmocka_unit_test(every_decoder_takes_pieces_of_any_size),
		cmocka_unit_test(every_decoder_finds_what_is_broken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
