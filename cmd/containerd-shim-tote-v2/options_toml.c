/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of TOML 1.0 as options need: values of our keys are strings of one line, booleans and
 * whole numbers; of other keys, anything is passed over.
 */
#include "cmd/containerd-shim-tote-v2/options_private.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/number.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct toml {
	const char *at; /* ends with a NUL */
	unsigned int line;
	struct arena *arena;
	struct err *err;
};

enum kind { BOOL, NUMBER, TEXT };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
};

static const struct key keys[] = {
	{ "NoPivotRoot", BOOL, offsetof(struct shim_options, no_pivot) },
	{ "NoNewKeyring", BOOL, offsetof(struct shim_options, no_new_keyring) },
	{ "SystemdCgroup", BOOL, offsetof(struct shim_options, systemd_cgroup) },
	{ "IoUid", NUMBER, offsetof(struct shim_options, io_uid) },
	{ "IoGid", NUMBER, offsetof(struct shim_options, io_gid) },
	{ "Root", TEXT, offsetof(struct shim_options, root) },
	{ "BinaryName", TEXT, offsetof(struct shim_options, binary_name) },
	{ "ShimCgroup", TEXT, offsetof(struct shim_options, shim_cgroup) },
};

static int bad(struct toml *t, const char *what)
{
	return err_set(t->err, EINVAL, "line %u: %s", t->line, what);
}

static void skip_blanks(struct toml *t)
{
	t->at += strspn(t->at, " \t\r");
}

static void skip_comment(struct toml *t)
{
	if (*t->at == '#')
		t->at += strcspn(t->at, "\n");
}

/* To what is not empty. */
static void skip_lines(struct toml *t)
{
	for (;;) {
		skip_blanks(t);
		skip_comment(t);
		if (*t->at != '\n')
			return;
		t->at++;
		t->line++;
	}
}

static void add_utf8(struct buf *out, uint32_t c)
{
	char text[4];
	unsigned int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	for (unsigned int i = more; i > 0; i--, c >>= 6)
		text[i] = (char)(0x80 | (c & 0x3f));
	text[0] = (char)(more ? (0xff00 >> (more + 1) & 0xff) | c : c);
	buf_add(out, text, more + 1);
}

/* Behind the "u" or "U" of an escape. */
static int read_unicode(struct toml *t, int digits, struct buf *out)
{
	uint32_t c = 0;

	for (; digits > 0 && isxdigit((unsigned char)*t->at); digits--, t->at++)
		c = c << 4 | (uint32_t)(isdigit((unsigned char)*t->at) ? *t->at - '0'
								       : (*t->at | 32) - 'a' + 10);
	if (digits || !c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return bad(t, "invalid character in a string");
	add_utf8(out, c);
	return 0;
}

/* Behind the backslash. */
static int read_escape(struct toml *t, struct buf *out)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	char c = *t->at++;
	const char *at = c ? strchr(names, c) : NULL;

	if (at) {
		buf_add(out, values + (at - names), 1);
		return 0;
	}
	if (c == 'u' || c == 'U')
		return read_unicode(t, c == 'u' ? 4 : 8, out);
	return bad(t, "unknown escape in a string");
}

/* A string of one line, with its quotes. */
static int read_string(struct toml *t, char **ret)
{
	autobuf out = BUF_INIT;
	char quote = *t->at;

	if (quote != '"' && quote != '\'')
		return bad(t, "expected a string");
	for (t->at++; *t->at != quote;) {
		if (!*t->at || *t->at == '\n')
			return bad(t, "a string has no end");
		if (*t->at != '\\' || quote == '\'') {
			buf_add(&out, t->at++, 1);
			continue;
		}
		t->at++;
		if (read_escape(t, &out) < 0)
			return -EINVAL;
	}
	t->at++;
	*ret = arena_strdup(t->arena, buf_str(&out));
	return 0;
}

