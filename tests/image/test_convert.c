/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"
#include "lib/fd.h"
#include "oci/image/convert.h"
#include "oci/seccomp.h"
#include "oci/seccomp_cache.h"
#include "oci/spec_write.h"
#include "tests/oci/spec_text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIFF_ID "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IMAGE(members) "{'rootfs':{'type':'layers','diff_ids':['" DIFF_ID "']}," members "}"
#define SH(members) IMAGE("'config':{'Cmd':['sh']," members "}")
#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define STRV(...)                                                                                  \
	{                                                                                          \
		(char *[]){ __VA_ARGS__, NULL },                                                   \
			sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)                         \
	}

static char root_path[] = "/tmp/test_convert.XXXXXX";
static int root = -1;

static int put(const char *path, const char *text)
{
	autofd fd = fd_create(root, path, O_WRONLY | O_CREAT, 0600);

	return fd < 0 ? -1 : fd_write_full(fd, text, strlen(text));
}

static int make_root(void **state)
{
	(void)state;
	if (!mkdtemp(root_path))
		return -1;
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || mkdirat(root, "etc", 0700) < 0)
		return -1;
	return put("etc/passwd", "root:x:0:0::/root:\napp:x:5:6::/home/app:\n") < 0 ||
	       put("etc/group", "audio:x:29:app\n") < 0;
}

static int remove_root(void **state)
{
	(void)state;
	unlinkat(root, "etc/passwd", 0);
	unlinkat(root, "etc/group", 0);
	unlinkat(root, "etc", AT_REMOVEDIR);
	close(root);
	return rmdir(root_path);
}

static struct image_config parse_image(const char *text, struct arena *a)
{
	char *json = to_json(a, text);
	struct image_config image;
	struct err err = { 0 };

	if (image_config_parse(json, strlen(json), a, &image, &err) < 0)
		fail_msg("%s\n%s", err.msg, json);
	return image;
}

static char *text_of(const char *image_text, const struct convert_opts *opts, struct arena *a)
{
	struct image_config image = parse_image(image_text, a);
	struct convert_opts o = *opts;
	autobuf text = BUF_INIT;
	struct err err = { 0 };

	o.root_path = o.root_path ? o.root_path : "rootfs";
	if (convert_spec(&image, &o, root, &text, &err) < 0)
		fail_msg("%s\n%s", err.msg, image_text);
	return arena_strdup(a, buf_str(&text));
}

/* As a runtime reads it, which also says that it can. */
static struct spec *convert(const char *image_text, const struct convert_opts *opts,
			    struct arena *a)
{
	char *text = text_of(image_text, opts, a);
	struct spec *spec = NULL;
	struct err err = { 0 };

	if (spec_parse(text, strlen(text), a, &spec, &err) < 0)
		fail_msg("%s\n%s", err.msg, text);
	return spec;
}

static void expect_error(const char *image_text, const struct convert_opts *opts, int code,
			 const char *message)
{
	autoarena a = ARENA_INIT;
	struct image_config image = parse_image(image_text, &a);
	struct convert_opts o = *opts;
	autobuf text = BUF_INIT;
	struct err err = { 0 };
	int r;

	o.root_path = "rootfs";
	r = convert_spec(&image, &o, root, &text, &err);
	if (r != -code || !strstr(err.msg, message))
		fail_msg("%d, %s; expected %s", r, err.msg, message);
	assert_int_equal(text.len, 0);
}

static char *joined(const struct strv *list, struct arena *a)
{
	autobuf b = BUF_INIT;

	for_each (s, list)
		buf_addf(&b, "%s%s", b.len ? " " : "", *s);
	return arena_strdup(a, buf_str(&b));
}

#define CAPS                                                                                       \
	"['CAP_CHOWN','CAP_DAC_OVERRIDE','CAP_FOWNER','CAP_FSETID','CAP_KILL','CAP_SETGID',"       \
	"'CAP_SETUID','CAP_NET_BIND_SERVICE']"

