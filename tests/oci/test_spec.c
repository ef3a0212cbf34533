/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/oci/spec_text.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct spec *parse(struct arena *a, const char *text)
{
	char *json = to_json(a, text);
	struct spec *spec = NULL;
	struct err err = { 0 };

	if (spec_parse(json, strlen(json), a, &spec, &err) < 0)
		fail_msg("%s\n%s", err.msg, json);
	return spec;
}

static void minimal(void **state)
{
	static const char *const texts[] = {
		"{'ociVersion':'1.0.0','root':{'path':'rootfs'}}",
		"{'ociVersion':'1.0.2-dev','root':{'path':'rootfs'},'linux':null,'vm':{},'x':[1]}",
		"{'ociVersion':'1.3.0+build.7','root':{'path':'rootfs'},'process':null}",
		"{'ociVersion':'1.999.0','root':{'path':'rootfs'},'hostname':'','mounts':[]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		autoarena a = ARENA_INIT;
		struct spec *spec = parse(&a, texts[i]);

		assert_string_equal(spec->root->path, "rootfs");
		assert_null(spec->process);
		assert_int_equal(spec->linux_.namespaces.count, 0);
		assert_null(spec_namespace(spec, NS_PID));
	}
}

static void process_values(void **state)
{
	autoarena a = ARENA_INIT;
	const struct spec_process *p;

	(void)state;
	p = parse(&a, PROCESS("'terminal':true,'consoleSize':{'height':24,'width':80},"
			      "'user':{'uid':1,'gid':2,'umask':18,'additionalGids':[5,6]},"
			      "'env':['A=1','ODD'],'capabilities':{'bounding':['CAP_KILL'],"
			      "'ambient':['CAP_CHOWN','CAP_X']},'noNewPrivileges':true,"
			      "'apparmorProfile':'p','selinuxLabel':'l','oomScoreAdj':-1000,"
			      "'rlimits':[{'type':'RLIMIT_RTTIME','soft':1,"
			      "'hard':18446744073709551615}],"
			      "'scheduler':{'policy':'SCHED_DEADLINE','runtime':1,'deadline':2,"
			      "'flags':['SCHED_FLAG_RECLAIM','SCHED_FLAG_RESET_ON_FORK']},"
			      "'ioPriority':{'class':'IOPRIO_CLASS_IDLE','priority':7},"
			      "'execCPUAffinity':{'initial':' 0-3 , 7','final':''}"))
		    ->process;
	assert_true(p->terminal && p->no_new_privileges);
	assert_int_equal(p->console_size->height, 24);
	assert_int_equal(p->console_size->width, 80);
	assert_int_equal(p->user.uid, 1);
	assert_int_equal(p->user.gid, 2);
	assert_int_equal(p->user.umask.value, 022);
	assert_int_equal(p->user.additional_gids.items[1], 6);
	assert_string_equal(p->args.items[0], "sh");
	assert_null(p->args.items[1]);
	assert_string_equal(p->env.items[1], "ODD");
	assert_string_equal(p->capabilities->ambient.items[1], "CAP_X");
	assert_int_equal(p->capabilities->effective.count, 0);
	assert_string_equal(p->apparmor_profile, "p");
	assert_string_equal(p->selinux_label, "l");
	assert_int_equal(p->oom_score_adj.value, -1000);
	assert_string_equal(p->rlimits.items[0].type, "RLIMIT_RTTIME");
	assert_int_equal(p->rlimits.items[0].resource, RLIMIT_RTTIME);
	assert_true(p->rlimits.items[0].hard == UINT64_MAX);
	assert_int_equal(p->scheduler->policy, 6);
	assert_int_equal(p->scheduler->flags, 3);
	assert_int_equal(p->io_priority->class, IOPRIO_CLASS_IDLE);
	assert_int_equal(p->io_priority->priority, 7);
	assert_string_equal(p->exec_cpu_affinity->initial, " 0-3 , 7");
}

