/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/port_table.h"

#include "lib/cleanup.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>

#define IP4 NFT_TYPE_IP4
#define IP6 NFT_TYPE_IP6
#define PROTOCOL NFT_TYPE_PROTOCOL
#define PORT NFT_TYPE_PORT

const struct nft_set port_sets[PORT_SETS] = {
	{ "masqueraded4", { IP4 }, { NFT_TYPE_CHAIN } },
	{ "masqueraded6", { IP6 }, { NFT_TYPE_CHAIN } },
	{ "ports4", { PROTOCOL, PORT }, { IP4, PORT } },
	{ "ports6", { PROTOCOL, PORT }, { IP6, PORT } },
	{ "ports4_at", { IP4, PROTOCOL, PORT }, { IP4, PORT } },
	{ "ports6_at", { IP6, PROTOCOL, PORT }, { IP6, PORT } },
	{ "published4", { IP4 }, { NFT_TYPE_CHAIN } },
	{ "published6", { IP6 }, { NFT_TYPE_CHAIN } },
	{ "localhost4", { IP4 } },
};

const struct nft_network port_networks[] = {
	[PORT_HAIRPIN] = { "hairpin", .source = true, .within = true },
	[PORT_OUTSIDE] = { "outside" },
	{ NULL },
};

/*
 * Published ports are looked up at the priority that iptables' nat tables have as well; masquerading
 * comes after others' source NAT. The guard has to come before connection tracking, so that nothing
 * of what it drops makes a connection.
 */
