/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/verify_private.h"

#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define XATTR_MAX ((size_t)64 << 10) /* of Linux, for a list and for a value */

/* Out of line, as they are large; one layer is looked at at a time. */
static char names[XATTR_MAX], value[XATTR_MAX];

/* The end of the names: none where the file system has no such thing. */
static int list(int fd, const char **ret_end)
{
	ssize_t len = flistxattr(fd, names, sizeof(names));

	if (len < 0 && errno != ENOTSUP)
		return -errno;
	*ret_end = names + (len < 0 ? 0 : len);
	return 0;
}

/* The kernel gives capabilities of a user namespace's root without that root where it is ours. */
static bool same_capabilities(const char *a, size_t a_size, const char *b, size_t b_size)
{
	static const char no_root[XATTR_CAPS_SZ_3 - XATTR_CAPS_SZ_2];
	const char *longer = a_size > b_size ? a : b;

	if ((a_size != XATTR_CAPS_SZ_2 && a_size != XATTR_CAPS_SZ_3) ||
	    (b_size != XATTR_CAPS_SZ_2 && b_size != XATTR_CAPS_SZ_3) || a_size == b_size)
		return false;
	/* The lowest byte has flags, the highest the revision. */
	return a[0] == b[0] && memcmp(a + 4, b + 4, XATTR_CAPS_SZ_2 - 4) == 0 &&
	       memcmp(longer + XATTR_CAPS_SZ_2, no_root, sizeof(no_root)) == 0;
}

static bool same(const char *name, const void *a, size_t a_size, const void *b, size_t b_size)
{
	if (a_size == b_size && memcmp(a, b, a_size) == 0)
		return true;
	return strcmp(name, "security.capability") == 0 && same_capabilities(a, a_size, b, b_size);
}

struct attribute {
	const char *name;
	const void *value;
	size_t size, place;
};

static int by_name(const void *a, const void *b)
{
	const struct attribute *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static int by_name_only(const void *name, const void *attribute)
{
	return strcmp(name, ((const struct attribute *)attribute)->name);
}

/* Those of the entry that were set, sorted, each once: of several the last counts. On the heap, or
 * NULL when there is none. */
static int collect(struct archive_entry *entry, struct attribute **ret, size_t *ret_count)
{
	size_t all = (size_t)archive_entry_xattr_reset(entry), n = 0, kept = 0;
	struct attribute *items = all ? calloc(all, sizeof(*items)) : NULL, a;

	if (all && !items)
		return -ENOMEM;
	while (n < all && archive_entry_xattr_next(entry, &a.name, &a.value, &a.size) == 0)
		if (a.name && extract_keeps_xattr(a.name)) {
			a.place = n;
			items[n++] = a;
		}
	if (n)
		qsort(items, n, sizeof(*items), by_name);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || strcmp(items[i].name, items[i + 1].name) != 0)
			items[kept++] = items[i];
	*ret = items;
	*ret_count = kept;
	return 0;
}

/* 1 when the file has it as the entry does. */
static int has_same(int fd, const char *name, const struct attribute *items, size_t count)
{
	const struct attribute *a =
		count ? bsearch(name, items, count, sizeof(*items), by_name_only) : NULL;
	ssize_t size = a ? fgetxattr(fd, name, value, sizeof(value)) : 0;

	if (size < 0)
		return -errno;
	return a && same(name, value, (size_t)size, a->value, a->size);
}

/* What an ordinary user may not set was left out. */
static size_t may_be_missing(const struct attribute *items, size_t count, bool ids)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += !ids && strncmp(items[i].name, "user.", 5) != 0;
	return n;
}

int verify_same_xattrs(int fd, struct archive_entry *entry, bool ids)
{
	struct attribute *items = NULL;
	const char *end = names;
	size_t count = 0, found = 0;
	int r = list(fd, &end);

	if (r == 0)
		r = collect(entry, &items, &count);
	if (r < 0)
		return r;
	r = 1;
	for (const char *name = names; r == 1 && name < end; name += strlen(name) + 1)
		if (extract_keeps_xattr(name)) {
			r = has_same(fd, name, items, count);
			found++;
		}
	if (r == 1)
		r = found <= count && found + may_be_missing(items, count, ids) >= count;
	free(items);
	return r;
}

int verify_is_opaque(int fd, bool user_xattr)
{
	const char *name = user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
	char flag;
	ssize_t n = fgetxattr(fd, name, &flag, 1);

	if (n < 0)
		return errno == ENODATA || errno == ENOTSUP ? 0 : errno == ERANGE ? 0 : -errno;
	return n == 1 && flag == 'y';
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_sized(struct hash *h, const void *data, size_t size)
{
	const uint64_t n = htole64(size);

	hash_add(h, &n, sizeof(n));
	hash_add(h, data, size);
}

static int add_sorted(int fd, const char **sorted, size_t n, struct hash *h)
{
	qsort(sorted, n, sizeof(*sorted), by_text);
	for (size_t i = 0; i < n; i++) {
		ssize_t size = fgetxattr(fd, sorted[i], value, sizeof(value));

		if (size < 0)
			return -errno;
		add_sized(h, sorted[i], strlen(sorted[i]));
		add_sized(h, value, (size_t)size);
	}
	return 0;
}

int verify_add_xattrs(int fd, bool user_xattr, struct hash *h)
{
	const char *end = names, **sorted;
	int r = list(fd, &end), opaque = r < 0 ? r : verify_is_opaque(fd, user_xattr);
	size_t n = 0;

	if (opaque < 0)
		return opaque;
	if (opaque)
		add_sized(h, "opaque", strlen("opaque"));
	if (end == names)
		return 0;
	/* A name has two bytes at least. */
	sorted = calloc((size_t)(end - names) / 2 + 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (const char *name = names; name < end; name += strlen(name) + 1)
		if (extract_keeps_xattr(name))
			sorted[n++] = name;
	r = add_sorted(fd, sorted, n, h);
	free(sorted);
	return r;
}
