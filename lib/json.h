/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in and out, for everything that reads or writes it. Only lib/json*.c include yajl.
 *
 * Reading: json_parse() turns a text into a tree of values in an arena, strictly (RFC 8259, UTF-8,
 * at most 4 MiB, at most 64 levels; duplicate keys, NUL in strings, comments and trailing data are
 * errors). json_decode() then fills a struct by a table of fields. Errors carry the JSON path:
 * "process.user.uid: expected an unsigned integer, found "abc"". A null value means "absent" (Go
 * writes nil so); keys that no table names are ignored.
 *
 *	static const struct json_field user_fields[] = {
 *		{ "uid", json_u32, offsetof(struct user, uid), JSON_REQUIRED },
 *		{ "additionalGids", json_list, offsetof(struct user, gids), 0, &u32_list },
 *	};
 *
 * Writing: a struct json_writer appends to a buf, compact, keys in the order of the calls.
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/types.h"

#define JSON_MAX_SIZE ((size_t)4 << 20)
#define JSON_MAX_DEPTH 64

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* One value. Members of arrays and objects hang in a singly linked list in document order. */
struct json_value {
	enum json_kind kind;
	bool boolean;
	char *key;		  /* when a member of an object */
	char *text;		  /* a string's bytes; a number as it was written */
	size_t count;		  /* members of an array or object */
	struct json_value *first; /* first member */
	struct json_value *next;  /* next member of the parent */
};

/* len bytes of text to a tree in the arena. Returns 0 or -EINVAL with line-free text, e.g. "invalid
 * JSON: ...". */
int json_parse(const char *text, size_t len, struct arena *a, struct json_value **ret_value,
	       struct err *err);

/* The member of an object, or NULL. */
const struct json_value *json_get(const struct json_value *object, const char *key);

struct json_ctx; /* the arena, the path to the value at hand and where an error goes */
struct json_field;

/* Decodes v into out; arg is the field's. Returns 0 or a negative errno after json_error(). */
typedef int json_reader(struct json_ctx *ctx, const struct json_value *v, void *out,
			const void *arg);

enum {
	JSON_REQUIRED = 1, /* its absence is an error */
	JSON_ANY_CASE = 2, /* "hostPort" is "HostPort" too, as for Go's programs */
};

struct json_field {
	const char *key;
	json_reader *read;
	size_t offset;
	unsigned int flags;
	const void *arg;
};

/* What a struct is made of: for json_object, json_object_ptr and as the element of a json_list. */
struct json_table {
	const struct json_field *fields;
	size_t count;
	size_t size; /* of the struct */
	/* Called after a struct's fields are read, for rules between them; NULL for none. */
	int (*check)(struct json_ctx *ctx, void *out);
};

/* The element of a list. For structs: read = json_object, arg = its json_table, size = its size. */
struct json_list_of {
	json_reader *read;
	size_t size;
	const void *arg;
};

struct json_enum_value {
	const char *name; /* NULL ends the list */
	long value;
};

/* Scalars. Plain ones write the type itself, opt ones a struct opt_* from lib/types.h. */
json_reader json_string; /* char *, in the arena */
json_reader json_bool;	 /* bool */
json_reader json_u16, json_u32, json_u64, json_i32, json_i64;
json_reader json_opt_bool, json_opt_u16, json_opt_u32, json_opt_u64, json_opt_i32, json_opt_i64;
json_reader json_enum; /* int; arg: struct json_enum_value[]; else "... is not one of A, B, C" */
json_reader
	json_value_raw; /* const struct json_value *: the tree itself, for values of free form */
/* Structures. */
json_reader json_object;     /* embedded struct; arg: struct json_table */
json_reader json_object_ptr; /* pointer to a struct in the arena, NULL when absent; arg: struct
				json_table */
json_reader json_list;	     /* LIST(); arg: struct json_list_of */
json_reader json_strv;	     /* struct strv, NULL-terminated */
json_reader json_map;	     /* struct key_value_list from an object of strings */
json_reader json_map_list;   /* LIST() of structs from an object; arg: struct json_list_of; the
				element starts with   a char * that takes the key (so that "netDevices":
				{"eth0": {...}} becomes a list) */

/*
 * Decodes root (an object) by a table into out, which the caller has zeroed or filled with
 * defaults. Lists come from a; strings stay where json_parse() put them, so the tree's arena must
 * live as long as out (best: it is a). Returns 0 or -EINVAL.
 */
int json_decode(const struct json_value *root, const struct json_table *table, struct arena *a,
		void *out, struct err *err);

/* For readers and checks: err gets "path: message"; returns -EINVAL. */
int json_error(struct json_ctx *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For checks: puts a member's name (or, with key NULL, an index) behind the path while it is
 * judged; pop afterwards. */
void json_push(struct json_ctx *ctx, const char *key, size_t index);
void json_pop(struct json_ctx *ctx);
/* The arena that results are allocated in. */
struct arena *json_arena(struct json_ctx *ctx);

struct json_writer {
	struct buf *out;
	void *gen; /* yajl_gen */
};

/* Starts writing behind what out holds. pretty: indented by tabs, for files that people edit. */
void json_writer_init(struct json_writer *w, struct buf *out, bool pretty);
/* Ends the document; the text is in out. */
void json_writer_done(struct json_writer *w);

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
/* Bytes that are not UTF-8 become U+FFFD; NULL is written as null. */
void json_put_string(struct json_writer *w, const char *s);
void json_put_bool(struct json_writer *w, bool v);
void json_put_i64(struct json_writer *w, int64_t v);
void json_put_u64(struct json_writer *w, uint64_t v);
void json_put_null(struct json_writer *w);
void json_put_value(struct json_writer *w,
		    const struct json_value *v); /* a parsed value, as it was */
/* A key with its value, for the common case. */
void json_pair_string(struct json_writer *w, const char *key, const char *s);
void json_pair_u64(struct json_writer *w, const char *key, uint64_t v);
void json_pair_i64(struct json_writer *w, const char *key, int64_t v);
void json_pair_bool(struct json_writer *w, const char *key, bool v);
/* An array of strings under a key. */
void json_pair_strv(struct json_writer *w, const char *key, const struct strv *v);

#endif
