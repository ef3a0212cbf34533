/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one netfilter netlink socket: changes to nf_tables are queued with the words that describe them
 * and carried out all or none; questions are asked one at a time. nft_table.c makes tables with it,
 * nft_elem.c their elements; nobody else opens a netfilter socket.
 *
 *	nft_begin(n, 0);
 *	nlh = nft_change(n, NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_INET, "table inet %s", name);
 *	nl_put_text(nlh, NFTA_TABLE_NAME, name);
 *	rc = nft_commit(n, err);
 *
 * An error reads "nf_tables: table inet tote: <the errno's words>". Without a library, as in nl.h.
 */
#ifndef NETNS_NFT_H
#define NETNS_NFT_H

#include "lib/buf.h"
#include "lib/err.h"
#include "netns/nl.h"

#include <netinet/in.h> /* in front of the kernel's, which give way then */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#define NFT_MESSAGE_MAX 16384 /* bytes of one message with its attributes */

struct nft {
	int fd;		/* of the socket; 0: none */
	uint32_t seq;	/* of the newest message */
	uint32_t first; /* of the batch */
	struct buf batch;
	struct buf words;      /* what each message of it does, NUL-terminated */
	size_t last;	       /* where its newest message starts */
	bool building;	       /* that one is not in the batch's length yet */
	bool deletes, lingers; /* the batch; the socket, see nft_linger.h */
};

/* Opens the socket in the calling thread's network namespace. Needs CAP_NET_ADMIN there. 0 or
 * -errno. */
int nft_open(struct nft *n, struct err *err);
/* Closes it; a zeroed struct is fine. */
void nft_close(struct nft *n);
#define autonft __attribute__((cleanup(nft_close))) struct nft

/* Starts a batch. With a generation (nft_generation()) other than 0 it is refused, -ERESTART, when
 * anybody has changed anything since (Linux 4.19). */
void nft_begin(struct nft *n, uint32_t generation);
/* Queues a change and returns its message for attributes to be added before the next call: at most
 * NFT_MESSAGE_MAX bytes. flags: NLM_F_CREATE, _EXCL, _APPEND. */
struct nlmsghdr *nft_change(struct nft *n, uint16_t type, uint16_t flags, uint8_t family,
			    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Whether there is anything in the batch. */
bool nft_pending(const struct nft *n);
/* Carries the batch out, all of it or nothing; the first failure is the one reported. 0 or -errno. */
int nft_commit(struct nft *n, struct err *err);

/* Builds a question, which nft_ask() sends; words say what is asked for. The second one goes to another
 * part of netfilter (NFNL_SUBSYS_*). */
struct nlmsghdr *nft_question(struct nft *n, uint16_t type, uint16_t flags, uint8_t family,
			      const char *words);
struct nlmsghdr *nft_question_to(struct nft *n, uint8_t subsystem, uint16_t type, uint16_t flags,
				 uint8_t family, const char *words);
/* Appends the answers to ret_replies, for rtnl_next(). -ENOENT: there is no such thing. */
int nft_ask(struct nft *n, struct buf *ret_replies, struct err *err);
/* The number of the ruleset's last change, never 0. */
int nft_generation(struct nft *n, uint32_t *ret_generation, struct err *err);

/* The attributes of a message by type, as rtnl_attrs() has them. */
void nft_attrs(const struct nlmsghdr *nlh, const struct nlattr **ret_attrs, size_t count);
/* The text of an attribute, "" when it is absent or not terminated. */
const char *nft_text(const struct nlattr *attr);
/* A 32-bit number, 0 when it is absent or too short. */
uint32_t nft_u32(const struct nlattr *attr);
/* The family of the table that a message is about. */
uint8_t nft_family(const struct nlmsghdr *nlh);

#endif
