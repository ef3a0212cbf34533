/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that turn this process into the one that config.json describes: ids, limits,
 * capabilities, the program. */
#include "cmd/tote-init/init.h"

#include <asm/fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/stat.h>

#define IOPRIO_WHO_PROCESS 1
#define X_OK 1

/* 16-bit ids are what the plain names mean on 32-bit ARM. */
#ifdef __NR_setgroups32
#define NR_setgroups __NR_setgroups32
#define NR_setresuid __NR_setresuid32
#define NR_setresgid __NR_setresgid32
#define NR_fchown __NR_fchown32
#else
#define NR_setgroups __NR_setgroups
#define NR_setresuid __NR_setresuid
#define NR_setresgid __NR_setresgid
#define NR_fchown __NR_fchown
#endif

int step_unshare(struct init *in, const struct wire_step *s)
{
	(void)in;
	return (int)sys(__NR_unshare, (unsigned long)s->arg[0]);
}

int step_hostname(struct init *in, const struct wire_step *s)
{
	return (int)sys(__NR_sethostname, plan_string(in, s->data), s->data_len);
}

int step_domainname(struct init *in, const struct wire_step *s)
{
	return (int)sys(__NR_setdomainname, plan_string(in, s->data), s->data_len);
}

int step_setsid(struct init *in, const struct wire_step *s)
{
	sys_t r = sys(__NR_setsid);

	(void)in;
	(void)s;
	/* EPERM: we lead a group already, as the first process of a new pid namespace in its own
	 * session does. */
	return r < 0 && r != -EPERM ? (int)r : 0;
}

int step_keyring(struct init *in, const struct wire_step *s)
{
	sys_t r = sys(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, plan_string(in, s->data));

	/* Without a key service there is no keyring to leak; a full quota must not keep a container
	 * from starting. */
	return r == -ENOSYS || r == -EDQUOT ? 0 : r < 0 ? (int)r : 0;
}

int step_rlimit(struct init *in, const struct wire_step *s)
{
	uint64_t limit[2] = { s->arg[1], s->arg[2] };

	(void)in;
	return (int)sys(__NR_prlimit64, 0, (unsigned int)s->arg[0], limit, 0);
}

int step_scheduler(struct init *in, const struct wire_step *s)
{
	return (int)sys(__NR_sched_setattr, 0, plan_string(in, s->data), 0);
}

int step_io_priority(struct init *in, const struct wire_step *s)
{
	(void)in;
	return (int)sys(__NR_ioprio_set, IOPRIO_WHO_PROCESS, 0, (unsigned int)s->arg[0]);
}

int step_personality(struct init *in, const struct wire_step *s)
{
	sys_t r = sys(__NR_personality, (unsigned long)s->arg[0]);

	(void)in;
	return r < 0 ? (int)r : 0;
}

int step_memory_policy(struct init *in, const struct wire_step *s)
{
	return (int)sys(__NR_set_mempolicy, (int)s->arg[0], plan_string(in, s->data),
			(unsigned long)s->arg[1]);
}

int step_affinity(struct init *in, const struct wire_step *s)
{
	sys_t r = sys(__NR_sched_setaffinity, 0, s->data_len, plan_string(in, s->data));

	return r < 0 ? (int)r : 0;
}

int step_label(struct init *in, const struct wire_step *s)
{
	return proc_write(in, "thread-self/attr", plan_string(in, s->path),
			  plan_string(in, s->data), s->data_len);
}

int step_umask(struct init *in, const struct wire_step *s)
{
	(void)in;
	sys(__NR_umask, (unsigned int)s->arg[0]);
	return 0;
}

int step_bounding(struct init *in, const struct wire_step *s)
{
	(void)in;
	for (unsigned int cap = 0; cap < 64; cap++) {
		sys_t r;

		if (s->arg[0] >> cap & 1)
			continue;
		r = sys(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (r == -EINVAL) /* past the last capability that this kernel knows */
			break;
		if (r < 0)
			return (int)r;
	}
	return 0;
}

static int capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> 32 * i);
		data[i].permitted = (uint32_t)(permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(inheritable >> 32 * i);
	}
	return (int)sys(__NR_capset, &head, data);
}

static int permitted_capabilities(uint64_t *ret)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	sys_t r = sys(__NR_capget, &head, data);

	*ret = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return (int)r;
}

/* A pipe given as stdio can be opened again by its /proc/self/fd name only by its owner: programs
 * do so. */
static void own_stdio(uint32_t uid)
{
	for (int fd = 0; fd < 3; fd++) {
		struct statx st;

		if (sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_UID, &st) == 0 &&
		    (st.stx_mode & S_IFMT) == S_IFIFO && st.stx_uid != uid)
			sys(NR_fchown, fd, uid, (uint32_t)-1);
	}
}

/*
 * Groups before user, as afterwards we may no longer. KEEPCAPS carries the permitted set over, and
 * the effective set is raised again: what follows (working directory, seccomp, the final sets)
 * still needs them.
 */
