/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child shares our memory (CLONE_VM) until it executes tote-init, which saves copying page
 * tables; it runs on a stack of its own and makes raw system calls only, as errno and libc's state
 * are ours. The namespaces that it is born into hold nobody else; tote-init makes itself undumpable before
 * it enters any that do.
 *
 * It is born in the container's cgroup, where it may run out of memory, and the kernel's OOM killer
 * kills all that share a victim's memory: us. But it passes over a child that somebody waits for in
 * vfork (in_vfork(), mm/oom_kill.c); then the child gets ENOMEM. A child that has to wait for us,
 * in a user namespace that the clone made, gets a copy of our memory instead; and so does a
 * sibling, for which that function looks at its parent's memory, not at ours.
 */
#include "oci/spawn.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/sys.h"
#include "oci/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define STACK_SIZE 16384
#define CLOSER_STACK_SIZE 4096
#define SIGNALS_END 65 /* the kernel's last one is 64 */
/* What the child runs must not call into a sanitizer's runtime, whose state is the parent's. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined")))

enum {
	SPAWN_MAPPED = SPAWN_STEP_FIRST,
	SPAWN_ROOT_USER,
	SPAWN_NETNS,
	SPAWN_KEEP,
	SPAWN_EXEC,
	SPAWN_STEPS_END
};

static const char *const step_words[] = {
	[SPAWN_MAPPED - SPAWN_STEP_FIRST] = "wait for the id mappings",
	[SPAWN_ROOT_USER - SPAWN_STEP_FIRST] = "become uid 0 of the user namespace (is 0 mapped?)",
	[SPAWN_NETNS - SPAWN_STEP_FIRST] = "enter the new network namespace",
	[SPAWN_KEEP - SPAWN_STEP_FIRST] = "pass descriptors on",
	[SPAWN_EXEC - SPAWN_STEP_FIRST] = "execute tote-init",
};

extern const char tote_init_blob[], tote_init_blob_end[];

static char child_stack[STACK_SIZE] __attribute__((aligned(16)));
/* Of who makes namespaces ahead: one at a time. */
static char helper_stack[STACK_SIZE] __attribute__((aligned(16)));

const char *spawn_step_text(unsigned int step)
{
	return step >= SPAWN_STEP_FIRST && step < SPAWN_STEPS_END
		       ? step_words[step - SPAWN_STEP_FIRST]
		       : NULL;
}

void siblings_add(struct siblings *siblings, pid_t pid)
{
	if (siblings->count < ARRAY_SIZE(siblings->ended))
		siblings->ended[siblings->count++] = pid;
}

int spawn_init_fd(struct err *err)
{
	size_t len = (size_t)(tote_init_blob_end - tote_init_blob);
	int fd, r;

	/* Kernels before 6.3 do not know MFD_EXEC; vm.memfd_noexec=2 refuses executable ones. */
	fd = memfd_create("tote-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("tote-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_errno(
			err,
			"make an executable memfd for tote-init (vm.memfd_noexec must not be 2)");
	r = fd_write_full(fd, tote_init_blob, len);
	/* Nobody can change the program that we run (CVE-2019-5736). */
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return err_code(err, r, "write tote-init to a memfd");
	}
	return fd;
}

IN_CHILD _Noreturn static void child_exit(int code)
{
	for (;;)
		sys(__NR_exit_group, code);
}

IN_CHILD _Noreturn static void child_fail(const struct spawn *sp, int step, sys_t code)
{
	struct sync_msg m = { .what = SYNC_FAILED, .step = (uint16_t)step, .value = (int32_t)code };

	sys_t r = sys(__NR_sendto, sp->sync_fd, &m, sizeof(m), MSG_NOSIGNAL, 0, 0);

	/* Too little memory even for a message: what the OOM killer's victims end with. */
	child_exit(r < 0 ? 128 + SIGKILL : 255);
}

IN_CHILD static void child_await_mappings(const struct spawn *sp)
{
	struct sync_msg m;
	sys_t r;

	do {
		r = sys(__NR_recvfrom, sp->sync_fd, &m, sizeof(m), 0, 0, 0);
	} while (r == -EINTR);
	if (r != sizeof(m) || m.what != SYNC_MAPPED)
		child_fail(sp, SPAWN_MAPPED, r < 0 ? r : -ECANCELED);
}

