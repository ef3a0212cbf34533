/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/gc.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/tree.h"
#include "oci/image/digest.h"
#include "oci/image/ingest.h"
#include "oci/image/reference.h"
#include "oci/image/store_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LEASE_MAX ((size_t)16 << 20)

struct collection {
	const struct store *s;
	unsigned int flags;
	const struct strv *needed;
	struct arena *a;
	struct strv marked; /* paths below the store, sorted once all are there */
	size_t room;
	bool living; /* a container of the store, or an operation that relies on layers */
	struct gc_result result;
	size_t result_room;
	struct err *err;
};

static void mark(struct collection *c, const char *path)
{
	if (c->marked.count == c->room) {
		char **items =
			arena_calloc(c->a, c->room = c->room ? c->room * 2 : 64, sizeof(*items));

		if (c->marked.count)
			memcpy(items, c->marked.items, c->marked.count * sizeof(*items));
		c->marked.items = items;
	}
	c->marked.items[c->marked.count++] = arena_strdup(c->a, path);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_marked(const struct collection *c, const char *path)
{
	/* Which of the containers have it mounted is not known. */
	if (c->living && strncmp(path, "layers/" STORE_OLD, strlen("layers/" STORE_OLD)) == 0)
		return true;
	return c->marked.count &&
	       bsearch(&path, c->marked.items, c->marked.count, sizeof(*c->marked.items), by_text);
}

/* -ENOENT: it has no record. Of one that cannot be read nobody knows which layers it needs: then
 * nothing is removed. */
static int mark_image(struct collection *c, const char *digest)
{
	struct store_image image;
	char path[STORE_NAME_SIZE];
	int r = store_image_load(c->s, digest, c->a, &image, c->err);

	store_image_path(digest, path);
	if (r == -EBADMSG)
		return err_set(c->err, EBADMSG,
			       "%s is damaged, load its image again or remove it by rmi --force "
			       "%.12s",
			       path, digest_hex(digest));
	if (r < 0)
		return err_prefix(c->err, "%s", path);
	mark(c, path);
	store_blob_path(digest, path);
	mark(c, path);
	store_blob_path(image.config, path);
	mark(c, path);
	for_each (layer, &image.layers) {
		mark(c, arena_printf(c->a, "layers/%s", layer->id));
		mark(c, arena_printf(c->a, "l/%s", layer->link));
	}
	return 0;
}

static int mark_references(struct collection *c)
{
	struct strv files;
	int r = file_list(c->s->fd, "refs", c->a, &files, c->err);

	for (size_t i = 0; r == 0 && i < files.count; i++) {
		char *reference = reference_from_file(files.items[i], c->a), *digest;

		if (!reference)
			continue;
		r = store_ref(c->s, reference, c->a, &digest, c->err);
		if (r == -EBADMSG)
			return err_prefix(c->err,
					  "%s is damaged, load it again or remove it by rmi",
					  reference);
		if (r == 0)
			r = mark_image(c, digest);
		if (r == -EBADMSG)
			return err_prefix(c->err, "%s", reference);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

static int mark_needed(struct collection *c)
{
	int r = 0;

	for (size_t i = 0; (r == 0 || r == -ENOENT) && i < c->needed->count; i++)
		r = mark_image(c, c->needed->items[i]);
	return r == -ENOENT ? 0 : r;
}

/* Its maker still works, or a state of this boot names it. */
static bool container_lives(struct collection *c, const char *name, const struct json_value *meta)
{
	const struct json_value *root = meta ? json_get(meta, "stateRoot") : NULL,
				*id = meta ? json_get(meta, "id") : NULL;
	autofd fd = fd_open(c->s->fd, arena_printf(c->a, "containers/%s", name),
			    O_RDONLY | O_DIRECTORY);
	struct err why;
	char *state;
	int r;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return true;
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return true;
	/* Not made to the end, or half removed. */
	if (!root || !id || root->kind != JSON_STRING || id->kind != JSON_STRING)
		return false;
	r = file_read(AT_FDCWD, arena_printf(c->a, "%s/%s/state.json", root->text, id->text),
		      JSON_MAX_SIZE, c->a, &state, NULL, &why);
	return r == 0 ? strstr(state, name) != NULL : r != -ENOENT;
}

static int mark_container(struct collection *c, const char *name)
{
	char *path = arena_printf(c->a, "containers/%s", name), *text;
	const struct json_value *image;
	struct json_value *meta = NULL;
	struct err broken;
	size_t len;
	bool lives;
	int r = file_read(c->s->fd, arena_printf(c->a, "%s/meta", path), JSON_MAX_SIZE, c->a, &text,
			  &len, c->err);

	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return r;
	/* A power cut may leave one that is no JSON. */
	if (r < 0 || json_parse(text, len, c->a, &meta, &broken) < 0)
		meta = NULL;
	lives = container_lives(c, name, meta);
	if (!lives && !(c->flags & GC_KEEP_CONTAINERS))
		return 0;
	c->living |= lives;
	mark(c, path);
	image = meta ? json_get(meta, "image") : NULL;
	if (image && image->kind == JSON_STRING && digest_valid(image->text))
		r = mark_image(c, image->text);
	else
		r = err_set(c->err, ENOENT, "its meta names no image");
	return r == 0 || (r == -ENOENT && !lives) ? 0 : err_prefix(c->err, "container %s", name);
}

static int mark_containers(struct collection *c)
{
	struct strv names;
	int r = file_list(c->s->fd, "containers", c->a, &names, c->err);

	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = mark_container(c, names.items[i]);
	return r;
}

static int mark_leases(struct collection *c)
{
	struct strv names;
	int r = file_list(c->s->fd, "ingest", c->a, &names, c->err);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		char *text, *save = NULL;

		r = file_read(c->s->fd, arena_printf(c->a, "ingest/%s/lease", names.items[i]),
			      LEASE_MAX, c->a, &text, NULL, c->err);
		if (r == -ENOENT || r == -ENOTDIR) {
			r = 0;
			continue;
		}
		for (char *id = r < 0 ? NULL : strtok_r(text, "\n", &save); id;
		     id = strtok_r(NULL, "\n", &save)) {
			mark(c, arena_printf(c->a, "layers/%s", id));
			/* It may have the layer open that was replaced meanwhile. */
			c->living = true;
		}
	}
	return r;
}

static void add_item(struct collection *c, enum gc_kind kind, char *name)
{
	struct gc_item *item;

	if (c->result.count == c->result_room) {
		struct gc_item *items = arena_calloc(
			c->a, c->result_room = c->result_room ? c->result_room * 2 : 32,
			sizeof(*items));

		if (c->result.count)
			memcpy(items, c->result.items, c->result.count * sizeof(*items));
		c->result.items = items;
	}
	item = &c->result.items[c->result.count++];
	*item = (struct gc_item){ kind, name, 0 };
	if (kind == GC_LAYER) {
		struct store_layer layer;
		struct err broken;

		if (store_layer_load(c->s, name, c->a, &layer, &broken) == 0)
			item->bytes = layer.bytes;
	}
}

static const struct {
	const char *directory;
	enum gc_kind kind;
} swept[] = {
	/* Records first: what is left of an interrupted sweep is never an image without its layers.
	 */
	{ "images", GC_IMAGE }, { "blobs/sha256", GC_BLOB },	{ "blobs/sha512", GC_BLOB },
	{ "layers", GC_LAYER }, { "containers", GC_CONTAINER },
};

static int find_unmarked(struct collection *c)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(swept); i++) {
		struct strv names;

		r = file_list(c->s->fd, swept[i].directory, c->a, &names, c->err);
		for (size_t j = 0; r == 0 && j < names.count; j++)
			if (!is_marked(c, arena_printf(c->a, "%s/%s", swept[i].directory,
						       names.items[j])))
				add_item(c, swept[i].kind, names.items[j]);
	}
	return r;
}

