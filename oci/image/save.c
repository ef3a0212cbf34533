/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/save_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/hash.h"
#include "oci/image/manifest_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK ((size_t)256 << 10)
#define LAYOUT_MARK "{\"imageLayoutVersion\":\"1.0.0\"}"

static const char *const media_types[] = {
	[COMPRESSION_NONE] = MEDIA_OCI_LAYER,
	[COMPRESSION_GZIP] = MEDIA_OCI_LAYER "+gzip",
	[COMPRESSION_ZSTD] = MEDIA_OCI_LAYER "+zstd",
};

static int by_diff_id(const void *a, const void *b)
{
	const struct save_blob *x = a, *y = b;

	return strcmp(x->layer->diff_id, y->layer->diff_id);
}

const struct save_blob *save_find_blob(const struct saving *s, const char *diff_id)
{
	for_each (blob, &s->blobs)
		if (strcmp(blob->layer->diff_id, diff_id) == 0)
			return blob;
	return NULL;
}

/* A layer that relies on those below it may be there on top of others only. */
static bool is_present(const struct saving *s, const struct store_layer *layer)
{
	if (strncmp(layer->id, "chain-", 6) == 0)
		return false;
	for_each (digest, &s->opts->present)
		if (strcmp(*digest, layer->diff_id) == 0)
			return true;
	return false;
}

/* Each layer once, and as it is without compression. */
static void list_blobs(struct saving *s)
{
	size_t layers = 0;

	for (size_t i = 0; i < s->opts->count; i++)
		layers += s->opts->images[i].record.layers.count;
	s->blobs.items = arena_calloc(s->a, layers + 1, sizeof(*s->blobs.items));
	for (size_t i = 0; i < s->opts->count; i++)
		for_each (layer, &s->opts->images[i].record.layers)
			if (!save_find_blob(s, layer->diff_id))
				s->blobs.items[s->blobs.count++] = (struct save_blob){
					.layer = layer,
					.digest = layer->diff_id,
					.media_type = MEDIA_OCI_LAYER,
					.size = layer->bytes,
					.left_out = is_present(s, layer),
				};
	if (s->blobs.count)
		qsort(s->blobs.items, s->blobs.count, sizeof(*s->blobs.items), by_diff_id);
}

