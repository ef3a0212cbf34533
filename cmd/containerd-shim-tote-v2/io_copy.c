/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream waits for its source, or, when its sink is full, for its sink, and never for both: what
 * is not waited for is not in the loop at all, as epoll(7) tells ends and errors unasked.
 */
#include "cmd/containerd-shim-tote-v2/io.h"

#include "cmd/containerd-shim-tote-v2/log.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (64u << 10)

/* For what splice(2) cannot do. Empty between any two calls of this file. */
static char scratch[16 << 10];

enum moved {
	MOVED,	/* or nothing there */
	FULL,	/* the sink takes nothing now */
	ENDED,	/* the source, or for stdin the sink */
	ABSENT, /* nobody has the terminal open */
};

struct ends {
	int *from, *to, *keep;
};

static struct ends ends_of(const struct io_stream *s)
{
	struct io_fds *f = &s->io->fds;

	switch (s - s->io->streams) {
	case IO_IN:
		return (struct ends){ &f->in_from, &f->in_to, &f->in_keep };
	case IO_OUT:
		return (struct ends){ f->terminal < 0 ? &f->out_from : &f->terminal, &f->out_to,
				      &f->out_keep };
	default:
		return (struct ends){ &f->err_from, &f->err_to, &f->err_keep };
	}
}

static bool is_input(const struct io_stream *s)
{
	return s == &s->io->streams[IO_IN];
}

/* Its source is a terminal, or its sink. */
static bool has_terminal(const struct io_stream *s)
{
	return s->io->fds.terminal >= 0 && s != &s->io->streams[IO_ERR];
}

static void close_sink(struct io_stream *s)
{
	struct ends e = ends_of(s);

	loop_remove(s->io->loop, &s->to);
	drop_fd(e.to);
	drop_fd(e.keep);
	free(s->rest);
	s->rest = NULL;
	s->rest_len = 0;
}

static void stream_close(struct io_stream *s)
{
	close_sink(s);
	loop_remove(s->io->loop, &s->from);
	drop_fd(ends_of(s).from);
	if (s->dropped && !is_input(s))
		shim_log("warning", "%" PRIu64 " bytes of output were dropped", s->dropped);
	s->dropped = 0;
	s->open = false;
}

/* Bytes in a FIFO that nobody has read yet. */
static bool has_rest(int fifo)
{
	int len;

	return fifo >= 0 && ioctl(fifo, FIONREAD, &len) == 0 && len > 0;
}

/* Its reader is told the end; what is not read yet stays, by our own reader, until io_taken(). Behind it the
 * stream may not exist any more. */
static void stream_end(struct io_stream *s)
{
	struct io *io = s->io;
	bool input = is_input(s), terminal = has_terminal(s);
	int *keep = ends_of(s).keep, kept = -1;

	if (!input && has_rest(*keep))
		kept = take_fd(keep);
	stream_close(s);
	*keep = kept;
	if (!input && terminal)
		stream_close(&io->streams[IO_IN]);
	if (!input && io_drained(io) && io->drained)
		io->drained(io);
}

static void drop(struct io_stream *s, size_t len, int code)
{
	if (!s->dropped && !is_input(s))
		shim_log("warning", "output is dropped: %s", err_text(code));
	s->dropped += len;
}

static enum moved read_failed(const struct io_stream *s, int code)
{
	if (code == EAGAIN || code == EINTR)
		return MOVED;
	return code == EIO && has_terminal(s) && !is_input(s) ? ABSENT : ENDED;
}

static enum moved keep_rest(struct io_stream *s, const char *data, size_t len)
{
	char *rest = malloc(len);

	if (!rest) {
		drop(s, len, ENOMEM);
		return MOVED;
	}
	memcpy(rest, data, len);
	s->rest = rest;
	s->rest_len = len;
	return FULL;
}

/*
 * A full disk may have room again, and a terminal's refusal (EIO: nobody has it open) may pass, too:
 * what is sent meanwhile is lost. A pipe without a reader stays so: then the program that
 * writes to it is told through its own pipe (stdin: the client), or goes on without (output).
 */
