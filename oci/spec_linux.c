/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_tables.h"

#include <ctype.h>
#include <linux/mempolicy.h>
#include <linux/types.h>
#include <net/if.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>

/* Since Linux 6.9; a number, as headers that know it define it in an enum. */
#define SPEC_MPOL_WEIGHTED_INTERLEAVE 6

#define NSEC_PER_SEC 1000000000u

/* The kernel's dev_t has 12 bits of major and 20 of minor. */
#define MAX_MAJOR 4095
#define MAX_MINOR 1048575

static const struct json_enum_value namespace_types[] = {
	{ "user", NS_USER },	   { "mount", NS_MOUNT }, { "pid", NS_PID },
	{ "network", NS_NETWORK }, { "ipc", NS_IPC },	  { "uts", NS_UTS },
	{ "cgroup", NS_CGROUP },   { "time", NS_TIME },	  { NULL, 0 },
};

static const struct json_field namespace_fields[] = {
	REQUIRED_ARG(spec_namespace, "type", type, json_enum, namespace_types),
	FIELD(spec_namespace, "path", path, json_string),
};

static int check_namespace(struct json_ctx *ctx, void *out)
{
	struct spec_namespace *ns = out;

	/* Engines that fill in templates write "" for none. */
	if (ns->path && !*ns->path)
		ns->path = NULL;
	return ns->path ? check_absolute(ctx, "path", ns->path) : 0;
}

static const struct json_table namespace_table =
	TABLE(spec_namespace, namespace_fields, check_namespace);
static const struct json_list_of namespace_list = { json_object, sizeof(struct spec_namespace),
						    &namespace_table };

static const struct json_field time_offset_fields[] = {
	FIELD(spec_time_offset, "secs", secs, json_i64),
	FIELD(spec_time_offset, "nanosecs", nanosecs, json_u32),
};

static int check_time_offset(struct json_ctx *ctx, void *out)
{
	const struct spec_time_offset *o = out;

	if (o->nanosecs >= NSEC_PER_SEC)
		return member_error(ctx, "nanosecs", "%u is out of range (0 to %u)", o->nanosecs,
				    NSEC_PER_SEC - 1);
	return 0;
}

static const struct json_table time_offset_table =
	TABLE(spec_time_offset, time_offset_fields, check_time_offset);

static const struct json_field time_offsets_fields[] = {
	FIELD_ARG(spec_time_offsets, "monotonic", monotonic, json_object_ptr, &time_offset_table),
	FIELD_ARG(spec_time_offsets, "boottime", boottime, json_object_ptr, &time_offset_table),
};

static const struct json_table time_offsets_table =
	TABLE(spec_time_offsets, time_offsets_fields, NULL);

static const struct json_field device_fields[] = {
	REQUIRED(spec_device, "path", path, json_string),
	REQUIRED(spec_device, "type", type, json_string),
	FIELD(spec_device, "major", major, json_opt_i64),
	FIELD(spec_device, "minor", minor, json_opt_i64),
	FIELD(spec_device, "fileMode", file_mode, json_opt_u32),
	FIELD(spec_device, "uid", uid, spec_read_opt_id),
	FIELD(spec_device, "gid", gid, spec_read_opt_id),
};

static int check_device_number(struct json_ctx *ctx, const char *member, struct opt_i64 n,
			       int64_t max)
{
	if (!n.set)
		return member_error(ctx, member, "missing");
	if (n.value < 0 || n.value > max)
		return member_error(ctx, member, "%lld is out of range (0 to %lld)",
				    (long long)n.value, (long long)max);
	return 0;
}

/* containerd and docker leave the file type in, as stat(2) gave it. It goes, if it is the device's
 * own. */
static int check_file_mode(struct json_ctx *ctx, struct spec_device *d)
{
	uint32_t type = d->type[0] == 'b' ? S_IFBLK : d->type[0] == 'p' ? S_IFIFO : S_IFCHR;

	if ((d->file_mode.value & S_IFMT) == type)
		d->file_mode.value &= ~(uint32_t)S_IFMT;
	if (d->file_mode.value > 07777)
		return member_error(ctx, "fileMode", "%u is out of range (0 to %u)",
				    d->file_mode.value, 07777);
	return 0;
}

