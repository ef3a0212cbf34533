/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: the translation as a table, and what limits_apply() writes into a directory of plain
 * files that stands in for a cgroup (no root, no controllers needed).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/cg.h"
#include "cgroups/limits.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V(n)                                                                                       \
	{                                                                                          \
		true, n                                                                            \
	}
#define M(c) (1u << CG_##c)

static struct cg_block_throttle throttle[] = { { 8, 0, 1048576 }, { 8, 16, 0 } };
static struct cg_block_weight weights[] = { { 8, 0, V(1000), { false, 0 } } };
static struct cg_block_weight leaf_weights[] = { { 8, 0, V(10), V(10) } };
static struct cg_hugepage hugepages[] = { { (char *)"2MB", 4194304 } };
static struct cg_hugepage bad_hugepages[] = { { (char *)"../2MB", 1 } };
static struct cg_rdma rdma[] = { { (char *)"mlx5_0", V(2), V(2000) } };
static struct cg_net_priority priorities[] = { { (char *)"eth0", 5 } };
static struct key_value device_memory[] = {
	{ (char *)"dmem.max", (char *)"drm/0000:03:00.0/vram0 4096" },
};
static struct key_value unified[] = { { (char *)"memory.high", (char *)"5" },
				      { (char *)"io.max", (char *)"8:0 rbps=1\n8:16 rbps=2\n" } };
static struct key_value bad_unified[] = { { (char *)"../cgroup.procs", (char *)"1" } };
static struct key_value nothing[] = { { (char *)"memory.max", (char *)"" } };
static struct key_value gap[] = { { (char *)"io.max", (char *)"8:0 rbps=1\n\n8:16 rbps=2" } };
static struct cg_block_weight no_weights[] = { { 8, 0, { false, 0 }, { false, 0 } } };
static struct cg_rdma no_rdma[] = { { (char *)"mlx5_0", { false, 0 }, { false, 0 } } };
static struct key_value no_limit[] = { { (char *)"cgroup.freeze", (char *)"1" } };

