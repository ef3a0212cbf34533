/* SPDX-License-Identifier: Apache-2.0 */
/* What netns/names.c, which tote has too, and names_update.c, which reads records, share. */
#ifndef NETNS_NAMES_PRIVATE_H
#define NETNS_NAMES_PRIVATE_H

#include "lib/buf.h"
#include "netns/names.h"

extern const char names_localhost[];

/* Beside the two files of a container, when there is something in them. Lines of hosts, one word a line,
 * lines of resolv.conf. */
#define NAMES_MORE "more-hosts"
#define NAMES_ALIASES "aliases"
#define NAMES_RESOLV_WISH "resolv-wish"
#define NAMES_TEXT_MAX ((size_t)1 << 20)

/* The gateway may be NULL: there is none, and its lines are left out. */
void names_add_more(struct buf *hosts, char *more, const char *gateway);

/* The directory of all containers' directories. A descriptor or -errno. */
int names_open_dir(int run_fd, struct err *err);
/* Writes a file in place; pads text. 0 or -errno. */
int names_write(int dir, const char *name, struct buf *text, struct err *err);

#endif
