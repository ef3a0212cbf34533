/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases as files: who has which address of a network. ipam_host_local.c takes and frees them.
 *
 * A directory per network holds a file for each leased address, whose three lines (CR LF between the
 * first two, as host-local writes them) are the container, the interface, and what tells whether
 * both still live: "owner PATH", or "netns ID PATH". A file without all of it is what a killed
 * process left: nobody's. ".KEY.N" is a link to the N-th address of the attachment that has this
 * attach_key(), made before the lease and removed after it, so that nothing has to be searched.
 * "last_reserved_ip.N" is where range set N goes on.
 *
 * All of it happens under the directory's flock.
 */
#ifndef NETNS_IPAM_LEASE_H
#define NETNS_IPAM_LEASE_H

#include "netns/plugin.h"

#include <limits.h>

#define LEASE_MAX (PATH_MAX + 512) /* bytes of a file */

struct lease {
	const char *container, *ifname;
	const char *
		life; /* the third line; NULL: written by somebody else, who has to say when it ends */
	char data[LEASE_MAX];
};

struct leases {
	int fd;	      /* the directory, locked */
	bool foreign; /* "dataDir": leases of host-local may be there */
	char path[PATH_MAX];
};

#define LEASES_INIT                                                                                \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Opens and locks the directory of at->network: RUN_DIR/leases/NETWORK, or DATA_DIR/NETWORK unless
 * data_dir is NULL. create makes it; else -ENOENT means that there are no leases. 0 or -errno.
 */
int leases_open(const struct attach *at, const char *data_dir, bool create, struct leases *ret);
void leases_close(struct leases *l);

#define autoleases __attribute__((cleanup(leases_close))) struct leases

/* Whether an address has a file, whatever is in it. */
bool lease_exists(const struct leases *l, const struct ip *ip);
/* 0; -ENOENT; -EBADMSG: it is nobody's; another -errno when that cannot be known. Sets no message. */
int lease_read(const struct leases *l, const struct ip *ip, struct lease *ret);
bool lease_alive(const struct lease *lease);
bool lease_is_of(const struct lease *lease, const struct attach *at);

/* Takes an address that has no file, as the attachment's set-th. -EEXIST when it has one of that
 * number already (the message says which), another -errno. */
int lease_take(const struct leases *l, struct attach *at, unsigned int set, const struct ip *ip);
/* Frees whatever holds the address. 0 or -errno. */
int lease_drop(const struct leases *l, const struct ip *ip, struct err *err);
/* The attachment's set-th address: 0, -ENOENT when it has none, or what lease_read() says. */
int lease_own(const struct leases *l, const struct attach *at, unsigned int set, struct ip *ret_ip);
/* Frees the attachment's addresses from the first-th on. 0 or -errno. */
int lease_free(const struct leases *l, struct attach *at, unsigned int first);

/* Frees all that keep() does not want, with links that lead nowhere. The number freed, or -errno. */
int leases_sweep(const struct leases *l, const struct attach *at,
		 bool (*keep)(const struct lease *lease, const void *arg), const void *arg);

/* Calls each() for every lease; with lease NULL for one that is nobody's. 0 or -errno. */
int leases_list(const struct leases *l,
		void (*each)(const struct ip *ip, const struct lease *lease, void *arg), void *arg,
		struct err *err);
/* Removes the directory of leases with all that is in it, also while somebody waits for its lock. 0
 * or -errno. */
int leases_remove(struct leases *l, const struct attach *at);

/* Where a set goes on; false when that is not known. */
bool lease_last(const struct leases *l, unsigned int set, struct ip *ret_ip);
/* Forgetting it is no failure. */
void lease_set_last(const struct leases *l, unsigned int set, const struct ip *ip);

#endif
