/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCS_MAX ((size_t)16 << 20)
/* Enough for some 100,000 groups. */
#define PIDS_TIMEOUT_MS 10000
/* A message need not be complete. */
#define STUCK_TIMEOUT_MS 300

int cg_add_pid(const struct cg *cg, pid_t pid, struct err *err)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", (int)pid);
	r = file_poke(cg->fd, "cgroup.procs", text);
	if (r < 0)
		return err_code(err, r, "move process %d to cgroup %s", (int)pid, cg->path);
	return 0;
}

static int add_pids(int fd, struct buf *pids, struct err *err)
{
	autoarena a = ARENA_INIT;
	char *text, *save = NULL;
	int r = file_read(fd, "cgroup.procs", PROCS_MAX, &a, &text, NULL, err);

	/* A threaded group does not list; its processes are listed by the domain above it. */
	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		pid_t pid = (pid_t)strtol(s, NULL, 10);

		/* 0 is a process that this pid namespace does not see. */
		if (pid > 0)
			buf_add(pids, &pid, sizeof(pid));
	}
	return 0;
}

static int list_pids(const struct cg *cg, const struct deadline *end, struct arena *a,
		     struct cg_pids *ret_pids, struct err *err)
{
	autowalk w = { .fd = -1 };
	autobuf pids = BUF_INIT;
	int r;

	for (r = cg_walk_first(&w, cg->fd, CG_DOWN, end); r > 0; r = cg_walk_next(&w)) {
		r = add_pids(w.fd, &pids, err);
		if (r < 0 && r != -ENOENT && r != -ENODEV)
			return err_prefix(err, "list processes of cgroup %s", cg->path);
	}
	if (r < 0)
		return err_code(err, r, "list processes of cgroup %s", cg->path);
	ret_pids->count = pids.len / sizeof(pid_t);
	ret_pids->items = arena_memdup(a, buf_str(&pids), pids.len);
	return 0;
}

int cg_pids(const struct cg *cg, struct arena *a, struct cg_pids *ret_pids, struct err *err)
{
	struct deadline end = deadline_in(PIDS_TIMEOUT_MS);

	return list_pids(cg, &end, a, ret_pids, err);
}

static bool is_stuck(pid_t pid)
{
	char file[32], stat[512];
	const char *state;

	snprintf(file, sizeof(file), "/proc/%d/stat", (int)pid);
	if (file_peek(AT_FDCWD, file, stat, sizeof(stat)) <= 0)
		return false;
	/* A process may have any name, with ") D" in it as well. */
	state = strrchr(stat, ')');
	return state && strncmp(state, ") D", 3) == 0;
}

/* Who neither signals nor the freezer reach, for a message: "" or "; in state D: 12 13". */
static const char *stuck_text(const struct cg *cg, struct arena *a)
{
	struct deadline end = deadline_in(STUCK_TIMEOUT_MS);
	struct cg_pids pids = { NULL, 0 };
	struct err ignored;
	autobuf text = BUF_INIT;

	list_pids(cg, &end, a, &pids, &ignored);
	for (size_t i = 0; i < pids.count && text.len < 100; i++)
		if (is_stuck(pids.items[i]))
			buf_addf(&text, "%s %d",
				 text.len ? "" : "; in state D:", (int)pids.items[i]);
	return arena_strdup(a, buf_str(&text));
}

/* The value of "key 0|1" in an open cgroup.events, or -errno. */
static int read_event(int fd, const char *key)
{
	char text[256];
	const char *at;
	ssize_t n;

	do {
		n = pread(fd, text, sizeof(text) - 1, 0);
	} while (n < 0 && errno == EINTR);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	at = strstr(text, key);
	if (!at)
		return -ENOENT;
	return at[strlen(key)] == '1';
}

static int peek_event(const struct cg *cg, const char *key)
{
	autofd fd = fd_open(cg->fd, "cgroup.events", O_RDONLY);

	return fd < 0 ? -errno : read_event(fd, key);
}

int cg_populated(const struct cg *cg)
{
	return peek_event(cg, "populated ");
}

int cg_frozen(const struct cg *cg)
{
	return peek_event(cg, "frozen ");
}

/*
 * Looks again after short pauses too: the kernel sends at most one notice in 10 ms
 * (CGROUP_FILE_NOTIFY_MIN_INTV), and a short-lived container is gone sooner.
 */
static int wait_event(const struct cg *cg, const char *key, int want, int timeout_ms)
{
	autofd fd = fd_open(cg->fd, "cgroup.events", O_RDONLY);
	struct deadline_pauses pauses = deadline_pauses_in(timeout_ms);
	struct timespec pause;
	int value;

	if (fd < 0)
		return -errno;
	while ((value = read_event(fd, key)) != want) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };

		if (value < 0)
			return value;
		if (!deadline_pause(&pauses, &pause))
			return -ETIMEDOUT;
		if (ppoll(&p, 1, &pause, NULL) < 0 && errno != EINTR)
			return -errno;
	}
	return 0;
}

