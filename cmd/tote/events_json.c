/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/events.h"

#include "lib/cleanup.h"
#include "lib/json.h"

#include <inttypes.h>
#include <stdio.h>

#define NSEC_PER_USEC 1000

static void begin(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_begin_object(w);
}

/* Members that runc leaves out when they are nothing. */
static void pair_some(struct json_writer *w, const char *key, uint64_t v)
{
	if (v)
		json_pair_u64(w, key, v);
}

/* Hundredths of a percent as the decimal number that the kernel printed. */
static void pair_hundredths(struct json_writer *w, const char *key, uint32_t v)
{
	char text[16];
	struct json_value number = { .kind = JSON_NUMBER, .text = text };

	snprintf(text, sizeof(text), "%" PRIu32 ".%02" PRIu32, v / 100, v % 100);
	json_key(w, key);
	json_put_value(w, &number);
}

static void put_psi_line(struct json_writer *w, const char *key, const struct cg_psi_line *line)
{
	if (!line->set)
		return;
	begin(w, key);
	pair_hundredths(w, "avg10", line->avg10);
	pair_hundredths(w, "avg60", line->avg60);
	pair_hundredths(w, "avg300", line->avg300);
	json_pair_u64(w, "total", line->total);
	json_end_object(w);
}

static void put_psi(struct json_writer *w, const struct cg_psi *psi)
{
	if (!psi->some.set && !psi->full.set)
		return;
	begin(w, "psi");
	put_psi_line(w, "some", &psi->some);
	put_psi_line(w, "full", &psi->full);
	json_end_object(w);
}

/* The kernel counts microseconds here, clients expect nanoseconds, as of cgroup v1. */
static void put_cpu(struct json_writer *w, const struct cg_cpu_stats *cpu)
{
	begin(w, "cpu");
	begin(w, "usage");
	pair_some(w, "total", cpu->usage.value * NSEC_PER_USEC);
	json_pair_u64(w, "kernel", cpu->system.value * NSEC_PER_USEC);
	json_pair_u64(w, "user", cpu->user.value * NSEC_PER_USEC);
	json_end_object(w);
	begin(w, "throttling");
	pair_some(w, "periods", cpu->periods.value);
	pair_some(w, "throttledPeriods", cpu->throttled_periods.value);
	pair_some(w, "throttledTime", cpu->throttled.value * NSEC_PER_USEC);
	json_end_object(w);
	put_psi(w, &cpu->psi);
	json_end_object(w);
}

static void put_memory_entry(struct json_writer *w, const char *key, uint64_t limit, uint64_t usage,
			     uint64_t max, uint64_t failures)
{
	begin(w, key);
	json_pair_u64(w, "limit", limit);
	pair_some(w, "usage", usage);
	pair_some(w, "max", max);
	json_pair_u64(w, "failcnt", failures);
	json_end_object(w);
}

static uint64_t sum_limits(uint64_t a, uint64_t b)
{
	return a == CG_UNLIMITED || b == CG_UNLIMITED ? CG_UNLIMITED : a + b;
}

/* "swap" is memory and swap together, as in the spec and in cgroup v1. */
static void put_memory(struct json_writer *w, const struct cg_stats *s)
{
	const struct cg_memory_stats *m = &s->memory;

	begin(w, "memory");
	pair_some(w, "cache", stats_memory(s, "file").value);
	put_memory_entry(w, "usage", m->max.value, m->current.value, m->peak.value,
			 m->max_events.value);
	put_memory_entry(w, "swap", sum_limits(m->max.value, m->swap_max.value),
			 m->current.value + m->swap_current.value, 0, 0);
	put_memory_entry(w, "kernel", 0, stats_memory(s, "kernel").value, 0, 0);
	begin(w, "raw");
	for_each (c, &m->stat)
		json_pair_u64(w, c->name, c->value);
	json_end_object(w);
	put_psi(w, &m->psi);
	json_end_object(w);
}

static void put_pids(struct json_writer *w, const struct cg_stats *s)
{
	begin(w, "pids");
	pair_some(w, "current", s->pids_current.value);
	if (s->pids_max.value != CG_UNLIMITED)
		pair_some(w, "limit", s->pids_max.value);
	json_end_object(w);
}

struct io_column {
	const char *op;
	size_t offset;
};

static const struct io_column byte_columns[] = {
	{ "Read", offsetof(struct cg_io_device, rbytes) },
	{ "Write", offsetof(struct cg_io_device, wbytes) },
	{ "Discard", offsetof(struct cg_io_device, dbytes) },
};

