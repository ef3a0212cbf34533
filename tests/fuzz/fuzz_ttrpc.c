/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What any bytes on a connection do: they are frames or not, each request is unpacked as what its
 * method says, or as every kind there is, and answered, kept or failed as its length says. The first
 * byte tells how large the pieces are in which they come, and on which side: to the server, or
 * as the answer to an event. 0: no connection, a message of the kind that the second byte says.
 */
#include "cmd/containerd-shim-tote-v2/events.h"
#include "cmd/containerd-shim-tote-v2/ttrpc_private.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
	&shim__state_request__descriptor,      &shim__create_request__descriptor,
	&shim__start_request__descriptor,      &shim__delete_request__descriptor,
	&shim__pids_request__descriptor,       &shim__pause_request__descriptor,
	&shim__resume_request__descriptor,     &shim__checkpoint_request__descriptor,
	&shim__kill_request__descriptor,       &shim__exec_request__descriptor,
	&shim__resize_pty_request__descriptor, &shim__close_iorequest__descriptor,
	&shim__update_request__descriptor,     &shim__wait_request__descriptor,
	&shim__stats_request__descriptor,      &shim__connect_request__descriptor,
	&shim__shutdown_request__descriptor,   &shim__request__descriptor,
	&shim__response__descriptor,	       &shim__bootstrap_params__descriptor,
	&shim__runc_options__descriptor,       &shim__generic_options__descriptor,
	&shim__legacy_options__descriptor,     &shim__any__descriptor,
};

static struct loop loop;
static struct list waiting;
static struct ttrpc_call *working;

/* What was unpacked can be packed, and comes back as the same bytes. */
static void round_trip(const ProtobufCMessageDescriptor *type, const uint8_t *payload, size_t len,
		       struct buf *out)
{
	ProtobufCMessage *message = wire_unpack(type, payload, len);
	autobuf again = BUF_INIT;

	buf_reset(out);
	if (!message)
		return;
	wire_pack(message, out);
	message = wire_unpack(type, out->data, out->len);
	if (!message)
		return; /* more memory than one request is given */
	wire_pack(message, &again);
	if (again.len != out->len || (out->len && memcmp(again.data, out->data, out->len) != 0))
		abort();
}

static void handle(struct ttrpc_server *server, struct ttrpc_call *call, const char *service,
		   const char *method, const uint8_t *payload, size_t len)
{
	autobuf out = BUF_INIT;
	bool known = false;

	(void)server;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t name = strlen(types[i]->short_name) - strlen("Request");

		known = strncmp(method, types[i]->short_name, name) == 0 && !method[name];
		if (known || !*method)
			round_trip(types[i], payload, len, &out);
		if (known)
			break;
	}
	if (len % 4 == 0)
		list_add(&waiting, &call->waiting);
	else if (len % 4 == 1 && !working)
		working = call;
	else if (len % 4 == 2)
		ttrpc_reply(call, out.data, out.len);
	else
		ttrpc_fail(call, TTRPC_UNIMPLEMENTED, "%s of %s", method, service);
}

/* Writes in pieces, and reads what comes back; some of it is never read. */
static void talk(int fd, const uint8_t *data, size_t size, size_t piece)
{
	static char answers[4096];

	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (send(fd, data + at, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		loop_once(&loop, 0);
		if (piece % 2)
			recv(fd, answers, sizeof(answers), MSG_DONTWAIT);
	}
	for (int i = 0; i < 4; i++)
		loop_once(&loop, 0);
}

static void to_server(const uint8_t *data, size_t size, size_t piece)
{
	struct ttrpc_server server = { .loop = &loop, .handle = handle };
	int pair[2];

	list_init(&server.connections);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	    ttrpc_connection_add(&server, pair[0]) < 0)
		abort();
	talk(pair[1], data, size, piece);
	if (piece % 3 == 0 && working)
		ttrpc_reply(take_ptr(working), data, size);
	close(pair[1]);
	loop_once(&loop, 0);
	ttrpc_server_done(&server);
	if (working)
		ttrpc_fail(take_ptr(working), TTRPC_UNKNOWN, "late");
	if (!list_empty(&waiting) || !list_empty(&loop.timers))
		abort();
}

static void alone(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
	autobuf out = BUF_INIT;

	round_trip(type, data, size, &out);
	wire_reset();
}

static char path[64];

static void remove_path(void)
{
	unlink(path);
}

static int listen_for_events(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, sizeof(path), "/tmp/fuzz_ttrpc.%d", getpid());
	strcpy(addr.sun_path, path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0)
		abort();
	atexit(remove_path);
	return fd;
}

static void to_events(const uint8_t *data, size_t size, size_t piece)
{
	static int listener = -1;
	Shim__TaskOOM oom = SHIM__TASK_OOM__INIT;
	struct events events;
	int fd;

	if (listener < 0)
		listener = listen_for_events();
	events_init(&events, &loop, path, "n");
	for (int i = 0; i < 3; i++)
		events_publish(&events, "/tasks/oom", &oom.base);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		abort();
	talk(fd, data, size, piece);
	close(fd);
	loop_once(&loop, 0);
	if (events.count + events.dropped > 3)
		abort();
	events_done(&events);
	if (events.count || events.bytes || !list_empty(&loop.timers))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;

	if (!size)
		return 0;
	if (!waiting.next) {
		list_init(&waiting);
		if (loop_init(&loop) < 0)
			abort();
	}
	piece = data[0] & 0x7e ? data[0] & 0x7f : 4096;
	if (!data[0] && size > 1)
		alone(types[data[1] % ARRAY_SIZE(types)], data + 2, size - 2);
	else if (data[0] & 0x80)
		to_events(data + 1, size - 1, piece);
	else
		to_server(data + 1, size - 1, piece);
	return 0;
}
