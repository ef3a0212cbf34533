/* SPDX-License-Identifier: Apache-2.0 */
/* What tote-cni was asked for. */
#ifndef CMD_TOTE_CNI_REQUEST_H
#define CMD_TOTE_CNI_REQUEST_H

#include "netns/cni.h"

enum need { CONTAINER = 1, IFNAME = 2, NETNS = 4 };

struct request {
	const struct command *command;
	const char *container, *ifname, *netns, *args, *path;
	struct cni_network network;
	struct arena *arena;
	struct err *err;
	const char *version; /* for the answer */
};

struct command {
	const char *name;
	int (*run)(struct request *q, struct attach *at);
	unsigned int needs;
	const char *since; /* the version of a configuration that may be used with it */
};

/* CNI_*: fills the command and what comes with it. 0, or negative when something is missing or
 * wrong. */
int request_read_environment(struct request *q, const struct command *commands, size_t count);

#endif
