/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: connections, lines in, lines out. A client that does not read is left behind,
 * then dropped; nothing waits for it. What the requests mean is in request.c.
 */
#ifndef SUPERVISE_SERVER_H
#define SUPERVISE_SERVER_H

#include "cmd/tote-supervise/supervise.h"
#include "lib/buf.h"

#define SERVER_CLIENTS 64
#define SERVER_BACKLOG ((size_t)8 << 20) /* unread bytes that end a connection */

/* What a client waits for. */
enum await {
	AWAIT_NOTHING,
	AWAIT_UP,	 /* all run, are healthy, or have completed */
	AWAIT_GONE,	 /* down */
	AWAIT_STOPPED,	 /* stop */
	AWAIT_RESTARTED, /* restart */
};

struct client {
	struct list link;
	struct supervisor *sup;
	struct loop_source source;
	struct loop_timer timer;  /* the end of what it waits for */
	struct loop_timer unread; /* nothing was read for too long */
	struct buf in, out;
	size_t sent;  /* of out */
	bool closing; /* when out is empty */
	bool gone;    /* closed at the next chance */
	bool follow;  /* events */
	enum await await;
	char *project;	      /* heap: whose events, and what await is about; NULL: all */
	struct strv services; /* on the heap; none: all */
};

/* Takes over the listening socket. 0 or -errno. */
int server_open(struct supervisor *sup, int listen_fd, struct err *err);
void server_close(struct supervisor *sup);
void server_event(struct supervisor *sup, const struct project *p, const char *line);
/* After each settling: who waits may have got what it wants. */
void server_settled(struct supervisor *sup);

void client_line(struct client *c, const char *line);
void client_done(struct client *c);
void client_fail(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* request.c: one line of a client's. */
void request(struct client *c, const char *line, size_t len);
/* Whether what it waits for has come; answers it then. */
void request_check(struct client *c);

/* status.c: one line; without projects it is the last one of an answer of many. */
void status_write(struct supervisor *sup, bool with_projects, struct buf *out);
/* One line of one project. */
void status_write_project(const struct project *p, struct buf *out);

#endif
