/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft_elem.h"

#include "lib/cleanup.h"
#include "netns/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PER_MESSAGE 80 /* an element takes 190 bytes of a message at most */
#define TRIES 8	       /* others change the same table meanwhile */

void nft_elems_done(struct nft_elems *l)
{
	buf_done(&l->items);
}

size_t nft_elems_count(const struct nft_elems *l)
{
	return l->items.len / sizeof(struct nft_elem);
}

struct nft_elem *nft_elems_at(const struct nft_elems *l, size_t i)
{
	return (struct nft_elem *)(void *)l->items.data + i;
}

struct nft_elem *nft_elems_new(struct nft_elems *l, const struct nft_set *set, const char *owner)
{
	struct nft_elem e = { .set = set };

	snprintf(e.owner, sizeof(e.owner), "%s", owner);
	buf_add(&l->items, &e, sizeof(e));
	return nft_elems_at(l, nft_elems_count(l) - 1);
}

uint8_t *nft_key_ip(uint8_t *at, const struct ip *ip)
{
	memcpy(at, ip->bytes, ip_size(ip));
	return at + ip_size(ip);
}

uint8_t *nft_key_protocol(uint8_t *at, uint8_t protocol)
{
	*at = protocol;
	return at + 4;
}

uint8_t *nft_key_port(uint8_t *at, uint16_t port)
{
	uint16_t value = htons(port);

	memcpy(at, &value, sizeof(value));
	return at + 4;
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const uint8_t *value, size_t len)
{
	struct nlattr *nest = nl_nest(nlh, type);

	nl_put(nlh, NFTA_DATA_VALUE, len, value);
	nl_nest_end(nlh, nest);
}

/* NFT_TYPE_CHAIN is a verdict to the kernel. */
static void put_jump(struct nlmsghdr *nlh, const char *chain)
{
	struct nlattr *nest = nl_nest(nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = nl_nest(nlh, NFTA_DATA_VERDICT);

	nl_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_JUMP));
	nl_put_text(nlh, NFTA_VERDICT_CHAIN, chain);
	nl_nest_end(nlh, verdict);
	nl_nest_end(nlh, nest);
}

static void put_elem(struct nlmsghdr *nlh, const struct nft_elem *e, bool whole)
{
	struct nlattr *nest = nl_nest(nlh, NFTA_LIST_ELEM);

	put_value(nlh, NFTA_SET_ELEM_KEY, e->key, nft_parts_size(e->set->key));
	if (whole && e->set->data[0] == NFT_TYPE_CHAIN)
		put_jump(nlh, (const char *)e->data);
	else if (whole && e->set->data[0])
		put_value(nlh, NFTA_SET_ELEM_DATA, e->data, nft_parts_size(e->set->data));
	if (whole)
		nft_put_comment(nlh, NFTA_SET_ELEM_USERDATA, e->owner);
	nl_nest_end(nlh, nest);
}

static void put_set(struct nlmsghdr *nlh, const struct nft_table *t, const struct nft_set *set)
{
	nl_put_text(nlh, NFTA_SET_ELEM_LIST_TABLE, t->name);
	nl_put_text(nlh, NFTA_SET_ELEM_LIST_SET, set->name);
}

/* How many from i on fit one message: those of the same set. */
static size_t message_end(const struct nft_elems *l, size_t i)
{
	size_t end = i + 1;

	while (end < nft_elems_count(l) && end - i < PER_MESSAGE &&
	       nft_elems_at(l, end)->set == nft_elems_at(l, i)->set)
		end++;
	return end;
}

static void change_all(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		       bool add)
{
	for (size_t i = 0, end; i < nft_elems_count(l); i = end) {
		const struct nft_set *set = nft_elems_at(l, i)->set;
		struct nlmsghdr *nlh =
			nft_change(n, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
				   add ? NLM_F_CREATE | NLM_F_EXCL : 0, NFPROTO_INET,
				   "elements of %s in table inet %s", set->name, t->name);
		struct nlattr *nest;

		end = message_end(l, i);
		put_set(nlh, t, set);
		nest = nl_nest(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t j = i; j < end; j++)
			put_elem(nlh, nft_elems_at(l, j), add);
		nl_nest_end(nlh, nest);
	}
}

static void copy_value(uint8_t *to, const struct nlattr *nest)
{
	const struct nlattr *attrs[NFTA_DATA_VALUE + 1];
	size_t len;

	rtnl_nested(nest, attrs, ARRAY_SIZE(attrs));
	if (!attrs[NFTA_DATA_VALUE])
		return;
	len = nl_size(attrs[NFTA_DATA_VALUE]);
	memcpy(to, nl_data(attrs[NFTA_DATA_VALUE]), len < NFT_KEY_MAX ? len : NFT_KEY_MAX);
}

