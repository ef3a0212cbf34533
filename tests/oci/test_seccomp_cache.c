/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of filters: near-equal profiles are told apart, and nothing in the directory is
 * believed unseen. */
#include "lib/cleanup.h"
#include "oci/seccomp.h"
#include "oci/seccomp_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PAIRS 204

/* A small profile with room for what a variation may add. */
struct sample {
	struct spec_seccomp s;
	struct spec_seccomp_rule rules[4];
	char *names[4][3];
	struct spec_seccomp_arg args[4][3];
	char *archs[2];
};

static int compile_here(const struct spec_seccomp *seccomp, const char *config, struct buf *ret_bpf,
			struct err *err)
{
	(void)config;
	return seccomp_compile(seccomp, ret_bpf, err);
}

static char *const call_names[] = {
	(char *)"getpid",   (char *)"getppid",	   (char *)"mkdirat", (char *)"read",
	(char *)"write",    (char *)"kill",	   (char *)"socket",  (char *)"futex",
	(char *)"umask",    (char *)"no_such",	   (char *)"nosuch",  (char *)"mlock",
	(char *)"mlockall", (char *)"personality",
};

/* The same numbers in each run. */
static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Three rules for calls of their own: [0] without arguments, [1] with two, [2] with a masked one.
 */
static void sample_init(struct sample *p, uint32_t seed)
{
	size_t first = next(&seed) % ARRAY_SIZE(call_names);

	*p = (struct sample){ .s = { .default_action = SPEC_ACT_ALLOW,
				     .syscalls = { p->rules, 3 } } };
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 3; j++)
			p->names[i][j] = call_names[(first + 3 * i + j) % ARRAY_SIZE(call_names)];
		p->rules[i] = (struct spec_seccomp_rule){ .names = { p->names[i], 2 },
							  .action = SPEC_ACT_ERRNO };
		p->rules[i].args.items = p->args[i];
	}
	p->args[1][0] = (struct spec_seccomp_arg){ 0, next(&seed) % 100, 0, SCMP_CMP_EQ };
	p->args[1][1] = (struct spec_seccomp_arg){ 1, next(&seed), 0, SCMP_CMP_GT };
	p->rules[1].args.count = 2;
	p->args[2][0] = (struct spec_seccomp_arg){ 2, 0xff00, 0x1200, SCMP_CMP_MASKED_EQ };
	p->rules[2].args.count = 1;
	p->archs[0] = (char *)"SCMP_ARCH_X86_64";
	p->archs[1] = (char *)"SCMP_ARCH_AARCH64";
	p->s.architectures.items = p->archs;
}

static void default_action(struct sample *p)
{
	p->s.default_action = SPEC_ACT_LOG;
}

static void default_errno(struct sample *p)
{
	p->s.default_action = SPEC_ACT_ERRNO;
	p->s.default_errno_ret = (struct opt_u32){ true, 38 };
}

static void rule_errno(struct sample *p)
{
	p->rules[0].errno_ret = (struct opt_u32){ true, 2 };
}

static void rule_action(struct sample *p)
{
	p->rules[1].action = SPEC_ACT_TRAP;
}

/* {a, b}, {c, d} becomes {a, b, c}, {d}: the same words in the same order. */
static void name_moved(struct sample *p)
{
	p->names[0][2] = p->names[1][0];
	p->rules[0].names.count = 3;
	p->rules[1].names = (struct strv){ &p->names[1][1], 1 };
}

/* Joined without their lengths, these would read the same. */
static void names_joined(struct sample *p)
{
	p->names[0][0] = (char *)"getpidget";
	p->names[0][1] = (char *)"ppid";
}

static void name_added(struct sample *p)
{
	p->rules[0].names.count = 3;
}

static void rule_dropped(struct sample *p)
{
	p->s.syscalls.count = 2;
}

static void arg_dropped(struct sample *p)
{
	p->rules[1].args.count = 1;
}

static void arg_index(struct sample *p)
{
	p->args[1][0].index = 3;
}

static void arg_value(struct sample *p)
{
	p->args[1][1].value ^= 1ULL << 40;
}

static void arg_op(struct sample *p)
{
	p->args[1][0].op = SCMP_CMP_NE;
}

static void masked_datum(struct sample *p)
{
	p->args[2][0].value_two = 0x1300;
}

static void filter_flag(struct sample *p)
{
	p->s.has_flags = true;
	p->s.flags = SECCOMP_FILTER_FLAG_LOG;
}

static void architecture(struct sample *p)
{
	p->s.architectures.count = 2;
}

static void errno_spelt_out(struct sample *p)
{
	p->rules[0].errno_ret = (struct opt_u32){ true, EPERM };
}

static void unused_datum(struct sample *p)
{
	p->args[1][0].value_two = 5;
}

static void rule_without_effect(struct sample *p)
{
	p->rules[3].action = SPEC_ACT_ALLOW;
	p->s.syscalls.count = 4;
}

