/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/unpack.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/proc.h"
#include "oci/image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* Buffers, long names, the stacks of threads; not the 474 MB that libarchive takes for a sparse map
 * of 39 KB. Tight, as libarchive goes on for a while when memory is out. */
#define MEMORY ((size_t)64 << 20)
#define ZSTD_MEMORY ((size_t)136 << 20) /* the largest window, 128 MiB */
/* What lib/ and libarchive end the process with. */
#define OUT_OF_MEMORY 255
#define OUT_OF_MEMORY_ARCHIVE 1

/* Written in one piece, as it is shorter than PIPE_BUF. */
struct message {
	int code; /* 0, or err has words */
	struct err err;
	struct unpack_result result;
};

static ssize_t pull(void *arg, const void **ret, struct err *err)
{
	return stream_next(arg, ret, err);
}

static int run_layer(struct stream *s, const struct extract_opts *opts, struct unpack_result *ret,
		     struct err *err)
{
	struct extract *x;
	int r = extract_new(opts, &x, err);

	if (r < 0)
		return r;
	r = extract_archive(x, pull, s, err);
	if (r == 0)
		r = extract_finish(x, &ret->extract, err);
	if (r == 0)
		r = stream_finish(s, &ret->stream, err);
	extract_free(x);
	return r;
}

static int run(const struct unpack_opts *opts, struct unpack_result *ret, struct err *err)
{
	struct stream *s;
	int r = stream_open(&opts->stream, &s, err);

	if (r < 0)
		return r;
	r = run_layer(s, &opts->extract, ret, err);
	stream_close(s);
	return r;
}

static size_t memory_of(const struct stream_opts *opts)
{
	enum compression compression;
	struct err ignored;
	char magic[8];
	ssize_t n = pread(opts->fd, magic, sizeof(magic), (off_t)opts->offset);

	if (n > 0 && compression_sniff(magic, (size_t)n, &compression, &ignored) == 0 &&
	    compression == COMPRESSION_ZSTD)
		return MEMORY + ZSTD_MEMORY;
	return MEMORY;
}

static int confine_self(const struct unpack_opts *opts, int result, struct err *err)
{
	int keep[4] = { result, opts->stream.fd };
	struct confine_opts c = { .root_fd = opts->extract.root_fd,
				  .keep = keep,
				  .keep_count = 2,
				  .memory = memory_of(&opts->stream),
				  .threads = opts->stream.threads };

	if (opts->stream.split_fd >= 0)
		keep[c.keep_count++] = opts->stream.split_fd;
	if (opts->extract.opaque_fd > 0)
		keep[c.keep_count++] = opts->extract.opaque_fd;
	return confine(&c, err);
}

static _Noreturn void child(const struct unpack_opts *opts, int result, pid_t parent)
{
	struct message m = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(2);
	/* A limit on file sizes is an error to tell, not a signal to die by. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* One arena: each reserves 64 MiB of address space, which is limited. */
	mallopt(M_ARENA_MAX, 1);
	extract_prepare();
	m.code = confine_self(opts, result, &m.err);
	if (m.code == 0)
		m.code = run(opts, &m.result, &m.err);
	fd_write_full(result, &m, sizeof(m));
	_exit(0);
}

/* Where the child notes what it may not set: never below 3, as 0 means none. */
static int note_file(const struct unpack_opts *opts, struct err *err)
{
	autofd fd = -1;
	int high;

	if (opts->extract.merged || opts->extract.user_xattr)
		return -1;
	fd = memfd_create("opaque", MFD_CLOEXEC);
	high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return high >= 0 ? high : err_errno(err, "make a file in memory");
}

static int start(const struct unpack_opts *opts, int result, struct unpack *u, struct err *err)
{
	struct unpack_opts child_opts = *opts;
	pid_t parent = getpid();

	child_opts.extract.opaque_fd = u->opaque_fd;
	u->pid = fork();
	if (u->pid < 0)
		return err_errno(err, "fork");
	if (u->pid == 0)
		child(&child_opts, result, parent);
	u->pidfd = (int)syscall(SYS_pidfd_open, u->pid, 0);
	if (u->pidfd < 0) {
		int r = err_errno(err, "pidfd_open (Linux 5.3)");

		kill(u->pid, SIGKILL);
		waitpid(u->pid, NULL, 0);
		return r;
	}
	return 0;
}

