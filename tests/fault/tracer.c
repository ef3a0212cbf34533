/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/fault.h"

#include "lib/cleanup.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>

/* How long stopped or dying tasks are waited for once the command has ended. */
#define DRAIN_SECONDS 2.0

enum mode {
	MODE_TRACE,
	MODE_DETACH, /* the main process has ended: the others go on alone */
	MODE_KILL,
};

struct task {
	pid_t pid;
	bool set_result; /* the result of the call it is in will be -opts->err */
};

struct tracer {
	const struct fault_opts *opts;
	enum mode mode;
	pid_t main_pid;
	bool main_ended;
	int main_status; /* as of waitpid(2) */
	bool started;	 /* the command's own program runs */
	bool hit;
	bool timed_out;
	uint64_t count;
	struct task *tasks;
	size_t n_tasks;
	size_t max_tasks;
};

static volatile sig_atomic_t expired;

static void on_alarm(int sig)
{
	(void)sig;
	expired = 1;
}

/* The timer repeats: a tick that comes just before waitpid(2) blocks is followed by another. */
static void timer_start(double seconds)
{
	struct itimerval timer = { .it_interval.tv_usec = 50000 };

	expired = 0;
	timer.it_value.tv_sec = (time_t)seconds;
	timer.it_value.tv_usec = (suseconds_t)((seconds - (double)timer.it_value.tv_sec) * 1e6);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static struct task *task_find(struct tracer *t, pid_t pid)
{
	for (size_t i = 0; i < t->n_tasks; i++)
		if (t->tasks[i].pid == pid)
			return &t->tasks[i];
	return NULL;
}

/* Finds or adds. Pointers to other tasks become invalid. */
static struct task *task_get(struct tracer *t, pid_t pid)
{
	struct task *task = task_find(t, pid);

	if (task)
		return task;
	if (t->n_tasks == t->max_tasks) {
		t->max_tasks = t->max_tasks ? 2 * t->max_tasks : 16;
		t->tasks = reallocarray(t->tasks, t->max_tasks, sizeof(*t->tasks));
		if (!t->tasks) {
			perror("fault: realloc");
			exit(EXIT_FAULT); /* PTRACE_O_EXITKILL ends the tasks */
		}
	}
	task = &t->tasks[t->n_tasks++];
	*task = (struct task){ .pid = pid };
	return task;
}

static void task_drop(struct tracer *t, pid_t pid)
{
	struct task *task = task_find(t, pid);

	if (task)
		*task = t->tasks[--t->n_tasks];
}

static bool counts(const struct tracer *t, const struct task *task)
{
	if (!t->started || t->hit || t->opts->action == FAULT_ENOSYS)
		return false;
	return t->opts->children || task->pid == t->main_pid;
}

/* A task that is gone meanwhile (ESRCH) was killed, and waitpid(2) will say so. */
static void task_resume(struct tracer *t, const struct task *task, int sig)
{
	bool calls = counts(t, task) || task->set_result;

	ptrace(calls ? PTRACE_SYSCALL : PTRACE_CONT, task->pid, NULL, sig);
}

static void kill_all(struct tracer *t)
{
	t->mode = MODE_KILL;
	for (size_t i = 0; i < t->n_tasks; i++)
		kill(t->tasks[i].pid, SIGKILL);
}

/* Only a stopped task can be detached, so that each is made to stop; a zombie or a gone one needs
 * nothing. */
static void detach_all(struct tracer *t)
{
	t->mode = MODE_DETACH;
	timer_start(DRAIN_SECONDS);
	for (size_t i = t->n_tasks; i-- > 0;)
		if (ptrace(PTRACE_INTERRUPT, t->tasks[i].pid, NULL, 0) < 0)
			task_drop(t, t->tasks[i].pid);
}

static void report(const struct tracer *t, pid_t pid, uint64_t nr, const char *note)
{
	char buf[24];

	if (!t->opts->verbose)
		return;
	fprintf(stderr, "%llu: %d %s%s\n", (unsigned long long)t->count, pid,
		call_name(nr, buf, sizeof(buf)), note);
}

static void inject(struct tracer *t, struct task *task, uint64_t nr, bool native)
{
	enum call_kind kind = native ? call_kind(nr, t->opts->err) : CALL_NONE;

	report(t, task->pid, nr, kind == CALL_NONE ? " (not injected)" : "");
	if (kind == CALL_NONE)
		return;
	task->set_result = kind == CALL_RUN || regs_skip_call(task->pid) == 0;
}

static void on_entry(struct tracer *t, struct task *task, uint64_t nr, bool native)
{
	if (t->mode != MODE_TRACE || !counts(t, task))
		return;
	t->count++;
	if (t->opts->action == FAULT_COUNT || t->count != t->opts->nth)
		return;
	t->hit = true;
	if (t->opts->action == FAULT_FAIL) {
		inject(t, task, nr, native);
		return;
	}
	report(t, task->pid, nr, "");
	/* A task killed in this stop does not execute the call. */
	kill(task->pid, SIGKILL);
	if (t->opts->all)
		kill_all(t);
}

static void on_syscall(struct tracer *t, struct task *task)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->pid, sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		on_entry(t, task, info.entry.nr, info.arch == regs_arch());
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && task->set_result) {
		regs_set_result(task->pid, -t->opts->err);
		task->set_result = false;
	}
}

