/* SPDX-License-Identifier: Apache-2.0 */
/* The socket of an instance: see the packets in oci/supervise/instance.h. */
#include "cmd/tote-monitor/control.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/number.h"
#include "lib/signals.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CLIENTS_MAX 32
#define WORDS_MAX 4

int monitor_signal(const char *text)
{
	int sig = signal_parse(text);

	return sig > 0 ? sig : -EINVAL;
}

static int get_signal(const char *text, struct monitor_ask *ask, struct err *err)
{
	ask->signal = monitor_signal(text);
	return ask->signal < 0 ? err_set(err, EINVAL, "\"%s\" is no signal", text) : 0;
}

static int get_number(const char *text, uint64_t max, uint64_t *ret, struct err *err)
{
	const char *at = text;

	if (!number_scan(&at, ret) || *at || *ret > max)
		return err_set(err, EINVAL, "\"%s\" is no number up to %llu", text,
			       (unsigned long long)max);
	return 0;
}

static int do_event(struct monitor *m, enum monitor_event event, const struct monitor_ask *ask,
		    struct err *err)
{
	return monitor_event(m, event, ask, err);
}

static int do_start(struct client *c, char **words, struct err *err)
{
	(void)words;
	return do_event(c->m, ME_START, NULL, err);
}

static int do_stop(struct client *c, char **words, struct err *err)
{
	struct monitor_ask ask;
	uint64_t grace;
	int r = get_signal(words[0], &ask, err);

	if (r == 0)
		r = get_number(words[1], INT32_MAX, &grace, err);
	if (r < 0)
		return r;
	ask.grace_ms = (int64_t)grace;
	return do_event(c->m, ME_STOP, &ask, err);
}

static int do_kill(struct client *c, char **words, struct err *err)
{
	struct monitor_ask ask = { 0 };
	int r = get_signal(words[0], &ask, err);

	return r < 0 ? r : do_event(c->m, ME_KILL, &ask, err);
}

static int do_resize(struct client *c, char **words, struct err *err)
{
	uint64_t columns = 0, rows = 0;
	int r = get_number(words[0], UINT16_MAX, &columns, err);

	if (r == 0)
		r = get_number(words[1], UINT16_MAX, &rows, err);
	return r < 0 ? r : streams_resize(c->m, (unsigned int)columns, (unsigned int)rows, err);
}

static int do_freeze(struct client *c, char **words, struct err *err)
{
	(void)words;
	return do_event(c->m, ME_FREEZE, NULL, err);
}

static int do_thaw(struct client *c, char **words, struct err *err)
{
	(void)words;
	return do_event(c->m, ME_THAW, NULL, err);
}

static int do_reopen(struct client *c, char **words, struct err *err)
{
	(void)words;
	(void)err;
	logs_reopen(&c->m->logs);
	return 0;
}

static int do_attach(struct client *c, char **words, struct err *err)
{
	(void)words;
	(void)err;
	attach_begin(c);
	return 0;
}

static const struct request {
	const char *name;
	size_t min, max; /* further words */
	int (*run)(struct client *c, char **words, struct err *err);
} requests[] = {
	{ "start", 0, 0, do_start },   { "stop", 2, 2, do_stop },     { "kill", 1, 1, do_kill },
	{ "resize", 2, 2, do_resize }, { "freeze", 0, 0, do_freeze }, { "thaw", 0, 0, do_thaw },
	{ "reopen", 0, 0, do_reopen }, { "attach", 0, 0, do_attach },
};

static int run_request(struct client *c, char *text, struct err *err)
{
	char *words[WORDS_MAX + 1] = { NULL }, *save = NULL;
	size_t count = 0;

	for (char *word = strtok_r(text, " ", &save); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " ", &save))
		words[count++] = word;
	for (size_t i = 0; count && i < ARRAY_SIZE(requests); i++) {
		const struct request *q = &requests[i];

		if (strcmp(words[0], q->name) != 0)
			continue;
		if (count - 1 < q->min || count - 1 > q->max)
			return err_set(err, EINVAL, "%s: wrong number of words", q->name);
		return q->run(c, words + 1, err);
	}
	return err_set(err, EINVAL, "unknown request");
}

static bool answer_request(struct client *c, char *text)
{
	char answer[sizeof(((struct err *)0)->msg) + 8] = "ok";
	struct err err;

	if (run_request(c, text, &err) < 0)
		snprintf(answer, sizeof(answer), "error %s", err.msg);
	return send(c->source.fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void client_close(struct client *c)
{
	int fd = c->source.fd;

	attach_end(c);
	loop_remove(&c->m->loop, &c->source);
	close(fd);
	list_remove(&c->link);
	c->m->client_count--;
	free(c);
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct client *c = container_of(source, struct client, source);
	char packet[PACKET_MAX + 1];
	ssize_t n;

	/* With what it typed still waiting nothing is read, but its end is seen. */
	if (!(events & EPOLLIN)) {
		client_close(c);
		return;
	}
	n = recv(source->fd, packet, PACKET_MAX, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	packet[n] = '\0';
	if (!(c->attached ? attach_packet(c, packet, (size_t)n) : answer_request(c, packet)))
		client_close(c);
}

/* The directory is private; still, who is not root or our user has no business here. */
static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void control_ready(struct loop_source *source, uint32_t events)
{
	struct monitor *m = container_of(source, struct monitor, control);
	autofd fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c;

	(void)events;
	if (fd < 0 || !may_ask(fd) || m->client_count >= CLIENTS_MAX)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->m = m;
	if (loop_add(&m->loop, &c->source, fd, EPOLLIN, client_ready) < 0) {
		free(c);
		return;
	}
	list_add(&m->clients, &c->link);
	m->client_count++;
	take_fd(&fd);
}

int control_listen_at(const struct monitor *m, int type, const char *name, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int r;

	if (fd < 0)
		return err_errno(err, "make a socket");
	/* Of a monitor that was killed: the claim is ours. */
	unlinkat(m->dir_fd, name, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", m->dir_fd, name);
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0;
	umask(old);
	return r ? err_errno(err, "listen at %s", name) : take_fd(&fd);
}

int control_socket_open(struct monitor *m, struct err *err)
{
	autofd fd = control_listen_at(m, SOCK_SEQPACKET, INSTANCE_CONTROL, err);
	int r;

	if (fd < 0)
		return fd;
	list_init(&m->clients);
	r = loop_add(&m->loop, &m->control, fd, EPOLLIN, control_ready);
	if (r < 0)
		return err_code(err, r, "listen at %s", INSTANCE_CONTROL);
	take_fd(&fd);
	return 0;
}

void control_socket_close(struct monitor *m)
{
	if (!m->control.ready)
		return;
	unlinkat(m->dir_fd, INSTANCE_CONTROL, 0);
	while (!list_empty(&m->clients))
		client_close(container_of(m->clients.next, struct client, link));
	loop_remove(&m->loop, &m->control);
}
