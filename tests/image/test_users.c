/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/users.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char root_path[] = "/tmp/test_users.XXXXXX";
static int root = -1;

static const char passwd[] = "# comment\n"
			     "root:x:0:0:root:/root:/bin/sh\n"
			     "app:x:1000:1001:App:/home/app:/bin/sh\n"
			     "twice:x:7:8::/first:\ntwice:x:9:10::/second:\n"
			     "nohome:x:11:12:::\n"
			     "short:x:13\n"
			     "1000:x:5:5::/digits:\n"
			     "big:x:4294967295:0::/big:\n"
			     "neg:x:-1:0::/neg:\n"
			     "badgid:x:14:zz::/badgid:\n"
			     "last:x:4294967294:4294967294::/last:/bin/sh";
static const char group[] = "root:x:0:\n"
			    "app:x:1001:app\n"
			    "audio:x:29:root,app\n"
			    "video:x:44:app,root\n"
			    "again:x:44:app\n"
			    "apple:x:50:apple,xapp,appx\n"
			    "broken:x:x:app\n"
			    "2000:x:6:\n"
			    "numbers:x:70:1000,5\n"
			    "empty:x:60:";

static void put(const char *path, const char *text, size_t len)
{
	autofd fd = -1;

	unlinkat(root, path, 0);
	fd = fd_create(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || fd_write_full(fd, text, len) < 0)
		abort();
}

static int make_root(void **state)
{
	(void)state;
	if (!mkdtemp(root_path))
		return -1;
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -1 : mkdirat(root, "etc", 0700);
}

static int fill(void **state)
{
	(void)state;
	put("etc/passwd", passwd, strlen(passwd));
	put("etc/group", group, strlen(group));
	return 0;
}

static int remove_root(void **state)
{
	(void)state;
	unlinkat(root, "etc/passwd", 0);
	unlinkat(root, "etc/group", 0);
	unlinkat(root, "target", 0);
	unlinkat(root, "etc", AT_REMOVEDIR);
	close(root);
	return rmdir(root_path);
}

static char *shown(const struct spec_user *u, const char *home, struct arena *a)
{
	autobuf b = BUF_INIT;

	buf_addf(&b, "%u:%u", u->uid, u->gid);
	for_each (gid, &u->additional_gids)
		buf_addf(&b, "+%u", *gid);
	buf_addf(&b, " %s", home ? home : "-");
	return arena_strdup(a, buf_str(&b));
}

