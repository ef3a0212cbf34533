/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: to stderr, or to the file or journal that --log names, as text or JSON lines; errors to
 * both. */
#ifndef CMD_LOG_H
#define CMD_LOG_H

#include "lib/err.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_DEBUG };

/* target: NULL (stderr), a file, which is appended to, or "journald:ID". json: for the file, not for
 * stderr. */
int log_open(const char *target, bool json, enum log_level level, struct err *err);

/* What messages on stderr begin with, "tote" unless said. */
void log_name(const char *name);

/* Whether messages of a level are written at all. */
bool log_enabled(enum log_level level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
