/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/seccomp.h"

#include "lib/cleanup.h"
#include "oci/seccomp_names.h"
#include "oci/seccomp_private.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#define FORMAT_VERSION 1
/* The kernel cuts larger ones down to this (MAX_ERRNO), libseccomp refuses it. */
#define ERRNO_END 4095

static const uint32_t scmp_actions[] = {
	[SPEC_ACT_KILL] = SCMP_ACT_KILL_THREAD,
	[SPEC_ACT_KILL_PROCESS] = SCMP_ACT_KILL_PROCESS,
	[SPEC_ACT_KILL_THREAD] = SCMP_ACT_KILL_THREAD,
	[SPEC_ACT_TRAP] = SCMP_ACT_TRAP,
	[SPEC_ACT_ERRNO] = SCMP_ACT_ERRNO(0),
	[SPEC_ACT_TRACE] = SCMP_ACT_TRACE(0),
	[SPEC_ACT_ALLOW] = SCMP_ACT_ALLOW,
	[SPEC_ACT_LOG] = SCMP_ACT_LOG,
	[SPEC_ACT_NOTIFY] = SCMP_ACT_NOTIFY,
};

static bool takes_errno(int action)
{
	return action == SPEC_ACT_ERRNO || action == SPEC_ACT_TRACE;
}

uint32_t seccomp_scmp_action(int action, struct opt_u32 errno_ret)
{
	uint32_t data = errno_ret.set ? errno_ret.value : EPERM;

	return scmp_actions[action] | (takes_errno(action) ? data & SECCOMP_RET_DATA : 0);
}

uint32_t seccomp_default_action(const struct spec_seccomp *seccomp)
{
	return seccomp_scmp_action(seccomp->default_action, seccomp->default_errno_ret);
}

bool seccomp_rule_counts(const struct spec_seccomp *seccomp, const struct spec_seccomp_rule *rule)
{
	return seccomp_scmp_action(rule->action, rule->errno_ret) !=
	       seccomp_default_action(seccomp);
}

static int check_errno(int action, struct opt_u32 errno_ret, const char *path, struct err *err)
{
	uint32_t end = action == SPEC_ACT_ERRNO ? ERRNO_END : SECCOMP_RET_DATA + 1;

	if (errno_ret.set && !takes_errno(action))
		return err_set(err, EINVAL, "%s: %s takes none", path,
			       seccomp_name(seccomp_action_names, action));
	if (errno_ret.set && errno_ret.value >= end)
		return err_set(err, EINVAL, "%s: %u is larger than %u", path, errno_ret.value,
			       end - 1);
	return 0;
}

static int check_rule(const struct spec_seccomp_rule *rule, struct err *err)
{
	int r;

	if (rule->names.count == 0)
		return err_set(err, EINVAL, "names: empty");
	if (!seccomp_name(seccomp_action_names, rule->action))
		return err_set(err, EINVAL, "action: %d is none", rule->action);
	r = check_errno(rule->action, rule->errno_ret, "errnoRet", err);
	if (r < 0)
		return r;
	for_each (arg, &rule->args) {
		size_t i = (size_t)(arg - rule->args.items);

		if (arg->index >= MAX_ARGS)
			return err_set(err, EINVAL, "args[%zu].index: %u is larger than 5", i,
				       arg->index);
		if (!seccomp_name(seccomp_op_names, arg->op))
			return err_set(err, EINVAL, "args[%zu].op: %d is none", i, arg->op);
	}
	return 0;
}

int seccomp_check(const struct spec_seccomp *seccomp, struct err *err)
{
	int r;

	if (!seccomp_name(seccomp_action_names, seccomp->default_action))
		return err_set(err, EINVAL, "defaultAction: %d is none", seccomp->default_action);
	if (seccomp->default_action == SPEC_ACT_NOTIFY)
		return err_set(err, EINVAL,
			       "defaultAction: SCMP_ACT_NOTIFY would ask for each call, also those "
			       "that send the "
			       "listener");
	r = check_errno(seccomp->default_action, seccomp->default_errno_ret, "defaultErrnoRet",
			err);
	if (r < 0)
		return r;
	for_each (arch, &seccomp->architectures) {
		if (!seccomp_arch_token(*arch))
			return err_set(err, EINVAL,
				       "architectures[%zu]: libseccomp does not know %s",
				       (size_t)(arch - seccomp->architectures.items), *arch);
	}
	for_each (rule, &seccomp->syscalls) {
		r = check_rule(rule, err);
		if (r < 0)
			return err_prefix(err, "syscalls[%zu]",
					  (size_t)(rule - seccomp->syscalls.items));
	}
	return 0;
}

bool seccomp_uses_notify(const struct spec_seccomp *seccomp)
{
	for_each (rule, &seccomp->syscalls) {
		if (rule->action == SPEC_ACT_NOTIFY)
			return true;
	}
	return false;
}

uint32_t seccomp_flags(const struct spec_seccomp *seccomp)
{
	uint32_t flags = seccomp->has_flags ? seccomp->flags : 0;

	if (!seccomp_uses_notify(seccomp))
		return flags & ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	/* Both TSYNC and NEW_LISTENER give seccomp(2) a meaning for its result; ESRCH keeps them
	 * apart. */
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	return flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

static void put_u32(struct buf *b, uint32_t v)
{
	unsigned char bytes[4];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(v >> 8 * i);
	buf_add(b, bytes, sizeof(bytes));
}

static void put_u64(struct buf *b, uint64_t v)
{
	put_u32(b, (uint32_t)v);
	put_u32(b, (uint32_t)(v >> 32));
}

static void put_string(struct buf *b, const char *s)
{
	size_t len = strlen(s);

	put_u32(b, (uint32_t)len);
	buf_add(b, s, len);
}

static void put_strv(struct buf *b, const struct strv *v)
{
	put_u32(b, (uint32_t)v->count);
	for_each (s, v)
		put_string(b, *s);
}

static void put_rule(struct buf *b, const struct spec_seccomp_rule *rule)
{
	put_u32(b, seccomp_scmp_action(rule->action, rule->errno_ret));
	put_strv(b, &rule->names);
	put_u32(b, (uint32_t)rule->args.count);
	for_each (arg, &rule->args) {
		put_u32(b, arg->index);
		put_u32(b, (uint32_t)arg->op);
		put_u64(b, arg->value);
		/* The other comparisons do not look at it. */
		put_u64(b, arg->op == SCMP_CMP_MASKED_EQ ? arg->value_two : 0);
	}
}

void seccomp_canonical(const struct spec_seccomp *seccomp, struct buf *ret_form)
{
	uint32_t rules = 0;

	put_u32(ret_form, FORMAT_VERSION);
	put_u32(ret_form, SCMP_VER_MAJOR);
	put_u32(ret_form, SCMP_VER_MINOR);
	put_u32(ret_form, SCMP_VER_MICRO);
	put_u32(ret_form, seccomp_native_arch());
	put_u32(ret_form, OPTIMIZE);
	put_u32(ret_form, BAD_ARCH_ACTION);
	put_u32(ret_form, seccomp_flags(seccomp));
	put_u32(ret_form, seccomp_default_action(seccomp));
	put_strv(ret_form, &seccomp->architectures);
	for_each (rule, &seccomp->syscalls)
		rules += seccomp_rule_counts(seccomp, rule);
	put_u32(ret_form, rules);
	for_each (rule, &seccomp->syscalls) {
		if (seccomp_rule_counts(seccomp, rule))
			put_rule(ret_form, rule);
	}
}