/* Any string, also one of several lines. */
static int skip_string(struct toml *t)
{
	char quotes[] = { *t->at, *t->at, *t->at, '\0' };
	size_t count = strncmp(t->at, quotes, 3) == 0 ? 3 : 1;

	for (t->at += count; strncmp(t->at, quotes, count) != 0; t->at++) {
		if (*t->at == '\\' && quotes[0] == '"' && t->at[1])
			t->at++;
		if (!*t->at || (*t->at == '\n' && count == 1))
			return bad(t, "a string has no end");
		t->line += *t->at == '\n';
	}
	t->at += count;
	/* Two quotes may stand before the three that end it. */
	while (count == 3 && *t->at == quotes[0])
		t->at++;
	return 0;
}

/* To the end of the line, or of the line in which the last bracket is closed. */
static int skip_value(struct toml *t)
{
	unsigned int depth = 0;

	if (strchr("#\n", *t->at))
		return bad(t, "expected a value");
	while (*t->at) {
		char c = *t->at;

		if (c == '"' || c == '\'') {
			if (skip_string(t) < 0)
				return -EINVAL;
			continue;
		}
		if (!depth && (c == '\n' || c == '#'))
			return 0;
		if (c == '#') {
			skip_comment(t);
			continue;
		}
		t->line += c == '\n';
		depth += c == '[' || c == '{';
		if ((c == ']' || c == '}') && !depth--)
			return bad(t, "unexpected bracket");
		t->at++;
	}
	return depth ? bad(t, "a bracket is not closed") : 0;
}

static int read_bool(struct toml *t, bool *ret)
{
	*ret = strncmp(t->at, "true", 4) == 0;
	if (!*ret && strncmp(t->at, "false", 5) != 0)
		return bad(t, "expected true or false");
	t->at += *ret ? 4 : 5;
	return 0;
}

static int read_number(struct toml *t, uint32_t *ret)
{
	uint64_t value;

	if (!isdigit((unsigned char)*t->at) || !number_scan(&t->at, &value) || value > UINT32_MAX)
		return bad(t, "expected a number below 2^32");
	*ret = (uint32_t)value;
	return 0;
}

static int read_value(struct toml *t, const struct key *key, struct shim_options *ret)
{
	void *out = (char *)ret + key->offset;

	if (key->kind == BOOL)
		return read_bool(t, out);
	if (key->kind == NUMBER)
		return read_number(t, out);
	return read_string(t, out);
}

/* One part of a key. */
static int read_word(struct toml *t, char **ret)
{
	size_t len;

	if (*t->at == '"' || *t->at == '\'')
		return read_string(t, ret);
	for (len = 0; isalnum((unsigned char)t->at[len]) || t->at[len] == '_' || t->at[len] == '-';)
		len++;
	if (!len)
		return bad(t, "expected a key");
	*ret = arena_strndup(t->arena, t->at, len);
	t->at += len;
	return 0;
}

/* NULL: none of ours. Ends behind the "=". */
static int read_key(struct toml *t, const struct key **ret)
{
	unsigned int parts = 0;
	char *word = (char *)"";

	*ret = NULL;
	do {
		t->at += parts > 0;
		skip_blanks(t);
		if (read_word(t, &word) < 0)
			return -EINVAL;
		skip_blanks(t);
		parts++;
	} while (*t->at == '.');
	if (*t->at != '=')
		return bad(t, "expected \"=\"");
	t->at++;
	skip_blanks(t);
	for (size_t i = 0; i < ARRAY_SIZE(keys) && parts == 1; i++)
		if (strcasecmp(word, keys[i].name) == 0)
			*ret = &keys[i];
	return 0;
}

static int read_pair(struct toml *t, struct shim_options *ret)
{
	const struct key *key = NULL;
	int r = read_key(t, &key);

	if (r == 0)
		r = key ? read_value(t, key, ret) : skip_value(t);
	if (r < 0)
		return r;
	skip_blanks(t);
	skip_comment(t);
	return *t->at && *t->at != '\n' ? bad(t, "unexpected text behind a value") : 0;
}

int options_read_toml(const char *text, size_t len, struct arena *a, struct shim_options *ret,
		      struct err *err)
{
	struct toml t = { arena_strndup(a, text, len), 1, a, err };

	if (strlen(t.at) != len)
		return err_set(err, EINVAL, "not a text");
	for (skip_lines(&t); *t.at && *t.at != '['; skip_lines(&t))
		if (read_pair(&t, ret) < 0)
			return -EINVAL;
	return 0;
}
