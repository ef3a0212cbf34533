/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of the attachment at hand while its lock is held. cni.c calls this around an ADD or DEL.
 * With at->no_record nothing is locked or written.
 */
#ifndef NETNS_HELD_H
#define NETNS_HELD_H

#include "netns/record.h"

struct held {
	int lock;   /* -1: somebody else has it */
	bool found; /* record is what was there */
	/* The plugin to be added was there, whole: what fails now has not made it. `before` then is the
	 * record that there was. */
	bool added_before;
	struct record record, before;
};

#define HELD_INIT                                                                                  \
	{                                                                                          \
		-1                                                                                 \
	}

/* Locks and reads; a record that cannot be read is taken for none. 0 or -errno. */
int held_open(struct attach *at, struct held *h);
void held_close(struct attach *at, struct held *h);

/*
 * What an ADD of network is to do with the record that is there: 1 when it is what an interrupted ADD
 * or a container that is gone left, and has to be deleted first; 0 to go on; -EEXIST when the
 * attachment is in use.
 */
int held_is_stale(struct attach *at, const struct held *h, const struct cni_network *network);

/* Whether at's namespace is the one that the record speaks of. */
bool held_same_namespace(const struct attach *at, const struct record *r);

/*
 * What DEL is to delete of the network that its caller tells, which may have been configured anew since the
 * ADD: what tote made itself goes as it was made. Programs are the caller's, as without us: one that the
 * network has no longer may not be there either.
 */
struct cni_network held_as_added(const struct attach *at, const struct record *r,
				 const struct cni_network *told);

/* Writes what is going to be added, behind what has gathered; then that it is there, with
 * at->result. 0 or -errno. */
int held_begin(struct attach *at, struct held *h, const struct cni_network *network);
int held_end(struct attach *at, struct held *h);
/* After an ADD that failed and made nothing (added_before): the record as it was. 0 or -errno. */
int held_restore(struct attach *at, struct held *h);
/* After a DEL, or an ADD that was undone: network's plugins are no longer in it. 0 or -errno. */
int held_forget(struct attach *at, struct held *h, const struct cni_network *network);

#endif
