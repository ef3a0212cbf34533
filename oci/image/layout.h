/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container of images: an OCI layout's directory, or an archive (OCI layout, docker save) whose
 * members are found once and then read where they lie. An archive that is compressed or comes
 * through a pipe is spooled into an unnamed file first.
 */
#ifndef OCI_IMAGE_LAYOUT_H
#define OCI_IMAGE_LAYOUT_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stdint.h>

struct layout_member {
	char *name;   /* without leading "./" and "/" */
	char *target; /* of a symbolic or hard link; NULL: a regular file */
	uint64_t offset, size;
};

struct layout {
	int fd; /* of the directory or archive */
	bool directory;
	LIST(struct layout_member)
	members; /* of an archive, sorted by name, of equal ones the last */
	struct arena arena;
};

#define LAYOUT_INIT                                                                                \
	{                                                                                          \
		.fd = -1, .arena = ARENA_INIT                                                      \
	}

/* Bytes somewhere in a file. */
struct extent {
	int fd; /* the caller's */
	uint64_t offset, size;
};

/*
 * path "-": stdin. spool_dir: where an unnamed file may be made. -EINVAL: no archive of images;
 * -EOPNOTSUPP: a compression that we do not know; -EBADMSG: broken; -ENOSPC. max_bytes bounds what
 * a compressed archive may become.
 */
int layout_open(const char *path, int spool_dir, uint64_t max_bytes, struct layout *ret,
		struct err *err);
void layout_close(struct layout *l);
#define autolayout __attribute__((cleanup(layout_close))) struct layout

/* A member; links between members are followed. -ENOENT: none of that name. */
int layout_find(const struct layout *l, const char *name, struct extent *ret, struct err *err);
/* A small one whole, -EFBIG above max. */
int layout_read(const struct layout *l, const char *name, size_t max, struct arena *a,
		char **ret_text, size_t *ret_len, struct err *err);

#endif
