/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Value types shared by the floors above: optional scalars and counted lists. The JSON decoder
 * fills them, cgroups/ and netns/ declare their configuration with them, the spec embeds those.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct opt_bool {
	bool set;
	bool value;
};
struct opt_u16 {
	bool set;
	uint16_t value;
};
struct opt_u32 {
	bool set;
	uint32_t value;
};
struct opt_i32 {
	bool set;
	int32_t value;
};
struct opt_u64 {
	bool set;
	uint64_t value;
};
struct opt_i64 {
	bool set;
	int64_t value;
};

/* A counted array. Every LIST has this layout whatever its element type, see json_list in
 * lib/json.h. */
#define LIST(type)                                                                                 \
	struct {                                                                                   \
		type *items;                                                                       \
		size_t count;                                                                      \
	}

/* A list of strings. The array carries one more, NULL element, so that items serves as an argv. */
struct strv {
	char **items;
	size_t count;
};

struct key_value {
	char *key;
	char *value;
};

struct key_value_list {
	struct key_value *items;
	size_t count;
};

#define for_each(it, list)                                                                         \
	for (__auto_type it = (list)->items + 0; it && it < (list)->items + (list)->count; it++)

#endif
