/* SPDX-License-Identifier: Apache-2.0 */
/* Copying between FIFOs, pipes, terminals and files, with clients and containers that are processes
 * of their own. */
#include "cmd/containerd-shim-tote-v2/io.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define MIB (1u << 20)
#define IDLE_MS 150
/* What may come of a state that has just been entered; one that spins makes thousands. */
#define IDLE_WAKES 3
#define PATIENCE_MS 20000

static char dir[] = "/tmp/tote-io-XXXXXX";
static struct loop loop;

/* One process's streams: our side in io, the container's in `ends`, the client's in the FIFOs. */
struct rig {
	struct io *io;
	struct io_fds fds;
	int ends[IO_STREAMS];
	int slave;
	char paths[IO_STREAMS][64];
};

static int drains;

static void on_drained(struct io *io)
{
	assert_true(io_drained(io));
	drains++;
}

static char byte_at(size_t i)
{
	return (char)((uint32_t)(i * 2654435761u) >> 13);
}

static int make_dir(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int begin(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	rig->io = calloc(1, sizeof(*rig->io));
	rig->fds = (struct io_fds)IO_FDS_NONE;
	rig->slave = -1;
	for (int i = 0; i < IO_STREAMS; i++) {
		rig->ends[i] = -1;
		snprintf(rig->paths[i], sizeof(rig->paths[i]), "%s/%d", dir, i);
		if (mkfifo(rig->paths[i], 0600) < 0)
			return -1;
	}
	drains = 0;
	return loop_init(&loop);
}

static int end(void **state)
{
	struct rig *rig = *state;

	io_end(rig->io);
	free(rig->io);
	for (int i = 0; i < IO_STREAMS; i++) {
		if (rig->ends[i] >= 0)
			close(rig->ends[i]);
		unlink(rig->paths[i]);
	}
	if (rig->slave >= 0)
		close(rig->slave);
	free(rig);
	loop_done(&loop);
	return 0;
}

static int open_fifo(const struct rig *rig, int which, int flags)
{
	int fd = fd_open(AT_FDCWD, rig->paths[which], flags);

	assert_true(fd >= 0);
	return fd;
}

/* Our ends as io_open() makes them; the client opens its own afterwards. */
static void open_fifos(struct rig *rig)
{
	rig->fds.in_from = open_fifo(rig, IO_IN, O_RDONLY | O_NONBLOCK);
	rig->fds.in_keep = open_fifo(rig, IO_IN, O_WRONLY | O_NONBLOCK);
	rig->fds.out_keep = open_fifo(rig, IO_OUT, O_RDONLY | O_NONBLOCK);
	rig->fds.out_to = open_fifo(rig, IO_OUT, O_WRONLY | O_NONBLOCK);
}

static void open_pipe(int *ours, int *container, bool input)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	*ours = p[input];
	*container = p[!input];
	assert_int_equal(fcntl(*ours, F_SETFL, O_NONBLOCK), 0);
}

static void open_pipes(struct rig *rig)
{
	open_pipe(&rig->fds.in_to, &rig->ends[IO_IN], true);
	open_pipe(&rig->fds.out_from, &rig->ends[IO_OUT], false);
}

static void make_raw(int fd)
{
	struct termios t;

	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
}

