/* SPDX-License-Identifier: Apache-2.0 */
/* Running the processes that unpack, no more at once than there are processors. */
#include "oci/image/load_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#define PROGRESS_MS 100
#define JOBS_MAX 64

static void show_progress(struct load *l)
{
	struct load_progress p = { l->views, l->view_count };

	if (!l->opts->progress)
		return;
	for (size_t i = 0; i < l->view_count; i++)
		if (l->views[i].state == LOAD_RUNNING) {
			uint64_t done = l->counters[i]; /* once: the other side may write it */

			l->views[i].done = done < l->views[i].size ? done : l->views[i].size;
		}
	l->opts->progress(l->opts->progress_arg, &p);
}

static int make_staged(struct load *l, const struct job *j)
{
	char name[64];
	int r = tree_remove(l->in.fd, j->staged);

	if (r < 0)
		return err_code(l->err, r, "remove %s", j->staged);
	snprintf(name, sizeof(name), "%s/fs", j->staged);
	if (mkdirat(l->in.fd, j->staged, 0700) < 0 || fd_make_dir(l->in.fd, name, 0755) < 0)
		return err_errno(l->err, "make %s", name);
	return 0;
}

/* Where its entries go: its own directory, or the view of the layers below it through which
 * overlayfs fills that. */
static int open_target(struct load *l, const struct job *j)
{
	char name[64];
	int fd;

	if (j->merged)
		return load_merged_view(l, j);
	snprintf(name, sizeof(name), "%s/fs", j->staged);
	fd = fd_open(l->in.fd, name, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? err_errno(l->err, "open %s", name) : fd;
}

static int open_split(struct load *l, const struct job *j)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s/split", j->staged);
	fd = fd_create(l->in.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	return fd < 0 ? err_errno(l->err, "create %s", name) : fd;
}

static int start(struct load *l, struct job *j)
{
	autofd split = -1;
	struct extent where = { -1, 0, 0 };
	struct unpack_opts opts;
	int r = 0;

	if (j->target < 0) {
		r = make_staged(l, j);
		if (r == 0)
			r = j->target = open_target(l, j);
	}
	if (r >= 0)
		r = split = open_split(l, j);
	if (r >= 0)
		r = layout_find(l->opts->layout, j->source->member, &where, l->err);
	if (r < 0)
		return r;
	opts = (struct unpack_opts){
		.stream = { .fd = where.fd,
			    .offset = where.offset,
			    .size = where.size,
			    .digest = j->source->digest,
			    .diff_id = j->source->diff_id,
			    /* Not for a lone one only: the longest of several is often left alone
			     * at the end, with processors that have nothing else to do. */
			    .threads = true,
			    .split_fd = split,
			    .split_whole = j->whole,
			    .max_bytes = l->opts->max_bytes,
			    .progress = &l->counters[j->view] },
		.extract = { .root_fd = j->target,
			     .merged = j->merged,
			     .whiteouts_only = j->whiteouts,
			     .user_xattr = l->opts->user_xattr,
			     .keep_ids = l->opts->keep_ids,
			     .max_entries = l->opts->max_entries,
			     .max_bytes = load_max_bytes(l),
			     .bytes_error = l->room < l->opts->max_bytes ? ENOSPC : EFBIG },
	};
	l->counters[j->view] = 0;
	r = unpack_start(&opts, &j->unpack, l->err);
	close(where.fd);
	if (r == 0) {
		j->started = true;
		l->views[j->view].state = LOAD_RUNNING;
	}
	return r;
}

static size_t running(const struct load *l)
{
	size_t n = 0;

	for_each (j, &l->jobs)
		n += j->started && !j->done;
	return n;
}

/* The longest of those that wait: it would else be the one that all wait for at the end. */
static struct job *longest(struct load *l, size_t first)
{
	struct job *best = NULL;

	for (size_t i = first; i < l->jobs.count; i++) {
		struct job *j = &l->jobs.items[i];

		if (!j->started && (!best || j->source->size > best->source->size))
			best = j;
	}
	return best;
}

static int take_result(struct load *l, struct job *j)
{
	int r = unpack_wait(&j->unpack, &j->result, l->err);

	j->done = true;
	/* A merged one is at its second pass in the same view. */
	if (!j->whiteouts)
		close(take_fd(&j->target));
	if (r == 0) {
		l->views[j->view].state = LOAD_DONE;
		l->views[j->view].done = l->views[j->view].size;
	}
	/* What its maker got wrong is as bad as what came damaged. */
	if (r == -EINVAL)
		r = l->err->code = -EBADMSG;
	return r < 0 ? err_prefix(l->err, "layer %.19s", j->source->diff_id) : 0;
}

/* Waits until one at least has ended. */
static int wait_for_any(struct load *l)
{
	struct pollfd fds[JOBS_MAX];
	struct job *jobs[JOBS_MAX];
	size_t n = 0;
	int r = 0;

	for_each (j, &l->jobs)
		if (j->started && !j->done && n < JOBS_MAX) {
			fds[n] = (struct pollfd){ j->unpack.pidfd, POLLIN, 0 };
			jobs[n++] = j;
		}
	for (;;) {
		int ready = poll(fds, n, PROGRESS_MS);

		if (l->opts->interrupted && *l->opts->interrupted)
			return err_set(l->err, EINTR, "interrupted");
		if (ready < 0 && errno != EINTR)
			return err_errno(l->err, "poll");
		if (ready > 0)
			break;
		show_progress(l);
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		if (fds[i].revents)
			r = take_result(l, jobs[i]);
	show_progress(l);
	return r;
}

int load_run_jobs(struct load *l, size_t first)
{
	size_t at_once = l->opts->jobs < JOBS_MAX ? l->opts->jobs : JOBS_MAX;
	struct load_writeback writeback;
	struct job *next;
	int r = 0;

	load_writeback_start(&writeback, l->opts->store);
	while (r == 0 && ((next = longest(l, first)) || running(l))) {
		if (next && running(l) < at_once)
			r = start(l, next);
		else
			r = wait_for_any(l);
	}
	load_writeback_stop(&writeback);
	/* Those that the store had were in nobody's way. */
	if (r == 0)
		show_progress(l);
	return r;
}

void load_kill_jobs(struct load *l)
{
	for_each (j, &l->jobs) {
		if (j->started && !j->done)
			unpack_kill(&j->unpack);
		if (j->target >= 0)
			close(take_fd(&j->target));
	}
}
