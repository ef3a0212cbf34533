/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/events.h"

#include "cmd/containerd-shim-tote-v2/events_private.h"
#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVICE "containerd.services.events.ttrpc.v1.Events"
#define METHOD "Forward"
#define TYPE_PREFIX "containerd.events."
#define NAMESPACE_KEY "containerd-namespace-ttrpc"

void events_init(struct events *events, struct loop *loop, const char *address,
		 const char *namespace)
{
	*events = (struct events){
		.loop = loop, .address = address, .namespace = namespace, .fd = -1
	};
	list_init(&events->queue);
	events->pause_ms = EVENTS_PAUSE_MIN_MS;
}

static Shim__Timestamp now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return wire_time((int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
}

/* The request of Forward: an envelope with the message in it. */
static void pack_forward(const struct events *events, const char *topic,
			 const ProtobufCMessage *message, struct buf *out)
{
	autobuf value = BUF_INIT;
	char type[64];
	Shim__Any any = SHIM__ANY__INIT;
	Shim__Timestamp timestamp = now();
	Shim__Envelope envelope = SHIM__ENVELOPE__INIT;
	Shim__ForwardRequest forward = SHIM__FORWARD_REQUEST__INIT;

	wire_pack(message, &value);
	snprintf(type, sizeof(type), TYPE_PREFIX "%s", message->descriptor->short_name);
	any.type_url = type;
	any.value.data = (uint8_t *)value.data;
	any.value.len = value.len;
	envelope.timestamp = &timestamp;
	envelope.namespace_ = (char *)events->namespace;
	envelope.topic = (char *)topic;
	envelope.event = &any;
	forward.envelope = &envelope;
	wire_pack(&forward.base, out);
}

static void pack_request(const struct events *events, const struct buf *forward, struct buf *out)
{
	Shim__KeyValue namespace = SHIM__KEY_VALUE__INIT, *metadata[] = { &namespace };
	Shim__Request request = SHIM__REQUEST__INIT;

	namespace.key = (char *)NAMESPACE_KEY;
	namespace.value = (char *)events->namespace;
	request.service = (char *)SERVICE;
	request.method = (char *)METHOD;
	request.payload.data = (uint8_t *)forward->data;
	request.payload.len = forward->len;
	request.timeout_nano = EVENTS_ANSWER_MS * INT64_C(1000000);
	request.n_metadata = ARRAY_SIZE(metadata);
	request.metadata = metadata;
	wire_pack(&request.base, out);
}

/* In the order in which they are dropped: what a client can do without, what the end of a process
 * tells as well, and the ends. */
static enum event_worth worth_of(const char *topic)
{
	static const struct {
		const char *topic;
		enum event_worth worth;
	} topics[] = {
		{ "/tasks/oom", EVENT_MINOR },	   { "/tasks/paused", EVENT_MINOR },
		{ "/tasks/resumed", EVENT_MINOR }, { "/tasks/exit", EVENT_END },
		{ "/tasks/delete", EVENT_END },
	};

	for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
		if (strcmp(topic, topics[i].topic) == 0)
			return topics[i].worth;
	return EVENT_BEGIN;
}

void events_forget(struct events *events, struct event *event)
{
	list_remove(&event->link);
	events->count--;
	events->bytes -= sizeof(*event) + event->len;
	free(event);
}

/* The first may be half on its way: it stays. */
static bool may_go(const struct events *events, const struct event *event)
{
	return events->fd < 0 || events->queue.next != &event->link;
}

static bool drop_oldest(struct events *events, enum event_worth worth)
{
	for_list (event, &events->queue, struct event, link) {
		if (!may_go(events, event) || event->worth != worth)
			continue;
		events_forget(events, event);
		events->dropped++;
		return true;
	}
	return false;
}

static void make_room(struct events *events, size_t size)
{
	while (events->count >= EVENTS_MAX || events->bytes + size > EVENTS_BYTES_MAX)
		if (!drop_oldest(events, EVENT_MINOR) && !drop_oldest(events, EVENT_BEGIN) &&
		    !drop_oldest(events, EVENT_END))
			return;
}

static void queue(struct events *events, enum event_worth worth, const struct buf *request)
{
	size_t size = sizeof(struct event) + request->len;
	struct event *event;

	make_room(events, size);
	event = malloc(size);
	if (!event) {
		events->dropped++;
		return;
	}
	event->link = (struct list){ NULL, NULL };
	event->len = (uint32_t)request->len;
	event->worth = worth;
	memcpy(event->frame, request->data, request->len);
	events->count++;
	events->bytes += size;
	list_add(&events->queue, &event->link);
}

void events_publish(struct events *events, const char *topic, const ProtobufCMessage *message)
{
	autobuf forward = BUF_INIT, request = BUF_INIT;

	if (!events->address)
		return;
	/* Its stream is filled in when it is sent. */
	buf_reserve(&request, TTRPC_HEADER_SIZE);
	request.len = TTRPC_HEADER_SIZE;
	pack_forward(events, topic, message, &forward);
	pack_request(events, &forward, &request);
	if (request.len <= EVENTS_ONE_MAX)
		queue(events, worth_of(topic), &request);
	else
		events->dropped++;
	events_next(events);
}

void events_done(struct events *events)
{
	events_hang_up(events);
	loop_timer_clear(&events->timer);
	while (!list_empty(&events->queue))
		events_forget(events, container_of(events->queue.next, struct event, link));
}
