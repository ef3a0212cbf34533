/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: values in, the message unpacked again; and a directory of plain files in place of a
 * group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/containerd-shim-tote-v2/metrics.h"
#include "lib/cleanup.h"
#include "shim/shim.pb-c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Shim__Metrics *unpack(struct buf *packed)
{
	Shim__Metrics *m =
		shim__metrics__unpack(NULL, packed->len, (const uint8_t *)buf_str(packed));

	assert_non_null(m);
	buf_done(packed);
	return m;
}

static Shim__Metrics *through(const struct cg_stats *stats)
{
	struct buf packed = BUF_INIT;
	autoarena a = ARENA_INIT;

	metrics_pack(stats, &a, &packed);
	return unpack(&packed);
}

static void done(Shim__Metrics *m)
{
	shim__metrics__free_unpacked(m, NULL);
}

/* The fields of a message by their names, so that a table can say what is expected. */
static uint64_t number(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

	assert_non_null(field);
	assert_int_equal(field->type, PROTOBUF_C_TYPE_UINT64);
	return *(const uint64_t *)((const char *)message + field->offset);
}

struct number_field {
	size_t from; /* in struct cg_stats */
	const char *part, *name;
};

#define FROM(field) offsetof(struct cg_stats, field)

static const struct number_field number_fields[] = {
	{ FROM(pids_current), "pids", "current" },
	{ FROM(pids_max), "pids", "limit" },
	{ FROM(cpu.usage), "cpu", "usage_usec" },
	{ FROM(cpu.user), "cpu", "user_usec" },
	{ FROM(cpu.system), "cpu", "system_usec" },
	{ FROM(cpu.periods), "cpu", "nr_periods" },
	{ FROM(cpu.throttled_periods), "cpu", "nr_throttled" },
	{ FROM(cpu.throttled), "cpu", "throttled_usec" },
	{ FROM(cpu.bursts), "cpu", "nr_bursts" },
	{ FROM(cpu.burst), "cpu", "burst_usec" },
	{ FROM(memory.current), "memory", "usage" },
	{ FROM(memory.max), "memory", "usage_limit" },
	{ FROM(memory.peak), "memory", "max_usage" },
	{ FROM(memory.swap_current), "memory", "swap_usage" },
	{ FROM(memory.swap_max), "memory", "swap_limit" },
	{ FROM(memory.low_events), "memory_events", "low" },
	{ FROM(memory.high_events), "memory_events", "high" },
	{ FROM(memory.max_events), "memory_events", "max" },
	{ FROM(memory.oom_events), "memory_events", "oom" },
	{ FROM(memory.oom_kills), "memory_events", "oom_kill" },
	{ FROM(memory.oom_group_kills), "memory_events", "oom_group_kill" },
};

static const ProtobufCMessage *part(const Shim__Metrics *m, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(m->base.descriptor, name);

	assert_non_null(field);
	return *(ProtobufCMessage *const *)((const char *)m + field->offset);
}

/* All numbers of a message together, so that none is set but those that are meant. */
static uint64_t total(const ProtobufCMessage *message)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

		if (field->type == PROTOBUF_C_TYPE_UINT64)
			sum += *(const uint64_t *)((const char *)message + field->offset);
	}
	return sum;
}

static uint64_t total_of_all(const Shim__Metrics *m)
{
	return total(&m->pids->base) + total(&m->cpu->base) + total(&m->memory->base) +
	       total(&m->memory_events->base);
}

static void test_each_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(number_fields); i++) {
		const struct number_field *f = &number_fields[i];
		struct cg_stats stats = { 0 };
		Shim__Metrics *m;

		*(struct opt_u64 *)((char *)&stats + f->from) = (struct opt_u64){ true, 77 + i };
		m = through(&stats);
		assert_int_equal(number(part(m, f->part), f->name), 77 + i);
		assert_int_equal(total_of_all(m), 77 + i);
		done(m);
	}
}

