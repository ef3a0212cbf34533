/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/port.h"

#include "lib/cleanup.h"
#include "netns/firewall.h"
#include "netns/nft_elem.h"
#include "netns/port_flows.h"
#include "netns/port_holder.h"
#include "netns/port_text.h"
#include "netns/port_wish.h"

#include <errno.h>
#include <string.h>

#define FORGET_TRIES 100 /* others change the same tables meanwhile */

/* Nothing of the host's own may listen where a container wants to. */
static int check_host(const struct port_wish *w, struct err *err)
{
	bool v4 = port_target(w, AF_INET), v6 = port_target(w, AF_INET6);

	for_each (m, &w->ports) {
		int rc = port_map_check(w, m, err);

		if (rc == 0 && (v4 || v6))
			rc = port_holder_check(m,
					       v4 && v6 ? AF_UNSPEC
					       : v4	? AF_INET
							: AF_INET6,
					       err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int say_taken(const struct port_wish *w, const struct nft_elem *e, const char *owner,
		     struct err *err)
{
	const char *container = w->container_of ? w->container_of(w->container_arg, owner) : NULL;
	struct ip ip = { .family = AF_INET };
	char text[IP_TEXT_SIZE];

	if (port_is_one(e) && container)
		return err_set(err, EADDRINUSE,
			       "port %u/%s of the host is published for container %s already",
			       port_number_of(e), port_protocol_name(*port_service_of(e)),
			       container);
	if (port_is_one(e))
		return err_set(err, EADDRINUSE,
			       "port %u/%s of the host is published for another container already "
			       "(key %s in table inet tote)",
			       port_number_of(e), port_protocol_name(*port_service_of(e)), owner);
	ip.family = e->set->key[0] == NFT_TYPE_IP6 ? AF_INET6 : AF_INET;
	memcpy(ip.bytes, e->key, ip_size(&ip));
	if (container)
		return err_set(err, EADDRINUSE, "address %s belongs to container %s already",
			       ip_text(&ip, text), container);
	return err_set(
		err, EADDRINUSE,
		"address %s belongs to another container already (key %s in table inet tote)",
		ip_text(&ip, text), owner);
}

static int put_all(struct nft *n, const struct port_wish *w, const struct nft_elems *l,
		   struct err *err)
{
	struct nft_elem taken;
	int rc = nft_elems_claim(n, &port_table, l, &taken, err);

	if (rc != -EADDRINUSE)
		return rc;
	if (strcmp(taken.owner, nft_elems_at(l, 0)->owner) == 0)
		return err_set(err, EINVAL, "port %u/%s of the host is to be published twice",
			       port_number_of(&taken),
			       port_protocol_name(*port_service_of(&taken)));
	return say_taken(w, &taken, taken.owner, err);
}

/* A port of one address, which another container may have on all of them. */
static int check_everywhere(struct nft *n, const struct port_wish *w, const struct nft_elem *e,
			    struct err *err)
{
	struct nft_elem other = { .set = port_set_of(PORT_SET_PORTS, e->set->key[0] == NFT_TYPE_IP6
									     ? AF_INET6
									     : AF_INET) };
	struct nft_elem found;
	int rc;

	memcpy(other.key, port_service_of(e), 8);
	rc = nft_elem_get(n, &port_table, &other, &found, err);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && strcmp(found.owner, e->owner) != 0)
		rc = say_taken(w, e, found.owner, err);
	return rc;
}

/* A port of all addresses, which another container may have on one of them. */
static int check_one_by_one(const struct port_wish *w, const struct nft_elems *others,
			    const struct nft_elem *e, struct err *err)
{
	for (size_t i = 0; i < nft_elems_count(others); i++) {
		const struct nft_elem *other = nft_elems_at(others, i);

		if (strcmp(other->owner, e->owner) != 0 &&
		    memcmp(port_service_of(other), port_service_of(e), 8) == 0)
			return say_taken(w, e, other->owner, err);
	}
	return 0;
}

/*
 * The maps cannot tell that one key covers another, so this looks once the ports are in: of two that
 * come at the same time, one at least sees the other.
 */
static int check_overlap(struct nft *n, const struct port_wish *w, const struct nft_elems *l,
			 struct err *err)
{
	static const struct nft_set *const at[] = { &port_sets[PORT_SET_PORTS_AT],
						    &port_sets[PORT_SET_PORTS_AT + 1] };
	autoelems others = { BUF_INIT };
	bool known = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < nft_elems_count(l); i++) {
		const struct nft_elem *e = nft_elems_at(l, i);

		if (!port_is_one(e))
			continue;
		if (e->set == at[0] || e->set == at[1]) {
			rc = check_everywhere(n, w, e, err);
			continue;
		}
		if (!known)
			rc = nft_elems_dump_all(n, &port_table, at, ARRAY_SIZE(at), NULL, &others,
						err);
		known = true;
		if (rc == 0)
			rc = check_one_by_one(w, &others, e, err);
	}
	return rc;
}

int port_add(const struct port_wish *wish, struct err *err)
{
	autoelems list = { BUF_INIT };
	autonft n = { 0 };
	struct err ignored;
	int rc;

	rc = check_host(wish, err);
	if (rc < 0)
		return rc;
	port_want(&list, wish);
	if (!nft_elems_count(&list))
		return 0;
	rc = nft_open(&n, err);
	if (rc < 0)
		return rc;
	rc = put_all(&n, wish, &list, err);
	if (rc < 0)
		return rc;
	rc = check_overlap(&n, wish, &list, err);
	if (rc < 0)
		nft_elems_release(&n, &port_table, &list, &ignored);
	port_flows_end(&n, &list);
	return rc;
}

static int remove_sets(const char *owner, enum port_set first, enum port_set end, struct err *err)
{
	const struct nft_set *sets[PORT_SETS];
	autoelems gone = { BUF_INIT };
	autonft n = { 0 };
	int rc;

	for (int i = first; i < (int)end; i++)
		sets[i - first] = &port_sets[i];
	rc = nft_open(&n, err);
	if (rc == 0)
		rc = nft_elems_drop(&n, &port_table, sets, (size_t)(end - first), owner, &gone,
				    err);
	if (rc == 0)
		port_flows_end(&n, &gone);
	return rc;
}

int port_remove(const char *owner, struct err *err)
{
	return remove_sets(owner, PORT_SET_PORTS, PORT_SETS, err);
}

int masquerade_remove(const char *owner, struct err *err)
{
	return remove_sets(owner, PORT_SET_MASQUERADED, PORT_SET_PORTS, err);
}

/* What an owner has in both tables, in one change; nothing when somebody else (came_again) has it now. By the
 * generation a key that became another owner's meanwhile is not taken from him. */
static int remove_all(struct nft *n, const char *owner, uint8_t family,
		      bool (*came_again)(void *arg), void *arg, struct nft_elems *ret_ports,
		      struct err *err)
{
	const struct nft_set *sets[PORT_SETS];
	autoelems admitted = { BUF_INIT };
	uint32_t generation = 0;
	size_t count = 0;
	int rc = nft_generation(n, &generation, err);

	/* In pairs, IPv4 and IPv6. */
	for (int i = family == AF_INET6; i < PORT_SETS; i += family == AF_UNSPEC ? 1 : 2)
		sets[count++] = &port_sets[i];
	buf_reset(&ret_ports->items);
	if (rc == 0)
		rc = nft_elems_dump_all(n, &port_table, sets, count, owner, ret_ports, err);
	if (rc == 0)
		rc = firewall_elems(n, owner, family, &admitted, err);
	if (rc < 0)
		return rc;
	if (came_again && came_again(arg)) {
		buf_reset(&ret_ports->items);
		return 0;
	}
	nft_begin(n, generation);
	nft_elems_queue_release(n, &port_table, ret_ports);
	firewall_queue_release(n, &admitted);
	return nft_pending(n) ? nft_commit(n, err) : 0;
}

int port_forget(const char *owner, struct err *err)
{
	return port_forget_unless(owner, AF_UNSPEC, NULL, NULL, err);
}

/* -ENOENT: somebody else removed some of it meanwhile. -ERESTART: of another generation, in which the owner
 * may have come again; with many containers coming and going that takes a few tries. */
static bool is_overtaken(int rc)
{
	return rc == -ENOENT || rc == -ERESTART;
}

static int search_and_remove(struct nft *n, const char *owner, uint8_t family,
			     bool (*came_again)(void *arg), void *arg, struct err *err)
{
	autoelems gone = { BUF_INIT };
	int rc = -ENOENT;

	for (int tries = 0; is_overtaken(rc) && tries < FORGET_TRIES; tries++)
		rc = remove_all(n, owner, family, came_again, arg, &gone, err);
	if (rc < 0)
		return rc;
	port_flows_end(n, &gone);
	return firewall_settle(n, err);
}

int port_forget_unless(const char *owner, uint8_t family, bool (*came_again)(void *arg), void *arg,
		       struct err *err)
{
	autonft n = { 0 };
	int rc = nft_open(&n, err);

	return rc < 0 ? rc : search_and_remove(&n, owner, family, came_again, arg, err);
}

void port_rules_done(struct port_rules *r)
{
	nft_elems_done(&r->ports);
	nft_elems_done(&r->admitted);
}

/* Addresses are leased, but ports that somebody flushed may have been published for another container since.
 * The generation is one in which they are their owner's; 0: there are none. */
static int check_ports(struct nft *n, const struct nft_elems *l, uint32_t *ret_generation,
		       struct err *err)
{
	uint32_t generation = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < nft_elems_count(l); i++) {
		const struct nft_elem *e = nft_elems_at(l, i);
		struct nft_elem found;

		if (!port_is_one(e))
			continue;
		if (!generation)
			rc = nft_generation(n, &generation, err);
		if (rc == 0)
			rc = nft_elem_get(n, &port_table, e, &found, err);
		if (rc == 0 && strcmp(found.owner, e->owner) != 0)
			rc = -ENOENT;
	}
	*ret_generation = generation;
	return rc;
}

