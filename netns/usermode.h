/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks for ordinary users, who may give a namespace nothing but loopback: a program of others
 * (pasta of passt, else slirp4netns) carries its packets over sockets of the user's own. tote-net
 * calls this for `tote run --network pasta`.
 */
#ifndef NETNS_USERMODE_H
#define NETNS_USERMODE_H

#include "netns/port.h"

#include <sys/types.h>

/* Whether a network's name means one of the programs: "pasta", "slirp4netns". */
bool usermode_name(const char *name);
/*
 * Connects the network namespace of process pid. name: which program, NULL: the first that is on
 * PATH. run_dir: a directory of the caller's alone, for files of a moment. It ends after the process does. Returns 0 once packets can flow; -ENOENT when there is
 * no such program (the message says what to install), -EOPNOTSUPP for ports that it cannot publish,
 * another -errno.
 */
int usermode_up(const char *name, pid_t pid, const struct port_list *ports, const char *run_dir,
		struct err *err);

#endif