static const char whole[] =
	"{'ociVersion':'1.0.2','process':{'terminal':true,'user':{'uid':5,'gid':6,"
	"'additionalGids':[29]},'args':['/bin/app','-x'],'env':['A=1','" PATH
	"','HOME=/home/app','TERM=xterm'],'cwd':'/srv','capabilities':{'bounding':" CAPS
	",'effective':[],'permitted':[]},'noNewPrivileges':true},"
	"'root':{'path':'/r','readonly':true},'hostname':'box','mounts':["
	"{'destination':'/proc','type':'proc','source':'proc'},"
	"{'destination':'/dev','type':'tmpfs','source':'tmpfs',"
	"'options':['nosuid','strictatime','mode=755','size=65536k']},"
	"{'destination':'/dev/pts','type':'devpts','source':'devpts','options':['nosuid','noexec',"
	"'newinstance','ptmxmode=0666','mode=0620','gid=5']},"
	"{'destination':'/dev/shm','type':'tmpfs','source':'shm',"
	"'options':['nosuid','noexec','nodev','mode=1777','size=65536k']},"
	"{'destination':'/dev/mqueue','type':'mqueue','source':'mqueue',"
	"'options':['nosuid','noexec','nodev']},"
	"{'destination':'/sys','type':'sysfs','source':'sysfs',"
	"'options':['nosuid','noexec','nodev','ro']},"
	"{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup',"
	"'options':['nosuid','noexec','nodev','relatime','ro']},"
	"{'destination':'/data','type':'bind','source':'/host',"
	"'options':['rbind','rprivate','ro']}],"
	"'annotations':{'org.opencontainers.image.os':'linux',"
	"'org.opencontainers.image.stopSignal':'SIGINT','k':'v'},"
	"'linux':{'cgroupsPath':'/tote/x','resources':{'devices':[{'allow':false,'access':'rwm'}],"
	"'memory':{'limit':67108864},'cpu':{'quota':50000,'period':100000},'pids':{'limit':512}},"
	"'namespaces':[{'type':'pid'},{'type':'network'},{'type':'ipc'},{'type':'uts'},"
	"{'type':'mount'},{'type':'cgroup'}],'maskedPaths':['/proc/acpi','/proc/asound',"
	"'/proc/interrupts','/proc/kcore','/proc/keys','/proc/latency_stats','/proc/timer_list',"
	"'/proc/timer_stats','/proc/sched_debug','/proc/scsi','/sys/firmware',"
	"'/sys/devices/virtual/powercap'],'readonlyPaths':['/proc/bus','/proc/fs','/proc/irq',"
	"'/proc/sys','/proc/sysrq-trigger']}}";

static void whole_text(void **state)
{
	static struct convert_mount mounts[] = { { "/host", "/data", "ro", false } };
	const struct convert_opts opts = {
		.root_path = "/r",
		.tty = true,
		.read_only = true,
		.hostname = "box",
		.memory = "64m",
		.cpus = "0.5",
		.mounts = { mounts, 1 },
		.cgroups_path = "/tote/x",
		.seccomp = "unconfined",
	};
	autoarena a = ARENA_INIT;

	(void)state;
	assert_string_equal(
		text_of(IMAGE("'os':'linux','config':{'User':'app','Entrypoint':['/bin/app'],"
			      "'Cmd':['-x'],'Env':['A=1'],'WorkingDir':'/srv','StopSignal':"
			      "'SIGINT','Labels':{'k':'v'}}"),
			&opts, &a),
		to_json(&a, whole));
}

static void args(void **state)
{
	static const char both[] = IMAGE("'config':{'Entrypoint':['e','1'],'Cmd':['c','2']}");
	static const char cmd[] = IMAGE("'config':{'Cmd':['c','2']}");
	static const char none[] = IMAGE("'config':{'Entrypoint':[],'Cmd':null}");
	const struct {
		const char *image, *entrypoint;
		struct strv args;
		const char *expected;
	} cases[] = {
		{ both, NULL, { NULL, 0 }, "e 1 c 2" }, { both, NULL, STRV("x", "y"), "e 1 x y" },
		{ both, "p", { NULL, 0 }, "p" },	{ both, "p", STRV("x"), "p x" },
		{ both, "", STRV("x"), "x" },		{ cmd, NULL, { NULL, 0 }, "c 2" },
		{ cmd, NULL, STRV("x"), "x" },		{ none, NULL, STRV("x"), "x" },
		{ none, "p", { NULL, 0 }, "p" },
	};
	const struct convert_opts empty = { 0 }, no_entrypoint = { .entrypoint = "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct convert_opts opts = { .entrypoint = cases[i].entrypoint,
						   .args = cases[i].args };

		assert_string_equal(joined(&convert(cases[i].image, &opts, &a)->process->args, &a),
				    cases[i].expected);
	}
	expect_error(none, &empty, EINVAL, "nothing to run");
	expect_error(IMAGE("'config':null"), &empty, EINVAL, "nothing to run");
	expect_error(IMAGE("'config':{'Cmd':['']}"), &empty, EINVAL, "nothing to run");
	expect_error(both, &no_entrypoint, EINVAL, "nothing to run");
}

