/* SPDX-License-Identifier: Apache-2.0 */
/* `tote probe`: whether somebody answers inside a container, asked without a process in there: a health check
 * for images that have neither a shell nor a client. */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "netns/dial.h"
#include "netns/dial_http.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define TIMEOUT_SECONDS 10
#define TIMEOUT_SECONDS_MAX 3600

struct probe_options {
	unsigned int timeout;
};

static const struct option items[] = {
	{ "timeout", 0, OPT_UINT, offsetof(struct probe_options, timeout), "SECONDS",
	  "for all of it (default 10)" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

struct probe {
	bool http;
	struct ip ip;
	uint16_t port;
	char *host; /* for the Host line; NULL: not said */
	char *path;
	struct deadline end;
	struct err *err;
};

/* "[HOST:]PORT[/PATH]" */
static int parse(struct probe *p, const char *kind, const char *text, struct arena *a)
{
	size_t len = strcspn(text, "/");
	char *listen = arena_strndup(a, text, len), *colon;

	p->http = strcmp(kind, "http") == 0;
	if (!p->http && strcmp(kind, "tcp") != 0)
		return err_set(p->err, EINVAL, "probe: expected tcp or http, found \"%s\"", kind);
	if (dial_parse_listen(listen, &p->ip, &p->port) < 0 || (text[len] && !p->http))
		return err_set(p->err, EINVAL, "probe: expected [ADDRESS:]PORT%s, found \"%s\"",
			       p->http ? "[/PATH]" : "", text);
	for (const char *c = text + len; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return err_set(p->err, EINVAL,
				       "probe: blanks and control characters in the path");
	p->path = arena_strdup(a, text + len);
	if (!p->ip.family)
		return dial_parse(NULL, &p->ip);
	colon = strrchr(listen, ':');
	*colon = '\0';
	p->host = listen;
	return 0;
}

static int wait_for(const struct probe *p, int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int r;

	do {
		r = poll(&poll_fd, 1, deadline_left(&p->end, -1));
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_set(p->err, ETIMEDOUT, "port %u: no answer in time", p->port);
	return r < 0 ? err_errno(p->err, "poll") : 0;
}

/* Its first process tells which namespaces a container has; its number may be another's by now. */
static int dial(const struct probe *p, const struct container *c)
{
	const struct proc_id *init = &c->st.init;
	autofd netns = -1;

	if (container_status(c) != STATUS_RUNNING)
		return err_set(p->err, ESRCH, "container %s is not running", c->st.id);
	netns = dial_namespace(init->pid, p->err);
	if (netns < 0)
		return netns;
	if (!proc_alive(init))
		return err_set(p->err, ESRCH, "container %s is not running", c->st.id);
	return dial_begin(netns, &p->ip, p->port, p->err);
}

static int judge(const struct probe *p, int status, bool ended)
{
	if (status == -EAGAIN && !ended)
		return 1;
	if (status == -EAGAIN)
		return err_set(p->err, EPROTO, "port %u: it closed the connection", p->port);
	if (status < 0)
		return err_set(p->err, EPROTO, "port %u: the answer is not HTTP", p->port);
	if (status < 200 || status > 399)
		return err_set(p->err, EPROTO, "port %u: HTTP status %d", p->port, status);
	return 0;
}

static int ask(const struct probe *p, int fd)
{
	char text[DIAL_HTTP_STATUS];
	size_t len = 0;
	int r = dial_http_ask(fd, p->host, p->port, p->path);

	if (r < 0)
		return err_code(p->err, r, "port %u: ask", p->port);
	for (r = 1; r > 0;) {
		ssize_t n;

		if (wait_for(p, fd, POLLIN) < 0)
			return p->err->code;
		n = recv(fd, text + len, sizeof(text) - len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return err_errno(p->err, "port %u: no answer", p->port);
		len += (size_t)n;
		r = judge(p, dial_http_status(text, len), n == 0 || len == sizeof(text));
	}
	return r;
}

static int probe(const struct probe *p, const struct container *c)
{
	autofd fd = dial(p, c);
	int r;

	if (fd < 0)
		return fd;
	if (wait_for(p, fd, POLLOUT) < 0)
		return p->err->code;
	r = dial_result(fd);
	if (r < 0)
		return err_code(p->err, r, "port %u", p->port);
	return p->http ? ask(p, fd) : 0;
}

/* Without the lock, as `tote state`. */
static int run(char **args, size_t count, void *opts)
{
	const struct probe_options *o = opts;
	unsigned int seconds = o->timeout ? o->timeout : TIMEOUT_SECONDS;
	autocontainer c = CONTAINER_INIT;
	autoarena a = ARENA_INIT;
	autofd root = -1;
	struct err err;
	struct probe p = { .err = &err };
	int r = parse(&p, args[1], args[2], &a);

	(void)count;
	if (r == 0 && seconds > TIMEOUT_SECONDS_MAX)
		r = err_set(&err, EINVAL, "--timeout: more than an hour");
	if (r == 0)
		r = open_container(args[0], false, &c, &root, &err);
	p.end = deadline_in((int)seconds * 1000);
	if (r == 0)
		r = probe(&p, &c);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_probe = { "probe",
				 "ID tcp|http [ADDRESS:]PORT[/PATH]",
				 "tell whether somebody answers inside a container",
				 &table,
				 3,
				 3,
				 run,
				 sizeof(struct probe_options),
				 0 };
