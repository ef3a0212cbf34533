/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Annotations "org.systemd.property.NAME": how clients of OCI runtimes set properties of the unit.
 * Values are GVariant text (docs.gtk.org/glib/gvariant-text-format.html), of which this reads
 * booleans, whole numbers, strings and lists of strings.
 */
#include "oci/scope.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PREFIX "org.systemd.property."
#define USEC_PER_SEC 1000000

/* Nothing here reaches beyond the unit, as Wants= does, which starts others, or changes what tote
 * itself relies on. */
static const struct {
	const char *name, *type;
	const char *property; /* where it goes by another name, in microseconds */
} allowed[] = {
	{ "After", "as", NULL },
	{ "Before", "as", NULL },
	{ "CollectMode", "s", NULL },
	{ "DefaultDependencies", "b", NULL },
	{ "Description", "s", NULL },
	{ "OOMPolicy", "s", NULL },
	{ "TimeoutStopSec", "t", "TimeoutStopUSec" },
	{ "TimeoutStopUSec", "t", NULL },
};

static void skip_blanks(const char **text)
{
	*text += strspn(*text, " \t\n");
}

static bool take(const char **text, const char *word)
{
	size_t len = strlen(word);

	skip_blanks(text);
	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

/* 'a' or "a", a backslash before what stands for itself. */
static bool read_string(const char **text, struct buf *out)
{
	const char *s;
	char quote;

	skip_blanks(text);
	s = *text;
	quote = *s++;
	if (quote != '\'' && quote != '"')
		return false;
	for (; *s && *s != quote; s++) {
		if (*s == '\\' && !strchr("\\'\"", *++s))
			return false;
		if (!*s)
			return false;
		buf_add(out, s, 1);
	}
	if (*s != quote)
		return false;
	*text = s + 1;
	return true;
}

static bool read_strings(const char **text, struct buf *out)
{
	take(text, "@as");
	if (!take(text, "["))
		return false;
	for (bool first = true; !take(text, "]"); first = false) {
		size_t start;

		if (!first && !take(text, ","))
			return false;
		if (!first)
			buf_adds(out, " ");
		start = out->len;
		/* Names of units: the words of tote-systemd are separated by blanks. */
		if (!read_string(text, out) || strchr(buf_str(out) + start, ' '))
			return false;
	}
	return true;
}

/* "5", "uint64 5", "int32 5" */
static bool read_number(const char **text, uint64_t *ret)
{
	static const char *const words[] = { "byte ",	"int16 ", "uint16 ", "int32 ",
					     "uint32 ", "int64 ", "uint64 " };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (take(text, words[i]))
			break;
	return number_scan(text, ret);
}

static bool read_value(const char *text, const char *type, bool seconds, struct buf *out)
{
	uint64_t n;
	bool ok;

	if (type[0] == 't') {
		ok = read_number(&text, &n) &&
		     !(seconds && __builtin_mul_overflow(n, USEC_PER_SEC, &n));
		buf_addf(out, "%" PRIu64, ok ? n : 0);
	} else if (type[0] == 'b') {
		ok = take(&text, "true");
		buf_adds(out, ok ? "true" : "false");
		ok = ok || take(&text, "false");
	} else if (type[0] == 's') {
		ok = read_string(&text, out);
	} else {
		ok = read_strings(&text, out);
	}
	if (!ok)
		return false;
	skip_blanks(&text);
	return !*text;
}

static const char *type_in_words(const char *type)
{
	return type[0] == 't'	? "a number"
	       : type[0] == 'b' ? "true or false"
	       : type[0] == 's' ? "'TEXT'"
				: "['UNIT', ...]";
}

static int add(struct scope_words *w, const char *name, const struct key_value *kv, struct err *err)
{
	autobuf value = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		const char *type = allowed[i].type, *property = allowed[i].property;

		if (strcmp(name, allowed[i].name) != 0)
			continue;
		if (!read_value(kv->value, type, property != NULL, &value))
			return err_set(err, EINVAL, "annotations[\"%s\"]: expected %s, found %s",
				       kv->key, type_in_words(type), kv->value);
		scope_words_add(w, arena_printf(w->a, "%s=%s:%s", property ? property : name, type,
						buf_str(&value)));
		return 0;
	}
	return err_set(err, EINVAL,
		       "annotations[\"%s\"]: this property of a unit is not for containers to set",
		       kv->key);
}

int scope_words_annotations(struct scope_words *w, const struct key_value_list *annotations,
			    struct err *err)
{
	for_each (kv, annotations) {
		int r = strncmp(kv->key, PREFIX, strlen(PREFIX)) == 0
				? add(w, kv->key + strlen(PREFIX), kv, err)
				: 0;

		if (r < 0)
			return r;
	}
	return 0;
}