static void environment(void **state)
{
	const struct {
		const char *env, *expected;
		struct strv given;
		bool tty;
	} cases[] = {
		{ "'B=1','A=2','C'", "B=1 A=2 C " PATH " HOME=/root", { NULL, 0 }, false },
		{ "'A=1','B=2','A=3=4','AA=5'",
		  "A=3=4 B=2 AA=5 " PATH " HOME=/root",
		  { NULL, 0 },
		  false },
		{ "'HOME=/h','PATH=/p','TERM=t'", "HOME=/h PATH=/p TERM=t", { NULL, 0 }, true },
		{ "'','=x','A=1'", "A=1 " PATH " HOME=/root TERM=xterm", { NULL, 0 }, true },
		{ "'A=1','B=2'", "A=3 B=2 C=4 " PATH " HOME=/root", STRV("A=3", "C=4"), false },
		{ "'A=1'", "A= " PATH " HOME=/root", STRV("A="), false },
		{ "'A=1','TEST_CONVERT=1'", "A=1 TEST_CONVERT=here " PATH " HOME=/root",
		  STRV("TEST_CONVERT"), false },
		{ "'TEST_CONVERT_NO=1','A=1'", "A=1 " PATH " HOME=/root", STRV("TEST_CONVERT_NO"),
		  false },
		{ "'TEST_CONVERT_NO=1','A=1'", "TEST_CONVERT_NO=2 A=1 " PATH " HOME=/root",
		  STRV("TEST_CONVERT_NO", "TEST_CONVERT_NO=2"), false },
		/* Taken away is not there: the default comes. */
		{ "'HOME=/x'", "HOME=/y " PATH, STRV("HOME=/y"), false },
	};
	const struct convert_opts bad = { .env = STRV("=x") }, empty = { .env = STRV("") };

	(void)state;
	setenv("TEST_CONVERT", "here", 1);
	unsetenv("TEST_CONVERT_NO");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct convert_opts opts = { .env = cases[i].given, .tty = cases[i].tty };
		const struct spec_process *p =
			convert(arena_printf(&a, SH("'Env':[%s]"), cases[i].env), &opts, &a)
				->process;

		assert_string_equal(joined(&p->env, &a), cases[i].expected);
		assert_int_equal(p->terminal, cases[i].tty);
	}
	expect_error(SH("'Env':[]"), &bad, EINVAL, "environment \"=x\"");
	expect_error(SH("'Env':[]"), &empty, EINVAL, "environment \"\"");
}

static void user(void **state)
{
	const struct convert_opts none = { 0 }, number = { .user = "7:8" },
				  unknown = { .user = "bob" };
	autoarena a = ARENA_INIT;
	const struct spec_process *p;

	(void)state;
	p = convert(SH("'User':'app'"), &none, &a)->process;
	assert_int_equal(p->user.uid, 5);
	assert_int_equal(p->user.gid, 6);
	assert_int_equal(p->user.additional_gids.items[0], 29);
	assert_string_equal(joined(&p->env, &a), PATH " HOME=/home/app");
	/* The bounding set stays, what is in force goes. */
	assert_int_equal(p->capabilities->bounding.count, 8);
	assert_int_equal(p->capabilities->effective.count + p->capabilities->permitted.count, 0);
	p = convert(SH("'User':'app'"), &number, &a)->process;
	assert_int_equal(p->user.uid, 7);
	assert_int_equal(p->user.gid, 8);
	assert_int_equal(p->user.additional_gids.count, 0);
	assert_string_equal(joined(&p->env, &a), PATH " HOME=/");
	expect_error(SH("'User':'app'"), &unknown, ENOENT, "user \"bob\"");
	expect_error(SH("'User':'app:staff'"), &none, ENOENT, "group \"staff\"");
}

