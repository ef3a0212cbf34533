/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/interval.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* "ms" before "m": the first that fits counts. */
static const struct {
	const char *unit;
	unsigned int ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

/* One number with at most a fraction, and its unit, "1.5s", in milliseconds; moves *text behind it.
 * 0 when it is none. */
static uint64_t read_part(const char **text)
{
	uint64_t whole, n, scale = 1;
	const char *p = *text;

	if (!number_scan(&p, &whole) || whole > INT_MAX)
		return 0;
	for (n = whole, p += *p == '.'; *p >= '0' && *p <= '9' && scale < 1000000; p++, scale *= 10)
		n = n * 10 + (uint64_t)(*p - '0');
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].unit);

		if (strncmp(p, units[i].unit, len) == 0) {
			*text = p + len;
			return n * units[i].ms / scale;
		}
	}
	return 0;
}

int interval_read(const char *text, struct err *err)
{
	const char *rest = text;
	uint64_t ms = 0, part;

	do {
		part = read_part(&rest);
		ms += part;
	} while (part && *rest);
	if (!part || ms > INT_MAX)
		return err_set(err, EINVAL,
			       "--interval: expected a duration like 500ms, 5s or 1m, found \"%s\"",
			       text);
	return (int)ms;
}
