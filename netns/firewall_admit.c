/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall.h"

#include "lib/cleanup.h"
#include "netns/firewall_foreign.h"
#include "netns/firewall_table.h"

#include <errno.h>
#include <string.h>

#define TRIES 100 /* others change the ruleset meanwhile */

static const struct nft_set *const sets[FIREWALL_SETS] = {
	&firewall_sets[0], &firewall_sets[1], &firewall_sets[2],
	&firewall_sets[3], &firewall_sets[4], &firewall_sets[5],
};

static struct nft_elem *want(struct nft_elems *l, const struct firewall_wish *w,
			     enum firewall_set set, const struct ip *ip)
{
	struct nft_elem *e =
		nft_elems_new(l, &firewall_sets[set + (ip->family == AF_INET6)], w->owner);

	nft_key_ip(e->key, ip);
	return e;
}

void firewall_want(struct nft_elems *l, const struct firewall_wish *w)
{
	for (size_t i = 0; i < w->address_count; i++) {
		const struct ip_net *a = &w->addresses[i];

		want(l, w, FIREWALL_SET_ADMITTED, &a->ip);
		if (w->same_bridge)
			want(l, w, FIREWALL_SET_ISOLATED, &a->ip);
		nft_network_name(firewall_networks, a,
				 (char *)want(l, w, FIREWALL_SET_NEIGHBOURS, &a->ip)->data);
	}
}

/* Gives our rule to all chains that need it. 1 when one did, 0, -errno. */
static int open_foreign(struct nft *n, struct err *err)
{
	int rc = -ERESTART;

	/* Of two that come at the same time only one may add a rule: hence the generation. */
	for (int tries = 0; rc == -ERESTART && tries < TRIES; tries++) {
		autoforeign chains = { BUF_INIT };
		uint32_t generation;

		rc = nft_generation(n, &generation, err);
		if (rc == 0)
			rc = foreign_list(n, &chains, err);
		if (rc < 0)
			return rc;
		nft_begin(n, generation);
		for (size_t i = 0; i < foreign_count(&chains); i++)
			if (foreign_at(&chains, i)->refuses && !foreign_at(&chains, i)->ours)
				foreign_open(n, foreign_at(&chains, i));
		if (!nft_pending(n))
			return 0;
		rc = nft_commit(n, err);
	}
	return rc < 0 ? rc : 1;
}

/* 1 when somebody is admitted: nobody is in the other sets alone. */
static int is_used(struct nft *n, struct err *err)
{
	autoelems list = { BUF_INIT };
	int rc = nft_elems_dump_all(n, &firewall_table, sets, FIREWALL_SET_NEIGHBOURS, NULL, &list,
				    err);

	return rc < 0 ? rc : nft_elems_count(&list) > 0;
}

/*
 * Our rules in others' chains go with the last container: the generation keeps one that comes right now
 * from losing its way. The table stays, as it would have to be made again for the next one.
 */
int firewall_settle(struct nft *n, struct err *err)
{
	int rc = -ERESTART;

	for (int tries = 0; rc == -ERESTART && tries < TRIES; tries++) {
		autoforeign chains = { BUF_INIT };
		uint32_t generation;

		rc = nft_generation(n, &generation, err);
		if (rc == 0)
			rc = is_used(n, err);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		rc = foreign_list(n, &chains, err);
		if (rc < 0)
			return rc;
		nft_begin(n, generation);
		for (size_t i = 0; i < foreign_count(&chains); i++)
			if (foreign_at(&chains, i)->ours)
				foreign_close(n, foreign_at(&chains, i));
		if (!nft_pending(n))
			return 0;
		rc = nft_commit(n, err);
	}
	return rc;
}

int firewall_add(const struct firewall_wish *wish, struct err *err)
{
	autoelems list = { BUF_INIT };
	struct nft_elem taken;
	autonft n = { 0 };
	int rc;

	firewall_want(&list, wish);
	if (!nft_elems_count(&list))
		return 0;
	rc = nft_open(&n, err);
	if (rc < 0)
		return rc;
	rc = nft_elems_claim(&n, &firewall_table, &list, &taken, err);
	if (rc == -EADDRINUSE)
		return err_set(
			err, EADDRINUSE,
			"an address of the container is admitted through the firewall as another "
			"container's (key %s in table inet tote_firewall)",
			taken.owner);
	if (rc == 0)
		rc = open_foreign(&n, err);
	return rc < 0 ? rc : 0;
}

int firewall_remove(const char *owner, struct err *err)
{
	autoelems gone = { BUF_INIT };
	autonft n = { 0 };
	int rc;

	rc = nft_open(&n, err);
	if (rc == 0)
		rc = nft_elems_drop(&n, &firewall_table, sets, FIREWALL_SETS, owner, &gone, err);
	return rc < 0 ? rc : firewall_settle(&n, err);
}

static int is_open(struct nft *n, struct err *err)
{
	autoforeign chains = { BUF_INIT };
	int rc = foreign_list(n, &chains, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < foreign_count(&chains); i++)
		if (foreign_at(&chains, i)->refuses && !foreign_at(&chains, i)->ours)
			return 0;
	return 1;
}

int firewall_check(const struct firewall_wish *wish, struct err *err)
{
	autoelems list = { BUF_INIT };
	autonft n = { 0 };
	int rc;

	firewall_want(&list, wish);
	rc = nft_open(&n, err);
	if (rc == 0)
		rc = nft_elems_check(&n, &firewall_table, &list, err);
	if (rc < 0)
		return rc;
	rc = firewall_is_whole(&n, err);
	return rc == 0	? err_set(err, ENOENT,
				  "the firewall's rules for containers are incomplete; see "
				   "`tote network repair`")
	       : rc < 0 ? rc
			: 0;
}

int firewall_elems(struct nft *n, const char *owner, uint8_t family, struct nft_elems *ret_list,
		   struct err *err)
{
	const struct nft_set *some[FIREWALL_SETS];
	size_t count = 0;

	for (int i = family == AF_INET6; i < FIREWALL_SETS; i += family == AF_UNSPEC ? 1 : 2)
		some[count++] = sets[i];
	return nft_elems_dump_all(n, &firewall_table, some, count, owner, ret_list, err);
}

void firewall_queue_release(struct nft *n, const struct nft_elems *list)
{
	nft_elems_queue_release(n, &firewall_table, list);
}

int firewall_prune(struct nft *n, struct err *err)
{
	return nft_networks_prune(n, &firewall_table, err);
}

int firewall_is_whole(struct nft *n, struct err *err)
{
	int rc = is_used(n, err);

	if (rc <= 0)
		return rc < 0 ? rc : 1;
	rc = nft_table_is_whole(n, &firewall_table, err);
	return rc > 0 ? is_open(n, err) : rc;
}

static int mend(struct nft *n, struct err *err)
{
	int rc = nft_table_is_whole(n, &firewall_table, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (nft_table_mend(n, &firewall_table, true, err) < 0)
		rc = nft_table_mend(n, &firewall_table, false, err);
	return rc < 0 ? rc : 1;
}

int firewall_repair(struct nft *n, struct err *err)
{
	int rc = is_used(n, err);
	int mended;

	if (rc <= 0)
		return rc;
	mended = mend(n, err);
	if (mended < 0)
		return mended;
	rc = open_foreign(n, err);
	return rc < 0 ? rc : rc || mended;
}
