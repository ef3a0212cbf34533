/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel itself must know: system calls, namespaces, seccomp, device programs, executable
 * memfds. */
#include "oci/doctor_private.h"

#include "cgroups/devices.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "oci/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

static enum doctor_status check_release(struct doctor *d)
{
	struct utsname u;

	uname(&u);
	return doctor_say(d, DOCTOR_OK, "%s %s %s", u.sysname, u.release, u.machine);
}

/* A call with arguments that the kernel refuses before it does anything. */
struct probe {
	long number;
	long args[5];
	const char *since; /* the first kernel that has it */
	enum doctor_status missing;
	const char *use; /* what it is for */
};

static enum doctor_status check_syscall(struct doctor *d)
{
	const struct probe *p = d->check->arg;
	long r = syscall(p->number, p->args[0], p->args[1], p->args[2], p->args[3], p->args[4]);

	if (r >= 0 || (errno != ENOSYS && errno != EOPNOTSUPP))
		return doctor_say(d, DOCTOR_OK, "present");
	if (errno == EOPNOTSUPP) {
		d->result->remedy =
			arena_printf(d->a, "add %s to the boot option lsm=", d->check->name);
		return doctor_say(d, p->missing, "switched off, needed for %s", p->use);
	}
	d->result->remedy = arena_printf(
		d->a, "Linux %s or newer, or a seccomp filter that lets it through", p->since);
	return doctor_say(d, p->missing, "missing, needed for %s", p->use);
}

static const struct probe
	send_signal = { SYS_pidfd_send_signal, { -1 }, "5.1", DOCTOR_FAIL, "signals" },
	open_tree_ = { SYS_open_tree, { -1, 0, -1 }, "5.2", DOCTOR_FAIL, "mounts" },
	move_mount_ = { SYS_move_mount, { -1, 0, -1, 0, -1 }, "5.2", DOCTOR_FAIL, "mounts" },
	fsopen_ = { SYS_fsopen, { 0, -1 }, "5.2", DOCTOR_FAIL, "mounts" },
	fsmount_ = { SYS_fsmount, { -1, -1 }, "5.2", DOCTOR_FAIL, "mounts" },
	clone3_ = { SYS_clone3, { 0, 0 }, "5.3", DOCTOR_FAIL, "new processes" },
	pidfd_open_ = { SYS_pidfd_open, { -1 }, "5.3", DOCTOR_FAIL, "telling processes apart" },
	openat2_ = { SYS_openat2, { -1, 0, 0, 0 }, "5.6", DOCTOR_FAIL, "safe paths" },
	pidfd_getfd_ = { SYS_pidfd_getfd, { -1, -1, -1 }, "5.6", DOCTOR_WARN, "seccomp listeners" },
	close_range_ = { SYS_close_range, { -1, 0, 0 }, "5.9", DOCTOR_FAIL, "closing descriptors" },
	mount_setattr_ = { SYS_mount_setattr, { -1, 0, -1 }, "5.12", DOCTOR_FAIL, "mounts" },
	/* Flag 1 asks for the version of the interface. */
	landlock_ = {
		SYS_landlock_create_ruleset, { 0, 0, 1 }, "5.13", DOCTOR_WARN, "unpacking images"
	};

static enum doctor_status check_waitid(struct doctor *d)
{
	autofd self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	siginfo_t info;

	/* ECHILD: it knows pidfds and sees that this one is no child. */
	if (self >= 0 && waitid(P_PIDFD, (id_t)self, &info, WEXITED | WNOHANG) < 0 &&
	    errno == ECHILD)
		return doctor_say(d, DOCTOR_OK, "present");
	return doctor_say(d, DOCTOR_FAIL, "waitid does not take pidfds");
}

/* EBADF: the flag is known, the descriptor is judged. Nothing is cloned: no descriptor is as large
 * as this one. */
