/* SPDX-License-Identifier: Apache-2.0 */
/* What the store keeps of a container that runs from an image. */
#include "oci/image/store_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static void write_meta(const struct store_container *c, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_string(&w, "id", c->id);
	json_pair_string(&w, "stateRoot", c->state_root);
	json_pair_string(&w, "image", c->image);
	json_end_object(&w);
	json_writer_done(&w);
}

static int make(int fd, const struct store_container *c, struct err *err)
{
	static const char *const parts[] = { "rootfs", "upper", "work" };
	autobuf meta = BUF_INIT;
	autofd file = -1;
	int r;

	for (size_t i = 0; i < (c->read_only ? 1 : ARRAY_SIZE(parts)); i++)
		if (fd_make_dir(fd, parts[i], 0755) < 0)
			return err_errno(err, "make %s", parts[i]);
	write_meta(c, &meta);
	file = fd_create(fd, "meta", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (file < 0)
		return err_errno(err, "create meta");
	r = fd_write_full(file, meta.data, meta.len);
	return r < 0 ? err_code(err, r, "write meta") : 0;
}

/* The image may have been removed since it was found: then gc may be at its layers. */
static int still_there(const struct store *s, const char *digest, struct err *err)
{
	char path[STORE_NAME_SIZE];

	store_image_path(digest, path);
	return faccessat(s->fd, path, F_OK, 0) < 0 ? err_errno(err, "image %.19s", digest) : 0;
}

int store_container_new(const struct store *s, const struct store_container *c, struct arena *a,
			char **ret_name, int *ret_fd, struct err *err)
{
	autofd lock = store_lock(s, false, err), fd = -1;
	char random[17];
	char *path;
	int r;

	if (lock < 0)
		return lock;
	r = still_there(s, c->image, err);
	if (r < 0)
		return r;
	store_random(random);
	/* Ids are file names of up to 255 bytes: there is no room for all of a long one. */
	path = arena_printf(a, "containers/%.200s-%s", c->id, random);
	if (mkdirat(s->fd, path, 0700) < 0)
		return err_errno(err, "make %s/%s", s->path, path);
	fd = fd_open(s->fd, path, O_RDONLY | O_DIRECTORY);
	if (fd >= 0)
		flock(fd, LOCK_SH);
	r = fd < 0 ? err_errno(err, "open %s", path) : make(fd, c, err);
	if (r < 0) {
		tree_remove(s->fd, path);
		return err_prefix(err, "%s/%s", s->path, path);
	}
	*ret_fd = take_fd(&fd);
	*ret_name = path + strlen("containers/");
	return 0;
}

int store_container_remove(const struct store *s, const char *name, struct err *err)
{
	char path[STORE_NAME_SIZE + 16];
	int r;

	if (!name[0] || name[0] == '.' || strchr(name, '/'))
		return err_set(err, EINVAL, "\"%s\" is no container's directory", name);
	snprintf(path, sizeof(path), "containers/%s", name);
	store_ids_release(s, name);
	r = tree_remove(s->fd, path);
	return r < 0 ? err_code(err, r, "remove %s/%s", s->path, path) : 0;
}
