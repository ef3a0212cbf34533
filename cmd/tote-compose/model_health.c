/* SPDX-License-Identifier: Apache-2.0 */
/* healthcheck, and x-tote: probes without a process, starting by a connection. */
#include "cmd/tote-compose/model.h"

#include "lib/cleanup.h"
#include "netns/ip.h"

#include <errno.h>
#include <string.h>

static int read_test(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct strv *test = out;
	const char *kind;

	(void)arg;
	if (n->kind == YAML_SCALAR) {
		strv_add(test, (char *)"CMD-SHELL", r->a);
		strv_add(test, n->text, r->a);
		return *n->text ? 0 : read_error(r, n, "no command");
	}
	if (read_strv(r, n, out, NULL) < 0)
		return -EINVAL;
	kind = test->count ? test->items[0] : "";
	if (strcmp(kind, "NONE") == 0  ? test->count == 1
	    : strcmp(kind, "CMD") == 0 ? test->count > 1
				       : strcmp(kind, "CMD-SHELL") == 0 && test->count == 2)
		return 0;
	return read_error(r, n, "expected [NONE], [CMD, PROGRAM, ...] or [CMD-SHELL, LINE]");
}

#define OFFSET(member) offsetof(struct compose_health, member)

#define TIMES                                                                                      \
	{ "interval", read_duration, OFFSET(interval) },                                           \
		{ "retries", read_opt_u32, OFFSET(retries) },                                      \
		{ "start_interval", read_duration, OFFSET(start_interval) },                       \
		{ "start_period", read_duration, OFFSET(start_period) },                           \
	{                                                                                          \
		"timeout", read_duration, OFFSET(timeout)                                          \
	}

static int check_times(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_health *h = out;

	if ((h->interval.set && !h->interval.value) || (h->timeout.set && !h->timeout.value) ||
	    (h->start_interval.set && !h->start_interval.value) ||
	    (h->retries.set && !h->retries.value))
		return read_error(r, n,
				  "interval, start_interval, timeout and retries must not be 0");
	return 0;
}

static const struct read_key health_keys[] = {
	{ "disable", read_bool, OFFSET(disable) },
	{ "test", read_test, OFFSET(test) },
	TIMES,
};
static const struct read_table health_table = { health_keys, ARRAY_SIZE(health_keys),
						sizeof(struct compose_health), check_times };

int read_health(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_health *h = out;

	(void)arg;
	h->node = n;
	return read_map(r, n, out, &health_table);
}

/* "[HOST:]PORT", an IPv6 address in brackets; up to end. */
static bool parse_endpoint(const char *text, size_t len, struct arena *a, struct desired_health *h)
{
	char *copy = arena_strndup(a, text, len), *colon = strrchr(copy, ':');
	uint64_t port;

	if (colon && colon > copy) {
		*colon = '\0';
		h->host = copy;
		if (copy[0] == '[' && colon[-1] == ']') {
			colon[-1] = '\0';
			h->host = copy + 1;
		}
	}
	if (parse_integer(colon ? colon + 1 : copy, false, &port) < 0 || !port ||
	    port > UINT16_MAX || (colon == copy))
		return false;
	h->port = (uint16_t)port;
	return true;
}

static int read_tcp(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);
	struct desired_health *h = out;

	(void)arg;
	if (!text)
		return -EINVAL;
	if (h->kind)
		return read_error(r, n, "one of tcp and http");
	h->kind = HEALTH_TCP;
	return parse_endpoint(text, strlen(text), r->a, h)
		       ? 0
		       : read_error(r, n, "expected [HOST:]PORT, found \"%.80s\"", text);
}

