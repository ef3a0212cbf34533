/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layer says of the layers below (image-spec layer.md, "Whiteouts"), as overlayfs has it on
 * disk. Whatever lies in the root that is no whiteout was made by this layer, so that the order of
 * a whiteout and its successor does not matter.
 */
#include "oci/image/extract_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define WH ".wh."
#define WH_LEN 4
#define FREED UINT64_MAX

enum extract_kind extract_kind(const char *path)
{
	size_t len;
	const char *leaf = extract_leaf(path, &len), *hidden;

	for (const char *p = path; p < leaf; p = strchr(p, '/') + 1)
		if (strncmp(p, WH, WH_LEN) == 0)
			return strncmp(p + WH_LEN, WH, WH_LEN) == 0 ? EXTRACT_IGNORED
								    : EXTRACT_INVALID;
	if (strncmp(leaf, WH, WH_LEN) != 0)
		return EXTRACT_PLAIN;
	hidden = leaf + WH_LEN;
	if (strcmp(hidden, WH ".opq") == 0)
		return EXTRACT_OPAQUE;
	if (strncmp(hidden, WH, WH_LEN) == 0)
		return EXTRACT_IGNORED;
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return EXTRACT_INVALID;
	return EXTRACT_WHITEOUT;
}

static size_t slot_of(const struct extract_inodes *set, uint64_t ino)
{
	size_t i = (size_t)(ino * 0x9e3779b97f4a7c15u >> 20) & (set->size - 1);

	while (set->slots[i] && set->slots[i] != ino)
		i = (i + 1) & (set->size - 1);
	return i;
}

bool extract_inodes_has(const struct extract_inodes *set, uint64_t ino)
{
	return set->count && set->slots[slot_of(set, ino)] == ino;
}

void extract_inodes_remove(struct extract_inodes *set, uint64_t ino)
{
	if (extract_inodes_has(set, ino)) {
		set->slots[slot_of(set, ino)] = FREED;
		set->count--;
	}
}

static void grow(struct extract_inodes *set)
{
	struct extract_inodes next = { .size = set->size ? set->size * 2 : 64 };

	next.slots = calloc(next.size, sizeof(*next.slots));
	if (!next.slots)
		_exit(255);
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i] && set->slots[i] != FREED) {
			next.slots[slot_of(&next, set->slots[i])] = set->slots[i];
			next.count = ++next.filled;
		}
	free(set->slots);
	*set = next;
}

void extract_inodes_add(struct extract_inodes *set, uint64_t ino)
{
	if (2 * set->filled >= set->size)
		grow(set);
	set->slots[slot_of(set, ino)] = ino;
	set->count++;
	set->filled++;
}

/* For whoever has CAP_SYS_ADMIN. */
static int note_path(struct extract *x, const char *path, size_t len, struct err *err)
{
	char text[PATH_MAX];

	x->opaque_paths += len + 1;
	if (x->opaque_paths > OPAQUE_PATHS_MAX)
		return err_set(err, EFBIG, "the layer has too many opaque directories");
	memcpy(text, path, len);
	text[len] = '\0';
	if (fd_write_full(x->opts.opaque_fd, text, len + 1) < 0)
		return err_errno(err, "note an opaque directory");
	return 0;
}

int extract_set_opaque(struct extract *x, int fd, const char *path, size_t len, struct err *err)
{
	const char *name = x->opts.user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, "look at the directory");
	if (extract_inodes_has(&x->opaque, st.st_ino))
		return 0;
	extract_inodes_add(&x->opaque, st.st_ino);
	if (x->opts.opaque_fd > 0)
		return note_path(x, path, len, err);
	if (fsetxattr(fd, name, "y", 1, 0) < 0)
		return err_errno(err, "make the directory opaque");
	return 0;
}

/* With the layers below in sight they are removed, and overlayfs notes it. */
static int remove_seen(struct extract *x, enum extract_kind kind, size_t len, const char *hidden,
		       struct err *err)
{
	struct extract_dir *dir;
	struct stat st;
	int r = extract_dir(x, x->path, len, false, &dir, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (kind == EXTRACT_OPAQUE)
		return extract_remove_contents(x, dir, err);
	if (fstatat(dir->fd, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return extract_remove(x, dir, hidden, NULL, err);
}

/* path: of what is hidden. */
static int hide(struct extract *x, struct extract_dir *dir, const char *hidden, const char *path,
		size_t len, struct err *err)
{
	autofd fd = -1;
	struct stat st;

	if (mknodat(dir->fd, hidden, S_IFCHR, makedev(0, 0)) == 0) {
		dir->dirty = true;
		x->whiteouts++;
		return 0;
	}
	if (errno != EEXIST || fstatat(dir->fd, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "make a whiteout");
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = fd_open(dir->fd, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, "open what is to be opaque");
	return extract_set_opaque(x, fd, path, len, err);
}

int extract_whiteout(struct extract *x, enum extract_kind kind, struct err *err)
{
	const char *leaf, *hidden;
	struct extract_dir *dir;
	char path[PATH_MAX];
	size_t len;
	int r;

	leaf = extract_leaf(x->path, &len);
	hidden = leaf + WH_LEN;
	if (x->opts.merged)
		return x->opts.whiteouts_only ? remove_seen(x, kind, len, hidden, err) : 0;
	r = extract_dir(x, x->path, len, true, &dir, err);
	if (r == -ENOENT) {
		x->result.needs_lower = true;
		return 0;
	}
	if (r < 0)
		return r;
	if (kind == EXTRACT_OPAQUE && len == 0) {
		/* overlayfs does not look for the attribute on the root of a layer */
		x->result.needs_lower = true;
		return 0;
	}
	if (kind == EXTRACT_OPAQUE)
		return extract_set_opaque(x, dir->fd, x->path, len, err);
	memcpy(path, x->path, len + 1);
	strcpy(len ? path + len + 1 : path, hidden);
	return hide(x, dir, hidden, path, strlen(path), err);
}