static void no_flags(struct sample *p)
{
	p->s.has_flags = true;
}

static void listener(struct sample *p)
{
	p->s.listener_path = (char *)"/run/agent.sock";
	p->s.listener_metadata = (char *)"x";
}

static const struct variation {
	void (*apply)(struct sample *p);
	bool same; /* it decides nothing */
} variations[] = {
	{ default_action, false }, { default_errno, false }, { rule_errno, false },
	{ rule_action, false },	   { name_moved, false },    { names_joined, false },
	{ name_added, false },	   { rule_dropped, false },  { arg_dropped, false },
	{ arg_index, false },	   { arg_value, false },     { arg_op, false },
	{ masked_datum, false },   { filter_flag, false },   { architecture, false },
	{ errno_spelt_out, true }, { unused_datum, true },   { rule_without_effect, true },
	{ no_flags, true },	   { listener, true },
};

static char dir_path[] = "/tmp/test-seccomp-XXXXXX";
static int dir = -1;

static int remove_all(void)
{
	DIR *d = opendir(dir_path);
	struct dirent *e;

	if (!d)
		return -1;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    unlinkat(dir, e->d_name, 0) < 0)
			unlinkat(dir, e->d_name, AT_REMOVEDIR);
	return closedir(d);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir_path))
		return -1;
	dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return remove_all() < 0 || close(dir) < 0 || rmdir(dir_path) < 0 ? -1 : 0;
}

static int empty_dir(void **state)
{
	(void)state;
	return remove_all();
}

/* The one file in the directory; fails when there are more or none. */
static void cached_file(char ret_name[static 256], struct stat *ret_st)
{
	DIR *d = opendir(dir_path);
	unsigned int n = 0;
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(ret_name, 256, "%s", e->d_name);
		n++;
	}
	closedir(d);
	assert_int_equal(n, 1);
	assert_int_equal(fstatat(dir, ret_name, ret_st, AT_SYMLINK_NOFOLLOW), 0);
}

static void find_equals(const struct spec_seccomp *s, const struct buf *want)
{
	autoarena arena = ARENA_INIT;
	struct err err = { 0 };
	const void *bpf;
	size_t len;

	assert_int_equal(seccomp_find(dir, s, compile_here, NULL, &arena, &bpf, &len, &err), 0);
	assert_int_equal(len, want->len);
	assert_memory_equal(bpf, want->data, len);
}

static bool equal(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void check_pair(const struct sample *a, const struct sample *b, bool same)
{
	autobuf form_a = BUF_INIT, form_b = BUF_INIT, bpf_a = BUF_INIT, bpf_b = BUF_INIT;
	struct err err = { 0 };

	seccomp_canonical(&a->s, &form_a);
	seccomp_canonical(&b->s, &form_b);
	assert_int_equal(equal(&form_a, &form_b), same);
	assert_int_equal(seccomp_compile(&a->s, &bpf_a, &err), 0);
	assert_int_equal(seccomp_compile(&b->s, &bpf_b, &err), 0);
	/* The law the cache rests on, whatever the table above says. */
	assert_true(!equal(&form_a, &form_b) || equal(&bpf_a, &bpf_b));
	/* Written, then read. */
	for (int i = 0; i < 2; i++) {
		find_equals(&a->s, &bpf_a);
		find_equals(&b->s, &bpf_b);
	}
}

static void test_near_equal_pairs(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < PAIRS; i++) {
		const struct variation *v = &variations[i % ARRAY_SIZE(variations)];
		struct sample a, b;

		sample_init(&a, i);
		sample_init(&b, i);
		if (v->apply == names_joined) {
			a.names[0][0] = (char *)"getpid";
			a.names[0][1] = (char *)"getppid";
		}
		v->apply(&b);
		check_pair(&a, &b, v->same);
	}
}

/* The second time the file is read: it is the same file still, and its time has not changed. */
static void test_hit(void **state)
{
	autobuf bpf = BUF_INIT;
	struct stat before, after;
	struct sample p;
	struct err err = { 0 };
	char name[256];

	(void)state;
	sample_init(&p, 1);
	assert_int_equal(seccomp_compile(&p.s, &bpf, &err), 0);
	find_equals(&p.s, &bpf);
	cached_file(name, &before);
	assert_int_equal(before.st_mode & 07777, 0600);
	find_equals(&p.s, &bpf);
	cached_file(name, &after);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
}

