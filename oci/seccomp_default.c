/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/seccomp_default.h"

#include "lib/cleanup.h"
#include "oci/seccomp_names.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/personality.h>
#include <sys/socket.h>

/*
 * What is neither allowed nor refused below answers ENOSYS, as an older kernel or one built without
 * it would, so that programs take the way round they have for those. On purpose among them:
 * io_uring_*, userfaultfd, add_key, request_key, keyctl (keys are not namespaced), the NUMA calls
 * (libnuma then takes it that there is none), clone3 (its flags lie in memory, where no filter can
 * look; libc falls back to clone), modify_ldt, vm86, kcmp, pidfd_getfd, socketcall and ipc (a
 * filter cannot see through them; no processor that tote runs on needs them). Names of one
 * processor, or newer than this libseccomp, are skipped where they are not known.
 */
static const char *const allowed[] = {
	/* files by path */
	"access", "faccessat", "faccessat2", "open", "openat", "openat2", "creat", "readlink",
	"readlinkat", "stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx",
	"statfs", "statfs64", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat",
	"rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod",
	"fchmodat", "fchmodat2", "chown", "chown32", "lchown", "lchown32", "fchownat", "utime",
	"utimes", "futimesat", "utimensat", "utimensat_time64", "truncate", "truncate64", "chdir",
	"chroot", "getcwd", "getxattr", "lgetxattr", "setxattr", "lsetxattr", "listxattr",
	"llistxattr", "removexattr", "lremovexattr", "getxattrat", "setxattrat", "listxattrat",
	"removexattrat", "file_getattr", "file_setattr", "name_to_handle_at", "inotify_init",
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch", "statmount", "listmount",
	/* files by descriptor */
	"close", "close_range", "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv",
	"pwritev", "preadv2", "pwritev2", "lseek", "_llseek", "fstat", "fstat64", "fstatfs",
	"fstatfs64", "fchdir", "fchmod", "fchown", "fchown32", "ftruncate", "ftruncate64",
	"fallocate", "fadvise64", "fadvise64_64", "arm_fadvise64_64", "readahead", "fgetxattr",
	"fsetxattr", "flistxattr", "fremovexattr", "getdents", "getdents64", "fcntl", "fcntl64",
	"flock", "dup", "dup2", "dup3", "pipe", "pipe2", "sendfile", "sendfile64", "splice", "tee",
	"vmsplice", "copy_file_range", "sync", "syncfs", "fsync", "fdatasync", "sync_file_range",
	"sync_file_range2", "arm_sync_file_range", "cachestat", "memfd_create", "memfd_secret",
	"umask",
	/* waiting */
	"select", "_newselect", "pselect6", "pselect6_time64", "poll", "ppoll", "ppoll_time64",
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
	"eventfd", "eventfd2", "signalfd", "signalfd4", "io_setup", "io_submit", "io_getevents",
	"io_pgetevents", "io_pgetevents_time64", "io_cancel", "io_destroy",
	/* memory */
	"brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore",
	"mlock", "mlock2", "munlock", "mlockall", "munlockall", "mseal", "remap_file_pages",
	"pkey_alloc", "pkey_free", "pkey_mprotect", "map_shadow_stack", "membarrier",
	"process_mrelease",
	/* processes and threads; ptrace cannot get round a filter from Linux 4.8 on */
	"fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "waitpid",
	"getpid", "getppid", "gettid", "getpgid", "setpgid", "getpgrp", "getsid", "setsid",
	"set_tid_address", "set_robust_list", "get_robust_list", "futex", "futex_time64",
	"futex_waitv", "futex_wait", "futex_wake", "futex_requeue", "rseq", "restart_syscall",
	"prctl", "arch_prctl", "set_thread_area", "get_thread_area", "set_tls", "get_tls",
	"cacheflush", "breakpoint", "riscv_flush_icache", "riscv_hwprobe", "uretprobe", "uprobe",
	"pidfd_open", "pidfd_send_signal", "ptrace", "process_vm_readv", "process_vm_writev",
	"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
	/* signals */
	"kill", "tkill", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigpending",
	"rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "sigaction", "sigaltstack", "signal", "sigpending", "sigprocmask",
	"sigreturn", "sigsuspend", "pause",
	/* who one is, and may be */
	"getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32",
	"getresuid", "getresuid32", "getresgid", "getresgid32", "getgroups", "getgroups32",
	"setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid",
	"setregid32", "setresuid", "setresuid32", "setresgid", "setresgid32", "setfsuid",
	"setfsuid32", "setfsgid", "setfsgid32", "setgroups", "setgroups32", "capget", "capset",
	"lsm_get_self_attr", "lsm_list_modules",
	/* scheduling and limits */
	"sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getattr", "sched_setattr",
	"sched_getparam", "sched_setparam", "sched_getscheduler", "sched_setscheduler",
	"sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval",
	"sched_rr_get_interval_time64", "getcpu", "nice", "getpriority", "setpriority",
	"ioprio_get", "ioprio_set", "getrlimit", "ugetrlimit", "setrlimit", "prlimit64",
	"getrusage", "times", "sysinfo", "uname", "getrandom",
	/* time: setting the clock is left to the kernel's own check where reading it is the same
	   call */
	"time", "gettimeofday", "clock_gettime", "clock_gettime64", "clock_getres",
	"clock_getres_time64", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "adjtimex",
	"clock_adjtime", "clock_adjtime64", "alarm", "getitimer", "setitimer", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
	"timerfd_settime", "timerfd_settime64",
	/* sockets, but for making them */
	"bind", "listen", "accept", "accept4", "connect", "shutdown", "getsockname", "getpeername",
	"getsockopt", "setsockopt", "send", "sendto", "sendmsg", "sendmmsg", "recv", "recvfrom",
	"recvmsg", "recvmmsg", "recvmmsg_time64",
	/* System V and POSIX queues, semaphores, shared memory */
	"msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop",
	"semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget", "mq_getsetattr", "mq_notify",
	"mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
	"mq_timedsend_time64", "mq_unlink"
};

