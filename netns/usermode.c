/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/usermode.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"
#include "lib/proc.h"
#include "netns/port_holder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define START_MS 10000
#define SOCKET_NAP_US 2000
#define SOCKET_NAPS 2500

struct job {
	const char *path; /* the program's */
	pid_t pid;
	const struct port_list *ports;
	const char *run_dir;
	struct arena a;
	struct err *err;
};

static int pasta_up(struct job *job);
static int slirp_up(struct job *job);

/* In order of preference: pasta is faster and knows IPv6. */
static const struct program {
	const char *name;
	int (*up)(struct job *job);
} programs[] = {
	{ "pasta", pasta_up },
	{ "slirp4netns", slirp_up },
};

bool usermode_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (strcmp(programs[i].name, name) == 0)
			return true;
	return false;
}

/* pasta's form: [ADDRESS/]HOST[-HOST2]:CONTAINER[-CONTAINER2] */
static char *pasta_ports(const struct port_map *m, struct arena *a)
{
	char ip[IP_TEXT_SIZE];
	const char *at = m->host_ip.family ? ip_text(&m->host_ip, ip) : "",
		   *slash = m->host_ip.family ? "/" : "";
	unsigned int more = m->count - 1U;

	if (!more)
		return arena_printf(a, "%s%s%u:%u", at, slash, m->host_port, m->container_port);
	return arena_printf(a, "%s%s%u-%u:%u-%u", at, slash, m->host_port, m->host_port + more,
			    m->container_port, m->container_port + more);
}

static int check_protocols(const struct job *job, const char *name)
{
	for_each (m, job->ports)
		if (m->protocol != IPPROTO_TCP && m->protocol != IPPROTO_UDP)
			return err_set(job->err, EOPNOTSUPP,
				       "%s publishes TCP and UDP ports only, not port %u", name,
				       m->host_port);
	return 0;
}

static bool has_protocol(const struct port_list *ports, int protocol)
{
	for_each (m, ports)
		if (m->protocol == protocol)
			return true;
	return false;
}

/*
 * Neither program ends with the processes of the namespace (pasta as Debian 12 has it, slirp4netns at
 * all): a process of ours waits for the container's, with few descriptors and nothing else, and then
 * lets go of `hold` and kills what `program` refers to (-1: none).
 */
_Noreturn static void keep(int container, int program, int hold)
{
	int null = open("/dev/null", O_RDWR), kept[] = { container, program, hold };

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (int i = 0; i < 3; i++)
		kept[i] = kept[i] < 0 ? -1 : fcntl(kept[i], F_DUPFD, 100 + i);
	close_range(3, 99, 0);
	proc_wait_gone(kept[0], -1);
	if (kept[1] >= 0)
		proc_signal(kept[1], SIGTERM);
	_exit(0);
}

static int start_keeper(const struct job *job, int program, int hold)
{
	autofd container = pidfd_open(job->pid, 0);
	pid_t pid = container < 0 ? -1 : fork();

	if (pid == 0)
		keep(container, program, hold);
	return pid < 0 ? err_errno(job->err, "wait for process %d", job->pid) : 0;
}

/* A file for a moment, where nobody else can write. */
static char *private_path(struct job *job, const char *kind)
{
	return arena_printf(&job->a, "%s/%s-%d", job->run_dir, kind, job->pid);
}

/* What the program wrote to its pid file. A pidfd or -errno. */
static int open_noted(const char *path)
{
	char text[32] = "";
	const char *p = text;
	uint64_t pid;

	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0 || !number_scan(&p, &pid))
		return -ESRCH;
	return pidfd_open((pid_t)pid, 0);
}

/* Without ports "none", as its default is to publish all that listens. */
static char **pasta_arguments(struct job *job, const char *pid_file)
{
	const char *const fixed[] = { job->path, "--quiet", "--config-net", "-T",    "none",
				      "-U",	 "none",    "-P",	    pid_file };
	char **argv =
		arena_calloc(&job->a, ARRAY_SIZE(fixed) + job->ports->count * 2 + 6, sizeof(*argv));
	size_t n = ARRAY_SIZE(fixed);

	memcpy(argv, fixed, sizeof(fixed));
	for_each (m, job->ports) {
		argv[n++] = (char *)(m->protocol == IPPROTO_TCP ? "-t" : "-u");
		argv[n++] = pasta_ports(m, &job->a);
	}
	if (!has_protocol(job->ports, IPPROTO_TCP)) {
		argv[n++] = (char *)"-t";
		argv[n++] = (char *)"none";
	}
	if (!has_protocol(job->ports, IPPROTO_UDP)) {
		argv[n++] = (char *)"-u";
		argv[n++] = (char *)"none";
	}
	argv[n] = arena_printf(&job->a, "%d", job->pid);
	return argv;
}

/* It goes into the background when it is ready. */
static int pasta_up(struct job *job)
{
	char *pid_file = private_path(job, "pasta");
	autofd program = -1;
	int r = check_protocols(job, "pasta");

	if (r < 0)
		return r;
	r = proc_run(job->path, pasta_arguments(job, pid_file), NULL, NULL, START_MS, NULL,
		     job->err);
	program = open_noted(pid_file);
	unlink(pid_file);
	if (r == 0)
		r = start_keeper(job, program, -1);
	return r > 0 ? job->err->code : r;
}

