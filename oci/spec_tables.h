/* SPDX-License-Identifier: Apache-2.0 */
/* Private to oci/spec*.c and oci/image/: the tables that config.json is decoded by, and the rules that several of
 * them share. */
#ifndef OCI_SPEC_TABLES_H
#define OCI_SPEC_TABLES_H

#include "lib/cleanup.h"
#include "oci/spec.h"

/* One line of a field table. */
#define FIELD(type, key, member, reader)                                                           \
	{                                                                                          \
		key, reader, offsetof(struct type, member), 0, NULL                                \
	}
#define FIELD_ARG(type, key, member, reader, arg)                                                  \
	{                                                                                          \
		key, reader, offsetof(struct type, member), 0, arg                                 \
	}
#define REQUIRED(type, key, member, reader)                                                        \
	{                                                                                          \
		key, reader, offsetof(struct type, member), JSON_REQUIRED, NULL                    \
	}
#define REQUIRED_ARG(type, key, member, reader, arg)                                               \
	{                                                                                          \
		key, reader, offsetof(struct type, member), JSON_REQUIRED, arg                     \
	}

#define TABLE(type, table_fields, table_check)                                                     \
	{                                                                                          \
		.fields = table_fields, .count = ARRAY_SIZE(table_fields),                         \
		.size = sizeof(struct type), .check = table_check,                                 \
	}

/* The member of the value at hand is wrong. */
#define member_error(ctx, member, ...) (json_push(ctx, member, 0), json_error(ctx, __VA_ARGS__))

extern const struct json_table spec_process_table;
extern const struct json_table spec_linux_table;
extern const struct json_table spec_seccomp_table;
extern const struct json_table spec_resources_table;
extern const struct json_list_of spec_id_mapping_list;

json_reader
	spec_read_flags; /* uint64_t, or-ed from an array of names; arg: struct json_enum_value[] */
json_reader spec_read_flags32; /* the same as a uint32_t */
json_reader
	spec_read_id; /* uint32_t: a uid or gid; 2^32-1 means "none" to the kernel and is refused */
json_reader spec_read_opt_id; /* struct opt_u32 */

/* Rules for the member of that name; each returns 0 or fails with its path. */
int check_absolute(struct json_ctx *ctx, const char *member, const char *path);
int check_all_absolute(struct json_ctx *ctx, const char *member, const struct strv *paths);
int check_env(struct json_ctx *ctx, const struct strv *env);
int check_id_mappings(struct json_ctx *ctx, const char *member, const struct spec_id_mappings *m);
/* A list of numbers and ranges as the kernel writes them: "0-3,7". Blanks are allowed, as is an
 * empty list. */
int check_number_list(struct json_ctx *ctx, const char *member, const char *list);
/* True for what can be one directory entry: not empty, no "/", neither "." nor "..". */
bool is_file_name(const char *name);

/* Rules between fields of a spec that is decoded; out is a struct spec. */
int spec_check(struct json_ctx *ctx, void *out);

#endif
