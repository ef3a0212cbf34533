/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/subids.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/number.h"
#include "oci/doctor_parse.h"
#include "oci/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)

static bool own_name(struct arena *a, char *ret, size_t size)
{
	struct err ignored;
	char *text;

	return file_read(AT_FDCWD, "/etc/passwd", FILE_MAX, a, &text, NULL, &ignored) == 0 &&
	       doctor_user_name(text, getuid(), ret, size);
}

/* The first range of "NAME:START:COUNT" lines that is the caller's. */
static bool granted(const char *path, const char *name, struct arena *a,
		    struct spec_id_mapping *ret)
{
	char *text, *save = NULL, number[16];
	struct err ignored;

	snprintf(number, sizeof(number), "%u", getuid());
	if (file_read(AT_FDCWD, path, FILE_MAX, a, &text, NULL, &ignored) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *who = strsep(&line, ":"), *start = strsep(&line, ":"), *count = line;
		uint64_t first, n;

		if (!count || (strcmp(who, number) != 0 && (!name || strcmp(who, name) != 0)))
			continue;
		if (!number_scan(&start, &first) || !number_scan(&count, &n) || !n ||
		    first > UINT32_MAX || n > UINT32_MAX - first)
			continue;
		*ret = (struct spec_id_mapping){ 1, (uint32_t)first, (uint32_t)n };
		return true;
	}
	return false;
}

static void own_id(struct arena *a, uint32_t id, struct spec_id_mappings *ret)
{
	ret->items = arena_calloc(a, 2, sizeof(*ret->items));
	ret->items[0] = (struct spec_id_mapping){ 0, id, 1 };
	ret->count = 1;
}

void subids_map(struct arena *a, struct spec_id_mappings *ret_uids,
		struct spec_id_mappings *ret_gids)
{
	char text[64];
	const char *name = own_name(a, text, sizeof(text)) ? text : NULL;

	own_id(a, geteuid(), ret_uids);
	own_id(a, getegid(), ret_gids);
	if (access("/usr/bin/newuidmap", X_OK) == 0 &&
	    granted("/etc/subuid", name, a, &ret_uids->items[1]) &&
	    granted("/etc/subgid", name, a, &ret_gids->items[1]))
		ret_uids->count = ret_gids->count = 2;
}

/* In a child that stays outside: newuidmap(1) has to be executed by who owns the namespace, in the
 * one above it. */
static int map_parent(const struct spec_id_mappings *uids, const struct spec_id_mappings *gids,
		      int go)
{
	pid_t parent = getppid();
	struct err err;
	char byte;

	if (read(go, &byte, 1) != 1)
		return 1;
	if (idmap_write(parent, uids, gids, &err) == 0)
		return 0;
	dprintf(STDERR_FILENO, "%s\n", err.msg);
	return 1;
}

int subids_enter(const struct spec_id_mappings *uids, const struct spec_id_mappings *gids,
		 struct err *err)
{
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, "pipe");
	autofd wait = ends[0], go = ends[1];
	pid = fork();
	if (pid < 0)
		return err_errno(err, "fork");
	if (pid == 0) {
		close(take_fd(&go));
		_exit(map_parent(uids, gids, wait));
	}
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		err_errno(err, "make a user namespace");
	else
		err->code = write(go, "", 1) == 1 ? 0 : err_errno(err, "pipe");
	close(take_fd(&go));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (err->code < 0)
		return err->code;
	return status == 0 ? 0 : err_set(err, EPERM, "map the ids of the user namespace");
}
