/* SPDX-License-Identifier: Apache-2.0 */
/* Further keys of a service that have a form of their own. */
#include "cmd/tote-compose/model.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

#define ENV_FILE(member) offsetof(struct compose_env_file, member)

static const char *const format_words[] = { "raw", NULL };
static const struct read_words format_only = { format_words, "the only other format is raw" };

static int read_format(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	*(char **)out = n->text;
	return read_one_of(r, n, NULL, arg);
}

static const struct read_key env_file_keys[] = {
	{ "format", read_format, ENV_FILE(format), &format_only },
	{ "path", read_string, ENV_FILE(path) },
	{ "required", read_bool, ENV_FILE(required) },
};

static int check_env_file(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_env_file *f = out;

	return f->path && *f->path ? 0 : read_error(r, n, "no path");
}

static const struct read_table env_file_table = { env_file_keys, ARRAY_SIZE(env_file_keys),
						  sizeof(struct compose_env_file), check_env_file };

static int read_env_file(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_env_file *f = out;

	f->node = n;
	f->required = true;
	if (n->kind != YAML_SCALAR)
		return read_map(r, n, out, arg);
	f->path = n->text;
	return check_env_file(r, n, f);
}

int read_env_files(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of files = { read_env_file, sizeof(struct compose_env_file),
						   &env_file_table };
	struct {
		struct compose_env_file *items;
		size_t count;
	} *list = out;

	(void)arg;
	if (n->kind != YAML_SCALAR)
		return read_list(r, n, out, &files);
	list->items = arena_alloc(r->a, sizeof(*list->items));
	list->count = 1;
	return read_env_file(r, n, list->items, &env_file_table);
}

#define ATTACHMENT(member) offsetof(struct compose_attachment, member)

static const struct read_key attachment_keys[] = {
	{ "aliases", read_strv, ATTACHMENT(aliases) },
	{ "driver_opts", read_refuse, 0, "an interface has no such options here" },
	{ "gw_priority", read_refuse, 0,
	  "the first network has the default route: write priority" },
	{ "interface_name", read_refuse, 0,
	  "interfaces are eth0, eth1, ... in the order of networks" },
	{ "ipv4_address", read_string, ATTACHMENT(ipv4_address) },
	{ "ipv6_address", read_string, ATTACHMENT(ipv6_address) },
	{ "link_local_ips", read_refuse, 0, "tote gives no link-local addresses" },
	{ "mac_address", read_string, ATTACHMENT(mac_address) },
	{ "priority", read_number, ATTACHMENT(priority) },
};
static const struct read_table attachment_table = { attachment_keys, ARRAY_SIZE(attachment_keys),
						    sizeof(struct compose_attachment) };

static int read_attachment(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_attachment *at = out;

	at->node = n;
	return yaml_is_null(n) ? 0 : read_map(r, n, out, arg);
}

static int read_attachment_name(struct reader *r, const struct yaml_node *n, void *out,
				const void *arg)
{
	struct compose_attachment *at = out;

	(void)arg;
	at->node = n;
	at->network = (char *)read_scalar(r, n);
	return at->network ? 0 : -EINVAL;
}

int read_attachments(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of names = { read_attachment_name,
						   sizeof(struct compose_attachment), NULL };
	static const struct read_list_of maps = { read_attachment,
						  sizeof(struct compose_attachment),
						  &attachment_table };

	(void)arg;
	return n->kind == YAML_MAP ? read_named_list(r, n, out, &maps)
				   : read_list(r, n, out, &names);
}

static const struct read_enum_value drivers[] = {
	{ "local", LOG_LOCAL },
	{ "json-file", LOG_JSON_FILE },
	{ "journald", LOG_JOURNALD },
	{ "none", LOG_NONE },
	{ NULL, 0 },
};

#define LOGGING(member) offsetof(struct compose_logging, member)

static const struct read_key log_option_keys[] = {
	{ "max-file", read_u32, LOGGING(max_file) },
	{ "max-size", read_size, LOGGING(max_size) },
};
static const struct read_table log_option_table = { log_option_keys, ARRAY_SIZE(log_option_keys),
						    sizeof(struct compose_logging) };
