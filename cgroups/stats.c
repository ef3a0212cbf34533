/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/stats.h"

#include "cgroups/stats_private.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE ((size_t)8 << 10)
#define TEXT_MAX ((size_t)1 << 20)

/* A file that every group has: no controller is asked for. */
#define ALWAYS (-1)

#define AT(field) offsetof(struct cg_stats, field)

/* Files with one number, or "max". */
static const struct {
	const char *file;
	size_t offset;
	unsigned int what;
	int controller;
} single_files[] = {
	{ "memory.current", AT(memory.current), STATS_MEMORY, CG_MEMORY },
	{ "memory.peak", AT(memory.peak), STATS_MORE, CG_MEMORY },
	{ "memory.max", AT(memory.max), STATS_MEMORY, CG_MEMORY },
	{ "memory.low", AT(memory.low), STATS_REST, CG_MEMORY },
	{ "memory.swap.max", AT(memory.swap_max), STATS_MORE, CG_MEMORY },
	/* Behind the limit: see swaps_nothing(). */
	{ "memory.swap.current", AT(memory.swap_current), STATS_MEMORY, CG_MEMORY },
	{ "pids.current", AT(pids_current), STATS_TASKS, CG_PIDS },
	{ "pids.max", AT(pids_max), STATS_MORE, CG_PIDS },
};

/* Files with lines "name number"; those of one file stand together. */
static const struct {
	const char *file, *name;
	size_t offset;
	unsigned int what;
	int controller;
} keyed_files[] = {
	{ "cpu.stat", "usage_usec", AT(cpu.usage), STATS_CPU, ALWAYS },
	{ "cpu.stat", "user_usec", AT(cpu.user), STATS_CPU, ALWAYS },
	{ "cpu.stat", "system_usec", AT(cpu.system), STATS_CPU, ALWAYS },
	{ "cpu.stat", "nr_periods", AT(cpu.periods), STATS_CPU, ALWAYS },
	{ "cpu.stat", "nr_throttled", AT(cpu.throttled_periods), STATS_CPU, ALWAYS },
	{ "cpu.stat", "throttled_usec", AT(cpu.throttled), STATS_CPU, ALWAYS },
	{ "cpu.stat", "nr_bursts", AT(cpu.bursts), STATS_CPU, ALWAYS },
	{ "cpu.stat", "burst_usec", AT(cpu.burst), STATS_CPU, ALWAYS },
	{ "memory.events", "low", AT(memory.low_events), STATS_OOM, CG_MEMORY },
	{ "memory.events", "high", AT(memory.high_events), STATS_OOM, CG_MEMORY },
	{ "memory.events", "max", AT(memory.max_events), STATS_OOM, CG_MEMORY },
	{ "memory.events", "oom", AT(memory.oom_events), STATS_OOM, CG_MEMORY },
	{ "memory.events", "oom_kill", AT(memory.oom_kills), STATS_OOM, CG_MEMORY },
	{ "memory.events", "oom_group_kill", AT(memory.oom_group_kills), STATS_OOM, CG_MEMORY },
	{ "memory.swap.events", "high", AT(memory.swap_high_events), STATS_REST, CG_MEMORY },
	{ "memory.swap.events", "max", AT(memory.swap_max_events), STATS_REST, CG_MEMORY },
	{ "memory.swap.events", "fail", AT(memory.swap_fail_events), STATS_REST, CG_MEMORY },
	{ "pids.events", "max", AT(pids_failures), STATS_REST, CG_PIDS },
};

static const struct {
	const char *file;
	size_t offset;
} psi_files[] = {
	{ "cpu.pressure", AT(cpu.psi) },
	{ "memory.pressure", AT(memory.psi) },
	{ "io.pressure", AT(io_psi) },
};

/* Files with a structure of their own; 1, 0 when there is none, -errno. */
static int read_cpu_max(struct stats_reader *rd, struct cg_stats *stats);
static int read_psi(struct stats_reader *rd, struct cg_stats *stats);

