/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other programs' forward chains that drop by default: a policy of drop, or a rule that refuses
 * whatever has come so far. Each has one rule of ours while the firewall is in use: it accepts what
 * bears FIREWALL_MARK. iptables-nft(8) shows it as an ordinary one of its own. firewall_admit.c calls
 * this.
 */
#ifndef NETNS_FIREWALL_FOREIGN_H
#define NETNS_FIREWALL_FOREIGN_H

#include "netns/nft.h"

struct foreign_chain {
	uint8_t family; /* NFPROTO_* */
	char table[64], chain[64];
	bool refuses;  /* and so needs the rule */
	uint64_t ours; /* the rule's handle; 0: it has none */
};

struct foreign_chains {
	struct buf items; /* of struct foreign_chain */
};

#define autoforeign __attribute__((cleanup(foreign_done))) struct foreign_chains
void foreign_done(struct foreign_chains *l);
size_t foreign_count(const struct foreign_chains *l);
const struct foreign_chain *foreign_at(const struct foreign_chains *l, size_t i);

/* All forward chains that come behind FIREWALL_PRIORITY. 0 or -errno. */
int foreign_list(struct nft *n, struct foreign_chains *ret_list, struct err *err);
/* Queue our rule in front of all others, or its removal. */
void foreign_open(struct nft *n, const struct foreign_chain *c);
void foreign_close(struct nft *n, const struct foreign_chain *c);

#endif