static void close_all(struct unpack *u)
{
	int *fds[] = { &u->pidfd, &u->result, &u->root_fd, &u->opaque_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cleanup_fd(fds[i]);
		*fds[i] = -1;
	}
}

int unpack_start(const struct unpack_opts *opts, struct unpack *ret, struct err *err)
{
	struct unpack u = { .pidfd = -1, .result = -1, .root_fd = -1, .opaque_fd = -1 };
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, "pipe");
	u.result = ends[0];
	u.root_fd = fcntl(opts->extract.root_fd, F_DUPFD_CLOEXEC, 3);
	u.opaque_fd = note_file(opts, err);
	r = u.opaque_fd < -1 ? u.opaque_fd : u.root_fd < 0 ? err_errno(err, "dup") : 0;
	if (r == 0)
		r = start(opts, ends[1], &u, err);
	close(ends[1]);
	if (r < 0)
		close_all(&u);
	else
		*ret = u;
	return r;
}

static int died(int status, struct err *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return err_set(
			err, EBADMSG,
			"the process that unpacked it made a system call that it must not make");
	if (WIFSIGNALED(status))
		return err_set(err, EBADMSG, "the process that unpacked it was killed by signal %d",
			       WTERMSIG(status));
	if (WEXITSTATUS(status) == OUT_OF_MEMORY || WEXITSTATUS(status) == OUT_OF_MEMORY_ARCHIVE)
		return err_set(err, EBADMSG, "unpacking it takes more memory than it may");
	return err_set(err, EBADMSG, "the process that unpacked it ended with code %d",
		       WEXITSTATUS(status));
}

static int reap(struct unpack *u)
{
	int status = 0;

	while (waitpid(u->pid, &status, 0) < 0 && errno == EINTR)
		;
	u->pid = 0;
	return status;
}

/* Paths come from a process that read hostile bytes: whatever they are, they end below the root. */
static int set_opaque(int root_fd, const char *path, struct err *err)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				.resolve =
					RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV };
	autofd fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	/* Gone: something else of the same layer took its place. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_errno(err, "make \"%.80s\" opaque", path);
	return 0;
}

static int set_all_opaque(const struct unpack *u, struct err *err)
{
	char text[2 * 4096];
	size_t have = 0;
	off_t at = 0;
	ssize_t n;

	if (u->opaque_fd < 0)
		return 0;
	while ((n = pread(u->opaque_fd, text + have, sizeof(text) - have, at)) > 0) {
		char *p = text, *end;

		at += n;
		have += (size_t)n;
		for (; (end = memchr(p, '\0', have)); p = end + 1) {
			int r = set_opaque(u->root_fd, p, err);

			if (r < 0)
				return r;
			have -= (size_t)(end + 1 - p);
		}
		if (have == sizeof(text))
			return err_set(err, EBADMSG, "a note without an end");
		memmove(text, p, have);
	}
	return n < 0 ? err_errno(err, "read the notes on opaque directories") : 0;
}

static int judge(struct message *m, ssize_t got, int status, struct err *err)
{
	if (got != sizeof(*m) || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return died(status, err);
	if (m->code != 0)
		return confine_failed(m->code, &m->err, err);
	m->result.stream.digest[DIGEST_SIZE - 1] = m->result.stream.diff_id[DIGEST_SIZE - 1] = '\0';
	return 0;
}

int unpack_wait(struct unpack *u, struct unpack_result *ret, struct err *err)
{
	struct message m;
	ssize_t got = fd_read_full(u->result, &m, sizeof(m));
	int r = judge(&m, got, reap(u), err);

	if (r == 0)
		r = set_all_opaque(u, err);
	if (r == 0)
		*ret = m.result;
	close_all(u);
	return r;
}

void unpack_kill(struct unpack *u)
{
	if (u->pid <= 0)
		return;
	kill(u->pid, SIGKILL);
	reap(u);
	close_all(u);
}
