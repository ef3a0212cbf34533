/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall_foreign.h"

#include "lib/cleanup.h"
#include "netns/firewall.h"
#include "netns/firewall_table.h"
#include "netns/rtnl.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <string.h>

#define NO_VERDICT INT_MIN
#define COMMENT "tote: what inet tote_firewall admits"

void foreign_done(struct foreign_chains *l)
{
	buf_done(&l->items);
}

size_t foreign_count(const struct foreign_chains *l)
{
	return l->items.len / sizeof(struct foreign_chain);
}

const struct foreign_chain *foreign_at(const struct foreign_chains *l, size_t i)
{
	return (const struct foreign_chain *)(const void *)l->items.data + i;
}

/* One expression of a rule. */
struct expr {
	const char *name;
	const struct nlattr *data;
};

static struct expr read_expr(const struct nlattr *elem)
{
	const struct nlattr *attrs[NFTA_EXPR_DATA + 1];

	rtnl_nested(elem, attrs, ARRAY_SIZE(attrs));
	return (struct expr){ nft_text(attrs[NFTA_EXPR_NAME]), attrs[NFTA_EXPR_DATA] };
}

/* The verdict of an "immediate" expression; NO_VERDICT of others. */
static int verdict_of(const struct expr *e)
{
	const struct nlattr *attrs[NFTA_IMMEDIATE_DATA + 1];
	const struct nlattr *data[NFTA_DATA_VERDICT + 1];
	const struct nlattr *verdict[NFTA_VERDICT_CODE + 1];

	if (strcmp(e->name, "immediate") != 0)
		return NO_VERDICT;
	rtnl_nested(e->data, attrs, ARRAY_SIZE(attrs));
	rtnl_nested(attrs[NFTA_IMMEDIATE_DATA], data, ARRAY_SIZE(data));
	rtnl_nested(data[NFTA_DATA_VERDICT], verdict, ARRAY_SIZE(verdict));
	return verdict[NFTA_VERDICT_CODE] ? (int)nft_u32(verdict[NFTA_VERDICT_CODE]) : NO_VERDICT;
}

/* Takes nothing away from what comes by. */
static bool is_transparent(const struct expr *e)
{
	const struct nlattr *attrs[NFTA_MATCH_NAME + 1];

	if (strcmp(e->name, "counter") == 0 || strcmp(e->name, "log") == 0)
		return true;
	if (strcmp(e->name, "match") != 0)
		return false;
	rtnl_nested(e->data, attrs, ARRAY_SIZE(attrs));
	return strcmp(nft_text(attrs[NFTA_MATCH_NAME]), "comment") == 0;
}

/* A rule that nothing gets past: no condition, and then a refusal. */
static bool is_refusal(const struct nlattr *exprs)
{
	const struct nlattr *elem = NULL;

	while ((elem = nl_next_nested(exprs, elem))) {
		struct expr e = read_expr(elem);

		if (verdict_of(&e) == NF_DROP || strcmp(e.name, "reject") == 0)
			return true;
		if (!is_transparent(&e))
			return false;
	}
	return false;
}

/* A mask of our mark. iptables-restore(8) writes rules anew and moves the comment to another place, so
 * that cannot tell. */
static bool has_our_mask(const struct expr *e)
{
	const struct nlattr *attrs[NFTA_BITWISE_XOR + 1];
	const struct nlattr *data[NFTA_DATA_VALUE + 1];
	uint32_t mask;

	if (strcmp(e->name, "bitwise") != 0)
		return false;
	rtnl_nested(e->data, attrs, ARRAY_SIZE(attrs));
	rtnl_nested(attrs[NFTA_BITWISE_MASK], data, ARRAY_SIZE(data));
	if (!data[NFTA_DATA_VALUE] || nl_size(data[NFTA_DATA_VALUE]) != sizeof(mask))
		return false;
	memcpy(&mask, nl_data(data[NFTA_DATA_VALUE]), sizeof(mask));
	return mask == FIREWALL_MARK;
}

/* "mark & MARK == MARK accept" */
static bool is_ours(const struct nlattr *exprs)
{
	const struct nlattr *elem = NULL;
	bool masked = false;

	while ((elem = nl_next_nested(exprs, elem))) {
		struct expr e = read_expr(elem);

		masked |= has_our_mask(&e);
		if (masked && verdict_of(&e) == NF_ACCEPT)
			return true;
	}
	return false;
}

