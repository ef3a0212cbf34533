/* SPDX-License-Identifier: Apache-2.0 */
/* An export under way, for oci/image/export*.c. */
#ifndef OCI_IMAGE_EXPORT_PRIVATE_H
#define OCI_IMAGE_EXPORT_PRIVATE_H

#include "lib/buf.h"
#include "oci/image/export.h"

#include <sys/stat.h>

struct archive;
struct archive_entry;
struct archive_entry_linkresolver;

struct exporting {
	const struct export_opts *opts;
	struct archive *archive;
	struct archive_entry_linkresolver *links;
	int fd;
	struct buf path; /* of what is at hand */
	char *list, *value, *chunk;
	struct err *err;
	int failed; /* the write */
};

/* export_entry.c: one file, by a descriptor of O_PATH. data: a descriptor to read it by, for
 * regular files and directories. */
int export_entry(struct exporting *e, int fd, int data, const struct stat *st);
/* A descriptor to read by of what one of O_PATH is. -1 with errno. */
int export_reopen(int fd, int flags);
void export_warn(struct exporting *e, const char *what);

#endif
