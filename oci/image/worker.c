/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/worker.h"

#include "lib/cleanup.h"
#include "lib/proc.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker_report {
	int result; /* of run(), once it is done */
	bool done;
	struct err err;
};

void *worker_share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void worker_unshare(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static _Noreturn void work(const struct confine_opts *opts, int (*run)(void *arg, struct err *err),
			   void *arg, pid_t parent, struct worker_report *report)
{
	/* Nobody would take the result. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	report->result = confine(opts, &report->err);
	if (report->result == 0)
		report->result = run(arg, &report->err);
	report->done = true;
	_exit(0);
}

int worker_start(const struct confine_opts *opts, int (*run)(void *arg, struct err *err), void *arg,
		 struct worker *ret, struct err *err)
{
	struct worker_report *report = worker_share(sizeof(*report));
	pid_t parent = getpid(), pid;
	int pidfd;

	if (!report)
		return err_errno(err, "share memory with a process");
	pid = fork();
	if (pid == 0)
		work(opts, run, arg, parent, report);
	if (pid < 0) {
		err_errno(err, "fork");
		worker_unshare(report, sizeof(*report));
		return err->code;
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	*ret = (struct worker){ pid, pidfd, report };
	if (pidfd < 0) {
		err_errno(err, "pidfd_open (needs Linux >= 5.3)");
		worker_kill(ret);
		return err->code;
	}
	return 0;
}

static int reap(struct worker *w)
{
	int status = 0;

	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (w->pidfd >= 0)
		close(w->pidfd);
	w->pid = 0;
	w->pidfd = -1;
	return status;
}

/* Only the first says something about what it read. */
static int died(int status, struct err *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return err_set(err, EBADMSG,
			       "the process that read it was killed: it tried what it must not");
	if (WIFSIGNALED(status))
		return err_set(err, ECHILD, "the process that read it was killed by signal %d",
			       WTERMSIG(status));
	return err_set(err, ENOMEM,
		       "the process that read it ended early: it ran out of the memory that it may "
		       "use");
}

int worker_wait(struct worker *w, struct err *err)
{
	int status = reap(w), r;

	if (w->report->done)
		r = w->report->result ? confine_failed(w->report->result, &w->report->err, err) : 0;
	else
		r = died(status, err);
	worker_unshare(w->report, sizeof(*w->report));
	w->report = NULL;
	return r;
}

void worker_kill(struct worker *w)
{
	if (!w->pid)
		return;
	kill(w->pid, SIGKILL);
	reap(w);
	worker_unshare(w->report, sizeof(*w->report));
	w->report = NULL;
}
