/* SPDX-License-Identifier: Apache-2.0 */
/* The server with real sockets: a client of bytes, and a handler that answers by the method's name. */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define SERVICE "containerd.task.v2.Task"

static struct loop loop;
static struct ttrpc_server server;
static struct list waiting;
static struct ttrpc_call *working[8];
static size_t working_count, handled, openings, closings, connected;
static int listener;
static char path[64];

static void answer(struct ttrpc_call *call, size_t len)
{
	autofree char *data = malloc(len + 1);

	memset(data, 'z', len);
	ttrpc_reply(call, data, len);
}

static void handle(struct ttrpc_server *s, struct ttrpc_call *call, const char *service,
		   const char *method, const uint8_t *payload, size_t len)
{
	assert_ptr_equal(s, &server);
	handled++;
	if (strcmp(method, "Echo") == 0) {
		ttrpc_reply(call, payload, len);
	} else if (strcmp(method, "Wait") == 0) {
		list_add(&waiting, &call->waiting);
	} else if (strcmp(method, "Work") == 0 && working_count < ARRAY_SIZE(working)) {
		working[working_count++] = call;
	} else if (strcmp(method, "Long") == 0) {
		answer(call, 60000);
	} else if (strcmp(method, "Longest") == 0) {
		answer(call, TTRPC_DATA_MAX);
	} else if (strcmp(method, "Close") == 0) {
		ttrpc_server_done(s);
		ttrpc_reply(call, NULL, 0);
	} else {
		ttrpc_fail(call, TTRPC_UNIMPLEMENTED, "%s of %s\xff", method, service);
	}
}

static void changed(struct ttrpc_server *s)
{
	assert_ptr_equal(s, &server);
	closings += s->connection_count < connected;
	openings += s->connection_count > connected;
	connected = s->connection_count;
}

static int set_up(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_ttrpc.%d", getpid());
	strcpy(addr.sun_path, path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(path, 0666) < 0 || listen(listener, 128) < 0)
		return -1;
	list_init(&waiting);
	working_count = handled = openings = closings = connected = 0;
	server = (struct ttrpc_server){ .handle = handle, .changed = changed };
	if (loop_init(&loop) < 0)
		return -1;
	return ttrpc_server_init(&server, &loop, listener);
}

static int tear_down(void **state)
{
	(void)state;
	ttrpc_server_done(&server);
	loop_done(&loop);
	close(listener);
	unlink(path);
	/* Whatever happened, nothing waits without a connection. */
	return list_empty(&waiting) && list_empty(&server.connections) ? 0 : -1;
}

static void pump(void)
{
	for (int i = 0; i < 50; i++)
		loop_once(&loop, 0);
}

static int client_open(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(fd_connect(fd, path), 0);
	pump();
	return fd;
}

static void send_frame(int fd, uint32_t stream, uint8_t type, const void *data, size_t len)
{
	struct ttrpc_frame frame = { .len = (uint32_t)len, .stream = stream, .type = type };
	uint8_t header[TTRPC_HEADER_SIZE];

	ttrpc_header_write(&frame, header);
	assert_int_equal(fd_write_full(fd, header, sizeof(header)), 0);
	assert_int_equal(fd_write_full(fd, data, len), 0);
}

/* A request as bytes behind what is in the buffer. */
static void add_request(struct buf *b, uint32_t stream, const char *method, const char *payload,
			int64_t timeout_ns)
{
	Shim__Request request = SHIM__REQUEST__INIT;
	struct ttrpc_frame frame = { .stream = stream, .type = TTRPC_REQUEST };

	request.service = (char *)SERVICE;
	request.method = (char *)method;
	request.payload.data = (uint8_t *)payload;
	request.payload.len = payload ? strlen(payload) : 0;
	request.timeout_nano = timeout_ns;
	frame.len = (uint32_t)shim__request__get_packed_size(&request);
	ttrpc_header_write(&frame, (uint8_t *)buf_reserve(b, TTRPC_HEADER_SIZE));
	b->len += TTRPC_HEADER_SIZE;
	wire_pack(&request.base, b);
}

