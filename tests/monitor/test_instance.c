/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/supervise/instance.h"
#include "oci/supervise/paths.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char run[] = "/tmp/test_instance.XXXXXX";
static int run_fd = -1, dir = -1;
static struct arena a;
static struct err err;

static int set_up(void **state)
{
	(void)state;
	dir = instance_open(run_fd, "shop-web-1", true, &err);
	return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(dir);
	return instance_remove(run_fd, "shop-web-1", &err);
}

static void write_file(const char *name, const char *text)
{
	autofd fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(instance_name("shop", "web", 1, false, &a), "shop-web-1");
	assert_string_equal(instance_name("shop", "web", 12, true, &a), "shop-web-12.b");
	assert_true(instance_open(run_fd, "../x", true, &err) < 0);
	assert_true(instance_open(run_fd, ".hidden", true, &err) < 0);
	assert_true(instance_open(run_fd, "", true, &err) < 0);
	assert_int_equal(instance_open(run_fd, "shop-none-1", false, &err), -ENOENT);
	assert_string_equal(instance_state_name(INSTANCE_RUNNING), "running");
	assert_string_equal(exit_reason_name(EXIT_NOT_CREATED), "not created");
}

static void assert_same(const struct instance_status *x, const struct instance_status *y)
{
	assert_int_equal(x->state, y->state);
	assert_int_equal(x->run, y->run);
	assert_int_equal(x->init.pid, y->init.pid);
	assert_int_equal(x->init.start_time, y->init.start_time);
	assert_string_equal(x->init.boot_id, y->init.boot_id);
	assert_int_equal(x->since, y->since);
	assert_int_equal(x->started, y->started);
	assert_int_equal(x->started_at, y->started_at);
	assert_int_equal(x->start_ms, y->start_ms);
	assert_int_equal(x->log_dropped, y->log_dropped);
	assert_int_equal(x->connections, y->connections);
	assert_int_equal(x->activations, y->activations);
}

static void test_status(void **state)
{
	struct instance_status s = { .state = INSTANCE_FROZEN,
				     .run = 4000000000u,
				     .since = 1234567890123,
				     .started = 1234567890000,
				     .started_at = 4102444800,
				     .start_ms = 17,
				     .log_dropped = 1ull << 60,
				     .connections = 3,
				     .activations = 9 };
	struct instance_status got = { 0 };

	(void)state;
	assert_int_equal(instance_read_status(dir, &a, &got, &err), -ENOENT);
	assert_int_equal(proc_identify(getpid(), &s.init), 0);
	assert_int_equal(instance_write_status(dir, &s, &err), 0);
	assert_int_equal(instance_read_status(dir, &a, &got, &err), 0);
	assert_same(&got, &s);
	assert_true(proc_alive(&got.init));
	s.init = (struct proc_id){ 0 };
	s.state = INSTANCE_CREATING;
	assert_int_equal(instance_write_status(dir, &s, &err), 0);
	got = (struct instance_status){ 0 };
	assert_int_equal(instance_read_status(dir, &a, &got, &err), 0);
	assert_same(&got, &s);
}

static void test_exit(void **state)
{
	struct instance_exit e, got;

	(void)state;
	memset(&e, 0, sizeof(e));
	memset(&got, 0, sizeof(got));
	e.run = 7;
	e.reason = EXIT_NOT_STARTED;
	e.code = -1;
	e.signal = 9;
	e.oom = true;
	e.ended = 99;
	e.ended_at = 100;
	e.ran_ms = INT64_C(1) << 40;
	e.message = (char *)"a \"word\"\n";
	assert_int_equal(instance_read_exit(dir, &a, &got, &err), -ENOENT);
	assert_int_equal(instance_write_exit(dir, &e, &err), 0);
	assert_int_equal(instance_read_exit(dir, &a, &got, &err), 0);
	assert_string_equal(got.message, e.message);
	assert_int_equal(got.run, e.run);
	assert_int_equal(got.reason, e.reason);
	assert_int_equal(got.code, e.code);
	assert_int_equal(got.signal, e.signal);
	assert_true(got.oom);
	assert_int_equal(got.ended, e.ended);
	assert_int_equal(got.ended_at, e.ended_at);
	assert_int_equal(got.ran_ms, e.ran_ms);
	e.message = NULL;
	assert_int_equal(instance_write_exit(dir, &e, &err), 0);
	assert_int_equal(instance_read_exit(dir, &a, &got, &err), 0);
	assert_null(got.message);
}

static void test_bad_files(void **state)
{
	static const char *const bad[] = { "",
					   "{",
					   "[]",
					   "{\"run\":1}",
					   "{\"state\":\"nonsense\",\"run\":1}",
					   "{\"state\":\"running\",\"run\":-1}" };
	struct instance_status s;
	struct instance_exit e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		write_file(INSTANCE_STATUS, bad[i]);
		write_file(INSTANCE_EXIT, bad[i]);
		assert_int_equal(instance_read_status(dir, &a, &s, &err), -EINVAL);
		assert_non_null(strstr(err.msg, INSTANCE_STATUS));
		assert_int_equal(instance_read_exit(dir, &a, &e, &err), -EINVAL);
		assert_non_null(strstr(err.msg, INSTANCE_EXIT));
	}
}

