/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of limits.h: from writes to the files of a group. */
#include "cgroups/limits.h"

#include "cgroups/cg.h"
#include "cgroups/limits_undo.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the writes that have none of the flags. */
static unsigned int controllers_without(const struct cg_writes *writes, unsigned int flags)
{
	unsigned int mask = 0;

	for (size_t i = 0; i < writes->count; i++) {
		const struct cg_write *w = &writes->items[i];
		int c = cg_controller_of(w->file);

		if (c >= 0 && !(w->flags & flags))
			mask |= 1u << c;
	}
	return mask;
}

unsigned int limits_controllers(const struct cg_writes *writes)
{
	return controllers_without(writes, CG_WRITE_OPTIONAL);
}

static unsigned int controllers_to_enable(const struct cg *cg, const struct cg_writes *writes)
{
	unsigned int mask = limits_controllers(writes);
	unsigned int needed = controllers_without(writes, CG_WRITE_OPTIONAL | CG_WRITE_USUAL);
	const struct cg_tree tree = { .fd = cg->root };

	return mask == needed ? mask : needed | (mask & cg_available(&tree));
}

/* The first field that needs one of the controllers. */
static const char *field_needing(const struct cg_writes *writes, unsigned int mask)
{
	for (size_t i = 0; i < writes->count; i++) {
		const struct cg_write *w = &writes->items[i];
		int c = cg_controller_of(w->file);

		if (c >= 0 && mask & 1u << c && !(w->flags & CG_WRITE_OPTIONAL))
			return w->field;
	}
	return "";
}

static int enable_controllers(const struct cg *cg, const struct cg_writes *writes, struct err *err)
{
	unsigned int mask = controllers_to_enable(cg, writes);
	int r = mask ? cg_enable(cg, mask, err) : 0;

	if (r < 0) {
		/* cg_enable() stops at the first one that is refused, in this order. */
		unsigned int missing = mask & ~cg_enabled(cg);
		unsigned int first = missing & -missing;

		return err_prefix(err, "linux.resources.%s", field_needing(writes, first));
	}
	return 0;
}

int64_t limits_in_force(const struct cg *cg, const char *file)
{
	char text[64];

	if (file_peek(cg->fd, file, text, sizeof(text)) <= 0 || strncmp(text, "max", 3) == 0)
		return -1;
	return strtoll(text, NULL, 10);
}

static int check_burst(const struct cg *cg, const struct cg_cpu *c, struct err *err)
{
	bool quota_given = c->quota.set && c->quota.value != 0;
	int64_t quota, burst;

	if (!quota_given && !(c->burst.set && c->burst.value))
		return 0;
	quota = quota_given ? c->quota.value : limits_in_force(cg, "cpu.max");
	burst = c->burst.set ? (int64_t)c->burst.value : limits_in_force(cg, "cpu.max.burst");
	if (quota < 0 || burst <= quota)
		return 0;
	return err_set(err, EINVAL,
		       "linux.resources.cpu.%s: a burst of %" PRId64
		       " is more than the quota of %" PRId64 "%s",
		       quota_given ? "quota" : "burst", burst, quota,
		       quota_given ? "; give a smaller burst as well" : "");
}

static int check_shares(const struct cg *cg, const struct cg_cpu *c, struct err *err)
{
	if (c->idle.set || !c->shares.set || !c->shares.value ||
	    limits_in_force(cg, "cpu.idle") != 1)
		return 0;
	return err_set(
		err, EINVAL,
		"linux.resources.cpu.shares: the container is idle (cpu.idle is 1) and has no "
		"shares; set cpu.idle to 0 as well");
}

static int check_memory(const struct cg *cg, const struct cg_memory *m, struct err *err)
{
	int64_t used;

	if (!m->check_before_update.set || !m->check_before_update.value || !m->limit.set ||
	    m->limit.value <= 0)
		return 0;
	used = limits_in_force(cg, "memory.current");
	if (used <= m->limit.value)
		return 0;
	return err_set(err, EBUSY,
		       "linux.resources.memory.limit: %" PRId64
		       " bytes are in use, more than the new limit of %" PRId64,
		       used, m->limit.value);
}

static int poke_period(const struct cg *cg, const struct cg_write *w)
{
	char text[64], value[128];
	ssize_t n = file_peek(cg->fd, w->file, text, sizeof(text));

	if (n < 0)
		return (int)n;
	snprintf(value, sizeof(value), "%.*s %s", (int)strcspn(text, " "), text, w->value);
	return file_poke(cg->fd, w->file, value);
}

/* 1 when written, 0 when the file is missing and may be. */
static int write_one(const struct cg *cg, const struct cg_write *w, struct err *err)
{
	int r = w->flags & CG_WRITE_KEEP_QUOTA ? poke_period(cg, w)
					       : file_poke(cg->fd, w->file, w->value);

	if (r == 0)
		return 1;
	if (r == -ENOENT && w->flags & (CG_WRITE_OPTIONAL | CG_WRITE_USUAL))
		return 0;
	if (r == -ENOENT)
		return err_set(err, EOPNOTSUPP,
			       "linux.resources.%s: kernel lacks %s (no such file in cgroup %s)",
			       w->field, w->file, cg->path);
	return err_code(err, r, "linux.resources.%s: write \"%s\" to %s of cgroup %s", w->field,
			w->value, w->file, cg->path);
}

static int write_all(const struct cg *cg, const struct cg_writes *writes, struct limits_undo *undo,
		     struct err *err)
{
	int written = 0;

	for (size_t i = 0; i < writes->count; i++) {
		const struct cg_write *w = &writes->items[i];

		if (w->flags & CG_WRITE_ALTERNATIVE && written)
			continue;
		if (undo)
			limits_undo_note(undo, w);
		written = write_one(cg, w, err);
		if (written < 0)
			return written;
	}
	return 0;
}

/* All or nothing: the group lives. */
static int write_or_undo(const struct cg *cg, const struct cg_writes *writes, struct arena *a,
			 struct err *err)
{
	struct limits_undo undo = { .cg = cg, .a = a };
	int r = write_all(cg, writes, &undo, err);

	if (r < 0)
		limits_undo(&undo);
	return r;
}

static int check(const struct cg *cg, const struct cg_limits *limits, struct err *err)
{
	int r = check_memory(cg, &limits->memory, err);

	if (r == 0)
		r = check_burst(cg, &limits->cpu, err);
	return r < 0 ? r : check_shares(cg, &limits->cpu, err);
}

int limits_apply(const struct cg *cg, const struct cg_limits *limits, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct cg_writes writes = { NULL, 0 };
	int r = limits_translate(limits, &a, &writes, err);

	/* In a new group nothing holds yet, and nothing is left of it after an error. */
	if (r == 0 && !cg->made)
		r = check(cg, limits, err);
	if (r == 0)
		r = enable_controllers(cg, &writes, err);
	if (r < 0)
		return r;
	return cg->made ? write_all(cg, &writes, NULL, err) : write_or_undo(cg, &writes, &a, err);
}
