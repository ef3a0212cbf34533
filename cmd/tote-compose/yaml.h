/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to a tree of values with their places, for the Compose file's model: libyaml's events, with
 * anchors and merge keys ("<<") resolved. One document, at most 4 MiB, 64 levels and 100,000 values
 * after aliases are resolved, so that a few lines cannot ask for the whole memory. A key that
 * appears twice is an error. Only yaml*.c know libyaml.
 */
#ifndef CMD_TOTE_COMPOSE_YAML_H
#define CMD_TOTE_COMPOSE_YAML_H

#include "lib/arena.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>

#define YAML_MAX_SIZE ((size_t)4 << 20)
#define YAML_MAX_DEPTH 64
#define YAML_MAX_NODES 100000
#define YAML_MAX_KEYS 4096    /* of one mapping */
#define YAML_MAX_ANCHORS 1000 /* of a document */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

/* One value. Members hang in a singly linked list in the order of the document. */
struct yaml_node {
	enum yaml_kind kind;
	bool plain;	   /* a scalar without quotes: it may be a number, a boolean or null */
	const char *file;  /* as the user named it */
	int height;	   /* levels below it */
	unsigned int line; /* from 1; of the key when it is a member of a map */
	char *key;	   /* when it is a member of a map */
	char *text;	   /* of a scalar */
	size_t count;	   /* members */
	struct yaml_node *first, *next;
};

/* An empty document is an empty map. file is for messages ("FILE:LINE: ...") and has to live as
 * long as the tree. 0 or -EINVAL, -E2BIG beyond a limit. */
int yaml_load(const char *text, size_t len, const char *file, struct arena *a,
	      struct yaml_node **ret, struct err *err);

/* A plain "null", "~" or nothing at all. */
bool yaml_is_null(const struct yaml_node *n);
/* The member of a map, or NULL. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* "a list", for messages. */
const char *yaml_kind_name(const struct yaml_node *n);

#endif
