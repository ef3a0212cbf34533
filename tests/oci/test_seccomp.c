/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: what the built-in one says to which call, and that no profile is ever served another's
 * program. */
#include "lib/cleanup.h"
#include "oci/seccomp.h"
#include "oci/seccomp_cache.h"
#include "oci/seccomp_default.h"
#include "tests/oci/bpf_run.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ALLOW SECCOMP_RET_ALLOW
#define FAIL(e) (SECCOMP_RET_ERRNO | (e))
#define HIGH 0x100000000ULL /* garbage above what the kernel looks at */

static int compile_here(const struct spec_seccomp *seccomp, const char *config, struct buf *ret_bpf,
			struct err *err)
{
	(void)config;
	return seccomp_compile(seccomp, ret_bpf, err);
}

static uint32_t verdict_of(const void *bpf, size_t len, int nr, const uint64_t args[6])
{
	struct seccomp_data data = { .nr = nr, .arch = seccomp_arch_native() };

	memcpy(data.args, args, sizeof(data.args));
	return bpf_run(bpf, len, &data);
}

static uint32_t builtin_verdict(int nr, const uint64_t args[6])
{
	return verdict_of(seccomp_builtin_bpf, seccomp_builtin_bpf_len, nr, args);
}

static const struct {
	const char *name;
	uint64_t args[6];
	uint32_t verdict;
} golden[] = {
	{ "read", { 0 }, ALLOW },
	{ "openat2", { 0 }, ALLOW },
	{ "execve", { 0 }, ALLOW },
	{ "futex", { 0 }, ALLOW },
	{ "rseq", { 0 }, ALLOW },
	{ "ptrace", { 0 }, ALLOW },
	{ "seccomp", { 0 }, ALLOW },
	{ "landlock_create_ruleset", { 0 }, ALLOW },
	{ "io_submit", { 0 }, ALLOW },
	{ "memfd_create", { 0 }, ALLOW },
	{ "mknodat", { 0 }, ALLOW },
	{ "chroot", { 0 }, ALLOW },
	{ "setgroups", { 0 }, ALLOW },
	{ "exit_group", { 0 }, ALLOW },
	{ "io_uring_setup", { 0 }, FAIL(ENOSYS) },
	{ "io_uring_enter", { 0 }, FAIL(ENOSYS) },
	{ "io_uring_register", { 0 }, FAIL(ENOSYS) },
	{ "userfaultfd", { 0 }, FAIL(ENOSYS) },
	{ "keyctl", { 0 }, FAIL(ENOSYS) },
	{ "add_key", { 0 }, FAIL(ENOSYS) },
	{ "request_key", { 0 }, FAIL(ENOSYS) },
	{ "clone3", { 0 }, FAIL(ENOSYS) },
	{ "get_mempolicy", { 0 }, FAIL(ENOSYS) },
	{ "kcmp", { 0 }, FAIL(ENOSYS) },
	{ "pidfd_getfd", { 0 }, FAIL(ENOSYS) },
	{ "mount", { 0 }, FAIL(EPERM) },
	{ "umount2", { 0 }, FAIL(EPERM) },
	{ "pivot_root", { 0 }, FAIL(EPERM) },
	{ "open_tree", { 0 }, FAIL(EPERM) },
	{ "move_mount", { 0 }, FAIL(EPERM) },
	{ "fsopen", { 0 }, FAIL(EPERM) },
	{ "mount_setattr", { 0 }, FAIL(EPERM) },
	{ "setns", { 0 }, FAIL(EPERM) },
	{ "bpf", { 0 }, FAIL(EPERM) },
	{ "perf_event_open", { 0 }, FAIL(EPERM) },
	{ "open_by_handle_at", { 0 }, FAIL(EPERM) },
	{ "init_module", { 0 }, FAIL(EPERM) },
	{ "finit_module", { 0 }, FAIL(EPERM) },
	{ "kexec_load", { 0 }, FAIL(EPERM) },
	{ "reboot", { 0 }, FAIL(EPERM) },
	{ "swapon", { 0 }, FAIL(EPERM) },
	{ "syslog", { 0 }, FAIL(EPERM) },
	{ "clock_settime", { 0 }, FAIL(EPERM) },
	{ "sethostname", { 0 }, FAIL(EPERM) },
	/* a thread, a fork, a vfork */
	{ "clone", { 0x3d0f00 }, ALLOW },
	{ "clone", { 0x1200011 }, ALLOW },
	{ "clone", { 0x4111 }, ALLOW },
	{ "clone", { CLONE_NEWUSER | 17 }, FAIL(EPERM) },
	{ "clone", { CLONE_NEWNS | 17 }, FAIL(EPERM) },
	{ "clone", { CLONE_NEWNET | CLONE_NEWPID }, FAIL(EPERM) },
	{ "clone", { HIGH | CLONE_NEWCGROUP }, FAIL(EPERM) },
	{ "unshare", { CLONE_FILES | CLONE_FS }, ALLOW },
	{ "unshare", { 0 }, ALLOW },
	{ "unshare", { CLONE_NEWUSER }, FAIL(EPERM) },
	{ "unshare", { CLONE_NEWUTS | CLONE_FILES }, FAIL(EPERM) },
	{ "unshare", { 0x80 }, FAIL(EPERM) },
	{ "socket", { AF_UNIX, SOCK_STREAM }, ALLOW },
	{ "socket", { AF_INET6, SOCK_DGRAM }, ALLOW },
	{ "socket", { AF_NETLINK, SOCK_RAW }, ALLOW },
	{ "socket", { AF_PACKET, SOCK_RAW }, ALLOW },
	{ "socket", { 38, SOCK_SEQPACKET }, FAIL(EAFNOSUPPORT) },
	{ "socket", { 40, SOCK_STREAM }, FAIL(EAFNOSUPPORT) },
	{ "socket", { HIGH | 38 }, FAIL(EAFNOSUPPORT) },
	{ "socket", { HIGH | 40 }, FAIL(EAFNOSUPPORT) },
	{ "socketpair", { AF_UNIX }, ALLOW },
	{ "socketpair", { 38 }, FAIL(EAFNOSUPPORT) },
	/* TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, and one as musl passes it, sign-extended */
	{ "ioctl", { 0, 0x5401 }, ALLOW },
	{ "ioctl", { 0, 0x5413 }, ALLOW },
	{ "ioctl", { 0, 0x541b }, ALLOW },
	{ "ioctl", { 0, 0x5421 }, ALLOW },
	{ "ioctl", { 0, 0xffffffff80045430 }, ALLOW },
	{ "ioctl", { 0, 0x5412 }, FAIL(EPERM) },
	{ "ioctl", { 0, 0x541c }, FAIL(EPERM) },
	{ "ioctl", { 0, HIGH | 0x5412 }, FAIL(EPERM) },
	{ "ioctl", { 0, 0xffffffff00000000 | 0x541c }, FAIL(EPERM) },
	{ "personality", { 0 }, ALLOW },
	{ "personality", { 8 }, ALLOW },
	{ "personality", { 0x20000 }, ALLOW },
	{ "personality", { 0x20008 }, ALLOW },
	{ "personality", { 0xffffffff }, ALLOW },
	{ "personality", { UINT64_MAX }, ALLOW },
	{ "personality", { 0x40000 }, FAIL(ENOSYS) },
	{ "personality", { HIGH | 0x400000 }, FAIL(ENOSYS) },
};

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		int nr = seccomp_syscall_resolve_name(golden[i].name);
		uint32_t got;

		assert_int_not_equal(nr, __NR_SCMP_ERROR);
		got = builtin_verdict(nr, golden[i].args);
		if (got != golden[i].verdict)
			fail_msg("%s(%#llx, %#llx): %#x instead of %#x", golden[i].name,
				 (unsigned long long)golden[i].args[0],
				 (unsigned long long)golden[i].args[1], got, golden[i].verdict);
	}
}

