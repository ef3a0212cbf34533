/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of an interface's traffic: token buckets, and what arrives sent through another interface so
 * that it can be limited as well. bandwidth.c calls this. All but the last queue a request;
 * rtnl_run() sends it.
 */
#ifndef NETNS_QDISC_H
#define NETNS_QDISC_H

#include "netns/link.h"

/* tc-tbf(8), the root of what leaves the interface. */
struct qdisc_tbf {
	uint64_t rate;	/* bytes a second */
	uint32_t burst; /* bytes */
	uint32_t limit; /* bytes that may wait */
};

/* Takes the place of what is there. The interface must be there when it is queued: link->index. */
void qdisc_set_tbf(struct rtnl *r, const struct link *link, const struct qdisc_tbf *tbf);
/* Lets filters see what arrives (tc's "ingress"). */
void qdisc_add_ingress(struct rtnl *r, const struct link *link);
/* All that arrives at one interface leaves by the other instead. Wants qdisc_add_ingress(). */
void qdisc_redirect(struct rtnl *r, const struct link *from, const struct link *to);
/* The rate of an interface's token bucket in bytes a second; 0: it has none. 0 or -errno. */
int qdisc_rate(struct rtnl *r, const struct link *link, uint64_t *ret_rate, struct err *err);

#endif
