/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/ip.h"

#include "lib/number.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

int ip_parse(const char *text, struct ip *ret_ip)
{
	struct ip ip = { 0 };

	if (inet_pton(AF_INET, text, ip.bytes) == 1) {
		ip.family = AF_INET;
	} else if (inet_pton(AF_INET6, text, ip.bytes) == 1) {
		ip.family = AF_INET6;
		if (memcmp(ip.bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
			ip.family = AF_INET;
			memmove(ip.bytes, ip.bytes + sizeof(mapped_prefix), 4);
			memset(ip.bytes + 4, 0, sizeof(ip.bytes) - 4);
		}
	} else {
		return -EINVAL;
	}
	*ret_ip = ip;
	return 0;
}

int ip_net_parse(const char *text, struct ip_net *ret_net)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct ip_net net;
	uint64_t len;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (ip_parse(address, &net.ip) < 0)
		return -EINVAL;
	/* number_scan() would skip blanks. */
	if (slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	slash++;
	if (!number_scan(&slash, &len) || *slash)
		return -EINVAL;
	/* The prefix of ::ffff:10.0.0.0/104 counts the 96 bits before the IPv4 address. */
	if (net.ip.family == AF_INET && strchr(address, ':')) {
		if (len < 96)
			return -EINVAL;
		len -= 96;
	}
	if (len > ip_size(&net.ip) * 8)
		return -EINVAL;
	net.prefix_len = (uint8_t)len;
	*ret_net = net;
	return 0;
}

const char *ip_text(const struct ip *ip, char text[IP_TEXT_SIZE])
{
	if (!inet_ntop(ip->family, ip->bytes, text, IP_TEXT_SIZE))
		strcpy(text, "none");
	return text;
}

const char *ip_net_text(const struct ip_net *net, char text[IP_TEXT_SIZE])
{
	size_t n = strlen(ip_text(&net->ip, text));

	snprintf(text + n, IP_TEXT_SIZE - n, "/%u", net->prefix_len);
	return text;
}

size_t ip_size(const struct ip *ip)
{
	return ip->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, ip_size(a));
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return ip_compare(a, b) == 0;
}

bool ip_next(struct ip *ip)
{
	struct ip next = *ip;

	for (size_t i = ip_size(ip); i > 0; i--) {
		if (++next.bytes[i - 1]) {
			*ip = next;
			return true;
		}
	}
	return false;
}

bool ip_previous(struct ip *ip)
{
	struct ip previous = *ip;

	for (size_t i = ip_size(ip); i > 0; i--) {
		if (previous.bytes[i - 1]--) {
			*ip = previous;
			return true;
		}
	}
	return false;
}

/* The host bits of byte i, set. */
static uint8_t host_mask(uint8_t prefix_len, size_t i)
{
	if (prefix_len >= (i + 1) * 8)
		return 0;
	return prefix_len <= i * 8 ? 0xff : (uint8_t)(0xff >> (prefix_len - i * 8));
}

struct ip_net ip_net_base(const struct ip_net *net)
{
	struct ip_net base = *net;

	for (size_t i = 0; i < ip_size(&net->ip); i++)
		base.ip.bytes[i] &= (uint8_t)~host_mask(net->prefix_len, i);
	return base;
}

struct ip ip_net_last(const struct ip_net *net)
{
	struct ip last = net->ip;

	for (size_t i = 0; i < ip_size(&net->ip); i++)
		last.bytes[i] |= host_mask(net->prefix_len, i);
	return last;
}

bool ip_net_has(const struct ip_net *net, const struct ip *ip)
{
	if (net->ip.family != ip->family)
		return false;
	for (size_t i = 0; i < ip_size(ip); i++)
		if ((net->ip.bytes[i] ^ ip->bytes[i]) & (uint8_t)~host_mask(net->prefix_len, i))
			return false;
	return true;
}

bool ip_net_overlap(const struct ip_net *a, const struct ip_net *b)
{
	return a->prefix_len <= b->prefix_len ? ip_net_has(a, &b->ip) : ip_net_has(b, &a->ip);
}