static void directory(void **state)
{
	const struct convert_opts none = { 0 }, given = { .working_dir = "/w" },
				  relative = { .working_dir = "w" };
	autoarena a = ARENA_INIT;

	(void)state;
	assert_string_equal(convert(SH("'WorkingDir':''"), &none, &a)->process->cwd, "/");
	assert_string_equal(convert(SH("'WorkingDir':null"), &none, &a)->process->cwd, "/");
	assert_string_equal(convert(SH("'WorkingDir':'/a/b'"), &none, &a)->process->cwd, "/a/b");
	assert_string_equal(convert(SH("'WorkingDir':'a'"), &none, &a)->process->cwd, "/a");
	assert_string_equal(convert(SH("'WorkingDir':'/a'"), &given, &a)->process->cwd, "/w");
	expect_error(SH("'WorkingDir':'/a'"), &relative, EINVAL, "not absolute");
}

#define DEFAULT_CAPS                                                                               \
	"CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID "         \
	"CAP_NET_BIND_SERVICE"

static void capabilities(void **state)
{
	const struct {
		struct strv add, drop;
		const char *expected;
	} cases[] = {
		{ { NULL, 0 }, { NULL, 0 }, DEFAULT_CAPS },
		{ STRV("NET_ADMIN"), { NULL, 0 }, DEFAULT_CAPS " CAP_NET_ADMIN" },
		{ STRV("cap_net_raw"), STRV("CHOWN", "CAP_FOWNER", "fsetid", "dac_override"),
		  "CAP_KILL CAP_SETGID CAP_SETUID CAP_NET_BIND_SERVICE CAP_NET_RAW" },
		{ { NULL, 0 }, STRV("ALL"), "" },
		{ STRV("KILL", "SYS_TIME"), STRV("all"), "CAP_KILL CAP_SYS_TIME" },
		{ STRV("KILL"), STRV("KILL"), DEFAULT_CAPS },
	};
	const struct convert_opts unknown = { .cap_add = STRV("FLY") },
				  pair = { .cap_drop = STRV("KILL,CHOWN") },
				  all = { .cap_add = STRV("ALL"), .cap_drop = STRV("SYS_ADMIN") };
	autoarena arena = ARENA_INIT;
	const struct spec_capabilities *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct convert_opts opts = { .cap_add = cases[i].add,
						   .cap_drop = cases[i].drop };

		c = convert(SH("'User':''"), &opts, &a)->process->capabilities;
		assert_string_equal(joined(&c->bounding, &a), cases[i].expected);
		assert_string_equal(joined(&c->effective, &a), cases[i].expected);
		assert_string_equal(joined(&c->permitted, &a), cases[i].expected);
		assert_int_equal(c->inheritable.count + c->ambient.count, 0);
	}
	c = convert(SH("'User':''"), &all, &arena)->process->capabilities;
	assert_true(c->bounding.count > 35);
	assert_null(strstr(joined(&c->bounding, &arena), "CAP_SYS_ADMIN"));
	assert_non_null(strstr(joined(&c->bounding, &arena), "CAP_SYS_PTRACE"));
	expect_error(SH("'User':''"), &unknown, EINVAL, "capability \"FLY\"");
	expect_error(SH("'User':''"), &pair, EINVAL, "capability \"KILL,CHOWN\"");
}