/* Better now than after minutes. What the file system cannot promise is found out later. */
static int reserve(const struct saving *s)
{
	uint64_t bytes = 0;
	struct stat st;

	if (s->opts->compression != COMPRESSION_NONE || fstat(s->tar.fd, &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	for_each (blob, &s->blobs)
		bytes += blob->left_out ? 0 : blob->size;
	if (bytes && fallocate(s->tar.fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) < 0 &&
	    (errno == ENOSPC || errno == EDQUOT))
		return err_set(s->err, errno, "write the archive: no room for its %llu bytes",
			       (unsigned long long)bytes);
	return 0;
}

static int to_tar(void *arg, const void *data, size_t len, struct err *err)
{
	return save_tar_add(arg, data, len, err);
}

static int write_plain(struct saving *s, struct save_blob *blob)
{
	int r = save_tar_member(&s->tar, save_layer_name(s, blob), blob->size, s->err);

	return r < 0 ? r : save_layer_read(s, blob->layer, to_tar, &s->tar);
}

/* Passes over a file from its beginning: its digest, or (hash NULL) its bytes into the archive. */
static int pass_over(struct saving *s, int fd, struct hash *hash, uint64_t *ret_size)
{
	autofree char *chunk = malloc(CHUNK);
	uint64_t at = 0;
	ssize_t n;

	if (!chunk)
		return err_code(s->err, ENOMEM, "read");
	while ((n = fd_pread_full(fd, chunk, CHUNK, at)) > 0) {
		int r = 0;

		if (hash)
			hash_add(hash, chunk, (size_t)n);
		else
			r = save_tar_add(&s->tar, chunk, (size_t)n, s->err);
		if (r == 0 && s->opts->interrupted && *s->opts->interrupted)
			r = err_set(s->err, EINTR, "interrupted");
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	*ret_size = at;
	return n < 0 ? err_code(s->err, (int)n, "read what was spooled") : 0;
}

static int write_compressed(struct saving *s, struct save_blob *blob)
{
	struct hash *hash = hash_new("sha256");
	char digest[DIGEST_SIZE];
	uint64_t size;
	autofd fd = -1;
	int r = save_layer_compress(s, blob->layer, &fd);

	if (r == 0)
		r = pass_over(s, fd, hash, &blob->size);
	hash_finish(hash, digest);
	if (r < 0)
		return r;
	blob->digest = arena_strdup(s->a, digest);
	blob->media_type = media_types[s->opts->compression];
	r = save_tar_member(&s->tar, save_layer_name(s, blob), blob->size, s->err);
	return r < 0 ? r : pass_over(s, fd, NULL, &size);
}

static int write_layers(struct saving *s)
{
	int r = 0;

	for_each (blob, &s->blobs) {
		if (r < 0 || blob->left_out)
			continue;
		r = s->opts->compression == COMPRESSION_NONE ? write_plain(s, blob)
							     : write_compressed(s, blob);
	}
	return r;
}

static int write_document(struct saving *s, const char *name, const char *digest, const char *text,
			  size_t len)
{
	for_each (written, &s->documents)
		if (strcmp(*written, digest) == 0)
			return 0;
	s->documents.items[s->documents.count++] = arena_strdup(s->a, digest);
	return save_tar_file(&s->tar, name, text, len, s->err);
}

int save_read_config(const struct store *s, struct arena *a, struct save_image *image,
		     struct err *err)
{
	const char *digest = image->record.config;
	char found[DIGEST_SIZE];
	struct hash *hash;
	int r = store_blob(s, digest, a, &image->config, &image->config_len, err);

	if (r == 0) {
		hash = hash_new(digest);
		hash_add(hash, image->config, image->config_len);
		hash_finish(hash, found);
	}
	if (r == -ENOENT || (r == 0 && strcmp(found, digest) != 0))
		return err_set(err, EBADMSG,
			       "image is damaged, load it again: configuration %.19s is not whole",
			       digest);
	return r;
}

static int write_config(struct saving *s, const struct save_image *image)
{
	const char *digest = image->record.config;

	return write_document(s, save_config_name(s, digest), digest, image->config,
			      image->config_len);
}

/* The image with its layers as they are in the archive. */
static int write_manifest(struct saving *s, const struct save_image *image, struct descriptor *ret)
{
	struct store_image record = image->record;
	autobuf text = BUF_INIT;
	char digest[DIGEST_SIZE];

	record.layers.items =
		arena_calloc(s->a, record.layers.count + 1, sizeof(*record.layers.items));
	for (size_t i = 0; i < record.layers.count; i++) {
		const struct save_blob *blob =
			save_find_blob(s, image->record.layers.items[i].diff_id);

		if (blob)
			record.layers.items[i] =
				(struct store_layer){ .digest = (char *)blob->digest,
						      .media_type = (char *)blob->media_type,
						      .size = blob->size };
	}
	manifest_write(&record, image->config_len, &text);
	hash_bytes(text.data, text.len, digest);
	*ret = (struct descriptor){ .media_type = (char *)MEDIA_OCI_MANIFEST,
				    .digest = arena_strdup(s->a, digest),
				    .size = text.len };
	return write_document(s, save_blob_name(s, digest), digest, text.data, text.len);
}

static int write_documents(struct saving *s)
{
	struct descriptor *manifests = arena_calloc(s->a, s->opts->count, sizeof(*manifests));
	autobuf index = BUF_INIT, docker = BUF_INIT;
	bool whole = true, oci = s->opts->format == SAVE_OCI;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->opts->count; i++) {
		r = write_config(s, &s->opts->images[i]);
		if (r == 0 && oci)
			r = write_manifest(s, &s->opts->images[i], &manifests[i]);
	}
	for_each (blob, &s->blobs)
		whole &= !blob->left_out;
	if (r == 0 && oci) {
		save_index(s, manifests, &index);
		r = save_tar_file(&s->tar, "index.json", index.data, index.len, s->err);
	}
	/* Who knows only this one does not know of layers that are left out. */
	if (r == 0 && whole) {
		save_docker_manifest(s, &docker);
		r = save_tar_file(&s->tar, "manifest.json", docker.data, docker.len, s->err);
	}
	return r;
}

int save_images(const struct save_opts *opts, int fd, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct saving s = { .opts = opts, .a = &a, .err = err, .tar = { .fd = fd } };
	int r;

	s.documents.items = arena_calloc(&a, opts->count * 2 + 1, sizeof(*s.documents.items));
	list_blobs(&s);
	r = reserve(&s);
	if (r == 0 && opts->format == SAVE_OCI)
		r = save_tar_file(&s.tar, "oci-layout", LAYOUT_MARK, strlen(LAYOUT_MARK), err);
	if (r == 0)
		r = write_layers(&s);
	if (r == 0)
		r = write_documents(&s);
	return r < 0 ? r : save_tar_finish(&s.tar, err);
}
