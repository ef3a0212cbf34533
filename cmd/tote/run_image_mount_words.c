/* SPDX-License-Identifier: Apache-2.0 */
/* What --mount, --volume and --tmpfs say, word by word. */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "oci/mount_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* For labels of SELinux, which there are none of here, and for file sharing of other systems: files that
 * people have are full of them. "copy" is the default. */
static const char *const ignored[] = { "z", "Z", "copy", "cached", "delegated", "consistent" };

static bool is_ignored(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		if (strcmp(word, ignored[i]) == 0)
			return true;
	return false;
}

/* Of mount_options[], those that a mount of the user's may have. */
static bool is_allowed(const char *word)
{
	static const unsigned int kinds = 1u << OPTION_NONE | 1u << OPTION_ATTR |
					  1u << OPTION_ATTR_RECURSIVE | 1u << OPTION_PROPAGATION |
					  1u << OPTION_BIND;
	const struct mount_option *o = mount_option_find(word);

	return o && kinds >> o->kind & 1;
}

/* tmpfs(5) */
static bool is_of_tmpfs(const char *word)
{
	static const char *const keys[] = { "size=", "mode=",	   "uid=",	"gid=",
					    "huge=", "nr_inodes=", "nr_blocks=" };
	const struct mount_option *o = mount_option_find(word);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strncmp(word, keys[i], strlen(keys[i])) == 0)
			return word[strlen(keys[i])];
	return o && (o->kind == OPTION_ATTR || o->kind == OPTION_NONE || o->kind == OPTION_COPY_UP);
}

static void append(struct imaging *im, struct mount_wish *w, const char *word)
{
	w->options = w->options ? arena_printf(&im->a, "%s,%s", w->options, word)
				: arena_strdup(&im->a, word);
}

static int read_option(struct imaging *im, const char *word, struct mount_wish *ret)
{
	if (ret->tmpfs && is_of_tmpfs(word)) {
		append(im, ret, word);
	} else if (!ret->tmpfs && strcmp(word, "nocopy") == 0) {
		ret->empty = true;
	} else if (!ret->tmpfs && !ret->named && strcmp(word, "create") == 0) {
		ret->create = true;
	} else if (!ret->tmpfs && is_allowed(word)) {
		append(im, ret, word);
	} else if (ret->tmpfs || !is_ignored(word)) {
		return err_set(im->err, EINVAL, "%s: \"%s\" is no option of a %s", ret->option,
			       word, ret->tmpfs ? "tmpfs" : "volume");
	}
	return 0;
}

