/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that is in a file or at hand as text, down to the struct that a table describes: what
 * file_read(), json_parse() and json_decode() do one after the other. For all who keep records.
 */
#ifndef LIB_JSON_FILE_H
#define LIB_JSON_FILE_H

#include "lib/json.h"

/*
 * The tree of a file of at most max bytes, in the arena. 0, or -errno with a message that names the
 * file: that of file_read(), or -EINVAL for what is in it.
 */
int json_read_file(int dirfd, const char *path, size_t max, struct arena *a,
		   struct json_value **ret_value, struct err *err);

/* Into out, which the caller has zeroed or filled with defaults, as json_decode() does. */
int json_decode_file(int dirfd, const char *path, size_t max, const struct json_table *table,
		     struct arena *a, void *out, struct err *err);
int json_decode_text(const char *text, size_t len, const struct json_table *table, struct arena *a,
		     void *out, struct err *err);

#endif
