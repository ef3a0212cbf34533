/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever json_parse() accepts, the writer must write so that it parses to the same text again. */
#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct buf *b, const struct json_value *v)
{
	struct json_writer w;

	json_writer_init(&w, b, false);
	json_put_value(&w, v);
	json_writer_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoarena a = ARENA_INIT;
	autobuf once = BUF_INIT;
	autobuf twice = BUF_INIT;
	struct json_value *v;
	struct err err;

	if (json_parse((const char *)data, size, &a, &v, &err) < 0)
		return 0;
	write_value(&once, v);
	if (json_parse(once.data, once.len, &a, &v, &err) < 0)
		abort();
	write_value(&twice, v);
	if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
		abort();
	return 0;
}
