/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/metrics.h"

#include "cmd/tote/tote.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_STAT_MAX ((size_t)4 << 20)

struct metrics_options {
	const char *output;
};

static const struct option items[] = {
	{ "output", 'o', OPT_STRING, offsetof(struct metrics_options, output), "FILE",
	  "replace FILE instead of printing" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int add(struct sample_host *host, int root, const char *id, struct arena *a,
	       struct metrics *m, struct err *err)
{
	autocontainer c = CONTAINER_INIT;
	int r = container_open(root, id, false, &c, err);

	if (r == 0)
		r = sample_take(host, &c, a, &m->samples.items[m->samples.count], err);
	if (r == 0)
		m->samples.count++;
	return r;
}

/* One that cannot be looked at is told of and counted; the others are measured all the same. One
 * that is gone is none. */
static void measure(int root, const struct strv *ids, struct arena *a, struct metrics *m)
{
	struct sample_host host;
	struct err err;

	sample_host_open(&host);
	m->samples.items = arena_calloc(a, ids->count + 1, sizeof(*m->samples.items));
	for (size_t i = 0; i < ids->count; i++) {
		int r = add(&host, root, ids->items[i], a, m, &err);

		if (r == 0 || r == -ENOENT)
			continue;
		log_error("metrics: %s", err.msg);
		m->unreadable++;
	}
	sample_host_close(&host);
}

/* The name of a block device as the kernel has it, "sda". NULL when sysfs does not know. */
static const char *device_name(uint32_t major, uint32_t minor, struct arena *a)
{
	char path[64], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	slash = strrchr(target, '/');
	return slash ? arena_strdup(a, slash + 1) : NULL;
}

static bool known_device(const struct metrics *m, const struct cg_io_device *d)
{
	for_each (known, &m->devices)
		if (known->major == d->major && known->minor == d->minor)
			return true;
	return false;
}

static void name_devices(struct metrics *m, struct arena *a)
{
	size_t count = 0;

	for_each (s, &m->samples)
		count += s->stats.io.count;
	m->devices.items = arena_calloc(a, count + 1, sizeof(*m->devices.items));
	for_each (s, &m->samples) {
		for_each (d, &s->stats.io) {
			const char *name =
				known_device(m, d) ? NULL : device_name(d->major, d->minor, a);

			if (name)
				m->devices.items[m->devices.count++] =
					(struct metrics_device){ d->major, d->minor, name };
		}
	}
}

/* "btime" of /proc/stat, as other exporters use: it only changes when the clock is set. */
static uint64_t boot_time(void)
{
	autoarena a = ARENA_INIT;
	struct err ignored;
	uint64_t time = 0;
	const char *line;
	char *text;

	if (file_read(AT_FDCWD, "/proc/stat", PROC_STAT_MAX, &a, &text, NULL, &ignored) < 0)
		return 0;
	line = strstr(text, "\nbtime ");
	if (line)
		line += strlen("\nbtime ");
	return line && number_scan(&line, &time) ? time : 0;
}

/*
 * A file that has no name while it is written, so that nobody who kills us leaves a part behind;
 * where the file system knows no such files, one with the name.
 */
static int open_new(int dir, const char *tmp, bool *ret_named)
{
	int fd = fd_create(dir, ".", O_WRONLY | O_TMPFILE, 0600);

	*ret_named = fd < 0;
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		fd = fd_create(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	return fd;
}

static int save_new(int dir, const char *tmp, const struct buf *text, struct err *err)
{
	bool named;
	autofd fd = open_new(dir, tmp, &named);
	char self[32];
	int r;

	if (fd < 0)
		return err_errno(err, "create");
	r = fd_write_full(fd, text->data, text->len);
	if (r < 0)
		return err_code(err, r, "write");
	/* A reader of another user must get at it, whatever our umask. */
	if (fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		return err_errno(err, "write");
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (!named && linkat(AT_FDCWD, self, dir, tmp, AT_SYMLINK_FOLLOW) < 0)
		return err_errno(err, "name");
	return 0;
}

/* Renaming over a device or a link would destroy what others use. */
static int check_target(int dir, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(err, "stat");
	return S_ISREG(st.st_mode) ? 0 : err_set(err, EINVAL, "not a regular file");
}

/*
 * Readers see the old or the new text, never a part. Collectors take every *.prom: the new file's
 * name has another end until it is whole, always the same one, so that what a killed writer left is
 * replaced by the next. Writers take turns.
 */
static int replace(int dir, const char *name, const struct buf *text, struct err *err)
{
	char tmp[NAME_MAX + 1];
	int r = check_target(dir, name, err);

	if (r == 0 && snprintf(tmp, sizeof(tmp), ".%s.tmp", name) >= (int)sizeof(tmp))
		r = err_code(err, ENAMETOOLONG, "create");
	if (r < 0)
		return r;
	while (flock(dir, LOCK_EX) < 0 && errno == EINTR)
		;
	unlinkat(dir, tmp, 0);
	r = save_new(dir, tmp, text, err);
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = err_errno(err, "rename");
	if (r < 0)
		unlinkat(dir, tmp, 0);
	return r;
}

static int save(const char *path, const struct buf *text, struct err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[PATH_MAX];
	autofd dir = -1;
	int r;

	if (!name[0] || (slash && slash - path >= (ptrdiff_t)sizeof(folder) - 1))
		return err_set(err, EINVAL, "metrics: --output: \"%s\" is no file name", path);
	/* With the slash, that of the root as well. */
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	dir = fd_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
	r = dir < 0 ? err_errno(err, "open its directory") : replace(dir, name, text, err);
	return r < 0 ? err_prefix(err, "metrics: --output %s", path) : 0;
}

static int print(const struct buf *text, struct err *err)
{
	int r = fd_write_full(STDOUT_FILENO, text->data, text->len);

	return r < 0 ? err_code(err, r, "metrics: write to stdout") : 0;
}

static int run(char **args, size_t count, void *opts)
{
	const struct metrics_options *o = opts;
	struct metrics m = { .boot_time = boot_time() };
	struct strv ids = { NULL, 0 };
	autoarena a = ARENA_INIT;
	autobuf text = BUF_INIT;
	autofd root = -1;
	struct err err;
	int r;

	(void)args;
	(void)count;
	root = open_root(false, &err);
	if (root < -1 || (root >= 0 && state_list(root, &a, &ids, &err) < 0))
		return fail(&err);
	measure(root, &ids, &a, &m);
	name_devices(&m, &a);
	metrics_write(&m, &text);
	r = o->output ? save(o->output, &text, &err) : print(&text, &err);
	return r < 0 ? fail(&err) : m.unreadable ? 1 : 0;
}

const struct verb verb_metrics = { "metrics",
				   "",
				   "print the numbers of all containers for Prometheus",
				   &table,
				   0,
				   0,
				   run,
				   sizeof(struct metrics_options),
				   0 };
