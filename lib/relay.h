/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standing in for a process in the foreground: signals that we get go to it and, when it has a
 * terminal of its own, what is typed goes to that terminal and its output to stdout. Both return
 * when the process has ended; it is not reaped.
 */
#ifndef LIB_RELAY_H
#define LIB_RELAY_H

#include "lib/err.h"

/*
 * What asks us to end (SIGHUP, SIGINT, SIGQUIT, SIGTERM) waits from now on for the process that is
 * about to be made: one of these calls hands it on. relay_release() lets it come to us again.
 */
void relay_hold(void);
void relay_release(void);

/* 0, or -errno. */
int relay_signals(int pidfd, struct err *err);

/*
 * terminal is the master, which is closed at the end, or before when nobody reads our stdout any
 * more. When stdin is a terminal it is made raw meanwhile, and changes of its size are passed on;
 * it is restored before this returns.
 */
int relay_terminal(int pidfd, int terminal, struct err *err);

#endif
