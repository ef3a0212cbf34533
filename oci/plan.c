/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/plan.h"

#include "lib/cleanup.h"
#include "oci/spec_annotations.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#define STEPS_FIRST 64

struct step *plan_add(struct plan *plan, struct arena *a, enum step_op op)
{
	struct step *s;

	if (plan->steps.count == plan->steps_size) {
		size_t size = plan->steps_size ? plan->steps_size * 2 : STEPS_FIRST;
		struct step *items = arena_calloc(a, size, sizeof(*items));

		if (plan->steps.count)
			memcpy(items, plan->steps.items, plan->steps.count * sizeof(*items));
		plan->steps.items = items;
		plan->steps_size = size;
	}
	s = &plan->steps.items[plan->steps.count++];
	*s = (struct step){ .op = op, .fd = -1 };
	return s;
}

struct step *plan_add_path(struct plan *plan, struct arena *a, enum step_op op, const char *path)
{
	struct step *s = plan_add(plan, a, op);

	s->path = path;
	return s;
}

struct step *plan_add_data(struct plan *plan, struct arena *a, enum step_op op, const char *data)
{
	struct step *s = plan_add(plan, a, op);

	s->data = data;
	s->data_len = strlen(data);
	return s;
}

void plan_warn(struct plan *plan, struct arena *a, const char *text)
{
	const char **items = arena_calloc(a, plan->warnings.count + 1, sizeof(*items));

	if (plan->warnings.count)
		memcpy(items, plan->warnings.items, plan->warnings.count * sizeof(*items));
	items[plan->warnings.count] = text;
	plan->warnings.items = items;
	plan->warnings.count++;
}

/* Sorts the namespaces of the spec into those to make (flags) and those to enter (joins). */
static void plan_namespaces(const struct spec *spec, struct arena *a, struct plan *plan)
{
	plan->joins.items =
		arena_calloc(a, spec->linux_.namespaces.count, sizeof(*plan->joins.items));
	for_each (ns, &spec->linux_.namespaces) {
		if (ns->type == NS_USER)
			plan->user_ns = true;
		if (ns->path)
			plan->joins.items[plan->joins.count++] =
				(struct plan_join){ (enum ns_kind)ns->type, ns->path };
		else if (ns->type == NS_TIME)
			plan->new_time_ns = true;
		else if (ns->type != NS_CGROUP)
			plan->clone_flags |= ns_kind_flag((enum ns_kind)ns->type);
	}
	plan->new_user_ns = plan->clone_flags & CLONE_NEWUSER;
	plan->staged = plan->joins.count || plan->new_time_ns;
	plan->uid_mappings = &spec->linux_.uid_mappings;
	plan->gid_mappings = &spec->linux_.gid_mappings;
}

static void plan_time_offsets(const struct spec *spec, struct arena *a, struct plan *plan)
{
	const struct spec_time_offset *m = spec->linux_.time_offsets.monotonic,
				      *b = spec->linux_.time_offsets.boottime;

	if (m || b)
		plan->time_offsets = arena_printf(a, "monotonic %lld %u\nboottime %lld %u\n",
						  m ? (long long)m->secs : 0, m ? m->nanosecs : 0,
						  b ? (long long)b->secs : 0, b ? b->nanosecs : 0);
}

static void add_enter(struct plan *plan, struct arena *a, const struct plan_join *j,
		      unsigned int flags)
{
	struct step *s = plan_add_path(plan, a, STEP_ENTER, j->path);

	s->type = ns_kind_name(j->kind);
	s->arg[0] = ns_kind_flag(j->kind);
	s->flags = flags;
}

/* Entering a user namespace gives privilege in it and takes that of the host: what was refused
 * before is tried after. */