static void send_request(int fd, uint32_t stream, const char *method, const char *payload)
{
	autobuf b = BUF_INIT;

	add_request(&b, stream, method, payload, 0);
	assert_int_equal(fd_write_full(fd, b.data, b.len), 0);
	pump();
}

/* The next bytes, or less when none come for a second. */
static size_t receive(int fd, void *data, size_t len)
{
	size_t have = 0;

	for (int i = 0; i < 1000 && have < len; i++) {
		ssize_t n = recv(fd, (char *)data + have, len - have, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			have += (size_t)n;
		else
			loop_once(&loop, 1);
	}
	return have;
}

static struct ttrpc_frame expect_frame(int fd, struct buf *ret_data)
{
	uint8_t header[TTRPC_HEADER_SIZE];
	struct ttrpc_frame frame;

	assert_int_equal(receive(fd, header, sizeof(header)), sizeof(header));
	ttrpc_header_read(header, &frame);
	assert_int_equal(frame.type, TTRPC_RESPONSE);
	assert_int_equal(frame.flags, 0);
	buf_reset(ret_data);
	assert_int_equal(receive(fd, buf_reserve(ret_data, frame.len), frame.len), frame.len);
	ret_data->len = frame.len;
	return frame;
}

static void expect_error(int fd, uint32_t stream, int code, const char *message)
{
	autobuf data = BUF_INIT;
	struct ttrpc_frame frame = expect_frame(fd, &data);
	Shim__Response *r = shim__response__unpack(NULL, frame.len, (uint8_t *)data.data);

	assert_int_equal(frame.stream, stream);
	assert_non_null(r);
	assert_non_null(r->status);
	assert_int_equal(r->status->code, code);
	assert_string_equal(r->status->message, message);
	shim__response__free_unpacked(r, NULL);
}

static void expect_success(int fd, uint32_t stream, size_t len)
{
	autobuf data = BUF_INIT;
	struct ttrpc_frame frame = expect_frame(fd, &data);
	Shim__Response *r = shim__response__unpack(NULL, frame.len, (uint8_t *)data.data);

	assert_int_equal(frame.stream, stream);
	assert_non_null(r);
	assert_null(r->status);
	assert_int_equal(r->payload.len, len);
	shim__response__free_unpacked(r, NULL);
}

static void expect_silence(int fd)
{
	char c;

	pump();
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect_end(int fd)
{
	char c;

	pump();
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 0);
}

/* The request of shim-protocol's example: Connect for "p1" on stream 3. */
static void known_bytes(void **state)
{
	static const char request[] = "\0\0\0\x28\0\0\0\x03\x01\0\x0a\x17" SERVICE "\x12\x07"
				      "Connect\x1a\x04\x0a\x02p1";
	static const char refused[] = "\0\0\0\x29\0\0\0\x03\x02\0\x0a\x27\x08\x0c\x12\x23"
				      "Connect of " SERVICE "?";
	autofd fd = client_open();
	char data[sizeof(refused)];

	(void)state;
	assert_int_equal(fd_write_full(fd, request, sizeof(request) - 1), 0);
	assert_int_equal(receive(fd, data, sizeof(refused) - 1), sizeof(refused) - 1);
	assert_memory_equal(data, refused, sizeof(refused) - 1);
	/* Success with nothing to say is no bytes at all. */
	send_request(fd, 5, "Echo", NULL);
	assert_int_equal(receive(fd, data, TTRPC_HEADER_SIZE), TTRPC_HEADER_SIZE);
	assert_memory_equal(data, "\0\0\0\0\0\0\0\x05\x02\0", TTRPC_HEADER_SIZE);
	expect_silence(fd);
}

static void byte_by_byte(void **state)
{
	autofd fd = client_open();
	autobuf b = BUF_INIT;

	(void)state;
	add_request(&b, 1, "Echo", "hello", 0);
	add_request(&b, 3, "Echo", "", 0);
	for (size_t i = 0; i < b.len; i++) {
		assert_int_equal(write(fd, b.data + i, 1), 1);
		loop_once(&loop, 100);
	}
	expect_success(fd, 1, 5);
	expect_success(fd, 3, 0);
}

/* Cut anywhere into two, and many in one piece. */
static void fragments(void **state)
{
	autofd fd = client_open();
	autobuf b = BUF_INIT;
	uint32_t stream = 1;

	(void)state;
	add_request(&b, 1, "Echo", "12345678", 0);
	for (size_t cut = 1; cut < b.len; cut++, stream += 2) {
		buf_reset(&b);
		add_request(&b, stream, "Echo", "12345678", 0);
		assert_int_equal(fd_write_full(fd, b.data, cut), 0);
		pump();
		assert_int_equal(fd_write_full(fd, b.data + cut, b.len - cut), 0);
		expect_success(fd, stream, 8);
	}
	buf_reset(&b);
	for (int i = 0; i < 200; i++)
		add_request(&b, stream + 2 * (uint32_t)i, "Echo", "12345678", 0);
	assert_int_equal(fd_write_full(fd, b.data, b.len), 0);
	for (int i = 0; i < 200; i++)
		expect_success(fd, stream + 2 * (uint32_t)i, 8);
}

static void write_slowly(int fd, const void *data, size_t len)
{
	int idle = 0;

	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const char *)data + done, len - done, MSG_DONTWAIT);

		if (n > 0)
			done += (size_t)n;
		else
			loop_once(&loop, 10);
		idle = n > 0 ? 0 : idle + 1;
		assert_true(idle < 500);
	}
}

