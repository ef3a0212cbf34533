/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json as it is: every field of the Linux runtime-spec 1.3, typed. Nothing is decided here;
 * oci/plan.c decides. Field names are those of the spec in snake case. Strings and lists live in
 * the arena that spec_load() was given; an absent string is NULL, an absent list is empty.
 */
#ifndef OCI_SPEC_H
#define OCI_SPEC_H

#include "cgroups/limits.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/types.h"

#define SPEC_VERSION "1.3.0"

struct spec_user {
	uint32_t uid, gid;
	struct opt_u32 umask;
	LIST(uint32_t) additional_gids;
};

/* Capability names as written ("CAP_KILL"); oci/caps.c turns them into masks. */
struct spec_capabilities {
	struct strv bounding, effective, inheritable, permitted, ambient;
};

struct spec_rlimit {
	char *type;   /* "RLIMIT_NOFILE" */
	int resource; /* RLIMIT_NOFILE */
	uint64_t soft, hard;
};

struct spec_scheduler {
	int policy; /* SCHED_* */
	int32_t nice, priority;
	uint64_t flags;			    /* SCHED_FLAG_*, or-ed */
	uint64_t runtime, deadline, period; /* nanoseconds */
};

struct spec_io_priority {
	int class; /* IOPRIO_CLASS_* */
	int32_t priority;
};

struct spec_exec_cpu_affinity {
	char *initial, *final;
};

struct spec_console_size {
	uint64_t height, width;
};

struct spec_process {
	bool terminal;
	struct spec_console_size *console_size;
	struct spec_user user;
	struct strv args, env;
	char *cwd;
	struct spec_capabilities *capabilities;
	LIST(struct spec_rlimit) rlimits;
	bool no_new_privileges;
	char *apparmor_profile, *selinux_label;
	struct opt_i32 oom_score_adj;
	struct spec_scheduler *scheduler;
	struct spec_io_priority *io_priority;
	struct spec_exec_cpu_affinity *exec_cpu_affinity;
};

struct spec_root {
	char *path;
	bool readonly;
};

struct spec_id_mapping {
	uint32_t container_id, host_id, size;
};

struct spec_id_mappings {
	struct spec_id_mapping *items;
	size_t count;
};

struct spec_mount {
	char *destination, *type, *source;
	struct strv options;
	struct spec_id_mappings uid_mappings, gid_mappings;
};

struct spec_hook {
	char *path;
	struct strv args, env;
	struct opt_i64 timeout; /* seconds, > 0 */
};

struct spec_hook_list {
	struct spec_hook *items;
	size_t count;
};

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS
};

struct spec_hooks {
	struct spec_hook_list list[HOOK_KINDS];
};

enum ns_kind {
	NS_USER,
	NS_MOUNT,
	NS_PID,
	NS_NETWORK,
	NS_IPC,
	NS_UTS,
	NS_CGROUP,
	NS_TIME,
	NS_KINDS
};

/* One namespace. At most one of a kind (spec_check refuses more). */
struct spec_namespace {
	int type;   /* enum ns_kind */
	char *path; /* NULL: a new one */
};

struct spec_device {
	char *path;
	char *type; /* "c", "b", "u" or "p" */
	struct opt_i64 major, minor;
	struct opt_u32 file_mode, uid, gid;
};

struct spec_net_device {
	char *host_name; /* the key */
	char *name;	 /* inside; NULL keeps the name */
};

struct spec_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};

struct spec_time_offsets {
	struct spec_time_offset *monotonic, *boottime;
};

struct spec_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	int op; /* enum scmp_compare */
};

struct spec_seccomp_rule {
	struct strv names;
	int action; /* enum spec_seccomp_action */
	struct opt_u32 errno_ret;
	LIST(struct spec_seccomp_arg) args;
};

/* SCMP_ACT_*; oci/seccomp.c turns it into libseccomp's values. */
enum spec_seccomp_action {
	SPEC_ACT_KILL,
	SPEC_ACT_KILL_PROCESS,
	SPEC_ACT_KILL_THREAD,
	SPEC_ACT_TRAP,
	SPEC_ACT_ERRNO,
	SPEC_ACT_TRACE,
	SPEC_ACT_ALLOW,
	SPEC_ACT_LOG,
	SPEC_ACT_NOTIFY
};

/* linux.seccomp's member for spec_seccomp.builtin; of tote's own. */
#define SPEC_TOTE_PROFILE "toteProfile"

