/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/monitor.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/container.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* What a service manager says to its services is not for those below them. */
static const char *const not_for_children[] = { "NOTIFY_SOCKET", "WATCHDOG_PID",   "WATCHDOG_USEC",
						"LISTEN_PID",	 "LISTEN_FDNAMES", "LISTEN_FDS",
						"INVOCATION_ID", "JOURNAL_STREAM" };

static void create_ended(struct monitor *m, int status)
{
	struct err err;
	int r;

	m->create_pid = 0;
	m->create_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	r = m->create_code ? -EIO : init_take(m, &err);
	if (r < 0 && !m->create_code)
		run_note_said(m, err.msg, strlen(err.msg));
	monitor_tell(m, r < 0 ? ME_NOT_CREATED : ME_CREATED);
}

static void close_helper(struct proc_helper *h)
{
	close(h->out);
	close(h->said);
	*h = (struct proc_helper){ 0 };
}

static void helper_ended(struct monitor *m, int status)
{
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	struct err ignored;
	ssize_t n = pread(m->helper.said, m->said, sizeof(m->said) - 1, 0);

	m->said_len = n > 0 ? (size_t)n : 0;
	close_helper(&m->helper);
	/* Another tote start may have been before us: of a monitor that was killed. */
	if (m->state == MS_STARTING && !good && !m->init_ended)
		good = init_status(m, &ignored) == STATUS_RUNNING;
	if (m->state == MS_STARTING)
		monitor_tell(m, good ? ME_STARTED : ME_NOT_STARTED);
	else if (m->state == MS_CLEARING)
		monitor_tell(m, ME_CLEARED);
}

/* The signal is not sent twice: what fails for another reason than that there is none is tried
 * again. */
static pid_t take_ended(pid_t pid, int *ret_status)
{
	pid_t r;

	do {
		r = waitpid(pid, ret_status, WNOHANG);
	} while (r < 0 && errno != ECHILD);
	return r;
}

/* As long as nobody knows which of our children is init, only tote create is reaped. */
static void reap(struct monitor *m)
{
	pid_t pid;
	int status;

	if (m->create_pid) {
		if (take_ended(m->create_pid, &status) != m->create_pid)
			return;
		create_ended(m, status);
	}
	while (!m->create_pid && (pid = take_ended(-1, &status)) > 0) {
		if (pid == m->helper.pid)
			helper_ended(m, status);
		else if (pid == m->status.init.pid)
			init_reaped(m, status);
	}
}

static void signals_ready(struct loop_source *source, uint32_t events)
{
	struct monitor *m = container_of(source, struct monitor, signals);
	struct signalfd_siginfo si;
	struct err ignored;

	(void)events;
	while (read(source->fd, &si, sizeof(si)) == sizeof(si)) {
		struct monitor_ask ask = monitor_default_ask(m);

		if (si.ssi_signo == SIGCHLD)
			reap(m);
		else if (si.ssi_signo == SIGHUP)
			logs_reopen(&m->logs);
		else if (si.ssi_signo != SIGPIPE)
			monitor_event(m, ME_STOP, &ask, &ignored);
	}
}

