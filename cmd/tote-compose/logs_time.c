/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/logs_time.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

/* Exactly n digits. */
static bool digits(const char **p, const char *end, int n, int64_t *ret)
{
	int64_t value = 0;

	for (; n > 0; n--, (*p)++) {
		if (*p >= end || **p < '0' || **p > '9')
			return false;
		value = value * 10 + (**p - '0');
	}
	*ret = value;
	return true;
}

static bool character(const char **p, const char *end, char c)
{
	if (*p >= end || **p != c)
		return false;
	(*p)++;
	return true;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Of the proleptic Gregorian calendar, days since 1970. False for a day that is none. */
static bool scan_date(const char **p, const char *end, int64_t *ret_days)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
	int64_t year, month, day, length, past;

	if (!digits(p, end, 4, &year) || !character(p, end, '-') || !digits(p, end, 2, &month) ||
	    !character(p, end, '-') || !digits(p, end, 2, &day))
		return false;
	if (month < 1 || month > 12 || year < 1)
		return false;
	length = before[month] - before[month - 1] + (month == 2 && is_leap(year));
	if (day < 1 || day > length)
		return false;
	past = year - 1;
	*ret_days = past * 365 + past / 4 - past / 100 + past / 400 - 719162 + before[month - 1] +
		    (month > 2 && is_leap(year)) + day - 1;
	return true;
}

/* A second may be the 60th. */
static bool scan_clock(const char **p, const char *end, int64_t *ret_ns)
{
	int64_t hour, minute, second, unit = SECOND / 10, fraction = 0;

	if (!digits(p, end, 2, &hour) || !character(p, end, ':') || !digits(p, end, 2, &minute) ||
	    !character(p, end, ':') || !digits(p, end, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	if (character(p, end, '.')) {
		if (*p >= end || **p < '0' || **p > '9')
			return false;
		for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
			fraction += (**p - '0') * unit;
	}
	*ret_ns = ((hour * 60 + minute) * 60 + second) * SECOND + fraction;
	return true;
}

/* "Z", "+02:00", or nothing where that is allowed. */
static bool scan_offset(const char **p, const char *end, int64_t *ret_ns)
{
	int64_t hour, minute, sign = 1;

	*ret_ns = 0;
	if (*p == end || character(p, end, 'Z') || character(p, end, 'z'))
		return true;
	if (character(p, end, '-'))
		sign = -1;
	else if (!character(p, end, '+'))
		return false;
	if (!digits(p, end, 2, &hour) || !character(p, end, ':') || !digits(p, end, 2, &minute) ||
	    hour > 23 || minute > 59)
		return false;
	*ret_ns = sign * (hour * 60 + minute) * 60 * SECOND;
	return true;
}

/* What is past the year 2262 does not fit. */
bool logs_time_scan(const char *text, size_t len, int64_t *ret_ns)
{
	const char *p = text, *end = text + len;
	int64_t days, clock = 0, offset = 0, ns;

	if (!scan_date(&p, end, &days))
		return false;
	if (p < end) {
		if (!character(&p, end, 'T') && !character(&p, end, 't') &&
		    !character(&p, end, ' '))
			return false;
		if (!scan_clock(&p, end, &clock) || !scan_offset(&p, end, &offset) || p != end)
			return false;
	}
	if (__builtin_mul_overflow(days, 86400 * SECOND, &ns) ||
	    __builtin_add_overflow(ns, clock - offset, &ns))
		return false;
	*ret_ns = ns;
	return true;
}

/* "1h30m" in nanoseconds. */
static bool scan_duration(const char *text, int64_t *ret_ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = { { "ms", SECOND / 1000 },
		      { "s", SECOND },
		      { "m", 60 * SECOND },
		      { "h", 3600 * SECOND },
		      { "d", 86400 * SECOND } };
	int64_t sum = 0, part;
	uint64_t n;

	do {
		size_t i = 0, len = 0;

		if (*text == ' ' || !number_scan(&text, &n) || n > INT64_MAX)
			return false;
		for (; i < ARRAY_SIZE(units); i++) {
			len = strlen(units[i].name);
			if (strncmp(text, units[i].name, len) == 0)
				break;
		}
		if (i == ARRAY_SIZE(units) ||
		    __builtin_mul_overflow((int64_t)n, units[i].ns, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return false;
		text += len;
	} while (*text);
	*ret_ns = sum;
	return true;
}

static bool scan_seconds(const char *text, int64_t *ret_ns)
{
	uint64_t n;

	return *text >= '0' && *text <= '9' && number_scan(&text, &n) && !*text &&
	       n <= INT64_MAX / SECOND && (*ret_ns = (int64_t)n * SECOND, true);
}

int logs_time_read(const char *option, const char *text, int64_t now_ns, int64_t *ret_ns,
		   struct err *err)
{
	int64_t ns;

	if (text[0] == '@' ? scan_seconds(text + 1, &ns) : logs_time_scan(text, strlen(text), &ns))
		*ret_ns = ns;
	else if (scan_duration(text, &ns))
		*ret_ns = now_ns - ns;
	else
		return err_set(err, EINVAL,
			       "%s: expected a duration like 10m or a time like "
			       "2025-03-01T12:00:00Z, found \"%s\"",
			       option, text);
	return 0;
}
