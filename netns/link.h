/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network interfaces: find them, change them, move them to another network namespace. netdev.c and
 * the plugins call this; link_add.h makes them, link_delete.h removes them. Functions without an
 * err queue a request on the socket; rtnl_run() sends it.
 */
#ifndef NETNS_LINK_H
#define NETNS_LINK_H

#include "lib/arena.h"
#include "netns/rtnl.h"

#include <net/if.h>
#include <stdbool.h>

#define LINK_MAC_SIZE 6
#define LINK_MAC_TEXT_SIZE 18
#define LINK_KIND_SIZE 16

struct link {
	int index;	    /* per network namespace; may change by a move */
	unsigned int flags; /* IFF_* */
	char name[IFNAMSIZ];
	char kind[LINK_KIND_SIZE]; /* "bridge", "veth"; "" for hardware and lo */
	int master;		   /* index of the bridge or bond it is in; 0: none */
	int other; /* index of a veth's other end, or of what it lies on; 0: none. In the namespace
			other_nsid, a number of this namespace's; -1: the same namespace */
	int other_nsid;
	uint32_t mtu;	   /* bytes */
	uint8_t operstate; /* IF_OPER_* */
	bool has_mac;
	uint8_t mac[LINK_MAC_SIZE];
	bool has_hairpin, hairpin; /* of a bridge's port */
	bool vlan_filtering;	   /* of a bridge */
};

struct link_list {
	struct link *items;
	size_t count;
};

/* Whether the kernel takes it for an interface's name: 1 to 15 bytes, no "/", ":", "%" (it would put a number
 * for "%d") or white space, not "." or "..". */
bool link_name_ok(const char *name);

/* "02:42:0a:58:00:05", also with "-" between; 0 or -EINVAL, also for an address of a group or of
 * nobody. */
int link_mac_parse(const char *text, uint8_t ret_mac[LINK_MAC_SIZE]);
/* Returns text. */
const char *link_mac_text(const uint8_t mac[LINK_MAC_SIZE], char text[LINK_MAC_TEXT_SIZE]);

/*
 * Finds an interface by name (or by alternative name, Linux 5.5; ret_link has the real one).
 * Returns 0, -ENODEV when there is none (with a message, which callers that only ask drop), -EINVAL
 * for what is no name, or another -errno.
 */
int link_find(struct rtnl *r, const char *name, struct link *ret_link, struct err *err);

/* The same as part of a queue: the answer is among rtnl_run()'s replies, where the second function
 * finds it (false: it is not there). */
void link_ask(struct rtnl *r, const char *name);
void link_ask_index(struct rtnl *r, int index);
bool link_answer(const struct buf *replies, const char *name, struct link *ret_link);

/* Finds it by index. Returns as link_find() does. */
int link_find_index(struct rtnl *r, int index, struct link *ret_link, struct err *err);

/* All of them, or those in a bridge (master: its index, 0: all) and of a kind (NULL: all). 0 or
 * -errno. */
int link_list(struct rtnl *r, int master, const char *kind, struct arena *a,
	      struct link_list *ret_list, struct err *err);

/* Reads a message that tells of an interface (a reply, an event); false when it is none. */
bool link_read(const struct nlmsghdr *nlh, struct link *ret_link);

/* Waits at most timeout_ms until it passes traffic, which the kernel sees to some time after both ends
 * of a veth are up. 0, -ETIMEDOUT or another -errno. */
int link_wait_running(struct rtnl *r, const struct link *link, int timeout_ms, struct err *err);

/* Brings it up, takes it down. What is to be changed may be known by name alone (index 0): one that a
 * request before in the queue makes. */
void link_up(struct rtnl *r, const struct link *link);
void link_down(struct rtnl *r, const struct link *link);
void link_set_mtu(struct rtnl *r, const struct link *link, uint32_t mtu);
void link_set_mac(struct rtnl *r, const struct link *link, const uint8_t mac[LINK_MAC_SIZE]);
void link_set_promisc(struct rtnl *r, const struct link *link, bool on);
/* Neighbours are told when it comes up (arp_notify in ip-sysctl; Linux 2.6.38). Without a visit to /proc of
 * its namespace, 0.07 ms. */
void link_set_arp_notify(struct rtnl *r, const struct link *link);
/* Puts it into a bridge (its index), or takes it out (0). */
void link_set_master(struct rtnl *r, const struct link *link, int master);
void link_rename(struct rtnl *r, const struct link *link, const char *name);
/* A bridge's port: may what came by it go out by it? It must be in the bridge. */
void link_set_hairpin(struct rtnl *r, const struct link *link, bool on);
/* May it pass traffic to and from ports that are not isolated alone? Linux 4.18. */
void link_set_isolated(struct rtnl *r, const struct link *link, bool on);
/* A bridge that knows VLANs (CONFIG_BRIDGE_VLAN_FILTERING, else -EOPNOTSUPP). */
void link_set_vlan_filtering(struct rtnl *r, const struct link *bridge, bool on);
/*
 * Lets a VLAN (1 to 4094) pass a port, or a bridge itself; what comes untagged belongs to it (pvid),
 * and it leaves untagged.
 */
void link_vlan_add(struct rtnl *r, const struct link *link, uint16_t id, bool pvid_untagged);
void link_vlan_delete(struct rtnl *r, const struct link *link, uint16_t id);

/*
 * Moves it to the namespace netns_fd refers to, under new_name. The kernel takes it down and drops
 * its addresses and routes. It moves first and renames then: a failure of the renaming leaves it
 * moved, under its old name.
 */
void link_move(struct rtnl *r, const struct link *link, int netns_fd, const char *new_name);

#endif
