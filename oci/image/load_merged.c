/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view in which a layer is unpacked that cannot be alone: those below it, and its own directory
 * as overlayfs's upper one, so that overlayfs itself notes what is removed and copies up what is
 * only linked to.
 */
#include "oci/image/load_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What fsconfig(2) takes as a string, with the NUL. */
#define STRING_MAX 256

/* Short names for the layers: before Linux 6.8 overlayfs wants all of them in one string. */
static void layer_name(size_t i, char ret[24])
{
	snprintf(ret, 24, "%zu", i);
}

static int name_layers(int dir, const struct strv *below, struct err *err)
{
	for (size_t i = 0; i < below->count; i++) {
		char name[24];

		layer_name(i, name);
		if (symlinkat(below->items[i], dir, name) < 0)
			return err_errno(err, "link %s", below->items[i]);
	}
	return 0;
}

static int set_string(int fs, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? -errno : 0;
}

/* One after the other since Linux 6.8, else in one string that has room for some 90. */
static int set_lowers(int fs, size_t count)
{
	char all[STRING_MAX] = "", name[24];
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		int r;

		layer_name(i, name);
		r = set_string(fs, "lowerdir+", name);
		if (r < 0 && i)
			return r;
		if (r < 0)
			break;
		if (i + 1 == count)
			return 0;
	}
	for (size_t i = 0; i < count && len < STRING_MAX; i++) {
		layer_name(i, name);
		len += (size_t)snprintf(all + len, STRING_MAX - len, "%s%s", i ? ":" : "", name);
	}
	return len < STRING_MAX ? set_string(fs, "lowerdir", all) : -E2BIG;
}

/* Relative to the working directory. 0 or -errno. */
static int mount_view(size_t count, bool user_xattr)
{
	static const struct {
		const char *key, *value;
	} options[] = {
		{ "source", "overlay" },
		{ "upperdir", "../fs" },
		{ "workdir", "../work" },
		/* What layers say in overlayfs's own attributes must not count. */
		{ "redirect_dir", "nofollow" },
		{ "metacopy", "off" },
		{ "index", "off" },
	};
	autofd fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	int r = fs < 0 ? -errno : set_lowers(fs, count), fd;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(options); i++)
		r = set_string(fs, options[i].key, options[i].value);
	if (r < 0)
		return r;
	if (user_xattr && syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int load_merged_view(struct load *l, const struct job *j)
{
	autofd back = fd_open(AT_FDCWD, ".", O_PATH | O_DIRECTORY), names = -1;
	char path[64];
	int r, fd;

	snprintf(path, sizeof(path), "%s/work", j->staged);
	if (back < 0 || mkdirat(l->in.fd, path, 0700) < 0)
		return err_errno(l->err, "make %s", path);
	snprintf(path, sizeof(path), "%s/below", j->staged);
	if (mkdirat(l->in.fd, path, 0700) < 0)
		return err_errno(l->err, "make %s", path);
	names = fd_open(l->in.fd, path, O_RDONLY | O_DIRECTORY);
	r = names < 0 ? err_errno(l->err, "open %s", path) : name_layers(names, &j->below, l->err);
	if (r < 0)
		return r;
	if (fchdir(names) < 0)
		return err_errno(l->err, "chdir to %s", path);
	fd = mount_view(j->below.count, l->opts->user_xattr);
	if (fchdir(back) < 0 && fd >= 0) {
		close(fd);
		fd = -errno;
	}
	if (fd == -E2BIG)
		return err_set(l->err, EOPNOTSUPP,
			       "it relies on %zu layers below it: too many (needs Linux >= 6.8)",
			       j->below.count);
	return fd < 0 ? err_code(l->err, fd, "mount the layers below it by overlayfs") : fd;
}

int load_merged_end(struct load *l, const struct job *j)
{
	static const char *const parts[] = { "work", "below" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r;

		snprintf(path, sizeof(path), "%s/%s", j->staged, parts[i]);
		r = tree_remove(l->in.fd, path);
		if (r < 0)
			return err_code(l->err, r, "remove %s", path);
	}
	return 0;
}
