/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/supervise/instance.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/json_file.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define INSTANCES "i"
#define FILE_MAX ((size_t)64 << 10)
#define PACKET_MAX 512

static const struct json_enum_value states[] = {
	{ "creating", INSTANCE_CREATING },
	{ "created", INSTANCE_CREATED },
	{ "running", INSTANCE_RUNNING },
	{ "frozen", INSTANCE_FROZEN },
	{ "stopping", INSTANCE_STOPPING },
	{ "exited", INSTANCE_EXITED },
	{ NULL, 0 },
};

static const struct json_enum_value reasons[] = {
	{ "ended", EXIT_ENDED },
	{ "asked", EXIT_ASKED },
	{ "idle", EXIT_IDLE },
	{ "not created", EXIT_NOT_CREATED },
	{ "not started", EXIT_NOT_STARTED },
	{ "unknown", EXIT_UNKNOWN },
	{ NULL, 0 },
};

struct status_file {
	struct instance_status s;
	char *boot_id;
};

#define STATUS(field) offsetof(struct status_file, s.field)
/* pid and startTime 0: no process yet. */
static const struct json_field status_fields[] = {
	{ "state", json_enum, STATUS(state), JSON_REQUIRED, states },
	{ "run", json_u32, STATUS(run), JSON_REQUIRED },
	{ "pid", json_i32, STATUS(init.pid), 0 },
	{ "startTime", json_u64, STATUS(init.start_time), 0 },
	{ "bootId", json_string, offsetof(struct status_file, boot_id), 0 },
	{ "since", json_i64, STATUS(since), 0 },
	{ "started", json_i64, STATUS(started), 0 },
	{ "startedAt", json_i64, STATUS(started_at), 0 },
	{ "startMs", json_i64, STATUS(start_ms), 0 },
	{ "logDropped", json_u64, STATUS(log_dropped), 0 },
	{ "connections", json_u64, STATUS(connections), 0 },
	{ "activations", json_u64, STATUS(activations), 0 },
};
static const struct json_table status_table = { status_fields, ARRAY_SIZE(status_fields),
						sizeof(struct status_file) };

#define EXIT(field) offsetof(struct instance_exit, field)
static const struct json_field exit_fields[] = {
	{ "run", json_u32, EXIT(run), JSON_REQUIRED },
	{ "reason", json_enum, EXIT(reason), JSON_REQUIRED, reasons },
	{ "code", json_i32, EXIT(code), JSON_REQUIRED },
	{ "signal", json_i32, EXIT(signal), 0 },
	{ "oom", json_bool, EXIT(oom), 0 },
	{ "ended", json_i64, EXIT(ended), 0 },
	{ "endedAt", json_i64, EXIT(ended_at), 0 },
	{ "ranMs", json_i64, EXIT(ran_ms), 0 },
	{ "message", json_string, EXIT(message), 0 },
};
static const struct json_table exit_table = { exit_fields, ARRAY_SIZE(exit_fields),
					      sizeof(struct instance_exit) };

static const char *name_of(const struct json_enum_value *values, long value)
{
	for (; values->name; values++)
		if (values->value == value)
			return values->name;
	return "?";
}

const char *instance_state_name(enum instance_state s)
{
	return name_of(states, s);
}

const char *exit_reason_name(enum exit_reason r)
{
	return name_of(reasons, r);
}

char *instance_name(const char *project, const char *service, uint32_t number, bool second,
		    struct arena *a)
{
	return arena_printf(a, "%s-%s-%u%s", project, service, number, second ? ".b" : "");
}

/* A directory of ours, made when it is missing. */
static int open_dir(int at, const char *name, bool create, struct err *err)
{
	int fd;

	if (create && mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return err_errno(err, "make %s", name);
	fd = fd_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	return fd < 0 ? err_errno(err, "open %s", name) : fd;
}

int instance_open(int run_fd, const char *name, bool create, struct err *err)
{
	autofd all = -1;

	if (strchr(name, '/') || name[0] == '.' || !name[0])
		return err_set(err, EINVAL, "\"%s\" is no name of an instance", name);
	all = open_dir(run_fd, INSTANCES, create, err);
	return all < 0 ? all : open_dir(all, name, create, err);
}

int instance_read_status(int dir_fd, struct arena *a, struct instance_status *ret, struct err *err)
{
	struct status_file f = { 0 };
	int r = json_decode_file(dir_fd, INSTANCE_STATUS, FILE_MAX, &status_table, a, &f, err);

	if (r < 0)
		return r;
	if (f.boot_id)
		snprintf(f.s.init.boot_id, sizeof(f.s.init.boot_id), "%s", f.boot_id);
	*ret = f.s;
	return 0;
}

int instance_read_exit(int dir_fd, struct arena *a, struct instance_exit *ret, struct err *err)
{
	struct instance_exit read = { 0 };
	int r = json_decode_file(dir_fd, INSTANCE_EXIT, FILE_MAX, &exit_table, a, &read, err);

	if (r == 0)
		*ret = read;
	return r;
}

static int write_out(int dir_fd, const char *name, struct json_writer *w, struct buf *text,
		     struct err *err)
{
	json_end_object(w);
	json_writer_done(w);
	buf_adds(text, "\n");
	return file_replace(dir_fd, name, text->data, text->len, 0600, err);
}

int instance_write_status(int dir_fd, const struct instance_status *s, struct err *err)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	json_pair_string(&w, "state", name_of(states, s->state));
	json_pair_u64(&w, "run", s->run);
	if (s->init.pid) {
		json_pair_i64(&w, "pid", s->init.pid);
		json_pair_u64(&w, "startTime", s->init.start_time);
		json_pair_string(&w, "bootId", s->init.boot_id);
	}
	json_pair_i64(&w, "since", s->since);
	json_pair_i64(&w, "started", s->started);
	json_pair_i64(&w, "startedAt", s->started_at);
	json_pair_i64(&w, "startMs", s->start_ms);
	json_pair_u64(&w, "logDropped", s->log_dropped);
	json_pair_u64(&w, "connections", s->connections);
	json_pair_u64(&w, "activations", s->activations);
	return write_out(dir_fd, INSTANCE_STATUS, &w, &text, err);
}

