/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/events_private.h"

#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of an answer, which is empty or an error in words. */
#define ANSWER_MAX (64u << 10)
#define CHUNK 512

static struct event *first(const struct events *events)
{
	return list_empty(&events->queue) ? NULL
					  : container_of(events->queue.next, struct event, link);
}

void events_hang_up(struct events *events)
{
	if (events->fd < 0)
		return;
	loop_remove(events->loop, &events->source);
	close(events->fd);
	events->fd = -1;
	events->stream = 0;
	buf_done(&events->in);
}

static void pause_over(struct loop_timer *timer)
{
	events_next(container_of(timer, struct events, timer));
}

/* The first event begins anew on another connection, after a while. With nothing to send there is
 * no reason to connect. */
static void fail(struct events *events)
{
	events_hang_up(events);
	loop_timer_clear(&events->timer);
	if (!first(events))
		return;
	loop_timer_set(events->loop, &events->timer, events->pause_ms, pause_over);
	events->pause_ms *= 2;
	if (events->pause_ms > EVENTS_PAUSE_MAX_MS)
		events->pause_ms = EVENTS_PAUSE_MAX_MS;
}

static void no_answer(struct loop_timer *timer)
{
	fail(container_of(timer, struct events, timer));
}

static void write_some(struct events *events)
{
	struct event *event = first(events);

	while (event && events->sent < event->len) {
		ssize_t n = send(events->fd, event->frame + events->sent, event->len - events->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			fail(events);
			return;
		}
		if (n < 0)
			break;
		events->sent += (size_t)n;
	}
	loop_change(events->loop, &events->source,
		    event && events->sent < event->len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void tell_dropped(struct events *events)
{
	if (events->dropped == events->dropped_told)
		return;
	shim_log("warning", "%llu events were dropped",
		 (unsigned long long)(events->dropped - events->dropped_told));
	events->dropped_told = events->dropped;
}

static void forget_first(struct events *events)
{
	events_forget(events, first(events));
	events->refusals = 0;
	loop_timer_clear(&events->timer);
}

static void taken(struct events *events)
{
	forget_first(events);
	events->pause_ms = EVENTS_PAUSE_MIN_MS;
	tell_dropped(events);
	events_next(events);
}

/* Of what is wrong with the message itself no repetition cures it. */
static void refused(struct events *events, const Shim__Status *status)
{
	events->refusals++;
	shim_log("warning", "event refused: %d %s", status->code, status->message);
	if (status->code == TTRPC_INVALID_ARGUMENT || events->refusals >= EVENTS_REFUSALS_MAX) {
		forget_first(events);
		events->dropped++;
	}
	fail(events);
}

static void take_answer(struct events *events, const uint8_t *data, size_t len)
{
	Shim__Response *response = wire_unpack(&shim__response__descriptor, data, len);

	if (!response)
		fail(events);
	else if (response->status && response->status->code)
		refused(events, response->status);
	else
		taken(events);
	wire_reset();
}

/* Other frames than the answer to what is on its way mean nothing to us. */
static bool is_answer(const struct events *events, const struct ttrpc_frame *frame)
{
	const struct event *event = first(events);

	return frame->type == TTRPC_RESPONSE && frame->stream == events->stream && event &&
	       events->sent == event->len;
}

/* One frame at a time; true when there was a whole one. */
static bool take_frame(struct events *events)
{
	autobuf in = BUF_INIT;
	struct ttrpc_frame frame;
	size_t all;

	if (events->in.len < TTRPC_HEADER_SIZE)
		return false;
	ttrpc_header_read((const uint8_t *)events->in.data, &frame);
	if (frame.len > ANSWER_MAX) {
		fail(events);
		return false;
	}
	all = TTRPC_HEADER_SIZE + frame.len;
	if (events->in.len < all)
		return false;
	in = events->in;
	events->in = (struct buf)BUF_INIT;
	buf_add(&events->in, in.data + all, in.len - all);
	if (is_answer(events, &frame))
		take_answer(events, (const uint8_t *)in.data + TTRPC_HEADER_SIZE, frame.len);
	return true;
}

static void read_some(struct events *events)
{
	char *at = buf_reserve(&events->in, CHUNK);
	ssize_t n = recv(events->fd, at, CHUNK, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		n = 0;
	else if (n <= 0) {
		fail(events);
		return;
	}
	events->in.len += (size_t)n;
	while (events->fd >= 0 && take_frame(events))
		;
	if (!events->in.len)
		buf_done(&events->in);
}

static void ready(struct loop_source *source, uint32_t ready_events)
{
	struct events *events = container_of(source, struct events, source);

	if (ready_events & EPOLLOUT)
		write_some(events);
	if (events->fd >= 0 && ready_events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_some(events);
}

/* A unix socket connects at once, or not: EAGAIN is a listener with a full queue. */
static int connect_now(struct events *events)
{
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_connect(fd, events->address);
	if (r < 0)
		return r;
	r = loop_add(events->loop, &events->source, fd, EPOLLIN, ready);
	if (r < 0)
		return r;
	events->fd = take_fd(&fd);
	return 0;
}

static void begin(struct events *events, struct event *event)
{
	struct ttrpc_frame frame = { .len = event->len - TTRPC_HEADER_SIZE, .type = TTRPC_REQUEST };

	events->stream = events->stream ? events->stream + 2 : 1;
	frame.stream = events->stream;
	ttrpc_header_write(&frame, event->frame);
	events->sent = 0;
	loop_timer_set(events->loop, &events->timer, EVENTS_ANSWER_MS, no_answer);
	write_some(events);
}

void events_next(struct events *events)
{
	struct event *event = first(events);

	/* Set: one is on its way, or it is not yet time to try again. */
	if (!event || events->timer.link.next)
		return;
	if (events->fd < 0 && connect_now(events) < 0)
		fail(events);
	else
		begin(events, event);
}

/* What the loop would do, for these events alone. */
static void flush_once(struct events *events, int timeout_ms)
{
	struct pollfd wait = { .fd = events->fd, .events = POLLIN };
	int64_t left = events->timer.link.next ? events->timer.due - loop_now() : 0;

	if (events->source.events & EPOLLOUT)
		wait.events |= POLLOUT;
	if (left < 0)
		left = 0;
	if (left > timeout_ms)
		left = timeout_ms;
	if (poll(&wait, 1, (int)left) > 0) {
		ready(&events->source, (uint32_t)wait.revents);
	} else if (events->timer.link.next && loop_now() >= events->timer.due) {
		loop_timer_clear(&events->timer);
		events->timer.fire(&events->timer);
	}
}

void events_flush(struct events *events, int timeout_ms)
{
	struct deadline until = deadline_in(timeout_ms);
	int left;

	while (first(events) && (left = deadline_left(&until, -1)) > 0)
		flush_once(events, left);
}
