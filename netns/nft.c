/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft.h"

#include "lib/cleanup.h"
#include "netns/nft_linger.h"
#include "netns/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DUMP_TRIES 8
#define RECV_SIZE 32768 /* the largest piece of a dump the kernel makes */

int nft_open(struct nft *n, struct err *err)
{
	int fd = nl_open(NETLINK_NETFILTER);

	if (fd < 0)
		return fd == -EPROTONOSUPPORT
			       ? err_set(err, EPROTONOSUPPORT,
					 "the kernel has no netfilter (CONFIG_NF_TABLES)")
			       : err_code(err, fd, "cannot open a netfilter socket");
	*n = (struct nft){ .fd = fd };
	nl_set(fd, NETLINK_CAP_ACK);
	return 0;
}

void nft_close(struct nft *n)
{
	if (n->fd) {
		nft_linger(n->fd, n->lingers);
		close(n->fd);
	}
	n->fd = 0;
	n->lingers = false;
	buf_done(&n->batch);
	buf_done(&n->words);
}

/* Ends the newest message: its length counts from now on. */
static void settle(struct nft *n)
{
	const struct nlmsghdr *nlh = (const void *)(n->batch.data + n->last);

	if (n->building)
		n->batch.len += NLMSG_ALIGN(nlh->nlmsg_len);
	n->building = false;
}

static struct nlmsghdr *put_message(struct nft *n, uint16_t type, uint16_t flags, uint8_t family,
				    uint16_t resource)
{
	struct nlmsghdr *nlh;
	struct nfgenmsg *head;

	settle(n);
	n->last = n->batch.len;
	n->building = true;
	nlh = nl_message(buf_reserve(&n->batch, NFT_MESSAGE_MAX));
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++n->seq;
	head = nl_put_header(nlh, sizeof(*head));
	head->nfgen_family = family;
	head->version = NFNETLINK_V0;
	head->res_id = htons(resource);
	return nlh;
}

static void add_words(struct nft *n, const char *words)
{
	buf_add(&n->words, words, strlen(words) + 1);
}

static void reset(struct nft *n)
{
	buf_reset(&n->batch);
	buf_reset(&n->words);
	n->last = 0;
	n->building = false;
}

