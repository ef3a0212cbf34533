/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct rlimit files;

void spawn_more_files(void)
{
	struct rlimit more;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	more = files;
	more.rlim_cur = more.rlim_max;
	setrlimit(RLIMIT_NOFILE, &more);
}

static void reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Ours may be less than others' (OOMScoreAdjust= of the unit); what joins a container must not have it. */
static void expose(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* Raising it is always allowed. */
	if (fd >= 0 && write(fd, "0", 1) < 0)
		return;
	if (fd >= 0)
		close(fd);
}

static _Noreturn void child(const char *path, char *const argv[], int out_fd, int err_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	reset_signals();
	/* Ctrl-C of a terminal is for us, who stop everything in order. */
	setsid();
	if (files.rlim_max)
		setrlimit(RLIMIT_NOFILE, &files);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out_fd >= 0 ? out_fd : null, 1) < 0 ||
	    (err_fd >= 0 && dup2(err_fd, 2) < 0))
		_exit(126);
	/* Linux 5.11; before it, all of ours are close-on-exec anyway. */
	syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	execv(path, argv);
	_exit(127);
}

/* Not by fork(2): copying our page tables, and then our pages as they change, costs more than all else
 * here, and a probe may come every second. What the child does until its exec is but system calls. */
pid_t spawn(const char *path, char *const argv[], int out_fd, int err_fd)
{
	pid_t pid = vfork();

	if (pid == 0) {
		expose();
		child(path, argv, out_fd, err_fd);
	}
	return pid < 0 ? -errno : pid;
}

pid_t spawn_important(const char *path, char *const argv[])
{
	pid_t pid = vfork();

	if (pid == 0)
		child(path, argv, -1, -1);
	return pid < 0 ? -errno : pid;
}