static const struct {
	int (*read)(struct stats_reader *rd, struct cg_stats *stats);
	unsigned int what;
	int controller;
} other_files[] = {
	{ read_cpu_max, STATS_REST, CG_CPU },
	{ read_psi, STATS_PRESSURE, ALWAYS },
	{ stats_read_memory_stat, STATS_MEMORY | STATS_COUNTERS, CG_MEMORY },
	{ stats_read_io, STATS_IO, CG_IO },
	{ stats_read_hugetlb, STATS_RARE, CG_HUGETLB },
	{ stats_read_rdma, STATS_RARE, CG_RDMA },
	{ stats_read_misc, STATS_RARE, CG_MISC },
};

/* The kernel hands out such a file in one piece: what does not fill the buffer is all of it. */
static ssize_t read_whole(struct stats_reader *rd, int fd)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, rd->text + len, rd->size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (n == 0 || len < rd->size - 1)
			return (ssize_t)len;
		if (rd->size >= TEXT_MAX)
			return -EFBIG;
		rd->text = memcpy(arena_alloc(rd->a, rd->size * 2), rd->text, len);
		rd->size *= 2;
	}
}

static ssize_t open_and_read(struct stats_reader *rd, const char *file)
{
	autofd fd = fd_open(rd->fd, file, O_RDONLY);

	return fd < 0 ? -errno : read_whole(rd, fd);
}

/* Once more. Nothing when it was not left open, or is of a group that was removed since. */
static ssize_t read_again(struct stats_reader *rd, const char *file)
{
	bool open = rd->memo->cpu_stat > 0 && strcmp(file, "cpu.stat") == 0;

	return open ? pread(rd->memo->cpu_stat, rd->text, rd->size - 1, 0) : 0;
}

