/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses and prefixes as values: read, written, compared, counted. Everything in netns/ that
 * has to do with addresses uses these; nothing here talks to the kernel.
 */
#ifndef NETNS_IP_H
#define NETNS_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define IP_TEXT_SIZE (INET6_ADDRSTRLEN + 4) /* with a prefix length and the NUL */

/* In network byte order; an IPv4 address in the first four bytes, the rest zero. */
struct ip {
	uint8_t family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[sizeof(struct in6_addr)];
};

/* An address with the length of its prefix ("10.88.0.5/24"), or a prefix alone (host bits zero). */
struct ip_net {
	struct ip ip;
	uint8_t prefix_len; /* bits */
};

/* "10.88.0.5" or "fd00::5". An IPv4 address within IPv6 (::ffff:1.2.3.4) is read as IPv4. 0 or
 * -EINVAL. */
int ip_parse(const char *text, struct ip *ret_ip);
/* "10.88.0.5/24"; host bits are kept. 0 or -EINVAL, also without a prefix length. */
int ip_net_parse(const char *text, struct ip_net *ret_net);
/* Returns text. */
const char *ip_text(const struct ip *ip, char text[IP_TEXT_SIZE]);
const char *ip_net_text(const struct ip_net *net, char text[IP_TEXT_SIZE]);

/* 4 or 16 */
size_t ip_size(const struct ip *ip);
/* Below 0, 0, above 0: by family, then as numbers. */
int ip_compare(const struct ip *a, const struct ip *b);
bool ip_equal(const struct ip *a, const struct ip *b);
/* The next address, the one before; false when there is none in the family. */
bool ip_next(struct ip *ip);
bool ip_previous(struct ip *ip);

/* The prefix without host bits: its first address. */
struct ip_net ip_net_base(const struct ip_net *net);
/* Its last address: IPv4's broadcast address. */
struct ip ip_net_last(const struct ip_net *net);
bool ip_net_has(const struct ip_net *net, const struct ip *ip);
bool ip_net_overlap(const struct ip_net *a, const struct ip_net *b);

#endif
