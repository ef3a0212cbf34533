/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft_network.h"

#include "lib/cleanup.h"
#include "netns/rtnl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void nft_networks_done(struct nft_networks *l)
{
	buf_done(&l->names);
}

static size_t count_of(const struct nft_networks *l)
{
	return l->names.len / NFT_CHAIN_SIZE;
}

static const char *name_at(const struct nft_networks *l, size_t i)
{
	return l->names.data + i * NFT_CHAIN_SIZE;
}

static bool has(const struct nft_networks *l, const char *name)
{
	for (size_t i = 0; i < count_of(l); i++)
		if (strcmp(name_at(l, i), name) == 0)
			return true;
	return false;
}

void nft_networks_add(struct nft_networks *l, const char *name)
{
	char item[NFT_CHAIN_SIZE] = "";

	if (has(l, name))
		return;
	snprintf(item, sizeof(item), "%s", name);
	buf_add(&l->names, item, sizeof(item));
}

static void replace(char *text, char old, char new)
{
	for (; *text; text++)
		if (*text == old)
			*text = new;
}

/* nft(8) reads names without colons only. */
void nft_network_name(const struct nft_network *test, const struct ip_net *net,
		      char ret_name[NFT_CHAIN_SIZE])
{
	struct ip_net base = ip_net_base(net);
	char text[IP_TEXT_SIZE];

	ip_net_text(&base, text);
	replace(text, ':', '-');
	snprintf(ret_name, NFT_CHAIN_SIZE, "%s_%s", test->chain, text);
}

static bool parse_network(const char *name, struct ip_net *ret_net)
{
	char text[IP_TEXT_SIZE];

	if (strlen(name) >= sizeof(text))
		return false;
	strcpy(text, name);
	replace(text, '-', ':');
	return ip_net_parse(text, ret_net) == 0;
}

/* NULL: the name is not that of a network's chain. */
static const struct nft_network *parse_name(const struct nft_table *t, const char *name,
					    struct ip_net *ret_net)
{
	for (const struct nft_network *test = t->networks; test->chain; test++) {
		size_t len = strlen(test->chain);

		if (strncmp(name, test->chain, len) == 0 && name[len] == '_' &&
		    parse_network(name + len + 1, ret_net))
			return test;
	}
	return NULL;
}

/* A chain's users are its rules, of which ours have one, and what leads there. */
static bool is_idle(const struct nlattr *const *chain)
{
	return nft_u32(chain[NFTA_CHAIN_USE]) <= 1;
}

static int list(struct nft *n, const struct nft_table *t, bool idle_only,
		struct nft_networks *ret_list, struct err *err)
{
	const struct nlattr *attrs[NFTA_CHAIN_USE + 1];
	autobuf replies = BUF_INIT;
	const struct nlmsghdr *reply = NULL;
	struct nlmsghdr *nlh;
	struct ip_net net;
	int rc;

	nlh = nft_question(n, NFT_MSG_GETCHAIN, NLM_F_DUMP, NFPROTO_INET, t->name);
	nl_put_text(nlh, NFTA_CHAIN_TABLE, t->name);
	rc = nft_ask(n, &replies, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	/* The kernel tells of all tables. */
	while ((reply = rtnl_next(&replies, reply))) {
		nft_attrs(reply, attrs, ARRAY_SIZE(attrs));
		if (strcmp(nft_text(attrs[NFTA_CHAIN_TABLE]), t->name) == 0 &&
		    (!idle_only || is_idle(attrs)) &&
		    parse_name(t, nft_text(attrs[NFTA_CHAIN_NAME]), &net))
			nft_networks_add(ret_list, nft_text(attrs[NFTA_CHAIN_NAME]));
	}
	return 0;
}

int nft_networks_list(struct nft *n, const struct nft_table *t, struct nft_networks *ret_list,
		      struct err *err)
{
	return list(n, t, false, ret_list, err);
}

/* Where the headers of IPv4 and IPv6 have the source; the destination is behind it. */
static size_t source_offset(const struct ip *ip)
{
	return ip->family == AF_INET6 ? 8 : 12;
}

static void put_exprs(struct nlmsghdr *nlh, const struct nft_network *test,
		      const struct ip_net *net)
{
	static const uint8_t zero[sizeof(struct in6_addr)];
	struct ip first = ip_net_base(net).ip, last = ip_net_last(net), mask;
	size_t size = ip_size(&first);
	size_t offset = source_offset(&first) + (test->source ? 0 : size);
	uint8_t family = first.family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

	for (size_t i = 0; i < size; i++)
		mask.bytes[i] = (uint8_t) ~(first.bytes[i] ^ last.bytes[i]);
	nft_put_exprs(nlh, (const struct nft_expr[]){
				   NFT_META(NFT_META_NFPROTO, NFT_REG_1),
				   NFT_CMP(NFT_CMP_EQ, NFT_REG_1,
					   NFT_BYTES_OF(NFTA_CMP_DATA, &family, sizeof(family))),
				   NFT_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, offset, size, NFT_REG_1),
				   NFT_BITS(NFT_REG_1, size,
					    NFT_BYTES_OF(NFTA_BITWISE_MASK, mask.bytes, size),
					    NFT_BYTES_OF(NFTA_BITWISE_XOR, zero, size)),
				   NFT_CMP(test->within ? NFT_CMP_EQ : NFT_CMP_NEQ, NFT_REG_1,
					   NFT_BYTES_OF(NFTA_CMP_DATA, first.bytes, size)),
				   NFT_VERDICT(NFT_GOTO, test->chain),
				   { .name = NULL },
			   });
}