/*
 * Known and forbidden, EPERM: what a program that asks for it expects to hear when it lacks the
 * privilege. Most need a capability that the default set has not; a filter also keeps out those who
 * got one in a namespace of their own.
 */
static const char *const refused[] = { "mount",
				       "umount",
				       "umount2",
				       "pivot_root",
				       "open_tree",
				       "open_tree_attr",
				       "move_mount",
				       "fsopen",
				       "fsconfig",
				       "fsmount",
				       "fspick",
				       "mount_setattr",
				       "setns",
				       "open_by_handle_at",
				       "bpf",
				       "perf_event_open",
				       "fanotify_init",
				       "fanotify_mark",
				       "init_module",
				       "finit_module",
				       "delete_module",
				       "kexec_load",
				       "kexec_file_load",
				       "reboot",
				       "swapon",
				       "swapoff",
				       "quotactl",
				       "quotactl_fd",
				       "acct",
				       "syslog",
				       "vhangup",
				       "iopl",
				       "ioperm",
				       "sethostname",
				       "setdomainname",
				       "settimeofday",
				       "stime",
				       "clock_settime",
				       "clock_settime64" };

/* The namespaces that clone(2) can make: CLONE_NEWTIME is within its exit signal. */
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define BIT_SET(index, bit)                                                                        \
	{                                                                                          \
		index, bit, bit, SCMP_CMP_MASKED_EQ                                                \
	}
/* The kernel looks at an int's low 32 bits, a filter at 64. */
#define LOW32(index, value)                                                                        \
	{                                                                                          \
		index, 0xffffffff, value, SCMP_CMP_MASKED_EQ                                       \
	}

/*
 * Rules that look at an argument. Repeating an index makes comparisons alternatives. For each call
 * the rules exclude one another, so that no order in which they are tried matters.
 */
static const struct {
	const char *names[2];
	int action;
	uint32_t errno_ret;
	struct spec_seccomp_arg args[8];
	size_t arg_count;
} arg_rules[] = {
	/*
	 * Families from AF_ALG (38) on: a kernel crypto interface with a history of holes, AF_VSOCK
	 * (40), which no network namespace holds back, and others that load rarely tested modules.
	 */
	{ { "socket", "socketpair" }, SPEC_ACT_ALLOW, 0, { { 0, AF_ALG, 0, SCMP_CMP_LT } }, 1 },
	{ { "socket", "socketpair" },
	  SPEC_ACT_ERRNO,
	  EAFNOSUPPORT,
	  { { 0, AF_ALG, 0, SCMP_CMP_GE } },
	  1 },
	{ { "clone" }, SPEC_ACT_ALLOW, 0, { { 0, NEW_NAMESPACES, 0, SCMP_CMP_MASKED_EQ } }, 1 },
	{ { "unshare" },
	  SPEC_ACT_ALLOW,
	  0,
	  { { 0, NEW_NAMESPACES | CLONE_NEWTIME, 0, SCMP_CMP_MASKED_EQ } },
	  1 },
	{ { "clone", "unshare" },
	  SPEC_ACT_ERRNO,
	  EPERM,
	  { BIT_SET(0, CLONE_NEWNS), BIT_SET(0, CLONE_NEWCGROUP), BIT_SET(0, CLONE_NEWUTS),
	    BIT_SET(0, CLONE_NEWIPC), BIT_SET(0, CLONE_NEWUSER), BIT_SET(0, CLONE_NEWPID),
	    BIT_SET(0, CLONE_NEWNET) },
	  7 },
	{ { "unshare" }, SPEC_ACT_ERRNO, EPERM, { BIT_SET(0, CLONE_NEWTIME) }, 1 },
	/* What uname(2) says, and asking (0xffffffff); nothing that weakens the layout of memory.
	 */
	{ { "personality" },
	  SPEC_ACT_ALLOW,
	  0,
	  { LOW32(0, PER_LINUX), LOW32(0, PER_LINUX32), LOW32(0, UNAME26),
	    LOW32(0, UNAME26 | PER_LINUX32), LOW32(0, 0xffffffff) },
	  5 },
	/* TIOCSTI and TIOCLINUX type into the terminal of whoever started the container
	   (CVE-2016-2568, 2023-1523). */
	{ { "ioctl" }, SPEC_ACT_ERRNO, EPERM, { LOW32(1, 0x5412), LOW32(1, 0x541c) }, 2 },
};

