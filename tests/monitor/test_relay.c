/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are carried: to programs of this host, in its own network namespace. */
#include "cmd/tote-monitor/activate_private.h"
#include "cmd/tote-monitor/relays_private.h"
#include "lib/cleanup.h"
#include "netns/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define PATIENCE_MS 20000
#define BULK ((size_t)3 << 20)

static struct loop loop;
static struct relays relays;
static unsigned int ended;
/* The program inside, and somebody who has connected. */
static int listener = -1, server = -1, client = -1, theirs = -1;
static uint16_t port;

static void note_end(struct relays *r)
{
	assert_ptr_equal(r, &relays);
	ended++;
}

/* A port of our own: bound, not yet listening. */
static int bind_any(int family)
{
	struct ip ip = { .family = (uint8_t)family };
	struct sockaddr_storage at;
	socklen_t size;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	ip.bytes[family == AF_INET ? 0 : 15] = family == AF_INET ? 127 : 1;
	if (family == AF_INET)
		ip.bytes[3] = 1;
	size = dial_address(&ip, 0, &at);
	if (bind(fd, (struct sockaddr *)&at, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0) {
		close(fd);
		return -1;
	}
	port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
				       : ((struct sockaddr_in6 *)&at)->sin6_port);
	return fd;
}

static int begin(int family)
{
	int pair[2];

	ended = 0;
	server = -1;
	listener = bind_any(family);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	client = pair[0];
	theirs = pair[1];
	if (loop_init(&loop) < 0 || listener < 0)
		return -1;
	relays_init(&relays, &loop, port, note_end);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return begin(AF_INET);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int tear_down(void **state)
{
	(void)state;
	relays_done(&relays);
	loop_done(&loop);
	close_one(&listener);
	close_one(&server);
	close_one(&client);
	return 0;
}

static void turn_for(int ms)
{
	int64_t until = loop_now() + ms;

	while (loop_now() < until)
		assert_int_equal(loop_once(&loop, 5), 0);
}

static bool accepted(void)
{
	if (server < 0)
		server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return server >= 0;
}

/* Turns the loop until something holds. */
#define EVENTUALLY(condition)                                                                      \
	do {                                                                                       \
		int64_t until_ = loop_now() + PATIENCE_MS;                                         \
		bool holds_;                                                                       \
		while (!(holds_ = (condition)) && loop_now() < until_)                             \
			assert_int_equal(loop_once(&loop, 5), 0);                                  \
		if (!holds_)                                                                       \
			fail_msg("never: %s", #condition);                                         \
	} while (0)

static void connect_both(void)
{
	assert_int_equal(listen(listener, 5), 0);
	relays_open(&relays, -1);
	assert_int_equal(relays_add(&relays, theirs), 0);
	EVENTUALLY(accepted());
	EVENTUALLY(container_of(relays.all.next, struct conn, link)->open);
}

static char text[4096];
static size_t text_len;

/* What has come so far; -1: nothing more will. */
static ssize_t read_more(int fd)
{
	ssize_t n = recv(fd, text + text_len, sizeof(text) - text_len, MSG_DONTWAIT);

	if (n > 0)
		text_len += (size_t)n;
	return n == 0 || (n < 0 && errno != EAGAIN) ? -1 : (ssize_t)text_len;
}

static void expect(int fd, const char *words)
{
	text_len = 0;
	EVENTUALLY(read_more(fd) >= (ssize_t)strlen(words));
	assert_int_equal(text_len, strlen(words));
	assert_memory_equal(text, words, text_len);
}

static void say(int fd, const char *words)
{
	assert_int_equal(send(fd, words, strlen(words), MSG_NOSIGNAL), strlen(words));
}

static void both_ways(void **state)
{
	(void)state;
	connect_both();
	say(client, "hello");
	expect(server, "hello");
	say(server, "good day");
	expect(client, "good day");
	say(client, "again");
	expect(server, "again");
	/* Who says nothing has no pipe. */
	assert_true(relays.spares > 0);
	assert_int_equal(relays.count, 1);
	assert_int_equal(ended, 0);
}

/* A request that ends by the end of the stream still gets its answer. */
static void half_closed(void **state)
{
	(void)state;
	connect_both();
	say(client, "request");
	shutdown(client, SHUT_WR);
	expect(server, "request");
	EVENTUALLY(read_more(server) < 0);
	turn_for(50);
	assert_int_equal(relays.count, 1);
	say(server, "answer");
	expect(client, "answer");
	close_one(&server);
	EVENTUALLY(relays.count == 0);
	assert_int_equal(ended, 1);
	EVENTUALLY(read_more(client) < 0);
}

/* The other way round: the server has said all, the client goes on. */
static void half_closed_by_server(void **state)
{
	(void)state;
	connect_both();
	say(server, "banner");
	shutdown(server, SHUT_WR);
	expect(client, "banner");
	EVENTUALLY(read_more(client) < 0);
	say(client, "still here");
	expect(server, "still here");
	assert_int_equal(relays.count, 1);
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 12));
}

