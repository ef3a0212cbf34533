/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec.h"

#include "lib/file.h"
#include "lib/json_file.h"
#include "oci/spec_annotations.h"
#include "oci/spec_tables.h"

#include <errno.h>
#include <linux/sched.h>
#include <string.h>

static const struct {
	const char *name, *file;
	unsigned long flag;
} kinds[NS_KINDS] = {
	[NS_USER] = { "user", "user", CLONE_NEWUSER },
	[NS_MOUNT] = { "mount", "mnt", CLONE_NEWNS },
	[NS_PID] = { "pid", "pid", CLONE_NEWPID },
	[NS_NETWORK] = { "network", "net", CLONE_NEWNET },
	[NS_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
	[NS_UTS] = { "uts", "uts", CLONE_NEWUTS },
	[NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
	[NS_TIME] = { "time", "time", CLONE_NEWTIME },
};

static const char *const hook_names[HOOK_KINDS] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

static const struct json_field root_fields[] = {
	REQUIRED(spec_root, "path", path, json_string),
	FIELD(spec_root, "readonly", readonly, json_bool),
};

static int check_root(struct json_ctx *ctx, void *out)
{
	const struct spec_root *root = out;

	if (!*root->path)
		return member_error(ctx, "path", "must not be empty");
	return 0;
}

static const struct json_table root_table = TABLE(spec_root, root_fields, check_root);

static const struct json_field id_mapping_fields[] = {
	REQUIRED(spec_id_mapping, "containerID", container_id, json_u32),
	REQUIRED(spec_id_mapping, "hostID", host_id, json_u32),
	REQUIRED(spec_id_mapping, "size", size, json_u32),
};

static const struct json_table id_mapping_table = TABLE(spec_id_mapping, id_mapping_fields, NULL);
const struct json_list_of spec_id_mapping_list = { json_object, sizeof(struct spec_id_mapping),
						   &id_mapping_table };

static const struct json_field mount_fields[] = {
	REQUIRED(spec_mount, "destination", destination, json_string),
	FIELD(spec_mount, "type", type, json_string),
	FIELD(spec_mount, "source", source, json_string),
	FIELD(spec_mount, "options", options, json_strv),
	FIELD_ARG(spec_mount, "uidMappings", uid_mappings, json_list, &spec_id_mapping_list),
	FIELD_ARG(spec_mount, "gidMappings", gid_mappings, json_list, &spec_id_mapping_list),
};

/* A relative destination is deprecated (config.md, "Mounts") and taken as one below "/". */
static int check_mount(struct json_ctx *ctx, void *out)
{
	const struct spec_mount *m = out;
	int r;

	if (!*m->destination)
		return member_error(ctx, "destination", "must not be empty");
	if (!m->uid_mappings.count != !m->gid_mappings.count)
		return json_error(ctx, "uidMappings and gidMappings go together");
	r = check_id_mappings(ctx, "uidMappings", &m->uid_mappings);
	return r < 0 ? r : check_id_mappings(ctx, "gidMappings", &m->gid_mappings);
}

static const struct json_table mount_table = TABLE(spec_mount, mount_fields, check_mount);
static const struct json_list_of mount_list = { json_object, sizeof(struct spec_mount),
						&mount_table };

static const struct json_field hook_fields[] = {
	REQUIRED(spec_hook, "path", path, json_string),
	FIELD(spec_hook, "args", args, json_strv),
	FIELD(spec_hook, "env", env, json_strv),
	FIELD(spec_hook, "timeout", timeout, json_opt_i64),
};

static int check_hook(struct json_ctx *ctx, void *out)
{
	const struct spec_hook *h = out;
	int r = check_absolute(ctx, "path", h->path);

	if (r < 0)
		return r;
	if (h->timeout.set && h->timeout.value <= 0)
		return member_error(ctx, "timeout", "must be positive");
	return check_env(ctx, &h->env);
}

static const struct json_table hook_table = TABLE(spec_hook, hook_fields, check_hook);
static const struct json_list_of hook_list = { json_object, sizeof(struct spec_hook), &hook_table };

static const struct json_field hooks_fields[] = {
	FIELD_ARG(spec_hooks, "prestart", list[HOOK_PRESTART], json_list, &hook_list),
	FIELD_ARG(spec_hooks, "createRuntime", list[HOOK_CREATE_RUNTIME], json_list, &hook_list),
	FIELD_ARG(spec_hooks, "createContainer", list[HOOK_CREATE_CONTAINER], json_list,
		  &hook_list),
	FIELD_ARG(spec_hooks, "startContainer", list[HOOK_START_CONTAINER], json_list, &hook_list),
	FIELD_ARG(spec_hooks, "poststart", list[HOOK_POSTSTART], json_list, &hook_list),
	FIELD_ARG(spec_hooks, "poststop", list[HOOK_POSTSTOP], json_list, &hook_list),
};

static const struct json_table hooks_table = TABLE(spec_hooks, hooks_fields, NULL);

static const struct json_field spec_fields[] = {
	REQUIRED(spec, "ociVersion", oci_version, json_string),
	FIELD_ARG(spec, "process", process, json_object_ptr, &spec_process_table),
	REQUIRED_ARG(spec, "root", root, json_object_ptr, &root_table),
	FIELD(spec, "hostname", hostname, json_string),
	FIELD(spec, "domainname", domainname, json_string),
	FIELD_ARG(spec, "mounts", mounts, json_list, &mount_list),
	FIELD_ARG(spec, "hooks", hooks, json_object, &hooks_table),
	FIELD(spec, "annotations", annotations, json_map),
	FIELD_ARG(spec, "linux", linux_, json_object, &spec_linux_table),
};

static const struct json_table spec_table = TABLE(spec, spec_fields, spec_check);

int spec_parse(const char *text, size_t len, struct arena *a, struct spec **ret_spec,
	       struct err *err)
{
	struct spec *spec = arena_alloc(a, sizeof(*spec));
	int r = json_decode_text(text, len, &spec_table, a, spec, err);

	if (r == 0)
		r = spec_apply_annotations(&spec->annotations, &spec->linux_.resources, err);
	if (r == 0)
		*ret_spec = spec;
	return r;
}

int spec_load(int bundle_fd, const char *name, struct arena *a, struct spec **ret_spec,
	      struct err *err)
{
	autoarena file = ARENA_INIT;
	char *text;
	size_t len;
	int r;

	r = file_read(bundle_fd, name, JSON_MAX_SIZE, &file, &text, &len, err);
	if (r < 0)
		return r;
	r = spec_parse(text, len, a, ret_spec, err);
	if (r < 0)
		err_prefix(err, "%s", name);
	return r;
}

int spec_parse_process(const char *text, size_t len, struct arena *a,
		       struct spec_process **ret_process, struct err *err)
{
	struct spec_process *process = arena_alloc(a, sizeof(*process));
	int r = json_decode_text(text, len, &spec_process_table, a, process, err);

	if (r == 0)
		*ret_process = process;
	return r;
}

/* Who knows more than we do may say it (config.md, "Extensibility"); but who says nothing that we
 * know has made a mistake: a whole config.json, a typing error. */
static int check_any_known(const struct json_value *root, struct err *err)
{
	const struct json_table *t = &spec_resources_table;

	for (size_t i = 0; i < t->count; i++)
		if (json_get(root, t->fields[i].key))
			return 0;
	return root->count ? err_set(err, EINVAL, "has no member of linux.resources") : 0;
}

int spec_parse_resources(const char *text, size_t len, struct arena *a,
			 struct cg_limits *ret_limits, struct err *err)
{
	struct cg_limits limits = { 0 };
	struct json_value *root;
	int r = json_parse(text, len, a, &root, err);

	if (r == 0)
		r = json_decode(root, &spec_resources_table, a, &limits, err);
	if (r == 0)
		r = check_any_known(root, err);
	if (r == 0)
		*ret_limits = limits;
	return r;
}

const struct spec_namespace *spec_namespace(const struct spec *spec, enum ns_kind kind)
{
	for (size_t i = 0; i < spec->linux_.namespaces.count; i++)
		if (spec->linux_.namespaces.items[i].type == (int)kind)
			return &spec->linux_.namespaces.items[i];
	return NULL;
}

bool spec_new_namespace(const struct spec *spec, enum ns_kind kind)
{
	const struct spec_namespace *ns = spec_namespace(spec, kind);

	return ns && !ns->path;
}

const char *ns_kind_name(enum ns_kind kind)
{
	return kinds[kind].name;
}

unsigned long ns_kind_flag(enum ns_kind kind)
{
	return kinds[kind].flag;
}

const char *ns_kind_file(enum ns_kind kind)
{
	return kinds[kind].file;
}

const char *hook_kind_name(enum hook_kind kind)
{
	return hook_names[kind];
}
