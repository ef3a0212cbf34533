/* SPDX-License-Identifier: Apache-2.0 */
/* Every blob is a stream with the digests that it says it has, or one line that says why not; and
 * what two libraries decompress is the same. */
#include "oci/image/decode.h"
#include "oci/image/hash.h"
#include "oci/image/stream.h"

#include "lib/buf.h"
#include "lib/cleanup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LIMIT ((uint64_t)2 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int blob_of(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("blob", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	return fd;
}

static void check_result(const struct stream_result *result, const struct buf *got,
			 const uint8_t *data, size_t size)
{
	char text[DIGEST_SIZE];

	hash_bytes(buf_str(got), got->len, text);
	if (strcmp(text, result->diff_id) != 0 || result->bytes != got->len)
		abort();
	hash_bytes(data, size, text);
	if (strcmp(text, result->digest) != 0 || result->size != size)
		abort();
}

static void use_stream(const uint8_t *data, size_t size, bool threads)
{
	struct stream_opts opts = {
		.fd = blob_of(data, size),
		.size = size,
		.threads = threads,
		.split_fd = -1,
		.max_bytes = LIMIT,
	};
	autobuf got = BUF_INIT;
	struct stream_result result;
	struct err err = { 0 };
	struct stream *s;
	const void *p;
	ssize_t n;

	if (stream_open(&opts, &s, &err) < 0)
		abort();
	while ((n = stream_next(s, &p, &err)) > 0)
		buf_add(&got, p, (size_t)n);
	if (n == 0)
		n = stream_finish(s, &result, &err);
	stream_close(s);
	if (n < 0 && (!err.msg[0] || strchr(err.msg, '\n') || err.code != n))
		abort();
	if (n == 0)
		check_result(&result, &got, data, size);
}

/* In pieces as large as the last byte says; true: it was whole. */
static bool decode(const struct decoder_kind *kind, const uint8_t *data, size_t size,
		   struct buf *ret)
{
	size_t piece = size ? data[size - 1] * 4 + 1 : 1;
	struct decode_io io = { .in = data };
	struct decoder d;
	struct err err;
	bool ok = true;

	if (decoder_open(&d, kind, &err) < 0)
		abort();
	while (ok && size && ret->len < LIMIT) {
		io.in_len = piece < size ? piece : size;
		size -= io.in_len;
		do {
			io.out = (uint8_t *)buf_reserve(ret, 4096);
			io.out_len = 4096;
			ok = decoder_run(&d, &io, &err) == 0;
			ret->len += 4096 - io.out_len;
		} while (ok && !io.out_len && ret->len < LIMIT);
	}
	ok = ok && decoder_at_end(&d);
	decoder_close(&d);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autobuf first = BUF_INIT;
	bool any = false;

	use_stream(data, size, false);
	if (size % 16 == 0)
		use_stream(data, size, true);
	for (size_t i = 0; i < decoder_kind_count; i++) {
		autobuf got = BUF_INIT;

		if (!decode(&decoder_kinds[i], data, size, &got) ||
		    decoder_kinds[i].compression != COMPRESSION_GZIP)
			continue;
		if (any && (got.len != first.len ||
			    (got.len && memcmp(got.data, first.data, got.len) != 0)))
			abort();
		any = true;
		buf_reset(&first);
		buf_add(&first, buf_str(&got), got.len);
	}
	return 0;
}