static void mount_and_hook_values(void **state)
{
	autoarena a = ARENA_INIT;
	const struct spec_hook_list *hooks;
	const struct spec *s;

	(void)state;
	s = parse(&a, SPEC("'mounts':[{'destination':'/proc','type':'proc','source':'proc'},"
			   "{'destination':'data','source':'/srv','options':['bind','idmap'],"
			   "'uidMappings':[{'containerID':0,'hostID':1,'size':4294967294}],"
			   "'gidMappings':[{'containerID':2,'hostID':3,'size':4},"
			   "{'containerID':6,'hostID':7,'size':1}]}],"
			   "'hooks':{'prestart':[{'path':'/a','args':['a','b'],'env':['K=v']}],"
			   "'poststop':[{'path':'/b'},{'path':'/c','timeout':5}]},"
			   "'annotations':{'org.x':'1'}"));
	assert_int_equal(s->mounts.count, 2);
	assert_string_equal(s->mounts.items[0].type, "proc");
	assert_string_equal(s->mounts.items[1].destination, "data");
	assert_string_equal(s->mounts.items[1].options.items[1], "idmap");
	assert_int_equal(s->mounts.items[1].uid_mappings.items[0].size, 4294967294u);
	assert_int_equal(s->mounts.items[1].gid_mappings.items[1].host_id, 7);
	hooks = s->hooks.list;
	assert_string_equal(hooks[HOOK_PRESTART].items[0].args.items[1], "b");
	assert_string_equal(hooks[HOOK_PRESTART].items[0].env.items[0], "K=v");
	assert_false(hooks[HOOK_POSTSTOP].items[0].timeout.set);
	assert_int_equal(hooks[HOOK_POSTSTOP].items[1].timeout.value, 5);
	assert_int_equal(hooks[HOOK_CREATE_RUNTIME].count, 0);
	assert_string_equal(s->annotations.items[0].key, "org.x");
}

