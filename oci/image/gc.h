/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing what nobody needs, by mark and sweep: what references, containers and the leases of
 * operations under way lead to stays.
 */
#ifndef OCI_IMAGE_GC_H
#define OCI_IMAGE_GC_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/image/store.h"

enum gc_kind { GC_IMAGE, GC_LAYER, GC_BLOB, GC_CONTAINER };

struct gc_item {
	enum gc_kind kind;
	char *name;	/* of the file or directory */
	uint64_t bytes; /* of a layer, uncompressed; else 0 */
};

struct gc_result {
	struct gc_item *items;
	size_t count;
};

enum {
	GC_DRY = 1, /* only look */
	/* What containers without a state wrote stays, and so do their images: it may be all that is
	 * left of them after a reboot. */
	GC_KEEP_CONTAINERS = 2,
};

/*
 * Looks, and unless dry removes. Takes the store's lock for as long as it looks and renames; what
 * is removed is removed after it, and by the next operation if this one is killed. -EBADMSG: a
 * reference or record is damaged, so that it is not known what is needed; nothing was removed.
 * needed: digests of images that stay without a name; those that are not there are no error.
 */
int gc(const struct store *s, unsigned int flags, const struct strv *needed, struct arena *a,
       struct gc_result *ret, struct err *err);

/* Removes a reference, durably. -ENOENT. */
int store_ref_remove(const struct store *s, const char *reference, struct err *err);

#endif
