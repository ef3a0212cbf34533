/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/io_private.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Length of the scheme, 0: none. RFC 3986, 3.1. */
static size_t scheme_len(const char *text)
{
	size_t n = 0;

	if (!isalpha((unsigned char)text[0]))
		return 0;
	while (isalnum((unsigned char)text[n]) || (text[n] && strchr("+-.", text[n])))
		n++;
	return text[n] == ':' ? n : 0;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* NULL: broken. A NUL byte is no part of any path or argument. */
static char *decode(const char *text, size_t len, bool plus, struct arena *a)
{
	char *ret = arena_alloc(a, len + 1), *to = ret;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex(text[i + 1]) : -1;
			int low = high >= 0 ? hex(text[i + 2]) : -1;

			c = low < 0 ? '\0' : (char)(high << 4 | low);
			i += 2;
			if (!c)
				return NULL;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		*to++ = c;
	}
	return ret;
}

static bool has_key(const struct io_uri *uri, const char *key)
{
	for (size_t i = 0; i < uri->query_count; i += 2)
		if (strcmp(uri->query[i], key) == 0)
			return true;
	return false;
}

/* "k=v&k2": a key without a value has an empty one. */
static int parse_query(const char *text, size_t len, struct arena *a, struct io_uri *uri)
{
	const char *end = text + len;

	uri->query = arena_calloc(a, IO_QUERY_MAX + 1, sizeof(char *));
	while (text < end) {
		const char *amp = memchr(text, '&', (size_t)(end - text));
		size_t n = (size_t)((amp ? amp : end) - text);
		const char *eq = memchr(text, '=', n);
		size_t key_len = eq ? (size_t)(eq - text) : n;
		char *key = decode(text, key_len, true, a);
		char *value = eq ? decode(eq + 1, n - key_len - 1, true, a) : arena_strdup(a, "");

		if (!key || !value)
			return -EINVAL;
		text += n + 1;
		if (n == 0 || has_key(uri, key))
			continue;
		if (uri->query_count == IO_QUERY_MAX)
			return -E2BIG;
		uri->query[uri->query_count++] = key;
		uri->query[uri->query_count++] = value;
	}
	return 0;
}

int io_uri_parse(const char *text, struct arena *a, struct io_uri *ret, struct err *err)
{
	size_t n = scheme_len(text), path_len;
	const char *path = text + n + 1, *query;
	char *scheme;

	*ret = (struct io_uri){ .scheme = "" };
	if (!n) {
		ret->path = arena_strdup(a, text);
		return 0;
	}
	ret->scheme = scheme = arena_strndup(a, text, n);
	for (char *c = scheme; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strncmp(path, "//", 2) == 0) /* a host, which is none of ours */
		path += 2 + strcspn(path + 2, "/?#");
	path_len = strcspn(path, "?#");
	query = path[path_len] == '?' ? path + path_len + 1 : "";
	ret->path = decode(path, path_len, false, a);
	if (!ret->path)
		return err_set(err, EINVAL, "%s: wrong escape", text);
	n = strcspn(query, "#");
	switch (parse_query(query, n, a, ret)) {
	case 0:
		return 0;
	case -E2BIG:
		return err_set(err, E2BIG, "%s: too many parameters", text);
	default:
		return err_set(err, EINVAL, "%s: wrong escape", text);
	}
}