static void annotations(void **state)
{
	autoarena a = ARENA_INIT;
	const struct convert_opts none = { 0 };
	const struct key_value_list *list =
		&convert(IMAGE("'os':'linux','architecture':'arm','variant':'v7','os.version':'1',"
			       "'os.features':['f','g'],'author':'me','created':'2020',"
			       "'config':{'Cmd':['sh'],'StopSignal':'15','ExposedPorts':"
			       "{'80/tcp':{},'53/udp':{}},'Labels':{'a':'b','':'c',"
			       "'org.opencontainers.image.author':'you',"
			       "'org.opencontainers.image.stopSignal':'',"
			       "'org.tote.memory.high':'1%','run.oci.handler':'x',"
			       "'org.systemd.property.X':'1','org.criu.config':'/x',"
			       "'module.wasm.image/variant':'compat'}}"),
			 &none, &a)
			 ->annotations;
	static const char *const expected[][2] = {
		{ "os", "linux" },
		{ "architecture", "arm" },
		{ "variant", "v7" },
		{ "os.version", "1" },
		{ "os.features", "f,g" },
		{ "author", "you" },
		{ "created", "2020" },
		{ "stopSignal", "" },
		{ "exposedPorts", "80/tcp,53/udp" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		char *key = arena_printf(&a, "org.opencontainers.image.%s", expected[i][0]);

		if (!annotation_get(list, key))
			fail_msg("%s", key);
		assert_string_equal(annotation_get(list, key), expected[i][1]);
	}
	assert_string_equal(annotation_get(list, "a"), "b");
	assert_int_equal(list->count, ARRAY_SIZE(expected) + 1);
}

static void limits(void **state)
{
	static const struct {
		const char *text;
		int64_t expected;
	} memory[] = { { "1", 1 },
		       { "64k", 65536 },
		       { "64M", 67108864 },
		       { "2gb", 2147483648 },
		       { "2GiB", 2147483648 },
		       { "1.5g", 1610612736 },
		       { "1t", 1099511627776 } },
	  cpus[] = { { "1", 100000 },	     { "0.5", 50000 },	    { ".25", 25000 },
		     { "1.5", 150000 },	     { "0.333339", 33333 }, { "0.01", 1000 },
		     { "65536", 6553600000 } };
	static const char *const bad_memory[] = { "",	      "0",    "-1",
						  "64x",      "m",    "1.5.g",
						  "64mm",     "1mbx", "9223372036854775808",
						  "8388608t", " 1" };
	static const char *const bad_cpus[] = { "",	 "0",	"0.009", "-1",	"1.",	   ".",
						"65537", "1,5", "0.5x",	 "1e3", "65536.5x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(memory); i++) {
		autoarena a = ARENA_INIT;
		const struct convert_opts o = { .memory = memory[i].text, .cpus = cpus[i].text };
		const struct cg_limits *l = &convert(SH("'User':''"), &o, &a)->linux_.resources;

		assert_int_equal(l->memory.limit.value, memory[i].expected);
		assert_int_equal(l->cpu.quota.value, cpus[i].expected);
		assert_int_equal(l->cpu.period.value, 100000);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_memory); i++) {
		const struct convert_opts o = { .memory = bad_memory[i] };

		expect_error(SH("'User':''"), &o, EINVAL, "no size like 64m");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_cpus); i++) {
		const struct convert_opts o = { .cpus = bad_cpus[i] };

		expect_error(SH("'User':''"), &o, EINVAL, "no number of processors");
	}
}

static void pids(void **state)
{
	static const struct {
		int64_t given;
		bool rootless;
		int64_t expected; /* 0: none */
	} cases[] = { { 0, false, 512 }, { 10, false, 10 }, { -1, false, 0 },
		      { 0, true, 0 },	 { 10, true, 10 },  { -1, true, 0 } };
	const struct convert_opts bad = { .pids_limit = -2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct convert_opts o = { .pids_limit = cases[i].given,
						.rootless = cases[i].rootless };
		struct opt_i64 limit =
			convert(SH("'User':''"), &o, &a)->linux_.resources.pids_limit;

		assert_int_equal(limit.set, cases[i].expected != 0);
		assert_int_equal(limit.set ? limit.value : 0, cases[i].expected);
	}
	expect_error(SH("'User':''"), &bad, EINVAL, "pids limit -2");
}

static const struct spec_mount *mount_on(const struct spec *spec, const char *destination)
{
	const struct spec_mount *ret = NULL;

	for_each (m, &spec->mounts) {
		if (strcmp(m->destination, destination) != 0)
			continue;
		assert_null(ret); /* one of each */
		ret = m;
	}
	assert_non_null(ret);
	return ret;
}

