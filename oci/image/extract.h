/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer into a directory, entry by entry, on descriptors: nothing outside the root is ever
 * reached (openat2 RESOLVE_IN_ROOT, O_NOFOLLOW on the last part), whatever the names, links and
 * their order. On disk it is as overlayfs wants its lower layers: whiteouts are character devices
 * 0:0, opaque directories have an attribute. images.md, section 4, has the rules.
 */
#ifndef OCI_IMAGE_EXTRACT_H
#define OCI_IMAGE_EXTRACT_H

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct archive;
struct archive_entry;

struct extract_opts {
	int root_fd; /* empty, or the merged view of the layers below with `merged` */
	bool merged; /* whiteouts and opaque directories remove what is seen, as overlayfs notes it
			by itself; existing parents are used as they are */
	bool whiteouts_only; /* with merged: the first of two passes, as whiteouts concern lower
				layers only */
	bool user_xattr;     /* user.overlay.opaque in place of trusted.overlay.opaque */
	bool keep_ids; /* false: owners are not set, as only one id is mapped (an ordinary user
			  without subordinate ids) */
	int opaque_fd; /* paths of opaque directories, each with a NUL behind it, are written there
			  instead of setting the attribute, as trusted.* takes CAP_SYS_ADMIN, which
			  a confined process has not; 0 or less: none (unpack.c sets it) */
	int bytes_error; /* what max_bytes were chosen for: ENOSPC when the disk has no more room */
	uint64_t max_entries, max_bytes; /* -EFBIG above them; bytes of file contents; parents that
					    had to be made count as entries; 0: no limit */
};

struct extract_result {
	uint64_t entries, bytes;
	bool needs_lower; /* a parent, or the target of a hard link, is not in this layer: to be
			     extracted again, merged. With parents only it may be kept as the
			     lowest layer of an image */
	bool broken_link; /* needs_lower because of a hard link: never the lowest layer */
	bool replaced;	  /* something of this layer was replaced, or content was not written:
			     stream_opts.split_whole is needed (with merged it always is) */
};

struct extract;

/* Sets the process's umask to 0 until extract_free(): one at a time. */
int extract_new(const struct extract_opts *opts, struct extract **ret, struct err *err);
/* The next entry; its data is read from the archive. -EINVAL hostile or malformed ("entry
 * "x/../../y": ..."), -ENOSPC, -EDQUOT, -EFBIG. */
int extract_entry(struct extract *x, struct archive *archive, struct archive_entry *entry,
		  struct err *err);
/* Sets what must come last (attributes of directories), and tells. */
int extract_finish(struct extract *x, struct extract_result *ret, struct err *err);
void extract_free(struct extract *x);

/* Whether an extended attribute is the file's own: what the host, or overlayfs, would take for theirs
 * never comes out of a layer, and is none of its files' either. */
bool extract_keeps_xattr(const char *name);

/* Where the tar stream comes from, like stream_next(): bytes valid until the next call, 0 at the
 * end, -errno with words. */
typedef ssize_t extract_pull(void *arg, const void **ret, struct err *err);

/* The locale that names need (LC_CTYPE C.UTF-8), and what libarchive opens files for: before
 * confine(). */
void extract_prepare(void);
/* All entries of a tar stream, up to its end marks; nothing is read behind them. */
int extract_archive(struct extract *x, extract_pull *pull, void *arg, struct err *err);

#endif