static void limits_by_annotation(void **state)
{
	static const struct {
		const char *annotations, *limit;
		int64_t high;
	} cases[] = {
		{ "'org.tote.memory.high':'90%'", "1000", 900 },
		{ "'org.tote.memory.high':'1%'", "199", 1 },
		{ "'org.tote.memory.high':'100%'", "9223372036854775807", INT64_MAX },
		{ "'org.tote.memory.high':'90%'", "-1", -1 },
		{ "'org.tote.memory.high':'90%','org.tote.memory.oom.group':'true'", "10", 9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		char text[512];
		const struct cg_memory *m;

		snprintf(text, sizeof(text),
			 SPEC("'annotations':{%s},'linux':{'resources':{'memory':{'limit':%s}}}"),
			 cases[i].annotations, cases[i].limit);
		m = &parse(&a, text)->linux_.resources.memory;
		assert_true(m->high.set);
		assert_int_equal(m->high.value, cases[i].high);
		assert_int_equal(m->oom_group.set && m->oom_group.value,
				 strstr(cases[i].annotations, "oom") != NULL);
	}
}

static void linux_values(void **state)
{
	autoarena a = ARENA_INIT;
	const struct spec_linux *l;

	(void)state;
	l = &parse(&a,
		   LINUX("'uidMappings':[{'containerID':0,'hostID':1000,'size':32000}],"
			 "'timeOffsets':{'monotonic':{'secs':-5,'nanosecs':999999999}},"
			 "'netDevices':{'eth0':{'name':'container_eth0'},'ens4':{},'e5':{'name':''}"
			 "},"
			 "'cgroupsPath':'/a..b/..c','rootfsPropagation':'rslave',"
			 "'maskedPaths':['/proc/kcore'],'readonlyPaths':['/proc/sys'],"
			 "'mountLabel':'m','personality':{'domain':'LINUX32'},"
			 "'sysctl':{'net.ipv4.ip_forward':'1','net/core/somaxconn':'256',"
			 "'kernel.shmmax':'1','fs.mqueue.msg_max':'10','kernel.domainname':'d'},"
			 "'intelRdt':{'closID':'guaranteed','schemata':['L3:0=f'],"
			 "'l3CacheSchema':'L3:0=7','memBwSchema':'MB:0=20','enableMonitoring':true}"
			 ","
			 "'memoryPolicy':{'mode':'MPOL_WEIGHTED_INTERLEAVE','nodes':'0-1,3',"
			 "'flags':['MPOL_F_STATIC_NODES']}"))
		     ->linux_;
	assert_int_equal(l->uid_mappings.items[0].host_id, 1000);
	assert_int_equal(l->time_offsets.monotonic->secs, -5);
	assert_null(l->time_offsets.boottime);
	assert_string_equal(l->net_devices.items[0].host_name, "eth0");
	assert_string_equal(l->net_devices.items[0].name, "container_eth0");
	assert_null(l->net_devices.items[1].name);
	assert_null(l->net_devices.items[2].name);
	assert_string_equal(l->cgroups_path, "/a..b/..c");
	assert_int_equal(l->rootfs_propagation, MS_SLAVE | MS_REC);
	assert_string_equal(l->masked_paths.items[0], "/proc/kcore");
	assert_string_equal(l->readonly_paths.items[0], "/proc/sys");
	assert_string_equal(l->mount_label, "m");
	assert_int_equal(l->personality->domain, PER_LINUX32);
	assert_int_equal(l->sysctl.count, 5);
	assert_string_equal(l->intel_rdt->clos_id, "guaranteed");
	assert_string_equal(l->intel_rdt->schemata.items[0], "L3:0=f");
	assert_string_equal(l->intel_rdt->l3_cache_schema, "L3:0=7");
	assert_true(l->intel_rdt->enable_monitoring);
	assert_int_equal(l->memory_policy->mode, 6);
	assert_int_equal(l->memory_policy->flags, MPOL_F_STATIC_NODES);
}

/* As clients in Go write what is not set. */
static void empty_is_not_set(void **state)
{
	autoarena a = ARENA_INIT;
	const struct spec_linux *l =
		&parse(&a, LINUX("'rootfsPropagation':'','mountLabel':''"))->linux_;

	(void)state;
	assert_int_equal(l->rootfs_propagation, 0);
	assert_null(l->mount_label);
}

static void namespace_values(void **state)
{
	static const struct {
		enum ns_kind kind;
		const char *name, *file;
		unsigned long flag;
	} kinds[] = {
		{ NS_USER, "user", "user", CLONE_NEWUSER },
		{ NS_MOUNT, "mount", "mnt", CLONE_NEWNS },
		{ NS_PID, "pid", "pid", CLONE_NEWPID },
		{ NS_NETWORK, "network", "net", CLONE_NEWNET },
		{ NS_IPC, "ipc", "ipc", CLONE_NEWIPC },
		{ NS_UTS, "uts", "uts", CLONE_NEWUTS },
		{ NS_CGROUP, "cgroup", "cgroup", CLONE_NEWCGROUP },
		{ NS_TIME, "time", "time", 0x80 },
	};
	autoarena a = ARENA_INIT;
	const struct spec *all = parse(&a, SPEC("'linux':{" ALL_NAMESPACES "}"));
	const struct spec *some =
		parse(&a, SPEC("'hostname':'h','linux':{'namespaces':[{'type':'uts',"
			       "'path':'/proc/1/ns/uts'},{'type':'ipc','path':''}]}"));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_true(spec_new_namespace(all, kinds[i].kind));
		assert_string_equal(ns_kind_name(kinds[i].kind), kinds[i].name);
		assert_string_equal(ns_kind_file(kinds[i].kind), kinds[i].file);
		assert_int_equal(ns_kind_flag(kinds[i].kind), kinds[i].flag);
	}
	assert_string_equal(spec_namespace(some, NS_UTS)->path, "/proc/1/ns/uts");
	assert_false(spec_new_namespace(some, NS_UTS));
	assert_true(spec_new_namespace(some, NS_IPC));
	assert_null(spec_namespace(some, NS_USER));
	assert_string_equal(hook_kind_name(HOOK_CREATE_RUNTIME), "createRuntime");
	assert_string_equal(hook_kind_name(HOOK_POSTSTOP), "poststop");
}

