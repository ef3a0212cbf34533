/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/rtnl.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DUMP_TRIES 8
#define RECV_SIZE 32768 /* the largest piece of a dump the kernel makes */

#define NAME(type) [(type)-RTM_BASE] = #type

static const char *const type_names[] = {
	NAME(RTM_NEWLINK),    NAME(RTM_DELLINK),   NAME(RTM_GETLINK),	 NAME(RTM_SETLINK),
	NAME(RTM_NEWADDR),    NAME(RTM_DELADDR),   NAME(RTM_GETADDR),	 NAME(RTM_NEWROUTE),
	NAME(RTM_DELROUTE),   NAME(RTM_GETROUTE),  NAME(RTM_NEWNEIGH),	 NAME(RTM_DELNEIGH),
	NAME(RTM_GETNEIGH),   NAME(RTM_NEWRULE),   NAME(RTM_DELRULE),	 NAME(RTM_GETRULE),
	NAME(RTM_NEWQDISC),   NAME(RTM_DELQDISC),  NAME(RTM_GETQDISC),	 NAME(RTM_NEWTCLASS),
	NAME(RTM_DELTCLASS),  NAME(RTM_GETTCLASS), NAME(RTM_NEWTFILTER), NAME(RTM_DELTFILTER),
	NAME(RTM_GETTFILTER), NAME(RTM_NEWNSID),   NAME(RTM_DELNSID),	 NAME(RTM_GETNSID),
};

static const char *type_name(uint16_t type)
{
	size_t i = (size_t)(type - RTM_BASE);

	return i < ARRAY_SIZE(type_names) && type_names[i] ? type_names[i] : "request";
}

