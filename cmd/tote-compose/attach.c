/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/client.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>

#define ANSWER_MS 10000
/* exit.json is there soon after the last packet. */
#define EXIT_MS 5000
#define MADE_MAX ((size_t)1 << 20)
#define CHUNK 4096
#define PACKET_MAX ((size_t)128 << 10)
#define CTRL_P 0x10
#define CTRL_Q 0x11

struct attach_options {
	struct project_options project;
};

static const struct option items[] = { PROJECT_OPTIONS };
static const struct option_table table = { items, ARRAY_SIZE(items), false };

enum { POLL_SOCKET, POLL_SIGNALS, POLL_STDIN, POLL_COUNT };

struct session {
	char *name;
	int dir_fd, sock, signals;
	uint32_t run;
	bool tty, wants_in;
	bool terminal; /* our stdin is one */
	bool raw;
	struct termios before;
	bool in_ended, held; /* a ctrl-p waits for what follows */
	char out[CHUNK + 2]; /* a packet that could not be sent yet */
	size_t out_len;
	bool detached, ended;
	int signal; /* that ended us */
};

static void session_done(struct session *s)
{
	if (s->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
	cleanup_fd(&s->signals);
	cleanup_fd(&s->sock);
	cleanup_fd(&s->dir_fd);
}

/* Which one it is: "web" is its first that runs, "web-2" that one. */
struct choice {
	const struct desired_service *service;
	uint32_t first, last;
};

static int choose(const struct client *c, const char *word, struct choice *ret, struct err *err)
{
	const char *dash = strrchr(word, '-');
	autoarena a = ARENA_INIT;
	char *service;
	uint32_t number;
	bool second;

	ret->service = desired_find(&c->project, word);
	ret->first = 1;
	ret->last = ret->service ? ret->service->replicas : 0;
	if (!ret->service && dash &&
	    client_split_instance(arena_printf(&a, "%s-%s", c->name, word), c->name, &a, &service,
				  &number, &second) &&
	    !second) {
		ret->service = desired_find(&c->project, service);
		ret->first = ret->last = number;
	}
	if (!ret->service)
		return err_set(err, ENOENT, "no such service: %s of project %s", word, c->name);
	return 0;
}

/* A monitor lives there: its directory, or -ESRCH. */
static int open_live(int run_fd, const char *name)
{
	struct err unused;
	autofd dir = instance_open(run_fd, name, false, &unused), monitor = -1;

	if (dir < 0)
		return -ESRCH;
	monitor = instance_open_monitor(dir);
	return monitor < 0 ? -ESRCH : take_fd(&dir);
}

static int find_instance(struct client *c, const struct choice *choice, struct session *s,
			 struct err *err)
{
	autofd run_fd = fd_open(AT_FDCWD, c->paths.run, O_RDONLY | O_DIRECTORY);

	for (uint32_t n = choice->first; run_fd >= 0 && n <= choice->last; n++)
		for (int second = 0; second < 2; second++) {
			s->name = instance_name(c->name, choice->service->name, n, second,
						&c->memory);
			s->dir_fd = open_live(run_fd, s->name);
			if (s->dir_fd >= 0)
				return 0;
		}
	return err_set(err, ESRCH, "service %s does not run", choice->service->name);
}

/* What it was made from, which may not be what the project says by now. */
static int read_made(struct client *c, struct session *s, struct err *err)
{
	struct desired_service made = { 0 };
	struct instance_status status = { 0 };
	struct json_value *root;
	size_t len;
	char *text;
	int r = file_read(s->dir_fd, INSTANCE_MADE, MADE_MAX, &c->memory, &text, &len, err);

	if (r == 0)
		r = json_parse(text, len, &c->memory, &root, err);
	if (r == 0)
		r = json_decode(root, &desired_service_table, &c->memory, &made, err);
	if (r < 0)
		return err_prefix(err, "%s", s->name);
	s->tty = made.tty;
	s->wants_in = made.stdin_open;
	if (instance_read_status(s->dir_fd, &c->memory, &status, err) == 0)
		s->run = status.run;
	return 0;
}

/* One packet; a peer that does not take it yet keeps us from reading more. */
static int send_packet(struct session *s, const void *data, size_t len, struct err *err)
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

static int send_size(struct session *s, struct err *err)
{
	struct winsize size;
	char text[32];
	int n;

	if (!s->tty || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return 0;
	n = snprintf(text, sizeof(text), "r%u %u", size.ws_col, size.ws_row);
	return send_packet(s, text, (size_t)n, err);
}

static int open_signals(struct session *s, struct err *err)
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

static int make_raw(struct session *s, struct err *err)
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

static int begin(struct session *s, struct err *err)
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
static int take_packet(struct session *s, char *packet, struct err *err)
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
static size_t filter_keys(struct session *s, const char *in, size_t len)
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

static int take_input(struct session *s, struct err *err)
{
	char in[CHUNK];
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

static int take_signals(struct session *s, struct err *err)
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

static int flush(struct session *s, struct err *err)
{
	size_t len = s->out_len;

	s->out_len = 0;
	return send_packet(s, s->out, len, err);
}

static int relay(struct session *s, struct err *err)
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

/* The container's own, when it has ended in front of our eyes; 1 when nobody knows. */
static int exit_code(const struct session *s)
{
	struct deadline_pauses pauses = deadline_pauses_in(EXIT_MS);
	struct instance_exit e;
	struct timespec pause;
	autoarena a = ARENA_INIT;
	struct err err;

	for (;;) {
		e = (struct instance_exit){ 0 };
		if (instance_read_exit(s->dir_fd, &a, &e, &err) == 0 && e.run >= s->run)
			return e.code >= 0 ? e.code : 1;
		if (!deadline_pause(&pauses, &pause))
			return 1;
		nanosleep(&pause, NULL);
	}
}

static int attach(struct client *c, const char *word, struct session *s, struct err *err)
{
	struct choice choice;
	int r = choose(c, word, &choice, err);

	s->terminal = isatty(STDIN_FILENO);
	if (r == 0)
		r = find_instance(c, &choice, s, err);
	if (r == 0)
		r = read_made(c, s, err);
	if (r == 0)
		r = begin(s, err);
	if (r == 0)
		r = open_signals(s, err);
	if (r == 0)
		r = make_raw(s, err);
	if (r == 0)
		r = send_size(s, err);
	return r < 0 ? r : relay(s, err);
}

static int run(char **args, size_t count, void *opts)
{
	const struct attach_options *o = opts;
	struct session s = { .dir_fd = -1, .sock = -1, .signals = -1 };
	autoclient c = CLIENT_INIT;
	struct err err;
	int code = 0, r = client_find(&c, &o->project, false, &err);

	(void)count;
	if (r == 0)
		r = attach(&c, args[0], &s, &err);
	if (r == 0 && s.ended)
		code = exit_code(&s);
	if (r == 0 && s.signal)
		code = 128 + s.signal;
	session_done(&s);
	if (r == 0 && s.detached)
		fprintf(stderr, "\n");
	return r < 0 ? client_fail(&err) : code;
}

const struct verb verb_attach = { "attach",
				  "SERVICE[-N]",
				  "connect stdin, stdout and stderr with those of a service",
				  &table,
				  1,
				  1,
				  run,
				  sizeof(struct attach_options),
				  0 };
