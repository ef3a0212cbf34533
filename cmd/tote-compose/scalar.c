/* SPDX-License-Identifier: Apache-2.0 */
/* Single values of a Compose file. Numbers are read by hand: strtod(3) would double the program. */
#include "cmd/tote-compose/reader.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/number.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"

static const char *const yes[] = { "true", "yes", "on", "y" };
static const char *const no[] = { "false", "no", "off", "n" };

static bool is_among(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

int read_bool(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);

	(void)arg;
	if (!text)
		return -EINVAL;
	*(bool *)out = is_among(text, yes, ARRAY_SIZE(yes));
	if (!*(bool *)out && !is_among(text, no, ARRAY_SIZE(no)))
		return read_error(r, n, "expected true or false, found \"%.80s\"", text);
	return 0;
}

int read_string(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)arg;
	*(const char **)out = read_scalar(r, n);
	return n->kind == YAML_SCALAR ? 0 : -EINVAL;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : 16;
}

int parse_integer(const char *text, bool prefixes, uint64_t *ret)
{
	unsigned int base = 10;
	uint64_t value = 0;

	if (prefixes && text[0] == '0' && text[1]) {
		base = strchr("xX", text[1]) ? 16 : strchr("bB", text[1]) ? 2 : 8;
		text += strchr("xXoObB", text[1]) ? 2 : 1;
	}
	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		unsigned int digit = (unsigned int)digit_of(*text);

		if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* "1.50" as 1.5 and "1.0" as 1, with so few digits that nothing is rounded. */
static const char *canonical_decimal(const char *text, struct arena *a)
{
	size_t whole = strspn(text, DIGITS), part = 0;
	char *copy;

	if (whole && text[whole] == '.')
		part = strspn(text + whole + 1, DIGITS);
	if (!part || text[whole + 1 + part] || whole + part > 15 || (text[0] == '0' && whole > 1))
		return text;
	copy = arena_strdup(a, text);
	for (size_t end = whole + part; end >= whole && strchr("0.", copy[end]); end--) {
		bool point = copy[end] == '.';

		copy[end] = '\0';
		if (point)
			break;
	}
	return copy;
}

const char *canonical_text(const struct yaml_node *n, struct arena *a)
{
	bool negative = n->plain && n->text[0] == '-';
	const char *digits = n->text + negative;
	uint64_t value;

	if (!n->plain)
		return n->text;
	if (is_among(n->text, yes, 1))
		return "true";
	if (is_among(n->text, no, 1))
		return "false";
	if (parse_integer(digits, true, &value) == 0)
		return arena_printf(a, "%s%llu", negative ? "-" : "", (unsigned long long)value);
	return negative || !isdigit((unsigned char)n->text[0]) ? n->text
							       : canonical_decimal(n->text, a);
}

static int read_integer(struct reader *r, const struct yaml_node *n, uint64_t max, uint64_t *ret)
{
	const char *text = read_scalar(r, n);

	if (!text)
		return -EINVAL;
	if (parse_integer(text, n->plain, ret) < 0)
		return read_error(r, n, "expected a number, found \"%.80s\"", text);
	if (*ret > max)
		return read_error(r, n, "%.80s is too large", text);
	return 0;
}

int read_u16(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	uint64_t value = 0;
	int result = read_integer(r, n, UINT16_MAX, &value);

	(void)arg;
	*(uint16_t *)out = (uint16_t)value;
	return result;
}

int read_u32(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	uint64_t value = 0;
	int result = read_integer(r, n, UINT32_MAX, &value);

	(void)arg;
	*(uint32_t *)out = (uint32_t)value;
	return result;
}

int read_opt_u32(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct opt_u32 *v = out;

	v->set = true;
	return read_u32(r, n, &v->value, arg);
}

int read_number(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);
	uint64_t value;

	(void)arg;
	if (!text)
		return -EINVAL;
	if (parse_integer(text + (text[0] == '-'), n->plain, &value) < 0 || value > INT64_MAX)
		return read_error(r, n, "expected a number, found \"%.80s\"", text);
	*(char **)out =
		arena_printf(r->a, "%s%llu", text[0] == '-' ? "-" : "", (unsigned long long)value);
	return 0;
}

int read_decimal(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);
	size_t whole = text ? strspn(text, DIGITS) : 0, part = 0;

	(void)arg;
	if (!text)
		return -EINVAL;
	if (text[whole] == '.')
		part = 1 + strspn(text + whole + 1, DIGITS);
	if (text[whole + part] || whole + part > 18 || strspn(text, ".") == whole + part)
		return read_error(r, n, "expected a number like 0.5, found \"%.80s\"", text);
	*(char **)out = arena_printf(r->a, "%s%s", whole ? "" : "0", text);
	return 0;
}

