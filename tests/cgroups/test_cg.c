/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cg and stats against the kernel: root only, in a private mount namespace with a cgroup2 of its
 * own mount. (The groups are the host's all the same, so everything lives below one test group.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/cg.h"
#include "cgroups/stats.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 20

static char mount_point[] = "/tmp/test_cg.XXXXXX";
static struct cg_tree tree = { .fd = -1 };
static char top[64];

/* NULL, or why nothing can be tested here. */
static const char *enter(void)
{
	struct err err;

	snprintf(top, sizeof(top), "/tote-test-cg-%d", (int)getpid());
	if (geteuid() != 0)
		return "needs root";
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "cannot make a mount namespace";
	if (!mkdtemp(mount_point))
		return "cannot write to /tmp";
	if (mount("cgroup2", mount_point, "cgroup2", 0, NULL) == 0 &&
	    cg_tree_open(mount_point, &tree, &err) == 0)
		return NULL;
	rmdir(mount_point);
	return "cannot mount cgroup2";
}

static int teardown(void **state)
{
	(void)state;
	cg_tree_close(&tree);
	umount2(mount_point, MNT_DETACH);
	return rmdir(mount_point);
}

/* A test that failed half-way must not leave processes or groups to the host or the next test. */
static int clean_up(void **state)
{
	autocg cg = CG_INIT;
	struct err err = { 0 };
	int r;

	(void)state;
	if (cg_open(&tree, top, &cg, &err) == -ENOENT)
		return 0;
	cg_kill(&cg, 5000, &err);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	r = cg_destroy(&tree, top, 1, 5000, &err);
	if (r < 0)
		print_message("# %s\n", err.msg);
	return r;
}

static const char *below(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static bool exists(const char *path)
{
	return faccessat(tree.fd, path + 1, F_OK, 0) == 0;
}

/* A child born in the group that sleeps until it is killed. */
static pid_t spawn(const struct cg *cg)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = (uint64_t)cg->fd };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for children that were killed; one that lives on fails the test after 20 s. */
static void reap(int count)
{
	int64_t end = now_ms() + 20000;

	while (count > 0) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		assert_true(pid >= 0);
		assert_true(now_ms() < end);
		if (pid == 0) {
			usleep(100);
			continue;
		}
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		count--;
	}
}

static void test_create_and_destroy(void **state)
{
	autocg cg = CG_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_missing(&tree, below("a/b/c")), 4);
	assert_int_equal(cg_create(&tree, below("a//b/./c/"), &cg, &err), 0);
	assert_string_equal(cg.path, below("a/b/c"));
	assert_int_equal(cg.made, 4);
	assert_int_equal(cg_missing(&tree, cg.path), 0);
	assert_int_equal(fcntl(cg.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(cg_destroy(&tree, cg.path, cg.made, 1000, &err), 0);
	assert_false(exists(top));
	/* Once more: it is gone, which is what was asked for. */
	assert_int_equal(cg_destroy(&tree, cg.path, cg.made, 1000, &err), 0);
	/* Its maker was killed on the way down. */
	assert_int_equal(mkdirat(tree.fd, top + 1, 0755), 0);
	assert_int_equal(cg_destroy(&tree, cg.path, cg.made, 1000, &err), 0);
	assert_false(exists(top));
}

static void test_only_what_was_made_goes(void **state)
{
	autocg parent = CG_INIT, cg = CG_INIT, other = CG_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_create(&tree, below("a"), &parent, &err), 0);
	assert_int_equal(cg_create(&tree, below("a/b/c"), &cg, &err), 0);
	assert_int_equal(cg.made, 2);
	assert_int_equal(cg_create(&tree, below("a/b/d"), &other, &err), 0);
	assert_int_equal(other.made, 1);
	/* b holds d still. */
	assert_int_equal(cg_destroy(&tree, cg.path, cg.made, 1000, &err), 0);
	assert_false(exists(below("a/b/c")));
	assert_true(exists(below("a/b/d")));
	assert_int_equal(cg_destroy(&tree, other.path, 0, 1000, &err), 0);
	assert_true(exists(below("a/b/d")));
	/* b was made for the first, and goes with the last. */
	assert_int_equal(cg_destroy(&tree, other.path, other.made, 1000, &err), 0);
	assert_false(exists(below("a/b")));
	assert_true(exists(below("a")));
	assert_int_equal(cg_destroy(&tree, parent.path, parent.made, 1000, &err), 0);
	assert_false(exists(top));
}

