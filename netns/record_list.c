/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/file.h"
#include "netns/record.h"
#include "netns/record_private.h"

#include <errno.h>
#include <string.h>

static void add_broken(struct records *list, const char *container, const char *ifname,
		       const char *why, struct arena *a)
{
	struct record_broken *items = arena_calloc(a, list->broken.count + 1, sizeof(*items));

	if (list->broken.count)
		memcpy(items, list->broken.items, list->broken.count * sizeof(*items));
	items[list->broken.count++] = (struct record_broken){
		.container = arena_strdup(a, container),
		.ifname = ifname ? arena_strdup(a, ifname) : NULL,
		.why = arena_strdup(a, why),
	};
	list->broken.items = items;
}

int record_ifnames(int run_fd, const char *container, struct arena *a, struct strv *ret,
		   struct err *err)
{
	int r = file_list(run_fd, arena_printf(a, ATTACHMENTS "/%s", container), a, ret, err);

	if (r < 0)
		return r;
	for_each (name, ret)
		if ((*name)[0] == ':')
			(*name)[0] = '.';
	return 0;
}

static int list_container(int run_fd, const char *container, struct arena *a, struct records *list,
			  struct err *err)
{
	struct strv names;
	struct record *items;
	int r = record_ifnames(run_fd, container, a, &names, err);

	if (r < 0)
		return r;
	items = arena_calloc(a, list->count + names.count, sizeof(*items));
	if (list->count)
		memcpy(items, list->items, list->count * sizeof(*items));
	list->items = items;
	for_each (name, &names) {
		r = record_load(run_fd, container, *name, a, &items[list->count], err);
		if (r == 0)
			list->count++;
		else if (r != -ENOENT)
			add_broken(list, container, *name, err->msg, a);
	}
	return 0;
}

int record_list(int run_fd, const char *container, struct arena *a, struct records *ret,
		struct err *err)
{
	struct records list = { NULL };
	struct strv containers;
	int r = 0;

	if (container && !record_id_ok(container))
		return err_set(err, EINVAL, "no name of a container");
	if (container)
		r = list_container(run_fd, container, a, &list, err);
	else
		r = file_list(run_fd, ATTACHMENTS, a, &containers, err);
	if (r < 0 && r != -ENOENT)
		return r;
	/* A container may go meanwhile. */
	if (!container && r == 0)
		for_each (name, &containers) {
			r = list_container(run_fd, *name, a, &list, err);
			if (r < 0 && r != -ENOENT)
				add_broken(&list, *name, NULL, err->msg, a);
		}
	*ret = list;
	return 0;
}

const struct record *record_of_key(const struct records *records, const char *key)
{
	for_each (r, records) {
		const struct attach at = { .network = r->network.name,
					   .container = r->container,
					   .ifname = r->ifname };
		char own[ATTACH_KEY_SIZE];

		attach_key(&at, own);
		if (strcmp(own, key) == 0)
			return r;
	}
	return NULL;
}