static int read_http(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n), *path;
	struct desired_health *h = out;

	(void)arg;
	if (!text)
		return -EINVAL;
	if (h->kind)
		return read_error(r, n, "one of tcp and http");
	h->kind = HEALTH_HTTP;
	path = text + strcspn(text, "/");
	h->path = *path ? (char *)path : (char *)"/";
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return read_error(r, n, "blanks in the path");
	return parse_endpoint(text, (size_t)(path - text), r->a, h)
		       ? 0
		       : read_error(r, n, "expected [HOST:]PORT[/PATH], found \"%.80s\"", text);
}

static const struct read_enum_value actions[] = {
	{ "restart", ACTION_RESTART },
	{ "none", ACTION_NONE },
	{ NULL, 0 },
};
static const struct read_key probe_keys[] = {
	{ "action", read_enum, OFFSET(action), actions },
	{ "http", read_http, OFFSET(probe) },
	{ "tcp", read_tcp, OFFSET(probe) },
	TIMES,
};
static const struct read_table probe_table = { probe_keys, ARRAY_SIZE(probe_keys),
					       sizeof(struct compose_health), check_times };

static int read_probe(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_health *h = out;

	h->node = n;
	return read_map(r, n, out, arg);
}

/* "8080", "127.0.0.1:8080", "[::]:8080" */
static int read_listen_address(struct reader *r, const struct yaml_node *n, void *out,
			       const void *arg)
{
	const char *text = read_scalar(r, n);
	struct desired_health endpoint = { 0 };

	(void)arg;
	if (!text)
		return -EINVAL;
	*(const char **)out = text;
	return parse_endpoint(text, strlen(text), r->a, &endpoint)
		       ? 0
		       : read_error(r, n, "expected [ADDRESS:]PORT, found \"%.80s\"", text);
}

static int read_listen(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of addresses = { read_listen_address, sizeof(char *), NULL };
	struct strv *listen = out;

	(void)arg;
	if (n->kind == YAML_LIST)
		return read_list(r, n, out, &addresses);
	strv_add(listen, n->text, r->a);
	return read_listen_address(r, n, listen->items, NULL);
}

static const struct read_enum_value modes[] = {
	{ "start", ACTIVATE_START },
	{ "thaw", ACTIVATE_THAW },
	{ NULL, 0 },
};

#define ACTIVATE(member) offsetof(struct compose_activate, member)

static const struct read_key activate_keys[] = {
	{ "idle", read_duration, ACTIVATE(idle) },
	{ "listen", read_listen, ACTIVATE(listen) },
	{ "mode", read_enum, ACTIVATE(mode), modes },
	{ "port", read_u16, ACTIVATE(port) },
};

static int check_activate(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_activate *activate = out;

	return activate->listen.count ? 0 : read_error(r, n, "nothing to listen on");
}

static const struct read_table activate_table = { activate_keys, ARRAY_SIZE(activate_keys),
						  sizeof(struct compose_activate), check_activate };

/* In the one form that an address has, as it becomes a name elsewhere. */
static int read_address(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	char text[IP_TEXT_SIZE];
	const char *given = read_scalar(r, n);
	struct ip_net net;

	(void)arg;
	if (!given)
		return -EINVAL;
	if (ip_net_parse(given, &net) < 0 || !net.prefix_len)
		return read_error(r, n, "expected ADDRESS/LENGTH, found \"%.80s\"", given);
	*(char **)out = arena_strdup(r->a, ip_net_text(&net, text));
	return 0;
}

#define EXTENSION(member) offsetof(struct compose_extension, member)

static const struct read_key extension_keys[] = {
	{ "activate", read_map_ptr, EXTENSION(activate), &activate_table },
	{ "address", read_address, EXTENSION(address) },
	{ "health", read_probe, EXTENSION(health), &probe_table },
	{ "replace_order", read_order, EXTENSION(order) },
	{ "update_timeout", read_duration, EXTENSION(update_timeout) },
};
static const struct read_table extension_table = { extension_keys, ARRAY_SIZE(extension_keys),
						   sizeof(struct compose_extension) };

int read_extension(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)arg;
	return read_map(r, n, out, &extension_table);
}
