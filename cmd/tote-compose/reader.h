/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML tree into structs, by tables of keys, as lib/json.h does it for JSON: model*.c declare
 * what a Compose file may say, these read it. Every key that the Compose specification has stands
 * in a table: done, or refused with the reason. Errors carry file, line and path: "compose.yaml:7:
 * services.web.build: tote builds no images".
 */
#ifndef CMD_TOTE_COMPOSE_READER_H
#define CMD_TOTE_COMPOSE_READER_H

#include "cmd/tote-compose/yaml.h"
#include "lib/types.h"

/* The way from the document's root to a value; each step lives on the stack of who takes it. */
struct read_path {
	const struct read_path *up;
	const char *key; /* NULL: an index */
	size_t index;
};

struct reader {
	struct arena *a;
	struct err *err;
	const struct read_path *path;
};

/* Reads n, which is never null, into out; arg is the key's. 0 or a negative errno after
 * read_error(). */
typedef int read_value(struct reader *r, const struct yaml_node *n, void *out, const void *arg);

struct read_key {
	const char *key;
	read_value *read;
	size_t offset;
	const void *arg; /* of read_refuse: the reason */
};

struct read_table {
	const struct read_key *keys;
	size_t count;
	size_t size; /* of the struct */
	/* For rules between the keys; NULL for none. */
	int (*check)(struct reader *r, const struct yaml_node *n, void *out);
};

/* err gets "FILE:LINE: PATH: words"; returns -EINVAL. */
int read_error(struct reader *r, const struct yaml_node *n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Reads a member of a map or a list, with its key (else its index) in the path. */
int read_member(struct reader *r, const char *key, size_t index, read_value *read,
		const struct yaml_node *n, void *out, const void *arg);
/* A single value's text; NULL after an error for anything else. */
const char *read_scalar(struct reader *r, const struct yaml_node *n);

/* Structures. Keys with "x-" in front are passed over, unless the table names them; so is a value
 * of nothing. Others that the table lacks are errors. */
read_value read_map;	 /* an embedded struct; arg: struct read_table */
read_value read_map_ptr; /* a pointer to a struct in the arena; arg: struct read_table */
/* LIST() of structs; arg: struct read_list_of. read_named_list: from a map, where the first member
 * of the struct, a char *, takes the key; a value of nothing is handed on to the element's reader. */
read_value read_list, read_named_list;
struct read_list_of {
	read_value *read;
	size_t size;
	const void *arg;
};
read_value read_refuse; /* arg: the reason */
read_value read_false;	/* refuses all but false; arg: the reason */
read_value read_one_of; /* refuses all words but those of arg, a struct read_words */
read_value read_ignore; /* accepted, and without a meaning here */
struct read_words {
	const char *const *words; /* NULL ends them */
	const char *reason;
};

/* Scalars. */
read_value read_string; /* char * */
read_value read_bool;	/* bool */
read_value read_u16, read_u32;
read_value read_opt_u32;  /* struct opt_u32 */
read_value read_number;	  /* char *: an integer's digits, perhaps with "-" */
read_value read_decimal;  /* char *: "0.5" */
read_value read_bytes;	  /* char *: the digits of a size like "64m"; "-1" stays */
read_value read_size;	  /* uint64_t: the same */
read_value read_duration; /* struct opt_u32: milliseconds of "1m30s" */
read_value read_mode;	  /* uint32_t: a file's mode, octal with a 0 in front or in quotes */
read_value read_enum;	  /* int; arg: struct read_enum_value[] */
struct read_enum_value {
	const char *name; /* NULL ends the list */
	int value;
};
/* Lists of strings. */
read_value read_strv;	     /* struct strv of a list */
read_value read_string_list; /* of a list or a single string */
read_value
	read_command; /* struct read_command: a list, or a string that is split as a shell would */
struct read_command {
	bool set;
	struct strv words;
};
/* struct key_value_list of a map or a list of "KEY=VALUE"; value NULL: no value was given. */
read_value read_pairs;

/* Values without a place. 0, or -EINVAL without words. */
int parse_duration(const char *text, uint32_t *ret_ms);
/* Decimal, or 0x.., 0o.., 0.. as Compose's parser of YAML takes a plain number. */
int parse_integer(const char *text, bool prefixes, uint64_t *ret);
/* What Compose's parser makes of a plain scalar that is a number or a boolean when it becomes text
 * again: 0x10 is "16", 1.50 is "1.5". In the arena, or text itself. */
const char *canonical_text(const struct yaml_node *n, struct arena *a);
/* Splits as a shell does, without expanding anything. NULL: a quotation mark without its second, or
 * a "\" at the end. */
bool split_words(const char *text, struct arena *a, struct strv *ret);

/* Adds to a list; both in the arena, NULL-terminated. */
void strv_add(struct strv *v, char *s, struct arena *a);

#endif