void nft_begin(struct nft *n, uint32_t generation)
{
	struct nlmsghdr *nlh;

	reset(n);
	n->deletes = false;
	nlh = put_message(n, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	n->first = n->seq;
	if (generation)
		nl_put_u32(nlh, NFNL_BATCH_GENID, htonl(generation));
	add_words(n, "the batch");
}

struct nlmsghdr *nft_change(struct nft *n, uint16_t type, uint16_t flags, uint8_t family,
			    const char *fmt, ...)
{
	char words[128];
	struct nlmsghdr *nlh;
	va_list ap;

	n->deletes |= type == NFT_MSG_DELTABLE || type == NFT_MSG_DELCHAIN ||
		      type == NFT_MSG_DELRULE || type == NFT_MSG_DELSETELEM;
	nlh = put_message(n, NFNL_SUBSYS_NFTABLES << 8 | type, flags, family, 0);
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	add_words(n, words);
	return nlh;
}

bool nft_pending(const struct nft *n)
{
	return n->seq > n->first;
}

/* What message number i of the batch does. */
static const char *words_of(const struct nft *n, uint32_t i)
{
	const char *words = n->words.data;

	while (i--)
		words += strlen(words) + 1;
	return words;
}

static const char *explain(int code, const char *words)
{
	if (code == EPERM)
		return "needs CAP_NET_ADMIN";
	/* No part of it answers, not even to a batch's beginning. */
	if (code == EOPNOTSUPP && strcmp(words, "the batch") == 0)
		return "the kernel has no nf_tables (CONFIG_NF_TABLES)";
	if (code == EAFNOSUPPORT)
		return "the kernel has no inet tables (CONFIG_NF_TABLES_INET)";
	return err_text(code);
}

static int error_code(const struct nlmsghdr *nlh)
{
	int code = -EBADMSG;

	if (nl_payload_size(nlh) >= sizeof(code))
		memcpy(&code, nl_payload(nlh), sizeof(code));
	return code;
}

/* A failure, unless there was one before. */
static void note_failure(const struct nft *n, const struct nlmsghdr *nlh, struct err *failed)
{
	uint32_t i = nlh->nlmsg_seq - n->first;
	int code = -error_code(nlh);

	if (!failed->code && i <= n->seq - n->first)
		err_set(failed, code, "nf_tables: %s: %s", words_of(n, i),
			explain(code, words_of(n, i)));
}

/* Larger batches than a socket takes by default; what the limit of the host forbids needs
 * CAP_NET_ADMIN. */
static void make_room(const struct nft *n)
{
	int fd = n->fd;
	int size = (int)n->batch.len * 2;

	if (size > 65536)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

/* The kernel has answered before sendto(2) returns: one answer for each message that failed, or else
 * the one that was asked for. */
static int take_answers(const struct nft *n, struct err *failed)
{
	char data[RECV_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool done = false;

	for (;;) {
		ssize_t size = nl_receive(n->fd, data, sizeof(data), MSG_DONTWAIT);
		const struct nlmsghdr *nlh = NULL;

		/* ENOBUFS: more failures than there is room for; the first is known. */
		if (size == -EAGAIN || (size == -ENOBUFS && failed->code))
			return done || failed->code ? 0 : -EIO;
		if (size < 0)
			return (int)size;
		while ((nlh = nl_next(data, (size_t)size, nlh))) {
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			done = true;
			if (error_code(nlh) < 0)
				note_failure(n, nlh, failed);
		}
	}
}

int nft_commit(struct nft *n, struct err *err)
{
	struct err failed = { 0 };
	int rc;

	((struct nlmsghdr *)(void *)(n->batch.data + n->last))->nlmsg_flags |= NLM_F_ACK;
	put_message(n, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	add_words(n, "the batch");
	settle(n);
	make_room(n);
	rc = nl_send(n->fd, n->batch.data, n->batch.len);
	if (rc == 0)
		rc = take_answers(n, &failed);
	if (rc < 0)
		return err_code(err, rc, "nf_tables: no answer");
	if (failed.code)
		*err = failed;
	else
		n->lingers |= n->deletes;
	return failed.code;
}

struct nlmsghdr *nft_question_to(struct nft *n, uint8_t subsystem, uint16_t type, uint16_t flags,
				 uint8_t family, const char *words)
{
	reset(n);
	add_words(n, words);
	return put_message(n, (uint16_t)(subsystem << 8 | type), NLM_F_ACK | flags, family, 0);
}

struct nlmsghdr *nft_question(struct nft *n, uint16_t type, uint16_t flags, uint8_t family,
			      const char *words)
{
	return nft_question_to(n, NFNL_SUBSYS_NFTABLES, type, flags, family, words);
}

static void keep_reply(struct buf *replies, const struct nlmsghdr *nlh)
{
	static const char padding[NLMSG_ALIGNTO];

	buf_add(replies, nlh, nlh->nlmsg_len);
	buf_add(replies, padding, NLMSG_ALIGN(nlh->nlmsg_len) - nlh->nlmsg_len);
}

/* One question to its end. 0; 1: overtaken by a change; -errno. */
static int exchange(struct nft *n, const struct nlmsghdr *question, struct buf *replies)
{
	char data[RECV_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool overtaken = false;
	int rc = nl_send(n->fd, question, question->nlmsg_len);

	if (rc < 0)
		return rc;
	for (;;) {
		ssize_t size = nl_receive(n->fd, data, sizeof(data), 0);
		const struct nlmsghdr *nlh = NULL;

		if (size < 0)
			return size == -EAGAIN ? -ETIMEDOUT : (int)size;
		while ((nlh = nl_next(data, (size_t)size, nlh))) {
			if (nlh->nlmsg_seq != question->nlmsg_seq)
				continue;
			overtaken |= !!(nlh->nlmsg_flags & NLM_F_DUMP_INTR);
			if (nlh->nlmsg_type == NLMSG_DONE)
				return overtaken;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return error_code(nlh) < 0 ? error_code(nlh) : overtaken;
			keep_reply(replies, nlh);
		}
	}
}

int nft_ask(struct nft *n, struct buf *ret_replies, struct err *err)
{
	struct nlmsghdr *question = (void *)n->batch.data;
	size_t start = ret_replies->len;
	int rc = 1;

	for (int tries = 0; rc == 1 && tries < DUMP_TRIES; tries++) {
		question->nlmsg_seq = ++n->seq;
		ret_replies->len = start;
		rc = exchange(n, question, ret_replies);
	}
	if (rc == 1)
		rc = -EBUSY;
	if (rc < 0)
		err_set(err, -rc, "nf_tables: %s: %s", n->words.data, explain(-rc, n->words.data));
	return rc;
}

int nft_generation(struct nft *n, uint32_t *ret_generation, struct err *err)
{
	const struct nlattr *attrs[NFTA_GEN_ID + 1];
	autobuf replies = BUF_INIT;
	int rc;

	nft_question(n, NFT_MSG_GETGEN, 0, AF_UNSPEC, "the ruleset's generation");
	rc = nft_ask(n, &replies, err);
	if (rc < 0)
		return rc;
	if (!replies.len)
		return err_set(err, EBADMSG, "nf_tables: the ruleset has no generation");
	nft_attrs(rtnl_next(&replies, NULL), attrs, ARRAY_SIZE(attrs));
	*ret_generation = nft_u32(attrs[NFTA_GEN_ID]);
	return 0;
}

void nft_attrs(const struct nlmsghdr *nlh, const struct nlattr **ret_attrs, size_t count)
{
	rtnl_attrs(nlh, sizeof(struct nfgenmsg), ret_attrs, count);
}

const char *nft_text(const struct nlattr *attr)
{
	const char *text = nl_text(attr);

	return text ? text : "";
}

uint32_t nft_u32(const struct nlattr *attr)
{
	return ntohl(nl_u32(attr));
}

uint8_t nft_family(const struct nlmsghdr *nlh)
{
	return nl_payload_size(nlh) >= sizeof(struct nfgenmsg)
		       ? ((const struct nfgenmsg *)nl_payload(nlh))->nfgen_family
		       : 0;
}
