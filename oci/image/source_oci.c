/* SPDX-License-Identifier: Apache-2.0 */
/* An OCI layout (image-layout.md): index.json, perhaps further indexes, and blobs by their digests.
 */
#include "oci/image/source_private.h"

#include "lib/json.h"
#include "oci/image/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* index.json counts; Docker and buildx nest one more, and nobody more than two. */
#define DEPTH_MAX 4

static int check_marker(struct sourcing *s)
{
	char *text;
	size_t len;
	struct json_value *root;
	const struct json_value *version;
	int r = layout_read(s->layout, "oci-layout", 4096, s->a, &text, &len, s->err);

	if (r < 0)
		return r;
	r = json_parse(text, len, s->a, &root, s->err);
	if (r < 0)
		return err_prefix(s->err, "oci-layout");
	version = json_get(root, "imageLayoutVersion");
	if (!version || version->kind != JSON_STRING || strncmp(version->text, "1.", 2) != 0)
		return err_set(s->err, EOPNOTSUPP, "oci-layout: imageLayoutVersion %s is not known",
			       version && version->text ? version->text : "(none)");
	return 0;
}

static const char *blob_name(struct sourcing *s, const char *digest)
{
	return arena_printf(s->a, "blobs/%.6s/%s", digest, digest_hex(digest));
}

/* A document, from the layout or the store, that is what its descriptor says. */
static int read_document(struct sourcing *s, const struct descriptor *d, char **ret_text,
			 size_t *ret_len)
{
	const char *name = blob_name(s, d->digest);
	char digest[DIGEST_SIZE];
	struct hash *h;
	int r = layout_read(s->layout, name, JSON_MAX_SIZE, s->a, ret_text, ret_len, s->err);

	if (r == -ENOENT && s->opts->store) {
		struct err ignored;

		/* A layout may leave out what the target has (image-layout.md, "Blobs"). */
		if (store_blob(s->opts->store, d->digest, s->a, ret_text, ret_len, &ignored) == 0)
			r = 0;
	}
	if (r < 0)
		return r == -ENOENT ? err_set(s->err, EINVAL, "%s is missing", name) : r;
	if (d->size != *ret_len)
		return err_set(s->err, EBADMSG,
			       "%s has %zu bytes, not the %llu that its descriptor says", name,
			       *ret_len, (unsigned long long)d->size);
	h = hash_new(d->digest);
	hash_add(h, *ret_text, *ret_len);
	hash_finish(h, digest);
	if (strcmp(digest, d->digest) != 0)
		return err_set(s->err, EBADMSG, "%s is damaged: its digest is %s", name, digest);
	return 0;
}

static int take_layers(struct sourcing *s, const struct image_manifest *m,
		       struct source_image *image)
{
	image->layers.items = arena_calloc(s->a, m->layers.count, sizeof(*image->layers.items));
	image->layers.count = m->layers.count;
	for (size_t i = 0; i < m->layers.count; i++) {
		const struct descriptor *d = &m->layers.items[i];
		struct source_layer *layer = &image->layers.items[i];
		struct extent where;
		char *name = arena_strdup(s->a, blob_name(s, d->digest));
		int r = layout_find(s->layout, name, &where, s->err);

		*layer = (struct source_layer){ image->image.diff_ids.items[i], d->digest,
						d->media_type, d->size, NULL };
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		close(where.fd);
		if (where.size != d->size)
			return err_set(s->err, EBADMSG,
				       "%s has %llu bytes, not the %llu that its descriptor says",
				       name, (unsigned long long)where.size,
				       (unsigned long long)d->size);
		layer->member = name;
	}
	return 0;
}

/* What is chosen from: a manifest with its platform's place in the list of wanted ones. */
struct choice {
	struct image_manifest manifest;
	char *text;
	size_t len;
	const char *digest;
	int rank;	 /* -1: none yet */
	struct buf seen; /* the platforms there are, for the error */
};

static int consider(struct sourcing *s, const struct descriptor *d, int depth, struct choice *best);

/* Attestations of buildx pose as images of an unknown platform. */
static bool is_attestation(const struct descriptor *d)
{
	const char *type = annotation_get(&d->annotations, "vnd.docker.reference.type");

	return (type && strcmp(type, "attestation-manifest") == 0) ||
	       (d->platform && d->platform->os && strcmp(d->platform->os, "unknown") == 0);
}

static int consider_all(struct sourcing *s, const struct image_index *index, int depth,
			struct choice *best)
{
	int r = 0;

	if (depth == DEPTH_MAX)
		return err_set(s->err, EINVAL, "indexes are nested more than %d deep", DEPTH_MAX);
	for (size_t i = 0; r == 0 && i < index->manifests.count; i++)
		if (!is_attestation(&index->manifests.items[i]))
			r = consider(s, &index->manifests.items[i], depth + 1, best);
	return r;
}

static int judge(struct sourcing *s, const struct platform *p, struct choice *best)
{
	buf_addf(&best->seen, "%s%s", best->seen.len ? ", " : "", platform_text(p, s->a));
	return platform_rank(s->opts->platforms, p, s->a);
}

/* Signatures, charts and the like stand beside images: they are only in the way when there is
 * nothing else. */
static int leave_out(struct sourcing *s)
{
	if (!s->odd.code)
		s->odd = *s->err;
	return 0;
}

