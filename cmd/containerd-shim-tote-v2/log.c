/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/log.h"

#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/fd.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 768
/* Each byte of a message may become two. What is longer than PIPE_BUF is not written in one
 * piece. */
#define LINE_MAX_SIZE 2048
/* What id and namespace, in quotes, may take up, and all that stands behind the message. */
#define FIELD_MAX 160
#define FIELDS_MAX (2 * FIELD_MAX + 64)
_Static_assert(LINE_MAX_SIZE <= PIPE_BUF, "lines of several processes would mix");

static struct {
	int fd;
	const char *id, *namespace;
	bool debug;
} target = { .fd = -1 };

struct line {
	char text[LINE_MAX_SIZE];
	size_t len;
};

static void add(struct line *line, const char *text)
{
	/* Room for the newline. */
	while (*text && line->len < sizeof(line->text) - 1)
		line->text[line->len++] = *text++;
}

/* In quotes, as Go's %q has it as far as needed; cut so that the line, with the closing quote, is not
 * longer than end. */
static void add_quoted(struct line *line, const char *text, size_t end)
{
	char pair[3] = { 0 };

	add(line, "\"");
	for (; *text && line->len + 3 <= end; text++) {
		bool escape = *text == '"' || *text == '\\' || *text == '\n';

		pair[0] = escape ? '\\' : *text;
		pair[1] = !escape ? '\0' : *text == '\n' ? 'n' : *text;
		if (!escape && (unsigned char)*text < ' ')
			pair[0] = ' ';
		add(line, pair);
	}
	add(line, "\"");
}

static void add_field(struct line *line, const char *name, const char *text, size_t end)
{
	add(line, name);
	add_quoted(line, text, end);
}

void shim_log_open(const char *path, const char *id, const char *namespace, int debug)
{
	/* Reading as well: opening never waits for a reader, nor is one that goes away an error. */
	int fd = fd_open(AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_APPEND);

	if (target.fd >= 0)
		close(target.fd);
	target.fd = fd;
	target.id = id;
	target.namespace = namespace;
	target.debug = debug;
}

int shim_log_fd(void)
{
	return target.fd;
}

void shim_log(const char *level, const char *fmt, ...)
{
	char message[MESSAGE_MAX], now[TIME_TEXT_SIZE];
	struct line line = { .len = 0 };
	int saved = errno;
	va_list ap;

	if (target.fd < 0 || (!target.debug && strcmp(level, "debug") == 0))
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	wire_clean(message, sizeof(message) - 1);
	time_now_text(true, now, sizeof(now));
	add_field(&line, "time=", now, FIELD_MAX);
	add(&line, " level=");
	add(&line, level);
	add_field(&line, " msg=", message, sizeof(line.text) - FIELDS_MAX);
	add_field(&line, " id=", target.id, line.len + FIELD_MAX);
	add_field(&line, " namespace=", target.namespace, line.len + FIELD_MAX);
	add(&line, " runtime=io.containerd.tote.v2");
	line.text[line.len++] = '\n';
	/* A full FIFO, and one that cannot be written to, costs us the line and nothing else. */
	if (write(target.fd, line.text, line.len) < 0)
		errno = saved;
	errno = saved;
}
