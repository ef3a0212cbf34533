/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/log.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char dir[] = "/tmp/test_log.XXXXXX", path[64];

/* What came behind the time, without it; "" when nothing did. */
static const char *line(int fd)
{
	static char text[PIPE_BUF + 1];
	ssize_t n = read(fd, text, PIPE_BUF);
	char *level;

	if (n < 0)
		return "";
	text[n] = '\0';
	assert_int_equal(strncmp(text, "time=\"20", 8), 0);
	level = strstr(text, " level=");
	assert_non_null(level);
	return level + 1;
}

static void test_lines(void **state)
{
	autofd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	(void)state;
	shim_log("error", "to nobody");
	shim_log_open(path, "c1", "k8s.io", 0);
	shim_log("debug", "too much");
	assert_string_equal(line(fd), "");
	errno = EXDEV;
	shim_log("warning", "the \"%s\" is\n%d\t\\ \xff.", "disk", 100);
	assert_int_equal(errno, EXDEV);
	assert_string_equal(line(fd), "level=warning msg=\"the \\\"disk\\\" is\\n100 \\\\ ?.\" "
				      "id=\"c1\" namespace=\"k8s.io\" "
				      "runtime=io.containerd.tote.v2\n");
	shim_log_open(path, "c1", "k8s.io", 1);
	shim_log("debug", "fine");
	assert_non_null(strstr(line(fd), "level=debug msg=\"fine\" "));
}

static void test_long(void **state)
{
	autofd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char *text = malloc(5000);
	static const char end[] = "\\\"\" runtime=io.containerd.tote.v2\n";
	const char *got;
	size_t len;

	(void)state;
	assert_non_null(text);
	memset(text, '"', 4999);
	text[4999] = '\0';
	shim_log_open(path, text, text, 0);
	shim_log("error", "%s", text);
	got = line(fd);
	len = strlen(got);
	assert_in_range(len, 1000, 2048);
	/* The message is cut, and no pair of it. */
	assert_string_equal(got + len - strlen(end), end);
	assert_non_null(strstr(got, "\\\"\" id=\"\\\""));
	assert_non_null(strstr(got, "\\\"\" namespace=\"\\\""));
	shim_log_open(path, "x", "y", 0);
	shim_log("error", "%s", text);
	assert_non_null(strstr(line(fd), "\" id=\"x\" namespace=\"y\" runtime="));
	free(text);
}

/* Nobody reads: neither waits nor fails. */
static void test_full(void **state)
{
	autofd fd = -1;

	(void)state;
	alarm(10);
	shim_log_open(path, "x", "y", 0);
	for (int i = 0; i < 2000; i++)
		shim_log("error", "again and again and again and again and again");
	alarm(0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(strlen(line(fd)) > 0);
	shim_log_open("/nonexistent", "x", "y", 0);
	shim_log("error", "to nobody");
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	return mkfifo(path, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
