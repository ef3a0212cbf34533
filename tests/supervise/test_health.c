/* SPDX-License-Identifier: Apache-2.0 */
/* What results of health checks mean, and the probes that need no process. */
#include "cmd/tote-supervise/health.h"
#include "cmd/tote-supervise/metrics.h"
#include "lib/cleanup.h"
#include "netns/dial.h"
#include "netns/dial_http.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define PATIENCE_MS 20000

enum { NONE, STARTING, HEALTHY, UNHEALTHY };

static const struct desired_health plain = { .kind = HEALTH_TCP,
					     .interval_ms = 1000,
					     .timeout_ms = 500,
					     .start_period_ms = 10000,
					     .start_interval_ms = 200,
					     .retries = 3 };

struct step {
	int64_t began; /* since the start */
	bool good;
	int state; /* afterwards */
};

static void walk(const struct desired_health *check, const struct step *steps, size_t count)
{
	static const int64_t started = 1000000;
	struct health_tally t = { .state = STARTING };

	for (size_t i = 0; i < count; i++) {
		int before = t.state;
		bool changed =
			health_judge(check, &t, steps[i].good, started + steps[i].began, started);

		if (t.state != steps[i].state)
			fail_msg("step %zu: %s", i, health_state_name((enum health_state)t.state));
		assert_int_equal(changed, before != t.state);
	}
}

