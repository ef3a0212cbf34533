/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/io_private.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct io_limits io_limits = { .reader_ms = 30000, .logger_ms = 10000 };

static const char *const names[IO_STREAMS] = { "stdin", "stdout", "stderr" };

/* What is made, bit by bit. */
struct opening {
	const struct io_owner *owner;
	struct io_fds fds;    /* the server's ends */
	int ends[IO_STREAMS]; /* the container's; -1: /dev/null */
};

void io_close(struct io_fds *fds)
{
	int *each = (int *)fds;

	_Static_assert(sizeof(*fds) == IO_FDS * sizeof(int), "descriptors only");
	for (size_t i = 0; i < IO_FDS; i++)
		drop_fd(&each[i]);
}

static void opening_done(struct opening *o)
{
	io_close(&o->fds);
	for (int i = 0; i < IO_STREAMS; i++)
		drop_fd(&o->ends[i]);
}

static bool given(const char *name)
{
	return name && name[0];
}

int io_pipe(const struct io_owner *owner, int ret_ends[2], struct err *err)
{
	if (pipe2(ret_ends, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	/* An unprivileged server cannot, and need not, give away what is its own already. */
	if ((owner->uid != geteuid() || owner->gid != getegid()) &&
	    fchown(ret_ends[IO_READ], owner->uid, owner->gid) < 0) {
		int r = err_errno(err, "give a pipe to %u:%u", owner->uid, owner->gid);

		close(ret_ends[IO_READ]);
		close(ret_ends[IO_WRITE]);
		return r;
	}
	return 0;
}

int io_unblock(int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_errno(err, "make a stream non-blocking");
	return 0;
}

/* With a writer of our own a client may go and come back. */
static int open_stdin(struct opening *o, const char *path, struct err *err)
{
	struct stat st;

	o->fds.in_from = fd_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (o->fds.in_from < 0 || fstat(o->fds.in_from, &st) < 0)
		return err_errno(err, "open stdin %s", path);
	if (!S_ISFIFO(st.st_mode))
		return err_set(err, EINVAL, "open stdin %s: not a FIFO", path);
	o->fds.in_keep = fd_open_again(o->fds.in_from, O_WRONLY | O_NONBLOCK);
	return o->fds.in_keep < 0 ? err_errno(err, "open stdin %s for writing", path) : 0;
}

/*
 * A FIFO that has a reader (one that is in open(2) counts), or a file. Only then our own reader is
 * opened: before, it would hide that there is nobody else. -ENXIO: nobody yet.
 */
static int open_sink(const char *path, int *ret_to, int *ret_keep)
{
	autofd to = fd_open(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY), keep = -1;
	struct stat st;

	if (to < 0 || fstat(to, &st) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode)) {
		keep = fd_open_again(to, O_RDONLY | O_NONBLOCK);
		if (keep < 0)
			return -errno;
	} else if (S_ISREG(st.st_mode)) {
		if (fcntl(to, F_SETFL, O_APPEND) < 0)
			return -errno;
	} else if (!S_ISCHR(st.st_mode)) {
		return -EINVAL;
	}
	*ret_to = take_fd(&to);
	*ret_keep = take_fd(&keep);
	return 0;
}

/* The client may open its FIFOs in any order and wait for us at each, so none waits for another. */
static int open_sinks(struct opening *o, const char *const paths[IO_STREAMS], struct err *err)
{
	struct deadline_pauses pauses = deadline_pauses_in(io_limits.reader_ms);
	int *to[] = { NULL, &o->fds.out_to, &o->fds.err_to };
	int *keep[] = { NULL, &o->fds.out_keep, &o->fds.err_keep };
	struct timespec pause;
	int missing;

	do {
		missing = 0;
		for (int i = IO_OUT; i <= IO_ERR; i++) {
			int r = paths[i] && *to[i] < 0 ? open_sink(paths[i], to[i], keep[i]) : 0;

			if (r == -ENXIO)
				missing = i;
			else if (r < 0)
				return err_code(err, r, "open %s %s", names[i], paths[i]);
		}
	} while (missing && deadline_pause(&pauses, &pause) && nanosleep(&pause, NULL) <= 0);
	return missing ? err_set(err, ETIMEDOUT, "open %s %s: nobody reads it", names[missing],
				 paths[missing])
		       : 0;
}

/* file://: made with its directories, added to. */
static int open_file(const char *path, int *ret_to, struct err *err)
{
	autofd root = fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
	char *dir;
	int r = 0;

	if (path[0] != '/' || path[strlen(path) - 1] == '/')
		return err_set(err, EINVAL, "log file \"%s\": not an absolute path of a file",
			       path);
	dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	if (!dir)
		return err_set(err, ENOMEM, "log file %s: out of memory", path);
	if (root < 0 || fd_make_path_in_root(root, dir, 0755) < 0)
		r = err_errno(err, "make %s", dir);
	free(dir);
	if (r < 0)
		return r;
	/* Non-blocking for the sake of a FIFO in its place. */
	*ret_to = fd_create(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY,
			    0644);
	return *ret_to < 0 ? err_errno(err, "open %s", path) : 0;
}

/* stderr goes where stdout does. */
static int open_files(struct opening *o, const struct io_uri *uris, struct err *err)
{
	int r = open_file(uris[IO_OUT].path, &o->fds.out_to, err);

	if (r < 0 || !uris[IO_ERR].scheme)
		return r;
	o->fds.err_to = fcntl(o->fds.out_to, F_DUPFD_CLOEXEC, 0);
	return o->fds.err_to < 0 ? err_errno(err, "open %s", uris[IO_ERR].path) : 0;
}

/* What is not there has no scheme at all (NULL). With a terminal everything comes out of it. */
static int parse_paths(const struct io_paths *paths, struct arena *a, struct io_uri *uris,
		       struct err *err)
{
	const char *given_names[] = { NULL, paths->out, paths->terminal ? NULL : paths->err };

	for (int i = IO_OUT; i <= IO_ERR; i++) {
		int r = given(given_names[i]) ? io_uri_parse(given_names[i], a, &uris[i], err) : 0;

		if (r < 0)
			return err_prefix(err, "open %s", names[i]);
	}
	return 0;
}

/* It reads what the container writes; only what comes out of a terminal has to be copied. */
static int open_logger(struct opening *o, const struct io_logger *logger, bool terminal,
		       struct err *err)
{
	if (!terminal) {
		o->ends[IO_OUT] = logger->out;
		o->ends[IO_ERR] = logger->err;
		return 0;
	}
	o->fds.out_to = logger->out;
	close(logger->err);
	return io_unblock(o->fds.out_to, err);
}

static int open_plain(struct opening *o, const struct io_uri *uris, struct err *err)
{
	const char *paths[IO_STREAMS] = { NULL };

	for (int i = IO_OUT; i <= IO_ERR; i++) {
		if (uris[i].scheme && uris[i].scheme[0])
			return err_set(err, ENOSYS, "unknown STDIO scheme %s", uris[i].scheme);
		paths[i] = uris[i].scheme ? uris[i].path : NULL;
	}
	return open_sinks(o, paths, err);
}

/* A pipe for each stream that is copied; the container's end blocks. */
static int make_pipes(struct opening *o, struct err *err)
{
	const struct {
		int *ours;
		bool wanted;
		int container;
	} each[] = {
		{ &o->fds.in_to, o->fds.in_from >= 0, IO_READ },
		{ &o->fds.out_from, o->fds.out_to >= 0, IO_WRITE },
		{ &o->fds.err_from, o->fds.err_to >= 0, IO_WRITE },
	};

	for (int i = 0; i < IO_STREAMS; i++) {
		int ends[2], r;

		if (!each[i].wanted)
			continue;
		r = io_pipe(o->owner, ends, err);
		if (r < 0)
			return r;
		o->ends[i] = ends[each[i].container];
		*each[i].ours = ends[!each[i].container];
		r = io_unblock(*each[i].ours, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* As 0, 1 and 2, for what is cloned next. */
static int place(const struct opening *o, struct err *err)
{
	autofd null = fd_open(AT_FDCWD, "/dev/null", O_RDWR);

	if (null < 0)
		return err_errno(err, "open /dev/null");
	for (int i = 0; i < IO_STREAMS; i++)
		if (dup2(o->ends[i] < 0 ? null : o->ends[i], i) < 0)
			return err_errno(err, "set up %s", names[i]);
	return 0;
}

/* So that none of what is opened from now on gets such a number. */
static int fill_standard(struct err *err)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return err_errno(err, "open /dev/null");
	close(fd);
	return 0;
}

static int open_all(struct opening *o, const struct io_paths *paths, const struct io_uri *uris,
		    struct err *err)
{
	int r = fill_standard(err);

	if (r == 0 && given(paths->in))
		r = open_stdin(o, paths->in, err);
	if (r == 0 && uris[IO_OUT].scheme && strcmp(uris[IO_OUT].scheme, "file") == 0)
		r = open_files(o, uris, err);
	else if (r == 0)
		r = open_plain(o, uris, err);
	return r == 0 && !paths->terminal ? make_pipes(o, err) : r;
}

static bool is_logger(const struct io_uri *uri, bool *ret_must_say)
{
	*ret_must_say = uri->scheme && strcmp(uri->scheme, "binary-v2") == 0;
	return *ret_must_say || (uri->scheme && strcmp(uri->scheme, "binary") == 0);
}

int io_open(const struct io_paths *paths, const struct io_owner *owner, const char *id,
	    const char *namespace, struct io_fds *ret_fds, pid_t *ret_logger, struct err *err)
{
	struct opening o = { .owner = owner, .fds = IO_FDS_NONE, .ends = { -1, -1, -1 } };
	struct io_uri uris[IO_STREAMS] = { 0 }, program;
	struct io_logger logger = { 0 };
	autoarena a = ARENA_INIT;
	bool must_say = false, by_logger = false;
	int r = parse_paths(paths, &a, uris, err);

	if (r == 0 && is_logger(&uris[IO_OUT], &must_say)) {
		by_logger = true;
		program = uris[IO_OUT];
		uris[IO_OUT] = uris[IO_ERR] = (struct io_uri){ 0 };
	}
	r = r < 0 ? r : open_all(&o, paths, uris, err);
	/* Last, so that there is little that could fail while it runs already. */
	if (r == 0 && by_logger)
		r = io_logger_start(&program, must_say, owner, id, namespace, &a, &logger, err);
	if (r == 0 && by_logger)
		r = open_logger(&o, &logger, paths->terminal, err);
	if (r == 0)
		r = place(&o, err);
	if (r == 0) {
		*ret_fds = o.fds;
		*ret_logger = logger.pid;
		o.fds = (struct io_fds)IO_FDS_NONE;
	}
	opening_done(&o);
	return r;
}
