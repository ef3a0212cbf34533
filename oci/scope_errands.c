/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/scope.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "tote-systemd"
#define START_MS 30000
#define SET_MS 10000
/* What the program may take beyond the time that it is told: to end, and to undo a start. */
#define GRACE_MS 500
#define START_GRACE_MS 6000
#define CODE_NOT_REACHED 3
#define CODE_NOT_EXECUTED 127

/* Its own name in front of the first line that it wrote: what went before is of no use to anybody.
 */
static void shorten(struct err *err)
{
	char *said = strstr(err->msg, PROGRAM ": ");

	if (said) {
		said += strlen(PROGRAM ": ");
		memmove(err->msg, said, strlen(said) + 1);
	}
}

static int judge(int r, const char *path, struct err *err)
{
	if (r <= 0)
		return r;
	if (r == CODE_NOT_EXECUTED)
		return err_set(err, ENOENT,
			       "the systemd cgroup manager needs " PROGRAM ", which is not at %s",
			       path);
	shorten(err);
	err->code = r == CODE_NOT_REACHED ? -ENOTCONN : -EIO;
	return err->code;
}

static int run(const struct state *st, const char *verb, const struct strv *words, int timeout_ms,
	       int grace_ms, struct buf *out, struct err *err)
{
	char path[PATH_MAX], timeout[16];
	autofree char **argv = calloc((words ? words->count : 0) + 7, sizeof(*argv));
	int n = 0, r = proc_sibling(PROGRAM, path, sizeof(path));

	if (r < 0 || !argv)
		return err_code(err, r < 0 ? r : ENOMEM, "find " PROGRAM);
	snprintf(timeout, sizeof(timeout), "%d", timeout_ms);
	argv[n++] = path;
	if (st->user_bus)
		argv[n++] = (char *)"--user";
	argv[n++] = (char *)"--timeout";
	argv[n++] = timeout;
	argv[n++] = (char *)verb;
	argv[n++] = st->unit;
	if (words)
		memcpy(argv + n, words->items, words->count * sizeof(*argv));
	return judge(proc_run(path, argv, NULL, NULL, timeout_ms + grace_ms, out, err), path, err);
}

_Noreturn static void hold(pid_t parent)
{
	sigset_t all;

	/* A Ctrl-C is for the caller alone. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	close_range(0, ~0U, 0);
	for (;;)
		pause();
}

pid_t scope_hold(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		hold(parent);
	return pid < 0 ? -errno : pid;
}

void scope_let_go(pid_t *holder)
{
	if (!*holder)
		return;
	kill(*holder, SIGKILL);
	while (waitpid(*holder, NULL, 0) < 0 && errno == EINTR)
		;
	*holder = 0;
}

int scope_start(const struct state *st, const struct scope_words *words, char **ret_path,
		struct err *err)
{
	autobuf out = BUF_INIT;
	int r = run(st, "start", &words->list, START_MS, START_GRACE_MS, &out, err);

	if (r < 0)
		return r;
	*ret_path = arena_strndup(words->a, buf_str(&out), strcspn(buf_str(&out), "\n"));
	return 0;
}

int scope_set(const struct state *st, const struct scope_words *words, struct err *err)
{
	return words->list.count ? run(st, "set", &words->list, SET_MS, GRACE_MS, NULL, err) : 0;
}

int scope_stop(const struct state *st, int timeout_ms, struct err *err)
{
	timeout_ms = timeout_ms > GRACE_MS ? timeout_ms - GRACE_MS : 1;
	return run(st, "stop", NULL, timeout_ms, GRACE_MS, NULL, err);
}

/* The length of the path of the closest group above both; 0: only the root is. */
static size_t common_length(const char *a, const char *b)
{
	size_t i = 0, common = 0;

	for (; a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			common = i;
	if ((!a[i] || a[i] == '/') && (!b[i] || b[i] == '/'))
		common = i;
	return common;
}

static bool may_clone(const struct cg_tree *tree, const char *path)
{
	char own[PATH_MAX], procs[PATH_MAX + 16];
	struct err ignored;
	size_t len;

	if (cg_path_of(0, own, sizeof(own), &ignored) < 0)
		return false;
	len = common_length(own, path);
	snprintf(procs, sizeof(procs), "%.*s/cgroup.procs", (int)len, path);
	return faccessat(tree->fd, procs + 1, W_OK, AT_EACCESS) == 0;
}

int scope_reach(const struct state *st, const struct cg_tree *tree, const char *path,
		struct err *err)
{
	autoarena a = ARENA_INIT;
	struct scope_words words = { .a = &a };
	struct state own = { .user_bus = true };
	char *unused;

	if (!st->user_bus || may_clone(tree, path))
		return 0;
	/* Not "tote-", which begins the names of containers. */
	own.unit = arena_printf(&a, "tote_%d.scope", getpid());
	scope_words_add(&words, arena_printf(&a, "PIDs=au:%d", getpid()));
	scope_words_add(&words, arena_printf(&a, "Description=s:tote, for container %s", st->id));
	scope_words_add(&words, (char *)"CollectMode=s:inactive-or-failed");
	return scope_start(&own, &words, &unused, err);
}
