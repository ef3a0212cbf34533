/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks hostile layers beside a canary tree, and judges: nothing outside the root may change,
 * nothing may crash or take more than 10 s. tests/image/hostile.py makes them; the name of a file
 * says what is expected: ok-*, bad-* (an error), any-*.
 *
 *     hostile WORK bare|confined|control FILE.tar...
 *
 * bare: the extractor alone, without the walls around it, as they would hide its escapes. control:
 * GNU tar -P, to show that the rig sees an escape. WORK/canary and WORK/root are made here.
 */
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECONDS 10
#define ENTRIES 50000
#define BYTES ((uint64_t)256 << 20)

static const char *work;
static int root_fd;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static char *join(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", work, name) < 0)
		die("asprintf");
	return path;
}

/* All there is to know of a tree, but atimes. */
static void describe(int dir_fd, const char *name, struct buf *ret)
{
	char data[4096];
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		die(name);
	buf_addf(ret, "%s %lu %o %u:%u %lu %lu %ld.%09ld %ld.%09ld", name, (unsigned long)st.st_ino,
		 st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink,
		 (unsigned long)st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		 st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	if (S_ISREG(st.st_mode)) {
		autofd fd = fd_open(dir_fd, name, O_RDONLY | O_NOATIME);
		ssize_t n = fd_read_full(fd, data, sizeof(data));

		if (n < 0)
			die(name);
		buf_add(ret, data, (size_t)n);
	}
	buf_add(ret, "\n", 1);
	if (S_ISDIR(st.st_mode)) {
		DIR *dir = fdopendir(fd_open(dir_fd, name, O_RDONLY | O_DIRECTORY));
		struct dirent *d;

		while (dir && (d = readdir(dir)))
			if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
				describe(dirfd(dir), d->d_name, ret);
		closedir(dir);
	}
}

static void make_file(int dir, const char *name, const char *text, mode_t mode)
{
	autofd fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (fd < 0 || fd_write_full(fd, text, strlen(text)) < 0)
		die(name);
}

static void make_canary(void)
{
	autofree char *path = join("canary");
	autofd fd = -1;

	if (mkdir(path, 0755) < 0 || (fd = open(path, O_RDONLY | O_DIRECTORY)) < 0)
		die(path);
	make_file(fd, "secret", "nobody may change this\n", 0600);
	make_file(fd, "script", "#!/bin/sh\n", 0755);
	if (mkdirat(fd, "dir", 0700) < 0 || mkdirat(fd, "empty", 0755) < 0 ||
	    symlinkat("secret", fd, "link") < 0 || mkfifoat(fd, "fifo", 0600) < 0)
		die("canary");
	make_file(fd, "dir/file", "nor this\n", 0644);
}

/* The canary, and that nothing else appeared beside it. */
static void snapshot(struct buf *ret)
{
	autofd fd = open(work, O_RDONLY | O_DIRECTORY);
	struct dirent *d;
	DIR *dir;

	describe(fd, "canary", ret);
	dir = fdopendir(dup(fd));
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			buf_addf(ret, "%s\n", d->d_name);
	closedir(dir);
}

static void run(char *const argv[])
{
	pid_t pid = fork();
	int null;

	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		alarm(SECONDS);
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void new_root(void)
{
	autofree char *path = join("root");

	run((char *[]){ (char *)"rm", (char *)"-rf", path, NULL });
	if (root_fd > 0)
		close(root_fd);
	if (mkdir(path, 0755) < 0 || (root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die(path);
}

struct bare {
	struct stream *stream;
};

static ssize_t pull(void *arg, const void **ret, struct err *err)
{
	return stream_next(((struct bare *)arg)->stream, ret, err);
}

static int extract_bare(const struct unpack_opts *opts, struct err *err)
{
	struct extract_result result;
	struct stream_result whole;
	struct bare b;
	struct extract *x;
	int r = stream_open(&opts->stream, &b.stream, err);

	if (r < 0)
		return r;
	r = extract_new(&opts->extract, &x, err);
	if (r == 0)
		r = extract_archive(x, pull, &b, err);
	if (r == 0)
		r = extract_finish(x, &result, err);
	if (x)
		extract_free(x);
	if (r == 0)
		r = stream_finish(b.stream, &whole, err);
	stream_close(b.stream);
	return r;
}

/* 0, -errno, or 1 with words when it crashed or hung. */
static int run_bare(const struct unpack_opts *opts, struct err *err)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit as = { (rlim_t)100 << 20, (rlim_t)100 << 20 };

		setrlimit(RLIMIT_AS, &as);
		alarm(SECONDS);
		_exit(extract_bare(opts, err) < 0 ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return err_set(err, 1, "died: status %x", status), 1;
	return WEXITSTATUS(status) ? err_set(err, EINVAL, "refused") : 0;
}

static int run_confined(const struct unpack_opts *opts, struct err *err)
{
	struct unpack_result result;
	struct unpack u;
	struct pollfd p;
	int r = unpack_start(opts, &u, err);

	if (r < 0)
		return err_prefix(err, "start"), 1;
	p = (struct pollfd){ .fd = u.pidfd, .events = POLLIN };
	if (poll(&p, 1, SECONDS * 1000) != 1) {
		unpack_kill(&u);
		return err_set(err, 1, "took more than %d s", SECONDS), 1;
	}
	r = unpack_wait(&u, &result, err);
	/* A limit that was hit is an error; a crash, or a call that it must not make, is not. */
	if (r == -EBADMSG && strstr(err->msg, "the process that unpacked"))
		return 1;
	return r;
}

/* Whatever escapes, and GNU tar is here to escape, finds nothing outside of WORK that can be written: a layer of /etc/passwd is
 * unpacked by root. */
static void contain(void)
{
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(work, work, NULL, MS_BIND, NULL) < 0)
		die("contain");
	/* Linux 5.12; glibc 2.36 */
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof(read_only)) < 0 ||
	    mount_setattr(AT_FDCWD, work, 0, &writable, sizeof(writable)) < 0)
		die("mount_setattr");
	if (open("/etc/passwd", O_WRONLY | O_CLOEXEC) >= 0 || errno != EROFS)
		die("/etc/passwd can be written");
}

static int run_control(const char *file)
{
	autofree char *root = join("root");

	run((char *[]){ (char *)"tar", (char *)"-P", (char *)"-xf", (char *)file, (char *)"-C",
			root, NULL });
	return 0;
}

static int run_case(const char *mode, const char *file, struct err *err)
{
	autofd fd = open(file, O_RDONLY | O_CLOEXEC);
	struct unpack_opts opts = {
		.stream = { .fd = fd, .split_fd = -1, .max_bytes = BYTES },
		.extract = { .keep_ids = true, .max_entries = ENTRIES, .max_bytes = BYTES },
	};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(file);
	new_root();
	opts.stream.size = (uint64_t)st.st_size;
	opts.extract.root_fd = root_fd;
	if (strcmp(mode, "control") == 0)
		return run_control(file);
	return strcmp(mode, "bare") == 0 ? run_bare(&opts, err) : run_confined(&opts, err);
}

static const char *judge(const char *file, int r)
{
	const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;

	if (r > 0)
		return "CRASH";
	if (strncmp(name, "ok-", 3) == 0 && r < 0)
		return "REFUSED";
	return strncmp(name, "bad-", 4) == 0 && r == 0 ? "ACCEPTED" : NULL;
}

int main(int argc, char **argv)
{
	int refused = 0, failed = 0, escaped = 0;
	autobuf before = BUF_INIT;
	struct rusage usage;
	bool control;

	if (argc < 4)
		return 2;
	work = argv[1];
	control = strcmp(argv[2], "control") == 0;
	contain();
	make_canary();
	new_root();
	snapshot(&before);
	for (int i = 3; i < argc; i++) {
		struct err err = { 0 };
		int r = run_case(argv[2], argv[i], &err);
		const char *verdict = control ? NULL : judge(argv[i], r);
		autobuf after = BUF_INIT;

		snapshot(&after);
		if (after.len != before.len || memcmp(after.data, before.data, after.len) != 0) {
			escaped++;
			buf_reset(&before);
			buf_add(&before, after.data, after.len);
			if (!control)
				printf("ESCAPE %s\n", argv[i]);
		}
		if (verdict)
			printf("%s %s: %s\n", verdict, argv[i], err.msg);
		else if (getenv("VERBOSE"))
			printf("%d %s: %s\n", r, argv[i], err.msg);
		failed += verdict != NULL;
		refused += r < 0;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("%d cases, %d refused, %d failed, %d escaped, %ld KiB\n", argc - 3, refused, failed,
	       escaped, usage.ru_maxrss);
	return failed || (escaped && !control);
}
