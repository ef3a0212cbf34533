/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the host's interfaces the kernel would send to an address by. portmap.c asks. */
#ifndef NETNS_LINK_TOWARDS_H
#define NETNS_LINK_TOWARDS_H

#include "netns/ip.h"
#include "netns/link.h"

/* -ENETUNREACH: by none; another -errno. */
int link_find_towards(struct rtnl *r, const struct ip *ip, struct link *ret_link, struct err *err);

#endif
