/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/oom.h"

#include "cgroups/stats.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Of events that are a name long at most, none here: a few dozen at once. */
#define EVENTS_SIZE 1024
/* Batches of events at one go; what comes faster is for the loop's next turn. */
#define BATCHES_MAX 8

void oom_init(struct oom *oom, struct loop *loop, void (*killed)(struct oom_watch *watch))
{
	*oom = (struct oom){ .loop = loop, .source.fd = -1, .killed = killed };
	list_init(&oom->watches);
}

static struct opt_u64 count_kills(const struct cg *cg)
{
	autoarena a = ARENA_INIT;
	struct cg_stats stats;
	struct err ignored;

	if (stats_read_some(cg, STATS_OOM, NULL, &a, &stats, &ignored) < 0)
		return (struct opt_u64){ 0 };
	return stats.memory.oom_kills;
}

void oom_check(struct oom *oom, struct oom_watch *watch)
{
	struct opt_u64 kills;

	if (!watch->link.next)
		return;
	kills = count_kills(watch->cg);
	if (!kills.set || kills.value <= watch->kills)
		return;
	watch->kills = kills.value;
	oom->killed(watch);
}

/* wd -1: all of them. */
static void check_each(struct oom *oom, int wd)
{
	for_list (watch, &oom->watches, struct oom_watch, link) {
		if (wd < 0 || watch->wd == wd)
			oom_check(oom, watch);
	}
}

/* The kernel has ended this one: the group was removed. */
static void forget(struct oom *oom, int wd)
{
	for_list (watch, &oom->watches, struct oom_watch, link) {
		if (watch->wd == wd)
			watch->wd = -1;
	}
}

static void take_event(struct oom *oom, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		check_each(oom, -1);
	else if (event->mask & IN_IGNORED)
		forget(oom, event->wd);
	else
		check_each(oom, event->wd);
}

static void events_ready(struct loop_source *source, uint32_t events)
{
	struct oom *oom = container_of(source, struct oom, source);
	alignas(struct inotify_event) char text[EVENTS_SIZE];

	(void)events;
	for (int batch = 0; batch < BATCHES_MAX; batch++) {
		ssize_t len = read(source->fd, text, sizeof(text));
		const struct inotify_event *event;

		if (len <= 0)
			return;
		for (ssize_t at = 0; at < len; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(text + at);
			take_event(oom, event);
		}
	}
}

static int make_source(struct oom *oom)
{
	int fd, r;

	if (oom->source.fd >= 0)
		return 0;
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = loop_add(oom->loop, &oom->source, fd, EPOLLIN, events_ready);
	if (r < 0) {
		close(fd);
		oom->source.fd = -1;
	}
	return r;
}

int oom_add(struct oom *oom, struct oom_watch *watch, const struct cg *cg)
{
	char path[sizeof("/proc/self/fd/-2147483648/memory.events")];
	int r;

	if (faccessat(cg->fd, "memory.events", R_OK, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	*watch = (struct oom_watch){ .wd = -1, .cg = cg };
	list_add(&oom->watches, &watch->link);
	r = make_source(oom);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d/memory.events", cg->fd);
		watch->wd = inotify_add_watch(oom->source.fd, path, IN_MODIFY);
		r = watch->wd < 0 ? -errno : 0;
	}
	/* From here on nothing is missed; what was before belongs to somebody else. */
	watch->kills = count_kills(cg).value;
	return r;
}

/* Two containers in one group have one watch of the kernel's. */
static bool shared(const struct oom *oom, int wd)
{
	for_list (watch, &oom->watches, struct oom_watch, link) {
		if (watch->wd == wd)
			return true;
	}
	return false;
}

void oom_remove(struct oom *oom, struct oom_watch *watch)
{
	if (!watch->link.next)
		return;
	list_remove(&watch->link);
	if (watch->wd >= 0 && !shared(oom, watch->wd))
		inotify_rm_watch(oom->source.fd, watch->wd);
}

void oom_done(struct oom *oom)
{
	while (list_pop(&oom->watches))
		;
	if (oom->source.fd < 0)
		return;
	loop_remove(oom->loop, &oom->source);
	close(oom->source.fd);
	oom->source.fd = -1;
}
