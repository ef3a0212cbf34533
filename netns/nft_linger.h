/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing a netfilter socket without waiting. The kernel lets go of one only when everything that
 * anybody has deleted from the namespace's ruleset is freed, 5 to 15 ms later, and nobody can change
 * the ruleset until then (nf_tables, NETLINK_URELEASE). So the socket goes to a process of ours that
 * nobody waits for, and that closes what it got when all is quiet. nft.c calls this.
 */
#ifndef NETNS_NFT_LINGER_H
#define NETNS_NFT_LINGER_H

#include <stdbool.h>

/* Before fd is closed. With start such a process is started when there is none: something was
 * deleted. */
void nft_linger(int fd, bool start);

/* The process itself is going to be that one: its sockets stay open. For a process that nobody waits for,
 * which spares two forks, 0.7 ms. */
void nft_linger_here(void);
/* It takes others' sockets from now on. */
int nft_linger_begin(void);
/* Waits until all is quiet; sock is what nft_linger_begin() returned. */
void nft_linger_end(int sock);

#endif