static void expect(const char *text, const char *expected)
{
	autoarena a = ARENA_INIT;
	struct spec_user u;
	struct err err = { 0 };
	char *home;

	if (users_resolve(root, text, &a, &u, &home, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	assert_string_equal(shown(&u, home, &a), expected);
	assert_int_equal(users_resolve(root, text, &a, &u, NULL, &err), 0);
}

static void expect_error(const char *text, int code, const char *message)
{
	autoarena a = ARENA_INIT;
	struct spec_user u;
	struct err err = { 0 };
	int r = users_resolve(root, text, &a, &u, NULL, &err);

	if (r != -code || !strstr(err.msg, message))
		fail_msg("%s: %d, %s", text, r, err.msg);
}

static void found(void **state)
{
	(void)state;
	expect(NULL, "0:0 /root");
	expect("", "0:0 /root");
	expect(":", "0:0 /root");
	expect("root", "0:0+29+44 /root");
	/* A name without a group has the groups that list it, each once. */
	expect("app", "1000:1001+29+44 /home/app");
	expect("app:", "1000:1001+29+44 /home/app");
	expect("app:app", "1000:1001 /home/app");
	expect("app:video", "1000:44 /home/app");
	expect("app:7", "1000:7 /home/app");
	/* A number is never a name, but passwd may know it. */
	expect("1000", "1000:1001 /home/app");
	expect("1000:audio", "1000:29 /home/app");
	expect("01000", "1000:1001 /home/app");
	expect("5", "5:5 /digits");
	expect("4000", "4000:0 -");
	expect("4000:2000", "4000:2000 -");
	expect(":29", "0:29 /root");
	expect("twice", "7:8 /first");
	expect("9", "9:10 /second");
	expect("nohome", "11:12 -");
	expect("short", "13:0 -");
	expect("badgid", "14:0 /badgid");
	expect("last", "4294967294:4294967294 /last");
	expect("4294967294:4294967294", "4294967294:4294967294 /last");
	expect("app:empty", "1000:60 /home/app");
}

static void not_found(void **state)
{
	(void)state;
	expect_error("nobody", ENOENT, "user \"nobody\" is not in the image's /etc/passwd");
	expect_error("app:nogroup", ENOENT, "group \"nogroup\" is not in the image's /etc/group");
	expect_error("big", ENOENT, "user \"big\"");
	expect_error("neg", ENOENT, "user \"neg\"");
	expect_error("App", ENOENT, "user \"App\"");
	expect_error("-1", ENOENT, "user \"-1\"");
	expect_error("+5", ENOENT, "user \"+5\"");
	expect_error("0x5", ENOENT, "user \"0x5\"");
	expect_error(" 5", ENOENT, "user \" 5\"");
	expect_error("app:broken", ENOENT, "group \"broken\"");
	expect_error("4294967295", EINVAL, "user 4294967295 is out of range (0 to 4294967294)");
	expect_error("18446744073709551616", EINVAL, "out of range");
	expect_error("4294967296", EINVAL, "out of range");
	expect_error("0:4294967295", EINVAL, "group 4294967295 is out of range");
	expect_error("a:b:c", EINVAL, "not USER[:GROUP]");
}

static void home(void **state)
{
	autoarena a = ARENA_INIT;

	(void)state;
	assert_string_equal(users_home(root, 0, &a), "/root");
	assert_string_equal(users_home(root, 5, &a), "/digits");
	assert_null(users_home(root, 11, &a));
	assert_null(users_home(root, 4000, &a));
}

/* Without the files numbers work, and names say what is wrong. */
static void expect_unreadable(const char *why)
{
	autoarena a = ARENA_INIT;

	expect("1000", "1000:0 -");
	expect("1000:7", "1000:7 -");
	expect(NULL, "0:0 -");
	expect_error("app", ENOENT, why);
	assert_null(users_home(root, 0, &a));
}

static void missing(void **state)
{
	(void)state;
	unlinkat(root, "etc/passwd", 0);
	expect_unreadable("is not in the image's /etc/passwd");
}

/* Opening a fifo without O_NONBLOCK would wait for ever. */
static void no_regular_file(void **state)
{
	(void)state;
	alarm(10);
	unlinkat(root, "etc/passwd", 0);
	assert_int_equal(mkfifoat(root, "etc/passwd", 0600), 0);
	expect_unreadable("no regular file");
	unlinkat(root, "etc/passwd", 0);
	assert_int_equal(mkdirat(root, "etc/passwd", 0700), 0);
	expect_unreadable("no regular file");
	unlinkat(root, "etc/passwd", AT_REMOVEDIR);
	alarm(0);
}

/* Links lead to places below the root, whatever they say. */
static void links(void **state)
{
	static const char *const outside[] = { "/etc/passwd", "../../../../../etc/passwd",
					       "/proc/self/fd/0", "passwd", "/nowhere" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		unlinkat(root, "etc/passwd", 0);
		assert_int_equal(symlinkat(outside[i], root, "etc/passwd"), 0);
		expect_error("root", ENOENT, "user \"root\"");
	}
	put("target", "inside:x:5:6::/in:\n", 19);
	unlinkat(root, "etc/passwd", 0);
	assert_int_equal(symlinkat("/target", root, "etc/passwd"), 0);
	expect("inside", "5:6 /in");
	unlinkat(root, "etc/passwd", 0);
}

static void too_large(void **state)
{
	size_t size = ((size_t)1 << 20) + 1;
	autofree char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', size);
	memcpy(text, passwd, strlen(passwd));
	put("etc/passwd", text, size - 1);
	expect("twice", "7:8 /first");
	put("etc/passwd", text, size);
	expect_unreadable("larger than");
}

/* NGROUPS_MAX of the kernel is 65536. */
static void many_groups(void **state)
{
	autobuf b = BUF_INIT;
	autoarena a = ARENA_INIT;
	struct spec_user u;
	struct err err;

	(void)state;
	for (unsigned int i = 0; i < 2000; i++)
		buf_addf(&b, "g:x:%u:app\n", 5000 + i);
	put("etc/group", b.data, b.len);
	assert_int_equal(users_resolve(root, "app", &a, &u, NULL, &err), 0);
	assert_int_equal(u.additional_gids.count, 2000);
	assert_int_equal(u.additional_gids.items[1999], 6999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(found, fill),
		cmocka_unit_test_setup(not_found, fill),
		cmocka_unit_test_setup(home, fill),
		cmocka_unit_test_setup(missing, fill),
		cmocka_unit_test_setup(links, fill),
		cmocka_unit_test_setup(no_regular_file, fill),
		cmocka_unit_test_setup(too_large, fill),
		cmocka_unit_test_setup(many_groups, fill),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
