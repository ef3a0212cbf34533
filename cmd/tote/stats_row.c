/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/stats_row.h"

#include "lib/cleanup.h"
#include "lib/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CELL 24
#define GAP 2

static struct opt_u64 some(uint64_t value)
{
	return (struct opt_u64){ true, value };
}

static struct opt_u64 limited(struct opt_u64 limit)
{
	if (limit.value == CG_UNLIMITED)
		limit.set = false;
	return limit;
}

static struct opt_u64 pressure(const struct cg_psi *psi)
{
	return (struct opt_u64){ psi->some.set, psi->some.avg10 };
}

/* A restarted container counts from 0 again: then there is nothing to compare with. */
static struct opt_u64 cpu_percent(const struct sample *now, const struct sample *before)
{
	const struct opt_u64 *new = &now->stats.cpu.usage;
	const struct opt_u64 *old = before ? &before->stats.cpu.usage : NULL;

	if (!old || !old->set || !new->set || new->value < old->value ||
	    now->taken <= before->taken || now->init.start_time != before->init.start_time)
		return (struct opt_u64){ 0 };
	/* Microseconds of nanoseconds, in hundredths of a percent. */
	return some((new->value - old->value) * 10000000 / (uint64_t)(now->taken - before->taken));
}

static void fill_memory(const struct cg_stats *s, struct stats_row *row)
{
	const struct opt_u64 inactive = s->memory.inactive_file;
	struct opt_u64 working_set = s->memory.current;

	if (working_set.set)
		working_set.value -=
			inactive.value < working_set.value ? inactive.value : working_set.value;
	row->memory_usage = s->memory.current;
	row->memory_working_set = working_set;
	row->memory_peak = s->memory.peak;
	row->memory_limit = limited(s->memory.max);
	if (working_set.set && row->memory_limit.set && row->memory_limit.value)
		row->memory_percent = some((uint64_t)((__uint128_t)working_set.value * 10000 /
						      row->memory_limit.value));
	row->swap_usage = s->memory.swap_current;
	row->swap_limit = limited(s->memory.swap_max);
}

void stats_row_fill(const struct sample *now, const struct sample *before, struct stats_row *ret)
{
	const struct cg_stats *s = &now->stats;
	struct stats_row row = {
		.id = now->id,
		.pid = now->init.pid,
		.cpu_percent = cpu_percent(now, before),
		.cpu_usage = s->cpu.usage,
		.oom_kills = s->memory.oom_kills,
		.pids = s->pids_current,
		.pids_limit = limited(s->pids_max),
		.net_rx.set = now->net.own,
		.net_tx.set = now->net.own,
		.io_read.set = s->io.items,
		.io_written.set = s->io.items,
		.cpu_pressure = pressure(&s->cpu.psi),
		.memory_pressure = pressure(&s->memory.psi),
		.io_pressure = pressure(&s->io_psi),
	};

	fill_memory(s, &row);
	for_each (i, &now->net.interfaces) {
		if (strcmp(i->name, "lo") == 0)
			continue;
		row.net_rx.value += i->rx_bytes;
		row.net_tx.value += i->tx_bytes;
	}
	for_each (d, &s->io) {
		row.io_read.value += d->rbytes;
		row.io_written.value += d->wbytes;
	}
	*ret = row;
}

/* At most five characters: "512B", "1.25K", "12.5M", "125G". */
static void put_size(const struct opt_u64 *v, char *out, size_t size)
{
	uint64_t whole = v->value, rest = 0;
	size_t unit = 0;

	for (; whole >= 1000; whole /= 1024, unit++)
		rest = whole % 1024;
	if (!v->set)
		snprintf(out, size, "-");
	else if (unit && whole < 10)
		snprintf(out, size, "%u.%02u%c", (unsigned int)whole,
			 (unsigned int)(rest * 100 / 1024), "BKMGTPE"[unit]);
	else if (unit && whole < 100)
		snprintf(out, size, "%u.%u%c", (unsigned int)whole,
			 (unsigned int)(rest * 10 / 1024), "BKMGTPE"[unit]);
	else
		snprintf(out, size, "%u%c", (unsigned int)whole, "BKMGTPE"[unit]);
}

static void put_pair(const struct opt_u64 *a, const struct opt_u64 *b, char *out)
{
	char left[8], right[8];

	put_size(a, left, sizeof(left));
	put_size(b, right, sizeof(right));
	snprintf(out, CELL, "%5s / %-5s", left, right);
}

/* Hundredths with one decimal. */
static void put_percent(const struct opt_u64 *v, char *out)
{
	if (v->set)
		snprintf(out, CELL, "%" PRIu64 ".%" PRIu64, v->value / 100, v->value / 10 % 10);
	else
		snprintf(out, CELL, "-");
}

static void cell_cpu(const struct stats_row *row, char *out)
{
	put_percent(&row->cpu_percent, out);
}

static void cell_memory(const struct stats_row *row, char *out)
{
	put_pair(&row->memory_working_set, &row->memory_limit, out);
}

static void cell_memory_percent(const struct stats_row *row, char *out)
{
	put_percent(&row->memory_percent, out);
}

static void cell_pids(const struct stats_row *row, char *out)
{
	if (row->pids.set)
		snprintf(out, CELL, "%" PRIu64, row->pids.value);
	else
		snprintf(out, CELL, "-");
}

/* What the processes wait for most. */
static void cell_pressure(const struct stats_row *row, char *out)
{
	const struct {
		const char *name;
		struct opt_u64 share;
	} all[] = {
		{ "cpu", row->cpu_pressure },
		{ "mem", row->memory_pressure },
		{ "io", row->io_pressure },
	};
	size_t most = 0;

	for (size_t i = 1; i < ARRAY_SIZE(all); i++)
		if (all[i].share.set && all[i].share.value > all[most].share.value)
			most = i;
	put_percent(&all[most].share, out);
	/* What is shown as 0 has no name. */
	if (all[most].share.value >= 10)
		snprintf(out + strlen(out), CELL - strlen(out), " %s", all[most].name);
}

