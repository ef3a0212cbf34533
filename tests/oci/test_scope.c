/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers in systemd's scopes, without systemd: the names of units, limits and annotations as
 * properties, and how tote-systemd is executed (a script in its place tells).
 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "oci/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50

static void names(void **state)
{
	static const struct {
		const char *cgroups_path, *id, *unit, *slice, *path;
	} cases[] = {
		{ NULL, "box1", "tote-box1.scope", "system.slice",
		  "/system.slice/tote-box1.scope" },
		{ "", "box1", "tote-box1.scope", "system.slice", "/system.slice/tote-box1.scope" },
		{ "machine.slice:libpod:ab", "box1", "libpod-ab.scope", "machine.slice",
		  "/machine.slice/libpod-ab.scope" },
		{ "::n", "box1", "n.scope", "system.slice", "/system.slice/n.scope" },
		{ ":p:n", "box1", "p-n.scope", "system.slice", "/system.slice/p-n.scope" },
		{ "a-b-c.slice:p:n", "box1", "p-n.scope", "a-b-c.slice",
		  "/a.slice/a-b.slice/a-b-c.slice/p-n.scope" },
		{ "-.slice:p:n", "box1", "p-n.scope", "-.slice", "/p-n.scope" },
		/* As systemd-escape(1) writes them. */
		{ NULL, "a+b", "tote-a\\x2bb.scope", "system.slice",
		  "/system.slice/tote-a\\x2bb.scope" },
		{ "::.hidden", "i", "\\x2ehidden.scope", "system.slice",
		  "/system.slice/\\x2ehidden.scope" },
		{ ":a@b:c/d e", "i", "a\\x40b-c\\x2fd\\x20e.scope", "system.slice",
		  "/system.slice/a\\x40b-c\\x2fd\\x20e.scope" },
		{ "::\xc3\xa4", "i", "\\xc3\\xa4.scope", "system.slice",
		  "/system.slice/\\xc3\\xa4.scope" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct scope s;
		struct err err;

		if (scope_name(cases[i].cgroups_path, cases[i].id, false, &a, &s, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_string_equal(s.unit, cases[i].unit);
		assert_string_equal(s.slice, cases[i].slice);
		assert_string_equal(s.path, cases[i].path);
		assert_false(s.user);
	}
}

static void names_of_users(void **state)
{
	autoarena a = ARENA_INIT;
	char path[128];
	struct scope s;
	struct err err;

	(void)state;
	assert_int_equal(scope_name(NULL, "b", true, &a, &s, &err), 0);
	assert_string_equal(s.unit, "tote-b.scope");
	assert_string_equal(s.slice, "user.slice");
	assert_true(s.user);
	snprintf(path, sizeof(path),
		 "/user.slice/user-%u.slice/user@%u.service/user.slice/tote-b.scope", geteuid(),
		 geteuid());
	assert_string_equal(s.path, path);
}

static void wrong_names(void **state)
{
	static const char *const unlike_three[] = {
		"/absolute", "relative/path", "a.slice:b", "a.slice:b:c:d", "a.slice:b:", "::", ":",
		"x"
	};
	static const char *const no_slices[] = { "system",	  "system.scope",    ".slice",
						 "-a.slice",	  "a-.slice",	     "a--b.slice",
						 "a/b.slice",	  ".a.slice",	     "a b.slice",
						 "../x.slice",	  X200 X50 ".slice", "a@b.slice",
						 "-.slice.slice-" };
	autoarena a = ARENA_INIT;
	struct scope s = { .unit = (char *)"untouched" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unlike_three); i++) {
		assert_int_equal(scope_name(unlike_three[i], "i", false, &a, &s, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "linux.cgroupsPath"));
		assert_non_null(strstr(err.msg, "\"slice:prefix:name\""));
		assert_non_null(strstr(err.msg, unlike_three[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(no_slices); i++) {
		char *path = arena_printf(&a, "%s:p:n", no_slices[i]);

		if (scope_name(path, "i", false, &a, &s, &err) != -EINVAL)
			fail_msg("%s passes for a slice", no_slices[i]);
		assert_non_null(strstr(err.msg, "is not the name of a slice"));
	}
	assert_string_equal(s.unit, "untouched");
}

/* 255 bytes are a file name's most; "+" takes four. */
static void long_names(void **state)
{
	autoarena a = ARENA_INIT;
	struct scope s;
	struct err err;

	(void)state;
	assert_int_equal(scope_name(NULL, X200 "44444444444444444444444444444444444444444444",
				    false, &a, &s, &err),
			 0);
	assert_int_equal(strlen(s.unit), 255);
	assert_int_equal(scope_name(NULL, X200 "444444444444444444444444444444444444444444445",
				    false, &a, &s, &err),
			 -ENAMETOOLONG);
	assert_non_null(strstr(err.msg, "256 bytes"));
	assert_int_equal(scope_name(NULL, X200 "+++++++++++", false, &a, &s, &err), 0);
	assert_int_equal(strlen(s.unit), 255);
	assert_int_equal(scope_name(NULL, X200 "++++++++++++", false, &a, &s, &err), -ENAMETOOLONG);
}

/* All words in one string, to be compared at a glance. */
static const char *joined(struct scope_words *w)
{
	char *text = arena_strdup(w->a, "");

	for_each (word, &w->list)
		text = arena_printf(w->a, "%s%s%s", text, text[0] ? " " : "", *word);
	if (w->list.count)
		assert_null(w->list.items[w->list.count]);
	return text;
}

static void limits(void **state)
{
	static const struct {
		const char *file, *value, *words;
		unsigned int flags;
		const char *cpu_max;
		bool idle;
	} cases[] = {
		{ "memory.max", "67108864", "?MemoryMax=t:67108864" },
		{ "memory.max", "64M", "?MemoryMax=t:67108864" },
		{ "memory.max", "1k", "?MemoryMax=t:1024" },
		{ "memory.max", "max", "?MemoryMax=t:18446744073709551615" },
		{ "memory.max", "maxi", "" },
		{ "memory.max", "64Q", "" },
		{ "memory.max", "-1", "" },
		{ "memory.max", "", "" },
		{ "memory.max", "99999999999E", "" },
		{ "memory.high", "5", "?MemoryHigh=t:5" },
		{ "memory.low", "5", "?MemoryLow=t:5" },
		{ "memory.min", "5", "?MemoryMin=t:5" },
		{ "memory.swap.max", "0", "?MemorySwapMax=t:0" },
		{ "memory.oom.group", "1", "?OOMPolicy=s:kill" },
		{ "memory.oom.group", "0", "" },
		{ "cpu.weight", "39", "?CPUWeight=t:39" },
		{ "cpu.weight", "max", "" },
		{ "cpu.idle", "1", "?CPUWeight=t:0" },
		{ "cpu.idle", "0", "" },
		{ "cpu.idle", "0", "?CPUWeight=t:100", .idle = true },
		{ "cpu.max", "50000 100000",
		  "?CPUQuotaPerSecUSec=t:500000 ?CPUQuotaPeriodUSec=t:100000" },
		{ "cpu.max", "150000 50000",
		  "?CPUQuotaPerSecUSec=t:3000000 ?CPUQuotaPeriodUSec=t:50000" },
		/* A whole percent, upwards. */
		{ "cpu.max", "12345 100000",
		  "?CPUQuotaPerSecUSec=t:130000 ?CPUQuotaPeriodUSec=t:100000" },
		{ "cpu.max", "1000 1000000",
		  "?CPUQuotaPerSecUSec=t:10000 ?CPUQuotaPeriodUSec=t:1000000" },
		{ "cpu.max", "20000", "?CPUQuotaPerSecUSec=t:200000 ?CPUQuotaPeriodUSec=t:100000" },
		{ "cpu.max", "20000", "?CPUQuotaPerSecUSec=t:400000 ?CPUQuotaPeriodUSec=t:50000",
		  .cpu_max = "10000 50000" },
		{ "cpu.max", "200000", "?CPUQuotaPerSecUSec=t:100000 ?CPUQuotaPeriodUSec=t:200000",
		  .cpu_max = "20000 50000", .flags = CG_WRITE_KEEP_QUOTA },
		{ "cpu.max", "max",
		  "?CPUQuotaPerSecUSec=t:18446744073709551615 ?CPUQuotaPeriodUSec=t:100000" },
		{ "cpu.max", "max 5000",
		  "?CPUQuotaPerSecUSec=t:18446744073709551615 ?CPUQuotaPeriodUSec=t:5000" },
		{ "cpu.max", "5 0", "" },
		{ "cpu.max", "5 x", "" },
		{ "cpu.max", "18446744073709 1",
		  "?CPUQuotaPerSecUSec=t:18446744073709000000 ?CPUQuotaPeriodUSec=t:1" },
		{ "cpu.max", "18446744073710 1", "" },
		{ "cpu.max.burst", "5", "" },
		{ "cpuset.cpus", "0", "?AllowedCPUs=ay:01" },
		{ "cpuset.cpus", "0-2,9", "?AllowedCPUs=ay:0702" },
		{ "cpuset.cpus", "64,127", "?AllowedCPUs=ay:00000000000000000100000000000080" },
		{ "cpuset.cpus", "", "?AllowedCPUs=ay:" },
		{ "cpuset.cpus", "all", "" },
		{ "cpuset.mems", "1", "?AllowedMemoryNodes=ay:02" },
		{ "pids.max", "17", "?TasksMax=t:17" },
		{ "pids.max", "max", "?TasksMax=t:18446744073709551615" },
		{ "io.weight", "500", "?IOWeight=t:500" },
		{ "io.weight", "default 500", "?IOWeight=t:500" },
		{ "io.weight", "8:0 500", "" },
		{ "io.bfq.weight", "500", "" },
		{ "io.max", "8:0 rbps=5", "" },
		{ "hugetlb.2MB.max", "5", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct cg_write write = { cases[i].file, cases[i].value, "", cases[i].flags };
		struct cg_writes writes = { &write, 1 };
		struct scope_now now = SCOPE_NOW_NEW;
		struct scope_words w = { .a = &a };

		if (cases[i].cpu_max)
			now.cpu_max = cases[i].cpu_max;
		now.idle = cases[i].idle;
		scope_words_limits(&w, &writes, &now);
		if (strcmp(joined(&w), cases[i].words) != 0)
			fail_msg("%s \"%s\": %s", cases[i].file, cases[i].value, joined(&w));
	}
}

/* From the spec's own terms; unified comes last, so that it counts. */
static void limits_of_a_spec(void **state)
{
	static const struct scope_now now = SCOPE_NOW_NEW;
	struct key_value unified[] = { { (char *)"memory.max", (char *)"2M" },
				       { (char *)"memory.high", (char *)"1M" } };
	struct cg_limits l = {
		.memory.limit = { true, 4096 },
		.memory.swap = { true, 8192 },
		.cpu.quota = { true, 25000 },
		.cpu.cpus = (char *)"1",
		.pids_limit = { true, -1 },
		.block_io.weight = { true, 1000 },
		.unified = { unified, 2 },
	};
	autoarena a = ARENA_INIT;
	struct scope_words w = { .a = &a };
	struct cg_writes writes;
	struct err err;

	(void)state;
	assert_int_equal(limits_translate(&l, &a, &writes, &err), 0);
	scope_words_limits(&w, &writes, &now);
	assert_string_equal(joined(&w),
			    "?MemorySwapMax=t:4096 ?MemoryMax=t:4096 ?AllowedCPUs=ay:02 "
			    "?CPUQuotaPerSecUSec=t:250000 ?CPUQuotaPeriodUSec=t:100000 "
			    "?TasksMax=t:18446744073709551615 ?IOWeight=t:10000 "
			    "?MemoryMax=t:2097152 ?MemoryHigh=t:1048576");
}

static void base(void **state)
{
	const struct scope s = { (char *)"u.scope", (char *)"s.slice", (char *)"/p", false };
	autoarena a = ARENA_INIT;
	struct scope_words w = { .a = &a };

	(void)state;
	scope_words_base(&w, &s, "box 1", 77);
	assert_string_equal(w.list.items[0], "PIDs=au:77");
	assert_string_equal(w.list.items[1], "Slice=s:s.slice");
	assert_string_equal(w.list.items[2], "Description=s:tote container box 1");
	assert_non_null(strstr(joined(&w), " Delegate=b:true "));
	assert_non_null(strstr(joined(&w), " CollectMode=s:inactive-or-failed "));
	assert_null(strstr(joined(&w), "u.scope"));
	/* More than there was room for at first. */
	for (int i = 0; i < 100; i++)
		scope_words_add(&w, arena_printf(&a, "%d", i));
	assert_string_equal(w.list.items[0], "PIDs=au:77");
	assert_string_equal(w.list.items[w.list.count - 1], "99");
	assert_null(w.list.items[w.list.count]);
}

static void annotations(void **state)
{
	static const struct {
		const char *key, *value, *words; /* words NULL: refused */
	} cases[] = {
		{ "TimeoutStopUSec", "uint64 5000000", "TimeoutStopUSec=t:5000000" },
		{ "TimeoutStopUSec", "5000000", "TimeoutStopUSec=t:5000000" },
		{ "TimeoutStopUSec", " int32   7 ", "TimeoutStopUSec=t:7" },
		{ "TimeoutStopSec", "90", "TimeoutStopUSec=t:90000000" },
		{ "TimeoutStopSec", "uint64 1", "TimeoutStopUSec=t:1000000" },
		{ "TimeoutStopSec", "18446744073710", NULL },
		{ "TimeoutStopUSec", "-1", NULL },
		{ "TimeoutStopUSec", "'5'", NULL },
		{ "TimeoutStopUSec", "5s", NULL },
		{ "TimeoutStopUSec", "", NULL },
		{ "CollectMode", "'inactive'", "CollectMode=s:inactive" },
		{ "CollectMode", "\"inactive\"", "CollectMode=s:inactive" },
		{ "CollectMode", "inactive", NULL },
		{ "CollectMode", "'inactive", NULL },
		{ "CollectMode", "'inactive\"", NULL },
		{ "CollectMode", "'a' 'b'", NULL },
		{ "CollectMode", "'", NULL },
		{ "CollectMode", "'a\\", NULL },
		{ "CollectMode", "'a\\n'", NULL },
		{ "Description", "'it\\'s \\\\ mine'", "Description=s:it's \\ mine" },
		{ "Description", "''", "Description=s:" },
		{ "DefaultDependencies", "true", "DefaultDependencies=b:true" },
		{ "DefaultDependencies", "false", "DefaultDependencies=b:false" },
		{ "DefaultDependencies", "'true'", NULL },
		{ "DefaultDependencies", "truefalse", NULL },
		{ "DefaultDependencies", "1", NULL },
		{ "After", "['a.service']", "After=as:a.service" },
		{ "After", " [ 'a.service' , \"b.mount\" ] ", "After=as:a.service b.mount" },
		{ "Before", "@as []", "Before=as:" },
		{ "Wants", "['poweroff.target']", NULL },
		{ "After", "['a.service' 'b.service']", NULL },
		{ "After", "['a.service',]", NULL },
		{ "After", "['a b']", NULL },
		{ "After", "['a'", NULL },
		{ "After", "'a'", NULL },
		{ "OOMPolicy", "'kill'", "OOMPolicy=s:kill" },
		/* Of another kind: they would reach beyond the unit. */
		{ "Slice", "'x.slice'", NULL },
		{ "PIDs", "[1]", NULL },
		{ "ExecStart", "['/bin/sh']", NULL },
		{ "MemoryMax", "uint64 5", NULL },
		{ "", "5", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct key_value kv[] = {
			{ (char *)"com.example.other", (char *)"anything" },
			{ arena_printf(&a, "org.systemd.property.%s", cases[i].key),
			  (char *)cases[i].value },
		};
		struct key_value_list list = { kv, 2 };
		struct scope_words w = { .a = &a };
		struct err err = { 0 };
		int r = scope_words_annotations(&w, &list, &err);

		if (r != (cases[i].words ? 0 : -EINVAL))
			fail_msg("%s %s: %d %s", kv[1].key, kv[1].value, r, err.msg);
		if (r == 0)
			assert_string_equal(joined(&w), cases[i].words);
		else
			assert_non_null(strstr(err.msg, kv[1].key));
	}
}

static void state_remembers(void **state)
{
	char path[] = "/tmp/tote-scope-XXXXXX";
	struct state out = { .id = (char *)"a", .unit = (char *)"u.scope", .user_bus = true }, in;
	autoarena a = ARENA_INIT;
	autofd fd = -1;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(path));
	fd = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(state_save(fd, &out, &err), 0);
	assert_int_equal(state_load(fd, &a, &in, &err), 0);
	assert_string_equal(in.unit, "u.scope");
	assert_true(in.user_bus);
	out.unit = NULL;
	assert_int_equal(state_save(fd, &out, &err), 0);
	assert_int_equal(state_load(fd, &a, &in, &err), 0);
	assert_null(in.unit);
	assert_int_equal(unlinkat(fd, STATE_FILE, 0), 0);
	assert_int_equal(rmdir(path), 0);
}

static bool alive(pid_t pid)
{
	struct proc_id id;

	return proc_identify(pid, &id) == 0 && proc_alive(&id);
}

static void holders(void **state)
{
	pid_t pid = scope_hold(), child;
	char path[64], name[8];
	int pair[2], status;

	(void)state;
	assert_true(pid > 0);
	assert_true(alive(pid));
	/* A lock or a pipe of ours in it would outlive us. */
	snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
	for (int i = 0; i < 500 && access(path, F_OK) == 0; i++)
		usleep(10000);
	assert_int_equal(readlink(path, name, sizeof(name)), -1);
	assert_int_equal(kill(pid, SIGTERM), 0);
	usleep(20000);
	assert_true(alive(pid));
	scope_let_go(&pid);
	assert_int_equal(pid, 0);
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
	scope_let_go(&pid);
	/* It goes with whom it is for. */
	assert_int_equal(pipe(pair), 0);
	child = fork();
	if (child == 0) {
		pid = scope_hold();
		_exit(write(pair[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(read(pair[0], &pid, sizeof(pid)), sizeof(pid));
	for (int i = 0; i < 500 && alive(pid); i++)
		usleep(10000);
	assert_false(alive(pid));
	close(pair[0]);
	close(pair[1]);
}

/* A script in the place of tote-systemd. */
static void put_program(const char *script)
{
	char path[PATH_MAX], text[512];
	FILE *f;

	assert_int_equal(proc_sibling("tote-systemd", path, sizeof(path)), 0);
	unlink(path);
	if (!script)
		return;
	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void errands(void **state)
{
	struct state st = { .unit = (char *)"u.scope" };
	autoarena a = ARENA_INIT;
	struct scope_words w = { .a = &a };
	char *path = NULL;
	struct err err;

	(void)state;
	scope_words_add(&w, (char *)"A=s:b c");
	put_program("echo \"/$*\"");
	assert_int_equal(scope_start(&st, &w, &path, &err), 0);
	assert_string_equal(path, "/--timeout 30000 start u.scope A=s:b c");
	st.user_bus = true;
	assert_int_equal(scope_start(&st, &w, &path, &err), 0);
	assert_string_equal(path, "/--user --timeout 30000 start u.scope A=s:b c");
	put_program("[ \"$*\" = '--user --timeout 10000 set u.scope A=s:b c' ] || exit 1");
	assert_int_equal(scope_set(&st, &w, &err), 0);
	put_program("[ \"$*\" = '--user --timeout 3821 stop u.scope' ] || exit 1");
	assert_int_equal(scope_stop(&st, 4321, &err), 0);
	/* In its own words, without what only its developers want to know. */
	put_program("echo 'tote-systemd: unit u.scope exists already' >&2; exit 1");
	assert_int_equal(scope_start(&st, &w, &path, &err), -EIO);
	assert_string_equal(err.msg, "unit u.scope exists already");
	put_program("echo 'tote-systemd: nobody there' >&2; exit 3");
	assert_int_equal(scope_stop(&st, 1000, &err), -ENOTCONN);
	assert_string_equal(err.msg, "nobody there");
	put_program(NULL);
	assert_int_equal(scope_stop(&st, 1000, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "needs tote-systemd"));
	/* Nothing to change is no errand. */
	w.list.count = 0;
	assert_int_equal(scope_set(&st, &w, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(names_of_users),
		cmocka_unit_test(wrong_names),
		cmocka_unit_test(long_names),
		cmocka_unit_test(limits),
		cmocka_unit_test(limits_of_a_spec),
		cmocka_unit_test(base),
		cmocka_unit_test(annotations),
		cmocka_unit_test(state_remembers),
		cmocka_unit_test(holders),
		cmocka_unit_test(errands),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