/* Calls of another processor kill the process: what their numbers mean, this filter does not know.
 */
static void test_foreign_calls(void **state)
{
	struct seccomp_data data = { .nr = 0, .arch = seccomp_arch_native() ^ 1 };

	(void)state;
	assert_int_equal(bpf_run(seccomp_builtin_bpf, seccomp_builtin_bpf_len, &data),
			 SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
	data.arch = seccomp_arch_native();
	data.nr = 0x40000000; /* x32's read */
	assert_int_equal(bpf_run(seccomp_builtin_bpf, seccomp_builtin_bpf_len, &data),
			 SECCOMP_RET_KILL_PROCESS);
#endif
}

static bool arg_matches(const struct spec_seccomp_arg *arg, uint64_t v)
{
	switch ((enum scmp_compare)arg->op) {
	case SCMP_CMP_NE:
		return v != arg->value;
	case SCMP_CMP_LT:
		return v < arg->value;
	case SCMP_CMP_LE:
		return v <= arg->value;
	case SCMP_CMP_EQ:
		return v == arg->value;
	case SCMP_CMP_GE:
		return v >= arg->value;
	case SCMP_CMP_GT:
		return v > arg->value;
	default:
		return (v & arg->value) == arg->value_two;
	}
}

/* The built-in profile's rules look at one argument each, so several comparisons are alternatives.
 */
static bool rule_matches(const struct spec_seccomp_rule *rule, const char *name,
			 const uint64_t args[6])
{
	for_each (n, &rule->names) {
		if (strcmp(*n, name) != 0)
			continue;
		if (!rule->args.count)
			return true;
		for_each (arg, &rule->args) {
			if (arg_matches(arg, args[arg->index]))
				return true;
		}
	}
	return false;
}

/* What the profile says, read rule by rule; two rules that both match and disagree are a mistake in
 * the profile. */
static uint32_t profile_verdict(const struct spec_seccomp *profile, const char *name,
				const uint64_t args[6])
{
	uint32_t verdict = FAIL(profile->default_errno_ret.value);
	bool found = false;

	for_each (rule, &profile->syscalls) {
		uint32_t v = rule->action == SPEC_ACT_ALLOW ? ALLOW : FAIL(rule->errno_ret.value);

		if (!rule_matches(rule, name, args))
			continue;
		assert_false(found && v != verdict);
		verdict = v;
		found = true;
	}
	return verdict;
}

/* Every call there is, with many arguments: the program says what the profile says. */
static void test_sweep(void **state)
{
	static const uint64_t values[] = { 0,
					   1,
					   8,
					   37,
					   38,
					   39,
					   40,
					   0x80,
					   0x5411,
					   0x5412,
					   0x5413,
					   0x541b,
					   0x541c,
					   0x541d,
					   0x5416,
					   0x5418,
					   0x541e,
					   0x20000,
					   0x20008,
					   0x2000000,
					   0x4000000,
					   1 << 27,
					   1 << 28,
					   1 << 29,
					   1 << 30,
					   0x80005412,
					   0x4000541c,
					   0xffffffff,
					   HIGH,
					   HIGH | 38,
					   HIGH | 0x5412,
					   HIGH | 0x20000,
					   UINT64_MAX };
	autoarena arena = ARENA_INIT;
	struct spec_seccomp *profile = seccomp_default_profile(&arena);
	unsigned int known = 0;

	(void)state;
	for (int nr = 0; nr < 600; nr++) {
		autofree char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		known += name != NULL;
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			uint64_t args[6] = { values[i], values[i], values[i],
					     values[i], values[i], values[i] };
			uint32_t want = name ? profile_verdict(profile, name, args) : FAIL(ENOSYS);

			if (builtin_verdict(nr, args) != want)
				fail_msg("call %d (%s) with %#llx: %#x instead of %#x", nr,
					 name ? name : "unknown", (unsigned long long)values[i],
					 builtin_verdict(nr, args), want);
		}
	}
	assert_true(known > 250);
}

