/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's journal by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram for each
 * line. */
#include "cmd/tote-monitor/logs_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define JOURNAL "/run/systemd/journal/socket"
/* A journal that is behind is waited for; not one that was so before. */
#define PATIENCE_MS 20

static void open_socket(struct logs *l)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && fd_connect(fd, l->journal ? l->journal : JOURNAL) < 0) {
		close(fd);
		fd = -1;
	}
	l->fd = fd;
}

static bool send_once(struct logs *l, struct msghdr *msg)
{
	if (l->fd < 0)
		open_socket(l);
	return l->fd >= 0 && sendmsg(l->fd, msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static bool send_message(struct logs *l, struct msghdr *msg)
{
	if (send_once(l, msg))
		return true;
	if (l->fd >= 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		struct pollfd p = { .fd = l->fd, .events = POLLOUT };

		if (l->stuck || poll(&p, 1, PATIENCE_MS) <= 0)
			return false;
		return send_once(l, msg);
	}
	if (l->fd < 0)
		return false;
	/* The journal was restarted, and has a new socket. */
	close(l->fd);
	l->fd = -1;
	return send_once(l, msg);
}

static struct iovec part(const char *s)
{
	return (struct iovec){ (void *)s, strlen(s) };
}

/* A line of ours holds no newline: the simple form does. */
static bool send_line(struct logs *l, const char *text, size_t len, bool err, bool last)
{
	struct iovec parts[] = {
		part(err ? "PRIORITY=3\n" : "PRIORITY=6\n"),
		part("SYSLOG_IDENTIFIER="),
		part(l->id),
		part("\nCONTAINER_NAME="),
		part(l->id),
		part(last ? "" : "\nCONTAINER_PARTIAL_MESSAGE=true"),
		part("\nMESSAGE="),
		{ (void *)text, len },
		part("\n"),
	};
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };

	l->stuck = !send_message(l, &msg);
	return !l->stuck;
}

void logs_put_journal(struct logs *l, const struct log_record *rec)
{
	char text[LOG_NOTICE_SIZE];

	if (l->dropped != l->told && send_line(l, text, logs_notice(l, text), true, true))
		l->told = l->dropped;
	if (l->dropped != l->told || !send_line(l, rec->text, rec->len, rec->err, rec->last))
		l->dropped += rec->len + rec->last;
}
