/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a port as the kernel's tables have them, by sock_diag(7): of sockets that were handed to
 * the container nobody else knows. */
#include "cmd/tote-monitor/activate_private.h"

#include "lib/cleanup.h"
#include "netns/nl.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <string.h>

#define ANSWER_SIZE 16384
/* A bound, not a limit that is met: an answer of the kernel's is full before another follows. */
#define ANSWERS_MAX 4096

/* Those of which somebody may still say something; what only waits for the kernel does not count. */
#define STATES                                                                                     \
	(1U << TCP_ESTABLISHED | 1U << TCP_SYN_RECV | 1U << TCP_FIN_WAIT1 | 1U << TCP_CLOSE_WAIT)

static int ask(int fd, uint8_t family, uint16_t port)
{
	alignas(struct nlmsghdr) char text[128];
	struct nlmsghdr *nlh = nl_message(text);
	struct inet_diag_req_v2 *req = nl_put_header(nlh, sizeof(*req));

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = STATES;
	req->id.idiag_sport = htons(port);
	return nl_send(fd, nlh, nlh->nlmsg_len);
}

static bool is_for(const struct inet_diag_sockid *id, const struct listen_address *at)
{
	/* Kernels without a filter for ports would hand out all. */
	if (id->idiag_sport != htons(at->port))
		return false;
	return !at->ip.family || memcmp(id->idiag_src, at->ip.bytes, ip_size(&at->ip)) == 0;
}

/* 1: all has come. */
static int take(const void *answer, size_t size, const struct listen_address *at, int *count)
{
	const struct nlmsghdr *nlh = NULL;

	while ((nlh = nl_next(answer, size, nlh))) {
		const struct inet_diag_msg *msg = nl_payload(nlh);

		if (nlh->nlmsg_type == NLMSG_DONE)
			return 1;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return nl_payload_size(nlh) >= sizeof(struct nlmsgerr)
				       ? ((const struct nlmsgerr *)(const void *)msg)->error
				       : -EPROTO;
		if (nl_payload_size(nlh) >= sizeof(*msg) && is_for(&msg->id, at))
			++*count;
	}
	return 0;
}

static int count_family(int fd, uint8_t family, const struct listen_address *at, int *count)
{
	alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
	int r = at->ip.family && at->ip.family != family ? 1 : ask(fd, family, at->port);

	for (int n = 0; r == 0 && n < ANSWERS_MAX; n++) {
		ssize_t size = nl_receive(fd, answer, sizeof(answer), 0);

		r = size < 0 ? (int)size : take(answer, (size_t)size, at, count);
	}
	return r < 0 ? r : 0;
}

int flows_count(const struct listen_address *at)
{
	autofd fd = nl_open(NETLINK_SOCK_DIAG);
	int count = 0, r;

	if (fd < 0)
		return fd;
	r = count_family(fd, AF_INET, at, &count);
	if (r == 0)
		r = count_family(fd, AF_INET6, at, &count);
	/* A kernel without IPv6. */
	return r < 0 && r != -ENOENT && r != -EAFNOSUPPORT ? r : count;
}