static int remove_rules(struct nft *n, const struct port_rules *r, struct err *err)
{
	uint32_t generation;
	int rc = check_ports(n, &r->ports, &generation, err);

	if (rc < 0)
		return rc;
	nft_begin(n, generation);
	nft_elems_queue_release(n, &port_table, &r->ports);
	firewall_queue_release(n, &r->admitted);
	return nft_commit(n, err);
}

int port_forget_rules(const char *owner, const struct port_rules *r, struct err *err)
{
	autonft n = { 0 };
	int rc;

	if (!nft_elems_count(&r->ports) && !nft_elems_count(&r->admitted))
		return 0;
	rc = nft_open(&n, err);
	if (rc == 0)
		rc = remove_rules(&n, r, err);
	if (is_overtaken(rc))
		return search_and_remove(&n, owner, AF_UNSPEC, NULL, NULL, err);
	if (rc < 0)
		return rc;
	port_flows_end(&n, &r->ports);
	return nft_elems_count(&r->admitted) ? firewall_settle(&n, err) : 0;
}

int port_check(const struct port_wish *wish, struct err *err)
{
	autoelems list = { BUF_INIT };
	autonft n = { 0 };
	int rc;

	port_want(&list, wish);
	rc = nft_open(&n, err);
	return rc < 0 ? rc : nft_elems_check(&n, &port_table, &list, err);
}

