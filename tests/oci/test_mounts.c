/* SPDX-License-Identifier: Apache-2.0 */
/* The table of mount options, and what it makes of a mount's options in a plan. */
#include "oci/mount_options.h"
#include "oci/plan.h"
#include "tests/oci/spec_text.h"

#include <stdio.h>
#include <sys/mount.h>

/* config.md, "Linux mount options", all that MUST or SHOULD be supported. */
static const char *const specified[] = {
	"async",	  "atime",	"bind",		"defaults",    "dev",
	"diratime",	  "dirsync",	"exec",		"iversion",    "lazytime",
	"loud",		  "mand",	"noatime",	"nodev",       "nodiratime",
	"noexec",	  "noiversion", "nolazytime",	"nomand",      "norelatime",
	"nostrictatime",  "nosuid",	"nosymfollow",	"private",     "ratime",
	"rbind",	  "rdev",	"rdiratime",	"relatime",    "remount",
	"rexec",	  "rnoatime",	"rnodiratime",	"rnoexec",     "rnorelatime",
	"rnostrictatime", "rnosuid",	"rnosymfollow", "ro",	       "rprivate",
	"rrelatime",	  "rro",	"rrw",		"rshared",     "rslave",
	"rstrictatime",	  "rsuid",	"rsymfollow",	"runbindable", "rw",
	"shared",	  "silent",	"slave",	"strictatime", "suid",
	"symfollow",	  "sync",	"tmpcopyup",	"unbindable",  "idmap",
	"ridmap",
};

static void all_of_the_spec(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specified); i++)
		if (!mount_option_find(specified[i]))
			fail_msg("unknown: %s", specified[i]);
}

static void the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < mount_option_count; i++) {
		const struct mount_option *o = &mount_options[i], *r;
		char recursive[32];

		/* The first of a name: no other follows. */
		assert_ptr_equal(mount_option_find(o->name), o);
		if (o->kind != OPTION_ATTR)
			continue;
		/* Something to do, and nothing both set and cleared but within the field of atime
		 * modes. */
		assert_true(o->set | o->clear);
		assert_true((o->set & o->clear & ~(uint64_t)MOUNT_ATTR__ATIME) == 0);
		snprintf(recursive, sizeof(recursive), "r%s", o->name);
		r = mount_option_find(recursive);
		assert_non_null(r);
		assert_int_equal(r->kind, OPTION_ATTR_RECURSIVE);
		assert_true(r->set == o->set && r->clear == o->clear);
	}
}

