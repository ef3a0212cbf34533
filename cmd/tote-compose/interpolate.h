/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables in the values of a Compose file (compose-spec, "Interpolation"): $VAR, ${VAR},
 * ${VAR:-d}, ${VAR-d}, ${VAR:?e}, ${VAR?e}, ${VAR:+r}, ${VAR+r}, nested, and $$ for a dollar sign;
 * and the files that variables are in (.env, env_file). Nothing here reads files or the process's
 * environment by itself.
 */
#ifndef CMD_TOTE_COMPOSE_INTERPOLATE_H
#define CMD_TOTE_COMPOSE_INTERPOLATE_H

#include "cmd/tote-compose/yaml.h"
#include "lib/types.h"

/* The most that the values of one file may become. */
#define INTERPOLATE_MAX ((size_t)16 << 20)

struct variables {
	struct arena *a;
	struct key_value *items;
	size_t count, room;
	bool last_wins;		       /* else the first of a name does */
	const struct variables *below; /* has what is not here; or NULL */
};

void variables_add(struct variables *v, const char *key, const char *value);
/* "NAME=VALUE" strings, as environ(7) has them. */
void variables_add_environ(struct variables *v, char *const *environ);
const char *variables_get(const struct variables *v, const char *key);

/* What was asked for and is not there, for a warning: names, each once. In v's arena. */
struct interpolation {
	const struct variables *variables;
	struct arena *a;
	struct variables missing;
	size_t left;	       /* of INTERPOLATE_MAX */
	unsigned int skipping; /* inside of words that are not needed */
};

void interpolation_init(struct interpolation *in, const struct variables *v, struct arena *a);

/* One value. -EINVAL with words that name no place, -E2BIG. *ret is text itself when there is
 * no "$" in it. */
int interpolate(struct interpolation *in, const char *text, const char **ret, struct err *err);
/* All scalars of a tree, but no keys. What was replaced is a string from then on, whatever it looks
 * like. Messages begin with "FILE:LINE: ". */
int interpolate_tree(struct interpolation *in, struct yaml_node *root, struct err *err);

/*
 * Appends what a file of "NAME=VALUE" lines says: '...' as it is, "..." with escapes and variables,
 * others with variables and without a comment behind " #". A line "NAME" takes the value from
 * known; so do variables in values, after those of the file itself. -EINVAL: "FILE:LINE: ...".
 */
int variables_parse(const char *text, const char *file, const struct variables *known,
		    struct variables *ret, struct err *err);

#endif