static void plan_stage(struct plan *plan, struct arena *a)
{
	const struct plan_join *user = NULL;

	if (!plan->staged)
		return;
	if (plan->new_time_ns) {
		struct step *s = plan_add(plan, a, STEP_TIME_NAMESPACE);

		s->data = plan->time_offsets;
		s->data_len = plan->time_offsets ? strlen(plan->time_offsets) : 0;
	}
	for_each (j, &plan->joins)
		if (j->kind == NS_USER)
			user = j;
	for_each (j, &plan->joins)
		if (j != user)
			add_enter(plan, a, j, user ? STEP_OR_LATER : 0);
	if (user)
		add_enter(plan, a, user, 0);
	for_each (j, &plan->joins)
		if (user && j != user)
			add_enter(plan, a, j, 0);
	plan_add(plan, a, STEP_CLONE)->arg[0] = plan->clone_flags;
	if (plan->user_ns)
		plan_add(plan, a, STEP_BECOME_ROOT)->arg[0] = plan->new_user_ns;
}

static void plan_names(const struct spec *spec, struct arena *a, struct plan *plan)
{
	if (spec_new_namespace(spec, NS_CGROUP))
		/* Not a clone flag: with CLONE_INTO_CGROUP the new namespace would begin at the
		 * parent's cgroup. */
		plan_add(plan, a, STEP_UNSHARE)->arg[0] = CLONE_NEWCGROUP;
	if (spec->hostname)
		plan_add_data(plan, a, STEP_HOSTNAME, spec->hostname);
	if (spec->domainname)
		plan_add_data(plan, a, STEP_DOMAINNAME, spec->domainname);
	if (spec_new_namespace(spec, NS_NETWORK))
		plan_add(plan, a, STEP_LOOPBACK_UP);
}

static void plan_sysctls(const struct spec *spec, struct arena *a, struct plan *plan)
{
	for_each (kv, &spec->linux_.sysctl) {
		char path[256];
		struct step *s;

		if (!spec_sysctl_path(kv->key, path, sizeof(path)))
			continue; /* spec_load() has refused it */
		/* Its file is the host root's, also in a user namespace that owns the name. */
		if (strcmp(path, "kernel/domainname") == 0) {
			plan_add_data(plan, a, STEP_DOMAINNAME, kv->value);
			continue;
		}
		s = plan_add_data(plan, a, STEP_SYSCTL, kv->value);
		s->path = arena_strdup(a, path);
	}
}

void plan_hooks(const struct spec_hook_list *hooks, struct arena *a, struct plan *plan)
{
	for_each (h, hooks) {
		static char *none[] = { NULL };
		struct step *s = plan_add_path(plan, a, STEP_HOOK, h->path);

		s->argv = h->args.count ? h->args.items
					: arena_memdup(a, (char *[]){ h->path, NULL },
						       2 * sizeof(char *));
		s->envp = h->env.count ? h->env.items : none;
		s->arg[0] = h->timeout.set ? (uint64_t)h->timeout.value : 0;
	}
}

static bool needs_host(const struct spec *spec)
{
	return spec->hooks.list[HOOK_PRESTART].count ||
	       spec->hooks.list[HOOK_CREATE_RUNTIME].count || spec->linux_.net_devices.count;
}

static int read_init(const struct key_value_list *annotations, bool *ret, struct err *err)
{
	for_each (kv, annotations) {
		if (strcmp(kv->key, ANNOTATION_INIT) != 0)
			continue;
		*ret = strcmp(kv->value, "true") == 0;
		if (!*ret && strcmp(kv->value, "false") != 0)
			return err_set(err, EINVAL,
				       "annotations[\"%s\"]: expected true or false, found \"%s\"",
				       kv->key, kv->value);
	}
	return 0;
}

int plan_build(const struct spec *spec, const struct plan_opts *opts, struct arena *a,
	       struct plan *ret_plan, struct err *err)
{
	struct plan plan = { 0 };
	struct plan_process_opts pp = {
		.process = spec->process,
		.seccomp = spec->linux_.seccomp,
		.hooks = &spec->hooks,
		.linux_ = &spec->linux_,
	};
	int r = read_init(&spec->annotations, &pp.init, err);

