/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the project of that name is the one that is meant: directories of one name are common. */
#include "cmd/tote-compose/up.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What came by stdin is from nowhere; another file of the directory is the same project's. */
static bool is_elsewhere(const char *then, const char *now)
{
	const char *then_end = then ? strrchr(then, '/') : NULL, *now_end = strrchr(now, '/');

	return then_end && now_end &&
	       (then_end - then != now_end - now ||
		memcmp(then, now, (size_t)(now_end - now)) != 0);
}

int up_check_source(const struct supervise_paths *paths, const struct desired_project *p,
		    bool named, struct arena *a, struct err *err)
{
	autofd state = paths->state ? fd_open(AT_FDCWD, paths->state, O_RDONLY | O_DIRECTORY) : -1;
	struct desired_project stored = { 0 };
	struct err ignored;

	/* Without a place, or one that cannot be read, there is nothing that it could take: who
	 * asks for the change, the supervisor, says what is wrong. */
	if (state < 0 || desired_load(state, p->name, a, &stored, &ignored) < 0 ||
	    !is_elsewhere(stored.source, p->source))
		return 0;
	if (!named && access(stored.source, F_OK) == 0)
		return err_set(err, EEXIST,
			       "the project \"%s\" is that of %s: name this one (--project, or "
			       "\"name\" in the file); by the same name it takes its place",
			       p->name, stored.source);
	log_warning("project %s: %s takes the place of %s", p->name, p->source, stored.source);
	return 0;
}