static enum moved write_failed(struct io_stream *s, size_t len, int code)
{
	drop(s, len, code);
	if (s->file || (is_input(s) && has_terminal(s)))
		return MOVED;
	if (is_input(s))
		return ENDED;
	close_sink(s);
	return MOVED;
}

static enum moved put(struct io_stream *s, const char *data, size_t len)
{
	int to = *ends_of(s).to;

	while (len) {
		ssize_t n = write(to, data, len);

		if (n < 0 && errno == EAGAIN)
			return keep_rest(s, data, len);
		if (n < 0 && errno != EINTR)
			return write_failed(s, len, errno);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return MOVED;
}

static enum moved put_rest(struct io_stream *s)
{
	char *rest = s->rest;
	enum moved moved;

	s->rest = NULL;
	moved = put(s, rest, s->rest_len);
	free(rest);
	return moved;
}

static bool is_full(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 0;
}

/* A pipe that polls as writable takes PIPE_BUF bytes at once, so that none is left over. */
static enum moved copy(struct io_stream *s)
{
	struct ends e = ends_of(s);
	ssize_t n;

	if (*e.to >= 0 && !s->file && is_full(*e.to))
		return FULL;
	n = read(*e.from, scratch, *e.to >= 0 && !s->file ? PIPE_BUF : sizeof(scratch));
	if (n < 0)
		return read_failed(s, errno);
	if (n == 0)
		return ENDED;
	if (*e.to >= 0)
		return put(s, scratch, (size_t)n);
	s->dropped += s->dropped ? (uint64_t)n : 0;
	return MOVED;
}

/*
 * Kernels from 5.10 on differ in what terminals can be spliced with, and files that are appended to
 * never can be (EINVAL). Any other error is met again by read(2) or write(2), which tell whose it
 * is. It is called when the source has something or is at its end, so EAGAIN is the sink's.
 */
static enum moved move(struct io_stream *s)
{
	struct ends e = ends_of(s);
	ssize_t n;

	if (s->rest) {
		enum moved moved = put_rest(s);

		if (moved != MOVED)
			return moved;
	}
	if (s->by_hand || *e.to < 0)
		return copy(s);
	n = splice(*e.from, NULL, *e.to, NULL, PIECE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n >= 0)
		return n ? MOVED : ENDED;
	if (errno == EINTR)
		return MOVED;
	if (errno == EAGAIN)
		return FULL;
	if (errno == EINVAL)
		s->by_hand = true;
	return copy(s);
}

static void pump(struct io_stream *s);

static void from_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	pump(container_of(source, struct io_stream, from));
}

/* A terminal may be full and hung up: each try to write to it would be told as an event again. */
static void to_ready(struct loop_source *source, uint32_t events)
{
	if (events & (EPOLLOUT | EPOLLERR))
		pump(container_of(source, struct io_stream, to));
}

static int watch(struct io_stream *s, struct loop_source *source, int fd, uint32_t events)
{
	struct loop *loop = s->io->loop;

	loop_remove(loop, source == &s->from ? &s->to : &s->from);
	if (!source->ready)
		return loop_add(loop, source, fd, events,
				source == &s->from ? from_ready : to_ready);
	loop_change(loop, source, events);
	return 0;
}

/* Whether it came to wait for what the outcome asks for. */
static bool watch_next(struct io_stream *s, enum moved moved)
{
	struct ends e = ends_of(s);

	switch (moved) {
	case MOVED:
		return watch(s, &s->from, *e.from, EPOLLIN) == 0;
	case FULL:
		/* A full terminal that is hung up is told of once, not all the time. */
		return watch(s, &s->to, *e.to, EPOLLOUT | EPOLLET) == 0;
	case ABSENT:
		/* Its hang-up lasts until somebody opens it again, and would be told all the time:
		 * only what is new from now on. */
		return !s->io->exited && watch(s, &s->from, *e.from, EPOLLIN | EPOLLET) == 0;
	default:
		return false;
	}
}

