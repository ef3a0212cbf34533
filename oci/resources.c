/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/resources.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "oci/rdt.h"
#include "oci/scope.h"
#include "oci/spec_annotations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int resources_device_program(const struct cg_limits *limits, struct arena *a,
			     struct device_program *ret_program, struct err *err)
{
	size_t own = limits->devices.count;
	struct cg_device_rule *rules;

	if (!own) {
		*ret_program = (struct device_program){ NULL, 0 };
		return 0;
	}
	rules = arena_calloc(a, own + devices_default_count, sizeof(*rules));
	memcpy(rules, limits->devices.items, own * sizeof(*rules));
	memcpy(rules + own, devices_default, devices_default_count * sizeof(*rules));
	return devices_program(rules, own + devices_default_count, a, ret_program, err);
}

/* `update --memory-swap 1g` alone means the memory limit there is; cgroup v2 counts swap alone. */
static void fill_memory_limit(int64_t in_force, struct cg_memory *m)
{
	if (m->swap.set && m->swap.value > 0 && !(m->limit.set && m->limit.value) && in_force >= 0)
		m->limit = (struct opt_i64){ true, in_force };
}

/* The annotation's share of a memory limit; not set where there is none. */
static int share_of(const struct container *c, int64_t limit, struct opt_i64 *ret_high,
		    struct err *err)
{
	struct cg_limits l = { .memory.limit = { true, limit } };
	int r = spec_apply_annotations(&c->st.annotations, &l, err);

	if (r == 0)
		*ret_high = l.memory.high;
	return r;
}

/*
 * memory.high by annotation follows the limit. One that is not that share of the old limit was set
 * by somebody for its own sake, and stays. The kernel has cut both down to pages.
 */
static int follow_limit(const struct container *c, const struct cg *cg, int64_t limit_in_force,
			struct cg_memory *m, struct err *err)
{
	int64_t high = limits_in_force(cg, "memory.high"), page = getpagesize();
	struct opt_i64 old = { false, 0 };
	int r;

	if (!m->limit.set || !m->limit.value)
		return 0;
	r = share_of(c, limit_in_force, &old, err);
	if (r < 0 || !old.set || (high < 0) != (old.value < 0) || llabs(high - old.value) > page)
		return r;
	return share_of(c, m->limit.value, &m->high, err);
}

static int fill_memory(const struct container *c, const struct cg *cg, struct cg_memory *m,
		       struct err *err)
{
	int64_t limit = limits_in_force(cg, "memory.max");

	fill_memory_limit(limit, m);
	if (!m->check_before_update.set)
		m->check_before_update = (struct opt_bool){ true, c->st.check_memory };
	return follow_limit(c, cg, limit, m, err);
}

/* The new limits as systemd has them, or it would bring the old ones back. */
static int list_properties(const struct cg *cg, const struct cg_limits *limits,
			   struct scope_words *words, struct err *err)
{
	struct scope_now now = SCOPE_NOW_NEW;
	struct cg_writes writes = { NULL, 0 };
	char cpu_max[64], idle[8];
	int r = limits_translate(limits, words->a, &writes, err);

	if (r < 0)
		return r;
	if (file_peek(cg->fd, "cpu.max", cpu_max, sizeof(cpu_max)) > 0)
		now.cpu_max = cpu_max;
	now.idle = file_peek(cg->fd, "cpu.idle", idle, sizeof(idle)) > 0 && idle[0] == '1';
	scope_words_limits(words, &writes, &now);
	return 0;
}

/* What it had no property for when the unit was made, it takes for unset. */
static int update_unit(struct container *c, const struct cg *cg, const struct scope_words *words,
		       struct err *err)
{
	static const char file[] = "memory.oom.group";
	char oom_group[8];
	bool known = file_peek(cg->fd, file, oom_group, sizeof(oom_group)) > 0;
	int r = scope_set(&c->st, words, err);

	if (known)
		file_poke(cg->fd, file, oom_group);
	return r;
}

/* By hand first, as the kernel refuses what systemd would take, and again after systemd, which
 * writes what it has rounded. */
static int apply_with_systemd(struct container *c, const struct cg *cg,
			      const struct cg_limits *limits, struct err *err)
{
	struct scope_words words = { .a = &c->arena };
	int r = list_properties(cg, limits, &words, err);

	if (r == 0)
		r = limits_apply(cg, limits, err);
	if (r < 0 || !words.list.count)
		return r;
	r = update_unit(c, cg, &words, err);
	return r < 0 ? r : limits_apply(cg, limits, err);
}

/* Rules may come to no program: then everything is allowed, and the old one goes. */
static int replace_devices(const struct cg *cg, const struct resources_change *change,
			   const struct device_program *program, struct err *err)
{
	int r = change->limits.devices.count ? devices_replace(cg->fd, program, err) : 0;

	/* As when the container was made: who may not load programs went on without. */
	return r == -EPERM && change->rootless ? 0 : r;
}

static int update_group(struct container *c, struct resources_change *change, struct err *err)
{
	struct cg_limits *limits = &change->limits;
	struct device_program program = { NULL, 0 };
	autocg cg = CG_INIT;
	struct cg_tree tree;
	int r = resources_device_program(limits, &c->arena, &program, err);

	if (r == 0)
		r = container_cgroup(c, &tree, &cg, err);
	if (r < 0)
		return r;
	r = fill_memory(c, &cg, &limits->memory, err);
	if (r == 0)
		r = c->st.unit ? apply_with_systemd(c, &cg, limits, err)
			       : limits_apply(&cg, limits, err);
	if (r == 0)
		r = replace_devices(&cg, change, &program, err);
	cg_tree_close(&tree);
	return r;
}

int resources_update(struct container *c, struct resources_change *change, struct err *err)
{
	enum status status = container_status(c);
	int r;

	if (status != STATUS_CREATED && status != STATUS_RUNNING && status != STATUS_PAUSED)
		return err_set(err, ESRCH, "container %s: container not running", c->st.id);
	/* First, as limits can be taken back and shares cannot. */
	r = rdt_update(&c->st, change->l3_cache_schema, change->mem_bw_schema, err);
	if (r == 0)
		r = update_group(c, change, err);
	return r < 0 ? err_prefix(err, "update container %s", c->st.id) : 0;
}
