/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that work on images share. */
#ifndef CMD_TOTE_IMAGE_IMAGE_H
#define CMD_TOTE_IMAGE_IMAGE_H

#include "cmd/program.h"
#include "oci/image/gc.h"
#include "oci/image/store.h"

/* tote-load(8), "EXIT STATUS": scripts tell by it what to do next. */
enum {
	EXIT_NOT_FOUND = 3,   /* no such image, file, layer */
	EXIT_DAMAGED = 4,     /* not what its digest says, truncated, hostile */
	EXIT_FULL = 5,	      /* no space */
	EXIT_UNSUPPORTED = 6, /* a form, compression or platform that is not known here */
	EXIT_INTERRUPTED = 130,
};

/* Of one layer, uncompressed: what no image of a box in a store has, and a bomb soon exceeds. */
#define LAYER_BYTES_MAX ((uint64_t)64 << 30)
#define LAYER_ENTRIES_MAX 4000000

extern const struct verb verb_load, verb_images, verb_inspect, verb_tag, verb_rmi, verb_gc, verb_df,
	verb_verify, verb_bundle, verb_save, verb_export, verb_import, verb_remove_container,
	verb_fill_volume;

/* Logs err and returns the exit code that stands for it. */
int fail_image(const struct err *err);

/*
 * Opens the store that the options and the environment name. An ordinary user goes on in a user
 * namespace first, in which the store's files have the owners that they have for its containers;
 * *ret_keep_ids (may be NULL): more than one id is mapped there.
 */
int open_store(bool create, struct store *ret, bool *ret_keep_ids, struct err *err);

/* gc(), which leaves the images of projects (`tote up`) where they are. */
int collect_garbage(const struct store *s, unsigned int flags, struct arena *a,
		    struct gc_result *ret, struct err *err);

/* All its layers, one over the other, as a tree to read: a descriptor, or -errno. */
int open_image(const struct store *s, const struct store_image *image, struct arena *a,
	       struct err *err);

/* Set by SIGINT and SIGTERM from now on. */
const volatile int *catch_interrupts(void);

/* --format: -EINVAL unless it is NULL, "table" or "json". */
int check_format(const char *format, bool *ret_json, struct err *err);

/* "1.4 MB" as people read sizes, for tables. */
const char *size_text(uint64_t bytes, char ret[24]);

/* An image with its references, of which it may have none. */
struct listed_image {
	struct store_image image;
	struct strv references;
	uint64_t bytes;	 /* of its layers, uncompressed */
	struct err *why; /* its record cannot be read: only its digest and references are known */
};
/* All images that have a record that can be read. */
struct listed_images {
	struct listed_image *items;
	size_t count;
	LIST(struct listed_image) broken; /* the others, each with a warning */
};
/* What a user calls it: its first name, else its ID, else its digest. */
const char *listed_name(const struct listed_image *image);
int list_images(const struct store *s, struct arena *a, struct listed_images *ret, struct err *err);

#endif
