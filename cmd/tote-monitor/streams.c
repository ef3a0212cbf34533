/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIFOs in the instance's directory, which both sides hold for reading and writing: so a container
 * whose monitor was killed neither gets SIGPIPE nor the end of its stdin, and waits when they are
 * full until the next monitor reads on.
 */
#include "cmd/tote-monitor/monitor.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define OUT "out"
#define ERR "err"
#define IN "in"
#define CONSOLE "console"

/* Reads at one go, before others have their turn: 128 KiB. */
#define ROUNDS 8
/* A program that is left behind by its init may write for ever. */
#define ROUNDS_AT_END 64
/* Programs without a buffer of their own write a line and its newline apart. */
#define REST_MS 100
#define CONSOLE_MS 2000

static void rest_due(struct loop_timer *timer)
{
	struct stream *s = container_of(timer, struct stream, rest);

	logs_rest(&s->m->logs, &s->log, false);
	logs_flush(&s->m->logs);
}

/* 1: there may be more; 0: not now; -errno: never. */
static int read_some(struct monitor *m, struct stream *s)
{
	size_t room;
	char *to = logs_room(&s->log, &room);
	ssize_t n = read(s == &m->out ? m->out_fd : m->err_fd, to, room);

	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	/* EIO: nobody has the terminal open any more. */
	if (n <= 0)
		return -EIO;
	if (m->attached)
		attach_send(m, s == &m->err ? 2 : 1, to, (size_t)n);
	/* Before init runs a program, it is tote that writes to its stderr. */
	if (m->state == MS_CREATING && s == &m->err)
		run_note_said(m, to, (size_t)n);
	logs_add(&m->logs, &s->log, (size_t)n);
	return (size_t)n == room;
}

static void drops_due(struct loop_timer *timer)
{
	struct monitor *m = container_of(timer, struct monitor, log_timer);

	m->status.log_dropped = m->logs.dropped;
	monitor_save(m);
}

/* Not with each line: a second later. */
static void note_dropped(struct monitor *m)
{
	if (m->logs.dropped != m->status.log_dropped && !m->log_timer.link.next)
		loop_timer_set(&m->loop, &m->log_timer, 1000, drops_due);
}

static int read_rounds(struct monitor *m, struct stream *s, int rounds)
{
	int r = 1;

	for (int i = 0; i < rounds && r > 0; i++)
		r = read_some(m, s);
	logs_flush(&m->logs);
	note_dropped(m);
	return r;
}

static void stream_ready(struct loop_source *source, uint32_t events)
{
	struct stream *s = container_of(source, struct stream, source);
	struct monitor *m = s->m;

	(void)events;
	if (read_rounds(m, s, ROUNDS) < 0)
		loop_remove(&m->loop, source);
	if (!s->log.len)
		loop_timer_clear(&s->rest);
	else if (!s->rest.link.next)
		loop_timer_set(&m->loop, &s->rest, REST_MS, rest_due);
}