static void test_bad_paths(void **state)
{
	static const char *const bad[] = { "",	    "a",     "/",     "//.",
					   "/../a", "/a/..", "/a\nb", "/a/../../b" };
	struct cg cg = CG_INIT;
	struct err err = { 0 };
	char name[300], *at = name;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cg_create(&tree, bad[i], &cg, &err), -EINVAL);
		assert_int_equal(cg_destroy(&tree, bad[i], 9, 0, &err), -EINVAL);
	}
	*at++ = '/';
	memset(at, 'x', 256);
	at[256] = '\0';
	assert_int_equal(cg_create(&tree, name, &cg, &err), -ENAMETOOLONG);
	assert_int_equal(cg_open(&tree, below("nothing"), &cg, &err), -ENOENT);
	assert_null(cg.path);
}

static void test_existing(void **state)
{
	autocg cg = CG_INIT, again = CG_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	assert_int_equal(cg_freeze(&cg, 1000, &err), 0);
	/* Empty: taken over, thawed, and not ours to remove. */
	assert_int_equal(cg_create(&tree, top, &again, &err), 0);
	assert_int_equal(again.made, 0);
	assert_int_equal(cg_frozen(&again), 0);
	cg_done(&again);
	spawn(&cg);
	assert_int_equal(cg_create(&tree, top, &again, &err), -EBUSY);
	assert_int_equal(cg_kill(&cg, 2000, &err), 0);
	reap(1);
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

/* On a busy host a group below was seen as not frozen just after the one above it had been. */
static bool becomes_frozen(const struct cg *cg)
{
	int64_t end = now_ms() + 20000;

	while (cg_frozen(cg) != 1 && now_ms() < end)
		usleep(1000);
	return cg_frozen(cg) == 1;
}

static void test_freeze_kill_destroy(void **state)
{
	autocg cg = CG_INIT, sub = CG_INIT, late = CG_INIT;
	autoarena a = ARENA_INIT;
	struct cg_pids pids;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	assert_int_equal(cg_populated(&cg), 0);
	assert_int_equal(cg_create(&tree, below("x/y"), &sub, &err), 0);
	for (int i = 0; i < CHILDREN; i++)
		spawn(i % 2 ? &cg : &sub);
	assert_int_equal(cg_populated(&cg), 1);
	assert_int_equal(cg_pids(&cg, &a, &pids, &err), 0);
	assert_int_equal(pids.count, CHILDREN);
	assert_int_equal(cg_pids(&sub, &a, &pids, &err), 0);
	assert_int_equal(pids.count, CHILDREN / 2);
	assert_int_equal(cg_frozen(&cg), 0);
	assert_int_equal(cg_freeze(&cg, 2000, &err), 0);
	assert_true(becomes_frozen(&cg));
	assert_true(becomes_frozen(&sub));
	/* From above: thawing below is in vain, and so is beginning there. */
	assert_true(cg_frozen_above(&sub));
	assert_false(cg_frozen_above(&cg));
	assert_int_equal(cg_thaw(&sub, 20000, &err), -EBUSY);
	assert_string_equal(strrchr(err.msg, ':'), ": a group above it is frozen");
	assert_int_equal(cg_create(&tree, below("x/z"), &late, &err), -EBUSY);
	assert_false(exists(below("x/z")));
	assert_int_equal(cg_thaw(&cg, 2000, &err), 0);
	assert_int_equal(cg_freeze(&cg, 2000, &err), 0);
	assert_int_equal(cg_kill(&cg, 2000, &err), 0);
	assert_int_equal(cg_populated(&cg), 0);
	/* With zombies still to be waited for. */
	assert_int_equal(cg_destroy(&tree, cg.path, 1, 2000, &err), 0);
	assert_false(exists(top));
	reap(CHILDREN);
	assert_int_equal(cg_wait_empty(&cg, 1000, &err), 0);
	assert_int_equal(cg_kill(&cg, 1000, &err), 0);
}

/* What kernels before 5.14 need. */
static void test_kill_each(void **state)
{
	autocg cg = CG_INIT, sub = CG_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	assert_int_equal(cg_create(&tree, below("x"), &sub, &err), 0);
	for (int i = 0; i < CHILDREN; i++)
		spawn(i % 2 ? &cg : &sub);
	assert_int_equal(cg_kill_each(&cg, 2000, &err), 0);
	assert_int_equal(cg_populated(&cg), 0);
	reap(CHILDREN);
	assert_int_equal(cg_destroy(&tree, cg.path, 1, 2000, &err), 0);
}

static void test_deadlines_hold(void **state)
{
	autocg cg = CG_INIT;
	struct err err = { 0 };
	int64_t start;

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	spawn(&cg);
	start = now_ms();
	assert_int_equal(cg_wait_empty(&cg, 50, &err), -ETIMEDOUT);
	assert_int_equal(cg_destroy(&tree, top, 1, 50, &err), -EBUSY);
	assert_non_null(strstr(err.msg, top));
	assert_in_range(now_ms() - start, 100, 5000);
	assert_true(exists(top));
	assert_int_equal(cg_kill(&cg, 2000, &err), 0);
	reap(1);
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

/* rmdir straight after the last exit, many times: EBUSY must not come through. */
static void test_destroy_after_exit(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {
		autocg cg = CG_INIT;

		assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
		kill(spawn(&cg), SIGKILL);
		reap(1);
		assert_int_equal(cg_destroy(&tree, top, cg.made, 2000, &err), 0);
	}
}

/* A path down through so many groups, which are made. */
static void make_nested(const struct cg *cg, int depth, char path[PATH_MAX])
{
	path[0] = '\0';
	for (int i = 0; i < depth; i++) {
		strcat(path, i ? "/d" : "d");
		assert_int_equal(mkdirat(cg->fd, path, 0755), 0);
	}
}

/* Deeper than there are descriptors, and wide. */
static void test_destroy_nested(void **state)
{
	char path[PATH_MAX];
	struct err err = { 0 };
	autocg cg = CG_INIT;

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "w%d", i);
		assert_int_equal(mkdirat(cg.fd, path, 0755), 0);
	}
	make_nested(&cg, 300, path);
	assert_int_equal(cg_destroy(&tree, top, 1, 10000, &err), 0);
	assert_false(exists(top));
}