static void large_and_too_large(void **state)
{
	autofd fd = client_open();
	autofree char *text = malloc(TTRPC_DATA_MAX + 2);
	autobuf b = BUF_INIT;
	/* What is around the payload. */
	size_t extra = 2 + strlen(SERVICE) + 2 + strlen("Echo") + 5;

	(void)state;
	memset(text, 'x', TTRPC_DATA_MAX + 1);
	text[TTRPC_DATA_MAX - extra] = '\0';
	add_request(&b, 1, "Echo", text, 0);
	assert_int_equal(b.len, TTRPC_HEADER_SIZE + TTRPC_DATA_MAX);
	write_slowly(fd, b.data, b.len);
	expect_success(fd, 1, TTRPC_DATA_MAX - extra);

	buf_reset(&b);
	text[TTRPC_DATA_MAX - extra] = 'x';
	text[TTRPC_DATA_MAX - extra + 1] = '\0';
	add_request(&b, 3, "Echo", text, 0);
	add_request(&b, 5, "Echo", "next", 0);
	write_slowly(fd, b.data, b.len);
	expect_error(fd, 3, TTRPC_RESOURCE_EXHAUSTED,
		     "message length 4194305 exceed maximum message size of 4194304");
	expect_success(fd, 5, 4);
	send_request(fd, 7, "Longest", NULL);
	expect_error(fd, 7, TTRPC_RESOURCE_EXHAUSTED,
		     "answer of 4194304 bytes exceeds the limit of 4194304");
}

/* The largest length there is: it is only announced. */
static void announced(void **state)
{
	autofd fd = client_open();

	(void)state;
	assert_int_equal(fd_write_full(fd, "\xff\xff\xff\xff\0\0\0\x01\x01\0", 10), 0);
	expect_error(fd, 1, TTRPC_RESOURCE_EXHAUSTED,
		     "message length 4294967295 exceed maximum message size of 4194304");
	for (int i = 0; i < 100; i++)
		send_request(fd, 3, "Echo", "swallowed");
	expect_silence(fd);
	assert_int_equal(handled, 0);
}

