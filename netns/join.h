/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container joins networks and leaves them, in steps for a process that begins before there is a
 * network namespace and ends after it has answered. `tote network up` and `down` call this, and
 * oci/network.c in a process beside tote's for `tote run --network`.
 */
#ifndef NETNS_JOIN_H
#define NETNS_JOIN_H

#include "netns/conf.h"
#include "netns/place.h"
#include "netns/port_text.h"

#define JOIN_IFNAME "eth0" /* where nothing else is said; then eth1 and so on */

struct join_wish {
	const char *id;
	struct strv networks;		 /* none or "": the first that is configured */
	struct strv publish;		 /* ports, as port_parse_all() takes them */
	struct strv ips;		 /* in the first network */
	const char *ifname, *mac;	 /* in the first network; NULL: as they come */
	const char *hostname;		 /* what others find it by, besides the id; NULL: nothing */
	const char *owner;		 /* see struct attach */
	bool rootless;			 /* only programs for ordinary users can be had */
	bool lo;			 /* has to be brought up */
	void (*warn)(const char *words); /* NULL: nobody wants to know */
};

struct join {
	const struct join_wish *wish;
	struct place place;
	struct port_list ports;
	struct cni_network *networks; /* name NULL: a program for ordinary users has it */
	const char **programs;	      /* of those: which one, NULL: any */
	size_t count;
	const char *netns_path;
	int netns_fd;
	pid_t pid;	    /* of a process in it; 0: none yet */
	int sock;	    /* both come over this one later; -1: they do not */
	struct buf results; /* CNI's, a line for each network */
	struct arena *arena;
};

#define JOIN_INIT(w, a)                                                                            \
	{                                                                                          \
		.wish = (w), .place = PLACE_INIT, .netns_fd = -1, .sock = -1, .arena = (a)         \
	}
#define autojoin __attribute__((cleanup(join_done))) struct join
void join_done(struct join *j);

/* Judges the wish, opens the place (as place_open() does) and finds the networks in its
 * configuration. 0 or -errno. */
int join_prepare(struct join *j, const char *run_dir, const char *conf_dir, struct err *err);
/* Fills in the namespace, which comes over a socket: one message of a process's number (32 bits, or 0) and a
 * descriptor. -ECANCELED when none came. */
int join_receive(struct join *j, int sock, struct err *err);
/* The container is on all networks afterwards, or on none. With a sock, the namespace is waited for when
 * there is nothing else to do, as join_receive() does, and at the end for one more message of a process's
 * number unless that came with it. 0 or -errno. */
int join_networks(struct join *j, struct err *err);

/* What is removed when nobody waits any more; zeroed: nothing. */
struct leave_later {
	struct buf links;     /* indices of host interfaces (see struct attach) */
	struct buf leftovers; /* leftover.h */
};
void leave_later_done(struct leave_later *l);
#define autolater __attribute__((cleanup(leave_later_done))) struct leave_later

struct leave_wish {
	const char *id;
	const char *netns;	   /* a path, as far as it is still there; NULL: nothing is known */
	const char *config;	   /* the network; NULL: all it is on */
	const char *ifname;	   /* the interface; NULL: all */
	struct leave_later *later; /* takes what may be removed later; NULL: nothing may */
};

/* 0 also when there is nothing to leave. The first error. */
int leave_networks(const struct place *p, const struct leave_wish *wish, struct err *err);
/*
 * In front of the former and behind it, by a process that answers by two bytes over the socket that is its
 * stdin. The first: addresses and ports are free, and what the container had in nf_tables is gone. The second:
 * nobody finds it by its names either. Whoever ends the process's cgroup with its caller (systemd does) kills
 * it: so the caller waits for the second one last. The veth and the memory of what was in nf_tables take 10 ms
 * and more that nobody has to wait for; SIGKILL leaves the veth until its namespace goes, or the container
 * comes again. Closes the place and stdio. -errno when there was nobody to answer.
 */
void leave_begin_answer(void);
int leave_answer(struct place *p, struct leave_later *later);

/* -EINVAL unless it is a container's id, as records and CNI have it. */
int join_check_id(const char *id, struct err *err);

#endif
