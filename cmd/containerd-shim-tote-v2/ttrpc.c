/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/ttrpc.h"

#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/ttrpc_private.h"
#include "lib/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 4096
/* Until the next try to accept when there are no descriptors, or no memory. */
#define ACCEPT_PAUSE_MS 100

static uint32_t read_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void write_u32(uint8_t *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> (24 - 8 * i));
}

void ttrpc_header_read(const uint8_t bytes[TTRPC_HEADER_SIZE], struct ttrpc_frame *ret)
{
	ret->len = read_u32(bytes);
	ret->stream = read_u32(bytes + 4);
	ret->type = bytes[8];
	ret->flags = bytes[9];
}

void ttrpc_header_write(const struct ttrpc_frame *frame, uint8_t ret_bytes[TTRPC_HEADER_SIZE])
{
	write_u32(ret_bytes, frame->len);
	write_u32(ret_bytes + 4, frame->stream);
	ret_bytes[8] = frame->type;
	ret_bytes[9] = frame->flags;
}

static void connection_close(struct ttrpc_connection *c)
{
	struct ttrpc_server *server = c->server;

	c->dead = true;
	if (c->busy)
		return;
	ttrpc_calls_drop(c);
	list_remove(&c->link);
	server->connection_count--;
	loop_remove(server->loop, &c->source);
	close(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
	if (server->changed)
		server->changed(server);
}

static void handle(struct ttrpc_connection *c, uint32_t stream, const uint8_t *data, size_t len)
{
	Shim__Request *request = wire_unpack(&shim__request__descriptor, data, len);
	struct ttrpc_call *call;

	if (!request) {
		ttrpc_refuse(c, stream, TTRPC_INVALID_ARGUMENT,
			     "unmarshal request error: not a request");
		return;
	}
	call = ttrpc_call_new(c, stream, request->timeout_nano);
	if (!call) {
		ttrpc_refuse(c, stream, TTRPC_RESOURCE_EXHAUSTED, "too many calls at a time");
		return;
	}
	c->busy = true;
	c->server->handle(c->server, call, request->service, request->method, request->payload.data,
			  request->payload.len);
	c->busy = false;
}

/* Streams are the client's: odd, each used once, in order. Frames of other types than those we know
 * may come from newer clients. */
static void take_frame(struct ttrpc_connection *c, const struct ttrpc_frame *frame,
		       const uint8_t *data)
{
	if (frame->type != TTRPC_REQUEST && frame->type != TTRPC_DATA)
		return;
	if (frame->stream % 2 == 0) {
		ttrpc_refuse(c, frame->stream, TTRPC_INVALID_ARGUMENT,
			     "StreamID must be odd for client initiated streams");
	} else if (frame->type == TTRPC_DATA) {
		ttrpc_refuse(c, frame->stream, TTRPC_INVALID_ARGUMENT,
			     "StreamID is of no stream that takes data");
	} else if (frame->stream <= c->last_stream) {
		ttrpc_refuse(c, frame->stream, TTRPC_INVALID_ARGUMENT,
			     "StreamID cannot be re-used and must increment");
	} else {
		c->last_stream = frame->stream;
		handle(c, frame->stream, data, frame->len);
		wire_reset();
	}
}

/* What is left is kept in as little memory as it needs, as the rest may be long in coming. */
static void drop_taken(struct ttrpc_connection *c, size_t taken)
{
	struct buf rest = BUF_INIT;

	if (!taken)
		return;
	buf_add(&rest, c->in.data + taken, c->in.len - taken);
	buf_done(&c->in);
	c->in = rest;
}

static size_t skip(struct ttrpc_connection *c, size_t at)
{
	size_t have = c->in.len - at, n = c->skip < have ? c->skip : have;

	c->skip -= (uint32_t)n;
	return at + n;
}

static void take_frames(struct ttrpc_connection *c)
{
	size_t at = skip(c, 0);

	while (!c->dead && !ttrpc_full(c) && c->in.len - at >= TTRPC_HEADER_SIZE) {
		const uint8_t *data = (const uint8_t *)c->in.data + at;
		struct ttrpc_frame frame;

		ttrpc_header_read(data, &frame);
		if (frame.len > TTRPC_DATA_MAX) {
			ttrpc_refuse(c, frame.stream, TTRPC_RESOURCE_EXHAUSTED,
				     "message length %u exceed maximum message size of %u",
				     frame.len, TTRPC_DATA_MAX);
			c->skip = frame.len;
			at = skip(c, at + TTRPC_HEADER_SIZE);
			continue;
		}
		if (c->in.len - at - TTRPC_HEADER_SIZE < frame.len)
			break;
		take_frame(c, &frame, data + TTRPC_HEADER_SIZE);
		at += TTRPC_HEADER_SIZE + frame.len;
	}
	c->held = ttrpc_full(c) && at < c->in.len;
	drop_taken(c, at);
}

/* For the rest of a large frame as much again as has come, so that nobody gets memory by just
 * announcing one. */
static size_t room(const struct ttrpc_connection *c)
{
	size_t more = c->in.len > CHUNK ? c->in.len : CHUNK;
	struct ttrpc_frame frame;
	size_t missing;

	if (c->in.len < TTRPC_HEADER_SIZE)
		return CHUNK - c->in.len;
	ttrpc_header_read((const uint8_t *)c->in.data, &frame);
	missing = TTRPC_HEADER_SIZE + (size_t)frame.len - c->in.len;
	return missing < more ? missing : more;
}

static void read_some(struct ttrpc_connection *c)
{
	size_t size = room(c);
	char *at = buf_reserve(&c->in, size);
	ssize_t n = recv(c->fd, at, size, 0);

	if (n > 0) {
		c->in.len += (size_t)n;
		take_frames(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		c->dead = true;
	}
	if (!c->in.len)
		buf_done(&c->in);
}

static void connection_ready(struct loop_source *source, uint32_t events)
{
	struct ttrpc_connection *c = container_of(source, struct ttrpc_connection, source);

	if (events & EPOLLOUT) {
		ttrpc_write(c);
		take_frames(c);
	}
	/* Requests of who hung up are done before; the end is read behind them. */
	if (!c->dead && !ttrpc_full(c) && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_some(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		c->dead = true;
	if (c->dead)
		connection_close(c);
}

int ttrpc_connection_add(struct ttrpc_server *server, int fd)
{
	struct ttrpc_connection *c = NULL;
	int r = -EMFILE;

	if (server->connection_count < TTRPC_CONNECTIONS_MAX)
		c = calloc(1, sizeof(*c));
	if (c)
		r = loop_add(server->loop, &c->source, fd, EPOLLIN, connection_ready);
	if (r < 0) {
		free(c);
		close(fd);
		return r;
	}
	c->fd = fd;
	c->server = server;
	list_init(&c->calls);
	list_add(&server->connections, &c->link);
	server->connection_count++;
	return 0;
}

/* Whoever reaches the socket's file can do as we can: only who is the same as we. */
static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == geteuid() && peer.gid == getegid())
		return true;
	shim_log("warning", "connection of user %u, group %u refused", peer.uid, peer.gid);
	return false;
}

static void accept_again(struct loop_timer *timer)
{
	struct ttrpc_server *server = container_of(timer, struct ttrpc_server, pause);

	loop_change(server->loop, &server->listener, EPOLLIN);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct ttrpc_server *server = container_of(source, struct ttrpc_server, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0 && !is_ours(fd)) {
		close(fd);
	} else if (fd >= 0) {
		if (ttrpc_connection_add(server, fd) < 0)
			shim_log("warning", "connection refused: there are %u",
				 server->connection_count);
		else if (server->changed)
			server->changed(server);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* It stays readable: without a pause we would do nothing else. */
		loop_change(server->loop, source, 0);
		loop_timer_set(server->loop, &server->pause, ACCEPT_PAUSE_MS, accept_again);
	}
}

int ttrpc_server_init(struct ttrpc_server *server, struct loop *loop, int listener)
{
	int flags = fcntl(listener, F_GETFL);

	server->loop = loop;
	server->connection_count = 0;
	server->pause = (struct loop_timer){ 0 };
	list_init(&server->connections);
	if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return loop_add(loop, &server->listener, listener, EPOLLIN, listener_ready);
}

void ttrpc_server_done(struct ttrpc_server *server)
{
	loop_remove(server->loop, &server->listener);
	loop_timer_clear(&server->pause);
	for_list (c, &server->connections, struct ttrpc_connection, link)
		connection_close(c);
}

static void flush_one(struct ttrpc_connection *c, const struct deadline *until)
{
	struct pollfd wait = { .fd = c->fd, .events = POLLOUT };

	ttrpc_write(c);
	while (c->out.len && !c->dead) {
		int left = deadline_left(until, -1);

		if (!left || (poll(&wait, 1, left) < 0 && errno != EINTR))
			return;
		ttrpc_write(c);
	}
}

void ttrpc_flush(struct ttrpc_server *server, int timeout_ms)
{
	struct deadline until = deadline_in(timeout_ms);

	for_list (c, &server->connections, struct ttrpc_connection, link)
		flush_one(c, &until);
}
