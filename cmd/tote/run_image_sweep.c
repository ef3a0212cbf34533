/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reboot takes a container's state along, which is on a tmpfs, and leaves its directory in the store.
 * Whoever makes a container of the same ID again is the one who knows that it is of no use: a box that is
 * switched off each night must not fill its disk until somebody runs gc.
 */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* oci/image/store_container.c: ID, "-" and 16 digits. Of a long ID it is not all that there is. */
#define SUFFIX 17
#define LONGEST_ID 200
#define META_MAX 65536
#define LOCK_TRIES 10
#define LOCK_PAUSE_US 2000

static bool has_name_of(const char *name, const char *id)
{
	size_t len = strlen(id);

	return len <= LONGEST_ID && strlen(name) == len + SUFFIX && strncmp(name, id, len) == 0 &&
	       name[len] == '-';
}

static bool says(const struct json_value *meta, const char *key, const char *text)
{
	const struct json_value *v = json_get(meta, key);

	return v && v->kind == JSON_STRING && strcmp(v->text, text) == 0;
}

/* In the directory it is written whose it is; what a power cut tore is left to gc. */
static bool is_ours(struct imaging *im, int dir, const char *id)
{
	struct json_value *meta;
	struct err ignored;
	char *text;
	size_t len;

	return file_read(dir, "meta", META_MAX, &im->a, &text, &len, &ignored) == 0 &&
	       json_parse(text, len, &im->a, &meta, &ignored) == 0 && says(meta, "id", id) &&
	       says(meta, "stateRoot", globals.root);
}

/* Who works for a tote that was killed (oci/ahead.h) ends a moment after it, and has the lock until then. */
static bool lock(int dir)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(dir, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			return false;
		usleep(LOCK_PAUSE_US);
	}
	return false;
}

/* In this order: who makes one holds its lock until there is a state. */
static void sweep_one(struct imaging *im, const char *name, const char *id)
{
	autofd dir = fd_open(im->store.fd, arena_printf(&im->a, "containers/%s", name),
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct err err;

	if (dir < 0 || !is_ours(im, dir, id) || !lock(dir))
		return;
	if (faccessat(AT_FDCWD, arena_printf(&im->a, "%s/%s", globals.root, id), F_OK,
		      AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT)
		return;
	log_debug("remove what an earlier %s left: %s", id, name);
	if (rootfs_remove(im->store.path, name, &err) < 0)
		log_debug("%s", err.msg);
}

void imaging_sweep(struct imaging *im, const char *id)
{
	struct strv names;
	struct err ignored;

	if (file_list(im->store.fd, "containers", &im->a, &names, &ignored) < 0)
		return;
	for_each (name, &names)
		if (has_name_of(*name, id))
			sweep_one(im, *name, id);
}
