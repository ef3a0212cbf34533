/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a Compose file says to what should run: a desired project, in which nothing is left
 * that has to be looked up, and what has to be there before it can run. Everything of the host that
 * this needs comes through struct surroundings, so that tests have their own.
 */
#ifndef CMD_TOTE_COMPOSE_TRANSLATE_H
#define CMD_TOTE_COMPOSE_TRANSLATE_H

#include "cmd/tote-compose/interpolate.h"
#include "cmd/tote-compose/model.h"

/* Of an image in the store. */
struct image_facts {
	char *digest;		      /* of its manifest */
	char *stop_signal;	      /* "SIGTERM" */
	struct compose_health health; /* its own HEALTHCHECK; node NULL: none */
};

struct surroundings {
	void *arg;
	/* -ENOENT with words: there is none of that name. */
	int (*find_image)(void *arg, const char *name, struct arena *a, struct image_facts *ret,
			  struct err *err);
	/* A whole file. -ENOENT. */
	int (*read_file)(void *arg, const char *path, struct arena *a, char **ret, size_t *ret_len,
			 struct err *err);
};

struct translate_options {
	const char *project, *source;	   /* its name, its file */
	const char *directory;		   /* what relative paths begin at; absolute */
	const char *home;		   /* "~"; NULL: there is none */
	const struct variables *variables; /* of the environment and .env */
	struct strv profiles;
	struct strv services; /* those that are asked for by name; none: all */
	int order;	      /* enum replace_order: in place of what the file says */
	bool rootless;
};

/* A network that is made when it is missing, by `tote network create WORDS`. */
struct needed_network {
	const struct yaml_node *node; /* where it is from */
	char *name;
	struct strv words; /* the name is the last */
	bool external;	   /* is somebody else's to make */
};

struct needed_content {
	char sha256[65];
	const char *data;
	size_t len;
};

struct translation {
	struct desired_project project;
	struct strv services; /* those asked for, and what they depend on */
	LIST(struct needed_network) networks;
	LIST(struct needed_content) contents;
	struct strv directories; /* of bind mounts, to be made when they are missing */
	struct strv volumes;	 /* external ones, which have to be there */
	struct strv warnings;
};

/* All in a. -EINVAL, -ENOENT: "FILE:LINE: ...". */
int translate(const struct compose_file *file, const struct translate_options *o,
	      const struct surroundings *s, struct arena *a, struct translation *ret,
	      struct err *err);

#endif