int instance_write_exit(int dir_fd, const struct instance_exit *e, struct err *err)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	json_pair_u64(&w, "run", e->run);
	json_pair_string(&w, "reason", name_of(reasons, e->reason));
	json_pair_i64(&w, "code", e->code);
	json_pair_i64(&w, "signal", e->signal);
	json_pair_bool(&w, "oom", e->oom);
	json_pair_i64(&w, "ended", e->ended);
	json_pair_i64(&w, "endedAt", e->ended_at);
	json_pair_i64(&w, "ranMs", e->ran_ms);
	if (e->message)
		json_pair_string(&w, "message", e->message);
	return write_out(dir_fd, INSTANCE_EXIT, &w, &text, err);
}

int instance_claim(int dir_fd, struct err *err)
{
	autofd fd = fd_create(dir_fd, INSTANCE_MONITOR, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	struct proc_id self;
	char text[96];
	int len, r;

	if (fd < 0)
		return err_errno(err, "open %s", INSTANCE_MONITOR);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, EBUSY, "another monitor has the container");
		return err_errno(err, "lock %s", INSTANCE_MONITOR);
	}
	r = proc_identify(getpid(), &self);
	if (r < 0)
		return err_code(err, r, "identify the own process");
	len = snprintf(text, sizeof(text), "%d %llu %s\n", self.pid,
		       (unsigned long long)self.start_time, self.boot_id);
	/* What was there may have been longer. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return err_errno(err, "write %s", INSTANCE_MONITOR);
	return take_fd(&fd);
}

/* "PID START_TIME BOOT_ID\n" */
static int parse_claim(const char *text, struct proc_id *ret)
{
	char *rest;

	ret->pid = (pid_t)strtol(text, &rest, 10);
	if (ret->pid <= 0 || *rest != ' ')
		return -ESRCH;
	ret->start_time = strtoull(rest + 1, &rest, 10);
	if (*rest != ' ' || strlen(rest + 1) != sizeof(ret->boot_id) - 1)
		return -ESRCH;
	memcpy(ret->boot_id, rest + 1, sizeof(ret->boot_id));
	return 0;
}

int instance_open_monitor(int dir_fd)
{
	char text[128];
	struct proc_id id;
	ssize_t n = file_peek(dir_fd, INSTANCE_MONITOR, text, sizeof(text));

	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	return parse_claim(text, &id) < 0 ? -ESRCH : proc_open(&id);
}

static int connect_monitor(int dir_fd, int flags, struct err *err)
{
	autofd sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	char path[64];
	int r;

	if (sock < 0)
		return err_errno(err, "make a socket");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/" INSTANCE_CONTROL, dir_fd);
	r = fd_connect(sock, path);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(err, ESRCH, "no monitor has the container");
	if (r == -EAGAIN)
		return err_set(err, EAGAIN, "does not answer");
	return r < 0 ? err_code(err, r, "connect to the monitor") : take_fd(&sock);
}

int instance_connect(int dir_fd, struct err *err)
{
	return connect_monitor(dir_fd, 0, err);
}

int instance_try_connect(int dir_fd, struct err *err)
{
	return connect_monitor(dir_fd, SOCK_NONBLOCK, err);
}

/* "ok", or "error WORDS". */
static int read_answer(int sock, int timeout_ms, struct err *err)
{
	char text[PACKET_MAX];
	int r = fd_wait_readable(sock, timeout_ms), none;
	ssize_t n;

	if (r == 0)
		return err_set(err, ETIMEDOUT, "the monitor does not answer");
	if (r < 0)
		return err_code(err, r, "wait for the monitor");
	n = fd_recv(sock, text, sizeof(text) - 1, &none);
	if (none >= 0)
		close(none);
	if (n <= 0)
		return err_set(err, ESRCH, "the monitor has left");
	text[n] = '\0';
	if (strcmp(text, "ok") == 0)
		return 0;
	return err_set(err, EIO, "%s", strncmp(text, "error ", 6) == 0 ? text + 6 : text);
}

int instance_tell(int dir_fd, int timeout_ms, struct err *err, const char *fmt, ...)
{
	autofd sock = instance_connect(dir_fd, err);
	char packet[PACKET_MAX];
	va_list args;
	int len, r;

	if (sock < 0)
		return sock;
	va_start(args, fmt);
	len = vsnprintf(packet, sizeof(packet), fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(packet))
		return err_set(err, EINVAL, "too long for the monitor");
	r = fd_send_message(sock, packet, (size_t)len);
	if (r < 0)
		return err_code(err, r == -EPIPE ? -ESRCH : r, "tell the monitor");
	return read_answer(sock, timeout_ms, err);
}

int instance_remove(int run_fd, const char *name, struct err *err)
{
	autofd all = open_dir(run_fd, INSTANCES, false, err);
	int r;

	if (all < 0)
		return all == -ENOENT ? 0 : all;
	r = tree_remove(all, name);
	return r < 0 ? err_code(err, r, "remove %s", name) : 0;
}