static int open_slave(const struct rig *rig)
{
	int fd = ioctl(rig->io->loop ? rig->io->fds.terminal : rig->fds.terminal, TIOCGPTPEER,
		       O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void open_terminal(struct rig *rig)
{
	int fd = fd_open(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0;

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TIOCSPTLCK, &unlocked), 0);
	rig->fds.terminal = fd;
	rig->slave = open_slave(rig);
	make_raw(rig->slave);
}

static void start(struct rig *rig)
{
	assert_int_equal(io_begin(rig->io, &loop, &rig->fds, on_drained), 0);
	assert_int_equal(rig->fds.out_to, -1);
}

/* How often there was something to do within the time. */
static int wakes(int ms)
{
	struct deadline until = deadline_in(ms);
	int n = 0, left;

	while ((left = deadline_left(&until, -1)) > 0) {
		assert_int_equal(loop_once(&loop, left), 0);
		n++;
	}
	return n - 1; /* the last came with the time's end */
}

static void assert_idle(void)
{
	assert_true(wakes(IDLE_MS) <= IDLE_WAKES);
	assert_true(wakes(IDLE_MS) <= 0);
}

static void run_until(bool (*done)(void *), void *ctx)
{
	struct deadline until = deadline_in(PATIENCE_MS);

	while (!done(ctx)) {
		assert_false(deadline_passed(&until));
		assert_int_equal(loop_once(&loop, 1), 0);
	}
}

/* Until the processes at the other ends have done what they can, however late they get to run. */
static void settle(void)
{
	struct deadline until = deadline_in(PATIENCE_MS);

	while (wakes(IDLE_MS) > 0)
		assert_false(deadline_passed(&until));
}

static bool is_drained(void *ctx)
{
	(void)ctx;
	return drains > 0;
}

static bool has_ended(void *pid)
{
	siginfo_t si = { 0 };

	assert_int_equal(waitid(P_PID, (id_t) * (pid_t *)pid, &si, WEXITED | WNOHANG | WNOWAIT), 0);
	return si.si_pid != 0;
}

static void expect_end(pid_t pid)
{
	int status;

	run_until(has_ended, &pid);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A process that has nothing of ours but what it is handed. */
static pid_t fork_peer(struct rig *rig)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	io_close(&rig->io->fds);
	io_close(&rig->fds);
	return 0;
}

static _Noreturn void write_pattern(int fd, size_t from, size_t count, size_t piece)
{
	char data[65536];

	for (size_t at = from; at < from + count;) {
		size_t n = from + count - at < piece ? from + count - at : piece;

		for (size_t i = 0; i < n; i++)
			data[i] = byte_at(at + i);
		if (fd_write_full(fd, data, n) < 0)
			_exit(1);
		at += n;
	}
	_exit(0);
}

/* The bytes up to `to`, and with to_end the end behind them. */
static _Noreturn void read_pattern(int fd, size_t from, size_t to, bool to_end, int pause_us)
{
	char data[8192];
	size_t at = from;

	while (to_end || at < to) {
		size_t want = !to_end && to - at < sizeof(data) ? to - at : sizeof(data);
		ssize_t n = read(fd, data, want);

		if (n < 0)
			_exit(2);
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++, at++)
			if (data[i] != byte_at(at))
				_exit(3);
		if (pause_us)
			usleep((useconds_t)pause_us);
	}
	_exit(at == to ? 0 : 4);
}

static void close_end(struct rig *rig, int which)
{
	close(rig->ends[which]);
	rig->ends[which] = -1;
}

static void close_slave(struct rig *rig)
{
	close(rig->slave);
	rig->slave = -1;
}

static pid_t container_writes(struct rig *rig, int which, size_t count, size_t piece)
{
	pid_t pid = fork_peer(rig);

	if (!pid) {
		if (rig->ends[IO_IN] >= 0)
			close(rig->ends[IO_IN]);
		write_pattern(rig->ends[which], 0, count, piece);
	}
	close_end(rig, which);
	return pid;
}

static pid_t client_reads(struct rig *rig, int which, size_t from, size_t to, bool to_end,
			  int pause_us)
{
	int fd = open_fifo(rig, which, O_RDONLY | O_NONBLOCK);
	pid_t pid = fork_peer(rig);

	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	if (!pid) {
		for (int i = 0; i < IO_STREAMS; i++)
			if (rig->ends[i] >= 0)
				close(rig->ends[i]);
		if (rig->slave >= 0)
			close(rig->slave);
		read_pattern(fd, from, to, to_end, pause_us);
	}
	close(fd);
	return pid;
}

static pid_t client_writes(struct rig *rig, size_t count)
{
	int fd = open_fifo(rig, IO_IN, O_WRONLY | O_NONBLOCK);
	pid_t pid = fork_peer(rig);

	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	if (!pid) {
		if (rig->ends[IO_IN] >= 0)
			close(rig->ends[IO_IN]);
		if (rig->slave >= 0)
			close(rig->slave);
		write_pattern(fd, 0, count, 5000);
	}
	close(fd);
	return pid;
}

/* cat */
static pid_t container_echoes(struct rig *rig, int in, int out)
{
	char data[4096];
	ssize_t n;
	pid_t pid = fork_peer(rig);

	if (!pid) {
		while ((n = read(in, data, sizeof(data))) > 0)
			if (fd_write_full(out, data, (size_t)n) < 0)
				_exit(1);
		_exit(n < 0);
	}
	return pid;
}

