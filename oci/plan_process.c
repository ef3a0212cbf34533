/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a plan that turns tote-init into the program of config.json: terminal, limits, ids,
 * capabilities, exec. */
#include "oci/plan.h"

#include "lib/bitlist.h"
#include "lib/cleanup.h"
#include "oci/caps.h"
#include "oci/seccomp.h"
#include "oci/seccomp_cache.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/uio.h>

#define IOPRIO_CLASS_SHIFT 13
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* linux/sched/types.h clashes with glibc's sched.h; sched_setattr(2) gives the form (its first
 * version, 48 bytes). */
struct sched_attr_v0 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static const struct {
	const char *name;
	unsigned long flag;
} personality_flags[] = {
	{ "ADDR_NO_RANDOMIZE", ADDR_NO_RANDOMIZE }, { "ADDR_COMPAT_LAYOUT", ADDR_COMPAT_LAYOUT },
	{ "ADDR_LIMIT_32BIT", ADDR_LIMIT_32BIT },   { "ADDR_LIMIT_3GB", ADDR_LIMIT_3GB },
	{ "FDPIC_FUNCPTRS", FDPIC_FUNCPTRS },	    { "MMAP_PAGE_ZERO", MMAP_PAGE_ZERO },
	{ "READ_IMPLIES_EXEC", READ_IMPLIES_EXEC }, { "SHORT_INODE", SHORT_INODE },
	{ "STICKY_TIMEOUTS", STICKY_TIMEOUTS },	    { "UNAME26", UNAME26 },
	{ "WHOLE_SECONDS", WHOLE_SECONDS },
};

int plan_process_early(const struct plan_process_opts *pp, const struct plan_opts *opts,
		       struct arena *a, struct plan *plan, struct err *err)
{
	const struct spec_process *p = pp->process;

	(void)opts;
	(void)err;
	plan_add(plan, a, STEP_SETSID);
	if (p->terminal) {
		struct step *s = plan_add(plan, a, STEP_TERMINAL);

		s->flags = pp->exec ? 0 : STEP_CONSOLE;
		if (p->console_size)
			s->arg[0] = (p->console_size->height & 0xffff) << 16 |
				    (p->console_size->width & 0xffff);
		s->arg[1] = p->user.uid;
	}
	return 0;
}

static void plan_limits(const struct spec_process *p, struct arena *a, struct plan *plan)
{
	/* Raising a hard limit takes a privilege of the host that a user namespace does not give.
	 */
	if (plan->user_ns) {
		plan->host_rlimits = p->rlimits.count ? p : NULL;
		return;
	}
	for_each (l, &p->rlimits) {
		struct step *s = plan_add(plan, a, STEP_RLIMIT);

		s->data = l->type;
		s->data_len = strlen(l->type);
		s->arg[0] = (uint64_t)l->resource;
		s->arg[1] = l->soft;
		s->arg[2] = l->hard;
	}
}

static void plan_priorities(const struct spec_process *p, struct arena *a, struct plan *plan)
{
	if (p->scheduler) {
		struct sched_attr_v0 attr = {
			.size = sizeof(attr),
			.policy = (uint32_t)p->scheduler->policy,
			.flags = p->scheduler->flags,
			.nice = p->scheduler->nice,
			.priority = (uint32_t)p->scheduler->priority,
			.runtime = p->scheduler->runtime,
			.deadline = p->scheduler->deadline,
			.period = p->scheduler->period,
		};
		struct step *s = plan_add(plan, a, STEP_SCHEDULER);

		s->data = arena_memdup(a, &attr, sizeof(attr));
		s->data_len = sizeof(attr);
	}
	if (p->io_priority)
		plan_add(plan, a, STEP_IO_PRIORITY)->arg[0] =
			(unsigned int)(p->io_priority->class << IOPRIO_CLASS_SHIFT |
				       p->io_priority->priority);
}

static int plan_personality(const struct spec_personality *p, struct arena *a, struct plan *plan,
			    struct err *err)
{
	unsigned long persona = (unsigned long)p->domain;

