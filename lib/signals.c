/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/signals.h"

#include "lib/number.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool whole_number(const char *text, uint64_t max, uint64_t *ret)
{
	return isdigit((unsigned char)*text) && number_scan(&text, ret) && !*text && *ret <= max;
}

/* "RTMIN", "RTMIN+3", "RTMAX-2"; which numbers they are only libc knows. */
static int real_time(const char *name)
{
	bool from_end = strncasecmp(name, "RTMAX", 5) == 0;
	uint64_t n = 0, most = (uint64_t)(SIGRTMAX - SIGRTMIN);

	if (!from_end && strncasecmp(name, "RTMIN", 5) != 0)
		return -EINVAL;
	if (name[5] && (name[5] != (from_end ? '-' : '+') || !whole_number(name + 6, most, &n)))
		return -EINVAL;
	return from_end ? SIGRTMAX - (int)n : SIGRTMIN + (int)n;
}

int signal_parse(const char *text)
{
	uint64_t n;

	if (isdigit((unsigned char)*text))
		return whole_number(text, NSIG - 1, &n) ? (int)n : -EINVAL;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && strcasecmp(name, text) == 0)
			return sig;
	}
	return real_time(text);
}
