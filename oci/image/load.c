/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/load_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/json.h"
#include "lib/number.h"
#include "oci/image/hash.h"
#include "oci/image/manifest_write.h"
#include "oci/image/verify.h"
#include "oci/image/verify_private.h"
#include "oci/image/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *layer_id(const char *diff_id)
{
	return digest_hex(diff_id);
}

/* The ids of a layer alone, and on top of those below it; the latter where the former cannot be. */
static char *chain_layer_id(const struct load *l, const struct source_image *image, size_t layer)
{
	return l->chains[image - l->opts->images->items][layer];
}

static char **make_chain(struct load *l, const struct source_image *image)
{
	char **ids = arena_calloc(l->a, image->layers.count + 1, sizeof(*ids)), chain[DIGEST_SIZE];

	for (size_t i = 0; i < image->layers.count; i++) {
		const char *diff_id = image->layers.items[i].diff_id;
		char above[DIGEST_SIZE];

		if (i)
			hash_chain(chain, diff_id, above);
		snprintf(chain, sizeof(chain), "%s", i ? above : diff_id);
		ids[i] = arena_printf(l->a, "chain-%s", digest_hex(chain));
	}
	return ids;
}

static void make_chains(struct load *l)
{
	const struct source_images *images = l->opts->images;

	l->chains = arena_calloc(l->a, images->count + 1, sizeof(*l->chains));
	for (size_t i = 0; i < images->count; i++)
		l->chains[i] = make_chain(l, &images->items[i]);
}

/* Looked for once: whole as far as a quick look can tell. Our lease keeps it as it is. */
static const struct known_layer *look_for(struct load *l, const char *id)
{
	const struct store *s = l->opts->store;
	size_t *at = strmap_at(&l->known_at, id, l->a);
	struct known_layer *k;
	struct err why;

	if (*at)
		return &l->known.items[*at - 1];
	l->known.items = arena_grow(l->a, l->known.items, l->known.count, sizeof(*l->known.items));
	k = &l->known.items[l->known.count];
	*at = ++l->known.count;
	*k = (struct known_layer){ .id = arena_strdup(l->a, id) };
	k->there = faccessat(s->fd, arena_printf(l->a, "layers/%s", id), F_OK,
			     AT_SYMLINK_NOFOLLOW) == 0;
	k->whole = k->there && store_layer_load(s, id, l->a, &k->layer, &why) == 0 &&
		   strcmp(k->layer.id, id) == 0 &&
		   verify_layer(s, &k->layer, VERIFY_QUICK, &why) == 0;
	return k;
}

static const struct store_layer *find_known(struct load *l, const char *id)
{
	const struct known_layer *k = look_for(l, id);

	return k->whole ? &k->layer : NULL;
}

static struct job *find_job(struct load *l, const char *id)
{
	size_t at = strmap_get(&l->job_at, id);

	return at ? &l->jobs.items[at - 1] : NULL;
}

static struct job *add_job(struct load *l, const struct source_layer *source, size_t view,
			   const char *id)
{
	struct job *j;

	l->jobs.items = arena_grow(l->a, l->jobs.items, l->jobs.count, sizeof(*l->jobs.items));
	j = &l->jobs.items[l->jobs.count];
	*j = (struct job){ .source = source,
			   .view = view,
			   .id = arena_strdup(l->a, id),
			   .staged = arena_printf(l->a, "layer-%zu", l->jobs.count),
			   /* Else its name would be kept as another load's. */
			   .replace = look_for(l, id)->there,
			   .target = -1 };
	*strmap_at(&l->job_at, id, l->a) = ++l->jobs.count;
	return j;
}

/* Everything that may turn out to be needed is told to gc before it is looked for. */
static int rely_on_layers(struct load *l)
{
	struct strv ids = { NULL, 0 };
	size_t layers = 0;

	for_each (image, l->opts->images)
		layers += image->layers.count;
	ids.items = arena_calloc(l->a, layers * 2 + 1, sizeof(*ids.items));
	for_each (image, l->opts->images)
		for (size_t i = 0; i < image->layers.count; i++) {
			ids.items[ids.count++] = (char *)layer_id(image->layers.items[i].diff_id);
			ids.items[ids.count++] = chain_layer_id(l, image, i);
		}
	return ingest_rely(&l->in, &ids, l->err);
}

static int plan_layer(struct load *l, const struct source_image *image, size_t i,
		      struct load_layer *view)
{
	const struct source_layer *source = &image->layers.items[i];
	const char *id = layer_id(source->diff_id);

	*view = (struct load_layer){ source->diff_id, source->size, 0, LOAD_WAITING };
	if (find_job(l, id) || find_known(l, id) || find_known(l, chain_layer_id(l, image, i))) {
		view->state = LOAD_KNOWN;
		view->done = view->size; /* nothing of it is left to be read */
		return 0;
	}
	if (!source->member)
		return err_set(l->err, ENOENT,
			       "layer %.19s is neither in the archive nor whole in the store",
			       source->diff_id);
	add_job(l, source, (size_t)(view - l->views), id);
	return 0;
}

