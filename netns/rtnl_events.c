/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/rtnl.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "netns/ns.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define RECV_SIZE 32768

/* The socket stays where it was made. */
static int socket_in(int netns_fd, struct err *err)
{
	int home = netns_fd >= 0 ? ns_enter(netns_fd, err) : 0;
	int fd, code;

	if (home < 0)
		return home;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	code = errno;
	if (netns_fd >= 0)
		ns_leave(home);
	return fd < 0 ? err_code(err, code, "cannot open a netlink socket for events") : fd;
}

int rtnl_events_open(int netns_fd, const unsigned int *groups, size_t count, size_t buffer,
		     struct err *err)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	autofd fd = socket_in(netns_fd, err);
	int size = (int)buffer;

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return err_errno(err, "cannot set up a netlink socket for events");
	for (size_t i = 0; i < count; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return err_errno(err, "cannot listen to netlink group %u", groups[i]);
	/* Beyond the host's limit where we may. */
	if (size && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return take_fd(&fd);
}

/* Only the kernel is believed. */
static ssize_t receive(int fd, struct buf *messages)
{
	struct sockaddr_nl from = { 0 };
	socklen_t size = sizeof(from);
	char *data = buf_reserve(messages, RECV_SIZE);
	ssize_t n = recvfrom(fd, data, RECV_SIZE, 0, (struct sockaddr *)&from, &size);

	if (n < 0)
		return -errno;
	if (from.nl_pid == 0)
		messages->len += NLMSG_ALIGN((size_t)n);
	return n;
}

int rtnl_events_read(int fd, int timeout_ms, struct buf *ret_messages, struct err *err)
{
	ssize_t n;
	int rc;

	buf_reset(ret_messages);
	rc = fd_wait_readable(fd, timeout_ms);
	if (rc < 0)
		return err_code(err, rc, "cannot wait for netlink events");
	if (rc == 0)
		return 0;
	do {
		n = receive(fd, ret_messages);
	} while (n > 0 && ret_messages->len < RECV_SIZE);
	if (n < 0 && n != -EAGAIN && n != -EINTR)
		return err_code(err, (int)n, "cannot read netlink events");
	return ret_messages->len ? 1 : 0;
}
