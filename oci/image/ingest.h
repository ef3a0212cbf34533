/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking something into the store: a directory below ingest/ that is ours while its lease is
 * flocked, and the commit that makes what lies in it part of the store, whole, on disk, and in an
 * order in which a power cut at any moment leaves nothing that is named and not there. Also how gc
 * gets rid of things: what it moves into one is removed with it.
 */
#ifndef OCI_IMAGE_INGEST_H
#define OCI_IMAGE_INGEST_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/image/store.h"

struct ingest {
	const struct store *store; /* borrowed */
	char *path;		   /* "ingest/RANDOM", on the heap */
	int fd, lease;
};

#define INGEST_INIT                                                                                \
	{                                                                                          \
		NULL, NULL, -1, -1                                                                 \
	}

/* Removes what dead processes left. */
int ingest_sweep(const struct store *s, struct err *err);
/* ingest_sweep(), and makes one. */
int ingest_open(const struct store *s, struct ingest *ret, struct err *err);
/* Removes it with all that was not committed. */
void ingest_close(struct ingest *in);
#define autoingest __attribute__((cleanup(ingest_close))) struct ingest

/* From now on gc keeps the layers with these ids, there or not. */
int ingest_rely(struct ingest *in, const struct strv *ids, struct err *err);
/* The same for the layers of an image: under the store's lock from when it was found. */
int ingest_rely_image(struct ingest *in, const struct store_image *image, struct err *err);

/* A layer of the store by its id. -ENOENT. */
int store_layer_load(const struct store *s, const char *id, struct arena *a,
		     struct store_layer *ret, struct err *err);
/* Finds a free name below l/ for the layer and links it to layers/ID/fs. */
int store_layer_link(const struct store *s, const char *id, struct arena *a, char **ret_link,
		     struct err *err);

/* A layer that lies in the ingest directory: staged/fs, staged/split. */
struct commit_layer {
	const char *staged;
	struct store_layer layer;
	bool replace; /* the one that is there is damaged: it becomes layers/old-RANDOM */
};

/* How the directory of a replaced layer is called: containers may have it mounted. gc removes it
 * when none lives. */
#define STORE_OLD "old-"

struct commit_image {
	struct store_image record;
	const char *manifest, *config; /* the texts of record.digest and record.config */
	size_t manifest_len, config_len;
	struct strv names; /* references to it in their one form */
};

struct commit {
	LIST(struct commit_layer) layers;
	LIST(struct commit_image) images;
};

/* Makes all of it durable, then known. On failure nothing of it is known, but perhaps some layers
 * are. */
int ingest_commit(struct ingest *in, const struct commit *commit, struct err *err);

/* Lets a reference name an image, durably. */
int store_ref_set(const struct store *s, const char *reference, const char *digest,
		  struct err *err);

#endif
