/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is still to be done are names in one buffer: those of a group's children behind an empty one, which
 * stands for the group itself. A child that is gone into stays in front of its own empty one:
 *
 *	""  a  b  ""  x  y	in b, which is to be left when y and x are done; then comes a
 */
#include "cgroups/cg.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

static void push(struct cg_walk *w, const char *name)
{
	buf_add(&w->names, name, strlen(name) + 1);
}

static const char *last(const struct cg_walk *w)
{
	const char *before = memrchr(w->names.data, '\0', w->names.len - 1);

	return before ? before + 1 : w->names.data;
}

static void pop(struct cg_walk *w)
{
	w->names.len = (size_t)(last(w) - w->names.data);
}

/* One that is removed meanwhile has no children. */
static int list_children(struct cg_walk *w)
{
	int again = fd_open(w->fd, ".", OPEN_DIR), r = 0;
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *de;

	push(w, "");
	if (!dir) {
		r = -errno;
		cleanup_fd(&again);
		return is_gone(r) ? 0 : r;
	}
	while (errno = 0, (de = readdir(dir)))
		if (de->d_type == DT_DIR && strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			push(w, de->d_name);
	r = -errno;
	closedir(dir);
	return is_gone(r) ? 0 : r;
}

static int step_to(struct cg_walk *w, const char *name)
{
	int next = fd_open(w->fd, name, OPEN_DIR);

	if (next < 0)
		return -errno;
	close(w->fd);
	w->fd = next;
	return 0;
}

int cg_walk_first(struct cg_walk *w, int fd, enum cg_order order, const struct deadline *end)
{
	int r;

	*w = (struct cg_walk){ .order = order, .end = end, .names = BUF_INIT };
	w->fd = fd_open(fd, ".", OPEN_DIR);
	if (w->fd < 0)
		return -errno;
	r = list_children(w);
	if (r < 0)
		return r;
	return order == CG_DOWN ? 1 : cg_walk_next(w);
}

/* Goes into the last group: 1, or 0 when it is gone. */
static int enter(struct cg_walk *w)
{
	int r = step_to(w, last(w));

	if (is_gone(r)) {
		pop(w);
		return 0;
	}
	if (r == 0)
		r = list_children(w);
	return r < 0 ? r : 1;
}

/* Goes back to where the last group is: 1, or 0 when it is the one where the walk began. */
static int leave(struct cg_walk *w)
{
	int r;

	pop(w);
	if (!w->names.len)
		return 0;
	r = step_to(w, "..");
	return r < 0 ? r : 1;
}

int cg_walk_next(struct cg_walk *w)
{
	bool down;
	int r;

	do {
		if (w->name)
			pop(w);
		w->name = NULL;
		if (!w->names.len)
			return 0;
		if (deadline_passed(w->end))
			return -ETIMEDOUT;
		down = *last(w);
		r = down ? enter(w) : leave(w);
		if (r > 0 && !down)
			w->name = last(w);
	} while (r == 0 || (r > 0 && down != (w->order == CG_DOWN)));
	return r;
}

int cg_walk_path(const struct cg_walk *w, char *ret_path, size_t size)
{
	const char *end = w->names.data + w->names.len;
	size_t len = 0;

	ret_path[0] = '\0';
	for (const char *name = w->names.data; name < end; name += strlen(name) + 1) {
		size_t part = strlen(name);

		if (!part || name + part + 1 == end || name[part + 1])
			continue;
		if (len + 1 + part >= size)
			return -ENAMETOOLONG;
		ret_path[len] = '/';
		memcpy(ret_path + len + 1, name, part + 1);
		len += 1 + part;
	}
	return 0;
}

void cg_walk_done(struct cg_walk *w)
{
	cleanup_fd(&w->fd);
	buf_done(&w->names);
}