/* A value that is not set is 0, whatever lies in it. */
static void test_unset(void **state)
{
	struct cg_stats stats = { 0 };
	Shim__Metrics *m;

	(void)state;
	stats.memory.max.value = 5;
	stats.cpu.usage.value = 6;
	m = through(&stats);
	assert_int_equal(total_of_all(m), 0);
	assert_null(m->cpu->psi);
	assert_null(m->memory->psi);
	assert_null(m->io->psi);
	assert_null(m->rdma);
	assert_int_equal(m->io->n_usage, 0);
	assert_int_equal(m->n_hugetlb, 0);
	done(m);
}

static void test_unlimited(void **state)
{
	struct cg_stats stats = { .memory = { .max = { true, CG_UNLIMITED },
					      .swap_max = { true, CG_UNLIMITED } },
				  .pids_max = { true, CG_UNLIMITED } };
	Shim__Metrics *m = through(&stats);

	(void)state;
	assert_true(m->memory->usage_limit == UINT64_MAX);
	assert_true(m->memory->swap_limit == UINT64_MAX);
	assert_true(m->pids->limit == UINT64_MAX);
	done(m);
}

/* Numbers of fields as containerd has them, in the order of the protocol's document. */
static const char *const counter_names[] = {
	"anon",
	"file",
	"kernel_stack",
	"slab",
	"sock",
	"shmem",
	"file_mapped",
	"file_dirty",
	"file_writeback",
	"anon_thp",
	"inactive_anon",
	"active_anon",
	"inactive_file",
	"active_file",
	"unevictable",
	"slab_reclaimable",
	"slab_unreclaimable",
	"pgfault",
	"pgmajfault",
	"workingset_refault",
	"workingset_activate",
	"workingset_nodereclaim",
	"pgrefill",
	"pgscan",
	"pgsteal",
	"pgactivate",
	"pgdeactivate",
	"pglazyfree",
	"pglazyfreed",
	"thp_fault_alloc",
	"thp_collapse_alloc",
	[38] = "workingset_refault_anon",
	"workingset_refault_file",
	"workingset_activate_anon",
	"workingset_activate_file",
};

static void test_counters(void **state)
{
	struct cg_counter list[ARRAY_SIZE(counter_names) + 1];
	struct cg_stats stats = { .memory.stat = { list, 0 } };
	Shim__Metrics *m;
	uint64_t sum = 0;

	(void)state;
	list[stats.memory.stat.count++] = (struct cg_counter){ "percpu", 1000000 };
	for (size_t i = 0; i < ARRAY_SIZE(counter_names); i++)
		if (counter_names[i]) {
			list[stats.memory.stat.count++] =
				(struct cg_counter){ counter_names[i], 500 + i };
			sum += 500 + i;
		}
	m = through(&stats);
	for (size_t i = 0; i < ARRAY_SIZE(counter_names); i++) {
		const ProtobufCFieldDescriptor *field;

		if (!counter_names[i])
			continue;
		field = protobuf_c_message_descriptor_get_field(m->memory->base.descriptor,
								(unsigned int)i + 1);
		assert_non_null(field);
		assert_string_equal(field->name, counter_names[i]);
		assert_int_equal(number(&m->memory->base, counter_names[i]), 500 + i);
	}
	assert_int_equal(total(&m->memory->base), sum);
	done(m);
}

static void check_psi(const Shim__Psi *psi, double avg10, uint64_t total_usec)
{
	assert_non_null(psi);
	assert_non_null(psi->some);
	assert_true(psi->some->avg10 > avg10 - 0.0001 && psi->some->avg10 < avg10 + 0.0001);
	assert_int_equal(psi->some->total, total_usec);
}

