/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"

#include "lib/proc.h"

#include <limits.h>

static int run(const struct spec_hook *h, const char *bundle, const char *state_json,
	       const struct deadline *deadline, struct err *err)
{
	static char *none[] = { NULL };
	char *path_only[] = { h->path, NULL };
	/* argv[0] is what the spec says; the program is found by path. */
	char **argv = h->args.count ? h->args.items : path_only;
	int timeout = h->timeout.set
			      ? (h->timeout.value > INT_MAX / 1000 ? INT_MAX
								   : (int)h->timeout.value * 1000)
			      : -1;

	/* The spec does not say where; other runtimes choose the bundle, and hooks count on it. */
	return proc_run_in(bundle, h->path, argv, h->env.count ? h->env.items : none, state_json,
			   deadline_left(deadline, timeout), NULL, err);
}

int hooks_run(const struct spec *spec, enum hook_kind kind, const char *bundle,
	      const char *state_json, const struct deadline *deadline, struct err *err)
{
	int r = 0;

	for_each (h, &spec->hooks.list[kind]) {
		struct err one;

		if (run(h, bundle, state_json, deadline, &one) == 0)
			continue;
		if (r == 0) {
			*err = one;
			r = err_prefix(err, "%s hook", hook_kind_name(kind));
		}
		if (kind != HOOK_POSTSTOP)
			break;
	}
	return r;
}
