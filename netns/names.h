/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for containers that tote itself runs: each has a hosts file and a resolv.conf of its own in
 * RUN_DIR/names/CONTAINER, which are mounted on /etc/hosts and /etc/resolv.conf. Containers on the
 * same network find each other by their hosts files, which are rewritten as others come and go:
 * there is no server to keep running, and it works for every libc. Written in place, as a mount is
 * of the file and not of its name; in one write, so that a reader meets the old text or the new.
 */
#ifndef NETNS_NAMES_H
#define NETNS_NAMES_H

#include "netns/record.h"

#define NAMES_HOSTS "hosts"
#define NAMES_RESOLV "resolv.conf"

#define NAMES_WORD_MAX 255

/* Whether it is one word of such a file: printable ASCII, no comment. */
bool names_ok(const char *word);

/* What a container's files say besides what networks and neighbours bring along. Zeroed: nothing. Words
 * are names_ok(). */
struct names_wish {
	const char *
		hostname; /* its own, for 127.0.1.1 until a network gives it an address; NULL: none */
	bool of_host;	  /* it shares the host's network: hosts begins as the host's does */
	struct strv hosts;   /* "ADDRESS NAME"; ADDRESS may be NAMES_GATEWAY */
	struct strv aliases; /* what neighbours find it by, besides hostname and id */
	/* Each in place of what the host or a network says. search may be ".": none. */
	struct strv servers, search, options;
};

/* Stands for the gateway of its first network that has one; where the network is the host's for 127.0.0.1. */
#define NAMES_GATEWAY "host-gateway"

/* Makes the two files: hosts with localhost and what is wished for; resolv.conf as the host has it, without
 * servers that only the host can reach unless it is on the host's network. The wish is kept beside them.
 * 0 or -errno. */
int names_make(int run_fd, const char *container, const struct names_wish *wish, struct err *err);
/* Takes name servers, domain and search list from what a network's result says, as far as the wish
 * leaves it to that; without any it leaves the host's. */
int names_resolve(int run_fd, const char *container, const struct cni_dns *dns, struct err *err);
/* Brings the hosts files of all containers up to date with the records. */
int names_update(int run_fd, struct err *err);

#endif
