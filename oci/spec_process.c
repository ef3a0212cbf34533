/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_tables.h"

#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/resource.h>

/* Reserved in the kernel since 2.6 and never there, but a name of the spec. */
#define SPEC_SCHED_ISO 4

static const struct json_list_of id_list = { spec_read_id, sizeof(uint32_t), NULL };

static const struct json_field user_fields[] = {
	FIELD(spec_user, "uid", uid, spec_read_id),
	FIELD(spec_user, "gid", gid, spec_read_id),
	FIELD(spec_user, "umask", umask, json_opt_u32),
	FIELD_ARG(spec_user, "additionalGids", additional_gids, json_list, &id_list),
};

static int check_user(struct json_ctx *ctx, void *out)
{
	const struct spec_user *u = out;

	if (u->umask.set && u->umask.value > 0777)
		return member_error(ctx, "umask", "%u is out of range (0 to %u)", u->umask.value,
				    0777);
	return 0;
}

static const struct json_table user_table = TABLE(spec_user, user_fields, check_user);

static const struct json_field capabilities_fields[] = {
	FIELD(spec_capabilities, "bounding", bounding, json_strv),
	FIELD(spec_capabilities, "effective", effective, json_strv),
	FIELD(spec_capabilities, "inheritable", inheritable, json_strv),
	FIELD(spec_capabilities, "permitted", permitted, json_strv),
	FIELD(spec_capabilities, "ambient", ambient, json_strv),
};

static const struct json_table capabilities_table =
	TABLE(spec_capabilities, capabilities_fields, NULL);

static const struct json_field console_size_fields[] = {
	REQUIRED(spec_console_size, "height", height, json_u64),
	REQUIRED(spec_console_size, "width", width, json_u64),
};

/* TIOCSWINSZ takes 16 bits. */
static int check_console_size(struct json_ctx *ctx, void *out)
{
	const struct spec_console_size *size = out;

	if (size->height > UINT16_MAX)
		return member_error(ctx, "height", "larger than %d", UINT16_MAX);
	if (size->width > UINT16_MAX)
		return member_error(ctx, "width", "larger than %d", UINT16_MAX);
	return 0;
}

static const struct json_table console_size_table =
	TABLE(spec_console_size, console_size_fields, check_console_size);

static const struct json_enum_value rlimit_types[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_STACK", RLIMIT_STACK },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ NULL, 0 },
};

/* Fills both the name and the number. */
static int read_rlimit_type(struct json_ctx *ctx, const struct json_value *v, void *out,
			    const void *arg)
{
	struct spec_rlimit *rlimit = out;
	int r = json_enum(ctx, v, &rlimit->resource, arg);

	return r < 0 ? r : json_string(ctx, v, &rlimit->type, NULL);
}

static const struct json_field rlimit_fields[] = {
	{ "type", read_rlimit_type, 0, JSON_REQUIRED, rlimit_types },
	REQUIRED(spec_rlimit, "soft", soft, json_u64),
	REQUIRED(spec_rlimit, "hard", hard, json_u64),
};

static int check_rlimit(struct json_ctx *ctx, void *out)
{
	const struct spec_rlimit *r = out;

	if (r->soft > r->hard)
		return member_error(ctx, "soft", "larger than hard");
	return 0;
}

static const struct json_table rlimit_table = TABLE(spec_rlimit, rlimit_fields, check_rlimit);
static const struct json_list_of rlimit_list = { json_object, sizeof(struct spec_rlimit),
						 &rlimit_table };

