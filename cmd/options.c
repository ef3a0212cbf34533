/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include "lib/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option *find_long(const struct option_table *t, const char *name, size_t len)
{
	for (size_t i = 0; i < t->count; i++)
		if (strlen(t->items[i].name) == len && memcmp(t->items[i].name, name, len) == 0)
			return &t->items[i];
	return NULL;
}

static const struct option *find_letter(const struct option_table *t, char letter)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->items[i].letter && t->items[i].letter == letter)
			return &t->items[i];
	return NULL;
}

static bool takes_value(const struct option *o)
{
	return o->kind != OPT_FLAG && o->kind != OPT_IGNORED;
}

static int store_flag(const struct option *o, const char *value, bool *out, struct err *err)
{
	if (!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*out = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*out = false;
	else
		return err_set(err, EINVAL, "--%s: expected true or false, found \"%s\"", o->name,
			       value);
	return 0;
}

static int store_uint(const struct option *o, const char *value, unsigned int *out, struct err *err)
{
	char *end;
	unsigned long n;

	if (!value)
		return err_set(err, EINVAL, "option --%s requires an argument", o->name);
	errno = 0;
	n = strtoul(value, &end, 10);
	/* strtoul(3) also takes blanks and a sign. */
	if (*value < '0' || *value > '9' || *end || errno || n > 0x7fffffff)
		return err_set(err, EINVAL, "--%s: expected a number, found \"%s\"", o->name,
			       value);
	*out = (unsigned int)n;
	return 0;
}

/* Lists are read until the program ends. */
static void store_item(struct option_list *list, const char *value)
{
	static struct arena memory;
	const char **items = arena_calloc(&memory, list->count + 1, sizeof(*items));

	if (list->count)
		memcpy(items, list->items, list->count * sizeof(*items));
	items[list->count++] = value;
	list->items = items;
}

static int store(const struct option *o, const char *value, void *out, struct err *err)
{
	char *at = (char *)out + o->offset;

	switch (o->kind) {
	case OPT_FLAG:
		return store_flag(o, value, (bool *)at, err);
	case OPT_STRING:
		*(const char **)at = value;
		return 0;
	case OPT_UINT:
		return store_uint(o, value, (unsigned int *)at, err);
	case OPT_LIST:
		store_item((struct option_list *)at, value);
		return 0;
	default:
		return 0;
	}
}

/* "--name", "--name=value", "-name": returns how many words it took, or a negative error. */
static int parse_long(const struct option_table *t, char **argv, const char *name, void *out,
		      bool *ret_help, struct err *err)
{
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct option *o = find_long(t, name, len);
	int words = 1, r;

	if (!o && len == 4 && memcmp(name, "help", 4) == 0) {
		*ret_help = true;
		return 1;
	}
	if (!o)
		return err_set(err, EINVAL, "unknown option: %s", argv[0]);
	if (takes_value(o) && !value) {
		value = argv[1];
		words = 2;
		if (!value)
			return err_set(err, EINVAL, "option --%s requires an argument", o->name);
	}
	r = store(o, value, out, err);
	return r < 0 ? r : words;
}

/* "-b DIR", "-b=DIR", "-bDIR", "-dt". */
static int parse_letters(const struct option_table *t, char **argv, void *out, bool *ret_help,
			 struct err *err)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const struct option *o = find_letter(t, *p);
		const char *value = NULL;
		int words = 1, r;

		if (!o && *p == 'h') {
			*ret_help = true;
			continue;
		}
		if (!o)
			return err_set(err, EINVAL, "unknown option: %s", argv[0]);
		if (takes_value(o)) {
			value = p[1] == '=' ? p + 2 : p[1] ? p + 1 : argv[1];
			words = p[1] ? 1 : 2;
			if (!value)
				return err_set(err, EINVAL, "option -%c requires an argument",
					       o->letter);
		}
		r = store(o, value, out, err);
		if (r < 0 || takes_value(o))
			return r < 0 ? r : words;
	}
	return 1;
}

static int parse_one(const struct option_table *t, char **argv, void *out, bool *ret_help,
		     struct err *err)
{
	const char *word = argv[0];

	if (word[1] == '-')
		return parse_long(t, argv, word + 2, out, ret_help, err);
	/* go-runc writes long options with one dash. */
	if (word[2] && word[2] != '=' && find_long(t, word + 1, strcspn(word + 1, "=")))
		return parse_long(t, argv, word + 1, out, ret_help, err);
	return parse_letters(t, argv, out, ret_help, err);
}

int options_parse(const struct option_table *t, char **argv, void *out, size_t *ret_count,
		  bool *ret_help, struct err *err)
{
	char **first = argv, **positional = argv;
	bool rest = false; /* only positional arguments follow */

	while (*argv) {
		if (!rest && strcmp(*argv, "--") == 0) {
			rest = true;
			argv++;
		} else if (rest || (*argv)[0] != '-' || (*argv)[1] == '\0') {
			*positional++ = *argv++;
			rest |= t->stop_at_positional;
		} else {
			int words = parse_one(t, argv, out, ret_help, err);

			if (words < 0)
				return words;
			argv += words;
		}
	}
	*positional = NULL;
	*ret_count = (size_t)(positional - first);
	return 0;
}

void options_print(const struct option_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct option *o = &t->items[i];
		char head[64];

		if (!o->help)
			continue;
		snprintf(head, sizeof(head), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
			 o->value ? " " : "", o->value ? o->value : "");
		printf("  %-32s %s\n", head, o->help);
	}
	printf("  -h, --help                       this text\n");
}
