/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft_table.h"

#include "lib/cleanup.h"
#include "netns/nft_network.h"
#include "netns/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* User data is a list of {type, length, value} with a byte each; a comment is of type 0 everywhere. */
#define USERDATA_COMMENT 0
#define COMMENT_MAX 128

size_t nft_part_size(enum nft_type part)
{
	static const uint8_t sizes[] = {
		[NFT_TYPE_IP4] = 4,
		[NFT_TYPE_IP6] = 16,
		[NFT_TYPE_PROTOCOL] = 1,
		[NFT_TYPE_PORT] = 2,
	};

	return sizes[part];
}

size_t nft_parts_size(const enum nft_type *parts)
{
	size_t size = 0;

	for (; *parts; parts++)
		size += (nft_part_size(*parts) + 3) & ~(size_t)3;
	return size;
}

static uint32_t type_number(const enum nft_type *parts)
{
	uint32_t type = 0;

	for (; *parts; parts++)
		type = type << 6 | *parts;
	return type;
}

static void put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	nl_put_u32(nlh, type, htonl(value));
}

void nft_put_comment(struct nlmsghdr *nlh, uint16_t type, const char *comment)
{
	size_t len = strlen(comment) + 1;
	uint8_t data[2 + COMMENT_MAX];

	if (len > COMMENT_MAX)
		len = COMMENT_MAX;
	data[0] = USERDATA_COMMENT;
	data[1] = (uint8_t)len;
	memcpy(data + 2, comment, len);
	data[1 + len] = '\0';
	nl_put(nlh, type, 2 + len, data);
}

const char *nft_comment(const struct nlattr *attr)
{
	size_t left = attr ? nl_size(attr) : 0;
	const uint8_t *data = attr ? nl_data(attr) : NULL;

	while (left >= 2 && data[1] <= left - 2) {
		size_t len = data[1];

		if (data[0] == USERDATA_COMMENT && len && !data[1 + len])
			return (const char *)data + 2;
		data += 2 + len;
		left -= 2 + len;
	}
	return "";
}

static void put_data(struct nlmsghdr *nlh, const struct nft_attr *a)
{
	struct nlattr *nest = nl_nest(nlh, a->type);
	struct nlattr *verdict;

	switch (a->kind) {
	case NFT_KIND_BYTES:
		nl_put(nlh, NFTA_DATA_VALUE, a->len, a->text);
		break;
	case NFT_KIND_HOST32:
		nl_put(nlh, NFTA_DATA_VALUE, sizeof(a->number), &a->number);
		break;
	default:
		verdict = nl_nest(nlh, NFTA_DATA_VERDICT);
		put_u32(nlh, NFTA_VERDICT_CODE, (uint32_t)a->number);
		if (a->text)
			nl_put_text(nlh, NFTA_VERDICT_CHAIN, a->text);
		nl_nest_end(nlh, verdict);
	}
	nl_nest_end(nlh, nest);
}

static void put_expr(struct nlmsghdr *nlh, const struct nft_expr *e)
{
	struct nlattr *elem = nl_nest(nlh, NFTA_LIST_ELEM);
	struct nlattr *data;

	nl_put_text(nlh, NFTA_EXPR_NAME, e->name);
	data = nl_nest(nlh, NFTA_EXPR_DATA);
	for (const struct nft_attr *a = e->attrs; a->kind; a++) {
		if (a->kind == NFT_KIND_U32)
			put_u32(nlh, a->type, (uint32_t)a->number);
		else if (a->kind == NFT_KIND_TEXT)
			nl_put_text(nlh, a->type, a->text);
		else
			put_data(nlh, a);
	}
	nl_nest_end(nlh, data);
	nl_nest_end(nlh, elem);
}

void nft_put_exprs(struct nlmsghdr *nlh, const struct nft_expr *exprs)
{
	struct nlattr *list = nl_nest(nlh, NFTA_RULE_EXPRESSIONS);

	for (; exprs->name; exprs++)
		put_expr(nlh, exprs);
	nl_nest_end(nlh, list);
}

static void make_table(struct nft *n, const struct nft_table *t)
{
	struct nlmsghdr *nlh = nft_change(n, NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_INET,
					  "table inet %s", t->name);

	nl_put_text(nlh, NFTA_TABLE_NAME, t->name);
	put_u32(nlh, NFTA_TABLE_FLAGS, 0);
	nft_put_comment(nlh, NFTA_TABLE_USERDATA, t->comment);
}