/* One bit flipped, at each place in turn; then the file cut, emptied and made longer. */
static void test_damaged_file(void **state)
{
	autobuf bpf = BUF_INIT;
	struct sample p;
	struct stat st;
	struct err err = { 0 };
	char name[256];

	(void)state;
	sample_init(&p, 2);
	assert_int_equal(seccomp_compile(&p.s, &bpf, &err), 0);
	find_equals(&p.s, &bpf);
	cached_file(name, &st);
	for (off_t at = 0; at < st.st_size; at++) {
		autofd file = openat(dir, name, O_RDWR | O_CLOEXEC);
		unsigned char c;

		assert_int_equal(pread(file, &c, 1, at), 1);
		c ^= 0x10;
		assert_int_equal(pwrite(file, &c, 1, at), 1);
		find_equals(&p.s, &bpf);
	}
	for (off_t len = 0; len < st.st_size + 9; len += 7) {
		autofd file = openat(dir, name, O_RDWR | O_CLOEXEC);

		assert_int_equal(ftruncate(file, len), 0);
		find_equals(&p.s, &bpf);
	}
}

/* As if two profiles had one hash: under this one's name lies the other's file, in perfect order.
 */
static void test_collision(void **state)
{
	autobuf strict_bpf = BUF_INIT;
	struct sample strict, weak;
	char strict_name[256], weak_name[256];
	autoarena arena = ARENA_INIT;
	struct err err = { 0 };
	const void *bpf;
	struct stat st;
	size_t len;

	(void)state;
	sample_init(&strict, 3);
	sample_init(&weak, 3);
	arg_op(&weak); /* of the same length */
	assert_int_equal(seccomp_compile(&strict.s, &strict_bpf, &err), 0);
	find_equals(&strict.s, &strict_bpf);
	cached_file(strict_name, &st);
	assert_int_equal(remove_all(), 0);
	assert_int_equal(seccomp_find(dir, &weak.s, compile_here, NULL, &arena, &bpf, &len, &err),
			 0);
	cached_file(weak_name, &st);
	assert_string_not_equal(strict_name, weak_name);
	assert_int_equal(renameat(dir, weak_name, dir, strict_name), 0);
	find_equals(&strict.s, &strict_bpf);
}

static void writable_by_others(const char *name)
{
	assert_int_equal(fchmodat(dir, name, 0602, 0), 0);
}

static void writable_by_group(const char *name)
{
	assert_int_equal(fchmodat(dir, name, 0620, 0), 0);
}

static void of_another_user(const char *name)
{
	assert_int_equal(fchownat(dir, name, 1, 1, 0), 0);
}

static void symlink_to_it(const char *name)
{
	assert_int_equal(renameat(dir, name, dir, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", dir, name), 0);
}

static void fifo(const char *name)
{
	assert_int_equal(unlinkat(dir, name, 0), 0);
	assert_int_equal(mkfifoat(dir, name, 0600), 0);
}

static void directory(const char *name)
{
	assert_int_equal(unlinkat(dir, name, 0), 0);
	assert_int_equal(mkdirat(dir, name, 0700), 0);
}

/* A file that is intact but not ours alone is compiled anew and, but for a directory, replaced by
 * one that is. */
static void check_untrusted(void (*spoil)(const char *name), bool replaced)
{
	autobuf bpf = BUF_INIT;
	struct stat before, after;
	struct sample p;
	struct err err = { 0 };
	char name[256];

	assert_int_equal(remove_all(), 0);
	sample_init(&p, 4);
	assert_int_equal(seccomp_compile(&p.s, &bpf, &err), 0);
	find_equals(&p.s, &bpf);
	cached_file(name, &before);
	spoil(name);
	find_equals(&p.s, &bpf);
	assert_int_equal(fstatat(dir, name, &after, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(S_ISREG(after.st_mode), replaced);
	if (replaced) {
		assert_int_equal(after.st_mode & 07777, 0600);
		assert_int_equal(after.st_uid, geteuid());
		assert_int_not_equal(after.st_ino, before.st_ino);
	}
}

static void test_untrusted_files(void **state)
{
	(void)state;
	check_untrusted(writable_by_others, true);
	check_untrusted(writable_by_group, true);
	check_untrusted(symlink_to_it, true);
	check_untrusted(fifo, true);
	check_untrusted(directory, false);
	if (geteuid() == 0)
		check_untrusted(of_another_user, true);
}

/* A directory that takes no files costs nothing but the compiling. */
static void test_unwritable_directory(void **state)
{
	autofd proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoarena arena = ARENA_INIT;
	autobuf bpf = BUF_INIT;
	struct err err = { 0 };
	struct sample p;
	const void *found;
	size_t len;

	(void)state;
	assert_true(proc >= 0);
	sample_init(&p, 5);
	assert_int_equal(seccomp_compile(&p.s, &bpf, &err), 0);
	assert_int_equal(seccomp_find(proc, &p.s, compile_here, NULL, &arena, &found, &len, &err),
			 0);
	assert_int_equal(len, bpf.len);
	assert_memory_equal(found, bpf.data, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_near_equal_pairs, empty_dir),
		cmocka_unit_test_setup(test_hit, empty_dir),
		cmocka_unit_test_setup(test_damaged_file, empty_dir),
		cmocka_unit_test_setup(test_collision, empty_dir),
		cmocka_unit_test_setup(test_untrusted_files, empty_dir),
		cmocka_unit_test(test_unwritable_directory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
