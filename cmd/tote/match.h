/* SPDX-License-Identifier: Apache-2.0 */
/* Which containers an ID argument means: kill and delete take a regular expression. */
#ifndef CMD_TOTE_MATCH_H
#define CMD_TOTE_MATCH_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

/* The id itself, or with regex (POSIX extended) all that match; ids in the arena. No match is no
 * error. */
int match_ids(int root, const char *pattern, bool regex, struct arena *a, struct strv *ret_ids,
	      struct err *err);

#endif
