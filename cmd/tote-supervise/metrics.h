/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics server, inside: metrics.c has connections and HTTP, metrics_collect.c runs `tote metrics`,
 * metrics_text.c writes what the supervisor itself knows. */
#ifndef SUPERVISE_METRICS_H
#define SUPERVISE_METRICS_H

#include "cmd/tote-supervise/supervise.h"
#include "lib/buf.h"

#define METRICS_SOCKET "metrics"
#define METRICS_LISTENERS 2
#define METRICS_CLIENTS 16
#define METRICS_REQUEST 4096
/* A client has so long in all, from its connection to the last byte of the answer. */
#define METRICS_PATIENCE_MS 10000
/* And `tote metrics`, of which the answer does without when it takes longer. */
#define METRICS_COLLECT_MS 5000
#define METRICS_PAUSE_MS 100
#define METRICS_OUTPUT ((size_t)16 << 20)

struct metrics_client;

struct metrics_listener {
	struct loop_source source;
	struct metrics *metrics;
	int fd;
};

struct metrics {
	struct supervisor *sup;
	struct metrics_listener listeners[METRICS_LISTENERS];
	size_t count;
	struct list clients;
	unsigned int client_count;
	struct loop_timer pause; /* of accepting, while there are no descriptors */

	/* `tote metrics`, one for all who wait at that moment. */
	struct loop_source output; /* fd -1: does not run */
	int pidfd;
	struct loop_timer collect_timer;
	struct buf collected;
	void (*collected_done)(struct metrics *metrics);
};

/* Starts it unless it runs; done is called from the loop, with what it printed in collected: nothing
 * when it failed. -errno: it cannot be started. */
int metrics_collect(struct metrics *metrics, void (*done)(struct metrics *metrics));
void metrics_collect_end(struct metrics *metrics);

/* Appends the families of all services, in Prometheus' text format 0.0.4. */
void metrics_write(struct supervisor *sup, struct buf *out);
/* Whether all is as it should be; else what is not, a line each. */
bool metrics_health(struct supervisor *sup, struct buf *out);

/* metrics_listen.c: each adds a listener. */
int metrics_listen_unix(struct metrics *m, struct err *err);
int metrics_listen_tcp(struct metrics *m, const char *text, struct err *err);
void metrics_client_comes(struct loop_source *source, uint32_t events);

enum metrics_page { METRICS_PAGE, METRICS_HEALTH, METRICS_NOT_FOUND, METRICS_BAD_METHOD };
/* What a request of HTTP asks for; -EAGAIN: its end has not come, -EPROTO: it is none. */
int metrics_request(const char *text, size_t len);

#endif
