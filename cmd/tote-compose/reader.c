/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/reader.h"

#include "lib/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add_path(const struct read_path *p, struct buf *out)
{
	if (!p)
		return;
	add_path(p->up, out);
	if (!p->key)
		buf_addf(out, "[%zu]", p->index);
	else
		buf_addf(out, "%s%.80s", out->len ? "." : "", p->key);
}

int read_error(struct reader *r, const struct yaml_node *n, const char *fmt, ...)
{
	autobuf path = BUF_INIT;
	char words[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	add_path(r->path, &path);
	return err_set(r->err, EINVAL, "%s:%u: %s%s%s", n->file, n->line, buf_str(&path),
		       path.len ? ": " : "", words);
}

int read_member(struct reader *r, const char *key, size_t index, read_value *read,
		const struct yaml_node *n, void *out, const void *arg)
{
	struct read_path here = { r->path, key, index };
	int result;

	r->path = &here;
	result = read(r, n, out, arg);
	r->path = here.up;
	return result;
}

const char *read_scalar(struct reader *r, const struct yaml_node *n)
{
	if (n->kind == YAML_SCALAR)
		return n->text;
	read_error(r, n, "expected a single value, found %s", yaml_kind_name(n));
	return NULL;
}

static const struct read_key *find_key(const struct read_table *t, const char *key)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->keys[i].key, key) == 0)
			return &t->keys[i];
	return NULL;
}

static int refuse_unknown(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)out;
	(void)arg;
	return read_error(r, n, "unknown key");
}

int read_map(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const struct read_table *t = arg;

	if (n->kind != YAML_MAP)
		return read_error(r, n, "expected a map, found %s", yaml_kind_name(n));
	for (const struct yaml_node *m = n->first; m; m = m->next) {
		const struct read_key *k = find_key(t, m->key);
		int result = 0;

		if (!k && strncmp(m->key, "x-", 2) != 0)
			result = read_member(r, m->key, 0, refuse_unknown, m, NULL, NULL);
		else if (k && (k->read == read_refuse || !yaml_is_null(m)))
			result = read_member(r, m->key, 0, k->read, m, (char *)out + k->offset,
					     k->arg);
		if (result < 0)
			return result;
	}
	return t->check ? t->check(r, n, out) : 0;
}

int read_map_ptr(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const struct read_table *t = arg;
	void *s = arena_alloc(r->a, t->size);

	*(void **)out = s;
	return read_map(r, n, s, arg);
}

struct any_list {
	char *items;
	size_t count;
};

int read_list(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const struct read_list_of *of = arg;
	struct any_list *list = out;

	if (n->kind != YAML_LIST)
		return read_error(r, n, "expected a list, found %s", yaml_kind_name(n));
	list->items = arena_calloc(r->a, n->count + 1, of->size);
	for (const struct yaml_node *m = n->first; m; m = m->next, list->count++) {
		int result = yaml_is_null(m)
				     ? read_error(r, m, "expected a value, found nothing")
				     : read_member(r, NULL, list->count, of->read, m,
						   list->items + list->count * of->size, of->arg);

		if (result < 0)
			return result;
	}
	return 0;
}

int read_named_list(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const struct read_list_of *of = arg;
	struct any_list *list = out;

	if (n->kind != YAML_MAP)
		return read_error(r, n, "expected a map, found %s", yaml_kind_name(n));
	list->items = arena_calloc(r->a, n->count + 1, of->size);
	for (const struct yaml_node *m = n->first; m; m = m->next) {
		void *item = list->items + list->count * of->size;
		int result;

		if (strncmp(m->key, "x-", 2) == 0)
			continue;
		*(char **)item = m->key;
		result = read_member(r, m->key, 0, of->read, m, item, of->arg);
		if (result < 0)
			return result;
		list->count++;
	}
	return 0;
}

int read_refuse(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)out;
	return read_error(r, n, "%s", (const char *)arg);
}

int read_false(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	bool on = false;
	int result = read_bool(r, n, &on, NULL);

	(void)out;
	return result < 0 || !on ? result : read_error(r, n, "%s", (const char *)arg);
}

int read_one_of(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const struct read_words *w = arg;
	const char *text = read_scalar(r, n);

	(void)out;
	if (!text)
		return -EINVAL;
	for (const char *const *word = w->words; *word; word++)
		if (strcmp(*word, text) == 0)
			return 0;
	return read_error(r, n, "\"%.80s\": %s", text, w->reason);
}

int read_ignore(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)r;
	(void)n;
	(void)out;
	(void)arg;
	return 0;
}

int read_strv(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of strings = { read_string, sizeof(char *), NULL };

	(void)arg;
	return read_list(r, n, out, &strings);
}

int read_string_list(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct strv *v = out;

	if (n->kind != YAML_SCALAR)
		return read_strv(r, n, out, arg);
	strv_add(v, n->text, r->a);
	return 0;
}

int read_command(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct read_command *c = out;

	c->set = true;
	if (n->kind != YAML_SCALAR)
		return read_strv(r, n, &c->words, arg);
	if (!split_words(n->text, r->a, &c->words))
		return read_error(r, n,
				  "a quotation mark without a second one, or \"\\\" at the end");
	return 0;
}

static int read_pair(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n), *equals = text ? strchr(text, '=') : NULL;
	struct key_value *kv = out;

	(void)arg;
	if (!text)
		return -EINVAL;
	if (!*text || equals == text)
		return read_error(r, n, "expected NAME=VALUE, found \"%.80s\"", text);
	kv->key = equals ? arena_strndup(r->a, text, (size_t)(equals - text)) : (char *)text;
	kv->value = equals ? arena_strdup(r->a, equals + 1) : NULL;
	return 0;
}

static int read_pair_value(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct key_value *kv = out;

	(void)arg;
	if (!read_scalar(r, n))
		return -EINVAL;
	if (!*kv->key || strchr(kv->key, '='))
		return read_error(r, n, "this is no name");
	kv->value = yaml_is_null(n) ? NULL : (char *)canonical_text(n, r->a);
	return 0;
}

/* Later ones of a list win, as each is a key. */
static void drop_doubles(struct key_value_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		size_t k = 0;

		while (k < kept && strcmp(list->items[k].key, list->items[i].key) != 0)
			k++;
		list->items[k] = list->items[i];
		kept += k == kept;
	}
	list->count = kept;
}

int read_pairs(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of pairs = { read_pair, sizeof(struct key_value), NULL };
	static const struct read_list_of values = { read_pair_value, sizeof(struct key_value),
						    NULL };
	int result;

	(void)arg;
	if (n->kind == YAML_MAP)
		return read_named_list(r, n, out, &values);
	if (n->count > YAML_MAX_KEYS)
		return read_error(r, n, "more than %d", YAML_MAX_KEYS);
	result = read_list(r, n, out, &pairs);
	if (result == 0)
		drop_doubles(out);
	return result;
}

void strv_add(struct strv *v, char *s, struct arena *a)
{
	char **items = arena_calloc(a, v->count + 2, sizeof(char *));

	if (v->count)
		memcpy(items, v->items, v->count * sizeof(char *));
	items[v->count++] = s;
	v->items = items;
}
