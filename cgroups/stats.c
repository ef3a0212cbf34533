/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/stats.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)

#define AT(field) offsetof(struct cg_stats, field)

/* Files with one number, or "max". */
static const struct {
	const char *file;
	size_t offset;
} single_files[] = {
	{ "memory.current", AT(memory.current) },
	{ "memory.peak", AT(memory.peak) },
	{ "memory.max", AT(memory.max) },
	{ "memory.low", AT(memory.low) },
	{ "memory.swap.current", AT(memory.swap_current) },
	{ "memory.swap.max", AT(memory.swap_max) },
	{ "pids.current", AT(pids_current) },
	{ "pids.max", AT(pids_max) },
};

/* Files with lines "name number". */
static const struct {
	const char *file, *name;
	size_t offset;
} keyed_files[] = {
	{ "cpu.stat", "usage_usec", AT(cpu.usage) },
	{ "cpu.stat", "user_usec", AT(cpu.user) },
	{ "cpu.stat", "system_usec", AT(cpu.system) },
	{ "cpu.stat", "nr_periods", AT(cpu.periods) },
	{ "cpu.stat", "nr_throttled", AT(cpu.throttled_periods) },
	{ "cpu.stat", "throttled_usec", AT(cpu.throttled) },
	{ "cpu.stat", "nr_bursts", AT(cpu.bursts) },
	{ "cpu.stat", "burst_usec", AT(cpu.burst) },
	{ "memory.events", "low", AT(memory.low_events) },
	{ "memory.events", "high", AT(memory.high_events) },
	{ "memory.events", "max", AT(memory.max_events) },
	{ "memory.events", "oom", AT(memory.oom_events) },
	{ "memory.events", "oom_kill", AT(memory.oom_kills) },
};

static const struct {
	const char *file;
	size_t offset;
} psi_files[] = {
	{ "cpu.pressure", AT(cpu.psi) },
	{ "memory.pressure", AT(memory.psi) },
	{ "io.pressure", AT(io_psi) },
};

static const struct {
	const char *suffix; /* behind "hugetlb.SIZE." */
	size_t offset;
} hugetlb_files[] = {
	{ "current", offsetof(struct cg_hugetlb_stats, current) },
	{ "max", offsetof(struct cg_hugetlb_stats, max) },
	{ "rsvd.current", offsetof(struct cg_hugetlb_stats, rsvd_current) },
	{ "rsvd.max", offsetof(struct cg_hugetlb_stats, rsvd_max) },
};

/* A reading under way. */
struct reader {
	int fd;
	struct arena *a;
	struct err *err;
};

/* 1 with the text, 0 when the kernel has no such file here (PSI switched off: EOPNOTSUPP). */
static int read_text(const struct reader *rd, const char *file, char **ret_text)
{
	struct err ignored;
	int r = file_read(rd->fd, file, FILE_MAX, rd->a, ret_text, NULL, &ignored);

	if (r == -ENOENT || r == -EOPNOTSUPP)
		return 0;
	if (r < 0) {
		*rd->err = ignored;
		return r;
	}
	return 1;
}

static void set_number(struct opt_u64 *out, const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (strncmp(text, "max", 3) == 0)
		*out = (struct opt_u64){ true, CG_UNLIMITED };
	else if (end != text)
		*out = (struct opt_u64){ true, value };
}

static int read_number(const struct reader *rd, const char *file, struct opt_u64 *out)
{
	char *text;
	int r = read_text(rd, file, &text);

	if (r > 0)
		set_number(out, text);
	return r < 0 ? r : 0;
}

/* The text behind "name " at the start of some line, or NULL. */
static const char *find_key(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (strncmp(s, name, len) == 0 && s[len] == ' ')
			return s + len + 1;
	}
	return NULL;
}

static int read_keyed(const struct reader *rd, struct cg_stats *stats)
{
	const char *file = "";
	char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keyed_files); i++) {
		const char *value;

		if (strcmp(file, keyed_files[i].file) != 0) {
			int r;

			text = NULL;
			file = keyed_files[i].file;
			r = read_text(rd, file, &text);
			if (r < 0)
				return r;
		}
		value = text ? find_key(text, keyed_files[i].name) : NULL;
		if (value)
			set_number((struct opt_u64 *)((char *)stats + keyed_files[i].offset),
				   value);
	}
	return 0;
}

/* "1.23" is 123; the kernel always prints two decimals. */
static uint32_t hundredths(const char *line, const char *key)
{
	const char *s = strstr(line, key);
	char *end;
	unsigned long whole;

	if (!s)
		return 0;
	whole = strtoul(s + strlen(key), &end, 10);
	return (uint32_t)(whole * 100 + (*end == '.' ? strtoul(end + 1, NULL, 10) : 0));
}

static void parse_psi_line(const char *text, const char *name, struct cg_psi_line *out)
{
	const char *line = find_key(text, name);
	const char *total = line ? strstr(line, "total=") : NULL;

	if (!total)
		return;
	*out = (struct cg_psi_line){ .set = true,
				     .avg10 = hundredths(line, "avg10="),
				     .avg60 = hundredths(line, "avg60="),
				     .avg300 = hundredths(line, "avg300="),
				     .total = strtoull(total + strlen("total="), NULL, 10) };
}

static int read_psi(const struct reader *rd, const char *file, struct cg_psi *out)
{
	char *text;
	int r = read_text(rd, file, &text);

	if (r <= 0)
		return r;
	parse_psi_line(text, "some", &out->some);
	parse_psi_line(text, "full", &out->full);
	return 0;
}