static int plan(struct load *l)
{
	size_t n = 0;
	int r;

	make_chains(l);
	r = rely_on_layers(l);
	for_each (image, l->opts->images)
		l->view_count += image->layers.count;
	l->views = arena_calloc(l->a, l->view_count + 1, sizeof(*l->views));
	for_each (image, l->opts->images)
		for (size_t i = 0; r == 0 && i < image->layers.count; i++)
			r = plan_layer(l, image, i, &l->views[n++]);
	if (r < 0)
		return r;
	l->counters = worker_share((l->view_count + 1) * sizeof(*l->counters));
	return l->counters ? load_check_space(l) : err_errno(l->err, "share memory");
}

/* What verify compares, where the split file holds contents and no names. */
static int sum_tree(struct load *l, struct job *j)
{
	autofd fs =
		fd_open(l->in.fd, arena_printf(l->a, "%s/fs", j->staged), O_RDONLY | O_DIRECTORY);
	struct verify_sums sums;
	int r;

	if (fs < 0)
		return err_errno(l->err, "open %s/fs", j->staged);
	r = verify_tree_sum(fs, true, l->opts->user_xattr, &sums, l->err);
	if (r < 0)
		return r;
	j->layer.tree = arena_strdup(l->a, sums.quick);
	j->layer.tree_deep = arena_strdup(l->a, sums.deep);
	j->layer.tree_xattrs = arena_strdup(l->a, sums.xattrs);
	return 0;
}

static int finish_layer(struct load *l, struct job *j)
{
	const struct source_layer *s = j->source;

	j->layer = (struct store_layer){
		.id = j->id,
		.diff_id = s->diff_id,
		.digest = arena_strdup(l->a, j->result.stream.digest),
		.media_type = s->media_type,
		.size = j->result.stream.size,
		.bytes = j->result.stream.bytes,
		.user_xattr = l->opts->user_xattr,
		.whole = j->whole,
		.has_ids = l->opts->keep_ids,
	};
	if (j->whole) {
		int r = sum_tree(l, j);

		if (r < 0)
			return r;
	}
	j->finished = true;
	return store_layer_link(l->opts->store, j->id, l->a, &j->layer.link, l->err);
}

/*
 * What a first pass could not do alone is done again: a file whose contents were written twice
 * needs them noted, a layer that relies on those below it needs to see them.
 */
static bool again(struct job *j)
{
	if (j->result.extract.needs_lower || !j->result.extract.replaced || j->whole)
		return false;
	j->whole = true;
	j->started = j->done = false;
	return true;
}

/* Where the tree of a layer is now: staged, or in the store. */
static char *tree_of(struct load *l, const struct store_layer *layer)
{
	struct job *j = find_job(l, layer->id);

	if (j && j->finished)
		return arena_printf(l->a, "%s/%s/%s/fs", l->opts->store->path, l->in.path,
				    j->staged);
	return arena_printf(l->a, "%s/layers/%s/fs", l->opts->store->path, layer->id);
}

/* The layer of an image as the store has or will have it; NULL: it has to be unpacked on top of the
 * others. */
static const struct store_layer *settled(struct load *l, const struct source_image *image, size_t i)
{
	const char *id = layer_id(image->layers.items[i].diff_id),
		   *chain_id = chain_layer_id(l, image, i);
	const struct store_layer *known;
	struct job *j = find_job(l, id);

	if (j && j->finished)
		return &j->layer;
	j = find_job(l, chain_id);
	if (j && j->finished)
		return &j->layer;
	known = find_known(l, id);
	return known ? known : find_known(l, chain_id);
}

/*
 * On top of the layers below it, which are settled. Twice: its whiteouts concern only what is below
 * it, wherever they stand among its entries.
 */
static int unpack_merged(struct load *l, const struct source_image *image, size_t i)
{
	const struct source_layer *source = &image->layers.items[i];
	struct job *alone = find_job(l, layer_id(source->diff_id)), *j;
	size_t view = alone ? alone->view : 0;
	int r;

	if (!source->member)
		return err_set(l->err, ENOENT, "layer %.19s is not in the archive",
			       source->diff_id);
	j = add_job(l, source, view, chain_layer_id(l, image, i));
	j->merged = j->whole = true;
	j->below.items = arena_calloc(l->a, i + 1, sizeof(*j->below.items));
	for (size_t k = i; k-- > 0;) {
		char *tree = tree_of(l, settled(l, image, k));
		bool again = false;

		/* overlayfs takes none twice; the uppermost hides the others. */
		for_each (above, &j->below)
			again |= strcmp(*above, tree) == 0;
		if (!again)
			j->below.items[j->below.count++] = tree;
	}
	j->whiteouts = true;
	r = load_run_jobs(l, l->jobs.count - 1);
	if (r < 0)
		return r;
	j = &l->jobs.items[l->jobs.count - 1];
	j->whiteouts = j->started = j->done = false;
	r = load_run_jobs(l, l->jobs.count - 1);
	if (r == 0)
		r = load_merged_end(l, j);
	return r < 0 ? r : finish_layer(l, j);
}