static void make_set(struct nft *n, const struct nft_table *t, const struct nft_set *s, uint32_t id)
{
	struct nlmsghdr *nlh = nft_change(n, NFT_MSG_NEWSET, NLM_F_CREATE, NFPROTO_INET,
					  "set %s of table inet %s", s->name, t->name);

	nl_put_text(nlh, NFTA_SET_TABLE, t->name);
	nl_put_text(nlh, NFTA_SET_NAME, s->name);
	put_u32(nlh, NFTA_SET_ID, id);
	put_u32(nlh, NFTA_SET_FLAGS, s->data[0] ? NFT_SET_MAP : 0);
	put_u32(nlh, NFTA_SET_KEY_TYPE, type_number(s->key));
	put_u32(nlh, NFTA_SET_KEY_LEN, (uint32_t)nft_parts_size(s->key));
	if (s->data[0] == NFT_TYPE_CHAIN) {
		put_u32(nlh, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
	} else if (s->data[0]) {
		put_u32(nlh, NFTA_SET_DATA_TYPE, type_number(s->data));
		put_u32(nlh, NFTA_SET_DATA_LEN, (uint32_t)nft_parts_size(s->data));
	}
}

static void make_chain(struct nft *n, const struct nft_table *t, const struct nft_chain *c)
{
	struct nlmsghdr *nlh = nft_change(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_INET,
					  "chain %s of table inet %s", c->name, t->name);
	struct nlattr *hook;

	nl_put_text(nlh, NFTA_CHAIN_TABLE, t->name);
	nl_put_text(nlh, NFTA_CHAIN_NAME, c->name);
	if (!c->type)
		return;
	nl_put_text(nlh, NFTA_CHAIN_TYPE, c->type);
	hook = nl_nest(nlh, NFTA_CHAIN_HOOK);
	put_u32(nlh, NFTA_HOOK_HOOKNUM, c->hook);
	put_u32(nlh, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
	nl_nest_end(nlh, hook);
	put_u32(nlh, NFTA_CHAIN_POLICY, NF_ACCEPT);
}

static void make_rule(struct nft *n, const struct nft_table *t, const struct nft_rule *r)
{
	struct nlmsghdr *nlh =
		nft_change(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_INET,
			   "rule \"%s\" of table inet %s", r->comment, t->name);

	nl_put_text(nlh, NFTA_RULE_TABLE, t->name);
	nl_put_text(nlh, NFTA_RULE_CHAIN, r->chain);
	nft_put_exprs(nlh, r->exprs);
	nft_put_comment(nlh, NFTA_RULE_USERDATA, r->comment);
}

static void make_contents(struct nft *n, const struct nft_table *t)
{
	for (size_t i = 0; i < t->set_count; i++)
		make_set(n, t, &t->sets[i], (uint32_t)i + 1);
	for (size_t i = 0; i < t->chain_count; i++)
		make_chain(n, t, &t->chains[i]);
}

void nft_table_queue_empty(struct nft *n, const struct nft_table *t, const char *chain)
{
	struct nlmsghdr *nlh = nft_change(n, NFT_MSG_DELRULE, 0, NFPROTO_INET,
					  "rules of chain %s of table inet %s", chain, t->name);

	nl_put_text(nlh, NFTA_RULE_TABLE, t->name);
	nl_put_text(nlh, NFTA_RULE_CHAIN, chain);
}

/* In place of those that its chains have. */
static void make_rules(struct nft *n, const struct nft_table *t)
{
	for (size_t i = 0; i < t->chain_count; i++)
		nft_table_queue_empty(n, t, t->chains[i].name);
	for (size_t i = 0; i < t->rule_count; i++)
		make_rule(n, t, &t->rules[i]);
}

/* What a change that makes everything refers to is in it: only the kernel's own parts can be missing. */
static int explain(int rc, struct err *err)
{
	struct err cause;

	if (rc != -ENOENT)
		return rc;
	cause = *err;
	return err_set(
		err, EOPNOTSUPP,
		"%.300s; the kernel lacks a part of nf_tables that this needs (CONFIG_NFT_NAT, "
		"_MASQ, _CT, _FIB_INET)",
		cause.msg);
}

static int ask_table(struct nft *n, const struct nft_table *t, uint32_t *ret_flags, struct err *err)
{
	const struct nlattr *attrs[NFTA_TABLE_FLAGS + 1];
	autobuf replies = BUF_INIT;
	struct nlmsghdr *nlh = nft_question(n, NFT_MSG_GETTABLE, 0, NFPROTO_INET, t->name);
	int rc;

	nl_put_text(nlh, NFTA_TABLE_NAME, t->name);
	rc = nft_ask(n, &replies, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!replies.len)
		return 0;
	nft_attrs(rtnl_next(&replies, NULL), attrs, ARRAY_SIZE(attrs));
	*ret_flags = nft_u32(attrs[NFTA_TABLE_FLAGS]);
	return 1;
}

static void remove_table(struct nft *n, const struct nft_table *t)
{
	struct nlmsghdr *nlh =
		nft_change(n, NFT_MSG_DELTABLE, 0, NFPROTO_INET, "table inet %s", t->name);

	nl_put_text(nlh, NFTA_TABLE_NAME, t->name);
}

static void make_all(struct nft *n, const struct nft_table *t, const struct nft_networks *there)
{
	make_contents(n, t);
	make_rules(n, t);
	nft_networks_queue(n, t, there, NULL);
}

int nft_table_mend(struct nft *n, const struct nft_table *t, bool keep, struct err *err)
{
	autonetworks there = { BUF_INIT };
	int rc = keep ? nft_networks_list(n, t, &there, err) : 0;

	if (rc < 0)
		return rc;
	nft_begin(n, 0);
	make_table(n, t);
	if (!keep) {
		/* Removed at a time when it is there for sure. */
		remove_table(n, t);
		make_table(n, t);
	}
	make_all(n, t, &there);
	return explain(nft_commit(n, err), err);
}

/* Others may do the same at the same time: what is made twice is no error. */
int nft_table_make(struct nft *n, const struct nft_table *t, const struct nft_networks *wanted,
		   struct err *err)
{
	autonetworks there = { BUF_INIT };
	int whole = nft_table_is_whole(n, t, err);
	int rc = whole < 0 ? whole : nft_networks_list(n, t, &there, err);

	if (rc < 0)
		return rc;
	nft_begin(n, 0);
	if (!whole) {
		make_table(n, t);
		make_all(n, t, &there);
	}
	nft_networks_queue(n, t, wanted, &there);
	if (!nft_pending(n))
		return 0;
	rc = nft_commit(n, err);
	if (!whole)
		return explain(rc, err);
	/* Somebody removed the table. */
	return rc == -ENOENT ? 0 : rc;
}

/* How many rules there are in the chains that the table always has. */
static size_t count_rules(const struct buf *replies, const struct nft_table *t)
{
	const struct nlattr *attrs[NFTA_RULE_CHAIN + 1];
	const struct nlmsghdr *nlh = NULL;
	size_t count = 0;

	while ((nlh = rtnl_next(replies, nlh))) {
		nft_attrs(nlh, attrs, ARRAY_SIZE(attrs));
		for (size_t i = 0; i < t->chain_count; i++)
			count += strcmp(nft_text(attrs[NFTA_RULE_CHAIN]), t->chains[i].name) == 0;
	}
	return count;
}

/* How many of the chain's rules there are in front of rule i. */
static size_t place_of(const struct nft_table *t, size_t i)
{
	size_t place = 0;

	for (size_t j = 0; j < i; j++)
		place += strcmp(t->rules[j].chain, t->rules[i].chain) == 0;
	return place;
}

static bool is_rule(const struct nlmsghdr *nlh, const struct nft_rule *r)
{
	const struct nlattr *attrs[NFTA_RULE_USERDATA + 1];

	nft_attrs(nlh, attrs, ARRAY_SIZE(attrs));
	return strcmp(nft_text(attrs[NFTA_RULE_CHAIN]), r->chain) == 0 &&
	       strcmp(nft_comment(attrs[NFTA_RULE_USERDATA]), r->comment) == 0;
}

/* Rule i is there, with as many of its chain before it as there should be. */
static bool has_rule(const struct buf *replies, const struct nft_table *t, size_t i)
{
	const struct nlattr *attrs[NFTA_RULE_USERDATA + 1];
	const struct nlmsghdr *nlh = NULL;
	size_t place = place_of(t, i);

	while ((nlh = rtnl_next(replies, nlh))) {
		nft_attrs(nlh, attrs, ARRAY_SIZE(attrs));
		if (strcmp(nft_text(attrs[NFTA_RULE_CHAIN]), t->rules[i].chain) == 0 &&
		    place-- == 0)
			return is_rule(nlh, &t->rules[i]);
	}
	return false;
}

static int look(struct nft *n, const struct nft_table *t, struct err *err)
{
	autobuf replies = BUF_INIT;
	struct nlmsghdr *nlh;
	uint32_t flags;
	int rc;

	rc = ask_table(n, t, &flags, err);
	if (rc <= 0)
		return rc;
	if (flags & NFT_TABLE_F_DORMANT)
		return 0;
	nlh = nft_question(n, NFT_MSG_GETRULE, NLM_F_DUMP, NFPROTO_INET, t->name);
	nl_put_text(nlh, NFTA_RULE_TABLE, t->name);
	rc = nft_ask(n, &replies, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (count_rules(&replies, t) != t->rule_count)
		return 0;
	for (size_t i = 0; i < t->rule_count; i++)
		if (!has_rule(&replies, t, i))
			return 0;
	return nft_networks_are_whole(n, t, &replies, err);
}

/* A change by others may come between the answers, or into the middle of one: that happens once. */
int nft_table_is_whole(struct nft *n, const struct nft_table *t, struct err *err)
{
	int rc = look(n, t, err);

	return rc == 0 ? look(n, t, err) : rc;
}
