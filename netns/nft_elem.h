/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elements of the sets and maps of our nf_tables tables. Each carries its owner as the comment that
 * nft(8) shows, so that the kernel is the only list of who has what. port.c and firewall.c call this.
 */
#ifndef NETNS_NFT_ELEM_H
#define NETNS_NFT_ELEM_H

#include "netns/ip.h"
#include "netns/nft_network.h"

#define NFT_KEY_MAX 32
#define NFT_DATA_MAX NFT_CHAIN_SIZE
#define NFT_OWNER_SIZE 32

struct nft_elem {
	const struct nft_set *set;
	uint8_t key[NFT_KEY_MAX];
	uint8_t data[NFT_DATA_MAX]; /* of maps; NFT_TYPE_CHAIN: the name */
	char owner[NFT_OWNER_SIZE];
};

/* A list on the heap; zeroed, it is empty. */
struct nft_elems {
	struct buf items;
};

#define autoelems __attribute__((cleanup(nft_elems_done))) struct nft_elems
void nft_elems_done(struct nft_elems *l);
size_t nft_elems_count(const struct nft_elems *l);
struct nft_elem *nft_elems_at(const struct nft_elems *l, size_t i);
/* Appends one; key and data are zeroed, to be filled by the functions below. */
struct nft_elem *nft_elems_new(struct nft_elems *l, const struct nft_set *set, const char *owner);

/* Write one part of a concatenation and return where the next one goes. */
uint8_t *nft_key_ip(uint8_t *at, const struct ip *ip);
uint8_t *nft_key_protocol(uint8_t *at, uint8_t protocol);
uint8_t *nft_key_port(uint8_t *at, uint16_t port);

/*
 * Adds all in one transaction, in place of what their owner has of them already (all are one owner's;
 * those of one set should stand together); makes the table and its networks' chains when they are not
 * there. -EADDRINUSE: one is another owner's, ret_taken has it with that owner, or the list has one twice;
 * nothing is added. The list is sorted then.
 */
int nft_elems_claim(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		    struct nft_elem *ret_taken, struct err *err);
/* Queues the removal of all behind nft_begin(); nft_commit() says -ENOENT when one is not there. */
void nft_elems_queue_release(struct nft *n, const struct nft_table *t, const struct nft_elems *l);
/* Removes all; -ENOENT when one is not there. */
int nft_elems_release(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		      struct err *err);
/* Removes all that an owner has in some sets, which ret_list has then; 0 also when there is nothing. */
int nft_elems_drop(struct nft *n, const struct nft_table *t, const struct nft_set *const *sets,
		   size_t count, const char *owner, struct nft_elems *ret_list, struct err *err);
/* Whether all are there as they should be: 0, or -ENOENT. */
int nft_elems_check(struct nft *n, const struct nft_table *t, const struct nft_elems *l,
		    struct err *err);
/* Appends the set's elements, those of one owner or (NULL) all. 0; -ENOENT when there is no such set. */
int nft_elems_dump(struct nft *n, const struct nft_table *t, const struct nft_set *set,
		   const char *owner, struct nft_elems *ret_list, struct err *err);
/* The same of several sets, none of which has to be there. */
int nft_elems_dump_all(struct nft *n, const struct nft_table *t, const struct nft_set *const *sets,
		       size_t count, const char *owner, struct nft_elems *ret_list,
		       struct err *err);
/* What the kernel has under the key of an element: its data and owner. -ENOENT when there is none. */
int nft_elem_get(struct nft *n, const struct nft_table *t, const struct nft_elem *e,
		 struct nft_elem *ret_found, struct err *err);

#endif
