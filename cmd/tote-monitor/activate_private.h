/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of scale to zero share: activate.c says when who is woken and put to sleep,
 * activate_open.c and activate_listen.c make the sockets, activate_flows.c counts connections that are not ours to carry. */
#ifndef MONITOR_ACTIVATE_PRIVATE_H
#define MONITOR_ACTIVATE_PRIVATE_H

#include "cmd/tote-monitor/relays.h"
#include "lib/err.h"
#include "netns/ip.h"

struct monitor;

#define ACTIVATE_LISTENERS 16

struct listen_address {
	struct ip ip;  /* family 0: any, of both families */
	uint16_t port; /* of the host */
};

struct activate;

struct listener {
	struct loop_source source;
	struct activate *activate;
	struct listen_address at;
	int fd;
};

struct activate {
	struct monitor *m;
	struct listener listeners[ACTIVATE_LISTENERS];
	size_t count;
	int fds[ACTIVATE_LISTENERS]; /* of the listeners, for activate_fds() */
	struct relays relays;
	bool hand_over; /* the container has the sockets itself */
	bool listening; /* they are in the loop */
	bool lame;	/* not all sockets are known: it stays awake */
	bool by_caller; /* this start is for somebody who connected */
	int64_t used;	/* hand_over: when a connection was last seen */
	struct loop_timer idle, again, save;
};

/* "8080", "127.0.0.1:8080", "[::1]:8080". 0 or -EINVAL. */
int listen_parse(const char *text, struct listen_address *ret, struct err *err);
/* A listening socket, close-on-exec; non-blocking unless others get it. -EADDRINUSE, -EACCES ... */
int listen_open(const struct listen_address *at, const char *text, bool nonblock, struct err *err);
/* The same socket out of a process that has it open, or -ENOENT. pidfd_getfd(2) is of Linux 5.6. */
int listen_take_back(pid_t pid, const struct listen_address *at, unsigned int first_fd,
		     unsigned int fds);

/* How many connections that came there are open at present in our network namespace, or -errno. */
int flows_count(const struct listen_address *at);

/* activate.c */
void activate_listen(struct activate *a, bool on);
/* Connections to all of our ports, or -errno. */
int activate_flows(const struct activate *a);
void activate_relay_ended(struct relays *relays);

#endif
