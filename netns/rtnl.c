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
#include <sys/time.h>

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

static int open_in(int netns_fd, struct mnl_socket **ret_sock, struct err *err)
{
	autofd home = fd_open(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
	struct mnl_socket *sock;
	int code;

	if (home < 0)
		return err_errno(err, "cannot open /proc/thread-self/ns/net");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_errno(err, "cannot enter the network namespace");
	sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	code = errno;
	if (setns(home, CLONE_NEWNET) < 0) {
		code = errno;
		if (sock)
			mnl_socket_close(sock);
		return err_code(err, code, "cannot return to the host's network namespace");
	}
	if (!sock)
		return err_code(err, code, "cannot open a netlink socket in the network namespace");
	*ret_sock = sock;
	return 0;
}

int rtnl_open(struct rtnl *r, int netns_fd, struct err *err)
{
	/* An answer that is lost must not hang the caller; the kernel gives it while the request is
	 * being sent. */
	struct timeval patience = { .tv_sec = 10 };
	static const int wishes[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	int one = 1;
	int rc;

	memset(r, 0, sizeof(*r));
	if (netns_fd >= 0) {
		rc = open_in(netns_fd, &r->sock, err);
		if (rc < 0)
			return rc;
	} else {
		r->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
		if (!r->sock)
			return err_errno(err, "cannot open a netlink socket");
	}
	if (mnl_socket_bind(r->sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(r->sock), SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)) < 0) {
		rc = err_errno(err, "cannot set up a netlink socket");
		rtnl_close(r);
		return rc;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
		mnl_socket_setsockopt(r->sock, wishes[i], &one, sizeof(one));
	return 0;
}

void rtnl_close(struct rtnl *r)
{
	if (r->sock)
		mnl_socket_close(r->sock);
	r->sock = NULL;
}

/* The kernel's sentence for a failure: behind what an ack (which may echo the request) or a dump's
 * end starts with. */
static const char *extended_ack(const struct nlmsghdr *nlh)
{
	const struct nlattr *attrs[NLMSGERR_ATTR_MSG + 1];
	const struct nlattr *words;
	size_t offset = sizeof(int);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

		offset = sizeof(*e);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			offset += MNL_ALIGN(e->msg.nlmsg_len) - MNL_NLMSG_HDRLEN;
	}
	rtnl_attrs(nlh, offset, attrs, ARRAY_SIZE(attrs));
	words = attrs[NLMSGERR_ATTR_MSG];
	return words && mnl_attr_validate(words, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(words)
									   : NULL;
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
		nlh = (const void *)((const char *)nlh + MNL_ALIGN(nlh->nlmsg_len));
	return nlh->nlmsg_type;
}

static void keep_reply(struct buf *replies, const struct nlmsghdr *nlh)
{
	static const char padding[NLMSG_ALIGNTO];

	buf_add(replies, nlh, nlh->nlmsg_len);
	buf_add(replies, padding, MNL_ALIGN(nlh->nlmsg_len) - nlh->nlmsg_len);
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
	/* Both start with a negative errno or 0; so does the end of a dump, though libmnl has no
	 * name for it. */
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(code)) {
		memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
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
		ssize_t n = mnl_socket_recvfrom(r->sock, data, sizeof(data));
		const struct nlmsghdr *nlh = (const void *)data;
		int rest = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (; mnl_nlmsg_ok(nlh, rest); nlh = mnl_nlmsg_next(nlh, &rest))
			if (left && take_message(r, nlh, replies, overtaken))
				left--;
	}
	return 0;
}

int rtnl_send(struct rtnl *r)
{
	size_t size = (size_t)((char *)r->last - r->data) + MNL_ALIGN(r->last->nlmsg_len);

	return mnl_socket_sendto(r->sock, r->data, size) < 0 ? -errno : 0;
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
		at = (char *)r->last + MNL_ALIGN(r->last->nlmsg_len);
	r->last = mnl_nlmsg_put_header(at);
	r->last->nlmsg_type = type;
	r->last->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->last->nlmsg_seq = ++r->seq;
	memcpy(mnl_nlmsg_put_extra_header(r->last, header_len), header, header_len);
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
		at = (const char *)prev + MNL_ALIGN(prev->nlmsg_len);
	return replies->len && at < replies->data + replies->len ? (const void *)at : NULL;
}

size_t rtnl_count(const struct buf *replies)
{
	size_t n = 0;

	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(replies, nlh));)
		n++;
	return n;
}

static void sort_attrs(const void *start, const char *end, const struct nlattr **ret_attrs,
		       size_t count)
{
	const struct nlattr *attr = start;

	memset(ret_attrs, 0, count * sizeof(*ret_attrs));
	if (!start)
		return;
	for (; mnl_attr_ok(attr, (int)(end - (const char *)attr)); attr = mnl_attr_next(attr))
		if (mnl_attr_get_type(attr) < count)
			ret_attrs[mnl_attr_get_type(attr)] = attr;
}

void rtnl_attrs(const struct nlmsghdr *nlh, size_t header_len, const struct nlattr **ret_attrs,
		size_t count)
{
	sort_attrs(mnl_nlmsg_get_payload_offset(nlh, header_len), mnl_nlmsg_get_payload_tail(nlh),
		   ret_attrs, count);
}

void rtnl_nested(const struct nlattr *attr, const struct nlattr **ret_attrs, size_t count)
{
	const char *start = attr ? mnl_attr_get_payload(attr) : NULL;

	sort_attrs(start, start ? start + mnl_attr_get_payload_len(attr) : NULL, ret_attrs, count);
}