static void device_modes(void **state)
{
	autoarena a = ARENA_INIT;
	const struct spec_device *d;

	(void)state;
	/* 8630 is S_IFCHR | 0666, 24992 is S_IFBLK | 0640, 4516 is S_IFIFO | 0644. */
	d = parse(&a, LINUX("'devices':[{'path':'/dev/fuse','type':'c','major':10,'minor':229,"
			    "'fileMode':8630,'uid':0,'gid':4294967294},"
			    "{'path':'/b','type':'b','major':8,'minor':0,'fileMode':24992},"
			    "{'path':'/p','type':'p','fileMode':4516},"
			    "{'path':'/u','type':'u','major':1,'minor':3,'fileMode':438}]"))
		    ->linux_.devices.items;
	assert_int_equal(d[0].file_mode.value, 0666);
	assert_int_equal(d[0].minor.value, 229);
	assert_int_equal(d[0].gid.value, 4294967294u);
	assert_int_equal(d[1].file_mode.value, 0640);
	assert_int_equal(d[2].file_mode.value, 0644);
	assert_false(d[2].major.set);
	assert_int_equal(d[3].file_mode.value, 0666);
	assert_false(d[3].uid.set);
}

static void seccomp_values(void **state)
{
	autoarena a = ARENA_INIT;
	const struct spec_seccomp *s;

	(void)state;
	s = parse(&a,
		  SECCOMP("'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,"
			  "'flags':['SECCOMP_FILTER_FLAG_LOG','SECCOMP_FILTER_FLAG_SPEC_ALLOW'],"
			  "'listenerPath':'/run/l','listenerMetadata':'m',"
			  "'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_RISCV64'],"
			  "'syscalls':[{'names':['a','b'],'action':'SCMP_ACT_NOTIFY'},"
			  "{'names':['c'],'action':'SCMP_ACT_ERRNO','errnoRet':1,'args':[{"
			  "'index':5,'value':18446744073709551615,'valueTwo':7,"
			  "'op':'SCMP_CMP_MASKED_EQ'}]}]"))
		    ->linux_.seccomp;
	assert_int_equal(s->default_action, SPEC_ACT_ERRNO);
	assert_int_equal(s->default_errno_ret.value, 38);
	assert_true(s->has_flags);
	assert_int_equal(s->flags, 6);
	assert_string_equal(s->listener_path, "/run/l");
	assert_string_equal(s->listener_metadata, "m");
	assert_string_equal(s->architectures.items[1], "SCMP_ARCH_RISCV64");
	assert_int_equal(s->syscalls.items[0].action, SPEC_ACT_NOTIFY);
	assert_string_equal(s->syscalls.items[0].names.items[1], "b");
	assert_int_equal(s->syscalls.items[1].errno_ret.value, 1);
	assert_int_equal(s->syscalls.items[1].args.items[0].index, 5);
	assert_true(s->syscalls.items[1].args.items[0].value == UINT64_MAX);
	assert_int_equal(s->syscalls.items[1].args.items[0].value_two, 7);
	assert_int_equal(s->syscalls.items[1].args.items[0].op, 7);
	s = parse(&a, SECCOMP("'defaultAction':'SCMP_ACT_ALLOW'"))->linux_.seccomp;
	assert_false(s->has_flags);
	s = parse(&a, SECCOMP("'defaultAction':'SCMP_ACT_ALLOW','flags':[]"))->linux_.seccomp;
	assert_true(s->has_flags);
}

