/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that calls libseccomp. It is linked into tote-seccomp alone: its tables of system
 * calls would be mapped at every start of a container, and be of use at few.
 */
#include "oci/seccomp.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/seccomp_names.h"
#include "oci/seccomp_private.h"

#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

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
	uint32_t action = seccomp_scmp_action(rule->action, rule->errno_ret);
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

		if (!seccomp_rule_counts(seccomp, rule))
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
	ctx = seccomp_init(seccomp_default_action(seccomp));
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
