/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans against golden files: tests/golden/NAME.json is a spec, NAME.plan what plan_text() says of
 * it. No root, no kernel feature. UPDATE=1 writes the files anew. Runs at the top of the source
 * tree.
 */
#include "lib/file.h"
#include "oci/default_spec.h"
#include "oci/plan.h"
#include "oci/seccomp.h"
#include "oci/seccomp_cache.h"
#include "tests/oci/spec_text.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/personality.h>

#define GOLDEN "tests/golden/"
#define SYNC_FD 7

/* How the plan of a case is made, on top of what all have in common. */
enum {
	CREATE = 1,
	EXEC = 2,
	ROOTLESS = 4,	    /* no privilege on the host, setgroups denied */
	FROM_TOTE_SPEC = 8, /* the JSON is what `tote spec` writes, and is compared with it */
	NO_FILE = 16,	    /* the same, too long to keep in a file */
	NO_USER_NS = 64,    /* EXEC into a container without one of its own */
	ODD_OPTIONS = 32, /* no pivot_root, no keyring, descriptors to preserve, a notify socket */
	LAYERS = 128,	  /* the root is made of layers of a store */
	FIXED = 256,	  /* with LAYERS: nothing can be written */
};

struct golden {
	const char *name, *json;
	unsigned int how, default_spec;
};

static const struct golden goldens[] = {
	{ "default", "default", FROM_TOTE_SPEC, 0 },
	{ "default-create", "default", CREATE, 0 },
	{ "default-exec", "default", EXEC | NO_USER_NS, 0 },
	{ "default-seccomp", NULL, NO_FILE, DEFAULT_SPEC_SECCOMP },
	{ "rootless", "rootless", ROOTLESS | FROM_TOTE_SPEC, DEFAULT_SPEC_ROOTLESS },
	{ "everything", "everything", 0, 0 },
	{ "everything-create", "everything", CREATE, 0 },
	{ "everything-exec", "everything", EXEC, 0 },
	{ "userns", "userns", 0, 0 },
	{ "listener", "listener", ODD_OPTIONS, 0 },
	{ "listener-create", "listener", CREATE, 0 },
	{ "dev-spellings", "dev-spellings", 0, 0 },
	{ "init", "init", CREATE, 0 },
	{ "init-exec", "init", EXEC | NO_USER_NS, 0 },
	{ "layers", "default", LAYERS, 0 },
	{ "layers-read-only", "default", LAYERS | FIXED, 0 },
	{ "layers-rootless", "rootless", LAYERS | ROOTLESS, 0 },
};

static int golden_dir = -1, cache = -1;
static char *cache_path;

static bool updating(void)
{
	return getenv("UPDATE") && *getenv("UPDATE");
}

static const struct rootfs *layers(unsigned int how)
{
	static char *names[] = { "cccccccc", "bbbbbbbb", "aaaaaaaa", NULL };
	static struct rootfs r;

	r = (struct rootfs){
		.store = "/store",
		.layers = { names, 3 },
		.container = "golden-1",
		.read_only = how & FIXED,
		.user_xattr = how & ROOTLESS,
		.tree = -1,
	};
	return how & LAYERS ? &r : NULL;
}

static struct plan_opts options(unsigned int how)
{
	static const struct plan_join joins[] = {
		{ NS_MOUNT, "/proc/7/ns/mnt" },
		{ NS_USER, "/proc/7/ns/user" },
		{ NS_PID, "/proc/7/ns/pid" },
	};
	struct plan_opts o = {
		.id = "golden",
		.bundle = "/bundle",
		.privileged = !(how & ROOTLESS),
		.create = how & CREATE,
		.no_setgroups = how & ROOTLESS,
		.seccomp_cache = cache,
		.cgroup_path = "/tote-golden",
		.rootfs = layers(how),
	};

	if (how & EXEC) {
		o.joins = joins;
		o.join_count = how & NO_USER_NS ? 1 : ARRAY_SIZE(joins);
	}
	if (how & ODD_OPTIONS) {
		o.no_pivot = o.no_new_keyring = true;
		o.preserve_fds = 2;
		o.notify_dir = "/run/tote/golden/notify";
	}
	return o;
}

static char *golden_name(struct arena *a, const char *name, const char *suffix)
{
	return arena_printf(a, "%s.%s", name, suffix);
}

static char *read_golden(struct arena *a, const char *name)
{
	struct err err;
	char *text;

	if (file_read(golden_dir, name, JSON_MAX_SIZE, a, &text, NULL, &err) < 0)
		fail_msg(GOLDEN ": %s (UPDATE=1 writes it)", err.msg);
	return text;
}