int stats_text(struct stats_reader *rd, const char *file)
{
	ssize_t n = read_again(rd, file);

	if (n <= 0)
		n = open_and_read(rd, file);
	if (n == -ENOENT || n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return err_code(rd->err, (int)n, "read %s", file);
	rd->text[n] = '\0';
	rd->found = true;
	return 1;
}

void stats_number(const char *text, struct opt_u64 *out)
{
	uint64_t value;

	if (strncmp(text, "max", 3) == 0)
		*out = (struct opt_u64){ true, CG_UNLIMITED };
	else if (number_scan(&text, &value))
		*out = (struct opt_u64){ true, value };
}

int stats_single(struct stats_reader *rd, const char *file, struct opt_u64 *out)
{
	int r = stats_text(rd, file);

	if (r > 0)
		stats_number(rd->text, out);
	return r;
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

static void set_key(const struct stats_reader *rd, const char *name, struct opt_u64 *out)
{
	const char *value = find_key(rd->text, name);

	if (value)
		stats_number(value, out);
}

int stats_keyed(struct stats_reader *rd, const char *file, const char *name, struct opt_u64 *out)
{
	int r = stats_text(rd, file);

	if (r > 0)
		set_key(rd, name, out);
	return r;
}

/* "20000 100000" or "max 100000". */
static int read_cpu_max(struct stats_reader *rd, struct cg_stats *stats)
{
	int r = stats_text(rd, "cpu.max");
	const char *space = r > 0 ? strchr(rd->text, ' ') : NULL;

	if (space) {
		stats_number(rd->text, &stats->cpu.quota);
		stats_number(space, &stats->cpu.period);
	}
	return r;
}

/* "1.23" is 123; the kernel always prints two decimals. */
static uint32_t hundredths(const char *line, const char *key)
{
	const char *s = strstr(line, key);
	uint64_t whole = 0, part = 0;

	if (s)
		s += strlen(key);
	if (s && number_scan(&s, &whole) && *s++ == '.')
		number_scan(&s, &part);
	return (uint32_t)(whole * 100 + part);
}

static void parse_psi_line(const char *text, const char *name, struct cg_psi_line *out)
{
	const char *line = find_key(text, name);
	struct opt_u64 total = { 0 };

	if (line)
		total = stats_field(line, " total=");
	if (!total.set)
		return;
	*out = (struct cg_psi_line){ .set = true,
				     .avg10 = hundredths(line, "avg10="),
				     .avg60 = hundredths(line, "avg60="),
				     .avg300 = hundredths(line, "avg300="),
				     .total = total.value };
}

static int read_psi(struct stats_reader *rd, struct cg_stats *stats)
{
	for (size_t i = 0; i < ARRAY_SIZE(psi_files); i++) {
		struct cg_psi *out = (struct cg_psi *)((char *)stats + psi_files[i].offset);
		int r = stats_text(rd, psi_files[i].file);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		parse_psi_line(rd->text, "some", &out->some);
		parse_psi_line(rd->text, "full", &out->full);
	}
	return 0;
}

/* What to read of a group, and what it can have. */
struct selection {
	unsigned int what;
	unsigned int controllers; /* that may be there */
	unsigned int met;	  /* of which a file was looked for */
};

static bool selected(const struct selection *s, unsigned int what, int controller)
{
	return s->what & what && (controller == ALWAYS || s->controllers & 1U << controller);
}

/* Where the first file of a controller is missing, so are the others: they are not looked for. */
static void learn(struct selection *s, int controller, bool found)
{
	unsigned int bit = controller == ALWAYS ? 0 : 1U << controller;

	if (!found && !(s->met & bit))
		s->controllers &= ~bit;
	s->met |= bit;
}

static struct opt_u64 *field_at(struct cg_stats *stats, size_t offset)
{
	return (struct opt_u64 *)((char *)stats + offset);
}

/* No device to swap to, said once for all groups; a heading is always there. */
static bool host_swapless(struct stats_memo *memo)
{
	char text[1024];

	if (!memo->swap_known) {
		memo->swapless = file_peek(AT_FDCWD, "/proc/swaps", text, sizeof(text)) > 0 &&
				 !strchr(text, '\n');
		memo->swap_known = true;
	}
	return memo->swapless;
}

/* That the limit is there tells that the use of swap is counted. */
static bool swaps_nothing(const struct stats_reader *rd, const struct cg_stats *stats,
			  size_t offset)
{
	return offset == AT(memory.swap_current) && stats->memory.swap_max.set &&
	       host_swapless(rd->memo);
}

static int read_singles(struct stats_reader *rd, struct selection *s, struct cg_stats *stats)
{
	for (size_t i = 0; i < ARRAY_SIZE(single_files); i++) {
		int r;

		if (!selected(s, single_files[i].what, single_files[i].controller))
			continue;
		if (swaps_nothing(rd, stats, single_files[i].offset)) {
			stats->memory.swap_current = (struct opt_u64){ true, 0 };
			continue;
		}
		r = stats_single(rd, single_files[i].file, field_at(stats, single_files[i].offset));
		if (r < 0)
			return r;
		learn(s, single_files[i].controller, r > 0);
	}
	return 0;
}

static int read_keyed(struct stats_reader *rd, struct selection *s, struct cg_stats *stats)
{
	const char *file = "";
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keyed_files); i++) {
		if (!selected(s, keyed_files[i].what, keyed_files[i].controller))
			continue;
		if (strcmp(file, keyed_files[i].file) != 0) {
			r = stats_text(rd, file = keyed_files[i].file);
			if (r < 0)
				return r;
			learn(s, keyed_files[i].controller, r > 0);
		}
		if (r > 0)
			set_key(rd, keyed_files[i].name, field_at(stats, keyed_files[i].offset));
	}
	return 0;
}

static int read_others(struct stats_reader *rd, struct selection *s, struct cg_stats *stats)
{
	for (size_t i = 0; i < ARRAY_SIZE(other_files); i++) {
		int r;

		if (!selected(s, other_files[i].what, other_files[i].controller))
			continue;
		r = other_files[i].read(rd, stats);
		if (r < 0)
			return r;
		learn(s, other_files[i].controller, r > 0);
	}
	return 0;
}

