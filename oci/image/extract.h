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
	uint64_t max_entries, max_bytes; /* -EFBIG above them; bytes of file contents */
};

struct extract_result {
	uint64_t entries, bytes;
	bool needs_lower; /* a parent, or the target of a hard link, is not in this layer: to be
			     extracted again, merged */
	bool replaced; /* a regular file with content was written twice: stream_opts.split_whole is
			  needed */
};

struct extract;

int extract_new(const struct extract_opts *opts, struct extract **ret, struct err *err);
/* The next entry; its data is read from the archive. -EINVAL hostile or malformed ("entry
 * "x/../../y": ..."), -ENOSPC, -EDQUOT, -EFBIG. */
int extract_entry(struct extract *x, struct archive *archive, struct archive_entry *entry,
		  struct err *err);
/* Sets what must come last (attributes of directories), and tells. */
int extract_finish(struct extract *x, struct extract_result *ret, struct err *err);
void extract_free(struct extract *x);

#endif
