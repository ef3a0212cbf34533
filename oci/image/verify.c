/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/verify.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/hash.h"
#include "oci/image/split.h"
#include "oci/image/store_private.h"
#include "oci/image/verify_private.h"
#include "oci/image/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MARK "damaged"
/* The decoder of the split file, and libarchive. */
#define MEMORY ((size_t)192 << 20)

struct looking {
	const struct store_layer *layer;
	enum verify_depth depth;
	int root, split;
	struct verify_names *names; /* shared with the process that reads the stream */
};

static int look(void *arg, struct err *err)
{
	struct looking *l = arg;

	int r = l->depth == VERIFY_DEEP ? verify_stream(l->split, l->root, l->layer, l->names, err)
					: split_check(l->split, l->root, err);

	return r == -ENOENT ? err->code = -EBADMSG : r;
}

/* In a confined process: the names in the split file are a stranger's. */
static int look_confined(struct looking *l, struct err *err)
{
	const int keep[] = { l->root, l->split };
	const struct confine_opts confine = { .root_fd = l->root,
					      .keep = keep,
					      .keep_count = ARRAY_SIZE(keep),
					      .memory = MEMORY,
					      .read = true };
	struct worker w = WORKER_INIT;
	int r = worker_start(&confine, look, l, &w, err);

	return r < 0 ? r : worker_wait(&w, err);
}

/* The tree against sums of it: all of them are there, but in layers that an earlier version took in. */
static int compare_sums(const struct looking *l, struct err *err)
{
	const struct store_layer *layer = l->layer;
	bool deep = l->depth == VERIFY_DEEP;
	struct verify_sums now;
	int r;

	if (!layer->tree)
		return 0;
	r = verify_tree_sum(l->root, deep, layer->user_xattr, &now, err);
	if (r < 0)
		return r;
	if (strcmp(now.quick, layer->tree) != 0 ||
	    (deep && layer->tree_deep && strcmp(now.deep, layer->tree_deep) != 0))
		return err_set(err, EBADMSG, "its files are not what they were");
	if (deep && layer->tree_xattrs && strcmp(now.xattrs, layer->tree_xattrs) != 0)
		return err_set(err, EBADMSG,
			       "extended attributes or hard links are not what they were");
	return 0;
}

/* All that the stream has was found to be there. */
static int compare_names(const struct looking *l, struct err *err)
{
	struct verify_names there;
	int r = verify_count_names(l->root, l->layer->user_xattr, &there, err);

	if (r < 0)
		return r;
	if (there.count != l->names->count)
		return err_set(err, EBADMSG, "it has %llu files, and should have %llu",
			       (unsigned long long)there.count,
			       (unsigned long long)l->names->count);
	if (there.opaque != l->names->opaque)
		return err_set(err, EBADMSG,
			       "other directories hide what is below them than it says");
	return 0;
}

/* Names are only read and compared: nothing is parsed, and nothing followed. */
static int compare_tree(const struct looking *l, struct err *err)
{
	if (l->layer->whole)
		return compare_sums(l, err);
	return l->depth == VERIFY_DEEP ? compare_names(l, err) : 0;
}

static int look_at(struct looking *l, struct err *err)
{
	int r;

	l->names = worker_share(sizeof(*l->names));
	if (!l->names)
		return err_errno(err, "share memory with a process");
	r = look_confined(l, err);
	if (r == 0)
		r = compare_tree(l, err);
	worker_unshare(l->names, sizeof(*l->names));
	return r;
}

/* So that the next load takes the layer in again, whatever a quick look says. */
static void condemn(int dir)
{
	int fd = fd_create(dir, MARK, O_WRONLY | O_CREAT, 0600);

	if (fd >= 0)
		close(fd);
}

/* Without it nothing can be run, however whole the layer is. */
static bool has_link(const struct store *s, const struct store_layer *layer, struct arena *a)
{
	const char *target = arena_printf(a, "../layers/%s/fs", layer->id);
	char found[STORE_NAME_SIZE];
	ssize_t len = readlinkat(s->fd, arena_printf(a, "l/%s", layer->link), found, sizeof(found));

	return len == (ssize_t)strlen(target) && memcmp(found, target, (size_t)len) == 0;
}

static int cannot_open(const struct store_layer *layer, struct err *err)
{
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return err_errno(err, "layer %.19s", layer->diff_id);
	return err_set(err, EBADMSG, "layer %.19s: parts of it are missing: %s", layer->diff_id,
		       err_text(errno));
}

int verify_layer(const struct store *s, const struct store_layer *layer, enum verify_depth depth,
		 struct err *err)
{
	autoarena a = ARENA_INIT;
	autofd dir = fd_open(s->fd, arena_printf(&a, "layers/%s", layer->id),
			     O_RDONLY | O_DIRECTORY),
	       root = -1, split = -1;
	struct looking looking;
	int r;

	if (dir >= 0 && depth == VERIFY_QUICK && faccessat(dir, MARK, F_OK, 0) == 0)
		return err_set(err, EBADMSG, "layer %.19s was found damaged before",
			       layer->diff_id);
	if (dir >= 0) {
		root = fd_open(dir, "fs", O_RDONLY | O_DIRECTORY);
		split = fd_open(dir, "split", O_RDONLY);
	}
	if (dir < 0 || root < 0 || split < 0)
		return cannot_open(layer, err);
	if (!has_link(s, layer, &a))
		return err_set(err, EBADMSG, "layer %.19s: its short name is missing",
			       layer->diff_id);
	looking = (struct looking){ layer, depth, root, split, NULL };
	r = look_at(&looking, err);
	if (r == -EBADMSG)
		condemn(dir);
	/* Whoever harmed it may have put back what was there. */
	if (r == 0 && depth == VERIFY_DEEP)
		unlinkat(dir, MARK, 0);
	return r < 0 ? err_prefix(err, "layer %.19s", layer->diff_id) : 0;
}

static int verify_document(const struct store *s, const char *digest, struct err *err)
{
	autoarena a = ARENA_INIT;
	char found[DIGEST_SIZE], *text;
	struct hash *h;
	size_t len;
	int r = store_blob(s, digest, &a, &text, &len, err);

	if (r < 0)
		return r == -ENOENT ? err->code = -EBADMSG : r;
	h = hash_new(digest);
	hash_add(h, text, len);
	hash_finish(h, found);
	return strcmp(found, digest) == 0
		       ? 0
		       : err_set(err, EBADMSG, "document %.19s is damaged", digest);
}

int verify_image(const struct store *s, const struct store_image *image, enum verify_depth depth,
		 struct err *err)
{
	int r = verify_document(s, image->digest, err);

	if (r == 0)
		r = verify_document(s, image->config, err);
	/* All of them, as the next load repairs those that were found damaged. */
	for (size_t i = 0; (r == 0 || r == -EBADMSG) && i < image->layers.count; i++) {
		struct err why;
		int its = verify_layer(s, &image->layers.items[i], depth, &why);

		if (its < 0 && (r == 0 || its != -EBADMSG)) {
			*err = why;
			r = its;
		}
	}
	return r;
}