	for (size_t i = 0; i < p->flags.count; i++) {
		size_t k;

		for (k = 0; k < ARRAY_SIZE(personality_flags); k++)
			if (strcmp(personality_flags[k].name, p->flags.items[i]) == 0)
				break;
		if (k == ARRAY_SIZE(personality_flags))
			return err_set(err, EINVAL,
				       "linux.personality.flags[%zu]: unknown flag \"%s\"", i,
				       p->flags.items[i]);
		persona |= personality_flags[k].flag;
	}
	plan_add(plan, a, STEP_PERSONALITY)->arg[0] = persona;
	return 0;
}

static int plan_mask(struct step *s, const char *list, const char *what, struct arena *a,
		     struct err *err)
{
	unsigned long *mask = arena_alloc(a, BITLIST_MAX / CHAR_BIT);
	int bits = bitlist_parse(list, mask);

	if (bits < 0)
		return err_set(err, EINVAL, "%s: \"%s\" is not a list like 0-3,7", what, list);
	s->data = mask;
	s->data_len = ((size_t)bits + 63) / 64 * 8;
	/* The kernel reads one bit less than it is told (set_mempolicy(2), "BUGS" of libnuma's
	 * age): give it one more. */
	s->arg[1] = bits ? (uint64_t)bits + 1 : 0;
	return 0;
}

static int plan_linux(const struct spec_linux *l, struct arena *a, struct plan *plan,
		      struct err *err)
{
	if (l->personality) {
		int r = plan_personality(l->personality, a, plan, err);

		if (r < 0)
			return r;
	}
	if (l->memory_policy) {
		struct step *s = plan_add(plan, a, STEP_MEMORY_POLICY);

		s->arg[0] = (uint64_t)l->memory_policy->mode | l->memory_policy->flags;
		if (l->memory_policy->nodes)
			return plan_mask(s, l->memory_policy->nodes, "linux.memoryPolicy.nodes", a,
					 err);
	}
	return 0;
}

static int plan_affinity(const struct spec_process *p, struct arena *a, struct plan *plan,
			 struct err *err)
{
	if (!p->exec_cpu_affinity || !p->exec_cpu_affinity->final ||
	    !p->exec_cpu_affinity->final[0])
		return 0;
	return plan_mask(plan_add(plan, a, STEP_AFFINITY), p->exec_cpu_affinity->final,
			 "process.execCPUAffinity.final", a, err);
}

static const char *search_path(const struct strv *env)
{
	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], "PATH=", 5) == 0)
			return env->items[i] + 5;
	return DEFAULT_PATH;
}

struct cap_sets {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

/* Sets repeat each other, and one warning is enough. */
static void warn_once(struct plan *plan, struct arena *a, const char *text)
{
	for_each (w, &plan->warnings)
		if (strcmp(*w, text) == 0)
			return;
	plan_warn(plan, a, text);
}

static uint64_t cap_set(const struct strv *names, struct arena *a, struct plan *plan)
{
	uint64_t mask = 0;

	for_each (name, names) {
		const struct strv one = { name, 1 };
		const char *unknown = NULL;

		mask |= caps_mask(&one, &unknown);
		if (unknown)
			warn_once(plan, a,
				  arena_printf(a, "process.capabilities: %s cannot be granted",
					       unknown));
	}
	return mask;
}

static void warn_of_caps(uint64_t lost, const char *why, struct arena *a, struct plan *plan)
{
	autobuf text = BUF_INIT;
	struct strv names;

	if (!lost)
		return;
	names = caps_names(lost, a);
	for_each (name, &names)
		buf_addf(&text, "%s%s", text.len ? ", " : "", *name);
	plan_warn(plan, a,
		  arena_printf(a, "process.capabilities: %s cannot be granted: %s", buf_str(&text),
			       why));
}

/* config.md, "Linux Process": of what cannot be granted a warning must tell. In a user namespace the
 * process has all, whatever the host's side has. */
static void warn_of_lost_caps(const struct cap_sets *sets, const struct plan_opts *opts,
			      struct arena *a, struct plan *plan)
{
	uint64_t asked = sets->permitted | sets->inheritable;
	uint64_t missing = plan->user_ns ? 0 : opts->caps_missing & (asked | sets->bounding);