static void output_of_all_sizes(void **state)
{
	static const size_t pieces[] = { 65536, 4097, 100, 1 };
	struct rig *rig = *state;
	pid_t writer, reader;

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t count = pieces[i] > 1 ? 4 * MIB + 17 : 20000;

		drains = 0;
		open_fifos(rig);
		open_pipes(rig);
		start(rig);
		assert_false(io_drained(rig->io));
		reader = client_reads(rig, IO_OUT, 0, count, true, 0);
		writer = container_writes(rig, IO_OUT, count, pieces[i]);
		expect_end(writer);
		expect_end(reader);
		run_until(is_drained, NULL);
		assert_int_equal(drains, 1);
		assert_int_equal(rig->io->fds.out_from, -1);
		assert_int_equal(rig->io->fds.out_to, -1);
		assert_idle();
		/* Our reader stays if there was something left for the client's to read. */
		io_last_call(rig->io);
		assert_true(io_taken(rig->io));
		assert_int_equal(rig->io->fds.out_keep, -1);
		io_end(rig->io);
		close_end(rig, IO_IN);
	}
}

static void both_ways(void **state)
{
	struct rig *rig = *state;
	pid_t reader, writer, echo;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	reader = client_reads(rig, IO_OUT, 0, 8 * MIB, true, 0);
	echo = container_echoes(rig, rig->ends[IO_IN], rig->ends[IO_OUT]);
	close_end(rig, IO_IN);
	close_end(rig, IO_OUT);
	writer = client_writes(rig, 8 * MIB);
	expect_end(writer);
	/* The client may have gone only for now. */
	assert_true(wakes(IDLE_MS) < 4000);
	settle();
	assert_idle();
	assert_false(has_ended(&echo));
	io_close_input(rig->io);
	expect_end(echo);
	expect_end(reader);
	assert_int_equal(drains, 1);
}

static void a_slow_reader_stops_the_writer(void **state)
{
	struct rig *rig = *state;
	pid_t reader, writer;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	writer = container_writes(rig, IO_OUT, MIB, 4096);
	settle();
	assert_idle();
	assert_false(has_ended(&writer));
	reader = client_reads(rig, IO_OUT, 0, MIB, true, 1000);
	expect_end(writer);
	expect_end(reader);
	assert_int_equal(drains, 1);
}

/* The writer's end while nothing can be moved must not be told again and again. */
static void the_end_behind_a_full_fifo(void **state)
{
	struct rig *rig = *state;
	pid_t reader, writer;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	writer = container_writes(rig, IO_OUT, 100000, 4096);
	expect_end(writer);
	settle();
	assert_idle();
	io_exited(rig->io);
	assert_idle();
	assert_int_equal(drains, 0);
	reader = client_reads(rig, IO_OUT, 0, 100000, true, 0);
	expect_end(reader);
	run_until(is_drained, NULL);
}

static void a_reader_that_comes_back(void **state)
{
	struct rig *rig = *state;
	pid_t reader, writer;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	writer = container_writes(rig, IO_OUT, 4 * MIB, 3000);
	reader = client_reads(rig, IO_OUT, 0, MIB + 5, false, 0);
	expect_end(reader);
	settle();
	assert_idle();
	assert_false(has_ended(&writer));
	reader = client_reads(rig, IO_OUT, MIB + 5, 4 * MIB, true, 0);
	expect_end(writer);
	expect_end(reader);
}

static void a_client_that_is_gone(void **state)
{
	struct rig *rig = *state;
	pid_t writer;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	unlink(rig->paths[IO_OUT]);
	unlink(rig->paths[IO_IN]);
	writer = container_writes(rig, IO_OUT, 50000, 4096);
	expect_end(writer);
	settle();
	assert_idle();
}

