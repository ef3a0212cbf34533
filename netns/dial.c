/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/dial.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/number.h"
#include "netns/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

socklen_t dial_address(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (ip->family == AF_INET6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, ip->bytes, sizeof(in6->sin6_addr));
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, ip->bytes, sizeof(in->sin_addr));
	return sizeof(*in);
}

int dial_parse(const char *host, struct ip *ret_ip)
{
	char text[INET6_ADDRSTRLEN];
	size_t len;

	if (!host || strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (host[0] != '[')
		return ip_parse(host, ret_ip);
	len = strlen(host);
	if (len < 2 || host[len - 1] != ']' || len - 2 >= sizeof(text))
		return -EINVAL;
	memcpy(text, host + 1, len - 2);
	text[len - 2] = '\0';
	return strchr(text, ':') ? ip_parse(text, ret_ip) : -EINVAL;
}

static int parse_host(const char *text, size_t len, struct ip *ret_ip)
{
	char host[INET6_ADDRSTRLEN + 2];

	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	/* Without brackets, where an IPv6 address ends is a guess. */
	return strchr(host, ':') && host[0] != '[' ? -EINVAL : dial_parse(host, ret_ip);
}

int dial_parse_listen(const char *text, struct ip *ret_ip, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	const char *digits = colon ? colon + 1 : text;
	uint64_t port;

	*ret_ip = (struct ip){ 0 };
	if (colon && colon != text && parse_host(text, (size_t)(colon - text), ret_ip) < 0)
		return -EINVAL;
	/* number_scan() would skip blanks. */
	if (*digits < '0' || *digits > '9' || !number_scan(&digits, &port) || *digits || port < 1 ||
	    port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

int dial_namespace(pid_t pid, struct err *err)
{
	char path[sizeof("/proc/-2147483648/ns/net")];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = fd_open(AT_FDCWD, path, O_RDONLY);
	/* Of a zombie the link is there and leads nowhere. */
	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	return fd < 0 ? err_errno(err, "cannot open the network namespace of process %d", pid) : fd;
}

static int make_socket(int family, struct err *err)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? err_errno(err, "cannot make a socket") : fd;
}

/* A socket belongs to the namespace that it was made in for as long as it lives: only this one call is
 * made inside. */
static int make_inside(int netns_fd, int family, struct err *err)
{
	int home, fd;

	if (netns_fd < 0)
		return make_socket(family, err);
	home = ns_enter(netns_fd, err);
	if (home < 0)
		return home;
	fd = make_socket(family, err);
	ns_leave(home);
	return fd;
}

int dial_begin(int netns_fd, const struct ip *ip, uint16_t port, struct err *err)
{
	struct sockaddr_storage to;
	socklen_t size = dial_address(ip, port, &to);
	autofd fd = make_inside(netns_fd, to.ss_family, err);
	static const int on = 1;
	int r;

	if (fd < 0)
		return fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	do {
		r = connect(fd, (struct sockaddr *)&to, size);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && errno != EINPROGRESS)
		return err_errno(err, "cannot connect");
	return take_fd(&fd);
}

int dial_result(int fd)
{
	int code = 0;
	socklen_t size = sizeof(code);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		return -errno;
	return -code;
}