/* With -v the filter asks the tracer, which is how the hits can be told. */
static void on_seccomp(struct tracer *t, const struct task *task)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->pid, sizeof(info), &info) < 0)
		return;
	t->count++;
	report(t, task->pid, info.seccomp.nr, "");
	regs_skip_call(task->pid);
	regs_set_result(task->pid, -ENOSYS);
}

/* An exec by a thread takes over the leader's id: the thread's own is gone, and no exit status will
 * tell. */
static void on_exec(struct tracer *t, pid_t pid)
{
	unsigned long former;

	if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &former) == 0 && (pid_t)former != pid)
		task_drop(t, (pid_t)former);
	if (pid == t->main_pid)
		t->started = true;
}

/* Returns true when the stop is a group-stop, in which the task has to stay. */
static bool on_event(struct tracer *t, pid_t pid, int event, int sig)
{
	unsigned long child;

	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		/* Known before its first stop, so that it cannot be forgotten when the main process
		 * ends. */
		if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) == 0 && child != 0)
			task_get(t, (pid_t)child);
		return false;
	case PTRACE_EVENT_EXEC:
		on_exec(t, pid);
		return false;
	case PTRACE_EVENT_SECCOMP:
		on_seccomp(t, task_get(t, pid));
		return false;
	case PTRACE_EVENT_STOP:
		return sig != SIGTRAP;
	default:
		return false;
	}
}

static void on_stop(struct tracer *t, pid_t pid, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);
	bool group_stop = false;

	task_get(t, pid);
	if (event != 0) {
		group_stop = on_event(t, pid, event, sig);
		sig = 0;
	} else if (sig == (SIGTRAP | 0x80)) {
		on_syscall(t, task_get(t, pid));
		sig = 0;
	}
	switch (t->mode) {
	case MODE_TRACE:
		if (group_stop)
			ptrace(PTRACE_LISTEN, pid, NULL, 0);
		else
			task_resume(t, task_get(t, pid), sig);
		break;
	case MODE_DETACH:
		ptrace(PTRACE_DETACH, pid, NULL, sig);
		task_drop(t, pid);
		break;
	case MODE_KILL:
		kill(pid, SIGKILL);
		break;
	}
}

static void on_end(struct tracer *t, pid_t pid, int status)
{
	/* A child of the command made with CLONE_PARENT is this process's child, and may be no
	 * tracee. */
	task_drop(t, pid);
	if (pid != t->main_pid)
		return;
	t->main_ended = true;
	t->main_status = status;
	if (t->mode == MODE_TRACE)
		detach_all(t);
}

