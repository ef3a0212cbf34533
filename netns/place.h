/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything about networks is, open: what is known of attachments, what is configured, other
 * people's plugins. tote-net and join.c call this.
 */
#ifndef NETNS_PLACE_H
#define NETNS_PLACE_H

#include "netns/plugin.h"

struct place {
	const char *run_dir, *conf_dir, *plugin_path;
	int run_fd;
};

#define PLACE_INIT                                                                                 \
	{                                                                                          \
		.run_fd = -1                                                                       \
	}

/* run_dir is made when it is not there; conf_dir NULL: place_conf_dir(). The strings stay the caller's. 0 or
 * -errno. */
int place_open(const char *run_dir, const char *conf_dir, struct place *ret, struct err *err);
void place_close(struct place *p);
#define autoplace __attribute__((cleanup(place_close))) struct place

/* $NETCONFPATH, else /etc/cni/net.d. */
const char *place_conf_dir(void);

/* An attachment of container's at a place, without a namespace. */
struct attach place_attach(const struct place *p, const char *container, const char *ifname,
			   struct arena *a, struct err *err);

#endif