static const struct read_key logging_keys[] = {
	{ "driver", read_enum, LOGGING(driver), drivers },
	{ "options", read_map, 0, &log_option_table },
};

/* Less than a page would be renamed all the time. */
#define MIN_LOG_SIZE 4096

static int check_logging(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_logging *l = out;

	if (l->max_size < MIN_LOG_SIZE || !l->max_file || l->max_file > 1000)
		return read_error(r, n, "max-size has to be 4k at least, max-file from 1 to 1000");
	if (yaml_get(n, "options") && l->driver != LOG_LOCAL && l->driver != LOG_JSON_FILE)
		return read_error(r, n, "options are for local and json-file");
	return 0;
}

static const struct read_table logging_table = { logging_keys, ARRAY_SIZE(logging_keys),
						 sizeof(struct compose_logging), check_logging };

int read_logging(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)arg;
	return read_map(r, n, out, &logging_table);
}

struct ulimit {
	char *soft, *hard;
};

static const struct read_key ulimit_keys[] = {
	{ "hard", read_number, offsetof(struct ulimit, hard) },
	{ "soft", read_number, offsetof(struct ulimit, soft) },
};

static int check_ulimit(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct ulimit *u = out;

	return u->soft && u->hard ? 0 : read_error(r, n, "soft and hard belong together");
}

static const struct read_table ulimit_table = { ulimit_keys, ARRAY_SIZE(ulimit_keys),
						sizeof(struct ulimit), check_ulimit };

/* "nofile=1024:2048", in the place where its name was put. */
static int read_ulimit(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const char *const names[] = { "as",     "core",	 "cpu",	       "data",
					     "fsize",  "locks",	 "memlock",    "msgqueue",
					     "nice",   "nofile", "nproc",      "rss",
					     "rtprio", "rttime", "sigpending", "stack" };
	struct ulimit u = { 0 };
	char *name = *(char **)out;
	size_t i = 0;
	int result;

	while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0)
		i++;
	if (i == ARRAY_SIZE(names))
		return read_error(r, n, "there is no such limit");
	result =
		n->kind == YAML_SCALAR ? read_number(r, n, &u.soft, NULL) : read_map(r, n, &u, arg);
	*(char **)out = arena_printf(r->a, u.hard ? "%s=%s:%s" : "%s=%s", name,
				     u.soft ? u.soft : "", u.hard ? u.hard : "");
	return result;
}

int read_ulimits(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of limits = { read_ulimit, sizeof(char *), &ulimit_table };

	(void)arg;
	return read_named_list(r, n, out, &limits);
}

struct host_addresses {
	char *name; /* first: read_named_list */
	struct strv addresses;
};

static int read_host_addresses(struct reader *r, const struct yaml_node *n, void *out,
			       const void *arg)
{
	struct host_addresses *h = out;

	return read_string_list(r, n, &h->addresses, arg);
}

/* "HOST:ADDRESS", as --add-host takes it; "HOST=ADDRESS" is as good. */
static int read_host(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);
	size_t len = text ? strcspn(text, "=:") : 0;

	(void)arg;
	if (!text)
		return -EINVAL;
	if (!len || !text[len] || !text[len + 1])
		return read_error(r, n, "expected HOST=ADDRESS, found \"%.80s\"", text);
	*(char **)out = arena_printf(r->a, "%.*s:%s", (int)len, text, text + len + 1);
	return 0;
}

int read_extra_hosts(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of lines = { read_host, sizeof(char *), NULL };
	static const struct read_list_of hosts = { read_host_addresses,
						   sizeof(struct host_addresses), NULL };
	struct {
		struct host_addresses *items;
		size_t count;
	} list = { NULL, 0 };
	struct strv *v = out;
	size_t room = 0;
	int result;

	(void)arg;
	if (n->kind == YAML_LIST)
		return read_list(r, n, out, &lines);
	result = read_named_list(r, n, &list, &hosts);
	for_each (h, &list)
		room += h->addresses.count;
	v->items = arena_calloc(r->a, room + 1, sizeof(char *));
	for_each (h, &list)
		for_each (address, &h->addresses)
			v->items[v->count++] = arena_printf(r->a, "%s:%s", h->name, *address);
	return result;
}