/* Returns false when waiting is over. */
static bool on_expiry(struct tracer *t)
{
	if (t->mode == MODE_DETACH || t->timed_out)
		return false;
	t->timed_out = true;
	kill_all(t);
	timer_start(DRAIN_SECONDS);
	return true;
}

static void trace_loop(struct tracer *t)
{
	while (t->n_tasks > 0) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno != EINTR)
			return;
		if (expired && !on_expiry(t))
			return;
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status))
			on_stop(t, pid, status);
		else
			on_end(t, pid, status);
	}
}

/* The child: waits until it is traced, then becomes the command. */
static void __attribute__((noreturn)) become_command(const struct fault_opts *opts, int go)
{
	char byte;

	/* The end of the pipe without a byte: the tracer has failed. */
	if (read(go, &byte, 1) != 1)
		_exit(EXIT_FAULT);
	/* The number has stdout for itself, and a detached container must not keep a $(fault count)
	 * waiting. */
	if (opts->action == FAULT_COUNT)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	if (opts->action == FAULT_ENOSYS) {
		uint32_t action = opts->verbose ? SECCOMP_RET_TRACE : SECCOMP_RET_ERRNO | ENOSYS;
		int r = call_filter(opts->calls, opts->n_calls, action);

		if (r < 0) {
			fprintf(stderr, "fault: cannot install the seccomp filter: %s\n",
				strerror(-r));
			_exit(EXIT_FAULT);
		}
	}
	execvp(opts->argv[0], opts->argv);
	fprintf(stderr, "fault: cannot execute %s: %m\n", opts->argv[0]);
	_exit(errno == ENOENT ? EXIT_NOENT : EXIT_NOEXEC);
}

static int attach(const struct fault_opts *opts, pid_t pid)
{
	unsigned long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;

	if (opts->children || opts->all || opts->action == FAULT_ENOSYS)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	/* Without this option the kernel answers ENOSYS by itself, also when nobody traces any
	 * more. */
	if (opts->action == FAULT_ENOSYS && opts->verbose)
		options |= PTRACE_O_TRACESECCOMP;
	return ptrace(PTRACE_SEIZE, pid, NULL, options) < 0 ? -errno : 0;
}

static int exit_code(const struct tracer *t)
{
	if (t->timed_out)
		return EXIT_TIMEOUT;
	if (!t->main_ended)
		return EXIT_FAULT;
	return WIFEXITED(t->main_status) ? WEXITSTATUS(t->main_status)
					 : 128 + WTERMSIG(t->main_status);
}

/* Starts the command, traced, and returns its pid or -errno. */
static pid_t start_command(const struct fault_opts *opts)
{
	int go[2], r;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		become_command(opts, go[0]);
	}
	close(go[0]);
	r = pid < 0 ? -errno : attach(opts, pid);
	if (r == 0 && write(go[1], "", 1) != 1)
		r = -errno;
	close(go[1]);
	return r < 0 ? r : pid;
}

int trace_run(const struct fault_opts *opts, uint64_t *ret_count)
{
	struct sigaction alarm_action = { .sa_handler = on_alarm };
	struct tracer t = { .opts = opts };
	sigset_t alarm_set;

	t.main_pid = start_command(opts);
	if (t.main_pid < 0) {
		fprintf(stderr, "fault: cannot trace %s: %s\n", opts->argv[0],
			strerror(-t.main_pid));
		return EXIT_FAULT;
	}
	/* After the fork: the command inherits signals as they were. An ignored SIGCHLD would lose
	 * exit statuses. */
	signal(SIGCHLD, SIG_DFL);
	sigaction(SIGALRM, &alarm_action, NULL);
	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm_set, NULL);

	task_get(&t, t.main_pid);
	timer_start(opts->timeout);
	trace_loop(&t);
	free(t.tasks);
	*ret_count = t.count;
	return exit_code(&t);
}
