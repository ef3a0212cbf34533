/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that decoding and extracting make, as a filter. Anything else kills, but for
 * what the C library tries of its own accord and can do without.
 */
#include "oci/image/confine_private.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define NATIVE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#else
#error "a processor whose system calls nobody has listed"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW(i) (offsetof(struct seccomp_data, args) + 8 * (i))
#else
#define LOW(i) (offsetof(struct seccomp_data, args) + 8 * (i) + 4)
#endif

/* Sanitizers make calls of their own, which may fail but not kill. */
#if defined(__SANITIZE_ADDRESS__)
#define DENIED (SECCOMP_RET_ERRNO | EPERM)
#else
#define DENIED SECCOMP_RET_KILL_PROCESS
#endif

/* Hot ones first; where the kernel caches what is always allowed (5.11) the order does not matter.
 */
static const uint16_t always[] = {
	SYS_read,
	SYS_pread64,
	SYS_write,
	SYS_pwrite64,
	SYS_close,
#ifdef SYS_futex
	SYS_futex,
#endif
#ifdef SYS_futex_time64
	SYS_futex_time64,
#endif
	SYS_lseek,
#ifdef SYS__llseek
	SYS__llseek,
#endif
	SYS_readv,
	SYS_writev,
	SYS_fstat,
#ifdef SYS_fstat64
	SYS_fstat64,
#endif
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
#ifdef SYS_fadvise64
	SYS_fadvise64,
#endif
#ifdef SYS_arm_fadvise64_64
	SYS_arm_fadvise64_64,
#endif
	SYS_getrandom,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_clock_gettime,
#ifdef SYS_clock_gettime64
	SYS_clock_gettime64,
#endif
	SYS_clock_nanosleep,
	SYS_gettimeofday,
	SYS_getpid,
	SYS_gettid,
	SYS_geteuid,
	SYS_getegid,
#ifdef SYS_geteuid32
	SYS_geteuid32,
	SYS_getegid32,
#endif
	SYS_umask,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
#if defined(__SANITIZE_ADDRESS__)
	SYS_sigaltstack,
#endif
	SYS_restart_syscall,
	SYS_exit,
	SYS_exit_group,
};

/* Below the root only: Landlock and the root directory see to that, not the filter. */
static const uint16_t with_files[] = {
	SYS_openat,
	SYS_openat2,
	SYS_utimensat,
#ifdef SYS_utimensat_time64
	SYS_utimensat_time64,
#endif
	SYS_fchown,
#ifdef SYS_fchown32
	SYS_fchown32,
#endif
	SYS_fchownat,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_mkdirat,
	SYS_symlinkat,
	SYS_linkat,
	SYS_unlinkat,
	SYS_mknodat,
	SYS_ftruncate,
#ifdef SYS_ftruncate64
	SYS_ftruncate64,
#endif
#ifdef SYS_newfstatat
	SYS_newfstatat,
#endif
#ifdef SYS_fstatat64
	SYS_fstatat64,
#endif
	SYS_statx,
	SYS_getdents64,
	SYS_fsetxattr,
	SYS_flistxattr,
	SYS_fgetxattr,
	SYS_readlinkat,
	SYS_fremovexattr,
	SYS_fstatfs,
#ifdef SYS_fstatfs64
	SYS_fstatfs64,
#endif
};

static const uint16_t with_threads[] = {
	SYS_set_robust_list,
#ifdef SYS_rseq
	SYS_rseq,
#endif
	SYS_set_tid_address,
};

/* Tried, and refused with an answer: what the C library opens, asks and names by itself. */
static const struct {
	uint16_t nr, code;
} refused[] = {
	{ SYS_ioctl, ENOTTY },	    { SYS_prctl, EINVAL },	{ SYS_openat, EACCES },
	{ SYS_fcntl, EINVAL },	    { SYS_readlinkat, EACCES }, { SYS_faccessat, EACCES },
	{ SYS_clone3, ENOSYS }, /* its flags cannot be looked at: the C library takes clone then */
#ifdef SYS_newfstatat
	{ SYS_newfstatat, EACCES },
#endif
#ifdef SYS_open
	{ SYS_open, EACCES },	    { SYS_readlink, EACCES },	{ SYS_access, EACCES },
#endif
	{ SYS_statx, EACCES },
};

#define PROGRAM_MAX 256

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short len;
};

static void add(struct program *p, struct sock_filter op)
{
	if (p->len < PROGRAM_MAX)
		p->code[p->len++] = op;
}

static void answer(struct program *p, uint32_t nr, uint32_t action)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void allow(struct program *p, const uint16_t *nrs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		answer(p, nrs[i], SECCOMP_RET_ALLOW);
}

/* Allowed when (argument & mask) == value; denied otherwise. */
static void allow_if(struct program *p, uint32_t nr, int arg, uint32_t mask, uint32_t value)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 5));
	add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)LOW(arg)));
	add(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, DENIED));
}

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

static void build(struct program *p, bool files, bool threads)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    offsetof(struct seccomp_data, arch)));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0));
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    offsetof(struct seccomp_data, nr)));
	allow(p, always, ARRAY_SIZE(always));
	if (files)
		allow(p, with_files, ARRAY_SIZE(with_files));
	if (threads) {
		allow(p, with_threads, ARRAY_SIZE(with_threads));
		allow_if(p, SYS_clone, 0, CLONE_THREAD | CLONE_VM | NAMESPACES,
			 CLONE_THREAD | CLONE_VM);
	}
	/* Never code that was not there before. */
#ifdef SYS_mmap
	allow_if(p, SYS_mmap, 2, PROT_EXEC, 0);
#endif
#ifdef SYS_mmap2
	allow_if(p, SYS_mmap2, 2, PROT_EXEC, 0);
#endif
	allow_if(p, SYS_mprotect, 2, PROT_EXEC, 0);
	/* abort(), not signals to others; limits of its own. */
	allow_if(p, SYS_tgkill, 0, UINT32_MAX, (uint32_t)getpid());
	allow_if(p, SYS_prlimit64, 0, UINT32_MAX, 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		answer(p, refused[i].nr, SECCOMP_RET_ERRNO | refused[i].code);
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, DENIED));
}

int confine_seccomp(bool files, bool threads, struct err *err)
{
	struct program p = { .len = 0 };
	struct sock_fprog prog = { .filter = p.code };

	build(&p, files, threads);
	prog.len = p.len;
	if (p.len >= PROGRAM_MAX)
		return err_set(err, E2BIG, "the seccomp filter does not fit");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_errno(err, "seccomp");
	return 0;
}
