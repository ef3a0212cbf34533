/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall_table.h"

#include "lib/cleanup.h"
#include "netns/firewall.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>

#define IP4 NFT_TYPE_IP4
#define IP6 NFT_TYPE_IP6

const struct nft_set firewall_sets[FIREWALL_SETS] = {
	{ "admitted4", { IP4 } },
	{ "admitted6", { IP6 } },
	{ "neighbours4", { IP4 }, { NFT_TYPE_CHAIN } },
	{ "neighbours6", { IP6 }, { NFT_TYPE_CHAIN } },
	{ "isolated4", { IP4 } },
	{ "isolated6", { IP6 } },
};

const struct nft_network firewall_networks[] = {
	{ "inside", .source = true, .within = true },
	{ NULL },
};

static const struct nft_chain chains[] = {
	{ "forward", "filter", NF_INET_FORWARD, FIREWALL_PRIORITY },
	{ "inside" },
};

/* Registers and offsets as in port_table.c. */
#define R(n) (NFT_REG32_00 + (n))
#define IS_IP4 NFT_META(NFT_META_NFPROTO, R(0)), NFT_IS(R(0), "\x02")
#define IS_IP6 NFT_META(NFT_META_NFPROTO, R(0)), NFT_IS(R(0), "\x0a")
#define NETWORK(offset, len, reg) NFT_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, offset, len, reg)
#define IP4_SOURCE(reg) NETWORK(12, 4, reg)
#define IP4_DESTINATION(reg) NETWORK(16, 4, reg)
#define IP6_SOURCE(reg) NETWORK(8, 16, reg)
#define IP6_DESTINATION(reg) NETWORK(24, 16, reg)
#define HAS_STATUS(bits)                                                                           \
	NFT_CT(NFT_CT_STATUS, R(0)), NFT_HOST_BITS(R(0), bits, 0), NFT_IS_NOT_HOST32(R(0), 0)
#define HAS_STATE(bits)                                                                            \
	NFT_CT(NFT_CT_STATE, R(0)), NFT_HOST_BITS(R(0), bits, 0), NFT_IS_NOT_HOST32(R(0), 0)
#define ANSWER (NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED))
#define ADMIT                                                                                      \
	NFT_META(NFT_META_MARK, R(0)), NFT_HOST_BITS(R(0), ~FIREWALL_MARK, FIREWALL_MARK),         \
		NFT_META_SET(NFT_META_MARK, R(0))

static const struct nft_rule rules[] = {
	{ "forward",
	  "from its own network",
	  { IS_IP4, IP4_DESTINATION(R(0)), NFT_LOOKUP_JUMP("neighbours4", R(0)) } },
	{ "forward",
	  "from its own network, IPv6",
	  { IS_IP6, IP6_DESTINATION(R(0)), NFT_LOOKUP_JUMP("neighbours6", R(0)) } },
	{ "forward",
	  "isolated networks",
	  { IS_IP4, IP4_SOURCE(R(0)), NFT_LOOKUP("isolated4", R(0), 0), IP4_DESTINATION(R(0)),
	    NFT_LOOKUP("isolated4", R(0), 0), NFT_VERDICT(NF_DROP, NULL) } },
	{ "forward",
	  "isolated networks, IPv6",
	  { IS_IP6, IP6_SOURCE(R(0)), NFT_LOOKUP("isolated6", R(0), 0), IP6_DESTINATION(R(0)),
	    NFT_LOOKUP("isolated6", R(0), 0), NFT_VERDICT(NF_DROP, NULL) } },
	{ "forward",
	  "out of a container",
	  { IS_IP4, IP4_SOURCE(R(0)), NFT_LOOKUP("admitted4", R(0), 0), ADMIT } },
	{ "forward",
	  "out of a container, IPv6",
	  { IS_IP6, IP6_SOURCE(R(0)), NFT_LOOKUP("admitted6", R(0), 0), ADMIT } },
	{ "forward",
	  "answers",
	  { IS_IP4, IP4_DESTINATION(R(0)), NFT_LOOKUP("admitted4", R(0), 0), HAS_STATE(ANSWER),
	    ADMIT } },
	{ "forward",
	  "answers, IPv6",
	  { IS_IP6, IP6_DESTINATION(R(0)), NFT_LOOKUP("admitted6", R(0), 0), HAS_STATE(ANSWER),
	    ADMIT } },
	{ "forward",
	  "to published ports",
	  { IS_IP4, IP4_DESTINATION(R(0)), NFT_LOOKUP("admitted4", R(0), 0),
	    HAS_STATUS(IPS_DST_NAT), ADMIT } },
	{ "forward",
	  "to published ports, IPv6",
	  { IS_IP6, IP6_DESTINATION(R(0)), NFT_LOOKUP("admitted6", R(0), 0),
	    HAS_STATUS(IPS_DST_NAT), ADMIT } },
	{ "inside", "admitted, isolated or not", { ADMIT, NFT_VERDICT(NF_ACCEPT, NULL) } },
};

const struct nft_table firewall_table = {
	.name = "tote_firewall",
	.comment = "marks what containers may send and receive, see tote-network(8)",
	.networks = firewall_networks,
	.sets = firewall_sets,
	.set_count = ARRAY_SIZE(firewall_sets),
	.chains = chains,
	.chain_count = ARRAY_SIZE(chains),
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};
