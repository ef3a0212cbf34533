/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/seccomp_names.h"

#include "oci/spec.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

const struct json_enum_value seccomp_action_names[] = {
	{ "SCMP_ACT_KILL", SPEC_ACT_KILL },
	{ "SCMP_ACT_KILL_PROCESS", SPEC_ACT_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD", SPEC_ACT_KILL_THREAD },
	{ "SCMP_ACT_TRAP", SPEC_ACT_TRAP },
	{ "SCMP_ACT_ERRNO", SPEC_ACT_ERRNO },
	{ "SCMP_ACT_TRACE", SPEC_ACT_TRACE },
	{ "SCMP_ACT_ALLOW", SPEC_ACT_ALLOW },
	{ "SCMP_ACT_LOG", SPEC_ACT_LOG },
	{ "SCMP_ACT_NOTIFY", SPEC_ACT_NOTIFY },
	{ NULL, 0 },
};

const struct json_enum_value seccomp_op_names[] = {
	{ "SCMP_CMP_NE", SCMP_CMP_NE },
	{ "SCMP_CMP_LT", SCMP_CMP_LT },
	{ "SCMP_CMP_LE", SCMP_CMP_LE },
	{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
	{ "SCMP_CMP_GE", SCMP_CMP_GE },
	{ "SCMP_CMP_GT", SCMP_CMP_GT },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	{ NULL, 0 },
};

/* Linux 5.19; Debian 12's headers have it, older ones do not. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

const struct json_enum_value seccomp_flag_names[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
	{ NULL, 0 },
};

const struct json_enum_value seccomp_arch_names[] = {
	{ "SCMP_ARCH_X86", (long)SCMP_ARCH_X86 },
	{ "SCMP_ARCH_X86_64", (long)SCMP_ARCH_X86_64 },
	{ "SCMP_ARCH_X32", (long)SCMP_ARCH_X32 },
	{ "SCMP_ARCH_ARM", (long)SCMP_ARCH_ARM },
	{ "SCMP_ARCH_AARCH64", (long)SCMP_ARCH_AARCH64 },
	{ "SCMP_ARCH_MIPS", (long)SCMP_ARCH_MIPS },
	{ "SCMP_ARCH_MIPS64", (long)SCMP_ARCH_MIPS64 },
	{ "SCMP_ARCH_MIPS64N32", (long)SCMP_ARCH_MIPS64N32 },
	{ "SCMP_ARCH_MIPSEL", (long)SCMP_ARCH_MIPSEL },
	{ "SCMP_ARCH_MIPSEL64", (long)SCMP_ARCH_MIPSEL64 },
	{ "SCMP_ARCH_MIPSEL64N32", (long)SCMP_ARCH_MIPSEL64N32 },
	{ "SCMP_ARCH_PPC", (long)SCMP_ARCH_PPC },
	{ "SCMP_ARCH_PPC64", (long)SCMP_ARCH_PPC64 },
	{ "SCMP_ARCH_PPC64LE", (long)SCMP_ARCH_PPC64LE },
	{ "SCMP_ARCH_S390", (long)SCMP_ARCH_S390 },
	{ "SCMP_ARCH_S390X", (long)SCMP_ARCH_S390X },
	{ "SCMP_ARCH_PARISC", (long)SCMP_ARCH_PARISC },
	{ "SCMP_ARCH_PARISC64", (long)SCMP_ARCH_PARISC64 },
	{ "SCMP_ARCH_RISCV64", (long)SCMP_ARCH_RISCV64 },
#ifdef SCMP_ARCH_LOONGARCH64
	{ "SCMP_ARCH_LOONGARCH64", (long)SCMP_ARCH_LOONGARCH64 },
#endif
#ifdef SCMP_ARCH_M68K
	{ "SCMP_ARCH_M68K", (long)SCMP_ARCH_M68K },
#endif
#ifdef SCMP_ARCH_SH
	{ "SCMP_ARCH_SH", (long)SCMP_ARCH_SH },
#endif
#ifdef SCMP_ARCH_SHEB
	{ "SCMP_ARCH_SHEB", (long)SCMP_ARCH_SHEB },
#endif
	{ NULL, 0 },
};

const char *seccomp_name(const struct json_enum_value *names, long value)
{
	for (; names->name; names++)
		if (names->value == value)
			return names->name;
	return NULL;
}

uint32_t seccomp_arch_token(const char *name)
{
	for (const struct json_enum_value *arch = seccomp_arch_names; arch->name; arch++)
		if (strcmp(arch->name, name) == 0)
			return (uint32_t)arch->value;
	return 0;
}

uint32_t seccomp_native_arch(void)
{
#if defined(__x86_64__)
	return SCMP_ARCH_X86_64;
#elif defined(__aarch64__)
	return SCMP_ARCH_AARCH64;
#elif defined(__arm__)
	return SCMP_ARCH_ARM;
#elif defined(__riscv)
	return SCMP_ARCH_RISCV64;
#else
#error "which SCMP_ARCH_* is this processor?"
#endif
}

const char *seccomp_native_arch_name(void)
{
	return seccomp_name(seccomp_arch_names, (long)seccomp_native_arch());
}
