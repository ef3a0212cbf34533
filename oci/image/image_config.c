/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/manifest.h"

#include "oci/image/manifest_private.h"

#include <errno.h>
#include <string.h>

/* struct strv of an object's keys: a set, as Go writes one. */
static int read_keys(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	struct strv *keys = out;

	(void)arg;
	if (v->kind != JSON_OBJECT)
		return json_error(ctx, "expected an object");
	keys->items = arena_calloc(json_arena(ctx), v->count + 1, sizeof(*keys->items));
	for (const struct json_value *m = v->first; m; m = m->next)
		keys->items[keys->count++] = m->key;
	return 0;
}

static const struct json_field process_fields[] = {
	FIELD(image_process, "User", user, json_string),
	FIELD(image_process, "WorkingDir", working_dir, json_string),
	FIELD(image_process, "StopSignal", stop_signal, json_string),
	FIELD(image_process, "Env", env, json_strv),
	FIELD(image_process, "Entrypoint", entrypoint, json_strv),
	FIELD(image_process, "Cmd", cmd, json_strv),
	FIELD(image_process, "ExposedPorts", exposed_ports, read_keys),
	FIELD(image_process, "Volumes", volumes, read_keys),
	FIELD(image_process, "Labels", labels, json_map),
};

static const struct json_table process_table = TABLE(image_process, process_fields, NULL);

static const struct json_field history_fields[] = {
	FIELD(image_history, "created", created, json_string),
	FIELD(image_history, "created_by", created_by, json_string),
	FIELD(image_history, "author", author, json_string),
	FIELD(image_history, "comment", comment, json_string),
	FIELD(image_history, "empty_layer", empty_layer, json_bool),
};

static const struct json_table history_table = TABLE(image_history, history_fields, NULL);
static const struct json_list_of history_list = { json_object, sizeof(struct image_history),
						  &history_table };

struct rootfs {
	char *type;
	struct strv diff_ids;
};

static const struct json_list_of digest_list = { read_digest, sizeof(char *), NULL };

static const struct json_field rootfs_fields[] = {
	REQUIRED(rootfs, "type", type, json_string),
	FIELD_ARG(rootfs, "diff_ids", diff_ids, json_list, &digest_list),
};

static int check_rootfs(struct json_ctx *ctx, void *out)
{
	const struct rootfs *rootfs = out;

	if (strcmp(rootfs->type, "layers") != 0)
		return member_error(ctx, "type", "\"%.40s\" is not \"layers\"", rootfs->type);
	return 0;
}

static const struct json_table rootfs_table = TABLE(rootfs, rootfs_fields, check_rootfs);

struct document {
	struct image_config config;
	struct rootfs *rootfs;
};

static const struct json_field document_fields[] = {
	FIELD(document, "created", config.created, json_string),
	FIELD(document, "author", config.author, json_string),
	FIELD_ARG(document, "config", config.process, json_object, &process_table),
	FIELD_ARG(document, "rootfs", rootfs, json_object_ptr, &rootfs_table),
	FIELD_ARG(document, "history", config.history, json_list, &history_list),
};

static const struct json_table document_table = TABLE(document, document_fields, NULL);

/* json_list() leaves out the NULL that a struct strv ends with. */
static struct strv end_with_null(const struct strv *list, struct arena *a)
{
	struct strv ret = { arena_calloc(a, list->count + 1, sizeof(*ret.items)), list->count };

	if (list->count)
		memcpy(ret.items, list->items, list->count * sizeof(*ret.items));
	return ret;
}

int image_config_parse(const char *text, size_t len, struct arena *a, struct image_config *ret,
		       struct err *err)
{
	struct document d = { 0 };
	struct json_value *root;
	int r;

	r = json_parse(text, len, a, &root, err);
	if (r == 0)
		r = json_decode(root, &platform_table, a, &d.config.platform, err);
	if (r == 0)
		r = json_decode(root, &document_table, a, &d, err);
	if (r < 0)
		return r;
	if (!d.rootfs)
		return err_set(
			err, EOPNOTSUPP,
			"not the configuration of an image, as it has no rootfs: an artifact?");
	r = check_layer_count(d.rootfs->diff_ids.count, err);
	if (r < 0)
		return r;
	*ret = d.config;
	ret->diff_ids = end_with_null(&d.rootfs->diff_ids, a);
	return 0;
}
