/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/volumes.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"
#include "oci/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the image has there; -1: nothing, or no directory. */
static int open_content(int root_fd, const char *path)
{
	return root_fd < 0 ? -1 : fd_open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY);
}

/* Filled under another name: a volume that exists is complete. */
static int make(int dir, const char *name, bool durable, int root_fd, const char *path,
		struct err *err)
{
	autofd content = open_content(root_fd, path), volume = -1;
	char making[NAME_MAX + 1];
	int r;

	snprintf(making, sizeof(making), ".%.200s.new", name);
	r = tree_remove(dir, making);
	if (r < 0)
		return err_code(err, r, "remove what is left of volume %s", name);
	if (fd_make_dir(dir, making, 0755) < 0)
		return err_errno(err, "make volume %s", name);
	volume = fd_open(dir, making, O_RDONLY | O_DIRECTORY);
	r = volume < 0 ? -errno : content >= 0 ? tree_copy(content, volume, NULL) : 0;
	/* Else a power cut could leave it with empty files, and nobody would fill it again. */
	if (r == 0 && durable && syncfs(dir) < 0)
		r = -errno;
	if (r < 0) {
		err_code(err, r, "fill volume %s with the image's %s", name, path);
		tree_remove(dir, making);
		return r;
	}
	/* Another container may have been first: then it is its. */
	if (renameat2(dir, making, dir, name, RENAME_NOREPLACE) < 0) {
		r = errno == EEXIST ? 0 : err_errno(err, "rename volume %s", name);
		tree_remove(dir, making);
	}
	return r;
}

int volume_named(const struct store *s, const char *name, int root_fd, const char *path,
		 struct arena *a, char **ret_path, struct err *err)
{
	autofd dir = fd_open(s->fd, "volumes", O_RDONLY | O_DIRECTORY);
	struct err bad;
	int r = 0;

	if (state_check_id(name, &bad) < 0 || strlen(name) > 128)
		return err_set(err, EINVAL, "\"%s\" is no name of a volume", name);
	if (dir < 0)
		return err_errno(err, "open volumes");
	*ret_path = arena_printf(a, "%s/volumes/%s", s->path, name);
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	/* One at a time: two first users would fill the same one. */
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock volumes");
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		r = make(dir, name, true, root_fd, path, err);
	return r;
}

int volume_anonymous(const struct store *s, const char *container, unsigned int n, int root_fd,
		     const char *path, struct arena *a, char **ret_path, struct err *err)
{
	const char *volumes = arena_printf(a, "containers/%s/volumes", container),
		   *name = arena_printf(a, "%u", n);
	autofd dir = -1;
	int r;

	if (fd_make_dir(s->fd, volumes, 0755) < 0 && errno != EEXIST)
		return err_errno(err, "make %s", volumes);
	dir = fd_open(s->fd, volumes, O_RDONLY | O_DIRECTORY);
	r = dir < 0 ? err_errno(err, "open %s", volumes)
		    : make(dir, name, false, root_fd, path, err);
	*ret_path = arena_printf(a, "%s/%s/%s", s->path, volumes, name);
	return r;
}
