/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/devices.h"

#include "lib/buf.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ACCESS_ALL (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)
#define MAX_MAJOR ((1 << 12) - 1)
#define MAX_MINOR ((1 << 20) - 1)

/* How ours are told from others on a group. */
#define LOAD_TRIES 100
#define PROGRAM_NAME "tote_devices"
#define MAX_ATTACHED 64

#define ANY                                                                                        \
	{                                                                                          \
		false, 0                                                                           \
	}
#define NUM(n)                                                                                     \
	{                                                                                          \
		true, n                                                                            \
	}

const struct cg_device_rule devices_default[] = {
	{ true, "c", ANY, ANY, "m" },	      { true, "b", ANY, ANY, "m" },
	{ true, "c", NUM(1), NUM(3), "rwm" }, /* null */
	{ true, "c", NUM(1), NUM(5), "rwm" }, /* zero */
	{ true, "c", NUM(1), NUM(7), "rwm" }, /* full */
	{ true, "c", NUM(1), NUM(8), "rwm" }, /* random */
	{ true, "c", NUM(1), NUM(9), "rwm" }, /* urandom */
	{ true, "c", NUM(5), NUM(0), "rwm" }, /* tty */
	{ true, "c", NUM(5), NUM(1), "rwm" }, /* console */
	{ true, "c", NUM(5), NUM(2), "rwm" }, /* ptmx */
	{ true, "c", NUM(136), ANY, "rwm" },  /* pts */
};
const size_t devices_default_count = ARRAY_SIZE(devices_default);

/* A rule in the kernel's terms. */
struct match {
	bool allow;
	int type;	     /* BPF_DEVCG_DEV_*, 0 for any */
	int major, minor;    /* -1 for any */
	unsigned int access; /* BPF_DEVCG_ACC_*, or-ed */
};

static int parse_number(const char *what, struct opt_i64 v, int max, int *ret_number,
			struct err *err)
{
	if (v.set && v.value > max)
		return err_set(err, EINVAL, "device %s %" PRId64 " is larger than %d", what,
			       v.value, max);
	*ret_number = v.set && v.value >= 0 ? (int)v.value : -1;
	return 0;
}

static int parse_type(const char *type, int *ret_type, struct err *err)
{
	if (!type || !strcmp(type, "a"))
		*ret_type = 0;
	else if (!strcmp(type, "c"))
		*ret_type = BPF_DEVCG_DEV_CHAR;
	else if (!strcmp(type, "b"))
		*ret_type = BPF_DEVCG_DEV_BLOCK;
	else
		return err_set(err, EINVAL, "device type \"%s\" is not one of a, b, c", type);
	return 0;
}

static int parse_access(const char *access, unsigned int *ret_access, struct err *err)
{
	unsigned int mask = 0;

	for (const char *s = access ? access : ""; *s; s++) {
		if (*s == 'r')
			mask |= BPF_DEVCG_ACC_READ;
		else if (*s == 'w')
			mask |= BPF_DEVCG_ACC_WRITE;
		else if (*s == 'm')
			mask |= BPF_DEVCG_ACC_MKNOD;
		else
			return err_set(err, EINVAL, "device access \"%s\" is not made of r, w, m",
				       access);
	}
	/* Go leaves an empty string out when it writes JSON: "" and absent must mean one thing. */
	*ret_access = mask ? mask : ACCESS_ALL;
	return 0;
}

static int parse_rule(const struct cg_device_rule *rule, struct match *m, struct err *err)
{
	int r = parse_type(rule->type, &m->type, err);

	m->allow = rule->allow;
	if (r == 0)
		r = parse_number("major", rule->major, MAX_MAJOR, &m->major, err);
	if (r == 0)
		r = parse_number("minor", rule->minor, MAX_MINOR, &m->minor, err);
	if (r == 0)
		r = parse_access(rule->access, &m->access, err);
	return r;
}

/* r2: letters not decided yet, r3: type, r4: major, r5: minor. */
static const struct bpf_insn prologue[] = {
	{ BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0 },
	{ BPF_LDX | BPF_MEM | BPF_W, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major), 0 },
	{ BPF_LDX | BPF_MEM | BPF_W, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0 },
	{ BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0 },
	{ BPF_ALU64 | BPF_AND | BPF_K, 3, 0, 0, 0xffff },
	{ BPF_ALU64 | BPF_RSH | BPF_K, 2, 0, 0, 16 },
};

static size_t put_return(struct bpf_insn *out, bool allow)
{
	out[0] = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, allow };
	out[1] = (struct bpf_insn){ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 };
	return 2;
}

/*
 * One rule: up to three comparisons that skip it, then the verdict. A denied letter that is asked
 * for ends it; allowed letters are struck off and an empty rest is a yes.
 */
static void put_rule(struct buf *out, const struct match *m)
{
	struct bpf_insn insns[8];
	size_t n = 0, skips;

	if (m->type)
		insns[n++] = (struct bpf_insn){ BPF_JMP | BPF_JNE | BPF_K, 3, 0, 0, m->type };
	if (m->major >= 0)
		insns[n++] = (struct bpf_insn){ BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, m->major };
	if (m->minor >= 0)
		insns[n++] = (struct bpf_insn){ BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, m->minor };
	skips = n;
	if (m->access != ACCESS_ALL && m->allow) {
		insns[n++] = (struct bpf_insn){ BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0,
						(int)(ACCESS_ALL & ~m->access) };
		insns[n++] = (struct bpf_insn){ BPF_JMP | BPF_JNE | BPF_K, 2, 0, 2, 0 };
	} else if (m->access != ACCESS_ALL) {
		insns[n++] =
			(struct bpf_insn){ BPF_JMP | BPF_JSET | BPF_K, 2, 0, 1, (int)m->access };
		insns[n++] = (struct bpf_insn){ BPF_JMP | BPF_JA, 0, 0, 2, 0 };
	}
	n += put_return(insns + n, m->allow);
	for (size_t i = 0; i < skips; i++)
		insns[i].off = (__s16)(n - i - 1);
	buf_add(out, insns, n * sizeof(insns[0]));
}

