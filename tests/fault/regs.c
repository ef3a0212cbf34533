/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/fault.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Indices into NT_PRSTATUS, an array of registers on every architecture here. */
#if defined(__x86_64__) && defined(__LP64__)
#define ARCH AUDIT_ARCH_X86_64
enum { REG_NR = 15 /* orig_rax */, REG_RESULT = 10 /* rax */ };
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
enum { REG_NR = 17 /* a7 */, REG_RESULT = 10 /* a0 */ };
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
enum { REG_RESULT = 0 /* x0 */ };
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
enum { REG_RESULT = 0 /* r0 */, ARM_SET_SYSCALL = 23 /* PTRACE_SET_SYSCALL */ };
#else
#error "fault does not know this architecture's registers"
#endif

uint32_t regs_arch(void)
{
	return ARCH;
}

static int regs_set(pid_t pid, size_t index, long value)
{
	unsigned long regs[64];
	struct iovec iov = { .iov_base = regs, .iov_len = sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) < 0)
		return -errno;
	regs[index] = (unsigned long)value;
	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

int regs_skip_call(pid_t pid)
{
#if defined(__aarch64__)
	int nr = -1;
	struct iovec iov = { .iov_base = &nr, .iov_len = sizeof(nr) };

	return ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &iov) < 0 ? -errno : 0;
#elif defined(__arm__)
	return ptrace((enum __ptrace_request)ARM_SET_SYSCALL, pid, NULL, -1) < 0 ? -errno : 0;
#else
	return regs_set(pid, REG_NR, -1);
#endif
}

int regs_set_result(pid_t pid, long result)
{
	return regs_set(pid, REG_RESULT, result);
}
