/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/metrics.h"

#include "lib/cleanup.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)

void metrics_collect_end(struct metrics *m)
{
	int fd = m->output.ready ? m->output.fd : -1;

	loop_timer_clear(&m->collect_timer);
	loop_remove(&m->sup->loop, &m->output);
	if (fd >= 0)
		close(fd);
	/* At its end it has closed its output and is gone or nearly so. */
	if (m->pidfd >= 0) {
		proc_signal(m->pidfd, SIGKILL);
		close(m->pidfd);
	}
	m->pidfd = -1;
}

/* A document that is cut off would be no document. */
static void give_up(struct metrics *m)
{
	buf_reset(&m->collected);
	metrics_collect_end(m);
	m->collected_done(m);
}

static void too_late(struct loop_timer *timer)
{
	struct metrics *m = container_of(timer, struct metrics, collect_timer);

	say(4, "tote metrics takes longer than %d ms", METRICS_COLLECT_MS);
	give_up(m);
}

static void output_ready(struct loop_source *source, uint32_t events)
{
	struct metrics *m = container_of(source, struct metrics, output);
	ssize_t n = read(source->fd, buf_reserve(&m->collected, READ_SIZE), READ_SIZE);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || m->collected.len + (size_t)n > METRICS_OUTPUT) {
		give_up(m);
		return;
	}
	if (n > 0) {
		m->collected.len += (size_t)n;
		return;
	}
	/* One that was killed in the middle of a line has not said all. */
	if (m->collected.len && m->collected.data[m->collected.len - 1] != '\n')
		buf_reset(&m->collected);
	metrics_collect_end(m);
	m->collected_done(m);
}

static pid_t start(struct metrics *m, int out)
{
	const char *root = m->sup->root;
	char *words[] = { (char *)"tote", (char *)"--root", (char *)root, (char *)"metrics", NULL };
	char *bare[] = { (char *)"tote", (char *)"metrics", NULL };

	return spawn(m->sup->tote, root ? words : bare, out, -1);
}

int metrics_collect(struct metrics *m, void (*done)(struct metrics *metrics))
{
	autofd out = -1;
	int ends[2], r;
	pid_t pid;

	m->collected_done = done;
	if (m->output.ready)
		return 0;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	out = ends[1];
	fcntl(out, F_SETFL, 0);
	buf_reset(&m->collected);
	r = loop_add(&m->sup->loop, &m->output, ends[0], EPOLLIN, output_ready);
	if (r < 0) {
		close(ends[0]);
		return r;
	}
	pid = start(m, out);
	/* Nothing reaps it before we are back in the loop. */
	m->pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	loop_timer_set(&m->sup->loop, &m->collect_timer, METRICS_COLLECT_MS, too_late);
	if (pid < 0)
		metrics_collect_end(m);
	return pid < 0 ? pid : 0;
}
