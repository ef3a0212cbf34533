/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/ingest.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/tree.h"
#include "oci/image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SWEPT_MAX 64

struct swept {
	char *name;
	int lease; /* locked by us now, or -1: it never had one */
};

/* A directory whose maker is gone: its lease can be locked, or was never made. */
static bool is_dead(int ingest_fd, const char *name, int *ret_lease)
{
	char path[STORE_NAME_SIZE];
	autofd lease = -1;

	snprintf(path, sizeof(path), "%.200s/lease", name);
	lease = fd_open(ingest_fd, path, O_RDWR);
	if (lease < 0 && errno != ENOENT && errno != ENOTDIR)
		return false;
	if (lease >= 0 && flock(lease, LOCK_EX | LOCK_NB) < 0)
		return false;
	*ret_lease = take_fd(&lease);
	return true;
}

/*
 * Makers hold the store's lock until they hold their lease, so under ours nobody is in between.
 * What we take over is removed after it, as that may take long.
 */
static int take_over_dead(const struct store *s, int ingest_fd, struct arena *a,
			  struct swept *swept, size_t *ret_count, struct err *err)
{
	autofd lock = store_lock(s, true, err);
	struct strv names = { NULL, 0 };
	size_t count = 0;
	int r = lock < 0 ? lock : file_list(ingest_fd, ".", a, &names, err);

	for (size_t i = 0; r == 0 && i < names.count && count < SWEPT_MAX; i++)
		if (is_dead(ingest_fd, names.items[i], &swept[count].lease))
			swept[count++].name = names.items[i];
	*ret_count = count;
	return r;
}

static int sweep_some(const struct store *s, size_t *ret_count, struct err *err)
{
	autofd ingest_fd = fd_open(s->fd, "ingest", O_RDONLY | O_DIRECTORY);
	struct swept swept[SWEPT_MAX];
	autoarena a = ARENA_INIT;
	struct strv names = { NULL, 0 };
	size_t count = 0;
	int r = ingest_fd < 0 ? err_errno(err, "open ingest")
			      : file_list(ingest_fd, ".", &a, &names, err);

	if (r == 0 && names.count)
		r = take_over_dead(s, ingest_fd, &a, swept, &count, err);
	for (size_t i = 0; i < count; i++) {
		int removed = tree_remove(ingest_fd, swept[i].name);

		if (removed < 0 && r == 0)
			r = err_code(err, removed, "remove ingest/%s", swept[i].name);
		if (swept[i].lease >= 0)
			close(swept[i].lease);
	}
	*ret_count = count;
	return r;
}

int ingest_sweep(const struct store *s, struct err *err)
{
	size_t count;
	int r;

	do {
		r = sweep_some(s, &count, err);
	} while (r == 0 && count == SWEPT_MAX);
	return r;
}

static int make(const struct store *s, struct ingest *in, struct err *err)
{
	autofd lock = store_lock(s, false, err);
	char random[17];

	if (lock < 0)
		return lock;
	store_random(random);
	if (asprintf(&in->path, "ingest/%s", random) < 0) {
		in->path = NULL;
		return err_code(err, ENOMEM, "ingest");
	}
	if (mkdirat(s->fd, in->path, 0700) < 0)
		return err_errno(err, "make %s", in->path);
	in->fd = fd_open(s->fd, in->path, O_RDONLY | O_DIRECTORY);
	in->lease =
		in->fd < 0 ? -1
			   : fd_create(in->fd, "lease", O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0600);
	if (in->lease < 0 || flock(in->lease, LOCK_EX) < 0)
		return err_errno(err, "make %s/lease", in->path);
	return 0;
}

int ingest_open(const struct store *s, struct ingest *ret, struct err *err)
{
	autoingest in = INGEST_INIT;
	int r = ingest_sweep(s, err);

	in.store = s;
	if (r == 0)
		r = make(s, &in, err);
	if (r < 0)
		return err_prefix(err, "image store %s", s->path);
	*ret = in;
	in = (struct ingest)INGEST_INIT;
	return 0;
}

void ingest_close(struct ingest *in)
{
	if (in->fd >= 0)
		close(in->fd);
	/* The lease last: until then nobody else may think it dead. */
	if (in->path)
		tree_remove(in->store->fd, in->path);
	if (in->lease >= 0)
		close(in->lease);
	free(in->path);
	*in = (struct ingest)INGEST_INIT;
}

int ingest_rely(struct ingest *in, const struct strv *ids, struct err *err)
{
	autofd lock = store_lock(in->store, false, err);
	autobuf text = BUF_INIT;
	int r;

	if (lock < 0)
		return lock;
	for_each (id, ids)
		buf_addf(&text, "%s\n", *id);
	r = fd_write_full(in->lease, buf_str(&text), text.len);
	return r < 0 ? err_code(err, r, "write %s/lease", in->path) : 0;
}

int ingest_rely_image(struct ingest *in, const struct store_image *image, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct strv ids = { arena_calloc(&a, image->layers.count + 1, sizeof(*ids.items)), 0 };

	for_each (layer, &image->layers)
		ids.items[ids.count++] = layer->id;
	return ingest_rely(in, &ids, err);
}

int store_layer_load(const struct store *s, const char *id, struct arena *a,
		     struct store_layer *ret, struct err *err)
{
	const char *path = arena_printf(a, "layers/%s/meta", id);
	char *text;
	size_t len;
	int r = file_read(s->fd, path, JSON_MAX_SIZE, a, &text, &len, err);

	if (r == 0)
		r = store_layer_parse(text, len, a, ret, err);
	return r < 0 ? err_prefix(err, "layer %.16s", id) : 0;
}

/* A name from the id's own digits, so that it is the same again; further ones where layers share
 * them. */
int store_layer_link(const struct store *s, const char *id, struct arena *a, char **ret_link,
		     struct err *err)
{
	const char *digits = strncmp(id, "chain-", 6) == 0 ? id + 6 : id,
		   *target = arena_printf(a, "../layers/%s/fs", id);

	for (size_t i = 0; i + 8 <= strlen(digits); i++) {
		char *path = arena_printf(a, "l/%.8s", digits + i), found[STORE_NAME_SIZE];
		ssize_t len;

		*ret_link = path + 2;
		if (symlinkat(target, s->fd, path) == 0)
			return 0;
		if (errno != EEXIST)
			return err_errno(err, "link %s", path);
		len = readlinkat(s->fd, path, found, sizeof(found) - 1);
		if (len > 0 && (size_t)len == strlen(target) &&
		    memcmp(found, target, (size_t)len) == 0)
			return 0;
	}
	return err_set(err, EEXIST, "no name is left for layer %.16s", id);
}
