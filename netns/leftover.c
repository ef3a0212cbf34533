/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/leftover.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "netns/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct leftover {
	char container[NAME_MAX + 1], ifname[IFNAMSIZ], network[NAME_MAX + 1];
	char veth[IFNAMSIZ];
};

void leftover_note(const struct attach *at, struct buf *list)
{
	struct leftover l = { "" };

	snprintf(l.container, sizeof(l.container), "%s", at->container);
	snprintf(l.ifname, sizeof(l.ifname), "%s", at->ifname);
	snprintf(l.network, sizeof(l.network), "%s", at->network);
	attach_name(at, "veth", l.veth);
	buf_add(list, &l, sizeof(l));
}

/*
 * Whether the names are somebody's again. An ADD writes its record before it makes anything, so what was
 * seen before there was a record is what was left. The directory is not kept open: whoever was answered
 * may want to unmount it.
 */
static bool came_again(const char *run_dir, const struct leftover *l)
{
	struct err err;
	struct record record = { .network = { .name = "" } };
	autoarena a = ARENA_INIT;
	autofd run_fd = fd_open(AT_FDCWD, run_dir, O_PATH | O_DIRECTORY);
	int r = run_fd < 0 ? -errno
			   : record_load(run_fd, l->container, l->ifname, &a, &record, &err);

	/* Of one that cannot be read it is not known. */
	return r < 0 ? r != -ENOENT : strcmp(record.network.name, l->network) == 0;
}

static size_t count_of(const struct buf *list)
{
	return list->len / sizeof(struct leftover);
}

static const struct leftover *item(const struct buf *list, size_t i)
{
	return (const struct leftover *)(const void *)list->data + i;
}

void leftovers_links(const char *run_dir, const struct buf *list, struct buf *ret_links)
{
	struct err ignored;
	struct rtnl host;

	if (!list->len || rtnl_open(&host, -1, &ignored) < 0)
		return;
	for (size_t i = 0; i < count_of(list); i++) {
		const struct leftover *l = item(list, i);
		struct link veth;

		/* Its index first: that never becomes the next one's. */
		if (link_find(&host, l->veth, &veth, &ignored) == 0 && !came_again(run_dir, l))
			buf_add(ret_links, &veth.index, sizeof(veth.index));
	}
	rtnl_close(&host);
}
