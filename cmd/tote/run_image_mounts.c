/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "netns/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Some images have ten. Each is a directory and a mount, and the host is not asked. */
#define IMAGE_VOLUMES_MAX 1000

static struct convert_mount *add_mount(struct imaging *im)
{
	size_t n = im->convert.mounts.count++;

	im->convert.mounts.items =
		arena_grow(&im->a, im->convert.mounts.items, n, sizeof(*im->convert.mounts.items));
	return &im->convert.mounts.items[n];
}

/* In the one form in which paths are compared; NULL: not absolute, or nothing can be mounted there. */
static char *mount_path(struct imaging *im, const char *option, const char *path)
{
	char *clean = path && path[0] == '/' ? file_clean_path(path, &im->a) : NULL;

	/* As docker does it. */
	if (clean && clean[1] && !convert_guards(clean))
		return clean;
	err_set(im->err, EINVAL, "%s: \"%s\" is no absolute path that can be mounted on", option,
		path ? path : "");
	return NULL;
}

static bool is_covered(const struct imaging *im, const char *path)
{
	for_each (m, &im->convert.mounts)
		if (strcmp(m->destination, path) == 0)
			return true;
	return false;
}

static int find_path(struct imaging *im, const struct mount_wish *w, char **ret_source)
{
	autofree char *path = absolute(w->source);
	autofd top = -1;

	*ret_source = arena_strdup(&im->a, path);
	if (!w->create || access(*ret_source, F_OK) == 0)
		return 0;
	top = fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
	return top < 0 || fd_make_path_in_root(top, *ret_source, 0755) < 0
		       ? err_errno(im->err, "%s: make %s", w->option, *ret_source)
		       : 0;
}

int imaging_add_mount(struct imaging *im, const struct mount_wish *w)
{
	char *path = mount_path(im, w->option, w->target), *source = NULL;
	int r = 0;

	if (!path)
		return im->err->code;
	if (is_covered(im, path))
		return err_set(im->err, EINVAL, "%s: duplicate mount point \"%s\"", w->option,
			       path);
	if (w->named)
		r = imaging_find_volume(im, w->source, path, !w->empty, &source);
	else if (!w->tmpfs)
		r = find_path(im, w, &source);
	if (r == 0)
		*add_mount(im) = (struct convert_mount){ .source = source,
							 .destination = path,
							 .options = w->options,
							 .tmpfs = w->tmpfs,
							 .lend = w->lend };
	return r;
}

/* "SOURCE:PATH[:OPTIONS]": a source with a slash is a path, else a volume's name. */
static int add_volume(struct imaging *im, const char *text)
{
	char *copy = arena_strdup(&im->a, text), *source = strsep(&copy, ":"),
	     *path = strsep(&copy, ":");
	struct mount_wish w = { .option = "--volume", .source = source, .target = path };
	int r;

	if (!path || !source[0])
		return err_set(im->err, EINVAL, "--volume %s: expected SOURCE:PATH[:OPTIONS]",
			       text);
	w.named = source[0] != '.' && !strchr(source, '/');
	r = imaging_read_options(im, copy, &w);
	return r < 0 ? r : imaging_add_mount(im, &w);
}

static int add_tmpfs(struct imaging *im, const char *text)
{
	char *copy = arena_strdup(&im->a, text), *path = strsep(&copy, ":");
	struct mount_wish w = { .option = "--tmpfs", .target = path, .tmpfs = true };
	int r = imaging_read_options(im, copy, &w);

	return r < 0 ? r : imaging_add_mount(im, &w);
}

static int add_any(struct imaging *im, const char *text)
{
	struct mount_wish w;
	int r = imaging_read_mount(im, text, &w);

	return r < 0 ? r : imaging_add_mount(im, &w);
}

static int add_image_volumes(struct imaging *im)
{
	const char *how = im->o->image.image_volumes ? im->o->image.image_volumes : "dir";
	int r = 0;

	if (strcmp(how, "ignore") == 0)
		return 0;
	if (strcmp(how, "dir") != 0 && strcmp(how, "tmpfs") != 0)
		return err_set(im->err, EINVAL,
			       "--image-volumes: expected dir, tmpfs or ignore, found \"%s\"", how);
	if (im->config.process.volumes.count > IMAGE_VOLUMES_MAX)
		return err_set(im->err, EINVAL,
			       "the image declares %zu volumes, where %d are mounted at most "
			       "(--image-volumes ignore mounts none)",
			       im->config.process.volumes.count, IMAGE_VOLUMES_MAX);
	for_each (path, &im->config.process.volumes) {
		char *source = NULL;
		struct convert_mount *m;
		char *at;

		if (r < 0)
			break;
		at = mount_path(im, "the image's volume", *path);
		if (!at)
			log_warning("%s", im->err->msg);
		if (!at || is_covered(im, at))
			continue;
		if (how[0] == 'd')
			r = imaging_find_volume(im, NULL, at, true, &source);
		m = add_mount(im);
		*m = (struct convert_mount){ .source = source,
					     .destination = at,
					     .tmpfs = !source };
	}
	return r;
}

