/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/address.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char dir[] = "/tmp/test_address.XXXXXX";

static char *make(const char *daemon, const char *namespace, const char *group, struct arena *a)
{
	struct shim_args args = { .namespace = namespace,
				  .grpc_address = daemon,
				  .socket_dir = "/run/s" };

	return address_make(&args, group, a);
}

static void test_name(void **state)
{
	autoarena a = ARENA_INIT;
	const char *address = make("/run/c.sock", "default", "p1", &a);

	(void)state;
	/* printf '/run/c.sock\0default\0p1\0tote' | sha256sum: a name once chosen has to stay, as an
	 * old server may meet a new `start`. */
	assert_string_equal(address, "unix:///run/s/"
				     "33c1c718cc69fb327aa12ca7f9d24910"
				     "04a41ec782996868c76344339c5a6212");
}

/* The daemon's address is a path, and may be spelled in several ways. */
static void test_clean(void **state)
{
	static const char *const same[] = {
		"/run/k/c.sock",	 "/run//k/c.sock",     "//run/k/c.sock/",
		"/run/./k/c.sock/.",	 "/run/x/../k/c.sock", "/../run/k/c.sock",
		"/x/../../run/k/c.sock",
	};
	static const char *const others[] = {
		"/run/c.sock",	    "/run/k/c.sock2", "/run/k", "/", "",
		"/run/k/c.sock/..", "/run/k/..c.sock"
	};
	autoarena a = ARENA_INIT;
	const char *address = make(same[0], "n", "g", &a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_string_equal(make(same[i], "n", "g", &a), address);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_string_not_equal(make(others[i], "n", "g", &a), address);
}

/* No group gets another's socket by its name. */
static void test_crafted(void **state)
{
	static const char *const cases[][3] = {
		{ "/c", "default", "p1" },     { "/c", "default", "../default/p1" },
		{ "/c", "default", "./p1" },   { "/c", "default", "p1/" },
		{ "/c", "default/p1", "" },    { "/c/default", "p1", "" },
		{ "/c", "", "default/p1" },    { "/c", "other", "../default/p1" },
		{ "/c", "defaultp1", "" },     { "/c", "default", "p1/tote" },
		{ "/c", "default", "p1tote" }, { "/c", "default", "P1" },
	};
	autoarena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(make(cases[i][0], cases[i][1], cases[i][2], &a),
						make(cases[k][0], cases[k][1], cases[k][2], &a));
}

static void put(const char *name, const char *text)
{
	autoarena a = ARENA_INIT;
	autofd fd = open(arena_printf(&a, "%s/%s", dir, name),
			 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

#define TOTE "\"io.containerd.tote.v2.group\""
#define RUNC "\"io.containerd.runc.v2.group\""
#define CRI "\"io.kubernetes.cri.sandbox-id\""

static const struct {
	const char *config, *group;
} groups[] = {
	{ "{}", "me" },
	{ "{\"annotations\":null}", "me" },
	{ "{\"annotations\":{\"x\":\"y\"}}", "me" },
	{ "{\"annotations\":{" CRI ":\"c\"}}", "c" },
	{ "{\"annotations\":{" CRI ":\"c\"," RUNC ":\"r\"}}", "r" },
	{ "{\"annotations\":{" RUNC ":\"r\"," CRI ":\"c\"," TOTE ":\"t\"}}", "t" },
	{ "{\"annotations\":{" RUNC ":\"\"," CRI ":\"c\"}}", "c" },
	{ "{\"ociVersion\":1,\"process\":{\"args\":7},\"annotations\":{" CRI ":\"c\"}}", "c" },
};

static const struct {
	const char *config;
	int code;
} no_groups[] = {
	{ "", -EINVAL },
	{ "[]", -EINVAL },
	{ "{\"annotations\":[]}", -EINVAL },
	{ "{\"annotations\":{" CRI ":1}}", -EINVAL },
	{ "{\"annotations\":{" CRI ":\"c\"}", -EINVAL },
};

static void test_group(void **state)
{
	autoarena a = ARENA_INIT;
	const char *group;
	struct err err;

	(void)state;
	assert_int_equal(address_group(dir, "me", &a, &group, &err), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		put("config.json", groups[i].config);
		if (address_group(dir, "me", &a, &group, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_string_equal(group, groups[i].group);
	}
	for (size_t i = 0; i < ARRAY_SIZE(no_groups); i++) {
		put("config.json", no_groups[i].config);
		assert_int_equal(address_group(dir, "me", &a, &group, &err), no_groups[i].code);
		assert_non_null(strstr(err.msg, "config.json"));
	}
}

static void test_write(void **state)
{
	autoarena a = ARENA_INIT;
	char *path = arena_printf(&a, "%s/address", dir), text[64] = { 0 };
	autofd fd = -1;
	struct err err;

	(void)state;
	put("address", "something that was there, and longer");
	assert_int_equal(address_write(dir, "unix:///x", &err), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 9);
	assert_string_equal(text, "unix:///x");
	assert_int_equal(address_write("/nonexistent", "unix:///x", &err), -ENOENT);
}

/* Sockets, in a directory that is not there yet. */

static char *socket_address(const char *group, struct arena *a)
{
	struct shim_args args = { .namespace = "n", .grpc_address = "/c" };

	args.socket_dir = arena_printf(a, "%s/run/s", dir);
	return address_make(&args, group, a);
}

#define PATH(address) ((address) + strlen("unix://"))

static int lock_and_listen(const char *address, int *ret_fd, struct err *err)
{
	autofd lock = address_lock(address, err);

	*ret_fd = -1;
	return lock < 0 ? lock : address_listen(address, ret_fd, err);
}

static bool exists(const char *address)
{
	struct stat st;

	return lstat(PATH(address), &st) == 0;
}

static void test_listen(void **state)
{
	autoarena a = ARENA_INIT;
	const char *address = socket_address("listen", &a);
	struct stat st;
	struct err err;
	int fd, second;

	(void)state;
	assert_false(address_served(address));
	/* Of what is not there nothing is made. */
	address_remove_stale(address);
	assert_int_equal(stat(arena_printf(&a, "%s/run", dir), &st), -1);
	assert_int_equal(lock_and_listen(address, &fd, &err), 0);
	assert_int_equal(stat(PATH(address), &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	assert_int_equal(stat(arena_printf(&a, "%s/run/s", dir), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(lock_and_listen(address, &second, &err), 1);
	assert_int_equal(second, -1);
	assert_true(address_served(address));
	address_remove_stale(address);
	assert_true(exists(address));
	/* Its owner dies. */
	close(fd);
	assert_false(address_served(address));
	assert_int_equal(lock_and_listen(address, &fd, &err), 0);
	assert_int_equal(lock_and_listen(address, &second, &err), 1);
	close(fd);
	address_remove_stale(address);
	assert_false(exists(address));
	/* One that ends in good order. */
	assert_int_equal(lock_and_listen(address, &fd, &err), 0);
	address_unlink(fd);
	assert_false(exists(address));
	close(fd);
}

/* Something that is no socket lies there. */
static void test_in_the_way(void **state)
{
	autoarena a = ARENA_INIT;
	const char *address = socket_address("way", &a);
	struct err err;
	int fd;

	(void)state;
	fd = open(PATH(address), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(lock_and_listen(address, &fd, &err), 0);
	close(fd);
	assert_int_equal(unlink(PATH(address)), 0);
	assert_int_equal(mkdir(PATH(address), 0700), 0);
	assert_int_equal(lock_and_listen(address, &fd, &err), -EISDIR);
	assert_int_equal(rmdir(PATH(address)), 0);
}

static void test_not_ours(void **state)
{
	static const char *const bad[] = {
		"", "unix://", "/run/s/x", "unix:///etc/passwd", "unix://run/s/x", "http://x/y",
	};
	autoarena a = ARENA_INIT;
	const char *victim = arena_printf(&a, "unix://%s/victim", dir);
	struct err err;
	int fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(address_listen(bad[i], &fd, &err), -EINVAL);
		assert_int_equal(address_lock(bad[i], &err), -EINVAL);
		assert_false(address_served(bad[i]));
	}
	put("victim", "");
	address_remove_stale(victim);
	assert_true(exists(victim));
	unlink(PATH(victim));
}

/* Names of sockets end at 107 bytes. */
static void test_long(void **state)
{
	autoarena a = ARENA_INIT;
	char *deep = arena_printf(&a, "%s/%.*s", dir, 42 - (int)strlen(dir) - 1,
				  "123456789012345678901234567890");
	struct shim_args args = { .namespace = "n", .grpc_address = "/c", .socket_dir = deep };
	struct err err;
	int fd;

	(void)state;
	assert_int_equal(strlen(deep), ARGS_SOCKET_DIR_MAX);
	assert_int_equal(lock_and_listen(address_make(&args, "g", &a), &fd, &err), 0);
	address_unlink(fd);
	close(fd);
	rmdir(deep);
	args.socket_dir = arena_printf(&a, "%s1", deep);
	assert_int_equal(lock_and_listen(address_make(&args, "g", &a), &fd, &err), -ENAMETOOLONG);
}

/* A server that takes no connection is not replaced: it still has its containers. */
static void test_busy(void **state)
{
	autoarena a = ARENA_INIT;
	const char *address = socket_address("busy", &a);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, second, clients[2];
	struct err err;

	(void)state;
	assert_int_equal(lock_and_listen(address, &fd, &err), 0);
	assert_int_equal(listen(fd, 0), 0);
	memcpy(to.sun_path, PATH(address), strlen(PATH(address)));
	for (size_t i = 0; i < 2; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(clients[i], (struct sockaddr *)&to, sizeof(to));
	}
	assert_int_equal(lock_and_listen(address, &second, &err), -EBUSY);
	assert_true(exists(address));
	address_unlink(fd);
	close(clients[0]);
	close(clients[1]);
	close(fd);
}

static void test_locked(void **state)
{
	autoarena a = ARENA_INIT;
	const char *address = socket_address("locked", &a);
	struct err err;
	int fd = address_lock(address, &err);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(address_lock(address, &err), -ETIMEDOUT);
	close(fd);
	fd = address_lock(address, &err);
	assert_true(fd >= 0);
	close(fd);
}

/* A directory of somebody else's, or that others may write to, is no place for sockets. */
static void test_foreign_dir(void **state)
{
	autoarena a = ARENA_INIT;
	struct shim_args args = { .namespace = "n", .grpc_address = "/c" };
	struct err err;

	(void)state;
	args.socket_dir = arena_printf(&a, "%s/open", dir);
	assert_int_equal(mkdir(args.socket_dir, 0777), 0);
	assert_int_equal(chmod(args.socket_dir, 0777), 0);
	assert_int_equal(address_lock(address_make(&args, "g", &a), &err), -EACCES);
	rmdir(args.socket_dir);
}

#define AT_ONCE 16
#define ROUNDS 50

/* Starts when the pipe ends, and is the server, if it becomes it, until the other one ends. */
static int compete(const char *address, int begin, int end)
{
	struct err err;
	char byte;
	int fd, r;

	if (read(begin, &byte, 1) != 0)
		return 100;
	r = lock_and_listen(address, &fd, &err);
	if (r < 0)
		return 101;
	if (r == 1)
		return 1;
	return read(end, &byte, 1) == 0 ? 0 : 102;
}

static void round_of_starts(const char *address)
{
	pid_t pids[AT_ONCE];
	int begin[2], end[2], servers = 0, status;

	assert_int_equal(pipe2(begin, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	for (size_t i = 0; i < AT_ONCE; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			close(begin[1]);
			close(end[1]);
			_exit(compete(address, begin[0], end[0]));
		}
	}
	close(begin[0]);
	close(end[0]);
	close(begin[1]);
	/* All but one end by themselves. */
	for (size_t i = 0; i < AT_ONCE - 1; i++) {
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		servers += WEXITSTATUS(status) != 1;
	}
	close(end[1]);
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
	assert_int_equal(servers, 0);
}

/* Each round finds the socket that the one before left behind. */
static void test_at_once(void **state)
{
	autoarena a = ARENA_INIT;
	const char *address = socket_address("once", &a);

	(void)state;
	alarm(60);
	for (int i = 0; i < ROUNDS; i++)
		round_of_starts(address);
	assert_true(exists(address));
	address_remove_stale(address);
	assert_false(exists(address));
	alarm(0);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	autoarena a = ARENA_INIT;

	(void)state;
	return system(arena_printf(&a, "rm -r %s", dir));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name),	   cmocka_unit_test(test_clean),
		cmocka_unit_test(test_crafted),	   cmocka_unit_test(test_group),
		cmocka_unit_test(test_write),	   cmocka_unit_test(test_listen),
		cmocka_unit_test(test_in_the_way), cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_long),	   cmocka_unit_test(test_busy),
		cmocka_unit_test(test_locked),	   cmocka_unit_test(test_foreign_dir),
		cmocka_unit_test(test_at_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