/* A link whose layer is not there, and that nobody is about to make. */
static int remove_links(struct collection *c)
{
	struct strv names;
	int r = file_list(c->s->fd, "l", c->a, &names, c->err);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		char *path = arena_printf(c->a, "l/%s", names.items[i]), target[STORE_NAME_SIZE],
		     *end;
		ssize_t len = readlinkat(c->s->fd, path, target, sizeof(target) - 1);

		if (len <= 0)
			continue;
		target[len] = '\0';
		end = strrchr(target, '/');
		if (end)
			*end = '\0';
		if (strncmp(target, "../", 3) == 0 && !is_marked(c, target + 3))
			unlinkat(c->s->fd, path, 0);
	}
	return r;
}

/* What is written under a name with a dot first, and was not finished: its makers hold the store's lock, or the directory's. */
static void remove_unfinished(struct collection *c, const char *directory)
{
	int fd = fd_open(c->s->fd, directory, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) == 0 && (d = readdir(dir)))
		if (d->d_name[0] == '.' && strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0)
			tree_remove(fd, d->d_name);
	closedir(dir);
}

/*
 * Records are unlinked where they are; directories move into ingest/, where without a lease they
 * are rubbish to whoever comes by, so that a part of one is never taken for the whole. None of it
 * needs space.
 */