static void a_second_output(void **state)
{
	struct rig *rig = *state;
	pid_t out, err, writer;

	open_fifos(rig);
	open_pipes(rig);
	rig->fds.err_keep = open_fifo(rig, IO_ERR, O_RDONLY | O_NONBLOCK);
	rig->fds.err_to = open_fifo(rig, IO_ERR, O_WRONLY | O_NONBLOCK);
	open_pipe(&rig->fds.err_from, &rig->ends[IO_ERR], false);
	start(rig);
	out = client_reads(rig, IO_OUT, 0, 10, true, 0);
	err = client_reads(rig, IO_ERR, 0, MIB, true, 0);
	assert_int_equal(fd_write_full(rig->ends[IO_OUT], (char[]){ byte_at(0), byte_at(1) }, 2),
			 0);
	writer = container_writes(rig, IO_ERR, MIB, 777);
	expect_end(writer);
	expect_end(err);
	assert_int_equal(drains, 0);
	assert_idle();
	for (size_t i = 2; i < 10; i++)
		assert_int_equal(fd_write_full(rig->ends[IO_OUT], (char[]){ byte_at(i) }, 1), 0);
	close_end(rig, IO_OUT);
	expect_end(out);
	assert_int_equal(drains, 1);
}

/* Half-close: what was sent before arrives, then the end, and output goes on. */
static void close_of_stdin(void **state)
{
	struct rig *rig = *state;
	pid_t writer, reader;
	char c;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	writer = client_writes(rig, 100000);
	io_close_input(rig->io);
	reader = fork_peer(rig);
	if (!reader)
		read_pattern(rig->ends[IO_IN], 0, 100000, true, 0);
	expect_end(writer);
	expect_end(reader);
	assert_idle();
	assert_int_equal(read(rig->ends[IO_IN], &c, 1), 0);
	assert_int_equal(rig->io->fds.in_from, -1);
	assert_false(io_drained(rig->io));
	reader = client_reads(rig, IO_OUT, 0, 5000, true, 0);
	writer = container_writes(rig, IO_OUT, 5000, 100);
	expect_end(writer);
	expect_end(reader);
}

