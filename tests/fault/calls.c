/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/fault.h"

#include "lib/cleanup.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum {
	NOFAIL = 1, /* cannot fail; for brk, a failure is not a negative result but the old break */
	RUNS = 2, /* takes effect even when it fails: close(2) on Linux always frees the descriptor
		   */
	INTR = 4, /* can be interrupted by a signal and answer EINTR, signal(7) */
};

struct call {
	const char *name;
	long nr;
	unsigned flags;
};

#define C(name, flags)                                                                             \
	{                                                                                          \
#name, SYS_##name, flags                                                           \
	}

static const struct call calls[] = {
	C(accept, INTR),
	C(accept4, INTR),
	C(acct, 0),
	C(add_key, 0),
	C(bind, 0),
	C(bpf, 0),
	C(brk, NOFAIL),
	C(capget, 0),
	C(capset, 0),
	C(chdir, 0),
	C(chroot, 0),
	C(clock_gettime, 0),
	C(clock_nanosleep, INTR),
	C(clone, 0),
	C(close, RUNS | INTR),
	C(connect, INTR),
	C(copy_file_range, INTR),
	C(dup, 0),
	C(dup3, 0),
	C(epoll_create1, 0),
	C(epoll_ctl, 0),
	C(epoll_pwait, INTR),
	C(eventfd2, 0),
	C(execve, 0),
	C(execveat, 0),
	C(exit, NOFAIL),
	C(exit_group, NOFAIL),
	C(faccessat, 0),
	C(fallocate, INTR),
	C(fchdir, 0),
	C(fchmod, 0),
	C(fchmodat, 0),
	C(fchown, 0),
	C(fchownat, 0),
	C(fcntl, 0),
	C(fdatasync, 0),
	C(fgetxattr, 0),
	C(finit_module, 0),
	C(flock, INTR),
	C(fremovexattr, 0),
	C(fsetxattr, 0),
	C(fstat, 0),
	C(fstatfs, 0),
	C(fsync, 0),
	C(ftruncate, 0),
	C(futex, 0),
	C(getcwd, 0),
	C(getdents64, 0),
	C(getegid, NOFAIL),
	C(geteuid, NOFAIL),
	C(getgid, NOFAIL),
	C(getgroups, 0),
	C(getpgid, 0),
	C(getpid, NOFAIL),
	C(getppid, NOFAIL),
	C(getpriority, 0),
	C(getrandom, INTR),
	C(getresgid, 0),
	C(getresuid, 0),
	C(getrusage, 0),
	C(getsid, 0),
	C(getsockname, 0),
	C(getsockopt, 0),
	C(gettid, NOFAIL),
	C(gettimeofday, 0),
	C(getuid, NOFAIL),
	C(getxattr, 0),
	C(inotify_add_watch, 0),
	C(inotify_init1, 0),
	C(inotify_rm_watch, 0),
	C(ioctl, 0),
	C(ioprio_get, 0),
	C(ioprio_set, 0),
	C(kcmp, 0),
	C(keyctl, 0),
	C(kill, 0),
	C(lgetxattr, 0),
	C(linkat, 0),
	C(listen, 0),
	C(listxattr, 0),
	C(lseek, 0),
	C(lsetxattr, 0),
	C(madvise, 0),
	C(mbind, 0),
	C(memfd_create, 0),
	C(mkdirat, 0),
	C(mknodat, 0),
	C(mlock, 0),
	C(mount, 0),
	C(mprotect, 0),
	C(mremap, 0),
	C(msync, 0),
	C(munmap, 0),
	C(name_to_handle_at, 0),
	C(nanosleep, INTR),
	C(openat, INTR),
	C(perf_event_open, 0),
	C(personality, 0),
	C(pipe2, 0),
	C(pivot_root, 0),
	C(ppoll, INTR),
	C(prctl, 0),
	C(pread64, INTR),
	C(preadv, INTR),
	C(preadv2, INTR),
	C(prlimit64, 0),
	C(process_vm_readv, 0),
	C(pselect6, INTR),
	C(ptrace, 0),
	C(pwrite64, INTR),
	C(pwritev, INTR),
	C(pwritev2, INTR),
	C(quotactl, 0),
	C(read, INTR),
	C(readlinkat, 0),
	C(readv, INTR),
	C(recvfrom, INTR),
	C(recvmmsg, INTR),
	C(recvmsg, INTR),
	C(removexattr, 0),
	C(renameat2, 0),
	C(restart_syscall, NOFAIL),
	C(rt_sigaction, 0),
	C(rt_sigpending, 0),
	C(rt_sigprocmask, 0),
	C(rt_sigreturn, NOFAIL),
	C(rt_sigsuspend, INTR),
	C(rt_sigtimedwait, INTR),
	C(sched_getaffinity, 0),
	C(sched_setaffinity, 0),
	C(sched_setattr, 0),
	C(sched_setscheduler, 0),
	C(sched_yield, NOFAIL),
	C(seccomp, 0),
	C(sendfile, INTR),
	C(sendmmsg, INTR),
	C(sendmsg, INTR),
	C(sendto, INTR),
	C(set_mempolicy, 0),
	C(set_robust_list, 0),
	C(set_tid_address, NOFAIL),
	C(setdomainname, 0),
	C(setfsgid, NOFAIL),
	C(setfsuid, NOFAIL),
	C(setgid, 0),
	C(setgroups, 0),
	C(sethostname, 0),
	C(setitimer, 0),
	C(setns, 0),
	C(setpgid, 0),
	C(setpriority, 0),
	C(setresgid, 0),
	C(setresuid, 0),
	C(setsid, 0),
	C(setsockopt, 0),
	C(setuid, 0),
	C(setxattr, 0),
	C(shutdown, 0),
	C(sigaltstack, 0),
	C(signalfd4, 0),
	C(socket, 0),
	C(socketpair, 0),
	C(splice, INTR),
	C(statfs, 0),
	C(statx, 0),
	C(symlinkat, 0),
	C(sync, NOFAIL),
	C(syncfs, 0),
	C(sysinfo, 0),
	C(tgkill, 0),
	C(timer_create, 0),
	C(timerfd_create, 0),
	C(timerfd_settime, 0),
	C(tkill, 0),
	C(truncate, 0),
	C(umask, NOFAIL),
	C(umount2, 0),
	C(uname, 0),
	C(unlinkat, 0),
	C(unshare, 0),
	C(utimensat, 0),
	C(wait4, INTR),
	C(waitid, INTR),
	C(write, INTR),
	C(writev, INTR),
#ifdef SYS_mmap
	C(mmap, 0),
	C(newfstatat, 0),
	C(fadvise64, 0),
#endif
#ifdef SYS_mmap2 /* 32-bit arm */
	C(mmap2, 0),
	C(fstat64, 0),
	C(fstatat64, 0),
	C(fcntl64, 0),
	C(_llseek, 0),
	C(ugetrlimit, 0),
	C(statfs64, 0),
	C(fstatfs64, 0),
	C(ftruncate64, 0),
	C(sigreturn, NOFAIL),
	C(getuid32, NOFAIL),
	C(geteuid32, NOFAIL),
	C(getgid32, NOFAIL),
	C(getegid32, NOFAIL),
	C(clock_gettime64, 0),
	C(ppoll_time64, INTR),
	C(pselect6_time64, INTR),
	C(futex_time64, 0),
	C(clock_nanosleep_time64, INTR),
#endif
#ifdef SYS_renameat
	C(renameat, 0),
#endif
#ifdef SYS_setrlimit
	C(setrlimit, 0),
#endif
#ifdef SYS_getrlimit
	C(getrlimit, 0),
#endif
#ifdef SYS_arch_prctl
	C(arch_prctl, 0),
	C(alarm, NOFAIL),
#endif
#ifdef SYS_open /* not on arm64 and riscv */
	C(access, 0),
	C(chmod, 0),
	C(chown, 0),
	C(creat, INTR),
	C(dup2, 0),
	C(epoll_create, 0),
	C(epoll_wait, INTR),
	C(eventfd, 0),
	C(fork, 0),
	C(getdents, 0),
	C(getpgrp, NOFAIL),
	C(lchown, 0),
	C(link, 0),
	C(lstat, 0),
	C(mkdir, 0),
	C(mknod, 0),
	C(open, INTR),
	C(pause, INTR),
	C(pipe, 0),
	C(poll, INTR),
	C(readlink, 0),
	C(rename, 0),
	C(rmdir, 0),
	C(signalfd, 0),
	C(stat, 0),
	C(symlink, 0),
	C(unlink, 0),
	C(vfork, 0),
#endif
	/* Since Linux 5.1 a new call has one number on all architectures here; headers may be older
	   than the call. */
	{ "rseq", SYS_rseq, 0 },
	{ "pidfd_send_signal", 424, 0 },
	{ "io_uring_setup", 425, 0 },
	{ "io_uring_enter", 426, INTR },
	{ "io_uring_register", 427, 0 },
	{ "open_tree", 428, 0 },
	{ "move_mount", 429, 0 },
	{ "fsopen", 430, 0 },
	{ "fsconfig", 431, 0 },
	{ "fsmount", 432, 0 },
	{ "fspick", 433, 0 },
	{ "pidfd_open", 434, 0 },
	{ "clone3", 435, 0 },
	{ "close_range", 436, RUNS },
	{ "openat2", 437, INTR },
	{ "pidfd_getfd", 438, 0 },
	{ "faccessat2", 439, 0 },
	{ "process_madvise", 440, 0 },
	{ "epoll_pwait2", 441, INTR },
	{ "mount_setattr", 442, 0 },
	{ "quotactl_fd", 443, 0 },
	{ "landlock_create_ruleset", 444, 0 },
	{ "landlock_add_rule", 445, 0 },
	{ "landlock_restrict_self", 446, 0 },
	{ "memfd_secret", 447, 0 },
	{ "process_mrelease", 448, 0 },
	{ "set_mempolicy_home_node", 450, 0 },
	{ "cachestat", 451, 0 },
	{ "fchmodat2", 452, 0 },
	{ "statmount", 457, 0 },
	{ "listmount", 458, 0 },
	{ "setxattrat", 463, 0 },
	{ "getxattrat", 464, 0 },
	{ "open_tree_attr", 467, 0 },
};

