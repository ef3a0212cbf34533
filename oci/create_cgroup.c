/* SPDX-License-Identifier: Apache-2.0 */
/* A container's cgroup while it is made: where it lies, what it may use, which devices. */
#include "oci/create_private.h"

#include "cgroups/devices.h"
#include "cgroups/limits.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "oci/owner.h"
#include "oci/resources.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define UNDO_TIMEOUT_MS 2000
#define UNDO_UNIT_TIMEOUT_MS 8000

/* systemd says where only once it is there, and what is about to be made must be in the state. */
static int choose_unit(struct making *mk, struct err *err)
{
	const struct container *c = mk->c;
	struct state *st = &mk->c->st;
	int r = scope_name(c->spec->linux_.cgroups_path, mk->opts->id, scope_of_user(),
			   &mk->c->arena, &mk->scope, err);

	if (r < 0)
		return r;
	st->unit = mk->scope.unit;
	st->user_bus = mk->scope.user;
	st->cgroup_path = mk->scope.path;
	r = scope_available(err);
	return r < 0 ? r : cg_tree_find(&mk->tree, err);
}

static bool is_unit_form(const char *path)
{
	const char *first = path && path[0] != '/' ? strchr(path, ':') : NULL;
	const char *second = first ? strchr(first + 1, ':') : NULL;

	return second && !strchr(second + 1, ':');
}

/*
 * The group: where the spec says, else one of our own below the root, or for an ordinary user below
 * the group it is in. A host without cgroup2 is no obstacle as long as nothing is to be limited.
 */
int create_choose_cgroup(struct making *mk, struct err *err)
{
	const char *path = mk->c->spec->linux_.cgroups_path;
	char own[PATH_MAX] = "";
	int r;

	if (mk->opts->manager == CGROUP_DISABLED)
		return 0;
	if (mk->opts->manager == CGROUP_SYSTEMD ||
	    (mk->opts->manager == CGROUP_BY_PATH && is_unit_form(path)))
		return choose_unit(mk, err);
	r = cg_tree_find(&mk->tree, err);
	if (r < 0)
		return mk->opts->rootless ? 0 : r;
	if (mk->opts->rootless && (!path || path[0] != '/')) {
		r = cg_delegated_path(&mk->tree, own, sizeof(own), err);
		if (r < 0)
			return r;
		if (strcmp(own, "/") == 0)
			own[0] = '\0';
	}
	if (path && path[0])
		mk->c->st.cgroup_path =
			arena_printf(&mk->c->arena, "%s%s%s", own, path[0] == '/' ? "" : "/", path);
	else
		mk->c->st.cgroup_path =
			arena_printf(&mk->c->arena, "%s/tote-%s", own, mk->opts->id);
	return 0;
}

int create_attach_devices(struct making *mk, struct err *err)
{
	const struct cg_limits *limits = &mk->c->spec->linux_.resources;
	struct device_program program;
	int r;

	if (!limits->devices.count || mk->cg.fd < 0)
		return 0;
	r = resources_device_program(limits, &mk->c->arena, &program, err);
	/* A group that was there before has the program of the last container in it still. */
	if (r == 0)
		r = mk->cg.made ? devices_attach(mk->cg.fd, &program, err)
				: devices_replace(mk->cg.fd, &program, err);
	/* An ordinary user may not load programs, and cannot make device nodes either: nothing is
	 * lost. */
	return r == -EPERM && mk->opts->rootless ? 0 : r;
}

/* delete --force goes by the name that stands in the state: it must not be somebody else's. */
static int check_unit_is_free(struct making *mk, struct err *err)
{
	autocg cg = CG_INIT;

	if (cg_open(&mk->tree, mk->c->st.cgroup_path, &cg, err) == 0 && cg_populated(&cg) > 0)
		return err_set(err, EEXIST, "unit %s exists already", mk->c->st.unit);
	return 0;
}

int create_note_cgroup(struct making *mk, struct err *err)
{
	struct state *st = &mk->c->st;
	int r;

	if (!st->cgroup_path)
		return 0;
	st->check_memory = mk->c->spec->linux_.resources.memory.check_before_update.value;
	/* Slices are systemd's to remove. */
	if (st->unit) {
		st->cgroup_levels = 1;
		return check_unit_is_free(mk, err);
	}
	r = cg_missing(&mk->tree, st->cgroup_path);
	if (r < 0)
		return err_code(err, r, "look for cgroup %s", st->cgroup_path);
	st->cgroup_levels = (uint32_t)r;
	return 0;
}

static bool wants_limits(const struct spec *spec, struct arena *a)
{
	struct cg_writes writes;
	struct err ignored;

	if (limits_translate(&spec->linux_.resources, a, &writes, &ignored) < 0)
		return true;
	for (size_t i = 0; i < writes.count; i++) {
		/* What a group has anyway is no limit: podman writes "pids": {"limit": 0}. */
		if (!(writes.items[i].flags & (CG_WRITE_OPTIONAL | CG_WRITE_USUAL)))
			return true;
	}
	return false;
}

static int list_properties(struct making *mk, struct scope_words *words, struct err *err)
{
	static const struct scope_now now = SCOPE_NOW_NEW;
	const struct spec *spec = mk->c->spec;
	struct cg_writes writes = { NULL, 0 };
	int r = limits_translate(&spec->linux_.resources, words->a, &writes, err);

	if (r < 0)
		return r;
	scope_words_base(words, &mk->scope, mk->c->st.id, mk->holder);
	scope_words_limits(words, &writes, &now);
	return scope_words_annotations(words, &spec->annotations, err);
}