static void test_pressure(void **state)
{
	struct cg_stats stats = {
		.cpu.psi.some = { true, 123, 5, 10000, 11 },
		.memory.psi.some = { true, 1, 2, 3, 22 },
		.memory.psi.full = { true, 250, 350, 450, 33 },
		.io_psi.some = { true, 9999, 0, 0, 44 },
	};
	Shim__Metrics *m = through(&stats);

	(void)state;
	check_psi(m->cpu->psi, 1.23, 11);
	assert_null(m->cpu->psi->full);
	assert_true(m->cpu->psi->some->avg60 > 0.0499 && m->cpu->psi->some->avg60 < 0.0501);
	assert_true(m->cpu->psi->some->avg300 > 99.999 && m->cpu->psi->some->avg300 < 100.001);
	check_psi(m->memory->psi, 0.01, 22);
	assert_true(m->memory->psi->full->avg10 == 2.5);
	assert_true(m->memory->psi->full->avg60 == 3.5);
	assert_true(m->memory->psi->full->avg300 == 4.5);
	assert_int_equal(m->memory->psi->full->total, 33);
	check_psi(m->io->psi, 99.99, 44);
	done(m);
}

static void test_io(void **state)
{
	struct cg_io_device devices[] = { { 8, 16, 1, 2, 3, 4, 5, 6 },
					  { 259, 1, 7, 0, 0, 0, 0, 0 } };
	struct cg_stats stats = { .io = { devices, ARRAY_SIZE(devices) } };
	Shim__Metrics *m = through(&stats);

	(void)state;
	assert_int_equal(m->io->n_usage, 2);
	assert_int_equal(m->io->usage[0]->major, 8);
	assert_int_equal(m->io->usage[0]->minor, 16);
	assert_int_equal(m->io->usage[0]->rbytes, 1);
	assert_int_equal(m->io->usage[0]->wbytes, 2);
	assert_int_equal(m->io->usage[0]->rios, 3);
	assert_int_equal(m->io->usage[0]->wios, 4);
	assert_int_equal(m->io->usage[1]->major, 259);
	assert_int_equal(m->io->usage[1]->minor, 1);
	assert_int_equal(m->io->usage[1]->rbytes, 7);
	done(m);
}

static void test_rare(void **state)
{
	struct cg_hugetlb_stats pages[] = {
		{ .page_size = "2MB",
		  .current = { true, 1 },
		  .max = { true, 2 },
		  .failures = { true, 3 } },
		{ .page_size = "1GB", .max = { true, CG_UNLIMITED } },
	};
	struct cg_rdma_stats devices[] = {
		{ .device = "mlx5_0",
		  .handles = { true, 4 },
		  .objects = { true, 5 },
		  .handles_max = { true, 6 },
		  .objects_max = { true, CG_UNLIMITED } },
		{ .device = "ocrdma1", .handles = { true, 5000000000 } },
	};
	struct cg_stats stats = { .hugetlb = { pages, 2 }, .rdma = { devices, 2 } };
	Shim__Metrics *m = through(&stats);

	(void)state;
	assert_int_equal(m->n_hugetlb, 2);
	assert_string_equal(m->hugetlb[0]->pagesize, "2MB");
	assert_int_equal(m->hugetlb[0]->current, 1);
	assert_int_equal(m->hugetlb[0]->max, 2);
	assert_int_equal(m->hugetlb[0]->failcnt, 3);
	assert_string_equal(m->hugetlb[1]->pagesize, "1GB");
	assert_true(m->hugetlb[1]->max == UINT64_MAX);
	assert_int_equal(m->rdma->n_current, 2);
	assert_string_equal(m->rdma->current[0]->device, "mlx5_0");
	assert_int_equal(m->rdma->current[0]->hca_handles, 4);
	assert_int_equal(m->rdma->current[0]->hca_objects, 5);
	assert_string_equal(m->rdma->current[1]->device, "ocrdma1");
	/* More than the message can say. */
	assert_true(m->rdma->current[1]->hca_handles == UINT32_MAX);
	/* No limit is set for the second. */
	assert_int_equal(m->rdma->n_limit, 1);
	assert_string_equal(m->rdma->limit[0]->device, "mlx5_0");
	assert_int_equal(m->rdma->limit[0]->hca_handles, 6);
	assert_true(m->rdma->limit[0]->hca_objects == UINT32_MAX);
	done(m);
}

