/* SPDX-License-Identifier: Apache-2.0 */
/* Durations on the command line, for the verbs that repeat what they print: events, stats. */
#ifndef CMD_TOTE_INTERVAL_H
#define CMD_TOTE_INTERVAL_H

#include "lib/err.h"

/* "5s", "500ms", "1m30s" in milliseconds; -EINVAL for all else, also for nothing. The message
 * starts with "--interval". */
int interval_read(const char *text, struct err *err);

#endif
