/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one rtnetlink socket: requests are queued with the words that describe them, sent in one go
 * and answered in one go, so that many changes cost one round trip. link.c, addr.c and route.c
 * queue requests and read replies; nobody else opens a netlink socket for routing.
 *
 *	nlh = rtnl_request(r, RTM_NEWLINK, 0, &ifinfo, sizeof(ifinfo), "%s up", name);
 *	nl_put_u32(nlh, ...);
 *	rc = rtnl_run(r, NULL, err);
 *
 * An error reads "netlink: RTM_NEWLINK eth0 up: <the kernel's own words, or the errno's>".
 */
#ifndef NETNS_RTNL_H
#define NETNS_RTNL_H

#include "lib/buf.h"
#include "lib/err.h"
#include "netns/nl.h"

#include <linux/rtnetlink.h>
#include <stdint.h>

#define RTNL_BATCH 32 /* requests in one send; the acks of all fit the default receive buffer */
#define RTNL_REQUEST_MAX 512 /* bytes of one request with its attributes */
#define RTNL_WHAT_MAX 128    /* bytes of its description */

struct rtnl {
	int fd;		      /* of the socket; 0: none */
	uint32_t seq;	      /* of the newest request */
	unsigned int pending; /* queued, not sent yet */
	struct nlmsghdr *last;
	struct err failed; /* the first failure since the last rtnl_run() */
	char what[RTNL_BATCH][RTNL_WHAT_MAX];
	char data[RTNL_BATCH * RTNL_REQUEST_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/*
 * Opens the socket in the network namespace netns_fd refers to, or in the calling thread's own
 * (-1). The thread is in the other namespace for a moment; only that thread is. Needs CAP_SYS_ADMIN
 * over both. Asks for extended acks (Linux 4.12) and strict filters in dumps (4.20) and does
 * without where they are unknown. Returns 0 or -errno.
 */
int rtnl_open(struct rtnl *r, int netns_fd, struct err *err);
/* Closes it; a zeroed struct is fine. */
void rtnl_close(struct rtnl *r);

/*
 * Queues a request (NLM_F_REQUEST | NLM_F_ACK is added) that starts with a copy of a family header,
 * and returns it for attributes to be added before the next call. The description is for messages.
 * A full queue is sent first; a failure then is kept for rtnl_run(). A dump (NLM_F_DUMP) must be
 * alone in its queue.
 */
struct nlmsghdr *rtnl_request(struct rtnl *r, uint16_t type, uint16_t flags, const void *header,
			      size_t header_len, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/*
 * Sends what is queued and waits for every answer. The kernel carries out each request whether or
 * not one before it failed; the first failure is the one reported. A dump that was overtaken by a
 * change is repeated. ret_replies (may be NULL) takes the messages that are not acks. Returns 0 or
 * -errno.
 */
int rtnl_run(struct rtnl *r, struct buf *ret_replies, struct err *err);

/*
 * rtnl_run() in halves, for a queue that another process sends (link_delete.c): the first returns
 * 0 or -errno and takes nothing back, the second waits for the answers to what is queued here.
 * rtnl_forget() drops the queue instead; answers that come later are not taken for others'.
 */
int rtnl_send(struct rtnl *r);
int rtnl_receive(struct rtnl *r, struct err *err);
void rtnl_forget(struct rtnl *r);

/*
 * What happens to interfaces, addresses and routes, as it happens: for the groups (RTNLGRP_LINK
 * etc.) of the namespace netns_fd refers to (-1: the calling thread's). A descriptor to poll, which
 * the caller closes, or -errno. buffer: bytes of events the kernel keeps for a slow reader; 0: its
 * default, about 200 KiB.
 */
int rtnl_events_open(int netns_fd, const unsigned int *groups, size_t count, size_t buffer,
		     struct err *err);
/*
 * Waits at most timeout_ms (-1: for ever) for events and reads what there is, for rtnl_next().
 * Returns 1, 0 when the time is up, -ENOBUFS when events were lost (read everything anew), or
 * another -errno.
 */
int rtnl_events_read(int fd, int timeout_ms, struct buf *ret_messages, struct err *err);

/* Walks the replies: the first for prev NULL, NULL behind the last. */
const struct nlmsghdr *rtnl_next(const struct buf *replies, const struct nlmsghdr *prev);
/* The number of replies. */
size_t rtnl_count(const struct buf *replies);
/* Fills ret_attrs, of count elements, by attribute type; absent and higher ones are NULL and
 * ignored. */
void rtnl_attrs(const struct nlmsghdr *nlh, size_t header_len, const struct nlattr **ret_attrs,
		size_t count);
/* The same for the attributes within one; NULL has none. */
void rtnl_nested(const struct nlattr *attr, const struct nlattr **ret_attrs, size_t count);

#endif
