/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/relays_private.h"

#include "lib/cleanup.h"
#include "netns/dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_MAX_MS 100
/* Two sockets and two pipes. */
#define FDS_EACH 6
#define FDS_OURS 64

static void dial(struct conn *c);

void relays_init(struct relays *relays, struct loop *loop, uint16_t port,
		 void (*ended)(struct relays *relays))
{
	*relays = (struct relays){ .loop = loop, .port = port, .netns_fd = -1, .ended = ended };
	list_init(&relays->all);
}

static void close_end(struct relays *relays, struct end *e)
{
	loop_remove(relays->loop, &e->source);
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

static void release(struct conn *c)
{
	struct relays *relays = c->relays;

	loop_timer_clear(&c->timer);
	for (int i = 0; i < 2; i++) {
		close_end(relays, &c->ends[i]);
		relays_close_pipe(&c->ways[i].pipe);
	}
	list_remove(&c->link);
	free(c);
	relays->count--;
}

void relays_finish(struct conn *c)
{
	struct relays *relays = c->relays;

	release(c);
	relays->ended(relays);
}

static void try_again(struct loop_timer *timer)
{
	dial(container_of(timer, struct conn, timer));
}

/* The other family at once, then both again after a pause that grows with the time that was waited:
 * a program that takes milliseconds to listen is met within a millisecond. */
static void not_yet(struct conn *c)
{
	int64_t waited = loop_now() - c->since;
	int64_t pause = waited / 8;

	close_end(c->relays, &c->ends[SERVER]);
	if (waited > RELAYS_PATIENCE_MS) {
		relays_finish(c);
		return;
	}
	c->ipv6 = !c->ipv6;
	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	/* Never from here directly: it may fail at once, many times in a row. */
	loop_timer_set(c->relays->loop, &c->timer, c->ipv6 ? 0 : pause + 1, try_again);
}

static void stalled(struct loop_timer *timer)
{
	not_yet(container_of(timer, struct conn, timer));
}

static void dialed(struct loop_source *source, uint32_t events)
{
	struct conn *c = container_of(source, struct end, source)->conn;

	(void)events;
	if (dial_result(source->fd) < 0) {
		not_yet(c);
		return;
	}
	loop_timer_clear(&c->timer);
	loop_remove(c->relays->loop, source);
	c->open = true;
	if (relays_carry(c) < 0)
		relays_finish(c);
}

/* It takes long where the program's queue is full: the kernel sends again only after a second. */
static void dial(struct conn *c)
{
	static const struct ip loopback[] = {
		{ AF_INET, { 127, 0, 0, 1 } },
		{ AF_INET6, { [15] = 1 } },
	};
	struct end *e = &c->ends[SERVER];
	struct err err;

	e->fd = dial_begin(c->relays->netns_fd, &loopback[c->ipv6], c->relays->port, &err);
	if (e->fd < 0 || loop_add(c->relays->loop, &e->source, e->fd, EPOLLOUT, dialed) < 0) {
		not_yet(c);
		return;
	}
	loop_timer_set(c->relays->loop, &c->timer, RELAYS_PATIENCE_MS, stalled);
}

/* Somebody whose machine lost its power would keep the container awake for ever. */
static void set_up(int client_fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },    { SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 60 },  { IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 20 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		setsockopt(client_fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
}

/* Only when they are needed: the next container that is made inherits the limit. */
static void allow_descriptors(unsigned int connections)
{
	rlim_t wanted = FDS_OURS + (rlim_t)connections * FDS_EACH;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int relays_add(struct relays *relays, int client_fd)
{
	autofd fd = client_fd;
	struct conn *c;

	if (relays->count >= RELAYS_MAX)
		return -EAGAIN;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	allow_descriptors(relays->count + 1);
	set_up(fd);
	c->relays = relays;
	c->since = loop_now();
	c->ends[CLIENT] = (struct end){ .conn = c, .fd = take_fd(&fd) };
	c->ends[SERVER] = (struct end){ .conn = c, .fd = -1 };
	list_add(&relays->all, &c->link);
	relays->count++;
	if (relays->open)
		dial(c);
	return 0;
}

void relays_open(struct relays *relays, int netns_fd)
{
	relays->open = true;
	relays->netns_fd = netns_fd;
	for_list (c, &relays->all, struct conn, link) {
		c->since = loop_now();
		dial(c);
	}
}

/* Back to waiting: for the next run. */
static void wait_again(struct conn *c)
{
	loop_timer_clear(&c->timer);
	close_end(c->relays, &c->ends[SERVER]);
	c->ipv6 = false;
}

void relays_shut(struct relays *relays)
{
	relays->open = false;
	if (relays->netns_fd >= 0)
		close(relays->netns_fd);
	relays->netns_fd = -1;
	for_list (c, &relays->all, struct conn, link) {
		if (c->open)
			release(c);
		else
			wait_again(c);
	}
}

void relays_done(struct relays *relays)
{
	struct list *link;

	relays->open = false;
	while ((link = list_pop(&relays->all)))
		release(container_of(link, struct conn, link));
	while (relays->spares)
		relays_close_pipe(&relays->spare[--relays->spares]);
	if (relays->netns_fd >= 0)
		close(relays->netns_fd);
	relays->netns_fd = -1;
}