static bool covers_all(const struct match *m)
{
	return !m->type && m->major < 0 && m->minor < 0 && m->access == ACCESS_ALL;
}

/*
 * From the last rule to the first, so that the first that decides is the last one written. A rule
 * for everything ends it, as the verifier refuses code that cannot be reached. Returns 1 when
 * nothing at all is denied.
 */
static int put_rules(struct buf *out, const struct cg_device_rule *rules, size_t count,
		     struct err *err)
{
	struct bpf_insn verdict[2];
	bool rest = false, denies = false;
	struct match m = { 0 };

	for (size_t i = count; i > 0; i--) {
		int r = parse_rule(&rules[i - 1], &m, err);

		if (r < 0)
			return r;
		if (covers_all(&m)) {
			rest = m.allow;
			break;
		}
		denies |= !m.allow;
		put_rule(out, &m);
	}
	buf_add(out, verdict, put_return(verdict, rest) * sizeof(verdict[0]));
	return rest && !denies;
}

static int check_rules(const struct cg_device_rule *rules, size_t count, struct err *err)
{
	struct match m = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = parse_rule(&rules[i], &m, err);
	return r;
}

int devices_program(const struct cg_device_rule *rules, size_t count, struct arena *a,
		    struct device_program *ret_program, struct err *err)
{
	autobuf out = BUF_INIT;
	/* All of them, also those before an "all" rule that put_rules() does not look at. */
	int r = check_rules(rules, count, err);

	if (r < 0)
		return r;
	buf_add(&out, prologue, sizeof(prologue));
	r = put_rules(&out, rules, count, err);
	if (r < 0)
		return r;
	*ret_program = (struct device_program){ NULL, 0 };
	if (r == 0) {
		ret_program->insns = arena_memdup(a, out.data, out.len);
		ret_program->count = out.len / sizeof(struct bpf_insn);
	}
	return 0;
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int load_once(const struct device_program *program)
{
	union bpf_attr attr;
	int r, tries = LOAD_TRIES;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)program->insns;
	attr.insn_cnt = (uint32_t)program->count;
	attr.license = (uintptr_t) "Apache-2.0"; /* it matters for helper functions only */
	memcpy(attr.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	/* The verifier gives up when a signal is pending, were it only that a child has ended. */
	do {
		r = sys_bpf(BPF_PROG_LOAD, &attr);
	} while (r == -EAGAIN && --tries);
	return r;
}

/*
 * Before Linux 5.11 a program counts against RLIMIT_MEMLOCK, and too little is EPERM as well. The
 * limit is put back: children inherit it.
 */
static int load(const struct device_program *program)
{
	struct rlimit old, more = { RLIM_INFINITY, RLIM_INFINITY };
	int r = load_once(program);

	if (r != -EPERM || getrlimit(RLIMIT_MEMLOCK, &old) < 0)
		return r;
	if (setrlimit(RLIMIT_MEMLOCK, &more) < 0) {
		more = (struct rlimit){ old.rlim_max, old.rlim_max };
		if (old.rlim_cur == old.rlim_max || setrlimit(RLIMIT_MEMLOCK, &more) < 0)
			return r;
	}
	r = load_once(program);
	setrlimit(RLIMIT_MEMLOCK, &old);
	return r;
}

static int attach(int cg_fd, int prog_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cg_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return sys_bpf(BPF_PROG_ATTACH, &attr);
}

int devices_attach(int cg_fd, const struct device_program *program, struct err *err)
{
	autofd fd = -1;
	int r;

	if (!program->count)
		return 0;
	fd = load(program);
	if (fd == -EINVAL || fd == -ENOSYS)
		return err_set(err, EOPNOTSUPP,
			       "kernel lacks cgroup device programs (needs Linux >= 4.15 with "
			       "CONFIG_CGROUP_BPF)");
	if (fd < 0)
		return err_code(err, fd, "load device program of %zu instructions", program->count);
	r = attach(cg_fd, fd);
	return r < 0 ? err_code(err, r, "attach device program to cgroup") : 0;
}

/* Ids of the programs attached to the group itself. */
static int query(int cg_fd, uint32_t ids[MAX_ATTACHED])
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cg_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = MAX_ATTACHED;
	r = sys_bpf(BPF_PROG_QUERY, &attr);
	return r < 0 ? r : (int)attr.query.prog_cnt;
}

static bool is_ours(int prog_fd)
{
	struct bpf_prog_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)prog_fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && !strcmp(info.name, PROGRAM_NAME);
}

static int detach_ours(int cg_fd, uint32_t id)
{
	union bpf_attr attr;
	autofd fd = -1;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd == -ENOENT) /* detached by someone else meanwhile */
		return 0;
	if (fd < 0)
		return fd;
	if (!is_ours(fd))
		return 0;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cg_fd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	return sys_bpf(BPF_PROG_DETACH, &attr);
}

int devices_replace(int cg_fd, const struct device_program *program, struct err *err)
{
	uint32_t ids[MAX_ATTACHED];
	int count = query(cg_fd, ids);
	int r;

	if (count < 0)
		return err_code(err, count, "query device programs of cgroup");
	r = devices_attach(cg_fd, program, err);
	for (int i = 0; r == 0 && i < count; i++) {
		r = detach_ours(cg_fd, ids[i]);
		if (r < 0)
			err_code(err, r, "detach device program %u from cgroup", ids[i]);
	}
	return r;
}
