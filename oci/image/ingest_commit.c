/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit, in five flushes whatever its size: all that is new is written where nobody looks and
 * synced at once; then layers, documents, records and references get their names, each kind synced
 * before the next, which relies on it.
 */
#include "oci/image/ingest.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/image/reference.h"
#include "oci/image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int write_new(int dir, const char *name, const void *data, size_t len, struct err *err)
{
	autofd fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	int r;

	if (fd < 0)
		return err_errno(err, "create %s", name);
	r = fd_write_full(fd, data, len);
	return r < 0 ? err_code(err, r, "write %s", name) : 0;
}

static int stage_layer(struct ingest *in, const struct commit_layer *l, struct err *err)
{
	autobuf meta = BUF_INIT;
	char name[STORE_NAME_SIZE];

	store_layer_write(&l->layer, &meta);
	snprintf(name, sizeof(name), "%.200s/meta", l->staged);
	return write_new(in->fd, name, meta.data, meta.len, err);
}

enum part { PART_MANIFEST, PART_CONFIG, PART_RECORD };

static void part_name(size_t image, enum part part, char ret[STORE_NAME_SIZE])
{
	static const char *const names[] = { "manifest", "config", "record" };

	snprintf(ret, STORE_NAME_SIZE, "%s-%zu", names[part], image);
}

static int stage_image(struct ingest *in, size_t i, const struct commit_image *image,
		       struct err *err)
{
	autobuf record = BUF_INIT;
	char name[STORE_NAME_SIZE];
	int r;

	store_image_write(&image->record, &record);
	part_name(i, PART_MANIFEST, name);
	r = write_new(in->fd, name, image->manifest, image->manifest_len, err);
	part_name(i, PART_CONFIG, name);
	if (r == 0)
		r = write_new(in->fd, name, image->config, image->config_len, err);
	part_name(i, PART_RECORD, name);
	return r < 0 ? r : write_new(in->fd, name, record.data, record.len, err);
}

static void ref_line(const char *digest, char ret[STORE_NAME_SIZE])
{
	snprintf(ret, STORE_NAME_SIZE, "%.200s\n", digest);
}

/* An image may have thousands of names, each of which would cost flushes of its own. */
static void ref_name(size_t image, size_t name, char ret[STORE_NAME_SIZE])
{
	snprintf(ret, STORE_NAME_SIZE, "ref-%zu-%zu", image, name);
}

static int stage_refs(struct ingest *in, size_t i, const struct commit_image *image,
		      struct err *err)
{
	char line[STORE_NAME_SIZE], name[STORE_NAME_SIZE];
	int r = 0;

	ref_line(image->record.digest, line);
	for (size_t j = 0; r == 0 && j < image->names.count; j++) {
		ref_name(i, j, name);
		r = write_new(in->fd, name, line, strlen(line), err);
	}
	return r;
}

static int stage(struct ingest *in, const struct commit *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->layers.count; i++)
		r = stage_layer(in, &c->layers.items[i], err);
	for (size_t i = 0; r == 0 && i < c->images.count; i++)
		r = stage_image(in, i, &c->images.items[i], err);
	for (size_t i = 0; r == 0 && i < c->images.count; i++)
		r = stage_refs(in, i, &c->images.items[i], err);
	if (r == 0 && syncfs(in->store->fd) < 0)
		r = err_errno(err, "sync the store");
	return r;
}

static int sync_directory(const struct store *s, const char *name, struct err *err)
{
	autofd fd = fd_open(s->fd, name, O_RDONLY | O_DIRECTORY);

	return fd < 0 || fsync(fd) < 0 ? err_errno(err, "sync %s", name) : 0;
}

/* First the new one gets the name that the old one is to have: killed at any moment, the old one is
 * not in ingest/, from where containers that have it mounted would lose it. */
static int replace_layer(struct ingest *in, const char *staged, const char *to, struct err *err)
{
	char random[17], old[STORE_NAME_SIZE];
	int store = in->store->fd;

	store_random(random);
	snprintf(old, sizeof(old), "layers/" STORE_OLD "%s", random);
	if (renameat(in->fd, staged, store, old) < 0 ||
	    renameat2(store, old, store, to, RENAME_EXCHANGE) < 0)
		return err_errno(err, "replace %s", to);
	return 0;
}

