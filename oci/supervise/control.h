/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How commands talk to the supervisor: a stream socket RUN/control, mode 0600, where the peer is root
 * or the supervisor's own user (SO_PEERCRED). A request is one JSON object in one line; answers are
 * JSON objects, one a line, of which the last has "done" (true) or "error" (words).
 *
 *	{"do":"apply","project":{desired_project},"dryRun":b,"services":[...]}
 *	        -> {"change":"create"|"replace"|"scale"|"start"|"remove"|"keep","service":S,"why":W}...
 *	{"do":"wait","project":P,"services":[...],"timeoutMs":N}
 *	        -> events (below) until all run, and are healthy where that is asked of them, or
 *	           have completed; "error" when one cannot come up
 *	{"do":"down","project":P,"services":[...],"force":b}   stops and forgets; answers when gone
 *	{"do":"stop"|"restart","project":P,"services":[...]}   no services: all
 *	{"do":"status"}                       -> {"projects":[...]}, see tote-status(8)
 *	{"do":"events","follow":b}            -> {"time":..,"project":..,"service":..,"instance":..,
 *	                                         "event":..}...: those remembered, then new ones
 *	{"do":"ping"}
 *
 * An empty list of services, or none, means all of the project.
 */
#ifndef OCI_SUPERVISE_CONTROL_H
#define OCI_SUPERVISE_CONTROL_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/json.h"

#define CONTROL_SOCKET "control"
#define CONTROL_MAX_LINE ((size_t)4 << 20)

/* A commands' end. */
struct control {
	int fd;
	struct buf in;
};

/* -ENOENT or -ECONNREFUSED: no supervisor runs. */
int control_open(const char *run_path, struct control *ret, struct err *err);
void control_close(struct control *c);
/* line: without newline. */
int control_send(struct control *c, const char *line, struct err *err);
/* The next answer as a tree in the arena: 1; 0 when it was the last one and good; -EPROTO or what the
 * supervisor says ("error") otherwise. timeout_ms -1: for as long as it takes. */
int control_next(struct control *c, int timeout_ms, struct arena *a, struct json_value **ret,
		 struct err *err);

/* The supervisor's end: a listening socket in the directory, in the place of one that nobody serves. Only
 * for who holds RUN/lock. */
int control_listen(int run_fd, struct err *err);
/* A new connection whose peer may ask; -EPERM, -EAGAIN. */
int control_accept(int listen_fd);

#endif
