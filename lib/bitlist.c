/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bitlist.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BITS (sizeof(unsigned long) * CHAR_BIT)

static const char *skip_blanks(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* A decimal number below BITLIST_MAX at *p, which moves behind it; -1 when there is none. */
static long number(const char **p)
{
	char *end;
	long n;

	*p = skip_blanks(*p);
	if (!isdigit((unsigned char)**p))
		return -1;
	n = strtol(*p, &end, 10);
	*p = skip_blanks(end);
	return n < BITLIST_MAX ? n : -1;
}

int bitlist_parse(const char *text, unsigned long *mask)
{
	const char *p = skip_blanks(text);
	int top = 0;

	memset(mask, 0, BITLIST_MAX / CHAR_BIT);
	while (*p) {
		long first = number(&p), last = first;

		if (*p == '-') {
			p++;
			last = number(&p);
		}
		if (first < 0 || last < first)
			return -EINVAL;
		for (long n = first; n <= last; n++)
			mask[(size_t)n / BITS] |= 1UL << (size_t)n % BITS;
		if (last >= top)
			top = (int)last + 1;
		if (*p == ',')
			p++;
		else if (*p)
			return -EINVAL;
	}
	return top;
}