static int place_layer(struct ingest *in, const struct commit_layer *l, struct err *err)
{
	char to[STORE_NAME_SIZE];

	snprintf(to, sizeof(to), "layers/%.200s", l->layer.id);
	if (renameat(in->fd, l->staged, in->store->fd, to) == 0)
		return 0;
	/* Another load of the same layer came first: ours goes with the ingest directory. */
	if (errno != EEXIST && errno != ENOTEMPTY)
		return err_errno(err, "rename to %s", to);
	return l->replace ? replace_layer(in, l->staged, to, err) : 0;
}

static int place_layers(struct ingest *in, const struct commit *c, struct err *err)
{
	int r = 0;

	if (!c->layers.count)
		return 0;
	for (size_t i = 0; r == 0 && i < c->layers.count; i++)
		r = place_layer(in, &c->layers.items[i], err);
	if (r == 0)
		r = sync_directory(in->store, "l", err);
	return r < 0 ? r : sync_directory(in->store, "layers", err);
}

/* What is named by its digest is the same whoever wrote it. */
static int place(struct ingest *in, size_t i, enum part part, const char *to, struct err *err)
{
	char from[STORE_NAME_SIZE];

	part_name(i, part, from);
	return renameat(in->fd, from, in->store->fd, to) < 0 ? err_errno(err, "rename to %s", to)
							     : 0;
}

static int place_documents(struct ingest *in, const struct commit *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->images.count; i++) {
		const struct store_image *image = &c->images.items[i].record;
		char to[STORE_NAME_SIZE];

		store_blob_path(image->digest, to);
		r = place(in, i, PART_MANIFEST, to, err);
		store_blob_path(image->config, to);
		if (r == 0)
			r = place(in, i, PART_CONFIG, to, err);
	}
	if (r == 0)
		r = sync_directory(in->store, "blobs/sha256", err);
	return r < 0 ? r : sync_directory(in->store, "blobs/sha512", err);
}

static int place_records(struct ingest *in, const struct commit *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->images.count; i++) {
		char to[STORE_NAME_SIZE];

		store_image_path(c->images.items[i].record.digest, to);
		r = place(in, i, PART_RECORD, to, err);
	}
	return r < 0 ? r : sync_directory(in->store, "images", err);
}

static int place_ref(struct ingest *in, size_t image, size_t name, const char *reference,
		     struct err *err)
{
	char from[STORE_NAME_SIZE];
	autoarena a = ARENA_INIT;
	const char *to = arena_printf(&a, "refs/%s", reference_to_file(reference, &a));

	ref_name(image, name, from);
	return renameat(in->fd, from, in->store->fd, to) < 0 ? err_errno(err, "rename to %s", to)
							     : 0;
}

static int place_refs(struct ingest *in, const struct commit *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->images.count; i++) {
		const struct strv *names = &c->images.items[i].names;

		for (size_t j = 0; r == 0 && j < names->count; j++)
			r = place_ref(in, i, j, names->items[j], err);
	}
	return r < 0 ? r : sync_directory(in->store, "refs", err);
}

int store_ref_set(const struct store *s, const char *reference, const char *digest, struct err *err)
{
	autofd refs = fd_open(s->fd, "refs", O_RDONLY | O_DIRECTORY);
	char line[STORE_NAME_SIZE];
	autoarena a = ARENA_INIT;

	if (refs < 0)
		return err_errno(err, "open refs");
	ref_line(digest, line);
	return file_replace_durable(refs, reference_to_file(reference, &a), line, strlen(line),
				    0600, err);
}

int ingest_commit(struct ingest *in, const struct commit *c, struct err *err)
{
	autofd lock = -1;
	int r = stage(in, c, err);

	/* gc would take layers that no record names yet. */
	if (r == 0)
		r = lock = store_lock(in->store, false, err);
	if (r >= 0)
		r = place_layers(in, c, err);
	if (r == 0)
		r = place_documents(in, c, err);
	if (r == 0)
		r = place_records(in, c, err);
	return r < 0 ? r : place_refs(in, c, err);
}
