/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/oci/spec_bad.h"

#define MEMORY_LIMIT "'linux':{'resources':{'memory':{'limit':4096}}}"

static void bad_top_level(void **state)
{
	static const struct bad cases[] = {
		{ "[]", "expected an object, found an array" },
		{ "{'root':{'path':'r'}}", "ociVersion: missing" },
		{ "{'ociVersion':'1.0.0'}", "root: missing" },
		{ "{'ociVersion':'1.0.0','root':null}", "root: missing" },
		{ "{'ociVersion':'1.0.0','root':{}}", "root.path: missing" },
		{ "{'ociVersion':'1.0.0','root':{'path':''}}", "root.path: must not be empty" },
		{ "{'ociVersion':1,'root':{'path':'r'}}",
		  "ociVersion: expected a string, found 1" },
		{ "{'ociVersion':'1.0','root':{'path':'r'}}",
		  "ociVersion: \"1.0\" is not a version (X.Y.Z)" },
		{ "{'ociVersion':'01.0.0','root':{'path':'r'}}",
		  "ociVersion: \"01.0.0\" is not a version (X.Y.Z)" },
		{ "{'ociVersion':'1.0.0-','root':{'path':'r'}}",
		  "ociVersion: \"1.0.0-\" is not a version (X.Y.Z)" },
		{ "{'ociVersion':'1.0.0x','root':{'path':'r'}}",
		  "ociVersion: \"1.0.0x\" is not a version (X.Y.Z)" },
		{ "{'ociVersion':'0.5.0-dev','root':{'path':'r'}}",
		  "ociVersion: version 0.5.0-dev is unsupported (1.0.0 and later 1.x are)" },
		{ "{'ociVersion':'1.0.0-rc1','root':{'path':'r'}}",
		  "ociVersion: version 1.0.0-rc1 is unsupported (1.0.0 and later 1.x are)" },
		{ "{'ociVersion':'2.0.0','root':{'path':'r'}}",
		  "ociVersion: version 2.0.0 is unsupported (1.0.0 and later 1.x are)" },
		{ SPEC("'annotations':{'':'x'}"), "annotations: an empty key" },
		{ SPEC("'annotations':{'a.b':1}"),
		  "annotations[\"a.b\"]: expected a string, found 1" },
		{ SPEC("'annotations':{'org.tote.memory.high':'90%'}"),
		  "annotations[\"org.tote.memory.high\"]: a share of linux.resources.memory.limit, "
		  "which is not set" },
		{ SPEC("'annotations':{'org.tote.memory.high':'0%'}," MEMORY_LIMIT),
		  "annotations[\"org.tote.memory.high\"]: expected a share of the memory limit "
		  "from "
		  "1% to 100%, found \"0%\"" },
		{ SPEC("'annotations':{'org.tote.memory.high':'101%'}," MEMORY_LIMIT),
		  "annotations[\"org.tote.memory.high\"]: expected a share of the memory limit "
		  "from "
		  "1% to 100%, found \"101%\"" },
		{ SPEC("'annotations':{'org.tote.memory.high':'90'}," MEMORY_LIMIT),
		  "annotations[\"org.tote.memory.high\"]: expected a share of the memory limit "
		  "from "
		  "1% to 100%, found \"90\"" },
		{ SPEC("'annotations':{'org.tote.memory.oom.group':'1'}"),
		  "annotations[\"org.tote.memory.oom.group\"]: expected true or false, found "
		  "\"1\"" },
		{ SPEC("'hostname':'h'"),
		  "hostname: needs a namespace of type uts in linux.namespaces" },
		{ SPEC("'domainname':'d'"),
		  "domainname: needs a namespace of type uts in linux.namespaces" },
		{ SPEC("'hostname':"
		       "'0123456789012345678901234567890123456789012345678901234567890123x',"
		       "'linux':{" ALL_NAMESPACES "}"),
		  "hostname: longer than 64 bytes" },
		{ SPEC("'mounts':[],'mounts':[]"), "mounts: duplicate key" },
		{ "{'ociVersion':'1.0.0','root':{'path':'r'}",
		  "invalid JSON: premature EOF in line 1" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void bad_process(void **state)
{
	static const struct bad cases[] = {
		{ SPEC("'process':{'args':['sh']}"), "process.cwd: missing" },
		{ SPEC("'process':{'cwd':'/'}"), "process.args: missing" },
		{ SPEC("'process':{'args':[],'cwd':'/'}"), "process.args: must not be empty" },
		{ SPEC("'process':{'args':['sh'],'cwd':'tmp'}"),
		  "process.cwd: must be an absolute path" },
		{ SPEC("'process':{'args':['sh'],'cwd':''}"),
		  "process.cwd: must be an absolute path" },
		{ SPEC("'process':{'args':'sh','cwd':'/'}"),
		  "process.args: expected an array of strings, found \"sh\"" },
		{ PROCESS("'env':['A=1','']"), "process.env[1]: must not be empty" },
		{ PROCESS("'terminal':'yes'"),
		  "process.terminal: expected true or false, found \"yes\"" },
		{ PROCESS("'user':{'uid':'abc'}"),
		  "process.user.uid: expected an unsigned integer, found \"abc\"" },
		{ PROCESS("'user':{'uid':-1}"),
		  "process.user.uid: -1 is out of range (0 to 4294967295)" },
		{ PROCESS("'user':{'gid':4294967295}"),
		  "process.user.gid: 4294967295 is not an id (0 to 4294967294)" },
		{ PROCESS("'user':{'additionalGids':[1,4294967295]}"),
		  "process.user.additionalGids[1]: 4294967295 is not an id (0 to 4294967294)" },
		{ PROCESS("'user':{'umask':512}"),
		  "process.user.umask: 512 is out of range (0 to 511)" },
		{ PROCESS("'consoleSize':{'height':1}"), "process.consoleSize.width: missing" },
		{ PROCESS("'consoleSize':{'height':65536,'width':1}"),
		  "process.consoleSize.height: larger than 65535" },
		{ PROCESS("'consoleSize':{'height':1,'width':65536}"),
		  "process.consoleSize.width: larger than 65535" },
		{ PROCESS("'capabilities':{'bounding':[1]}"),
		  "process.capabilities.bounding[0]: expected a string, found 1" },
		{ PROCESS("'oomScoreAdj':1001"),
		  "process.oomScoreAdj: 1001 is out of range (-1000 to 1000)" },
		{ PROCESS("'oomScoreAdj':-1001"),
		  "process.oomScoreAdj: -1001 is out of range (-1000 to 1000)" },
		{ PROCESS("'rlimits':[{'type':'RLIMIT_NOFILE','soft':1}]"),
		  "process.rlimits[0].hard: missing" },
		{ PROCESS("'rlimits':[{'type':'RLIMIT_NOFILE','soft':2,'hard':1}]"),
		  "process.rlimits[0].soft: larger than hard" },
		{ PROCESS("'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':1},"
			  "{'type':'RLIMIT_CPU','soft':1,'hard':1}]"),
		  "process.rlimits[1]: RLIMIT_CPU is there twice" },
		{ PROCESS("'rlimits':[{'type':'RLIMIT_X','soft':1,'hard':1}]"),
		  "process.rlimits[0].type: \"RLIMIT_X\" is not one of RLIMIT_AS, RLIMIT_CORE, "
		  "RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, "
		  "RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, "
		  "RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_STACK, RLIMIT_SIGPENDING" },
		{ PROCESS("'ioPriority':{'priority':1}"), "process.ioPriority.class: missing" },
		{ PROCESS("'ioPriority':{'class':'IOPRIO_CLASS_NONE'}"),
		  "process.ioPriority.class: \"IOPRIO_CLASS_NONE\" is not one of "
		  "IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE" },
		{ PROCESS("'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':8}"),
		  "process.ioPriority.priority: 8 is out of range (0 to 7)" },
		{ PROCESS("'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':-1}"),
		  "process.ioPriority.priority: -1 is out of range (0 to 7)" },
		{ PROCESS("'execCPUAffinity':{'initial':'0-'}"),
		  "process.execCPUAffinity.initial: expected a list of numbers and ranges like "
		  "\"0-3,7\"" },
		{ PROCESS("'execCPUAffinity':{'final':'3-1'}"),
		  "process.execCPUAffinity.final: expected a list of numbers and ranges like "
		  "\"0-3,7\"" },
		{ PROCESS("'execCPUAffinity':{'final':'1,,2'}"),
		  "process.execCPUAffinity.final: expected a list of numbers and ranges like "
		  "\"0-3,7\"" },
		{ PROCESS("'execCPUAffinity':{'final':'65536'}"),
		  "process.execCPUAffinity.final: expected a list of numbers and ranges like "
		  "\"0-3,7\"" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void bad_scheduler(void **state)
{
	static const struct bad cases[] = {
		{ PROCESS("'scheduler':{}"), "process.scheduler.policy: missing" },
		{ PROCESS("'scheduler':{'policy':'SCHED_EXT'}"),
		  "process.scheduler.policy: \"SCHED_EXT\" is not one of SCHED_OTHER, SCHED_FIFO, "
		  "SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE" },
		{ PROCESS("'scheduler':{'policy':'SCHED_ISO'}"),
		  "process.scheduler.policy: no Linux kernel has SCHED_ISO" },
		{ PROCESS("'scheduler':{'policy':'SCHED_OTHER','nice':20}"),
		  "process.scheduler.nice: 20 is out of range (-20 to 19)" },
		{ PROCESS("'scheduler':{'policy':'SCHED_OTHER','nice':-21}"),
		  "process.scheduler.nice: -21 is out of range (-20 to 19)" },
		{ PROCESS("'scheduler':{'policy':'SCHED_FIFO'}"),
		  "process.scheduler.priority: 0 is out of range (1 to 99)" },
		{ PROCESS("'scheduler':{'policy':'SCHED_RR','priority':100}"),
		  "process.scheduler.priority: 100 is out of range (1 to 99)" },
		{ PROCESS("'scheduler':{'policy':'SCHED_BATCH','priority':1}"),
		  "process.scheduler.priority: is for SCHED_FIFO and SCHED_RR only" },
		{ PROCESS("'scheduler':{'policy':'SCHED_BATCH','runtime':1}"),
		  "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE only" },
		{ PROCESS("'scheduler':{'policy':'SCHED_DEADLINE'}"),
		  "process.scheduler: SCHED_DEADLINE wants 0 < runtime <= deadline <= period" },
		{ PROCESS("'scheduler':{'policy':'SCHED_DEADLINE','runtime':3,'deadline':2}"),
		  "process.scheduler: SCHED_DEADLINE wants 0 < runtime <= deadline <= period" },
		{ PROCESS("'scheduler':{'policy':'SCHED_DEADLINE','runtime':1,'deadline':3,'period'"
			  ":2}"),
		  "process.scheduler: SCHED_DEADLINE wants 0 < runtime <= deadline <= period" },
		{ PROCESS("'scheduler':{'policy':'SCHED_OTHER','flags':['SCHED_FLAG_X']}"),
		  "process.scheduler.flags[0]: \"SCHED_FLAG_X\" is not one of "
		  "SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, "
		  "SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_UTIL_CLAMP_MIN, "
		  "SCHED_FLAG_UTIL_CLAMP_MAX" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void bad_mounts_and_hooks(void **state)
{
	static const struct bad cases[] = {
		{ SPEC("'mounts':[{}]"), "mounts[0].destination: missing" },
		{ SPEC("'mounts':[{'destination':'/a'},{'destination':''}]"),
		  "mounts[1].destination: must not be empty" },
		{ SPEC("'mounts':[{'destination':'/a','options':'ro'}]"),
		  "mounts[0].options: expected an array of strings, found \"ro\"" },
		{ SPEC("'mounts':[{'destination':'/a',"
		       "'uidMappings':[{'containerID':0,'hostID':0,'size':1}]}]"),
		  "mounts[0]: uidMappings and gidMappings go together" },
		{ SPEC("'mounts':[{'destination':'/a',"
		       "'uidMappings':[{'containerID':0,'hostID':0,'size':1}],"
		       "'gidMappings':[{'containerID':0,'hostID':0,'size':0}]}]"),
		  "mounts[0].gidMappings[0].size: must be positive" },
		{ SPEC("'hooks':{'prestart':[{}]}"), "hooks.prestart[0].path: missing" },
		{ SPEC("'hooks':{'createRuntime':[{'path':'x'}]}"),
		  "hooks.createRuntime[0].path: must be an absolute path" },
		{ SPEC("'hooks':{'createContainer':[{'path':'/x','timeout':0}]}"),
		  "hooks.createContainer[0].timeout: must be positive" },
		{ SPEC("'hooks':{'startContainer':[{'path':'/x','timeout':-1}]}"),
		  "hooks.startContainer[0].timeout: must be positive" },
		{ SPEC("'hooks':{'poststart':[{'path':'/x','env':['']}]}"),
		  "hooks.poststart[0].env[0]: must not be empty" },
		{ SPEC("'hooks':{'poststop':{}}"),
		  "hooks.poststop: expected an array, found an object" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void bad_namespaces(void **state)
{
	static const struct bad cases[] = {
		{ SPEC("'linux':{'namespaces':[{'type':'net'}]}"),
		  "linux.namespaces[0].type: \"net\" is not one of user, mount, pid, network, ipc, "
		  "uts, cgroup, time" },
		{ SPEC("'linux':{'namespaces':[{'path':'/x'}]}"),
		  "linux.namespaces[0].type: missing" },
		{ SPEC("'linux':{'namespaces':[{'type':'pid','path':'x'}]}"),
		  "linux.namespaces[0].path: must be an absolute path" },
		{ SPEC("'linux':{'namespaces':[{'type':'pid'},{'type':'uts'},{'type':'pid'}]}"),
		  "linux.namespaces[2]: the pid namespace is there twice" },
		{ SPEC("'linux':{'uidMappings':[{'containerID':0,'hostID':0,'size':1}]}"),
		  "linux.uidMappings: needs a namespace of type user in linux.namespaces" },
		{ SPEC("'linux':{'gidMappings':[{'containerID':0,'hostID':0,'size':1}]}"),
		  "linux.gidMappings: needs a namespace of type user in linux.namespaces" },
		{ SPEC("'linux':{'netDevices':{'eth0':{}}}"),
		  "linux.netDevices: needs a namespace of type network in linux.namespaces" },
		{ SPEC("'linux':{'maskedPaths':['/x']}"),
		  "linux.maskedPaths: needs a namespace of type mount in linux.namespaces" },
		{ SPEC("'linux':{'readonlyPaths':['/x']}"),
		  "linux.readonlyPaths: needs a namespace of type mount in linux.namespaces" },
		{ SPEC("'linux':{'timeOffsets':{'monotonic':{'secs':1}}}"),
		  "linux.timeOffsets: needs a new time namespace" },
		{ SPEC("'linux':{'namespaces':[{'type':'time','path':'/x'}],"
		       "'timeOffsets':{'boottime':{'secs':1}}}"),
		  "linux.timeOffsets: needs a new time namespace" },
		{ MAPPINGS("{'containerID':0,'hostID':0}"), "linux.uidMappings[0].size: missing" },
		{ MAPPINGS("{'containerID':0,'hostID':0,'size':0}"),
		  "linux.uidMappings[0].size: must be positive" },
		{ MAPPINGS("{'containerID':1,'hostID':0,'size':4294967295}"),
		  "linux.uidMappings[0]: reaches past id 4294967294" },
		{ MAPPINGS("{'containerID':0,'hostID':4294967294,'size':2}"),
		  "linux.uidMappings[0]: reaches past id 4294967294" },
		{ MAPPINGS("{'containerID':0,'hostID':0,'size':10},"
			   "{'containerID':9,'hostID':100,'size':1}"),
		  "linux.uidMappings[1]: overlaps entry 0" },
		{ MAPPINGS("{'containerID':0,'hostID':100,'size':10},"
			   "{'containerID':20,'hostID':95,'size':6}"),
		  "linux.uidMappings[1]: overlaps entry 0" },
		{ LINUX("'gidMappings':[{'containerID':0,'hostID':0,'size':2},"
			"{'containerID':1,'hostID':9,'size':1}]"),
		  "linux.gidMappings[1]: overlaps entry 0" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void too_many_mappings(void **state)
{
	autoarena a = ARENA_INIT;
	autobuf b = BUF_INIT;
	struct spec *spec;
	struct err err;
	char *json;

	(void)state;
	buf_adds(&b, "{'ociVersion':'1.2.0','root':{'path':'rootfs'},'linux':{" ALL_NAMESPACES
		     ",'uidMappings':[");
	for (int i = 0; i <= 340; i++)
		buf_addf(&b, "%s{'containerID':%d,'hostID':%d,'size':1}", i ? "," : "", i, i);
	buf_adds(&b, "]}}");
	json = to_json(&a, b.data);
	assert_int_equal(spec_parse(json, strlen(json), &a, &spec, &err), -EINVAL);
	assert_string_equal(err.msg, "linux.uidMappings: more than 340 entries");
}

static void bad_sysctls(void **state)
{
#define SYSCTL(key) LINUX("'sysctl':{'" key "':'1'}")
#define BARE_SYSCTL(key) SPEC("'linux':{'sysctl':{'" key "':'1'}}")
	static const struct bad cases[] = {
		{ SYSCTL("kernel.core_pattern"),
		  "linux.sysctl[\"kernel.core_pattern\"]: belongs to "
		  "no namespace and would change the host" },
		{ SYSCTL("kernel/core_pattern"),
		  "linux.sysctl[\"kernel/core_pattern\"]: belongs to "
		  "no namespace and would change the host" },
		{ SYSCTL("kernel.shm_rmid_forced.x"),
		  "linux.sysctl[\"kernel.shm_rmid_forced.x\"]: belongs to no namespace and would "
		  "change the host" },
		{ SYSCTL("net"),
		  "linux.sysctl.net: belongs to no namespace and would change the host" },
		{ SYSCTL("network.x"), "linux.sysctl[\"network.x\"]: belongs to no namespace and "
				       "would change the host" },
		{ SYSCTL("fs.mqueue"), "linux.sysctl[\"fs.mqueue\"]: belongs to no namespace and "
				       "would change the host" },
		{ SYSCTL("kernel.hostname"),
		  "linux.sysctl[\"kernel.hostname\"]: is set by \"hostname\"" },
		{ SYSCTL(""), "linux.sysctl[\"\"]: is not the name of a sysctl" },
		{ SYSCTL("net.."), "linux.sysctl[\"net..\"]: is not the name of a sysctl" },
		{ SYSCTL("net.ipv4."), "linux.sysctl[\"net.ipv4.\"]: is not the name of a sysctl" },
		{ SYSCTL(".net"), "linux.sysctl[\".net\"]: is not the name of a sysctl" },
		{ SYSCTL("/net/x"), "linux.sysctl[\"/net/x\"]: is not the name of a sysctl" },
		{ SYSCTL("net/../kernel/x"),
		  "linux.sysctl[\"net/../kernel/x\"]: is not the name of a sysctl" },
		{ SYSCTL("net/./x"), "linux.sysctl[\"net/./x\"]: is not the name of a sysctl" },
		{ SYSCTL("net.//.x"), "linux.sysctl[\"net.//.x\"]: is not the name of a sysctl" },
		{ SYSCTL("net./.x"), "linux.sysctl[\"net./.x\"]: is not the name of a sysctl" },
		{ SYSCTL("net.a b"), "linux.sysctl[\"net.a b\"]: is not the name of a sysctl" },
		{ SYSCTL("net.a\\nb"), "linux.sysctl[\"net.a?b\"]: is not the name of a sysctl" },
		{ BARE_SYSCTL("net.core.somaxconn"),
		  "linux.sysctl[\"net.core.somaxconn\"]: needs a namespace of type network in "
		  "linux.namespaces" },
		{ BARE_SYSCTL("kernel.sem"), "linux.sysctl[\"kernel.sem\"]: needs a namespace of "
					     "type ipc in linux.namespaces" },
		{ BARE_SYSCTL("fs.mqueue.msg_max"), "linux.sysctl[\"fs.mqueue.msg_max\"]: needs a "
						    "namespace of type ipc in linux.namespaces" },
		{ BARE_SYSCTL("kernel.domainname"), "linux.sysctl[\"kernel.domainname\"]: needs a "
						    "namespace of type uts in linux.namespaces" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void sysctl_paths(void **state)
{
	static const struct {
		const char *key, *path;
	} cases[] = {
		{ "net.ipv4.ip_forward", "net/ipv4/ip_forward" },
		{ "net/ipv4/ip_forward", "net/ipv4/ip_forward" },
		{ "net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter" },
		{ "net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter" },
		{ "single", "single" },
	};
	char path[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(spec_sysctl_path(cases[i].key, path, sizeof(path)));
		assert_string_equal(path, cases[i].path);
	}
	assert_true(spec_sysctl_path("abc.def", path, 8));
	assert_false(spec_sysctl_path("abc.def", path, 7));
	assert_false(spec_sysctl_path("abc.def", path, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_top_level),  cmocka_unit_test(bad_process),
		cmocka_unit_test(bad_scheduler),  cmocka_unit_test(bad_mounts_and_hooks),
		cmocka_unit_test(bad_namespaces), cmocka_unit_test(too_many_mappings),
		cmocka_unit_test(bad_sysctls),	  cmocka_unit_test(sysctl_paths),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