static void streams(void **state)
{
	autofd fd = client_open();

	(void)state;
	send_request(fd, 2, "Echo", NULL);
	expect_error(fd, 2, 3, "StreamID must be odd for client initiated streams");
	send_request(fd, 0, "Echo", NULL);
	expect_error(fd, 0, 3, "StreamID must be odd for client initiated streams");
	send_request(fd, 5, "Echo", NULL);
	expect_success(fd, 5, 0);
	send_request(fd, 5, "Echo", NULL);
	expect_error(fd, 5, 3, "StreamID cannot be re-used and must increment");
	send_request(fd, 3, "Echo", NULL);
	expect_error(fd, 3, 3, "StreamID cannot be re-used and must increment");
	send_request(fd, UINT32_MAX, "Echo", NULL);
	expect_success(fd, UINT32_MAX, 0);
	assert_int_equal(handled, 2);
}

static void other_frames(void **state)
{
	autofd fd = client_open();

	(void)state;
	/* Types we do not know, and answers, mean nothing. */
	send_frame(fd, 1, 0, "x", 1);
	send_frame(fd, 2, 4, "x", 1);
	send_frame(fd, 1, 255, NULL, 0);
	send_frame(fd, 1, TTRPC_RESPONSE, "x", 1);
	expect_silence(fd);
	send_frame(fd, 1, TTRPC_DATA, "x", 1);
	expect_error(fd, 1, 3, "StreamID is of no stream that takes data");
	send_frame(fd, 1, TTRPC_REQUEST, "\x0a\xff", 2);
	expect_error(fd, 1, 3, "unmarshal request error: not a request");
	send_frame(fd, 3, TTRPC_REQUEST, "\x12\x02\xff\xff", 4);
	expect_error(fd, 3, 3, "unmarshal request error: not a request");
	/* No names at all are names that nobody knows. */
	send_frame(fd, 5, TTRPC_REQUEST, NULL, 0);
	expect_error(fd, 5, 12, " of ?");
}

static void answers_out_of_order(void **state)
{
	autofd fd = client_open();

	(void)state;
	send_request(fd, 1, "Work", NULL);
	send_request(fd, 3, "Work", NULL);
	send_request(fd, 5, "Echo", NULL);
	expect_success(fd, 5, 0);
	ttrpc_reply(working[1], "ab", 2);
	ttrpc_fail(working[0], TTRPC_NOT_FOUND, "no %s: not found", "x");
	expect_success(fd, 3, 2);
	expect_error(fd, 1, 5, "no x: not found");
}

static void long_messages(void **state)
{
	autofd fd = client_open();
	char text[2000], expected[1024];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	/* Its second byte is behind the limit. */
	memcpy(text + 1022, "\xc3\xa4", 2);
	memcpy(expected, text, 1022);
	expected[1022] = '?';
	expected[1023] = '\0';
	send_request(fd, 1, "Work", NULL);
	ttrpc_fail(working[0], TTRPC_UNKNOWN, "%s", text);
	expect_error(fd, 1, 2, expected);
}

static void closing_in_the_middle(void **state)
{
	autobuf b = BUF_INIT;

	(void)state;
	add_request(&b, 1, "Echo", "hello", 0);
	for (size_t cut = 0; cut <= b.len; cut++) {
		int fd = client_open();

		assert_int_equal(fd_write_full(fd, b.data, cut), 0);
		if (cut % 2)
			pump();
		close(fd);
		pump();
		assert_true(list_empty(&server.connections));
		assert_int_equal(closings, cut + 1);
	}
	assert_int_equal(handled, 1);
}

static void waiting_calls(void **state)
{
	int a = client_open();
	autofd b = client_open();

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		send_request(a, 1 + 2 * i, "Wait", NULL);
		send_request(b, 1 + 2 * i, "Wait", NULL);
	}
	send_request(a, 31, "Work", NULL);
	close(a);
	pump();
	/* Those of b are left, in order, and what works for a may answer to nobody. */
	assert_null(working[0]->connection);
	ttrpc_reply(working[0], "x", 1);
	for (uint32_t i = 0; i < 10; i++) {
		struct list *link = list_pop(&waiting);

		assert_non_null(link);
		ttrpc_reply(container_of(link, struct ttrpc_call, waiting), NULL, 0);
		expect_success(b, 1 + 2 * i, 0);
	}
	assert_true(list_empty(&waiting));
}

