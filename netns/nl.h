/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages and sockets, as far as rtnetlink and netfilter have them in common: rtnl.c and nft.c
 * open sockets with this, everybody else puts and reads attributes. Without a library, as Debian has no
 * static one and a program's start with shared libraries costs more than what it does here.
 *
 * Numbers are in the byte order of the host; netfilter wants htonl() around them.
 */
#ifndef NETNS_NL_H
#define NETNS_NL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A socket in the calling thread's network namespace, which waits 10 s for an answer at most. Never 0, so
 * that this can stand for none. Close-on-exec. -errno. */
int nl_open(int protocol);
/* Switches one of the socket's options (NETLINK_*) on, as far as the kernel knows it. */
void nl_set(int fd, int option);
/* Sends whole messages to the kernel. 0 or -errno. */
int nl_send(int fd, const void *messages, size_t size);
/* What the kernel sent; flags as recv(2) has them. Bytes, or -errno: -EAGAIN when the time is up,
 * -EMSGSIZE when there was more. */
ssize_t nl_receive(int fd, void *buffer, size_t size, int flags);

/* A message without anything at `at`, which has room for it and is aligned. */
struct nlmsghdr *nl_message(void *at);
/* Appends a family's header, zeroed, and returns it. */
void *nl_put_header(struct nlmsghdr *nlh, size_t size);
/* Append an attribute; text with its NUL. */
void nl_put(struct nlmsghdr *nlh, uint16_t type, size_t size, const void *data);
void nl_put_u8(struct nlmsghdr *nlh, uint16_t type, uint8_t value);
void nl_put_u16(struct nlmsghdr *nlh, uint16_t type, uint16_t value);
void nl_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t value);
void nl_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t value);
void nl_put_text(struct nlmsghdr *nlh, uint16_t type, const char *text);
/* What is put between the two is nested in the attribute. */
struct nlattr *nl_nest(struct nlmsghdr *nlh, uint16_t type);
void nl_nest_end(struct nlmsghdr *nlh, struct nlattr *nest);

/* Walks the messages of a buffer: the first for prev NULL, NULL when what is left is no whole one. */
const struct nlmsghdr *nl_next(const void *messages, size_t size, const struct nlmsghdr *prev);
/* What follows the message's header, and how many bytes that is. */
const void *nl_payload(const struct nlmsghdr *nlh);
size_t nl_payload_size(const struct nlmsghdr *nlh);

/* Walks attributes: from start (NULL has none) to end; the first for prev NULL, NULL behind the last. */
const struct nlattr *nl_next_attr(const void *start, const void *end, const struct nlattr *prev);
/* The same for those nested in one (NULL has none). */
const struct nlattr *nl_next_nested(const struct nlattr *nest, const struct nlattr *prev);
uint16_t nl_type(const struct nlattr *attr);
const void *nl_data(const struct nlattr *attr);
size_t nl_size(const struct nlattr *attr);
/* Numbers; 0 when the attribute is absent (NULL) or too short. */
uint8_t nl_u8(const struct nlattr *attr);
uint16_t nl_u16(const struct nlattr *attr);
uint32_t nl_u32(const struct nlattr *attr);
uint64_t nl_u64(const struct nlattr *attr);
/* NULL when it is absent or not terminated. */
const char *nl_text(const struct nlattr *attr);

#endif