IN_CHILD static void child_become_root(const struct spawn *sp)
{
	sys_t r;

#ifdef __NR_setgroups32
	sys(__NR_setgroups32, 0, 0); /* the host's groups; EPERM where "setgroups" is denied */
	r = sys(__NR_setresgid32, 0, 0, 0);
	if (r == 0)
		r = sys(__NR_setresuid32, 0, 0, 0);
#else
	sys(__NR_setgroups, 0, 0); /* the host's groups; EPERM where "setgroups" is denied */
	r = sys(__NR_setresgid, 0, 0, 0);
	if (r == 0)
		r = sys(__NR_setresuid, 0, 0, 0);
#endif
	if (r < 0)
		child_fail(sp, SPAWN_ROOT_USER, r);
}

IN_CHILD static size_t decimal(char *out, int n)
{
	char digits[12];
	size_t len = 0, i = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (len)
		out[i++] = digits[--len];
	out[i] = '\0';
	return i;
}

IN_CHILD _Noreturn static void child_main(const struct spawn *sp)
{
	char number[12], name[] = "tote-init";
	char *argv[] = { name, number, NULL }, *envp[] = { NULL };
	uint64_t no_signals = 0,
		 default_action[4] = { 0 }; /* struct sigaction of any kernel fits */
	sys_t r = 0;

	/* A mask survives execve. CLONE_CLEAR_SIGHAND has seen to handlers, which would run in our
	 * memory. */
	sys(__NR_rt_sigprocmask, SIG_SETMASK, &no_signals, 0, sizeof(no_signals));
	/* So does ignoring: nohup(1), a shell's background jobs, scripts of Python and systemd
	 * (IgnoreSIGPIPE=) start us like that. The kernel refuses KILL and STOP, rightly. */
	for (int sig = 1; sig < SIGNALS_END; sig++)
		sys(__NR_rt_sigaction, sig, default_action, 0, sizeof(no_signals));
	if (sp->user_ns && !sp->ahead)
		child_await_mappings(sp);
	if (sp->user_ns)
		child_become_root(sp);
	if (sp->netns_fd >= 0 && (r = sys(__NR_setns, sp->netns_fd, CLONE_NEWNET)) < 0)
		child_fail(sp, SPAWN_NETNS, r);
	/* Also what our caller left open dies with the exec: "/proc/self/fd/9/..." as a program or
	 * a directory would lead to the host (CVE-2024-21626). A kernel that cannot do it is
	 * reported by STEP_CLOSE. */
	sys(__NR_close_range, sp->close_from, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < sp->keep_count; i++)
		if ((r = sys(__NR_fcntl, sp->keep[i], F_SETFD, 0)) < 0)
			child_fail(sp, SPAWN_KEEP, r);
	sys(__NR_fcntl, sp->plan_fd, F_SETFD, 0);
	sys(__NR_fcntl, sp->sync_fd, F_SETFD, 0);
	decimal(number, sp->plan_fd);
	r = sys(__NR_execveat, sp->init_fd, "", argv, envp, AT_EMPTY_PATH);
	child_fail(sp, SPAWN_EXEC, r);
}

/*
 * clone3 with a stack of the child's own: the child starts in entry(arg), never returns into our
 * frames. glibc has no wrapper, and clone(2) knows neither CLONE_INTO_CGROUP nor all flags.
 */
IN_CHILD static int entry_child(void *arg)
{
	child_main(arg);
}

static sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg);

