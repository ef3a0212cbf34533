/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes namespaces ahead and clones there, against the kernel: root only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/proc.h"
#include "oci/ahead.h"
#include "oci/idmap.h"
#include "oci/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_PLAN 255 /* what tote-init ends with */

static struct ahead ahead;
static struct spawn sp;
static int ours, root;
static char dir[32];

static void map_ids(void)
{
	struct spec_id_mapping map = { 0, 100000, 1000 };
	struct spec_id_mappings maps = { &map, 1 };
	struct err err = { 0 };

	assert_int_equal(idmap_write(ahead.pid, &maps, &maps, &err), 0);
}

static int set_up(void **state)
{
	struct err err;
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	ours = pair[0];
	/* Who is nobody in the user namespace could not enter it. */
	if (mkdtemp(strcpy(dir, "/tmp/test_spawn.XXXXXX")) == NULL || chown(dir, 1000, 1000) < 0)
		return -1;
	root = open(dir, O_PATH | O_CLOEXEC);
	sp = (struct spawn){ .clone_flags = CLONE_NEWNS | CLONE_NEWPID,
			     .ahead = &ahead,
			     .user_ns = true,
			     .netns_fd = -1,
			     .cgroup_fd = -1,
			     .root_fd = -1,
			     .close_from = 3,
			     .init_fd = spawn_init_fd(&err),
			     .plan_fd = memfd_create("plan", MFD_CLOEXEC),
			     .sync_fd = pair[1] };
	return ahead_begin(&ahead, CLONE_NEWUSER | CLONE_NEWNET, root);
}

static int tear_down(void **state)
{
	(void)state;
	ahead_end(&ahead);
	close(ours);
	close(root);
	rmdir(dir);
	close(sp.init_fd);
	close(sp.plan_fd);
	close(sp.sync_fd);
	/* Neither it nor a child is left. */
	return waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD ? 0 : -1;
}

static ino_t namespace_of(pid_t pid, const char *type)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, type);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Held by a plan that has no end yet: a pipe. */
static void test_child_is_in_its_namespaces(void **state)
{
	autofd netns = -1, pidfd = -1;
	struct stat st;
	struct err err = { 0 };
	char path[64], cwd[64];
	int plan[2], status;
	ssize_t len;
	ino_t user;
	pid_t pid;

	(void)state;
	map_ids();
	user = namespace_of(ahead.pid, "user");
	netns = ahead_netns(&ahead);
	assert_true(netns >= 0);
	assert_int_equal(fstat(netns, &st), 0);
	assert_int_equal(pipe2(plan, O_CLOEXEC), 0);
	close(sp.plan_fd);
	sp.plan_fd = plan[0];
	assert_int_equal(spawn(&sp, &pid, &pidfd, &err), 0);
	assert_int_equal(namespace_of(pid, "user"), user);
	assert_int_not_equal(user, namespace_of(getpid(), "user"));
	assert_int_equal(namespace_of(pid, "net"), st.st_ino);
	assert_int_not_equal(st.st_ino, namespace_of(getpid(), "net"));
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	len = readlink(path, cwd, sizeof(cwd) - 1);
	assert_true(len > 0);
	cwd[len] = '\0';
	assert_string_equal(cwd, dir);
	ahead_end(&ahead);
	close(plan[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), NO_PLAN);
}

static void test_clone_that_fails(void **state)
{
	struct err err = { 0 };
	int pidfd = -1;
	pid_t pid;

	(void)state;
	map_ids();
	sp.cgroup_fd = sp.plan_fd;
	assert_int_equal(spawn(&sp, &pid, &pidfd, &err), -EBADF);
	assert_non_null(strstr(err.msg, "clone the container's process"));
}

/* As by the OOM killer: before and after it was asked. */
static void test_killed(void **state)
{
	struct err err = { 0 };
	int pidfd = -1;
	pid_t pid;

	(void)state;
	kill(ahead.pid, SIGKILL);
	assert_int_equal(spawn(&sp, &pid, &pidfd, &err), -ECHILD);
	assert_int_equal(spawn(&sp, &pid, &pidfd, &err), -ECHILD);
}

static int lowest_free(void)
{
	int fd = dup(ours);

	close(fd);
	return fd;
}

static void test_unused(void **state)
{
	int before;

	(void)state;
	ahead_end(&ahead);
	before = lowest_free();
	assert_int_equal(ahead_begin(&ahead, CLONE_NEWUSER | CLONE_NEWNET, root), 0);
	for (int i = 0; i < 500 && ahead.netns < 0; i++)
		usleep(10000);
	assert_int_equal(lowest_free(), before + 1);
	ahead_end(&ahead);
	assert_int_equal(lowest_free(), before);
	ahead_end(&ahead);
	assert_int_equal(ahead.pid, 0);
	assert_int_equal(ahead_netns(&ahead), -1);
}

/* On one processor we are gone before it has run at all. */
static void stay_on_this_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* It waits for an order that never comes. */
static void ends_with_us(bool at_once)
{
	pid_t *its = mmap(NULL, sizeof(*its), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0),
	      pid;

	pid = fork();
	if (pid == 0) {
		struct ahead a;

		if (at_once)
			stay_on_this_processor();
		*its = ahead_begin(&a, CLONE_NEWUSER | CLONE_NEWNET, -1) == 0 ? a.pid : 0;
		_exit(!at_once && ahead_netns(&a) < 0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(*its > 0);
	for (int i = 0; i < 500 && kill(*its, 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill(*its, SIGKILL), -1);
	munmap(its, sizeof(*its));
}

static void test_ends_with_us(void **state)
{
	(void)state;
	ends_with_us(false);
}

static void test_ends_with_us_before_it_ran(void **state)
{
	(void)state;
	ends_with_us(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_child_is_in_its_namespaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clone_that_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ends_with_us, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ends_with_us_before_it_ran, set_up, tear_down),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
