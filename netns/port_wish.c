/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/port_wish.h"

#include <errno.h>
#include <string.h>

const struct nft_set *port_set_of(enum port_set set, uint8_t family)
{
	return &port_sets[set + (family == AF_INET6)];
}

const struct ip_net *port_target(const struct port_wish *w, uint8_t family)
{
	for (size_t i = 0; i < w->address_count; i++)
		if (w->addresses[i].ip.family == family)
			return &w->addresses[i];
	return NULL;
}

static struct nft_elem *want_address(struct nft_elems *l, const struct port_wish *w,
				     enum port_set set, const struct ip *ip)
{
	struct nft_elem *e = nft_elems_new(l, port_set_of(set, ip->family), w->owner);

	nft_key_ip(e->key, ip);
	return e;
}

static void want_network(struct nft_elems *l, const struct port_wish *w, enum port_set set,
			 const struct ip *ip, enum port_network test, const struct ip_net *net)
{
	nft_network_name(&port_networks[test], net, (char *)want_address(l, w, set, ip)->data);
}

static void want_masquerade(struct nft_elems *l, const struct port_wish *w)
{
	for (size_t i = 0; i < w->address_count; i++) {
		const struct ip_net *a = &w->addresses[i];

		want_network(l, w, PORT_SET_MASQUERADED, &a->ip, PORT_OUTSIDE, a);
	}
}

/* On every address of the host, of both families or (0.0.0.0, ::) of one. */
static bool is_everywhere(const struct port_map *m)
{
	static const uint8_t zero[sizeof(m->host_ip.bytes)];

	return !m->host_ip.family || memcmp(m->host_ip.bytes, zero, sizeof(zero)) == 0;
}

static void want_port(struct nft_elems *l, const struct port_wish *w, const struct port_map *m,
		      unsigned int i, const struct ip *to)
{
	enum port_set set = is_everywhere(m) ? PORT_SET_PORTS : PORT_SET_PORTS_AT;
	struct nft_elem *e = nft_elems_new(l, port_set_of(set, to->family), w->owner);
	uint8_t *at = e->key;

	if (!is_everywhere(m))
		at = nft_key_ip(at, &m->host_ip);
	nft_key_port(nft_key_protocol(at, m->protocol), (uint16_t)(m->host_port + i));
	nft_key_port(nft_key_ip(e->data, to), (uint16_t)(m->container_port + i));
}

static void want_hairpin(struct nft_elems *l, const struct port_wish *w, const struct ip_net *to)
{
	static const struct ip_net all[] = { { { AF_INET, { 0 } }, 0 },
					     { { AF_INET6, { 0 } }, 0 } };
	bool v6 = to->ip.family == AF_INET6;

	if (w->source == PORT_SOURCE_KEPT)
		return;
	want_network(l, w, PORT_SET_PUBLISHED, &to->ip, PORT_HAIRPIN,
		     w->source == PORT_SOURCE_HOST ? &all[v6] : to);
	if (w->source == PORT_SOURCE_NEEDED && !v6)
		want_address(l, w, PORT_SET_LOCALHOST, &to->ip);
}

static void want_ports(struct nft_elems *l, const struct port_wish *w, uint8_t family)
{
	const struct ip_net *to = port_target(w, family);
	size_t before = nft_elems_count(l);

	if (!to)
		return;
	for_each (m, &w->ports)
		if (!m->host_ip.family || m->host_ip.family == family)
			for (unsigned int i = 0; i < m->count; i++)
				want_port(l, w, m, i, &to->ip);
	if (nft_elems_count(l) > before)
		want_hairpin(l, w, to);
}

void port_want(struct nft_elems *l, const struct port_wish *w)
{
	if (w->masquerade)
		want_masquerade(l, w);
	want_ports(l, w, AF_INET);
	want_ports(l, w, AF_INET6);
}

int port_map_check(const struct port_wish *w, const struct port_map *m, struct err *err)
{
	static const struct ip localhost6 = { AF_INET6, { [15] = 1 } };

	if (!m->host_port || !m->container_port || !m->count ||
	    m->host_port + (m->count - 1u) > 65535 || m->container_port + (m->count - 1u) > 65535)
		return err_set(err, EINVAL,
			       "ports from %u to %u, %u of them: not within 1 to 65535",
			       m->host_port, m->container_port, m->count);
	if (ip_equal(&m->host_ip, &localhost6))
		return err_set(
			err, EINVAL,
			"port %u cannot be published on ::1, from where the kernel lets nothing "
			"out; 127.0.0.1 can be had",
			m->host_port);
	if (m->host_ip.family && !port_target(w, m->host_ip.family))
		return err_set(
			err, EINVAL,
			"port %u is to be published on an IPv%d address of the host, and the "
			"container has none of that kind",
			m->host_port, m->host_ip.family == AF_INET ? 4 : 6);
	return 0;
}

bool port_is_one(const struct nft_elem *e)
{
	return e->set->data[0] && e->set->data[0] != NFT_TYPE_CHAIN;
}

const uint8_t *port_service_of(const struct nft_elem *e)
{
	return e->key + nft_parts_size(e->set->key) - 8;
}

uint16_t port_number_of(const struct nft_elem *e)
{
	const uint8_t *service = port_service_of(e);

	return (uint16_t)(service[4] << 8 | service[5]);
}