static int make_fifo(const struct monitor *m, const char *name, bool fresh, struct err *err)
{
	int fd;

	if (fresh) {
		unlinkat(m->dir_fd, name, 0);
		if (mkfifoat(m->dir_fd, name, 0600) < 0)
			return err_errno(err, "make the fifo %s", name);
	}
	/* The container may have taken the rights from what is its stdout as well. */
	if (!fresh && fchmodat(m->dir_fd, name, 0600, 0) < 0)
		return err_errno(err, "change the mode of the fifo %s", name);
	/* Linux opens a fifo for both without waiting for anybody, see fifo(7). */
	fd = fd_open(m->dir_fd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
	return fd < 0 ? err_errno(err, "open the fifo %s", name) : fd;
}

static int watch(struct monitor *m, struct stream *s, int fd, struct err *err)
{
	int r;

	s->m = m;
	s->log.err = s == &m->err;
	r = loop_add(&m->loop, &s->source, fd, EPOLLIN, stream_ready);
	return r < 0 ? err_code(err, r, "watch the streams") : 0;
}

static void close_console(struct monitor *m)
{
	int fd = m->console.fd;

	if (!m->console.ready)
		return;
	loop_remove(&m->loop, &m->console);
	close(fd);
	unlinkat(m->dir_fd, CONSOLE, 0);
}

static void take_terminal(struct monitor *m, int fd)
{
	struct err ignored;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	m->out_fd = fd;
	/* A program may close all of it and open /dev/console again: without us it would have hung up,
	 * and nobody would read on (Linux 4.13). */
	m->held_fd = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	/* Two sources cannot have one descriptor. */
	m->in_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	watch(m, &m->out, fd, &ignored);
	close_console(m);
}

/* tote create sends the terminal's master. */
static void console_ready(struct loop_source *source, uint32_t events)
{
	struct monitor *m = container_of(source, struct monitor, console);
	autofd sock = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	char name[64];
	int fd = -1;

	(void)events;
	if (sock >= 0 && fd_wait_readable(sock, CONSOLE_MS) > 0)
		fd_recv(sock, name, sizeof(name), &fd);
	if (fd >= 0)
		take_terminal(m, fd);
}

static int open_console(struct monitor *m, struct err *err)
{
	autofd fd = control_listen_at(m, SOCK_STREAM, CONSOLE, err);

	if (fd < 0)
		return fd;
	if (loop_add(&m->loop, &m->console, fd, EPOLLIN, console_ready) < 0)
		return err_set(err, ENOMEM, "listen for the terminal");
	take_fd(&fd);
	return 0;
}

int streams_open(struct monitor *m, bool fresh, struct err *err)
{
	int r;

	m->err_fd = r = make_fifo(m, ERR, fresh, err);
	if (r >= 0)
		r = watch(m, &m->err, m->err_fd, err);
	/* A terminal ends with the monitor that had it. */
	if (r >= 0 && m->o->tty)
		return fresh ? open_console(m, err) : 0;
	if (r >= 0)
		m->out_fd = r = make_fifo(m, OUT, fresh, err);
	if (r >= 0)
		r = watch(m, &m->out, m->out_fd, err);
	if (r >= 0 && m->o->in)
		m->in_fd = r = make_fifo(m, IN, fresh, err);
	return r < 0 ? r : 0;
}

static int open_end(const struct monitor *m, const char *name, struct err *err)
{
	int fd = name ? fd_open(m->dir_fd, name, O_RDWR | O_NOFOLLOW)
		      : fd_open(AT_FDCWD, "/dev/null", O_RDWR);

	return fd < 0 ? err_errno(err, "open %s", name ? name : "/dev/null") : fd;
}

int streams_for_child(struct monitor *m, int ret_fds[3], struct err *err)
{
	bool tty = m->o->tty;
	autofd in = open_end(m, m->o->in && !tty ? IN : NULL, err);
	autofd out = in < 0 ? -1 : open_end(m, tty ? NULL : OUT, err);
	autofd error = out < 0 ? -1 : open_end(m, ERR, err);

	if (error < 0)
		return err->code;
	ret_fds[0] = take_fd(&in);
	ret_fds[1] = take_fd(&out);
	ret_fds[2] = take_fd(&error);
	return 0;
}

static void drain(struct monitor *m, struct stream *s, int fd)
{
	if (fd < 0)
		return;
	read_rounds(m, s, ROUNDS_AT_END);
	logs_rest(&m->logs, &s->log, true);
	loop_timer_clear(&s->rest);
}

void streams_drain(struct monitor *m)
{
	if (m->console.ready)
		console_ready(&m->console, 0);
	drain(m, &m->out, m->out_fd);
	drain(m, &m->err, m->err_fd);
	logs_flush(&m->logs);
	m->status.log_dropped = m->logs.dropped;
}

static void close_one(struct monitor *m, struct loop_source *source, int *fd)
{
	loop_remove(&m->loop, source);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void streams_close(struct monitor *m)
{
	close_console(m);
	loop_timer_clear(&m->out.rest);
	loop_timer_clear(&m->err.rest);
	close_one(m, &m->in, &m->in_fd);
	close_one(m, &m->out.source, &m->out_fd);
	close_one(m, &m->err.source, &m->err_fd);
	if (m->held_fd >= 0)
		close(take_fd(&m->held_fd));
}

ssize_t streams_write(struct monitor *m, const char *data, size_t len)
{
	ssize_t n;

	if (m->in_fd < 0)
		return -EPIPE;
	do {
		n = write(m->in_fd, data, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	return n;
}

static void in_ready(struct loop_source *source, uint32_t events)
{
	struct monitor *m = container_of(source, struct monitor, in);

	(void)events;
	loop_remove(&m->loop, source);
	attach_in_free(m);
}

void streams_want_in(struct monitor *m, bool want)
{
	if (!want)
		loop_remove(&m->loop, &m->in);
	else if (!m->in.ready && m->in_fd >= 0)
		loop_add(&m->loop, &m->in, m->in_fd, EPOLLOUT, in_ready);
}

int streams_resize(struct monitor *m, unsigned int columns, unsigned int rows, struct err *err)
{
	struct winsize size = { .ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows };

	if (!m->o->tty || m->out_fd < 0)
		return err_set(err, ENOTTY, "the container has no terminal");
	return ioctl(m->out_fd, TIOCSWINSZ, &size) < 0 ? err_errno(err, "resize the terminal") : 0;
}