static void copy_jump(char to[NFT_CHAIN_SIZE], const struct nlattr *nest)
{
	const struct nlattr *data[NFTA_DATA_VERDICT + 1];
	const struct nlattr *verdict[NFTA_VERDICT_CHAIN + 1];

	rtnl_nested(nest, data, ARRAY_SIZE(data));
	rtnl_nested(data[NFTA_DATA_VERDICT], verdict, ARRAY_SIZE(verdict));
	snprintf(to, NFT_CHAIN_SIZE, "%s", nft_text(verdict[NFTA_VERDICT_CHAIN]));
}

static void take_elem(const struct nlattr *nest, const struct nft_set *set, const char *owner,
		      struct nft_elems *list)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_USERDATA + 1];
	const char *comment;
	struct nft_elem *e;

	rtnl_nested(nest, attrs, ARRAY_SIZE(attrs));
	comment = nft_comment(attrs[NFTA_SET_ELEM_USERDATA]);
	if (owner && strcmp(comment, owner) != 0)
		return;
	e = nft_elems_new(list, set, comment);
	copy_value(e->key, attrs[NFTA_SET_ELEM_KEY]);
	if (set->data[0] == NFT_TYPE_CHAIN)
		copy_jump((char *)e->data, attrs[NFTA_SET_ELEM_DATA]);
	else
		copy_value(e->data, attrs[NFTA_SET_ELEM_DATA]);
}

static void take_all(const struct buf *replies, const struct nft_set *set, const char *owner,
		     struct nft_elems *list)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_LIST_ELEMENTS + 1];
	const struct nlmsghdr *nlh = NULL;

	while ((nlh = rtnl_next(replies, nlh))) {
		const struct nlattr *nest = NULL;

		nft_attrs(nlh, attrs, ARRAY_SIZE(attrs));
		while ((nest = nl_next_nested(attrs[NFTA_SET_ELEM_LIST_ELEMENTS], nest)))
			take_elem(nest, set, owner, list);
	}
}

int nft_elems_dump(struct nft *n, const struct nft_table *t, const struct nft_set *set,
		   const char *owner, struct nft_elems *ret_list, struct err *err)
{
	autobuf replies = BUF_INIT;
	struct nlmsghdr *nlh;
	int rc;

	nlh = nft_question(n, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFPROTO_INET, set->name);
	put_set(nlh, t, set);
	rc = nft_ask(n, &replies, err);
	if (rc < 0)
		return rc;
	take_all(&replies, set, owner, ret_list);
	return 0;
}

int nft_elems_dump_all(struct nft *n, const struct nft_table *t, const struct nft_set *const *sets,
		       size_t count, const char *owner, struct nft_elems *ret_list, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = nft_elems_dump(n, t, sets[i], owner, ret_list, err);

		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	return 0;
}

int nft_elem_get(struct nft *n, const struct nft_table *t, const struct nft_elem *e,
		 struct nft_elem *ret_found, struct err *err)
{
	autobuf replies = BUF_INIT;
	autoelems found = { BUF_INIT };
	struct nlattr *nest;
	struct nlmsghdr *nlh;
	int rc;

