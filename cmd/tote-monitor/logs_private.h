/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of logs.h: the drivers. */
#ifndef MONITOR_LOGS_PRIVATE_H
#define MONITOR_LOGS_PRIVATE_H

#include "cmd/tote-monitor/logs.h"

/* One line or a part of one. */
struct log_record {
	const char *time, *text;
	size_t len;
	bool err;  /* of stderr */
	bool last; /* the line ends with it */
};

/*
 * Writes a record in the form of a driver to "to", newline included. Returns its size and in
 * *ret_taken how much of the text is in it; 0 when it does not fit. With split it takes as much of
 * the text as fits and leaves the rest for another record.
 */
size_t logs_encode(enum log_driver driver, const struct log_record *rec, char *to, size_t room,
		   bool split, size_t *ret_taken);
/* How much of the text there is without a UTF-8 character at its end that is only there in part. */
size_t logs_whole_chars(const char *text, size_t len);

void logs_put_file(struct logs *l, const struct log_record *rec);
void logs_put_journal(struct logs *l, const struct log_record *rec);

void logs_open_file(struct logs *l);
void logs_flush_file(struct logs *l);

/* What the log says of what it lost. */
#define LOG_NOTICE_SIZE 96
size_t logs_notice(const struct logs *l, char text[LOG_NOTICE_SIZE]);

#endif