static const char resources_text[] =
	"{'memory':{'limit':536870912,'reservation':-1,'swap':3,'kernel':4,'kernelTCP':5,"
	"'swappiness':0,'disableOOMKiller':false,'useHierarchy':true,'checkBeforeUpdate':true},"
	"'cpu':{'shares':1024,'quota':-1,'burst':7,'period':8,'realtimeRuntime':9,"
	"'realtimePeriod':10,'idle':1,'cpus':'2-3','mems':'0-7'},'pids':{'limit':-1},"
	"'blockIO':{'weight':10,'leafWeight':11,'weightDevice':[{'major':8,'minor':0,"
	"'weight':500,'leafWeight':300}],'throttleReadBpsDevice':[{'major':1,'minor':2,'rate':3}],"
	"'throttleWriteBpsDevice':[{'major':1,'minor':2,'rate':4}],"
	"'throttleReadIOPSDevice':[{'major':1,'minor':2,'rate':5}],"
	"'throttleWriteIOPSDevice':[{'major':1,'minor':2,'rate':6}]},"
	"'hugepageLimits':[{'pageSize':'64KB','limit':9223372036854772000}],"
	"'rdma':{'mlx5_1':{'hcaHandles':3,'hcaObjects':10000},'rxe3':{'hcaObjects':1}},"
	"'network':{'classID':1048577,'priorities':[{'name':'eth0','priority':500}]},"
	"'unified':{'memory.high':'1','io.max':'8:0 rbps=1'},"
	"'devices':[{'allow':false},{'allow':true,'type':'c','major':10,'minor':-1,'access':'rw'}]"
	"}";

static void check_io(const struct cg_block_io *io)
{
	assert_int_equal(io->weight.value, 10);
	assert_int_equal(io->leaf_weight.value, 11);
	assert_int_equal(io->weight_device.items[0].major, 8);
	assert_int_equal(io->weight_device.items[0].leaf_weight.value, 300);
	assert_int_equal(io->throttle_read_bps.items[0].rate, 3);
	assert_int_equal(io->throttle_write_bps.items[0].rate, 4);
	assert_int_equal(io->throttle_read_iops.items[0].rate, 5);
	assert_int_equal(io->throttle_write_iops.items[0].rate, 6);
}

static void check_memory_and_cpu(const struct cg_limits *l)
{
	assert_int_equal(l->memory.limit.value, 536870912);
	assert_int_equal(l->memory.reservation.value, -1);
	assert_int_equal(l->memory.swap.value, 3);
	assert_int_equal(l->memory.kernel.value, 4);
	assert_int_equal(l->memory.kernel_tcp.value, 5);
	assert_true(l->memory.swappiness.set && l->memory.disable_oom_killer.set);
	assert_false(l->memory.disable_oom_killer.value);
	assert_true(l->memory.use_hierarchy.value && l->memory.check_before_update.value);
	assert_int_equal(l->cpu.shares.value, 1024);
	assert_int_equal(l->cpu.quota.value, -1);
	assert_int_equal(l->cpu.burst.value, 7);
	assert_int_equal(l->cpu.period.value, 8);
	assert_int_equal(l->cpu.realtime_runtime.value, 9);
	assert_int_equal(l->cpu.realtime_period.value, 10);
	assert_int_equal(l->cpu.idle.value, 1);
	assert_string_equal(l->cpu.cpus, "2-3");
	assert_string_equal(l->cpu.mems, "0-7");
}

static void resources_values(void **state)
{
	autoarena a = ARENA_INIT;
	char *json = to_json(&a, resources_text);
	struct cg_limits l = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(spec_parse_resources(json, strlen(json), &a, &l, &err), 0);
	check_memory_and_cpu(&l);
	check_io(&l.block_io);
	assert_true(l.pids_limit.set && l.pids_limit.value == -1);
	assert_string_equal(l.hugepages.items[0].page_size, "64KB");
	assert_true(l.hugepages.items[0].limit == 9223372036854772000u);
	assert_string_equal(l.rdma.items[0].device, "mlx5_1");
	assert_int_equal(l.rdma.items[0].hca_handles.value, 3);
	assert_false(l.rdma.items[1].hca_handles.set);
	assert_int_equal(l.network.class_id.value, 1048577);
	assert_int_equal(l.network.priorities.items[0].priority, 500);
	assert_string_equal(l.unified.items[1].value, "8:0 rbps=1");
	assert_string_equal(l.devices.items[0].type, "a");
	assert_string_equal(l.devices.items[0].access, "rwm");
	assert_false(l.devices.items[0].major.set);
	assert_true(l.devices.items[1].allow);
	assert_int_equal(l.devices.items[1].major.value, 10);
	assert_int_equal(l.devices.items[1].minor.value, -1);
}