int step_user(struct init *in, const struct wire_step *s)
{
	uint32_t uid = (uint32_t)s->arg[0], gid = (uint32_t)s->arg[1];
	sys_t r = sys(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);

	own_stdio(uid);
	if (r == 0 && !(s->flags & STEP_NO_GROUPS))
		r = sys(NR_setgroups, s->data_len / sizeof(uint32_t), plan_string(in, s->data));
	if (r == 0)
		r = sys(NR_setresgid, gid, gid, gid);
	if (r == 0)
		r = sys(NR_setresuid, uid, uid, uid);
	if (r == 0)
		r = permitted_capabilities(&in->permitted);
	if (r == 0)
		r = capset(in->permitted, in->permitted, 0);
	return (int)r;
}

/* The directory must be reachable from the root: "(unreachable)" is a way out of the container
 * (CVE-2024-21626). */
int step_cwd(struct init *in, const struct wire_step *s)
{
	char path[4096];
	sys_t r = sys(__NR_chdir, plan_string(in, s->path));

	if (r < 0)
		return (int)r;
	r = sys(__NR_getcwd, path, sizeof(path));
	if (r < 0)
		return (int)r;
	return path[0] == '/' ? 0 : -ENOTDIR;
}

/* Judged as the program's user would be, with the capabilities that it will have. */
static int executable(const char *path)
{
	struct statx st;
	sys_t r = sys(__NR_statx, AT_FDCWD, path, 0, STATX_TYPE, &st);

	if (r < 0)
		return (int)r;
	if ((st.stx_mode & S_IFMT) != S_IFREG)
		return -EACCES;
	r = sys(__NR_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS);
	return r == -ENOSYS ? 0 : (int)r;
}

static int search(struct init *in, const char *name, const char *dirs)
{
	int found = -ENOENT;
	size_t name_len = strlen(name);

	/* The directories themselves are no programs that lack a permission. */
	if (!name_len)
		return found;
	for (const char *p = dirs; p;) {
		size_t len = 0;
		int r;

		while (p[len] && p[len] != ':')
			len++;
		if (len + name_len + 2 <= sizeof(in->program_path)) {
			char *out = in->program_path;

			memcpy(out, len ? p : ".", len ? len : 1);
			out += len ? len : 1;
			*out++ = '/';
			memcpy(out, name, name_len + 1);
			r = executable(in->program_path);
			if (r == 0)
				return 0;
			if (r == -EACCES)
				found = r;
		}
		p = p[len] ? p + len + 1 : NULL;
	}
	return found;
}

int step_find_program(struct init *in, const struct wire_step *s)
{
	const char *name = plan_string(in, s->path);
	int r = capset(s->arg[0] & in->permitted, in->permitted, 0);

	if (r < 0)
		return r;
	for (const char *p = name; *p; p++)
		if (*p == '/')
			in->program = name;
	if (in->program) {
		r = executable(name);
	} else {
		r = search(in, name, plan_string(in, s->data));
		in->program = in->program_path;
	}
	return r < 0 ? r : capset(in->permitted, in->permitted, 0);
}

int step_no_new_privs(struct init *in, const struct wire_step *s)
{
	(void)in;
	(void)s;
	return (int)sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The descriptor that the kernel will hand out next. */
static int next_fd(void)
{
	sys_t fd = sys(__NR_dup, 0);

	if (fd >= 0)
		sys(__NR_close, fd);
	return (int)fd;
}

/*
 * After this the filter may forbid anything, sendmsg as well: so the host is told the listener's
 * number beforehand and fetches it from us (pidfd_getfd, Linux 5.6).
 */
int step_seccomp(struct init *in, const struct wire_step *s)
{
	struct sock_fprog program = {
		.len = (unsigned short)(s->data_len / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(in->base + s->data),
	};
	sys_t r;

	if (s->flags & STEP_LISTENER) {
		int fd = next_fd();

		r = fd < 0 ? fd : sync_send(in, SYNC_LISTENER, step_index(in, s), fd);
		if (r < 0)
			return (int)r;
	}
	r = sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned int)s->arg[0], &program);
	return r < 0 ? (int)r : 0;
}

int step_capabilities(struct init *in, const struct wire_step *s)
{
	uint64_t permitted = in->permitted;
	/* What was never ours cannot be given: the host has warned about it. */
	int r = capset(s->arg[0] & permitted, s->arg[1] & permitted, s->arg[2] & permitted);

	for (unsigned int cap = 0; r == 0 && cap < 64; cap++)
		if (s->arg[3] & s->arg[2] & permitted & (uint64_t)1 << cap)
			r = (int)sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return r;
}

/* After all that opens, so that no descriptor of the host survives, whoever opened it (CVE-2024-21626). */
int step_close(struct init *in, const struct wire_step *s)
{
	(void)in;
	return (int)sys(__NR_close_range, (unsigned int)s->arg[0], ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Offsets become pointers where they stand. */
char **relocate(struct init *in, uint32_t array)
{
	uintptr_t *v = (uintptr_t *)(in->base + array);

	for (uintptr_t *p = v; *p; p++)
		*p += (uintptr_t)in->base;
	return (char **)v;
}

int step_exec(struct init *in, const struct wire_step *s)
{
	(void)s;
	return (int)sys(__NR_execve, in->program, relocate(in, in->plan->argv),
			relocate(in, in->plan->envp));
}
