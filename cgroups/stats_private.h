/* SPDX-License-Identifier: Apache-2.0 */
/* Between stats.c and stats_lists.c: one reading of a group's files. */
#ifndef CGROUPS_STATS_PRIVATE_H
#define CGROUPS_STATS_PRIVATE_H

#include "cgroups/stats.h"

struct stats_reader {
	int fd;	       /* the group's directory */
	char *text;    /* where files are read to: valid until the next one */
	size_t size;   /* of it */
	bool found;    /* some file was there */
	bool reserved; /* STATS_RESERVED */
	bool counters; /* STATS_COUNTERS */
	struct stats_memo *memo;
	struct arena *a;
	struct err *err;
};

/* 1 with the file's text in rd->text, 0 when the kernel has no such file here (PSI switched off:
 * EOPNOTSUPP), or -errno. */
int stats_text(struct stats_reader *rd, const char *file);
/* Cuts off and returns the next line, NULL at the end. */
char *stats_line(char **rest);
/* How many lines a text has. */
size_t stats_lines(const char *text);
/* A number or "max"; left alone by anything else. */
void stats_number(const char *text, struct opt_u64 *out);
/* The number behind a key like " rbytes=" in a line. */
struct opt_u64 stats_field(const char *line, const char *key);
/* A file that is one number, or whose line NAME is; results as of stats_text(). */
int stats_single(struct stats_reader *rd, const char *file, struct opt_u64 *out);
int stats_keyed(struct stats_reader *rd, const char *file, const char *name, struct opt_u64 *out);

/* The files that are lists; results as of stats_text(). */
int stats_read_memory_stat(struct stats_reader *rd, struct cg_stats *stats);
int stats_read_io(struct stats_reader *rd, struct cg_stats *stats);
int stats_read_hugetlb(struct stats_reader *rd, struct cg_stats *stats);
int stats_read_rdma(struct stats_reader *rd, struct cg_stats *stats);
int stats_read_misc(struct stats_reader *rd, struct cg_stats *stats);

#endif
