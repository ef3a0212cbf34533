/* SPDX-License-Identifier: Apache-2.0 */
/* Probes that are a command inside the container: `tote exec`. */
#include "cmd/tote-supervise/health.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* What one look at its output takes of it; the rest is for the next. */
#define READS 16

static pid_t read_pid(const struct health *h)
{
	char text[16];
	const char *at = text;
	uint64_t pid;

	if (file_peek(h->instance->dir, HEALTH_PID_FILE, text, sizeof(text)) <= 0 ||
	    !number_scan(&at, &pid) || *at || pid < 2 || pid > INT32_MAX)
		return 0;
	return (pid_t)pid;
}

/* 0: none can be looked at. */
static ino_t pid_namespace(pid_t pid)
{
	char path[sizeof("/proc/-2147483648/ns/pid")];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/*
 * The number comes from a file, and may be another's by now: it has to lead a session (tote makes one
 * for each command) in the container's pid namespace, and not be its first process.
 */
static bool is_ours(const struct health *h, pid_t pid)
{
	pid_t init = h->instance->status.init.pid;
	ino_t there = pid_namespace(pid);

	return pid != init && there && there == pid_namespace(init) && getsid(pid) == pid &&
	       proc_alive(&h->instance->status.init);
}

/* Its whole process group: killing `tote exec` alone would leave the command running. */
static void kill_inside(const struct health *h)
{
	pid_t pid = read_pid(h);

	if (pid && is_ours(h, pid))
		kill(-pid, SIGKILL);
}

void health_exec_kill(struct health *h)
{
	kill_inside(h);
	kill(h->pid, SIGKILL);
	h->pid = 0;
}

void health_exec_leftover(struct health *h)
{
	/* In a namespace that others share, the number says too little. */
	if (pid_namespace(h->instance->status.init.pid) != pid_namespace(getpid()))
		kill_inside(h);
	unlinkat(h->instance->dir, HEALTH_PID_FILE, 0);
}

static void take_line(struct health *h, const char *text, size_t len)
{
	for (size_t i = 0; i < len && !h->line_done; i++) {
		char c = text[i];

		if (c == '\n' || h->len == sizeof(h->line) - 1)
			h->line_done = h->len > 0;
		else if (h->len || (unsigned char)c > ' ')
			h->line[h->len++] = (unsigned char)c < ' ' ? ' ' : c;
	}
	h->line[h->len] = '\0';
}

/* All of it, so that a command that says much does not block; of that, the first line is kept. */
static void output_ready(struct loop_source *source, uint32_t events)
{
	struct health *h = container_of(source, struct health, source);
	char text[4096];

	(void)events;
	for (int i = 0; i < READS; i++) {
		ssize_t n = read(h->fd, text, sizeof(text));

		if (n < 0)
			return;
		if (n == 0) {
			loop_remove(&h->sup->loop, source);
			return;
		}
		take_line(h, text, (size_t)n);
	}
}

void health_exec_ended(struct health *h, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	if (h->fd >= 0)
		output_ready(&h->source, 0);
	if (code == 0)
		health_done(h, true, NULL);
	else
		health_done(h, false, "exit code %d%s%s", code, h->len ? ": " : "",
			    h->len ? h->line : "");
}

static char **make_words(const struct health *h, struct arena *a)
{
	const struct supervisor *sup = h->sup;
	const struct strv *command = &h->check->command;
	char **words = arena_calloc(a, command->count + 8, sizeof(*words));
	size_t n = 0;

	words[n++] = (char *)"tote";
	if (sup->root) {
		words[n++] = (char *)"--root";
		words[n++] = (char *)sup->root;
	}
	words[n++] = (char *)"exec";
	words[n++] = (char *)"--pid-file";
	words[n++] = arena_printf(a, "%s/i/%s/" HEALTH_PID_FILE, sup->paths.run, h->instance->name);
	words[n++] = h->instance->name;
	for (size_t i = 0; i < command->count; i++)
		words[n++] = command->items[i];
	return words;
}

void health_exec_begin(struct health *h)
{
	autoarena a = ARENA_INIT;
	autofd write_end = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		health_done(h, false, "cannot make a pipe: %s", err_text(errno));
		return;
	}
	h->fd = ends[0];
	write_end = ends[1];
	/* The command's end is an ordinary one, that may block. */
	fcntl(write_end, F_SETFL, 0);
	unlinkat(h->instance->dir, HEALTH_PID_FILE, 0);
	pid = loop_add(&h->sup->loop, &h->source, h->fd, EPOLLIN, output_ready);
	if (pid == 0)
		pid = spawn(h->sup->tote, make_words(h, &a), write_end, write_end);
	if (pid < 0) {
		health_done(h, false, "cannot run tote exec: %s", err_text(pid));
		return;
	}
	h->pid = pid;
}
