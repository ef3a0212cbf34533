// SPDX-License-Identifier: Apache-2.0
/*
 * The floor: what the kernel alone charges for one container. It makes the system calls that a
 * start with the default config of `tote spec` cannot do without, and nothing else: no config, no
 * JSON, no checks, no undoing. Nothing that reads a config can be much faster, so `make bench`
 * measures tote against it. Read main() and in_container() first.
 *
 *	floor [-s] ROOTFS	-s: with a seccomp filter of the size of the built-in profile
 *
 * The old mount(2) is used throughout: one call where the new mount API wants four.
 */
#include "lib/cleanup.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define NATIVE_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#endif

#define KEPT_CAPS (1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE)
#define NO_SUID_DEV_EXEC (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Every failure ends the program: a floor that skipped a step would flatter itself. */
static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	_exit(97);
}

/* ---- the devices a container may use ---- */

struct device {
	const char *name; /* NULL: allowed, but not a node of ours */
	unsigned int major;
	int minor; /* -1: any */
};

static const struct device devices[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },	 { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
	{ NULL, 5, 1 },	    { NULL, 5, 2 },	 { NULL, 136, -1 },
};

static struct bpf_insn bpf_load_field(int reg, int offset)
{
	return (struct bpf_insn){ BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, offset, 0 };
}

static struct bpf_insn bpf_op(int code, int reg, int jump, int value)
{
	return (struct bpf_insn){ code, reg, 0, jump, value };
}

/* Two instructions: return verdict. */
static unsigned int bpf_return(struct bpf_insn *at, int verdict)
{
	at[0] = bpf_op(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, verdict);
	at[1] = bpf_op(BPF_JMP | BPF_EXIT, 0, 0, 0);
	return 2;
}

/*
 * Registers: 2 type, 3 access, 4 major, 5 minor. A mere mknod(2) is allowed for all, as opening
 * is what counts.
 */
