/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the events share: events.c has the queue, events_send.c the connection. */
#ifndef SHIM_EVENTS_PRIVATE_H
#define SHIM_EVENTS_PRIVATE_H

#include "cmd/containerd-shim-tote-v2/events.h"
#include "cmd/containerd-shim-tote-v2/ttrpc.h"

#include <stdbool.h>

#define EVENTS_ANSWER_MS 5000
#define EVENTS_PAUSE_MIN_MS 100
#define EVENTS_PAUSE_MAX_MS 5000
/* After so many answers that are errors an event is given up, or no other would ever come through. */
#define EVENTS_REFUSALS_MAX 5
/* One event must not drive all others out of the queue. */
#define EVENTS_ONE_MAX (EVENTS_BYTES_MAX / 2)

enum event_worth { EVENT_MINOR, EVENT_BEGIN, EVENT_END };

struct event {
	struct list link;
	uint32_t len;
	enum event_worth worth;
	uint8_t frame[];
};

void events_forget(struct events *events, struct event *event);
/* Begins to send the first, when there is one and nothing is on its way. */
void events_next(struct events *events);
void events_hang_up(struct events *events);

#endif