static int compare_owners(const void *a, const void *b)
{
	return strcmp(((const struct nft_elem *)a)->owner, ((const struct nft_elem *)b)->owner);
}

int port_owners(struct arena *a, struct strv *ret_owners, struct err *err)
{
	const struct nft_set *sets[PORT_SETS];
	autoelems list = { BUF_INIT };
	autonft n = { 0 };
	size_t count, used = 0;
	char **items;
	int rc;

	for (int i = 0; i < PORT_SETS; i++)
		sets[i] = &port_sets[i];
	rc = nft_open(&n, err);
	if (rc == 0)
		rc = nft_elems_dump_all(&n, &port_table, sets, PORT_SETS, NULL, &list, err);
	if (rc == 0)
		rc = firewall_elems(&n, NULL, AF_UNSPEC, &list, err);
	if (rc < 0)
		return rc;
	count = nft_elems_count(&list);
	items = arena_calloc(a, count + 1, sizeof(*items));
	if (list.items.data)
		qsort(list.items.data, count, sizeof(struct nft_elem), compare_owners);
	for (size_t i = 0; i < count; i++)
		if (!used || strcmp(items[used - 1], nft_elems_at(&list, i)->owner) != 0)
			items[used++] = arena_strdup(a, nft_elems_at(&list, i)->owner);
	*ret_owners = (struct strv){ items, used };
	return 0;
}

int port_prune(struct err *err)
{
	autonft n = { 0 };
	int rc;

	rc = nft_open(&n, err);
	if (rc == 0)
		rc = nft_networks_prune(&n, &port_table, err);
	return rc < 0 ? rc : firewall_prune(&n, err);
}

int port_is_whole(struct err *err)
{
	autonft n = { 0 };
	int rc;

	rc = nft_open(&n, err);
	if (rc == 0)
		rc = nft_table_is_whole(&n, &port_table, err);
	return rc > 0 ? firewall_is_whole(&n, err) : rc;
}

/* Keeps the elements if that is possible: somebody may have put something else in the table's place. */
static int mend(struct nft *n, struct err *err)
{
	int rc = nft_table_is_whole(n, &port_table, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (nft_table_mend(n, &port_table, true, err) < 0)
		rc = nft_table_mend(n, &port_table, false, err);
	return rc < 0 ? rc : 1;
}

int port_repair(struct err *err)
{
	autonft n = { 0 };
	int rc, more;

	rc = nft_open(&n, err);
	if (rc < 0)
		return rc;
	rc = mend(&n, err);
	if (rc < 0)
		return rc;
	more = firewall_repair(&n, err);
	return more < 0 ? more : rc || more;
}
