/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/state.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char root_path[] = "/tmp/test_state.XXXXXX";
static int root = -1;

static int set_up(void **state)
{
	struct err err;

	(void)state;
	umask(022);
	if (!mkdtemp(root_path))
		return -1;
	root = state_root_open(root_path, false, false, &err);
	return root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(root);
	return rmdir(root_path);
}

static void ids(void **state)
{
	static const char *const good[] = { "a",   "0",	  "_",	 "+",	      "-",
					    "a.b", "a..", "-rf", "A_b+C.d-9", "config.json" };
	static const char *const bad[] = {
		"",    ".",    "..",	   ".a",  "a/b", "/",	  "a b", "a\n",
		"a:b", "a\\b", "\xc3\xa9", "a@b", "a*",	 "a\x7f", "a,b",
	};
	char longest[NAME_MAX + 2];
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(state_check_id(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (state_check_id(bad[i], &err) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
	memset(longest, 'x', sizeof(longest));
	longest[NAME_MAX + 1] = '\0';
	assert_int_equal(state_check_id(longest, &err), -EINVAL);
	assert_string_equal(err.msg, "invalid container ID: it must have 1 to 255 characters");
	assert_int_equal(state_open(root, longest, -1, &err), -EINVAL);
	assert_int_equal(state_open(root, "../x", 0, &err), -EINVAL);
	longest[NAME_MAX] = '\0';
	assert_int_equal(state_check_id(longest, &err), 0);
}

static int claim(const char *id)
{
	struct err err;
	int fd = state_claim(root, id, &err);

	if (fd < 0)
		fail_msg("%s", err.msg);
	return fd;
}

static void drop(const char *id)
{
	struct err err;

	if (state_remove(root, id, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(faccessat(root, id, F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void round_trip(void **state)
{
	struct key_value annotations[] = { { (char *)"k", (char *)"v \"quoted\"" },
					   { (char *)"e", (char *)"" } };
	char *devices[] = { (char *)"eth0=eth7", NULL };
	struct state out = {
		.oci_version = (char *)"1.2.0",
		.id = (char *)"a",
		.bundle = (char *)"/bundles/\xc3\xa9",
		.rootfs = (char *)"/r",
		.created = (char *)"2026-01-01T00:00:00Z",
		.owner = (char *)"root",
		.annotations = { annotations, 2 },
		.made = true,
		.init = { 4194304, UINT64_MAX, "01234567-89ab-cdef-0123-456789abcdef" },
		.cgroup_path = (char *)"/tote/a",
		.cgroup_levels = 2,
		.private_pids = true,
		.net_devices = { devices, 1 },
		.clos = (char *)"clos1",
	};
	autoarena a = ARENA_INIT;
	autofd fd = claim("a");
	struct state in = { 0 };
	struct stat st;
	struct err err;

	(void)state;
	assert_int_equal(state_save(fd, &out, &err), 0);
	assert_int_equal(fstatat(fd, STATE_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(state_load(fd, &a, &in, &err), 0);
	assert_string_equal(in.oci_version, out.oci_version);
	assert_string_equal(in.id, out.id);
	assert_string_equal(in.bundle, out.bundle);
	assert_string_equal(in.rootfs, out.rootfs);
	assert_string_equal(in.created, out.created);
	assert_string_equal(in.owner, out.owner);
	assert_int_equal(in.annotations.count, 2);
	assert_string_equal(in.annotations.items[0].key, "k");
	assert_string_equal(in.annotations.items[0].value, "v \"quoted\"");
	assert_string_equal(in.annotations.items[1].value, "");
	assert_true(in.made && in.private_pids);
	assert_int_equal(in.init.pid, out.init.pid);
	assert_true(in.init.start_time == UINT64_MAX);
	assert_string_equal(in.init.boot_id, out.init.boot_id);
	assert_string_equal(in.cgroup_path, out.cgroup_path);
	assert_int_equal(in.cgroup_levels, 2);
	assert_int_equal(in.net_devices.count, 1);
	assert_string_equal(in.net_devices.items[0], "eth0=eth7");
	assert_string_equal(in.clos, "clos1");

	/* What there is not stays so. */
	assert_int_equal(state_save(fd, &(struct state){ .id = (char *)"a" }, &err), 0);
	assert_int_equal(state_load(fd, &a, &in, &err), 0);
	assert_null(in.bundle);
	assert_null(in.cgroup_path);
	assert_null(in.clos);
	assert_int_equal(in.annotations.count + in.net_devices.count, 0);
	assert_int_equal(in.init.pid, 0);
	assert_false(in.made || in.private_pids);
	drop("a");
}

static void put(int dir_fd, const char *text, size_t len)
{
	autofd fd = openat(dir_fd, STATE_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, len), 0);
}

/* After a power cut nothing is there but /run is empty then; still, no text may bring us down. */
static void torn_files(void **state)
{
	static const char whole[] =
		"{\"id\":\"a\",\"pid\":12,\"startTime\":34,\"bootId\":\"x\",\"made\":true}";
	static const char *const wrong[] = { "null",
					     "[]",
					     "7",
					     "{\"pid\":\"1\"}",
					     "{\"pid\":4294967296}",
					     "{\"id\":1}",
					     "{\"annotations\":[]}",
					     "{\"made\":1}",
					     "{\"netDevices\":[1]}" };
	autofd fd = claim("a");
	struct state st = { .id = (char *)"untouched" };
	struct err err;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		autoarena a = ARENA_INIT;

		put(fd, whole, len);
		assert_int_equal(state_load(fd, &a, &st, &err), -EINVAL);
		assert_true(strncmp(err.msg, "state.json: ", 12) == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		autoarena a = ARENA_INIT;

		put(fd, wrong[i], strlen(wrong[i]));
		assert_int_equal(state_load(fd, &a, &st, &err), -EINVAL);
	}
	assert_string_equal(st.id, "untouched");
	{
		autoarena a = ARENA_INIT;

		put(fd, whole, sizeof(whole) - 1);
		assert_int_equal(state_load(fd, &a, &st, &err), 0);
		assert_int_equal(st.init.pid, 12);
		assert_int_equal(unlinkat(fd, STATE_FILE, 0), 0);
		assert_int_equal(state_load(fd, &a, &st, &err), -ENOENT);
		/* Longer than a boot id is. */
		put(fd, "{\"bootId\":\"0123456789012345678901234567890123456789\"}", 53);
		assert_int_equal(state_load(fd, &a, &st, &err), 0);
		assert_int_equal(strlen(st.init.boot_id), 36);
	}
	drop("a");
}

static void claims_are_exclusive(void **state)
{
	autofd fd = claim("a"), again = -1;
	struct stat st;
	struct err err;

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(state_claim(root, "a", &err), -EEXIST);
	assert_string_equal(err.msg, "container with given ID already exists: a");
	assert_int_equal(state_open(root, "b", -1, &err), -ENOENT);
	assert_string_equal(err.msg, "container \"b\": container does not exist");
	again = state_open(root, "a", 0, &err);
	assert_true(again >= 0);
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	assert_int_equal(state_open(root, "a", 60, &err), -EBUSY);
	assert_string_equal(err.msg, "container a: another command is at work on it");
	drop("a");
	/* What is no directory is no container. */
	assert_int_equal(symlinkat("/", root, "link"), 0);
	assert_int_equal(state_open(root, "link", -1, &err), -ENOTDIR);
	assert_int_equal(state_claim(root, "link", &err), -EEXIST);
	drop("link");
}

static void nap(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) < 0)
		;
}

static void nothing(int sig)
{
	(void)sig;
}

/* Signals come all the while, without SA_RESTART: none of them may pass for the lock. */
static void interrupt_every_5_ms(bool on)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct itimerval every = { { 0, on ? 5000 : 0 }, { 0, on ? 5000 : 0 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_int_equal(status, 0);
}

/* How long to wait: for ever, or longer than it takes. */
static void wait_for_lock(int lock_ms)
{
	autofd fd = -1;
	int said[2];
	pid_t pid;
	struct err err;
	char c;

	close(claim("a"));
	assert_int_equal(pipe(said), 0);
	pid = fork();
	if (pid == 0) {
		int held = state_open(root, "a", -1, &err);

		if (held < 0 || write(said[1], "l", 1) != 1)
			_exit(1);
		nap(100);
		_exit(write(said[1], "u", 1) != 1);
	}
	assert_int_equal(read(said[0], &c, 1), 1);
	interrupt_every_5_ms(true);
	fd = state_open(root, "a", lock_ms, &err);
	interrupt_every_5_ms(false);
	if (fd < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(fd_wait_readable(said[0], 0), 1);
	reap(pid);
	close(said[0]);
	close(said[1]);
	drop("a");
}

static void locks_are_waited_for(void **state)
{
	(void)state;
	wait_for_lock(-1);
	wait_for_lock(60000);
}

/* Whoever held the lock deleted it: the name is free, or another's. */
static void deleted_meanwhile(void **state)
{
	(void)state;
	for (int claimed_again = 0; claimed_again < 2; claimed_again++) {
		int said[2], fd;
		struct stat held, named;
		struct err err;
		pid_t pid;
		char c;

		close(claim("a"));
		assert_int_equal(pipe(said), 0);
		pid = fork();
		if (pid == 0) {
			int mine = state_open(root, "a", -1, &err);

			if (mine < 0 || write(said[1], "l", 1) != 1)
				_exit(1);
			nap(50);
			if (state_remove(root, "a", &err) < 0)
				_exit(2);
			if (claimed_again && state_claim(root, "a", &err) < 0)
				_exit(3);
			_exit(0);
		}
		assert_int_equal(read(said[0], &c, 1), 1);
		fd = state_open(root, "a", -1, &err);
		if (claimed_again) {
			assert_true(fd >= 0);
			assert_int_equal(fstat(fd, &held), 0);
			assert_int_equal(fstatat(root, "a", &named, 0), 0);
			assert_int_equal(held.st_ino, named.st_ino);
			close(fd);
			drop("a");
		} else {
			assert_int_equal(fd, -ENOENT);
		}
		reap(pid);
		close(said[0]);
		close(said[1]);
	}
}

static void removing(void **state)
{
	autofd fd = claim("a");
	struct err err;

	(void)state;
	put(fd, "{}", 2);
	assert_int_equal(mkdirat(fd, "notify", 0755), 0);
	assert_int_equal(mkdirat(fd, "notify/below", 0700), 0);
	assert_int_equal(symlinkat("..", fd, "notify/up"), 0);
	assert_int_equal(mknodat(fd, "start", S_IFSOCK | 0600, 0), 0);
	drop("a");
	/* Nothing to do is fine as well; a link goes, not what it points to. */
	assert_int_equal(state_remove(root, "a", &err), 0);
	assert_int_equal(mkdirat(root, "kept", 0700), 0);
	assert_int_equal(symlinkat("kept", root, "a"), 0);
	drop("a");
	assert_int_equal(faccessat(root, "kept", F_OK, 0), 0);
	drop("kept");
}

static void listing(void **state)
{
	static const char *const names[] = { "b", "a", "c" };
	autoarena a = ARENA_INIT;
	struct strv found;
	struct err err;

	(void)state;
	assert_int_equal(state_list(root, &a, &found, &err), 0);
	assert_int_equal(found.count, 0);
	assert_int_equal(mkdirat(root, STATE_CACHE_DIR, 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		close(claim(names[i]));
	/* Enough to make the list grow. */
	for (int i = 0; i < 100; i++)
		close(claim(arena_printf(&a, "x%03d", i)));
	assert_int_equal(state_list(root, &a, &found, &err), 0);
	assert_int_equal(found.count, 103);
	assert_string_equal(found.items[0], "a");
	assert_string_equal(found.items[2], "c");
	assert_string_equal(found.items[102], "x099");
	assert_null(found.items[103]);
	for (size_t i = 0; i < found.count; i++)
		drop(found.items[i]);
	drop(STATE_CACHE_DIR);
	assert_int_equal(state_list(-1, &a, &found, &err), -EBADF);
}

static void roots(void **state)
{
	char path[128];
	struct stat st;
	struct err err;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/new/below", root_path);
	assert_int_equal(state_root_open(path, false, false, &err), -ENOENT);
	for (int sticky = 0; sticky < 2; sticky++) {
		fd = state_root_open(path, true, sticky, &err);
		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode, S_IFDIR | (sticky ? 01700 : 0700));
		close(fd);
		assert_int_equal(rmdir(path), 0);
	}
	/* Whoever else may write there could swap containers under us. */
	assert_int_equal(mkdir(path, 0700), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(chmod(path, i ? 0702 : 0720), 0);
		assert_int_equal(state_root_open(path, true, false, &err), -EACCES);
	}
	assert_int_equal(chmod(path, 0755), 0);
	fd = state_root_open(path, true, false, &err);
	assert_true(fd >= 0);
	close(fd);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 1, 0), 0);
		assert_int_equal(state_root_open(path, true, false, &err), -EACCES);
	}
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/new", root_path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(state_root_open("/proc/self/status", true, false, &err), -ENOTDIR);
}

static void oci_form(void **state)
{
	struct state st = { .id = (char *)"a", .bundle = (char *)"/b", .init = { .pid = 7 } };
	static const struct {
		enum status status;
		const char *text;
	} cases[] = {
		{ STATUS_CREATING, "\"pid\":9,\"status\":\"creating\"" },
		{ STATUS_CREATED, "\"pid\":9,\"status\":\"created\"" },
		{ STATUS_RUNNING, "\"pid\":9,\"status\":\"running\"" },
		{ STATUS_PAUSED, "\"pid\":9,\"status\":\"paused\"" },
		{ STATUS_STOPPED, "\"pid\":0,\"status\":\"stopped\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf out = BUF_INIT;
		struct json_writer w;

		json_writer_init(&w, &out, false);
		state_write_oci(&st, cases[i].status, 9, &w);
		json_writer_done(&w);
		assert_non_null(strstr(out.data, cases[i].text));
		assert_non_null(strstr(out.data, "\"ociVersion\":\"1.0.0\",\"id\":\"a\","));
		assert_non_null(strstr(out.data, "\"bundle\":\"/b\""));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(torn_files),
		cmocka_unit_test(claims_are_exclusive),
		cmocka_unit_test(locks_are_waited_for),
		cmocka_unit_test(deleted_meanwhile),
		cmocka_unit_test(removing),
		cmocka_unit_test(listing),
		cmocka_unit_test(roots),
		cmocka_unit_test(oci_form),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
