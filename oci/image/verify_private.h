/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the deep look share: verify_stream.c (the layer's stream, read once),
 * verify_compare.c (one member of it with its file), verify_names.c (that there is nothing else),
 * verify_tree.c (digests of a whole tree), verify_xattrs.c.
 */
#ifndef OCI_IMAGE_VERIFY_PRIVATE_H
#define OCI_IMAGE_VERIFY_PRIVATE_H

#include "lib/buf.h"
#include "lib/err.h"
#include "oci/image/digest.h"
#include "oci/image/extract_private.h"
#include "oci/image/hash.h"
#include "oci/image/store.h"

struct archive_entry;

/*
 * What is in a tree, the root not counted. The confined process finds out what there has to be, and
 * ours what there is: which directories are opaque nobody can read without CAP_SYS_ADMIN.
 */
struct verify_names {
	uint64_t count;	 /* names, of whiteouts too */
	uint64_t opaque; /* the sum of verify_mixed() of opaque directories */
};

/* Inode numbers are near each other, and so would be their sums (splitmix64). */
static inline uint64_t verify_mixed(uint64_t n)
{
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
	n = (n ^ n >> 27) * 0x94d049bb133111ebu;
	return n ^ n >> 31;
}

/*
 * Reads the layer's stream again from split and root, compares its digest with the diffID, and the
 * attributes of every member with those of its file. ret_names: what there has to be, unless the
 * layer is `whole`. -EBADMSG, -ENOENT with words.
 */
int verify_stream(int split, int root, const struct store_layer *layer,
		  struct verify_names *ret_names, struct err *err);

/* verify_compare.c: members in turn, then the end. Memory grows with directories, whiteouts and hard
 * links only, a few bytes each. */
struct verify_comparison {
	const struct store_layer *layer;
	int root;
	struct extract_inodes named; /* directories, whiteouts and files with several links: what a
					stream may name twice */
	struct extract_inodes differing; /* directories, which a later member may explain */
	struct extract_inodes opaque;
	struct buf swept; /* directories of whiteouts that are not there, each with a NUL */
	struct verify_names names;
	uint64_t last;	/* of `differing` */
	struct err why; /* how that one differs */
	struct err *err;
	char path[PATH_MAX];
};

int verify_compare(struct verify_comparison *c, struct archive_entry *entry);
int verify_compare_end(struct verify_comparison *c);
void verify_compare_done(struct verify_comparison *c);

/* verify_names.c: what there is. */
int verify_count_names(int root, bool user_xattr, struct verify_names *ret, struct err *err);

/*
 * Digests of all names, attributes and link targets below root and, when asked for, of all contents
 * as well, and of extended attributes and numbers of hard links. For layers with `whole` set, when
 * they are made and verified.
 */
struct verify_sums {
	char quick[DIGEST_SIZE], deep[DIGEST_SIZE], xattrs[DIGEST_SIZE];
};
int verify_tree_sum(int root, bool deep, bool user_xattr, struct verify_sums *ret, struct err *err);

/* verify_xattrs.c: of a file or directory that is open for reading. */

/* Whether it has those of the entry and no others: 1, 0, -errno. ids: they all could be set. */
int verify_same_xattrs(int fd, struct archive_entry *entry, bool ids);
/* Adds what it has of its own, and whether it is opaque, in an order of names: 0 or -errno. */
int verify_add_xattrs(int fd, bool user_xattr, struct hash *h);
/* overlayfs shows nothing of what lies below the directory in other layers: 1, 0, -errno. */
int verify_is_opaque(int fd, bool user_xattr);

#endif
