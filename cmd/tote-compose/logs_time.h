/* SPDX-License-Identifier: Apache-2.0 */
/* Times as logs have them and as people type them for --since and --until. */
#ifndef CMD_TOTE_COMPOSE_LOGS_TIME_H
#define CMD_TOTE_COMPOSE_LOGS_TIME_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 3339, with any offset and up to nine digits of a second, in nanoseconds since 1970. Takes len
 * bytes whole. False for all else. */
bool logs_time_scan(const char *text, size_t len, int64_t *ret_ns);

/*
 * "10m", "1h30m" (before now), "@1700000000" (seconds since 1970), "2025-03-01T12:00:00Z",
 * "2025-03-01T12:00:00" and "2025-03-01" (UTC). option is for the message. 0 or -EINVAL.
 */
int logs_time_read(const char *option, const char *text, int64_t now_ns, int64_t *ret_ns,
		   struct err *err);

#endif