/* The path of the group above up to its last slash; what is too long is not remembered. */
static size_t parent_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;

	return len < sizeof(((struct stats_memo *)NULL)->parent) ? len : 0;
}

/* All that a group's controllers depend on is the group above it. */
static bool recall(const struct stats_memo *memo, const char *path, unsigned int *ret_controllers)
{
	size_t len = parent_length(path);

	if (!len || strncmp(memo->parent, path, len) != 0 || memo->parent[len])
		return false;
	*ret_controllers = memo->controllers;
	return true;
}

static void remember(struct stats_memo *memo, const char *path, unsigned int controllers)
{
	size_t len = parent_length(path);

	memcpy(memo->parent, path, len);
	memo->parent[len] = '\0';
	memo->controllers = controllers;
}

static bool is_gone(const struct cg *cg)
{
	return faccessat(cg->fd, "cgroup.procs", F_OK, 0) < 0;
}

int stats_read_some(const struct cg *cg, unsigned int what, struct stats_memo *memo,
		    struct arena *a, struct cg_stats *ret_stats, struct err *err)
{
	struct selection s = { .what = what, .controllers = ~0U };
	/* For a single group, asking for swap is not cheaper than reading what is used of it. */
	struct stats_memo none = { .swap_known = true };
	char text[TEXT_SIZE];
	struct stats_reader rd = { .fd = cg->fd,
				   .text = text,
				   .size = sizeof(text),
				   .reserved = what & STATS_RESERVED,
				   .counters = what & STATS_COUNTERS,
				   .memo = memo ? memo : &none,
				   .a = a,
				   .err = err };
	bool known = recall(rd.memo, cg->path, &s.controllers);
	struct cg_stats stats = { 0 };
	int r;

	/* To be told saves looking for so many files; for a few it costs more than it saves. */
	if (!known && what & STATS_RARE)
		s.controllers = cg_enabled(cg);
	r = read_singles(&rd, &s, &stats);

	if (r == 0)
		r = read_keyed(&rd, &s, &stats);
	if (r == 0)
		r = read_others(&rd, &s, &stats);
	if (r < 0)
		return err_prefix(err, "cgroup %s", cg->path);
	/* In a directory that was removed nothing is found, and nothing is learnt. */
	if ((!rd.found || (memo && !known)) && is_gone(cg))
		return err_set(err, ENODEV, "cgroup %s is gone", cg->path);
	if (!known)
		remember(rd.memo, cg->path, s.controllers);
	*ret_stats = stats;
	return 0;
}

int stats_read(const struct cg *cg, struct arena *a, struct cg_stats *ret_stats, struct err *err)
{
	return stats_read_some(cg, STATS_ALL, NULL, a, ret_stats, err);
}

struct opt_u64 stats_cpu_usage(const struct cg_tree *tree, const char *path, int *ret_file)
{
	const char *below = path + strspn(path, "/");
	char file[PATH_MAX + sizeof("/cpu.stat")], text[512];
	struct opt_u64 usage = { 0 };
	const char *value;
	autofd fd = -1;
	ssize_t n;

	snprintf(file, sizeof(file), "%s%scpu.stat", below, *below ? "/" : "");
	fd = fd_open(tree->fd, file, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	value = find_key(text, "usage_usec");
	if (value)
		stats_number(value, &usage);
	if (ret_file)
		*ret_file = fd > 0 ? take_fd(&fd) : 0;
	return usage;
}

struct opt_u64 stats_memory(const struct cg_stats *stats, const char *name)
{
	for (size_t i = 0; i < stats->memory.stat.count; i++) {
		if (!strcmp(stats->memory.stat.items[i].name, name))
			return (struct opt_u64){ true, stats->memory.stat.items[i].value };
	}
	return (struct opt_u64){ false, 0 };
}
