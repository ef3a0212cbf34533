/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and steps in words: for `tote plan`, for golden tests and for error messages. */
#include "oci/plan.h"

#include "lib/cleanup.h"

#include <ctype.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

/* What a step is called; %p, %s, %t, %d stand for its path, source, type and data, %0 to %4 for its
 * numbers. */
static const char *const words[STEP_OPS] = {
	[STEP_TIME_NAMESPACE] = "make a time namespace and set its offsets",
	[STEP_ENTER] = "enter the %t namespace %p",
	[STEP_CLONE] = "clone a child into them",
	[STEP_BECOME_ROOT] = "become uid 0 of the user namespace (is 0 mapped?)",
	[STEP_CHROOT] = "take %p as root",
	[STEP_HOST] = "let the host set up hooks and network devices",
	[STEP_UNSHARE] = "make a new cgroup namespace",
	[STEP_HOSTNAME] = "set hostname %d",
	[STEP_DOMAINNAME] = "set domainname %d",
	[STEP_LOOPBACK_UP] = "bring up the loopback device",
	[STEP_ROOT] = "take %p as root",
	[STEP_MOUNT] = "mount %t on %p",
	[STEP_BIND] = "bind %s on %p",
	[STEP_REMOUNT] = "change the mount options of %p",
	[STEP_DEVICE] = "make device %p",
	[STEP_SYMLINK] = "link %p to %s",
	[STEP_SYSCTL] = "set sysctl %p to %d",
	[STEP_WORK_DIR] = "make the working directory %p",
	[STEP_MASK] = "mask %p",
	[STEP_READONLY] = "make %p read-only",
	[STEP_TERMINAL] = "open a terminal",
	[STEP_HOOK] = "run hook %p",
	[STEP_ROOT_READONLY] = "make the root read-only",
	[STEP_ROOT_PROPAGATION] = "set the propagation of the root",
	[STEP_PIVOT] = "pivot into the root",
	[STEP_SETSID] = "start a session",
	[STEP_KEYRING] = "join a session keyring of its own",
	[STEP_RLIMIT] = "limit %d to %1, at most %2",
	[STEP_SCHEDULER] = "set the scheduler",
	[STEP_IO_PRIORITY] = "set the I/O priority",
	[STEP_PERSONALITY] = "set the personality %0",
	[STEP_MEMORY_POLICY] = "set the memory policy",
	[STEP_AFFINITY] = "set the CPU affinity",
	[STEP_LABEL] = "set the security label %d",
	[STEP_UMASK] = "set the umask",
	[STEP_BOUNDING] = "limit capabilities",
	[STEP_USER] = "become user %0, group %1",
	[STEP_CWD] = "chdir to %p",
	[STEP_FIND_PROGRAM] = "find the program %p",
	[STEP_READY] = "tell the host that all is ready",
	[STEP_RELEASE] = "wait until the host has recorded the container",
	[STEP_START] = "wait for start",
	[STEP_NO_NEW_PRIVS] = "renounce new privileges",
	[STEP_SECCOMP] = "load the seccomp filter",
	[STEP_CAPABILITIES] = "set capabilities",
	[STEP_CLOSE] = "close other descriptors on exec",
	[STEP_INIT] = "become an init that has the program as its child",
	[STEP_EXEC] = "execute %p",
};

static const struct {
	uint64_t bit;
	const char *name;
} attributes[] = {
	{ MOUNT_ATTR_RDONLY, "ro" },	      { MOUNT_ATTR_NOSUID, "nosuid" },
	{ MOUNT_ATTR_NODEV, "nodev" },	      { MOUNT_ATTR_NOEXEC, "noexec" },
	{ MOUNT_ATTR_NOATIME, "noatime" },    { MOUNT_ATTR_STRICTATIME, "strictatime" },
	{ MOUNT_ATTR_NODIRATIME, "nodiratime" }, { MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow" },
}, propagations[] = {
	{ MS_PRIVATE, "private" }, { MS_SHARED, "shared" }, { MS_SLAVE, "slave" }, { MS_UNBINDABLE, "unbindable" },
};

/* Words of a configuration that nobody vouches for: they must not move a terminal's cursor. */
static void add_clean(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_add(out, iscntrl((unsigned char)*s) ? "?" : s, 1);
}

/* Layers have no path that says what they are. */
static void root_text(const struct step *s, struct buf *out)
{
	autobuf text = BUF_INIT;

	rootfs_text(s->rootfs, s->simple && s->flags & STEP_ON_HOST, &text);
	buf_adds(out, "take ");
	add_clean(out, buf_str(&text));
	buf_adds(out, " as root");
}

void step_text(const struct step *s, struct buf *out)
{
	const char *p = s->op < STEP_OPS && words[s->op] ? words[s->op] : "unknown step";

	if (s->rootfs) {
		root_text(s, out);
		return;
	}
	for (; *p; p++) {
		if (*p != '%') {
			buf_add(out, p, 1);
			continue;
		}
		p++;
		if (isdigit((unsigned char)*p))
			buf_addf(out, "%llu", (unsigned long long)s->arg[*p - '0']);
		else
			add_clean(out, *p == 'p'   ? s->path
				       : *p == 's' ? s->source
				       : *p == 't' ? s->type
						   : s->data);
	}
}

static void list_attributes(uint64_t set, const char *prefix, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (set & attributes[i].bit)
			buf_addf(out, " %s%s", prefix, attributes[i].name);
}

static void list_propagation(uint64_t ms, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++)
		if (ms & propagations[i].bit)
			buf_addf(out, " %s%s", ms & MS_REC ? "r" : "", propagations[i].name);
}

