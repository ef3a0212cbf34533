/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/metrics.h"

#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#include <stddef.h>
#include <string.h>

#define WANTED                                                                                     \
	(STATS_CPU | STATS_MEMORY | STATS_OOM | STATS_TASKS | STATS_IO | STATS_PRESSURE |          \
	 STATS_RARE | STATS_MORE | STATS_COUNTERS)

/* Those parts of the message of which there is one each. */
struct parts {
	Shim__PidsStat pids;
	Shim__CpuStat cpu;
	Shim__MemoryStat memory;
	Shim__MemoryEvents events;
};

#define IN(field) offsetof(struct cg_stats, field)
#define OUT(field) offsetof(struct parts, field)

static const struct {
	size_t from, to;
} numbers[] = {
	{ IN(pids_current), OUT(pids.current) },
	{ IN(pids_max), OUT(pids.limit) },
	{ IN(cpu.usage), OUT(cpu.usage_usec) },
	{ IN(cpu.user), OUT(cpu.user_usec) },
	{ IN(cpu.system), OUT(cpu.system_usec) },
	{ IN(cpu.periods), OUT(cpu.nr_periods) },
	{ IN(cpu.throttled_periods), OUT(cpu.nr_throttled) },
	{ IN(cpu.throttled), OUT(cpu.throttled_usec) },
	{ IN(cpu.bursts), OUT(cpu.nr_bursts) },
	{ IN(cpu.burst), OUT(cpu.burst_usec) },
	{ IN(memory.current), OUT(memory.usage) },
	{ IN(memory.max), OUT(memory.usage_limit) },
	{ IN(memory.peak), OUT(memory.max_usage) },
	{ IN(memory.swap_current), OUT(memory.swap_usage) },
	{ IN(memory.swap_max), OUT(memory.swap_limit) },
	{ IN(memory.low_events), OUT(events.low) },
	{ IN(memory.high_events), OUT(events.high) },
	{ IN(memory.max_events), OUT(events.max) },
	{ IN(memory.oom_events), OUT(events.oom) },
	{ IN(memory.oom_kills), OUT(events.oom_kill) },
	{ IN(memory.oom_group_kills), OUT(events.oom_group_kill) },
};

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, offsetof(Shim__MemoryStat, name)                                            \
	}

/* Of memory.stat; the message has the kernel's names. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	COUNTER(anon),
	COUNTER(file),
	COUNTER(kernel_stack),
	COUNTER(slab),
	COUNTER(sock),
	COUNTER(shmem),
	COUNTER(file_mapped),
	COUNTER(file_dirty),
	COUNTER(file_writeback),
	COUNTER(anon_thp),
	COUNTER(inactive_anon),
	COUNTER(active_anon),
	COUNTER(inactive_file),
	COUNTER(active_file),
	COUNTER(unevictable),
	COUNTER(slab_reclaimable),
	COUNTER(slab_unreclaimable),
	COUNTER(pgfault),
	COUNTER(pgmajfault),
	COUNTER(workingset_refault),
	COUNTER(workingset_activate),
	COUNTER(workingset_nodereclaim),
	COUNTER(pgrefill),
	COUNTER(pgscan),
	COUNTER(pgsteal),
	COUNTER(pgactivate),
	COUNTER(pgdeactivate),
	COUNTER(pglazyfree),
	COUNTER(pglazyfreed),
	COUNTER(thp_fault_alloc),
	COUNTER(thp_collapse_alloc),
	COUNTER(workingset_refault_anon),
	COUNTER(workingset_refault_file),
	COUNTER(workingset_activate_anon),
	COUNTER(workingset_activate_file),
};

static void fill_numbers(const struct cg_stats *stats, struct parts *parts)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct opt_u64 *from =
			(const struct opt_u64 *)((const char *)stats + numbers[i].from);

		if (from->set)
			*(uint64_t *)((char *)parts + numbers[i].to) = from->value;
	}
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		*(uint64_t *)((char *)&parts->memory + counters[i].offset) =
			stats_memory(stats, counters[i].name).value;
}

/* A pressure as a message; in the arena. */
static Shim__PsiLine *psi_line(const struct cg_psi_line *line, struct arena *a)
{
	Shim__PsiLine *ret;

	if (!line->set)
		return NULL;
	ret = arena_alloc(a, sizeof(*ret));
	shim__psi_line__init(ret);
	ret->avg10 = line->avg10 / 100.0;
	ret->avg60 = line->avg60 / 100.0;
	ret->avg300 = line->avg300 / 100.0;
	ret->total = line->total;
	return ret;
}

