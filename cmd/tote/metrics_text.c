/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/metrics.h"

#include "lib/cleanup.h"
#include "lib/number.h"
#include "lib/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_A_DAY 86400

/* A family that is being written: its heading stands before its first line, if there is any. */
struct family {
	struct buf *out;
	const char *name, *type, *help;
	bool begun;
};

/* The format escapes three characters and wants UTF-8; the name of an interface may be any bytes.
 */
static void put_escaped(struct buf *out, const char *s)
{
	size_t left = strlen(s), n;

	for (; left; s += n, left -= n) {
		n = utf8_char(s, left);
		if (*s == '"' || *s == '\\')
			buf_addf(out, "\\%c", *s);
		else if (*s == '\n')
			buf_adds(out, "\\n");
		else
			buf_add(out, n ? s : "\xef\xbf\xbd", n ? n : 3);
		n += !n;
	}
}

static void put_label(struct buf *out, char before, const char *name, const char *value)
{
	buf_addf(out, "%c%s=\"", before, name);
	put_escaped(out, value);
	buf_adds(out, "\"");
}

static void put_heading(struct family *f)
{
	if (!f->begun)
		buf_addf(f->out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
			 f->type);
	f->begun = true;
}

/* A line up to its labels, which the caller may add to before put_value(). */
static void begin_line(struct family *f, const char *id)
{
	put_heading(f);
	buf_adds(f->out, f->name);
	put_label(f->out, '{', "id", id);
}

static void put_value(struct family *f, uint64_t v)
{
	buf_addf(f->out, "} %" PRIu64 "\n", v);
}

static void put_seconds(struct family *f, uint64_t usec)
{
	buf_addf(f->out, "} %" PRIu64 ".%06" PRIu64 "\n", usec / 1000000, usec % 1000000);
}

/* The lists of a sample. */
static void io_label(const struct metrics *m, const void *item, char *out, size_t size)
{
	const struct cg_io_device *d = item;

	snprintf(out, size, "%u:%u", d->major, d->minor);
	for_each (known, &m->devices)
		if (known->major == d->major && known->minor == d->minor)
			snprintf(out, size, "%s", known->name);
}

/* The others' name comes first. */
static void name_label(const struct metrics *m, const void *item, char *out, size_t size)
{
	(void)m;
	snprintf(out, size, "%s", *(const char *const *)item);
}

static const struct {
	const char *label;
	void (*value)(const struct metrics *m, const void *item, char *out, size_t size);
	size_t list, size;
} lists[] = {
	[METRIC_IO] = { "device", io_label, offsetof(struct sample, stats.io),
			sizeof(struct cg_io_device) },
	[METRIC_NET] = { "interface", name_label, offsetof(struct sample, net.interfaces),
			 sizeof(struct sample_interface) },
	[METRIC_HUGETLB] = { "pagesize", name_label, offsetof(struct sample, stats.hugetlb),
			     sizeof(struct cg_hugetlb_stats) },
	[METRIC_RDMA] = { "device", name_label, offsetof(struct sample, stats.rdma),
			  sizeof(struct cg_rdma_stats) },
	[METRIC_MISC] = { "resource", name_label, offsetof(struct sample, stats.misc),
			  sizeof(struct cg_misc_stats) },
};

/* False when there is no number: not counted here, or no limit. */
static bool find_value(const struct metric *metric, const struct sample *s, const void *base,
		       uint64_t *ret)
{
	const void *field = (const char *)base + metric->offset;
	struct opt_u64 v = { 0 };

	switch (metric->value) {
	case METRIC_U64:
		v = (struct opt_u64){ true, *(const uint64_t *)field };
		break;
	case METRIC_OPT:
	case METRIC_SECONDS:
		v = *(const struct opt_u64 *)field;
		v.set &= v.value != CG_UNLIMITED;
		break;
	case METRIC_PSI:
		v.set = ((const struct cg_psi_line *)field)->set;
		v.value = ((const struct cg_psi_line *)field)->total;
		break;
	case METRIC_STAT:
		v = stats_memory(&s->stats, metric->key);
		break;
	}
	*ret = v.value;
	return v.set;
}

/* base: the sample, or an item of one of its lists. */
static void put_line(struct family *f, const struct metrics *m, const struct metric *metric,
		     const struct sample *s, const void *base)
{
	char name[256];
	uint64_t value;

	if (!find_value(metric, s, base, &value))
		return;
	begin_line(f, s->id);
	if (metric->each != METRIC_CONTAINER) {
		lists[metric->each].value(m, base, name, sizeof(name));
		put_label(f->out, ',', lists[metric->each].label, name);
	}
	if (metric->labels)
		buf_addf(f->out, ",%s", metric->labels);
	if (metric->value == METRIC_SECONDS || metric->value == METRIC_PSI)
		put_seconds(f, value);
	else
		put_value(f, value);
}