/* With hardly any descriptors: how deep they nest is up to who is in there. */
static void test_pids_nested(void **state)
{
	autocg cg = CG_INIT, sub = CG_INIT;
	autoarena a = ARENA_INIT;
	struct cg_pids pids = { NULL, 0 };
	struct rlimit limit, few;
	struct err err = { 0 };
	char path[PATH_MAX];
	pid_t pid;
	int r;

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	make_nested(&cg, 300, path);
	assert_int_equal(cg_open(&tree, below(path), &sub, &err), 0);
	pid = spawn(&sub);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = cg_pids(&cg, &a, &pids, &err);
	if (r == 0)
		r = cg_kill_each(&cg, 0, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(r, 0);
	assert_int_equal(pids.count, 1);
	assert_int_equal(pids.items[0], pid);
	reap(1);
	assert_int_equal(cg_destroy(&tree, top, 1, 10000, &err), 0);
}

/* Removed is what can be; the rest is counted. */
static void test_destroy_partly(void **state)
{
	autocg cg = CG_INIT, held = CG_INIT;
	struct err err = { 0 };
	char name[16];

	(void)state;
	assert_int_equal(cg_create(&tree, below("a/held"), &held, &err), 0);
	assert_int_equal(cg_open(&tree, top, &cg, &err), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "a/w%d", i);
		assert_int_equal(mkdirat(cg.fd, name, 0755), 0);
	}
	spawn(&held);
	assert_int_equal(cg_destroy(&tree, top, 1, 500, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "2 groups below it are left: call again"));
	assert_int_equal(faccessat(cg.fd, "a/w0", F_OK, 0), -1);
	assert_int_equal(cg_kill(&cg, 2000, &err), 0);
	reap(1);
	assert_int_equal(cg_destroy(&tree, top, 1, 10000, &err), 0);
}

/* Every group has files, and no group can have the name of one: nothing that was made on the way stays. */
static void test_name_of_a_file(void **state)
{
	static const char *const names[] = { "z/cgroup.procs/y", "z/cgroup.procs",
					     "z/y/cgroup.procs/x" };
	autocg cg = CG_INIT, refused = CG_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(cg_create(&tree, below(names[i]), &refused, &err), -ENOTDIR);
		assert_false(exists(below("z")));
	}
	assert_int_equal(cg_create(&tree, below("z"), &refused, &err), 0);
	cg_done(&refused);
	/* This one was there before. */
	assert_int_equal(cg_create(&tree, below(names[0]), &refused, &err), -ENOTDIR);
	assert_true(exists(below("z")));
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