static int move_away(struct collection *c, const struct gc_item *item, const char *random, size_t i)
{
	static const char *const directories[] = {
		[GC_IMAGE] = "images", [GC_LAYER] = "layers", [GC_CONTAINER] = "containers"
	};
	const char *directory = item->kind != GC_BLOB	   ? directories[item->kind]
				: strlen(item->name) == 64 ? "blobs/sha256"
							   : "blobs/sha512";
	char *from = arena_printf(c->a, "%s/%s", directory, item->name),
	     *to = arena_printf(c->a, "ingest/gone-%s-%zu", random, i);
	bool file = item->kind == GC_IMAGE || item->kind == GC_BLOB;
	int r;

	if (item->kind == GC_CONTAINER)
		store_ids_release(c->s, item->name);
	r = file ? unlinkat(c->s->fd, from, 0) : renameat(c->s->fd, from, c->s->fd, to);
	return r < 0 && errno != ENOENT ? err_errno(c->err, "remove %s", from) : 0;
}

static int move_all_away(struct collection *c)
{
	autofd images = fd_open(c->s->fd, "images", O_RDONLY | O_DIRECTORY);
	bool synced = false;
	char random[17];
	int r = 0;

	store_random(random);
	for (size_t i = 0; r == 0 && i < c->result.count; i++) {
		const struct gc_item *item = &c->result.items[i];

		/* No power cut may bring a record back whose layers are gone. */
		if (item->kind != GC_IMAGE && !synced) {
			synced = true;
			if (images < 0 || fsync(images) < 0)
				return err_errno(c->err, "sync images");
		}
		r = move_away(c, item, random, i);
	}
	remove_unfinished(c, "refs");
	remove_unfinished(c, "volumes");
	store_ids_sweep(c->s, c->a);
	return r < 0 ? r : remove_links(c);
}

static int collect(struct collection *c)
{
	autofd lock = store_lock(c->s, true, c->err);
	int r = lock < 0 ? lock : mark_references(c);

	if (r == 0)
		r = mark_needed(c);
	if (r == 0)
		r = mark_containers(c);
	if (r == 0)
		r = mark_leases(c);
	if (c->marked.count)
		qsort(c->marked.items, c->marked.count, sizeof(*c->marked.items), by_text);
	if (r == 0)
		r = find_unmarked(c);
	return r < 0 || c->flags & GC_DRY ? r : move_all_away(c);
}

int gc(const struct store *s, unsigned int flags, const struct strv *needed, struct arena *a,
       struct gc_result *ret, struct err *err)
{
	struct collection c = { .s = s, .flags = flags, .needed = needed, .a = a, .err = err };
	int r = flags & GC_DRY ? 0 : ingest_sweep(s, err);

	if (r == 0)
		r = collect(&c);
	if (r == 0 && !(flags & GC_DRY))
		r = ingest_sweep(s, err);
	if (r == 0)
		*ret = c.result;
	return r;
}

int store_ref_remove(const struct store *s, const char *reference, struct err *err)
{
	autofd refs = fd_open(s->fd, "refs", O_RDONLY | O_DIRECTORY);
	autoarena a = ARENA_INIT;

	if (refs < 0)
		return err_errno(err, "open refs");
	if (unlinkat(refs, reference_to_file(reference, &a), 0) < 0)
		return errno == ENOENT ? err_set(err, ENOENT, "no image \"%s\"", reference)
				       : err_errno(err, "remove reference %s", reference);
	return fsync(refs) < 0 ? err_errno(err, "sync refs") : 0;
}