/* The peer is gone, and nobody has noticed: answering all that wait must not free them meanwhile. */
static void answers_to_a_closed_socket(void **state)
{
	int fd = client_open();

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		send_request(fd, 1 + 2 * i, "Wait", NULL);
	close(fd);
	for_list (call, &waiting, struct ttrpc_call, waiting)
		ttrpc_reply(call, "x", 1);
	assert_true(list_empty(&waiting));
	assert_int_equal(closings, 0);
	pump();
	assert_int_equal(closings, 1);
}

static void deadlines(void **state)
{
	autofd fd = client_open();
	autobuf b = BUF_INIT;
	int64_t begun = loop_now();

	(void)state;
	add_request(&b, 1, "Wait", NULL, 20 * 1000000);
	add_request(&b, 3, "Work", NULL, 10 * 1000000);
	add_request(&b, 5, "Wait", NULL, INT64_MAX);
	add_request(&b, 7, "Wait", NULL, -1);
	add_request(&b, 9, "Echo", NULL, 1);
	assert_int_equal(fd_write_full(fd, b.data, b.len), 0);
	expect_success(fd, 9, 0);
	expect_error(fd, 3, TTRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	expect_error(fd, 1, TTRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	assert_in_range(loop_now() - begun, 20, 20000);
	/* The answer that comes now is dropped. */
	assert_null(working[0]->connection);
	ttrpc_reply(working[0], NULL, 0);
	expect_silence(fd);
	/* Two are still waiting. */
	assert_ptr_equal(waiting.next->next, waiting.prev);
	assert_ptr_not_equal(waiting.next, waiting.prev);
}

static void slow_reader(void **state)
{
	autofd fd = client_open();
	autobuf b = BUF_INIT;
	size_t before;
	int64_t begun;

	(void)state;
	/* 12 MB of answers: it is not asked for more than it takes. */
	for (uint32_t i = 0; i < 200; i++)
		add_request(&b, 1 + 2 * i, "Long", NULL, 0);
	assert_int_equal(fd_write_full(fd, b.data, b.len), 0);
	pump();
	before = handled;
	assert_in_range(before, 1, 20);
	/* And it is not looked at all the time. */
	begun = loop_now();
	loop_once(&loop, 30);
	assert_in_range(loop_now() - begun, 29, 20000);
	assert_int_equal(handled, before);
	/* Others are served meanwhile. */
	{
		autofd other = client_open();

		send_request(other, 1, "Echo", "x");
		expect_success(other, 1, 1);
	}
	for (uint32_t i = 0; i < 200; i++)
		expect_success(fd, 1 + 2 * i, 60000);
	assert_int_equal(handled, 201);
	/* And it is listened to again. */
	send_request(fd, 1001, "Echo", "x");
	expect_success(fd, 1001, 1);
}

/* The queue empties by another answer's write, not by the loop: the requests that lie there are
 * taken all the same. */
static void held_requests(void **state)
{
	autofd fd = client_open();
	autobuf b = BUF_INIT, data = BUF_INIT;
	size_t before;

	(void)state;
	add_request(&b, 1, "Work", NULL, 0);
	for (uint32_t i = 1; i < 30; i++)
		add_request(&b, 1 + 2 * i, "Long", NULL, 0);
	assert_int_equal(fd_write_full(fd, b.data, b.len), 0);
	pump();
	before = handled;
	assert_true(before < 30);
	while (recv(fd, buf_reserve(&data, 1 << 16), 1 << 16, MSG_DONTWAIT) > 0)
		ttrpc_flush(&server, 0);
	ttrpc_reply(working[0], NULL, 0);
	for (int i = 0; i < 100 && handled < 30; i++) {
		while (recv(fd, data.data, 1 << 16, MSG_DONTWAIT) > 0)
			;
		loop_once(&loop, 10);
	}
	assert_int_equal(handled, 30);
}

static void slow_reader_leaves(void **state)
{
	int fd = client_open();

	(void)state;
	for (uint32_t i = 0; i < 50; i++)
		send_request(fd, 1 + 2 * i, "Long", NULL);
	close(fd);
	pump();
	assert_int_equal(closings, 1);
}

static void flushing(void **state)
{
	autofd fd = client_open();
	pid_t pid;
	int status;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		send_request(fd, 1 + 2 * i, "Long", NULL);
	/* Nobody reads: it ends in time. */
	ttrpc_flush(&server, 20);
	pid = fork();
	if (pid == 0) {
		char data[4 * 60000];

		_exit(fd_read_full(fd, data, sizeof(data)) == sizeof(data) ? 0 : 1);
	}
	ttrpc_flush(&server, 5000);
	ttrpc_server_done(&server);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void done_in_a_request(void **state)
{
	autofd fd = client_open();
	autofd other = client_open();

	(void)state;
	send_request(other, 1, "Wait", NULL);
	send_request(fd, 1, "Close", NULL);
	assert_true(list_empty(&waiting));
	expect_end(other);
	expect_end(fd);
	assert_int_equal(closings, 2);
}

static void hundred_connections(void **state)
{
	int fds[100];

	(void)state;
	for (int i = 0; i < 100; i++)
		fds[i] = client_open();
	for (int i = 0; i < 100; i++)
		send_request(fds[i], 1, "Wait", NULL);
	for (int i = 0; i < 100; i++)
		send_request(fds[i], 3, "Echo", "x");
	for (int i = 99; i >= 0; i--)
		expect_success(fds[i], 3, 1);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	for (int i = 0; i < 10; i++)
		pump();
	assert_int_equal(openings, 100);
	assert_int_equal(closings, 100);
	assert_true(list_empty(&waiting));
}

static void too_many_calls(void **state)
{
	autofd fd = client_open();

	(void)state;
	for (uint32_t i = 0; i < 1024; i++)
		send_request(fd, 1 + 2 * i, "Wait", NULL);
	expect_silence(fd);
	send_request(fd, 3001, "Wait", NULL);
	expect_error(fd, 3001, TTRPC_RESOURCE_EXHAUSTED, "too many calls at a time");
}

/* No descriptor is left for a connection: it waits, and the loop does not spin. */
static void no_descriptors(void **state)
{
	struct rlimit old, few;
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int wakes = 0;
	int64_t end;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(fd_connect(fd, path), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (end = loop_now() + 150; loop_now() < end; wakes++)
		loop_once(&loop, 50);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_in_range(wakes, 1, 20);
	send_request(fd, 1, "Echo", "x");
	expect_success(fd, 1, 1);
}

/* Others than we ourselves get the door shut. */
static void other_users(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		bool taken;
	} cases[] = { { 0, 0, true }, { 65534, 0, false }, { 0, 65534, false } };

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(setresgid(cases[i].gid, cases[i].gid, cases[i].gid) < 0 ||
			      setresuid(cases[i].uid, cases[i].uid, cases[i].uid) < 0 ||
			      fd_connect(fd, path) < 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		if (!cases[i].taken) {
			expect_end(fd);
			continue;
		}
		send_frame(fd, 1, TTRPC_REQUEST, NULL, 0);
		expect_error(fd, 1, 12, " of ?");
	}
	assert_int_equal(handled, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(known_bytes),
		TEST(byte_by_byte),
		TEST(fragments),
		TEST(large_and_too_large),
		TEST(announced),
		TEST(streams),
		TEST(other_frames),
		TEST(answers_out_of_order),
		TEST(long_messages),
		TEST(closing_in_the_middle),
		TEST(waiting_calls),
		TEST(answers_to_a_closed_socket),
		TEST(deadlines),
		TEST(slow_reader),
		TEST(held_requests),
		TEST(slow_reader_leaves),
		TEST(flushing),
		TEST(done_in_a_request),
		TEST(hundred_connections),
		TEST(too_many_calls),
		TEST(no_descriptors),
		TEST(other_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
