/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nf_tables tables of the family inet that are all ours, as data: their sets, chains and rules, made in
 * one transaction and found to be whole or not. What changes while they live are elements of the sets
 * (nft_elem.h) and chains for networks (nft_network.h). port_table.c and firewall_table.c hold the data.
 */
#ifndef NETNS_NFT_TABLE_H
#define NETNS_NFT_TABLE_H

#include "netns/nft.h"

/* One part of a concatenated key or value, with its type as nft(8) numbers it. */
enum nft_type {
	NFT_TYPE_END,
	NFT_TYPE_IP4 = 7,
	NFT_TYPE_IP6 = 8,
	NFT_TYPE_PROTOCOL = 12,
	NFT_TYPE_PORT = 13,
	NFT_TYPE_CHAIN = 0xff, /* of a map's value: a network's chain, jumped to */
};

#define NFT_PARTS_MAX 3

struct nft_set {
	const char *name;
	enum nft_type key[NFT_PARTS_MAX + 1];
	enum nft_type data[NFT_PARTS_MAX + 1]; /* none: a set, not a map */
};

struct nft_chain {
	const char *name;
	const char *type; /* NULL: not at a hook, jumped to */
	uint32_t hook;
	int32_t priority;
};

enum nft_kind {
	NFT_KIND_END,
	NFT_KIND_U32,	  /* a number of the expression */
	NFT_KIND_TEXT,	  /* a name */
	NFT_KIND_BYTES,	  /* a value to compare with, as it is in packets */
	NFT_KIND_HOST32,  /* the same, a number in the host's order */
	NFT_KIND_VERDICT, /* with a chain to jump to */
};

struct nft_attr {
	uint16_t type;
	uint8_t kind, len;
	int32_t number;
	const char *text;
};

#define NFT_ATTRS_MAX 6

struct nft_expr {
	const char *name;
	struct nft_attr attrs[NFT_ATTRS_MAX + 1];
};

#define NFT_EXPRS_MAX 14

/* A rule's comment tells it from others, and what it is for. */
struct nft_rule {
	const char *chain, *comment;
	struct nft_expr exprs[NFT_EXPRS_MAX + 1];
};

/*
 * A test that the table has a chain for with each network that addresses in its maps are of: packets whose
 * source (or destination) is (or is not) of the network go on at `chain`. The network's own is named so with
 * the network behind it, and made with the first address.
 */
struct nft_network {
	const char *chain;
	bool source, within;
};

struct nft_table {
	const char *name, *comment;
	const struct nft_network *networks; /* up to one without a chain */
	const struct nft_set *sets;
	size_t set_count;
	const struct nft_chain *chains;
	size_t chain_count;
	const struct nft_rule *rules;
	size_t rule_count;
};

/* What rules are written with. */
#define NFT_U32(type_, n)                                                                          \
	{                                                                                          \
		.type = type_, .kind = NFT_KIND_U32, .number = (int32_t)(n)                        \
	}
#define NFT_TEXT(type_, s)                                                                         \
	{                                                                                          \
		.type = type_, .kind = NFT_KIND_TEXT, .text = s                                    \
	}
#define NFT_BYTES(type_, s) NFT_BYTES_OF(type_, s, sizeof(s) - 1)
#define NFT_BYTES_OF(type_, s, len_)                                                               \
	{                                                                                          \
		.type = type_, .kind = NFT_KIND_BYTES, .text = (const char *)(s),                  \
		.len = (uint8_t)(len_)                                                             \
	}
#define NFT_HOST32(type_, n)                                                                       \
	{                                                                                          \
		.type = type_, .kind = NFT_KIND_HOST32, .number = (int32_t)(n)                     \
	}

#define NFT_META(key, reg)                                                                         \
	{                                                                                          \
		"meta",                                                                            \
		{                                                                                  \
			NFT_U32(NFTA_META_KEY, key), NFT_U32(NFTA_META_DREG, reg)                  \
		}                                                                                  \
	}
#define NFT_META_SET(key, reg)                                                                     \
	{                                                                                          \
		"meta",                                                                            \
		{                                                                                  \
			NFT_U32(NFTA_META_KEY, key), NFT_U32(NFTA_META_SREG, reg)                  \
		}                                                                                  \
	}
#define NFT_CT(key, reg)                                                                           \
	{                                                                                          \
		"ct",                                                                              \
		{                                                                                  \
			NFT_U32(NFTA_CT_KEY, key), NFT_U32(NFTA_CT_DREG, reg)                      \
		}                                                                                  \
	}
#define NFT_PAYLOAD(base, offset, len, reg)                                                        \
	{                                                                                          \
		"payload",                                                                         \
		{                                                                                  \
			NFT_U32(NFTA_PAYLOAD_DREG, reg), NFT_U32(NFTA_PAYLOAD_BASE, base),         \
				NFT_U32(NFTA_PAYLOAD_OFFSET, offset),                              \
				NFT_U32(NFTA_PAYLOAD_LEN, len)                                     \
		}                                                                                  \
	}
#define NFT_CMP(op, reg, data)                                                                     \
	{                                                                                          \
		"cmp",                                                                             \
		{                                                                                  \
			NFT_U32(NFTA_CMP_SREG, reg), NFT_U32(NFTA_CMP_OP, op), data                \
		}                                                                                  \
	}
