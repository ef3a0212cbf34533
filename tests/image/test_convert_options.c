/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line asks for becomes config.json, as a runtime reads it; what it cannot be is refused in words. */
#include "lib/buf.h"
#include "lib/fd.h"
#include "oci/image/convert.h"
#include "oci/spec_annotations.h"
#include "tests/oci/spec_text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRV(...)                                                                                  \
	{                                                                                          \
		(char *[]){ __VA_ARGS__, NULL },                                                   \
			sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)                         \
	}

static char root_path[] = "/tmp/test_convert_options.XXXXXX";
static int root = -1;

static int make_root(void **state)
{
	static const char groups[] = "audio:x:29:\nserial:x:60:root\n";
	autofd fd = -1;

	(void)state;
	if (!mkdtemp(root_path))
		return -1;
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || mkdirat(root, "etc", 0700) < 0)
		return -1;
	fd = fd_create(root, "etc/group", O_WRONLY | O_CREAT, 0600);
	return fd < 0 ? -1 : fd_write_full(fd, groups, strlen(groups));
}

static int remove_root(void **state)
{
	(void)state;
	unlinkat(root, "etc/group", 0);
	unlinkat(root, "etc", AT_REMOVEDIR);
	close(root);
	return rmdir(root_path);
}

static int make_text(const struct convert_opts *opts, struct arena *a, struct buf *text,
		     struct err *err)
{
	char *json =
		to_json(a, "{'rootfs':{'type':'layers','diff_ids':['sha256:0123456789abcdef01234"
			   "56789abcdef0123456789abcdef0123456789abcdef']},'config':{'Cmd':['sh'],"
			   "'StopSignal':'SIGINT','Labels':{'k':'v','org.tote.init':'true'}}}");
	struct convert_opts o = *opts;
	struct image_config image;

	o.root_path = "rootfs";
	if (image_config_parse(json, strlen(json), a, &image, err) < 0)
		fail_msg("%s\n%s", err->msg, json);
	return convert_spec(&image, &o, root, text, err);
}

static struct spec *convert(const struct convert_opts *opts, struct arena *a)
{
	autobuf text = BUF_INIT;
	struct spec *spec = NULL;
	struct err err = { 0 };

	if (make_text(opts, a, &text, &err) < 0 ||
	    spec_parse(text.data, text.len, a, &spec, &err) < 0)
		fail_msg("%s\n%s", err.msg, buf_str(&text));
	return spec;
}

static void refused(const struct convert_opts *opts, const char *message)
{
	autoarena a = ARENA_INIT;
	autobuf text = BUF_INIT;
	struct err err = { 0 };
	int r = make_text(opts, &a, &text, &err);

	if (r >= 0 || !strstr(err.msg, message))
		fail_msg("%d, %s; expected %s", r, err.msg, message);
	assert_int_equal(text.len, 0);
}

static const char *annotation(const struct spec *spec, const char *key)
{
	for_each (kv, &spec->annotations)
		if (strcmp(kv->key, key) == 0)
			return kv->value;
	return NULL;
}

static void nothing(void **state)
{
	const struct convert_opts none = { 0 };
	autoarena a = ARENA_INIT;
	const struct spec *s = convert(&none, &a);

	(void)state;
	assert_true(s->process->no_new_privileges);
	assert_false(s->process->oom_score_adj.set);
	assert_null(s->process->apparmor_profile);
	assert_int_equal(
		s->process->rlimits.count + s->linux_.devices.count + s->linux_.sysctl.count, 0);
	assert_int_equal(s->linux_.resources.devices.count, 1);
	assert_null(annotation(s, ANNOTATION_INIT));
}

