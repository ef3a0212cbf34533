/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container writes, kept: lines in files of a ring, datagrams for the journal, or nothing.
 * Bytes go in as they are read; nothing here ever blocks for long: what cannot be written is
 * dropped and counted, and a line says so when it can be again. streams.c feeds it.
 */
#ifndef MONITOR_LOGS_H
#define MONITOR_LOGS_H

#include "lib/err.h"
#include "lib/number.h"
#include "oci/supervise/desired.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_CHUNK ((size_t)16 << 10)
#define LOG_FILES_MAX 1000
#define LOG_SIZE_MIN 4096

/* Of one stream: the beginning of a line whose end has not been read yet. */
struct log_stream {
	bool err; /* stderr */
	size_t len;
	char data[LOG_CHUNK];
};

struct logs {
	enum log_driver driver;
	const char *file;    /* the caller's; absolute */
	const char *id;	     /* what the journal is told */
	const char *journal; /* its socket; NULL: where it always is */
	uint64_t max_size;
	uint32_t max_files;

	int fd;			   /* the file or the journal's socket; -1: to be opened */
	uint64_t size;		   /* of the file; what is in out is not counted */
	uint64_t dropped;	   /* the container's bytes that are lost */
	uint64_t told;		   /* so many of them the log itself speaks of */
	bool stuck;		   /* the last write failed */
	char time[TIME_TEXT_SIZE]; /* of this read */
	size_t len;		   /* of out: whole records */
	size_t text_len;	   /* the container's bytes in it */
	char out[LOG_CHUNK];
};

/* The driver's name, or -EINVAL. */
int logs_driver(const char *name);
/* Opens nothing yet. max_size and max_files are brought into bounds. -EINVAL: no file where one is
 * needed. */
int logs_init(struct logs *l, struct err *err);
/* Where to read the next bytes of a stream to, and how many there is room for (never 0). */
char *logs_room(struct log_stream *s, size_t *ret_size);
/* n bytes were read there, now: takes whole lines. */
void logs_add(struct logs *l, struct log_stream *s, size_t n);
/* The beginning of a line waits no longer for its end. end: nothing more will come. */
void logs_rest(struct logs *l, struct log_stream *s, bool end);
/* Writes what was collected. After each round of reading. */
void logs_flush(struct logs *l);
/* Somebody has renamed the file. */
void logs_reopen(struct logs *l);
void logs_close(struct logs *l);

#endif
