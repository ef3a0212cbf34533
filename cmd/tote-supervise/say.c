/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/supervise.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

void say(int priority, const char *fmt, ...)
{
	/* systemd sets it for those whose stderr is the journal; it reads sd-daemon(3) prefixes. */
	bool journal = getenv("JOURNAL_STREAM") != NULL;
	char msg[1024], front[8] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	for (char *p = msg; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	if (journal)
		snprintf(front, sizeof(front), "<%d>", priority & LOG_PRIMASK);
	dprintf(STDERR_FILENO, "%stote-supervise: %s%s\n", front,
		!journal && priority == LOG_WARNING ? "warning: " : "", msg);
}