static int settle_image(struct load *l, const struct source_image *image)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->layers.count; i++)
		if (!settled(l, image, i))
			r = unpack_merged(l, image, i);
	return r;
}

static int unpack_all(struct load *l)
{
	int r = load_run_jobs(l, 0);
	bool more = false;

	for_each (j, &l->jobs)
		more |= again(j);
	if (r == 0 && more)
		r = load_run_jobs(l, 0);
	for_each (j, &l->jobs)
		if (r == 0 && !j->result.extract.needs_lower)
			r = finish_layer(l, j);
	for_each (image, l->opts->images)
		if (r == 0)
			r = settle_image(l, image);
	return r;
}

static char *now(struct arena *a)
{
	char text[TIME_TEXT_SIZE];

	time_now_text(false, text, sizeof(text));
	return arena_strdup(a, text);
}

/* The record and, for images of `docker save`, the manifest that they come without. */
static void make_image(struct load *l, const struct source_image *from, struct commit_image *image,
		       struct loaded_image *ret)
{
	struct store_image *record = &image->record;

	*record = (struct store_image){ .digest = from->digest,
					.config = from->config_digest,
					.created = now(l->a) };
	record->layers.items =
		arena_calloc(l->a, from->layers.count + 1, sizeof(*record->layers.items));
	record->layers.count = from->layers.count;
	for (size_t i = 0; i < from->layers.count; i++) {
		const struct source_layer *source = &from->layers.items[i];
		struct store_layer *layer = &record->layers.items[i];

		*layer = *settled(l, from, i);
		if (source->digest) {
			/* As this image has it: another one may compress the same layer
			 * differently. */
			layer->digest = source->digest;
			layer->size = source->size;
			layer->media_type = source->media_type;
		}
	}
	image->manifest = from->manifest;
	image->manifest_len = from->manifest_len;
	image->config = from->config;
	image->config_len = from->config_len;
	image->names = from->names;
	if (!image->manifest) {
		struct buf text = BUF_INIT;
		char digest[DIGEST_SIZE];

		manifest_write(record, from->config_len, &text);
		hash_bytes(text.data, text.len, digest);
		image->manifest = arena_memdup(l->a, text.data, text.len + 1);
		image->manifest_len = text.len;
		record->digest = arena_strdup(l->a, digest);
		buf_done(&text);
	}
	ret->record = *record;
	ret->names = from->names;
}

static int commit(struct load *l, struct loaded *ret)
{
	const struct source_images *from = l->opts->images;
	struct commit c = { { NULL, 0 }, { NULL, 0 } };
	struct loaded loaded = { arena_calloc(l->a, from->count, sizeof(*loaded.items)),
				 from->count };
	int r;

	c.layers.items = arena_calloc(l->a, l->jobs.count + 1, sizeof(*c.layers.items));
	for_each (j, &l->jobs)
		if (j->finished)
			c.layers.items[c.layers.count++] =
				(struct commit_layer){ j->staged, j->layer, j->replace };
	c.images.items = arena_calloc(l->a, from->count, sizeof(*c.images.items));
	c.images.count = from->count;
	for (size_t i = 0; i < from->count; i++) {
		make_image(l, &from->items[i], &c.images.items[i], &loaded.items[i]);
		for_each (layer, &loaded.items[i].record.layers) {
			const struct job *j = find_job(l, layer->id);

			if (j && j->finished) {
				loaded.items[i].new_layers++;
				loaded.items[i].new_bytes += j->result.extract.bytes;
			}
		}
	}
	r = ingest_commit(&l->in, &c, l->err);
	if (r == 0)
		*ret = loaded;
	return r;
}

int load_images(const struct load_opts *opts, struct arena *a, struct loaded *ret, struct err *err)
{
	struct load l = { .opts = opts, .a = a, .err = err, .in = INGEST_INIT };
	int r = ingest_open(opts->store, &l.in, err);

	if (r == 0)
		r = plan(&l);
	if (r == 0)
		r = unpack_all(&l);
	if (r == 0)
		r = commit(&l, ret);
	/* A process that the same signal reached may have failed first. */
	if (r < 0 && opts->interrupted && *opts->interrupted)
		r = err_set(err, EINTR, "interrupted");
	load_kill_jobs(&l);
	worker_unshare((void *)l.counters, (l.view_count + 1) * sizeof(*l.counters));
	ingest_close(&l.in);
	return r;
}