static void queue_rule(struct nft *n, const struct nft_table *t, const char *name)
{
	struct nlmsghdr *nlh =
		nft_change(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_INET,
			   "a rule of chain %s of table inet %s", name, t->name);
	const struct nft_network *test;
	struct ip_net net;

	nl_put_text(nlh, NFTA_RULE_TABLE, t->name);
	nl_put_text(nlh, NFTA_RULE_CHAIN, name);
	test = parse_name(t, name, &net);
	if (test)
		put_exprs(nlh, test, &net);
	nft_put_comment(nlh, NFTA_RULE_USERDATA, name);
}

static void queue_chain(struct nft *n, const struct nft_table *t, const char *name, uint16_t type,
			uint16_t flags)
{
	struct nlmsghdr *nlh = nft_change(n, type, flags, NFPROTO_INET, "chain %s of table inet %s",
					  name, t->name);

	nl_put_text(nlh, NFTA_CHAIN_TABLE, t->name);
	nl_put_text(nlh, NFTA_CHAIN_NAME, name);
}

void nft_networks_queue(struct nft *n, const struct nft_table *t, const struct nft_networks *l,
			const struct nft_networks *without)
{
	for (size_t i = 0; i < count_of(l); i++) {
		if (without && has(without, name_at(l, i)))
			continue;
		queue_chain(n, t, name_at(l, i), NFT_MSG_NEWCHAIN, NLM_F_CREATE);
		nft_table_queue_empty(n, t, name_at(l, i));
		queue_rule(n, t, name_at(l, i));
	}
}

/* It has one rule, which is ours. */
static bool is_whole(const struct buf *rules, const char *name)
{
	const struct nlattr *attrs[NFTA_RULE_USERDATA + 1];
	const struct nlmsghdr *nlh = NULL;
	size_t count = 0, ours = 0;

	while ((nlh = rtnl_next(rules, nlh))) {
		nft_attrs(nlh, attrs, ARRAY_SIZE(attrs));
		if (strcmp(nft_text(attrs[NFTA_RULE_CHAIN]), name) != 0)
			continue;
		count++;
		ours += strcmp(nft_comment(attrs[NFTA_RULE_USERDATA]), name) == 0;
	}
	return count == 1 && ours == 1;
}

int nft_networks_are_whole(struct nft *n, const struct nft_table *t, const struct buf *rules,
			   struct err *err)
{
	autonetworks l = { BUF_INIT };
	int rc = nft_networks_list(n, t, &l, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count_of(&l); i++)
		if (!is_whole(rules, name_at(&l, i)))
			return 0;
	return 1;
}

/* Only what nobody seems to use is tried: a change that the kernel refuses takes 20 ms of it. */
int nft_networks_prune(struct nft *n, const struct nft_table *t, struct err *err)
{
	autonetworks l = { BUF_INIT };
	int rc = list(n, t, true, &l, err);

	for (size_t i = 0; rc == 0 && i < count_of(&l); i++) {
		nft_begin(n, 0);
		queue_chain(n, t, name_at(&l, i), NFT_MSG_DELCHAIN, 0);
		rc = nft_commit(n, err);
		/* An address leads there; somebody else removed it. */
		if (rc == -EBUSY || rc == -ENOENT)
			rc = 0;
	}
	return rc;
}