static void resources_alone(void **state)
{
	autoarena a = ARENA_INIT;
	static const char config[] = "{\"linux\":{\"resources\":{\"pids\":{\"limit\":5}}}}";
	struct cg_limits l = { .cpu.shares = { true, 9 } };
	struct err err;

	(void)state;
	assert_int_equal(spec_parse_resources("[]", 2, &a, &l, &err), -EINVAL);
	assert_string_equal(err.msg, "expected an object, found an array");
	/* A whole configuration has no limits at its top. */
	assert_int_equal(spec_parse_resources(config, sizeof(config) - 1, &a, &l, &err), -EINVAL);
	assert_string_equal(err.msg, "has no member of linux.resources");
	assert_int_equal(l.cpu.shares.value, 9);
	/* Without a limit since version 1.3; nothing is nothing. */
	assert_int_equal(spec_parse_resources("{\"x\":1,\"pids\":{}}", 17, &a, &l, &err), 0);
	assert_false(l.pids_limit.set || l.cpu.shares.set);
	assert_int_equal(spec_parse_resources("{}", 2, &a, &l, &err), 0);
}

static void process_alone(void **state)
{
	static const char good[] = "{\"args\":[\"sh\"],\"cwd\":\"/\"}";
	static const char bad[] = "{\"args\":[\"sh\"],\"cwd\":\"x\"}";
	autoarena a = ARENA_INIT;
	struct spec_process *p = NULL;
	struct err err;

	(void)state;
	assert_int_equal(spec_parse_process(bad, strlen(bad), &a, &p, &err), -EINVAL);
	assert_string_equal(err.msg, "cwd: must be an absolute path");
	assert_null(p);
	assert_int_equal(spec_parse_process(good, strlen(good), &a, &p, &err), 0);
	assert_string_equal(p->args.items[0], "sh");
}

static void load_names_the_file(void **state)
{
	char dir[] = "/tmp/test_spec.XXXXXX";
	static const char text[] = "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"\"}}";
	autoarena a = ARENA_INIT;
	autofd dirfd = -1;
	autofd fd = -1;
	struct spec *spec;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(spec_load(dirfd, "config.json", &a, &spec, &err), -ENOENT);
	assert_string_equal(err.msg, "open config.json: No such file or directory");
	fd = openat(dirfd, "config.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(spec_load(dirfd, "config.json", &a, &spec, &err), -EINVAL);
	assert_string_equal(err.msg, "config.json: root.path: must not be empty");
	assert_int_equal(pwrite(fd, "\"r\"}}  ", 7, (off_t)strlen(text) - 4), 7);
	assert_int_equal(spec_load(dirfd, "config.json", &a, &spec, &err), 0);
	assert_string_equal(spec->root->path, "r");
	unlinkat(dirfd, "config.json", 0);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minimal),
		cmocka_unit_test(process_values),
		cmocka_unit_test(mount_and_hook_values),
		cmocka_unit_test(linux_values),
		cmocka_unit_test(limits_by_annotation),
		cmocka_unit_test(empty_is_not_set),
		cmocka_unit_test(namespace_values),
		cmocka_unit_test(device_modes),
		cmocka_unit_test(seccomp_values),
		cmocka_unit_test(resources_values),
		cmocka_unit_test(resources_alone),
		cmocka_unit_test(process_alone),
		cmocka_unit_test(load_names_the_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