int run_init(struct monitor *m, struct err *err)
{
	static const int mine[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	sigset_t set;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(not_for_children); i++)
		unsetenv(not_for_children[i]);
	/* tote create leaves init to us (Linux 3.4). */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_errno(err, "become a subreaper");
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(mine); i++)
		sigaddset(&set, mine[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno(err, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || loop_add(&m->loop, &m->signals, fd, EPOLLIN, signals_ready) < 0)
		return err_errno(err, "receive signals");
	return 0;
}

/* The sockets of activation, which sd_listen_fds(3) has from 3 on. Above what they are copied to
 * first, as they may stand in each other's way. */
static int pass_sockets(struct monitor *m)
{
	const int *fds;
	size_t count = m->activate ? activate_fds(m, &fds) : 0;
	int copies[16];
	char text[16];

	if (count > ARRAY_SIZE(copies))
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3 + (int)count);
		if (copies[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < count; i++)
		if (dup2(copies[i], 3 + (int)i) < 0)
			return -errno;
	snprintf(text, sizeof(text), "%zu", count);
	if (count && setenv("LISTEN_FDS", text, 1) < 0)
		return -errno;
	return 3 + (int)count;
}

/* The supervisor's protection from the OOM killer is its own and ours, not the containers'. */
static void give_up_protection(void)
{
	char score[16];

	if (file_peek(AT_FDCWD, "/proc/self/oom_score_adj", score, sizeof(score)) > 0 &&
	    score[0] == '-')
		file_poke(AT_FDCWD, "/proc/self/oom_score_adj", "0");
}

_Noreturn static void create_in_child(struct monitor *m, const int fds[3], pid_t parent)
{
	sigset_t none;
	int keep;

	/* A monitor that was killed meanwhile leaves what tote delete --force removes, and no
	 * create that goes on beside the next one's. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	give_up_protection();
	/* The container has it from us; what images are made for is this one. */
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			_exit(127);
	keep = pass_sockets(m);
	if (keep < 0)
		_exit(127);
	close_range((unsigned int)keep, ~0U, CLOSE_RANGE_CLOEXEC);
	execvp(m->words[0], m->words);
	dprintf(STDERR_FILENO, "%s: %s\n", m->words[0], err_text(errno));
	_exit(127);
}

int run_create(struct monitor *m, struct err *err)
{
	pid_t self = getpid();
	int fds[3], r = streams_open(m, true, err);

	if (r == 0)
		r = streams_for_child(m, fds, err);
	if (r < 0)
		return r;
	m->said_len = 0;
	m->create_pid = fork();
	if (m->create_pid == 0)
		create_in_child(m, fds, self);
	r = m->create_pid < 0 ? err_errno(err, "fork") : 0;
	if (r < 0)
		m->create_pid = 0;
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	return r;
}

static int run_helper(struct monitor *m, char *const verb[], struct err *err)
{
	char *argv[8] = { m->tote, (char *)"--root", (char *)m->o->root };
	size_t n = 3;

	while (*verb)
		argv[n++] = *verb++;
	argv[n] = (char *)m->o->id;
	m->said_len = 0;
	return proc_start(m->tote, argv, NULL, -1, false, &m->helper, err);
}

int run_start(struct monitor *m, struct err *err)
{
	return run_helper(m, (char *[]){ (char *)"start", NULL }, err);
}

/* With force, as what of it is left need not have a pid namespace that ended with init; and there
 * may be nothing any more. */
int run_delete(struct monitor *m, struct err *err)
{
	return run_helper(m, (char *[]){ (char *)"delete", (char *)"--force", NULL }, err);
}

void run_kill_helper(struct monitor *m)
{
	pid_t pid = m->create_pid ? m->create_pid : m->helper.pid;

	/* Not reaped yet: it is still the one. */
	if (pid)
		kill(pid, SIGKILL);
}

void run_note_said(struct monitor *m, const char *data, size_t len)
{
	size_t size = sizeof(m->said) - 1, over;

	if (len > size) {
		data += len - size;
		len = size;
	}
	over = m->said_len + len > size ? m->said_len + len - size : 0;
	memmove(m->said, m->said + over, m->said_len - over);
	memcpy(m->said + m->said_len - over, data, len);
	m->said_len += len - over;
}

char *run_said(struct monitor *m)
{
	char *newline;

	while (m->said_len && m->said[m->said_len - 1] == '\n')
		m->said_len--;
	m->said[m->said_len] = '\0';
	newline = strrchr(m->said, '\n');
	return m->said_len ? newline ? newline + 1 : m->said : NULL;
}

void run_reset(struct monitor *m)
{
	streams_close(m);
	loop_remove(&m->loop, &m->init);
	loop_timer_clear(&m->init_gone);
	if (m->init_fd >= 0)
		close(m->init_fd);
	m->init_fd = -1;
	m->init_status = -1;
	m->create_code = 0;
	free(m->cgroup);
	m->cgroup = NULL;
	m->init_ended = m->asked = m->idle = false;
	m->oom_before = 0;
	m->status.init = (struct proc_id){ 0 };
	m->status.started = m->status.started_at = m->status.start_ms = 0;
	m->said_len = 0;
}
