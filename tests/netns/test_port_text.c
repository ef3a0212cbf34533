/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "netns/port_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static void good(void **state)
{
	static const char *const cases[][2] = {
		{ "8080:80", "8080:80/tcp" },
		{ "53:53/udp", "53:53/udp" },
		{ "1:65535/sctp", "1:65535/sctp" },
		{ "5000-5009:6000-6009/tcp", "5000-5009:6000-6009/tcp" },
		{ "7-7:9", "7:9/tcp" },
		{ "127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp" },
		{ "0.0.0.0:8080:80", "0.0.0.0:8080:80/tcp" },
		{ "[::1]:8080-8081:80-81/udp", "[::1]:8080-8081:80-81/udp" },
		{ "1-65535:1-65535", "1-65535:1-65535/tcp" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[PORT_TEXT_SIZE];
		struct port_map map;
		struct err err;

		if (port_parse(cases[i][0], &map, &err) < 0)
			fail_msg("%s: %s", cases[i][0], err.msg);
		assert_string_equal(port_text(&map, text), cases[i][1]);
	}
}

static void bad(void **state)
{
	static const char *const cases[][2] = {
		{ "", "host port" },
		{ "80", "the container's port is missing" },
		{ "80/tcp", "the container's port is missing" },
		{ "80:", "the container's port is none" },
		{ ":80", "host port" },
		{ "0:80", "host port" },
		{ "80:0", "the container's port" },
		{ "65536:80", "host port" },
		{ "80:99999999999999999999", "the container's port" },
		{ "8-5:8-5", "host port" },
		{ "80-89:80-88", "not equally long" },
		{ "80-89:80", "not equally long" },
		{ "80:80/icmp", "protocol" },
		{ "80:80/", "protocol" },
		{ "80:80x", "what follows the container's port" },
		{ "80x:80", "host address" },
		{ " 80:80", "host address" },
		{ "80: 80", "the container's port" },
		{ "+80:80", "host address" },
		{ "1.2.3:80:80", "host address" },
		{ "1.2.3.4::80", "host port" },
		{ "1.2.3.4:80", "the container's port is missing" },
		{ "::1:80:80", "host port" },
		{ "[::1:80:80", "host address" },
		{ "[::1]80:80", "host port" },
		{ "[]:80:80", "host address" },
		{ "shop.example:80:80", "host address" },
		{ "80:80:80", "what follows the container's port" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_map map;
		struct err err;

		if (port_parse(cases[i][0], &map, &err) != -EINVAL)
			fail_msg("%s was taken", cases[i][0]);
		if (!strstr(err.msg, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], err.msg);
	}
}

static int parse_two(const char *a, const char *b, struct err *err)
{
	struct strv texts = { (char *[]){ (char *)a, (char *)b, NULL }, 2 };
	autoarena arena = ARENA_INIT;
	struct port_list ports;

	return port_parse_all(&texts, &arena, &ports, err);
}

static void several(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(parse_two("80:80", "80:80/udp", &err), 0);
	assert_int_equal(parse_two("80-89:80-89", "90:90", &err), 0);
	assert_int_equal(parse_two("127.0.0.1:80:80", "127.0.0.2:80:80", &err), 0);
	assert_int_equal(parse_two("80-89:80-89", "89:90", &err), -EINVAL);
	assert_string_equal(err.msg,
			    "ports \"80-89:80-89\" and \"89:90\" are the same on the host");
	assert_int_equal(parse_two("127.0.0.1:80:80", "80:81", &err), -EINVAL);
	assert_int_equal(parse_two("80:80", "x", &err), -EINVAL);
}

static void as_json(void **state)
{
	struct strv texts = { (char *[]){ "[fd00::1]:80-81:90-91/udp", NULL }, 1 };
	autoarena a = ARENA_INIT;
	autobuf out = BUF_INIT;
	struct port_list ports;
	struct json_writer w;
	struct err err;

	(void)state;
	assert_int_equal(port_parse_all(&texts, &a, &ports, &err), 0);
	json_writer_init(&w, &out, false);
	port_write(&ports, &w);
	json_writer_done(&w);
	assert_string_equal(buf_str(&out),
			    "[{\"hostPort\":80,\"containerPort\":90,\"protocol\":\"udp\","
			    "\"hostIP\":\"fd00::1\"},"
			    "{\"hostPort\":81,\"containerPort\":91,\"protocol\":\"udp\","
			    "\"hostIP\":\"fd00::1\"}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(several),
		cmocka_unit_test(as_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