static const struct io_column request_columns[] = {
	{ "Read", offsetof(struct cg_io_device, rios) },
	{ "Write", offsetof(struct cg_io_device, wios) },
	{ "Discard", offsetof(struct cg_io_device, dios) },
};

static void put_io_columns(struct json_writer *w, const char *key, const struct cg_stats *s,
			   const struct io_column columns[3])
{
	json_key(w, key);
	json_begin_array(w);
	for_each (d, &s->io) {
		for (size_t i = 0; i < 3; i++) {
			json_begin_object(w);
			json_pair_u64(w, "major", d->major);
			json_pair_u64(w, "minor", d->minor);
			json_pair_string(w, "op", columns[i].op);
			json_pair_u64(w, "value",
				      *(const uint64_t *)((const char *)d + columns[i].offset));
			json_end_object(w);
		}
	}
	json_end_array(w);
}

static void put_io(struct json_writer *w, const struct cg_stats *s)
{
	begin(w, "blkio");
	if (s->io.count) {
		put_io_columns(w, "ioServiceBytesRecursive", s, byte_columns);
		put_io_columns(w, "ioServicedRecursive", s, request_columns);
	}
	put_psi(w, &s->io_psi);
	json_end_object(w);
}

static void put_hugetlb(struct json_writer *w, const struct cg_stats *s)
{
	begin(w, "hugetlb");
	for_each (h, &s->hugetlb) {
		begin(w, h->page_size);
		pair_some(w, "usage", h->current.value);
		json_pair_u64(w, "failcnt", h->failures.value);
		json_end_object(w);
	}
	json_end_object(w);
}

/* Only there where the host has such devices: runc has no place for them. */
static void put_rdma_entries(struct json_writer *w, const char *key, const struct cg_stats *s,
			     size_t handles, size_t objects)
{
	json_key(w, key);
	json_begin_array(w);
	for_each (d, &s->rdma) {
		json_begin_object(w);
		json_pair_string(w, "device", d->device);
		json_pair_u64(w, "hcaHandles",
			      ((const struct opt_u64 *)((const char *)d + handles))->value);
		json_pair_u64(w, "hcaObjects",
			      ((const struct opt_u64 *)((const char *)d + objects))->value);
		json_end_object(w);
	}
	json_end_array(w);
}

static void put_rdma(struct json_writer *w, const struct cg_stats *s)
{
	if (!s->rdma.count)
		return;
	begin(w, "rdma");
	put_rdma_entries(w, "current", s, offsetof(struct cg_rdma_stats, handles),
			 offsetof(struct cg_rdma_stats, objects));
	put_rdma_entries(w, "limit", s, offsetof(struct cg_rdma_stats, handles_max),
			 offsetof(struct cg_rdma_stats, objects_max));
	json_end_object(w);
}

static void put_interfaces(struct json_writer *w, const struct sample_net *net)
{
	json_key(w, "network_interfaces");
	json_begin_array(w);
	for_each (i, &net->interfaces) {
		json_begin_object(w);
		json_pair_string(w, "Name", i->name);
		json_pair_u64(w, "RxBytes", i->rx_bytes);
		json_pair_u64(w, "RxPackets", i->rx_packets);
		json_pair_u64(w, "RxErrors", i->rx_errors);
		json_pair_u64(w, "RxDropped", i->rx_dropped);
		json_pair_u64(w, "TxBytes", i->tx_bytes);
		json_pair_u64(w, "TxPackets", i->tx_packets);
		json_pair_u64(w, "TxErrors", i->tx_errors);
		json_pair_u64(w, "TxDropped", i->tx_dropped);
		json_end_object(w);
	}
	json_end_array(w);
}

static void begin_line(struct json_writer *w, const char *type, const char *id, struct buf *out)
{
	json_writer_init(w, out, false);
	json_begin_object(w);
	json_pair_string(w, "type", type);
	json_pair_string(w, "id", id);
}

static void end_line(struct json_writer *w, struct buf *out)
{
	json_end_object(w);
	json_writer_done(w);
	buf_adds(out, "\n");
}

void events_write_stats(const char *id, const struct cg_stats *stats, const struct sample_net *net,
			struct buf *out)
{
	struct json_writer w;

	begin_line(&w, "stats", id, out);
	begin(&w, "data");
	put_cpu(&w, &stats->cpu);
	put_memory(&w, stats);
	put_pids(&w, stats);
	put_io(&w, stats);
	put_hugetlb(&w, stats);
	put_rdma(&w, stats);
	put_interfaces(&w, net);
	json_end_object(&w);
	end_line(&w, out);
}

void events_write_oom(const char *id, struct buf *out)
{
	struct json_writer w;

	begin_line(&w, "oom", id, out);
	end_line(&w, out);
}
