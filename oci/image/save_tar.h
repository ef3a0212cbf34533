/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain tar archive of regular files, written in one pass: the outer one of `tote save`. The same
 * members are the same bytes: no times, no owners.
 */
#ifndef OCI_IMAGE_SAVE_TAR_H
#define OCI_IMAGE_SAVE_TAR_H

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

struct save_tar {
	int fd;	       /* borrowed, written from where it stands */
	uint64_t left; /* bytes that the member at hand still needs */
	uint64_t padding;
};

/* Begins a member of size bytes, which save_tar_add() then takes. -errno of the write. */
int save_tar_member(struct save_tar *t, const char *name, uint64_t size, struct err *err);
/* -EFBIG when it is more than the member has. */
int save_tar_add(struct save_tar *t, const void *data, size_t len, struct err *err);
/* A whole member. */
int save_tar_file(struct save_tar *t, const char *name, const void *data, size_t len,
		  struct err *err);
/* The end of the archive. */
int save_tar_finish(struct save_tar *t, struct err *err);

#endif
