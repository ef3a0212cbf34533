/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "oci/image/volumes.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static struct convert_mount *add_mount(struct imaging *im)
{
	size_t n = im->convert.mounts.count;
	struct convert_mount *items = arena_calloc(&im->a, n + 1, sizeof(*items));

	if (n)
		memcpy(items, im->convert.mounts.items, n * sizeof(*items));
	im->convert.mounts.items = items;
	im->convert.mounts.count = n + 1;
	return &items[n];
}

int imaging_content(const struct imaging *im)
{
	return globals.rootless ? -1 : im->lookup;
}

/* Without "/" at the end, as paths are compared; NULL: not absolute, or nothing can be mounted there. */
static char *mount_path(struct imaging *im, const char *option, const char *path)
{
	char *plain = arena_strdup(&im->a, path ? path : "");

	for (size_t len = strlen(plain); len > 1 && plain[len - 1] == '/'; len--)
		plain[len - 1] = '\0';
	if (plain[0] == '/' && plain[1] && !convert_guards(plain))
		return plain;
	err_set(im->err, EINVAL, "%s: \"%s\" is no absolute path that can be mounted on", option,
		plain);
	return NULL;
}

/* "z" and "Z" ask for labels of SELinux, which people write everywhere; here there are none to change. */
static char *mount_options(struct imaging *im, char *list)
{
	char *kept = arena_alloc(&im->a, list ? strlen(list) + 1 : 1), *word;

	while ((word = strsep(&list, ",")))
		if (strcasecmp(word, "z") != 0) {
			strcat(kept, kept[0] ? "," : "");
			strcat(kept, word);
		}
	return kept;
}

/* "SOURCE:PATH[:OPTIONS]": a source with a slash is a path, else a volume's name. */
static int add_volume(struct imaging *im, const char *text)
{
	char *copy = arena_strdup(&im->a, text), *source = strsep(&copy, ":"),
	     *path = strsep(&copy, ":");
	int r = 0;

	if (!path || !source[0])
		return err_set(im->err, EINVAL, "--volume %s: expected SOURCE:PATH[:OPTIONS]",
			       text);
	path = mount_path(im, "--volume", path);
	if (!path)
		return im->err->code;
	if (source[0] == '.' || strchr(source, '/'))
		source = absolute(source);
	else
		r = volume_named(&im->store, source, imaging_content(im), path, &im->a, &source,
				 im->err);
	if (r == 0)
		*add_mount(im) = (struct convert_mount){ .source = source,
							 .destination = path,
							 .options = mount_options(im, copy) };
	return r;
}

static bool is_covered(const struct imaging *im, const char *path)
{
	for_each (m, &im->convert.mounts)
		if (strcmp(m->destination, path) == 0)
			return true;
	return false;
}

static int add_image_volumes(struct imaging *im)
{
	const char *how = im->o->image.image_volumes ? im->o->image.image_volumes : "dir";
	unsigned int n = 0;
	int r = 0;

	if (strcmp(how, "ignore") == 0)
		return 0;
	if (strcmp(how, "dir") != 0 && strcmp(how, "tmpfs") != 0)
		return err_set(im->err, EINVAL,
			       "--image-volumes: expected dir, tmpfs or ignore, found \"%s\"", how);
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
			r = volume_anonymous(&im->store, im->container, n++, imaging_content(im),
					     at, &im->a, &source, im->err);
		m = add_mount(im);
		*m = (struct convert_mount){ .source = source,
					     .destination = at,
					     .tmpfs = !source };
	}
	return r;
}

/* Owners stay what they are: the files of a volume belong to ids of the host, and are seen as the
 * same ids inside. */
static void map_mounts(struct imaging *im)
{
	for_each (m, &im->convert.mounts)
		if (!m->tmpfs)
			m->options =
				m->options ? arena_printf(&im->a, "%s,idmap", m->options) : "idmap";
}

int imaging_add_mounts(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->volumes.count; i++)
		r = add_volume(im, o->volumes.items[i]);
	for (size_t i = 0; r == 0 && i < o->tmpfs.count; i++) {
		char *copy = arena_strdup(&im->a, o->tmpfs.items[i]),
		     *path = mount_path(im, "--tmpfs", strsep(&copy, ":"));

		if (!path)
			return im->err->code;
		*add_mount(im) = (struct convert_mount){ .destination = path,
							 .options = copy,
							 .tmpfs = true };
	}
	if (r == 0)
		r = add_image_volumes(im);
	if (im->own_ids)
		map_mounts(im);
	return r;
}
