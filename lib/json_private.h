/* SPDX-License-Identifier: Apache-2.0 */
/* What lib/json*.c share and nobody else sees: the path to the value at hand, and memory for yajl.
 */
#ifndef LIB_JSON_PRIVATE_H
#define LIB_JSON_PRIVATE_H

#include "lib/json.h"

#include <yajl/yajl_common.h>

struct json_path_part {
	const char *key; /* NULL: an index */
	size_t index;
};

struct json_ctx {
	struct arena *arena;
	struct err *err;
	size_t depth;
	/* A check may push a little deeper than the document goes. */
	struct json_path_part parts[JSON_MAX_DEPTH + 8];
};

/* yajl does not look whether memory was granted: these end the process when it was not, as
 * lib/arena.h does. */
extern yajl_alloc_funcs json_yajl_memory;

#endif
