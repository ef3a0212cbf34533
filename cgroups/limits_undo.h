/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to cgroups/limits_apply.c: what stood in the files of a group, so that an update that is
 * refused halfway changes nothing.
 */
#ifndef CGROUPS_LIMITS_UNDO_H
#define CGROUPS_LIMITS_UNDO_H

#include "cgroups/limits.h"

struct limits_undo {
	const struct cg *cg;
	struct arena *a;
	struct limits_before *last; /* the latest first */
};

/* Notes what the write is about to replace; nothing where that cannot be read. */
void limits_undo_note(struct limits_undo *undo, const struct cg_write *w);
/* Writes it all back, the latest first. What the kernel does not take back stays. */
void limits_undo(const struct limits_undo *undo);

#endif
