/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entering namespaces that exist. It is tote-init that does so, not the host's program: whoever is
 * in them already may be privileged enough to look at us, and then finds nothing of the host
 * (CVE-2016-9962, CVE-2019-5736).
 */
#include "cmd/tote-init/init.h"

#include <asm/fcntl.h>
#include <linux/errno.h>
#include <linux/sched.h>

#ifdef __NR_setgroups32
#define NR_setgroups __NR_setgroups32
#define NR_setresuid __NR_setresuid32
#define NR_setresgid __NR_setresgid32
#else
#define NR_setgroups __NR_setgroups
#define NR_setresuid __NR_setresuid
#define NR_setresgid __NR_setresgid
#endif

/* The offsets can be written until the first process is in it: that is the child of STEP_CLONE. */
int step_time_namespace(struct init *in, const struct wire_step *s)
{
	sys_t fd, r = sys(__NR_unshare, CLONE_NEWTIME);

	if (r < 0 || !s->data)
		return (int)r;
	fd = sys(__NR_openat, AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return (int)fd;
	r = sys(__NR_write, fd, plan_string(in, s->data), s->data_len);
	sys(__NR_close, fd);
	return r < 0 ? (int)r : 0;
}

/*
 * What the host's privilege opens must be entered before the user namespace takes that away, the
 * rest after it gave another: so a refusal may be tried again.
 */
int step_enter(struct init *in, const struct wire_step *s)
{
	sys_t r;

	if (in->entered & s->arg[0])
		return 0;
	r = sys(__NR_setns, s->fd, (unsigned long)s->arg[0]);
	if (r == -EPERM && s->flags & STEP_OR_LATER)
		return 0;
	if (r < 0)
		return (int)r;
	in->entered |= s->arg[0];
	sys(__NR_close, s->fd);
	return 0;
}

/*
 * A pid namespace holds only later children, so the plan goes on in one: a child of the host's
 * program, to which its pidfd is sent. This process ends.
 */
int step_clone(struct init *in, const struct wire_step *s)
{
	struct clone_args args;
	int pidfd = -1, r;
	sys_t pid;

	memset(&args, 0, sizeof(args));
	args.flags = s->arg[0] | CLONE_PARENT | CLONE_PIDFD;
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	pid = sys(__NR_clone3, &args, sizeof(args));
	if (pid <= 0)
		return (int)pid;
	/* A host that cannot be told is gone; the child notices as well. */
	r = sync_send_fd(in, SYNC_CHILD, step_index(in, s), (int)pid, pidfd);
	for (;;)
		sys(__NR_exit_group, r < 0);
}

/* The directory belongs to the mount namespace that was entered; its root is what init there sees.
 */
int step_chroot(struct init *in, const struct wire_step *s)
{
	sys_t r = sys(__NR_fchdir, s->fd);

	(void)in;
	if (r == 0)
		r = sys(__NR_chroot, ".");
	sys(__NR_close, s->fd);
	return (int)r;
}

int step_become_root(struct init *in, const struct wire_step *s)
{
	sys_t r = s->arg[0] ? sync_wait(in->sync, SYNC_MAPPED) : 0;

	if (r < 0)
		return (int)r;
	sys(NR_setgroups, 0, 0); /* the host's groups; EPERM where "setgroups" is denied */
	r = sys(NR_setresgid, 0, 0, 0);
	return r < 0 ? (int)r : (int)sys(NR_setresuid, 0, 0, 0);
}
