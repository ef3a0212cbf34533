/* SPDX-License-Identifier: Apache-2.0 */
/* No port of the host goes to two: said before anything is made, not when the second is started. */
#include "cmd/tote-compose/translate_private.h"

#include "lib/cleanup.h"
#include "netns/ip.h"

#include <string.h>

/* Ports of the host that a service takes. */
struct taken {
	const struct compose_service *service;
	const struct yaml_node *node;
	struct ip ip; /* family 0: every address of the host */
	const char *protocol;
	uint16_t first, last;
};

struct taken_list {
	struct taken *items;
	size_t count;
};

static void take(struct taken_list *list, const struct taken *t, const char *address)
{
	struct taken *new = &list->items[list->count++];

	*new = *t;
	/* What is no address was refused by the model. */
	if (address && ip_parse(address, &new->ip) < 0)
		new->ip.family = 0;
}

/* "8080", "127.0.0.1:8080", "[::1]:8080" */
static void take_listen(struct translating *t, const struct compose_service *s, const char *listen,
			struct taken_list *list)
{
	const char *colon = strrchr(listen, ':');
	size_t len = colon ? (size_t)(colon - listen) : 0;
	struct taken taken = { .service = s, .node = s->node, .protocol = "tcp" };
	uint64_t port = 0;

	parse_integer(colon ? colon + 1 : listen, false, &port);
	taken.first = taken.last = (uint16_t)port;
	if (len > 1 && listen[0] == '[')
		listen++, len -= 2;
	take(list, &taken, len ? arena_strndup(t->a, listen, len) : NULL);
}

static void take_all_of(struct translating *t, const struct compose_service *s,
			struct taken_list *list)
{
	for_each (p, &s->ports)
		take(list,
		     &(struct taken){ .service = s,
				      .node = p->node,
				      .protocol = p->protocol ? p->protocol : "tcp",
				      .first = p->host,
				      .last = p->host_end },
		     p->host_ip && *p->host_ip ? p->host_ip : NULL);
	if (s->extension.activate)
		for_each (listen, &s->extension.activate->listen)
			take_listen(t, s, *listen, list);
}

static bool is_any(const struct ip *ip)
{
	static const struct ip none;

	return memcmp(ip->bytes, none.bytes, sizeof(none.bytes)) == 0;
}

static bool overlap(const struct taken *a, const struct taken *b)
{
	if (strcmp(a->protocol, b->protocol) != 0 || a->first > b->last || b->first > a->last)
		return false;
	if (!a->ip.family || !b->ip.family)
		return true;
	return a->ip.family == b->ip.family &&
	       (is_any(&a->ip) || is_any(&b->ip) || ip_equal(&a->ip, &b->ip));
}

static int refuse(struct translating *t, const struct taken *a, const struct taken *b)
{
	return translate_error(t, a->node, a->service,
			       "ports: port %u/%s of the host is services.%.60s's (%s:%u)",
			       a->first > b->first ? a->first : b->first, a->protocol,
			       b->service->name, b->node->file, b->node->line);
}

int translate_check_ports(struct translating *t)
{
	struct taken_list list = { NULL, 0 };
	size_t most = 0;

	for_each (s, &t->file->services)
		most += s->ports.count +
			(s->extension.activate ? s->extension.activate->listen.count : 0);
	list.items = arena_calloc(t->a, most + 1, sizeof(*list.items));
	for_each (s, &t->file->services)
		if (t->active[s - t->file->services.items])
			take_all_of(t, s, &list);
	for (size_t i = 0; i < list.count; i++)
		for (size_t k = 0; k < i; k++)
			if (overlap(&list.items[i], &list.items[k]))
				return refuse(t, &list.items[i], &list.items[k]);
	return 0;
}
