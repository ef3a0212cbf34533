/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/supervise/control.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK 65536
/* A whole answer of status may have hundreds of containers; more is no answer. */
#define ANSWER_MAX (2 * CONTROL_MAX_LINE)

int control_open(const char *run_path, struct control *ret, struct err *err)
{
	autofd dir = fd_open(AT_FDCWD, run_path, O_PATH | O_DIRECTORY);
	char path[64];
	autofd fd = -1;
	int r;

	if (dir < 0)
		return err_errno(err, "%s", run_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, "socket");
	/* RUN may be longer than an address can be. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/" CONTROL_SOCKET, dir);
	r = fd_connect(fd, path);
	if (r < 0)
		return err_code(err, r, "connect to the supervisor (%s/" CONTROL_SOCKET ")",
				run_path);
	*ret = (struct control){ .fd = take_fd(&fd) };
	return 0;
}

void control_close(struct control *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_done(&c->in);
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int control_send(struct control *c, const char *line, struct err *err)
{
	int r = send_all(c->fd, line, strlen(line));

	if (r == 0)
		r = send_all(c->fd, "\n", 1);
	/* It may have answered before it stopped listening to us: control_next() tells. */
	if (r == -EPIPE || r == -ECONNRESET)
		r = 0;
	return r < 0 ? err_code(err, r, "send to the supervisor") : 0;
}

/* The length of the first line, or 0 after the time-out. */
static int read_line(struct control *c, int timeout_ms, size_t *ret_len, struct err *err)
{
	struct deadline until = deadline_in(timeout_ms);
	size_t seen = 0;

	for (;;) {
		char *end =
			c->in.len > seen ? memchr(c->in.data + seen, '\n', c->in.len - seen) : NULL;
		ssize_t n;
		int r;

		if (end) {
			*ret_len = (size_t)(end - c->in.data);
			return 0;
		}
		seen = c->in.len;
		if (seen > ANSWER_MAX)
			return err_set(err, EPROTO, "the supervisor's answer is too long");
		r = fd_wait_readable(c->fd, timeout_ms < 0 ? -1 : deadline_left(&until, -1));
		if (r < 0)
			return err_code(err, r, "wait for the supervisor");
		if (r == 0)
			return err_set(err, ETIMEDOUT, "the supervisor does not answer");
		n = recv(c->fd, buf_reserve(&c->in, CHUNK), CHUNK, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "read from the supervisor");
		if (n == 0)
			return err_set(err, ECONNRESET, "the supervisor has left");
		c->in.len += (size_t)n;
	}
}

static int judge(const struct json_value *v, struct err *err)
{
	const struct json_value *words = json_get(v, "error"), *done = json_get(v, "done");

	if (words)
		return err_set(err, EPROTO, "%s",
			       words->kind == JSON_STRING ? words->text : "the supervisor refused");
	return done && done->kind == JSON_BOOL && done->boolean ? 0 : 1;
}

int control_next(struct control *c, int timeout_ms, struct arena *a, struct json_value **ret,
		 struct err *err)
{
	size_t len = 0;
	int r = read_line(c, timeout_ms, &len, err);

	if (r < 0)
		return r;
	r = json_parse(c->in.data, len, a, ret, err);
	memmove(c->in.data, c->in.data + len + 1, c->in.len - len - 1);
	c->in.len -= len + 1;
	if (r < 0 || (*ret)->kind != JSON_OBJECT)
		return err_set(err, EPROTO, "the supervisor's answer cannot be read");
	return judge(*ret, err);
}

int control_listen(int run_fd, struct err *err)
{
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (fd < 0)
		return err_errno(err, "control socket");
	if (unlinkat(run_fd, CONTROL_SOCKET, 0) < 0 && errno != ENOENT)
		return err_errno(err, "remove the control socket that was there");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, run_fd);
	/* The directory is 0700: nobody gets in before the mode is set. */
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, "bind the control socket");
	if (fchmodat(run_fd, CONTROL_SOCKET, 0600, 0) < 0 || listen(fd, 64) < 0)
		return err_errno(err, "control socket");
	return take_fd(&fd);
}

int control_accept(int listen_fd)
{
	autofd fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return errno == ECONNABORTED ? -EAGAIN : -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != 0 && peer.uid != geteuid())
		return -EPERM;
	return take_fd(&fd);
}