/* What is appended to stays. */
static void test_appends(void **state)
{
	struct cg_stats stats = { .pids_current = { true, 1 } };
	struct buf packed = BUF_INIT;
	autoarena a = ARENA_INIT;

	(void)state;
	buf_adds(&packed, "head");
	metrics_pack(&stats, &a, &packed);
	assert_memory_equal(packed.data, "head", 4);
	assert_true(packed.len > 4);
	buf_done(&packed);
}

static void put(int dir, const char *name, const char *text)
{
	autofd fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void remove_all(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *de;

	while ((de = readdir(dir)))
		unlinkat(dirfd(dir), de->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(path), 0);
}

static void test_read(void **state)
{
	char path[] = "/tmp/test_metrics.XXXXXX";
	struct cg cg = { .path = (char *)"/fake" };
	struct buf packed = BUF_INIT;
	struct err err = { 0 };
	Shim__Metrics *m;

	(void)state;
	assert_non_null(mkdtemp(path));
	cg.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(cg.fd, "cgroup.procs", "");
	put(cg.fd, "cgroup.controllers", "cpu io memory hugetlb pids rdma\n");
	put(cg.fd, "pids.current", "3\n");
	put(cg.fd, "pids.max", "max\n");
	put(cg.fd, "cpu.stat", "usage_usec 30\nuser_usec 10\nsystem_usec 20\n");
	put(cg.fd, "cpu.pressure", "some avg10=0.50 avg60=0.00 avg300=0.00 total=9\n");
	put(cg.fd, "memory.current", "4096\n");
	put(cg.fd, "memory.max", "8192\n");
	put(cg.fd, "memory.peak", "5000\n");
	put(cg.fd, "memory.stat", "anon 11\ninactive_file 12\npgfault 13\npgmajfault 14\n");
	put(cg.fd, "memory.events", "low 0\nhigh 0\nmax 1\noom 2\noom_kill 3\n");
	put(cg.fd, "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n");
	put(cg.fd, "rdma.current", "mlx5_0 hca_handle=2 hca_object=3\n");
	put(cg.fd, "rdma.max", "mlx5_0 hca_handle=max hca_object=max\n");
	assert_int_equal(metrics_read(&cg, &packed, &err), 0);
	m = unpack(&packed);
	assert_int_equal(m->pids->current, 3);
	assert_true(m->pids->limit == UINT64_MAX);
	assert_int_equal(m->cpu->usage_usec, 30);
	assert_true(m->cpu->psi->some->avg10 == 0.5);
	assert_int_equal(m->memory->usage, 4096);
	assert_int_equal(m->memory->usage_limit, 8192);
	assert_int_equal(m->memory->max_usage, 5000);
	assert_int_equal(m->memory->anon, 11);
	assert_int_equal(m->memory->inactive_file, 12);
	assert_int_equal(m->memory->pgfault, 13);
	assert_int_equal(m->memory->pgmajfault, 14);
	assert_int_equal(m->memory_events->oom_kill, 3);
	assert_int_equal(m->io->n_usage, 1);
	assert_int_equal(m->rdma->n_current, 1);
	assert_true(m->rdma->limit[0]->hca_handles == UINT32_MAX);
	done(m);
	remove_all(path);
	assert_int_equal(metrics_read(&cg, &packed, &err), -ENODEV);
	assert_int_equal(packed.len, 0);
	close(cg.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_number), cmocka_unit_test(test_unset),
		cmocka_unit_test(test_unlimited),   cmocka_unit_test(test_counters),
		cmocka_unit_test(test_pressure),    cmocka_unit_test(test_io),
		cmocka_unit_test(test_rare),	    cmocka_unit_test(test_appends),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
