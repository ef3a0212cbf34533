/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/seccomp_names.h"
#include "oci/spec_tables.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

/* A system call has six arguments. */
#define LAST_ARG 5
/* What fits beside an action (SECCOMP_RET_DATA), and the largest errno that the kernel passes on
 * (MAX_ERRNO). */
#define MAX_RET_DATA 65535
#define MAX_ERRNO 4095

/* Only the names count here; libseccomp knows the numbers. */
static const struct json_enum_value architectures[] = {
	{ "SCMP_ARCH_X86", 0 },		{ "SCMP_ARCH_X86_64", 0 },  { "SCMP_ARCH_X32", 0 },
	{ "SCMP_ARCH_ARM", 0 },		{ "SCMP_ARCH_AARCH64", 0 }, { "SCMP_ARCH_LOONGARCH64", 0 },
	{ "SCMP_ARCH_M68K", 0 },	{ "SCMP_ARCH_MIPS", 0 },    { "SCMP_ARCH_MIPS64", 0 },
	{ "SCMP_ARCH_MIPS64N32", 0 },	{ "SCMP_ARCH_MIPSEL", 0 },  { "SCMP_ARCH_MIPSEL64", 0 },
	{ "SCMP_ARCH_MIPSEL64N32", 0 }, { "SCMP_ARCH_PPC", 0 },	    { "SCMP_ARCH_PPC64", 0 },
	{ "SCMP_ARCH_PPC64LE", 0 },	{ "SCMP_ARCH_S390", 0 },    { "SCMP_ARCH_S390X", 0 },
	{ "SCMP_ARCH_SH", 0 },		{ "SCMP_ARCH_SHEB", 0 },    { "SCMP_ARCH_PARISC", 0 },
	{ "SCMP_ARCH_PARISC64", 0 },	{ "SCMP_ARCH_RISCV64", 0 }, { NULL, 0 },
};

static int read_architectures(struct json_ctx *ctx, const struct json_value *v, void *out,
			      const void *arg)
{
	const struct json_list_of of = { json_enum, sizeof(int), arg };
	LIST(int) numbers;
	int r = json_list(ctx, v, &numbers, &of);

	return r < 0 ? r : json_strv(ctx, v, out, NULL);
}

/* "flags": [] is not the same as no flags, so this fills two members. */
static int read_filter_flags(struct json_ctx *ctx, const struct json_value *v, void *out,
			     const void *arg)
{
	struct spec_seccomp *seccomp = out;

	seccomp->has_flags = true;
	return spec_read_flags32(ctx, v, &seccomp->flags, arg);
}

static const struct json_field arg_fields[] = {
	REQUIRED(spec_seccomp_arg, "index", index, json_u32),
	REQUIRED(spec_seccomp_arg, "value", value, json_u64),
	FIELD(spec_seccomp_arg, "valueTwo", value_two, json_u64),
	REQUIRED_ARG(spec_seccomp_arg, "op", op, json_enum, seccomp_op_names),
};

static int check_arg(struct json_ctx *ctx, void *out)
{
	const struct spec_seccomp_arg *a = out;

	if (a->index > LAST_ARG)
		return member_error(ctx, "index", "%u is out of range (0 to %d)", a->index,
				    LAST_ARG);
	return 0;
}

static const struct json_table arg_table = TABLE(spec_seccomp_arg, arg_fields, check_arg);
static const struct json_list_of arg_list = { json_object, sizeof(struct spec_seccomp_arg),
					      &arg_table };

/* config-linux.md, "Seccomp": an errno with an action that has no use for it is an error. */
static int check_errno(struct json_ctx *ctx, const char *member, int action, struct opt_u32 ret)
{
	uint32_t max = action == SPEC_ACT_ERRNO ? MAX_ERRNO : MAX_RET_DATA;

	if (!ret.set)
		return 0;
	if (action != SPEC_ACT_ERRNO && action != SPEC_ACT_TRACE)
		return member_error(ctx, member, "is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE only");
	if (ret.value > max)
		return member_error(ctx, member, "%u is out of range (0 to %u)", ret.value, max);
	return 0;
}

