/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a group is, against the kernel: root only, in a private mount namespace with cgroup2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/tree.h"
#include "oci/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NESTED 700

static char place[] = "/tmp/test_owner.XXXXXX";
static char box1[64], box2[64], group[64];
static int dir1 = -1, dir2 = -1;
static struct cg_tree tree = { .fd = -1 };
static struct cg cg = CG_INIT;

/* NULL, or why nothing can be tested here. */
static const char *enter(void)
{
	struct err err;
	char mount_point[64];

	if (geteuid() != 0)
		return "needs root";
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "cannot make a mount namespace";
	if (!mkdtemp(place))
		return "cannot write to /tmp";
	snprintf(mount_point, sizeof(mount_point), "%s/groups", place);
	if (mkdir(mount_point, 0755) == 0 &&
	    mount("cgroup2", mount_point, "cgroup2", 0, NULL) == 0 &&
	    cg_tree_open(mount_point, &tree, &err) == 0)
		return NULL;
	rmdir(mount_point);
	rmdir(place);
	return "cannot mount cgroup2";
}

static int leave(void **state)
{
	char mount_point[64];

	(void)state;
	cg_tree_close(&tree);
	snprintf(mount_point, sizeof(mount_point), "%s/groups", place);
	umount2(mount_point, MNT_DETACH);
	rmdir(mount_point);
	return rmdir(place);
}

static int make_dir(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", place, name);
	if (mkdir(path, 0755) < 0)
		return -1;
	return fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
}

static int set_up(void **state)
{
	struct err err;

	(void)state;
	dir1 = make_dir(box1, sizeof(box1), "box1");
	dir2 = make_dir(box2, sizeof(box2), "box2");
	snprintf(group, sizeof(group), "/tote-test-owner-%d", (int)getpid());
	return dir1 < 0 || dir2 < 0 ? -1 : cg_create(&tree, group, &cg, &err);
}

static int tear_down(void **state)
{
	struct err err = { 0 };

	(void)state;
	cg_done(&cg);
	close(dir1);
	close(dir2);
	rmdir(box1);
	rmdir(box2);
	return cg_destroy(&tree, group, 1, 20000, &err);
}

/* As a container may that has its group mounted writable. */
static void forge(const struct cg *at, const char *text)
{
	assert_int_equal(fsetxattr(at->fd, "user.tote", text, strlen(text), 0), 0);
}

/* What names a state directory. */
static void forge_as(const struct cg *at, const char *path)
{
	char text[128];
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	snprintf(text, sizeof(text), "%jx:%jx %s", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
		 path);
	forge(at, text);
}

static void test_mark_is_out_of_reach(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(owner_of(&cg, dir1), OWNER_NONE);
	assert_int_equal(owner_claim(&cg, dir1, &err), 0);
	forge(&cg, "0:0 /x");
	assert_int_equal(owner_of(&cg, dir1), OWNER_US);
	assert_int_equal(owner_of(&cg, dir2), OWNER_OTHER);
	forge_as(&cg, box2);
	assert_int_equal(owner_of(&cg, dir1), OWNER_US);
	assert_int_equal(owner_of(&cg, dir2), OWNER_OTHER);
	owner_release(&cg);
	assert_int_equal(owner_of(&cg, dir1), OWNER_NONE);
	assert_int_equal(owner_of(&cg, dir2), OWNER_NONE);
}

/* Earlier versions had no other mark, and ordinary users have none now. */
static void test_mark_of_a_user(void **state)
{
	char path[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	forge_as(&cg, box1);
	assert_int_equal(owner_of(&cg, dir1), OWNER_US);
	assert_int_equal(owner_of(&cg, dir2), OWNER_DOUBT);
	assert_int_equal(owner_find(&tree, dir1, NULL, path, &err), 1);
	assert_string_equal(path, group);
	cg.made = 0;
	assert_int_equal(owner_claim(&cg, dir2, &err), -EBUSY);
	/* One that names nothing, or what is gone, is nobody's. */
	forge(&cg, "0:0 /x");
	assert_int_equal(owner_of(&cg, dir1), OWNER_NONE);
	forge_as(&cg, box1);
	assert_int_equal(rmdir(box1), 0);
	assert_int_equal(owner_of(&cg, dir2), OWNER_NONE);
	assert_int_equal(owner_claim(&cg, dir2, &err), 0);
	assert_int_equal(owner_of(&cg, dir2), OWNER_US);
}

static void test_user_claims(void **state)
{
	struct err err = { 0 };
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(fchown(cg.fd, 65534, 65534), 0);
	assert_int_equal(chmod(place, 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(setresuid(65534, 65534, 65534) < 0 || owner_claim(&cg, dir1, &err) < 0 ||
		      owner_of(&cg, dir1) != OWNER_US || owner_of(&cg, dir2) != OWNER_DOUBT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fgetxattr(cg.fd, "trusted.tote", NULL, 0), -1);
	assert_true(fgetxattr(cg.fd, "user.tote", NULL, 0) > 0);
}

/* How deep others nest groups is no obstacle, and neither are few descriptors. */
static void test_find_nested(void **state)
{
	const struct cg_tree part = { .fd = cg.fd };
	struct rlimit limit, few;
	struct deadline past = { 1 };
	char path[PATH_MAX] = "", found[PATH_MAX] = "";
	struct err err = { 0 };
	struct cg deepest;
	int none, one, late;

	(void)state;
	for (int i = 0; i < NESTED; i++) {
		strcat(path, i ? "/d" : "d");
		assert_int_equal(mkdirat(cg.fd, path, 0755), 0);
	}
	deepest = (struct cg){ .fd = fd_open(cg.fd, path, O_RDONLY | O_DIRECTORY), .made = 1 };
	assert_int_equal(owner_claim(&deepest, dir1, &err), 0);
	close(deepest.fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	none = owner_find(&part, dir2, NULL, found, &err);
	late = owner_find(&part, dir1, &past, found, &err);
	one = owner_find(&part, dir1, NULL, found, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(none, 0);
	assert_int_equal(late, -ETIMEDOUT);
	assert_int_equal(one, 1);
	assert_int_equal(found[0], '/');
	assert_string_equal(found + 1, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mark_is_out_of_reach, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mark_of_a_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_user_claims, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_find_nested, set_up, tear_down),
	};
	const char *why = enter();

	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, leave);
}