	warn_of_caps(missing, "not had by the caller", a, plan);
	warn_of_caps(asked & ~sets->bounding & ~missing, "not in the bounding set", a, plan);
}

static struct cap_sets cap_sets(const struct spec_process *p, const struct plan_opts *opts,
				struct arena *a, struct plan *plan)
{
	const struct spec_capabilities *c = p->capabilities;
	struct cap_sets sets = { 0 };

	/* No capabilities object means none, as an absent set does in runtime-spec's Go types. */
	if (!c)
		return sets;
	sets.bounding = cap_set(&c->bounding, a, plan);
	sets.effective = cap_set(&c->effective, a, plan);
	sets.permitted = cap_set(&c->permitted, a, plan) | sets.effective;
	sets.inheritable = cap_set(&c->inheritable, a, plan);
	sets.ambient = cap_set(&c->ambient, a, plan);
	warn_of_lost_caps(&sets, opts, a, plan);
	if (sets.ambient & ~(sets.inheritable & sets.permitted))
		plan_warn(plan, a,
			  "process.capabilities.ambient: only what is permitted and inheritable "
			  "can be raised");
	return sets;
}

/* An init executes nothing any more, and is to be confined like the program. */
static int plan_labels(const struct plan_process_opts *pp, struct arena *a, struct plan *plan,
		       struct err *err)
{
	const char *apparmor = pp->process->apparmor_profile, *selinux = pp->process->selinux_label;

	if (apparmor && apparmor[0])
		plan_add_data(
			plan, a, STEP_LABEL,
			arena_printf(a, "%s %s", pp->init ? "changeprofile" : "exec", apparmor))
			->path = pp->init ? "apparmor/current" : "apparmor/exec";
	if (selinux && selinux[0] && pp->init)
		return err_set(err, EOPNOTSUPP,
			       "process.selinuxLabel: it cannot be given to the init that "
			       "annotations[\"org.tote.init\"] asks for");
	if (selinux && selinux[0])
		plan_add_data(plan, a, STEP_LABEL, selinux)->path = "exec";
	return 0;
}

static int plan_user(const struct spec_process *p, const struct plan_opts *opts, struct arena *a,
		     struct plan *plan, struct err *err)
{
	struct step *s = plan_add(plan, a, STEP_USER);
	uint32_t *gids;
	size_t n = 0;

	if (opts->no_setgroups && p->user.additional_gids.count)
		return err_set(err, EPERM,
			       "process.user.additionalGids: without subordinate ids there are no "
			       "groups to set");
	s->flags = opts->no_setgroups ? STEP_NO_GROUPS : 0;

	s->arg[0] = p->user.uid;
	s->arg[1] = p->user.gid;
	/* The primary group is listed as well, or a set-group-id program could shed it
	 * (CVE-2022-36109). */
	gids = arena_calloc(a, p->user.additional_gids.count + 1, sizeof(*gids));
	gids[n++] = p->user.gid;
	for_each (gid, &p->user.additional_gids)
		if (*gid != p->user.gid)
			gids[n++] = *gid;
	s->data = gids;
	s->data_len = n * sizeof(*gids);
	return 0;
}

static int plan_seccomp(const struct plan_process_opts *pp, const struct plan_opts *opts,
			struct arena *a, struct plan *plan, struct err *err)
{
	const void *bpf;
	struct step *s;
	size_t len;
	int r = seccomp_find(opts->seccomp_cache, pp->seccomp, seccomp_compile_elsewhere,
			     opts->config, a, &bpf, &len, err);

	if (r < 0)
		return r;
	s = plan_add(plan, a, STEP_SECCOMP);
	s->data = bpf;
	s->data_len = len;
	s->arg[0] = seccomp_flags(pp->seccomp);
	if (seccomp_uses_notify(pp->seccomp)) {
		s->flags = STEP_LISTENER;
		plan->listener = true;
	}
	return 0;
}

static int plan_settings(const struct plan_process_opts *pp, const struct plan_opts *opts,
			 struct arena *a, struct plan *plan, struct err *err)
{
	int r = 0;