static void resources(void **state)
{
	const struct convert_opts all = {
		.memory = "64m",
		.memory_swap = "1g",
		.memory_reservation = "32m",
		.cpu_shares = "512",
		.cpuset_cpus = "0-2,5",
		.blkio_weight = "100",
		.oom_score_adj = "-1000",
	};
	const struct convert_opts any = { .memory = "64m",
					  .memory_swap = "-1",
					  .cpu_shares = "0",
					  .blkio_weight = "0",
					  .oom_score_adj = "7" };
	autoarena a = ARENA_INIT;
	const struct spec *s = convert(&all, &a);
	const struct cg_limits *l = &s->linux_.resources;

	(void)state;
	assert_int_equal(l->memory.limit.value, 64 << 20);
	assert_int_equal(l->memory.swap.value, 1 << 30);
	assert_int_equal(l->memory.reservation.value, 32 << 20);
	assert_int_equal(l->cpu.shares.value, 512);
	assert_string_equal(l->cpu.cpus, "0-2,5");
	assert_int_equal(l->block_io.weight.value, 100);
	assert_int_equal(s->process->oom_score_adj.value, -1000);
	s = convert(&any, &a);
	l = &s->linux_.resources;
	assert_true(l->memory.swap.set);
	assert_int_equal(l->memory.swap.value, -1);
	assert_false(l->cpu.shares.set || l->block_io.weight.set);
	assert_int_equal(s->process->oom_score_adj.value, 7);
}

