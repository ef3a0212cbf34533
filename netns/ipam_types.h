/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of "ipam" that ipam.c knows in process, with what they share. */
#ifndef NETNS_IPAM_TYPES_H
#define NETNS_IPAM_TYPES_H

#include "netns/plugin.h"

/* Their functions are ipam.h's, for a configuration whose "ipam" is of that type. */
extern const struct plugin ipam_host_local, ipam_static;

/* The "ipam" object of at->conf, or NULL. */
const struct json_value *ipam_conf(const struct attach *at);

struct ip_net_list {
	struct ip_net *items;
	size_t count;
};

/* Where a runtime may ask for addresses. */
enum ipam_source {
	IPAM_RUNTIME = 1,   /* runtimeConfig "ips" */
	IPAM_CONF_ARGS = 2, /* "args": {"cni": {"ips": ...}} of the configuration */
	IPAM_CNI_ARGS = 4,  /* IP= of CNI_ARGS, several with commas */
};

/*
 * The addresses asked for in any of the sources, each once. Those without a prefix length have that
 * of a whole address, or are -EINVAL with need_prefix. 0 or -EINVAL.
 */
int ipam_requested(struct attach *at, unsigned int sources, bool need_prefix,
		   struct ip_net_list *ret);

#endif