/* Groups that are made and removed in one shared parent, which is removed whenever it is empty. */
static void test_parallel(void **state)
{
	int failed = 0;

	(void)state;
	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid)
			continue;
		for (int n = 0; n < 100; n++) {
			autocg cg = CG_INIT;
			struct err err = { 0 };
			char name[32];

			snprintf(name, sizeof(name), "shared/%d", i);
			if (cg_create(&tree, below(name), &cg, &err) < 0 || cg.made < 1 ||
			    cg_destroy(&tree, cg.path, 3, 2000, &err) < 0) {
				fprintf(stderr, "# %s\n", err.msg);
				_exit(1);
			}
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		int status = -1;

		assert_true(wait(&status) > 0);
		failed += status != 0;
	}
	assert_int_equal(failed, 0);
	assert_false(exists(top));
}

static void test_add_pid(void **state)
{
	autocg cg = CG_INIT, other = CG_INIT;
	struct err err = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(cg_create(&tree, below("one"), &cg, &err), 0);
	assert_int_equal(cg_create(&tree, below("two"), &other, &err), 0);
	pid = spawn(&cg);
	assert_int_equal(cg_add_pid(&other, pid, &err), 0);
	assert_int_equal(cg_populated(&cg), 0);
	assert_int_equal(cg_populated(&other), 1);
	assert_int_equal(cg_kill(&other, 2000, &err), 0);
	reap(1);
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

static void test_self_path(void **state)
{
	autocg cg = CG_INIT;
	struct err err = { 0 };
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(cg_create(&tree, below("own"), &cg, &err), 0);
	pid = fork();
	if (pid == 0) {
		char path[PATH_MAX];

		if (cg_add_pid(&cg, getpid(), &err) < 0 ||
		    cg_path_of(0, path, sizeof(path), &err) < 0)
			_exit(1);
		_exit(strcmp(path, cg.path) != 0 || cg_path_of(0, path, 5, &err) != -ENAMETOOLONG);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

static void test_find(void **state)
{
	struct cg_tree found = { .fd = -1 };
	struct err err = { 0 };
	struct stat a, b;

	(void)state;
	assert_int_equal(cg_tree_find(&found, &err), 0);
	assert_int_equal(fstat(found.fd, &a), 0);
	assert_int_equal(fstat(tree.fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(found.hybrid, access("/sys/fs/cgroup/cgroup.controllers", F_OK) != 0);
	cg_tree_close(&found);
	assert_int_equal(cg_tree_open("/tmp", &found, &err), -EINVAL);
}

/* The child of a caller stays in its group while the caller asks where its groups may be made. */
static int ask_delegated(const char *group, uid_t uid, char *ret_path, size_t size)
{
	autocg cg = CG_INIT;
	struct err err = { 0 };
	int out[2], status;
	pid_t pid;

	assert_int_equal(cg_open(&tree, group, &cg, &err), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		char path[PATH_MAX] = "";

		if (cg_add_pid(&cg, getpid(), &err) < 0 || setresuid(uid, uid, uid) < 0 ||
		    cg_delegated_path(&tree, path, sizeof(path), &err) < 0)
			_exit(1);
		_exit(write(out[1], path, strlen(path) + 1) < 0);
	}
	close(out[1]);
	assert_true(read(out[0], ret_path, size) >= 0);
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void give(const char *group, uid_t uid)
{
	static const char *const files[] = { ".", "cgroup.procs", "cgroup.subtree_control" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", group + 1, files[i]);
		assert_int_equal(fchownat(tree.fd, path, uid, uid, 0), 0);
	}
}

static void test_delegated_path(void **state)
{
	autocg cg = CG_INIT;
	struct err err = { 0 };
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(cg_create(&tree, below("own"), &cg, &err), 0);
	/* Nobody gave it anything: its own group. */
	assert_int_equal(ask_delegated(cg.path, 65534, path, sizeof(path)), 0);
	assert_string_equal(path, cg.path);
	/* Only what is the user's as a whole counts. */
	give(top, 65534);
	assert_int_equal(fchownat(tree.fd, top + 1, 0, 0, 0), 0);
	assert_int_equal(ask_delegated(cg.path, 65534, path, sizeof(path)), 0);
	assert_string_equal(path, cg.path);
	give(top, 65534);
	assert_int_equal(ask_delegated(cg.path, 65534, path, sizeof(path)), 0);
	assert_string_equal(path, top);
	/* Where systemd says that the delegation begins, what is above is not ours. */
	assert_int_equal(fsetxattr(cg.fd, "user.delegate", "1", 1, 0), 0);
	assert_int_equal(ask_delegated(cg.path, 65534, path, sizeof(path)), 0);
	assert_string_equal(path, cg.path);
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

static void test_inner(void **state)
{
	autocg cg = CG_INIT, child = CG_INIT;
	struct err err = { 0 };
	unsigned int some;

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	assert_int_equal(cg_inner(&cg), 0);
	/* Only what the host has enabled already: its own groups stay as they are. */
	some = cg_enabled(&cg);
	if (!some) {
		print_message("# skip: the group that was made has no controller\n");
		skip();
	}
	assert_int_equal(cg_create(&tree, below("child"), &child, &err), 0);
	assert_int_equal(cg_enable(&child, some & -some, &err), 0);
	assert_int_equal(cg_inner(&child), 0);
	assert_int_equal(cg_inner(&cg), 1);
	assert_int_equal(cg_create(&tree, top, &child, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "hands controllers on to its children"));
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

static void test_no_more_groups(void **state)
{
	autocg cg = CG_INIT, refused = CG_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	assert_int_equal(file_poke(cg.fd, "cgroup.max.descendants", "1"), 0);
	assert_int_equal(cg_create(&tree, below("a/b"), &refused, &err), -EAGAIN);
	assert_non_null(strstr(err.msg, "cgroup.max.descendants"));
	assert_false(exists(below("a")));
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

/* The kernel neither lists nor kills what is in a threaded group. */
static void test_threaded(void **state)
{
	autocg cg = CG_INIT, refused = CG_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cg_create(&tree, below("threaded"), &cg, &err), 0);
	assert_int_equal(file_poke(cg.fd, "cgroup.type", "threaded"), 0);
	assert_int_equal(cg_create(&tree, cg.path, &refused, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "exists and is threaded"));
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

/* A controller that the tree lacks, with the remedy; the host is not changed by asking. */
static void test_enable_absent(void **state)
{
	autocg cg = CG_INIT;
	struct err err = { 0 };
	unsigned int absent = ~cg_available(&tree) & ((1u << CG_CONTROLLERS) - 1);

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	assert_int_equal(cg_enable(&cg, cg_enabled(&cg), &err), 0);
	if (absent) {
		assert_int_equal(cg_enable(&cg, absent & -absent, &err), -EOPNOTSUPP);
		assert_non_null(strstr(err.msg, "controller is not on the v2 tree"));
		print_message("# %s\n", err.msg);
	}
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
}

static void test_stats(void **state)
{
	autocg cg = CG_INIT;
	autoarena a = ARENA_INIT;
	struct cg_stats stats;
	struct err err = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(cg_create(&tree, top, &cg, &err), 0);
	pid = fork();
	if (pid == 0) {
		if (cg_add_pid(&cg, getpid(), &err) < 0)
			_exit(1);
		/* Of the processor's time, not of the clock's: others may want it, too. */
		while (clock() < CLOCKS_PER_SEC / 20)
			;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(stats_read(&cg, &a, &stats, &err), 0);
	assert_true(stats.cpu.usage.set);
	assert_true(stats.cpu.usage.value > 1000);
	assert_int_equal(stats.memory.current.set,
			 faccessat(cg.fd, "memory.current", F_OK, 0) == 0);
	assert_int_equal(stats.pids_max.set, faccessat(cg.fd, "pids.max", F_OK, 0) == 0);
	assert_int_equal(cg_destroy(&tree, top, 1, 2000, &err), 0);
	assert_int_equal(stats_read(&cg, &a, &stats, &err), -ENODEV);
}

#define IN_TREE(test) cmocka_unit_test_teardown(test, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(test_find),
		IN_TREE(test_create_and_destroy),
		IN_TREE(test_only_what_was_made_goes),
		IN_TREE(test_bad_paths),
		IN_TREE(test_existing),
		IN_TREE(test_freeze_kill_destroy),
		IN_TREE(test_kill_each),
		IN_TREE(test_deadlines_hold),
		IN_TREE(test_destroy_after_exit),
		IN_TREE(test_destroy_nested),
		IN_TREE(test_pids_nested),
		IN_TREE(test_destroy_partly),
		IN_TREE(test_name_of_a_file),
		IN_TREE(test_parallel),
		IN_TREE(test_add_pid),
		IN_TREE(test_self_path),
		IN_TREE(test_delegated_path),
		IN_TREE(test_inner),
		IN_TREE(test_no_more_groups),
		IN_TREE(test_threaded),
		IN_TREE(test_enable_absent),
		IN_TREE(test_stats),
	};
	const char *why_not = enter();

	if (why_not) {
		printf("1..0 # SKIP %s\n", why_not);
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
