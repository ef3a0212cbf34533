/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of the store: found, or made with what the image has in their place. */
#include "cmd/tote/run_image.h"

#include "lib/proc.h"
#include "oci/image/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define HELPER "tote-image"

/* An ordinary user's process cannot mount the image, nor make files of subordinate ids. */
static int make_by_helper(struct imaging *im, const char *name, const char *path)
{
	char program[PATH_MAX], *argv[] = { program,
					    (char *)"--store",
					    im->store.path,
					    (char *)"fill-volume",
					    (char *)"--",
					    im->image.digest,
					    (char *)path,
					    (char *)(name ? name : im->container),
					    name ? NULL : arena_printf(&im->a, "%u", im->anonymous),
					    NULL };
	int r = proc_sibling(HELPER, program, sizeof(program));

	if (r < 0)
		return err_code(im->err, r, "find " HELPER);
	r = proc_run(program, argv, NULL, NULL, -1, NULL, im->err);
	if (r == 127)
		return err_set(im->err, ENOENT,
			       "volume at %s: to fill it needs " HELPER ", which is not at %s",
			       path, program);
	return r > 0 ? err_prefix(im->err, "volume at %s", path) : r;
}

int imaging_find_volume(struct imaging *im, const char *name, const char *path, bool fill,
			char **ret_source)
{
	const char *place = name ? arena_printf(&im->a, "volumes/%s", name) : NULL;
	int r = 0;

	if (place && faccessat(im->store.fd, place, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		fill = false;
	if (fill && !globals.rootless)
		r = imaging_look(im);
	else if (fill)
		r = make_by_helper(im, name, path);
	if (r < 0)
		return r;
	return name ? volume_named(&im->store, name, fill ? im->lookup : -1, path, &im->a,
				   ret_source, im->err)
		    : volume_anonymous(&im->store, im->container, im->anonymous++,
				       fill ? im->lookup : -1, path, &im->a, ret_source, im->err);
}
