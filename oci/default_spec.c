/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/default_spec.h"

#include "lib/cleanup.h"
#include "oci/seccomp_default.h"
#include "oci/spec_write.h"

#include <sys/resource.h>

/* The kernel lets only the owner of the network namespace mount sysfs. */
#define FOREIGN_SYS (DEFAULT_SPEC_USER_NS | DEFAULT_SPEC_HOST_NETWORK)

/* When a line of a table counts: all of these flags are set, and (unless 0) not all of those. */
struct when {
	unsigned int all, not_all;
};

/* The first version that has all we write: other runtimes refuse files of a version newer than they
 * know. */
#define LEAST_VERSION "1.0.2"

static const char *const capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE",
					    NULL };

/* Of containers from images: what their entry points need to hand out files and become somebody
 * else. */
static const char *const image_capabilities[] = {
	"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL",	  "CAP_NET_BIND_SERVICE",
	"CAP_SETGID", "CAP_SETUID",	  NULL,
};

static const struct {
	const char *destination, *type, *source;
	struct when when;
	const char *options[8];
} mounts[] = {
	{ "/proc", "proc", "proc", { 0, 0 }, { NULL } },
	{ "/dev",
	  "tmpfs",
	  "tmpfs",
	  { 0, 0 },
	  { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { 0, DEFAULT_SPEC_NO_TTY_GROUP },
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { DEFAULT_SPEC_NO_TTY_GROUP, 0 },
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" } },
	{ "/dev/shm",
	  "tmpfs",
	  "shm",
	  { 0, 0 },
	  { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { 0, 0 }, { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { 0, FOREIGN_SYS }, { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys",
	  "none",
	  "/sys",
	  { FOREIGN_SYS, 0 },
	  { "rbind", "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup",
	  "cgroup",
	  "cgroup",
	  { 0, 0 },
	  { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

static const struct {
	enum ns_kind kind;
	struct when when;
} namespaces[] = {
	{ NS_PID, { 0, 0 } },
	{ NS_NETWORK, { 0, DEFAULT_SPEC_HOST_NETWORK } },
	{ NS_IPC, { 0, 0 } },
	{ NS_UTS, { 0, 0 } },
	{ NS_MOUNT, { 0, 0 } },
	{ NS_CGROUP, { 0, 0 } },
	{ NS_USER, { DEFAULT_SPEC_USER_NS, 0 } },
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

static bool applies(struct when when, unsigned int flags)
{
	return (flags & when.all) == when.all &&
	       (!when.not_all || (flags & when.not_all) != when.not_all);
}

static struct strv copy(const char *const *strings, size_t max, struct arena *a)
{
	struct strv ret = { arena_calloc(a, max + 1, sizeof(*ret.items)), 0 };

	while (ret.count < max && strings[ret.count]) {
		ret.items[ret.count] = arena_strdup(a, strings[ret.count]);
		ret.count++;
	}
	return ret;
}

#define COPY(strings, a) copy(strings, ARRAY_SIZE(strings), a)

static void fill_rlimits(struct spec_process *p, struct arena *a)
{
	p->rlimits.count = 1;
	p->rlimits.items = arena_alloc(a, sizeof(*p->rlimits.items));
	*p->rlimits.items = (struct spec_rlimit){ .type = arena_strdup(a, "RLIMIT_NOFILE"),
						  .resource = RLIMIT_NOFILE,
						  .soft = 1024,
						  .hard = 1024 };
}

static struct spec_process *make_process(unsigned int flags, struct arena *a)
{
	static const char *const args[] = { "sh", NULL };
	static const char *const env[] = { DEFAULT_SPEC_PATH, "TERM=xterm", NULL };
	struct spec_process *p = arena_alloc(a, sizeof(*p));
	bool image = flags & DEFAULT_SPEC_IMAGE;
	struct strv caps = image ? COPY(image_capabilities, a) : COPY(capabilities, a);

	p->capabilities = arena_alloc(a, sizeof(*p->capabilities));
	p->capabilities->bounding = caps;
	p->capabilities->effective = caps;
	p->capabilities->permitted = caps;
	p->no_new_privileges = true;
	p->cwd = arena_strdup(a, "/");
	if (image)
		return p;
	p->terminal = true;
	p->args = COPY(args, a);
	p->env = COPY(env, a);
	fill_rlimits(p, a);
	return p;
}

static void fill_mounts(struct spec *spec, unsigned int flags, struct arena *a)
{
	spec->mounts.items = arena_calloc(a, ARRAY_SIZE(mounts), sizeof(*spec->mounts.items));
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (!applies(mounts[i].when, flags))
			continue;
		spec->mounts.items[spec->mounts.count++] = (struct spec_mount){
			.destination = arena_strdup(a, mounts[i].destination),
			.type = arena_strdup(a, mounts[i].type),
			.source = arena_strdup(a, mounts[i].source),
			.options = COPY(mounts[i].options, a),
		};
	}
}

static void fill_namespaces(struct spec_linux *l, unsigned int flags, struct arena *a)
{
	l->namespaces.items = arena_calloc(a, ARRAY_SIZE(namespaces), sizeof(*l->namespaces.items));
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (applies(namespaces[i].when, flags))
			l->namespaces.items[l->namespaces.count++].type = namespaces[i].kind;
}

/* Deny all; the runtime adds what config-linux.md, "Default Devices", promises. */
static void fill_devices(struct cg_limits *limits, struct arena *a)
{
	limits->devices.count = 1;
	limits->devices.items = arena_alloc(a, sizeof(*limits->devices.items));
	limits->devices.items->access = arena_strdup(a, "rwm");
}

static struct spec_id_mappings one_id(uint32_t host_id, struct arena *a)
{
	struct spec_id_mappings ret = { arena_alloc(a, sizeof(*ret.items)), 1 };

	*ret.items = (struct spec_id_mapping){ .container_id = 0, .host_id = host_id, .size = 1 };
	return ret;
}

static void fill_linux(struct spec_linux *l, unsigned int flags, struct arena *a)
{
	if (flags & DEFAULT_SPEC_ROOTLESS) {
		l->uid_mappings = one_id(geteuid(), a);
		l->gid_mappings = one_id(getegid(), a);
	} else {
		/* An ordinary user can attach no device program, and needs none: mknod in a user
		 * namespace fails. */
		fill_devices(&l->resources, a);
	}
	fill_namespaces(l, flags, a);
	if (flags & DEFAULT_SPEC_SECCOMP)
		l->seccomp = seccomp_default_profile(a);
	l->masked_paths = COPY(masked_paths, a);
	l->readonly_paths = COPY(readonly_paths, a);
}

void default_spec_fill(struct spec *ret, unsigned int flags, struct arena *a)
{
	*ret = (struct spec){ .oci_version = arena_strdup(a, LEAST_VERSION) };
	ret->process = make_process(flags, a);
	ret->root = arena_alloc(a, sizeof(*ret->root));
	ret->root->path = arena_strdup(a, "rootfs");
	ret->root->readonly = !(flags & DEFAULT_SPEC_IMAGE);
	if (!(flags & DEFAULT_SPEC_IMAGE))
		ret->hostname = arena_strdup(a, "tote");
	fill_mounts(ret, flags, a);
	fill_linux(&ret->linux_, flags, a);
}

void default_spec_write(struct buf *ret_json, unsigned int flags)
{
	autoarena arena = ARENA_INIT;
	struct spec spec;

	/* Only one gid is mapped, and it is not 5. A network namespace would leave the container no
	 * way out at all: an ordinary user cannot join it to a bridge. */
	if (flags & DEFAULT_SPEC_ROOTLESS)
		flags |= DEFAULT_SPEC_USER_NS | DEFAULT_SPEC_HOST_NETWORK |
			 DEFAULT_SPEC_NO_TTY_GROUP;
	default_spec_fill(&spec, flags, &arena);
	spec_write(&spec, true, ret_json);
}
