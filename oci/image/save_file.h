/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is written whole or not at all, or stdout: for `tote save` and `tote export`. It has
 * no name until it is complete and on disk, so that a crash leaves nothing; where the file system
 * cannot do that (FAT), a hidden one beside it.
 */
#ifndef OCI_IMAGE_SAVE_FILE_H
#define OCI_IMAGE_SAVE_FILE_H

#include "lib/err.h"

#include <stdbool.h>

struct save_file {
	int fd, dir;
	char *name, *temp; /* in dir; NULL: written directly, as to a device */
	bool named;	   /* temp is there */
};

#define SAVE_FILE_INIT                                                                             \
	{                                                                                          \
		-1, -1, NULL, NULL, false                                                          \
	}

/* path NULL or "-": stdout, -EINVAL when it is a terminal. */
int save_file_open(const char *path, struct save_file *ret, struct err *err);
/* On disk, and then in the place of what had its name. */
int save_file_commit(struct save_file *f, struct err *err);
/* Without a commit nothing is left. */
void save_file_close(struct save_file *f);
#define autosave_file __attribute__((cleanup(save_file_close))) struct save_file

#endif
