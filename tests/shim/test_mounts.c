/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of requests, in a mount namespace of our own, on a file system in memory. */
#include "cmd/containerd-shim-tote-v2/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TOP "/tmp"
#define ROOTFS TOP "/bundle with \\ and space/rootfs"
#define LAYERS_MANY 200

static bool able;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0)
		assert_int_equal(errno, EEXIST);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Lines of mountinfo with the text in them. */
static int count_mounts(const char *text)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int n = 0;

	assert_non_null(f);
	while (getline(&line, &size, f) > 0)
		n += strstr(line, text) != NULL;
	free(line);
	fclose(f);
	return n;
}

/* As the kernel writes the path. */
static int mounts_left(void)
{
	return count_mounts("/bundle\\040with\\040\\134\\040and\\040space/rootfs");
}

static int begin(void **state)
{
	(void)state;
	able = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	if (!able)
		return 0;
	if (mount("tmpfs", TOP, "tmpfs", 0, "mode=0755") < 0)
		return -1;
	make_dir(TOP "/bundle with \\ and space");
	make_dir(ROOTFS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (able)
		umount2(TOP, MNT_DETACH);
	return 0;
}

#define NEEDS_ROOT()                                                                               \
	do {                                                                                       \
		if (!able)                                                                         \
			skip();                                                                    \
	} while (0)

#define OPTIONS_MAX 300

struct wish {
	Shim__Mount mount;
	char *options[OPTIONS_MAX];
};

static void wish(struct wish *w, const char *type, const char *source, const char *target)
{
	shim__mount__init(&w->mount);
	w->mount.type = (char *)type;
	w->mount.source = (char *)source;
	w->mount.target = (char *)target;
	w->mount.options = w->options;
}

static void option(struct wish *w, const char *text)
{
	assert_true(w->mount.n_options < OPTIONS_MAX);
	w->options[w->mount.n_options++] = (char *)text;
}

static void make_ok(struct wish *w, size_t count)
{
	Shim__Mount *mounts[4];
	struct err err = { 0 };

	for (size_t i = 0; i < count; i++)
		mounts[i] = &w[i].mount;
	if (mounts_make(ROOTFS, mounts, count, &err) < 0)
		fail_msg("%s", err.msg);
}

static void remove_ok(void)
{
	struct err err = { 0 };

	if (mounts_remove(ROOTFS, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(mounts_left(), 0);
}

static void layer(const char *path, const char *file, const char *text)
{
	char name[4096];

	make_dir(path);
	snprintf(name, sizeof(name), "%s/%s", path, file);
	write_file(name, text);
}

static void overlay_of_two(void **state)
{
	struct wish w = { 0 };

	(void)state;
	NEEDS_ROOT();
	layer(TOP "/a", "one", "1");
	layer(TOP "/b", "two", "2");
	make_dir(TOP "/upper");
	make_dir(TOP "/work");
	wish(&w, "overlay", "overlay", "");
	option(&w, "index=off");
	option(&w, "workdir=" TOP "/work");
	option(&w, "upperdir=" TOP "/upper");
	option(&w, "lowerdir=" TOP "/a:" TOP "/b");
	make_ok(&w, 1);
	assert_true(exists(ROOTFS "/one"));
	assert_true(exists(ROOTFS "/two"));
	write_file(ROOTFS "/three", "3");
	assert_true(exists(TOP "/upper/three"));
	assert_int_equal(mounts_left(), 1);
	remove_ok();
	assert_false(exists(ROOTFS "/one"));
}

/* More names than mount(2) has room for. */
static void many_layers(const char *parent, const char *upper)
{
	static char lower[LAYERS_MANY * 400];
	struct wish w = { 0 };
	char path[1024];
	size_t len = 0;
	char cwd[256], cwd_after[256];

	make_dir(parent);
	make_dir(TOP "/upper");
	make_dir(TOP "/work");
	len += (size_t)snprintf(lower, sizeof(lower), "lowerdir=");
	for (int i = 0; i < LAYERS_MANY; i++) {
		char file[32];

		snprintf(path, sizeof(path), "%s/%d", parent, i);
		make_dir(path);
		snprintf(file, sizeof(file), "f%d", i);
		snprintf(path, sizeof(path), "%s/%d/fs", parent, i);
		layer(path, file, "");
		layer(path, "common", file);
		len += (size_t)snprintf(lower + len, sizeof(lower) - len, "%s%s", i ? ":" : "",
					path);
	}
	assert_true(len > 4096);
	wish(&w, "overlay", "overlay", "");
	option(&w, "index=off");
	option(&w, "workdir=" TOP "/work");
	option(&w, upper);
	option(&w, lower);
	option(&w, "nosuid");
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	make_ok(&w, 1);
	assert_non_null(getcwd(cwd_after, sizeof(cwd_after)));
	assert_string_equal(cwd_after, cwd);
	for (int i = 0; i < LAYERS_MANY; i++) {
		snprintf(path, sizeof(path), ROOTFS "/f%d", i);
		assert_true(exists(path));
	}
	write_file(ROOTFS "/new", "");
	assert_true(exists(TOP "/upper/new"));
	{
		struct statvfs st;
		char text[8] = "";
		int fd = open(ROOTFS "/common", O_RDONLY | O_CLOEXEC);

		/* The first of the list is the uppermost. */
		assert_int_equal(read(fd, text, sizeof(text)), 2);
		assert_string_equal(text, "f0");
		close(fd);
		assert_int_equal(statvfs(ROOTFS, &st), 0);
		assert_true(st.f_flag & ST_NOSUID);
		assert_false(st.f_flag & ST_RDONLY);
	}
	remove_ok();
}

static void overlay_of_many(void **state)
{
	(void)state;
	NEEDS_ROOT();
	many_layers(TOP "/snapshots-with-a-name-of-some-length", "upperdir=" TOP "/upper");
}

/* fsconfig(2) does not take these: names are made short instead. */
static void overlay_of_many_long_names(void **state)
{
	char parent[512] = TOP "/";
	size_t len = strlen(parent);

	(void)state;
	NEEDS_ROOT();
	memset(parent + len, 'x', 250);
	make_dir(parent);
	strcat(parent, "/snapshots");
	many_layers(parent, "upperdir=" TOP "/upper");
}

static void overlay_says_what_is_wrong(void **state)
{
	struct wish w = { 0 };
	Shim__Mount *list[] = { &w.mount };
	struct err err = { 0 };

	(void)state;
	NEEDS_ROOT();
	wish(&w, "overlay", "overlay", "");
	option(&w, "lowerdir=" TOP "/nowhere:" TOP "/nowhere2");
	assert_int_equal(mounts_make(ROOTFS, list, 1, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "mount overlay of type overlay on " ROOTFS));
	assert_int_equal(mounts_left(), 0);
}

static void bind_read_only(void **state)
{
	struct wish w[2] = { 0 };
	struct statvfs st;

	(void)state;
	NEEDS_ROOT();
	layer(TOP "/a", "one", "1");
	make_dir(TOP "/a/sub");
	/* What the source has stays. */
	assert_int_equal(mount("tmpfs", TOP "/a/sub", "tmpfs", MS_NODEV, NULL), 0);
	layer(TOP "/a/sub", "two", "2");
	wish(&w[0], "bind", TOP "/a", "");
	option(&w[0], "rbind");
	option(&w[0], "ro");
	make_ok(w, 1);
	assert_int_equal(open(ROOTFS "/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_true(exists(ROOTFS "/sub/two"));
	write_file(TOP "/a/still", "");
	assert_int_equal(mounts_left(), 2);
	remove_ok();
	assert_true(exists(TOP "/a/sub/two"));
	wish(&w[1], "bind", TOP "/a/sub", "");
	option(&w[1], "bind");
	option(&w[1], "rw");
	option(&w[1], "nosuid");
	option(&w[1], "noatime");
	make_ok(&w[1], 1);
	assert_int_equal(statvfs(ROOTFS, &st), 0);
	assert_true(st.f_flag & ST_NOSUID);
	assert_true(st.f_flag & ST_NODEV);
	assert_true(st.f_flag & ST_NOATIME);
	assert_false(st.f_flag & ST_RDONLY);
	remove_ok();
	umount2(TOP "/a/sub", MNT_DETACH);
}

static void tmpfs_with_options(void **state)
{
	struct wish w = { 0 };
	struct statvfs st;

	(void)state;
	NEEDS_ROOT();
	wish(&w, "tmpfs", "tmpfs", "");
	option(&w, "defaults");
	option(&w, "noexec");
	option(&w, "size=65536");
	option(&w, "suid");
	option(&w, "shared");
	option(&w, "X-containerd.note=1");
	make_ok(&w, 1);
	assert_int_equal(statvfs(ROOTFS, &st), 0);
	assert_int_equal(st.f_blocks * st.f_frsize, 65536);
	assert_true(st.f_flag & ST_NOEXEC);
	assert_int_equal(count_mounts("rootfs rw,noexec,relatime shared:"), 1);
	remove_ok();
}

/* Links in the root file system lead nowhere out of it. */
static void targets_below(void **state)
{
	struct wish w[3] = { 0 };

	(void)state;
	NEEDS_ROOT();
	layer(TOP "/a", "one", "1");
	make_dir(TOP "/a/real");
	make_dir(TOP "/real");
	assert_int_equal(symlink("/real", TOP "/a/link"), 0);
	layer(TOP "/b", "two", "2");
	wish(&w[0], "bind", TOP "/a", "");
	option(&w[0], "rbind");
	wish(&w[1], "bind", TOP "/b", "/link");
	option(&w[1], "rbind");
	option(&w[1], "ro");
	wish(&w[2], "tmpfs", "tmpfs", "../../../real/../link");
	make_ok(w, 3);
	assert_int_equal(mounts_left(), 3);
	assert_false(exists(TOP "/real/two"));
	/* tmpfs covers it */
	assert_false(exists(ROOTFS "/real/two"));
	assert_int_equal(umount2(ROOTFS "/real", 0), 0);
	assert_true(exists(ROOTFS "/real/two"));
	remove_ok();
}

static void failure_leaves_nothing(void **state)
{
	struct wish w[3] = { 0 };
	Shim__Mount *list[] = { &w[0].mount, &w[1].mount, &w[2].mount };
	struct err err = { 0 };

	(void)state;
	NEEDS_ROOT();
	make_dir(TOP "/a");
	make_dir(TOP "/a/sub");
	wish(&w[0], "bind", TOP "/a", "");
	option(&w[0], "rbind");
	wish(&w[1], "tmpfs", "tmpfs", "sub");
	wish(&w[2], "nosuchfs", "none", "");
	assert_int_equal(mounts_make(ROOTFS, list, 3, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "nosuchfs"));
	assert_int_equal(mounts_left(), 0);
	/* A place that is not there. */
	wish(&w[2], "tmpfs", "tmpfs", "nowhere");
	assert_int_equal(mounts_make(ROOTFS, list, 3, &err), -ENOENT);
	assert_int_equal(mounts_left(), 0);
	/* Too little of a mapping: the mount was made already. */
	wish(&w[2], "bind", TOP "/a", "");
	w[2].mount.n_options = 0;
	option(&w[2], "bind");
	option(&w[2], "uidmap=0:1:x");
	option(&w[2], "gidmap=0:1:1");
	assert_int_equal(mounts_make(ROOTFS, list, 3, &err), -EINVAL);
	assert_int_equal(mounts_left(), 0);
	w[2].mount.n_options = 2;
	assert_int_equal(mounts_make(ROOTFS, list, 3, &err), -EINVAL);
	assert_int_equal(mounts_left(), 0);
}

static void no_fuse_helper(void **state)
{
	struct wish w = { 0 };
	Shim__Mount *list[] = { &w.mount };
	struct err err = { 0 };
	char *path = strdup(getenv("PATH"));

	(void)state;
	setenv("PATH", "/nowhere", 1);
	wish(&w, "fuse3.store", "a", "");
	if (able)
		assert_int_equal(mounts_make(ROOTFS, list, 1, &err), -ENOENT);
	setenv("PATH", path, 1);
	free(path);
	NEEDS_ROOT();
	assert_non_null(strstr(err.msg, "exec: \"mount.fuse3\": executable file not found"));
}

/* The helper's own words and arguments. */
static void fuse_helper(void **state)
{
	struct wish w = { 0 };
	Shim__Mount *list[] = { &w.mount };
	struct err err = { 0 };
	char *path = strdup(getenv("PATH")), text[256] = "";
	int fd, r = 0;

	(void)state;
	if (able) {
		make_dir(TOP "/bin");
		write_file(TOP "/bin/mount.fuse3",
			   "#!/bin/sh\necho \"$@\" >" TOP "/said\necho no >&2\nexit 7\n");
		chmod(TOP "/bin/mount.fuse3", 0755);
		setenv("PATH", TOP "/bin", 1);
		wish(&w, "fuse3.store", "a", "");
		option(&w, "allow_other");
		r = mounts_make(ROOTFS, list, 1, &err);
		setenv("PATH", path, 1);
	}
	free(path);
	NEEDS_ROOT();
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(err.msg, "ended with code 7: no"));
	fd = open(TOP "/said", O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_string_equal(text, "a " ROOTFS " -o allow_other -t store\n");
}

static void loop_device(void **state)
{
	struct wish w = { 0 };
	char image[] = TOP "/image";
	int fd;

	(void)state;
	NEEDS_ROOT();
	if (!exists("/dev/loop-control") || !exists("/sbin/mkfs.ext4"))
		skip();
	fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	close(fd);
	assert_int_equal(system("mkfs.ext4 -q -F " TOP "/image"), 0);
	for (int round = 0; round < 2; round++) {
		char loop[64] = "", *line = NULL;
		size_t size = 0;
		FILE *f;

		wish(&w, "ext4", image, "");
		option(&w, "loop");
		if (round)
			option(&w, "ro");
		make_ok(&w, 1);
		assert_true(exists(ROOTFS "/lost+found"));
		f = fopen("/proc/self/mounts", "re");
		while (getline(&line, &size, f) > 0)
			if (strstr(line, "/rootfs ext4"))
				snprintf(loop, sizeof(loop), "/sys/block/%.*s/loop/backing_file",
					 (int)strcspn(line + 5, " "), line + 5);
		free(line);
		fclose(f);
		assert_true(loop[0]);
		assert_true(exists(loop));
		assert_int_equal(access(ROOTFS, W_OK), round ? -1 : 0);
		remove_ok();
		/* Freed by itself. */
		for (int i = 0; i < 1000 && exists(loop); i++)
			nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		assert_false(exists(loop));
	}
}

static bool ids_can_be_mapped(struct wish *w, struct err *err)
{
	Shim__Mount *list[] = { &w->mount };

	if (mounts_make(ROOTFS, list, 1, err) == 0)
		return true;
	/* tmpfs since Linux 6.3. */
	if (err->code == -EINVAL || err->code == -EOPNOTSUPP || err->code == -ENOSYS)
		return false;
	fail_msg("%s", err->msg);
	return false;
}

static void mapped_ids(void **state)
{
	struct wish w = { 0 }, o = { 0 };
	struct err err = { 0 };
	struct stat st;

	(void)state;
	NEEDS_ROOT();
	layer(TOP "/a", "one", "1");
	layer(TOP "/b", "two", "2");
	make_dir(TOP "/upper");
	make_dir(TOP "/work");
	assert_int_equal(chown(TOP "/a/one", 5, 6), 0);
	wish(&w, "bind", TOP "/a", "");
	option(&w, "rbind");
	option(&w, "uidmap=0:100000:65536");
	option(&w, "gidmap=0:200000:1000,1000:300000:1000");
	if (!ids_can_be_mapped(&w, &err))
		skip();
	assert_int_equal(stat(ROOTFS "/one", &st), 0);
	assert_int_equal(st.st_uid, 100005);
	assert_int_equal(st.st_gid, 200006);
	assert_int_equal(mounts_left(), 1);
	remove_ok();
	wish(&o, "overlay", "overlay", "");
	option(&o, "index=off");
	option(&o, "workdir=" TOP "/work");
	option(&o, "upperdir=" TOP "/upper");
	option(&o, "lowerdir=" TOP "/a:" TOP "/b");
	option(&o, "uidmap=0:100000:65536");
	option(&o, "gidmap=0:200000:65536");
	if (!ids_can_be_mapped(&o, &err))
		skip();
	assert_int_equal(stat(ROOTFS "/one", &st), 0);
	assert_int_equal(st.st_uid, 100005);
	assert_int_equal(st.st_gid, 200006);
	assert_int_equal(stat(ROOTFS "/two", &st), 0);
	assert_int_equal(st.st_uid, 100000);
	write_file(ROOTFS "/new", "");
	/* The upper directory is the container's already. */
	assert_int_equal(stat(TOP "/upper/new", &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(mounts_left(), 1);
	remove_ok();
}

static void removes_what_is_stacked(void **state)
{
	struct err err = { 0 };

	(void)state;
	NEEDS_ROOT();
	for (int i = 0; i < 3; i++)
		assert_int_equal(mount("tmpfs", ROOTFS, "tmpfs", 0, NULL), 0);
	make_dir(ROOTFS "/a b");
	assert_int_equal(mount("tmpfs", ROOTFS "/a b", "tmpfs", 0, NULL), 0);
	/* Not below it, though it begins so. */
	make_dir(ROOTFS "2");
	assert_int_equal(mount("tmpfs", ROOTFS "2", "tmpfs", 0, NULL), 0);
	assert_int_equal(mounts_left(), 5);
	assert_int_equal(mounts_remove(ROOTFS, &err), 0);
	assert_int_equal(mounts_left(), 1);
	assert_int_equal(umount2(ROOTFS "2", 0), 0);
	/* Nothing there, not even the place. */
	assert_int_equal(mounts_remove(ROOTFS, &err), 0);
	assert_int_equal(mounts_remove(TOP "/nowhere/rootfs", &err), 0);
}

static void waits_while_busy(void **state)
{
	struct timespec begun, ended;
	struct err err = { 0 };
	pid_t pid;

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(mount("tmpfs", ROOTFS, "tmpfs", 0, NULL), 0);
	pid = fork();
	if (pid == 0) {
		if (chdir(ROOTFS) == 0)
			nanosleep(&(struct timespec){ .tv_nsec = 600000000 }, NULL);
		_exit(0);
	}
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	assert_int_equal(mounts_remove(ROOTFS, &err), 0);
	assert_int_equal(mounts_left(), 0);
	waitpid(pid, NULL, 0);
	/* For good: it goes all the same, though its holder sees it still, and so do those above. */
	assert_int_equal(mount("tmpfs", ROOTFS, "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("tmpfs", ROOTFS, "tmpfs", 0, NULL), 0);
	assert_int_equal(chdir(ROOTFS), 0);
	write_file("held", "still there");
	clock_gettime(CLOCK_MONOTONIC, &begun);
	remove_ok();
	clock_gettime(CLOCK_MONOTONIC, &ended);
	assert_true(exists("held"));
	assert_false(exists(ROOTFS "/held"));
	assert_int_equal(chdir("/"), 0);
	/* Its naps are counted, and each is longer on a busy machine. */
	assert_in_range(ended.tv_sec - begun.tv_sec, 1, 20);
	assert_int_equal(rmdir(ROOTFS), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(overlay_of_two),
		TEST(overlay_of_many),
		TEST(overlay_of_many_long_names),
		TEST(overlay_says_what_is_wrong),
		TEST(bind_read_only),
		TEST(tmpfs_with_options),
		TEST(targets_below),
		TEST(failure_leaves_nothing),
		TEST(no_fuse_helper),
		TEST(fuse_helper),
		TEST(loop_device),
		TEST(mapped_ids),
		TEST(removes_what_is_stacked),
		TEST(waits_while_busy),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
