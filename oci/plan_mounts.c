/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a plan that builds the container's file system tree: root, mounts, devices. */
#include "oci/plan.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "oci/caps.h"
#include "oci/mount_options.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A spec's mount with its options sorted out. */
struct mount_plan {
	const struct spec_mount *m;
	const char *destination;
	uint64_t set, clear, set_recursive, clear_recursive;
	uint64_t propagation;
	bool bind, recursive, remount, copy_up, idmap, idmap_recursive;
	const char *super, *own; /* an option of the superblock that is no default, of its type */
	struct buf data;	 /* all of them, as STEP_MOUNT takes it */
};

static const struct {
	const char *name;
	unsigned int major, minor;
} default_devices[] = {
	/* config-linux.md, "Default Devices"; ptmx is a link and console belongs to the terminal */
	{ "/dev/null", 1, 3 },	 { "/dev/zero", 1, 5 },	   { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static const struct {
	const char *path, *target;
	unsigned int flags;
} default_links[] = {
	/* runtime-linux.md, "Dev symbolic links" */
	{ "/dev/fd", "/proc/self/fd", STEP_IF_MISSING },
	{ "/dev/stdin", "/proc/self/fd/0", STEP_IF_MISSING },
	{ "/dev/stdout", "/proc/self/fd/1", STEP_IF_MISSING },
	{ "/dev/stderr", "/proc/self/fd/2", STEP_IF_MISSING },
	{ "/dev/ptmx", "pts/ptmx", STEP_REPLACE },
};

static void add_flag(struct buf *data, const char *key)
{
	buf_add(data, "f", 1);
	buf_add(data, key, strlen(key) + 1);
}

static void add_pair(struct buf *data, const char *key, size_t key_len, const char *value)
{
	buf_add(data, "s", 1);
	buf_add(data, key, key_len);
	buf_add(data, "", 1);
	buf_add(data, value, strlen(value) + 1);
}

static void add_unknown(struct buf *data, const char *option)
{
	const char *eq = strchr(option, '=');

	if (eq)
		add_pair(data, option, (size_t)(eq - option), eq + 1);
	else
		add_flag(data, option);
}

static void apply_option(struct mount_plan *mp, const struct mount_option *o, const char *text)
{
	if (!o)
		mp->own = text;
	if (!o || o->kind == OPTION_SUPER)
		add_unknown(&mp->data, text);
	if (!o)
		return;
	switch (o->kind) {
	case OPTION_NONE:
		break;
	case OPTION_ATTR:
		mp->set = (mp->set & ~o->clear) | o->set;
		mp->clear = (mp->clear & ~o->set) | o->clear;
		break;
	case OPTION_ATTR_RECURSIVE:
		mp->set_recursive = (mp->set_recursive & ~o->clear) | o->set;
		mp->clear_recursive = (mp->clear_recursive & ~o->set) | o->clear;
		break;
	case OPTION_SUPER:
		if (o->set)
			mp->super = text;
		break;
	case OPTION_PROPAGATION:
		mp->propagation = o->set;
		break;
	case OPTION_BIND:
		mp->bind = true;
		mp->recursive = o->set;
		break;
	case OPTION_REMOUNT:
		mp->remount = true;
		break;
	case OPTION_COPY_UP:
		mp->copy_up = true;
		break;
	case OPTION_IDMAP:
		mp->idmap = true;
		mp->idmap_recursive = o->set;
		break;
	}
}

static bool is_type(const struct spec_mount *m, const char *type)
{
	return m->type && strcmp(m->type, type) == 0;
}

/* "context=", "rootcontext=" and so on, whose value SELinux takes in quotes. */
static bool is_label(const char *option)
{
	static const char end[] = "context=";
	size_t len = strcspn(option, ",=") + 1;

	return len >= strlen(end) && strncmp(option + len - strlen(end), end, strlen(end)) == 0;
}

/* How much of a list is its first option. It ends where mount(2) would end it, which is not at every
 * comma: see is_label(), the escapes of overlay, and tmpfs(5), "mpol=bind:0,2". */
static size_t option_len(const struct spec_mount *m, const char *list)
{
	bool label = is_label(list), overlay = is_type(m, "overlay"), quoted = false;
	bool numbers = is_type(m, "tmpfs");
	size_t n = 0;

	for (; list[n]; n++) {
		if (list[n] == '"' && label)
			quoted = !quoted;
		else if (list[n] == '\\' && overlay && list[n + 1])
			n++;
		else if (list[n] == ',' && !quoted &&
			 !(numbers && isdigit((unsigned char)list[n + 1])))
			break;
	}
	return n;
}

/* fsconfig(2) takes a label as it is. */
static void unquote(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != '"')
			*to++ = *text;
	*to = '\0';
}

/* An option may be several, as in fstab(5): joined, they would be the data of mount(2). */
static void apply_list(struct mount_plan *mp, const char *list, struct arena *a)
{
	while (*list) {
		size_t len = option_len(mp->m, list);
		char *option = arena_strndup(a, list, len);

		if (is_label(option))
			unquote(option);
		if (*option)
			apply_option(mp, mount_option_find(option), option);
		list += len + (list[len] == ',');
	}
}

static void sort_options(struct mount_plan *mp, const struct spec_mount *m, struct arena *a)
{
	*mp = (struct mount_plan){ .m = m, .data = BUF_INIT };
	/* What a mount is taken for must not hang on how it is spelled. */
	mp->destination = file_clean_path(m->destination, a);
	mp->bind = is_type(m, "bind");
	mp->recursive = mp->bind;
	mp->idmap = m->uid_mappings.count > 0;
	for (size_t i = 0; i < m->options.count; i++)
		apply_list(mp, m->options.items[i], a);
}

static void set_attributes(struct step *s, const struct mount_plan *mp)
{
	s->arg[0] = mp->set;
	s->arg[1] = mp->clear;
	s->arg[2] = mp->set_recursive;
	s->arg[3] = mp->clear_recursive;
	s->arg[4] = mp->propagation;
}

static int plan_bind(const struct plan_opts *opts, struct mount_plan *mp, struct arena *a,
		     struct plan *plan, struct err *err)
{
	const char *source = mp->m->source;
	struct step *s;

	if (!source || !source[0])
		return err_set(err, EINVAL, "mounts: %s: a bind mount needs a source",
			       mp->destination);
	if (mp->idmap && !opts->privileged)
		return err_set(err, EPERM,
			       "mounts: %s: an id-mapped mount needs CAP_SYS_ADMIN on the host",
			       mp->destination);
	if (mp->idmap && !mp->m->uid_mappings.count && !plan->user_ns)
		return err_set(
			err, EINVAL,
			"mounts: %s: idmap: neither the mount nor the container has id mappings",
			mp->destination);
	s = plan_add_path(plan, a, STEP_BIND, mp->destination);
	s->source = source[0] == '/' ? source : arena_printf(a, "%s/%s", opts->bundle, source);
	s->flags = (mp->recursive ? STEP_RECURSIVE : 0) | (opts->privileged ? STEP_ON_HOST : 0);
	set_attributes(s, mp);
	/* Like a bind made inside an unshared tree: nothing mounted in the container shows up on
	 * the host. */
	if (!s->arg[4])
		s->arg[4] = MS_PRIVATE | MS_REC;
	s->idmap = mp->idmap ? mp->m : NULL;
	s->idmap_recursive = mp->idmap_recursive;
	return 0;
}

static bool is_cgroup(const struct spec_mount *m)
{
	return is_type(m, "cgroup") || is_type(m, "cgroup2");
}

static void plan_cgroup_mount(const struct plan_opts *opts, const struct mount_plan *mp,
			      struct arena *a, struct plan *plan)
{
	struct step *s = plan_add_path(plan, a, STEP_MOUNT, mp->destination);

	s->type = "cgroup2";
	s->flags = STEP_PLAIN_PATH | STEP_OR_BIND;
	s->source =
		arena_printf(a, "%s%s", opts->cgroup_root ? opts->cgroup_root : "/sys/fs/cgroup",
			     opts->cgroup_path ? opts->cgroup_path : "");
	s->arg[0] = mp->set | mp->set_recursive;
	s->arg[1] = mp->propagation;
}

static int plan_file_system(const struct spec *spec, struct mount_plan *mp, struct arena *a,
			    struct plan *plan, struct err *err)
{
	const struct spec_mount *m = mp->m;
	struct step *s;

	if (!m->type || !m->type[0])
		return err_set(err, EINVAL, "mounts: %s: a type or the option \"bind\" is needed",
			       mp->destination);
	if (mp->idmap)
		return err_set(err, EOPNOTSUPP, "mounts: %s: only bind mounts can be id-mapped",
			       mp->destination);
	add_pair(&mp->data, "source", 6, m->source ? m->source : m->type);
	/* A block device must not be written by the mount itself, e.g. to replay its journal. */
	if (mp->set & MOUNT_ATTR_RDONLY && m->source && m->source[0] == '/')
		add_flag(&mp->data, "ro");
	if (spec->linux_.mount_label && !is_type(m, "proc") && !is_type(m, "sysfs"))
		add_pair(&mp->data, "context", 7, spec->linux_.mount_label);
	s = plan_add_path(plan, a, STEP_MOUNT, mp->destination);
	s->type = m->type;
	s->source = m->source;
	buf_add(&mp->data, "", 1);
	s->data = arena_memdup(a, mp->data.data, mp->data.len);
	s->data_len = mp->data.len;
	if (is_type(m, "proc") || is_type(m, "sysfs"))
		s->flags |= STEP_PLAIN_PATH;
	if (mp->copy_up)
		s->flags |= STEP_COPY_UP;
	s->arg[0] = mp->set | mp->set_recursive;
	s->arg[1] = mp->propagation;
	return 0;
}

/* Such an option changes nothing of a file system that is mounted already; mount(2) takes it all the
 * same, and engines hand on what users write. Who counts on it is told. */
static void ignore_flags(const struct mount_plan *mp, struct arena *a, struct plan *plan)
{
	if (mp->super)
		plan_warn(plan, a,
			  arena_printf(
				  a,
				  "mounts: %s: %s is ignored: the file system is mounted already",
				  mp->destination, mp->super));
}

static int plan_mount(const struct spec *spec, const struct plan_opts *opts, struct mount_plan *mp,
		      struct arena *a, struct plan *plan, struct err *err)
{
	bool mounted = mp->remount || mp->bind || is_cgroup(mp->m);

	if (mounted && (mp->own || mp->copy_up))
		return err_set(err, EINVAL,
			       "mounts: %s: %s: no option of a bind, remount or cgroup mount",
			       mp->destination, mp->copy_up ? "tmpcopyup" : mp->own);
	if (mounted)
		ignore_flags(mp, a, plan);
	if (mp->remount) {
		set_attributes(plan_add_path(plan, a, STEP_REMOUNT, mp->destination), mp);
		return 0;
	}
	if (mp->bind)
		return plan_bind(opts, mp, a, plan, err);
	if (is_cgroup(mp->m)) {
		plan_cgroup_mount(opts, mp, a, plan);
		return 0;
	}
	return plan_file_system(spec, mp, a, plan, err);
}

static void plan_notify(const struct plan_opts *opts, struct arena *a, struct plan *plan)
{
	struct step *s;

	if (!opts->notify_dir)
		return;
	s = plan_add_path(plan, a, STEP_BIND, NOTIFY_MOUNT);
	s->source = opts->notify_dir;
	s->flags = opts->privileged ? STEP_ON_HOST : 0;
	s->arg[0] = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	s->arg[4] = MS_PRIVATE;
}

static bool is_default_device(const struct spec *spec, const char *path)
{
	for_each (d, &spec->linux_.devices)
		if (strcmp(d->path, path) == 0)
			return false;
	return true;
}

/* In a user namespace mknod is refused: the host's node is mounted instead. */
static void plan_device(const struct plan_opts *opts, struct arena *a, struct plan *plan,
			const char *path, unsigned int mode, dev_t dev, uint32_t uid, uint32_t gid,
			unsigned int flags)
{
	struct step *s;

	if (plan->user_ns && !S_ISFIFO(mode)) {
		s = plan_add_path(plan, a, STEP_BIND, path);
		s->source = path;
		s->flags = opts->privileged ? STEP_ON_HOST : 0;
		s->node = dev;
		s->node_type = mode & S_IFMT;
		return;
	}
	s = plan_add_path(plan, a, STEP_DEVICE, path);
	s->flags = flags;
	s->arg[0] = mode;
	s->arg[1] = dev;
	s->arg[2] = uid;
	s->arg[3] = gid;
}

static unsigned int device_type(const char *type)
{
	return type[0] == 'b' ? S_IFBLK : type[0] == 'p' ? S_IFIFO : S_IFCHR;
}

static bool below_dev(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0;
}

/* In a /dev that is a view of the host's nothing is made: the nodes are there, and they are not
 * ours. */
static void plan_devices(const struct spec *spec, const struct plan_opts *opts, bool own_dev,
			 struct arena *a, struct plan *plan)
{
	for (size_t i = 0; own_dev && i < ARRAY_SIZE(default_devices); i++)
		if (is_default_device(spec, default_devices[i].name))
			plan_device(opts, a, plan, default_devices[i].name, S_IFCHR | 0666,
				    makedev(default_devices[i].major, default_devices[i].minor), 0,
				    0, STEP_IF_MISSING);
	for_each (d, &spec->linux_.devices) {
		if (!own_dev && below_dev(d->path)) {
			plan_warn(plan, a,
				  arena_printf(
					  a, "linux.devices: %s is not made: /dev is a bind mount",
					  d->path));
			continue;
		}
		plan_device(opts, a, plan, d->path,
			    device_type(d->type) |
				    (d->file_mode.set ? d->file_mode.value & 07777 : 0666),
			    makedev((unsigned int)d->major.value, (unsigned int)d->minor.value),
			    d->uid.value, d->gid.value, 0);
	}
	for (size_t i = 0; own_dev && i < ARRAY_SIZE(default_links); i++) {
		struct step *s = plan_add_path(plan, a, STEP_SYMLINK, default_links[i].path);

		s->source = default_links[i].target;
		s->flags = default_links[i].flags;
	}
}

static bool joins_mounts(const struct plan *plan)
{
	for_each (j, &plan->joins)
		if (j->kind == NS_MOUNT)
			return true;
	return false;
}

/* Whoever can mount could make a bind mount writable again, and would change the image for all. */
static bool can_mount(const struct spec *spec)
{
	const struct spec_capabilities *c = spec->process->capabilities;

	return spec_namespace(spec, NS_USER) ||
	       (c &&
		(caps_mask(&c->bounding, NULL) | caps_mask(&c->permitted, NULL)) >> CAP_SYS_ADMIN &
			1);
}

/* The host mounts the layers if it may; if not, tote-init does, by the options that it gets. */
static int plan_layers(const struct spec *spec, const struct plan_opts *opts, struct arena *a,
		       struct plan *plan, struct err *err)
{
	const struct rootfs *r = opts->rootfs;
	autobuf options = BUF_INIT;
	struct step *s;
	size_t page;
	int code = rootfs_check(r, err);

	if (code < 0)
		return code;
	if (joins_mounts(plan))
		return err_set(err, EINVAL,
			       "linux.namespaces: a container that runs from an image needs a new "
			       "mount namespace");
	plan->root = rootfs_mount_point(r, a);
	s = plan_add_path(plan, a, STEP_ROOT, plan->root);
	s->rootfs = r;
	s->simple = !can_mount(spec);
	s->type = "overlay";
	s->flags = opts->privileged ? STEP_ON_HOST : 0;
	s->source = arena_printf(a, "%s/l", r->store);
	rootfs_options(r, &options, &page);
	s->data = arena_memdup(a, options.data, options.len);
	s->data_len = options.len;
	s->arg[1] = page;
	return 0;
}

int plan_root(const struct spec *spec, const struct plan_opts *opts, struct arena *a,
	      struct plan *plan, struct err *err)
{
	const char *path = spec->root->path;
	unsigned int propagation = spec->linux_.rootfs_propagation;
	struct step *s;

	if (opts->rootfs)
		return plan_layers(spec, opts, a, plan, err);
	plan->root = path[0] == '/' ? path : arena_printf(a, "%s/%s", opts->bundle, path);
	/* A shared root is made after pivot_root, which refuses shared mounts. */
	if (!propagation || propagation & (MS_SHARED | MS_UNBINDABLE))
		propagation = MS_SLAVE;
	s = plan_add_path(plan, a, STEP_ROOT, plan->root);
	s->arg[0] = propagation | MS_REC;
	s->flags = joins_mounts(plan) ? STEP_BY_PATH : 0;
	return 0;
}

int plan_mounts(const struct spec *spec, const struct plan_opts *opts, struct arena *a,
		struct plan *plan, struct err *err)
{
	bool own_dev = true; /* /dev is the container's own and not a view of the host's */

	for_each (m, &spec->mounts) {
		struct mount_plan mp;
		int r;

		sort_options(&mp, m, a);
		if (strcmp(mp.destination, "/dev") == 0) {
			own_dev = !mp.bind;
			plan->dev_later = own_dev ? mp.set & MOUNT_ATTR_RDONLY : 0;
			mp.set &= ~plan->dev_later;
		}
		r = plan_mount(spec, opts, &mp, a, plan, err);
		buf_done(&mp.data);
		if (r < 0)
			return r;
	}
	plan_notify(opts, a, plan);
	plan_devices(spec, opts, own_dev, a, plan);
	return 0;
}
