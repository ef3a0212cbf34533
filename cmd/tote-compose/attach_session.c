/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/attach.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/supervise/instance.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define ANSWER_MS 10000
#define PACKET_MAX ((size_t)128 << 10)
#define CTRL_P 0x10
#define CTRL_Q 0x11

enum { POLL_SOCKET, POLL_SIGNALS, POLL_STDIN, POLL_COUNT };

void attach_session_done(struct attach_session *s)
{
	if (s->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
	cleanup_fd(&s->signals);
	cleanup_fd(&s->sock);
	cleanup_fd(&s->dir_fd);
}

/* One packet; a peer that does not take it yet keeps us from reading more. */
static int send_packet(struct attach_session *s, const void *data, size_t len, struct err *err)
{
	ssize_t n = send(s->sock, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		return 0;
	if (errno != EAGAIN && errno != ENOBUFS)
		return err_errno(err, "%s: send", s->name);
	memmove(s->out, data, len);
	s->out_len = len;
	return 0;
}

static int send_size(struct attach_session *s, struct err *err)
{
	struct winsize size;
	char text[32];
	int n;

	if (!s->tty || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return 0;
	n = snprintf(text, sizeof(text), "r%u %u", size.ws_col, size.ws_row);
	return send_packet(s, text, (size_t)n, err);
}

static int open_signals(struct attach_session *s, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno(err, "block signals");
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? err_errno(err, "receive signals") : 0;
}

static int make_raw(struct attach_session *s, struct err *err)
{
	struct termios raw;

	if (!s->tty || !s->terminal)
		return 0;
	if (tcgetattr(STDIN_FILENO, &s->before) < 0)
		return err_errno(err, "terminal");
	raw = s->before;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return err_errno(err, "terminal");
	s->raw = true;
	return 0;
}

static int begin(struct attach_session *s, struct err *err)
{
	static const char word[] = "attach";
	char answer[512];
	ssize_t n;

	s->sock = instance_connect(s->dir_fd, err);
	if (s->sock < 0)
		return s->sock;
	if (send(s->sock, word, strlen(word), MSG_NOSIGNAL) < 0)
		return err_errno(err, "%s: send", s->name);
	if (fd_wait_readable(s->sock, ANSWER_MS) <= 0)
		return err_set(err, ETIMEDOUT, "%s: its monitor does not answer", s->name);
	n = recv(s->sock, answer, sizeof(answer) - 1, 0);
	answer[n > 0 ? n : 0] = '\0';
	if (n <= 0 || strncmp(answer, "ok", 2) != 0)
		return err_set(err, EIO, "%s: attach: %s", s->name,
			       n > 6 ? answer + 6 : "its monitor has gone");
	return 0;
}

/* 0, or -errno. What nobody reads any more ends us. */
static int take_packet(struct attach_session *s, char *packet, struct err *err)
{
	ssize_t n = recv(s->sock, packet, PACKET_MAX, MSG_DONTWAIT);
	int r = 0;

	if (n < 0)
		return errno == EAGAIN ? 0 : err_errno(err, "%s: receive", s->name);
	if (n == 0 || packet[0] == 'x')
		s->ended = true;
	else if (packet[0] == 1 || packet[0] == 2)
		r = fd_write_full(packet[0] == 2 ? STDERR_FILENO : STDOUT_FILENO, packet + 1,
				  (size_t)n - 1);
	return r < 0 ? err_code(err, r, "%s: write what it says", s->name) : 0;
}

/* Copies what is for the container behind out[1], and sees ctrl-p ctrl-q. */
static size_t filter_keys(struct attach_session *s, const char *in, size_t len)
{
	size_t n = 1;

	for (size_t i = 0; i < len && !s->detached; i++) {
		if (s->held && in[i] == CTRL_Q) {
			s->detached = true;
			break;
		}
		if (s->held)
			s->out[n++] = CTRL_P;
		s->held = s->terminal && in[i] == CTRL_P;
		if (!s->held)
			s->out[n++] = in[i];
	}
	return n;
}

static int take_input(struct attach_session *s, struct err *err)
{
	char in[ATTACH_CHUNK];
	ssize_t n;
	size_t len;

	do {
		n = read(STDIN_FILENO, in, sizeof(in));
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		s->in_ended = true;
		return s->wants_in ? send_packet(s, "e", 1, err) : 0;
	}
	s->out[0] = 0;
	len = filter_keys(s, in, (size_t)n);
	return len > 1 && s->wants_in ? send_packet(s, s->out, len, err) : 0;
}

static int take_signals(struct attach_session *s, struct err *err)
{
	struct signalfd_siginfo si;
	int r = 0;

	while (r == 0 && read(s->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			r = s->out_len ? 0 : send_size(s, err);
		else
			s->signal = (int)si.ssi_signo;
	}
	return r;
}

static int flush(struct attach_session *s, struct err *err)
{
	size_t len = s->out_len;

	s->out_len = 0;
	return send_packet(s, s->out, len, err);
}

static int relay(struct attach_session *s, struct err *err)
{
	autofree char *packet = malloc(PACKET_MAX);
	int r = packet ? 0 : err_code(err, ENOMEM, "attach");

	while (r == 0 && !s->ended && !s->detached && !s->signal) {
		bool reads = !s->in_ended && !s->out_len && (s->wants_in || s->terminal);
		struct pollfd p[POLL_COUNT] = {
			[POLL_SOCKET] = { s->sock, (short)(POLLIN | (s->out_len ? POLLOUT : 0)),
					  0 },
			[POLL_SIGNALS] = { s->signals, POLLIN, 0 },
			[POLL_STDIN] = { reads ? STDIN_FILENO : -1, POLLIN, 0 },
		};

		if (poll(p, POLL_COUNT, -1) < 0 && errno != EINTR)
			return err_errno(err, "attach: poll");
		if (p[POLL_SIGNALS].revents)
			r = take_signals(s, err);
		if (r == 0 && (p[POLL_SOCKET].revents & POLLOUT))
			r = flush(s, err);
		if (r == 0 && (p[POLL_SOCKET].revents & ~POLLOUT))
			r = take_packet(s, packet, err);
		if (r == 0 && !s->out_len && p[POLL_STDIN].revents)
			r = take_input(s, err);
	}
	return r;
}

int attach_session_run(struct attach_session *s, struct err *err)
{
	int r;

	s->terminal = isatty(STDIN_FILENO);
	r = begin(s, err);
	if (r == 0)
		r = open_signals(s, err);
	if (r == 0)
		r = make_raw(s, err);
	if (r == 0)
		r = send_size(s, err);
	return r < 0 ? r : relay(s, err);
}
