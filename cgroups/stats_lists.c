/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/stats_private.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

char *stats_line(char **rest)
{
	char *line = strsep(rest, "\n");

	return line && (*line || *rest) ? line : NULL;
}

size_t stats_lines(const char *text)
{
	size_t n = 1;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

struct opt_u64 stats_field(const char *line, const char *key)
{
	struct opt_u64 value = { 0 };
	const char *s = strstr(line, key);

	if (s)
		stats_number(s + strlen(key), &value);
	return value;
}

int stats_read_memory_stat(struct stats_reader *rd, struct cg_stats *stats)
{
	int r = stats_keyed(rd, "memory.stat", "inactive_file", &stats->memory.inactive_file);
	char *rest, *line;

	/* Its fifty lines are cut up only for who asks for them. */
	if (r <= 0 || !rd->counters)
		return r;
	/* The names are kept. */
	rest = arena_strdup(rd->a, rd->text);
	stats->memory.stat.items =
		arena_calloc(rd->a, stats_lines(rest), sizeof(struct cg_counter));
	while ((line = stats_line(&rest))) {
		struct cg_counter c = { .name = strsep(&line, " ") };
		const char *value = line;

		if (value && number_scan(&value, &c.value))
			stats->memory.stat.items[stats->memory.stat.count++] = c;
	}
	return 1;
}

static bool parse_io_line(const char *line, struct cg_io_device *d)
{
	const char *p = line;
	uint64_t major, minor;

	if (!number_scan(&p, &major) || *p++ != ':' || !number_scan(&p, &minor) || *p != ' ')
		return false;
	*d = (struct cg_io_device){ .major = (uint32_t)major,
				    .minor = (uint32_t)minor,
				    .rbytes = stats_field(p, " rbytes=").value,
				    .wbytes = stats_field(p, " wbytes=").value,
				    .rios = stats_field(p, " rios=").value,
				    .wios = stats_field(p, " wios=").value,
				    .dbytes = stats_field(p, " dbytes=").value,
				    .dios = stats_field(p, " dios=").value };
	return true;
}

int stats_read_io(struct stats_reader *rd, struct cg_stats *stats)
{
	int r = stats_text(rd, "io.stat");
	char *rest = rd->text, *line;

	if (r <= 0)
		return r;
	stats->io.items = arena_calloc(rd->a, stats_lines(rest), sizeof(struct cg_io_device));
	while ((line = stats_line(&rest)))
		stats->io.count += parse_io_line(line, &stats->io.items[stats->io.count]);
	return 1;
}

/* Where no limit was ever set the kernel prints the largest one that it knows, not "max". */
static void unlimit(struct opt_u64 *limit)
{
	if (limit->value > INT64_MAX / 2)
		limit->value = CG_UNLIMITED;
}

static int read_size_file(struct stats_reader *rd, const char *size, const char *suffix,
			  struct opt_u64 *out)
{
	char file[300];

	snprintf(file, sizeof(file), "hugetlb.%s.%s", size, suffix);
	return stats_single(rd, file, out);
}

static int read_usage(struct stats_reader *rd, struct cg_hugetlb_stats *h)
{
	char file[300];
	int r = read_size_file(rd, h->page_size, "current", &h->current);

	snprintf(file, sizeof(file), "hugetlb.%s.events", h->page_size);
	return r < 0 ? r : stats_keyed(rd, file, "max", &h->failures);
}

static int read_reservations(struct stats_reader *rd, struct cg_hugetlb_stats *h)
{
	int r = read_size_file(rd, h->page_size, "rsvd.current", &h->rsvd_current);

	if (r >= 0)
		r = read_size_file(rd, h->page_size, "rsvd.max", &h->rsvd_max);
	unlimit(&h->rsvd_max);
	return r;
}

/* size: with the "-" of a memo's. */
static int read_hugetlb_size(struct stats_reader *rd, const char *size, struct cg_hugetlb_stats *h)
{
	bool pages = size[0] != '-';
	int r;

	h->page_size = size + !pages;
	r = read_size_file(rd, h->page_size, "max", &h->max);
	unlimit(&h->max);
	if (r > 0 && !rd->reserved && !pages && h->max.value == CG_UNLIMITED)
		h->current = h->failures = (struct opt_u64){ true, 0 };
	else if (r >= 0)
		r = read_usage(rd, h);
	return r < 0 || !rd->reserved ? r : read_reservations(rd, h);
}

/* Has pages of a size like "2MB", or makes some when they are asked for; or cannot tell. */
static bool host_has_pages(const char *size)
{
	static const char *const files[] = { "nr_hugepages", "nr_overcommit_hugepages" };
	const char *unit = size;
	char path[128], text[32];
	uint64_t kib;

	if (!number_scan(&unit, &kib))
		return true;
	kib <<= *unit == 'G' ? 20 : *unit == 'M' ? 10 : 0;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/%s",
			 kib, files[i]);
		if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0 || strcmp(text, "0") != 0)
			return true;
	}
	return false;
}