/* Expected: "file=value;" each, '?' marks optional ones, '|' alternatives, '~' a kept quota. */
static const struct {
	const char *name;
	struct cg_limits limits;
	const char *writes;
	unsigned int controllers;
} good[] = {
	{ "nothing", { .memory = { .limit = { false, 0 } } }, "", 0 },
	{ "zeroes are not set",
	  { .memory = { .limit = V(0), .swap = V(0), .reservation = V(0) },
	    .cpu = { .shares = V(0), .quota = V(0), .period = V(0), .realtime_runtime = V(0) } },
	  "",
	  0 },
	{ "memory",
	  { .memory = { .limit = V(1 << 20), .reservation = V(1 << 19) } },
	  "memory.max=1048576;memory.low=524288;",
	  M(MEMORY) },
	{ "swap",
	  { .memory = { .limit = V(100), .swap = V(300) } },
	  "memory.swap.max=200;memory.max=100;",
	  M(MEMORY) },
	{ "no swap",
	  { .memory = { .limit = V(100), .swap = V(100) } },
	  "?memory.swap.max=0;memory.max=100;",
	  M(MEMORY) },
	{ "swap unlimited",
	  { .memory = { .limit = V(100), .swap = V(-1) } },
	  "?memory.swap.max=max;memory.max=100;",
	  M(MEMORY) },
	{ "memory unlimited",
	  { .memory = { .limit = V(-1) } },
	  "?memory.swap.max=max;?memory.max=max;",
	  0 },
	{ "no limit of kernel memory",
	  { .memory = { .kernel = V(-1), .kernel_tcp = V(0), .use_hierarchy = V(true) } },
	  "",
	  0 },
	{ "memory by annotation",
	  { .memory = { .limit = V(100), .high = V(90), .oom_group = V(true) } },
	  "memory.high=90;memory.max=100;memory.oom.group=1;",
	  M(MEMORY) },
	{ "oom killer stays", { .memory = { .disable_oom_killer = V(false) } }, "", 0 },
	{ "shares 1", { .cpu = { .shares = V(1) } }, "cpu.weight=1;", M(CPU) },
	{ "shares 2", { .cpu = { .shares = V(2) } }, "cpu.weight=1;", M(CPU) },
	{ "shares 1024", { .cpu = { .shares = V(1024) } }, "=cpu.weight=100;", M(CPU) },
	{ "shares 512", { .cpu = { .shares = V(512) } }, "cpu.weight=59;", M(CPU) },
	{ "shares 3", { .cpu = { .shares = V(3) } }, "cpu.weight=2;", M(CPU) },
	{ "shares max", { .cpu = { .shares = V(262144) } }, "cpu.weight=10000;", M(CPU) },
	{ "shares huge", { .cpu = { .shares = V(UINT64_MAX) } }, "cpu.weight=10000;", M(CPU) },
	{ "quota", { .cpu = { .quota = V(5000) } }, "cpu.max=5000;", M(CPU) },
	{ "quota and period",
	  { .cpu = { .quota = V(5000), .period = V(10000) } },
	  "cpu.max=5000 10000;",
	  M(CPU) },
	{ "period", { .cpu = { .period = V(10000) } }, "~cpu.max=10000;", M(CPU) },
	{ "no quota", { .cpu = { .quota = V(-1) } }, "?cpu.max=max;", 0 },
	{ "any quota below 0 is none", { .cpu = { .quota = V(-5) } }, "?cpu.max=max;", 0 },
	{ "quota 0 with a period",
	  { .cpu = { .quota = V(0), .period = V(10000) } },
	  "~cpu.max=10000;",
	  M(CPU) },
	{ "no quota, period",
	  { .cpu = { .quota = V(-1), .period = V(10000) } },
	  "cpu.max=max 10000;",
	  M(CPU) },
	{ "burst alone", { .cpu = { .burst = V(7) } }, "cpu.max.burst=7;", M(CPU) },
	{ "burst around quota",
	  { .cpu = { .burst = V(7), .quota = V(5000) } },
	  "?cpu.max.burst=0;cpu.max=5000;cpu.max.burst=7;",
	  M(CPU) },
	{ "no burst before quota",
	  { .cpu = { .burst = V(0), .quota = V(5000) } },
	  "?cpu.max.burst=0;cpu.max=5000;",
	  M(CPU) },
	{ "no burst needs no controller", { .cpu = { .burst = V(0) } }, "?cpu.max.burst=0;", 0 },
	{ "burst as large as the quota, or without one",
	  { .cpu = { .burst = V(5000), .quota = V(-1) } },
	  "?cpu.max.burst=0;?cpu.max=max;cpu.max.burst=5000;",
	  M(CPU) },
	{ "shares mean nothing when idle",
	  { .cpu = { .idle = V(1), .shares = V(2) } },
	  "cpu.idle=1;",
	  M(CPU) },
	{ "not idle before weight",
	  { .cpu = { .idle = V(0), .shares = V(2) } },
	  "?cpu.idle=0;cpu.weight=1;",
	  M(CPU) },
	{ "not idle needs no controller", { .cpu = { .idle = V(0) } }, "?cpu.idle=0;", 0 },
	{ "cpuset",
	  { .cpu = { .cpus = (char *)"0-1,3", .mems = (char *)"0" } },
	  "cpuset.cpus=0-1,3;cpuset.mems=0;",
	  M(CPUSET) },
	{ "cpuset empty", { .cpu = { .cpus = (char *)"", .mems = (char *)"" } }, "", 0 },
	{ "pids", { .pids_limit = V(512) }, "pids.max=512;", M(PIDS) },
	{ "pids 0", { .pids_limit = V(0) }, "?pids.max=max;", 0 },
	{ "pids -1", { .pids_limit = V(-1) }, "?pids.max=max;", 0 },
	{ "weight 10",
	  { .block_io = { .weight = V(10) } },
	  "?io.bfq.weight=10;|io.weight=1;",
	  M(IO) },
	{ "weight 500",
	  { .block_io = { .weight = V(500) } },
	  "?io.bfq.weight=500;|io.weight=4950;",
	  M(IO) },
	{ "device weight",
	  { .block_io = { .weight_device = { weights, 1 } } },
	  "?io.bfq.weight=8:0 1000;|io.weight=8:0 10000;",
	  M(IO) },
	{ "throttle",
	  { .block_io = { .throttle_read_bps = { throttle, 2 },
			  .throttle_write_bps = { throttle, 1 },
			  .throttle_read_iops = { throttle, 1 },
			  .throttle_write_iops = { throttle, 1 } } },
	  "io.max=8:0 rbps=1048576;io.max=8:16 rbps=max;io.max=8:0 wbps=1048576;"
	  "io.max=8:0 riops=1048576;io.max=8:0 wiops=1048576;",
	  M(IO) },
	{ "hugepages",
	  { .hugepages = { hugepages, 1 } },
	  "hugetlb.2MB.max=4194304;?hugetlb.2MB.rsvd.max=4194304;",
	  M(HUGETLB) },
	{ "rdma",
	  { .rdma = { rdma, 1 } },
	  "rdma.max=mlx5_0 hca_handle=2 hca_object=2000;",
	  M(RDMA) },
	{ "unified last",
	  { .unified = { unified, 2 }, .pids_limit = V(3) },
	  "pids.max=3;memory.high=5;io.max=8:0 rbps=1;io.max=8:16 rbps=2;",
	  M(PIDS) | M(MEMORY) | M(IO) },
	{ "unified, of a controller without fields",
	  { .unified = { device_memory, 1 } },
	  "dmem.max=drm/0000:03:00.0/vram0 4096;",
	  M(DMEM) },
};

