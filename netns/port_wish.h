/* SPDX-License-Identifier: Apache-2.0 */
/* What an attachment wants, as elements of the table "inet tote". For port.c; nothing here talks to the
 * kernel. */
#ifndef NETNS_PORT_WISH_H
#define NETNS_PORT_WISH_H

#include "netns/nft_elem.h"
#include "netns/port.h"
#include "netns/port_table.h"

/* One of a pair of sets (its first) by family. */
const struct nft_set *port_set_of(enum port_set set, uint8_t family);
/* The address that ports go to: the first of a family, or NULL. */
const struct ip_net *port_target(const struct port_wish *w, uint8_t family);
/* Whether a map can be had at all. 0 or -EINVAL. */
int port_map_check(const struct port_wish *w, const struct port_map *m, struct err *err);
/* Appends all elements. */
void port_want(struct nft_elems *l, const struct port_wish *w);

/* Whether an element is a published port; of one, the part of its key that is protocol and port, eight
 * bytes, and the port. */
bool port_is_one(const struct nft_elem *e);
const uint8_t *port_service_of(const struct nft_elem *e);
uint16_t port_number_of(const struct nft_elem *e);

#endif