static bool is_image_config(const struct descriptor *d)
{
	return !d->media_type || strstr(d->media_type, ".image.config.") ||
	       strstr(d->media_type, ".container.image.");
}

/* An image whose descriptor names no platform says it in its configuration. 1: it is none. */
static int platform_of_config(struct sourcing *s, const struct image_manifest *m,
			      struct platform *ret)
{
	struct image_config config;
	char *text;
	size_t len;
	int r = read_document(s, &m->config, &text, &len);

	if (r < 0)
		return r;
	r = image_config_parse(text, len, s->a, &config, s->err);
	if (r < 0 && !is_image_config(&m->config)) {
		leave_out(s);
		return 1;
	}
	if (r == 0)
		*ret = config.platform;
	return r;
}

static int consider(struct sourcing *s, const struct descriptor *d, int depth, struct choice *best)
{
	struct manifest_document doc;
	struct platform p;
	char *text;
	size_t len;
	int rank = -1, r;

	if (d->platform) {
		rank = judge(s, d->platform, best);
		/* Its blobs are often left out of a layout made for another platform. */
		if (rank < 0 || (best->rank >= 0 && rank >= best->rank))
			return 0;
	}
	r = read_document(s, d, &text, &len);
	if (r < 0)
		return r;
	r = manifest_parse(text, len, s->a, &doc, s->err);
	if (r < 0)
		return r == -EOPNOTSUPP ? leave_out(s) : r;
	if (doc.kind == MANIFEST_INDEX)
		return consider_all(s, &doc.index, depth, best);
	if (!d->platform) {
		r = platform_of_config(s, &doc.image, &p);
		if (r)
			return r < 0 ? r : 0;
		rank = judge(s, &p, best);
	}
	if (rank < 0 || (best->rank >= 0 && rank >= best->rank))
		return 0;
	best->manifest = doc.image;
	best->text = text;
	best->len = len;
	best->digest = d->digest;
	best->rank = rank;
	return 0;
}

static const char *name_of(const struct descriptor *d)
{
	const char *name = annotation_get(&d->annotations, "io.containerd.image.name");

	return name ? name : annotation_get(&d->annotations, "org.opencontainers.image.ref.name");
}

static bool same_name(const struct descriptor *a, const struct descriptor *b)
{
	const char *x = name_of(a), *y = name_of(b);

	return x == y || (x && y && strcmp(x, y) == 0);
}

static int take(struct sourcing *s, const struct choice *c, const char *name)
{
	struct source_image *image = source_add(s);
	char *text;
	size_t len;
	int r = read_document(s, &c->manifest.config, &text, &len);

	image->manifest = c->text;
	image->manifest_len = c->len;
	image->digest = (char *)c->digest;
	if (r == 0)
		r = source_config(s, image, text, len, c->manifest.layers.count);
	/* The document that was judged is the one that its descriptor names, also for sha512. */
	image->config_digest = c->manifest.config.digest;
	if (r == 0)
		r = take_layers(s, &c->manifest, image);
	if (r == 0 && name)
		r = source_name(s, image, name);
	return r;
}

/* One name may stand at several images, of which the best for this machine is meant. */
static int take_group(struct sourcing *s, const struct image_index *index, size_t first,
		      struct buf *seen)
{
	const struct descriptor *d = &index->manifests.items[first];
	struct choice best = { .rank = -1, .seen = BUF_INIT };
	int r = 0;

	for (size_t i = first; r == 0 && i < index->manifests.count; i++)
		if (same_name(d, &index->manifests.items[i]) &&
		    !is_attestation(&index->manifests.items[i]))
			r = consider(s, &index->manifests.items[i], 1, &best);
	if (r == 0 && best.rank >= 0)
		r = take(s, &best, name_of(d));
	if (best.seen.len)
		buf_addf(seen, "%s%s", seen->len ? ", " : "", best.seen.data);
	buf_done(&best.seen);
	return r;
}

static bool is_first_of_name(const struct image_index *index, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (same_name(&index->manifests.items[j], &index->manifests.items[i]))
			return false;
	return true;
}

int source_oci(struct sourcing *s)
{
	autobuf seen = BUF_INIT;
	struct manifest_document doc;
	char *text;
	size_t len;
	int r = check_marker(s);

	if (r == 0)
		r = layout_read(s->layout, "index.json", JSON_MAX_SIZE, s->a, &text, &len, s->err);
	if (r < 0)
		return r;
	r = manifest_parse(text, len, s->a, &doc, s->err);
	if (r == 0 && doc.kind != MANIFEST_INDEX)
		r = err_set(s->err, EINVAL, "it is no index");
	if (r < 0)
		return err_prefix(s->err, "index.json");
	for (size_t i = 0; r == 0 && i < doc.index.manifests.count; i++)
		if (is_first_of_name(&doc.index, i))
			r = take_group(s, &doc.index, i, &seen);
	if (r == 0 && !s->images->count && !seen.len && s->odd.code) {
		*s->err = s->odd;
		r = s->odd.code;
	}
	if (r == 0 && !s->images->count && seen.len)
		r = err_set(s->err, EOPNOTSUPP, "no image for this platform: it has %.300s",
			    seen.data);
	return r;
}