/* NULL where the kernel measures none. */
static Shim__Psi *psi(const struct cg_psi *pressure, struct arena *a)
{
	Shim__Psi *ret;

	if (!pressure->some.set && !pressure->full.set)
		return NULL;
	ret = arena_alloc(a, sizeof(*ret));
	shim__psi__init(ret);
	ret->some = psi_line(&pressure->some, a);
	ret->full = psi_line(&pressure->full, a);
	return ret;
}

static void fill_io(const struct cg_stats *stats, struct arena *a, Shim__IoStat *out)
{
	Shim__IoEntry *entries = arena_calloc(a, stats->io.count, sizeof(*entries));

	out->usage = arena_calloc(a, stats->io.count, sizeof(*out->usage));
	out->psi = psi(&stats->io_psi, a);
	for_each (d, &stats->io) {
		Shim__IoEntry *entry = out->usage[out->n_usage] = &entries[out->n_usage];

		shim__io_entry__init(entry);
		entry->major = d->major;
		entry->minor = d->minor;
		entry->rbytes = d->rbytes;
		entry->wbytes = d->wbytes;
		entry->rios = d->rios;
		entry->wios = d->wios;
		out->n_usage++;
	}
}

static void fill_hugetlb(const struct cg_stats *stats, struct arena *a, Shim__Metrics *out)
{
	Shim__HugetlbStat *entries = arena_calloc(a, stats->hugetlb.count, sizeof(*entries));

	out->hugetlb = arena_calloc(a, stats->hugetlb.count, sizeof(*out->hugetlb));
	for_each (h, &stats->hugetlb) {
		Shim__HugetlbStat *entry = out->hugetlb[out->n_hugetlb] = &entries[out->n_hugetlb];

		shim__hugetlb_stat__init(entry);
		entry->pagesize = arena_strdup(a, h->page_size);
		entry->current = h->current.value;
		entry->max = h->max.value;
		entry->failcnt = h->failures.value;
		out->n_hugetlb++;
	}
}

/* The message has 32 bits for what the kernel counts in as many. */
static uint32_t narrow(struct opt_u64 value)
{
	return value.value < UINT32_MAX ? (uint32_t)value.value : UINT32_MAX;
}

static Shim__RdmaEntry *rdma_entry(const struct cg_rdma_stats *d, struct opt_u64 handles,
				   struct opt_u64 objects, struct arena *a)
{
	Shim__RdmaEntry *entry = arena_alloc(a, sizeof(*entry));

	shim__rdma_entry__init(entry);
	entry->device = arena_strdup(a, d->device);
	entry->hca_handles = narrow(handles);
	entry->hca_objects = narrow(objects);
	return entry;
}

static Shim__RdmaStat *rdma(const struct cg_stats *stats, struct arena *a)
{
	Shim__RdmaStat *out;

	if (!stats->rdma.count)
		return NULL;
	out = arena_alloc(a, sizeof(*out));
	shim__rdma_stat__init(out);
	out->current = arena_calloc(a, stats->rdma.count, sizeof(*out->current));
	out->limit = arena_calloc(a, stats->rdma.count, sizeof(*out->limit));
	for_each (d, &stats->rdma) {
		out->current[out->n_current++] = rdma_entry(d, d->handles, d->objects, a);
		if (d->handles_max.set || d->objects_max.set)
			out->limit[out->n_limit++] =
				rdma_entry(d, d->handles_max, d->objects_max, a);
	}
	return out;
}

void metrics_pack(const struct cg_stats *stats, struct arena *a, struct buf *out)
{
	Shim__Metrics message = SHIM__METRICS__INIT;
	Shim__IoStat io = SHIM__IO_STAT__INIT;
	struct parts parts = { .pids = SHIM__PIDS_STAT__INIT,
			       .cpu = SHIM__CPU_STAT__INIT,
			       .memory = SHIM__MEMORY_STAT__INIT,
			       .events = SHIM__MEMORY_EVENTS__INIT };

	fill_numbers(stats, &parts);
	parts.cpu.psi = psi(&stats->cpu.psi, a);
	parts.memory.psi = psi(&stats->memory.psi, a);
	fill_io(stats, a, &io);
	fill_hugetlb(stats, a, &message);
	message.pids = &parts.pids;
	message.cpu = &parts.cpu;
	message.memory = &parts.memory;
	message.memory_events = &parts.events;
	message.io = &io;
	message.rdma = rdma(stats, a);
	wire_pack(&message.base, out);
}

int metrics_read(const struct cg *cg, struct buf *out, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct cg_stats stats;
	int r = stats_read_some(cg, WANTED, NULL, &a, &stats, err);

	if (r < 0)
		return r;
	metrics_pack(&stats, &a, out);
	return 0;
}
