/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/supervise.h"

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Of the file that say_to_file() opened; it is started anew at LOG_MAX. */
#define LOG_MAX ((off_t)1 << 20)
static const char *log_path;

/* Lines that nobody took: a terminal that is held, a pipe or a journal that nobody reads. */
static unsigned int lost;

static bool open_log(void)
{
	int fd = fd_create(AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND, 0640);

	if (fd < 0)
		return false;
	dup2(fd, STDERR_FILENO);
	close(fd);
	return true;
}

bool say_to_file(const char *path)
{
	log_path = path;
	return open_log();
}

static void rotate(void)
{
	autoarena a = ARENA_INIT;
	struct stat st;

	if (!log_path || fstat(STDERR_FILENO, &st) < 0 || st.st_size < LOG_MAX)
		return;
	/* Where that fails it goes on growing, rather than saying nothing. */
	if (rename(log_path, arena_printf(&a, "%s.1", log_path)) == 0)
		open_log();
}

/* The loop waits for nobody who reads what it says. */
static bool taken(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLOUT);
}

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
	if (!taken()) {
		lost++;
		return;
	}
	rotate();
	if (lost)
		dprintf(STDERR_FILENO, "%stote-supervise: %u lines before this one are lost\n",
			journal ? "<4>" : "", lost);
	lost = 0;
	dprintf(STDERR_FILENO, "%stote-supervise: %s%s\n", front,
		!journal && priority == LOG_WARNING ? "warning: " : "", msg);
}
