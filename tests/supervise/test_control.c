/* SPDX-License-Identifier: Apache-2.0 */
/* oci/supervise/control.c: both ends, and what a supervisor that misbehaves makes of it. */
#include "oci/supervise/control.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct both {
	char path[64];
	int dir, listen, server;
	struct control client;
};

static int set_up(void **state)
{
	struct both *b = calloc(1, sizeof(*b));
	struct err err;

	strcpy(b->path, "/tmp/test_control.XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->dir = fd_open(AT_FDCWD, b->path, O_RDONLY | O_DIRECTORY);
	b->listen = control_listen(b->dir, &err);
	assert_true(b->listen >= 0);
	assert_int_equal(control_open(b->path, &b->client, &err), 0);
	b->server = control_accept(b->listen);
	assert_true(b->server >= 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct both *b = *state;

	control_close(&b->client);
	close(b->server);
	close(b->listen);
	close(b->dir);
	tree_remove(AT_FDCWD, b->path);
	free(b);
	return 0;
}

static void answer(struct both *b, const char *text)
{
	assert_int_equal(send(b->server, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void test_answers(void **state)
{
	struct both *b = *state;
	autoarena a = ARENA_INIT;
	struct json_value *v;
	struct err err;
	char got[64];

	assert_int_equal(control_send(&b->client, "{\"do\":\"ping\"}", &err), 0);
	assert_int_equal(recv(b->server, got, sizeof(got), 0), 14);
	assert_memory_equal(got, "{\"do\":\"ping\"}\n", 14);
	/* Two at once, and one in pieces. */
	answer(b, "{\"n\":1}\n{\"n\":2}\n{\"do");
	assert_int_equal(control_next(&b->client, 20000, &a, &v, &err), 1);
	assert_string_equal(json_get(v, "n")->text, "1");
	assert_int_equal(control_next(&b->client, 20000, &a, &v, &err), 1);
	assert_string_equal(json_get(v, "n")->text, "2");
	assert_int_equal(control_next(&b->client, 50, &a, &v, &err), -ETIMEDOUT);
	answer(b, "ne\":true}\n");
	assert_int_equal(control_next(&b->client, 20000, &a, &v, &err), 0);
}

static void test_errors(void **state)
{
	struct both *b = *state;
	autoarena a = ARENA_INIT;
	struct json_value *v;
	struct err err;

	answer(b, "{\"error\":\"no such project: x\"}\n");
	assert_int_equal(control_next(&b->client, 20000, &a, &v, &err), -EPROTO);
	assert_string_equal(err.msg, "no such project: x");
	answer(b, "{broken\n");
	assert_int_equal(control_next(&b->client, 20000, &a, &v, &err), -EPROTO);
	answer(b, "[]\n");
	assert_int_equal(control_next(&b->client, 20000, &a, &v, &err), -EPROTO);
	shutdown(b->server, SHUT_RDWR);
	assert_int_equal(control_next(&b->client, 20000, &a, &v, &err), -ECONNRESET);
	/* What was answered before it left is what counts. */
	assert_int_equal(control_send(&b->client, "{}", &err), 0);
}

static void test_nobody(void **state)
{
	struct both *b = *state;
	struct control c;
	struct err err;
	int again;

	assert_int_equal(control_open("/nonexistent", &c, &err), -ENOENT);
	close(b->listen);
	assert_int_equal(control_open(b->path, &c, &err), -ECONNREFUSED);
	/* In the place of the one that nobody serves. */
	again = b->listen = control_listen(b->dir, &err);
	assert_true(again >= 0);
	assert_int_equal(control_open(b->path, &c, &err), 0);
	control_close(&c);
	assert_int_equal(control_accept(again) >= 0, 1);
	assert_int_equal(control_accept(again), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