/* A client that is still there may go on sending; only then comes the end. */
static void close_before_the_client_is_done(void **state)
{
	struct rig *rig = *state;
	int client;
	char c;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	client = open_fifo(rig, IO_IN, O_WRONLY | O_NONBLOCK);
	io_close_input(rig->io);
	assert_idle();
	assert_int_equal(write(client, "x", 1), 1);
	assert_true(wakes(IDLE_MS) <= IDLE_WAKES);
	assert_int_equal(read(rig->ends[IO_IN], &c, 1), 1);
	assert_int_equal(fcntl(rig->ends[IO_IN], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(rig->ends[IO_IN], &c, 1), -1);
	close(client);
	assert_true(wakes(IDLE_MS) <= IDLE_WAKES);
	assert_int_equal(read(rig->ends[IO_IN], &c, 1), 0);
}

static void input_that_nobody_reads(void **state)
{
	struct rig *rig = *state;
	pid_t writer;
	int status;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	writer = client_writes(rig, MIB);
	settle();
	assert_idle();
	assert_false(has_ended(&writer));
	/* As with a pipe between the two, the client is told that nobody reads. */
	close_end(rig, IO_IN);
	run_until(has_ended, &writer);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_not_equal(status, 0);
	assert_idle();
}

static void a_background_child_keeps_the_pipe(void **state)
{
	struct rig *rig = *state;
	pid_t reader;

	open_fifos(rig);
	open_pipes(rig);
	start(rig);
	reader = client_reads(rig, IO_OUT, 0, 2, true, 0);
	assert_int_equal(fd_write_full(rig->ends[IO_OUT], (char[]){ byte_at(0), byte_at(1) }, 2),
			 0);
	io_exited(rig->io);
	assert_idle();
	assert_false(has_ended(&reader));
	assert_int_equal(drains, 0);
	io_end(rig->io);
	expect_end(reader);
	assert_int_equal(drains, 0);
}

static void no_streams(void **state)
{
	struct rig *rig = *state;
	struct io none = { 0 };

	start(rig);
	assert_int_equal(drains, 1);
	assert_true(io_drained(rig->io));
	io_exited(rig->io);
	io_close_input(rig->io);
	assert_int_equal(io_resize(rig->io, 80, 24), 0);
	assert_idle();
	io_end(rig->io);
	io_end(rig->io);
	io_end(&none);
	assert_int_equal(drains, 1);
}

static void free_it(struct io *io)
{
	drains++;
	io_end(io);
	free(io);
}

static void drained_may_free(void **state)
{
	struct rig *rig = *state;
	pid_t reader, writer;

	open_fifos(rig);
	open_pipes(rig);
	assert_int_equal(io_begin(rig->io, &loop, &rig->fds, free_it), 0);
	reader = client_reads(rig, IO_OUT, 0, MIB, true, 0);
	writer = container_writes(rig, IO_OUT, MIB, 65536);
	run_until(is_drained, NULL);
	rig->io = calloc(1, sizeof(*rig->io));
	expect_end(writer);
	expect_end(reader);
	assert_int_equal(drains, 1);
	assert_idle();
}

/* Terminals */

static void a_terminal_both_ways(void **state)
{
	struct rig *rig = *state;

	for (int by_hand = 0; by_hand < 2; by_hand++) {
		pid_t reader, writer, echo;

		open_fifos(rig);
		open_terminal(rig);
		start(rig);
		rig->io->streams[IO_IN].by_hand = rig->io->streams[IO_OUT].by_hand = by_hand;
		reader = client_reads(rig, IO_OUT, 0, 2 * MIB, false, 0);
		echo = container_echoes(rig, rig->slave, rig->slave);
		close_slave(rig);
		writer = client_writes(rig, 2 * MIB);
		expect_end(writer);
		expect_end(reader);
		/* Neither the client's end nor CloseIO ends a terminal. */
		io_close_input(rig->io);
		assert_idle();
		assert_false(has_ended(&echo));
		reader = client_reads(rig, IO_OUT, 0, 3000, true, 0);
		expect_end(client_writes(rig, 3000));
		settle();
		kill(echo, SIGKILL);
		waitpid(echo, NULL, 0);
		drains = 0;
		io_exited(rig->io);
		expect_end(reader);
		assert_int_equal(drains, 1);
		assert_int_equal(rig->io->fds.terminal, -1);
		assert_int_equal(rig->io->fds.in_from, -1);
		io_end(rig->io);
	}
}

static void big_last_words(struct rig *rig, bool by_hand)
{
	pid_t reader, writer;

	open_fifos(rig);
	open_terminal(rig);
	start(rig);
	rig->io->streams[IO_OUT].by_hand = by_hand;
	reader = client_reads(rig, IO_OUT, 0, MIB, true, 0);
	writer = fork_peer(rig);
	if (!writer)
		write_pattern(rig->slave, 0, MIB, 30000);
	close_slave(rig);
	expect_end(writer);
	io_exited(rig->io);
	expect_end(reader);
	assert_int_equal(drains, 1);
	drains = 0;
	io_end(rig->io);
}

static void a_terminal_loses_nothing_at_the_end(void **state)
{
	for (int i = 0; i < 100; i++)
		big_last_words(*state, i % 10 == 9);
}

/*
 * The process has ended, but whoever reads has not had it all. A FIFO counts pages, and each piece
 * that is spliced takes one: how much 16 of them hold depends on who runs when. One page holds
 * 4096 bytes at most, and the terminal what is left.
 */
static void last_words_behind_a_full_fifo(struct rig *rig, bool by_hand)
{
	pid_t reader, writer;

	open_fifos(rig);
	assert_int_equal(fcntl(rig->fds.out_keep, F_SETPIPE_SZ, 4096), 4096);
	open_terminal(rig);
	start(rig);
	rig->io->streams[IO_OUT].by_hand = by_hand;
	writer = fork_peer(rig);
	if (!writer)
		write_pattern(rig->slave, 0, 5000, 1000);
	close_slave(rig);
	expect_end(writer);
	io_exited(rig->io);
	settle();
	assert_idle();
	assert_int_equal(drains, 0);
	reader = client_reads(rig, IO_OUT, 0, 5000, true, 0);
	expect_end(reader);
	run_until(is_drained, NULL);
	drains = 0;
	io_end(rig->io);
}

static void a_terminal_behind_a_full_fifo(void **state)
{
	last_words_behind_a_full_fifo(*state, false);
	last_words_behind_a_full_fifo(*state, true);
}

static void a_terminal_that_is_opened_again(void **state)
{
	struct rig *rig = *state;
	pid_t reader, writer;

	open_fifos(rig);
	open_terminal(rig);
	start(rig);
	close_slave(rig);
	assert_idle();
	for (int i = 0; i < 3; i++) {
		reader = client_reads(rig, IO_OUT, 0, 100000, false, 0);
		rig->slave = open_slave(rig);
		assert_idle();
		writer = fork_peer(rig);
		if (!writer)
			write_pattern(rig->slave, 0, 100000, 5000);
		expect_end(writer);
		expect_end(reader);
		close_slave(rig);
		assert_idle();
	}
	assert_int_equal(drains, 0);
	io_exited(rig->io);
	run_until(is_drained, NULL);
	assert_idle();
}

/* Once it takes no more the hang-up must not make us spin. */
static void typed_while_nobody_has_it_open(void **state)
{
	struct rig *rig = *state;
	pid_t reader, writer;

	open_fifos(rig);
	open_terminal(rig);
	start(rig);
	close_slave(rig);
	writer = client_writes(rig, 500000);
	settle();
	assert_idle();
	rig->slave = open_slave(rig);
	reader = fork_peer(rig);
	if (!reader)
		read_pattern(rig->slave, 0, 500000, false, 0);
	expect_end(writer);
	expect_end(reader);
	assert_idle();
}

static void a_terminal_that_nobody_reads(void **state)
{
	struct rig *rig = *state;
	pid_t writer;
	int status;

	open_fifos(rig);
	open_terminal(rig);
	start(rig);
	/* More than both FIFO and terminal hold. */
	writer = client_writes(rig, 500000);
	settle();
	assert_idle();
	assert_false(has_ended(&writer));
	close_slave(rig);
	assert_idle();
	io_exited(rig->io);
	run_until(is_drained, NULL);
	run_until(has_ended, &writer);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_not_equal(status, 0);
	assert_idle();
}

static void a_terminal_without_a_client(void **state)
{
	struct rig *rig = *state;
	pid_t writer;

	open_terminal(rig);
	start(rig);
	assert_false(io_drained(rig->io));
	writer = fork_peer(rig);
	if (!writer)
		write_pattern(rig->slave, 0, MIB, 5000);
	close_slave(rig);
	expect_end(writer);
	io_exited(rig->io);
	run_until(is_drained, NULL);
}

static void the_size_of_a_terminal(void **state)
{
	struct rig *rig = *state;
	struct winsize size;

	open_fifos(rig);
	open_terminal(rig);
	start(rig);
	assert_int_equal(io_resize(rig->io, 132, 43), 0);
	assert_int_equal(ioctl(rig->slave, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_col, 132);
	assert_int_equal(size.ws_row, 43);
	assert_int_equal(io_resize(rig->io, 1u << 20, 0), 0);
	assert_int_equal(ioctl(rig->slave, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_col, USHRT_MAX);
	assert_int_equal(size.ws_row, 0);
}

/* Files */

static int open_log(const struct rig *rig)
{
	unlink(rig->paths[IO_ERR]);
	return fd_create(AT_FDCWD, rig->paths[IO_ERR], O_WRONLY | O_CREAT | O_APPEND, 0600);
}

static void expect_log(const struct rig *rig, size_t skip, size_t count)
{
	int fd = open_fifo(rig, IO_ERR, O_RDONLY), status;
	pid_t pid = fork();

	if (!pid) {
		lseek(fd, (off_t)skip, SEEK_SET);
		read_pattern(fd, 0, count, true, 0);
	}
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_file_is_added_to(void **state)
{
	struct rig *rig = *state;
	pid_t writer;

	rig->fds.out_to = open_log(rig);
	rig->fds.err_to = fcntl(rig->fds.out_to, F_DUPFD_CLOEXEC, 0);
	open_pipe(&rig->fds.out_from, &rig->ends[IO_OUT], false);
	open_pipe(&rig->fds.err_from, &rig->ends[IO_ERR], false);
	start(rig);
	assert_int_equal(fd_write_full(rig->ends[IO_ERR], "before", 6), 0);
	assert_true(wakes(IDLE_MS) <= IDLE_WAKES);
	writer = container_writes(rig, IO_OUT, 3 * MIB, 50000);
	expect_end(writer);
	close_end(rig, IO_ERR);
	run_until(is_drained, NULL);
	expect_log(rig, 6, 3 * MIB);
}

static void a_full_disk(void **state)
{
	struct rig *rig = *state;
	struct rlimit old, small;
	pid_t writer;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ 100000, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	rig->fds.out_to = open_log(rig);
	open_pipe(&rig->fds.out_from, &rig->ends[IO_OUT], false);
	start(rig);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	writer = container_writes(rig, IO_OUT, MIB, 5000);
	expect_end(writer);
	run_until(is_drained, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	expect_log(rig, 0, 100000);
}

static void say(const struct rig *rig, size_t at)
{
	assert_int_equal(fd_write_full(rig->ends[IO_OUT], (char[]){ byte_at(at) }, 1), 0);
	assert_true(wakes(20) <= IDLE_WAKES);
}

static void a_disk_that_is_full_for_a_while(void **state)
{
	struct rig *rig = *state;
	struct rlimit old, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ 3, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	rig->fds.out_to = open_log(rig);
	open_pipe(&rig->fds.out_from, &rig->ends[IO_OUT], false);
	start(rig);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (size_t i = 0; i < 8; i++)
		say(rig, i);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rig->io->streams[IO_OUT].dropped, 5);
	assert_idle();
	for (size_t i = 3; i < 6; i++)
		say(rig, i);
	close_end(rig, IO_OUT);
	run_until(is_drained, NULL);
	expect_log(rig, 0, 6);
}

/* The logger of a terminal: a pipe whose reader dies. */
static void a_logger_that_dies(void **state)
{
	struct rig *rig = *state;
	int logger;
	pid_t writer;

	open_terminal(rig);
	open_pipe(&rig->fds.out_to, &logger, true);
	start(rig);
	assert_int_equal(write(rig->slave, "abc", 3), 3);
	assert_true(wakes(IDLE_MS) <= IDLE_WAKES);
	assert_int_equal(read(logger, (char[8]){ 0 }, 8), 3);
	close(logger);
	assert_idle();
	writer = fork_peer(rig);
	if (!writer)
		write_pattern(rig->slave, 0, MIB, 5000);
	expect_end(writer);
	settle();
	assert_int_equal(rig->io->streams[IO_OUT].dropped, MIB);
	assert_idle();
	close_slave(rig);
	io_exited(rig->io);
	run_until(is_drained, NULL);
}

/* Leaks */

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void descriptors_come_back(void **state)
{
	struct rig *rig = *state;
	int before = count_fds();

	for (int i = 0; i < 1000; i++) {
		open_fifos(rig);
		if (i % 2)
			open_terminal(rig);
		else
			open_pipes(rig);
		start(rig);
		assert_int_equal(write(i % 2 ? rig->slave : rig->ends[IO_OUT], "x", 1), 1);
		loop_once(&loop, 0);
		if (i % 3 == 0)
			io_close_input(rig->io);
		if (i % 2)
			close_slave(rig);
		else
			close_end(rig, IO_OUT);
		if (i % 5)
			io_exited(rig->io);
		for (int j = 0; j < i % 7; j++)
			loop_once(&loop, 0);
		io_end(rig->io);
		if (rig->ends[IO_IN] >= 0)
			close_end(rig, IO_IN);
		assert_int_equal(count_fds(), before);
	}
}

/* Descriptors of what could not be begun are closed as well. */
static void a_loop_that_takes_nothing(void **state)
{
	struct rig *rig = *state;
	struct loop broken = { .epoll = -1 };
	int before = count_fds();

	open_fifos(rig);
	open_pipes(rig);
	assert_int_equal(io_begin(rig->io, &broken, &rig->fds, on_drained), -EBADF);
	assert_int_equal(drains, 0);
	close_end(rig, IO_IN);
	close_end(rig, IO_OUT);
	assert_int_equal(count_fds(), before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_of_all_sizes),
		TEST(both_ways),
		TEST(a_slow_reader_stops_the_writer),
		TEST(the_end_behind_a_full_fifo),
		TEST(a_reader_that_comes_back),
		TEST(a_client_that_is_gone),
		TEST(a_second_output),
		TEST(close_of_stdin),
		TEST(close_before_the_client_is_done),
		TEST(input_that_nobody_reads),
		TEST(a_background_child_keeps_the_pipe),
		TEST(no_streams),
		TEST(drained_may_free),
		TEST(a_terminal_both_ways),
		TEST(a_terminal_loses_nothing_at_the_end),
		TEST(a_terminal_behind_a_full_fifo),
		TEST(a_terminal_that_is_opened_again),
		TEST(typed_while_nobody_has_it_open),
		TEST(a_terminal_that_nobody_reads),
		TEST(a_terminal_without_a_client),
		TEST(the_size_of_a_terminal),
		TEST(a_file_is_added_to),
		TEST(a_full_disk),
		TEST(a_disk_that_is_full_for_a_while),
		TEST(a_logger_that_dies),
		TEST(descriptors_come_back),
		TEST(a_loop_that_takes_nothing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
