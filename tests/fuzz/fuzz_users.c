/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user of an image among hostile /etc/passwd and /etc/group: the input is the user, a line break,
 * and the text of both files. Numbers mean themselves, no id is 2^32-1, and nothing else is found
 * but what the files say.
 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/users.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root_path[] = "/tmp/fuzz_users.XXXXXX";
static int root = -1;

static void remove_root(void)
{
	unlinkat(root, "etc/passwd", 0);
	unlinkat(root, "etc/group", 0);
	unlinkat(root, "etc", AT_REMOVEDIR);
	rmdir(root_path);
}

static void make_root(void)
{
	if (!mkdtemp(root_path) ||
	    (root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(root, "etc", 0700) < 0)
		abort();
	atexit(remove_root);
}

static void put(const char *path, const void *text, size_t len)
{
	autofd fd = fd_create(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || fd_write_full(fd, text, len) < 0)
		abort();
}

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool is_number(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

static void check_user(const char *text, const struct spec_user *u, struct arena *a)
{
	char *group = arena_strdup(a, text), *user = strsep(&group, ":");

	check(u->uid != UINT32_MAX && u->gid != UINT32_MAX);
	if (is_number(user))
		check(u->uid == strtoull(user, NULL, 10) && !u->additional_gids.count);
	if (group && is_number(group))
		check(u->gid == strtoull(group, NULL, 10));
	if (group && *group)
		check(!u->additional_gids.count);
	for_each (gid, &u->additional_gids)
		check(*gid != UINT32_MAX && *gid != u->gid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t len = end ? (size_t)(end - data) : size;
	autoarena a = ARENA_INIT;
	char *text = arena_strndup(&a, (const char *)data, len), *home;
	struct err err = { 0 };
	struct spec_user user;

	if (root < 0)
		make_root();
	put("etc/passwd", data + len, size - len);
	put("etc/group", data + len, size - len);
	if (users_resolve(root, text, &a, &user, &home, &err) < 0) {
		check(err.msg[0] && (err.code == -ENOENT || err.code == -EINVAL));
		return 0;
	}
	check_user(text, &user, &a);
	check(!home || (*home && !strpbrk(home, "\n:")));
	if (home)
		check(memmem(data + len, size - len, home, strlen(home)));
	return 0;
}
