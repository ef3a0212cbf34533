/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/mounts.h"

#include "cmd/containerd-shim-tote-v2/mounts_private.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/number.h"
#include "lib/proc.h"
#include "oci/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FUSE_HELPER "mount.fuse3"
#define FUSE_TYPE "fuse3."
#define FUSE_MS 30000
#define ATTRIBUTES                                                                                 \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_STRICTATIME)

/* The words that containerd takes for flags; all others go to the file system. */
static const struct {
	const char *word;
	unsigned long set, clear, propagation;
} words[] = {
	{ "async", 0, MS_SYNCHRONOUS, 0 },
	{ "atime", 0, MS_NOATIME, 0 },
	{ "bind", MS_BIND, 0, 0 },
	{ "defaults", 0, 0, 0 },
	{ "dev", 0, MS_NODEV, 0 },
	{ "diratime", 0, MS_NODIRATIME, 0 },
	{ "dirsync", MS_DIRSYNC, 0, 0 },
	{ "exec", 0, MS_NOEXEC, 0 },
	{ "mand", MS_MANDLOCK, 0, 0 },
	{ "noatime", MS_NOATIME, 0, 0 },
	{ "nodev", MS_NODEV, 0, 0 },
	{ "nodiratime", MS_NODIRATIME, 0, 0 },
	{ "noexec", MS_NOEXEC, 0, 0 },
	{ "nomand", 0, MS_MANDLOCK, 0 },
	{ "norelatime", 0, MS_RELATIME, 0 },
	{ "nostrictatime", 0, MS_STRICTATIME, 0 },
	{ "nosuid", MS_NOSUID, 0, 0 },
	{ "rbind", MS_BIND | MS_REC, 0, 0 },
	{ "relatime", MS_RELATIME, 0, 0 },
	{ "remount", MS_REMOUNT, 0, 0 },
	{ "ro", MS_RDONLY, 0, 0 },
	{ "rw", 0, MS_RDONLY, 0 },
	{ "strictatime", MS_STRICTATIME, 0, 0 },
	{ "suid", 0, MS_NOSUID, 0 },
	{ "sync", MS_SYNCHRONOUS, 0, 0 },
	{ "private", 0, 0, MS_PRIVATE },
	{ "rprivate", 0, 0, MS_PRIVATE | MS_REC },
	{ "shared", 0, 0, MS_SHARED },
	{ "rshared", 0, 0, MS_SHARED | MS_REC },
	{ "slave", 0, 0, MS_SLAVE },
	{ "rslave", 0, 0, MS_SLAVE | MS_REC },
	{ "unbindable", 0, 0, MS_UNBINDABLE },
	{ "runbindable", 0, 0, MS_UNBINDABLE | MS_REC },
};

char *mounts_join(struct arena *a, const struct strv *list)
{
	autobuf text = BUF_INIT;

	for (size_t i = 0; i < list->count; i++)
		buf_addf(&text, "%s%s", i ? "," : "", list->items[i]);
	return arena_strdup(a, buf_str(&text));
}

uint64_t mounts_attributes(unsigned long flags)
{
	return (flags & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) |
	       (flags & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
	       (flags & MS_NODEV ? MOUNT_ATTR_NODEV : 0) |
	       (flags & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0) |
	       (flags & MS_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0) |
	       (flags & MS_NOATIME	 ? MOUNT_ATTR_NOATIME
		: flags & MS_STRICTATIME ? MOUNT_ATTR_STRICTATIME
					 : 0);
}

static bool take_flag(struct mounts_one *m, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		m->flags = (m->flags | words[i].set) & ~words[i].clear;
		if (words[i].propagation)
			m->propagation = words[i].propagation;
		return true;
	}
	return false;
}

static void take_word(struct mounts_one *m, char *word)
{
	if (take_flag(m, word))
		return;
	if (strcmp(word, "loop") == 0)
		m->loop = true;
	else if (strncmp(word, "uidmap=", 7) == 0)
		m->uid_map = word + 7;
	else if (strncmp(word, "gidmap=", 7) == 0)
		m->gid_map = word + 7;
	/* mount(8): "X-" and "x-" are notes between programs, not for the file system. */
	else if (strncasecmp(word, "x-", 2) != 0)
		m->data.items[m->data.count++] = word;
}

/* "0:100000:65536", several with commas between. */
static int parse_mappings(const char *text, struct arena *a, struct spec_id_mappings *ret)
{
	size_t size = 1;

	for (const char *p = text; *p; p++)
		size += *p == ',';
	ret->items = arena_calloc(a, size, sizeof(*ret->items));
	for (const char *p = text;; p++) {
		uint64_t n[3];

		for (int i = 0; i < 3; i++) {
			if (!number_scan(&p, &n[i]) || n[i] > UINT32_MAX || (i < 2 && *p++ != ':'))
				return -EINVAL;
		}
		ret->items[ret->count++] =
			(struct spec_id_mapping){ (uint32_t)n[0], (uint32_t)n[1], (uint32_t)n[2] };
		if (*p != ',')
			return *p ? -EINVAL : 0;
	}
}

int mounts_userns(const struct mounts_one *m, struct err *err)
{
	struct spec_id_mappings uids = { 0 }, gids = { 0 };

	if (!m->uid_map || !m->gid_map || parse_mappings(m->uid_map, m->a, &uids) < 0 ||
	    parse_mappings(m->gid_map, m->a, &gids) < 0)
		return err_set(err, EINVAL,
			       "expected uidmap=INSIDE:HOST:SIZE and gidmap=INSIDE:HOST:SIZE");
	return idmap_namespace(&uids, &gids, err);
}

