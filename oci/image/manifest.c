/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/manifest.h"

#include "oci/image/digest.h"
#include "oci/image/manifest_private.h"

#include <errno.h>
#include <string.h>

#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
/* The configuration of what has none: image-spec manifest.md, "Guidance for an Empty Descriptor".
 */
#define MEDIA_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+"

static const struct json_field platform_fields[] = {
	FIELD(platform, "os", os, json_string),
	FIELD(platform, "architecture", architecture, json_string),
	FIELD(platform, "variant", variant, json_string),
	FIELD(platform, "os.version", os_version, json_string),
	FIELD(platform, "os.features", os_features, json_strv),
};

const struct json_table platform_table = TABLE(platform, platform_fields, NULL);

int read_digest(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	int r = json_string(ctx, v, out, arg);

	if (r == 0 && !digest_valid(v->text))
		return json_error(
			ctx,
			"\"%.80s\" is no digest that is known (sha256:, sha512: and hexadecimal "
			"digits)",
			v->text);
	return r;
}

static const struct json_field descriptor_fields[] = {
	FIELD(descriptor, "mediaType", media_type, json_string),
	REQUIRED(descriptor, "digest", digest, read_digest),
	REQUIRED(descriptor, "size", size, json_u64),
	FIELD(descriptor, "annotations", annotations, json_map),
	FIELD_ARG(descriptor, "platform", platform, json_object_ptr, &platform_table),
	FIELD(descriptor, "artifactType", artifact_type, json_string),
};

static int check_descriptor(struct json_ctx *ctx, void *out)
{
	const struct descriptor *d = out;

	if (d->size > INT64_MAX)
		return member_error(ctx, "size", "%llu is out of range",
				    (unsigned long long)d->size);
	return 0;
}

static const struct json_table descriptor_table =
	TABLE(descriptor, descriptor_fields, check_descriptor);
static const struct json_list_of descriptor_list = { json_object, sizeof(struct descriptor),
						     &descriptor_table };

/* Both kinds, as only the whole tells which one it is. */
struct document {
	struct opt_i64 schema_version;
	char *media_type, *artifact_type;
	const struct json_value *manifests, *config, *layers, *schema1_layers;
};

static const struct json_field document_fields[] = {
	FIELD(document, "schemaVersion", schema_version, json_opt_i64),
	FIELD(document, "mediaType", media_type, json_string),
	FIELD(document, "artifactType", artifact_type, json_string),
	FIELD(document, "manifests", manifests, json_value_raw),
	FIELD(document, "config", config, json_value_raw),
	FIELD(document, "layers", layers, json_value_raw),
	FIELD(document, "fsLayers", schema1_layers, json_value_raw),
};

static const struct json_table document_table = TABLE(document, document_fields, NULL);

static const struct json_field manifest_fields[] = {
	FIELD(image_manifest, "mediaType", media_type, json_string),
	REQUIRED_ARG(image_manifest, "config", config, json_object, &descriptor_table),
	FIELD_ARG(image_manifest, "layers", layers, json_list, &descriptor_list),
	FIELD(image_manifest, "annotations", annotations, json_map),
};

static const struct json_table manifest_table = TABLE(image_manifest, manifest_fields, NULL);

static const struct json_field index_fields[] = {
	FIELD_ARG(image_index, "manifests", manifests, json_list, &descriptor_list),
};

static const struct json_table index_table = TABLE(image_index, index_fields, NULL);

static bool same(const char *x, const char *y)
{
	return x && strcmp(x, y) == 0;
}

static bool is_index_type(const char *type)
{
	return same(type, MEDIA_OCI_INDEX) || same(type, MEDIA_DOCKER_LIST);
}

static bool is_manifest_type(const char *type)
{
	return same(type, MEDIA_OCI_MANIFEST) || same(type, MEDIA_DOCKER_MANIFEST);
}

int check_layer_count(size_t count, struct err *err)
{
	if (count <= IMAGE_MAX_LAYERS)
		return 0;
	return err_set(err, EOPNOTSUPP, "%zu layers, where overlayfs takes at most %d", count,
		       IMAGE_MAX_LAYERS);
}

static int check_version(const struct document *d, struct err *err)
{
	const char *type = d->media_type;

	if (d->schema1_layers || (d->schema_version.set && d->schema_version.value == 1) ||
	    (type && strncmp(type, MEDIA_SCHEMA1, strlen(MEDIA_SCHEMA1)) == 0))
		return err_set(
			err, EOPNOTSUPP,
			"a manifest of Docker's schema 1, which is out of use since 2017: pull "
			"and save the image again with a current tool");
	if (d->schema_version.set && d->schema_version.value != 2)
		return err_set(err, EOPNOTSUPP, "schemaVersion %lld, where 2 is supported",
			       (long long)d->schema_version.value);
	return 0;
}

/*
 * What a document is lies in its members; a media type or members of the other kind beside them
 * would let two programs see two images in one digest (CVE-2021-41190).
 */
static int find_kind(const struct document *d, enum manifest_kind *ret, struct err *err)
{
	bool index = d->manifests || is_index_type(d->media_type);
	bool manifest = d->config || d->layers || is_manifest_type(d->media_type);
	int r = check_version(d, err);

	if (r < 0)
		return r;
	if (index && manifest)
		return err_set(err, EINVAL, "both an index and a manifest");
	if (!index && !manifest && d->media_type)
		return err_set(err, EOPNOTSUPP,
			       "neither an image index nor a manifest: mediaType %.80s",
			       d->media_type);
	if (!index && !manifest)
		return err_set(err, EOPNOTSUPP, "neither an image index nor a manifest");
	*ret = index ? MANIFEST_INDEX : MANIFEST_IMAGE;
	return 0;
}

/* A configuration of an unknown type may still be an image's: image_config_parse() judges it. */
static int check_artifact(const struct document *d, const struct image_manifest *m, struct err *err)
{
	const char *type = m->config.media_type;
	bool artifact = d->artifact_type && *d->artifact_type;

	if (!type || !*type || same(type, MEDIA_OCI_CONFIG) || same(type, MEDIA_DOCKER_CONFIG) ||
	    !(artifact || same(type, MEDIA_EMPTY)))
		return 0;
	return err_set(err, EOPNOTSUPP, "an artifact of type %.80s, not an image",
		       artifact ? d->artifact_type : type);
}

int manifest_parse(const char *text, size_t len, struct arena *a, struct manifest_document *ret,
		   struct err *err)
{
	struct document d = { 0 };
	struct json_value *root;
	int r;

	*ret = (struct manifest_document){ 0 };
	r = json_parse(text, len, a, &root, err);
	if (r == 0)
		r = json_decode(root, &document_table, a, &d, err);
	if (r == 0)
		r = find_kind(&d, &ret->kind, err);
	if (r < 0)
		return r;
	if (ret->kind == MANIFEST_INDEX)
		return json_decode(root, &index_table, a, &ret->index, err);
	r = json_decode(root, &manifest_table, a, &ret->image, err);
	if (r == 0)
		r = check_artifact(&d, &ret->image, err);
	return r < 0 ? r : check_layer_count(ret->image.layers.count, err);
}

const char *annotation_get(const struct key_value_list *list, const char *key)
{
	for_each (kv, list) {
		if (strcmp(kv->key, key) == 0)
			return kv->value;
	}
	return NULL;
}