#define NFT_IS(reg, bytes) NFT_CMP(NFT_CMP_EQ, reg, NFT_BYTES(NFTA_CMP_DATA, bytes))
#define NFT_IS_NOT(reg, bytes) NFT_CMP(NFT_CMP_NEQ, reg, NFT_BYTES(NFTA_CMP_DATA, bytes))
#define NFT_IS_HOST32(reg, n) NFT_CMP(NFT_CMP_EQ, reg, NFT_HOST32(NFTA_CMP_DATA, n))
#define NFT_IS_NOT_HOST32(reg, n) NFT_CMP(NFT_CMP_NEQ, reg, NFT_HOST32(NFTA_CMP_DATA, n))
/* reg = (reg & mask) ^ xor */
#define NFT_BITS(reg, len, mask, xor)                                                              \
	{                                                                                          \
		"bitwise",                                                                         \
		{                                                                                  \
			NFT_U32(NFTA_BITWISE_SREG, reg), NFT_U32(NFTA_BITWISE_DREG, reg),          \
				NFT_U32(NFTA_BITWISE_LEN, len), mask, xor                          \
		}                                                                                  \
	}
#define NFT_HOST_BITS(reg, mask, xor)                                                              \
	NFT_BITS(reg, 4, NFT_HOST32(NFTA_BITWISE_MASK, mask), NFT_HOST32(NFTA_BITWISE_XOR, xor))
#define NFT_FIB(result, flags, reg)                                                                \
	{                                                                                          \
		"fib",                                                                             \
		{                                                                                  \
			NFT_U32(NFTA_FIB_DREG, reg), NFT_U32(NFTA_FIB_RESULT, result),             \
				NFT_U32(NFTA_FIB_FLAGS, flags)                                     \
		}                                                                                  \
	}
/* Goes on when the key at reg is in the set (or is not: NFT_LOOKUP_F_INV). */
#define NFT_LOOKUP(set, reg, flags)                                                                \
	{                                                                                          \
		"lookup",                                                                          \
		{                                                                                  \
			NFT_TEXT(NFTA_LOOKUP_SET, set), NFT_U32(NFTA_LOOKUP_SREG, reg),            \
				NFT_U32(NFTA_LOOKUP_FLAGS, flags)                                  \
		}                                                                                  \
	}
#define NFT_LOOKUP_MAP(set, reg, to)                                                               \
	{                                                                                          \
		"lookup",                                                                          \
		{                                                                                  \
			NFT_TEXT(NFTA_LOOKUP_SET, set), NFT_U32(NFTA_LOOKUP_SREG, reg),            \
				NFT_U32(NFTA_LOOKUP_DREG, to)                                      \
		}                                                                                  \
	}
/* Goes where the map says for the key at reg; goes on when it has none. */
#define NFT_LOOKUP_JUMP(map, reg) NFT_LOOKUP_MAP(map, reg, NFT_REG_VERDICT)
#define NFT_DNAT(family, address, port)                                                            \
	{                                                                                          \
		"nat",                                                                             \
		{                                                                                  \
			NFT_U32(NFTA_NAT_TYPE, NFT_NAT_DNAT), NFT_U32(NFTA_NAT_FAMILY, family),    \
				NFT_U32(NFTA_NAT_REG_ADDR_MIN, address),                           \
				NFT_U32(NFTA_NAT_REG_PROTO_MIN, port)                              \
		}                                                                                  \
	}
#define NFT_MASQUERADE                                                                             \
	{                                                                                          \
		"masq",                                                                            \
		{                                                                                  \
			{                                                                          \
				0                                                                  \
			}                                                                          \
		}                                                                                  \
	}
#define NFT_VERDICT(code, chain)                                                                   \
	{                                                                                          \
		"immediate",                                                                       \
		{                                                                                  \
			NFT_U32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT),                             \
			{                                                                          \
				.type = NFTA_IMMEDIATE_DATA, .kind = NFT_KIND_VERDICT,             \
				.number = code, .text = chain                                      \
			}                                                                          \
		}                                                                                  \
	}

/* The length of a concatenation in bytes: each part takes whole registers of four. */
size_t nft_parts_size(const enum nft_type *parts);
size_t nft_part_size(enum nft_type part);

/* Makes what is missing of it and its rules anew, and keeps the elements and their networks' chains; without
 * keep they are lost, and so is anything else that was in it. */
int nft_table_mend(struct nft *n, const struct nft_table *t, bool keep, struct err *err);
struct nft_networks;
/* The same when it is not whole, and makes those chains of networks that it has not yet. 0 or -errno. */
int nft_table_make(struct nft *n, const struct nft_table *t, const struct nft_networks *wanted,
		   struct err *err);
/* 1; 0 when there is none, when it is switched off (dormant) or its rules are others; -errno. */
int nft_table_is_whole(struct nft *n, const struct nft_table *t, struct err *err);

/* Queues the removal of all rules that a chain has. */
void nft_table_queue_empty(struct nft *n, const struct nft_table *t, const char *chain);
/* Adds the expressions of a rule, and its comment, to a message that makes one. */
void nft_put_exprs(struct nlmsghdr *nlh, const struct nft_expr *exprs);
void nft_put_comment(struct nlmsghdr *nlh, uint16_t type, const char *comment);
/* The comment in an attribute of user data, "" when there is none. */
const char *nft_comment(const struct nlattr *attr);

#endif