static enum doctor_status check_clone_into_cgroup(struct doctor *d)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = 0x7fffffff };
	long r = syscall(SYS_clone3, &args, sizeof(args));

	if (r == 0)
		_exit(0);
	if (r > 0)
		waitpid((pid_t)r, NULL, 0);
	if (r < 0 && errno == EBADF)
		return doctor_say(d, DOCTOR_OK, "present");
	return doctor_say(d, doctor_if_root(d, DOCTOR_FAIL),
			  "missing: processes cannot be started in their cgroup");
}

/* A namespace kind: tote cannot do without most, a config need not ask for the others. */
struct namespace
{
	enum ns_kind kind;
	enum doctor_status missing_root, missing_user;
};

static enum doctor_status check_namespace(struct doctor *d)
{
	const struct namespace *ns = d->check->arg;
	enum doctor_status missing = d->opts->rootless ? ns->missing_user : ns->missing_root;
	const char *file = ns_kind_file(ns->kind);
	char path[64], limit[32] = "";

	snprintf(path, sizeof(path), "/proc/self/ns/%s", file);
	if (access(path, F_OK) < 0)
		return doctor_say(d, missing, "this kernel has no %s namespaces",
				  ns_kind_name(ns->kind));
	snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", file);
	if (file_peek(AT_FDCWD, path, limit, sizeof(limit)) > 0 && strtoul(limit, NULL, 10) == 0) {
		d->result->remedy = arena_printf(d->a, "sysctl user.max_%s_namespaces=10000", file);
		return doctor_say(d, missing, "user.max_%s_namespaces is 0", file);
	}
	return doctor_say(d, DOCTOR_OK, "present%s%s", limit[0] ? ", at most " : "", limit);
}

static const struct namespace user_ns = { NS_USER, DOCTOR_WARN, DOCTOR_FAIL },
			      mount_ns = { NS_MOUNT, DOCTOR_FAIL, DOCTOR_FAIL },
			      pid_ns = { NS_PID, DOCTOR_FAIL, DOCTOR_FAIL },
			      net_ns = { NS_NETWORK, DOCTOR_FAIL, DOCTOR_FAIL },
			      ipc_ns = { NS_IPC, DOCTOR_FAIL, DOCTOR_FAIL },
			      uts_ns = { NS_UTS, DOCTOR_FAIL, DOCTOR_FAIL },
			      cgroup_ns = { NS_CGROUP, DOCTOR_WARN, DOCTOR_WARN },
			      time_ns = { NS_TIME, DOCTOR_WARN, DOCTOR_WARN };

/* A sysctl of distributions that keeps ordinary users from user namespaces. */
struct restriction {
	const char *path;
	char restricting; /* its value then */
	enum doctor_status status;
};

static enum doctor_status check_restriction(struct doctor *d)
{
	const struct restriction *r = d->check->arg;
	char value[8];

	if (file_peek(AT_FDCWD, r->path, value, sizeof(value)) <= 0)
		return doctor_say(d, DOCTOR_OK, "this kernel has no such setting");
	if (value[0] != r->restricting)
		return doctor_say(d, DOCTOR_OK, "%s: ordinary users may make user namespaces",
				  value);
	return doctor_say(d, doctor_if_user(d, r->status),
			  "%s: ordinary users are kept from user namespaces", value);
}

static const struct restriction userns_clone = { "/proc/sys/kernel/unprivileged_userns_clone", '0',
						 DOCTOR_FAIL },
				/* An AppArmor profile may let tote through. */
	userns_apparmor = { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
			    DOCTOR_WARN };

static enum doctor_status check_seccomp(struct doctor *d)
{
	const uint32_t *action = d->check->arg;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, action) == 0)
		return doctor_say(d, DOCTOR_OK, "present");
	return doctor_say(d, DOCTOR_WARN,
			  "missing: containers whose config asks for it do not start");
}

static const uint32_t errno_action = SECCOMP_RET_ERRNO, notify_action = SECCOMP_RET_USER_NOTIF;

/* Loaded and dropped: attaching to no group fails, with EBADF when all before it went well. */
static enum doctor_status check_device_programs(struct doctor *d)
{
	static const struct cg_device_rule deny_all = { .allow = false };
	struct device_program program;
	struct err err;
	int r = devices_program(&deny_all, 1, d->a, &program, &err);

