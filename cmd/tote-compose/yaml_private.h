/* SPDX-License-Identifier: Apache-2.0 */
/* What yaml.c and yaml_merge.c share. */
#ifndef CMD_TOTE_COMPOSE_YAML_PRIVATE_H
#define CMD_TOTE_COMPOSE_YAML_PRIVATE_H

#include "cmd/tote-compose/yaml.h"

#include <yaml.h>

struct yaml_anchor {
	char *name;
	const struct yaml_node *node;
	bool done; /* all of it was read */
};

struct yaml_loader {
	yaml_parser_t parser;
	struct arena *a;
	const char *file;
	struct err *err;
	size_t nodes, anchor_count;
	struct yaml_anchor *anchors; /* YAML_MAX_ANCHORS */
};

/* err gets "FILE:LINE: words"; returns -code. */
int yaml_fail(struct yaml_loader *l, unsigned int line, int code, const char *words);
/* -E2BIG beyond the limit. */
int yaml_count_node(struct yaml_loader *l, unsigned int line);
/* The next value; *ret is NULL when an event of type end came instead. */
int yaml_load_next(struct yaml_loader *l, int depth, yaml_event_type_t end, struct yaml_node **ret);

/* After member was added to it. */
void yaml_grow(struct yaml_node *parent, const struct yaml_node *member);
/* A copy of all of it, for an alias in that line; its members keep their lines. */
int yaml_copy(struct yaml_loader *l, const struct yaml_node *n, unsigned int line,
	      struct yaml_node **ret);
/* Adds to a map what the values of its "<<" keys have: those in the map win, then earlier ones. */
int yaml_merge(struct yaml_loader *l, struct yaml_node *map, const struct yaml_node *merges);

#endif
