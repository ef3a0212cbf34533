/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking images into the store: which layers are missing, each unpacked in a process of its own,
 * several at once, longest first, and one commit at the end. What fails leaves nothing behind.
 */
#ifndef OCI_IMAGE_LOAD_H
#define OCI_IMAGE_LOAD_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/image/source.h"
#include "oci/image/store.h"

enum load_state { LOAD_WAITING, LOAD_RUNNING, LOAD_DONE, LOAD_KNOWN };

/* A layer as a progress bar sees it. */
struct load_layer {
	const char *diff_id;
	uint64_t size;	       /* of its blob */
	uint64_t done;	       /* so many bytes of it need not be read any more */
	enum load_state state; /* LOAD_KNOWN: the store had it */
};

struct load_progress {
	const struct load_layer *layers;
	size_t count;
};

struct load_opts {
	const struct store *store;
	const struct layout *layout;
	const struct source_images *images;
	unsigned int jobs; /* processes at once, at least 1 */
	bool user_xattr;   /* an ordinary user: opaque directories are marked by user.overlay.opaque
			    */
	bool keep_ids;	   /* owners are set, see struct extract_opts */
	uint64_t max_bytes, max_entries; /* of a layer, uncompressed */
	uint64_t reserve;		 /* bytes of the file system that must stay free */
	/* Called about ten times a second and at each change. NULL: nobody looks. */
	void (*progress)(void *arg, const struct load_progress *p);
	void *progress_arg;
	const volatile int *interrupted; /* becomes non-zero: stop with -EINTR */
};

struct loaded_image {
	struct store_image record;
	struct strv names;
	size_t new_layers;
	uint64_t new_bytes; /* of file contents */
};

struct loaded {
	struct loaded_image *items;
	size_t count;
};

/*
 * -ENOSPC before anything is unpacked when it cannot fit, with the bytes that are needed; -ENOENT a
 * layer is neither in the layout nor in the store; else as unpack_wait() and ingest_commit().
 */
int load_images(const struct load_opts *opts, struct arena *a, struct loaded *ret, struct err *err);

#endif
