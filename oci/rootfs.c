/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/rootfs_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/proc.h"
#include "oci/image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELPER "tote-image"
#define HELPER_TIMEOUT_MS 60000

/*
 * Layers come from anywhere: no extended attribute of theirs may lead to other files (redirect,
 * metacopy), even if the unpacker let one through. "off" would still follow redirects where the
 * kernel is built so. An index and inode numbers across file systems are of no use here.
 */
static const struct {
	const char *key, *value;
} fixed[] = {
	{ "metacopy", "off" },
	{ "redirect_dir", "nofollow" },
	{ "index", "off" },
	{ "xino", "off" },
};

bool rootfs_lacks_lower(const struct rootfs *r)
{
	return r->read_only && r->layers.count == 1;
}

static bool syncs_nothing(const struct rootfs *r)
{
	return r->discard && !r->keep && !r->read_only;
}

int rootfs_check(const struct rootfs *r, struct err *err)
{
	if (!r->store || r->store[0] != '/' || !r->container || !r->layers.count)
		return err_set(err, EINVAL,
			       "root file system: it needs a store, a container's name and layers");
	if (r->layers.count > ROOTFS_LAYERS_MAX)
		return err_set(err, E2BIG, "an image of %zu layers: overlayfs takes at most %d",
			       r->layers.count, ROOTFS_LAYERS_MAX);
	return 0;
}

char *rootfs_mount_point(const struct rootfs *r, struct arena *a)
{
	/* On nothing that a mount in the container has its source below: without privileges those are
	 * looked up when this covers it. Its volumes are beside upper/; what is read-only has none. */
	const char *part = r->read_only ? "" : "/upper";

	return arena_printf(a, "%s/containers/%s%s", r->store, r->container, part);
}

static void add_flag(struct buf *out, const char *key)
{
	buf_add(out, "f", 1);
	buf_add(out, key, strlen(key) + 1);
}

static void add_key(struct buf *out, const char *key)
{
	buf_add(out, "s", 1);
	buf_add(out, key, strlen(key) + 1);
}

static void add_layer(const struct rootfs *r, const char *link, struct buf *out)
{
	add_key(out, "lowerdir+");
	buf_addf(out, "%s/l/%s", r->store, link);
	buf_add(out, "", 1);
}

static void add_part(const struct rootfs *r, const char *key, const char *part, struct buf *out)
{
	add_key(out, key);
	buf_addf(out, "%s/containers/%s/%s", r->store, r->container, part);
	buf_add(out, "", 1);
}

void rootfs_list_rest(const struct rootfs *r, struct buf *out)
{
	add_key(out, "source");
	buf_add(out, "overlay", sizeof("overlay"));
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		add_key(out, fixed[i].key);
		buf_add(out, fixed[i].value, strlen(fixed[i].value) + 1);
	}
	if (r->user_xattr)
		add_flag(out, "userxattr");
	if (syncs_nothing(r))
		add_flag(out, "volatile");
}

void rootfs_list(const struct rootfs *r, struct buf *out)
{
	for (size_t i = 0; i < r->layers.count; i++)
		add_layer(r, r->layers.items[i], out);
	if (rootfs_lacks_lower(r))
		add_layer(r, STORE_PLACES, out);
	if (!r->read_only) {
		add_part(r, "upperdir", "upper", out);
		add_part(r, "workdir", "work", out);
	}
	rootfs_list_rest(r, out);
}

void rootfs_page(const struct rootfs *r, bool links, struct buf *out)
{
	buf_adds(out, "lowerdir=");
	for (size_t i = 0; i < r->layers.count; i++) {
		buf_adds(out, i ? ":" : "");
		if (links)
			buf_adds(out, r->layers.items[i]);
		else
			buf_addf(out, "%zu", i);
	}
	if (rootfs_lacks_lower(r) && links)
		buf_adds(out, ":" STORE_PLACES);
	else if (rootfs_lacks_lower(r))
		buf_adds(out, ":none");
	if (!r->read_only && links)
		buf_addf(out, ",upperdir=../containers/%s/upper,workdir=../containers/%s/work",
			 r->container, r->container);
	else if (!r->read_only)
		buf_adds(out, ",upperdir=upper,workdir=work");
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		buf_addf(out, ",%s=%s", fixed[i].key, fixed[i].value);
	if (r->user_xattr)
		buf_adds(out, ",userxattr");
	if (syncs_nothing(r))
		buf_adds(out, ",volatile");
}

void rootfs_options(const struct rootfs *r, struct buf *out, size_t *ret_page)
{
	autobuf page = BUF_INIT;

	rootfs_list(r, out);
	buf_add(out, "", 1);
	rootfs_page(r, true, &page);
	*ret_page = page.len <= ROOTFS_PAGE ? out->len : 0;
	if (*ret_page)
		buf_add(out, page.data, page.len + 1);
}

void rootfs_text(const struct rootfs *r, bool simple, struct buf *out)
{
	if (simple && rootfs_lacks_lower(r)) {
		buf_addf(out, "layer %s, read-only,", r->layers.items[0]);
		return;
	}
	buf_addf(out, "overlay of %zu layer%s, ", r->layers.count, r->layers.count == 1 ? "" : "s");
	if (r->read_only)
		buf_adds(out, "read-only");
	else
		buf_addf(out, "writable in %s/containers/%s/upper", r->store, r->container);
}

/* Only a process in a user namespace with the user's subordinate ids may remove their files. */
static int remove_by_helper(const char *store, const char *container, struct err *err)
{
	char path[PATH_MAX], *argv[] = { path,
					 (char *)"--store",
					 (char *)store,
					 (char *)"remove-container",
					 (char *)container,
					 NULL };
	int r = proc_sibling(HELPER, path, sizeof(path));

	if (r < 0)
		return err_code(err, r, "find " HELPER);
	r = proc_run(path, argv, NULL, NULL, HELPER_TIMEOUT_MS, NULL, err);
	if (r == 127)
		return err_set(err, ENOENT,
			       "remove the files of container %s: it needs " HELPER
			       ", which is not at %s",
			       container, path);
	return r > 0 ? err->code : r;
}

/* overlayfs leaves a directory that nobody without privilege may open, not even its owner. */
static int open_work(const struct store *s, const char *container)
{
	autobuf path = BUF_INIT;
	autofd work = -1;

	buf_addf(&path, "containers/%s/work", container);
	work = fd_open(s->fd, path.data, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	return work < 0 || fchmodat(work, "work", 0700, 0) < 0 ? -errno : 0;
}

int rootfs_remove(const char *store, const char *container, struct err *err)
{
	autostore s = STORE_INIT;
	int r = store_open(store, false, &s, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (geteuid() != 0)
		open_work(&s, container);
	r = store_container_remove(&s, container, err);
	if ((r == -EACCES || r == -EPERM) && geteuid() != 0)
		r = remove_by_helper(store, container, err);
	return r;
}
