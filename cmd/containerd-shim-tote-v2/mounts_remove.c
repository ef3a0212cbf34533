/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/mounts.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#define MOUNTINFO_MAX (64u << 20)
#define MOUNTINFO_POINT 4 /* proc(5): the field, from 0 */
#define BUSY_TRIES 50
#define BUSY_NAP_MS 20
#define PASSES 64

/* As the kernel names it: without links. The mount itself is not looked at, as its server may be
 * gone. False: there is nothing. */
static bool real_path(const char *target, char *ret, size_t size)
{
	const char *slash = strrchr(target, '/');
	autofree char *dir = slash ? strndup(target, (size_t)(slash - target) + 1) : NULL;
	autofd fd = dir ? fd_open(AT_FDCWD, dir, O_PATH | O_DIRECTORY) : -1;
	char link[32];
	ssize_t n;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, size - 1);
	if (n <= 0 || (size_t)n + strlen(slash) >= size - 1)
		return false;
	strcpy(ret + (n == 1 ? 0 : n), slash);
	return true;
}

/* In place: space, tab, newline and backslash are written as "\040". */
static void unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p; out++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*out = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*out = *p++;
		}
	}
	*out = '\0';
}

/* Mount points at top or below, in the order they were mounted. */
static int list(const char *top, struct arena *a, struct strv *ret, struct err *err)
{
	char *text, *line;
	size_t len, lines = 0;
	int r = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, a, &text, &len, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	ret->items = arena_calloc(a, lines + 1, sizeof(*ret->items));
	ret->count = 0;
	while ((line = strsep(&text, "\n")) && ret->count < lines) {
		char *field = line;

		for (int i = 0; i < MOUNTINFO_POINT; i++)
			strsep(&line, " ");
		field = strsep(&line, " ");
		if (!field)
			continue;
		unescape(field);
		if (file_is_within(field, top))
			ret->items[ret->count++] = field;
	}
	return 0;
}

/* One that somebody holds for good, say by a shell in it, goes from here at once, and from there
 * with its holder: a container has to be deletable. */
static int remove_one(const char *path, int *tries, struct err *err)
{
	const struct timespec nap = { .tv_nsec = BUSY_NAP_MS * 1000000L };
	int flags = UMOUNT_NOFOLLOW;

	while (umount2(path, flags) < 0) {
		/* Gone already. */
		if (errno == EINVAL || errno == ENOENT)
			return 0;
		if (errno != EBUSY || flags & MNT_DETACH)
			return err_errno(err, "unmount %s", path);
		if (*tries > 0 && (*tries)--)
			nanosleep(&nap, NULL);
		else
			flags |= MNT_DETACH;
	}
	return 0;
}

int mounts_remove(const char *target, struct err *err)
{
	char top[PATH_MAX];
	int tries = BUSY_TRIES;

	if (!real_path(target, top, sizeof(top)))
		return 0;
	/* Again, as what was mounted meanwhile is only seen by looking again. */
	for (int pass = 0; pass < PASSES; pass++) {
		autoarena a = ARENA_INIT;
		struct strv points;
		int r = list(top, &a, &points, err);

		if (r == 0 && !points.count)
			return 0;
		for (size_t i = points.count; r == 0 && i--;)
			r = remove_one(points.items[i], &tries, err);
		if (r < 0)
			return r;
	}
	return err_set(err, EBUSY, "unmount %s: it is mounted again and again", target);
}