static size_t line_length(const char *s)
{
	return strcspn(s, "\n");
}

/* Fails with the first line that differs. */
static void compare_lines(const char *name, const char *expected, const char *found)
{
	for (int line = 1; *expected || *found; line++) {
		size_t e = line_length(expected), f = line_length(found);

		if (e != f || memcmp(expected, found, e) != 0 || !expected[e] != !found[f])
			fail_msg(GOLDEN "%s:%d (UPDATE=1 rewrites it)\n-%.*s\n+%.*s", name, line,
				 (int)e, expected, (int)f, found);
		expected += e + (expected[e] == '\n');
		found += f + (found[f] == '\n');
	}
}

static void compare_or_update(struct arena *a, const char *name, const char *text)
{
	struct err err;

	if (!updating())
		compare_lines(name, read_golden(a, name), text);
	else if (file_replace(golden_dir, name, text, strlen(text), 0644, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Puts to in place of the number behind each key. */
static char *replace_numbers(struct arena *a, const char *text, const char *key, const char *to)
{
	autobuf out = BUF_INIT;

	for (const char *at; (at = strstr(text, key)); text = at + strspn(at, "0123456789")) {
		at += strlen(key);
		buf_add(&out, text, (size_t)(at - text));
		buf_adds(&out, to);
	}
	buf_adds(&out, text);
	return arena_strdup(a, buf_str(&out));
}

static const char *spec_text(const struct golden *g, struct arena *a)
{
	autobuf text = BUF_INIT;
	char *name, *written;

	if (!(g->how & (FROM_TOTE_SPEC | NO_FILE)))
		return read_golden(a, golden_name(a, g->json, "json"));
	default_spec_write(&text, g->default_spec);
	/* A rootless spec maps the caller's own ids. */
	written = replace_numbers(a, buf_str(&text), "\"hostID\": ", "1000");
	if (g->how & NO_FILE)
		return written;
	name = golden_name(a, g->json, "json");
	compare_or_update(a, name, written);
	return read_golden(a, name);
}

static int compile(const struct spec_seccomp *seccomp, const char *config, struct buf *ret_bpf,
		   struct err *err)
{
	(void)config;
	return seccomp_compile(seccomp, ret_bpf, err);
}

/* Filters are compiled here and found in the cache, so that no program beside this one is needed.
 */
static void fill_cache(const struct spec_seccomp *seccomp)
{
	autoarena a = ARENA_INIT;
	const void *bpf;
	struct err err;
	size_t len;

	if (seccomp && seccomp_find(cache, seccomp, compile, NULL, &a, &bpf, &len, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct plan build(const char *json, unsigned int how, struct arena *a)
{
	struct plan_opts opts = options(how);
	struct spec *spec = NULL;
	struct plan plan = { 0 };
	struct err err = { 0 };
	int r = spec_parse(json, strlen(json), a, &spec, &err);

	if (r == 0)
		fill_cache(spec->linux_.seccomp);
	if (r == 0 && how & EXEC)
		r = plan_build_exec(spec, spec->process, &opts, a, &plan, &err);
	else if (r == 0)
		r = plan_build(spec, &opts, a, &plan, &err);
	if (r < 0)
		fail_msg("%s", err.msg);
	return plan;
}

/* What plan_text() leaves to others: warnings are logged, clock offsets written by the host. */
static char *full_text(const struct plan *plan, struct arena *a)
{
	autobuf text = BUF_INIT;

	plan_text(plan, &text);
	if (plan->time_offsets)
		buf_addf(&text, "time offsets:\n%s", plan->time_offsets);
	for_each (w, &plan->warnings)
		buf_addf(&text, "warning: %s\n", *w);
	/* How long a filter gets is libseccomp's affair, and each processor's. */
	return replace_numbers(a, buf_str(&text), "load the seccomp filter of ", "N");
}

static void as_golden(void **state)
{
	const struct golden *g = *state;
	autoarena a = ARENA_INIT;
	struct plan plan = build(spec_text(g, &a), g->how, &a);

	compare_or_update(&a, golden_name(&a, g->name, "plan"), full_text(&plan, &a));
}

static const char *wire_string(const struct buf *wire, uint32_t at)
{
	if (!at)
		return NULL;
	assert_true(at < wire->len);
	assert_non_null(memchr(wire->data + at, '\0', wire->len - at));
	return wire->data + at;
}

static void check_string(const struct buf *wire, uint32_t at, const char *expected)
{
	const char *s = wire_string(wire, at);

	assert_true(!s == !expected);
	if (s)
		assert_string_equal(s, expected);
}

static void check_strings(const struct buf *wire, uint32_t at, char *const *expected)
{
	size_t i = 0;

	assert_int_equal(at % sizeof(uintptr_t), 0);
	for (;; i++) {
		uintptr_t offset;

		assert_true(at + (i + 1) * sizeof(offset) <= wire->len);
		memcpy(&offset, wire->data + at + i * sizeof(offset), sizeof(offset));
		if (!offset)
			break;
		assert_non_null(expected[i]);
		assert_string_equal(wire_string(wire, (uint32_t)offset), expected[i]);
	}
	assert_true(!expected || !expected[i]);
}

static void check_step(const struct buf *wire, const struct wire_step *w, const struct step *s)
{
	assert_int_equal(w->op, s->op);
	assert_int_equal(w->flags, s->flags);
	assert_int_equal(w->fd, s->fd);
	assert_memory_equal(w->arg, s->arg, sizeof(s->arg));
	check_string(wire, w->path, s->path);
	if (s->op == STEP_HOOK) {
		check_strings(wire, w->source, s->argv);
		check_strings(wire, w->type, s->envp);
	} else {
		check_string(wire, w->source, s->source);
		check_string(wire, w->type, s->type);
	}
	assert_int_equal(w->data_len, s->data ? s->data_len : 0);
	assert_true(!w->data == !s->data);
	if (!w->data)
		return;
	/* The kernel reads filters and masks by words; strings are used as such. */
	assert_int_equal(w->data % 8, 0);
	assert_true(w->data + w->data_len < wire->len);
	assert_int_equal(wire->data[w->data + w->data_len], '\0');
	assert_memory_equal(wire->data + w->data, s->data, s->data_len);
}

static void wire_form(void **state)
{
	const struct golden *g = *state;
	autoarena a = ARENA_INIT;
	autobuf wire = BUF_INIT;
	struct plan plan = build(spec_text(g, &a), g->how, &a);
	struct wire_plan head;

	plan.steps.items[0].fd = 12;
	plan_encode(&plan, SYNC_FD, &wire);
	memcpy(&head, wire.data, sizeof(head));
	assert_int_equal(head.magic, PLAN_MAGIC);
	assert_int_equal(head.size, wire.len);
	assert_int_equal(head.sync_fd, SYNC_FD);
	assert_int_equal(head.step_count, plan.steps.count);
	assert_int_equal(head.steps % 8, 0);
	assert_true(head.steps + head.step_count * sizeof(struct wire_step) <= wire.len);
	for (size_t i = 0; i < plan.steps.count; i++) {
		struct wire_step w;

		memcpy(&w, wire.data + head.steps + i * sizeof(w), sizeof(w));
		check_step(&wire, &w, &plan.steps.items[i]);
	}
	check_strings(&wire, head.argv, plan.argv);
	check_strings(&wire, head.envp, plan.envp);
}

static const struct step *find(const struct plan *plan, enum step_op op)
{
	for_each (s, &plan->steps)
		if (s->op == op)
			return s;
	fail_msg("no step %d", op);
	return NULL;
}

/* What the text does not show. */
static void hidden_values(void **state)
{
	static const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} deadline = { 48, 6, 1, 0, 0, 1000000, 2000000, 3000000 };
	autoarena a = ARENA_INIT;
	const char *json = read_golden(&a, "everything.json");
	struct plan plan = build(json, 0, &a), exec = build(json, EXEC, &a);
	const struct step *s = find(&plan, STEP_SCHEDULER);

	(void)state;
	assert_int_equal(s->data_len, sizeof(deadline));
	assert_memory_equal(s->data, &deadline, sizeof(deadline));
	assert_int_equal(find(&plan, STEP_IO_PRIORITY)->arg[0],
			 IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7));
	assert_int_equal(find(&plan, STEP_PERSONALITY)->arg[0], PER_LINUX32);
	s = find(&plan, STEP_MEMORY_POLICY);
	assert_int_equal(s->arg[0], MPOL_BIND | MPOL_F_STATIC_NODES);
	assert_int_equal(s->arg[1], 5);
	assert_int_equal(s->data_len, 8);
	assert_int_equal(*(const uint64_t *)s->data, 0xd);
	s = find(&exec, STEP_AFFINITY);
	assert_int_equal(s->data_len, 16);
	assert_int_equal(((const uint64_t *)s->data)[0], 7);
	assert_int_equal(((const uint64_t *)s->data)[1], 2);
	s = find(&plan, STEP_TERMINAL);
	assert_int_equal(s->arg[0], 24 << 16 | 80);
	assert_int_equal(s->arg[1], 1000);
	assert_int_equal(s->flags, STEP_CONSOLE);
	assert_int_equal(find(&exec, STEP_TERMINAL)->flags, 0);
	s = find(&plan, STEP_FIND_PROGRAM);
	assert_string_equal(s->data, "/bin:/usr/bin");
	s = find(&plan, STEP_KEYRING);
	assert_string_equal(s->data, "_ses.golden");
	assert_int_equal(find(&plan, STEP_SECCOMP)->data_len % 8, 0);
	assert_true(find(&plan, STEP_SECCOMP)->data_len > 0);
	/* The variable is the second one. */
	plan = build(read_golden(&a, "init.json"), CREATE, &a);
	assert_int_equal(find(&plan, STEP_INIT)->arg[0], 2);
}

static void who_does_what(void **state)
{
	autoarena a = ARENA_INIT;
	struct plan all = build(read_golden(&a, "everything.json"), 0, &a);
	struct plan userns = build(read_golden(&a, "userns.json"), 0, &a);
	struct plan listener = build(read_golden(&a, "listener.json"), 0, &a);

	(void)state;
	assert_true(all.host_work && all.new_time_ns && all.terminal);
	assert_false(all.user_ns || all.ready || all.listener);
	assert_string_equal(all.root, "/bundle/rootfs");
	assert_int_equal(all.joins.count, 1);
	assert_true(userns.user_ns && userns.new_user_ns && userns.ready && userns.host_rlimits);
	assert_false(userns.host_work);
	assert_string_equal(userns.root, "/srv/rootfs");
	assert_true(listener.user_ns && listener.listener);
	assert_false(listener.new_user_ns);
}

static const struct step *root_step(struct rootfs *r, const char *json, struct arena *a)
{
	struct plan_opts opts = options(0);
	struct spec *spec = NULL;
	struct plan plan = { 0 };
	struct err err = { 0 };

	opts.rootfs = r;
	if (spec_parse(json, strlen(json), a, &spec, &err) < 0 ||
	    plan_build(spec, &opts, a, &plan, &err) < 0)
		fail_msg("%s", err.msg);
	return find(&plan, STEP_ROOT);
}

/* What tote-init mounts by, and who may get a bind mount. */
static void layers_of_the_root(void **state)
{
	static const char first[] = "slowerdir+\0/store/l/cccccccc\0slowerdir+\0/store/l/bbbbbbbb";
	static const char mounter[] =
		SPEC("'process':{'args':['sh'],'cwd':'/','user':{'uid':0,'gid':0},"
		     "'capabilities':{'bounding':['CAP_KILL','CAP_SYS_ADMIN']}},"
		     "'linux':{'namespaces':[{'type':'mount'}]}");
	struct rootfs r = *layers(LAYERS | ROOTLESS);
	autoarena a = ARENA_INIT;
	const char *json = read_golden(&a, "default.json");
	const struct step *s = root_step(&r, json, &a);
	char *many[ROOTFS_LAYERS_MAX + 1];
	struct err err;

	(void)state;
	assert_true(s->simple);
	assert_memory_equal(s->data, first, sizeof(first));
	assert_string_equal(s->source, "/store/l");
	assert_string_equal((const char *)s->data + s->arg[1],
			    "lowerdir=cccccccc:bbbbbbbb:aaaaaaaa,"
			    "upperdir=../containers/golden-1/upper,"
			    "workdir=../containers/golden-1/work,"
			    "metacopy=off,redirect_dir=nofollow,index=off,xino=off,userxattr");
	assert_int_equal(((const char *)s->data)[s->arg[1] - 1], '\0');
	assert_false(root_step(&r, read_golden(&a, "userns.json"), &a)->simple);
	assert_false(root_step(&r, to_json(&a, mounter), &a)->simple);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (char *)"abcdefgh";
	r.layers.items = many;
	r.layers.count = ROOTFS_LAYERS_MAX;
	s = root_step(&r, json, &a);
	assert_int_equal(s->arg[1], 0);
	assert_true(s->data_len > ROOTFS_LAYERS_MAX * sizeof("/store/l/abcdefgh"));
	r.layers.count++;
	assert_int_equal(rootfs_check(&r, &err), -E2BIG);
	assert_string_equal(err.msg, "an image of 501 layers: overlayfs takes at most 500");
	r.layers.count = 0;
	assert_int_equal(rootfs_check(&r, &err), -EINVAL);
}

static void refused(void **state)
{
	static const struct {
		const char *text;
		unsigned int how;
		int code;
		const char *message;
	} cases[] = {
#define PLAN(mounts, linux)                                                                        \
	SPEC("'process':{'args':['sh'],'cwd':'/"                                                   \
	     "','user':{'uid':0,'gid':0,'additionalGids':[1]}},'mounts':[" mounts                  \
	     "],'linux':{'namespaces':[{'type':'mount'}]" linux "}")
		{ SPEC("'linux':{'namespaces':[{'type':'mount'}]}"), 0, -EINVAL,
		  "process: a container without one cannot be started" },
		{ PROCESS("'env':[]"), 0, -EINVAL,
		  "linux.namespaces: a mount namespace is needed" },
		{ PLAN("{'destination':'/x','options':['bind']}", ""), 0, -EINVAL,
		  "mounts: /x: a bind mount needs a source" },
		{ PLAN("{'destination':'x','type':'bind','source':''}", ""), 0, -EINVAL,
		  "mounts: /x: a bind mount needs a source" },
		{ PLAN("{'destination':'/x','source':'/y'}", ""), 0, -EINVAL,
		  "mounts: /x: a type or the option \"bind\" is needed" },
		{ PLAN("{'destination':'/x','source':'/y','options':['bind','idmap']}", ""), 0,
		  -EINVAL,
		  "mounts: /x: idmap: neither the mount nor the container has id mappings" },
		{ PLAN("{'destination':'/x','source':'/y','options':['bind','idmap']}", ""),
		  ROOTLESS, -EPERM,
		  "mounts: /x: an id-mapped mount needs CAP_SYS_ADMIN on the host" },
		{ PLAN("{'destination':'/x','type':'tmpfs','options':['idmap']}", ""), 0,
		  -EOPNOTSUPP, "mounts: /x: only bind mounts can be id-mapped" },
		{ PLAN("", "},'annotations':{'org.tote.init':'yes'"), 0, -EINVAL,
		  "annotations[\"org.tote.init\"]: expected true or false, found \"yes\"" },
		{ SPEC("'process':{'args':['sh'],'cwd':'/','user':{'uid':0,'gid':0},"
		       "'selinuxLabel':'x'},'annotations':{'org.tote.init':'true'},"
		       "'linux':{'namespaces':[{'type':'mount'}]}"),
		  0, -EOPNOTSUPP,
		  "process.selinuxLabel: it cannot be given to the init that "
		  "annotations[\"org.tote.init\"] asks for" },
		{ PLAN("", ""), ROOTLESS, -EPERM,
		  "process.user.additionalGids: without subordinate ids there are no groups to "
		  "set" },
		{ PLAN("", ",'memoryPolicy':{'mode':'MPOL_BIND','nodes':'4096'}"), 0, -EINVAL,
		  "linux.memoryPolicy.nodes: \"4096\" is not a list like 0-3,7" },
		{ SPEC("'process':{'args':['sh'],'cwd':'/','user':{'uid':0,'gid':0}},'linux':{"
		       "'namespaces':[{'type':'mount','path':'/proc/7/ns/mnt'}]}"),
		  LAYERS, -EINVAL,
		  "linux.namespaces: a container that runs from an image needs a new mount "
		  "namespace" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		char *json = to_json(&a, cases[i].text);
		struct plan_opts opts = options(cases[i].how);
		struct plan plan = { 0 };
		struct spec *spec;
		struct err err = { 0 };

		if (spec_parse(json, strlen(json), &a, &spec, &err) < 0)
			fail_msg("%s: %s", json, err.msg);
		assert_int_equal(plan_build(spec, &opts, &a, &plan, &err), cases[i].code);
		assert_string_equal(err.msg, cases[i].message);
		assert_null(plan.steps.items);
	}
}

static int set_up(void **state)
{
	char dir[] = "/tmp/test_plan.XXXXXX";

	(void)state;
	golden_dir = open(GOLDEN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (golden_dir < 0)
		print_error(GOLDEN ": run this at the top of the source tree\n");
	if (golden_dir < 0 || !mkdtemp(dir))
		return -1;
	cache_path = strdup(dir);
	cache = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cache < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	DIR *dir = fdopendir(cache);
	struct dirent *d;

	(void)state;
	while (dir && (d = readdir(dir)))
		unlinkat(cache, d->d_name, 0);
	rmdir(cache_path);
	closedir(dir);
	free(cache_path);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[2 * ARRAY_SIZE(goldens) + 4];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(goldens); i++) {
		struct golden *g = (struct golden *)&goldens[i];

		tests[n++] = (struct CMUnitTest){ g->name, as_golden, NULL, NULL, g };
		tests[n++] = (struct CMUnitTest){ "its wire form", wire_form, NULL, NULL, g };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(hidden_values);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(who_does_what);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(layers_of_the_root);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refused);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