static void test_builtin_is_found(void **state)
{
	autoarena arena = ARENA_INIT;
	struct err err = { 0 };
	const void *bpf;
	size_t len;

	const struct spec_seccomp named = { .builtin = true, .default_action = SPEC_ACT_ERRNO };
	const struct spec_seccomp *both[] = { &named, seccomp_default_profile(&arena) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		assert_int_equal(
			seccomp_find(-1, both[i], compile_here, NULL, &arena, &bpf, &len, &err), 0);
		assert_ptr_equal(bpf, seccomp_builtin_bpf);
		assert_int_equal(len, seccomp_builtin_bpf_len);
	}
}

static void test_flags(void **state)
{
	struct spec_seccomp_rule rule = { .action = SPEC_ACT_NOTIFY };
	struct spec_seccomp s = { .default_action = SPEC_ACT_ALLOW };

	(void)state;
	assert_int_equal(seccomp_flags(&s), 0);
	s.has_flags = true;
	s.flags = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	assert_int_equal(seccomp_flags(&s), SECCOMP_FILTER_FLAG_LOG);
	assert_false(seccomp_uses_notify(&s));
	s.syscalls.items = &rule;
	s.syscalls.count = 1;
	s.flags |= SECCOMP_FILTER_FLAG_TSYNC;
	assert_true(seccomp_uses_notify(&s));
	assert_int_equal(seccomp_flags(&s), s.flags | SECCOMP_FILTER_FLAG_NEW_LISTENER |
						    SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
}

/* Comparisons of several arguments must all hold; of one argument, any. */
static void test_args(void **state)
{
	char *name = (char *)"getpid";
	struct spec_seccomp_arg args[] = { { 0, 1, 0, SCMP_CMP_EQ }, { 1, 2, 0, SCMP_CMP_GE } };
	struct spec_seccomp_rule rule = { .names = { &name, 1 },
					  .action = SPEC_ACT_ERRNO,
					  .args = { args, 2 } };
	struct spec_seccomp s = { .default_action = SPEC_ACT_ALLOW, .syscalls = { &rule, 1 } };
	autobuf both = BUF_INIT, any = BUF_INIT;
	struct err err = { 0 };
	int nr = SYS_getpid;

	(void)state;
	assert_int_equal(seccomp_compile(&s, &both, &err), 0);
	assert_int_equal(verdict_of(both.data, both.len, nr, (uint64_t[6]){ 1, 2 }), FAIL(EPERM));
	assert_int_equal(verdict_of(both.data, both.len, nr, (uint64_t[6]){ 1, 1 }), ALLOW);
	assert_int_equal(verdict_of(both.data, both.len, nr, (uint64_t[6]){ 0, 2 }), ALLOW);
	args[1].index = 0;
	args[1].value = 7;
	assert_int_equal(seccomp_compile(&s, &any, &err), 0);
	assert_int_equal(verdict_of(any.data, any.len, nr, (uint64_t[6]){ 1 }), FAIL(EPERM));
	assert_int_equal(verdict_of(any.data, any.len, nr, (uint64_t[6]){ 9 }), FAIL(EPERM));
	assert_int_equal(verdict_of(any.data, any.len, nr, (uint64_t[6]){ 2 }), ALLOW);
}

static const struct {
	int action;
	uint32_t verdict;
} action_table[] = {
	{ SPEC_ACT_KILL, SECCOMP_RET_KILL_THREAD },
	{ SPEC_ACT_KILL_THREAD, SECCOMP_RET_KILL_THREAD },
	{ SPEC_ACT_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS },
	{ SPEC_ACT_TRAP, SECCOMP_RET_TRAP },
	{ SPEC_ACT_ERRNO, FAIL(EPERM) },
	{ SPEC_ACT_TRACE, SECCOMP_RET_TRACE | EPERM },
	{ SPEC_ACT_ALLOW, ALLOW },
	{ SPEC_ACT_LOG, SECCOMP_RET_LOG },
	{ SPEC_ACT_NOTIFY, SECCOMP_RET_USER_NOTIF },
};

/* Each action as a rule, once with a name nobody knows beside it, which is skipped. */
static void test_actions(void **state)
{
	static const uint64_t none[6];
	char *names[] = { (char *)"no_such_call", (char *)"getpid" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(action_table); i++) {
		struct spec_seccomp_rule rule = { .names = { names, 2 },
						  .action = action_table[i].action };
		struct spec_seccomp s = { .default_action = SPEC_ACT_ALLOW,
					  .syscalls = { &rule, 1 } };
		autobuf bpf = BUF_INIT;
		struct err err = { 0 };

		assert_int_equal(seccomp_compile(&s, &bpf, &err), 0);
		assert_int_equal(verdict_of(bpf.data, bpf.len, SYS_getpid, none),
				 action_table[i].verdict);
		assert_int_equal(verdict_of(bpf.data, bpf.len, SYS_getppid, none), ALLOW);
	}
}

static void refuse(const struct spec_seccomp *s, const char *message)
{
	autoarena arena = ARENA_INIT;
	struct err err = { 0 };
	const void *bpf;
	size_t len;

	assert_int_equal(seccomp_find(-1, s, compile_here, NULL, &arena, &bpf, &len, &err),
			 -EINVAL);
	assert_string_equal(err.msg, message);
}

static void test_wrong_profiles(void **state)
{
	char *name = (char *)"getpid", *arch = (char *)"SCMP_ARCH_PDP11";
	struct spec_seccomp_arg arg = { 6, 0, 0, SCMP_CMP_EQ };
	struct spec_seccomp_rule rule = { .names = { &name, 1 }, .action = SPEC_ACT_ERRNO };
	struct spec_seccomp s = { .default_action = SPEC_ACT_ALLOW, .syscalls = { &rule, 1 } };

	(void)state;
	s.default_errno_ret = (struct opt_u32){ true, 1 };
	refuse(&s, "defaultErrnoRet: SCMP_ACT_ALLOW takes none");
	s.default_errno_ret.set = false;
	rule.errno_ret = (struct opt_u32){ true, 4095 };
	refuse(&s, "syscalls[0]: errnoRet: 4095 is larger than 4094");
	rule.errno_ret.set = false;
	rule.args.items = &arg;
	rule.args.count = 1;
	refuse(&s, "syscalls[0]: args[0].index: 6 is larger than 5");
	rule.args.count = 0;
	s.architectures.items = &arch;
	s.architectures.count = 1;
	refuse(&s, "architectures[0]: libseccomp does not know SCMP_ARCH_PDP11");
	s.architectures.count = 0;
	s.default_action = SPEC_ACT_NOTIFY;
	refuse(&s, "defaultAction: SCMP_ACT_NOTIFY would ask for each call, also those that send "
		   "the listener");
}

/* In a child: loads the built-in filter and returns the first check that fails, or 0. */
static int live_checks(void)
{
	struct sock_fprog prog = { (unsigned short)(seccomp_builtin_bpf_len /
						    sizeof(struct sock_filter)),
				   (struct sock_filter *)(uintptr_t)seccomp_builtin_bpf };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 1;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return 2;
	if (syscall(SYS_getpid) <= 0)
		return 3;
	if (syscall(SYS_keyctl, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS)
		return 4;
	if (mount("none", "/", NULL, MS_REMOUNT, NULL) != -1 || errno != EPERM)
		return 5;
	if (socket(38, SOCK_SEQPACKET, 0) != -1 || errno != EAFNOSUPPORT)
		return 6;
	if (unshare(CLONE_NEWUSER) != -1 || errno != EPERM)
		return 7;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 8;
	/* ENOTTY or EBADF would be the kernel's own answer. */
	if (syscall(SYS_ioctl, -1, HIGH | 0x5412, "x") != -1 || errno != EPERM)
		return 9;
	execl("/bin/sh", "sh", "-c", "test $(ls -d / | wc -l) = 1", NULL);
	return 10;
}

static void test_live(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(live_checks());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	cmocka_unit_test(test_foreign_calls),
		cmocka_unit_test(test_sweep),	cmocka_unit_test(test_builtin_is_found),
		cmocka_unit_test(test_flags),	cmocka_unit_test(test_args),
		cmocka_unit_test(test_actions), cmocka_unit_test(test_wrong_profiles),
		cmocka_unit_test(test_live),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
