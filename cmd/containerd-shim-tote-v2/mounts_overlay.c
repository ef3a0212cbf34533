/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlays of any number of layers:
 *
 *	mount(2), whose page of text holds about 40 layers by the names that containerd gives them
 *	fsconfig(2) with a "lowerdir+" for each (Linux 6.8)
 *	mount(2) with names that count from the directory that all layers are in
 *
 * Layers with mapped ids are mounted so first, out of sight in a mount namespace that ends with the
 * child that has it (Linux 5.19). The upper directory is not mapped: containerd has changed its
 * owners.
 */
#include "cmd/containerd-shim-tote-v2/mounts_private.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/mount_apart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define LOWER "lowerdir="
/* fsconfig(2) takes strings of less than 256 bytes. */
#define NAME_LONGEST 255
#define CLONE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)

struct layers {
	struct strv names; /* uppermost first */
	struct strv rest;  /* the other options */
};

/* False: there are none, or not such that they can be told apart: "\:" is a part of a name, "::" of
 * a kind of its own. */
static bool split(const struct mounts_one *m, struct layers *ret)
{
	char *names = NULL, *name;
	size_t count = 1;

	ret->rest.items = arena_calloc(m->a, m->data.count + 1, sizeof(char *));
	for (size_t i = 0; i < m->data.count; i++) {
		if (strncmp(m->data.items[i], LOWER, strlen(LOWER)) == 0)
			names = arena_strdup(m->a, m->data.items[i] + strlen(LOWER));
		else
			ret->rest.items[ret->rest.count++] = m->data.items[i];
	}
	if (!names || strchr(names, '\\'))
		return false;
	for (const char *p = names; *p; p++)
		count += *p == ':';
	ret->names.items = arena_calloc(m->a, count + 1, sizeof(char *));
	while ((name = strsep(&names, ":"))) {
		if (name[0] != '/')
			return false;
		ret->names.items[ret->names.count++] = name;
	}
	return true;
}

/* -ENOSYS: this kernel does not know it so, or the name does not fit. */
static int set_option(int fs, const char *key, const char *value)
{
	if (value && (strlen(value) > NAME_LONGEST || strpbrk(value, "\\,")))
		return -ENOSYS;
	return fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0
		       ? -ENOSYS
		       : 0;
}

static int set_options(const struct mounts_one *m, const struct layers *layers, int fs)
{
	int r = set_option(fs, "source", m->source && *m->source ? m->source : "overlay");

	for (size_t i = 0; r == 0 && i < layers->names.count; i++)
		r = set_option(fs, "lowerdir+", layers->names.items[i]);
	for (size_t i = 0; r == 0 && i < layers->rest.count; i++) {
		char *key = arena_strdup(m->a, layers->rest.items[i]), *value = strchr(key, '=');

		if (value)
			*value++ = '\0';
		r = set_option(fs, key, value);
	}
	return r == 0 && m->flags & MS_RDONLY ? set_option(fs, "ro", NULL) : r;
}

/* What it refuses is left to the other way, which has words for it. */
static int by_fsconfig(const struct mounts_one *m, const struct layers *layers)
{
	autofd fs = fsopen("overlay", FSOPEN_CLOEXEC), tree = -1;

	if (fs < 0 || set_options(m, layers, fs) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -ENOSYS;
	tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)mounts_attributes(m->flags));
	return tree < 0 || move_mount(tree, "", AT_FDCWD, m->path, MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? -ENOSYS
		       : 0;
}

/* The length of the path of the directory that all are in, with its slash. */
static size_t common_length(const struct strv *names)
{
	const char *first = names->items[0];
	size_t len = (size_t)(strrchr(first, '/') - first) + 1;

	for (size_t i = 1; i < names->count; i++) {
		while (strncmp(names->items[i], first, len) != 0)
			do {
				len--;
			} while (len && first[len - 1] != '/');
	}
	return len;
}