static const struct nft_chain chains[] = {
	{ "guard", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW },
	{ "ports" },
	{ "prerouting", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST },
	{ "output", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST },
	{ "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC },
	{ "hairpin" },
	{ "outside" },
};

/*
 * Registers: number 1 to 4 are of 16 bytes and overlay those of 4 bytes from NFT_REG32_00 on. A
 * concatenation is read from consecutive ones. Offsets are of the headers of IPv4 and IPv6.
 */
#define R(n) (NFT_REG32_00 + (n))
#define LO 1 /* the index of every namespace's loopback interface */
#define IS_IP4 NFT_META(NFT_META_NFPROTO, R(0)), NFT_IS(R(0), "\x02")
#define IS_IP6 NFT_META(NFT_META_NFPROTO, R(0)), NFT_IS(R(0), "\x0a")
#define NETWORK(offset, len, reg) NFT_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, offset, len, reg)
#define IP4_SOURCE(reg) NETWORK(12, 4, reg)
#define IP4_DESTINATION(reg) NETWORK(16, 4, reg)
#define IP6_SOURCE(reg) NETWORK(8, 16, reg)
#define IP6_DESTINATION(reg) NETWORK(24, 16, reg)
#define DESTINATION_PORT(reg) NFT_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg)
#define IS_LOCAL                                                                                   \
	NFT_FIB(NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR, R(0)), NFT_IS_HOST32(R(0), RTN_LOCAL)
#define IS_PUBLISHED                                                                               \
	NFT_CT(NFT_CT_STATUS, R(0)), NFT_HOST_BITS(R(0), IPS_DST_NAT, 0), NFT_IS_NOT_HOST32(R(0), 0)
#define FROM_OUTSIDE NFT_META(NFT_META_IIF, R(0)), NFT_IS_NOT_HOST32(R(0), LO)
#define HIGH_NIBBLE                                                                                \
	NFT_BITS(R(0), 4, NFT_BYTES(NFTA_BITWISE_MASK, "\xf0\0\0\0"),                              \
		 NFT_BYTES(NFTA_BITWISE_XOR, "\0\0\0\0"))

/*
 * Answers to ::1 come in by an interface where the kernel looks for no route to it (rt6_need_strict()),
 * and a program that tries it first should hear at once that nobody is there.
 */
#define IP6_LOCALHOST "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"

static const struct nft_rule rules[] = {
	/* CVE-2020-8558: route_localnet, which 127.0.0.1 needs for published ports, would let
	 * neighbours reach what listens on 127.0.0.1 alone. */
	{ "guard",
	  "nobody else sends to 127.0.0.0/8",
	  { FROM_OUTSIDE, IS_IP4, NETWORK(16, 1, R(0)), NFT_IS(R(0), "\x7f"),
	    NFT_VERDICT(NF_DROP, NULL) } },
	{ "guard",
	  "nobody else sends from 127.0.0.0/8",
	  { FROM_OUTSIDE, IS_IP4, NETWORK(12, 1, R(0)), NFT_IS(R(0), "\x7f"),
	    NFT_VERDICT(NF_DROP, NULL) } },
	{ "ports",
	  "ports of one address",
	  { IS_IP4, IP4_DESTINATION(R(0)), NFT_META(NFT_META_L4PROTO, R(1)), DESTINATION_PORT(R(2)),
	    NFT_LOOKUP_MAP("ports4_at", R(0), R(0)), NFT_DNAT(NFPROTO_IPV4, R(0), R(1)) } },
	{ "ports",
	  "ports of every address",
	  { IS_IP4, IS_LOCAL, NFT_META(NFT_META_L4PROTO, R(0)), DESTINATION_PORT(R(1)),
	    NFT_LOOKUP_MAP("ports4", R(0), R(0)), NFT_DNAT(NFPROTO_IPV4, R(0), R(1)) } },
	{ "ports",
	  "ports of one address, IPv6",
	  { IS_IP6, IP6_DESTINATION(R(0)), NFT_META(NFT_META_L4PROTO, R(4)), DESTINATION_PORT(R(5)),
	    NFT_LOOKUP_MAP("ports6_at", R(0), R(0)), NFT_DNAT(NFPROTO_IPV6, R(0), R(4)) } },
	{ "ports",
	  "ports of every address, IPv6",
	  { IS_IP6, IP6_DESTINATION(R(0)), NFT_IS_NOT(R(0), IP6_LOCALHOST), IS_LOCAL,
	    NFT_META(NFT_META_L4PROTO, R(0)), DESTINATION_PORT(R(1)),
	    NFT_LOOKUP_MAP("ports6", R(0), R(0)), NFT_DNAT(NFPROTO_IPV6, R(0), R(4)) } },
	{ "prerouting", "what comes in", { NFT_VERDICT(NFT_JUMP, "ports") } },
	{ "output", "what the host itself sends", { NFT_VERDICT(NFT_JUMP, "ports") } },
	{ "postrouting",
	  "answers have to come back",
	  { IS_IP4, IS_PUBLISHED, IP4_DESTINATION(R(0)), NFT_LOOKUP_JUMP("published4", R(0)) } },
	{ "postrouting",
	  "answers have to come back, IPv6",
	  { IS_IP6, IS_PUBLISHED, IP6_DESTINATION(R(0)), NFT_LOOKUP_JUMP("published6", R(0)) } },
	{ "postrouting",
	  "answers have to come back to 127.0.0.1",
	  { IS_IP4, IS_PUBLISHED, NETWORK(12, 1, R(0)), NFT_IS(R(0), "\x7f"), IP4_DESTINATION(R(0)),
	    NFT_LOOKUP("localhost4", R(0), 0), NFT_MASQUERADE } },
	{ "hairpin", "as the host's", { NFT_MASQUERADE } },
	{ "postrouting",
	  "out of a network",
	  { IS_IP4, IP4_SOURCE(R(0)), NFT_LOOKUP_JUMP("masqueraded4", R(0)) } },
	{ "postrouting",
	  "out of a network, IPv6",
	  { IS_IP6, IP6_SOURCE(R(0)), NFT_LOOKUP_JUMP("masqueraded6", R(0)) } },
	{ "outside",
	  "all but multicast",
	  { IS_IP4, IP4_DESTINATION(R(0)), HIGH_NIBBLE, NFT_IS_NOT(R(0), "\xe0\0\0\0"),
	    NFT_MASQUERADE } },
	{ "outside",
	  "all but multicast, IPv6",
	  { IS_IP6, NETWORK(24, 1, R(0)), NFT_IS_NOT(R(0), "\xff"), NFT_MASQUERADE } },
};

const struct nft_table port_table = {
	.name = "tote",
	.comment = "ports and masquerading of containers, see tote-network(8)",
	.networks = port_networks,
	.sets = port_sets,
	.set_count = ARRAY_SIZE(port_sets),
	.chains = chains,
	.chain_count = ARRAY_SIZE(chains),
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};
