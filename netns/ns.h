/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces: opened, told apart, entered for a moment. */
#ifndef NETNS_NS_H
#define NETNS_NS_H

#include "lib/err.h"

#include <stddef.h>

#define NS_ID_SIZE 44 /* "DEVICE:INODE" and a NUL */

/* A descriptor. -ENOENT: nothing is there, or the process has gone; -EINVAL: what is there is no
 * network namespace (a regular file, a fifo: never hangs). */
int ns_open(const char *path, struct err *err);
/* The calling thread's own. */
int ns_open_own(struct err *err);
/* What tells one namespace from another while either lives. 0 or -errno. */
int ns_id(int netns_fd, char ret_id[NS_ID_SIZE], struct err *err);
/* The calling thread is in the namespace between the two; ns_enter() returns a descriptor of where
 * it was, which ns_leave() takes back to and closes. A thread that cannot go back is ended with the
 * process: nothing may go on in the wrong namespace. */
int ns_enter(int netns_fd, struct err *err);
void ns_leave(int home_fd);
/* Writes /proc/sys/net/... as seen in the namespace (-1: the caller's). name has slashes or dots:
 * "net/ipv4/ip_forward", "net.ipv4.ip_forward"; only what begins with net. A value that is there
 * already is not written. -ENOENT: the kernel has no such setting. */
int ns_sysctl(int netns_fd, const char *name, const char *value, struct err *err);
/* Reads one the same way; without the newline at its end. 0, -ENOENT or another -errno. */
int ns_sysctl_read(int netns_fd, const char *name, char *ret_value, size_t size, struct err *err);

#endif
