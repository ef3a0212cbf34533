/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel remembers of UDP senders (connection tracking) when a port goes to a container or away
 * from it. A sender that never pauses would be led to where it was led before, for ever: nat rules are
 * asked once a flow. port.c calls this.
 */
#ifndef NETNS_PORT_FLOWS_H
#define NETNS_PORT_FLOWS_H

#include "netns/nft_elem.h"

/* Forgets the flows to those of the elements that are ports of UDP, as far as they were rewritten or never
 * answered. Best effort: what fails is not said. */
void port_flows_end(struct nft *n, const struct nft_elems *l);

#endif