static unsigned int device_program(struct bpf_insn *prog)
{
	unsigned int n = 0;

	prog[n++] = bpf_load_field(BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	prog[n++] = bpf_load_field(BPF_REG_3, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	prog[n++] = bpf_load_field(BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	prog[n++] = bpf_load_field(BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	prog[n++] = bpf_op(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0xffff);
	prog[n++] = bpf_op(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 16);
	prog[n++] = bpf_op(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 2, BPF_DEVCG_ACC_MKNOD);
	n += bpf_return(prog + n, 1);
	prog[n++] = bpf_op(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 2, BPF_DEVCG_DEV_CHAR);
	n += bpf_return(prog + n, 0);
	for (const struct device *d = devices; d < devices + ARRAY_SIZE(devices); d++) {
		bool any = d->minor < 0;

		prog[n++] =
			bpf_op(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, any ? 2 : 3, (int)d->major);
		if (!any)
			prog[n++] = bpf_op(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_5, 2, d->minor);
		n += bpf_return(prog + n, 1);
	}
	return n + bpf_return(prog + n, 0);
}

static void limit_devices(int cgroup)
{
	struct bpf_insn prog[14 + 4 * ARRAY_SIZE(devices)];
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)prog,
		.insn_cnt = device_program(prog),
		.license = (uintptr_t) "Apache-2.0",
	};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	union bpf_attr attach = {
		.target_fd = (uint32_t)cgroup,
		.attach_bpf_fd = (uint32_t)fd,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	must(fd, "load the device program");
	must(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)),
	     "attach the device program");
}

/* ---- the file system the container sees ---- */

static const struct mount_point {
	const char *source, *target, *type;
	unsigned long flags;
	const char *data;
	bool make; /* on the new /dev, where nothing is yet */
} mounts[] = {
	{ "proc", "proc", "proc", 0, NULL, false },
	{ "tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k", false },
	{ "devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	  "newinstance,ptmxmode=0666,mode=0620,gid=5", true },
	{ "shm", "dev/shm", "tmpfs", NO_SUID_DEV_EXEC, "mode=1777,size=65536k", true },
	{ "mqueue", "dev/mqueue", "mqueue", NO_SUID_DEV_EXEC, NULL, true },
	{ "sysfs", "sys", "sysfs", NO_SUID_DEV_EXEC | MS_RDONLY, NULL, false },
	{ "cgroup", "sys/fs/cgroup", "cgroup2", NO_SUID_DEV_EXEC | MS_RELATIME | MS_RDONLY, NULL,
	  false },
};

static const struct link {
	const char *target, *name;
} links[] = {
	{ "/proc/self/fd", "dev/fd" },	     { "/proc/self/fd/0", "dev/stdin" },
	{ "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" },
	{ "/proc/kcore", "dev/core" },	     { "pts/ptmx", "dev/ptmx" },
};

static const char *const masked_paths[] = {
	"/proc/acpi",	     "/proc/asound",	    "/proc/kcore",
	"/proc/keys",	     "/proc/latency_stats", "/proc/timer_list",
	"/proc/timer_stats", "/proc/sched_debug",   "/proc/scsi",
	"/sys/firmware",     "/proc/interrupts",    "/sys/devices/virtual/powercap",
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static void mount_all(const char *root)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
	must(mount(root, root, NULL, MS_BIND | MS_REC, NULL), root);
	must(chdir(root), root);
	for (const struct mount_point *m = mounts; m < mounts + ARRAY_SIZE(mounts); m++) {
		if (m->make)
			must(mkdir(m->target, 0755), m->target);
		must(mount(m->source, m->target, m->type, m->flags, m->data), m->target);
	}
}

static void fill_dev(void)
{
	char path[32];

	umask(0);
	for (const struct device *d = devices; d < devices + ARRAY_SIZE(devices); d++) {
		if (!d->name)
			continue;
		snprintf(path, sizeof(path), "dev/%s", d->name);
		must(mknod(path, S_IFCHR | 0666, makedev(d->major, (unsigned int)d->minor)), path);
	}
	for (const struct link *l = links; l < links + ARRAY_SIZE(links); l++)
		must(symlink(l->target, l->name), l->name);
	umask(022);
}

/* pivot_root(".", ".") stacks the old root on the new one: it needs no directory to go to. */
static void enter_root(void)
{
	must(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "make / read-only");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "leave the old root");
	must(chdir("/"), "/");
}

/* Kernels differ in which paths they have and which are directories: the first try tells. */
static void mask_path(const char *path)
{
	if (mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
		return;
	must(errno == ENOTDIR ? 0 : -1, path);
	must(mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k"), path);
}

static void protect_path(const char *path)
{
	const unsigned long remount = MS_REMOUNT | MS_BIND | MS_RDONLY | NO_SUID_DEV_EXEC;

	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0 && errno == ENOENT)
		return;
	must(mount(NULL, path, NULL, remount, NULL), path);
}

/* ---- the process ---- */

static void loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd, "socket");
	must(ioctl(fd, SIOCSIFFLAGS, &req), "lo");
}

/* No call drops several capabilities from the bounding set: 38 system calls go here. */
static void drop_privileges(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { KEPT_CAPS, KEPT_CAPS, 0 }, { 0 } };

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap > 31 || !(KEPT_CAPS & 1u << cap))
			must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "PR_CAPBSET_DROP");
	must(setgroups(0, NULL), "setgroups");
	must(syscall(SYS_capset, &head, data), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
}

/* ---- seccomp ---- */

enum { SECCOMP_RULES = 340, LEAF_RULES = 4 };

struct program {
	struct sock_filter insn[1024];
	unsigned short len;
};

static struct sock_filter *emit(struct program *p, int code, uint32_t k, int jt, int jf)
{
	p->insn[p->len] = (struct sock_filter)BPF_JUMP(code, k, jt, jf);
	return &p->insn[p->len++];
}

/*
 * The rules first..last-1 as a balanced tree. A conditional jump reaches 255 instructions only,
 * hence the BPF_JA.
 */
static void emit_tree(struct program *p, unsigned int first, unsigned int last)
{
	unsigned int middle = (first + last) / 2;
	struct sock_filter *far;

	if (last - first <= LEAF_RULES) {
		for (unsigned int nr = first; nr < last; nr++)
			emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, (int)(last - nr), 0);
		emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
		emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
		return;
	}
	emit(p, BPF_JMP | BPF_JGE | BPF_K, middle, 0, 1);
	far = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_tree(p, first, middle);
	far->k = (uint32_t)(&p->insn[p->len] - far - 1);
	emit_tree(p, middle, last);
}

