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

enum { POLL_CHILD, POLL_SIGNAL, POLL_STDIN, POLL_TERMINAL, POLL_COUNT };

#define CHUNK 16384

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

/* From one end to the other; false at the end of the input. A master reads EIO once nobody has its
 * terminal open. */
static bool pump(int from, int to)
{
	char data[CHUNK];
	ssize_t n;

	do {
		n = read(from, data, sizeof(data));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN;
	return n > 0 && fd_write_full(to, data, (size_t)n) == 0;
}

static int relay_loop(int pidfd, int terminal, int signals, struct err *err)
{
	struct pollfd p[POLL_COUNT] = {
		[POLL_CHILD] = { .fd = pidfd, .events = POLLIN },
		[POLL_SIGNAL] = { .fd = signals, .events = POLLIN },
		[POLL_STDIN] = { .fd = STDIN_FILENO, .events = POLLIN },
		[POLL_TERMINAL] = { .fd = terminal, .events = POLLIN },
	};
	static const char end_of_file = 4; /* ^D: what the end of a pipe is to a terminal */

	while (!p[POLL_CHILD].revents) {
		int r = wait_events(p, POLL_COUNT);

		if (r < 0)
			return err_code(err, r, "relay the terminal");
		if (p[POLL_SIGNAL].revents)
			forward_signals(signals, pidfd, p[POLL_TERMINAL].fd);
		if (p[POLL_TERMINAL].revents && !pump(terminal, STDOUT_FILENO)) {
			/* Closed, so that a program that goes on writing gets an error as it would
			 * from a pipe. */
			p[POLL_TERMINAL].fd = p[POLL_STDIN].fd = -1;
			close(terminal);
		}
		if (p[POLL_STDIN].revents && !pump(STDIN_FILENO, terminal)) {
			p[POLL_STDIN].fd = -1;
			fd_write_full(terminal, &end_of_file, 1);
		}
	}
	/* What it wrote last is still in the terminal. */
	if (p[POLL_TERMINAL].fd < 0)
		return 0;
	if (fcntl(terminal, F_SETFL, O_NONBLOCK) == 0)
		while (fd_wait_readable(terminal, 0) == 1 && pump(terminal, STDOUT_FILENO))
			;
	close(terminal);
	return 0;
}

int relay_terminal(int pidfd, int terminal, struct err *err)
{
	autofd signals = open_signals(err);
	struct termios old, raw;
	bool tty = tcgetattr(STDIN_FILENO, &old) == 0;
	int r;

	if (signals < 0)
		return signals;
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
