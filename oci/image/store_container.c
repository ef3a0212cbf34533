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
	static const char *const parts[] = { "upper", "work" };
	autobuf meta = BUF_INIT;
	autofd file = -1;
	int r;

	for (size_t i = 0; !c->read_only && i < ARRAY_SIZE(parts); i++)
		if (fd_make_dir(fd, parts[i], 0755) < 0)
			return err_errno(err, "make %s", parts[i]);
	write_meta(c, &meta);
	file = fd_create(fd, "meta", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (file < 0)
		return err_errno(err, "create meta");
	r = fd_write_full(file, meta.data, meta.len);
	return r < 0 ? err_code(err, r, "write meta") : 0;
}

/*
 * A mount needs a file or a directory to be mounted on. One that is missing in the image would cost
 * a file in upper/, and a copy of the directory that it is in. Not synced: what a power cut takes is
 * made there.
 */
static int make_places(const struct store *s, struct err *err)
{
	static const struct {
		const char *path;
		bool file;
	} places[] = {
		{ "places", false },
		{ "places/dev", false },
		{ "places/proc", false },
		{ "places/sys", false },
		{ "places/etc", false },
		{ "places/etc/hosts", true },
		{ "places/etc/resolv.conf", true },
	};

	if (faccessat(s->fd, places[ARRAY_SIZE(places) - 1].path, F_OK, 0) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *path = places[i].path;
		int r = places[i].file ? mknodat(s->fd, path, S_IFREG | 0644, 0)
				       : mkdirat(s->fd, path, 0755);

		if ((r < 0 && errno != EEXIST) ||
		    fchmodat(s->fd, path, places[i].file ? 0644 : 0755, 0) < 0)
			return err_errno(err, "make %s", path);
	}
	return 0;
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
	if (r == 0)
		r = make_places(s, err);
	if (r < 0)
		return r;
	store_random(random);
	/* Ids are file names of up to 255 bytes: there is no room for all of a long one. */
	path = arena_printf(a, "containers/%.200s-%s", c->id, random);
	/* To mount on it root of a container's user namespace has to be able to search it. */
	if (fd_make_dir(s->fd, path, 0755) < 0)
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

void store_container_unmark(int fd)
{
	autofd work = fd_open(fd, "work/work", O_PATH | O_DIRECTORY | O_NOFOLLOW);

	if (work < 0)
		return;
	unlinkat(work, "incompat/volatile/dirty", 0);
	unlinkat(work, "incompat/volatile", AT_REMOVEDIR);
	unlinkat(work, "incompat", AT_REMOVEDIR);
}

/* All of one that wrote nothing, by their names: without a look into each directory. */
static int remove_known(const struct store *s, const char *path)
{
	autofd dir = fd_open(s->fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);

	return dir >= 0 && unlinkat(dir, "work/work", AT_REMOVEDIR) == 0 &&
			       unlinkat(dir, "work", AT_REMOVEDIR) == 0 &&
			       unlinkat(dir, "upper", AT_REMOVEDIR) == 0 &&
			       unlinkat(dir, "meta", 0) == 0 &&
			       unlinkat(s->fd, path, AT_REMOVEDIR) == 0
		       ? 0
		       : -errno;
}

int store_container_remove(const struct store *s, const char *name, struct err *err)
{
	char path[STORE_NAME_SIZE + 16];
	int r;

	if (!name[0] || name[0] == '.' || strchr(name, '/'))
		return err_set(err, EINVAL, "\"%s\" is no container's directory", name);
	snprintf(path, sizeof(path), "containers/%s", name);
	store_ids_release(s, name);
	r = remove_known(s, path) < 0 ? tree_remove(s->fd, path) : 0;
	return r < 0 ? err_code(err, r, "remove %s/%s", s->path, path) : 0;
}
