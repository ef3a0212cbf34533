/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `tote metrics` prints: Prometheus' text format 0.0.4, a family of metrics after the other,
 * each with a line for every container that has the number. Units are base units (seconds, bytes).
 * metrics.c is the command, metrics_text.c writes the format, metrics_table.c knows the numbers.
 */
#ifndef CMD_TOTE_METRICS_H
#define CMD_TOTE_METRICS_H

#include "cmd/tote/sample.h"
#include "lib/buf.h"

/* What a line stands for besides the container: each device, each interface, ... */
enum metric_each {
	METRIC_CONTAINER,
	METRIC_IO,
	METRIC_NET,
	METRIC_HUGETLB,
	METRIC_RDMA,
	METRIC_MISC,
};

enum metric_value {
	METRIC_U64,	/* a uint64_t */
	METRIC_OPT,	/* a struct opt_u64 */
	METRIC_SECONDS, /* a struct opt_u64 of microseconds */
	METRIC_PSI,	/* a struct cg_psi_line: its total */
	METRIC_STAT,	/* the counter of memory.stat that is called key */
};

struct metric {
	const char *name; /* NULL: a further line of the family before */
	const char *type, *help;
	enum metric_each each;
	enum metric_value value;
	size_t offset;	    /* in struct sample, or in the item of the list */
	const char *labels; /* constant ones, NULL: none */
	const char *key;
};

/* Everything that is one field of a sample. */
extern const struct metric metric_table[];
extern const size_t metric_table_count;

struct metrics_device {
	uint32_t major, minor;
	const char *name;
};

struct metrics {
	LIST(struct sample) samples;
	LIST(struct metrics_device) devices; /* names for io; may lack some */
	size_t unreadable;		     /* containers without a sample */
	uint64_t boot_time;		     /* seconds since 1970; 0: not known */
};

/* Appends the whole document. */
void metrics_write(const struct metrics *m, struct buf *out);

#endif
