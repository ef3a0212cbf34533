/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/compose.h"

#include <errno.h>
#include <string.h>

int find_paths(struct arena *a, struct supervise_paths *ret, struct err *err)
{
	return supervise_paths(globals.rootless, a, ret, err);
}

int check_format(const char *format, bool *ret_json, struct err *err)
{
	*ret_json = format && strcmp(format, "json") == 0;
	if (*ret_json || !format || strcmp(format, "table") == 0)
		return 0;
	return err_set(err, EINVAL, "--format: expected table or json, found \"%s\"", format);
}