/* The size in "hugetlb.SIZE.current", in the arena, or NULL. */
static char *hugetlb_size(const struct stats_reader *rd, const char *name)
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
static int find_page_sizes(const struct stats_reader *rd, char *out, size_t size)
{
	int fd = fd_open(rd->fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	size_t len = 0;

	if (!dir) {
		err_errno(rd->err, "open cgroup directory");
		cleanup_fd(&fd);
		return rd->err->code;
	}
	while ((de = readdir(dir))) {
		const char *found = hugetlb_size(rd, de->d_name);

		/* The kernel has a handful of some letters each. */
		if (found && len + strlen(found) + 2 < size)
			len += (size_t)snprintf(out + len, size - len, " %s%s",
						host_has_pages(found) ? "" : "-", found);
	}
	closedir(dir);
	return 0;
}

int stats_read_hugetlb(struct stats_reader *rd, struct cg_stats *stats)
{
	char *sizes = rd->memo->page_sizes, *rest, *size;
	autobuf list = BUF_INIT;
	int r = 0;

	if (!sizes[0])
		r = find_page_sizes(rd, sizes, sizeof(rd->memo->page_sizes));
	rest = arena_strdup(rd->a, sizes);
	while (r >= 0 && (size = strsep(&rest, " "))) {
		struct cg_hugetlb_stats h = { 0 };

		if (!size[0])
			continue;
		r = read_hugetlb_size(rd, size, &h);
		buf_add(&list, &h, sizeof(h));
	}
	stats->hugetlb.count = list.len / sizeof(struct cg_hugetlb_stats);
	stats->hugetlb.items = arena_memdup(rd->a, buf_str(&list), list.len);
	return r < 0 ? r : 1;
}

static struct cg_rdma_stats *rdma_device(struct cg_stats *stats, const char *name)
{
	for_each (d, &stats->rdma)
		if (strcmp(d->device, name) == 0)
			return d;
	return NULL;
}

/* "mlx5_0 hca_handle=2 hca_object=max", a device a line. */
int stats_read_rdma(struct stats_reader *rd, struct cg_stats *stats)
{
	int r = stats_text(rd, "rdma.current");
	char *rest = rd->text, *line;

	if (r <= 0)
		return r;
	stats->rdma.items = arena_calloc(rd->a, stats_lines(rest), sizeof(struct cg_rdma_stats));
	while ((line = stats_line(&rest))) {
		struct cg_rdma_stats *d = &stats->rdma.items[stats->rdma.count++];

		d->handles = stats_field(line, " hca_handle=");
		d->objects = stats_field(line, " hca_object=");
		d->device = arena_strdup(rd->a, strsep(&line, " "));
	}
	if (stats->rdma.count)
		r = stats_text(rd, "rdma.max");
	for (rest = rd->text; r > 0 && stats->rdma.count && (line = stats_line(&rest));) {
		struct opt_u64 handles = stats_field(line, " hca_handle=");
		struct opt_u64 objects = stats_field(line, " hca_object=");
		struct cg_rdma_stats *d = rdma_device(stats, strsep(&line, " "));

		if (d) {
			d->handles_max = handles;
			d->objects_max = objects;
		}
	}
	return r < 0 ? r : 1;
}

/* "sev 3", a resource a line. */
int stats_read_misc(struct stats_reader *rd, struct cg_stats *stats)
{
	int r = stats_text(rd, "misc.current");
	char *rest = rd->text, *line;

	if (r <= 0)
		return r;
	stats->misc.items = arena_calloc(rd->a, stats_lines(rest), sizeof(struct cg_misc_stats));
	while ((line = stats_line(&rest))) {
		struct cg_misc_stats *m = &stats->misc.items[stats->misc.count];

		m->resource = arena_strdup(rd->a, strsep(&line, " "));
		if (!line)
			continue;
		stats_number(line, &m->current);
		stats->misc.count++;
	}
	for (size_t i = 0; r >= 0 && i < stats->misc.count; i++)
		r = stats_keyed(rd, "misc.max", stats->misc.items[i].resource,
				&stats->misc.items[i].max);
	return r < 0 ? r : 1;
}