static void mounts(void **state)
{
	static struct convert_mount list[] = {
		{ "/a", "/x", NULL, false },	     { "/a", "/y", "rw,nosuid,,rshared", false },
		{ "/a", "/z", "bind,ro", false },    { NULL, "/t", "size=1m,exec", true },
		{ "/shm", "/dev/shm", NULL, false }, { "/later", "/x", "ro", false },
	};
	const struct convert_opts opts = { .mounts = { list, ARRAY_SIZE(list) } };
	autoarena a = ARENA_INIT;
	const struct spec *spec = convert(SH("'User':''"), &opts, &a);
	static const char *const expected[][4] = {
		{ "/x", "bind", "/later", "rbind rprivate ro" },
		{ "/y", "bind", "/a", "rbind rw nosuid rshared" },
		{ "/z", "bind", "/a", "rprivate bind ro" },
		{ "/t", "tmpfs", "tmpfs", "nosuid nodev noexec size=1m exec" },
		{ "/dev/shm", "bind", "/shm", "rbind rprivate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct spec_mount *m = mount_on(spec, expected[i][0]);

		assert_string_equal(m->type, expected[i][1]);
		assert_string_equal(m->source, expected[i][2]);
		assert_string_equal(joined(&m->options, &a), expected[i][3]);
	}
	assert_int_equal(spec->mounts.count, 7 + 4);
}

static void bad_mounts(void **state)
{
	static struct convert_mount list[] = {
		{ "/a", NULL, NULL, false },	{ "/a", "x", NULL, false },
		{ "/a", "/", NULL, false },	{ "/a", "/x/..", NULL, false },
		{ "/a", "/../x", NULL, false }, { "/a", "/x//y", NULL, false },
		{ "/a", "/x/", NULL, false },	{ "a", "/x", NULL, false },
		{ NULL, "/x", NULL, false },	{ NULL, "", NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		const struct convert_opts opts = { .mounts = { &list[i], 1 } };

		expect_error(SH("'User':''"), &opts, EINVAL, "absolute");
	}
}

static bool has_option(const struct spec_mount *m, const char *option)
{
	for_each (s, &m->options) {
		if (strcmp(*s, option) == 0)
			return true;
	}
	return false;
}

static void namespaces(void **state)
{
	static struct spec_id_mapping all = { 0, 100000, 65536 }, one = { 0, 1000, 1 };
	const struct {
		struct convert_opts opts;
		bool network, user, own_sys, tty_group, devices;
		uint32_t host_id;
	} cases[] = {
		{ { 0 }, true, false, true, true, true, 0 },
		{ { .host_network = true }, false, false, true, true, true, 0 },
		{ { .uid_mappings = { &all, 1 }, .gid_mappings = { &all, 1 } },
		  true,
		  true,
		  true,
		  true,
		  true,
		  100000 },
		{ { .uid_mappings = { &all, 1 }, .gid_mappings = { &one, 1 } },
		  true,
		  true,
		  true,
		  false,
		  true,
		  100000 },
		{ { .uid_mappings = { &all, 1 },
		    .gid_mappings = { &all, 1 },
		    .host_network = true },
		  false,
		  true,
		  false,
		  true,
		  true,
		  100000 },
		{ { .rootless = true, .host_network = true },
		  false,
		  true,
		  false,
		  false,
		  false,
		  geteuid() },
		{ { .rootless = true }, true, true, true, false, false, geteuid() },
		{ { .rootless = true, .uid_mappings = { &one, 1 }, .gid_mappings = { &all, 1 } },
		  true,
		  true,
		  true,
		  true,
		  false,
		  1000 },
	};
	const struct convert_opts half = { .uid_mappings = { &all, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct spec *spec = convert(SH("'User':''"), &cases[i].opts, &a);
		const struct spec_id_mappings *uids = &spec->linux_.uid_mappings;

		assert_int_equal(spec_new_namespace(spec, NS_NETWORK), cases[i].network);
		assert_int_equal(spec_new_namespace(spec, NS_USER), cases[i].user);
		assert_true(spec_new_namespace(spec, NS_PID) && spec_new_namespace(spec, NS_IPC));
		assert_true(spec_new_namespace(spec, NS_UTS) && spec_new_namespace(spec, NS_MOUNT));
		assert_true(spec_new_namespace(spec, NS_CGROUP));
		assert_string_equal(mount_on(spec, "/sys")->type,
				    cases[i].own_sys ? "sysfs" : "none");
		assert_int_equal(has_option(mount_on(spec, "/dev/pts"), "gid=5"),
				 cases[i].tty_group);
		assert_int_equal(spec->linux_.resources.devices.count != 0, cases[i].devices);
		assert_int_equal(uids->count, cases[i].user);
		if (uids->count)
			assert_int_equal(uids->items[0].host_id, cases[i].host_id);
		assert_null(spec->hostname);
		assert_false(spec->root->readonly);
		assert_int_equal(spec->process->rlimits.count, 0);
	}
	expect_error(SH("'User':''"), &half, EINVAL, "come together");
}

static void canonical_equal(const struct spec_seccomp *s, const void *form, size_t len)
{
	autobuf own = BUF_INIT;

	seccomp_canonical(s, &own);
	assert_int_equal(own.len, len);
	assert_memory_equal(own.data, form, len);
}

/* The built-in profile by its name, and for other runtimes written out, to the byte: read back,
 * nothing is compiled. */
static void seccomp(void **state)
{
	static const char own[] =
		"{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,'flags':"
		"['SECCOMP_FILTER_FLAG_LOG'],'architectures':['SCMP_ARCH_X86_64'],'syscalls':["
		"{'names':['read','write'],'action':'SCMP_ACT_ALLOW','includes':{},"
		"'comment':'x','args':null},"
		"{'names':['clone'],'action':'SCMP_ACT_ERRNO','errnoRet':1,'args':[{'index':0,"
		"'value':18446744073709551615,'valueTwo':2,'op':'SCMP_CMP_MASKED_EQ'}]},"
		"{'names':['ptrace'],'action':'SCMP_ACT_NOTIFY'}],"
		"'listenerPath':'/s','listenerMetadata':'m'}";
	autoarena a = ARENA_INIT;
	const struct convert_opts none = { 0 }, portable = { .portable = true },
				  off = { .seccomp = "unconfined" },
				  given = { .seccomp = to_json(&a, own) };
	const struct spec_seccomp *s, *expected;
	autobuf form = BUF_INIT;

	(void)state;
	s = convert(SH("'User':''"), &none, &a)->linux_.seccomp;
	assert_true(s->builtin);
	s = convert(SH("'User':''"), &portable, &a)->linux_.seccomp;
	assert_false(s->builtin);
	canonical_equal(s, seccomp_builtin_canonical, seccomp_builtin_canonical_len);
	assert_null(convert(SH("'User':''"), &off, &a)->linux_.seccomp);
	s = convert(SH("'User':''"), &given, &a)->linux_.seccomp;
	assert_string_equal(s->listener_path, "/s");
	assert_string_equal(s->listener_metadata, "m");
	{
		char *text = to_json(&a, arena_printf(&a, LINUX("'seccomp':%s"), own));
		struct spec *spec = NULL;
		struct err err = { 0 };

		if (spec_parse(text, strlen(text), &a, &spec, &err) < 0)
			fail_msg("%s", err.msg);
		expected = spec->linux_.seccomp;
	}
	seccomp_canonical(expected, &form);
	canonical_equal(s, form.data, form.len);
}

static void bad_seccomp(void **state)
{
	static const struct {
		const char *profile;
		int code;
		const char *message;
	} cases[] = {
		{ "", EINVAL, "seccomp profile: invalid JSON" },
		{ "{}", EINVAL, "seccomp profile: defaultAction: missing" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','toteProfile':'other'}", EINVAL,
		  "seccomp profile: toteProfile: \"other\" is not one of builtin" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','toteProfile':'builtin','syscalls':"
		  "[{'names':['read'],'action':'SCMP_ACT_ALLOW'}]}",
		  EINVAL, "seccomp profile: toteProfile: has rules of its own" },
		{ "{'defaultAction':'ALLOW'}", EINVAL, "seccomp profile: defaultAction" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':"
		  "'SCMP_ACT_ALLOW','includes':{'caps':['CAP_SYS_ADMIN']}}]}",
		  EOPNOTSUPP, "conditions" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':"
		  "'SCMP_ACT_ALLOW','excludes':{'arches':['s390']}}]}",
		  EOPNOTSUPP, "conditions" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		const struct convert_opts o = { .seccomp = to_json(&a, cases[i].profile) };

		expect_error(SH("'User':''"), &o, cases[i].code, cases[i].message);
	}
}

/* For people, with tabs; it says the same. */
static void portable_text(void **state)
{
	const struct convert_opts opts = { .portable = true };
	autoarena a = ARENA_INIT;
	char *text = text_of(SH("'User':''"), &opts, &a);

	(void)state;
	assert_non_null(strstr(text, "{\n\t\"ociVersion\": \"1.0.2\",\n\t\"process\": {\n"));
	assert_string_equal(convert(SH("'User':''"), &opts, &a)->process->args.items[0], "sh");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_text),	 cmocka_unit_test(args),
		cmocka_unit_test(environment),	 cmocka_unit_test(user),
		cmocka_unit_test(directory),	 cmocka_unit_test(capabilities),
		cmocka_unit_test(annotations),	 cmocka_unit_test(limits),
		cmocka_unit_test(pids),		 cmocka_unit_test(mounts),
		cmocka_unit_test(bad_mounts),	 cmocka_unit_test(namespaces),
		cmocka_unit_test(seccomp),	 cmocka_unit_test(bad_seccomp),
		cmocka_unit_test(portable_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