#define WALK(check, ...)                                                                           \
	walk(check, (struct step[]){ __VA_ARGS__ },                                                \
	     sizeof((struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

static void in_start_period(void **state)
{
	(void)state;
	/* Failures before it is over do not count, the first success ends it. */
	WALK(&plain, { 200, false, STARTING }, { 400, false, STARTING }, { 600, false, STARTING },
	     { 800, false, STARTING }, { 9999, false, STARTING }, { 10000, false, STARTING },
	     { 11000, false, STARTING }, { 12000, false, UNHEALTHY });
	WALK(&plain, { 200, true, HEALTHY }, { 400, false, HEALTHY }, { 600, false, HEALTHY },
	     { 800, false, UNHEALTHY });
	/* It began within, and ended behind it. */
	WALK(&plain, { 9999, false, STARTING }, { 9999, false, STARTING },
	     { 9999, false, STARTING }, { 9999, false, STARTING }, { 10500, true, HEALTHY });
}

static void in_a_row(void **state)
{
	struct desired_health check = plain;

	(void)state;
	check.start_period_ms = 0;
	WALK(&check, { 0, false, STARTING }, { 1, false, STARTING }, { 2, true, HEALTHY },
	     { 3, false, HEALTHY }, { 4, false, HEALTHY }, { 5, true, HEALTHY },
	     { 6, false, HEALTHY }, { 7, false, HEALTHY }, { 8, false, UNHEALTHY },
	     { 9, false, UNHEALTHY }, { 10, true, HEALTHY }, { 11, false, HEALTHY },
	     { 12, false, HEALTHY }, { 13, false, UNHEALTHY });
	check.retries = 1;
	WALK(&check, { 0, false, UNHEALTHY }, { 1, true, HEALTHY }, { 2, false, UNHEALTHY });
	check.retries = 0; /* not said: three */
	WALK(&check, { 0, false, STARTING }, { 1, false, STARTING }, { 2, false, UNHEALTHY });
}

/* By a pause that is at most an eighth shorter, and not always the same. */
static void expect_pause(const struct desired_health *check, int state, int64_t age, int64_t full)
{
	struct health_tally t = { .state = state };
	int64_t least = INT64_MAX, most = 0;

	for (uint32_t random = 0; random < 10000; random++) {
		int64_t pause = health_pause(check, &t, 5000, 5000 + age, random);

		least = pause < least ? pause : least;
		most = pause > most ? pause : most;
	}
	assert_int_equal(most, full);
	assert_in_range(least, full - full / 8, full - full / 8 + 1);
}

static void pauses(void **state)
{
	static const struct desired_health none = { .kind = HEALTH_TCP, .start_period_ms = 60000 };

	(void)state;
	expect_pause(&plain, STARTING, 0, 200);
	expect_pause(&plain, STARTING, 9999, 200);
	expect_pause(&plain, STARTING, 10000, 1000);
	expect_pause(&plain, HEALTHY, 500, 1000);
	expect_pause(&plain, UNHEALTHY, 500, 1000);
	expect_pause(&none, STARTING, 0, 5000);
	expect_pause(&none, HEALTHY, 0, 30000);
	assert_int_equal(health_timeout(&plain), 500);
	assert_int_equal(health_timeout(&none), 30000);
	for (uint32_t random = 0; random < 10000; random++) {
		assert_in_range(health_pause_again(&plain, random), 0, 200);
		assert_in_range(health_pause_again(&none, random), 0, 5000);
	}
}

static void status_lines(void **state)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ "HTTP/1.0 200 OK\r\n", 200 },
		{ "HTTP/1.1 404", 404 },
		{ "HTTP/1.1 503 Service Unavailable", 503 },
		{ "", -EAGAIN },
		{ "HTT", -EAGAIN },
		{ "HTTP/1.", -EAGAIN },
		{ "HTTP/1.1", -EAGAIN },
		{ "HTTP/1.1 ", -EAGAIN },
		{ "HTTP/1.1 20", -EAGAIN },
		{ "HTTP/2 200", -EPROTO },
		{ "HTTP/1.x 200", -EPROTO },
		{ "HTTP/1.12 200", -EPROTO },
		{ "HTTP/1.1 2x0", -EPROTO },
		{ "SSH-2.0-OpenSSH", -EPROTO },
		{ "http/1.0 200", -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int code = dial_http_status(cases[i].text, strlen(cases[i].text));

		if (code != cases[i].code)
			fail_msg("\"%s\": %d", cases[i].text, code);
	}
}

static void requests(void **state)
{
	static const struct {
		const char *text;
		int page;
	} cases[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", METRICS_PAGE },
		{ "GET /metrics HTTP/1.0\r\n\r\n", METRICS_PAGE },
		{ "GET /metrics?x=1 HTTP/1.1\r\n\r\n", METRICS_PAGE },
		{ "GET /health HTTP/1.1\n\n", METRICS_HEALTH },
		{ "GET /healthy HTTP/1.1\r\n\r\n", METRICS_NOT_FOUND },
		{ "GET / HTTP/1.1\r\n\r\n", METRICS_NOT_FOUND },
		{ "GET /metric HTTP/1.1\r\n\r\n", METRICS_NOT_FOUND },
		{ "POST /metrics HTTP/1.1\r\n\r\n", METRICS_BAD_METHOD },
		{ "GET /metrics HTTP/1.1\r\nHost: a\r\n", -EAGAIN },
		{ "GET /met", -EAGAIN },
		{ "", -EAGAIN },
		{ "GET /metrics\r\n\r\n", -EPROTO },
		{ "\r\n\r\n", -EPROTO },
		{ "GET  HTTP/1.1\r\n\r\n", METRICS_NOT_FOUND },
		{ "GET /metrics SPDY\r\n\r\n", -EPROTO },
		{ "\x16\x03\x01 a b\r\n\r\n", -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* Exactly as long as it is, for those who watch over memory. */
		size_t len = strlen(cases[i].text);
		char *text = malloc(len ? len : 1);
		int page;

		assert_non_null(text);
		memcpy(text, cases[i].text, len);
		page = metrics_request(text, len);
		free(text);
		if (page != cases[i].page)
			fail_msg("\"%s\": %d", cases[i].text, page);
	}
}

/* An instance in the model of nobody, whose container is this process. */
static struct supervisor sup;
static struct project project;
static struct service service;
static struct instance instance;
static struct desired_service made;
static int listener = -1;

static uint16_t listen_any(void)
{
	struct ip ip = { AF_INET, { 127, 0, 0, 1 } };
	struct sockaddr_storage at;
	socklen_t size = dial_address(&ip, 0, &at);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	return ntohs(((struct sockaddr_in *)&at)->sin_port);
}

static int set_up(void **state)
{
	static char folder[] = "/tmp/test_health.XXXXXX";

	(void)state;
	if (geteuid() != 0)
		return 0;
	sup = (struct supervisor){ .paths.run = folder };
	project = (struct project){ .supervisor = &sup, .name = (char *)"p" };
	service = (struct service){ .project = &project, .name = (char *)"s" };
	made = (struct desired_service){ .name = service.name };
	made.health = (struct desired_health){
		.kind = HEALTH_TCP, .interval_ms = 40, .timeout_ms = 10000, .retries = 2
	};
	made.health.port = listen_any();
	instance = (struct instance){
		.service = &service,
		.name = (char *)"p-s-1",
		.made = &made,
		.run = 1,
		.has_status = true,
		.status = { .state = INSTANCE_RUNNING, .run = 1, .started = loop_now() }
	};
	memcpy(folder, "/tmp/test_health.XXXXXX", sizeof(folder));
	if (!mkdtemp(folder))
		return -1;
	instance.dir = sup.run = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list_init(&sup.projects);
	return loop_init(&sup.loop) < 0 || proc_identify(getpid(), &instance.status.init) < 0 ? -1
											      : 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	health_end(&sup, &instance);
	assert_null(instance.health);
	loop_done(&sup.loop);
	if (listener >= 0)
		close(listener);
	listener = -1;
	unlinkat(instance.dir, INSTANCE_RECORD, 0);
	close(instance.dir);
	for (size_t i = 0; i < ARRAY_SIZE(sup.events); i++)
		free(sup.events[i].line);
	return rmdir(sup.paths.run);
}

static bool turn_until(enum health_state wanted)
{
	int64_t until = loop_now() + PATIENCE_MS;

	while (instance.health_state != wanted && loop_now() < until)
		assert_int_equal(loop_once(&sup.loop, 20), 0);
	return instance.health_state == wanted;
}

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("needs root: network namespaces are entered\n");
		skip();
	}
}

