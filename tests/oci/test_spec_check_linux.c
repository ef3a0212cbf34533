/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/oci/spec_bad.h"

static void bad_devices(void **state)
{
	static const struct bad cases[] = {
		{ DEVICE("'type':'c'"), "linux.devices[0].path: missing" },
		{ DEVICE("'path':'/x'"), "linux.devices[0].type: missing" },
		{ DEVICE("'path':'/x','type':'x'"),
		  "linux.devices[0].type: is not one of c, b, u, p" },
		{ DEVICE("'path':'/x','type':''"),
		  "linux.devices[0].type: is not one of c, b, u, p" },
		{ DEVICE("'path':'/x','type':'cb'"),
		  "linux.devices[0].type: is not one of c, b, u, p" },
		{ DEVICE("'path':'dev/x','type':'c','major':1,'minor':1"),
		  "linux.devices[0].path: must be an absolute path" },
		{ DEVICE("'path':'/x','type':'c','minor':1"), "linux.devices[0].major: missing" },
		{ DEVICE("'path':'/x','type':'b','major':1"), "linux.devices[0].minor: missing" },
		{ DEVICE("'path':'/x','type':'u','major':-1,'minor':0"),
		  "linux.devices[0].major: -1 is out of range (0 to 4095)" },
		{ DEVICE("'path':'/x','type':'u','major':1,'minor':1048576"),
		  "linux.devices[0].minor: 1048576 is out of range (0 to 1048575)" },
		{ DEVICE("'path':'/x','type':'c','major':1,'minor':1,'fileMode':4096"),
		  "linux.devices[0].fileMode: 4096 is out of range (0 to 4095)" },
		{ DEVICE("'path':'/x','type':'p','uid':4294967295"),
		  "linux.devices[0].uid: 4294967295 is not an id (0 to 4294967294)" },
		{ LINUX("'netDevices':{'ab/c':{}}"),
		  "linux.netDevices[\"ab/c\"]: is not the name of a network interface" },
		{ LINUX("'netDevices':{'..':{}}"),
		  "linux.netDevices[\"..\"]: is not the name of a network interface" },
		{ LINUX("'netDevices':{'':{}}"),
		  "linux.netDevices[\"\"]: is not the name of a network interface" },
		{ LINUX("'netDevices':{'eth0':{'name':'0123456789abcdef'}}"),
		  "linux.netDevices.eth0.name: is not the name of a network interface" },
		{ LINUX("'netDevices':{'eth0':{'name':'a b'}}"),
		  "linux.netDevices.eth0.name: is not the name of a network interface" },
		{ LINUX("'netDevices':{'eth0':{'name':'a:b'}}"),
		  "linux.netDevices.eth0.name: is not the name of a network interface" },
		{ LINUX("'netDevices':{'eth0':{'name':23}}"),
		  "linux.netDevices.eth0.name: expected a string, found 23" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void bad_linux(void **state)
{
	static const struct bad cases[] = {
		{ SPEC("'linux':[]"), "linux: expected an object, found an array" },
		{ LINUX("'cgroupsPath':'/a/../../b'"),
		  "linux.cgroupsPath: must not contain \"..\"" },
		{ LINUX("'cgroupsPath':'..'"), "linux.cgroupsPath: must not contain \"..\"" },
		{ LINUX("'maskedPaths':['/a','b']"),
		  "linux.maskedPaths[1]: must be an absolute path" },
		{ LINUX("'readonlyPaths':['']"),
		  "linux.readonlyPaths[0]: must be an absolute path" },
		{ LINUX("'rootfsPropagation':'none'"),
		  "linux.rootfsPropagation: \"none\" is not one of private, shared, slave, "
		  "unbindable, rprivate, rshared, rslave, runbindable" },
		{ LINUX("'timeOffsets':{'boottime':{'nanosecs':1000000000}}"),
		  "linux.timeOffsets.boottime.nanosecs: 1000000000 is out of range (0 to "
		  "999999999)" },
		{ LINUX("'intelRdt':{'closID':'a/b'}"),
		  "linux.intelRdt.closID: must be the name of one directory" },
		{ LINUX("'intelRdt':{'closID':'..'}"),
		  "linux.intelRdt.closID: must be the name of one directory" },
		{ LINUX("'intelRdt':{'closID':''}"),
		  "linux.intelRdt.closID: must be the name of one directory" },
		{ LINUX("'intelRdt':{'memBwSchema':'L3:0=1'}"),
		  "linux.intelRdt.memBwSchema: must be one line that starts with MB:" },
		{ LINUX("'intelRdt':{'memBwSchema':'MB:0=1\\nL3:0=1'}"),
		  "linux.intelRdt.memBwSchema: must be one line that starts with MB:" },
		{ LINUX("'memoryPolicy':{}"), "linux.memoryPolicy.mode: missing" },
		{ LINUX("'memoryPolicy':{'mode':'MPOL_X'}"),
		  "linux.memoryPolicy.mode: \"MPOL_X\" is not one of MPOL_DEFAULT, MPOL_BIND, "
		  "MPOL_INTERLEAVE, MPOL_WEIGHTED_INTERLEAVE, MPOL_PREFERRED, "
		  "MPOL_PREFERRED_MANY, MPOL_LOCAL" },
		{ LINUX("'memoryPolicy':{'mode':'MPOL_BIND'}"),
		  "linux.memoryPolicy.nodes: must not be empty with this mode" },
		{ LINUX("'memoryPolicy':{'mode':'MPOL_LOCAL','nodes':'0'}"),
		  "linux.memoryPolicy.nodes: must be empty with this mode" },
		{ LINUX("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0;1'}"),
		  "linux.memoryPolicy.nodes: expected a list of numbers and ranges like "
		  "\"0-3,7\"" },
		{ LINUX("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_STATIC_"
			"NODES',"
			"'MPOL_F_RELATIVE_NODES']}"),
		  "linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude "
		  "each other" },
		{ LINUX("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_X']}"),
		  "linux.memoryPolicy.flags[0]: \"MPOL_F_X\" is not one of MPOL_F_NUMA_BALANCING, "
		  "MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES" },
		{ LINUX("'personality':{}"), "linux.personality.domain: missing" },
		{ LINUX("'personality':{'domain':'BSD'}"),
		  "linux.personality.domain: \"BSD\" is not one of LINUX, LINUX32" },
		{ LINUX("'personality':{'domain':'LINUX','flags':['x']}"),
		  "linux.personality.flags: no flags are supported" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

static void bad_seccomp(void **state)
{
	static const struct bad cases[] = {
		{ SECCOMP("'flags':[]"), "linux.seccomp.defaultAction: missing" },
		{ SECCOMP("'defaultAction':'SCMP_ACT_NOTIFY'"),
		  "linux.seccomp.defaultAction: must not be SCMP_ACT_NOTIFY" },
		{ SECCOMP("'defaultAction':'ALLOW'"),
		  "linux.seccomp.defaultAction: \"ALLOW\" is not one of SCMP_ACT_KILL, "
		  "SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, "
		  "SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY" },
		{ SECCOMP("'defaultAction':'SCMP_ACT_ALLOW','defaultErrnoRet':1"),
		  "linux.seccomp.defaultErrnoRet: is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE only" },
		{ SECCOMP("'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':4096"),
		  "linux.seccomp.defaultErrnoRet: 4096 is out of range (0 to 4095)" },
		{ SECCOMP("'defaultAction':'SCMP_ACT_ALLOW','flags':['X']"),
		  "linux.seccomp.flags[0]: \"X\" is not one of SECCOMP_FILTER_FLAG_TSYNC, "
		  "SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, "
		  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" },
		{ SECCOMP("'defaultAction':'SCMP_ACT_ALLOW','listenerMetadata':'x'"),
		  "linux.seccomp.listenerMetadata: needs listenerPath" },
		{ RULE("'action':'SCMP_ACT_LOG'"), "linux.seccomp.syscalls[0].names: missing" },
		{ RULE("'names':['a']"), "linux.seccomp.syscalls[0].action: missing" },
		{ RULE("'names':[],'action':'SCMP_ACT_LOG'"),
		  "linux.seccomp.syscalls[0].names: must not be empty" },
		{ RULE("'names':['a',''],'action':'SCMP_ACT_LOG'"),
		  "linux.seccomp.syscalls[0].names[1]: must not be empty" },
		{ RULE("'names':['a'],'action':'SCMP_ACT_NOTIFY'"),
		  "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs listenerPath" },
		{ RULE("'names':['a'],'action':'SCMP_ACT_LOG','errnoRet':1"),
		  "linux.seccomp.syscalls[0].errnoRet: is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE "
		  "only" },
		{ RULE("'names':['a'],'action':'SCMP_ACT_TRACE','errnoRet':65536"),
		  "linux.seccomp.syscalls[0].errnoRet: 65536 is out of range (0 to 65535)" },
		{ RULE("'names':['a'],'action':'SCMP_ACT_LOG','args':[{'index':6,'value':1,"
		       "'op':'SCMP_CMP_EQ'}]"),
		  "linux.seccomp.syscalls[0].args[0].index: 6 is out of range (0 to 5)" },
		{ RULE("'names':['a'],'action':'SCMP_ACT_LOG','args':[{'index':0,'value':1}]"),
		  "linux.seccomp.syscalls[0].args[0].op: missing" },
		{ RULE("'names':['a'],'action':'SCMP_ACT_LOG','args':[{'index':0,'value':1,'op':'=="
		       "'}]"),
		  "linux.seccomp.syscalls[0].args[0].op: \"==\" is not one of SCMP_CMP_NE, "
		  "SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, "
		  "SCMP_CMP_MASKED_EQ" },
	};
	autoarena a = ARENA_INIT;
	char *json = to_json(&a, SECCOMP("'defaultAction':'SCMP_ACT_ALLOW',"
					 "'architectures':['SCMP_ARCH_Z80']"));
	struct spec *spec;
	struct err err;

	(void)state;
	EXPECT_BAD(cases);
	assert_int_equal(spec_parse(json, strlen(json), &a, &spec, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "linux.seccomp.architectures[0]: \"SCMP_ARCH_Z80\" is not "
					"one of SCMP_ARCH_X86, SCMP_ARCH_X86_64"));
}

static void bad_resources(void **state)
{
	static const struct bad cases[] = {
		{ RESOURCES("'devices':[{}]"), "linux.resources.devices[0].allow: missing" },
		{ RESOURCES("'devices':[{'allow':true,'type':'u'}]"),
		  "linux.resources.devices[0].type: is not one of a, b, c" },
		{ RESOURCES("'devices':[{'allow':true,'type':''}]"),
		  "linux.resources.devices[0].type: is not one of a, b, c" },
		{ RESOURCES("'devices':[{'allow':true,'access':'rx'}]"),
		  "linux.resources.devices[0].access: must be made of the letters r, w and m" },
		{ RESOURCES("'devices':[{'allow':true,'access':''}]"),
		  "linux.resources.devices[0].access: must be made of the letters r, w and m" },
		{ RESOURCES("'devices':[{'allow':true,'major':-2}]"),
		  "linux.resources.devices[0].major: -2 is out of range (-1 to 4294967295)" },
		{ RESOURCES("'devices':[{'allow':true,'minor':4294967296}]"),
		  "linux.resources.devices[0].minor: 4294967296 is out of range (-1 to "
		  "4294967295)" },
		{ RESOURCES("'hugepageLimits':[{'limit':1234123,'pageSize':'64kB'}]"),
		  "linux.resources.hugepageLimits[0].pageSize: expected a size like 64KB, 2MB or "
		  "1GB" },
		{ RESOURCES("'hugepageLimits':[{'limit':1,'pageSize':'02MB'}]"),
		  "linux.resources.hugepageLimits[0].pageSize: expected a size like 64KB, 2MB or "
		  "1GB" },
		{ RESOURCES("'hugepageLimits':[{'limit':1,'pageSize':'MB'}]"),
		  "linux.resources.hugepageLimits[0].pageSize: expected a size like 64KB, 2MB or "
		  "1GB" },
		{ RESOURCES("'hugepageLimits':[{'pageSize':'2MB'}]"),
		  "linux.resources.hugepageLimits[0].limit: missing" },
		{ RESOURCES("'rdma':{'mlx5_1':{'hcaHandles':'not a uint32'}}"),
		  "linux.resources.rdma.mlx5_1.hcaHandles: expected an unsigned integer, found "
		  "\"not a uint32\"" },
		{ RESOURCES("'rdma':{'a b':{}}"),
		  "linux.resources.rdma[\"a b\"]: is not the name of an RDMA device" },
		{ RESOURCES("'unified':{'../memory.max':'1'}"),
		  "linux.resources.unified[\"../memory.max\"]: is not the name of a cgroup file" },
		{ RESOURCES("'unified':{'':'1'}"),
		  "linux.resources.unified[\"\"]: is not the name of a cgroup file" },
		{ RESOURCES("'memory':{'limit':9223372036854775808}"),
		  "linux.resources.memory.limit: 9223372036854775808 is out of range "
		  "(-9223372036854775808 to 9223372036854775807)" },
		{ RESOURCES("'cpu':{'shares':-1}"),
		  "linux.resources.cpu.shares: -1 is out of range (0 to 18446744073709551615)" },
		{ RESOURCES("'blockIO':{'weight':65536}"),
		  "linux.resources.blockIO.weight: 65536 is out of range (0 to 65535)" },
		{ RESOURCES("'blockIO':{'weightDevice':[{'minor':0}]}"),
		  "linux.resources.blockIO.weightDevice[0].major: missing" },
		{ RESOURCES("'blockIO':{'throttleReadIOPSDevice':[{'major':8}]}"),
		  "linux.resources.blockIO.throttleReadIOPSDevice[0].minor: missing" },
		{ RESOURCES("'network':{'priorities':[{'name':'eth0'}]}"),
		  "linux.resources.network.priorities[0].priority: missing" },
	};

	(void)state;
	EXPECT_BAD(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_devices),
		cmocka_unit_test(bad_linux),
		cmocka_unit_test(bad_seccomp),
		cmocka_unit_test(bad_resources),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
