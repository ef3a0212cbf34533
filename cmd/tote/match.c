/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/match.h"

#include "oci/state.h"

#include <errno.h>
#include <regex.h>

int match_ids(int root, const char *pattern, bool regex, struct arena *a, struct strv *ret_ids,
	      struct err *err)
{
	struct strv all = { NULL, 0 }, found = { NULL, 0 };
	regex_t re;
	int r = 0;

	if (!regex) {
		found.items = arena_calloc(a, 2, sizeof(char *));
		found.items[found.count++] = arena_strdup(a, pattern);
		*ret_ids = found;
		return 0;
	}
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		return err_set(err, EINVAL, "\"%s\" is no regular expression", pattern);
	if (root >= 0)
		r = state_list(root, a, &all, err);
	found.items = arena_calloc(a, all.count + 1, sizeof(char *));
	for (size_t i = 0; r == 0 && i < all.count; i++)
		if (regexec(&re, all.items[i], 0, NULL, 0) == 0)
			found.items[found.count++] = all.items[i];
	regfree(&re);
	if (r == 0)
		*ret_ids = found;
	return r;
}
