/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/activate_private.h"

#include "lib/cleanup.h"
#include "netns/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int listen_parse(const char *text, struct listen_address *ret, struct err *err)
{
	if (dial_parse_listen(text, &ret->ip, &ret->port) < 0)
		return err_set(err, EINVAL,
			       "--listen: expected PORT, IP:PORT or [IPV6]:PORT, found \"%s\"",
			       text);
	return 0;
}

/* Any address: one socket of IPv6 takes those of IPv4 as well. */
static int open_socket(const struct listen_address *at, const struct ip *ip, bool nonblock)
{
	static const int on = 1;
	int only_v6 = at->ip.family == AF_INET6;
	struct sockaddr_storage to;
	socklen_t size = dial_address(ip, at->port, &to);
	autofd fd = socket(to.ss_family,
			   SOCK_STREAM | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (to.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6)) < 0) ||
	    bind(fd, (struct sockaddr *)&to, size) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return take_fd(&fd);
}

int listen_open(const struct listen_address *at, const char *text, bool nonblock, struct err *err)
{
	static const struct ip any = { AF_INET6, { 0 } }, any4 = { AF_INET, { 0 } };
	int fd = open_socket(at, at->ip.family ? &at->ip : &any, nonblock);

	/* A host without IPv6. */
	if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && !at->ip.family)
		fd = open_socket(at, &any4, nonblock);
	return fd < 0 ? err_code(err, fd, "cannot listen on %s", text) : fd;
}

static bool is_socket_of(int fd, const struct listen_address *at)
{
	struct sockaddr_storage is, wanted;
	socklen_t size = sizeof(is), n;
	int listens = 0;

	if (getsockname(fd, (struct sockaddr *)&is, &size) < 0)
		return false;
	n = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 || !listens)
		return false;
	if (at->ip.family) {
		dial_address(&at->ip, at->port, &wanted);
	} else {
		struct ip any = { .family = (uint8_t)is.ss_family };

		dial_address(&any, at->port, &wanted);
	}
	return is.ss_family == wanted.ss_family && memcmp(&is, &wanted, size) == 0;
}

int listen_take_back(pid_t pid, const struct listen_address *at, unsigned int first_fd,
		     unsigned int fds)
{
	autofd pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return -errno;
	for (unsigned int n = first_fd; n < first_fd + fds; n++) {
		autofd fd = (int)syscall(SYS_pidfd_getfd, pidfd, n, 0);

		if (fd >= 0 && is_socket_of(fd, at))
			return take_fd(&fd);
	}
	return -ENOENT;
}
