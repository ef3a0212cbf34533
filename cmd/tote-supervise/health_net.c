/* SPDX-License-Identifier: Apache-2.0 */
/* Probes without a process: a connection made inside the container's network namespace, and over it a
 * request. */
#include "cmd/tote-supervise/health.h"

#include "lib/cleanup.h"
#include "netns/dial.h"
#include "netns/dial_http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READS 16

/* What else there is at once: a server whose answer nobody takes would complain of it. */
static void drain(int fd)
{
	char rest[4096];

	for (int n = 0; n < READS; n++)
		if (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
			return;
}

static void judge_answer(struct health *h, bool ended)
{
	int code = dial_http_status(h->line, h->len);

	if (code == -EAGAIN && !ended)
		return;
	if (code < 0) {
		health_done(h, false,
			    h->len ? "the answer is not HTTP" : "it closed the connection");
		return;
	}
	drain(h->fd);
	health_done(h, code >= 200 && code <= 399, "HTTP status %d", code);
}

static void answer_ready(struct loop_source *source, uint32_t events)
{
	struct health *h = container_of(source, struct health, source);
	ssize_t n = recv(h->fd, h->line + h->len, sizeof(h->line) - h->len, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		health_done(h, false, "no answer: %s", err_text(errno));
		return;
	}
	h->len += (size_t)n;
	judge_answer(h, n == 0 || h->len == sizeof(h->line));
}

static void ask(struct health *h)
{
	int r = dial_http_ask(h->fd, h->check->host, h->check->port, h->check->path);

	if (r < 0) {
		health_done(h, false, "cannot ask: %s", err_text(r));
		return;
	}
	loop_remove(&h->sup->loop, &h->source);
	if (loop_add(&h->sup->loop, &h->source, h->fd, EPOLLIN, answer_ready) < 0)
		health_done(h, false, "cannot wait for the answer");
}

static void connected(struct loop_source *source, uint32_t events)
{
	struct health *h = container_of(source, struct health, source);
	int r = dial_result(h->fd);

	(void)events;
	if (r < 0)
		health_done(h, false, "port %u: %s", h->check->port, err_text(r));
	else if (h->check->kind == HEALTH_HTTP)
		ask(h);
	else
		health_done(h, true, NULL);
}

/* By the identity of its first process: what has its number now may be something else. */
static int dial(struct health *h, const struct ip *ip, struct err *err)
{
	const struct proc_id *init = &h->instance->status.init;
	autofd netns = dial_namespace(init->pid, err);

	if (netns < 0)
		return netns;
	if (!proc_alive(init))
		return err_set(err, ESRCH, "the container has ended");
	return dial_begin(netns, ip, h->check->port, err);
}

void health_net_begin(struct health *h)
{
	struct ip ip;
	struct err err;
	int fd;

	if (dial_parse(h->check->host, &ip) < 0) {
		health_done(h, false, "\"%s\" is not an IP address", h->check->host);
		return;
	}
	fd = dial(h, &ip, &err);
	if (fd == -EPERM || fd == -EACCES) {
		health_done(h, false,
			    "this user may not enter the container's network: only a check that "
			    "runs a command works here");
		return;
	}
	if (fd < 0) {
		health_done(h, false, "%s", err.msg);
		return;
	}
	h->fd = fd;
	if (loop_add(&h->sup->loop, &h->source, fd, EPOLLOUT, connected) < 0)
		health_done(h, false, "cannot wait for the connection");
}
