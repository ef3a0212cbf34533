// SPDX-License-Identifier: Apache-2.0
// The hostile process of a container: it looks at every new process through /proc, ptrace and
// pidfds, and says what it got hold of that is the host's.
//   exec_attack SECONDS
// Prints "GOT what" for each thing it should not have, "SEEN n" processes and "LOOKED n" times at
// the end.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 8

static volatile sig_atomic_t stop;
static unsigned long seen, looked;
static char own_exe[256];

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int join(char *out, size_t size, int pid, const char *rest)
{
	return snprintf(out, size, "/proc/%d/%s", pid, rest);
}

/* A file that is the container's own, or nobody's: a link of procfs shows "/" and names for what is
 * within reach. */
static int is_ours(const char *target)
{
	struct stat st;

	return strncmp(target, "pipe:", 5) == 0 || strncmp(target, "anon_inode:", 11) == 0 ||
	       (target[0] == '/' && lstat(target, &st) == 0);
}

static void look_at_exe(int pid)
{
	char path[64], target[4096];
	struct statfs fs;
	ssize_t n;
	int fd;

	join(path, sizeof(path), pid, "exe");
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	/* tote-init's sealed memfd may be seen; it must not be writable. */
	fd = open(path, O_WRONLY);
	if (fd >= 0 && !is_ours(target)) {
		if (write(fd, "#", 1) == 1)
			printf("GOT a written executable %s\n", target);
		close(fd);
	}
	if (strstr(target, "memfd:") || is_ours(target))
		return;
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		fstatfs(fd, &fs);
		printf("GOT the host's executable %s\n", target);
		close(fd);
	}
}

static void look_at_fds(int pid)
{
	char path[64], target[4096];
	struct dirent *d;
	DIR *dir;

	join(path, sizeof(path), pid, "fd");
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir))) {
		char name[400];
		struct stat st;
		ssize_t n;
		int fd;

		/* Standard input, output and error are meant for the container. */
		if (d->d_name[0] < '3' || d->d_name[0] > '9')
			if (strlen(d->d_name) < 2)
				continue;
		if (d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		n = readlink(name, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (is_ours(target) || strcmp(target, "/") == 0)
			continue;
		fd = open(name, O_PATH);
		if (fd >= 0 && fstat(fd, &st) == 0)
			printf("GOT descriptor %s -> %s\n", d->d_name, target);
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
}

static void look_at_memory(int pid)
{
	static const char *const files[] = { "environ", "maps", "mem" };
	char path[64], data[4096];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		ssize_t n;
		int fd;

		join(path, sizeof(path), pid, files[i]);
		fd = open(path, i == 2 ? O_RDWR : O_RDONLY);
		if (fd < 0)
			continue;
		n = read(fd, data, sizeof(data) - 1);
		data[n > 0 ? n : 0] = '\0';
		for (ssize_t k = 0; k < n; k++)
			if (!data[k])
				data[k] = ' ';
		if (strstr(data, "CANARY_SECRET") || strstr(data, "/tote\n"))
			printf("GOT %s of the host's process\n", files[i]);
		close(fd);
	}
}

static void take_descriptors(int pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int n = 3; pidfd >= 0 && n < 32; n++) {
		int fd = (int)syscall(SYS_pidfd_getfd, pidfd, n, 0);
		char path[64], target[4096];
		ssize_t len;

		if (fd < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		if (!is_ours(target))
			printf("GOT descriptor %d -> %s by pidfd_getfd\n", n, target);
		close(fd);
	}
	if (pidfd >= 0)
		close(pidfd);
}

static void attach(int pid)
{
	char path[64], target[4096];
	ssize_t n;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return;
	join(path, sizeof(path), pid, "exe");
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	if (n > 0 && !is_ours(target))
		printf("GOT ptrace of %s\n", target);
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, NULL, __WALL);
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

static void look(int pid)
{
	looked++;
	look_at_exe(pid);
	look_at_fds(pid);
	look_at_memory(pid);
	take_descriptors(pid);
	if (looked % 4 == 0)
		attach(pid);
}

/* The last pid that was handed out in our pid namespace. */
static int newest(void)
{
	char text[128] = "";
	int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	const char *number;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		printf("GOT nowhere: /proc/loadavg: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	number = strrchr(text, ' ');
	return number ? atoi(number) : 0;
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atof(argv[1]) : 5);
	int last = getpid(), pid;
	unsigned long before;
	unsigned int round = 0;

	signal(SIGTERM, on_term);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (readlink("/proc/self/exe", own_exe, sizeof(own_exe) - 1) < 0)
		return 2;
	printf("READY\n");
	while (!stop && now() < end) {
		/* Pids are handed out in order: the next ones are where a new process appears
		 * first. */
		for (pid = last + 1; pid <= last + WINDOW; pid++) {
			if (kill(pid, 0) < 0 && errno == ESRCH)
				continue;
			seen++;
			before = looked;
			while (!stop && (kill(pid, 0) == 0 || errno == EPERM) && now() < end) {
				look(pid);
				if (looked - before > 1000)
					break;
			}
			last = pid;
		}
		/* On a busy machine more may have come and gone than the window spans, and at the
		 * limit the numbers start again. */
		if (++round % 64)
			continue;
		pid = newest();
		if (pid > last + WINDOW || pid < last)
			last = pid - 1;
	}
	printf("SEEN %lu\nLOOKED %lu\n", seen, looked);
	return 0;
}