static void bad_resources(void **state)
{
	static const struct {
		struct convert_opts opts;
		const char *message;
	} cases[] = {
		{ { .memory_swap = "1g" }, "memory swap \"1g\": memory is not limited" },
		{ { .memory = "2m", .memory_swap = "1m" }, "memory swap \"1m\": less" },
		{ { .memory = "2m", .memory_swap = "-2" }, "memory swap \"-2\"" },
		{ { .memory = "1m", .memory_reservation = "2m" }, "memory reservation \"2m\"" },
		{ { .memory_reservation = "0" }, "memory reservation \"0\"" },
		{ { .cpu_shares = "1" }, "cpu shares \"1\"" },
		{ { .cpu_shares = "262145" }, "cpu shares \"262145\"" },
		{ { .cpu_shares = " 5" }, "cpu shares \" 5\"" },
		{ { .blkio_weight = "9" }, "blkio weight \"9\"" },
		{ { .blkio_weight = "1001" }, "blkio weight \"1001\"" },
		{ { .cpuset_cpus = "" }, "cpuset \"\"" },
		{ { .cpuset_cpus = "0-" }, "cpuset \"0-\"" },
		{ { .oom_score_adj = "" }, "oom score adj \"\"" },
		{ { .oom_score_adj = "1001" }, "oom score adj \"1001\"" },
		{ { .oom_score_adj = "--1" }, "oom score adj \"--1\"" },
		{ { .shm_size = "0" }, "shm size \"0\"" },
		{ { .shm_size = "1m", .host_ipc = true }, "shm size \"1m\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refused(&cases[i].opts, cases[i].message);
}

static void limits_of_processes(void **state)
{
	const struct convert_opts opts = { .ulimits = STRV("nofile=1024", "core=0:unlimited",
							   "nice=-1", "nofile=5:6") };
	static const struct {
		int resource;
		uint64_t soft, hard;
	} expected[] = { { RLIMIT_NOFILE, 5, 6 },
			 { RLIMIT_CORE, 0, UINT64_MAX },
			 { RLIMIT_NICE, UINT64_MAX, UINT64_MAX } };
	static char *const bad[] = { "",	   "=1",	 "NOFILE=1",   "nofile",
				     "nofile=",	   "nofile=x",	 "nofile= 1",  "nofile=1:",
				     "nofile=2:1", "nofile=1:x", "nofile=1:2:" };
	autoarena a = ARENA_INIT;
	const struct spec_process *p = convert(&opts, &a)->process;

	(void)state;
	assert_int_equal(p->rlimits.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(p->rlimits.items[i].resource, expected[i].resource);
		assert_true(p->rlimits.items[i].soft == expected[i].soft);
		assert_true(p->rlimits.items[i].hard == expected[i].hard);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct convert_opts o = { .ulimits = STRV(bad[i]) };

		refused(&o, arena_printf(&a, "ulimit \"%s\"", bad[i]));
	}
}

static void further_groups(void **state)
{
	const struct convert_opts opts = { .user = "5:6", .groups = STRV("audio", "70", "29") },
				  unknown = { .groups = STRV("nobody") },
				  large = { .groups = STRV("99999999999") };
	autoarena a = ARENA_INIT;
	const struct spec_user *u = &convert(&opts, &a)->process->user;

	(void)state;
	assert_int_equal(u->additional_gids.count, 2);
	assert_int_equal(u->additional_gids.items[0], 29);
	assert_int_equal(u->additional_gids.items[1], 70);
	refused(&unknown, "group \"nobody\" is not in");
	refused(&large, "out of range");
}

static void sysctls(void **state)
{
	const struct convert_opts opts = {
		.ping = true,
		.sysctls = STRV("net.core.somaxconn=9", "net/ipv4/ping_group_range=1 0",
				"net/core/somaxconn=8", "net/ipv4/conf/eth0.1/rp_filter=0"),
	};
	static const char *const expected[][2] = {
		{ "net.ipv4.ping_group_range", "1 0" },
		{ "net.core.somaxconn", "8" },
		{ "net.ipv4.conf.eth0/1.rp_filter", "0" },
	};
	const struct convert_opts bad = { .sysctls = STRV("net.x") },
				  empty = { .sysctls = STRV("=1") };
	autoarena a = ARENA_INIT;
	const struct spec_linux *l = &convert(&opts, &a)->linux_;

	(void)state;
	assert_int_equal(l->sysctl.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_string_equal(l->sysctl.items[i].key, expected[i][0]);
		assert_string_equal(l->sysctl.items[i].value, expected[i][1]);
	}
	refused(&bad, "sysctl \"net.x\" is not NAME=VALUE");
	refused(&empty, "sysctl \"=1\"");
}

static void devices(void **state)
{
	const struct convert_opts opts = { .devices =
						   STRV("/dev/null:/dev/naught:r", "/dev/zero") },
				  rootless = { .rootless = true, .devices = STRV("/dev/null:rw") },
				  renamed = { .rootless = true,
					      .devices = STRV("/dev/null:/dev/naught") };
	static char *const bad[] = { "null",
				     "/dev/null:x",
				     "/dev/null:/dev/x:rwx",
				     "/dev/null:/dev/x:",
				     "/dev/null:/dev/",
				     "/dev/../etc",
				     "/dev/null:/dev/x:rwmm" };
	autoarena a = ARENA_INIT;
	const struct spec_linux *l = &convert(&opts, &a)->linux_;
	const struct cg_device_rule *rule = &l->resources.devices.items[1];

	(void)state;
	assert_int_equal(l->devices.count, 2);
	assert_string_equal(l->devices.items[0].path, "/dev/naught");
	assert_string_equal(l->devices.items[0].type, "c");
	assert_int_equal(l->devices.items[0].major.value, 1);
	assert_int_equal(l->devices.items[0].minor.value, 3);
	assert_int_equal(l->devices.items[0].file_mode.value, 0666);
	assert_string_equal(l->devices.items[1].path, "/dev/zero");
	assert_int_equal(l->resources.devices.count, 3);
	assert_true(rule->allow && rule->minor.value == 3);
	assert_string_equal(rule->access, "r");
	assert_string_equal(l->resources.devices.items[2].access, "rwm");
	l = &convert(&rootless, &a)->linux_;
	assert_int_equal(l->devices.count, 1);
	assert_int_equal(l->resources.devices.count, 0);
	refused(&renamed, "by no other name than the host");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct convert_opts o = { .devices = STRV(bad[i]) };

		refused(&o, arena_printf(&a, "device \"%s\" is not", bad[i]));
	}
}

static void notes(void **state)
{
	const struct convert_opts opts = {
		.init = true,
		.stop_signal = "SIGQUIT",
		.labels = STRV("k=line", "bare", "a=b=c"),
		.annotations = STRV("org.tote.memory.oom.group=true", "a=last"),
	};
	const struct convert_opts steers = { .labels = STRV("org.tote.init=true") },
				  empty = { .annotations = STRV("=x") };
	autoarena a = ARENA_INIT;
	const struct spec *s = convert(&opts, &a);

	(void)state;
	assert_string_equal(annotation(s, "k"), "line");
	assert_string_equal(annotation(s, "bare"), "");
	assert_string_equal(annotation(s, "a"), "last");
	assert_string_equal(annotation(s, ANNOTATION_INIT), "true");
	assert_string_equal(annotation(s, ANNOTATION_MEMORY_OOM_GROUP), "true");
	assert_string_equal(annotation(s, "org.opencontainers.image.stopSignal"), "SIGQUIT");
	refused(&steers, "label \"org.tote.init=true\" would steer");
	refused(&empty, "annotation \"=x\" is not KEY=VALUE");
}

static const struct spec_mount *mount_on(const struct spec *s, const char *path)
{
	for_each (m, &s->mounts)
		if (strcmp(m->destination, path) == 0)
			return m;
	fail_msg("no mount on %s", path);
	return NULL;
}

static bool has_option(const struct spec_mount *m, const char *option)
{
	for_each (o, &m->options)
		if (strcmp(*o, option) == 0)
			return true;
	return false;
}

static void shared(void **state)
{
	const struct convert_opts host = { .host_pid = true,
					   .host_ipc = true,
					   .host_uts = true,
					   .hostname = "box" },
				  size = { .shm_size = "2m" };
	autoarena a = ARENA_INIT;
	const struct spec *s = convert(&host, &a);

	(void)state;
	assert_false(spec_namespace(s, NS_PID) || spec_namespace(s, NS_IPC) ||
		     spec_namespace(s, NS_UTS));
	assert_non_null(spec_namespace(s, NS_MOUNT));
	assert_non_null(spec_namespace(s, NS_NETWORK));
	assert_null(s->hostname);
	assert_string_equal(mount_on(s, "/dev/shm")->type, "bind");
	assert_string_equal(mount_on(s, "/dev/shm")->source, "/dev/shm");
	mount_on(s, "/sys/fs/cgroup");
	s = convert(&size, &a);
	assert_true(has_option(mount_on(s, "/dev/shm"), "size=2097152"));
	assert_false(has_option(mount_on(s, "/dev/shm"), "size=65536k"));
	assert_true(has_option(mount_on(s, "/dev"), "size=65536k"));
}

static void security(void **state)
{
	const struct convert_opts opts = { .new_privileges = true, .apparmor = "mine" };
	autoarena a = ARENA_INIT;
	const struct spec_process *p = convert(&opts, &a)->process;

	(void)state;
	assert_false(p->no_new_privileges);
	assert_string_equal(p->apparmor_profile, "mine");
}

/* What the user namespace does not have cannot be had. */
static void users(void **state)
{
	static struct spec_id_mapping one = { 0, 1000, 1 }, many = { 0, 100000, 65536 };
	const struct spec_id_mappings alone = { &one, 1 }, range = { &many, 1 };
	const struct convert_opts last = { .user = "65535:65535",
					   .uid_mappings = range,
					   .gid_mappings = range },
				  none = { .user = "70000:70000" },
				  beyond = { .user = "65536",
					     .uid_mappings = range,
					     .gid_mappings = range },
				  group = { .rootless = true,
					    .user = "0:5",
					    .uid_mappings = alone,
					    .gid_mappings = alone },
				  further = { .rootless = true,
					      .groups = STRV("5"),
					      .uid_mappings = alone,
					      .gid_mappings = alone },
				  kept = { .rootless = true,
					   .user = "5",
					   .portable = true,
					   .uid_mappings = alone,
					   .gid_mappings = alone };
	autoarena a = ARENA_INIT;

	(void)state;
	assert_int_equal(convert(&last, &a)->process->user.gid, 65535);
	assert_int_equal(convert(&none, &a)->process->user.uid, 70000);
	assert_int_equal(convert(&kept, &a)->process->user.uid, 5);
	refused(&beyond, "user 65536 cannot be had: the container's user namespace has 0 to 65535");
	refused(&group, "group 5 cannot be had: without subordinate ids");
	refused(&further, "group 5 cannot be had: without subordinate ids");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),	  cmocka_unit_test(resources),
		cmocka_unit_test(bad_resources),  cmocka_unit_test(limits_of_processes),
		cmocka_unit_test(further_groups), cmocka_unit_test(sysctls),
		cmocka_unit_test(devices),	  cmocka_unit_test(notes),
		cmocka_unit_test(shared),	  cmocka_unit_test(security),
		cmocka_unit_test(users),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
