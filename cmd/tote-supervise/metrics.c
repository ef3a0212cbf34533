/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/metrics.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct metrics_client {
	struct list link;
	struct metrics *metrics;
	struct loop_source source;
	struct loop_timer timer;
	int fd;
	bool waits; /* for `tote metrics` */
	char request[METRICS_REQUEST];
	size_t len;
	struct buf answer;
	size_t sent;
};

static bool begins(const char *text, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(text, with, n) == 0;
}

int metrics_request(const char *text, size_t len)
{
	static const struct {
		const char *path;
		int page;
	} pages[] = { { "/metrics", METRICS_PAGE }, { "/health", METRICS_HEALTH } };
	const char *end = memmem(text, len, "\r\n\r\n", 4), *line = memchr(text, '\n', len);
	const char *path, *behind;

	if (!end && !memmem(text, len, "\n\n", 2))
		return -EAGAIN;
	path = memchr(text, ' ', (size_t)(line - text));
	behind = path ? memchr(path + 1, ' ', (size_t)(line - path - 1)) : NULL;
	if (!behind || !begins(behind + 1, (size_t)(line - behind - 1), "HTTP/1."))
		return -EPROTO;
	if (!begins(text, len, "GET "))
		return METRICS_BAD_METHOD;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		size_t n = strlen(pages[i].path);

		if (begins(path + 1, (size_t)(behind - path - 1), pages[i].path) &&
		    (path[1 + n] == ' ' || path[1 + n] == '?'))
			return pages[i].page;
	}
	return METRICS_NOT_FOUND;
}

static void set_listening(struct metrics *m, bool on)
{
	for (size_t i = 0; i < m->count; i++) {
		struct metrics_listener *l = &m->listeners[i];

		if (!on)
			loop_remove(&m->sup->loop, &l->source);
		else if (!l->source.ready)
			loop_add(&m->sup->loop, &l->source, l->fd, EPOLLIN, metrics_client_comes);
	}
}

static void drop(struct metrics_client *c)
{
	struct metrics *m = c->metrics;

	loop_remove(&m->sup->loop, &c->source);
	loop_timer_clear(&c->timer);
	list_remove(&c->link);
	close(c->fd);
	buf_done(&c->answer);
	free(c);
	m->client_count--;
	set_listening(m, true);
}

static void too_slow(struct loop_timer *timer)
{
	drop(container_of(timer, struct metrics_client, timer));
}

static void send_more(struct loop_source *source, uint32_t events)
{
	struct metrics_client *c = container_of(source, struct metrics_client, source);
	ssize_t n = send(c->fd, c->answer.data + c->sent, c->answer.len - c->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n < 0 || c->sent == c->answer.len)
		drop(c);
}

static void answer(struct metrics_client *c, const char *status, const struct buf *body)
{
	struct loop *loop = &c->metrics->sup->loop;

	buf_addf(&c->answer,
		 "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		 "Content-Length: %zu\r\nConnection: close\r\n\r\n",
		 status, body->len);
	buf_add(&c->answer, buf_str(body), body->len);
	loop_remove(loop, &c->source);
	if (loop_add(loop, &c->source, c->fd, EPOLLOUT, send_more) < 0)
		drop(c);
}

static void answer_words(struct metrics_client *c, const char *status)
{
	autobuf body = BUF_INIT;

	buf_addf(&body, "%s\n", status);
	answer(c, status, &body);
}

/* For all who wait: what we know, and what `tote metrics` said. */
static void collected(struct metrics *m)
{
	autobuf body = BUF_INIT;

	metrics_write(m->sup, &body);
	buf_add(&body, buf_str(&m->collected), m->collected.len);
	buf_done(&m->collected);
	m->collected = (struct buf)BUF_INIT;
	for_list (c, &m->clients, struct metrics_client, link) {
		if (!c->waits)
			continue;
		c->waits = false;
		answer(c, "200 OK", &body);
	}
}

static void answer_health(struct metrics_client *c)
{
	autobuf body = BUF_INIT;
	bool good = metrics_health(c->metrics->sup, &body);

	answer(c, good ? "200 OK" : "503 Service Unavailable", &body);
}

static void serve(struct metrics_client *c, int page)
{
	switch (page) {
	case METRICS_PAGE:
		/* Its own going away is noticed when the answer is sent. */
		loop_remove(&c->metrics->sup->loop, &c->source);
		c->waits = true;
		if (metrics_collect(c->metrics, collected) < 0)
			collected(c->metrics);
		break;
	case METRICS_HEALTH:
		answer_health(c);
		break;
	case METRICS_NOT_FOUND:
		answer_words(c, "404 Not Found");
		break;
	case METRICS_BAD_METHOD:
		answer_words(c, "405 Method Not Allowed");
		break;
	default:
		answer_words(c, "400 Bad Request");
	}
}

static void request_ready(struct loop_source *source, uint32_t events)
{
	struct metrics_client *c = container_of(source, struct metrics_client, source);
	ssize_t n = recv(c->fd, c->request + c->len, sizeof(c->request) - c->len, MSG_DONTWAIT);
	int page;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	page = metrics_request(c->request, c->len);
	if (page == -EAGAIN && c->len < sizeof(c->request))
		return;
	serve(c, page);
}

static void take_client(struct metrics *m, int client_fd)
{
	struct metrics_client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(client_fd);
		return;
	}
	c->metrics = m;
	c->fd = client_fd;
	list_add(&m->clients, &c->link);
	m->client_count++;
	loop_timer_set(&m->sup->loop, &c->timer, METRICS_PATIENCE_MS, too_slow);
	if (m->client_count >= METRICS_CLIENTS)
		set_listening(m, false);
	if (loop_add(&m->sup->loop, &c->source, c->fd, EPOLLIN, request_ready) < 0)
		drop(c);
}

static void accept_again(struct loop_timer *timer)
{
	struct metrics *m = container_of(timer, struct metrics, pause);

	if (m->client_count < METRICS_CLIENTS)
		set_listening(m, true);
}

void metrics_client_comes(struct loop_source *source, uint32_t events)
{
	struct metrics_listener *l = container_of(source, struct metrics_listener, source);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		take_client(l->metrics, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* Who waits stays ready, and would have us ask again at once. */
		set_listening(l->metrics, false);
		loop_timer_set(&l->metrics->sup->loop, &l->metrics->pause, METRICS_PAUSE_MS,
			       accept_again);
	}
}

int metrics_open(struct supervisor *sup, struct err *err)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(err, ENOMEM, "out of memory");
	m->sup = sup;
	m->pidfd = -1;
	list_init(&m->clients);
	sup->metrics = m;
	r = metrics_listen_unix(m, err);
	if (r == 0 && sup->metrics_listen)
		r = metrics_listen_tcp(m, sup->metrics_listen, err);
	if (r < 0)
		metrics_close(sup);
	return r;
}

void metrics_close(struct supervisor *sup)
{
	struct metrics *m = sup->metrics;
	struct list *link;

	if (!m)
		return;
	sup->metrics = NULL;
	metrics_collect_end(m);
	while ((link = list_pop(&m->clients)))
		drop(container_of(link, struct metrics_client, link));
	set_listening(m, false);
	loop_timer_clear(&m->pause);
	for (size_t i = 0; i < m->count; i++)
		close(m->listeners[i].fd);
	buf_done(&m->collected);
	free(m);
}
