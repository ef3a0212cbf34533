/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/seccomp.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/seccomp_names.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FORMAT_VERSION 1
#define MAX_ARGS 6
/* The kernel cuts larger ones down to this (MAX_ERRNO), libseccomp refuses it. */
#define ERRNO_END 4095

/*
 * A binary tree over system call numbers. The kernel runs a new filter once for each number to
 * learn which calls are always allowed (Linux 5.11), so a tree also loads several times faster than
 * libseccomp's default, a linear list.
 */
#define OPTIMIZE 2

/*
 * Everything up to NOTIFY with TSYNC, without asking the kernel: what a filter is must not depend
 * on the machine that builds it, and a kernel too old for an action says so when the filter is
 * loaded.
 */
#define API_LEVEL 6

/* Killing one thread of several leaves a process with locks nobody holds (seccomp(2)). */
#define BAD_ARCH_ACTION SCMP_ACT_KILL_PROCESS

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

static uint32_t scmp_action(int action, struct opt_u32 errno_ret)
{
	uint32_t data = errno_ret.set ? errno_ret.value : EPERM;

	return scmp_actions[action] | (takes_errno(action) ? data & SECCOMP_RET_DATA : 0);
}

static uint32_t default_action(const struct spec_seccomp *seccomp)
{
	return scmp_action(seccomp->default_action, seccomp->default_errno_ret);
}

/* libseccomp refuses a rule that says what happens anyway; it decides nothing. */
static bool rule_counts(const struct spec_seccomp *seccomp, const struct spec_seccomp_rule *rule)
{
	return scmp_action(rule->action, rule->errno_ret) != default_action(seccomp);
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
	put_u32(b, scmp_action(rule->action, rule->errno_ret));
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
	const struct scmp_version *version = seccomp_version();
	uint32_t rules = 0;

	put_u32(ret_form, FORMAT_VERSION);
	put_u32(ret_form, version->major);
	put_u32(ret_form, version->minor);
	put_u32(ret_form, version->micro);
	put_u32(ret_form, seccomp_arch_native());
	put_u32(ret_form, OPTIMIZE);
	put_u32(ret_form, BAD_ARCH_ACTION);
	put_u32(ret_form, seccomp_flags(seccomp));
	put_u32(ret_form, default_action(seccomp));
	put_strv(ret_form, &seccomp->architectures);
	for_each (rule, &seccomp->syscalls)
		rules += rule_counts(seccomp, rule);
	put_u32(ret_form, rules);
	for_each (rule, &seccomp->syscalls) {
		if (rule_counts(seccomp, rule))
			put_rule(ret_form, rule);
	}
}

static void cleanup_ctx(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static struct scmp_arg_cmp scmp_arg(const struct spec_seccomp_arg *arg)
{
	return (struct scmp_arg_cmp){
		.arg = arg->index,
		.op = (enum scmp_compare)arg->op,
		.datum_a = arg->value,
		.datum_b = arg->op == SCMP_CMP_MASKED_EQ ? arg->value_two : 0,
	};
}

static bool repeats_an_index(const struct spec_seccomp_rule *rule)
{
	unsigned int seen = 0;

	for_each (arg, &rule->args) {
		if (seen & 1U << arg->index)
			return true;
		seen |= 1U << arg->index;
	}
	return false;
}

static int add_rule_by_arg(scmp_filter_ctx ctx, uint32_t action, int nr,
			   const struct spec_seccomp_rule *rule)
{
	for_each (arg, &rule->args) {
		struct scmp_arg_cmp cmp = scmp_arg(arg);
		int r = seccomp_rule_add_array(ctx, action, nr, 1, &cmp);

		if (r < 0)
			return r;
	}
	return 0;
}

static int add_name(scmp_filter_ctx ctx, const struct spec_seccomp_rule *rule, bool by_arg,
		    const char *name)
{
	uint32_t action = scmp_action(rule->action, rule->errno_ret);
	int nr = seccomp_syscall_resolve_name(name);
	struct scmp_arg_cmp cmps[MAX_ARGS];
	unsigned int n = 0;

	if (nr == __NR_SCMP_ERROR)
		return 0;
	if (by_arg)
		return add_rule_by_arg(ctx, action, nr, rule);
	for_each (arg, &rule->args)
		cmps[n++] = scmp_arg(arg);
	return seccomp_rule_add_array(ctx, action, nr, n, cmps);
}

static int add_rules(scmp_filter_ctx ctx, const struct spec_seccomp *seccomp, struct err *err)
{
	for_each (rule, &seccomp->syscalls) {
		bool by_arg = repeats_an_index(rule);

		if (!rule_counts(seccomp, rule))
			continue;
		for_each (name, &rule->names) {
			int r = add_name(ctx, rule, by_arg, *name);

			if (r < 0)
				return err_code(err, r, "syscalls[%zu]: add a rule for %s",
						(size_t)(rule - seccomp->syscalls.items), *name);
		}
	}
	return 0;
}

static int add_architectures(scmp_filter_ctx ctx, const struct spec_seccomp *seccomp,
			     struct err *err)
{
	for_each (arch, &seccomp->architectures) {
		int r = seccomp_arch_add(ctx, seccomp_arch_token(*arch));

		/* -EEXIST: the native one, or named twice. */
		if (r < 0 && r != -EEXIST)
			return err_code(err, r, "architectures: filter %s together with %s", *arch,
					seccomp_native_arch_name());
	}
	return 0;
}

/* libseccomp 2.5 exports to a descriptor only. */
static int export_bpf(scmp_filter_ctx ctx, struct buf *ret_bpf, struct err *err)
{
	autofd fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0)
		return err_errno(err, "make a memfd for the filter");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_code(err, r, "export the filter");
	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(err, "read the filter back");
	if ((size_t)st.st_size > BPF_MAXINSNS * sizeof(struct sock_filter))
		return err_set(err, E2BIG, "the filter has %zu instructions, the kernel takes %d",
			       (size_t)st.st_size / sizeof(struct sock_filter), BPF_MAXINSNS);
	n = fd_read_full(fd, buf_reserve(ret_bpf, (size_t)st.st_size), (size_t)st.st_size);
	if (n != st.st_size)
		return err_code(err, n < 0 ? (int)n : EIO, "read the filter back");
	ret_bpf->len += (size_t)n;
	return 0;
}

int seccomp_compile(const struct spec_seccomp *seccomp, struct buf *ret_bpf, struct err *err)
{
	__attribute__((cleanup(cleanup_ctx))) scmp_filter_ctx ctx = NULL;
	int r = seccomp_check(seccomp, err);

	if (r < 0)
		return r;
	r = seccomp_api_set(API_LEVEL);
	if (r < 0)
		return err_code(err, r, "libseccomp: set API level %d", API_LEVEL);
	ctx = seccomp_init(default_action(seccomp));
	if (!ctx)
		return err_set(err, ENOMEM, "libseccomp: start a filter");
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, BAD_ARCH_ACTION);
	if (r < 0)
		return err_code(err, r, "libseccomp: set an attribute");
	r = add_architectures(ctx, seccomp, err);
	if (r == 0)
		r = add_rules(ctx, seccomp, err);
	if (r == 0)
		r = export_bpf(ctx, ret_bpf, err);
	return r;
}
