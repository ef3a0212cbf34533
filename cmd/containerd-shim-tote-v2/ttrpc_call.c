/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/ttrpc_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* With two bytes to tell its length it fits into PIPE_BUF with much room; longer than any struct
 * err. */
#define MESSAGE_MAX 1023

static size_t unsent(const struct ttrpc_connection *c)
{
	return c->out.len - c->sent;
}

bool ttrpc_full(const struct ttrpc_connection *c)
{
	return unsent(c) > TTRPC_UNSENT_MAX;
}

/* No answer can be sent any more. Freeing it is left to the loop, as whoever answers may be on its
 * way through a list of calls of this connection. */
static void give_up(struct ttrpc_connection *c)
{
	c->dead = true;
	c->sent = c->out.len;
	/* The loop is told of the end. */
	shutdown(c->fd, SHUT_RDWR);
}

static void write_some(struct ttrpc_connection *c)
{
	while (unsent(c)) {
		ssize_t n = send(c->fd, c->out.data + c->sent, unsent(c), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			give_up(c);
		if (n < 0)
			return;
		c->sent += (size_t)n;
	}
}

void ttrpc_write(struct ttrpc_connection *c)
{
	uint32_t events;

	write_some(c);
	if (!unsent(c)) {
		buf_done(&c->out);
		c->sent = 0;
	}
	events = ttrpc_full(c) ? 0 : EPOLLIN;
	if (unsent(c) || c->held)
		events |= EPOLLOUT;
	loop_change(c->server->loop, &c->source, events);
}

/* Forgets what was written before more is added: a reader that is slow but never stops must not let
 * the buffer grow. */
static void drop_sent(struct ttrpc_connection *c)
{
	memmove(c->out.data, c->out.data + c->sent, unsent(c));
	c->out.len = unsent(c);
	c->sent = 0;
}

static void send_response(struct ttrpc_connection *c, uint32_t stream,
			  const Shim__Response *response)
{
	size_t len = shim__response__get_packed_size(response);
	struct ttrpc_frame frame = { .len = (uint32_t)len,
				     .stream = stream,
				     .type = TTRPC_RESPONSE };

	if (c->dead)
		return;
	if (c->sent)
		drop_sent(c);
	ttrpc_header_write(&frame, (uint8_t *)buf_reserve(&c->out, TTRPC_HEADER_SIZE + len));
	c->out.len += TTRPC_HEADER_SIZE;
	wire_pack(&response->base, &c->out);
	ttrpc_write(c);
}

static void refuse_args(struct ttrpc_connection *c, uint32_t stream, enum ttrpc_code code,
			const char *fmt, va_list ap)
{
	char text[MESSAGE_MAX + 1];
	Shim__Status status = SHIM__STATUS__INIT;
	Shim__Response response = SHIM__RESPONSE__INIT;

	vsnprintf(text, sizeof(text), fmt, ap);
	wire_clean(text, MESSAGE_MAX);
	status.code = (int32_t)code;
	status.message = text;
	response.status = &status;
	send_response(c, stream, &response);
}

void ttrpc_refuse(struct ttrpc_connection *c, uint32_t stream, enum ttrpc_code code,
		  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse_args(c, stream, code, fmt, ap);
	va_end(ap);
}

/* From here on an answer goes nowhere. */
static void detach(struct ttrpc_call *call)
{
	loop_timer_clear(&call->deadline);
	if (!call->connection)
		return;
	list_remove(&call->of_connection);
	call->connection->call_count--;
	call->connection = NULL;
}

static void call_free(struct ttrpc_call *call)
{
	detach(call);
	list_remove(&call->waiting);
	free(call);
}

/* The caller is not there any more. What only waits goes as well; what works ends by itself. */
static void abandon(struct ttrpc_call *call)
{
	if (call->waiting.next)
		call_free(call);
	else
		detach(call);
}

static void too_late(struct loop_timer *timer)
{
	struct ttrpc_call *call = container_of(timer, struct ttrpc_call, deadline);

	ttrpc_refuse(call->connection, call->stream, TTRPC_DEADLINE_EXCEEDED,
		     "context deadline exceeded");
	abandon(call);
}

struct ttrpc_call *ttrpc_call_new(struct ttrpc_connection *c, uint32_t stream, int64_t timeout_ns)
{
	struct ttrpc_call *call;

	call = c->call_count < TTRPC_CALLS_MAX ? calloc(1, sizeof(*call)) : NULL;
	if (!call)
		return NULL;
	call->connection = c;
	call->stream = stream;
	list_add(&c->calls, &call->of_connection);
	c->call_count++;
	if (timeout_ns > 0)
		loop_timer_set(c->server->loop, &call->deadline, timeout_ns / 1000000 + 1,
			       too_late);
	return call;
}

void ttrpc_calls_drop(struct ttrpc_connection *c)
{
	while (!list_empty(&c->calls))
		abandon(container_of(c->calls.next, struct ttrpc_call, of_connection));
}

void ttrpc_reply(struct ttrpc_call *call, const void *payload, size_t len)
{
	Shim__Response response = SHIM__RESPONSE__INIT;

	response.payload.data = (uint8_t *)payload;
	response.payload.len = len;
	if (call->connection && shim__response__get_packed_size(&response) > TTRPC_DATA_MAX)
		ttrpc_refuse(call->connection, call->stream, TTRPC_RESOURCE_EXHAUSTED,
			     "answer of %zu bytes exceeds the limit of %u", len, TTRPC_DATA_MAX);
	else if (call->connection)
		send_response(call->connection, call->stream, &response);
	call_free(call);
}

void ttrpc_fail(struct ttrpc_call *call, enum ttrpc_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (call->connection)
		refuse_args(call->connection, call->stream, code, fmt, ap);
	va_end(ap);
	call_free(call);
}
