/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports as people write them, "8080:80/udp", and as CNI has them: "portMappings" of a
 * runtimeConfig. `tote run -p` and `tote network up -p` call this.
 */
#ifndef NETNS_PORT_TEXT_H
#define NETNS_PORT_TEXT_H

#include "lib/json.h"
#include "netns/port.h"

/*
 * [HOSTIP:]HOST[-HOST2]:CONTAINER[-CONTAINER2][/tcp|udp|sctp], HOSTIP of IPv6 in brackets. Both
 * ranges are equally long; without a protocol it is TCP. 0 or -EINVAL.
 */
int port_parse(const char *text, struct port_map *ret_map, struct err *err);

/* All of them; -EINVAL also when two want the same port of the host. */
int port_parse_all(const struct strv *texts, struct arena *a, struct port_list *ret_ports,
		   struct err *err);

/* An array, one object a port, as there are no ranges in it. */
void port_write(const struct port_list *ports, struct json_writer *w);

/* "tcp", "udp", "sctp" */
const char *port_protocol_name(uint8_t protocol);
/* "127.0.0.1:8080-8082:80-82/tcp", as port_parse() reads it. */
#define PORT_TEXT_SIZE (IP_TEXT_SIZE + 40)
const char *port_text(const struct port_map *map, char text[PORT_TEXT_SIZE]);

#endif
