/* SPDX-License-Identifier: Apache-2.0 */
/* Events to a containerd that is played here: up, down, slow, silent, refusing. */
#include "cmd/containerd-shim-tote-v2/events.h"
#include "cmd/containerd-shim-tote-v2/ttrpc.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

/* For anything that is about to happen: the machine may be busy. */
#define PATIENCE_MS 20000

static struct loop loop;
static struct events events;
static char path[64];
static int listener = -1, peer = -1;

static void up(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 8), 0);
}

static void hang_up(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
}

static void down(void)
{
	hang_up();
	if (listener >= 0)
		close(listener);
	listener = -1;
	unlink(path);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_events.%d", getpid());
	if (loop_init(&loop) < 0)
		return -1;
	events_init(&events, &loop, path, "k8s.io");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	events_done(&events);
	down();
	loop_done(&loop);
	return events.count || events.bytes ? -1 : 0;
}

static void publish(const char *topic, uint32_t pid)
{
	Shim__TaskStart start = SHIM__TASK_START__INIT;

	start.container_id = (char *)"c";
	start.pid = pid;
	events_publish(&events, topic, &start.base);
}

static bool connected(int limit_ms)
{
	for (int64_t end = loop_now() + limit_ms; peer < 0 && loop_now() < end;) {
		loop_once(&loop, 5);
		peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	return peer >= 0;
}

static void receive(void *data, size_t len)
{
	size_t have = 0;

	for (int64_t end = loop_now() + PATIENCE_MS; have < len && loop_now() < end;) {
		ssize_t n = recv(peer, (char *)data + have, len - have, 0);

		if (n > 0)
			have += (size_t)n;
		else
			loop_once(&loop, 1);
	}
	assert_int_equal(have, len);
}

static Shim__TaskStart *check_envelope(const Shim__Request *request, const char *topic)
{
	Shim__ForwardRequest *forward = wire_unpack(&shim__forward_request__descriptor,
						    request->payload.data, request->payload.len);
	const Shim__Envelope *e;

	assert_string_equal(request->service, "containerd.services.events.ttrpc.v1.Events");
	assert_string_equal(request->method, "Forward");
	assert_int_equal(request->n_metadata, 1);
	assert_string_equal(request->metadata[0]->key, "containerd-namespace-ttrpc");
	assert_string_equal(request->metadata[0]->value, "k8s.io");
	assert_non_null(forward);
	e = forward->envelope;
	assert_non_null(e);
	assert_in_range(e->timestamp->seconds, time(NULL) - 100, time(NULL));
	assert_string_equal(e->namespace_, "k8s.io");
	if (topic)
		assert_string_equal(e->topic, topic);
	assert_string_equal(e->event->type_url, "containerd.events.TaskStart");
	return wire_unpack(&shim__task_start__descriptor, e->event->value.data,
			   e->event->value.len);
}

/* The next request, which must be of the topic (NULL: any); its pid and stream. */
static uint32_t expect_event(const char *topic, uint32_t *ret_stream)
{
	uint8_t header[TTRPC_HEADER_SIZE];
	struct ttrpc_frame frame;
	autofree uint8_t *data = NULL;
	Shim__TaskStart *start;
	Shim__Request *request;
	uint32_t pid;

	receive(header, sizeof(header));
	ttrpc_header_read(header, &frame);
	assert_int_equal(frame.type, TTRPC_REQUEST);
	assert_int_equal(frame.flags, 0);
	data = malloc(frame.len + 1);
	receive(data, frame.len);
	request = wire_unpack(&shim__request__descriptor, data, frame.len);
	assert_non_null(request);
	start = check_envelope(request, topic);
	assert_non_null(start);
	assert_string_equal(start->container_id, "c");
	pid = start->pid;
	*ret_stream = frame.stream;
	wire_reset();
	return pid;
}

static void send_frame(uint32_t stream, uint8_t type, const void *data, size_t len)
{
	struct ttrpc_frame frame = { .len = (uint32_t)len, .stream = stream, .type = type };
	uint8_t header[TTRPC_HEADER_SIZE];

	ttrpc_header_write(&frame, header);
	assert_int_equal(send(peer, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	if (len)
		assert_int_equal(send(peer, data, len, MSG_NOSIGNAL), len);
}

static void take(uint32_t stream)
{
	send_frame(stream, TTRPC_RESPONSE, NULL, 0);
}

static void refuse(uint32_t stream, int code)
{
	Shim__Status status = SHIM__STATUS__INIT;
	Shim__Response response = SHIM__RESPONSE__INIT;
	autobuf b = BUF_INIT;

	status.code = code;
	status.message = (char *)"no";
	response.status = &status;
	wire_pack(&response.base, &b);
	send_frame(stream, TTRPC_RESPONSE, b.data, b.len);
}

static void expect_nothing(int ms)
{
	char c;

	for (int64_t end = loop_now() + ms; loop_now() < end;)
		loop_once(&loop, 1);
	assert_int_equal(recv(peer, &c, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void in_order(void **state)
{
	uint32_t stream;

	(void)state;
	up();
	for (uint32_t i = 0; i < 20; i++)
		publish("/tasks/start", i);
	assert_true(connected(PATIENCE_MS));
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(expect_event("/tasks/start", &stream), i);
		assert_int_equal(stream, 2 * i + 1);
		/* One at a time. */
		if (i == 5)
			expect_nothing(10);
		take(stream);
	}
	expect_nothing(10);
	assert_int_equal(events.count, 0);
	assert_int_equal(events.bytes, 0);
	assert_int_equal(events.dropped, 0);
	/* Nothing is held while there is nothing to do, and the connection is used again. */
	assert_null(events.in.data);
	publish("/tasks/exit", 99);
	assert_int_equal(expect_event("/tasks/exit", &stream), 99);
	assert_int_equal(stream, 41);
}

static void nobody_to_tell(void **state)
{
	(void)state;
	events_done(&events);
	events_init(&events, &loop, NULL, "k8s.io");
	publish("/tasks/start", 1);
	assert_int_equal(events.count, 0);
	events_flush(&events, 1000);
}

static void down_then_up(void **state)
{
	uint32_t stream;
	int64_t begun = loop_now();

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		publish("/tasks/start", i);
	/* It tries after 100, 200, 400 ms, and next after 800. */
	while (events.pause_ms < 1600 && loop_now() - begun < PATIENCE_MS)
		loop_once(&loop, 10);
	assert_int_equal(events.pause_ms, 1600);
	assert_in_range(events.timer.due - begun, 1500, PATIENCE_MS);
	assert_true(events.timer.due - loop_now() <= 800);
	up();
	assert_true(connected(PATIENCE_MS));
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(expect_event("/tasks/start", &stream), i);
		take(stream);
	}
	expect_nothing(10);
	assert_int_equal(events.pause_ms, 100);
}

static void pauses_are_bounded(void **state)
{
	(void)state;
	publish("/tasks/start", 1);
	for (int i = 0; i < 10; i++) {
		struct loop_timer *t = &events.timer;

		assert_non_null(t->link.next);
		loop_timer_clear(t);
		t->fire(t);
	}
	assert_int_equal(events.pause_ms, 5000);
	assert_int_equal(events.count, 1);
}

/* While there is nothing to say the connection ends and is not made anew. */
static void restart_while_idle(void **state)
{
	uint32_t stream;

	(void)state;
	up();
	publish("/tasks/start", 1);
	assert_true(connected(PATIENCE_MS));
	expect_event("/tasks/start", &stream);
	take(stream);
	expect_nothing(10);
	down();
	up();
	for (int i = 0; i < 10; i++)
		loop_once(&loop, 1);
	assert_int_equal(events.fd, -1);
	assert_null(events.timer.link.next);
	assert_false(connected(250));
	publish("/tasks/start", 2);
	assert_true(connected(PATIENCE_MS));
	assert_int_equal(expect_event("/tasks/start", &stream), 2);
	assert_int_equal(stream, 1);
}

/* The answer is lost: the same again, and in order. */
static void lost_answer(void **state)
{
	uint32_t stream;

	(void)state;
	up();
	publish("/tasks/start", 1);
	publish("/tasks/start", 2);
	assert_true(connected(PATIENCE_MS));
	assert_int_equal(expect_event("/tasks/start", &stream), 1);
	hang_up();
	assert_true(connected(PATIENCE_MS));
	assert_int_equal(expect_event("/tasks/start", &stream), 1);
	take(stream);
	assert_int_equal(expect_event("/tasks/start", &stream), 2);
}

static void no_answer(void **state)
{
	uint32_t stream;
	int64_t begun = loop_now();

	(void)state;
	up();
	publish("/tasks/start", 1);
	assert_true(connected(PATIENCE_MS));
	assert_int_equal(expect_event("/tasks/start", &stream), 1);
	assert_true(events.timer.due - begun >= 5000);
	assert_true(events.timer.due - loop_now() <= 5000);
	/* Five seconds later. */
	loop_timer_clear(&events.timer);
	events.timer.fire(&events.timer);
	assert_int_equal(events.fd, -1);
	hang_up();
	assert_true(connected(PATIENCE_MS));
	assert_int_equal(expect_event("/tasks/start", &stream), 1);
	assert_int_equal(stream, 1);
}

/* Longer than the socket takes at once. */
static void half_written(void **state)
{
	enum { LEN = 60000 };
	Shim__TaskCreate create = SHIM__TASK_CREATE__INIT;
	autofree char *text = malloc(LEN + 1);
	autofree uint8_t *data = malloc(LEN + 1000);
	uint8_t header[TTRPC_HEADER_SIZE];
	struct ttrpc_frame frame;
	int small = 4608;

	(void)state;
	up();
	memset(text, 'x', LEN);
	text[LEN] = '\0';
	create.bundle = text;
	publish("/tasks/start", 1);
	assert_true(connected(PATIENCE_MS));
	setsockopt(events.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	events_publish(&events, "/tasks/create", &create.base);
	publish("/tasks/exit", 3);
	expect_event("/tasks/start", &frame.stream);
	take(frame.stream);
	for (int i = 0; i < 10; i++)
		loop_once(&loop, 1);
	assert_in_range(events.sent, 1, LEN);
	/* It is gone in the middle: all of it again, on the next connection. */
	receive(header, 5);
	hang_up();
	assert_true(connected(PATIENCE_MS));
	setsockopt(events.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	receive(header, sizeof(header));
	ttrpc_header_read(header, &frame);
	assert_in_range(frame.len, LEN, LEN + 900);
	receive(data, frame.len);
	assert_non_null(memmem(data, frame.len, text, LEN));
	take(frame.stream);
	assert_int_equal(expect_event("/tasks/exit", &frame.stream), 3);
}

static void answers_in_pieces(void **state)
{
	uint32_t stream;

	(void)state;
	up();
	publish("/tasks/start", 1);
	publish("/tasks/start", 2);
	assert_true(connected(PATIENCE_MS));
	expect_event("/tasks/start", &stream);
	/* What is no answer to it, then the answer byte by byte. */
	send_frame(stream + 2, TTRPC_RESPONSE, NULL, 0);
	send_frame(stream, TTRPC_REQUEST, "abc", 3);
	send_frame(stream, 77, "abc", 3);
	expect_nothing(10);
	for (int i = 0; i < TTRPC_HEADER_SIZE; i++) {
		assert_int_equal(send(peer, "\0\0\0\0\0\0\0\x01\x02\0" + i, 1, 0), 1);
		loop_once(&loop, 100);
	}
	assert_int_equal(expect_event("/tasks/start", &stream), 2);
	assert_int_equal(stream, 3);
}

static void nonsense_for_an_answer(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "\0\0\0\x02\0\0\0\x01\x02\0\x0a\xff", 12 }, /* no Response */
		{ "\0\x02\0\0\0\0\0\x01\x02\0", 10 },	      /* 128 KiB are to follow */
		{ "\xff\xff\xff\xff\0\0\0\x01\x02\0", 10 },
	};
	uint32_t stream;

	(void)state;
	up();
	publish("/tasks/start", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(connected(PATIENCE_MS));
		assert_int_equal(expect_event("/tasks/start", &stream), 1);
		assert_int_equal(send(peer, cases[i].bytes, cases[i].len, 0), cases[i].len);
		for (int j = 0; j < 10; j++)
			loop_once(&loop, 1);
		assert_int_equal(events.fd, -1);
		hang_up();
	}
	assert_int_equal(events.count, 1);
	assert_int_equal(events.dropped, 0);
}

static void error_answers(void **state)
{
	uint32_t stream;

	(void)state;
	up();
	publish("/tasks/start", 1);
	publish("/tasks/start", 2);
	publish("/tasks/start", 3);
	/* Invalid: not again. */
	assert_true(connected(PATIENCE_MS));
	assert_int_equal(expect_event("/tasks/start", &stream), 1);
	refuse(stream, TTRPC_INVALID_ARGUMENT);
	/* Other errors: five times. */
	for (int i = 0; i < 5; i++) {
		expect_nothing(0);
		for (int j = 0; j < 10; j++)
			loop_once(&loop, 1);
		hang_up();
		assert_int_equal(events.dropped, 1);
		events.pause_ms = 1;
		assert_true(connected(PATIENCE_MS));
		assert_int_equal(expect_event("/tasks/start", &stream), 2);
		refuse(stream, TTRPC_UNAVAILABLE);
	}
	for (int j = 0; j < 10; j++)
		loop_once(&loop, 1);
	assert_int_equal(events.dropped, 2);
	hang_up();
	assert_true(connected(PATIENCE_MS));
	assert_int_equal(expect_event("/tasks/start", &stream), 3);
	take(stream);
	expect_nothing(10);
	assert_int_equal(events.count, 0);
	assert_int_equal(events.dropped_told, 2);
}

/* The minor ones go first, then the oldest; the rest comes in order. */
static void full(void **state)
{
	static const char *const minor[] = { "/tasks/oom", "/tasks/paused", "/tasks/resumed" };
	uint32_t stream, last = 0, count = 0, pid;

	(void)state;
	for (uint32_t i = 1; i <= 900; i++)
		publish(i % 2 ? "/tasks/start" : minor[i / 2 % 3], i);
	assert_in_range(events.count, 100, EVENTS_MAX);
	assert_in_range(events.bytes, EVENTS_BYTES_MAX - 1000, EVENTS_BYTES_MAX);
	assert_int_equal(events.dropped, 900 - events.count);
	up();
	events.pause_ms = 1;
	assert_true(connected(PATIENCE_MS));
	for (; events.count; count++) {
		pid = expect_event(NULL, &stream);
		assert_true(pid > last);
		/* As long as there is a minor one, no other goes. */
		if (count < 100)
			assert_int_equal(pid % 2, 1);
		last = pid;
		take(stream);
		for (int i = 0; i < 3; i++)
			loop_once(&loop, 0);
	}
	assert_int_equal(last, 900);
	assert_int_equal(events.dropped_told, 900 - count);
}

static void full_of_others(void **state)
{
	uint32_t stream, first;

	(void)state;
	up();
	publish("/tasks/start", 0);
	assert_true(connected(PATIENCE_MS));
	for (uint32_t i = 1; i <= 1500; i++)
		publish("/tasks/start", i);
	/* What is on its way stays, the oldest behind it are gone. */
	assert_int_equal(expect_event("/tasks/start", &stream), 0);
	take(stream);
	first = expect_event("/tasks/start", &stream);
	assert_int_equal(first, 1501 - events.count);
	assert_true(first > 400);
}

static void too_long(void **state)
{
	enum { LEN = 100000 };
	Shim__TaskCreate create = SHIM__TASK_CREATE__INIT;
	autofree char *text = malloc(LEN + 1);

	(void)state;
	memset(text, 'x', LEN);
	text[LEN] = '\0';
	create.bundle = text;
	publish("/tasks/start", 1);
	events_publish(&events, "/tasks/create", &create.base);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.dropped, 1);
}

/* A containerd in a process of its own that takes so many events and ends. */
static pid_t other_containerd(int count)
{
	pid_t pid = fork();

	if (pid == 0) {
		uint8_t header[TTRPC_HEADER_SIZE], data[4096];

		fcntl(listener, F_SETFL, 0);
		peer = accept(listener, NULL, NULL);
		for (int i = 0; i < count; i++) {
			struct ttrpc_frame frame;

			if (fd_read_full(peer, header, sizeof(header)) != sizeof(header))
				_exit(1);
			ttrpc_header_read(header, &frame);
			if (frame.len > sizeof(data) ||
			    fd_read_full(peer, data, frame.len) != frame.len)
				_exit(1);
			usleep(1000);
			frame.len = 0;
			frame.type = TTRPC_RESPONSE;
			ttrpc_header_write(&frame, header);
			fd_write_full(peer, header, sizeof(header));
		}
		_exit(0);
	}
	return pid;
}

static void flushing(void **state)
{
	int64_t begun = loop_now();
	int status;
	pid_t pid;

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		publish("/tasks/exit", i);
	/* Nobody is there: it ends in time. */
	events_flush(&events, 250);
	assert_in_range(loop_now() - begun, 250, PATIENCE_MS);
	assert_int_equal(events.count, 30);
	up();
	pid = other_containerd(30);
	begun = loop_now();
	events_flush(&events, PATIENCE_MS);
	assert_int_equal(events.count, 0);
	assert_in_range(loop_now() - begun, 30, PATIENCE_MS - 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Somebody is there and does not answer. */
	publish("/tasks/exit", 1);
	begun = loop_now();
	events_flush(&events, 50);
	assert_in_range(loop_now() - begun, 50, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(in_order),		  TEST(nobody_to_tell),
		TEST(down_then_up),	  TEST(pauses_are_bounded),
		TEST(restart_while_idle), TEST(lost_answer),
		TEST(no_answer),	  TEST(half_written),
		TEST(answers_in_pieces),  TEST(nonsense_for_an_answer),
		TEST(error_answers),	  TEST(full),
		TEST(full_of_others),	  TEST(too_long),
		TEST(flushing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