static void filter_calls(void)
{
	static struct program p;
	struct sock_fprog prog = { .filter = p.insn };

	emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	emit_tree(&p, 0, SECCOMP_RULES);
	prog.len = p.len;
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog), "seccomp");
}

/* ---- both halves ---- */

/*
 * CLONE_NEWCGROUP in clone3 would root the namespace in the caller's group, as it is made before
 * CLONE_INTO_CGROUP.
 */
static void in_container(const char *root, bool seccomp)
{
	const struct rlimit nofile = { 1024, 1024 };
	char *argv[] = { "/bin/true", NULL };
	char *envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL };

	must(unshare(CLONE_NEWCGROUP), "unshare the cgroup namespace");
	must(sethostname("tote", 4), "sethostname");
	loopback_up();
	mount_all(root);
	fill_dev();
	enter_root();
	for (size_t i = 0; i < ARRAY_SIZE(readonly_paths); i++)
		protect_path(readonly_paths[i]);
	for (size_t i = 0; i < ARRAY_SIZE(masked_paths); i++)
		mask_path(masked_paths[i]);
	must(setrlimit(RLIMIT_NOFILE, &nofile), "RLIMIT_NOFILE");
	must(setsid(), "setsid");
	must(syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC), "close_range");
	drop_privileges();
	if (seccomp)
		filter_calls();
	must(execve(argv[0], argv, envp), argv[0]);
}

/* The v2 tree of a unified host, or of a hybrid one. */
static int open_tree_of_cgroups(void)
{
	static const char unified[] = "/sys/fs/cgroup", hybrid[] = "/sys/fs/cgroup/unified";
	struct statfs fs;
	bool v2 = statfs(unified, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;

	return open(v2 ? unified : hybrid, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A runtime must be able to find the container again, so it writes down the pid. */
static void save_state(int run, const char *name, pid_t pid)
{
	char text[128], temporary[48];
	int fd, len;

	snprintf(temporary, sizeof(temporary), ".%s", name);
	len = snprintf(text, sizeof(text), "{\"id\":\"%s\",\"pid\":%d,\"status\":\"running\"}\n",
		       name, (int)pid);
	fd = openat(run, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd, temporary);
	must(write(fd, text, (size_t)len), temporary);
	must(close(fd), temporary);
	must(renameat(run, temporary, run, name), name);
}

/* An exited process may hold its group for a moment; a second is far beyond any such one. */
static void remove_group(int tree, const char *name)
{
	for (int tries = 0; unlinkat(tree, name, AT_REMOVEDIR) < 0; tries++) {
		must(errno == EBUSY && tries < 10000 ? 0 : -1, name);
		usleep(100);
	}
}

int main(int argc, char **argv)
{
	bool seccomp = argc == 3 && strcmp(argv[1], "-s") == 0;
	struct clone_args clone = {
		.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS |
			 CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
	};
	int tree, run, group, status;
	char name[32];
	pid_t pid;

	if (argc != 2 && !seccomp)
		return fprintf(stderr, "usage: floor [-s] ROOTFS\n"), 2;
	snprintf(name, sizeof(name), "floor-%d", (int)getpid());
	must(tree = open_tree_of_cgroups(), "cgroup tree");
	must(run = open("/run", O_PATH | O_DIRECTORY | O_CLOEXEC), "/run");
	must(mkdirat(tree, name, 0755), name);
	must(group = openat(tree, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), name);
	limit_devices(group);
	clone.cgroup = (uint64_t)group;
	must(pid = (pid_t)syscall(SYS_clone3, &clone, sizeof(clone)), "clone3");
	if (pid == 0)
		in_container(argv[argc - 1], seccomp);
	save_state(run, name, pid);
	must(waitpid(pid, &status, 0), "waitpid");
	remove_group(tree, name);
	must(unlinkat(run, name, 0), name);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
