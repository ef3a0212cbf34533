/* SPDX-License-Identifier: Apache-2.0 */
/* What cni.c and cni_state.c share and nobody else sees. */
#ifndef NETNS_CNI_PRIVATE_H
#define NETNS_CNI_PRIVATE_H

#include "netns/held.h"

void cni_take_network(struct attach *at, const struct cni_network *network);
/*
 * Makes a plugin the one at hand, with its part of what the runtime offers. A configuration that has
 * its own runtimeConfig was prepared for it by a runtime. Returns its type.
 */
const char *cni_take_turn(struct attach *at, const struct json_value *conf,
			  const struct json_value *offered);
/* What the caller filled in stays; what it does not know is as it was at the ADD. */
void cni_take_record(struct attach *at, const struct record *r);
/* Deletes an attachment by its record alone, with the lock held: at says only where we work. */
int cni_del_recorded(const struct attach *at, struct held *h);

#endif
