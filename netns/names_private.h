/* SPDX-License-Identifier: Apache-2.0 */
/* What netns/names.c, which tote has too, and names_update.c, which reads records, share. */
#ifndef NETNS_NAMES_PRIVATE_H
#define NETNS_NAMES_PRIVATE_H

#include "lib/buf.h"
#include "netns/names.h"

extern const char names_localhost[];

/* The directory of all containers' directories. A descriptor or -errno. */
int names_open_dir(int run_fd, struct err *err);
/* Writes a file in place; pads text. 0 or -errno. */
int names_write(int dir, const char *name, struct buf *text, struct err *err);

#endif
