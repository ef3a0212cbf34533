/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-init/init.h"

#include <linux/errno.h>
#include <linux/mman.h>
#include <linux/prctl.h>

static step_fn *const steps[STEP_OPS] = {
	[STEP_TIME_NAMESPACE] = step_time_namespace,
	[STEP_ENTER] = step_enter,
	[STEP_CLONE] = step_clone,
	[STEP_BECOME_ROOT] = step_become_root,
	[STEP_CHROOT] = step_chroot,
	[STEP_HOST] = step_host,
	[STEP_UNSHARE] = step_unshare,
	[STEP_HOSTNAME] = step_hostname,
	[STEP_DOMAINNAME] = step_domainname,
	[STEP_LOOPBACK_UP] = step_loopback_up,
	[STEP_ROOT] = step_root,
	[STEP_MOUNT] = step_mount,
	[STEP_BIND] = step_bind,
	[STEP_REMOUNT] = step_remount,
	[STEP_DEVICE] = step_device,
	[STEP_SYMLINK] = step_symlink,
	[STEP_SYSCTL] = step_sysctl,
	[STEP_WORK_DIR] = step_work_dir,
	[STEP_MASK] = step_mask,
	[STEP_READONLY] = step_readonly,
	[STEP_TERMINAL] = step_terminal,
	[STEP_HOOK] = step_hook,
	[STEP_ROOT_READONLY] = step_root_readonly,
	[STEP_ROOT_PROPAGATION] = step_root_propagation,
	[STEP_PIVOT] = step_pivot,
	[STEP_SETSID] = step_setsid,
	[STEP_KEYRING] = step_keyring,
	[STEP_RLIMIT] = step_rlimit,
	[STEP_SCHEDULER] = step_scheduler,
	[STEP_IO_PRIORITY] = step_io_priority,
	[STEP_PERSONALITY] = step_personality,
	[STEP_MEMORY_POLICY] = step_memory_policy,
	[STEP_AFFINITY] = step_affinity,
	[STEP_LABEL] = step_label,
	[STEP_UMASK] = step_umask,
	[STEP_BOUNDING] = step_bounding,
	[STEP_USER] = step_user,
	[STEP_CWD] = step_cwd,
	[STEP_FIND_PROGRAM] = step_find_program,
	[STEP_READY] = step_ready,
	[STEP_RELEASE] = step_release,
	[STEP_START] = step_start,
	[STEP_NO_NEW_PRIVS] = step_no_new_privs,
	[STEP_SECCOMP] = step_seccomp,
	[STEP_CAPABILITIES] = step_capabilities,
	[STEP_CLOSE] = step_close,
	[STEP_INIT] = step_init,
	[STEP_EXEC] = step_exec,
};

static struct init in_state;

_Noreturn void quit(int code)
{
	for (;;)
		sys(__NR_exit_group, code);
}

static int parse_fd(const char *s)
{
	int fd = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		fd = fd * 10 + *s - '0';
	return fd;
}

/* Maps the plan privately, so that offsets can be turned into pointers in place. The size is in its
 * first bytes. */
static int plan_map(struct init *in, int fd)
{
	struct wire_plan head;
	sys_t p;

	do {
		p = sys(__NR_read, fd, &head, sizeof(head));
	} while (p == -EINTR);
	if (p != sizeof(head) || head.magic != PLAN_MAGIC)
		return -EINVAL;
#ifdef __NR_mmap2
	p = sys(__NR_mmap2, 0, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
#else
	p = sys(__NR_mmap, 0, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
#endif
	if (p < 0 && p > -4096)
		return (int)p;
	in->base = (unsigned char *)p;
	in->plan = (const struct wire_plan *)in->base;
	in->sync = in->plan->sync_fd;
	return 0;
}

int step_index(const struct init *in, const struct wire_step *s)
{
	return (int)(s - (const struct wire_step *)(in->base + in->plan->steps));
}

static void walk(struct init *in)
{
	const struct wire_step *s = (const struct wire_step *)(in->base + in->plan->steps);
	const struct wire_step *end = s + in->plan->step_count;

	for (; s < end; s++) {
		int r = s->op < STEP_OPS && steps[s->op] ? steps[s->op](in, s) : -ENOSYS;

		if (r < 0) {
			/* Too little memory even for a message: what the OOM killer's victims end
			 * with, 128 and SIGKILL. */
			if (sync_send(in, SYNC_FAILED, step_index(in, s), r) < 0)
				quit(137);
			return;
		}
	}
}

/* stack: argc, then argv. argv[1] is the number of the plan's descriptor. */
_Noreturn void init_main(const uintptr_t *stack);
__attribute__((used)) _Noreturn void init_main(const uintptr_t *stack)
{
	struct init *in = &in_state;

	/* Nobody in the namespaces we entered may look at this process (CVE-2016-9962). */
	sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Modes of what the steps make are exact; STEP_UMASK sets the program's. */
	sys(__NR_umask, 0);
	in->root = AT_FDCWD;
	in->proc = in->null_tree = in->empty_tree = in->parent = -1;
	if (stack[0] >= 2 && plan_map(in, parse_fd((const char *)stack[2])) == 0)
		walk(in);
	quit(255);
}