static const struct {
	struct cg_limits limits;
	int code;
	const char *message;
} bad[] = {
	{ { .memory = { .kernel = V(5) } }, -EOPNOTSUPP, "memory.kernel: cgroup v2 has no" },
	{ { .memory = { .kernel_tcp = V(5) } }, -EOPNOTSUPP, "memory.kernelTCP: cgroup v2" },
	{ { .memory = { .swappiness = V(0) } },
	  -EOPNOTSUPP,
	  "memory.swappiness: cgroup v2 has no" },
	{ { .memory = { .disable_oom_killer = V(true) } }, -EOPNOTSUPP, "memory.disableOOMKiller" },
	{ { .memory = { .use_hierarchy = V(false) } }, -EOPNOTSUPP, "memory.useHierarchy" },
	{ { .cpu = { .realtime_runtime = V(5) } }, -EOPNOTSUPP, "cpu.realtimeRuntime" },
	{ { .cpu = { .realtime_period = V(5) } }, -EOPNOTSUPP, "cpu.realtimePeriod" },
	{ { .network = { .class_id = V(1) } }, -EOPNOTSUPP, "network.classID" },
	{ { .network = { .priorities = { priorities, 1 } } }, -EOPNOTSUPP, "network.priorities" },
	{ { .block_io = { .leaf_weight = V(10) } }, -EOPNOTSUPP, "blockIO.leafWeight" },
	{ { .block_io = { .weight_device = { leaf_weights, 1 } } },
	  -EOPNOTSUPP,
	  "weightDevice.leafWeight" },
	{ { .memory = { .limit = V(-2) } }, -EINVAL, "memory.limit: less than -1" },
	{ { .memory = { .swap = V(-2) } }, -EINVAL, "memory.swap: less than -1" },
	{ { .memory = { .swap = V(100) } }, -EINVAL, "it needs memory.limit" },
	{ { .memory = { .limit = V(-1), .swap = V(100) } }, -EINVAL, "it needs memory.limit" },
	{ { .memory = { .limit = V(200), .swap = V(100) } }, -EINVAL, "less than memory.limit" },
	{ { .block_io = { .weight = V(9) } }, -EINVAL, "blockIO.weight: is not in 10..1000" },
	{ { .block_io = { .weight = V(1001) } }, -EINVAL, "blockIO.weight: is not in 10..1000" },
	{ { .hugepages = { bad_hugepages, 1 } }, -EINVAL, "hugepageLimits" },
	{ { .unified = { bad_unified, 1 } }, -EINVAL, "unified[\"../cgroup.procs\"]" },
	{ { .unified = { nothing, 1 } }, -EINVAL, "unified[\"memory.max\"]: an empty line" },
	{ { .unified = { gap, 1 } }, -EINVAL, "unified[\"io.max\"]: an empty line" },
	{ { .rdma = { no_rdma, 1 } }, -EINVAL, "rdma: has neither hcaHandles nor hcaObjects" },
	{ { .block_io = { .weight_device = { no_weights, 1 } } },
	  -EINVAL,
	  "blockIO.weightDevice: has no weight" },
	{ { .cpu = { .cpus = (char *)"0\n1" } }, -EINVAL, "cpu.cpus: is not one line" },
	{ { .cpu = { .mems = (char *)"0\n" } }, -EINVAL, "cpu.mems: is not one line" },
	{ { .cpu = { .idle = V(2) } }, -EINVAL, "cpu.idle: is neither 0 nor 1" },
	{ { .cpu = { .burst = V(5001), .quota = V(5000) } },
	  -EINVAL,
	  "cpu.burst: is more than cpu.quota" },
	{ { .unified = { no_limit, 1 } }, -EINVAL, "unified[\"cgroup.freeze\"]: is not a limit" },
};