int read_size(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);

	(void)arg;
	if (!text)
		return -EINVAL;
	if (!number_bytes(text, out))
		return read_error(r, n, "expected a size like 64m, found \"%.80s\"", text);
	return 0;
}

int read_bytes(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	uint64_t value = 0;
	int result;

	if (n->text && strcmp(n->text, "-1") == 0) {
		*(char **)out = n->text;
		return 0;
	}
	result = read_size(r, n, &value, arg);
	*(char **)out = arena_printf(r->a, "%llu", (unsigned long long)value);
	return result;
}

/* Go's time.ParseDuration(), with days and weeks; down to milliseconds. */
int parse_duration(const char *text, uint32_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t us;
	} units[] = {
		{ "ms", 1000 },
		{ "us", 1 },
		{ "\xc2\xb5s", 1 },
		{ "ns", 0 },
		{ "s", 1000000 },
		{ "m", 60000000 },
		{ "h", 3600000000 },
		{ "d", 24 * 3600000000 },
		{ "w", 7 * 24 * 3600000000 },
	};
	uint64_t sum = 0;

	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return 0;
	}
	do {
		const char *number = text, *unit = text + strspn(text, DIGITS ".");
		uint64_t value;
		size_t i;

		for (i = 0; i < ARRAY_SIZE(units); i++)
			if (strncmp(unit, units[i].name, strlen(units[i].name)) == 0)
				break;
		if (i == ARRAY_SIZE(units) || !number_decimal(&number, units[i].us, &value) ||
		    number != unit || __builtin_add_overflow(sum, value, &sum))
			return -EINVAL;
		text = unit + strlen(units[i].name);
	} while (*text);
	if (sum / 1000 > UINT32_MAX)
		return -EINVAL;
	/* A little is not nothing: 0 has other meanings. */
	*ret_ms = sum && sum < 1000 ? 1 : (uint32_t)(sum / 1000);
	return 0;
}

int read_duration(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);
	struct opt_u32 *v = out;

	(void)arg;
	if (!text)
		return -EINVAL;
	v->set = true;
	if (parse_duration(text, &v->value) < 0)
		return read_error(
			r, n, "expected a time like 1m30s, at most 49 days, found \"%.80s\"", text);
	return 0;
}

int read_mode(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);
	uint64_t value = 0;

	(void)arg;
	if (!text)
		return -EINVAL;
	/* In quotes it is octal even without a 0 in front. */
	if (parse_integer(n->plain || text[0] == '0' ? text : arena_printf(r->a, "0%s", text), true,
			  &value) < 0 ||
	    value > 07777)
		return read_error(r, n, "expected a mode like 0440, found \"%.80s\"", text);
	*(uint32_t *)out = (uint32_t)value;
	return 0;
}

int read_enum(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);
	autobuf names = BUF_INIT;

	if (!text)
		return -EINVAL;
	for (const struct read_enum_value *v = arg; v->name; v++) {
		if (strcmp(v->name, text) == 0) {
			*(int *)out = v->value;
			return 0;
		}
		buf_addf(&names, "%s%s", names.len ? ", " : "", v->name);
	}
	return read_error(r, n, "\"%.80s\" is not one of %s", text, buf_str(&names));
}

/* One word from *text on into out; false: it does not end. */
static bool take_word(const char **text, struct buf *out)
{
	const char *p = *text;
	char quote = '\0';

	for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
		if (*p == quote) {
			quote = '\0';
		} else if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else if (*p == '\\' && quote != '\'') {
			/* In double quotes "\" is one unless it hides something. */
			if (!p[1])
				return false;
			if (quote && !strchr("\"\\$`\n", p[1]))
				buf_add(out, p, 1);
			buf_add(out, ++p, 1);
		} else {
			buf_add(out, p, 1);
		}
	}
	*text = p;
	return !quote;
}

bool split_words(const char *text, struct arena *a, struct strv *ret)
{
	size_t room = strlen(text) / 2 + 2;

	ret->items = arena_calloc(a, room + 1, sizeof(char *));
	ret->count = 0;
	for (;;) {
		autobuf word = BUF_INIT;

		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			return true;
		if (!take_word(&text, &word))
			return false;
		ret->items[ret->count++] = arena_strdup(a, buf_str(&word));
	}
}
