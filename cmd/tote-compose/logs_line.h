/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a log file, of the driver local ("TIME stdout|stderr F|P TEXT") or json-file
 * ({"log":"TEXT\n","stream":"stdout","time":"TIME"}). Which one it is the line itself tells, as a
 * service may have changed its driver. Files may be cut or damaged: what is neither is text without
 * a time.
 */
#ifndef CMD_TOTE_COMPOSE_LOGS_LINE_H
#define CMD_TOTE_COMPOSE_LOGS_LINE_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct logs_line {
	bool timed;
	int64_t time; /* nanoseconds since 1970; 0 without a time */
	int stream;   /* 0: stdout, 1: stderr */
	bool partial; /* the next line of the stream goes on with it */
	const char *text;
	size_t len;
};

/* line: without its newline. The text is in it or in scratch, which is emptied first. */
void logs_line_read(const char *line, size_t len, struct buf *scratch, struct logs_line *ret);

#endif
