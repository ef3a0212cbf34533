/* SPDX-License-Identifier: Apache-2.0 */
/* stats: the parsers, on a directory of plain files with what a kernel writes. No root needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/stats.h"
#include "lib/buf.h"
#include "lib/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL_CONTROLLERS "cpuset cpu io memory hugetlb pids rdma misc\n"

struct file {
	const char *name, *text;
};

/* A directory that looks like a group. */
struct fake {
	char dir[32];
	struct cg cg;
	struct arena arena;
};

static void put(const struct fake *f, const char *name, const char *text)
{
	autofd fd = openat(f->cg.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int make_fake(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_stats.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->cg = (struct cg){ .path = (char *)"/fake",
			     .fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	put(f, "cgroup.procs", "");
	put(f, "cgroup.controllers", ALL_CONTROLLERS);
	*state = f;
	return 0;
}

static int remove_fake(void **state)
{
	struct fake *f = *state;
	DIR *dir = fdopendir(f->cg.fd);
	struct dirent *de;

	rewinddir(dir);
	while ((de = readdir(dir)))
		unlinkat(f->cg.fd, de->d_name, 0);
	closedir(dir);
	arena_done(&f->arena);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

#define put_all(f, files)                                                                          \
	do {                                                                                       \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(files); i_++)                                  \
			put(f, (files)[i_].name, (files)[i_].text);                                \
	} while (0)

static struct cg_stats read_all(struct fake *f)
{
	struct cg_stats s;
	struct err err = { 0 };

	assert_int_equal(stats_read(&f->cg, &f->arena, &s, &err), 0);
	return s;
}

static void test_cpu(void **state)
{
	static const struct file files[] = {
		{ "cpu.stat", "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnice_usec 7\n"
			      "nr_periods 4\nnr_throttled 3\nthrottled_usec 99\nnr_bursts 5\n"
			      "burst_usec 6\n" },
		{ "cpu.max", "20000 100000\n" },
		{ "cpu.pressure", "some avg10=1.23 avg60=0.05 avg300=100.00 total=77\n"
				  "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n" },
	};
	struct cg_stats s;

	put_all(*state, files);
	s = read_all(*state);
	assert_int_equal(s.cpu.usage.value, 30);
	assert_int_equal(s.cpu.user.value, 10);
	assert_int_equal(s.cpu.system.value, 20);
	assert_int_equal(s.cpu.periods.value, 4);
	assert_int_equal(s.cpu.throttled_periods.value, 3);
	assert_int_equal(s.cpu.throttled.value, 99);
	assert_int_equal(s.cpu.bursts.value, 5);
	assert_int_equal(s.cpu.burst.value, 6);
	assert_int_equal(s.cpu.quota.value, 20000);
	assert_int_equal(s.cpu.period.value, 100000);
	assert_int_equal(s.cpu.psi.some.avg10, 123);
	assert_int_equal(s.cpu.psi.some.avg60, 5);
	assert_int_equal(s.cpu.psi.some.avg300, 10000);
	assert_int_equal(s.cpu.psi.some.total, 77);
	assert_int_equal(s.cpu.psi.full.total, 7);
	put(*state, "cpu.max", "max 100000\n");
	assert_true(read_all(*state).cpu.quota.value == CG_UNLIMITED);
}

static void test_memory(void **state)
{
	static const struct file files[] = {
		{ "memory.current", "4096\n" },
		{ "memory.peak", "8192\n" },
		{ "memory.max", "max\n" },
		{ "memory.low", "1024\n" },
		{ "memory.swap.current", "5\n" },
		{ "memory.swap.max", "6\n" },
		{ "memory.stat", "anon 11\nfile 22\ninactive_file 18446744073709551615\n" },
		{ "memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n" },
		{ "memory.swap.events", "high 7\nmax 8\nfail 9\n" },
	};
	struct cg_stats s;

	put_all(*state, files);
	s = read_all(*state);
	assert_int_equal(s.memory.current.value, 4096);
	assert_int_equal(s.memory.peak.value, 8192);
	assert_true(s.memory.max.value == CG_UNLIMITED);
	assert_int_equal(s.memory.low.value, 1024);
	assert_int_equal(s.memory.swap_current.value, 5);
	assert_int_equal(s.memory.swap_max.value, 6);
	assert_int_equal(s.memory.low_events.value, 1);
	assert_int_equal(s.memory.high_events.value, 2);
	assert_int_equal(s.memory.max_events.value, 3);
	assert_int_equal(s.memory.oom_events.value, 4);
	assert_int_equal(s.memory.oom_kills.value, 5);
	assert_int_equal(s.memory.oom_group_kills.value, 6);
	assert_int_equal(s.memory.swap_high_events.value, 7);
	assert_int_equal(s.memory.swap_max_events.value, 8);
	assert_int_equal(s.memory.swap_fail_events.value, 9);
	assert_int_equal(s.memory.stat.count, 3);
	assert_int_equal(stats_memory(&s, "anon").value, 11);
	assert_int_equal(stats_memory(&s, "file").value, 22);
	assert_true(stats_memory(&s, "inactive_file").value == UINT64_MAX);
	assert_true(s.memory.inactive_file.value == UINT64_MAX);
	assert_false(stats_memory(&s, "nothing").set);
}

static void test_pids_and_io(void **state)
{
	static const struct file files[] = {
		{ "pids.current", "3\n" },
		{ "pids.max", "512\n" },
		{ "pids.events", "max 2\n" },
		/* A device that was used by nobody yet has no numbers. */
		{ "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16 \n"
			     "nonsense\n259:1 rbytes=9\n" },
		{ "io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n" },
	};
	struct cg_stats s;

	put_all(*state, files);
	s = read_all(*state);
	assert_int_equal(s.pids_current.value, 3);
	assert_int_equal(s.pids_max.value, 512);
	assert_int_equal(s.pids_failures.value, 2);
	assert_int_equal(s.io.count, 3);
	assert_int_equal(s.io.items[0].major, 8);
	assert_int_equal(s.io.items[0].rbytes, 1);
	assert_int_equal(s.io.items[0].wbytes, 2);
	assert_int_equal(s.io.items[0].rios, 3);
	assert_int_equal(s.io.items[0].wios, 4);
	assert_int_equal(s.io.items[0].dbytes, 5);
	assert_int_equal(s.io.items[0].dios, 6);
	assert_int_equal(s.io.items[1].minor, 16);
	assert_int_equal(s.io.items[1].rbytes, 0);
	assert_int_equal(s.io.items[2].major, 259);
	assert_int_equal(s.io.items[2].rbytes, 9);
	assert_true(s.io_psi.some.set);
	assert_false(s.io_psi.full.set);
}

static void test_rare(void **state)
{
	static const struct file files[] = {
		{ "hugetlb.2MB.current", "2097152\n" },
		{ "hugetlb.2MB.max", "max\n" },
		{ "hugetlb.2MB.rsvd.max", "9223372036854771712\n" },
		{ "hugetlb.2MB.events", "max 9\n" },
		{ "rdma.current", "mlx5_0 hca_handle=2 hca_object=3\nocrdma1 hca_handle=4 "
				  "hca_object=5\n" },
		{ "rdma.max", "ocrdma1 hca_handle=7 hca_object=max\n" },
		{ "misc.current", "sev 3\nsev_es 4\n" },
		{ "misc.max", "sev max\nsev_es 8\n" },
	};
	struct cg_stats s;

	put_all(*state, files);
	s = read_all(*state);
	assert_int_equal(s.hugetlb.count, 1);
	assert_string_equal(s.hugetlb.items[0].page_size, "2MB");
	assert_int_equal(s.hugetlb.items[0].current.value, 2097152);
	assert_true(s.hugetlb.items[0].max.value == CG_UNLIMITED);
	assert_int_equal(s.hugetlb.items[0].failures.value, 9);
	assert_true(s.hugetlb.items[0].rsvd_max.value == CG_UNLIMITED);
	assert_false(s.hugetlb.items[0].rsvd_current.set);
	assert_int_equal(s.rdma.count, 2);
	assert_string_equal(s.rdma.items[0].device, "mlx5_0");
	assert_int_equal(s.rdma.items[0].handles.value, 2);
	assert_int_equal(s.rdma.items[0].objects.value, 3);
	assert_false(s.rdma.items[0].handles_max.set);
	assert_int_equal(s.rdma.items[1].objects.value, 5);
	assert_int_equal(s.rdma.items[1].handles_max.value, 7);
	assert_true(s.rdma.items[1].objects_max.value == CG_UNLIMITED);
	assert_int_equal(s.misc.count, 2);
	assert_string_equal(s.misc.items[1].resource, "sev_es");
	assert_int_equal(s.misc.items[1].current.value, 4);
	assert_int_equal(s.misc.items[1].max.value, 8);
	assert_true(s.misc.items[0].max.value == CG_UNLIMITED);
}

/* What is reserved is not looked at without need; a size that the host does not know is. */
static void test_reserved(void **state)
{
	static const struct file files[] = {
		{ "hugetlb.3MB.current", "3145728\n" },
		{ "hugetlb.3MB.max", "max\n" },
		{ "hugetlb.3MB.rsvd.current", "6291456\n" },
		{ "hugetlb.3MB.events", "max 9\n" },
	};
	struct fake *f = *state;
	struct cg_stats s;
	struct err err = { 0 };

	put_all(f, files);
	s = read_all(f);
	assert_int_equal(s.hugetlb.items[0].rsvd_current.value, 6291456);
	assert_int_equal(stats_read_some(&f->cg, STATS_RARE, NULL, &f->arena, &s, &err), 0);
	assert_int_equal(s.hugetlb.count, 1);
	assert_int_equal(s.hugetlb.items[0].current.value, 3145728);
	assert_int_equal(s.hugetlb.items[0].failures.value, 9);
	assert_false(s.hugetlb.items[0].rsvd_current.set);
}

/* A memo says that the host has no pages of a size: the limit is read, and what it may have hit. */
static void test_no_pages(void **state)
{
	static const struct file files[] = {
		{ "hugetlb.2MB.current", "2097152\n" },
		{ "hugetlb.2MB.max", "max\n" },
		{ "hugetlb.2MB.events", "max 9\n" },
	};
	struct stats_memo memo = { .page_sizes = " -2MB" };
	struct fake *f = *state;
	struct cg_stats s;
	struct err err = { 0 };

	put_all(f, files);
	assert_int_equal(stats_read_some(&f->cg, STATS_RARE, &memo, &f->arena, &s, &err), 0);
	assert_string_equal(s.hugetlb.items[0].page_size, "2MB");
	assert_true(s.hugetlb.items[0].current.set && !s.hugetlb.items[0].current.value);
	assert_true(s.hugetlb.items[0].failures.set && !s.hugetlb.items[0].failures.value);
	put(f, "hugetlb.2MB.max", "4194304\n");
	assert_int_equal(stats_read_some(&f->cg, STATS_RARE, &memo, &f->arena, &s, &err), 0);
	assert_int_equal(s.hugetlb.items[0].max.value, 4194304);
	assert_int_equal(s.hugetlb.items[0].failures.value, 9);
}

/* Files and lines that a kernel, a build or a switched-off controller does not have. */
static void test_missing(void **state)
{
	static const struct file files[] = {
		{ "cgroup.controllers", "\n" },
		{ "cpu.stat", "usage_usec 1\nuser_usec\nsystem_usec x\n" },
		{ "cpu.pressure", "" },
		{ "io.pressure", "some avg10=1.00\n" },
		/* Only there to be noticed if read: the controller is not enabled. */
		{ "memory.current", "1\n" },
		{ "pids.max", "1\n" },
		{ "io.stat", "8:0 rbytes=1\n" },
		{ "hugetlb.2MB.current", "1\n" },
	};
	struct cg_stats s;

	put_all(*state, files);
	s = read_all(*state);
	assert_int_equal(s.cpu.usage.value, 1);
	assert_false(s.cpu.user.set);
	assert_false(s.cpu.system.set);
	assert_false(s.cpu.quota.set);
	assert_false(s.cpu.psi.some.set);
	assert_false(s.io_psi.some.set);
	assert_false(s.memory.psi.full.set);
	assert_false(s.memory.current.set);
	assert_false(s.memory.oom_kills.set);
	assert_int_equal(s.memory.stat.count, 0);
	assert_false(s.pids_max.set);
	assert_int_equal(s.io.count, 0);
	assert_int_equal(s.hugetlb.count, 0);
	assert_int_equal(s.rdma.count, 0);
	assert_int_equal(s.misc.count, 0);

	put(*state, "cgroup.controllers", "memory\n");
	s = read_all(*state);
	assert_int_equal(s.memory.current.value, 1);
	assert_false(s.memory.peak.set);
	assert_false(s.pids_max.set);
}

static void test_some(void **state)
{
	static const struct file files[] = {
		{ "cpu.stat", "usage_usec 1\n" },
		{ "memory.current", "1\n" },
		{ "memory.low", "1\n" },
		{ "memory.stat", "anon 1\ninactive_file 7\n" },
		{ "memory.events", "oom_kill 1\n" },
		{ "pids.max", "1\n" },
	};
	struct fake *f = *state;
	struct cg_stats s;
	struct err err = { 0 };

	put_all(f, files);
	assert_int_equal(stats_read_some(&f->cg, STATS_CPU, NULL, &f->arena, &s, &err), 0);
	assert_true(s.cpu.usage.set);
	assert_false(s.memory.current.set);
	assert_int_equal(stats_read_some(&f->cg, STATS_MEMORY | STATS_TASKS | STATS_MORE, NULL,
					 &f->arena, &s, &err),
			 0);
	assert_false(s.cpu.usage.set);
	assert_true(s.memory.current.set);
	assert_int_equal(s.memory.inactive_file.value, 7);
	assert_int_equal(s.memory.stat.count, 0);
	/* The first file of the controller is missing: it is taken for off. */
	assert_false(s.pids_max.set);
	assert_false(s.memory.low.set);
	assert_false(s.memory.oom_kills.set);
}

/* What is known of a group's neighbours is not looked for; that of other parents' groups is. */
static void test_memo(void **state)
{
	struct fake *f = *state;
	struct stats_memo memo = { 0 };
	struct cg_stats s;
	struct err err = { 0 };

	put(f, "cpu.stat", "usage_usec 1\n");
	put(f, "hugetlb.2MB.current", "1\n");
	put(f, "cgroup.controllers", "hugetlb\n");
	f->cg.path = (char *)"/a/one";
	assert_int_equal(stats_read_some(&f->cg, STATS_ALL, &memo, &f->arena, &s, &err), 0);
	assert_string_equal(memo.parent, "/a/");
	assert_non_null(strstr(memo.page_sizes, "2MB"));
	put(f, "pids.current", "1\n");
	put(f, "cgroup.controllers", ALL_CONTROLLERS);
	put(f, "hugetlb.1GB.current", "1\n");
	f->cg.path = (char *)"/a/two";
	assert_int_equal(stats_read_some(&f->cg, STATS_ALL, &memo, &f->arena, &s, &err), 0);
	assert_false(s.pids_current.set);
	assert_int_equal(s.hugetlb.count, 1);
	assert_string_equal(s.hugetlb.items[0].page_size, "2MB");
	for (size_t i = 0; i < 3; i++) {
		static char *const others[] = { "/a/b/one", "/two", "/a" };

		f->cg.path = others[i];
		memo.controllers = 0;
		assert_int_equal(stats_read_some(&f->cg, STATS_ALL, &memo, &f->arena, &s, &err), 0);
		assert_int_equal(s.pids_current.set, i < 2);
	}
}

/* A group that goes meanwhile tells nothing of the others. */
static void test_memo_of_none(void **state)
{
	struct fake *f = *state;
	struct stats_memo memo = { 0 };
	struct cg_stats s;
	struct err err = { 0 };

	put(f, "cpu.stat", "usage_usec 1\n");
	unlinkat(f->cg.fd, "cgroup.procs", 0);
	assert_int_equal(stats_read_some(&f->cg, STATS_ALL, &memo, &f->arena, &s, &err), -ENODEV);
	assert_string_equal(memo.parent, "");
	assert_int_equal(stats_read_some(&f->cg, STATS_ALL, NULL, &f->arena, &s, &err), 0);
}

static void test_cpu_usage(void **state)
{
	struct fake *f = *state;
	struct cg_tree tree = { .fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	struct cg_tree own = { .fd = f->cg.fd };

	put(f, "cpu.stat", "user_usec 1\nusage_usec 4711\n");
	assert_int_equal(stats_cpu_usage(&tree, strrchr(f->dir, '/'), NULL).value, 4711);
	assert_int_equal(stats_cpu_usage(&own, "/", NULL).value, 4711);
	assert_false(stats_cpu_usage(&tree, "/no/such/group", NULL).set);
	put(f, "cpu.stat", "user_usec 1\n");
	assert_false(stats_cpu_usage(&own, "/", NULL).set);
	close(tree.fd);
}

/* What was left open is read again; when it cannot be, the file is looked for by its name. */
static void test_cpu_twice(void **state)
{
	struct fake *f = *state;
	struct cg_tree own = { .fd = f->cg.fd };
	struct stats_memo memo = { 0 };
	struct cg_stats s;
	struct err err = { 0 };

	assert_false(stats_cpu_usage(&own, "/", &memo.cpu_stat).set);
	assert_int_equal(memo.cpu_stat, 0);
	put(f, "cgroup.procs", "");
	put(f, "cpu.stat", "usage_usec 1\n");
	assert_int_equal(stats_cpu_usage(&own, "/", &memo.cpu_stat).value, 1);
	assert_true(memo.cpu_stat > 0);
	assert_int_equal(unlinkat(f->cg.fd, "cpu.stat", 0), 0);
	put(f, "cpu.stat", "usage_usec 2\n");
	assert_int_equal(stats_read_some(&f->cg, STATS_CPU, &memo, &f->arena, &s, &err), 0);
	assert_int_equal(s.cpu.usage.value, 1);
	close(memo.cpu_stat);
	memo.cpu_stat = f->cg.fd; /* EISDIR */
	assert_int_equal(stats_read_some(&f->cg, STATS_CPU, &memo, &f->arena, &s, &err), 0);
	assert_int_equal(s.cpu.usage.value, 2);
}

/* Without swap nothing of it is used, where its use is counted at all. */
static void test_swapless(void **state)
{
	struct fake *f = *state;
	struct stats_memo memo = { .swap_known = true, .swapless = true };
	struct cg_stats s;
	struct err err = { 0 };

	put(f, "cgroup.procs", "");
	put(f, "memory.current", "1\n");
	put(f, "memory.swap.current", "5\n");
	assert_int_equal(stats_read_some(&f->cg, STATS_MEMORY, &memo, &f->arena, &s, &err), 0);
	assert_int_equal(s.memory.swap_current.value, 5);
	put(f, "memory.swap.max", "max\n");
	for (size_t i = 0; i < 2; i++) {
		memo.swapless = i;
		assert_int_equal(stats_read_some(&f->cg, STATS_MEMORY | STATS_MORE, &memo,
						 &f->arena, &s, &err),
				 0);
		assert_true(s.memory.swap_current.set);
		assert_int_equal(s.memory.swap_current.value, i ? 0 : 5);
	}
}

/* Files longer than the buffer they are read to; the last line lacks its end. */
static void test_long(void **state)
{
	autobuf memory = BUF_INIT, io = BUF_INIT;
	struct cg_stats s;

	for (unsigned int i = 0; i < 2000; i++) {
		buf_addf(&memory, "counter_number_%u %u\n", i, i * 3);
		buf_addf(&io, "%u:%u rbytes=%u wbytes=0 rios=0 wios=0 dbytes=0 dios=%u\n", i / 256,
			 i % 256, i, i);
	}
	buf_adds(&memory, "last 4711");
	put(*state, "memory.stat", buf_str(&memory));
	put(*state, "memory.current", "123\n");
	put(*state, "io.stat", buf_str(&io));
	s = read_all(*state);
	assert_int_equal(s.memory.stat.count, 2001);
	assert_int_equal(stats_memory(&s, "counter_number_1999").value, 5997);
	assert_int_equal(stats_memory(&s, "last").value, 4711);
	assert_int_equal(s.io.count, 2000);
	assert_int_equal(s.io.items[1999].minor, 1999 % 256);
	assert_int_equal(s.io.items[1999].dios, 1999);
	assert_int_equal(s.memory.current.value, 123);
}

/* A buffer's length exactly, and one around it: nothing is cut off or added. */
static void test_lengths(void **state)
{
	put(*state, "memory.current", "1\n");
	for (size_t len = 8190; len <= 8194; len++) {
		char *text = malloc(len + 1);
		struct cg_stats s;

		memset(text, 'x', len);
		memcpy(text + len - 5, "\ny 42", 5);
		text[len] = '\0';
		put(*state, "memory.stat", text);
		s = read_all(*state);
		assert_int_equal(s.memory.stat.count, 1);
		assert_int_equal(stats_memory(&s, "y").value, 42);
		free(text);
	}
}

static void test_gone(void **state)
{
	struct fake *f = *state;
	struct cg_stats s;
	struct err err = { 0 };

	unlinkat(f->cg.fd, "cgroup.procs", 0);
	assert_int_equal(stats_read(&f->cg, &f->arena, &s, &err), -ENODEV);
	assert_string_equal(err.msg, "cgroup /fake is gone");
	assert_int_equal(stats_read_some(&f->cg, STATS_CPU, NULL, &f->arena, &s, &err), -ENODEV);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_fake, remove_fake)
	const struct CMUnitTest tests[] = {
		TEST(test_cpu),	     TEST(test_memory),	      TEST(test_pids_and_io),
		TEST(test_rare),     TEST(test_reserved),     TEST(test_no_pages),
		TEST(test_missing),  TEST(test_some),	      TEST(test_long),
		TEST(test_lengths),  TEST(test_gone),	      TEST(test_cpu_usage),
		TEST(test_memo),     TEST(test_memo_of_none), TEST(test_cpu_twice),
		TEST(test_swapless),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
