/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/model.h"

#include "lib/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* "80" or "80-90". */
static bool parse_range(const char *text, uint16_t *first, uint16_t *last)
{
	size_t len = strcspn(text, "-");
	uint64_t from, to;
	char number[8];

	if (!len || len >= sizeof(number))
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	if (parse_integer(number, false, &from) < 0)
		return false;
	to = from;
	if (text[len] && parse_integer(text + len + 1, false, &to) < 0)
		return false;
	*first = (uint16_t)from;
	*last = (uint16_t)to;
	return from && from <= to && to <= UINT16_MAX;
}

static bool is_address(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int judge_port(struct reader *r, const struct yaml_node *n, struct compose_port *p)
{
	if (!p->target || !parse_range(p->target, &p->first, &p->last))
		return read_error(r, n, "\"%.40s\" is no port or range of ports",
				  p->target ? p->target : "");
	if (!p->published || !*p->published)
		return read_error(r, n, "no port of the host: write \"%.40s:%.40s\"", p->target,
				  p->target);
	if (!parse_range(p->published, &p->host, &p->host_end))
		return read_error(r, n, "\"%.40s\" is no port or range of ports", p->published);
	if (p->host_end - p->host != p->last - p->first)
		return read_error(r, n, "%.40s and %.40s are not as many ports", p->published,
				  p->target);
	if (p->host_ip && !is_address(p->host_ip))
		return read_error(r, n, "\"%.60s\" is no address", p->host_ip);
	if (p->protocol && strcmp(p->protocol, "tcp") != 0 && strcmp(p->protocol, "udp") != 0 &&
	    strcmp(p->protocol, "sctp") != 0)
		return read_error(r, n, "\"%.40s\" is none of tcp, udp and sctp", p->protocol);
	return 0;
}

/* [[IP:]HOST:]CONTAINER[/PROTOCOL], an IPv6 address in brackets. */
static int read_short(struct reader *r, const struct yaml_node *n, struct compose_port *p)
{
	char *text = arena_strdup(r->a, n->text), *colon;

	p->protocol = strchr(text, '/');
	if (p->protocol)
		*p->protocol++ = '\0';
	colon = strrchr(text, ':');
	p->target = colon ? colon + 1 : text;
	if (!colon)
		return judge_port(r, n, p);
	*colon = '\0';
	colon = strrchr(text, ':');
	p->published = colon ? colon + 1 : text;
	if (!colon)
		return judge_port(r, n, p);
	*colon = '\0';
	p->host_ip = text;
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		p->host_ip = text + 1;
	}
	return judge_port(r, n, p);
}

static const char *const mode_words[] = { "host", "ingress", NULL };
static const struct read_words mode_only = { mode_words, "expected host or ingress" };

#define OFFSET(member) offsetof(struct compose_port, member)

static const struct read_key port_keys[] = {
	{ "app_protocol", read_ignore, 0 },
	{ "host_ip", read_string, OFFSET(host_ip) },
	{ "mode", read_one_of, 0, &mode_only },
	{ "name", read_ignore, 0 },
	{ "protocol", read_string, OFFSET(protocol) },
	{ "published", read_string, OFFSET(published) },
	{ "target", read_string, OFFSET(target) },
};

static int check_port(struct reader *r, const struct yaml_node *n, void *out)
{
	return judge_port(r, n, out);
}

static const struct read_table port_table = { port_keys, ARRAY_SIZE(port_keys),
					      sizeof(struct compose_port), check_port };

int read_port(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_port *p = out;

	(void)arg;
	p->node = n;
	if (n->kind != YAML_SCALAR)
		return read_map(r, n, out, &port_table);
	return read_short(r, n, p);
}