/* One request of slirp4netns(1), "API SOCKET"; its answer is {"return": ...} or {"error": ...}. */
static int slirp_ask(const char *socket_path, const char *request, struct err *err)
{
	autofd sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[512];
	ssize_t n;
	int r = -1;

	if (sock < 0)
		return err_errno(err, "socket");
	for (int i = 0; r < 0 && i < SOCKET_NAPS; i++) {
		r = fd_connect(sock, socket_path);
		if (r < 0)
			usleep(SOCKET_NAP_US);
	}
	if (r == 0)
		r = fd_write_full(sock, request, strlen(request));
	if (r < 0)
		return err_code(err, r, "ask slirp4netns");
	shutdown(sock, SHUT_WR);
	n = fd_read_full(sock, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	if (n <= 0 || strstr(answer, "\"error\""))
		return err_set(err, EADDRINUSE, "slirp4netns refuses %s: %s", request,
			       n > 0 ? answer : "no answer");
	return 0;
}

static int slirp_publish(struct job *job, const char *socket_path)
{
	char ip[IP_TEXT_SIZE];
	int r = 0;

	for_each (m, job->ports)
		for (unsigned int i = 0; r == 0 && i < m->count; i++)
			r = slirp_ask(socket_path,
				      arena_printf(&job->a,
						   "{\"execute\": \"add_hostfwd\", \"arguments\": "
						   "{\"proto\": \"%s\", \"host_addr\": \"%s\", "
						   "\"host_port\": %u, \"guest_port\": %u}}",
						   m->protocol == IPPROTO_TCP ? "tcp" : "udp",
						   m->host_ip.family ? ip_text(&m->host_ip, ip)
								     : "0.0.0.0",
						   m->host_port + i, m->container_port + i),
				      job->err);
	return r;
}

_Noreturn static void slirp_exec(struct job *job, const char *socket_path, int ready_fd,
				 int exit_fd)
{
	char *argv[] = { (char *)job->path,
			 (char *)"--configure",
			 (char *)"--mtu=65520",
			 (char *)"--disable-host-loopback",
			 arena_printf(&job->a, "--ready-fd=%d", ready_fd),
			 arena_printf(&job->a, "--exit-fd=%d", exit_fd),
			 arena_printf(&job->a, "--api-socket=%s", socket_path),
			 arena_printf(&job->a, "%d", job->pid),
			 (char *)"tap0",
			 NULL };
	int null = open("/dev/null", O_RDWR);

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	fd_cloexec(ready_fd, false);
	fd_cloexec(exit_fd, false);
	execv(job->path, argv);
	_exit(127);
}

static int slirp_wait(int ready_fd, struct err *err)
{
	char c;

	if (fd_wait_readable(ready_fd, START_MS) <= 0 || read(ready_fd, &c, 1) != 1)
		return err_set(err, EIO,
			       "slirp4netns did not set the network up (is /dev/net/tun there and "
			       "open to you?)");
	return 0;
}

static int slirp_start(struct job *job, const char *socket_path, struct err *err)
{
	int ready[2], stop[2], r;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_errno(err, "pipe");
	if (pipe2(stop, O_CLOEXEC) < 0) {
		close(ready[0]);
		close(ready[1]);
		return err_errno(err, "pipe");
	}
	if (fork() == 0)
		slirp_exec(job, socket_path, ready[1], stop[0]);
	close(ready[1]);
	close(stop[0]);
	/* It ends when nobody holds the other end of its exit-fd any more. */
	r = start_keeper(job, -1, stop[1]);
	if (r == 0)
		r = slirp_wait(ready[0], err);
	if (r == 0)
		r = slirp_publish(job, socket_path);
	close(ready[0]);
	close(stop[1]);
	return r;
}

static int slirp_up(struct job *job)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char *socket_path =
		arena_printf(&job->a, "%s/tote-slirp-%d.sock", run ? run : "/tmp", job->pid);
	int r = check_protocols(job, "slirp4netns");

	if (r == 0)
		r = slirp_start(job, socket_path, job->err);
	unlink(socket_path);
	return r;
}

int usermode_up(const char *name, pid_t pid, const struct port_list *ports, const char *run_dir,
		struct err *err)
{
	struct job job = {
		.pid = pid, .ports = ports, .run_dir = run_dir, .a = ARENA_INIT, .err = err
	};
	int r = -ENOENT;

	/* They would say less of it. */
	for_each (m, ports)
		if (port_holder_check(m, AF_UNSPEC, err) < 0)
			return err->code;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (name && strcmp(name, programs[i].name) != 0)
			continue;
		job.path = proc_find(programs[i].name, &job.a);
		if (!job.path)
			continue;
		r = programs[i].up(&job);
		break;
	}
	if (r == -ENOENT && !job.path)
		err_set(err, ENOENT,
			"%s is not on PATH: install the package passt (or slirp4netns), or use "
			"--network host",
			name ? name : "neither pasta nor slirp4netns");
	arena_done(&job.a);
	return r;
}