static const struct call *call_find(uint64_t nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if ((uint64_t)calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

long call_number(const char *name)
{
	char *end;
	long nr;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].nr;
	errno = 0;
	nr = strtol(name, &end, 10);
	return errno != 0 || end == name || *end != '\0' || nr < 0 ? -1 : nr;
}

const char *call_name(uint64_t nr, char *buf, size_t size)
{
	const struct call *call = call_find(nr);

	if (call)
		return call->name;
	snprintf(buf, size, "%llu", (unsigned long long)nr);
	return buf;
}

/* A call that is not in the table is new or rare: it may fail in any way but by interruption. */
enum call_kind call_kind(uint64_t nr, int err)
{
	const struct call *call = call_find(nr);
	unsigned flags = call ? call->flags : 0;

	if (flags & NOFAIL || (err == EINTR && !(flags & INTR)))
		return CALL_NONE;
	return flags & RUNS ? CALL_RUN : CALL_SKIP;
}

int call_filter(const long *nrs, size_t n_nrs, uint32_t action)
{
	autofree struct sock_filter *code = calloc(2 * n_nrs + 5, sizeof(*code));
	struct sock_fprog prog = { .filter = code };
	size_t n = 0;

	if (!code)
		return -ENOMEM;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, arch));
	/* Jump offsets are 8 bits wide, so that each comparison brings its own return. */
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, regs_arch(), 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < n_nrs; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (uint32_t)nrs[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = (unsigned short)n;

	/* Root keeps no_new_privs off, as the command under test may look at it. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0)
		return 0;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0 ? -errno : 0;
}
