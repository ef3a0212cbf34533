/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/server.h"

#include "cmd/containerd-shim-tote-v2/address.h"
#include "cmd/containerd-shim-tote-v2/log.h"
#include "cmd/containerd-shim-tote-v2/service.h"
#include "cmd/containerd-shim-tote-v2/task.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Nobody may come at all, if containerd was killed in `start`. Who comes sends Create at once, and who
 * has deleted the last container needs us no more. That there is a connection is no reason to stay:
 * containerd 1.6, which was killed before Create, makes one when it is back, asks for nothing and
 * keeps the bundle until we end. */
#define IDLE_MS (5 * 60 * 1000)
#define EMPTY_MS (10 * 1000)
#define FLUSH_MS 2000

static void tell_oom(struct oom_watch *watch)
{
	struct task *task = container_of(watch, struct task, oom);
	Shim__TaskOOM event = SHIM__TASK_OOM__INIT;

	event.container_id = task->id;
	events_publish(&task->server->events, "/tasks/oom", &event.base);
}

void server_stop(struct server *server)
{
	address_unlink(server->listener);
	server->loop.stop = true;
}

static void idle(struct loop_timer *timer)
{
	struct server *server = container_of(timer, struct server, idle);

	if (list_empty(&server->tasks))
		server_stop(server);
}

void server_settle(struct server *server)
{
	server->used |= !list_empty(&server->tasks);
	if (!list_empty(&server->tasks))
		loop_timer_clear(&server->idle);
	else if (!server->idle.link.next)
		loop_timer_set(&server->loop, &server->idle, server->used ? EMPTY_MS : IDLE_MS,
			       idle);
}

/* Who has just come has time of its own. */
static void connections_changed(struct ttrpc_server *ttrpc)
{
	struct server *server = container_of(ttrpc, struct server, ttrpc);

	server->used = true;
	loop_timer_clear(&server->idle);
	server_settle(server);
}

/* SIGUSR1: what we know, for whoever looks for a fault. */
static void log_all(const struct server *server)
{
	for_list (task, &server->tasks, struct task, link) {
		shim_log("info", "container %s: pid %d, status %d, reaped %d", task->id,
			 task->init.pid, task->init.status, task->init.reaped);
		for_list (exec, &task->execs, struct process, link)
			shim_log("info", "container %s, exec %s: pid %d, status %d, reaped %d",
				 task->id, exec->id, exec->pid, exec->status, exec->reaped);
	}
}

static void take_signal(struct loop_source *source, uint32_t events)
{
	struct server *server = container_of(source, struct server, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		server_reap(server);
		break;
	case SIGUSR1:
		log_all(server);
		break;
	default: /* Containers go on without us. */
		server_stop(server);
	}
}

static int watch_signals(struct server *server)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A log file at its size limit is an error of write(2). */
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno
		      : loop_add(&server->loop, &server->signals, fd, EPOLLIN, take_signal);
}

static int begin(struct server *server)
{
	int r = loop_init(&server->loop);

	if (r == 0)
		r = watch_signals(server);
	if (r == 0)
		r = ttrpc_server_init(&server->ttrpc, &server->loop, server->listener);
	return r;
}

/* In a worker: of the server's it needs the log and its way back, and no stream of anybody. */
static void close_all_but(void *ctx, int keep)
{
	const int kept[] = { keep, shim_log_fd() };

	(void)ctx;
	fd_close_all_but(kept, ARRAY_SIZE(kept));
}

int server_main(const struct shim_args *args, int listener)
{
	static struct server server;
	int r;

	server.args = args;
	server.listener = listener;
	server.tree.fd = -1;
	snprintf(server.root, sizeof(server.root), "/run/containerd/tote/%s", args->namespace);
	list_init(&server.tasks);
	list_init(&server.loggers);
	server.ttrpc.handle = service_handle;
	server.ttrpc.changed = connections_changed;
	/* Memory that a large request took is given back. */
	mallopt(M_TRIM_THRESHOLD, 64 << 10);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	shim_log_open("log", args->id, args->namespace, args->debug);
	r = begin(&server);
	if (r < 0) {
		shim_log("error", "begin to serve: %s", err_text(r));
		return 1;
	}
	if (chdir("/") < 0)
		shim_log("warning", "chdir to /: %s", strerror(errno));
	events_init(&server.events, &server.loop, args->ttrpc_address, args->namespace);
	oom_init(&server.oom, &server.loop, tell_oom);
	workers_init(&server.workers, &server.loop, close_all_but, NULL);
	workers_raise_files(&server.workers);
	server_settle(&server);
	r = loop_run(&server.loop);
	if (r < 0)
		shim_log("error", "serve: %s", err_text(r));
	ttrpc_flush(&server.ttrpc, FLUSH_MS);
	events_flush(&server.events, FLUSH_MS);
	return r < 0;
}