static int check_device(struct json_ctx *ctx, void *out)
{
	struct spec_device *d = out;
	int r;

	if (strlen(d->type) != 1 || !strchr("cbup", d->type[0]))
		return member_error(ctx, "type", "is not one of c, b, u, p");
	r = check_absolute(ctx, "path", d->path);
	if (r == 0 && d->type[0] != 'p')
		r = check_device_number(ctx, "major", d->major, MAX_MAJOR);
	if (r == 0 && d->type[0] != 'p')
		r = check_device_number(ctx, "minor", d->minor, MAX_MINOR);
	return r == 0 ? check_file_mode(ctx, d) : r;
}

static const struct json_table device_table = TABLE(spec_device, device_fields, check_device);
static const struct json_list_of device_list = { json_object, sizeof(struct spec_device),
						 &device_table };

static const struct json_field net_device_fields[] = {
	FIELD(spec_net_device, "name", name, json_string),
};

/* What the kernel's dev_valid_name() takes. */
static bool is_interface_name(const char *name)
{
	if (!is_file_name(name) || strlen(name) >= IFNAMSIZ)
		return false;
	for (; *name; name++)
		if (*name == ':' || isspace((unsigned char)*name))
			return false;
	return true;
}

static int check_net_device(struct json_ctx *ctx, void *out)
{
	struct spec_net_device *d = out;

	if (d->name && !*d->name)
		d->name = NULL;
	if (!is_interface_name(d->host_name))
		return json_error(ctx, "is not the name of a network interface");
	if (d->name && !is_interface_name(d->name))
		return member_error(ctx, "name", "is not the name of a network interface");
	return 0;
}

static const struct json_table net_device_table =
	TABLE(spec_net_device, net_device_fields, check_net_device);
static const struct json_list_of net_device_list = { json_object, sizeof(struct spec_net_device),
						     &net_device_table };

static const struct json_field intel_rdt_fields[] = {
	FIELD(spec_intel_rdt, "closID", clos_id, json_string),
	FIELD(spec_intel_rdt, "schemata", schemata, json_strv),
	FIELD(spec_intel_rdt, "l3CacheSchema", l3_cache_schema, json_string),
	FIELD(spec_intel_rdt, "memBwSchema", mem_bw_schema, json_string),
	FIELD(spec_intel_rdt, "enableMonitoring", enable_monitoring, json_bool),
};

static int check_intel_rdt(struct json_ctx *ctx, void *out)
{
	const struct spec_intel_rdt *rdt = out;
	const char *bw = rdt->mem_bw_schema;

	if (rdt->clos_id && !is_file_name(rdt->clos_id))
		return member_error(ctx, "closID", "must be the name of one directory");
	if (bw && (strncmp(bw, "MB:", 3) != 0 || strchr(bw, '\n')))
		return member_error(ctx, "memBwSchema", "must be one line that starts with MB:");
	return 0;
}

static const struct json_table intel_rdt_table =
	TABLE(spec_intel_rdt, intel_rdt_fields, check_intel_rdt);

static const struct json_enum_value memory_modes[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT },
	{ "MPOL_BIND", MPOL_BIND },
	{ "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_WEIGHTED_INTERLEAVE", SPEC_MPOL_WEIGHTED_INTERLEAVE },
	{ "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
	{ "MPOL_LOCAL", MPOL_LOCAL },
	{ NULL, 0 },
};

static const struct json_enum_value memory_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
	{ NULL, 0 },
};

static const struct json_field memory_policy_fields[] = {
	REQUIRED_ARG(spec_memory_policy, "mode", mode, json_enum, memory_modes),
	FIELD(spec_memory_policy, "nodes", nodes, json_string),
	FIELD_ARG(spec_memory_policy, "flags", flags, spec_read_flags32, memory_flags),
};

/* set_mempolicy(2) says EINVAL to these, which would not tell anybody what is wrong. */
static int check_memory_policy(struct json_ctx *ctx, void *out)
{
	const struct spec_memory_policy *p = out;
	bool has_nodes = p->nodes && *p->nodes;
	bool takes_none = p->mode == MPOL_DEFAULT || p->mode == MPOL_LOCAL;

	if (has_nodes && takes_none)
		return member_error(ctx, "nodes", "must be empty with this mode");
	if (!has_nodes && !takes_none && p->mode != MPOL_PREFERRED)
		return member_error(ctx, "nodes", "must not be empty with this mode");
	if ((p->flags & MPOL_F_STATIC_NODES) && (p->flags & MPOL_F_RELATIVE_NODES))
		return member_error(ctx, "flags",
				    "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES "
				    "exclude each other");
	return check_number_list(ctx, "nodes", p->nodes);
}

