/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/default_spec.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "oci/seccomp_default.h"
#include "oci/seccomp_names.h"
#include "oci/spec.h"

enum { ROOTFUL_ONLY = 1, ROOTLESS_ONLY = 2 };

/* The first version that has all we write: other runtimes refuse files of a version newer than they
 * know. */
#define LEAST_VERSION "1.0.2"

static const char *const capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE",
					    NULL };

static const struct {
	const char *destination, *type, *source;
	unsigned int when;
	const char *options[8];
} mounts[] = {
	{ "/proc", "proc", "proc", 0, { NULL } },
	{ "/dev", "tmpfs", "tmpfs", 0, { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  ROOTFUL_ONLY,
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	/* Only one gid is mapped, and it is not 5. */
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  ROOTLESS_ONLY,
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" } },
	{ "/dev/shm",
	  "tmpfs",
	  "shm",
	  0,
	  { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", 0, { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", ROOTFUL_ONLY, { "nosuid", "noexec", "nodev", "ro" } },
	/* The kernel lets only the owner of the network namespace mount sysfs. */
	{ "/sys", "none", "/sys", ROOTLESS_ONLY, { "rbind", "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup",
	  "cgroup",
	  "cgroup",
	  0,
	  { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

static const struct {
	enum ns_kind kind;
	unsigned int when;
} namespaces[] = {
	{ NS_PID, 0 },
	/* Without it the container would have no way out at all: an ordinary user cannot join it to
	   a bridge. */
	{ NS_NETWORK, ROOTFUL_ONLY },
	{ NS_IPC, 0 },
	{ NS_UTS, 0 },
	{ NS_MOUNT, 0 },
	{ NS_CGROUP, 0 },
	{ NS_USER, ROOTLESS_ONLY },
};

/* What tells of the host or reaches into it; powercap: CVE-2020-8694, interrupts: keystroke timing.
 */
static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
	NULL,
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static bool applies(unsigned int when, unsigned int flags)
{
	return !when || when == (flags & DEFAULT_SPEC_ROOTLESS ? ROOTLESS_ONLY : ROOTFUL_ONLY);
}

static void write_strings(struct json_writer *w, const char *key, const char *const *strings)
{
	json_key(w, key);
	json_begin_array(w);
	for (; *strings; strings++)
		json_put_string(w, *strings);
	json_end_array(w);
}

static void write_capabilities(struct json_writer *w)
{
	json_key(w, "capabilities");
	json_begin_object(w);
	write_strings(w, "bounding", capabilities);
	write_strings(w, "effective", capabilities);
	write_strings(w, "permitted", capabilities);
	json_end_object(w);
}

static void write_rlimits(struct json_writer *w)
{
	json_key(w, "rlimits");
	json_begin_array(w);
	json_begin_object(w);
	json_pair_string(w, "type", "RLIMIT_NOFILE");
	json_pair_u64(w, "hard", 1024);
	json_pair_u64(w, "soft", 1024);
	json_end_object(w);
	json_end_array(w);
}

static void write_process(struct json_writer *w)
{
	static const char *const args[] = { "sh", NULL };
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm",
		NULL
	};

	json_key(w, "process");
	json_begin_object(w);
	json_pair_bool(w, "terminal", true);
	json_key(w, "user");
	json_begin_object(w);
	json_pair_u64(w, "uid", 0);
	json_pair_u64(w, "gid", 0);
	json_end_object(w);
	write_strings(w, "args", args);
	write_strings(w, "env", env);
	json_pair_string(w, "cwd", "/");
	write_capabilities(w);
	write_rlimits(w);
	json_pair_bool(w, "noNewPrivileges", true);
	json_end_object(w);
}

static void write_mounts(struct json_writer *w, unsigned int flags)
{
	json_key(w, "mounts");
	json_begin_array(w);
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (!applies(mounts[i].when, flags))
			continue;
		json_begin_object(w);
		json_pair_string(w, "destination", mounts[i].destination);
		json_pair_string(w, "type", mounts[i].type);
		json_pair_string(w, "source", mounts[i].source);
		if (mounts[i].options[0])
			write_strings(w, "options", mounts[i].options);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_mapping(struct json_writer *w, const char *key, uint32_t host_id)
{
	json_key(w, key);
	json_begin_array(w);
	json_begin_object(w);
	json_pair_u64(w, "containerID", 0);
	json_pair_u64(w, "hostID", host_id);
	json_pair_u64(w, "size", 1);
	json_end_object(w);
	json_end_array(w);
}

static void write_namespaces(struct json_writer *w, unsigned int flags)
{
	json_key(w, "namespaces");
	json_begin_array(w);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (!applies(namespaces[i].when, flags))
			continue;
		json_begin_object(w);
		json_pair_string(w, "type", ns_kind_name(namespaces[i].kind));
		json_end_object(w);
	}
	json_end_array(w);
}

/* Deny all; the runtime adds what config-linux.md, "Default Devices", promises. */
static void write_resources(struct json_writer *w)
{
	json_key(w, "resources");
	json_begin_object(w);
	json_key(w, "devices");
	json_begin_array(w);
	json_begin_object(w);
	json_pair_bool(w, "allow", false);
	json_pair_string(w, "access", "rwm");
	json_end_object(w);
	json_end_array(w);
	json_end_object(w);
}

static void write_arg(struct json_writer *w, const struct spec_seccomp_arg *arg)
{
	json_begin_object(w);
	json_pair_u64(w, "index", arg->index);
	json_pair_u64(w, "value", arg->value);
	if (arg->value_two)
		json_pair_u64(w, "valueTwo", arg->value_two);
	json_pair_string(w, "op", seccomp_name(seccomp_op_names, arg->op));
	json_end_object(w);
}

static void write_rule(struct json_writer *w, const struct spec_seccomp_rule *rule)
{
	json_begin_object(w);
	json_pair_strv(w, "names", &rule->names);
	json_pair_string(w, "action", seccomp_name(seccomp_action_names, rule->action));
	if (rule->errno_ret.set)
		json_pair_u64(w, "errnoRet", rule->errno_ret.value);
	if (rule->args.count) {
		json_key(w, "args");
		json_begin_array(w);
		for_each (arg, &rule->args)
			write_arg(w, arg);
		json_end_array(w);
	}
	json_end_object(w);
}

static void write_seccomp(struct json_writer *w)
{
	autoarena arena = ARENA_INIT;
	const struct spec_seccomp *seccomp = seccomp_default_profile(&arena);

	json_key(w, "seccomp");
	json_begin_object(w);
	json_pair_string(w, "defaultAction",
			 seccomp_name(seccomp_action_names, seccomp->default_action));
	json_pair_u64(w, "defaultErrnoRet", seccomp->default_errno_ret.value);
	json_pair_strv(w, "architectures", &seccomp->architectures);
	json_key(w, "syscalls");
	json_begin_array(w);
	for_each (rule, &seccomp->syscalls)
		write_rule(w, rule);
	json_end_array(w);
	json_end_object(w);
}

static void write_linux(struct json_writer *w, unsigned int flags)
{
	json_key(w, "linux");
	json_begin_object(w);
	if (flags & DEFAULT_SPEC_ROOTLESS) {
		write_mapping(w, "uidMappings", geteuid());
		write_mapping(w, "gidMappings", getegid());
	} else {
		/* An ordinary user can attach no device program, and needs none: mknod in a user
		 * namespace fails. */
		write_resources(w);
	}
	write_namespaces(w, flags);
	if (flags & DEFAULT_SPEC_SECCOMP)
		write_seccomp(w);
	write_strings(w, "maskedPaths", masked_paths);
	write_strings(w, "readonlyPaths", readonly_paths);
	json_end_object(w);
}

void default_spec_write(struct buf *ret_json, unsigned int flags)
{
	struct json_writer w;

	json_writer_init(&w, ret_json, true);
	json_begin_object(&w);
	json_pair_string(&w, "ociVersion", LEAST_VERSION);
	write_process(&w);
	json_key(&w, "root");
	json_begin_object(&w);
	json_pair_string(&w, "path", "rootfs");
	json_pair_bool(&w, "readonly", true);
	json_end_object(&w);
	json_pair_string(&w, "hostname", "tote");
	write_mounts(&w, flags);
	write_linux(&w, flags);
	json_end_object(&w);
	json_writer_done(&w);
}