static void list_options(const char *data, struct buf *out)
{
	while (data && *data) {
		bool pair = *data++ == 's';

		buf_addf(out, " %s", data);
		data += strlen(data) + 1;
		if (pair) {
			buf_addf(out, "=%s", data);
			data += strlen(data) + 1;
		}
	}
}

static void mount_details(const struct step *s, struct buf *out)
{
	switch (s->op) {
	case STEP_ROOT:
	case STEP_ROOT_PROPAGATION:
		list_propagation(s->arg[0], out);
		buf_adds(out, s->flags & STEP_ON_HOST ? " (opened on the host)" : "");
		break;
	case STEP_MOUNT:
		list_attributes(s->arg[0], "", out);
		list_propagation(s->arg[1], out);
		list_options(s->data, out);
		buf_adds(out, s->flags & STEP_COPY_UP ? " tmpcopyup" : "");
		break;
	case STEP_BIND:
	case STEP_REMOUNT:
		buf_adds(out, s->flags & STEP_RECURSIVE ? " recursively" : "");
		list_attributes(s->arg[0], "", out);
		list_attributes(s->arg[2], "r", out);
		list_attributes(s->arg[1], "not ", out);
		list_attributes(s->arg[3], "not r", out);
		list_propagation(s->arg[4], out);
		buf_adds(out, s->idmap ? " id-mapped" : "");
		buf_adds(out, s->flags & STEP_ON_HOST ? " (opened on the host)" : "");
		break;
	case STEP_DEVICE:
		buf_addf(out, " %u:%u mode %o", major(s->arg[1]), minor(s->arg[1]),
			 (unsigned int)s->arg[0] & 07777);
		break;
	default:
		break;
	}
}

static void process_details(const struct step *s, struct buf *out)
{
	switch (s->op) {
	case STEP_BOUNDING:
		buf_addf(out, " to %#llx", (unsigned long long)s->arg[0]);
		break;
	case STEP_CAPABILITIES:
		buf_addf(out, " effective %#llx permitted %#llx inheritable %#llx ambient %#llx",
			 (unsigned long long)s->arg[0], (unsigned long long)s->arg[1],
			 (unsigned long long)s->arg[2], (unsigned long long)s->arg[3]);
		break;
	case STEP_UMASK:
		buf_addf(out, " %03o", (unsigned int)s->arg[0]);
		break;
	case STEP_USER:
		for (size_t i = 0; i < s->data_len / sizeof(uint32_t); i++)
			buf_addf(out, "%s %u", i ? "" : ", groups", ((const uint32_t *)s->data)[i]);
		break;
	case STEP_HOOK:
		if (s->arg[0])
			buf_addf(out, " (at most %llu s)", (unsigned long long)s->arg[0]);
		break;
	case STEP_SECCOMP:
		buf_addf(out, " of %zu instructions", s->data_len / 8);
		break;
	case STEP_CLOSE:
		buf_addf(out, ", from %llu", (unsigned long long)s->arg[0]);
		break;
	default:
		break;
	}
}

static void namespaces_text(const struct plan *plan, struct buf *out)
{
	buf_adds(out, "new namespaces:");
	for (int kind = 0; kind < NS_KINDS; kind++)
		if (plan->clone_flags & ns_kind_flag((enum ns_kind)kind) ||
		    (kind == NS_TIME && plan->new_time_ns))
			buf_addf(out, " %s", ns_kind_name((enum ns_kind)kind));
	buf_adds(out, "\n");
}

static void maps_text(const char *what, const struct spec_id_mappings *maps, struct buf *out)
{
	for_each (m, maps)
		buf_addf(out, "map %s %u to %u, %u ids\n", what, m->container_id, m->host_id,
			 m->size);
}

void plan_text(const struct plan *plan, struct buf *out)
{
	size_t n = 0;

	namespaces_text(plan, out);
	if (plan->new_user_ns) {
		maps_text("uid", plan->uid_mappings, out);
		maps_text("gid", plan->gid_mappings, out);
	}
	if (plan->oom_score_adj.set)
		buf_addf(out, "set oom_score_adj %d\n", plan->oom_score_adj.value);
	for_each (s, &plan->steps) {
		buf_addf(out, "%3zu ", ++n);
		step_text(s, out);
		mount_details(s, out);
		process_details(s, out);
		buf_adds(out, "\n");
	}
}

static void plan_host_hooks(const struct spec *spec, enum hook_kind kind, struct buf *out)
{
	for_each (h, &spec->hooks.list[kind])
		buf_addf(out, "run %s hook %s\n", hook_kind_name(kind), h->path);
}

int plan_describe(const struct plan *plan, const struct spec *spec, const char *cgroup,
		  struct arena *a, struct buf *out, struct err *err)
{
	struct cg_writes writes;
	int r = limits_translate(&spec->linux_.resources, a, &writes, err);

	if (r < 0)
		return r;
	if (cgroup)
		buf_addf(out, "make cgroup %s\n", cgroup);
	for (size_t i = 0; i < writes.count; i++)
		buf_addf(out, "write %s to its %s\n", writes.items[i].value, writes.items[i].file);
	if (spec->linux_.resources.devices.count)
		buf_addf(out, "load a device program of %zu rules and the defaults\n",
			 spec->linux_.resources.devices.count);
	for_each (d, &spec->linux_.net_devices)
		buf_addf(out, "lend network device %s\n", d->host_name);
	plan_host_hooks(spec, HOOK_PRESTART, out);
	plan_host_hooks(spec, HOOK_CREATE_RUNTIME, out);
	plan_text(plan, out);
	plan_host_hooks(spec, HOOK_POSTSTART, out);
	plan_host_hooks(spec, HOOK_POSTSTOP, out);
	return 0;
}
