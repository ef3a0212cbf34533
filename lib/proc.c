/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proc.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_START_TIME 22 /* proc(5) counts from 1 */

int proc_boot_id(char ret[37])
{
	/* It cannot change under a process, and every look at a container asks for it. */
	static char known[37];
	char text[64];
	ssize_t n;

	if (!known[0]) {
		n = file_peek(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text));
		if (n != 36)
			return n < 0 ? (int)n : -EINVAL;
		memcpy(known, text, sizeof(known));
	}
	memcpy(ret, known, sizeof(known));
	return 0;
}

/* The name in parentheses may hold anything, so fields are counted from the last ")". */
static int read_start_time(pid_t pid, uint64_t *ret, char *ret_state)
{
	char path[32], stat[1024];
	const char *p;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = file_peek(AT_FDCWD, path, stat, sizeof(stat));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	p = strrchr(stat, ')');
	if (!p || p[1] != ' ')
		return -EINVAL;
	p += 2;
	*ret_state = *p;
	for (int field = 3; field < STAT_START_TIME && p; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return -EINVAL;
	*ret = strtoull(p, NULL, 10);
	return 0;
}

int proc_identify(pid_t pid, struct proc_id *ret_id)
{
	struct proc_id id = { .pid = pid };
	char state;
	int r = read_start_time(pid, &id.start_time, &state);

	if (r == 0)
		r = proc_boot_id(id.boot_id);
	if (r == 0)
		*ret_id = id;
	return r;
}

static int check(const struct proc_id *id)
{
	uint64_t start_time;
	char state;
	int r = read_start_time(id->pid, &start_time, &state);

	if (r < 0)
		return r;
	return start_time == id->start_time && state != 'Z' && state != 'X' ? 0 : -ESRCH;
}

static int check_boot(const struct proc_id *id)
{
	char boot_id[37];
	int r = id->pid > 0 ? proc_boot_id(boot_id) : -ESRCH;

	return r < 0 ? r : strcmp(boot_id, id->boot_id) == 0 ? 0 : -ESRCH;
}

bool proc_other_boot(const struct proc_id *id)
{
	char boot_id[37];

	return id->boot_id[0] && proc_boot_id(boot_id) == 0 && strcmp(boot_id, id->boot_id) != 0;
}

bool proc_alive(const struct proc_id *id)
{
	return id->pid > 0 && check(id) != -ESRCH && check_boot(id) != -ESRCH;
}

int proc_open(const struct proc_id *id)
{
	autofd fd = -1;
	int r = check_boot(id);

	if (r < 0)
		return r;
	fd = pidfd_open(id->pid, 0);
	/* EINVAL: no process, but still the number of somebody's group or session (ESRCH in newer
	 * kernels; seen on 6.1). */
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	/* Judged after the pidfd is held: from here on the pid cannot change hands under us. */
	r = check(id);
	return r < 0 ? r : take_fd(&fd);
}

int proc_signal(int pidfd, int sig)
{
	return pidfd_send_signal(pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int proc_wait(int pidfd)
{
	siginfo_t si = { 0 };

	while (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
}

int proc_wait_gone(int pidfd, int timeout_ms)
{
	return fd_wait_readable(pidfd, timeout_ms);
}

struct surroundings {
	int in, out, err;
	const char *dir; /* NULL: ours */
};

_Noreturn static void run_child(const char *path, char *const argv[], char *const envp[],
				const struct surroundings *io)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(io->in, STDIN_FILENO) < 0 || dup2(io->out, STDOUT_FILENO) < 0 ||
	    dup2(io->err, STDERR_FILENO) < 0)
		_exit(127);
	if (io->dir && chdir(io->dir) < 0 && chdir("/") < 0)
		_exit(127);
	/* Whatever our caller left open is not for helpers and hooks. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execve(path, argv, envp ? envp : environ);
	_exit(127);
}

static int start_in(const char *dir, const char *path, char *const argv[], char *const envp[],
		    int in_fd, bool want_out, struct proc_helper *ret, struct err *err)
{
	/* Our stdout is the container's, or holds the data that was asked for: no place for helpers
	 * and hooks to chat. */
	autofd said = memfd_create("stderr", MFD_CLOEXEC);
	autofd out = want_out ? memfd_create("stdout", MFD_CLOEXEC)
			      : fd_open(AT_FDCWD, "/dev/null", O_WRONLY);
	autofd null = in_fd < 0 ? fd_open(AT_FDCWD, "/dev/null", O_RDONLY) : -1;
	struct surroundings io = { in_fd < 0 ? null : in_fd, out, said, dir };
	pid_t pid;

	if (io.in < 0 || out < 0 || said < 0)
		return err_errno(err, "run %s", path);
	pid = fork();
	if (pid < 0)
		return err_errno(err, "run %s", path);
	if (pid == 0)
		run_child(path, argv, envp, &io);
	*ret = (struct proc_helper){ path, pid, take_fd(&out), take_fd(&said) };
	return 0;
}

int proc_start(const char *path, char *const argv[], char *const envp[], int in_fd, bool want_out,
	       struct proc_helper *ret, struct err *err)
{
	return start_in(NULL, path, argv, envp, in_fd, want_out, ret, err);
}

static void first_line(int fd, char *text, size_t size)
{
	ssize_t n = lseek(fd, 0, SEEK_SET) == 0 ? fd_read_full(fd, text, size - 1) : 0;

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static int take_output(int fd, struct buf *ret_out)
{
	off_t size = lseek(fd, 0, SEEK_END);
	ssize_t n;

	if (size < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	n = fd_read_full(fd, buf_reserve(ret_out, (size_t)size), (size_t)size);
	if (n > 0)
		ret_out->len += (size_t)n;
	return n < 0 ? (int)n : 0;
}

/* Its end as an exit code; killed when it takes longer than it may. */
static int wait_in_time(pid_t pid, int timeout_ms)
{
	autofd pidfd = pidfd_open(pid, 0);

	if (pidfd < 0) {
		int code = -errno;

		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return code;
	}
	if (timeout_ms >= 0 && fd_wait_readable(pidfd, timeout_ms) == 0) {
		kill(pid, SIGKILL);
		proc_wait(pidfd);
		return -ETIMEDOUT;
	}
	return proc_wait(pidfd);
}

int proc_end(struct proc_helper *h, int timeout_ms, struct buf *ret_out, struct err *err)
{
	autofd out = take_fd(&h->out), said_fd = take_fd(&h->said);
	int r = wait_in_time(h->pid, timeout_ms);
	char said[256];

	h->pid = 0;
	if (r == -ETIMEDOUT)
		return err_set(err, ETIMEDOUT, "run %s: timed out after %d ms", h->path,
			       timeout_ms);
	if (r == 0 && ret_out)
		r = take_output(out, ret_out);
	if (r <= 0)
		return r < 0 ? err_code(err, r, "run %s", h->path) : 0;
	first_line(said_fd, said, sizeof(said));
	err_set(err, EIO, "%s ended with code %d%s%s", h->path, r, said[0] ? ": " : "", said);
	return r;
}

/* Its stdin: a memfd, so that a program that does not read cannot block us. */
static int input_fd(const char *input)
{
	autofd fd = memfd_create("stdin", MFD_CLOEXEC);
	int r = fd < 0 ? -1 : fd_write_full(fd, input, strlen(input));

	return r < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -1 : take_fd(&fd);
}

int proc_run_in(const char *dir, const char *path, char *const argv[], char *const envp[],
		const char *input, int timeout_ms, struct buf *ret_out, struct err *err)
{
	autofd in = input ? input_fd(input) : -1;
	struct proc_helper h;
	int r;

	if (input && in < 0)
		return err_errno(err, "run %s", path);
	r = start_in(dir, path, argv, envp, in, ret_out, &h, err);
	return r < 0 ? r : proc_end(&h, timeout_ms, ret_out, err);
}

int proc_run(const char *path, char *const argv[], char *const envp[], const char *input,
	     int timeout_ms, struct buf *ret_out, struct err *err)
{
	return proc_run_in(NULL, path, argv, envp, input, timeout_ms, ret_out, err);
}

int proc_sibling(const char *name, char *ret_path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret_path, size - 1);
	char *slash;

	if (n < 0)
		return -errno;
	ret_path[n] = '\0';
	slash = strrchr(ret_path, '/');
	slash = slash ? slash + 1 : ret_path;
	if (strlen(name) >= size - (size_t)(slash - ret_path))
		return -ENAMETOOLONG;
	strcpy(slash, name);
	return 0;
}

char *proc_find(const char *name, struct arena *a)
{
	const char *path = getenv("PATH");
	char *rest = arena_strdup(a, path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"), *dir;

	while ((dir = strsep(&rest, ":"))) {
		char *file = arena_printf(a, "%s/%s", *dir ? dir : ".", name);

		if (access(file, X_OK) == 0)
			return file;
	}
	return NULL;
}