	if (!opts->no_new_keyring)
		/* Without one of its own a container would read the keys of whoever started it. */
		plan_add_data(plan, a, STEP_KEYRING, arena_printf(a, "_ses.%s", opts->id));
	plan_limits(pp->process, a, plan);
	plan_priorities(pp->process, a, plan);
	if (pp->linux_)
		r = plan_linux(pp->linux_, a, plan, err);
	if (r == 0 && pp->exec)
		r = plan_affinity(pp->process, a, plan, err);
	return r;
}

static void plan_init(const struct strv *env, struct arena *a, struct plan *plan)
{
	struct step *s = plan_add(plan, a, STEP_INIT);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], PLAN_LISTEN_PID, strlen(PLAN_LISTEN_PID)) == 0)
			s->arg[0] = i + 1;
}

static void plan_capabilities(const struct cap_sets *sets, struct arena *a, struct plan *plan)
{
	struct step *s = plan_add(plan, a, STEP_CAPABILITIES);

	s->arg[0] = sets->effective;
	s->arg[1] = sets->permitted;
	s->arg[2] = sets->inheritable;
	s->arg[3] = sets->ambient;
}

/*
 * Everything that can fail in the user's own way (directory, program) comes before READY, so that
 * `create` reports it. The final capabilities and the filter come last, so that no step needs what
 * they take away: a profile need not allow more than the program's own calls and execve, and capset
 * without no_new_privs. Only a filter with a listener is loaded early, as its agent must be served
 * while `create` still runs.
 */
int plan_process_late(const struct plan_process_opts *pp, const struct plan_opts *opts,
		      struct arena *a, struct plan *plan, struct err *err)
{
	const struct spec_process *p = pp->process;
	bool seccomp = pp->seccomp, early = seccomp && seccomp_uses_notify(pp->seccomp);
	/* Without no_new_privs a filter takes CAP_SYS_ADMIN, which the final sets may lack. */
	bool privileged = seccomp && !early && !p->no_new_privileges,
	     late = seccomp && !early && !privileged;
	struct cap_sets sets = cap_sets(p, opts, a, plan);
	struct step *s;
	int r = plan_settings(pp, opts, a, plan, err);

	if (r < 0)
		return r;
	plan_add(plan, a, STEP_UMASK)->arg[0] = p->user.umask.set ? p->user.umask.value : 022;
	plan_add(plan, a, STEP_BOUNDING)->arg[0] = sets.bounding;
	r = plan_user(p, opts, a, plan, err);
	if (r < 0)
		return r;
	plan_add_path(plan, a, STEP_CWD, p->cwd);
	s = plan_add_data(plan, a, STEP_FIND_PROGRAM, search_path(&p->env));
	s->path = p->args.items[0];
	s->arg[0] = sets.effective;
	if (p->no_new_privileges && early)
		plan_add(plan, a, STEP_NO_NEW_PRIVS);
	if (early && (r = plan_seccomp(pp, opts, a, plan, err)) < 0)
		return r;
	plan->ready = opts->create || opts->announced || plan->host_rlimits;
	if (plan->ready)
		plan_add(plan, a, STEP_READY);
	plan_add(plan, a, STEP_RELEASE);
	if (opts->create)
		plan_add(plan, a, STEP_START);
	if (pp->hooks)
		plan_hooks(&pp->hooks->list[HOOK_START_CONTAINER], a, plan);
	r = plan_labels(pp, a, plan, err);
	if (r < 0)
		return r;
	plan_add(plan, a, STEP_CLOSE)->arg[0] = 3 + opts->preserve_fds;
	if (privileged && (r = plan_seccomp(pp, opts, a, plan, err)) < 0)
		return r;
	plan_capabilities(&sets, a, plan);
	if (p->no_new_privileges && !early)
		plan_add(plan, a, STEP_NO_NEW_PRIVS);
	if (late && (r = plan_seccomp(pp, opts, a, plan, err)) < 0)
		return r;
	if (pp->init)
		plan_init(&p->env, a, plan);
	plan_add_path(plan, a, STEP_EXEC, p->args.items[0]);
	plan->argv = p->args.items;
	plan->envp = p->env.items;
	return 0;
}