static int read_memory_stat(const struct reader *rd, struct cg_stats *stats)
{
	autobuf list = BUF_INIT;
	char *text, *save = NULL;
	int r = read_text(rd, "memory.stat", &text);

	if (r <= 0)
		return r;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(s, ' ');
		struct cg_counter c = { .name = s };

		if (!space)
			continue;
		*space = '\0';
		c.value = strtoull(space + 1, NULL, 10);
		buf_add(&list, &c, sizeof(c));
	}
	stats->memory.stat.count = list.len / sizeof(struct cg_counter);
	stats->memory.stat.items = arena_memdup(rd->a, buf_str(&list), list.len);
	return 0;
}

static uint64_t io_value(const char *line, const char *key)
{
	const char *s = strstr(line, key);

	return s ? strtoull(s + strlen(key), NULL, 10) : 0;
}

static bool parse_io_line(const char *line, struct cg_io_device *d)
{
	uint64_t major, minor;

	if (!number_scan(&line, &major) || *line++ != ':' || !number_scan(&line, &minor) ||
	    *line != ' ')
		return false;
	d->major = (unsigned int)major;
	d->minor = (unsigned int)minor;
	d->rbytes = io_value(line, " rbytes=");
	d->wbytes = io_value(line, " wbytes=");
	d->rios = io_value(line, " rios=");
	d->wios = io_value(line, " wios=");
	d->dbytes = io_value(line, " dbytes=");
	d->dios = io_value(line, " dios=");
	return true;
}

static int read_io(const struct reader *rd, struct cg_stats *stats)
{
	autobuf list = BUF_INIT;
	char *text, *save = NULL;
	int r = read_text(rd, "io.stat", &text);

	if (r <= 0)
		return r;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		struct cg_io_device d;

		if (parse_io_line(s, &d))
			buf_add(&list, &d, sizeof(d));
	}
	stats->io.count = list.len / sizeof(struct cg_io_device);
	stats->io.items = arena_memdup(rd->a, buf_str(&list), list.len);
	return 0;
}

static int read_hugetlb_size(const struct reader *rd, const char *size, struct cg_hugetlb_stats *h)
{
	char file[300], *text;
	int r = 0;

	h->page_size = size;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(hugetlb_files); i++) {
		snprintf(file, sizeof(file), "hugetlb.%s.%s", size, hugetlb_files[i].suffix);
		r = read_number(rd, file, (struct opt_u64 *)((char *)h + hugetlb_files[i].offset));
	}
	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "hugetlb.%s.events", size);
	r = read_text(rd, file, &text);
	if (r > 0 && find_key(text, "max"))
		set_number(&h->failures, find_key(text, "max"));
	return r < 0 ? r : 0;
}

/* The size in "hugetlb.SIZE.current", in the arena, or NULL. */
static char *hugetlb_size(const struct reader *rd, const char *name)
{
	const char *start = name + strlen("hugetlb."), *end;

	if (strncmp(name, "hugetlb.", strlen("hugetlb.")) != 0)
		return NULL;
	end = strchr(start, '.');
	if (!end || strcmp(end, ".current") != 0)
		return NULL;
	return arena_strndup(rd->a, start, (size_t)(end - start));
}

/* Which page sizes there are depends on processor and boot options: the directory tells. */
static int read_hugetlb(const struct reader *rd, struct cg_stats *stats)
{
	autobuf list = BUF_INIT;
	int fd = fd_open(rd->fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int r = 0;

	if (!dir) {
		err_errno(rd->err, "open cgroup directory");
		cleanup_fd(&fd);
		return rd->err->code;
	}
	while (r == 0 && (de = readdir(dir))) {
		struct cg_hugetlb_stats h = { 0 };
		char *size = hugetlb_size(rd, de->d_name);

		if (!size)
			continue;
		r = read_hugetlb_size(rd, size, &h);
		buf_add(&list, &h, sizeof(h));
	}
	closedir(dir);
	stats->hugetlb.count = list.len / sizeof(struct cg_hugetlb_stats);
	stats->hugetlb.items = arena_memdup(rd->a, buf_str(&list), list.len);
	return r;
}

static int read_tables(const struct reader *rd, struct cg_stats *stats)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(single_files); i++)
		r = read_number(rd, single_files[i].file,
				(struct opt_u64 *)((char *)stats + single_files[i].offset));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(psi_files); i++)
		r = read_psi(rd, psi_files[i].file,
			     (struct cg_psi *)((char *)stats + psi_files[i].offset));
	return r;
}

int stats_read(const struct cg *cg, struct arena *a, struct cg_stats *ret_stats, struct err *err)
{
	const struct reader rd = { .fd = cg->fd, .a = a, .err = err };
	struct cg_stats stats = { 0 };
	int r = read_tables(&rd, &stats);

	if (r == 0)
		r = read_keyed(&rd, &stats);
	if (r == 0)
		r = read_memory_stat(&rd, &stats);
	if (r == 0)
		r = read_io(&rd, &stats);
	if (r == 0)
		r = read_hugetlb(&rd, &stats);
	if (r < 0)
		return err_prefix(err, "cgroup %s", cg->path);
	/* Every group has cpu.stat (4.15); in a directory that was removed nothing is found. */
	if (!stats.cpu.usage.set && faccessat(cg->fd, "cgroup.procs", F_OK, 0) < 0)
		return err_set(err, ENODEV, "cgroup %s is gone", cg->path);
	*ret_stats = stats;
	return 0;
}

struct opt_u64 stats_memory(const struct cg_stats *stats, const char *name)
{
	for (size_t i = 0; i < stats->memory.stat.count; i++) {
		if (!strcmp(stats->memory.stat.items[i].name, name))
			return (struct opt_u64){ true, stats->memory.stat.items[i].value };
	}
	return (struct opt_u64){ false, 0 };
}