int imaging_read_options(struct imaging *im, char *list, struct mount_wish *ret)
{
	char *word;

	while ((word = strsep(&list, ","))) {
		int r = *word ? read_option(im, word, ret) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* All of --mount, before it is known what counts. */
struct words {
	const char *type, *source, *target, *propagation, *size, *mode;
	bool read_only, not_below, create, empty, lend;
};

enum word_kind { WORD_TEXT, WORD_FLAG, WORD_IGNORED };

static const struct {
	const char *key, *type; /* type: the one that it belongs to; NULL: any */
	enum word_kind kind;
	size_t offset;
} keys[] = {
	{ "type", NULL, WORD_TEXT, offsetof(struct words, type) },
	{ "source", NULL, WORD_TEXT, offsetof(struct words, source) },
	{ "src", NULL, WORD_TEXT, offsetof(struct words, source) },
	{ "target", NULL, WORD_TEXT, offsetof(struct words, target) },
	{ "destination", NULL, WORD_TEXT, offsetof(struct words, target) },
	{ "dst", NULL, WORD_TEXT, offsetof(struct words, target) },
	{ "readonly", NULL, WORD_FLAG, offsetof(struct words, read_only) },
	{ "ro", NULL, WORD_FLAG, offsetof(struct words, read_only) },
	{ "consistency", NULL, WORD_IGNORED, 0 },
	{ "relabel", NULL, WORD_IGNORED, 0 },
	{ "bind-propagation", "bind", WORD_TEXT, offsetof(struct words, propagation) },
	{ "bind-nonrecursive", "bind", WORD_FLAG, offsetof(struct words, not_below) },
	{ "bind-create-src", "bind", WORD_FLAG, offsetof(struct words, create) },
	{ "lend", "bind", WORD_FLAG, offsetof(struct words, lend) },
	{ "volume-nocopy", "volume", WORD_FLAG, offsetof(struct words, empty) },
	{ "tmpfs-size", "tmpfs", WORD_TEXT, offsetof(struct words, size) },
	{ "tmpfs-mode", "tmpfs", WORD_TEXT, offsetof(struct words, mode) },
};

static int bad(struct imaging *im, const char *word, const char *why)
{
	return err_set(im->err, EINVAL, "--mount: \"%s\": %s", word, why);
}

static int store_flag(struct imaging *im, const char *word, const char *value, bool *ret)
{
	if (!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*ret = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*ret = false;
	else
		return bad(im, word, "expected true or false");
	return 0;
}

static int store_word(struct imaging *im, const char *word, struct words *ret)
{
	char *value = arena_strdup(&im->a, word), *key = strsep(&value, "=");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char *at = (char *)ret + keys[i].offset;

		if (strcmp(keys[i].key, key) != 0)
			continue;
		if (keys[i].type && strcmp(keys[i].type, ret->type) != 0)
			return bad(im, word,
				   arena_printf(&im->a, "that is for type=%s", keys[i].type));
		if (keys[i].kind == WORD_FLAG)
			return store_flag(im, word, value, (bool *)at);
		if (!value || (!*value && keys[i].kind == WORD_TEXT))
			return bad(im, word, "expected a value");
		if (keys[i].kind == WORD_TEXT)
			*(const char **)at = value;
		return 0;
	}
	return bad(im, word, "no key that is known");
}

/* The next of the words between commas, unquoted in place: a word, or all of it, may stand in quotes as in a
 * CSV file, where two of them stand for one. NULL: none is left. */
static char *next_word(char **rest)
{
	char *from = *rest, *to = from, *start = from;
	bool quoted = false;

	if (!from)
		return NULL;
	for (; *from && (quoted || *from != ','); from++) {
		if (*from == '"' && quoted && from[1] == '"')
			*to++ = *from++;
		else if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return start;
}

/* Whatever its place, the type says what the others mean. */
static const char *find_type(struct imaging *im, const char *text)
{
	char *rest = arena_strdup(&im->a, text), *word;
	const char *type = "volume"; /* as docker has it */

	while ((word = next_word(&rest)))
		if (strncmp(word, "type=", 5) == 0)
			type = word + 5;
	return type;
}

static bool is_propagation(const char *word)
{
	const struct mount_option *o = mount_option_find(word);

	return o && o->kind == OPTION_PROPAGATION;
}

static int read_tmpfs(struct imaging *im, const struct words *w, struct mount_wish *ret)
{
	int64_t size;

	if (w->source)
		return bad(im, w->source, "a tmpfs has no source");
	if (w->size && !convert_bytes(w->size, &size))
		return bad(im, w->size, "expected a size like 64m");
	if (w->mode && (strspn(w->mode, "01234567") != strlen(w->mode) || strlen(w->mode) > 5))
		return bad(im, w->mode, "expected a mode like 1777");
	if (w->size)
		append(im, ret, arena_printf(&im->a, "size=%lld", (long long)size));
	if (w->mode)
		append(im, ret, arena_printf(&im->a, "mode=%s", w->mode));
	return 0;
}

static int read_bind(struct imaging *im, const struct words *w, struct mount_wish *ret)
{
	if (!w->source || w->source[0] != '/')
		return bad(im, w->source ? w->source : "",
			   "the source of a bind mount is absolute");
	if (w->propagation && !is_propagation(w->propagation))
		return bad(im, w->propagation, "expected a propagation like rslave");
	if (w->propagation)
		append(im, ret, w->propagation);
	if (w->not_below)
		append(im, ret, "bind");
	return 0;
}

int imaging_read_mount(struct imaging *im, const char *text, struct mount_wish *ret)
{
	struct words w = { .type = find_type(im, text) };
	char *rest = arena_strdup(&im->a, text), *word;
	int r = 0;

	*ret = (struct mount_wish){ .option = "--mount" };
	ret->tmpfs = strcmp(w.type, "tmpfs") == 0;
	ret->named = strcmp(w.type, "volume") == 0;
	if (!ret->tmpfs && !ret->named && strcmp(w.type, "bind") != 0)
		return bad(im, w.type, "expected the type bind, volume or tmpfs");
	while (r == 0 && (word = next_word(&rest)))
		r = store_word(im, word, &w);
	if (r == 0 && !w.target)
		r = bad(im, text, "a target is missing");
	if (r == 0 && !ret->named)
		r = ret->tmpfs ? read_tmpfs(im, &w, ret) : read_bind(im, &w, ret);
	if (r == 0 && w.read_only)
		append(im, ret, "ro");
	ret->source = w.source;
	ret->target = w.target;
	ret->empty = w.empty;
	ret->lend = w.lend;
	ret->create = w.create;
	return r;
}
