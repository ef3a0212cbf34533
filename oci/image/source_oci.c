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
#define SEEN_MAX 300

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

static int check_digest(struct sourcing *s, const char *name, const char *expected,
			const struct source_document *doc)
{
	struct hash *h = hash_new(expected);
	char digest[DIGEST_SIZE];

	hash_add(h, doc->text, doc->len);
	hash_finish(h, digest);
	if (strcmp(digest, expected) != 0)
		return err_set(s->err, EBADMSG, "%s is damaged: its digest is %s", name, digest);
	return 0;
}

/* A document, from the layout or the store, that is what its descriptor says. */
static int read_document(struct sourcing *s, const struct descriptor *d,
			 struct source_document **ret)
{
	const char *name = blob_name(s, d->digest);
	int r = source_document(s, name, d->digest, ret);

	if (r < 0)
		return r == -ENOENT ? err_set(s->err, EINVAL, "%s is missing", name) : r;
	if (d->size != (*ret)->len)
		return err_set(s->err, EBADMSG,
			       "%s has %zu bytes, not the %llu that its descriptor says", name,
			       (*ret)->len, (unsigned long long)d->size);
	if ((*ret)->digest)
		return 0;
	r = check_digest(s, name, d->digest, *ret);
	if (r == 0)
		(*ret)->digest = d->digest;
	return r;
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

/* The best image of a name, and the place of its platform in the list of wanted ones. */
struct choice {
	const char *name;		/* NULL: it has none */
	struct source_document *chosen; /* NULL: none yet */
	int rank;
};

struct choices {
	struct choice *items;
	size_t count;
};

static int consider(struct sourcing *s, const struct descriptor *d, int depth, struct choice *best);

/* Attestations of buildx pose as images of an unknown platform. */
static bool is_attestation(const struct descriptor *d)
{
	const char *type = annotation_get(&d->annotations, "vnd.docker.reference.type");

	return (type && strcmp(type, "attestation-manifest") == 0) ||
	       (d->platform && d->platform->os && strcmp(d->platform->os, "unknown") == 0);
}

static int consider_all(struct sourcing *s, const struct source_document *doc, int depth,
			struct choice *best)
{
	const struct image_index *index = &doc->manifest->index;
	int r = source_charge(s, doc->len);