	if (r == 0)
		r = devices_attach(-1, &program, &err);
	if (r == -EBADF)
		return doctor_say(d, DOCTOR_OK, "can be loaded");
	if (r == -EPERM && d->opts->rootless)
		return doctor_say(d, DOCTOR_OK,
				  "not for ordinary users, whose containers go without");
	if (r == -EPERM)
		d->result->remedy =
			"run as root of the host, with CAP_BPF and CAP_NET_ADMIN or CAP_SYS_ADMIN";
	return doctor_say(d, d->opts->rootless ? DOCTOR_WARN : DOCTOR_FAIL, "%s", err.msg);
}

static enum doctor_status check_memfd(struct doctor *d)
{
	autofd fd = memfd_create("doctor", MFD_CLOEXEC | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before 6.3 all of them are executable */
		fd = memfd_create("doctor", MFD_CLOEXEC);
	if (fd >= 0)
		return doctor_say(d, DOCTOR_OK, "memfds may be executed");
	return doctor_say(d, DOCTOR_FAIL, "memfds may not be executed: %s", err_text(errno));
}

#define SYSCALL(name, probe)                                                                       \
	{                                                                                          \
		name, check_syscall, &probe, NULL                                                  \
	}
#define NAMESPACE(name, ns, config)                                                                \
	{                                                                                          \
		"namespace-" name, check_namespace, &ns, "a kernel built with " config             \
	}

static const struct doctor_check checks[] = {
	{ "kernel", check_release, NULL, NULL },
	SYSCALL("pidfd_send_signal", send_signal),
	SYSCALL("open_tree", open_tree_),
	SYSCALL("move_mount", move_mount_),
	SYSCALL("fsopen", fsopen_),
	SYSCALL("fsmount", fsmount_),
	SYSCALL("clone3", clone3_),
	SYSCALL("pidfd_open", pidfd_open_),
	{ "waitid-pidfd", check_waitid, NULL, "Linux 5.4 or newer" },
	SYSCALL("openat2", openat2_),
	SYSCALL("pidfd_getfd", pidfd_getfd_),
	{ "clone-into-cgroup", check_clone_into_cgroup, NULL, "Linux 5.7 or newer" },
	SYSCALL("close_range", close_range_),
	SYSCALL("mount_setattr", mount_setattr_),
	SYSCALL("landlock", landlock_),
	NAMESPACE("user", user_ns, "CONFIG_USER_NS"),
	NAMESPACE("mount", mount_ns, "CONFIG_NAMESPACES"),
	NAMESPACE("pid", pid_ns, "CONFIG_PID_NS"),
	NAMESPACE("network", net_ns, "CONFIG_NET_NS"),
	NAMESPACE("ipc", ipc_ns, "CONFIG_IPC_NS"),
	NAMESPACE("uts", uts_ns, "CONFIG_UTS_NS"),
	NAMESPACE("cgroup", cgroup_ns, "CONFIG_CGROUPS (Linux 4.6 or newer)"),
	NAMESPACE("time", time_ns, "CONFIG_TIME_NS (Linux 5.6 or newer)"),
	{ "userns-clone", check_restriction, &userns_clone,
	  "sysctl kernel.unprivileged_userns_clone=1" },
	{ "userns-apparmor", check_restriction, &userns_apparmor,
	  "an AppArmor profile for tote that says \"userns,\", or sysctl "
	  "kernel.apparmor_restrict_unprivileged_userns=0" },
	{ "seccomp-filter", check_seccomp, &errno_action,
	  "a kernel built with CONFIG_SECCOMP_FILTER (Linux 4.14 or newer)" },
	{ "seccomp-notify", check_seccomp, &notify_action,
	  "a kernel built with CONFIG_SECCOMP_FILTER (Linux 5.0 or newer)" },
	{ "device-programs", check_device_programs, NULL,
	  "a kernel built with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF" },
	{ "memfd-exec", check_memfd, NULL, "sysctl vm.memfd_noexec=0 (or 1)" },
};

const struct doctor_table doctor_kernel = { checks, ARRAY_SIZE(checks) };