	if (r < 0)
		return r;
	if (!spec->process)
		return err_set(err, EINVAL, "process: a container without one cannot be started");
	if (!spec_namespace(spec, NS_MOUNT))
		return err_set(err, EINVAL, "linux.namespaces: a mount namespace is needed");
	plan_namespaces(spec, a, &plan);
	plan_time_offsets(spec, a, &plan);
	plan_stage(&plan, a);
	plan.oom_score_adj = spec->process->oom_score_adj;
	plan.terminal = spec->process->terminal;
	plan.host_work = opts->host_work || needs_host(spec);
	if (plan.host_work)
		plan_add(&plan, a, STEP_HOST);
	plan_names(spec, a, &plan);
	r = plan_root(spec, opts, a, &plan, err);
	if (r == 0)
		r = plan_mounts(spec, opts, a, &plan, err);
	if (r == 0)
		r = plan_process_early(&pp, opts, a, &plan, err);
	if (r < 0)
		return r;
	if (plan.dev_later)
		plan_add_path(&plan, a, STEP_REMOUNT, "/dev")->arg[0] = plan.dev_later;
	plan_sysctls(spec, a, &plan);
	for (size_t i = 0; i < spec->linux_.masked_paths.count; i++)
		plan_add_path(&plan, a, STEP_MASK, spec->linux_.masked_paths.items[i]);
	for (size_t i = 0; i < spec->linux_.readonly_paths.count; i++)
		plan_add_path(&plan, a, STEP_READONLY, spec->linux_.readonly_paths.items[i]);
	/* image-spec conversion.md, "config.WorkingDir": images that lack it count on the runtime, whoever made a bundle of them. It may
	 * lie below a mount. */
	if (strcmp(spec->process->cwd, "/") != 0)
		plan_add_path(&plan, a, STEP_WORK_DIR, spec->process->cwd);
	plan_hooks(&spec->hooks.list[HOOK_CREATE_CONTAINER], a, &plan);
	if (spec->root->readonly)
		plan_add(&plan, a, STEP_ROOT_READONLY);
	plan_add(&plan, a, STEP_PIVOT)->flags = opts->no_pivot ? STEP_NO_PIVOT : 0;
	if (spec->linux_.rootfs_propagation & (MS_SHARED | MS_UNBINDABLE))
		plan_add(&plan, a, STEP_ROOT_PROPAGATION)->arg[0] = spec->linux_.rootfs_propagation;
	r = plan_process_late(&pp, opts, a, &plan, err);
	if (r < 0)
		return r;
	*ret_plan = plan;
	return 0;
}

int plan_build_exec(const struct spec *spec, const struct spec_process *process,
		    const struct plan_opts *opts, struct arena *a, struct plan *ret_plan,
		    struct err *err)
{
	struct plan plan = { .staged = true };
	struct plan_process_opts pp = { .process = process,
					.seccomp = spec->linux_.seccomp,
					.linux_ = &spec->linux_,
					.exec = true };
	int r;

	plan.oom_score_adj = process->oom_score_adj;
	plan.terminal = process->terminal;
	plan.joins.items = arena_memdup(a, opts->joins, opts->join_count * sizeof(*opts->joins));
	plan.joins.count = opts->join_count;
	for_each (j, &plan.joins)
		plan.user_ns |= j->kind == NS_USER;
	plan_stage(&plan, a);
	/* A namespace's root is not always the container's: tote may itself run in a chroot. */
	if (opts->exec_root)
		plan_add_path(&plan, a, STEP_CHROOT, opts->exec_root);
	r = plan_process_early(&pp, opts, a, &plan, err);
	if (r == 0)
		r = plan_process_late(&pp, opts, a, &plan, err);
	if (r < 0)
		return r;
	*ret_plan = plan;
	return 0;
}
