/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/port_text.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "sctp", IPPROTO_SCTP },
};

const char *port_protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "?";
}

static int bad(const char *text, const char *why, struct err *err)
{
	return err_set(err, EINVAL,
		       "port \"%s\": %s; expected [HOSTIP:]HOST:CONTAINER[/tcp|udp|sctp], such as "
		       "8080:80 or 127.0.0.1:5000-5009:5000-5009/udp",
		       text, why);
}

static bool read_port(const char **at, uint16_t *ret)
{
	uint64_t n;

	/* number_scan() skips blanks. */
	if (**at < '0' || **at > '9' || !number_scan(at, &n) || !n || n > UINT16_MAX)
		return false;
	*ret = (uint16_t)n;
	return true;
}

/* "80" or "80-89" */
static bool read_range(const char **at, uint16_t *ret_first, uint16_t *ret_last)
{
	if (!read_port(at, ret_first))
		return false;
	*ret_last = *ret_first;
	if (**at != '-')
		return true;
	++*at;
	return read_port(at, ret_last) && *ret_last >= *ret_first;
}

static bool read_protocol(const char *name, uint8_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0) {
			*ret = protocols[i].number;
			return true;
		}
	return false;
}

/* Moves *at behind the address and its colon when there is one. */
static bool read_host_ip(const char **at, struct ip *ret)
{
	const char *start = *at, *end;
	char text[IP_TEXT_SIZE];
	size_t len;

	if (*start == '[') {
		end = strchr(++start, ']');
		len = end ? (size_t)(end - start) : sizeof(text);
		*at = end && end[1] == ':' ? end + 2 : "";
	} else if (strspn(start, "0123456789-") == strcspn(start, ":/")) {
		return true;
	} else {
		end = strchr(start, ':');
		len = end ? (size_t)(end - start) : sizeof(text);
		*at = end ? end + 1 : "";
	}
	if (len >= sizeof(text))
		return false;
	memcpy(text, start, len);
	text[len] = '\0';
	return ip_parse(text, ret) == 0;
}

int port_parse(const char *text, struct port_map *ret_map, struct err *err)
{
	struct port_map map = { .protocol = IPPROTO_TCP };
	uint16_t host_last, last;
	const char *at = text;

	if (!read_host_ip(&at, &map.host_ip))
		return bad(text, "its host address is none (one of IPv6 goes in brackets)", err);
	if (!read_range(&at, &map.host_port, &host_last))
		return bad(text, "its host port is none of 1 to 65535, or a range from high to low",
			   err);
	if (*at != ':')
		return bad(text,
			   *at && *at != '/' ? "what follows the host port is not understood"
					     : "the container's port is missing",
			   err);
	at++;
	if (!read_range(&at, &map.container_port, &last))
		return bad(
			text,
			"the container's port is none of 1 to 65535, or a range from high to low",
			err);
	if (*at == '/' ? !read_protocol(at + 1, &map.protocol) : *at)
		return bad(text,
			   *at == '/' ? "its protocol is none of tcp, udp, sctp"
				      : "what follows the container's port is not understood",
			   err);
	if (last - map.container_port != host_last - map.host_port)
		return bad(text, "its two ranges are not equally long", err);
	map.count = (uint16_t)(last - map.container_port + 1);
	*ret_map = map;
	return 0;
}

static bool clash(const struct port_map *a, const struct port_map *b)
{
	return a->protocol == b->protocol && a->host_port < b->host_port + b->count &&
	       b->host_port < a->host_port + a->count &&
	       (!a->host_ip.family || !b->host_ip.family || ip_equal(&a->host_ip, &b->host_ip));
}

int port_parse_all(const struct strv *texts, struct arena *a, struct port_list *ret_ports,
		   struct err *err)
{
	struct port_list list = { arena_calloc(a, texts->count, sizeof(*list.items)), 0 };

	for_each (text, texts) {
		int r = port_parse(*text, &list.items[list.count], err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < list.count; i++)
			if (clash(&list.items[i], &list.items[list.count]))
				return err_set(err, EINVAL,
					       "ports \"%s\" and \"%s\" are the same on the host",
					       texts->items[i], *text);
		list.count++;
	}
	*ret_ports = list;
	return 0;
}

void port_write(const struct port_list *ports, struct json_writer *w)
{
	char text[IP_TEXT_SIZE];

	json_begin_array(w);
	for_each (map, ports)
		for (unsigned int i = 0; i < map->count; i++) {
			json_begin_object(w);
			json_pair_u64(w, "hostPort", map->host_port + i);
			json_pair_u64(w, "containerPort", map->container_port + i);
			json_pair_string(w, "protocol", port_protocol_name(map->protocol));
			if (map->host_ip.family)
				json_pair_string(w, "hostIP", ip_text(&map->host_ip, text));
			json_end_object(w);
		}
	json_end_array(w);
}

static void put_range(char *text, unsigned int first, unsigned int count)
{
	if (count > 1)
		sprintf(text, "%u-%u", first, first + count - 1);
	else
		sprintf(text, "%u", first);
}

const char *port_text(const struct port_map *map, char text[PORT_TEXT_SIZE])
{
	bool v6 = map->host_ip.family == AF_INET6;
	char ip[IP_TEXT_SIZE], host[16], inside[16];

	put_range(host, map->host_port, map->count);
	put_range(inside, map->container_port, map->count);
	snprintf(text, PORT_TEXT_SIZE, "%s%s%s%s%s:%s/%s", v6 ? "[" : "",
		 map->host_ip.family ? ip_text(&map->host_ip, ip) : "", v6 ? "]" : "",
		 map->host_ip.family ? ":" : "", host, inside, port_protocol_name(map->protocol));
	return text;
}
