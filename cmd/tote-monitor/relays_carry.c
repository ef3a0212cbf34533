/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/relays_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one connection may move before the others have their turn. */
#define ROUNDS 16
#define CHUNK ((size_t)64 << 10)

static int take_pipe(struct relays *relays, struct relays_pipe *ret)
{
	int fds[2];

	if (relays->spares) {
		*ret = relays->spare[--relays->spares];
		return 0;
	}
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*ret = (struct relays_pipe){ .out = fds[0], .in = fds[1] };
	return 0;
}

void relays_close_pipe(struct relays_pipe *p)
{
	if (!p->in)
		return;
	close(p->out);
	close(p->in);
	*p = (struct relays_pipe){ 0 };
}

/* Only an empty one: what is left in it would be somebody else's. */
static void give_pipe(struct relays *relays, struct relays_pipe *p)
{
	if (relays->spares == RELAYS_SPARE) {
		relays_close_pipe(p);
		return;
	}
	relays->spare[relays->spares++] = *p;
	*p = (struct relays_pipe){ 0 };
}

/* Takes from an end what there is: false when there is nothing at present. -errno: it is broken. */
static int fill(struct conn *c, struct way *w, int from, int to)
{
	ssize_t n;
	int r;

	if (!w->pipe.in) {
		r = take_pipe(c->relays, &w->pipe);
		if (r < 0)
			return r;
	}
	n = splice(from, NULL, w->pipe.in, NULL, CHUNK, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0) {
		/* The other direction goes on: a client may end its request so. */
		w->ended = true;
		shutdown(to, SHUT_WR);
		return 0;
	}
	w->held = (size_t)n;
	return 1;
}

static int drain(struct way *w, int to)
{
	ssize_t n = splice(w->pipe.out, NULL, to, NULL, w->held, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	w->held -= (size_t)n;
	return n > 0;
}

static int pump(struct conn *c, int direction)
{
	struct way *w = &c->ways[direction];
	int from = c->ends[direction].fd, to = c->ends[!direction].fd;
	int r = 1;

	for (int round = 0; round < ROUNDS && r > 0 && !w->ended; round++) {
		r = w->held ? 1 : fill(c, w, from, to);
		if (r > 0)
			r = drain(w, to);
	}
	if (r >= 0 && !w->held && w->pipe.in)
		give_pipe(c->relays, &w->pipe);
	return r < 0 ? r : 0;
}

static void end_ready(struct loop_source *source, uint32_t events);

/* An end of which nothing is wanted is not watched at all, as epoll(7) tells of its hanging up again and
 * again, whether that was asked for or not. */
static int watch(struct conn *c, int i)
{
	struct end *e = &c->ends[i];
	uint32_t events = 0;

	if (!c->ways[i].ended && !c->ways[i].held)
		events |= EPOLLIN;
	if (c->ways[!i].held)
		events |= EPOLLOUT;
	if (!events)
		loop_remove(c->relays->loop, &e->source);
	else if (e->source.ready)
		loop_change(c->relays->loop, &e->source, events);
	else
		return loop_add(c->relays->loop, &e->source, e->fd, events, end_ready);
	return 0;
}

int relays_carry(struct conn *c)
{
	for (int i = 0; i < 2; i++) {
		int r = pump(c, i);

		if (r < 0)
			return r;
	}
	if (c->ways[CLIENT].ended && c->ways[SERVER].ended)
		return -EPIPE;
	for (int i = 0; i < 2; i++) {
		int r = watch(c, i);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The program has closed it, and whoever connected does not say anything and does not go: with a program
 * of its own the kernel would forget it after a minute as well (tcp_fin_timeout). */
static void lingers(struct loop_timer *timer)
{
	relays_finish(container_of(timer, struct conn, timer));
}

static void end_ready(struct loop_source *source, uint32_t events)
{
	struct conn *c = container_of(source, struct end, source)->conn;

	(void)events;
	if (relays_carry(c) < 0)
		relays_finish(c);
	else if (c->ways[SERVER].ended)
		loop_timer_set(c->relays->loop, &c->timer, RELAYS_LINGER_MS, lingers);
}
