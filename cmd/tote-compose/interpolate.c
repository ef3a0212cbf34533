/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/interpolate.h"

#include "lib/buf.h"

#include <errno.h>
#include <string.h>

#define NESTING_MAX 32

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

void variables_add(struct variables *v, const char *key, const char *value)
{
	if (v->count == v->room) {
		size_t room = v->room ? v->room * 2 : 32;
		struct key_value *items = arena_calloc(v->a, room, sizeof(*items));

		if (v->count)
			memcpy(items, v->items, v->count * sizeof(*items));
		v->items = items;
		v->room = room;
	}
	v->items[v->count++] =
		(struct key_value){ arena_strdup(v->a, key), arena_strdup(v->a, value) };
}

void variables_add_environ(struct variables *v, char *const *environ)
{
	for (; environ && *environ; environ++) {
		const char *equals = strchr(*environ, '=');

		if (equals)
			variables_add(v, arena_strndup(v->a, *environ, (size_t)(equals - *environ)),
				      equals + 1);
	}
}

const char *variables_get(const struct variables *v, const char *key)
{
	for (; v; v = v->below)
		for (size_t i = 0; i < v->count; i++) {
			const struct key_value *it = &v->items[v->last_wins ? v->count - 1 - i : i];

			if (strcmp(it->key, key) == 0)
				return it->value;
		}
	return NULL;
}

void interpolation_init(struct interpolation *in, const struct variables *v, struct arena *a)
{
	*in = (struct interpolation){ .variables = v, .a = a, .left = INTERPOLATE_MAX };
	in->missing.a = a;
}

static int add_value(struct interpolation *in, struct buf *out, const char *value, size_t len,
		     struct err *err)
{
	if (len > in->left)
		return err_set(err, E2BIG, "variables make more than 16 MiB of the file");
	in->left -= len;
	buf_add(out, value, len);
	return 0;
}

static int expand(struct interpolation *in, const char **text, bool inside, int depth,
		  struct buf *out, struct err *err);

/* Behind "${NAME": an operator and its word, up to "}". */
static int expand_operator(struct interpolation *in, const char *name, const char **text, int depth,
			   struct buf *out, struct err *err)
{
	const char *value = variables_get(in->variables, name);
	bool colon = **text == ':', set = value && (!colon || *value);
	autobuf word = BUF_INIT;
	size_t left = in->left;
	char sign;
	bool needed;
	int r;

	*text += colon;
	sign = **text;
	needed = set == (sign == '+');
	if (!sign || !strchr("-?+", sign))
		return err_set(err, EINVAL,
			       "expected \"}\" or one of :- - :? ? :+ + behind \"${%.100s\"", name);
	++*text;
	/* What is not needed may ask for what is not there. */
	in->skipping += needed ? 0 : 1;
	r = expand(in, text, true, depth + 1, &word, err);
	in->skipping -= needed ? 0 : 1;
	if (r < 0)
		return r;
	if (**text != '}')
		return err_set(err, EINVAL, "\"${%.100s\" has no \"}\"", name);
	++*text;
	in->left = left;
	if (sign == '?' && !set && !in->skipping)
		return err_set(err, EINVAL, "the variable %.100s is %s%s%.200s", name,
			       value ? "empty" : "not set", word.len ? ": " : "", buf_str(&word));
	if (sign == '+')
		return set ? add_value(in, out, buf_str(&word), word.len, err) : 0;
	return set ? add_value(in, out, value, strlen(value), err)
		   : add_value(in, out, buf_str(&word), word.len, err);
}

static int expand_plain(struct interpolation *in, const char *name, struct buf *out,
			struct err *err)
{
	const char *value = variables_get(in->variables, name);

	if (value)
		return add_value(in, out, value, strlen(value), err);
	if (!in->skipping && !variables_get(&in->missing, name))
		variables_add(&in->missing, name, "");
	return 0;
}

/* Behind a "$". */
static int expand_variable(struct interpolation *in, const char **text, int depth, struct buf *out,
			   struct err *err)
{
	bool braces = **text == '{';
	size_t len;
	char *name;

	*text += braces;
	len = strspn(*text, LETTERS);
	if (len)
		len += strspn(*text + len, LETTERS "0123456789");
	if (!len)
		return err_set(err, EINVAL, "no name behind \"$%s\": write $$ for a dollar sign",
			       braces ? "{" : "");
	name = arena_strndup(in->a, *text, len);
	*text += len;
	if (!braces)
		return expand_plain(in, name, out, err);
	if (**text != '}')
		return expand_operator(in, name, text, depth, out, err);
	++*text;
	return expand_plain(in, name, out, err);
}

/* Up to the end, or inside of braces up to "}". */
static int expand(struct interpolation *in, const char **text, bool inside, int depth,
		  struct buf *out, struct err *err)
{
	int r = 0;

	if (depth > NESTING_MAX)
		return err_set(err, E2BIG, "variables in variables in variables ...");
	while (r == 0 && **text && !(inside && **text == '}')) {
		size_t len = strcspn(*text, inside ? "$}" : "$");

		if (len) {
			r = add_value(in, out, *text, len, err);
			*text += len;
		} else if ((*text)[1] == '$') {
			r = add_value(in, out, "$", 1, err);
			*text += 2;
		} else {
			++*text;
			r = expand_variable(in, text, depth, out, err);
		}
	}
	return r;
}

int interpolate(struct interpolation *in, const char *text, const char **ret, struct err *err)
{
	autobuf out = BUF_INIT;
	int r;

	if (!strchr(text, '$')) {
		*ret = text;
		return 0;
	}
	r = expand(in, &text, false, 0, &out, err);
	if (r == 0)
		*ret = arena_strndup(in->a, buf_str(&out), out.len);
	return r;
}

int interpolate_tree(struct interpolation *in, struct yaml_node *root, struct err *err)
{
	const char *text = root->text;
	int r = text ? interpolate(in, text, &text, err) : 0;

	if (r < 0) {
		struct err why = *err;

		return err_set(err, -why.code, "%s:%u: %s", root->file, root->line, why.msg);
	}
	if (text != root->text) {
		root->text = (char *)text;
		root->plain = false;
	}
	for (struct yaml_node *n = root->first; r == 0 && n; n = n->next)
		r = interpolate_tree(in, n, err);
	return r;
}