/* Where the guess was wrong, all that was decided by it is put right. */
static int correct_path(struct making *mk, char *path, struct err *err)
{
	struct state *st = &mk->c->st;

	if (strcmp(path, st->cgroup_path) == 0)
		return 0;
	st->cgroup_path = path;
	for_each (s, &mk->plan.steps)
		if (s->op == STEP_MOUNT && s->flags & STEP_OR_BIND)
			s->source = arena_printf(&mk->c->arena, "%s%s", mk->plan_opts.cgroup_root,
						 path);
	return state_save(mk->c->dir_fd, st, err);
}

static int start_unit(struct making *mk, struct err *err)
{
	struct scope_words words = { .a = &mk->c->arena };
	struct state *st = &mk->c->st;
	char *path;
	int r = mk->holder = scope_hold();

	if (r < 0) {
		mk->holder = 0;
		return err_code(err, r, "make a process to hold unit %s", st->unit);
	}
	r = list_properties(mk, &words, err);
	if (r == 0)
		r = scope_start(st, &words, &path, err);
	mk->unit_made = r == 0 || r == -ETIMEDOUT;
	if (r == 0)
		r = correct_path(mk, path, err);
	if (r == 0)
		r = cg_open(&mk->tree, path, &mk->cg, err);
	return r < 0 ? r : scope_reach(st, &mk->tree, path, err);
}

/* The holder counts as well, and so does the stage that enters namespaces ahead of the container's
 * first process: the limit waits for their end. */
static int suspend_pids_limit(struct making *mk, struct err *err)
{
	static const char file[] = "pids.max";
	int r;

	if ((!mk->holder && !mk->plan.staged) ||
	    file_peek(mk->cg.fd, file, mk->pids_max, sizeof(mk->pids_max)) <= 0 ||
	    strcmp(mk->pids_max, "max") == 0) {
		mk->pids_max[0] = '\0';
		return 0;
	}
	r = file_poke(mk->cg.fd, file, "max");
	return r < 0 ? err_code(err, r, "write %s of cgroup %s", file, mk->cg.path) : 0;
}

int create_settle_cgroup(struct making *mk, struct err *err)
{
	int r;

	scope_let_go(&mk->holder);
	if (!mk->pids_max[0])
		return 0;
	r = file_poke(mk->cg.fd, "pids.max", mk->pids_max);
	return r < 0 ? err_code(err, r, "linux.resources.pids.limit") : 0;
}

/* A controller counts from when it is on. Those that are refused are missing from the numbers. */
static void enable_counting(const struct making *mk)
{
	const unsigned int counting = 1u << CG_CPU | 1u << CG_IO | 1u << CG_MEMORY | 1u << CG_PIDS;
	unsigned int wanted = mk->opts->measured ? counting & cg_available(&mk->tree) : 0;
	struct err ignored;

	/* A scope has what systemd gave it. */
	if (!wanted || mk->c->st.unit || cg_enable(&mk->cg, wanted, &ignored) == 0)
		return;
	for (unsigned int c = 0; c < CG_CONTROLLERS; c++)
		if (wanted & 1u << c)
			cg_enable(&mk->cg, 1u << c, &ignored);
}

int create_make_cgroup(struct making *mk, struct err *err)
{
	struct container *c = mk->c;
	int r;

	if (!c->st.cgroup_path) {
		if (wants_limits(c->spec, &c->arena))
			return err_set(err, EOPNOTSUPP,
				       "linux.resources: there is no cgroup to limit");
		return 0;
	}
	r = c->st.unit ? start_unit(mk, err)
		       : cg_create(&mk->tree, c->st.cgroup_path, &mk->cg, err);
	if ((r == -EACCES || r == -EPERM || r == -EROFS) && mk->opts->rootless && !c->st.unit &&
	    !wants_limits(c->spec, &c->arena)) {
		/* No group was delegated to this user, and none is needed. */
		c->st.cgroup_path = NULL;
		return 0;
	}
	if (r == 0) {
		r = owner_claim(&mk->cg, c->dir_fd, err);
		mk->foreign = r < 0;
	}
	if (r == 0)
		enable_counting(mk);
	if (r == 0)
		r = limits_apply(&mk->cg, &c->spec->linux_.resources, err);
	if (r == 0)
		r = suspend_pids_limit(mk, err);
	if (r == 0)
		mk->launch.cgroup_fd = mk->cg.fd;
	if (!mk->cg.made)
		mk->launch.ooms = launch_ooms(mk->launch.cgroup_fd);
	return r;
}

int create_undo_cgroup(struct making *mk, struct err *err)
{
	const struct state *st = &mk->c->st;
	bool there = mk->cg.fd >= 0 && !mk->foreign;
	int r = there ? cg_kill(&mk->cg, UNDO_TIMEOUT_MS, err) : 0;

	scope_let_go(&mk->holder);
	if (r == 0 && mk->unit_made)
		r = scope_stop(st, UNDO_UNIT_TIMEOUT_MS, err);
	if (there && !mk->cg.made)
		owner_release(&mk->cg);
	if (r == 0 && there)
		r = cg_destroy(&mk->tree, st->cgroup_path, st->unit ? 1 : mk->cg.made,
			       UNDO_TIMEOUT_MS, err);
	return r;
}
