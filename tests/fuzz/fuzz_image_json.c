/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of an image. The first byte says which: an index or manifest, a configuration,
 * manifest.json of a docker archive. Each either decodes to what may be walked and believed, or
 * fails with one line; a configuration that decodes can be converted to a spec that tote takes.
 */
#include "lib/cleanup.h"
#include "oci/image/convert.h"
#include "oci/image/digest.h"
#include "oci/image/manifest.h"

#include <fcntl.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int empty_root = -1;

static bool failed(int r, const struct err *err)
{
	if (r < 0 && (!err->msg[0] || strchr(err->msg, '\n') || err->code != r))
		abort();
	return r < 0;
}

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_platform(const struct platform *p, struct arena *a)
{
	struct platform_list list;
	struct platform copy = *p;
	int rank;

	platform_of("arm64", 8, true, a, &list);
	rank = platform_rank(&list, p, a);
	platform_normalize(&copy, a);
	check(rank == platform_rank(&list, &copy, a) && *platform_text(p, a));
}

static void check_descriptor(const struct descriptor *d, struct arena *a)
{
	check(digest_valid(d->digest) && d->size <= INT64_MAX);
	if (d->platform)
		check_platform(d->platform, a);
	annotation_get(&d->annotations, "org.opencontainers.image.ref.name");
}

static void manifest(const char *text, size_t len)
{
	struct manifest_document d;
	autoarena a = ARENA_INIT;
	struct err err = { 0 };

	if (failed(manifest_parse(text, len, &a, &d, &err), &err))
		return;
	for_each (m, &d.index.manifests)
		check_descriptor(m, &a);
	for_each (layer, &d.image.layers)
		check_descriptor(layer, &a);
	check(d.image.layers.count <= IMAGE_MAX_LAYERS);
	if (d.kind == MANIFEST_IMAGE)
		check_descriptor(&d.image.config, &a);
}

static void convert(const struct image_config *image)
{
	const struct convert_opts opts = { .root_path = "rootfs", .seccomp = "unconfined" };
	autoarena a = ARENA_INIT;
	struct err err = { 0 };
	autobuf json = BUF_INIT;
	struct spec *spec;

	if (empty_root < 0)
		empty_root = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (failed(convert_spec(image, &opts, empty_root, &json, &err), &err))
		return;
	if (spec_parse(json.data, json.len, &a, &spec, &err) < 0)
		abort();
	check(spec->process->cwd[0] == '/' && spec->process->no_new_privileges);
	for_each (kv, &spec->annotations)
		check(strncmp(kv->key, "org.tote.", 9) != 0);
}

static void config(const char *text, size_t len)
{
	autoarena a = ARENA_INIT;
	struct err err = { 0 };
	struct image_config c;

	if (failed(image_config_parse(text, len, &a, &c, &err), &err))
		return;
	for_each (diff_id, &c.diff_ids)
		check(digest_valid(*diff_id));
	check(!c.diff_ids.items[c.diff_ids.count]);
	check_platform(&c.platform, &a);
	convert(&c);
}

static void docker(const char *text, size_t len)
{
	autoarena a = ARENA_INIT;
	struct err err = { 0 };
	struct docker_images d;

	if (failed(docker_manifest_parse(text, len, &a, &d, &err), &err))
		return;
	check(d.count > 0);
	for_each (image, &d) {
		check(*image->config);
		for_each (layer, &image->layers)
			check(**layer);
		for_each (tag, &image->repo_tags)
			check(*tag);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const char *text, size_t len) = { manifest, config, docker };

	if (size)
		targets[data[0] % ARRAY_SIZE(targets)]((const char *)data + 1, size - 1);
	return 0;
}
