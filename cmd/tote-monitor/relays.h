/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that are carried into a container: what comes to a socket of the host goes to a port inside
 * the container's network namespace and back, by splice(2), so that no byte is copied through us.
 * They may be there before the container runs: they wait then. activate.c calls this.
 */
#ifndef MONITOR_RELAYS_H
#define MONITOR_RELAYS_H

#include "lib/list.h"
#include "lib/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many at once; more wait in the kernel's queue. */
#define RELAYS_MAX 1024
/* A program that does not listen for so long gets no more of those who wait for it. */
#define RELAYS_PATIENCE_MS 30000
/* One whose program has closed it, and whose client is silent, ends after this. */
#define RELAYS_LINGER_MS 60000
#define RELAYS_SPARE 4

struct relays_pipe {
	int out, in; /* read from out, written to in; 0, 0: none */
};

struct relays {
	struct loop *loop;
	uint16_t port; /* inside */
	bool open;     /* the container runs */
	int netns_fd;  /* its network namespace, -1: our own */
	struct list all;
	unsigned int count;
	struct relays_pipe spare[RELAYS_SPARE]; /* empty ones: an idle connection needs none */
	unsigned int spares;
	/* One has ended: there is room for others, or none is left. */
	void (*ended)(struct relays *relays);
};

void relays_init(struct relays *relays, struct loop *loop, uint16_t port,
		 void (*ended)(struct relays *relays));
/* Takes a connected socket; it is connected to the port at once when the container runs, else when
 * relays_open() says so. 0, or -errno: the socket is closed. */
int relays_add(struct relays *relays, int client_fd);
/* The container runs: takes the descriptor of its network namespace (-1: ours). */
void relays_open(struct relays *relays, int netns_fd);
/* It has ended: what was connected is closed, those that wait go on waiting. */
void relays_shut(struct relays *relays);
/* Closes everything. */
void relays_done(struct relays *relays);

#endif
