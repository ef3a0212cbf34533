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

/* Makes the two files: hosts with localhost and, when there is one, the container's own name for
 * 127.0.1.1; resolv.conf as the host has it, without servers that only the host can reach. 0 or
 * -errno. */
int names_make(int run_fd, const char *container, const char *hostname, struct err *err);
/* Takes name servers, domain and search list from what a network's result says; without any it
 * leaves the host's. */
int names_resolve(int run_fd, const char *container, const struct cni_dns *dns, struct err *err);
/* Brings the hosts files of all containers up to date with the records. */
int names_update(int run_fd, struct err *err);

#endif