	nlh = nft_question(n, NFT_MSG_GETSETELEM, 0, NFPROTO_INET, e->set->name);
	put_set(nlh, t, e->set);
	nest = nl_nest(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	put_elem(nlh, e, false);
	nl_nest_end(nlh, nest);
	rc = nft_ask(n, &replies, err);
	if (rc < 0)
		return rc;
	take_all(&replies, e->set, NULL, &found);
	if (!nft_elems_count(&found))
		return err_set(err, ENOENT, "nf_tables: %s has no such element", e->set->name);
	*ret_found = *nft_elems_at(&found, 0);
	return 0;
}

/* Something of the list is there already. 0 when all of that is its owner's, which is put into ret_own,
 * or gone by now; -EADDRINUSE. */
static int find_taken(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		      struct nft_elems *ret_own, struct nft_elem *ret_taken, struct err *err)
{
	for (size_t i = 0; i < nft_elems_count(l); i++) {
		const struct nft_elem *e = nft_elems_at(l, i);
		struct nft_elem found;
		int rc = nft_elem_get(n, t, e, &found, err);

		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return rc;
		if (strcmp(found.owner, e->owner) != 0) {
			*ret_taken = found;
			return err_set(err, EADDRINUSE, "nf_tables: an element of %s is taken",
				       e->set->name);
		}
		*nft_elems_new(ret_own, e->set, e->owner) = found;
	}
	return 0;
}

/* How the kernel says that a key is there: with the same value, with another, as a part of a range. */
static bool is_there_already(int rc)
{
	return rc == -EEXIST || rc == -EBUSY || rc == -ENOTEMPTY;
}

static int compare_keys(const void *a, const void *b)
{
	const struct nft_elem *x = a, *y = b;

	return x->set != y->set ? (x->set < y->set ? -1 : 1)
				: memcmp(x->key, y->key, sizeof(x->key));
}

/* An element that the list has twice, or NULL. Sorts it. */
static const struct nft_elem *find_twice(const struct nft_elems *l)
{
	size_t count = nft_elems_count(l);

	qsort(l->items.data, count, sizeof(struct nft_elem), compare_keys);
	for (size_t i = 1; i < count; i++)
		if (compare_keys(nft_elems_at(l, i - 1), nft_elems_at(l, i)) == 0)
			return nft_elems_at(l, i);
	return NULL;
}

/* Somebody put something else in the place of a part of it: adding is not what removes that. */
static int say_unlike(const struct nft_table *t, int rc, struct err *err)
{
	struct err cause = *err;

	if (rc != -EEXIST && rc != -EINVAL)
		return rc;
	return err_set(err, -rc,
		       "%.300s; table inet %s is not as tote makes it, see `tote network repair`",
		       cause.msg, t->name);
}

static int make_what_lacks(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
			   struct err *err)
{
	autonetworks networks = { BUF_INIT };

	for (size_t i = 0; i < nft_elems_count(l); i++)
		if (nft_elems_at(l, i)->set->data[0] == NFT_TYPE_CHAIN)
			nft_networks_add(&networks, (const char *)nft_elems_at(l, i)->data);
	return say_unlike(t, nft_table_make(n, t, &networks, err), err);
}

int nft_elems_claim(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		    struct nft_elem *ret_taken, struct err *err)
{
	autoelems own = { BUF_INIT };

	for (int tries = 0; tries < TRIES; tries++) {
		int rc;

		nft_begin(n, 0);
		change_all(n, t, &own, false);
		change_all(n, t, l, true);
		rc = nft_commit(n, err);
		buf_reset(&own.items);
		if (is_there_already(rc)) {
			const struct nft_elem *twice = find_twice(l);

			if (twice) {
				*ret_taken = *twice;
				return -EADDRINUSE;
			}
			rc = find_taken(n, t, l, &own, ret_taken, err);
		} else if (rc == -ENOENT)
			rc = make_what_lacks(n, t, l, err);
		else
			return rc;
		if (rc < 0)
			return rc;
	}
	return err_set(
		err, EBUSY,
		"table inet %s is not as tote makes it, or changes all the time; see `tote network "
		"repair`",
		t->name);
}

void nft_elems_queue_release(struct nft *n, const struct nft_table *t, const struct nft_elems *l)
{
	change_all(n, t, l, false);
}

int nft_elems_release(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		      struct err *err)
{
	if (!nft_elems_count(l))
		return 0;
	nft_begin(n, 0);
	change_all(n, t, l, false);
	return nft_commit(n, err);
}

int nft_elems_drop(struct nft *n, const struct nft_table *t, const struct nft_set *const *sets,
		   size_t count, const char *owner, struct nft_elems *ret_list, struct err *err)
{
	int rc = -ENOENT;

	/* -ENOENT: somebody else removed some of it meanwhile. */
	for (int tries = 0; rc == -ENOENT && tries < TRIES; tries++) {
		buf_reset(&ret_list->items);
		rc = nft_elems_dump_all(n, t, sets, count, owner, ret_list, err);
		if (rc == 0)
			rc = nft_elems_release(n, t, ret_list, err);
	}
	return rc;
}

int nft_elems_check(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		    struct err *err)
{
	for (size_t i = 0; i < nft_elems_count(l); i++) {
		const struct nft_elem *e = nft_elems_at(l, i);
		struct nft_elem found;
		int rc = nft_elem_get(n, t, e, &found, err);

		if (rc < 0)
			return rc;
		if (strcmp(found.owner, e->owner) != 0 ||
		    memcmp(found.data, e->data, sizeof(e->data)) != 0)
			return err_set(err, ENOENT,
				       "an element of %s in table inet %s is another's",
				       e->set->name, t->name);
	}
	return 0;
}
