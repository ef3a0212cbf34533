/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/interpolate.h"

#include "lib/buf.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t\r"
/* They are looked up one by one. */
#define MAX_VARIABLES 10000

struct reading {
	const char *p, *file;
	unsigned int line;
	const struct variables *known;
	struct variables *ret;
	struct err *err;
};

static int bad(struct reading *r, const char *words)
{
	return err_set(r->err, EINVAL, "%s:%u: %s", r->file, r->line, words);
}

static void skip(struct reading *r, const char *set)
{
	r->p += strspn(r->p, set);
}

/* A copy of text with variables replaced by what is known and what the file said so far. */
static int replace(struct reading *r, const char *text, const char **ret)
{
	struct interpolation in;
	struct err why;

	if (!strchr(text, '$')) {
		*ret = text;
		return 0;
	}
	interpolation_init(&in, r->ret, r->ret->a);
	if (interpolate(&in, text, ret, &why) < 0)
		return bad(r, why.msg);
	return 0;
}

static const char *read_single(struct reading *r)
{
	const char *start = ++r->p;

	while (*r->p && *r->p != '\'')
		r->line += *r->p++ == '\n';
	return arena_strndup(r->ret->a, start, (size_t)(r->p - start));
}

/* "\$" stays a dollar sign, which for what replaces variables is "$$". */
static const char *read_double(struct reading *r)
{
	static const char letters[] = "nrt\"\\", meant[] = "\n\r\t\"\\";
	autobuf out = BUF_INIT;

	for (r->p++; *r->p && *r->p != '"'; r->p++) {
		const char *letter = r->p[0] == '\\' && r->p[1] ? strchr(letters, r->p[1]) : NULL;

		r->line += *r->p == '\n';
		if (letter)
			buf_add(&out, &meant[letter - letters], 1);
		else if (r->p[0] == '\\' && r->p[1] == '$')
			buf_adds(&out, "$$");
		else
			buf_add(&out, r->p, 1);
		r->p += letter || (r->p[0] == '\\' && r->p[1] == '$');
	}
	return arena_strndup(r->ret->a, buf_str(&out), out.len);
}

static const char *read_plain(struct reading *r)
{
	const char *start = r->p, *end;

	while (*r->p && *r->p != '\n' &&
	       !(*r->p == '#' && (r->p == start || strchr(BLANKS, r->p[-1]))))
		r->p++;
	for (end = r->p; end > start && strchr(BLANKS, end[-1]);)
		end--;
	r->p += strcspn(r->p, "\n");
	return arena_strndup(r->ret->a, start, (size_t)(end - start));
}

static int read_value(struct reading *r, const char **ret)
{
	char quote = *r->p;

	if (quote != '\'' && quote != '"')
		return replace(r, read_plain(r), ret);
	*ret = quote == '"' ? read_double(r) : read_single(r);
	if (*r->p != quote)
		return bad(r, "a quotation mark without a second one");
	r->p++;
	skip(r, BLANKS);
	if (*r->p && *r->p != '\n' && *r->p != '#')
		return bad(r, "something behind the quotation mark");
	r->p += strcspn(r->p, "\n");
	return quote == '"' ? replace(r, *ret, ret) : 0;
}

static int read_line(struct reading *r)
{
	const char *start, *value = NULL;
	char *name;
	int result = 0;

	if (strncmp(r->p, "export ", 7) == 0)
		r->p += 7;
	skip(r, BLANKS);
	start = r->p;
	r->p += strcspn(r->p, "=:\n" BLANKS);
	name = arena_strndup(r->ret->a, start, (size_t)(r->p - start));
	skip(r, BLANKS);
	if (!*name)
		return bad(r, "a line without a name");
	if (*r->p && *r->p != '=' && *r->p != ':' && *r->p != '\n' && *r->p != '#')
		return bad(r, "expected NAME=VALUE");
	if (*r->p == '=' || *r->p == ':') {
		r->p++;
		skip(r, BLANKS);
		result = read_value(r, &value);
	} else {
		r->p += strcspn(r->p, "\n");
		value = variables_get(r->known, name);
	}
	if (result < 0 || !value)
		return result;
	if (r->ret->count == MAX_VARIABLES)
		return bad(r, "more than 10000 variables");
	variables_add(r->ret, name, value);
	return 0;
}

int variables_parse(const char *text, const char *file, const struct variables *known,
		    struct variables *ret, struct err *err)
{
	struct variables own = { .a = ret->a, .last_wins = true, .below = known };
	struct reading r = { .p = text, .file = file, .line = 1, .known = known, .ret = &own };
	int result = 0;

	r.err = err;
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		r.p += 3;
	while (result == 0 && *r.p) {
		skip(&r, BLANKS);
		if (*r.p == '#')
			r.p += strcspn(r.p, "\n");
		else if (*r.p && *r.p != '\n')
			result = read_line(&r);
		if (result == 0 && *r.p == '\n') {
			r.p++;
			r.line++;
		}
	}
	/* In a file the last line of a name counts. */
	for (size_t i = own.count; result == 0 && i > 0; i--)
		variables_add(ret, own.items[i - 1].key, own.items[i - 1].value);
	return result;
}