static void pump(struct io_stream *s)
{
	if (!watch_next(s, move(s)))
		stream_end(s);
}

static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Output that nobody wants is read all the same, so that its writer can go on. */
static int stream_begin(struct io_stream *s, struct io *io)
{
	struct ends e;

	s->io = io;
	e = ends_of(s);
	if (*e.from < 0 || (is_input(s) && *e.to < 0)) {
		stream_close(s);
		return 0;
	}
	s->file = s->by_hand = is_file(*e.to);
	s->open = true;
	return watch(s, &s->from, *e.from, EPOLLIN);
}

/* Its input has a descriptor of its own, as a loop takes each but once. */
static int split_terminal(struct io_fds *fds)
{
	int flags;

	if (fds->terminal < 0)
		return 0;
	flags = fcntl(fds->terminal, F_GETFL);
	if (flags < 0 || fcntl(fds->terminal, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (fds->in_from >= 0)
		fds->in_to = fcntl(fds->terminal, F_DUPFD_CLOEXEC, 0);
	return fds->in_from >= 0 && fds->in_to < 0 ? -errno : 0;
}

int io_begin(struct io *io, struct loop *loop, struct io_fds *fds, void (*drained)(struct io *io))
{
	int r;

	*io = (struct io){ .loop = loop, .fds = *fds, .drained = drained };
	*fds = (struct io_fds)IO_FDS_NONE;
	r = split_terminal(&io->fds);
	for (int i = 0; i < IO_STREAMS && r == 0; i++)
		r = stream_begin(&io->streams[i], io);
	if (r < 0)
		io_end(io);
	else if (io_drained(io) && drained)
		drained(io);
	return r;
}

bool io_drained(const struct io *io)
{
	return !io->streams[IO_OUT].open && !io->streams[IO_ERR].open;
}

void io_exited(struct io *io)
{
	struct io_stream *s = &io->streams[IO_OUT];

	io->exited = true;
	/* One that was absent is told of once more, and is at its end now. */
	if (s->open && s->from.ready)
		loop_change(io->loop, &s->from, EPOLLIN);
}

/* A stream that waits for such a FIFO is told (EPOLLERR) and goes on without it. */
void io_last_call(struct io *io)
{
	for (int i = IO_OUT; i <= IO_ERR; i++) {
		struct io_stream *s = &io->streams[i];
		int *keep = s->io ? ends_of(s).keep : NULL, writer = -1;

		/* With a writer in place of our reader it can be seen who else reads. */
		if (keep && !s->open && has_rest(*keep))
			writer = fd_open_again(*keep, O_WRONLY | O_NONBLOCK);
		if (keep)
			drop_fd(keep);
		if (writer >= 0)
			*keep = writer;
	}
}

bool io_taken(const struct io *io)
{
	const int left[] = { io->fds.out_keep, io->fds.err_keep };

	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		struct pollfd p = { .fd = left[i] };

		if (has_rest(left[i]) && poll(&p, 1, 0) == 0)
			return false;
	}
	return true;
}

void io_close_input(struct io *io)
{
	io->in_closed = true;
	if (io->streams[IO_IN].open && io->fds.terminal < 0)
		drop_fd(&io->fds.in_keep);
}

int io_resize(struct io *io, unsigned int width, unsigned int height)
{
	struct winsize size = {
		.ws_col = (unsigned short)(width < USHRT_MAX ? width : USHRT_MAX),
		.ws_row = (unsigned short)(height < USHRT_MAX ? height : USHRT_MAX),
	};

	if (!io->streams[IO_OUT].open || io->fds.terminal < 0)
		return 0;
	return ioctl(io->fds.terminal, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* Also one that was zeroed, or never begun to its end. */
void io_end(struct io *io)
{
	for (int i = 0; i < IO_STREAMS; i++)
		if (io->streams[i].io)
			stream_close(&io->streams[i]);
	if (!io->loop)
		return;
	io_close(&io->fds);
	io->loop = NULL;
}
