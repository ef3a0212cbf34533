/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3) through a container's wall: the program finds a socket in /run/notify, and what it
 * says there reaches the service manager that NOTIFY_SOCKET of tote's own environment names. Used
 * by `start` and `run`.
 */
#ifndef OCI_NOTIFY_H
#define OCI_NOTIFY_H

#include "oci/container.h"

/*
 * Binds the socket in the container's notify directory; before its program runs. -1 without an
 * error when the container was made without one. Returns the descriptor or, with err->code set, a
 * negative errno below -1.
 */
int notify_open(const struct container *c, struct err *err);

/*
 * Passes READY=1 on (and MAINPID, as the manager knows it), BARRIER=1 with its descriptor, and
 * other messages, until READY=1 was seen or the process behind pidfd has ended. host is the
 * manager's address, "@" for an abstract one.
 */
int notify_relay(int sock, int pidfd, pid_t pid, const char *host, struct err *err);

#endif
