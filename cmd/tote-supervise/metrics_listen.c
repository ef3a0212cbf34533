/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/metrics.h"

#include "lib/cleanup.h"
#include "netns/dial.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

static int add_listener(struct metrics *m, int listen_fd)
{
	struct metrics_listener *l = &m->listeners[m->count];
	autofd fd = listen_fd;
	int r;

	l->metrics = m;
	r = loop_add(&m->sup->loop, &l->source, fd, EPOLLIN, metrics_client_comes);
	if (r < 0)
		return r;
	l->fd = take_fd(&fd);
	m->count++;
	return 0;
}

/* Who holds RUN/lock may put it in the place of one that nobody serves. */
int metrics_listen_unix(struct metrics *m, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int r;

	if (fd < 0)
		return err_errno(err, "cannot make a socket");
	/* RUN may be too long a path for an address. */
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/" METRICS_SOCKET, m->sup->run);
	unlinkat(m->sup->run, METRICS_SOCKET, 0);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&at, sizeof(at));
	umask(mask);
	if (r < 0 || listen(fd, METRICS_CLIENTS) < 0)
		return err_errno(err, "cannot listen on %s/" METRICS_SOCKET, m->sup->paths.run);
	r = add_listener(m, take_fd(&fd));
	return r < 0 ? err_code(err, r, "cannot wait for who asks for metrics") : 0;
}

int metrics_listen_tcp(struct metrics *m, const char *text, struct err *err)
{
	static const int on = 1;
	struct sockaddr_storage at;
	struct ip ip;
	uint16_t port;
	socklen_t size;
	autofd fd = -1;
	int r;

	if (dial_parse_listen(text, &ip, &port) < 0)
		return err_set(err, EINVAL,
			       "--metrics: expected PORT, IP:PORT or [IPV6]:PORT, found \"%s\"",
			       text);
	/* What is known here is not for everybody who reaches this host, unless somebody says so. */
	if (!ip.family)
		dial_parse(NULL, &ip);
	size = dial_address(&ip, port, &at);
	fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, METRICS_CLIENTS) < 0)
		return err_errno(err, "--metrics: cannot listen on %s", text);
	r = add_listener(m, take_fd(&fd));
	return r < 0 ? err_code(err, r, "cannot wait for who asks for metrics") : 0;
}
