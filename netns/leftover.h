/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an attachment may leave in the kernel for a moment once its addresses and ports are free: its veth,
 * which nobody else can have any use for. leave.c notes it and removes it when its caller has been answered.
 */
#ifndef NETNS_LEFTOVER_H
#define NETNS_LEFTOVER_H

#include "netns/plugin.h"

/* Appends what goes by the attachment's names (at->network is filled in). */
void leftover_note(const struct attach *at, struct buf *list);

/*
 * Appends indices of veths (ints) for link_delete_all(), as far as the container has not come again to the same
 * network meanwhile: then it has replaced the veth. What fails stays for `tote network gc`, which finds it
 * without a record.
 */
void leftovers_links(const char *run_dir, const struct buf *list, struct buf *ret_links);

#endif
