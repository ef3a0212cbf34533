/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/server.h"

#include "lib/cleanup.h"
#include "oci/supervise/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

#define CHUNK 65536
/* Until the next try to accept when there are no descriptors. */
#define ACCEPT_PAUSE_MS 100
/* An answer that nobody fetches ends the connection. */
#define UNREAD_MS 30000

struct server {
	struct supervisor *sup;
	struct loop_source source;
	struct loop_timer pause;
	struct list clients;
	int count;
};

static void client_close(struct client *c)
{
	struct server *server = c->sup->server;
	int fd = c->source.fd;

	list_remove(&c->link);
	loop_timer_clear(&c->timer);
	loop_timer_clear(&c->unread);
	loop_remove(&c->sup->loop, &c->source);
	close(fd);
	server->count--;
	buf_done(&c->in);
	buf_done(&c->out);
	for (size_t n = 0; n < c->services.count; n++)
		free(c->services.items[n]);
	free(c->services.items);
	free(c->project);
	free(c);
}

static void client_ready(struct loop_source *source, uint32_t events);

static void unread(struct loop_timer *timer)
{
	client_close(container_of(timer, struct client, unread));
}

/* False: it is gone. */
static bool client_flush(struct client *c)
{
	uint32_t in = c->closing ? 0 : EPOLLIN;
	size_t sent = c->sent;

	while (c->sent < c->out.len) {
		ssize_t n = send(c->source.fd, c->out.data + c->sent, c->out.len - c->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	if (c->sent == c->out.len) {
		buf_done(&c->out);
		c->sent = 0;
		loop_timer_clear(&c->unread);
		loop_change(&c->sup->loop, &c->source, in);
		return !c->closing;
	}
	if (sent != c->sent || !c->unread.link.next)
		loop_timer_set(&c->sup->loop, &c->unread, UNREAD_MS, unread);
	loop_change(&c->sup->loop, &c->source, in | EPOLLOUT);
	return c->out.len - c->sent <= SERVER_BACKLOG;
}

void client_line(struct client *c, const char *line)
{
	if (c->closing || c->gone)
		return;
	buf_adds(&c->out, line);
	buf_adds(&c->out, "\n");
	/* Sent from the loop only: who calls us may be walking about the clients. */
	if (c->out.len - c->sent > SERVER_BACKLOG)
		c->gone = true;
	loop_change(&c->sup->loop, &c->source, EPOLLIN | EPOLLOUT);
}

static void settle_await(struct client *c)
{
	c->await = AWAIT_NOTHING;
	loop_timer_clear(&c->timer);
}

void client_done(struct client *c)
{
	settle_await(c);
	client_line(c, "{\"done\":true}");
}

void client_fail(struct client *c, const char *fmt, ...)
{
	autobuf out = BUF_INIT;
	struct json_writer w;
	char words[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	settle_await(c);
	json_writer_init(&w, &out, false);
	json_begin_object(&w);
	json_pair_string(&w, "error", words);
	json_end_object(&w);
	json_writer_done(&w);
	client_line(c, out.data);
}

/* All whole lines; what is left stays. */
static void client_lines(struct client *c)
{
	size_t at = 0;
	char *end;

	while (!c->closing && at < c->in.len &&
	       (end = memchr(c->in.data + at, '\n', c->in.len - at))) {
		size_t len = (size_t)(end - (c->in.data + at));

		*end = 0;
		if (c->await != AWAIT_NOTHING)
			client_fail(c, "the request before this one is not answered yet");
		else if (len)
			request(c, c->in.data + at, len);
		at += len + 1;
	}
	memmove(c->in.data, c->in.data + at, c->in.len - at);
	c->in.len -= at;
	if (!c->in.len)
		buf_done(&c->in);
	if (c->in.len <= CONTROL_MAX_LINE)
		return;
	client_fail(c, "the request is too long");
	c->closing = true;
}

/* False: it is gone. */
static bool client_read(struct client *c)
{
	char *room = buf_reserve(&c->in, CHUNK);
	ssize_t n = recv(c->source.fd, room, CHUNK, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	c->in.len += (size_t)n;
	client_lines(c);
	return true;
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct client *c = container_of(source, struct client, source);
	bool ok = !c->gone;

	if (ok && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		ok = c->closing ? !(events & (EPOLLHUP | EPOLLERR)) : client_read(c);
	if (ok && !c->gone)
		ok = client_flush(c);
	if (!ok || c->gone)
		client_close(c);
}

static struct client *client_new(struct server *server, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c || loop_add(&server->sup->loop, &c->source, fd, EPOLLIN, client_ready) < 0) {
		free(c);
		close(fd);
		return NULL;
	}
	c->sup = server->sup;
	list_add(&server->clients, &c->link);
	server->count++;
	return c;
}

static void accept_again(struct loop_timer *timer)
{
	struct server *server = container_of(timer, struct server, pause);

	loop_change(&server->sup->loop, &server->source, EPOLLIN);
}

static void accept_ready(struct loop_source *source, uint32_t events)
{
	struct server *server = container_of(source, struct server, source);
	struct client *c;
	int fd = control_accept(source->fd);

	(void)events;
	if (fd == -EPERM)
		say(LOG_WARNING, "a request of another user was refused");
	if (fd < 0) {
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) {
			loop_change(&server->sup->loop, source, 0);
			loop_timer_set(&server->sup->loop, &server->pause, ACCEPT_PAUSE_MS,
				       accept_again);
		}
		return;
	}
	c = client_new(server, fd);
	if (!c || server->count <= SERVER_CLIENTS)
		return;
	client_fail(c, "too many connections");
	c->closing = true;
}

int server_open(struct supervisor *sup, int listen_fd, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return err_code(err, ENOMEM, "control socket");
	server->sup = sup;
	list_init(&server->clients);
	fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
	r = loop_add(&sup->loop, &server->source, listen_fd, EPOLLIN, accept_ready);
	if (r < 0) {
		free(server);
		return err_code(err, r, "control socket");
	}
	sup->server = server;
	return 0;
}

void server_close(struct supervisor *sup)
{
	struct server *server = sup->server;
	struct list *link;

	if (!server)
		return;
	/* The last answers: "gone", before we are. */
	while ((link = server->clients.next) != &server->clients) {
		struct client *c = container_of(link, struct client, link);

		client_flush(c);
		client_close(c);
	}
	loop_timer_clear(&server->pause);
	loop_remove(&sup->loop, &server->source);
	free(server);
	sup->server = NULL;
}

void server_event(struct supervisor *sup, const struct project *p, const char *line)
{
	if (!sup->server)
		return;
	for_list (c, &sup->server->clients, struct client, link)
		if (c->follow || (c->await != AWAIT_NOTHING && p && c->project &&
				  strcmp(c->project, p->name) == 0))
			client_line(c, line);
}

void server_settled(struct supervisor *sup)
{
	if (!sup->server)
		return;
	for_list (c, &sup->server->clients, struct client, link)
		if (c->await != AWAIT_NOTHING)
			request_check(c);
}
