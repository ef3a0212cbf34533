/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of one instance: PROJECT/INSTANCE.log and, older ones first, .log.2, .log.1 ..., read as one
 * sequence of whole lines. Files are held open, so that a rotation meanwhile neither loses nor repeats
 * anything.
 */
#ifndef CMD_TOTE_COMPOSE_LOGS_SOURCE_H
#define CMD_TOTE_COMPOSE_LOGS_SOURCE_H

#include "cmd/tote-compose/logs_line.h"
#include "lib/err.h"
#include "lib/types.h"

#include <sys/types.h>

/* A line longer than this is shown in pieces. */
#define LOGS_LINE_MAX ((size_t)1 << 20)

struct logs_file {
	int fd;
	dev_t dev;
	ino_t ino;
	uint64_t at; /* where reading goes on */
};

/* What is shown under one name: "web-1" is the instances shop-web-1 and shop-web-1.b. */
struct logs_label {
	char *name;
	uint64_t lines; /* that are going to be shown of those that the files have */
	uint64_t skip;	/* the first of these are left out, by --tail */
};

struct logs_source {
	struct logs_label *label;
	char *name;		      /* of the newest file */
	int dir_fd;		      /* the caller's */
	LIST(struct logs_file) files; /* the oldest first; on the heap */
	size_t current;
	struct buf in; /* what was read, from in_at on not used yet */
	size_t in_at;
	struct {
		struct buf text;
		bool open;
	} parts[2];	   /* lines that are not complete yet, a stream each */
	int64_t last_time; /* that a line has; those without have it as well */
	uint64_t skip;	   /* lines that come before those that are wanted */
	struct buf scratch;
	/* The line at hand, if there is one. */
	bool have;
	int64_t time;
	struct buf text;
};

/* Which lines are wanted. */
struct logs_range {
	int64_t since, until; /* nanoseconds since 1970, both included */
	uint64_t tail;	      /* of each label; UINT64_MAX: all */
};

/* Opens what there is; no file at all is no error. */
int logs_source_open(struct logs_source *s, struct err *err);
void logs_source_close(struct logs_source *s);

/* Goes to where the range begins, by reading backwards, and counts the label's lines. */
int logs_source_seek(struct logs_source *s, const struct logs_range *range, struct err *err);

/*
 * Has the next whole line ready: 1; 0: the end, for now; or -errno. last: nothing will be added any
 * more, so that what has no end yet is a line too.
 */
int logs_source_next(struct logs_source *s, bool last, struct err *err);
/* The line at hand is done with. */
void logs_source_drop(struct logs_source *s);

/* After a change: files that were begun since. */
int logs_source_refresh(struct logs_source *s, struct err *err);

#endif
