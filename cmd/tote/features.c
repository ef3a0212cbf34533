/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/features.h"

#include "cmd/tote/tote.h"

#include <stdio.h>

static const struct option_table table = { NULL, 0, false };

static int run(char **args, size_t count, void *opts)
{
	autobuf out = BUF_INIT;

	(void)args;
	(void)count;
	(void)opts;
	features_write(&out);
	printf("%s\n", buf_str(&out));
	return 0;
}

const struct verb verb_features = { "features", "", "print what this runtime can do as JSON",
				    &table,	0,  0,
				    run,	0,  0 };
