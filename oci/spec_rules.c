/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_tables.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* UID_GID_MAP_MAX_EXTENTS of the kernel (since 4.15). */
#define MAX_MAPPINGS 340

/* Above any CPU or NUMA node number that a kernel can be configured for. */
#define MAX_LISTED 65535

int spec_read_flags(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	const struct json_list_of of = { json_enum, sizeof(int), arg };
	LIST(int) list = { NULL, 0 };
	uint64_t flags = 0;
	int r = json_list(ctx, v, &list, &of);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++)
		flags |= (uint64_t)list.items[i];
	*(uint64_t *)out = flags;
	return 0;
}

int spec_read_flags32(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	uint64_t flags;
	int r = spec_read_flags(ctx, v, &flags, arg);

	if (r == 0)
		*(uint32_t *)out = (uint32_t)flags;
	return r;
}

int spec_read_id(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	uint32_t id;
	int r = json_u32(ctx, v, &id, arg);

	if (r < 0)
		return r;
	if (id == UINT32_MAX)
		return json_error(ctx, "%u is not an id (0 to %u)", id, UINT32_MAX - 1);
	*(uint32_t *)out = id;
	return 0;
}

int spec_read_opt_id(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	struct opt_u32 *opt = out;
	int r = spec_read_id(ctx, v, &opt->value, arg);

	opt->set = r == 0;
	return r;
}

int check_absolute(struct json_ctx *ctx, const char *member, const char *path)
{
	if (path[0] != '/')
		return member_error(ctx, member, "must be an absolute path");
	return 0;
}

int check_all_absolute(struct json_ctx *ctx, const char *member, const struct strv *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		if (paths->items[i][0] == '/')
			continue;
		json_push(ctx, member, 0);
		json_push(ctx, NULL, i);
		return json_error(ctx, "must be an absolute path");
	}
	return 0;
}

int check_env(struct json_ctx *ctx, const struct strv *env)
{
	for (size_t i = 0; i < env->count; i++) {
		if (env->items[i][0])
			continue;
		json_push(ctx, "env", 0);
		json_push(ctx, NULL, i);
		return json_error(ctx, "must not be empty");
	}
	return 0;
}

static bool ranges_overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < (uint64_t)b + b_size && b < (uint64_t)a + a_size;
}

static int check_id_mapping(struct json_ctx *ctx, const struct spec_id_mappings *m, size_t i)
{
	const struct spec_id_mapping *x = &m->items[i];

	if (!x->size)
		return member_error(ctx, "size", "must be positive");
	if ((uint64_t)x->container_id + x->size > UINT32_MAX ||
	    (uint64_t)x->host_id + x->size > UINT32_MAX)
		return json_error(ctx, "reaches past id %u", UINT32_MAX - 1);
	for (size_t k = 0; k < i; k++) {
		const struct spec_id_mapping *y = &m->items[k];

		if (ranges_overlap(x->container_id, x->size, y->container_id, y->size) ||
		    ranges_overlap(x->host_id, x->size, y->host_id, y->size))
			return json_error(ctx, "overlaps entry %zu", k);
	}
	return 0;
}

int check_id_mappings(struct json_ctx *ctx, const char *member, const struct spec_id_mappings *m)
{
	json_push(ctx, member, 0);
	if (m->count > MAX_MAPPINGS)
		return json_error(ctx, "more than %d entries", MAX_MAPPINGS);
	for (size_t i = 0; i < m->count; i++) {
		int r;

		json_push(ctx, NULL, i);
		r = check_id_mapping(ctx, m, i);
		if (r < 0)
			return r;
		json_pop(ctx);
	}
	json_pop(ctx);
	return 0;
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " ");
}

/* Returns what follows the number, or NULL. */
static const char *read_number(const char *s, unsigned int *ret_n)
{
	unsigned int n = 0;

	if (!isdigit((unsigned char)*s))
		return NULL;
	for (; isdigit((unsigned char)*s) && n <= MAX_LISTED; s++)
		n = n * 10 + (unsigned int)(*s - '0');
	*ret_n = n;
	return n > MAX_LISTED ? NULL : skip_blanks(s);
}

static bool is_number_list(const char *s)
{
	unsigned int first, last;

	s = skip_blanks(s);
	if (!*s)
		return true;
	for (;;) {
		s = read_number(s, &first);
		if (s && *s == '-') {
			s = read_number(skip_blanks(s + 1), &last);
			if (s && last < first)
				return false;
		}
		if (!s)
			return false;
		if (!*s)
			return true;
		if (*s != ',')
			return false;
		s = skip_blanks(s + 1);
	}
}

int check_number_list(struct json_ctx *ctx, const char *member, const char *list)
{
	if (list && !is_number_list(list))
		return member_error(ctx, member,
				    "expected a list of numbers and ranges like \"0-3,7\"");
	return 0;
}

bool is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}
