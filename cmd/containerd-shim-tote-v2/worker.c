/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/worker.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNALS_END 65 /* the kernel's last one is 64 */
/* A worker's way back, a container's cgroup with what is watched in it, a terminal's input; and for
 * connections that come meanwhile. */
#define FDS_BESIDE 12

/* The descriptors as an array, in the order of their members. */
union ends {
	struct io_fds io;
	int fds[IO_FDS];
};

union control {
	char space[CMSG_SPACE(IO_FDS * sizeof(int))];
	struct cmsghdr align;
};

static const struct io_fds no_ends = IO_FDS_NONE;

void workers_init(struct workers *all, struct loop *loop, void (*in_child)(void *ctx, int keep),
		  void *ctx)
{
	*all = (struct workers){ .loop = loop, .in_child = in_child, .ctx = ctx };
	list_init(&all->running);
}

void workers_raise_files(struct workers *all)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	all->files = limit;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		all->files.rlim_max = 0;
}

int workers_have_room(void)
{
	int fds[IO_FDS + FDS_BESIDE], r = 0;
	size_t count = 0;

	while (r == 0 && count < ARRAY_SIZE(fds)) {
		int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			r = -errno;
		else
			fds[count++] = fd;
	}
	while (count)
		close(fds[--count]);
	return r;
}

static int send_result(int sock, struct worker_result *result)
{
	union ends ends = { .io = result->io };
	union control control = { 0 };
	struct iovec iov = { result, sizeof(*result) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[IO_FDS];
	size_t count = 0;
	ssize_t n;

	for (size_t i = 0; i < IO_FDS; i++)
		if (ends.fds[i] >= 0)
			fds[count++] = ends.fds[i];
	if (count) {
		struct cmsghdr *head = &control.align;

		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* What the loop needs is not for hooks and containers: they would inherit it. */
static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < SIGNALS_END; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void work(struct workers *all, pid_t parent, int sock, pid_t *made,
			   void (*job)(void *arg, struct worker_result *result), void *arg)
{
	struct worker_result result = { .made = made, .io = no_ends };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for_list (other, &all->running, struct worker, link)
		close(other->source.fd);
	if (all->in_child)
		all->in_child(all->ctx, sock);
	reset_signals();
	if (all->files.rlim_max)
		setrlimit(RLIMIT_NOFILE, &all->files);
	job(arg, &result);
	/* Who reads it treats it as text. */
	result.err.msg[sizeof(result.err.msg) - 1] = '\0';
	_exit(send_result(sock, &result) < 0);
}

/* Those that came take the places that the sender had some in. False: some were lost. */
static bool take_fds(struct msghdr *msg, struct worker_result *result)
{
	union ends sent = { .io = result->io }, got = { .io = no_ends };
	struct cmsghdr *head = CMSG_FIRSTHDR(msg);
	size_t count = 0, used = 0;
	int fds[IO_FDS];

	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
		count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(head), count * sizeof(int));
	}
	for (size_t i = 0; i < IO_FDS; i++) {
		if (sent.fds[i] < 0)
			continue;
		if (used < count)
			got.fds[i] = fds[used];
		used++;
	}
	for (size_t i = used; i < count; i++)
		close(fds[i]);
	result->io = got.io;
	return used == count;
}

/* 1: a result; 0: none yet; -EIO: there will be none. */
static int receive(int sock, struct worker_result *result)
{
	union control control;
	struct iovec iov = { result, sizeof(*result) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n != (ssize_t)sizeof(*result))
		return -EIO;
	/* Too many are open here; what was made is to be undone. */
	if (!take_fds(&msg, result) && result->err.code == 0)
		err_set(&result->err, EMFILE, "take the standard streams: too many open files");
	return 1;
}

/* Their pids are ours to reap only as long as nobody reaps whatever comes: see workers.leaving. */
static void reap_leaving(struct workers *all)
{
	size_t left = 0;

	for (size_t i = 0; i < all->leaving_count; i++)
		if (waitpid(all->leaving[i], NULL, WNOHANG) == 0)
			all->leaving[left++] = all->leaving[i];
	all->leaving_count = list_empty(&all->running) ? 0 : left;
}

/* Its pid may be told ahead, in memory that both have. */
static pid_t *share_pid(void)
{
	pid_t *made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);

	return made == MAP_FAILED ? NULL : made;
}

static void forget_pid(pid_t **made)
{
	if (*made)
		munmap(*made, sizeof(**made));
	*made = NULL;
}

static void finish(struct worker *worker, struct worker_result *result, bool reaped)
{
	struct workers *all = worker->all;
	int sock = worker->source.fd;

	loop_remove(all->loop, &worker->source);
	close(sock);
	list_remove(&worker->link);
	forget_pid(&worker->made);
	reap_leaving(all);
	if (!reaped && !list_empty(&all->running) && all->leaving_count < ARRAY_SIZE(all->leaving))
		all->leaving[all->leaving_count++] = worker->pid;
	worker->pid = 0;
	/* One that ended in a pid namespace would keep its init from ending: not for later. */
	for (size_t i = 0; i < result->siblings.count; i++)
		waitpid(result->siblings.ended[i], NULL, WNOHANG);
	worker->done(worker, result);
}

/* True when it came to its end. reaped: nothing more can come than is there. */
static bool collect(struct worker *worker, bool reaped)
{
	struct worker_result result;
	int r = receive(worker->source.fd, &result);

	if (r == 0 && !reaped)
		return false;
	if (r <= 0) {
		result = (struct worker_result){ .io = no_ends };
		result.pid = worker->made ? *worker->made : 0;
		err_set(&result.err, EIO,
			"the process that was to do it ended without a word (killed?)");
	}
	finish(worker, &result, reaped);
	return true;
}

static void ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	collect(container_of(source, struct worker, source), false);
}

static int fork_worker(struct workers *all, int pair[2], pid_t *made,
		       void (*job)(void *arg, struct worker_result *result), void *arg)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		close(pair[0]);
		work(all, parent, pair[1], made, job, arg);
	}
	return pid < 0 ? -errno : pid;
}

int worker_begin(struct workers *all, struct worker *worker,
		 void (*job)(void *arg, struct worker_result *result), void *arg,
		 void (*done)(struct worker *worker, struct worker_result *result))
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* First, as there is no way back from a process that has begun its work. */
	r = loop_add(all->loop, &worker->source, pair[0], EPOLLIN, ready);
	if (r == 0) {
		worker->made = share_pid();
		r = fork_worker(all, pair, worker->made, job, arg);
		if (r < 0) {
			loop_remove(all->loop, &worker->source);
			forget_pid(&worker->made);
		}
	}
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	worker->all = all;
	worker->pid = r;
	worker->done = done;
	list_add(&all->running, &worker->link);
	return 0;
}

void workers_collect(struct workers *all)
{
	struct list *at = all->running.next;

	reap_leaving(all);
	/* From the start after each, as its callee may have begun and freed others. */
	while (at != &all->running) {
		struct worker *worker = container_of(at, struct worker, link);

		at = at->next;
		if (collect(worker, false))
			at = all->running.next;
	}
}

bool workers_reaped(struct workers *all, pid_t pid)
{
	for_list (worker, &all->running, struct worker, link)
		if (worker->pid == pid)
			return collect(worker, true);
	return false;
}