/* A mount gets its ids while nobody has it yet: so it is taken off again, and comes back mapped. */
static int map_ids(const struct mounts_one *m, struct err *err)
{
	unsigned int deep = m->flags & MS_REC ? AT_RECURSIVE : 0;
	autofd userns = mounts_userns(m, err), tree = -1;
	struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	if (userns < 0)
		return userns;
	tree = open_tree(AT_FDCWD, m->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | deep);
	if (tree < 0)
		return err_errno(err, "take the mount");
	if (mount_setattr(tree, "", AT_EMPTY_PATH | deep, &map, sizeof(map)) < 0)
		return err_errno(err, "map the ids");
	if (umount2(m->path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ||
	    move_mount(tree, "", AT_FDCWD, m->path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(err, "put the mount with mapped ids in its place");
	return 0;
}

/* The kernel takes nothing but MS_REC along with MS_BIND. */
static int bind_mount(const struct mounts_one *m, struct err *err)
{
	struct mount_attr attr = { .attr_set = mounts_attributes(m->flags) };

	if (mount(m->source, m->path, NULL, m->flags & (MS_BIND | MS_REC), NULL) < 0)
		return err_errno(err, "bind");
	if (!(m->flags & ATTRIBUTES))
		return 0;
	if (m->flags & (MS_NOATIME | MS_STRICTATIME))
		attr.attr_clr = MOUNT_ATTR__ATIME;
	return mount_setattr(AT_FDCWD, m->path, 0, &attr, sizeof(attr)) < 0
		       ? err_errno(err, "set the options of the bind mount")
		       : 0;
}

static int plain_mount(const struct mounts_one *m, struct err *err)
{
	const char *data = mounts_join(m->a, &m->data), *source = m->source;
	autofd loop = -1;

	if (strlen(data) > MOUNTS_PAGE)
		return err_set(err, E2BIG, "too long options");
	if (m->loop) {
		loop = mounts_loop(m, &source, err);
		if (loop < 0)
			return loop;
	}
	return mount(source, m->path, m->type, m->flags, data) < 0 ? err_errno(err, "mount") : 0;
}

/* Its daemon goes on after the helper, and ends with the mount. */
static int fuse_mount(const struct mounts_one *m, Shim__Mount *request, struct err *err)
{
	char *program = proc_find(FUSE_HELPER, m->a);
	char **argv = arena_calloc(m->a, request->n_options * 2 + 6, sizeof(*argv));
	size_t n = 0;
	int r;

	if (!program)
		return err_set(err, ENOENT,
			       "exec: \"" FUSE_HELPER "\": executable file not found in $PATH");
	argv[n++] = program;
	argv[n++] = (char *)m->source;
	argv[n++] = (char *)m->path;
	for (size_t i = 0; i < request->n_options; i++) {
		argv[n++] = (char *)"-o";
		argv[n++] = request->options[i];
	}
	argv[n++] = (char *)"-t";
	argv[n++] = (char *)m->type + strlen(FUSE_TYPE);
	r = proc_run(program, argv, NULL, NULL, FUSE_MS, NULL, err);
	return r > 0 ? err->code : r;
}

static int make(struct mounts_one *m, Shim__Mount *request, struct err *err)
{
	bool mapped = m->uid_map || m->gid_map;
	int r;

	if (strncmp(m->type, FUSE_TYPE, strlen(FUSE_TYPE)) == 0)
		return fuse_mount(m, request, err);
	if (strcmp(m->type, "overlay") == 0 && !(m->flags & (MS_BIND | MS_REMOUNT))) {
		/* Its layers are mapped, not what it makes of them. */
		mapped = false;
		r = mounts_overlay(m, err);
	} else if (m->flags & MS_BIND && !(m->flags & MS_REMOUNT)) {
		r = bind_mount(m, err);
	} else {
		r = plain_mount(m, err);
	}
	if (r == 0 && m->propagation && mount(NULL, m->path, NULL, m->propagation, NULL) < 0)
		r = err_errno(err, "set the propagation");
	return r < 0 || !mapped ? r : map_ids(m, err);
}

/* A path below the mounts that were made so far, in which links lead nowhere else. */
static int resolve(const char *root, const char *sub, struct arena *a, const char **ret,
		   struct err *err)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	autofd top = fd_open(AT_FDCWD, root, O_PATH | O_DIRECTORY), fd = -1;
	char path[PATH_MAX], link[32];
	ssize_t n;

	if (top < 0)
		return err_errno(err, "open %s", root);
	fd = (int)syscall(SYS_openat2, top, *sub ? sub : ".", &how, sizeof(how));
	if (fd < 0)
		return err_errno(err, "open %s in %s", sub, root);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || n == (ssize_t)sizeof(path) - 1)
		return err_set(err, ENAMETOOLONG, "open %s in %s: its path is too long", sub, root);
	*ret = arena_strndup(a, path, (size_t)n);
	return 0;
}

static int make_one(const char *root, Shim__Mount *request, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct mounts_one m = { .a = &a, .type = request->type, .source = request->source };
	int r = resolve(root, request->target, &a, &m.path, err);

	m.data.items = arena_calloc(&a, request->n_options + 1, sizeof(*m.data.items));
	for (size_t i = 0; i < request->n_options; i++)
		take_word(&m, request->options[i]);
	if (r == 0)
		r = make(&m, request, err);
	return r < 0 ? err_prefix(err, "mount %s of type %s on %s", request->source, request->type,
				  root)
		     : 0;
}

int mounts_make(const char *target, Shim__Mount *const *mounts, size_t count, struct err *err)
{
	struct err ignored;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = make_one(target, mounts[i], err);
	if (r < 0)
		mounts_remove(target, &ignored);
	return r;
}