/* The options with other names for the layers, of which prefix bytes are cut. */
static int mount_page(const struct mounts_one *m, const struct layers *layers, size_t prefix,
		      const char *where, struct err *err)
{
	autobuf page = BUF_INIT;

	buf_adds(&page, LOWER);
	for (size_t i = 0; i < layers->names.count; i++)
		buf_addf(&page, "%s%s", i ? ":" : "", layers->names.items[i] + prefix);
	for (size_t i = 0; i < layers->rest.count; i++)
		buf_addf(&page, ",%s", layers->rest.items[i]);
	if (page.len > MOUNTS_PAGE)
		return err_set(err, E2BIG, "%zu layers: too many for mount(2) (needs Linux >= 6.8)",
			       layers->names.count);
	return mount("overlay", where, "overlay", m->flags, page.data) < 0
		       ? err_errno(err, "mount an overlay of %zu layers", layers->names.count)
		       : 0;
}

static int by_short_names(const struct mounts_one *m, const struct layers *layers, struct err *err)
{
	size_t prefix = common_length(&layers->names);
	const char *top = arena_strndup(m->a, layers->names.items[0], prefix);
	autofd back = fd_open(AT_FDCWD, ".", O_PATH | O_DIRECTORY);
	int r;

	if (chdir(top) < 0)
		return err_errno(err, "chdir to %s", top);
	r = mount_page(m, layers, prefix, m->path, err);
	if ((back < 0 || fchdir(back) < 0) && chdir("/") < 0 && r == 0)
		r = err_errno(err, "chdir to /");
	return r;
}

/* The layer as it looks with other ids, as "NUMBER" in the working directory. */
static int map_layer(const char *layer, const char *number, int userns, struct err *err)
{
	struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	autofd tree = open_tree(AT_FDCWD, layer, CLONE_FLAGS);

	if (tree < 0)
		return err_errno(err, "take the mount of %s", layer);
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &map, sizeof(map)) < 0)
		return err_errno(err, "map the ids of %s", layer);
	if (mkdir(number, 0755) < 0 ||
	    move_mount(tree, "", AT_FDCWD, number, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(err, "mount %s with other ids", layer);
	return 0;
}

struct mapping {
	const struct mounts_one *m;
	const struct layers *layers;
	int userns;
};

/* The detached overlay, or -errno. */
static int overlay_apart(const void *arg, struct err *err)
{
	const struct mapping *mapping = arg;
	const struct mounts_one *m = mapping->m;
	const struct strv *names = &mapping->layers->names;
	struct layers mapped = { .rest = mapping->layers->rest };
	int r = 0, tree;

	if (mount("tmpfs", m->path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0 ||
	    chdir(m->path) < 0 || mkdir("overlay", 0755) < 0)
		return err_errno(err, "mount tmpfs on %s", m->path);
	mapped.names.items = arena_calloc(m->a, names->count + 1, sizeof(char *));
	for (size_t i = 0; r == 0 && i < names->count; i++) {
		mapped.names.items[i] = arena_printf(m->a, "%zu", i);
		mapped.names.count++;
		r = map_layer(names->items[i], mapped.names.items[i], mapping->userns, err);
	}
	if (r == 0)
		r = mount_page(m, &mapped, 0, "overlay", err);
	if (r < 0)
		return r;
	tree = open_tree(AT_FDCWD, "overlay", CLONE_FLAGS);
	return tree < 0 ? err_errno(err, "take the overlay") : tree;
}

static int with_mapped_ids(const struct mounts_one *m, const struct layers *layers, struct err *err)
{
	autofd userns = mounts_userns(m, err), tree = -1;
	const struct mapping mapping = { m, layers, userns };

	if (userns < 0)
		return userns;
	tree = mount_apart(overlay_apart, &mapping, "mounts the overlay", err);
	if (tree < 0)
		return tree;
	return move_mount(tree, "", AT_FDCWD, m->path, MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? err_errno(err, "put the overlay in its place")
		       : 0;
}

int mounts_overlay(const struct mounts_one *m, struct err *err)
{
	const char *page = mounts_join(m->a, &m->data);
	struct layers layers = { 0 };
	bool known = split(m, &layers), mapped = m->uid_map || m->gid_map;

	if (mapped && known)
		return with_mapped_ids(m, &layers, err);
	if (strlen(page) <= MOUNTS_PAGE && !mapped)
		return mount("overlay", m->path, "overlay", m->flags, page) < 0
			       ? err_errno(err, "mount the overlay")
			       : 0;
	if (!known)
		return err_set(err, EINVAL,
			       "the layers of the overlay cannot be told apart: %.200s", page);
	return by_fsconfig(m, &layers) == 0 ? 0 : by_short_names(m, &layers, err);
}
