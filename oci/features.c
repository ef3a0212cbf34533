/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/features.h"

#include "lib/json.h"
#include "oci/mount_options.h"
#include "oci/seccomp_names.h"
#include "oci/spec.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 1.0.0 is the first release; each since only adds (RELEASES.md of the runtime-spec). */
#define OLDEST_SPEC_VERSION "1.0.0"

static const char *const memory_modes[] = {
	"MPOL_DEFAULT",	  "MPOL_BIND",		 "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE",
	"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_LOCAL",	    NULL,
};

static const char *const memory_flags[] = {
	"MPOL_F_NUMA_BALANCING",
	"MPOL_F_RELATIVE_NODES",
	"MPOL_F_STATIC_NODES",
	NULL,
};

static void write_strings(struct json_writer *w, const char *key, const char *const *strings)
{
	json_key(w, key);
	json_begin_array(w);
	for (; *strings; strings++)
		json_put_string(w, *strings);
	json_end_array(w);
}

static void write_names(struct json_writer *w, const char *key, const struct json_enum_value *names)
{
	json_key(w, key);
	json_begin_array(w);
	for (; names->name; names++)
		json_put_string(w, names->name);
	json_end_array(w);
}

/* {"key": {"enabled": true}} */
static void write_enabled(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_begin_object(w);
	json_pair_bool(w, "enabled", true);
	json_end_object(w);
}

static void write_hooks(struct json_writer *w)
{
	json_key(w, "hooks");
	json_begin_array(w);
	for (int kind = 0; kind < HOOK_KINDS; kind++)
		json_put_string(w, hook_kind_name((enum hook_kind)kind));
	json_end_array(w);
}

static void write_mount_options(struct json_writer *w)
{
	json_key(w, "mountOptions");
	json_begin_array(w);
	for (size_t i = 0; i < mount_option_count; i++)
		json_put_string(w, mount_options[i].name);
	json_end_array(w);
}

static void write_namespaces(struct json_writer *w)
{
	json_key(w, "namespaces");
	json_begin_array(w);
	for (int kind = 0; kind < NS_KINDS; kind++)
		json_put_string(w, ns_kind_name((enum ns_kind)kind));
	json_end_array(w);
}

/* All that the headers know, not only this kernel: "including capabilities that might not be
 * supported by the host". */
static void write_capabilities(struct json_writer *w)
{
	json_key(w, "capabilities");
	json_begin_array(w);
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		char *name = cap_to_name(cap);

		for (char *p = name; p && *p; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
		/* One that libcap has no name for comes as a number. */
		if (name && strncmp(name, "CAP_", 4) == 0)
			json_put_string(w, name);
		cap_free(name);
	}
	json_end_array(w);
}

static void write_cgroup(struct json_writer *w)
{
	json_key(w, "cgroup");
	json_begin_object(w);
	json_pair_bool(w, "v1", false);
	json_pair_bool(w, "v2", true);
	json_pair_bool(w, "systemd", true);
	json_pair_bool(w, "systemdUser", true);
	json_pair_bool(w, "rdma", true);
	json_end_object(w);
}

/* seccomp(2): a flag the kernel knows fails only at the missing program, with EFAULT. */
static bool kernel_has_flag(long flag)
{
	unsigned long flags = (unsigned long)flag;

	if (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

static void write_supported_flags(struct json_writer *w)
{
	json_key(w, "supportedFlags");
	json_begin_array(w);
	for (const struct json_enum_value *flag = seccomp_flag_names; flag->name; flag++)
		if (kernel_has_flag(flag->value))
			json_put_string(w, flag->name);
	json_end_array(w);
}

static void write_seccomp(struct json_writer *w)
{
	json_key(w, "seccomp");
	json_begin_object(w);
	json_pair_bool(w, "enabled", true);
	write_names(w, "actions", seccomp_action_names);
	write_names(w, "operators", seccomp_op_names);
	write_names(w, "archs", seccomp_arch_names);
	write_names(w, "knownFlags", seccomp_flag_names);
	write_supported_flags(w);
	json_end_object(w);
}

static void write_intel_rdt(struct json_writer *w)
{
	json_key(w, "intelRdt");
	json_begin_object(w);
	json_pair_bool(w, "enabled", true);
	json_pair_bool(w, "schemata", true);
	json_pair_bool(w, "monitoring", true);
	json_end_object(w);
}

static void write_memory_policy(struct json_writer *w)
{
	json_key(w, "memoryPolicy");
	json_begin_object(w);
	write_strings(w, "modes", memory_modes);
	write_strings(w, "flags", memory_flags);
	json_end_object(w);
}

static void write_linux(struct json_writer *w)
{
	json_key(w, "linux");
	json_begin_object(w);
	write_namespaces(w);
	write_capabilities(w);
	write_cgroup(w);
	write_seccomp(w);
	write_enabled(w, "apparmor");
	write_enabled(w, "selinux");
	write_intel_rdt(w);
	write_memory_policy(w);
	json_key(w, "mountExtensions");
	json_begin_object(w);
	write_enabled(w, "idmap");
	json_end_object(w);
	write_enabled(w, "netDevices");
	json_end_object(w);
}

static void write_annotations(struct json_writer *w)
{
	char text[3 * sizeof("4294967295")];

	snprintf(text, sizeof(text), "%u.%u.%u", SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO);
	json_key(w, "annotations");
	json_begin_object(w);
	json_pair_string(w, "io.github.seccomp.libseccomp.version", text);
	json_end_object(w);
}

void features_write(struct buf *ret_json)
{
	static const char *const unsafe[] = { "org.systemd.property.", NULL };
	struct json_writer w;

	json_writer_init(&w, ret_json, false);
	json_begin_object(&w);
	json_pair_string(&w, "ociVersionMin", OLDEST_SPEC_VERSION);
	json_pair_string(&w, "ociVersionMax", SPEC_VERSION);
	write_hooks(&w);
	write_mount_options(&w);
	write_linux(&w);
	write_annotations(&w);
	/* Those of tote's own only tighten limits: an image must not steer its runtime. */
	write_strings(&w, "potentiallyUnsafeConfigAnnotations", unsafe);
	json_end_object(&w);
	json_writer_done(&w);
}