static const struct json_field rule_fields[] = {
	REQUIRED(spec_seccomp_rule, "names", names, json_strv),
	REQUIRED_ARG(spec_seccomp_rule, "action", action, json_enum, seccomp_action_names),
	FIELD(spec_seccomp_rule, "errnoRet", errno_ret, json_opt_u32),
	FIELD_ARG(spec_seccomp_rule, "args", args, json_list, &arg_list),
};

static int check_rule(struct json_ctx *ctx, void *out)
{
	const struct spec_seccomp_rule *rule = out;

	if (!rule->names.count)
		return member_error(ctx, "names", "must not be empty");
	for (size_t i = 0; i < rule->names.count; i++) {
		if (rule->names.items[i][0])
			continue;
		json_push(ctx, "names", 0);
		json_push(ctx, NULL, i);
		return json_error(ctx, "must not be empty");
	}
	return check_errno(ctx, "errnoRet", rule->action, rule->errno_ret);
}

static const struct json_table rule_table = TABLE(spec_seccomp_rule, rule_fields, check_rule);
static const struct json_list_of rule_list = { json_object, sizeof(struct spec_seccomp_rule),
					       &rule_table };

/*
 * Ours (config.md, "Extensibility"): config.json of a container that runs from an image names the
 * profile in place of its four hundred system calls, which each reader would pay for. To a runtime
 * that does not know the name, the default action refuses everything.
 */
static const struct json_enum_value tote_profiles[] = { { "builtin", true }, { NULL, 0 } };

static int read_tote_profile(struct json_ctx *ctx, const struct json_value *v, void *out,
			     const void *arg)
{
	bool *builtin = out;
	int named;
	int r = json_enum(ctx, v, &named, arg);

	*builtin = r == 0;
	return r;
}

static const struct json_field seccomp_fields[] = {
	REQUIRED_ARG(spec_seccomp, "defaultAction", default_action, json_enum,
		     seccomp_action_names),
	FIELD(spec_seccomp, "defaultErrnoRet", default_errno_ret, json_opt_u32),
	{ "flags", read_filter_flags, 0, 0, seccomp_flag_names },
	FIELD(spec_seccomp, "listenerPath", listener_path, json_string),
	FIELD(spec_seccomp, "listenerMetadata", listener_metadata, json_string),
	FIELD_ARG(spec_seccomp, "architectures", architectures, read_architectures, architectures),
	FIELD_ARG(spec_seccomp, "syscalls", syscalls, json_list, &rule_list),
	FIELD_ARG(spec_seccomp, SPEC_TOTE_PROFILE, builtin, read_tote_profile, tote_profiles),
};

static int check_notify(struct json_ctx *ctx, const struct spec_seccomp *s)
{
	/* Nobody could answer for the calls that hand the listener over. */
	if (s->default_action == SPEC_ACT_NOTIFY)
		return member_error(ctx, "defaultAction", "must not be SCMP_ACT_NOTIFY");
	if (s->listener_path && *s->listener_path)
		return 0;
	if (s->listener_metadata && *s->listener_metadata)
		return member_error(ctx, "listenerMetadata", "needs listenerPath");
	for (size_t i = 0; i < s->syscalls.count; i++) {
		if (s->syscalls.items[i].action != SPEC_ACT_NOTIFY)
			continue;
		json_push(ctx, "syscalls", 0);
		json_push(ctx, NULL, i);
		return member_error(ctx, "action", "SCMP_ACT_NOTIFY needs listenerPath");
	}
	return 0;
}

static int check_builtin(struct json_ctx *ctx, const struct spec_seccomp *s)
{
	if (s->builtin && (s->syscalls.count || s->architectures.count || s->has_flags ||
			   s->listener_path || s->listener_metadata))
		return member_error(ctx, SPEC_TOTE_PROFILE, "has rules of its own");
	return 0;
}

static int check_seccomp(struct json_ctx *ctx, void *out)
{
	struct spec_seccomp *s = out;
	int r = check_builtin(ctx, s);

	if (r < 0)
		return r;
	r = check_errno(ctx, "defaultErrnoRet", s->default_action, s->default_errno_ret);
	return r < 0 ? r : check_notify(ctx, s);
}

const struct json_table spec_seccomp_table = TABLE(spec_seccomp, seccomp_fields, check_seccomp);
