/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a port of the host already: port.c asks before a container gets it. */
#ifndef NETNS_PORT_HOLDER_H
#define NETNS_PORT_HOLDER_H

#include "netns/port.h"

/*
 * Whether nobody in the calling thread's network namespace listens on the ports of a map; with no host
 * IP, on any address of the families given (AF_INET, AF_INET6, or AF_UNSPEC for both). 0, also where
 * that cannot be found out; -EADDRINUSE with the address, and the process's pid and name as far as they
 * can be seen.
 */
int port_holder_check(const struct port_map *map, int family, struct err *err);

/* One line of /proc/net/tcp, udp, tcp6 or udp6: false for what is no socket's. */
struct port_listener {
	struct ip ip; /* the unspecified address: all of them */
	uint16_t port;
	unsigned int state; /* TCP_LISTEN 10; of UDP 7: not connected */
	uint64_t inode;
};
bool port_listener_parse(const char *line, struct port_listener *ret);

#endif