struct spec_seccomp {
	bool builtin; /* tote's own profile, by its name: the rest says nothing */
	int default_action;
	struct opt_u32 default_errno_ret;
	bool has_flags; /* "flags": [] differs from none: the default is SPEC_ALLOW */
	uint32_t flags; /* SECCOMP_FILTER_FLAG_*, or-ed */
	char *listener_path, *listener_metadata;
	struct strv architectures; /* SCMP_ARCH_*, known names only */
	LIST(struct spec_seccomp_rule) syscalls;
};

struct spec_intel_rdt {
	char *clos_id;
	struct strv schemata;
	char *l3_cache_schema, *mem_bw_schema;
	bool enable_monitoring;
};

struct spec_memory_policy {
	int mode;	/* MPOL_* of linux/mempolicy.h */
	char *nodes;	/* "0-3,7" */
	uint32_t flags; /* MPOL_F_*, or-ed */
};

struct spec_personality {
	int domain; /* PER_LINUX or PER_LINUX32 */
	struct strv flags;
};

struct spec_linux {
	LIST(struct spec_namespace) namespaces;
	struct spec_id_mappings uid_mappings, gid_mappings;
	struct spec_time_offsets time_offsets;
	LIST(struct spec_device) devices;
	LIST(struct spec_net_device) net_devices;
	char *cgroups_path;
	struct cg_limits resources;
	/* MS_PRIVATE, MS_SHARED, MS_SLAVE or MS_UNBINDABLE, with MS_REC for "rprivate" and so on,
	 * or 0. */
	unsigned int rootfs_propagation;
	struct spec_seccomp *seccomp;
	struct strv masked_paths, readonly_paths;
	char *mount_label;
	struct spec_personality *personality;
	struct key_value_list sysctl;
	struct spec_intel_rdt *intel_rdt;
	struct spec_memory_policy *memory_policy;
};

struct spec {
	char *oci_version;
	struct spec_process
		*process; /* NULL when absent: create works, start fails (config.md, "Process") */
	struct spec_root *root;
	char *hostname, *domainname;
	LIST(struct spec_mount) mounts;
	struct spec_hooks hooks;
	struct key_value_list annotations;
	struct spec_linux linux_; /* `linux` is a predefined macro in gnu11 */
};

/*
 * Reads bundle_fd/name (usually "config.json"), decodes and checks it. The spec lives in the arena.
 * Errors name the file or the JSON path.
 */
int spec_load(int bundle_fd, const char *name, struct arena *a, struct spec **ret_spec,
	      struct err *err);

/* The same from a text in memory. */
int spec_parse(const char *text, size_t len, struct arena *a, struct spec **ret_spec,
	       struct err *err);

/* process.json of `tote exec --process`: one process object, checked as the process of a spec is.
 */
int spec_parse_process(const char *text, size_t len, struct arena *a,
		       struct spec_process **ret_process, struct err *err);

/* A resources object, as `tote update --resources` reads it. -EINVAL also for one of which no member
 * is known. */
int spec_parse_resources(const char *text, size_t len, struct arena *a,
			 struct cg_limits *ret_limits, struct err *err);

/* The namespace entry of a kind, or NULL. */
const struct spec_namespace *spec_namespace(const struct spec *spec, enum ns_kind kind);
/* True when a new namespace of that kind is asked for (listed, without a path). */
bool spec_new_namespace(const struct spec *spec, enum ns_kind kind);
/* The OCI name: "network". */
const char *ns_kind_name(enum ns_kind kind);
/* The CLONE_NEW* flag. */
unsigned long ns_kind_flag(enum ns_kind kind);
/* The file below /proc/PID/ns: "net". */
const char *ns_kind_file(enum ns_kind kind);
/*
 * The path below /proc/sys of a sysctl key: "net.ipv4.ip_forward" and "net/ipv4/ip_forward" both
 * give the latter. As in sysctl(8) the first separator decides: "net.ipv4.conf.eth0/1.rp_filter" is
 * "net/ipv4/conf/eth0.1/rp_filter". False when the key is malformed or longer than size - 1 bytes;
 * keys of a spec that was loaded are neither, with 256.
 */
bool spec_sysctl_path(const char *key, char *ret_path, size_t size);
/* The OCI name of a hook kind: "createRuntime". */
const char *hook_kind_name(enum hook_kind kind);

#endif