static void test_claim(void **state)
{
	autofd claim = -1, monitor = -1;
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(instance_open_monitor(dir), -ESRCH);
	claim = instance_claim(dir, &err);
	assert_true(claim >= 0);
	assert_true(fcntl(claim, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(instance_claim(dir, &err), -EBUSY);
	monitor = instance_open_monitor(dir);
	assert_true(monitor >= 0);
	assert_int_equal(proc_signal(monitor, 0), 0);
	close(take_fd(&claim));
	/* The next one has it, and is gone. */
	child = fork();
	if (child == 0)
		_exit(instance_claim(dir, &err) < 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(instance_open_monitor(dir), -ESRCH);
	write_file(INSTANCE_MONITOR, "1 2");
	assert_int_equal(instance_open_monitor(dir), -ESRCH);
	write_file(INSTANCE_MONITOR, "nonsense\n");
	assert_int_equal(instance_open_monitor(dir), -ESRCH);
	claim = instance_claim(dir, &err);
	assert_true(claim >= 0);
}

/* A monitor that answers one request with what it was asked, or these words. */
static pid_t answer(const char *words)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char packet[600];
	pid_t child;
	ssize_t n;

	unlinkat(dir, INSTANCE_CONTROL, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/control", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	child = fork();
	if (child) {
		close(fd);
		return child;
	}
	alarm(30);
	fd = accept(fd, NULL, NULL);
	n = recv(fd, packet, sizeof(packet) - 1, 0);
	packet[n > 0 ? n : 0] = 0;
	if (!words)
		pause();
	if (*words == '=')
		words = strcmp(words + 1, packet) == 0 ? "ok" : "error wrong words";
	if (*words)
		send(fd, words, strlen(words), MSG_NOSIGNAL);
	_exit(0);
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_tell(void **state)
{
	static const struct {
		const char *answer;
		int result;
		const char *words;
	} cases[] = {
		{ "=stop SIGTERM 10", 0, NULL },
		{ "error no such thing", -EIO, "no such thing" },
		{ "nonsense", -EIO, "nonsense" },
		{ "", -ESRCH, "has left" },
	};

	(void)state;
	assert_int_equal(instance_tell(dir, 1000, &err, "start"), -ESRCH);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t child = answer(cases[i].answer);

		assert_int_equal(instance_tell(dir, 20000, &err, "stop %s %d", "SIGTERM", 10),
				 cases[i].result);
		if (cases[i].words)
			assert_non_null(strstr(err.msg, cases[i].words));
		end(child);
	}
	/* Its socket is there, but nobody behind it. */
	assert_int_equal(instance_tell(dir, 1000, &err, "start"), -ESRCH);
}

static void test_tell_in_time(void **state)
{
	pid_t child = answer(NULL);
	char *long_words = calloc(1, 2000);

	(void)state;
	assert_int_equal(instance_tell(dir, 100, &err, "start"), -ETIMEDOUT);
	memset(long_words, 'x', 1999);
	assert_int_equal(instance_tell(dir, 100, &err, "%s", long_words), -EINVAL);
	free(long_words);
	end(child);
}

static void test_remove(void **state)
{
	autofd there = instance_open(run_fd, "shop-db-1", true, &err);
	struct stat st;

	(void)state;
	assert_true(there >= 0);
	assert_int_equal(fstat(there, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(mkdirat(there, INSTANCE_FILES, 0700), 0);
	assert_int_equal(mkfifoat(there, "out", 0600), 0);
	assert_int_equal(instance_remove(run_fd, "shop-db-1", &err), 0);
	assert_int_equal(instance_open(run_fd, "shop-db-1", false, &err), -ENOENT);
	assert_int_equal(instance_remove(run_fd, "shop-db-1", &err), 0);
}

static void test_paths(void **state)
{
	struct supervise_paths p;

	(void)state;
	unsetenv("TOTE_SUPERVISE_DIR");
	assert_int_equal(supervise_paths(false, &a, &p, &err), 0);
	assert_string_equal(p.state, "/var/lib/tote-supervise");
	assert_string_equal(p.log, "/var/log/tote");
	assert_string_equal(p.run, "/run/tote-supervise");
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	setenv("HOME", "/home/x", 1);
	unsetenv("XDG_DATA_HOME");
	assert_int_equal(supervise_paths(true, &a, &p, &err), 0);
	assert_string_equal(p.state, "/home/x/.local/share/tote-supervise");
	assert_string_equal(p.log, "/home/x/.local/share/tote-supervise/log");
	assert_string_equal(p.run, "/run/user/7/tote-supervise");
	setenv("XDG_DATA_HOME", "/data", 1);
	assert_int_equal(supervise_paths(true, &a, &p, &err), 0);
	assert_string_equal(p.state, "/data/tote-supervise");
	unsetenv("XDG_RUNTIME_DIR");
	assert_int_equal(supervise_paths(true, &a, &p, &err), -ENOENT);
	setenv("TOTE_SUPERVISE_DIR", "/t", 1);
	assert_int_equal(supervise_paths(true, &a, &p, &err), 0);
	assert_string_equal(p.state, "/t/state");
	assert_string_equal(p.log, "/t/log");
	assert_string_equal(p.run, "/t/run");
	setenv("TOTE_SUPERVISE_DIR", "t", 1);
	assert_int_equal(supervise_paths(false, &a, &p, &err), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),	 TEST(test_status), TEST(test_exit),
		TEST(test_bad_files),	 TEST(test_claim),  TEST(test_tell),
		TEST(test_tell_in_time), TEST(test_remove), TEST(test_paths),
	};
	char path[64];
	int r;

	if (!mkdtemp(run))
		return 1;
	run_fd = fd_open(AT_FDCWD, run, O_RDONLY | O_DIRECTORY);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	arena_done(&a);
	snprintf(path, sizeof(path), "%s/i", run);
	rmdir(path);
	rmdir(run);
	return r;
}
