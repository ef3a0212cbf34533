/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where images live on this host: whole or not at all, also after a power cut. tote-image fills
 * it, `tote run` reads it.
 *
 *	version, lock      "1"; flocked shared for a moment by who relies on something, and
 *	                   exclusively by gc
 *	blobs/sha256/HEX   manifests and configs
 *	layers/ID/         fs/ the tree, split (oci/image/split.h), meta (JSON). ID: the diffID's
 *	                   digits, or "chain-" and the chain ID's for a layer that cannot be
 *	                   unpacked without those below it
 *	layers/old-RANDOM  a damaged layer that was replaced, until gc finds no living container
 *	l/NAME             links to layers' fs/, of 8 bytes: mount(2) takes one page of text
 *	images/HEX         the record of a complete image, by its manifest's digest: written after
 *	                   all of it is on disk
 *	refs/NAME          "sha256:HEX\n" of a manifest
 *	ingest/RANDOM/     being made; its file "lease" is flocked by who makes it, and lists the
 *	                   layers that it relies on
 *	containers/NAME/   one container's: meta (JSON), work/, volumes/N/ and upper/, over which its
 *	                   root file system is mounted, in its own mount namespace
 *	ids/SLOT           ranges of ids that containers have for themselves: links to their meta
 *	places/            what is mounted on in nearly every container, empty: the lowest layer of
 *	                   all, so that nobody's upper/ has to hold it
 *	volumes/NAME       named volumes
 *
 * What is in layers/ and images/ was synced before it got its name. Whatever ingest/ holds without
 * a lock is removed.
 */
#ifndef OCI_IMAGE_STORE_H
#define OCI_IMAGE_STORE_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"
#include "oci/image/manifest.h"

#include <stdbool.h>
#include <stdint.h>

struct store {
	int fd;	    /* the directory */
	char *path; /* absolute, on the heap */
};

/* As the name of a link below l/. */
#define STORE_PLACES "../places"

#define STORE_INIT                                                                                 \
	{                                                                                          \
		-1, NULL                                                                           \
	}

struct store_layer {
	char *id;			     /* below layers/ */
	char *link;			     /* below l/ */
	char *diff_id, *digest, *media_type; /* digest: of the blob as it came */
	uint64_t size, bytes;		     /* of that blob, of its uncompressed tar */
	bool user_xattr; /* opaque directories are marked by user.overlay.opaque */
	bool whole;   /* its split file holds the contents too: its files cannot be found by their
			 names */
	bool has_ids; /* owners were set */
	char *tree, *tree_deep, *tree_xattrs; /* of whole ones: verify_tree_sum(); may be NULL */
};

struct store_image {
	char *digest, *config;		 /* of manifest and config */
	char *created;			 /* when it was taken in, RFC 3339 */
	LIST(struct store_layer) layers; /* lowest first */
};

/* path given, else TOTE_STORE, else /var/lib/tote, else (rootless) $XDG_DATA_HOME/tote or
 * ~/.local/share/tote. In the arena. */
int store_path(const char *given, bool rootless, struct arena *a, char **ret_path, struct err *err);

/*
 * Opens, with create makes it (0700). -ENOENT without; -EPERM when owned by somebody else or open
 * to others; -EOPNOTSUPP of a newer version.
 */
int store_open(const char *path, bool create, struct store *ret, struct err *err);
void store_close(struct store *s);
#define autostore __attribute__((cleanup(store_close))) struct store

/* flock(2) on `lock`: waits. Returns a descriptor, whose close lets go, or -errno. */
int store_lock(const struct store *s, bool exclusive, struct err *err);

/*
 * What a user means by NAME: a reference ("pos:1.2", "pos", with digest), localhost/NAME when there
 * is no NAME, or at least 4 leading digits of a manifest's or config's digest that only one image
 * has. -ENOENT: "no image "x"", -ENOTUNIQ.
 */
int store_find(const struct store *s, const char *name, struct arena *a, struct store_image *ret,
	       struct err *err);
/* The digest of its manifest only, which may be of a damaged record, or of none. */
int store_find_digest(const struct store *s, const char *name, struct arena *a, char **ret_digest,
		      struct err *err);
/* By the digest of its manifest. -ENOENT; -EBADMSG: its record is damaged. */
int store_image_load(const struct store *s, const char *digest, struct arena *a,
		     struct store_image *ret, struct err *err);
/*
 * Appends the links of its layers, uppermost first as overlayfs wants them. A layer that an image has
 * more than once appears once, at its uppermost place: overlayfs refuses it twice, and what is below
 * an equal one is never seen. *user_xattr is set when one of them is marked so. There is room for
 * one more.
 */
void store_links(const struct store_image *image, struct arena *a, struct strv *links,
		 bool *user_xattr);
/*
 * What an image of the store says of itself. -EBADMSG, with words that say what to do, when that is
 * not there or cannot be understood: the image is damaged.
 */
int store_config(const struct store *s, const struct store_image *image, struct arena *a,
		 struct image_config *ret, struct err *err);
/* A manifest or config of at most 4 MiB. */
int store_blob(const struct store *s, const char *digest, struct arena *a, char **ret,
	       size_t *ret_len, struct err *err);

/*
 * A new container's directory: containers/ID-RANDOM with meta and, unless read_only, upper/ and
 * work/; places/ is there, too. meta names the image, so that gc keeps its layers. As long as
 * *ret_fd is open gc takes it for living, afterwards only with a state that names it. *ret_name in
 * the arena.
 */
struct store_container {
	const char *id, *state_root; /* whose it is: state_root/id is its state */
	const char *image;	     /* its manifest's digest */
	bool read_only;
};
int store_container_new(const struct store *s, const struct store_container *c, struct arena *a,
			char **ret_name, int *ret_fd, struct err *err);
/*
 * A range of STORE_IDS ids of the host for a user namespace of the container alone, until its
 * directory is removed. -EUSERS: none is left.
 */
#define STORE_IDS 65536
int store_ids_claim(const struct store *s, const char *container, uint32_t *ret_first,
		    struct err *err);
/*
 * For one that nobody mounts again, while it runs: removes what overlayfs made to refuse another
 * mount of a "volatile" one after a crash. That much is not left for its end, where somebody waits.
 * fd: from store_container_new().
 */
void store_container_unmark(int fd);
/* Removes the directory and all in it; none is no error. */
int store_container_remove(const struct store *s, const char *name, struct err *err);

#endif
