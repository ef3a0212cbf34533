/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json_file.h"

#include "lib/file.h"

int json_read_file(int dirfd, const char *path, size_t max, struct arena *a,
		   struct json_value **ret_value, struct err *err)
{
	size_t len;
	char *text;
	int r = file_read(dirfd, path, max, a, &text, &len, err);

	/* That names the file itself. */
	if (r < 0)
		return r;
	r = json_parse(text, len, a, ret_value, err);
	return r < 0 ? err_prefix(err, "%s", path) : 0;
}

int json_decode_file(int dirfd, const char *path, size_t max, const struct json_table *table,
		     struct arena *a, void *out, struct err *err)
{
	struct json_value *root;
	int r = json_read_file(dirfd, path, max, a, &root, err);

	if (r < 0)
		return r;
	r = json_decode(root, table, a, out, err);
	return r < 0 ? err_prefix(err, "%s", path) : 0;
}

int json_decode_text(const char *text, size_t len, const struct json_table *table, struct arena *a,
		     void *out, struct err *err)
{
	struct json_value *root;
	int r = json_parse(text, len, a, &root, err);

	return r < 0 ? r : json_decode(root, table, a, out, err);
}