	if (r == 0 && depth == DEPTH_MAX)
		r = err_set(s->err, EINVAL, "indexes are nested more than %d deep", DEPTH_MAX);
	for (size_t i = 0; r == 0 && i < index->manifests.count; i++)
		if (!is_attestation(&index->manifests.items[i]))
			r = consider(s, &index->manifests.items[i], depth + 1, best);
	return r;
}

static int judge(struct sourcing *s, const struct platform *p)
{
	if (s->seen.len < SEEN_MAX)
		buf_addf(&s->seen, "%s%s", s->seen.len ? ", " : "", platform_text(p, s->a));
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

/* Parsed once. 1: it is neither image nor index. */
static int parse_manifest(struct sourcing *s, struct source_document *doc)
{
	struct manifest_document manifest;
	int r;

	if (doc->manifest || doc->no_manifest)
		return doc->no_manifest;
	r = manifest_parse(doc->text, doc->len, s->a, &manifest, s->err);
	if (r == -EOPNOTSUPP) {
		doc->no_manifest = true;
		leave_out(s);
		return 1;
	}
	if (r == 0)
		doc->manifest = arena_memdup(s->a, &manifest, sizeof(manifest));
	return r;
}

/* An image whose descriptor names no platform says it in its configuration. 1: it is none. */
static int rank_by_config(struct sourcing *s, const struct descriptor *d, int *ret)
{
	struct source_document *doc;
	int r = read_document(s, d, &doc);

	if (r < 0)
		return r;
	if (doc->no_config && !is_image_config(d))
		return 1;
	r = source_parse_config(s, doc);
	if (r < 0 && !is_image_config(d)) {
		leave_out(s);
		return 1;
	}
	if (r < 0)
		return r;
	if (!doc->ranked)
		doc->rank = judge(s, &doc->config->platform);
	doc->ranked = true;
	*ret = doc->rank;
	return 0;
}

static bool is_better(int rank, const struct choice *best)
{
	return rank >= 0 && (!best->chosen || rank < best->rank);
}

static int consider(struct sourcing *s, const struct descriptor *d, int depth, struct choice *best)
{
	struct source_document *doc;
	int rank = d->platform ? judge(s, d->platform) : 0, r;

	/* Its blobs are often left out of a layout made for another platform. */
	if (d->platform && !is_better(rank, best))
		return 0;
	r = read_document(s, d, &doc);
	if (r == 0)
		r = parse_manifest(s, doc);
	if (r)
		return r < 0 ? r : 0;
	if (doc->manifest->kind == MANIFEST_INDEX)
		return consider_all(s, doc, depth, best);
	if (!d->platform) {
		r = rank_by_config(s, &doc->manifest->image.config, &rank);
		if (r)
			return r < 0 ? r : 0;
	}
	if (!is_better(rank, best))
		return 0;
	best->chosen = doc;
	best->rank = rank;
	return 0;
}

static const char *name_of(const struct descriptor *d)
{
	const char *name = annotation_get(&d->annotations, "io.containerd.image.name");

	return name ? name : annotation_get(&d->annotations, "org.opencontainers.image.ref.name");
}

static int take(struct sourcing *s, const struct choice *c)
{
	const struct image_manifest *manifest = &c->chosen->manifest->image;
	struct source_document *config;
	bool is_new;
	struct source_image *image = source_image(s, c->chosen->digest, &is_new);
	int r = is_new ? read_document(s, &manifest->config, &config) : 0;

	if (r == 0 && is_new) {
		image->manifest = c->chosen->text;
		image->manifest_len = c->chosen->len;
		image->digest = c->chosen->digest;
		image->config_digest = manifest->config.digest;
		r = source_config(s, image, config, manifest->layers.count);
		if (r == 0)
			r = take_layers(s, manifest, image);
	}
	if (r == 0 && c->name)
		r = source_name(s, image, c->name);
	return r;
}

/* One name may stand at several images, of which the best for this machine is meant. */
static int choose(struct sourcing *s, const struct image_index *index, struct choices *ret)
{
	struct strmap of_name = { 0 };
	size_t nameless = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < index->manifests.count; i++) {
		const struct descriptor *d = &index->manifests.items[i];
		const char *name = name_of(d);
		size_t *at = name ? strmap_at(&of_name, name, s->a) : &nameless;

		if (!*at) {
			ret->items = arena_grow(s->a, ret->items, ret->count, sizeof(*ret->items));
			ret->items[ret->count].name = name;
			*at = ++ret->count;
		}
		if (!is_attestation(d))
			r = consider(s, d, 1, &ret->items[*at - 1]);
	}
	return r;
}

static int read_index(struct sourcing *s, struct source_document **ret)
{
	int r = check_marker(s);

	if (r == 0)
		r = source_document(s, "index.json", NULL, ret);
	if (r < 0)
		return r;
	r = parse_manifest(s, *ret);
	if (r > 0)
		r = s->err->code;
	if (r == 0 && (*ret)->manifest->kind != MANIFEST_INDEX)
		r = err_set(s->err, EINVAL, "it is no index");
	return r < 0 ? err_prefix(s->err, "index.json") : 0;
}

int source_oci(struct sourcing *s)
{
	struct choices choices = { NULL, 0 };
	struct source_document *index;
	int r = read_index(s, &index);

	if (r == 0)
		r = choose(s, &index->manifest->index, &choices);
	for (size_t i = 0; r == 0 && i < choices.count; i++)
		if (choices.items[i].chosen)
			r = take(s, &choices.items[i]);
	if (r == 0 && !s->images->count && !s->seen.len && s->odd.code) {
		*s->err = s->odd;
		r = s->odd.code;
	}
	if (r == 0 && !s->images->count && s->seen.len)
		r = err_set(s->err, EOPNOTSUPP, "no image for this platform: it has %.*s", SEEN_MAX,
			    s->seen.data);
	return r;
}