/* Without mounts below it, if "bind" says so. */
static bool is_recursive(const struct convert_mount *m)
{
	char *list = strdupa(m->options ? m->options : ""), *word;

	while ((word = strsep(&list, ",")))
		if (strcmp(word, "bind") == 0)
			return false;
	return true;
}

/* Sockets and devices belong to programs of the host, which ask for ids that they know. */
static int check_kind(int tree, const char *source, struct err *err)
{
	struct stat st;

	if (fstat(tree, &st) < 0)
		return err_errno(err, "look at %s", source);
	return S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)
		       ? 0
		       : err_set(err, EOPNOTSUPP, "volume %s is no file and no directory", source);
}

/*
 * Where a file system cannot map ids (tmpfs before Linux 6.3), a file of the container's own gets the
 * host's id of the owner that it is to have inside. Ranges begin at multiples of their length: what an
 * earlier container with another range was lent can be lent again.
 */
static int lend(struct imaging *im, int tree, const char *source)
{
	unsigned int uid = im->convert.uid_mappings.items[0].host_id,
		     gid = im->convert.gid_mappings.items[0].host_id;
	struct stat st;

	if (fstat(tree, &st) < 0)
		return err_errno(im->err, "look at %s", source);
	if (!S_ISREG(st.st_mode))
		return err_set(im->err, EINVAL, "--mount: %s: lend is for a file", source);
	return fchownat(tree, "", uid + st.st_uid % STORE_IDS, gid + st.st_gid % STORE_IDS,
			AT_EMPTY_PATH) < 0
		       ? err_errno(im->err, "give %s to the container", source)
		       : 0;
}

/* Owners stay what they are: the files of a volume belong to ids of the host, and are seen as the
 * same ids inside. */
static int map_mount(struct imaging *im, struct convert_mount *m)
{
	struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)im->userns };
	unsigned int all = is_recursive(m) ? AT_RECURSIVE : 0;
	const char *option = all ? "ridmap" : "idmap";
	autofd tree = open_tree(AT_FDCWD, m->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | all);
	int r = tree < 0 ? err_errno(im->err, "volume %s", m->source) : 0;

	if (r == 0 && !im->ids_asked_for)
		r = check_kind(tree, m->source, im->err);
	if (r < 0)
		return r;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | all, &map, sizeof(map)) < 0)
		return m->lend ? lend(im, tree, m->source)
			       : err_errno(im->err,
					   "volume %s: its file system does not map ids (--userns "
					   "host does without)",
					   m->source);
	m->options = m->options ? arena_printf(&im->a, "%s,%s", m->options, option) : option;
	return 0;
}

/* All or none: without them the container gets the host's ids, where nothing is mapped. */
int imaging_map_mounts(struct imaging *im)
{
	size_t count = im->convert.mounts.count;
	struct convert_mount *before = arena_calloc(&im->a, count, sizeof(*before));
	int r = 0;

	if (count)
		memcpy(before, im->convert.mounts.items, count * sizeof(*before));
	for_each (m, &im->convert.mounts)
		if (r == 0 && !m->tmpfs)
			r = map_mount(im, m);
	if (r < 0 && count)
		memcpy(im->convert.mounts.items, before, count * sizeof(*before));
	return r;
}

/* Links lead to where they will in the container. */
static bool root_has(const struct imaging *im, const char *path)
{
	autofd fd = fd_open_in_root(im->lookup, path, O_PATH);

	return fd >= 0;
}

/* A root that is a lone layer takes no new file. */
static void add_name_file(struct imaging *im, const char *source, const char *path, bool made)
{
	if (is_covered(im, path) || (!made && access(source, R_OK) < 0))
		return;
	if (im->rootfs.read_only && !root_has(im, path))
		return;
	/* The host's own, or one that tote writes: nothing for a container to change or to fill. */
	*add_mount(im) =
		(struct convert_mount){ .source = source, .destination = path, .options = "ro" };
}

/* Those of its own are made with the container; who shares a network shares its names. */
void imaging_add_names(struct imaging *im)
{
	static const char *const names[] = { NAMES_HOSTS, NAMES_RESOLV };
	const char *own = im->network.names_dir, *dir = own ? own
							: im->network.shared_names
								? im->network.shared_names
								: "/etc";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add_name_file(im, arena_printf(&im->a, "%s/%s", dir, names[i]),
			      arena_printf(&im->a, "/etc/%s", names[i]), own);
}

static const struct {
	size_t list; /* in struct image_options */
	int (*add)(struct imaging *im, const char *text);
} kinds[] = {
	{ offsetof(struct image_options, volumes), add_volume },
	{ offsetof(struct image_options, mounts), add_any },
	{ offsetof(struct image_options, tmpfs), add_tmpfs },
};

int imaging_add_mounts(struct imaging *im)
{
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const struct option_list *list =
			(const void *)((const char *)&im->o->image + kinds[k].list);

		for (size_t i = 0; r == 0 && i < list->count; i++)
			r = kinds[k].add(im, list->items[i]);
	}
	return r < 0 ? r : add_image_volumes(im);
}