static void put_text(struct buf *out, const struct cg_writes *writes)
{
	for (size_t i = 0; i < writes->count; i++) {
		const struct cg_write *w = &writes->items[i];

		buf_adds(out, w->flags & CG_WRITE_OPTIONAL ? "?" : "");
		buf_adds(out, w->flags & CG_WRITE_ALTERNATIVE ? "|" : "");
		buf_adds(out, w->flags & CG_WRITE_KEEP_QUOTA ? "~" : "");
		buf_adds(out, w->flags & CG_WRITE_USUAL ? "=" : "");
		buf_addf(out, "%s=%s;", w->file, w->value);
	}
}

static void test_translation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		autoarena a = ARENA_INIT;
		autobuf text = BUF_INIT;
		struct cg_writes writes;
		struct err err = { 0 };

		print_message("# %s\n", good[i].name);
		assert_int_equal(limits_translate(&good[i].limits, &a, &writes, &err), 0);
		put_text(&text, &writes);
		assert_string_equal(buf_str(&text), good[i].writes);
		assert_int_equal(limits_controllers(&writes), good[i].controllers);
	}
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoarena a = ARENA_INIT;
		struct cg_writes writes = { NULL, 77 };
		struct err err = { 0 };

		print_message("# %s\n", bad[i].message);
		assert_int_equal(limits_translate(&bad[i].limits, &a, &writes, &err), bad[i].code);
		assert_non_null(strstr(err.msg, bad[i].message));
		assert_non_null(strstr(err.msg, "linux.resources."));
		assert_int_equal(writes.count, 77);
	}
}

/* A tree of plain files: ROOT, ROOT/up and ROOT/up/leaf, with the group opened on the leaf. */
struct fake {
	char root[32];
	struct cg cg;
};

static const char *const fake_files[] = {
	"cgroup.controllers",
	"cgroup.subtree_control",
	"up/cgroup.controllers",
	"up/cgroup.subtree_control",
	"up/leaf/cgroup.controllers",
	"up/leaf/memory.max",
	"up/leaf/memory.current",
	"up/leaf/cpu.max",
	"up/leaf/pids.max",
	"up/leaf/io.weight",
	"up/leaf/io.bfq.weight",
	"up/leaf/cpu.weight",
	"up/leaf/cpu.idle",
	"up/leaf/cpu.max.burst",
	"up/leaf/cpuset.cpus",
	"up/leaf/cpuset.mems",
	"up/leaf/io.max",
	"up/leaf/cpuset.cpus.effective",
};

static void put(const struct fake *f, const char *file, const char *text)
{
	autofd fd = openat(f->cg.root, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
}

static void expect(const struct fake *f, const char *file, const char *text)
{
	char have[256];

	assert_true(file_peek(f->cg.root, file, have, sizeof(have)) >= 0);
	assert_string_equal(have, text);
}

static int setup(void **state)
{
	static struct fake f;

	strcpy(f.root, "/tmp/test_limits.XXXXXX");
	if (!mkdtemp(f.root))
		return -1;
	f.cg.root = open(f.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(f.cg.root, "up", 0755);
	mkdirat(f.cg.root, "up/leaf", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(fake_files); i++)
		put(&f, fake_files[i], "");
	f.cg.fd = openat(f.cg.root, "up/leaf", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f.cg.path = (char *)"/up/leaf";
	*state = &f;
	return f.cg.fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(fake_files); i++)
		unlinkat(f->cg.root, fake_files[i], 0);
	unlinkat(f->cg.root, "up/leaf", AT_REMOVEDIR);
	unlinkat(f->cg.root, "up", AT_REMOVEDIR);
	close(f->cg.fd);
	close(f->cg.root);
	return rmdir(f->root);
}

static void test_enabling(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .memory = { .limit = V(4096) }, .pids_limit = V(5) };
	struct err err = { 0 };

	put(f, "up/cgroup.subtree_control", "pids");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "cgroup.subtree_control", "+memory +pids");
	expect(f, "up/cgroup.subtree_control", "+memory");
	expect(f, "up/leaf/memory.max", "4096");
	expect(f, "up/leaf/pids.max", "5");
}

