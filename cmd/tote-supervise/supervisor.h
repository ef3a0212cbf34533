/* SPDX-License-Identifier: Apache-2.0 */
/* Between main.c and the loop. */
#ifndef SUPERVISE_SUPERVISOR_H
#define SUPERVISE_SUPERVISOR_H

#include "cmd/tote-supervise/supervise.h"

/* Signals, children, instance directories. 0 or -errno. */
int supervisor_watch(struct supervisor *sup, struct err *err);

/* notify.c: sd_notify(3) by hand. Nothing happens without $NOTIFY_SOCKET. */
void notify_send(const char *text);
/* READY=1, and WATCHDOG=1 at half of $WATCHDOG_USEC from the loop, after a look at ourselves. */
void notify_ready(struct supervisor *sup);
/* The first descriptor that systemd opened for us (LISTEN_FDS), or -1. */
int notify_listen_fd(void);

/* network.c: keeps tote's networks whole, where there are some and we are root. */
void network_open(struct supervisor *sup);
void network_close(struct supervisor *sup);

#endif
