/* SPDX-License-Identifier: Apache-2.0 */
/* stats: the parsers, on a directory of plain files with what a kernel writes. No root needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/stats.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_parsing(void **state)
{
	static const struct {
		const char *file, *text;
	} files[] = {
		{ "cpu.stat", "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 4\n"
			      "nr_throttled 3\nthrottled_usec 99\n" },
		{ "memory.current", "4096\n" },
		{ "memory.max", "max\n" },
		{ "memory.stat", "anon 11\nfile 22\ninactive_file 33\n" },
		{ "memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 0\n" },
		{ "pids.max", "512\n" },
		{ "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16 \n" },
		{ "io.pressure", "some avg10=1.23 avg60=0.05 avg300=100.00 total=77\n"
				 "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n" },
		{ "hugetlb.2MB.current", "2097152\n" },
		{ "hugetlb.2MB.max", "max\n" },
		{ "hugetlb.2MB.events", "max 9\n" },
	};
	char dir[] = "/tmp/test_stats.XXXXXX";
	struct cg cg = { .path = (char *)"/fake" };
	autoarena a = ARENA_INIT;
	struct cg_stats s;
	struct err err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	cg.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autofd fd = openat(cg.fd, files[i].file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_true(write(fd, files[i].text, strlen(files[i].text)) > 0);
	}
	assert_int_equal(stats_read(&cg, &a, &s, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(cg.fd, files[i].file, 0);
	close(cg.fd);
	assert_int_equal(rmdir(dir), 0);

	assert_int_equal(s.cpu.usage.value, 30);
	assert_int_equal(s.cpu.throttled_periods.value, 3);
	assert_int_equal(s.cpu.throttled.value, 99);
	assert_false(s.cpu.burst.set);
	assert_int_equal(s.memory.current.value, 4096);
	assert_true(s.memory.max.value == CG_UNLIMITED);
	assert_false(s.memory.peak.set);
	assert_int_equal(s.memory.max_events.value, 3);
	assert_int_equal(s.memory.oom_events.value, 4);
	assert_int_equal(s.memory.oom_kills.value, 5);
	assert_int_equal(s.memory.stat.count, 3);
	assert_int_equal(stats_memory(&s, "file").value, 22);
	assert_false(stats_memory(&s, "nothing").set);
	assert_int_equal(s.pids_max.value, 512);
	assert_false(s.pids_current.set);
	assert_int_equal(s.io.count, 2);
	assert_int_equal(s.io.items[0].dios, 6);
	assert_int_equal(s.io.items[1].minor, 16);
	assert_int_equal(s.io_psi.some.avg10, 123);
	assert_int_equal(s.io_psi.some.avg60, 5);
	assert_int_equal(s.io_psi.some.avg300, 10000);
	assert_int_equal(s.io_psi.full.total, 7);
	assert_false(s.cpu.psi.some.set);
	assert_int_equal(s.hugetlb.count, 1);
	assert_string_equal(s.hugetlb.items[0].page_size, "2MB");
	assert_int_equal(s.hugetlb.items[0].current.value, 2097152);
	assert_int_equal(s.hugetlb.items[0].failures.value, 9);
	assert_false(s.hugetlb.items[0].rsvd_max.set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
