/* SPDX-License-Identifier: Apache-2.0 */
/* --network and what belongs to it, of `tote run` with bundles and with images. */
#ifndef CMD_TOTE_RUN_NETWORK_H
#define CMD_TOTE_RUN_NETWORK_H

#include "cmd/options.h"
#include "oci/network.h"

struct network_options {
	struct option_list networks, publish;
	const char *ip, *mac;
};

/*
 * "none", "host", "ns:PATH", "container:ID", "pasta", "slirp4netns", else names of configured
 * networks. fallback: the word that counts where none is given and no port is published; NULL: as
 * config.json has it. -EINVAL for what does not go together.
 */
int run_network(const struct network_options *o, const char *fallback, struct arena *a,
		struct network_wish *ret, struct err *err);

#endif
