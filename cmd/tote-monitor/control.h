/* SPDX-License-Identifier: Apache-2.0 */
/* Those who are connected to the socket: control.c and attach.c. */
#ifndef MONITOR_CONTROL_H
#define MONITOR_CONTROL_H

#include "cmd/tote-monitor/monitor.h"

struct client {
	struct list link; /* of monitor.clients */
	struct loop_source source;
	struct monitor *m;
	bool attached;
	uint64_t missed; /* bytes that it was too slow for */
	char *typed;	 /* what stdin has not taken yet, on the heap; NULL: nothing */
	size_t typed_len, typed_at;
};

#define PACKET_MAX ((size_t)8 << 10)

void client_close(struct client *c);

#endif
