/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of `tote attach`: attach.c finds the instance, attach_session.c talks with its monitor. */
#ifndef CMD_TOTE_COMPOSE_ATTACH_H
#define CMD_TOTE_COMPOSE_ATTACH_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#define ATTACH_CHUNK 4096

/* Zeroed but for the descriptors, which are -1. */
struct attach_session {
	char *name;
	int dir_fd, sock, signals;
	uint32_t run;
	bool tty, wants_in;
	bool terminal; /* our stdin is one */
	bool raw;
	struct termios before;
	bool in_ended, held;	    /* a ctrl-p waits for what follows */
	char out[ATTACH_CHUNK + 2]; /* a packet that could not be sent yet */
	size_t out_len;
	bool detached, ended;
	int signal; /* that ended us */
};

/* Until one of detached, ended and signal is set. name, dir_fd, tty, wants_in are the caller's to fill. */
int attach_session_run(struct attach_session *s, struct err *err);
/* Gives the terminal back as it was. */
void attach_session_done(struct attach_session *s);

#endif