static const struct json_table memory_policy_table =
	TABLE(spec_memory_policy, memory_policy_fields, check_memory_policy);

static const struct json_enum_value domains[] = {
	{ "LINUX", PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
	{ NULL, 0 },
};

static const struct json_field personality_fields[] = {
	REQUIRED_ARG(spec_personality, "domain", domain, json_enum, domains),
	FIELD(spec_personality, "flags", flags, json_strv),
};

/* config-linux.md, "Personality": no flag has been given a meaning so far. */
static int check_personality(struct json_ctx *ctx, void *out)
{
	const struct spec_personality *p = out;

	if (p->flags.count)
		return member_error(ctx, "flags", "no flags are supported");
	return 0;
}

static const struct json_table personality_table =
	TABLE(spec_personality, personality_fields, check_personality);

/* The recursive forms are older than the schema, and docker and podman still write them. */
static const struct json_enum_value propagations[] = {
	{ "private", MS_PRIVATE },
	{ "shared", MS_SHARED },
	{ "slave", MS_SLAVE },
	{ "unbindable", MS_UNBINDABLE },
	{ "rprivate", MS_PRIVATE | MS_REC },
	{ "rshared", MS_SHARED | MS_REC },
	{ "rslave", MS_SLAVE | MS_REC },
	{ "runbindable", MS_UNBINDABLE | MS_REC },
	{ NULL, 0 },
};

/* Clients in Go write "" for what is not set. */
static int read_propagation(struct json_ctx *ctx, const struct json_value *v, void *out,
			    const void *arg)
{
	return v->kind == JSON_STRING && !v->text[0] ? 0 : json_enum(ctx, v, out, arg);
}

static const struct json_field linux_fields[] = {
	FIELD_ARG(spec_linux, "namespaces", namespaces, json_list, &namespace_list),
	FIELD_ARG(spec_linux, "uidMappings", uid_mappings, json_list, &spec_id_mapping_list),
	FIELD_ARG(spec_linux, "gidMappings", gid_mappings, json_list, &spec_id_mapping_list),
	FIELD_ARG(spec_linux, "timeOffsets", time_offsets, json_object, &time_offsets_table),
	FIELD_ARG(spec_linux, "devices", devices, json_list, &device_list),
	FIELD_ARG(spec_linux, "netDevices", net_devices, json_map_list, &net_device_list),
	FIELD(spec_linux, "cgroupsPath", cgroups_path, json_string),
	FIELD_ARG(spec_linux, "resources", resources, json_object, &spec_resources_table),
	FIELD_ARG(spec_linux, "rootfsPropagation", rootfs_propagation, read_propagation,
		  propagations),
	FIELD_ARG(spec_linux, "seccomp", seccomp, json_object_ptr, &spec_seccomp_table),
	FIELD(spec_linux, "maskedPaths", masked_paths, json_strv),
	FIELD(spec_linux, "readonlyPaths", readonly_paths, json_strv),
	FIELD(spec_linux, "mountLabel", mount_label, json_string),
	FIELD_ARG(spec_linux, "personality", personality, json_object_ptr, &personality_table),
	FIELD(spec_linux, "sysctl", sysctl, json_map),
	FIELD_ARG(spec_linux, "intelRdt", intel_rdt, json_object_ptr, &intel_rdt_table),
	FIELD_ARG(spec_linux, "memoryPolicy", memory_policy, json_object_ptr, &memory_policy_table),
};

static bool climbs(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += len;
		path += strspn(path, "/");
	}
	return false;
}

static int check_linux(struct json_ctx *ctx, void *out)
{
	struct spec_linux *l = out;
	int r;

	if (l->mount_label && !*l->mount_label)
		l->mount_label = NULL;
	if (l->cgroups_path && climbs(l->cgroups_path))
		return member_error(ctx, "cgroupsPath", "must not contain \"..\"");
	r = check_id_mappings(ctx, "uidMappings", &l->uid_mappings);
	if (r == 0)
		r = check_id_mappings(ctx, "gidMappings", &l->gid_mappings);
	if (r == 0)
		r = check_all_absolute(ctx, "maskedPaths", &l->masked_paths);
	if (r == 0)
		r = check_all_absolute(ctx, "readonlyPaths", &l->readonly_paths);
	return r;
}

const struct json_table spec_linux_table = TABLE(spec_linux, linux_fields, check_linux);