static void test_nothing_to_enable(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .pids_limit = V(5) };
	struct err err = { 0 };

	put(f, "up/leaf/cgroup.controllers", "cpu memory pids");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "cgroup.subtree_control", "");
	expect(f, "up/leaf/pids.max", "5");
}

/* Descriptors that do not exist: any system call with them would fail. */
static void test_empty(void **state)
{
	struct cg cg = { .root = -1, .fd = -1, .path = (char *)"/x" };
	struct cg_limits limits = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(limits_apply(&cg, &limits, &err), 0);
}

static void test_absent_controller(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .memory = { .limit = V(4096) } };
	struct err err = { 0 };

	/* Without the file "+memory" cannot be written, as on a tree without the controller. */
	put(f, "cgroup.controllers", "cpu pids");
	assert_int_equal(unlinkat(f->cg.root, "cgroup.subtree_control", 0), 0);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "linux.resources.memory.limit: "));
	assert_non_null(strstr(err.msg, "the memory controller is not on the v2 tree"));
	assert_non_null(strstr(err.msg, "boot with "));
	expect(f, "up/leaf/memory.max", "");
}

/* 1024 shares are what a group has where nothing weighs groups; any other number is not. */
static void test_usual_shares(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .cpu = { .shares = V(1024) } };
	struct err err = { 0 };

	put(f, "cgroup.controllers", "memory pids");
	assert_int_equal(unlinkat(f->cg.root, "cgroup.subtree_control", 0), 0);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	limits.cpu.shares.value = 1023;
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "linux.resources.cpu.shares: the cpu controller"));
}

static void test_unlimited_needs_no_controller(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .pids_limit = V(-1), .memory = { .limit = V(-1) } };
	struct err err = { 0 };

	assert_int_equal(unlinkat(f->cg.fd, "memory.max", 0), 0);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "cgroup.subtree_control", "");
	expect(f, "up/leaf/pids.max", "max");
}

static void test_missing_file(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .cpu = { .burst = V(7) } };
	struct err err = { 0 };

	assert_int_equal(unlinkat(f->cg.fd, "cpu.max.burst", 0), 0);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "cpu.burst: kernel lacks cpu.max.burst"));
}

static void test_check_before_update(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .memory = { .limit = V(4096),
						.check_before_update = V(true) } };
	struct err err = { 0 };

	put(f, "up/leaf/memory.current", "4097\n");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "4097 bytes are in use"));
	expect(f, "up/leaf/memory.max", "");
	put(f, "up/leaf/memory.current", "4096\n");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "up/leaf/memory.max", "4096");
}

static void test_period_keeps_quota(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .cpu = { .period = V(20000) } };
	struct err err = { 0 };

	/* As long as what comes after: unlike cgroupfs, plain files keep a longer rest. */
	put(f, "up/leaf/cpu.max", "700 10000\n");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "up/leaf/cpu.max", "700 20000");
}

static void test_block_weight(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .block_io = { .weight = V(500) } };
	struct err err = { 0 };

	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "up/leaf/io.bfq.weight", "500");
	expect(f, "up/leaf/io.weight", "");
	assert_int_equal(unlinkat(f->cg.fd, "io.bfq.weight", 0), 0);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "up/leaf/io.weight", "4950");
	assert_int_equal(unlinkat(f->cg.fd, "io.weight", 0), 0);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EOPNOTSUPP);
}

/* By what holds in the group: judged before anything is written. */
static void test_burst_in_force(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .cpu.quota = V(20000), .pids_limit = V(5) };
	struct err err = { 0 };

	put(f, "up/leaf/cpu.max", "50000 100000\n");
	put(f, "up/leaf/cpu.max.burst", "40000\n");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EINVAL);
	assert_string_equal(err.msg, "linux.resources.cpu.quota: a burst of 40000 is more than the "
				     "quota of 20000; give a smaller burst as well");
	limits.cpu.quota.set = false;
	limits.cpu.burst = (struct opt_u64)V(50001);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EINVAL);
	assert_string_equal(err.msg, "linux.resources.cpu.burst: a burst of 50001 is more than the "
				     "quota of 50000");
	expect(f, "up/leaf/cpu.max", "50000 100000");
	expect(f, "up/leaf/cpu.max.burst", "40000");
	expect(f, "up/leaf/pids.max", "");
	limits.cpu.burst.value = 50000;
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "up/leaf/cpu.max.burst", "50000");
	expect(f, "up/leaf/pids.max", "5");
}