static int look_into(struct nft *n, struct foreign_chain *c, struct err *err)
{
	const struct nlattr *attrs[NFTA_RULE_EXPRESSIONS + 1];
	autobuf replies = BUF_INIT;
	const struct nlmsghdr *reply = NULL;
	struct nlmsghdr *nlh;
	int rc;

	nlh = nft_question(n, NFT_MSG_GETRULE, NLM_F_DUMP, c->family, c->chain);
	nl_put_text(nlh, NFTA_RULE_TABLE, c->table);
	nl_put_text(nlh, NFTA_RULE_CHAIN, c->chain);
	rc = nft_ask(n, &replies, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	while ((reply = rtnl_next(&replies, reply))) {
		nft_attrs(reply, attrs, ARRAY_SIZE(attrs));
		c->refuses |= is_refusal(attrs[NFTA_RULE_EXPRESSIONS]);
		if (is_ours(attrs[NFTA_RULE_EXPRESSIONS]))
			c->ours = be64toh(nl_u64(attrs[NFTA_RULE_HANDLE]));
	}
	return 0;
}

/* False: not one that is asked about what is forwarded. */
static bool read_chain(const struct nlmsghdr *nlh, struct foreign_chain *ret)
{
	const struct nlattr *attrs[NFTA_CHAIN_TYPE + 1];
	const struct nlattr *hook[NFTA_HOOK_PRIORITY + 1];
	uint8_t family = nft_family(nlh);

	nft_attrs(nlh, attrs, ARRAY_SIZE(attrs));
	rtnl_nested(attrs[NFTA_CHAIN_HOOK], hook, ARRAY_SIZE(hook));
	if ((family != NFPROTO_IPV4 && family != NFPROTO_IPV6 && family != NFPROTO_INET) ||
	    !hook[NFTA_HOOK_HOOKNUM] || nft_u32(hook[NFTA_HOOK_HOOKNUM]) != NF_INET_FORWARD ||
	    strcmp(nft_text(attrs[NFTA_CHAIN_TYPE]), "filter") != 0 ||
	    (int32_t)nft_u32(hook[NFTA_HOOK_PRIORITY]) <= FIREWALL_PRIORITY)
		return false;
	*ret = (struct foreign_chain){ .family = family };
	ret->refuses = attrs[NFTA_CHAIN_POLICY] && nft_u32(attrs[NFTA_CHAIN_POLICY]) == NF_DROP;
	return snprintf(ret->table, sizeof(ret->table), "%s", nft_text(attrs[NFTA_CHAIN_TABLE])) <
		       (int)sizeof(ret->table) &&
	       snprintf(ret->chain, sizeof(ret->chain), "%s", nft_text(attrs[NFTA_CHAIN_NAME])) <
		       (int)sizeof(ret->chain);
}

int foreign_list(struct nft *n, struct foreign_chains *ret_list, struct err *err)
{
	autobuf replies = BUF_INIT;
	const struct nlmsghdr *nlh = NULL;
	struct foreign_chain c;
	int rc;

	nft_question(n, NFT_MSG_GETCHAIN, NLM_F_DUMP, NFPROTO_UNSPEC, "the chains of the host");
	rc = nft_ask(n, &replies, err);
	while (rc == 0 && (nlh = rtnl_next(&replies, nlh))) {
		if (!read_chain(nlh, &c))
			continue;
		rc = look_into(n, &c, err);
		buf_add(&ret_list->items, &c, sizeof(c));
	}
	return rc;
}

void foreign_open(struct nft *n, const struct foreign_chain *c)
{
	static const struct nft_expr exprs[] = {
		NFT_META(NFT_META_MARK, NFT_REG_1),
		{ "bitwise",
		  { NFT_U32(NFTA_BITWISE_SREG, NFT_REG_1), NFT_U32(NFTA_BITWISE_DREG, NFT_REG_1),
		    NFT_U32(NFTA_BITWISE_LEN, 4), NFT_HOST32(NFTA_BITWISE_MASK, FIREWALL_MARK),
		    NFT_HOST32(NFTA_BITWISE_XOR, 0) } },
		NFT_IS_HOST32(NFT_REG_1, FIREWALL_MARK),
		NFT_VERDICT(NF_ACCEPT, NULL),
		{ NULL },
	};
	struct nlmsghdr *nlh = nft_change(n, NFT_MSG_NEWRULE, NLM_F_CREATE, c->family,
					  "a rule in chain %s of table %s", c->chain, c->table);

	nl_put_text(nlh, NFTA_RULE_TABLE, c->table);
	nl_put_text(nlh, NFTA_RULE_CHAIN, c->chain);
	nft_put_exprs(nlh, exprs);
	nft_put_comment(nlh, NFTA_RULE_USERDATA, COMMENT);
}

void foreign_close(struct nft *n, const struct foreign_chain *c)
{
	struct nlmsghdr *nlh = nft_change(n, NFT_MSG_DELRULE, 0, c->family,
					  "our rule in chain %s of table %s", c->chain, c->table);

	nl_put_text(nlh, NFTA_RULE_TABLE, c->table);
	nl_put_text(nlh, NFTA_RULE_CHAIN, c->chain);
	nl_put_u64(nlh, NFTA_RULE_HANDLE, htobe64(c->ours));
}