#if defined(__x86_64__)
static sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg)
{
	register int (*r8)(void *) __asm__("r8") = entry;
	register void *r9 __asm__("r9") = arg;
	sys_t ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax,%%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp,%%ebp\n\t"
			 "mov %%r9,%%rdi\n\t"
			 "call *%%r8\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(__NR_clone3), "D"(args), "S"(sizeof(*args)), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg)
{
	register sys_t x8 __asm__("x8") = __NR_clone3;
	register sys_t x0 __asm__("x0") = (sys_t)args;
	register sys_t x1 __asm__("x1") = sizeof(*args);
	register int (*x9)(void *) __asm__("x9") = entry;
	register void *x10 __asm__("x10") = arg;

	__asm__ volatile("svc 0\n\tcbnz x0, 1f\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, x10\n\tblr "
			 "x9\n\tbrk #0\n1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x9), "r"(x10)
			 : "memory");
	return x0;
}
#elif defined(__arm__)
__attribute__((target("arm"))) static sys_t clone_on_stack(struct clone_args *args,
							   int (*entry)(void *), void *arg)
{
	register sys_t r0 __asm__("r0") = (sys_t)args;
	register sys_t r1 __asm__("r1") = sizeof(*args);
	register int (*r4)(void *) __asm__("r4") = entry;
	register void *r5 __asm__("r5") = arg;

	__asm__ volatile("push {r7}\n\tmov r7, %[n]\n\tsvc 0\n\tcmp r0, #0\n\tbne 1f\n\tmov r0, "
			 "r5\n\tblx r4\n\tudf #0\n"
			 "1:\tpop {r7}"
			 : "+r"(r0)
			 : "r"(r1), "r"(r4), "r"(r5), [n] "r"(__NR_clone3)
			 : "memory", "cc", "lr");
	return r0;
}
#elif defined(__riscv)
static sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg)
{
	register sys_t a7 __asm__("a7") = __NR_clone3;
	register sys_t a0 __asm__("a0") = (sys_t)args;
	register sys_t a1 __asm__("a1") = sizeof(*args);
	register int (*a2)(void *) __asm__("a2") = entry;
	register void *a3 __asm__("a3") = arg;

	__asm__ volatile("ecall\n\tbnez a0, 1f\n\tmv a0, a3\n\tjalr a2\n\tebreak\n1:"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3)
			 : "memory", "ra");
	return a0;
}
#endif

/* spawn_ahead.stage; 0 as soon as there is nothing to wait for. */
enum {
	AHEAD_AT_WORK = 1,
	AHEAD_READY,
};

/* spawn_ahead.order */
enum {
	ORDER_NONE,
	ORDER_CLONE,
	ORDER_END,
};

/* What else wakes up a waiter is for it to look again. */
IN_CHILD static void await_change(const uint32_t *word, uint32_t from)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == from)
		sys(__NR_futex, word, FUTEX_WAIT, from, 0, 0, 0);
}

IN_CHILD static void change(uint32_t *word, uint32_t to)
{
	__atomic_store_n(word, to, __ATOMIC_RELEASE);
	sys(__NR_futex, word, FUTEX_WAKE, 1, 0, 0, 0);
}

IN_CHILD _Noreturn static void ahead_main(struct spawn_ahead *ahead)
{
	sys_t r = -1;

	sys(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* We may have ended before that. */
	if (sys(__NR_getppid) != ahead->parent)
		child_exit(0);
	if (ahead->flags & CLONE_NEWNET)
		r = sys(__NR_unshare, CLONE_NEWNET);
	if (r == 0)
		r = sys(__NR_openat, AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
	ahead->netns = (int)r;
	if (ahead->flags & CLONE_NEWUSER) {
		change(&ahead->stage, AHEAD_READY);
		await_change(&ahead->order, ORDER_NONE);
	}
	if (ahead->order == ORDER_CLONE) {
		r = clone_on_stack(ahead->child_args, entry_child, (void *)ahead->child);
		if (r < 0)
			ahead->error = (int)r;
	}
	child_exit(0);
}

IN_CHILD static int entry_ahead(void *arg)
{
	ahead_main(arg);
}

/*
 * The new mount namespace takes the working directory along: its copy of the root file system is
 * the child's "." without a path to look up, which a mapped user could perhaps not search. A
 * directory entered after the clone would be the host's mount; and who is in a user namespace may not
 * enter it any more.
 */
struct chdir_around {
	int dir, back;
};

static int go_to(struct chdir_around *around, int dir)
{
	*around = (struct chdir_around){ dir, -1 };
	if (dir < 0)
		return 0;
	around->back = fd_open(AT_FDCWD, ".", O_PATH);
	return fchdir(dir);
}

/* Where there is no way back, at least out of a root file system that may be hostile; false: not even that. */
static bool come_back(struct chdir_around *around)
{
	bool out = around->dir < 0 || (around->back >= 0 && fchdir(around->back) == 0) ||
		   chdir("/") == 0;

	if (around->back >= 0)
		close(around->back);
	return out;
}

int spawn_ahead_begin(struct spawn_ahead *ahead, unsigned long flags, int root_fd)
{
	struct chdir_around around;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FILES | CLONE_CLEAR_SIGHAND | CLONE_CHILD_CLEARTID |
			 (flags & CLONE_NEWUSER),
		.child_tid = (uint64_t)(uintptr_t)&ahead->stage,
		/* With CLONE_PARENT a child has this one, too. */
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)helper_stack,
		.stack_size = sizeof(helper_stack),
	};
	sys_t pid;

	*ahead = (struct spawn_ahead){
		.parent = getpid(), .flags = flags, .netns = -1, .stage = AHEAD_AT_WORK
	};
	pid = go_to(&around, root_fd) < 0 ? -errno : clone_on_stack(&args, entry_ahead, ahead);
	ahead->pid = pid > 0 ? (pid_t)pid : 0;
	if (!come_back(&around) && pid > 0)
		kill(ahead->pid, SIGKILL);
	return pid > 0 ? 0 : (int)pid;
}

