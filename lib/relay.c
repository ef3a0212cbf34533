/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/relay.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { POLL_CHILD, POLL_SIGNAL, POLL_STDIN, POLL_STDOUT, POLL_TERMINAL, POLL_COUNT };

#define CHUNK 4096    /* PIPE_BUF: a pipe that polls as writable takes so much without blocking */
#define END_OF_FILE 4 /* ^D: what the end of a pipe is to a terminal */
#define DRAIN_TIMEOUT_MS 5000

/*
 * All but those that are about ourselves: our children, our own terminal's job control, our own
 * faults. SIGPIPE is blocked, so that we live to clean up, and not passed on.
 */
static int open_signals(struct err *err)
{
	static const int ours[] = { SIGCHLD, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS,
				    SIGFPE,  SIGILL,  SIGABRT, SIGURG };
	sigset_t set;
	int fd;

	sigfillset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigdelset(&set, ours[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno(err, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_errno(err, "receive signals") : fd;
}

static void mask_endings(int how)
{
	static const int endings[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		sigaddset(&set, endings[i]);
	sigprocmask(how, &set, NULL);
}

void relay_hold(void)
{
	mask_endings(SIG_BLOCK);
}

void relay_release(void)
{
	mask_endings(SIG_UNBLOCK);
}

static void copy_size(int terminal)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(terminal, TIOCSWINSZ, &size);
}

static void forward_signals(int signals, int pidfd, int terminal)
{
	struct signalfd_siginfo si;

	while (read(signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && terminal >= 0)
			copy_size(terminal);
		else if (si.ssi_signo != SIGPIPE)
			proc_signal(pidfd, (int)si.ssi_signo);
	}
}

static int wait_events(struct pollfd *p, nfds_t n)
{
	int r;

	do {
		r = poll(p, n, -1);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int relay_signals(int pidfd, struct err *err)
{
	autofd signals = open_signals(err);
	struct pollfd p[] = { { .fd = pidfd, .events = POLLIN },
			      { .fd = signals, .events = POLLIN } };

	if (signals < 0)
		return signals;
	while (!p[POLL_CHILD].revents) {
		int r = wait_events(p, 2);

		if (r < 0)
			return err_code(err, r, "wait for the process");
		if (p[POLL_SIGNAL].revents)
			forward_signals(signals, pidfd, -1);
	}
	return 0;
}

/* One direction: what was read and could not be written yet waits here, so that neither end holds
 * up the other. */
struct stream {
	int from, to;
	char data[CHUNK];
	size_t len, at;
	bool ended;
};

/* A master reads EIO once nobody has its terminal open. */
static void stream_read(struct stream *s)
{
	ssize_t n;

	do {
		n = read(s->from, s->data, sizeof(s->data));
	} while (n < 0 && errno == EINTR);
	s->at = 0;
	s->len = n > 0 ? (size_t)n : 0;
	s->ended = n == 0 || (n < 0 && errno != EAGAIN);
}

/* 0, or -errno when the other end is gone. */
static int stream_write(struct stream *s)
{
	ssize_t n;

	do {
		n = write(s->to, s->data + s->at, s->len - s->at);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	s->at += (size_t)n;
	if (s->at == s->len)
		s->len = 0;
	return 0;
}

static short events_of(const struct stream *in, const struct stream *out)
{
	return (short)((out->len || out->ended ? 0 : POLLIN) | (in->len ? POLLOUT : 0));
}

/* Descriptors without anything to wait for are left out, as poll(2) reports POLLHUP unasked. */
static void watch(struct pollfd *p, const struct stream *in, const struct stream *out, int terminal)
{
	p[POLL_STDIN].fd = in->len || in->ended ? -1 : STDIN_FILENO;
	p[POLL_STDOUT].fd = out->len ? STDOUT_FILENO : -1;
	p[POLL_TERMINAL].events = terminal < 0 ? 0 : events_of(in, out);
	p[POLL_TERMINAL].fd = p[POLL_TERMINAL].events ? terminal : -1;
}

/* Moves what can be moved. False when nobody takes the output any more. */
static bool move(const struct pollfd *p, struct stream *in, struct stream *out)
{
	if (p[POLL_STDIN].revents)
		stream_read(in);
	if (p[POLL_STDIN].revents && in->ended) {
		in->data[0] = END_OF_FILE;
		in->len = 1;
	}
	if (p[POLL_TERMINAL].revents && p[POLL_TERMINAL].events & POLLIN)
		stream_read(out);
	if (p[POLL_TERMINAL].revents && in->len && stream_write(in) < 0)
		in->len = 0;
	return !p[POLL_STDOUT].revents || stream_write(out) == 0;
}

/* What it wrote last is still in the terminal; a reader that is stuck is not waited for without
 * end. */
static void drain(struct stream *out)
{
	struct pollfd to = { .fd = STDOUT_FILENO, .events = POLLOUT };

	do {
		while (out->len)
			if (poll(&to, 1, DRAIN_TIMEOUT_MS) <= 0 || stream_write(out) < 0)
				return;
		stream_read(out);
	} while (out->len);
}

static int relay_loop(int pidfd, int terminal, int signals, struct err *err)
{
	struct pollfd p[POLL_COUNT] = {
		[POLL_CHILD] = { .fd = pidfd, .events = POLLIN },
		[POLL_SIGNAL] = { .fd = signals, .events = POLLIN },
		[POLL_STDIN] = { .events = POLLIN },
		[POLL_STDOUT] = { .events = POLLOUT },
	};
	struct stream in = { .from = STDIN_FILENO, .to = terminal };
	struct stream out = { .from = terminal, .to = STDOUT_FILENO };
	int r = 0;

	while (r == 0 && !p[POLL_CHILD].revents) {
		watch(p, &in, &out, terminal);
		r = wait_events(p, POLL_COUNT);
		if (r < 0)
			err_code(err, r, "relay the terminal");
		if (r == 0 && p[POLL_SIGNAL].revents)
			forward_signals(signals, pidfd, terminal);
		if (r == 0 && terminal >= 0 && !move(p, &in, &out)) {
			/* Closed, so that a program that goes on writing gets an error as it would
			 * from a pipe. */
			close(terminal);
			terminal = -1;
			in.ended = true;
			in.len = out.len = 0;
		}
	}
	if (terminal >= 0) {
		drain(&out);
		close(terminal);
	}
	return r;
}

int relay_terminal(int pidfd, int terminal, struct err *err)
{
	autofd signals = open_signals(err);
	struct termios old, raw;
	bool tty = tcgetattr(STDIN_FILENO, &old) == 0;
	int r;

	if (signals < 0)
		return signals;
	/* Ours alone: the caller's stdio keeps its flags, which others may share. */
	if (fcntl(terminal, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_errno(err, "relay the terminal");
	if (tty) {
		raw = old;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		copy_size(terminal);
	}
	r = relay_loop(pidfd, terminal, signals, err);
	if (tty)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	return r;
}