static const struct json_enum_value scheduler_policies[] = {
	{ "SCHED_OTHER", SCHED_NORMAL },
	{ "SCHED_FIFO", SCHED_FIFO },
	{ "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },
	{ "SCHED_ISO", SPEC_SCHED_ISO },
	{ "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
	{ NULL, 0 },
};

static const struct json_enum_value scheduler_flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
	{ NULL, 0 },
};

static const struct json_field scheduler_fields[] = {
	REQUIRED_ARG(spec_scheduler, "policy", policy, json_enum, scheduler_policies),
	FIELD(spec_scheduler, "nice", nice, json_i32),
	FIELD(spec_scheduler, "priority", priority, json_i32),
	FIELD_ARG(spec_scheduler, "flags", flags, spec_read_flags, scheduler_flags),
	FIELD(spec_scheduler, "runtime", runtime, json_u64),
	FIELD(spec_scheduler, "deadline", deadline, json_u64),
	FIELD(spec_scheduler, "period", period, json_u64),
};

/* Linux Documentation/scheduler/sched-deadline.rst: runtime <= deadline <= period, where period 0
 * is the deadline. */
static int check_deadline(struct json_ctx *ctx, const struct spec_scheduler *s)
{
	if (s->policy != SCHED_DEADLINE) {
		if (s->runtime || s->deadline || s->period)
			return json_error(ctx, "runtime, deadline and period are for "
					       "SCHED_DEADLINE only");
		return 0;
	}
	if (!s->runtime || s->runtime > s->deadline || (s->period && s->deadline > s->period))
		return json_error(ctx, "SCHED_DEADLINE wants 0 < runtime <= deadline <= period");
	return 0;
}

static int check_scheduler(struct json_ctx *ctx, void *out)
{
	const struct spec_scheduler *s = out;
	bool realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

	if (s->policy == SPEC_SCHED_ISO)
		return member_error(ctx, "policy", "no Linux kernel has SCHED_ISO");
	if (s->nice < -20 || s->nice > 19)
		return member_error(ctx, "nice", "%d is out of range (-20 to 19)", s->nice);
	if (realtime && (s->priority < 1 || s->priority > 99))
		return member_error(ctx, "priority", "%d is out of range (1 to 99)", s->priority);
	if (!realtime && s->priority)
		return member_error(ctx, "priority", "is for SCHED_FIFO and SCHED_RR only");
	return check_deadline(ctx, s);
}

static const struct json_table scheduler_table =
	TABLE(spec_scheduler, scheduler_fields, check_scheduler);

static const struct json_enum_value io_classes[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
	{ "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
	{ NULL, 0 },
};

static const struct json_field io_priority_fields[] = {
	REQUIRED_ARG(spec_io_priority, "class", class, json_enum, io_classes),
	FIELD(spec_io_priority, "priority", priority, json_i32),
};

static int check_io_priority(struct json_ctx *ctx, void *out)
{
	const struct spec_io_priority *p = out;

	if (p->priority < 0 || p->priority > 7)
		return member_error(ctx, "priority", "%d is out of range (0 to 7)", p->priority);
	return 0;
}

static const struct json_table io_priority_table =
	TABLE(spec_io_priority, io_priority_fields, check_io_priority);

static const struct json_field affinity_fields[] = {
	FIELD(spec_exec_cpu_affinity, "initial", initial, json_string),
	FIELD(spec_exec_cpu_affinity, "final", final, json_string),
};

static int check_affinity(struct json_ctx *ctx, void *out)
{
	const struct spec_exec_cpu_affinity *a = out;
	int r = check_number_list(ctx, "initial", a->initial);

	return r < 0 ? r : check_number_list(ctx, "final", a->final);
}

static const struct json_table affinity_table =
	TABLE(spec_exec_cpu_affinity, affinity_fields, check_affinity);

static const struct json_field process_fields[] = {
	FIELD(spec_process, "terminal", terminal, json_bool),
	FIELD_ARG(spec_process, "consoleSize", console_size, json_object_ptr, &console_size_table),
	FIELD_ARG(spec_process, "user", user, json_object, &user_table),
	REQUIRED(spec_process, "args", args, json_strv),
	FIELD(spec_process, "env", env, json_strv),
	REQUIRED(spec_process, "cwd", cwd, json_string),
	FIELD_ARG(spec_process, "capabilities", capabilities, json_object_ptr, &capabilities_table),
	FIELD_ARG(spec_process, "rlimits", rlimits, json_list, &rlimit_list),
	FIELD(spec_process, "noNewPrivileges", no_new_privileges, json_bool),
	FIELD(spec_process, "apparmorProfile", apparmor_profile, json_string),
	FIELD(spec_process, "selinuxLabel", selinux_label, json_string),
	FIELD(spec_process, "oomScoreAdj", oom_score_adj, json_opt_i32),
	FIELD_ARG(spec_process, "scheduler", scheduler, json_object_ptr, &scheduler_table),
	FIELD_ARG(spec_process, "ioPriority", io_priority, json_object_ptr, &io_priority_table),
	FIELD_ARG(spec_process, "execCPUAffinity", exec_cpu_affinity, json_object_ptr,
		  &affinity_table),
};

static int check_rlimit_once(struct json_ctx *ctx, const struct spec_process *p)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < p->rlimits.count; i++) {
		uint32_t bit = UINT32_C(1) << p->rlimits.items[i].resource;

		if (seen & bit) {
			json_push(ctx, "rlimits", 0);
			json_push(ctx, NULL, i);
			return json_error(ctx, "%s is there twice", p->rlimits.items[i].type);
		}
		seen |= bit;
	}
	return 0;
}

static int check_process(struct json_ctx *ctx, void *out)
{
	const struct spec_process *p = out;
	int r;

	if (!p->args.count)
		return member_error(ctx, "args", "must not be empty");
	r = check_absolute(ctx, "cwd", p->cwd);
	if (r < 0)
		return r;
	r = check_env(ctx, &p->env);
	if (r < 0)
		return r;
	if (p->oom_score_adj.set &&
	    (p->oom_score_adj.value < -1000 || p->oom_score_adj.value > 1000))
		return member_error(ctx, "oomScoreAdj", "%d is out of range (-1000 to 1000)",
				    p->oom_score_adj.value);
	return check_rlimit_once(ctx, p);
}

const struct json_table spec_process_table = TABLE(spec_process, process_fields, check_process);
