/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/supervise/paths.h"

#include <errno.h>
#include <stdlib.h>

/* What a variable says, or NULL: the XDG base directory specification ignores relative paths. */
static const char *absolute_of(const char *variable)
{
	const char *value = getenv(variable);

	return value && value[0] == '/' ? value : NULL;
}

static int paths_of_user(struct arena *a, struct supervise_paths *ret, struct err *err)
{
	const char *run = absolute_of("XDG_RUNTIME_DIR"), *data = absolute_of("XDG_DATA_HOME");
	const char *home = absolute_of("HOME");

	if (!data && !home)
		return err_set(err, ENOENT, "neither XDG_DATA_HOME nor HOME is set");
	ret->state = data ? arena_printf(a, "%s/tote-supervise", data)
			  : arena_printf(a, "%s/.local/share/tote-supervise", home);
	ret->log = arena_printf(a, "%s/log", ret->state);
	if (!run)
		return err_set(err, ENOENT,
			       "XDG_RUNTIME_DIR is not set: there is no directory to run in");
	ret->run = arena_printf(a, "%s/tote-supervise", run);
	return 0;
}

int supervise_paths(bool rootless, struct arena *a, struct supervise_paths *ret, struct err *err)
{
	const char *all = getenv("TOTE_SUPERVISE_DIR");

	if (all && all[0]) {
		if (all[0] != '/')
			return err_set(err, EINVAL, "TOTE_SUPERVISE_DIR: %s is no absolute path",
				       all);
		ret->state = arena_printf(a, "%s/state", all);
		ret->log = arena_printf(a, "%s/log", all);
		ret->run = arena_printf(a, "%s/run", all);
		return 0;
	}
	if (rootless)
		return paths_of_user(a, ret, err);
	*ret = (struct supervise_paths){ arena_strdup(a, "/var/lib/tote-supervise"),
					 arena_strdup(a, "/var/log/tote"),
					 arena_strdup(a, "/run/tote-supervise") };
	return 0;
}
