/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the command line to a project in words: which Compose files are meant, what variables they
 * may use, and what they say together. Reads files, and changes nothing.
 */
#ifndef CMD_TOTE_COMPOSE_LOAD_H
#define CMD_TOTE_COMPOSE_LOAD_H

#include "cmd/tote-compose/compose.h"
#include "cmd/tote-compose/translate.h"

struct composition {
	struct strv files;	    /* as they are named in messages; the first is the project's */
	char *directory;	    /* of the first; absolute */
	struct variables variables; /* the environment's, then those of .env */
	struct yaml_node *root;	    /* of all files, merged; interpolated by load_model() */
	char *project;
	bool named;	     /* not after the directory */
	struct strv missing; /* variables that have no value */
};

/* Finds and reads the files. -ENOENT: there is none. */
int load_files(const struct project_options *o, struct arena *a, struct composition *ret,
	       struct err *err);
/* The project's name, in ret->project. */
int load_name(const struct project_options *o, struct arena *a, struct composition *ret,
	      struct err *err);
/* Puts variables in, and reads all of it. */
int load_model(struct composition *c, struct arena *a, struct compose_file *ret, struct err *err);
/* --profile, else COMPOSE_PROFILES. */
struct strv load_profiles(const struct project_options *o, const struct composition *c,
			  struct arena *a);

/* merge.c: what a later file says is put over what base says, by Compose's rules. */
void merge_trees(struct yaml_node *base, struct yaml_node *over, struct arena *a);

/* surroundings.c: the store and the file system of this host. A store that is not there has no
 * images. */
struct host;
int host_open(struct arena *a, struct surroundings *ret, struct err *err);
void host_close(struct surroundings *s);

#endif