static void unknown_options(void **state)
{
	static const char *const names[] = { "",	"r",	"RO",	"ro ",
					     "size=1m", "ro=1", "rbin", "rbindx" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_null(mount_option_find(names[i]));
}

static struct plan *build(struct arena *a, const char *type, const char *options)
{
	struct plan_opts opts = {
		.id = "x", .bundle = "/b", .seccomp_cache = -1, .privileged = true
	};
	struct plan *plan = arena_alloc(a, sizeof(*plan));
	char *json = to_json(
		a,
		arena_printf(a,
			     SPEC("'process':{'args':['sh'],'cwd':'/'},'linux':{'namespaces':"
				  "[{'type':'mount'}]},'mounts':[{'destination':'/x','type':'%s',"
				  "'source':'/s','options':[%s]}]"),
			     type, options));
	struct spec *spec;
	struct err err;

	if (spec_parse(json, strlen(json), a, &spec, &err) < 0 ||
	    plan_build(spec, &opts, a, plan, &err) < 0)
		fail_msg("%s: %s", json, err.msg);
	return plan;
}

static const struct step *plan_mount_of(struct arena *a, const char *type, const char *options)
{
	const struct plan *plan = build(a, type, options);

	for_each (s, &plan->steps)
		if (s->path && strcmp(s->path, "/x") == 0)
			return s;
	fail_msg("no step for /x");
	return NULL;
}

static const struct step *plan_mount(struct arena *a, const char *options)
{
	return plan_mount_of(a, "tmpfs", options);
}

#define RO MOUNT_ATTR_RDONLY
#define ATIME MOUNT_ATTR__ATIME
#define PRIVATE (MS_PRIVATE | MS_REC)

/* Later options win over earlier ones. */
static void attributes_of_binds(void **state)
{
	static const struct {
		const char *options;
		unsigned int flags;
		uint64_t arg[STEP_ARGS];
	} cases[] = {
		{ "'bind'", 0, { 0, 0, 0, 0, PRIVATE } },
		{ "'rbind'", STEP_RECURSIVE, { 0, 0, 0, 0, PRIVATE } },
		{ "'bind','rbind'", STEP_RECURSIVE, { 0, 0, 0, 0, PRIVATE } },
		{ "'rbind','bind'", 0, { 0, 0, 0, 0, PRIVATE } },
		{ "'bind','ro'", 0, { RO, 0, 0, 0, PRIVATE } },
		{ "'bind','ro','rw'", 0, { 0, RO, 0, 0, PRIVATE } },
		{ "'bind','rw','ro'", 0, { RO, 0, 0, 0, PRIVATE } },
		{ "'bind','rro','rw'", 0, { 0, RO, RO, 0, PRIVATE } },
		{ "'bind','rro','rrw'", 0, { 0, 0, 0, RO, PRIVATE } },
		{ "'bind','noatime'", 0, { MOUNT_ATTR_NOATIME, ATIME, 0, 0, PRIVATE } },
		{ "'bind','noatime','strictatime'",
		  0,
		  { MOUNT_ATTR_STRICTATIME, ATIME, 0, 0, PRIVATE } },
		{ "'bind','noatime','relatime'", 0, { 0, ATIME, 0, 0, PRIVATE } },
		{ "'bind','rnoatime'", 0, { 0, 0, MOUNT_ATTR_NOATIME, ATIME, PRIVATE } },
		{ "'bind','shared'", 0, { 0, 0, 0, 0, MS_SHARED } },
		{ "'bind','shared','rslave'", 0, { 0, 0, 0, 0, MS_SLAVE | MS_REC } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct step *s = plan_mount(&a, cases[i].options);

		assert_int_equal(s->op, STEP_BIND);
		assert_int_equal(s->flags, cases[i].flags | STEP_ON_HOST);
		for (size_t k = 0; k < STEP_ARGS; k++)
			if (s->arg[k] != cases[i].arg[k])
				fail_msg("%s: arg%zu is %#llx, not %#llx", cases[i].options, k,
					 (unsigned long long)s->arg[k],
					 (unsigned long long)cases[i].arg[k]);
	}
}

/* As fsconfig(2) is fed: flags, pairs, the source last. */
static void data_of_file_systems(void **state)
{
	static const struct {
		const char *options;
		uint64_t attributes;
		unsigned int flags;
		const char *data;
		size_t len;
	} cases[] = {
#define DATA(s) s, sizeof(s)
#define SOURCE "ssource\0/s\0"
		{ "", 0, 0, DATA(SOURCE) },
		{ "'defaults','silent','loud',''", 0, 0, DATA(SOURCE) },
		{ "'size=1m'", 0, 0, DATA("ssize\0001m\0" SOURCE) },
		{ "'size='", 0, 0, DATA("ssize\0\0" SOURCE) },
		{ "'a=b=c','flag','sync'", 0, 0, DATA("sa\0b=c\0fflag\0fsync\0" SOURCE) },
		{ "'sync','a','async'", 0, 0, DATA("fsync\0fa\0fasync\0" SOURCE) },
		/* fsconfig(2) has no name for these. */
		{ "'iversion','noiversion'", 0, 0, DATA(SOURCE) },
		{ "'nosuid','rnodev'", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, DATA(SOURCE) },
		/* Not to be written even by the mount itself. */
		{ "'ro'", RO, 0, DATA(SOURCE "fro\0") },
		{ "'ro','rw'", 0, 0, DATA(SOURCE) },
		{ "'tmpcopyup'", 0, STEP_COPY_UP, DATA(SOURCE) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct step *s = plan_mount(&a, cases[i].options);

		assert_int_equal(s->op, STEP_MOUNT);
		assert_string_equal(s->type, "tmpfs");
		assert_int_equal(s->flags, cases[i].flags);
		assert_true(s->arg[0] == cases[i].attributes);
		assert_int_equal(s->data_len, cases[i].len);
		assert_memory_equal(s->data, cases[i].data, s->data_len);
	}
}

/* One string may hold several options; it is split where mount(2) would split it. */
static void lists_of_options(void **state)
{
	static const struct {
		const char *type, *options, *data;
		size_t len;
		uint64_t attributes;
	} cases[] = {
		{ "tmpfs", "'size=1m,mode=700'", DATA("ssize\0001m\0smode\000700\0" SOURCE), 0 },
		{ "tmpfs", "',size=1m,,','nr_inodes=9,'",
		  DATA("ssize\0001m\0snr_inodes\0009\0" SOURCE), 0 },
		{ "tmpfs", "'nosuid,nodev'", DATA(SOURCE), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV },
		{ "tmpfs", "'mpol=bind:0,2-3,size=1m'",
		  DATA("smpol\0bind:0,2-3\0ssize\0001m\0" SOURCE), 0 },
		{ "devpts", "'gid=5,5'", DATA("sgid\0005\0f5\0" SOURCE), 0 },
		{ "overlay", "'lowerdir=/l:/m,upperdir=/u,workdir=/w'",
		  DATA("slowerdir\0/l:/m\0supperdir\0/u\0sworkdir\0/w\0" SOURCE), 0 },
		{ "overlay", "'lowerdir=/l\\\\,1\\\\:2,upperdir=/u\\\\\\\\,volatile'",
		  DATA("slowerdir\0/l\\,1\\:2\0supperdir\0/u\\\\\0fvolatile\0" SOURCE), 0 },
		{ "xfs", "'a=/l\\\\,b'", DATA("sa\0/l\\\0fb\0" SOURCE), 0 },
		{ "xfs", "'context=\\\"u:r:t:s0:c1,c2\\\",quota'",
		  DATA("scontext\0u:r:t:s0:c1,c2\0fquota\0" SOURCE), 0 },
		{ "xfs", "'a=\\\"b,c'", DATA("sa\0\"b\0fc\0" SOURCE), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct step *s = plan_mount_of(&a, cases[i].type, cases[i].options);

		assert_true(s->arg[0] == cases[i].attributes);
		assert_int_equal(s->data_len, cases[i].len);
		assert_memory_equal(s->data, cases[i].data, s->data_len);
	}
}

/* What is for a whole file system changes none that is mounted already: the defaults are taken as said,
 * with the rest goes a warning. */
static void superblock_of_others(void **state)
{
	static const char *const mounts[] = { "bind", "remount", "cgroup" };
	static const struct {
		const char *options;
		size_t warnings;
	} cases[] = {
		{ "'async','nolazytime','nomand','noiversion','iversion','acl'", 0 },
		{ "'sync'", 1 },
		{ "'dirsync'", 1 },
		{ "'mand'", 1 },
		{ "'lazytime'", 1 },
		{ "'noacl'", 1 },
		{ "'async,sync'", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(mounts); i++) {
		const char *mount = mounts[i % ARRAY_SIZE(mounts)];
		size_t k = i / ARRAY_SIZE(mounts);
		autoarena a = ARENA_INIT;
		const char *options = arena_printf(&a, "'%s',%s", mount, cases[k].options);
		const struct plan *plan = strcmp(mount, "cgroup") == 0
						  ? build(&a, mount, cases[k].options)
						  : build(&a, "tmpfs", options);

		assert_int_equal(plan->warnings.count, cases[k].warnings);
	}
}

static void remounts(void **state)
{
	autoarena a = ARENA_INIT;
	const struct step *s = plan_mount(&a, "'bind','remount','ro','rnoexec'");

	(void)state;
	assert_int_equal(s->op, STEP_REMOUNT);
	assert_int_equal(s->arg[0], RO);
	assert_int_equal(s->arg[2], MOUNT_ATTR_NOEXEC);
	assert_null(s->source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_the_spec),	cmocka_unit_test(the_table),
		cmocka_unit_test(unknown_options),	cmocka_unit_test(attributes_of_binds),
		cmocka_unit_test(data_of_file_systems), cmocka_unit_test(lists_of_options),
		cmocka_unit_test(superblock_of_others), cmocka_unit_test(remounts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