int spawn_ahead_netns(struct spawn_ahead *ahead)
{
	int fd;

	if (!ahead->pid)
		return -1;
	await_change(&ahead->stage, AHEAD_AT_WORK);
	fd = ahead->netns;
	ahead->netns = -1;
	return fd < 0 ? -1 : fd;
}

void spawn_ahead_end(struct spawn_ahead *ahead)
{
	if (!ahead->pid)
		return;
	if (ahead->order == ORDER_NONE)
		change(&ahead->order, ORDER_END);
	while (waitpid(ahead->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (ahead->netns >= 0)
		close(ahead->netns);
	*ahead = (struct spawn_ahead){ .netns = -1 };
}

/*
 * All namespaces of the child have to belong to the user namespace, which we cannot enter ourselves:
 * there would be no way back. Who made it is in it, and the child is ours all the same, by CLONE_PARENT.
 * We go on as soon as the child executes tote-init: the kernel clears the word that both have as child_tid
 * and wakes us up by the futex there, and does so too if the other one ends without a child. The other one's
 * end, of which vfork's would be the news, comes later, and with it the scheduler would put us on the
 * processor that the child works on: the one that we come from, the other being busy with that end.
 */
IN_CHILD static sys_t clone_by(struct spawn_ahead *ahead, const struct spawn *sp,
			       struct clone_args *child)
{
	child->flags |= CLONE_VFORK | CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	child->parent_tid = (uint64_t)(uintptr_t)&ahead->child_pid;
	child->child_tid = (uint64_t)(uintptr_t)&ahead->stage;
	child->exit_signal = 0;
	ahead->child = sp;
	ahead->child_args = child;
	await_change(&ahead->stage, AHEAD_AT_WORK);
	change(&ahead->order, ORDER_CLONE);
	await_change(&ahead->stage, AHEAD_READY);
	if (ahead->child_pid)
		return ahead->child_pid;
	return ahead->error ? ahead->error : -ECHILD;
}

IN_CHILD static sys_t clone_child(const struct spawn *sp, int *pidfd)
{
	bool apart = sp->siblings || (sp->user_ns && !sp->ahead);
	unsigned long memory = apart ? 0 : CLONE_VM | CLONE_VFORK;
	/* With CLONE_PARENT the kernel takes the signal that our own end has, and none but 0. */
	struct clone_args args = {
		.flags = sp->clone_flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND |
			 (sp->siblings ? CLONE_PARENT : 0) |
			 (sp->cgroup_fd >= 0 ? memory | CLONE_INTO_CGROUP : CLONE_VM),
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = sp->siblings ? 0 : SIGCHLD,
		.stack = (uint64_t)(uintptr_t)child_stack,
		.stack_size = sizeof(child_stack),
		.cgroup = sp->cgroup_fd >= 0 ? (uint64_t)sp->cgroup_fd : 0,
	};

	return sp->ahead ? clone_by(sp->ahead, sp, &args)
			 : clone_on_stack(&args, entry_child, (void *)sp);
}

struct closing {
	int pidfd, fds[2];
};

IN_CHILD static void closer_schedule(int policy)
{
	const int priority = 0;

	sys(__NR_sched_setscheduler, 0, policy, &priority, 0, 0, 0);
}

/* Without CAP_SYS_NICE or RLIMIT_NICE there is no way back from SCHED_IDLE, as there is none to one's nice value. */
IN_CHILD static bool closer_may_come_back(void)
{
	sys_t nice = 20 - sys(__NR_getpriority, PRIO_PROCESS, 0);

	sys(__NR_setpriority, PRIO_PROCESS, 0, nice + 1);
	return sys(__NR_setpriority, PRIO_PROCESS, 0, nice) == 0;
}

/*
 * What it has open is a copy, so that nothing else stays open by it: a pipe's reader would wait. The end that
 * it waits for is what we wait for as well, and we come first where both get the same processor. It becomes an
 * ordinary process again before it closes anything: file systems' locks are not for one that may have to wait
 * long for its turn. So our own end must not kill it either; signals are blocked.
 */
IN_CHILD _Noreturn static void closer_main(const struct closing *closing)
{
	const uint64_t our_end = 1ULL << (SIGTERM - 1);
	struct pollfd ends[] = { { .fd = 0, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	sys_t r;

	sys(__NR_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	sys(__NR_dup3, closing->pidfd, 0, 0);
	for (int i = 0; i < 2; i++)
		if (sys(__NR_dup3, closing->fds[i], i + 1, 0) < 0)
			sys(__NR_close, i + 1);
	sys(__NR_close_range, 3, ~0U, 0);
	ends[1].fd = (int)sys(__NR_signalfd4, -1, &our_end, sizeof(our_end), 0);
	if (closer_may_come_back())
		closer_schedule(SCHED_IDLE);
	do {
		r = sys(__NR_ppoll, ends, 2, 0, 0, 0);
	} while (r == -EINTR);
	closer_schedule(SCHED_OTHER);
	child_exit(0);
}

IN_CHILD static int entry_closer(void *arg)
{
	closer_main(arg);
}

void spawn_close_after(int pidfd, int tree, int rest)
{
	static char stack[CLOSER_STACK_SIZE] __attribute__((aligned(16)));
	static struct closing closing; /* for one in a process's life */
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_CLEAR_SIGHAND,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = sizeof(stack),
	};
	sigset_t all, before;

	/* What is typed at our terminal is not for it. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!closing.pidfd) {
		closing = (struct closing){ pidfd, { tree, rest } };
		clone_on_stack(&args, entry_closer, &closing);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* The last ones, if there is no other process. */
	close(tree);
	if (rest >= 0)
		close(rest);
}

/* What errno's words leave open: the pids controller, cgroup_attach_permissions(). */
static const char *clone_hint(int r)
{
	switch (r) {
	case -EAGAIN:
		return " (is pids.max of its cgroup reached, or RLIMIT_NPROC?)";
	case -EBUSY:
		return " (its cgroup hands controllers on and may hold no processes itself)";
	case -EOPNOTSUPP:
		return " (its cgroup may hold no processes: see cgroup.type)";
	case -ECHILD:
		return " (who made its namespaces was killed)";
	default:
		return "";
	}
}

int spawn(const struct spawn *sp, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
	struct chdir_around around;
	int pidfd = -1;
	sys_t pid;

	if (go_to(&around, sp->ahead ? -1 : sp->root_fd) < 0)
		return err_errno(err, "chdir to the root file system");
	pid = clone_child(sp, &pidfd);
	if (!come_back(&around) && pid > 0)
		kill((pid_t)pid, SIGKILL);
	if (pid == -ENOSYS || pid == -E2BIG)
		return err_set(err, ENOSYS,
			       "clone the container's process: this kernel cannot do it into a "
			       "cgroup (needs Linux >= 5.7)");
	if (pid < 0)
		return err_code(err, (int)pid, "clone the container's process%s",
				clone_hint((int)pid));
	*ret_pid = (pid_t)pid;
	*ret_pidfd = pidfd;
	return 0;
}
