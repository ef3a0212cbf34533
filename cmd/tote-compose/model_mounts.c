/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted into a service: volumes, secrets, configs, devices. */
#include "cmd/tote-compose/model.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

static bool looks_like_path(const char *source)
{
	return source[0] == '/' || source[0] == '.' || source[0] == '~';
}

/* What may stand behind the second colon; word "": it has no meaning here. */
static const struct {
	const char *option, *word;
} mount_words[] = {
	{ "ro", "ro" },
	{ "rw", "" },
	{ "z", "" },
	{ "Z", "" },
	{ "cached", "" },
	{ "delegated", "" },
	{ "consistent", "" },
	{ "private", "private" },
	{ "rprivate", "rprivate" },
	{ "shared", "shared" },
	{ "rshared", "rshared" },
	{ "slave", "slave" },
	{ "rslave", "rslave" },
};

static int add_option(struct reader *r, const struct yaml_node *n, struct compose_mount *m,
		      const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_words); i++) {
		if (strcmp(mount_words[i].option, option) != 0)
			continue;
		if (strcmp(option, "ro") == 0)
			m->read_only = true;
		else if (mount_words[i].word[0])
			m->options = arena_printf(r->a, "%s%s%s", m->options ? m->options : "",
						  m->options ? "," : "", mount_words[i].word);
		return 0;
	}
	return read_error(r, n, "tote does not know the option \"%.40s\"", option);
}

static int judge_mount(struct reader *r, const struct yaml_node *n, struct compose_mount *m)
{
	if (!m->target || m->target[0] != '/')
		return read_error(r, n, "\"%.80s\" is no absolute path",
				  m->target ? m->target : "");
	if (m->type == MOUNT_TMPFS)
		return m->source ? read_error(r, n, "a tmpfs has no source") : 0;
	if (!m->source || !*m->source)
		return read_error(r, n, "a volume without a name: give it one");
	if (m->type == MOUNT_VOLUME && strchr(m->source, '/'))
		return read_error(r, n,
				  "\"%.80s\" is no name of a volume: a path begins with "
				  "\"./\" or \"/\"",
				  m->source);
	/* The words of --volume have colons between them. */
	if (strchr(m->source, ':') || strchr(m->target, ':'))
		return read_error(r, n, "a path with a colon");
	return 0;
}

/* [SOURCE:]TARGET[:OPTION,...] */
static int read_short(struct reader *r, const struct yaml_node *n, struct compose_mount *m)
{
	char *text = arena_strdup(r->a, n->text), *options, *word;
	int result = 0;

	m->source = strsep(&text, ":");
	m->target = strsep(&text, ":");
	options = text;
	if (!m->target) {
		m->target = m->source;
		m->source = NULL;
	}
	m->type = m->source && looks_like_path(m->source) ? MOUNT_BIND : MOUNT_VOLUME;
	m->create_host_path = true;
	while (result == 0 && (word = strsep(&options, ",")))
		result = add_option(r, n, m, word);
	return result < 0 ? result : judge_mount(r, n, m);
}

static int read_propagation(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);

	(void)arg;
	if (!text)
		return -EINVAL;
	if (!strstr(text, "private") && !strstr(text, "shared") && !strstr(text, "slave"))
		return read_error(r, n, "\"%.40s\" is no kind of propagation", text);
	return add_option(r, n, out, text);
}

static const char *const recursive_words[] = { "enabled", NULL };
static const struct read_words recursive_only = { recursive_words, "only enabled is possible" };

static const struct read_key bind_keys[] = {
	{ "create_host_path", read_bool, offsetof(struct compose_mount, create_host_path) },
	{ "propagation", read_propagation, 0 },
	{ "recursive", read_one_of, 0, &recursive_only },
	{ "selinux", read_ignore, 0 },
};
static const struct read_table bind_table = { bind_keys, ARRAY_SIZE(bind_keys),
					      sizeof(struct compose_mount) };
static const struct read_key volume_keys[] = {
	{ "labels", read_refuse, 0, "volumes have no labels here" },
	{ "nocopy", read_false, 0, "a new volume is always filled with what the image has" },
	{ "subpath", read_refuse, 0, "only a whole volume can be mounted" },
};
static const struct read_table volume_table = { volume_keys, ARRAY_SIZE(volume_keys),
						sizeof(struct compose_mount) };

