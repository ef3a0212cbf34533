/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-systemd/words.h"

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int append_bool(sd_bus_message *m, const char *value)
{
	bool yes = strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "false") != 0)
		return -EINVAL;
	return sd_bus_message_append(m, "b", (int)yes);
}

static int read_number(const char *text, char **ret_end, uint64_t *ret)
{
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, ret_end, 10);
	return -errno;
}

static int append_u64(sd_bus_message *m, const char *value)
{
	uint64_t n;
	char *end;
	int r = read_number(value, &end, &n);

	if (r < 0 || *end)
		return -EINVAL;
	return sd_bus_message_append(m, "t", n);
}

static int append_string(sd_bus_message *m, const char *value)
{
	return sd_bus_message_append(m, "s", value);
}

/* Separated by blanks, which no name of a unit holds. */
static int append_strings(sd_bus_message *m, const char *value)
{
	autoarena a = ARENA_INIT;
	char *copy = arena_strdup(&a, value), *save = NULL;
	int r = sd_bus_message_open_container(m, 'a', "s");

	for (char *s = strtok_r(copy, " ", &save); s && r >= 0; s = strtok_r(NULL, " ", &save))
		r = sd_bus_message_append(m, "s", s);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_u32s(sd_bus_message *m, const char *value)
{
	int r = sd_bus_message_open_container(m, 'a', "u");

	while (r >= 0 && *value) {
		uint64_t n;
		char *end;

		r = read_number(value, &end, &n);
		if (r < 0 || n > UINT32_MAX || (*end && *end != ' '))
			return -EINVAL;
		r = sd_bus_message_append(m, "u", (uint32_t)n);
		value = end + (*end == ' ');
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int append_bytes(sd_bus_message *m, const char *value)
{
	autobuf bytes = BUF_INIT;

	for (; *value; value += 2) {
		int high = hex_digit(value[0]), low = high < 0 ? -1 : hex_digit(value[1]);
		unsigned char byte = (unsigned char)(high * 16 + low);

		if (low < 0)
			return -EINVAL;
		buf_add(&bytes, &byte, 1);
	}
	return sd_bus_message_append_array(m, 'y', buf_str(&bytes), bytes.len);
}

static const struct {
	const char *type;
	int (*append)(sd_bus_message *m, const char *value);
} types[] = {
	{ "b", append_bool },	  { "t", append_u64 },	 { "s", append_string },
	{ "as", append_strings }, { "au", append_u32s }, { "ay", append_bytes },
};

static int append_value(sd_bus_message *m, const struct word *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].type, w->type) == 0)
			return types[i].append(m, w->value);
	return -EINVAL;
}

static int append_word(sd_bus_message *m, const struct word *w)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", w->name);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', w->type);
	if (r >= 0)
		r = append_value(m, w);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int words_append(sd_bus_message *m, const struct word *words, size_t count, enum words_kind kind)
{
	int r = sd_bus_message_open_container(m, 'a', "(sv)");

	for (size_t i = 0; i < count && r >= 0; i++)
		if (kind == WORDS_ALL || !words[i].optional)
			r = append_word(m, &words[i]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int word_parse(char *text, struct word *ret, struct err *err)
{
	bool optional = *text == '?';
	char *name = text + optional;
	char *equals = strchr(name, '='), *colon = equals ? strchr(equals, ':') : NULL;
	bool known = false;

	if (!colon || equals == name)
		return err_set(err, EINVAL, "expected a property as NAME=TYPE:VALUE, found \"%s\"",
			       text);
	*equals = *colon = '\0';
	*ret = (struct word){ name, equals + 1, colon + 1, optional };
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		known = known || strcmp(types[i].type, ret->type) == 0;
	return known ? 0 : err_set(err, EINVAL, "%s: unknown type \"%s\"", ret->name, ret->type);
}