static void cell_net(const struct stats_row *row, char *out)
{
	put_pair(&row->net_rx, &row->net_tx, out);
}

static void cell_io(const struct stats_row *row, char *out)
{
	put_pair(&row->io_read, &row->io_written, out);
}

static void cell_swap(const struct stats_row *row, char *out)
{
	put_size(&row->swap_usage, out, CELL);
}

/* The ID comes before, left-aligned. 100 columns with an ID of 16. */
static const struct {
	const char *heading;
	int width;
	void (*cell)(const struct stats_row *row, char *out);
} columns[] = {
	{ "CPU %", 6, cell_cpu },
	{ "MEM / LIMIT", 13, cell_memory },
	{ "MEM %", 5, cell_memory_percent },
	{ "PIDS", 4, cell_pids },
	{ "PRESSURE", 9, cell_pressure },
	{ "NET RX / TX", 13, cell_net },
	{ "IO READ/WRITE", 13, cell_io },
	{ "SWAP", 5, cell_swap },
};

struct layout {
	size_t id_width, columns;
	const char *end;
};

static struct layout lay_out(const struct stats_rows *rows, size_t width, const char *end)
{
	struct layout l = { strlen("ID"), 0, end };
	size_t used;

	for_each (row, rows)
		if (strlen(row->id) > l.id_width)
			l.id_width = strlen(row->id);
	if (width && l.id_width > width)
		l.id_width = width;
	for (used = l.id_width; l.columns < ARRAY_SIZE(columns); l.columns++) {
		used += GAP + (size_t)columns[l.columns].width;
		if (width && used > width)
			break;
	}
	return l;
}

/* row NULL: the headings. */
static void put_line(const struct layout *l, const struct stats_row *row, struct buf *out)
{
	buf_addf(out, "%-*.*s", (int)l->id_width, (int)l->id_width, row ? row->id : "ID");
	for (size_t i = 0; i < l->columns; i++) {
		char cell[CELL];

		if (row)
			columns[i].cell(row, cell);
		buf_addf(out, "%*s%*s", GAP, "", columns[i].width, row ? cell : columns[i].heading);
	}
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
	buf_adds(out, l->end);
}

void stats_rows_table(const struct stats_rows *rows, size_t width, size_t height, const char *end,
		      struct buf *out)
{
	const struct layout l = lay_out(rows, width, end);
	size_t lines = 1;

	put_line(&l, NULL, out);
	for_each (row, rows)
		if (!height || lines++ < height)
			put_line(&l, row, out);
}

enum kind { COUNT, HUNDREDTHS, MICROSECONDS };

#define MEMBER(key, kind, field)                                                                   \
	{                                                                                          \
		key, kind, offsetof(struct stats_row, field)                                       \
	}

/* The names are stable. */
static const struct {
	const char *key;
	enum kind kind;
	size_t offset;
} members[] = {
	MEMBER("cpuPercent", HUNDREDTHS, cpu_percent),
	MEMBER("cpuSeconds", MICROSECONDS, cpu_usage),
	MEMBER("memoryUsage", COUNT, memory_usage),
	MEMBER("memoryWorkingSet", COUNT, memory_working_set),
	MEMBER("memoryLimit", COUNT, memory_limit),
	MEMBER("memoryPercent", HUNDREDTHS, memory_percent),
	MEMBER("memoryPeak", COUNT, memory_peak),
	MEMBER("swapUsage", COUNT, swap_usage),
	MEMBER("swapLimit", COUNT, swap_limit),
	MEMBER("oomKills", COUNT, oom_kills),
	MEMBER("pids", COUNT, pids),
	MEMBER("pidsLimit", COUNT, pids_limit),
	MEMBER("netRxBytes", COUNT, net_rx),
	MEMBER("netTxBytes", COUNT, net_tx),
	MEMBER("ioReadBytes", COUNT, io_read),
	MEMBER("ioWriteBytes", COUNT, io_written),
	MEMBER("cpuPressure", HUNDREDTHS, cpu_pressure),
	MEMBER("memoryPressure", HUNDREDTHS, memory_pressure),
	MEMBER("ioPressure", HUNDREDTHS, io_pressure),
};

static void put_member(struct json_writer *w, enum kind kind, const struct opt_u64 *v)
{
	const unsigned int digits[] = { 0, 2, 6 };
	const uint64_t scales[] = { 1, 100, 1000000 }, scale = scales[kind];
	char text[32];
	struct json_value number = { .kind = JSON_NUMBER, .text = text };

	if (!v->set) {
		json_put_null(w);
	} else if (kind == COUNT) {
		json_put_u64(w, v->value);
	} else {
		snprintf(text, sizeof(text), "%" PRIu64 ".%0*" PRIu64, v->value / scale,
			 (int)digits[kind], v->value % scale);
		json_put_value(w, &number);
	}
}

void stats_rows_json(const struct stats_rows *rows, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_array(&w);
	for_each (row, rows) {
		json_begin_object(&w);
		json_pair_string(&w, "id", row->id);
		json_pair_i64(&w, "pid", row->pid);
		for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
			json_key(&w, members[i].key);
			put_member(&w, members[i].kind,
				   (const struct opt_u64 *)((const char *)row + members[i].offset));
		}
		json_end_object(&w);
	}
	json_end_array(&w);
	json_writer_done(&w);
	buf_adds(out, "\n");
}
