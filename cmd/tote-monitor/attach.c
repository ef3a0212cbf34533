/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/control.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define END_OF_FILE 4 /* ^D: what the end of a stream is to a terminal */

static bool send_packet(const struct client *c, char what, const char *data, size_t len)
{
	struct iovec parts[] = { { &what, 1 }, { (void *)data, len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };

	return sendmsg(c->source.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* Whoever does not read must not hold up the container: it misses something, and is told. */
static void send_data(struct client *c, char what, const char *data, size_t len)
{
	char text[80];

	if (c->missed) {
		snprintf(text, sizeof(text), "\r\n[tote: %" PRIu64 " bytes were not shown]\r\n",
			 c->missed);
		if (!send_packet(c, 2, text, strlen(text))) {
			c->missed += len;
			return;
		}
		c->missed = 0;
	}
	if (!send_packet(c, what, data, len))
		c->missed += len;
}

void attach_send(struct monitor *m, char what, const char *data, size_t len)
{
	for_list (c, &m->clients, struct client, link)
		if (c->attached)
			send_data(c, what, data, len);
}

bool attach_begin(struct client *c)
{
	c->attached = true;
	c->m->attached++;
	return true;
}

void attach_end(struct client *c)
{
	free(c->typed);
	c->typed = NULL;
	if (c->attached)
		c->m->attached--;
	c->attached = false;
}

/* Keeps what stdin does not take; nothing more is read of this one until it has. */
static bool keep_typed(struct client *c, const char *data, size_t len)
{
	c->typed = malloc(len);
	if (!c->typed)
		return false;
	memcpy(c->typed, data, len);
	c->typed_len = len;
	c->typed_at = 0;
	loop_change(&c->m->loop, &c->source, 0);
	streams_want_in(c->m, true);
	return true;
}

static bool type(struct client *c, const char *data, size_t len)
{
	ssize_t n = streams_write(c->m, data, len);

	/* A container without stdin: what is typed goes nowhere, and what it writes is still of
	 * interest. */
	if (n < 0 || (size_t)n == len)
		return true;
	return keep_typed(c, data + n, len - (size_t)n);
}

void attach_in_free(struct monitor *m)
{
	bool more = false;

	for_list (c, &m->clients, struct client, link) {
		ssize_t n;

		if (!c->typed)
			continue;
		n = streams_write(m, c->typed + c->typed_at, c->typed_len - c->typed_at);
		c->typed_at += n > 0 ? (size_t)n : 0;
		if (n >= 0 && c->typed_at < c->typed_len) {
			more = true;
			continue;
		}
		free(c->typed);
		c->typed = NULL;
		loop_change(&m->loop, &c->source, EPOLLIN);
	}
	if (more)
		streams_want_in(m, true);
}

static void resize(struct client *c, const char *text)
{
	uint64_t columns, rows;
	struct err ignored;

	if (number_scan(&text, &columns) && number_scan(&text, &rows) && columns <= UINT16_MAX &&
	    rows <= UINT16_MAX)
		streams_resize(c->m, (unsigned int)columns, (unsigned int)rows, &ignored);
}

bool attach_packet(struct client *c, char *data, size_t len)
{
	switch (data[0]) {
	case 0:
		return len == 1 || type(c, data + 1, len - 1);
	case 'e':
		/* A FIFO has no end: others may attach and type. */
		return !c->m->o->tty || type(c, (char[]){ END_OF_FILE }, 1);
	case 'r':
		resize(c, data + 1);
		return true;
	default:
		return false;
	}
}
