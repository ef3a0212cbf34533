/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nl.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

int nl_open(int protocol)
{
	/* An answer that is lost must not hang the caller; the kernel gives it while the request is
	 * being sent. */
	static const struct timeval patience = { .tv_sec = 10 };
	autofd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd == STDIN_FILENO) {
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		close(STDIN_FILENO);
	}
	/* The kernel chooses the address. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return take_fd(&fd);
}

void nl_set(int fd, int option)
{
	int one = 1;

	setsockopt(fd, SOL_NETLINK, option, &one, sizeof(one));
}

int nl_send(int fd, const void *messages, size_t size)
{
	return sendto(fd, messages, size, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0
		       ? -errno
		       : 0;
}

ssize_t nl_receive(int fd, void *buffer, size_t size, int flags)
{
	struct sockaddr_nl from;
	struct iovec iov = { buffer, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from };
	ssize_t n;

	/* Other processes may send something to its address, too. */
	do {
		msg.msg_namelen = sizeof(from);
		n = recvmsg(fd, &msg, flags);
	} while (n < 0 ? errno == EINTR : from.nl_pid != 0);
	if (n < 0)
		return -errno;
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

struct nlmsghdr *nl_message(void *at)
{
	struct nlmsghdr *nlh = at;

	*nlh = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN };
	return nlh;
}

static void *end_of(const struct nlmsghdr *nlh)
{
	return (char *)(uintptr_t)nlh + NLMSG_ALIGN(nlh->nlmsg_len);
}

void *nl_put_header(struct nlmsghdr *nlh, size_t size)
{
	void *header = memset(end_of(nlh), 0, NLMSG_ALIGN(size));

	nlh->nlmsg_len += NLMSG_ALIGN(size);
	return header;
}

void nl_put(struct nlmsghdr *nlh, uint16_t type, size_t size, const void *data)
{
	struct nlattr *attr = end_of(nlh);
	char *to = (char *)attr + NLA_HDRLEN;

	*attr = (struct nlattr){ (uint16_t)(NLA_HDRLEN + size), type };
	if (size)
		memcpy(to, data, size);
	memset(to + size, 0, NLA_ALIGN(size) - size);
	nlh->nlmsg_len += (uint32_t)(NLA_HDRLEN + NLA_ALIGN(size));
}

void nl_put_u8(struct nlmsghdr *nlh, uint16_t type, uint8_t value)
{
	nl_put(nlh, type, sizeof(value), &value);
}

void nl_put_u16(struct nlmsghdr *nlh, uint16_t type, uint16_t value)
{
	nl_put(nlh, type, sizeof(value), &value);
}

void nl_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	nl_put(nlh, type, sizeof(value), &value);
}

void nl_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t value)
{
	nl_put(nlh, type, sizeof(value), &value);
}

void nl_put_text(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	nl_put(nlh, type, strlen(text) + 1, text);
}

struct nlattr *nl_nest(struct nlmsghdr *nlh, uint16_t type)
{
	struct nlattr *nest = end_of(nlh);

	nl_put(nlh, NLA_F_NESTED | type, 0, NULL);
	return nest;
}

void nl_nest_end(struct nlmsghdr *nlh, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)end_of(nlh) - (char *)nest);
}

const struct nlmsghdr *nl_next(const void *messages, size_t size, const struct nlmsghdr *prev)
{
	const char *at = prev ? end_of(prev) : messages, *end = (const char *)messages + size;
	const struct nlmsghdr *nlh = (const void *)at;

	return at < end && (size_t)(end - at) >= sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
			       nlh->nlmsg_len <= (size_t)(end - at)
		       ? nlh
		       : NULL;
}

const void *nl_payload(const struct nlmsghdr *nlh)
{
	return (const char *)nlh + NLMSG_HDRLEN;
}

size_t nl_payload_size(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - NLMSG_HDRLEN;
}

const struct nlattr *nl_next_attr(const void *start, const void *end, const struct nlattr *prev)
{
	const char *at = prev ? (const char *)prev + NLA_ALIGN(prev->nla_len) : start;
	const struct nlattr *attr = (const void *)at;
	ptrdiff_t left = start ? (const char *)end - at : 0;

	return left >= (ptrdiff_t)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
			       attr->nla_len <= left
		       ? attr
		       : NULL;
}

const struct nlattr *nl_next_nested(const struct nlattr *nest, const struct nlattr *prev)
{
	return nest ? nl_next_attr(nl_data(nest), (const char *)nl_data(nest) + nl_size(nest), prev)
		    : NULL;
}

uint16_t nl_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

const void *nl_data(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

size_t nl_size(const struct nlattr *attr)
{
	return attr->nla_len - (size_t)NLA_HDRLEN;
}

static void take(const struct nlattr *attr, void *value, size_t size)
{
	if (attr && nl_size(attr) >= size)
		memcpy(value, nl_data(attr), size);
}

uint8_t nl_u8(const struct nlattr *attr)
{
	uint8_t value = 0;

	take(attr, &value, sizeof(value));
	return value;
}

uint16_t nl_u16(const struct nlattr *attr)
{
	uint16_t value = 0;

	take(attr, &value, sizeof(value));
	return value;
}

uint32_t nl_u32(const struct nlattr *attr)
{
	uint32_t value = 0;

	take(attr, &value, sizeof(value));
	return value;
}

uint64_t nl_u64(const struct nlattr *attr)
{
	uint64_t value = 0;

	take(attr, &value, sizeof(value));
	return value;
}

const char *nl_text(const struct nlattr *attr)
{
	const char *text = attr ? nl_data(attr) : NULL;

	return text && nl_size(attr) && !text[nl_size(attr) - 1] ? text : NULL;
}