static const uint32_t refused_ioctls[] = { 0x5412, 0x541c };

/* True when a value before the i-th shares its bits from `bit` up: what branches off there is dealt
 * with. */
static bool seen_before(const uint32_t *values, size_t i, unsigned int bit)
{
	for (size_t j = 0; j < i; j++)
		if (values[j] >> bit == values[i] >> bit)
			return true;
	return false;
}

/* True when a value lies on the other side of the i-th at `bit`. */
static bool has_sibling(const uint32_t *values, size_t n, size_t i, unsigned int bit)
{
	for (size_t j = 0; j < n; j++)
		if (values[j] >> bit == (values[i] >> bit ^ 1))
			return true;
	return false;
}

/*
 * Comparisons, one of which holds for every number whose low 32 bits are none of the values.
 * SCMP_CMP_NE cannot say it: it compares 64 bits where the kernel looks at 32, and 0x100005412
 * would slip through (CVE-2019-10063). So walk the values' bits from the top; where no value turns
 * the other way, all numbers that do are allowed.
 */
static size_t none_of(uint32_t index, const uint32_t *values, size_t n,
		      struct spec_seccomp_arg *ret_args)
{
	size_t count = 0;

	for (unsigned int bit = 32; bit-- > 0;) {
		for (size_t i = 0; i < n; i++) {
			uint64_t mask = UINT32_MAX & UINT32_MAX << bit;

			if (seen_before(values, i, bit) || has_sibling(values, n, i, bit))
				continue;
			ret_args[count++] = (struct spec_seccomp_arg){
				index, mask, (values[i] & mask) ^ 1U << bit, SCMP_CMP_MASKED_EQ
			};
		}
	}
	return count;
}

static void set_names(struct arena *a, struct spec_seccomp_rule *rule, const char *const *names,
		      size_t n)
{
	rule->names.items = arena_calloc(a, n + 1, sizeof(char *));
	rule->names.count = n;
	for (size_t i = 0; i < n; i++)
		rule->names.items[i] = arena_strdup(a, names[i]);
}

static void set_action(struct spec_seccomp_rule *rule, int action, uint32_t errno_ret)
{
	rule->action = action;
	if (action == SPEC_ACT_ERRNO)
		rule->errno_ret = (struct opt_u32){ true, errno_ret };
}

static void set_ioctl(struct arena *a, struct spec_seccomp_rule *rule)
{
	static const char *const name[] = { "ioctl" };

	set_names(a, rule, name, 1);
	set_action(rule, SPEC_ACT_ALLOW, 0);
	rule->args.items =
		arena_calloc(a, 32 * ARRAY_SIZE(refused_ioctls), sizeof(*rule->args.items));
	rule->args.count = none_of(1, refused_ioctls, ARRAY_SIZE(refused_ioctls), rule->args.items);
}

struct spec_seccomp *seccomp_default_profile(struct arena *a)
{
	struct spec_seccomp *seccomp = arena_alloc(a, sizeof(*seccomp));
	const char *arch = seccomp_native_arch_name();
	struct spec_seccomp_rule *rule;

	seccomp->default_action = SPEC_ACT_ERRNO;
	seccomp->default_errno_ret = (struct opt_u32){ true, ENOSYS };
	seccomp->architectures.items = arena_calloc(a, 2, sizeof(char *));
	if (arch)
		seccomp->architectures.items[seccomp->architectures.count++] =
			arena_strdup(a, arch);
	seccomp->syscalls.count = ARRAY_SIZE(arg_rules) + 3;
	rule = arena_calloc(a, seccomp->syscalls.count, sizeof(*rule));
	seccomp->syscalls.items = rule;
	set_names(a, rule, allowed, ARRAY_SIZE(allowed));
	set_action(rule++, SPEC_ACT_ALLOW, 0);
	set_names(a, rule, refused, ARRAY_SIZE(refused));
	set_action(rule++, SPEC_ACT_ERRNO, EPERM);
	set_ioctl(a, rule++);
	for (size_t i = 0; i < ARRAY_SIZE(arg_rules); i++, rule++) {
		set_names(a, rule, arg_rules[i].names, arg_rules[i].names[1] ? 2 : 1);
		set_action(rule, arg_rules[i].action, arg_rules[i].errno_ret);
		rule->args.items = arena_memdup(a, arg_rules[i].args, sizeof(arg_rules[i].args));
		rule->args.count = arg_rules[i].arg_count;
	}
	return seccomp;
}
