/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child shares our memory (clone.h) until it executes tote-init. The namespaces that it is born
 * into hold nobody else; tote-init makes itself undumpable before it enters any that do.
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
#include "oci/ahead.h"
#include "oci/clone.h"
#include "oci/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif
#define STACK_SIZE 16384
#define SIGNALS_END 65 /* the kernel's last one is 64 */

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

IN_CHILD _Noreturn static void child_fail(const struct spawn *sp, int step, sys_t code)
{
	struct sync_msg m = { .what = SYNC_FAILED, .step = (uint16_t)step, .value = (int32_t)code };

	sys_t r = sys(__NR_sendto, sp->sync_fd, &m, sizeof(m), MSG_NOSIGNAL, 0, 0);

	/* Too little memory even for a message: what the OOM killer's victims end with. */
	clone_exit(r < 0 ? 128 + SIGKILL : 255);
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

IN_CHILD static int entry_child(void *arg)
{
	child_main(arg);
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

	return sp->ahead ? ahead_clone(sp->ahead, &args, entry_child, (void *)sp)
			 : clone_on_stack(&args, entry_child, (void *)sp);
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
	struct clone_cwd cwd;
	int pidfd = -1;
	sys_t pid;

	if (clone_go_to(&cwd, sp->ahead ? -1 : sp->root_fd) < 0)
		return err_errno(err, "chdir to the root file system");
	pid = clone_child(sp, &pidfd);
	if (!clone_come_back(&cwd) && pid > 0)
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