int cg_wait_empty(const struct cg *cg, int timeout_ms, struct err *err)
{
	int r = wait_event(cg, "populated ", 0, timeout_ms);
	autoarena a = ARENA_INIT;

	if (r == -ENODEV || r == -ENOENT)
		return 0;
	if (r == -ETIMEDOUT)
		return err_set(err, ETIMEDOUT, "cgroup %s still holds processes after %d ms%s",
			       cg->path, timeout_ms, stuck_text(cg, &a));
	return r < 0 ? err_code(err, r, "wait for cgroup %s", cg->path) : 0;
}

static int set_frozen(const struct cg *cg, bool on, int timeout_ms)
{
	int r = file_poke(cg->fd, "cgroup.freeze", on ? "1" : "0");

	return r < 0 ? r : wait_event(cg, "frozen ", on, timeout_ms);
}

static int freeze_error(const struct cg *cg, const char *verb, int r, struct err *err)
{
	if (r == -ENOENT)
		return err_set(err, EOPNOTSUPP,
			       "%s cgroup %s: kernel lacks the v2 freezer (needs Linux >= 5.2)",
			       verb, cg->path);
	return err_code(err, r, "%s cgroup %s", verb, cg->path);
}

int cg_freeze(const struct cg *cg, int timeout_ms, struct err *err)
{
	int r = set_frozen(cg, true, timeout_ms);
	autoarena a = ARENA_INIT;

	if (r == 0)
		return 0;
	if (r == -ETIMEDOUT)
		err_set(err, ETIMEDOUT,
			"freeze cgroup %s: not all processes stand still after %d ms%s; "
			"it is thawed again",
			cg->path, timeout_ms, stuck_text(cg, &a));
	file_poke(cg->fd, "cgroup.freeze", "0");
	return r == -ETIMEDOUT ? r : freeze_error(cg, "freeze", r, err);
}

bool cg_frozen_above(const struct cg *cg)
{
	char file[PATH_MAX + 32], text[8];

	for (const char *at = strchr(cg->path + 1, '/'); at; at = strchr(at + 1, '/')) {
		snprintf(file, sizeof(file), "%.*s/cgroup.freeze", (int)(at - cg->path - 1),
			 cg->path + 1);
		if (file_peek(cg->root, file, text, sizeof(text)) > 0 && text[0] == '1')
			return true;
	}
	return false;
}

int cg_thaw(const struct cg *cg, int timeout_ms, struct err *err)
{
	int r = file_poke(cg->fd, "cgroup.freeze", "0");

	if (r == 0 && cg_frozen_above(cg))
		return err_set(err, EBUSY, "thaw cgroup %s: a group above it is frozen", cg->path);
	if (r == 0)
		r = wait_event(cg, "frozen ", 0, timeout_ms);

	return r == 0 ? 0 : freeze_error(cg, "thaw", r, err);
}

static int signal_all(const struct cg *cg, int timeout_ms, struct err *err)
{
	struct deadline end = deadline_in(timeout_ms ? timeout_ms : PIDS_TIMEOUT_MS);
	autoarena a = ARENA_INIT;
	struct cg_pids pids = { NULL, 0 };
	int r = list_pids(cg, &end, &a, &pids, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < pids.count; i++) {
		if (kill(pids.items[i], SIGKILL) < 0 && errno != ESRCH)
			r = err_errno(err, "kill process %d of cgroup %s", (int)pids.items[i],
				      cg->path);
	}
	return r;
}

int cg_kill_each(const struct cg *cg, int timeout_ms, struct err *err)
{
	struct deadline end = deadline_in(timeout_ms);
	int r;

	do {
		int populated = cg_populated(cg);

		if (populated == 0 || populated == -ENODEV || populated == -ENOENT)
			return 0;
		/* Frozen, nothing can fork away and no pid can be taken by another process. */
		set_frozen(cg, true, 100);
		r = signal_all(cg, timeout_ms, err);
		file_poke(cg->fd, "cgroup.freeze", "0");
		if (r < 0)
			return r;
		r = wait_event(cg, "populated ", 0, 50);
		if (r == 0 || r == -ENODEV)
			return 0;
	} while (!deadline_passed(&end));
	if (timeout_ms == 0)
		return 0;
	return err_set(err, ETIMEDOUT, "processes of cgroup %s survive SIGKILL", cg->path);
}

int cg_kill(const struct cg *cg, int timeout_ms, struct err *err)
{
	int r = file_poke(cg->fd, "cgroup.kill", "1");

	if (r == -ENOENT || r == -EOPNOTSUPP)
		return cg_kill_each(cg, timeout_ms, err);
	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return err_code(err, r, "kill cgroup %s", cg->path);
	return timeout_ms ? cg_wait_empty(cg, timeout_ms, err) : 0;
}