/* Much at once in both directions: nothing is lost, nothing changes places. */
static void bulk(void **state)
{
	size_t sent[2] = { 0 }, got[2] = { 0 };
	unsigned char chunk[8192];
	int ends[2];
	int64_t until;

	(void)state;
	connect_both();
	ends[0] = client;
	ends[1] = server;
	until = loop_now() + PATIENCE_MS;
	while ((got[0] < BULK || got[1] < BULK) && loop_now() < until) {
		for (int e = 0; e < 2; e++) {
			size_t want =
				BULK - sent[e] < sizeof(chunk) ? BULK - sent[e] : sizeof(chunk);
			ssize_t n;

			for (size_t i = 0; i < want; i++)
				chunk[i] = byte_at(sent[e] + i);
			n = want ? send(ends[e], chunk, want, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
			sent[e] += n > 0 ? (size_t)n : 0;
			n = recv(ends[e], chunk, sizeof(chunk), MSG_DONTWAIT);
			for (ssize_t i = 0; i < n; i++)
				if (chunk[i] != byte_at(got[e] + (size_t)i))
					fail_msg("byte %zu is another", got[e] + (size_t)i);
			got[e] += n > 0 ? (size_t)n : 0;
		}
		assert_int_equal(loop_once(&loop, 0), 0);
	}
	assert_int_equal(got[0], BULK);
	assert_int_equal(got[1], BULK);
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Who does not read holds up his own connection, and that costs no time. */
static void slow_reader(void **state)
{
	static const char filler[65536];
	int64_t before;
	int turns = 0, still = 0;

	(void)state;
	connect_both();
	/* Until nothing moves for a while. */
	while (still < 20) {
		still = send(client, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL) > 0
				? 0
				: still + 1;
		assert_int_equal(loop_once(&loop, 5), 0);
		assert_true(turns++ < 100000);
	}
	/* An end that has gone is told of again and again by epoll, whether that is asked for or not. */
	shutdown(client, SHUT_RDWR);
	before = cpu_ns();
	turns = 0;
	for (int64_t until = loop_now() + 300; loop_now() < until; turns++)
		assert_int_equal(loop_once(&loop, 50), 0);
	assert_true(turns < 100);
	assert_true(cpu_ns() - before < 250000000);
	assert_int_equal(relays.count, 1);
}

static void server_gone(void **state)
{
	static const struct linger reset = { .l_onoff = 1 };

	(void)state;
	connect_both();
	setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close_one(&server);
	EVENTUALLY(relays.count == 0);
	assert_int_equal(ended, 1);
	text_len = 0;
	EVENTUALLY(read_more(client) < 0);
}

/* They come before the container runs, and before its program listens. */
static void waits(void **state)
{
	(void)state;
	assert_int_equal(relays_add(&relays, theirs), 0);
	say(client, "early");
	turn_for(30);
	assert_int_equal(relays.count, 1);
	relays_open(&relays, -1);
	/* Refused, again and again. */
	turn_for(100);
	assert_int_equal(relays.count, 1);
	assert_int_equal(ended, 0);
	assert_int_equal(listen(listener, 5), 0);
	EVENTUALLY(accepted());
	expect(server, "early");
}

static void other_family(void **state)
{
	(void)state;
	tear_down(NULL);
	if (begin(AF_INET6) < 0) {
		print_message("no IPv6 here\n");
		skip();
	}
	connect_both();
	say(client, "six");
	expect(server, "six");
}

/* The container ends: who was in it is cut off, who waits is for the next run. */
static void shut(void **state)
{
	int pair[2];

	(void)state;
	connect_both();
	relays_shut(&relays);
	assert_int_equal(relays.count, 0);
	text_len = 0;
	EVENTUALLY(read_more(client) < 0);
	close_one(&server);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(relays_add(&relays, pair[1]), 0);
	relays_shut(&relays);
	assert_int_equal(relays.count, 1);
	relays_open(&relays, -1);
	EVENTUALLY(accepted());
	say(pair[0], "second");
	expect(server, "second");
	close(pair[0]);
	EVENTUALLY(read_more(server) < 0);
	close_one(&server);
	EVENTUALLY(relays.count == 0);
}

static int open_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Pipes are lent: what has gone through leaves none behind but the spare ones. */
static void nothing_left(void **state)
{
	int before;

	(void)state;
	assert_int_equal(listen(listener, 5), 0);
	relays_open(&relays, -1);
	before = open_fds();
	for (int round = 0; round < 20; round++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		assert_int_equal(relays_add(&relays, pair[1]), 0);
		EVENTUALLY(accepted());
		say(pair[0], "in");
		expect(server, "in");
		say(server, "out");
		expect(pair[0], "out");
		close(pair[0]);
		close_one(&server);
		EVENTUALLY(relays.count == 0);
	}
	assert_true(open_fds() <= before + 2 * RELAYS_SPARE);
	relays_add(&relays, theirs);
	relays_done(&relays);
	assert_int_equal(open_fds(), before - 1);
	theirs = -1;
}

static void bounded(void **state)
{
	(void)state;
	relays.count = RELAYS_MAX;
	assert_int_equal(relays_add(&relays, theirs), -EAGAIN);
	relays.count = 0;
	text_len = 0;
	assert_int_equal(read_more(client), -1);
}

static void addresses(void **state)
{
	static const struct {
		const char *text;
		int family;
		uint16_t port; /* 0: refused */
	} cases[] = {
		{ "8080", 0, 8080 },
		{ ":8080", 0, 8080 },
		{ "127.0.0.1:80", AF_INET, 80 },
		{ "[::1]:443", AF_INET6, 443 },
		{ "[::]:65535", AF_INET6, 65535 },
		{ "localhost:1", AF_INET, 1 },
		{ "", 0, 0 },
		{ "0", 0, 0 },
		{ "65536", 0, 0 },
		{ " 80", 0, 0 },
		{ "80 ", 0, 0 },
		{ "-1", 0, 0 },
		{ "::1:80", 0, 0 },
		{ "[::1]", 0, 0 },
		{ "[127.0.0.1]:80", 0, 0 },
		{ "example.com:80", 0, 0 },
		{ "1.2.3.4:", 0, 0 },
		{ "1.2.3.4.5:80", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct listen_address at;
		struct err err;
		int r = listen_parse(cases[i].text, &at, &err);

		if ((r == 0) != (cases[i].port != 0))
			fail_msg("\"%s\": %d", cases[i].text, r);
		if (r < 0)
			continue;
		assert_int_equal(at.port, cases[i].port);
		assert_int_equal(at.ip.family, cases[i].family);
	}
}

static void taken(void **state)
{
	struct listen_address at = { { AF_INET, { 127, 0, 0, 1 } }, port };
	struct err err;

	(void)state;
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(listen_open(&at, "127.0.0.1:1", true, &err), -EADDRINUSE);
	assert_string_equal(err.msg, "cannot listen on 127.0.0.1:1: Address already in use");
}

/* Connections of a port that are nobody's to carry. */
static void flows(void **state)
{
	struct ip ip = { AF_INET, { 127, 0, 0, 1 } };
	struct err err;
	struct listen_address any = { .port = port }, here = { ip, port };
	struct listen_address there = { { AF_INET, { 127, 0, 0, 2 } }, port };
	int fd, count = flows_count(&any);

	(void)state;
	if (count == -ENOENT || count == -EPROTONOSUPPORT) {
		print_message("no sock_diag here\n");
		skip();
	}
	assert_int_equal(count, 0);
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(flows_count(&any), 0);
	fd = dial_begin(-1, &ip, port, &err);
	assert_true(fd >= 0);
	/* Also before anybody has taken it. */
	EVENTUALLY(flows_count(&any) == 1);
	assert_int_equal(flows_count(&here), 1);
	assert_int_equal(flows_count(&there), 0);
	assert_true(accepted());
	assert_int_equal(flows_count(&here), 1);
	close(fd);
	close_one(&server);
	EVENTUALLY(flows_count(&here) == 0);
}

static void taken_back(void **state)
{
	struct listen_address at = { { AF_INET, { 127, 0, 0, 1 } }, port };
	int fd;

	(void)state;
	assert_int_equal(listen_take_back(getpid(), &at, (unsigned int)listener, 1), -ENOENT);
	assert_int_equal(listen(listener, 5), 0);
	fd = listen_take_back(getpid(), &at, 3, (unsigned int)listener);
	if (fd == -EPERM || fd == -ENOSYS) {
		print_message("pidfd_getfd is not allowed here\n");
		skip();
	}
	assert_true(fd > listener);
	close(fd);
	at.port++;
	assert_int_equal(listen_take_back(getpid(), &at, 3, (unsigned int)listener), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_closed_by_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bulk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(slow_reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(server_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounded, set_up, tear_down),
		cmocka_unit_test(addresses),
		cmocka_unit_test_setup_teardown(taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(taken_back, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
