/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/number.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool number_scan(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t n = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned int)(*p - '0'), &n))
			return false;
	*text = p;
	*ret = n;
	return true;
}

bool number_decimal(const char **text, uint64_t scale, uint64_t *ret)
{
	uint64_t whole, part = 0, unit = 1, n;
	const char *p = *text;

	if (!isdigit((unsigned char)*p) || !number_scan(&p, &whole))
		return false;
	if (p[0] == '.' && isdigit((unsigned char)p[1])) {
		for (p++; isdigit((unsigned char)*p); p++)
			if (unit < 1000000000) {
				part = part * 10 + (uint64_t)(*p - '0');
				unit *= 10;
			}
	}
	/* part * scale / unit without a product that overflows: part < unit <= 10^9. */
	part = part * (scale / unit) + part * (scale % unit) / unit;
	if (__builtin_mul_overflow(whole, scale, &n) || __builtin_add_overflow(n, part, &n))
		return false;
	*text = p;
	*ret = n;
	return true;
}

/* go-units, RAMInBytes(): with "b" or "ib" behind the letter or not. */
bool number_bytes(const char *text, uint64_t *ret)
{
	static const char letters[] = "kmgtp";
	const char *end = text + strspn(text, "0123456789."), *unit = end + strspn(end, " ");
	const char *letter = *unit ? strchr(letters, tolower((unsigned char)*unit)) : NULL;
	uint64_t scale = 1, n;

	if (letter) {
		scale <<= 10 * (letter - letters + 1);
		unit++;
	}
	if (*unit && strcasecmp(unit, "b") != 0 && (!letter || strcasecmp(unit, "ib") != 0))
		return false;
	if (!number_decimal(&text, scale, &n) || text != end || n > INT64_MAX)
		return false;
	*ret = n;
	return true;
}

/*
 * Days since 1970 as a date of the proleptic Gregorian calendar. Years are counted from March, so
 * that the leap day comes last and months have a regular pattern; an era is 400 years.
 */
static void civil(int64_t days, int64_t *year, unsigned int *month, unsigned int *day)
{
	int64_t era, of_era, year_of_era, of_year, from_march;

	days += 719468; /* from 0000-03-01 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	from_march = (5 * of_year + 2) / 153;
	*day = (unsigned int)(of_year - (153 * from_march + 2) / 5 + 1);
	*month = (unsigned int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

void time_text(const struct timespec *t, bool nanoseconds, char *ret, size_t size)
{
	int64_t days = t->tv_sec / 86400, rest = t->tv_sec % 86400, year;
	unsigned int month, day;
	char fraction[16] = "";

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	civil(days, &year, &month, &day);
	if (nanoseconds)
		snprintf(fraction, sizeof(fraction), ".%09u",
			 (unsigned int)t->tv_nsec % 1000000000u);
	snprintf(ret, size, "%04lld-%02u-%02uT%02u:%02u:%02u%sZ", (long long)year, month, day,
		 (unsigned int)rest / 3600, (unsigned int)rest / 60 % 60, (unsigned int)rest % 60,
		 fraction);
}

void time_now_text(bool nanoseconds, char *ret, size_t size)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	time_text(&now, nanoseconds, ret, size);
}