static void tcp_probe(void **state)
{
	(void)state;
	need_root();
	health_begin(&sup, &instance);
	assert_non_null(instance.health);
	assert_int_equal(instance.health_state, HEALTH_STATE_STARTING);
	assert_true(turn_until(HEALTH_STATE_HEALTHY));
	assert_null(instance.health_why);
	close(listener);
	listener = -1;
	assert_true(turn_until(HEALTH_STATE_UNHEALTHY));
	assert_non_null(strstr(instance.health_why, "Connection refused"));
}

/* Answers one request with these words, as far as it is asked within the patience. */
static void answer(const char *words, char *ret_request, size_t size)
{
	int64_t until = loop_now() + PATIENCE_MS;
	int fd = -1;
	ssize_t n = -1;

	while (n <= 0 && loop_now() < until) {
		assert_int_equal(loop_once(&sup.loop, 20), 0);
		if (fd < 0)
			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		n = fd >= 0 ? recv(fd, ret_request, size - 1, 0) : -1;
	}
	assert_true(n > 0);
	ret_request[n] = '\0';
	assert_int_equal(send(fd, words, strlen(words), MSG_NOSIGNAL), strlen(words));
	close(fd);
}

static void http_probe(void **state)
{
	char request[1024], host[64];

	(void)state;
	need_root();
	made.health.kind = HEALTH_HTTP;
	made.health.path = (char *)"/ready";
	health_begin(&sup, &instance);
	answer("HTTP/1.1 301 Moved\r\n\r\nwords", request, sizeof(request));
	assert_true(turn_until(HEALTH_STATE_HEALTHY));
	assert_int_equal(strncmp(request, "GET /ready HTTP/1.0\r\n", 21), 0);
	snprintf(host, sizeof(host), "\r\nHost: localhost:%u\r\n", made.health.port);
	assert_non_null(strstr(request, host));
	assert_string_equal(request + strlen(request) - 4, "\r\n\r\n");
	for (int i = 0; i < 2; i++)
		answer("HTTP/1.1 400 Bad\r\n\r\n", request, sizeof(request));
	assert_true(turn_until(HEALTH_STATE_UNHEALTHY));
	assert_string_equal(instance.health_why, "HTTP status 400");
	answer("HTTP/1.0 399 Good\r\n\r\n", request, sizeof(request));
	assert_true(turn_until(HEALTH_STATE_HEALTHY));
	for (int i = 0; i < 2; i++)
		answer("SSH-2.0-x\r\n", request, sizeof(request));
	assert_true(turn_until(HEALTH_STATE_UNHEALTHY));
	assert_string_equal(instance.health_why, "the answer is not HTTP");
}

static void too_late(void **state)
{
	(void)state;
	need_root();
	made.health.kind = HEALTH_HTTP;
	made.health.timeout_ms = 30;
	/* The kernel takes the connection, nobody answers. */
	health_begin(&sup, &instance);
	assert_true(turn_until(HEALTH_STATE_UNHEALTHY));
	assert_string_equal(instance.health_why, "no answer within 30 ms");
}

static void not_while_asleep(void **state)
{
	int64_t until = loop_now() + 400;

	(void)state;
	need_root();
	close(listener);
	listener = -1;
	instance.status.state = INSTANCE_FROZEN;
	health_begin(&sup, &instance);
	while (loop_now() < until)
		assert_int_equal(loop_once(&sup.loop, 20), 0);
	assert_int_equal(instance.health_state, HEALTH_STATE_STARTING);
	instance.status.state = INSTANCE_RUNNING;
	assert_true(turn_until(HEALTH_STATE_UNHEALTHY));
}

static void bad_host(void **state)
{
	(void)state;
	need_root();
	made.health.host = (char *)"db";
	made.health.retries = 1;
	health_begin(&sup, &instance);
	assert_true(turn_until(HEALTH_STATE_UNHEALTHY));
	assert_string_equal(instance.health_why, "\"db\" is not an IP address");
}

/* We came back: a run of an hour has its next probe soon, and begins as "starting". */
static void came_back(void **state)
{
	(void)state;
	need_root();
	made.health.interval_ms = 3600000;
	made.health.start_interval_ms = 50;
	instance.status.started = loop_now() - 3700000;
	instance.health_state = HEALTH_STATE_UNHEALTHY;
	health_begin(&sup, &instance);
	assert_int_equal(instance.health_state, HEALTH_STATE_STARTING);
	assert_true(turn_until(HEALTH_STATE_HEALTHY));
	assert_int_equal(instance.record.restarts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_start_period),
		cmocka_unit_test(in_a_row),
		cmocka_unit_test(pauses),
		cmocka_unit_test(status_lines),
		cmocka_unit_test(requests),
		cmocka_unit_test_setup_teardown(tcp_probe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(http_probe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_while_asleep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_host, set_up, tear_down),
		cmocka_unit_test_setup_teardown(came_back, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