static void test_idle_has_no_shares(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .cpu.shares = V(512), .pids_limit = V(5) };
	struct err err = { 0 };

	put(f, "up/leaf/cpu.idle", "1\n");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "cpu.shares: the container is idle (cpu.idle is 1)"));
	expect(f, "up/leaf/cpu.weight", "");
	expect(f, "up/leaf/pids.max", "");
	/* As config.json may have it, and again. */
	limits.cpu.idle = (struct opt_i64)V(1);
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "up/leaf/cpu.weight", "");
	limits.cpu.idle.value = 0;
	assert_int_equal(limits_apply(&f->cg, &limits, &err), 0);
	expect(f, "up/leaf/cpu.weight", "59");
	expect(f, "up/leaf/cpu.idle", "0");
}

/* The last of many is refused: a file that is not there. */
static void test_undo(void **state)
{
	static struct cg_block_throttle rates[] = { { 8, 0, 5 }, { 8, 16, 6 } };
	static struct key_value missing[] = { { (char *)"io.weight", (char *)"8:32 77" },
					      { (char *)"memory.none", (char *)"1" } };
	struct fake *f = *state;
	struct cg_limits limits = { .memory.limit = V(4096),
				    .cpu = { .quota = V(70000),
					     .period = V(10000),
					     .burst = V(5),
					     .idle = V(1),
					     .cpus = (char *)"1 3",
					     .mems = (char *)"0 1" },
				    .pids_limit = V(777),
				    .block_io = { .throttle_read_bps = { rates, 1 } },
				    .unified = { missing, 2 } };
	struct err err = { 0 };

	put(f, "up/leaf/memory.max", "8192");
	put(f, "up/leaf/cpu.max", "50000 100000\n");
	put(f, "up/leaf/cpu.max.burst", "40000");
	put(f, "up/leaf/pids.max", "max\n");
	put(f, "up/leaf/cpu.idle", "0\n");
	put(f, "up/leaf/cpu.weight", "59\n");
	put(f, "up/leaf/cpuset.cpus.effective", "0-3\n");
	put(f, "up/leaf/cpuset.mems", "0-2");
	put(f, "up/leaf/io.max", "8:0 rbps=max wbps=9 riops=max wiops=max\n");
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "unified[\"memory.none\"]: kernel lacks memory.none"));
	expect(f, "up/leaf/memory.max", "8192");
	expect(f, "up/leaf/cpu.max", "50000 100000");
	expect(f, "up/leaf/cpu.max.burst", "40000");
	expect(f, "up/leaf/pids.max", "max");
	expect(f, "up/leaf/io.max", "8:0 rbps=max wbps=9 riops=max wiops=max");
	/* The kernel takes no empty list from a group with processes. */
	expect(f, "up/leaf/cpuset.cpus", "0-3");
	expect(f, "up/leaf/cpuset.mems", "0-2");
	expect(f, "up/leaf/cpu.idle", "0");
	/* What had none gets none. */
	expect(f, "up/leaf/io.weight", "8:32 default");
	put(f, "up/leaf/io.max", "8:0 rbps=max wbps=9 riops=max wiops=max\n");
	limits.block_io.throttle_read_bps.items = &rates[1];
	assert_int_equal(limits_apply(&f->cg, &limits, &err), -EOPNOTSUPP);
	expect(f, "up/leaf/io.max", "8:16 rbps=maxwbps=9 riops=max wiops=max");
}

/* Nobody comes back to a group that was made for these limits: it is removed. */
static void test_new_group_is_not_looked_at(void **state)
{
	struct fake *f = *state;
	struct cg_limits limits = { .cpu.quota = V(20000) };
	struct cg cg = f->cg;
	struct err err = { 0 };

	cg.made = 1;
	put(f, "up/leaf/cpu.max.burst", "40000\n");
	assert_int_equal(limits_apply(&cg, &limits, &err), 0);
	expect(f, "up/leaf/cpu.max", "20000");
}

#define FAKE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translation),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_empty),
		FAKE(test_enabling),
		FAKE(test_nothing_to_enable),
		FAKE(test_absent_controller),
		FAKE(test_usual_shares),
		FAKE(test_unlimited_needs_no_controller),
		FAKE(test_missing_file),
		FAKE(test_check_before_update),
		FAKE(test_period_keeps_quota),
		FAKE(test_block_weight),
		FAKE(test_burst_in_force),
		FAKE(test_idle_has_no_shares),
		FAKE(test_undo),
		FAKE(test_new_group_is_not_looked_at),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