static void put_metric(struct family *f, const struct metrics *m, const struct metric *metric)
{
	for_each (s, &m->samples) {
		/* Every LIST has the same layout, lib/types.h. */
		const LIST(char) *list = (const void *)((const char *)s + lists[metric->each].list);

		if (metric->each == METRIC_CONTAINER)
			put_line(f, m, metric, s, s);
		else
			for (size_t i = 0; i < list->count; i++)
				put_line(f, m, metric, s,
					 list->items + i * lists[metric->each].size);
	}
}

static void write_table(const struct metrics *m, struct buf *out)
{
	struct family f = { 0 };

	for (size_t i = 0; i < metric_table_count; i++) {
		const struct metric *metric = &metric_table[i];

		if (metric->name)
			f = (struct family){ out, metric->name, metric->type, metric->help, false };
		put_metric(&f, m, metric);
	}
}

/* What takes more than looking at a field. */
static void write_state(const struct metrics *m, struct buf *out)
{
	struct family f = { out, "tote_container_state", "gauge",
			    "1 for the state that the container is in, 0 for the others.", false };

	for_each (s, &m->samples) {
		for (int state = STATUS_CREATING; state <= STATUS_STOPPED; state++) {
			begin_line(&f, s->id);
			put_label(out, ',', "state", status_name((enum status)state));
			put_value(&f, (int)s->status == state);
		}
	}
}

static void write_restarts(const struct metrics *m, struct buf *out)
{
	struct family f = { out, "tote_container_restarts_total", "counter",
			    "How often the container was started anew under its ID.", false };

	for_each (s, &m->samples) {
		begin_line(&f, s->id);
		put_value(&f, s->restarts);
	}
}

/* Days since 1970 of a date; years begin in March, so that the leap day comes last. */
static uint64_t days(uint64_t year, uint64_t month, uint64_t day)
{
	if (month <= 2)
		year--;
	month = (month + 9) % 12;
	return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day -
	       719469;
}

/* The reverse of time_text(): "2026-11-22T08:04:13.267335547Z". Microseconds since 1970, 0 if it is
 * not of that form. */
static uint64_t read_time(const char *text)
{
	static const char ends[] = "--T::.";
	uint64_t part[6], fraction = 0;
	const char *p = text ? text : "";

	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		if (!number_scan(&p, &part[i]) || (*p++ != ends[i] && p[-1] != 'Z'))
			return 0;
	if (p[-1] == '.') {
		const char *start = p;

		number_scan(&p, &fraction);
		for (ptrdiff_t n = p - start; n > 6; n--)
			fraction /= 10;
	}
	return ((days(part[0], part[1], part[2]) * SECONDS_A_DAY + part[3] * 3600 + part[4] * 60 +
		 part[5]) *
		1000000) +
	       fraction;
}

static void write_times(const struct metrics *m, struct buf *out)
{
	struct family created = { out, "tote_container_created_time_seconds", "gauge",
				  "When the container was created, seconds since 1970.", false };
	struct family started = { out, "tote_container_start_time_seconds", "gauge",
				  "When its first process was made, seconds since 1970; absent "
				  "unless it lives.",
				  false };
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);

	for_each (s, &m->samples) {
		uint64_t time = read_time(s->created);

		if (!time)
			continue;
		begin_line(&created, s->id);
		put_seconds(&created, time);
	}
	for_each (s, &m->samples) {
		if (s->status == STATUS_STOPPED || !s->init.pid || !m->boot_time || !ticks)
			continue;
		begin_line(&started, s->id);
		put_seconds(&started,
			    m->boot_time * 1000000 + s->init.start_time * (1000000 / ticks));
	}
}

static void write_cpu_limit(const struct metrics *m, struct buf *out)
{
	struct family f = { out, "tote_container_cpu_limit_cores", "gauge",
			    "CPU time a second that the quota grants; absent when there is none.",
			    false };

	for_each (s, &m->samples) {
		const struct cg_cpu_stats *cpu = &s->stats.cpu;

		if (!cpu->quota.set || cpu->quota.value == CG_UNLIMITED || !cpu->period.value)
			continue;
		begin_line(&f, s->id);
		put_seconds(&f, cpu->quota.value * 1000000 / cpu->period.value);
	}
}

static void write_host(const struct metrics *m, struct buf *out)
{
	buf_addf(out,
		 "# HELP tote_build_info A constant 1, with the version as a label.\n"
		 "# TYPE tote_build_info gauge\n"
		 "tote_build_info{version=\"%s\"} 1\n"
		 "# HELP tote_unreadable_containers Containers that could not be looked at.\n"
		 "# TYPE tote_unreadable_containers gauge\n"
		 "tote_unreadable_containers %zu\n",
		 TOTE_VERSION, m->unreadable);
}

void metrics_write(const struct metrics *m, struct buf *out)
{
	write_host(m, out);
	write_state(m, out);
	write_restarts(m, out);
	write_times(m, out);
	write_cpu_limit(m, out);
	write_table(m, out);
}