static int read_tmpfs_mode(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct opt_u32 *mode = out;

	mode->set = true;
	return read_mode(r, n, &mode->value, arg);
}

static const struct read_key tmpfs_keys[] = {
	{ "mode", read_tmpfs_mode, offsetof(struct compose_mount, mode) },
	{ "size", read_bytes, offsetof(struct compose_mount, size) },
};
static const struct read_table tmpfs_table = { tmpfs_keys, ARRAY_SIZE(tmpfs_keys),
					       sizeof(struct compose_mount) };

static int read_type(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_enum_value types[] = {
		{ "volume", MOUNT_VOLUME },
		{ "bind", MOUNT_BIND },
		{ "tmpfs", MOUNT_TMPFS },
		{ NULL, 0 },
	};

	return read_enum(r, n, out, arg ? arg : types);
}

#define OFFSET(member) offsetof(struct compose_mount, member)

static const struct read_key mount_keys[] = {
	{ "bind", read_map, 0, &bind_table },
	{ "consistency", read_ignore, 0 },
	{ "image", read_refuse, 0, "images cannot be mounted" },
	{ "read_only", read_bool, OFFSET(read_only) },
	{ "source", read_string, OFFSET(source) },
	{ "target", read_string, OFFSET(target) },
	{ "tmpfs", read_map, 0, &tmpfs_table },
	{ "type", read_type, OFFSET(type) },
	{ "volume", read_map, 0, &volume_table },
};

static int check_mount(struct reader *r, const struct yaml_node *n, void *out)
{
	if (!yaml_get(n, "type"))
		return read_error(r, n, "no type");
	return judge_mount(r, n, out);
}

static const struct read_table mount_table = { mount_keys, ARRAY_SIZE(mount_keys),
					       sizeof(struct compose_mount), check_mount };

int read_mount(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_mount *m = out;

	(void)arg;
	m->node = n;
	m->create_host_path = true;
	if (n->kind != YAML_SCALAR)
		return read_map(r, n, out, &mount_table);
	return read_short(r, n, m);
}

static const struct read_key grant_keys[] = {
	{ "gid", read_u32, offsetof(struct compose_grant, gid) },
	{ "mode", read_mode, offsetof(struct compose_grant, mode) },
	{ "source", read_string, offsetof(struct compose_grant, source) },
	{ "target", read_string, offsetof(struct compose_grant, target) },
	{ "uid", read_u32, offsetof(struct compose_grant, uid) },
};

static int check_grant(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_grant *g = out;

	return g->source && *g->source ? 0 : read_error(r, n, "no source");
}

static const struct read_table grant_table = { grant_keys, ARRAY_SIZE(grant_keys),
					       sizeof(struct compose_grant), check_grant };

int read_grant(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_grant *g = out;

	(void)arg;
	g->node = n;
	g->mode = 0444;
	if (n->kind != YAML_SCALAR)
		return read_map(r, n, out, &grant_table);
	g->source = n->text;
	return check_grant(r, n, g);
}

struct device {
	char *source, *target, *permissions;
};

static const struct read_key device_keys[] = {
	{ "permissions", read_string, offsetof(struct device, permissions) },
	{ "source", read_string, offsetof(struct device, source) },
	{ "target", read_string, offsetof(struct device, target) },
};
static const struct read_table device_table = { device_keys, ARRAY_SIZE(device_keys),
						sizeof(struct device) };

int read_device(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct device d = { 0 };
	int result = 0;

	(void)arg;
	if (n->kind == YAML_SCALAR)
		*(char **)out = d.source = n->text;
	else
		result = read_map(r, n, &d, &device_table);
	if (result < 0)
		return result;
	if (!d.source || d.source[0] != '/')
		return read_error(r, n, "expected a device's path, found \"%.80s\"",
				  d.source ? d.source : "");
	if (n->kind != YAML_SCALAR)
		*(char **)out =
			arena_printf(r->a, "%s:%s:%s", d.source, d.target ? d.target : d.source,
				     d.permissions ? d.permissions : "rwm");
	return 0;
}