static int open_in(int netns_fd, struct err *err)
{
	autofd home = fd_open(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
	int fd;

	if (home < 0)
		return err_errno(err, "cannot open /proc/thread-self/ns/net");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_errno(err, "cannot enter the network namespace");
	fd = nl_open(NETLINK_ROUTE);
	if (setns(home, CLONE_NEWNET) < 0) {
		err_errno(err, "cannot return to the host's network namespace");
		cleanup_fd(&fd);
		return err->code;
	}
	return fd < 0 ? err_code(err, fd, "cannot open a netlink socket in the network namespace")
		      : fd;
}

int rtnl_open(struct rtnl *r, int netns_fd, struct err *err)
{
	static const int wishes[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	int fd = netns_fd >= 0 ? open_in(netns_fd, err) : nl_open(NETLINK_ROUTE);

	r->fd = 0;
	if (fd < 0)
		return netns_fd >= 0 ? fd : err_code(err, fd, "cannot open a netlink socket");
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
		nl_set(fd, wishes[i]);
	r->fd = fd;
	r->seq = 0;
	rtnl_forget(r);
	return 0;
}

void rtnl_close(struct rtnl *r)
{
	if (r->fd)
		close(r->fd);
	r->fd = 0;
}

/* The kernel's sentence for a failure: behind what an ack (which may echo the request) or a dump's
 * end starts with. */
static const char *extended_ack(const struct nlmsghdr *nlh)
{
	const struct nlattr *attrs[NLMSGERR_ATTR_MSG + 1];
	size_t offset = sizeof(int);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = nl_payload(nlh);

		offset = sizeof(*e);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			offset += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	}
	rtnl_attrs(nlh, offset, attrs, ARRAY_SIZE(attrs));
	return nl_text(attrs[NLMSGERR_ATTR_MSG]);
}

static void note_failure(struct rtnl *r, unsigned int i, uint16_t type, int code, const char *words)
{
	if (!r->failed.code)
		err_set(&r->failed, code, "netlink: %s %s: %s", type_name(type), r->what[i],
			words ? words : err_text(code));
}

static uint16_t type_of(const struct rtnl *r, unsigned int i)
{
	const struct nlmsghdr *nlh = (const void *)r->data;

	while (i--)
		nlh = (const void *)((const char *)nlh + NLMSG_ALIGN(nlh->nlmsg_len));
	return nlh->nlmsg_type;
}

static void keep_reply(struct buf *replies, const struct nlmsghdr *nlh)
{
	static const char padding[NLMSG_ALIGNTO];

	buf_add(replies, nlh, nlh->nlmsg_len);
	buf_add(replies, padding, NLMSG_ALIGN(nlh->nlmsg_len) - nlh->nlmsg_len);
}

/* Takes one message; true when it is the answer that ends one of the requests sent. */
static bool take_message(struct rtnl *r, const struct nlmsghdr *nlh, struct buf *replies,
			 bool *overtaken)
{
	uint32_t i = nlh->nlmsg_seq - (r->seq - r->pending + 1);
	int code;

	if (i >= r->pending)
		return false;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		*overtaken = true;
	if (nlh->nlmsg_type != NLMSG_ERROR && nlh->nlmsg_type != NLMSG_DONE) {
		if (replies)
			keep_reply(replies, nlh);
		return false;
	}
	/* Both start with a negative errno or 0. */
	if (nl_payload_size(nlh) >= sizeof(code)) {
		memcpy(&code, nl_payload(nlh), sizeof(code));
		if (code < 0)
			note_failure(r, i, type_of(r, i), -code, extended_ack(nlh));
	}
	return true;
}

static int receive(struct rtnl *r, struct buf *replies, bool *overtaken)
{
	char data[RECV_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	unsigned int left = r->pending;

	while (left) {
		ssize_t n = nl_receive(r->fd, data, sizeof(data), 0);
		const struct nlmsghdr *nlh = NULL;

		if (n < 0)
			return n == -EAGAIN ? -ETIMEDOUT : (int)n;
		while ((nlh = nl_next(data, (size_t)n, nlh)))
			if (left && take_message(r, nlh, replies, overtaken))
				left--;
	}
	return 0;
}

int rtnl_send(struct rtnl *r)
{
	size_t size = (size_t)((char *)r->last - r->data) + NLMSG_ALIGN(r->last->nlmsg_len);

	return nl_send(r->fd, r->data, size);
}

/* Sends the queue and reads until everything in it is answered. Returns 0, -errno for the socket's
 * own failures. */
static int exchange(struct rtnl *r, struct buf *replies, bool *overtaken)
{
	int rc = rtnl_send(r);

	return rc < 0 ? rc : receive(r, replies, overtaken);
}

void rtnl_forget(struct rtnl *r)
{
	r->pending = 0;
	r->last = NULL;
	r->failed.code = 0;
}

static void send_queue(struct rtnl *r, struct buf *replies)
{
	bool overtaken = true;
	int rc = 0;

	if (!r->pending)
		return;
	for (int tries = 0; overtaken && rc == 0 && tries < DUMP_TRIES; tries++) {
		overtaken = false;
		if (replies)
			buf_reset(replies);
		rc = exchange(r, replies, &overtaken);
	}
	if (overtaken && rc == 0)
		rc = -EBUSY;
	if (rc < 0)
		note_failure(r, 0, type_of(r, 0), -rc, NULL);
	r->pending = 0;
	r->last = NULL;
}

struct nlmsghdr *rtnl_request(struct rtnl *r, uint16_t type, uint16_t flags, const void *header,
			      size_t header_len, const char *fmt, ...)
{
	char *at = r->data;
	va_list ap;

	if (r->pending == RTNL_BATCH)
		send_queue(r, NULL);
	if (r->pending)
		at = (char *)r->last + NLMSG_ALIGN(r->last->nlmsg_len);
	r->last = nl_message(at);
	r->last->nlmsg_type = type;
	r->last->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->last->nlmsg_seq = ++r->seq;
	memcpy(nl_put_header(r->last, header_len), header, header_len);
	va_start(ap, fmt);
	vsnprintf(r->what[r->pending], RTNL_WHAT_MAX, fmt, ap);
	va_end(ap);
	r->pending++;
	return r->last;
}

static int report(struct rtnl *r, struct err *err)
{
	int code = r->failed.code;

	if (code < 0)
		*err = r->failed;
	r->failed.code = 0;
	return code;
}

int rtnl_run(struct rtnl *r, struct buf *ret_replies, struct err *err)
{
	send_queue(r, ret_replies);
	return report(r, err);
}

int rtnl_receive(struct rtnl *r, struct err *err)
{
	bool ignored;
	int rc = receive(r, NULL, &ignored);

	if (rc < 0)
		note_failure(r, 0, type_of(r, 0), -rc, NULL);
	r->pending = 0;
	r->last = NULL;
	return report(r, err);
}

const struct nlmsghdr *rtnl_next(const struct buf *replies, const struct nlmsghdr *prev)
{
	const char *at = replies->data;

	if (prev)
		at = (const char *)prev + NLMSG_ALIGN(prev->nlmsg_len);
	return replies->len && at < replies->data + replies->len ? (const void *)at : NULL;
}

size_t rtnl_count(const struct buf *replies)
{
	size_t n = 0;

	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(replies, nlh));)
		n++;
	return n;
}

static void sort_attrs(const void *start, const void *end, const struct nlattr **ret_attrs,
		       size_t count)
{
	memset(ret_attrs, 0, count * sizeof(*ret_attrs));
	for (const struct nlattr *attr = NULL; (attr = nl_next_attr(start, end, attr));)
		if (nl_type(attr) < count)
			ret_attrs[nl_type(attr)] = attr;
}

void rtnl_attrs(const struct nlmsghdr *nlh, size_t header_len, const struct nlattr **ret_attrs,
		size_t count)
{
	const char *payload = nl_payload(nlh);

	sort_attrs(payload + NLMSG_ALIGN(header_len), payload + nl_payload_size(nlh), ret_attrs,
		   count);
}

void rtnl_nested(const struct nlattr *attr, const struct nlattr **ret_attrs, size_t count)
{
	const char *start = attr ? nl_data(attr) : NULL;

	sort_attrs(start, attr ? start + nl_size(attr) : NULL, ret_attrs, count);
}
