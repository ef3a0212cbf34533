/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the extractor share: extract.c (entries in turn), extract_path.c (names and
 * parents), extract_create.c (one file of each kind), extract_attributes.c, extract_whiteout.c
 * (what concerns lower layers), extract_remove.c (whole trees).
 */
#ifndef OCI_IMAGE_EXTRACT_PRIVATE_H
#define OCI_IMAGE_EXTRACT_PRIVATE_H

#include "oci/image/extract.h"

#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#define EXTRACT_DIRS 16
#define OPAQUE_PATHS_MAX ((size_t)16 << 20)

/*
 * An open directory, under the path by which it was asked for. Everything that changes a directory
 * goes through one of these, and closing it sets its mtime again: so the mtime on disk is right
 * whenever it is not open, and what it has to be needs no memory.
 */
struct extract_dir {
	char *path; /* NULL: a free slot; "" is the root */
	size_t len;
	int fd;
	dev_t dev;
	ino_t ino;
	gid_t gid; /* files made in it may inherit it (setgid, or mounted with grpid) */
	struct timespec mtime;
	bool dirty;
	uint64_t used;
};

/* Inode numbers of files: extract_whiteout.c has what is done with them. */
struct extract_inodes {
	uint64_t *slots; /* 0: free */
	size_t size, count, filled;
};

struct extract {
	struct extract_opts opts;
	struct extract_result result;
	struct extract_dir dirs[EXTRACT_DIRS];
	uint64_t clock;
	bool stale; /* a directory or link was replaced: paths may mean something else now */
	char path[PATH_MAX], target[PATH_MAX];
	struct extract_inodes opaque;
	size_t opaque_paths; /* bytes written to opts.opaque_fd */
	uint64_t whiteouts;
	uid_t uid;
	gid_t gid;
	mode_t umask;
};

static inline bool extract_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* extract_path.c */

/* The path below the root, without leading, double or trailing slashes and "."; "" is the root. */
int extract_clean(const char *name, char ret[PATH_MAX], struct err *err);
/* Cuts the last part off: what is left is its parent. */
const char *extract_leaf(const char *path, size_t *ret_parent_len);
/*
 * The directory path[0..len), open; links are followed below the root. make: missing parts are
 * made (needs_lower). Valid until the second call from now. -ENOENT without words when it is
 * missing (without make), or a link leads nowhere; else -errno with words.
 */
int extract_dir(struct extract *x, const char *path, size_t len, bool make,
		struct extract_dir **ret, struct err *err);
/* A directory that is open already (fd is taken over) under this path. */
void extract_dir_add(struct extract *x, const char *path, size_t len, int fd, const struct stat *st,
		     struct extract_dir **ret);
/* The directory st got a new mtime and group. */
void extract_dir_changed(struct extract *x, const struct stat *st, const struct timespec *mtime,
			 gid_t gid);
void extract_dirs_close(struct extract *x);
/* One more file or directory: -EFBIG. */
int extract_count(struct extract *x, struct err *err);

/* extract_create.c: each makes leaf in dir, in place of what was there. */

int extract_create(struct extract *x, struct extract_dir *dir, const char *leaf,
		   struct archive *archive, struct archive_entry *entry, struct err *err);
int extract_root(struct extract *x, struct archive_entry *entry, struct err *err);
/* Only that leaf is a directory, if it is anything: for the pass before the others. */
int extract_make_way(struct extract *x, struct extract_dir *dir, const char *leaf, struct err *err);

/* extract_attributes.c */

/* -EINVAL for ids that are none: 2^32-1 means "leave alone" to chown(2). */
int extract_check_ids(struct archive_entry *entry, struct err *err);
struct timespec extract_mtime(struct archive_entry *entry);
/* In this order: owner, mode, extended attributes, mtime, as chown(2) clears setuid bits and
 * capabilities. */
int extract_file_attributes(struct extract *x, const struct extract_dir *dir, int fd,
			    struct archive_entry *entry, struct err *err);
/* old: it was there before, and keeps nothing of what it had. */
int extract_dir_attributes(struct extract *x, int fd, const struct stat *st, bool old,
			   struct archive_entry *entry, struct err *err);
/* Of what cannot be opened: links, devices, fifos. */
int extract_leaf_attributes(struct extract *x, const struct extract_dir *dir, const char *leaf,
			    struct archive_entry *entry, struct err *err);

/* extract_whiteout.c */

enum extract_kind {
	EXTRACT_PLAIN,
	EXTRACT_WHITEOUT, /* image-spec layer.md, "Whiteouts" */
	EXTRACT_OPAQUE,
	EXTRACT_IGNORED, /* AUFS metadata */
	EXTRACT_INVALID,
};
enum extract_kind extract_kind(const char *path);
int extract_whiteout(struct extract *x, enum extract_kind kind, struct err *err);
/* The directory hides those of its name below. path: where it lies, with a length. */
int extract_set_opaque(struct extract *x, int fd, const char *path, size_t len, struct err *err);

/* extract_sweep.c */

/* Removes whiteouts from opaque directories and all below: overlayfs would show them there. */
int extract_sweep(struct extract *x, struct err *err);
/* Ends the process when memory is out. Not for 0 and UINT64_MAX. */
void extract_inodes_add(struct extract_inodes *set, uint64_t ino);
void extract_inodes_remove(struct extract_inodes *set, uint64_t ino);
bool extract_inodes_has(const struct extract_inodes *set, uint64_t ino);

/* extract_remove.c */

/* Removes whatever leaf is; what is missing is fine. Of any depth, in constant memory. */
int extract_remove(struct extract *x, struct extract_dir *dir, const char *leaf,
		   struct stat *ret_st, struct err *err);
int extract_remove_contents(struct extract *x, struct extract_dir *dir, struct err *err);

#endif
