/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/supervise/desired.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct digests {
	struct strv *list;
	size_t room;
	struct arena *a;
};

static void add(struct digests *d, const char *digest)
{
	if (d->list->count == d->room) {
		char **items = arena_calloc(d->a, d->room = d->room * 2 + 16, sizeof(*items));

		if (d->list->count)
			memcpy(items, d->list->items, d->list->count * sizeof(*items));
		d->list->items = items;
	}
	d->list->items[d->list->count++] = arena_strdup(d->a, digest);
}

static int add_project(struct digests *d, int state, const char *project, struct err *err)
{
	struct desired_project p;
	autoarena a = ARENA_INIT;
	int r = desired_load(state, project, &a, &p, err);

	/* Taken down since the directory was read. */
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for_each (s, &p.services)
		for (const struct desired_service *v = s; v; v = v->previous)
			add(d, v->digest);
	return 0;
}

int desired_images(const char *state_path, struct arena *a, struct strv *ret, struct err *err)
{
	autofd state = fd_open(AT_FDCWD, state_path, O_RDONLY | O_DIRECTORY);
	struct digests d = { .list = ret, .a = a };
	struct strv names;
	int r;

	*ret = (struct strv){ 0 };
	if (state < 0)
		return errno == ENOENT ? 0 : err_errno(err, "%s", state_path);
	r = file_list(state, ".", a, &names, err);
	for (size_t n = 0; r == 0 && n < names.count; n++) {
		char *end = strrchr(names.items[n], '.');

		if (!end || strcmp(end, ".json") != 0)
			continue;
		*end = '\0';
		if (desired_is_project_name(names.items[n]))
			r = add_project(&d, state, names.items[n], err);
	}
	return r < 0 ? err_prefix(err, "%s", state_path) : 0;
}
