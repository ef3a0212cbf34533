/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tote run IMAGE` share: cmd/tote/run_image*.c. */
#ifndef CMD_TOTE_RUN_IMAGE_H
#define CMD_TOTE_RUN_IMAGE_H

#include "cmd/tote/run_options.h"
#include "oci/ahead.h"
#include "oci/image/convert.h"
#include "oci/image/manifest.h"
#include "oci/image/store.h"
#include "oci/rootfs.h"

struct imaging {
	const char *name;
	const struct run_options *o;
	struct store store;
	struct store_image image;
	struct image_config config;
	struct rootfs rootfs;
	struct convert_opts convert;
	struct network_wish network;
	unsigned int anonymous;	  /* volumes without a name so far */
	char *container;	  /* its directory in the store; NULL: none yet */
	bool own_ids;		  /* a user namespace with a range of its own */
	bool ids_asked_for;	  /* then it is an error where that cannot be */
	int container_fd, lookup; /* lookup: where users are looked up and volumes filled from */
	int rest;		  /* of rootfs_open() */
	int userns;		  /* holds the mappings of own_ids; -1: none */
	struct ahead ahead; /* who makes it, and a network namespace */
	struct arena a;
	struct err *err;
};

/* run_image_options.c: from the options to im->convert; nothing is made yet. */
int imaging_choose(struct imaging *im, const char *id, char **args);
/* run_image_security.c, run_image_network.c: their parts of it. */
int imaging_choose_security(struct imaging *im);
int imaging_choose_network(struct imaging *im, const char *id);
/* run_image_sweep.c: removes what a container of that ID left in the store before a reboot. */
void imaging_sweep(struct imaging *im, const char *id);
/* run_image_root.c: the container's directory in the store. */
int imaging_make_root(struct imaging *im, const char *id);
/* Mounts what is in im->lookup from then on, so that volumes can be filled: with the owners that
 * files have on disk. Not for an ordinary user, who cannot mount. */
int imaging_look(struct imaging *im);
/* The container's root file system in im->lookup, as what im->own_ids says then. */
int imaging_open_root(struct imaging *im);
/* run_image_mounts.c: volumes and tmpfs. */
int imaging_add_mounts(struct imaging *im);

/* run_image_volumes.c: where a volume of the store is. A new one is made, with what the image has at path
 * if fill; without a name it is the container's own. */
int imaging_find_volume(struct imaging *im, const char *name, const char *path, bool fill,
			char **ret_source);

/* One mount as an option asks for it. */
struct mount_wish {
	const char *option; /* "--volume", for messages */
	const char *source; /* a path, or a volume's name; NULL: a volume without one */
	const char *target;
	const char *options; /* with commas; NULL: none */
	bool tmpfs, named;   /* named: source is the name of a volume, or missing */
	bool empty;	     /* what the image has at that place is not copied into a new volume */
	bool create;	     /* a source that is missing becomes a directory */
	bool lend;	     /* as struct convert_mount has it */
};
int imaging_add_mount(struct imaging *im, const struct mount_wish *wish);
/* run_image_mount_words.c: --mount and what stands behind the last colon of --volume and --tmpfs. */
int imaging_read_mount(struct imaging *im, const char *text, struct mount_wish *ret);
int imaging_read_options(struct imaging *im, char *list, struct mount_wish *ret);

/* Its hosts and resolv.conf, where the root has a place for them. */
void imaging_add_names(struct imaging *im);
/* 0 when the volumes can be id-mapped by im->userns. */
int imaging_map_mounts(struct imaging *im);

#endif
