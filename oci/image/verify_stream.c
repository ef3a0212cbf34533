/* SPDX-License-Identifier: Apache-2.0 */
/* The deep look at a layer: its stream, read once, is hashed and compared with the tree. */
#include "oci/image/verify_private.h"

#include "oci/image/split.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

struct reading {
	struct split_reader *reader;
	struct hash *hash;
	struct verify_comparison
		*comparison; /* NULL: the layer is noted whole, as members that another
						 one replaces later differ from what is there */
	struct err *err;
	int failed;
};

static ssize_t next(struct archive *archive, void *arg, const void **ret)
{
	struct reading *c = arg;
	ssize_t n = split_reader_next(c->reader, ret, c->err);

	if (n > 0)
		hash_add(c->hash, *ret, (size_t)n);
	if (n < 0) {
		c->failed = (int)n;
		archive_set_error(archive, EIO, "layer");
	}
	return n;
}

static int compare_all(struct reading *c, struct archive *archive)
{
	struct archive_entry *entry;
	int r = 0, read;

	while (r == 0 && (read = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		if (c->failed)
			return c->failed;
		if (read < ARCHIVE_WARN)
			return err_set(c->err, archive_errno(archive) == ENOMEM ? ENOMEM : EBADMSG,
				       "its headers cannot be read");
		if (c->comparison)
			r = verify_compare(c->comparison, entry);
	}
	return c->failed ? c->failed : r;
}

static int check_digest(struct reading *c, const char *diff_id)
{
	char digest[DIGEST_SIZE];
	const void *rest;
	ssize_t n;

	while ((n = split_reader_next(c->reader, &rest, c->err)) > 0)
		hash_add(c->hash, rest, (size_t)n);
	if (n < 0)
		return (int)n;
	hash_finish(c->hash, digest);
	c->hash = NULL;
	return strcmp(digest, diff_id) == 0
		       ? 0
		       : err_set(c->err, EBADMSG, "its contents have changed: they are %.19s now",
				 digest);
}

static int read_stream(struct reading *c, const char *diff_id)
{
	struct archive *archive = archive_read_new();
	int r = 0;

	if (!archive || archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(archive) != ARCHIVE_OK ||
	    archive_read_open(archive, c, NULL, next, NULL) != ARCHIVE_OK)
		r = c->failed ? c->failed : err_set(c->err, EBADMSG, "it is no tar archive");
	if (r == 0)
		r = compare_all(c, archive);
	if (r == 0)
		r = check_digest(c, diff_id);
	archive_read_free(archive);
	return r;
}

int verify_stream(int split, int root, const struct store_layer *layer,
		  struct verify_names *ret_names, struct err *err)
{
	struct verify_comparison comparison = { .layer = layer, .root = root, .err = err };
	struct reading c = { split_reader_new(split, root), hash_new(layer->diff_id),
			     layer->whole ? NULL : &comparison, err, 0 };
	int r;

	extract_prepare();
	r = read_stream(&c, layer->diff_id);
	if (r == 0 && c.comparison)
		r = verify_compare_end(c.comparison);
	if (r == 0)
		*ret_names = comparison.names;
	verify_compare_done(&comparison);
	hash_free(c.hash);
	split_reader_free(c.reader);
	return r;
}
