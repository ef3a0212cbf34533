/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/log.h"

#include "lib/fd.h"
#include "lib/json.h"
#include "lib/number.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static struct {
	int fd; /* the log file or the journal's socket; -1: stderr only */
	const char *journal_id;
	bool json;
	enum log_level level;
	const char *name;
} logger = { .fd = -1, .level = LOG_LEVEL_WARNING, .name = "tote" };

static const char *const level_names[] = { "error", "warning", "debug" };
static const int journal_priorities[] = { 3, 4, 7 }; /* syslog(3) */

static int open_journal(const char *id, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };

	logger.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (logger.fd < 0 || connect(logger.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, "--log: connect to the journal");
	logger.journal_id = id;
	return 0;
}

int log_open(const char *target, bool json, enum log_level level, struct err *err)
{
	logger.json = json;
	logger.level = level;
	if (!target || !target[0])
		return 0;
	if (strncmp(target, "journald:", 9) == 0)
		return open_journal(target + 9, err);
	logger.fd = fd_create(AT_FDCWD, target, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0600);
	return logger.fd < 0 ? err_errno(err, "--log: open %s", target) : 0;
}

static void timestamp(char *out, size_t size)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	time_text(&now, false, out, size);
}

static void write_json(enum log_level level, const char *msg, struct buf *out)
{
	struct json_writer w;
	char when[TIME_TEXT_SIZE];

	timestamp(when, sizeof(when));
	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_string(&w, "level", level_names[level]);
	json_pair_string(&w, "msg", msg);
	json_pair_string(&w, "time", when);
	json_end_object(&w);
	json_writer_done(&w);
	buf_adds(out, "\n");
}

static void write_text(enum log_level level, const char *msg, struct buf *out)
{
	char when[TIME_TEXT_SIZE];

	timestamp(when, sizeof(when));
	buf_addf(out, "%s: %s: %s\n", when, level_names[level], msg);
}

/* One line, one write: others append to the same file. */
static void emit(enum log_level level, const char *fmt, va_list ap)
{
	autobuf out = BUF_INIT;
	char msg[1024];

	if (level > logger.level)
		return;
	vsnprintf(msg, sizeof(msg), fmt, ap);
	/* An id or a path in it may come from anywhere, and a terminal obeys control characters. */
	for (char *p = msg; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	/* At create stderr is the container's, and what is written to it ends up in its log: whoever
	 * names a file for messages wants them there. */
	if (logger.fd < 0 || level == LOG_LEVEL_ERROR)
		dprintf(STDERR_FILENO, "%s: %s%s\n", logger.name,
			level == LOG_LEVEL_WARNING ? "warning: " : "", msg);
	if (logger.fd < 0)
		return;
	if (logger.journal_id)
		buf_addf(&out, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n",
			 journal_priorities[level], logger.journal_id, msg);
	else if (logger.json)
		write_json(level, msg, &out);
	else
		write_text(level, msg, &out);
	fd_write_full(logger.fd, out.data, out.len);
}

void log_name(const char *name)
{
	logger.name = name;
}

bool log_enabled(enum log_level level)
{
	return level <= logger.level;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_WARNING, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}
