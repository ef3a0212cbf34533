/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/reference.h"

#include "oci/image/digest.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME 255
#define MAX_TAG 128
/* Of a file's name: NAME_MAX less room for what a temporary file adds. */
#define MAX_FILE (NAME_MAX - 15)
#define DEFAULT_TAG "latest"
/* What a name without a domain means to everybody who types one. */
#define DEFAULT_DOMAIN "docker.io"
#define DEFAULT_DIRECTORY "library/"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define ALNUM LOWER UPPER DIGITS

/* A run of a path: "a", "a.b", "a_b", "a__b", "a--b". Returns what follows it, or NULL. */
static const char *skip_path_part(const char *s)
{
	for (;;) {
		size_t n = strspn(s, LOWER DIGITS), dashes;

		if (!n)
			return NULL;
		s += n;
		dashes = strspn(s, "-");
		if (dashes)
			s += dashes;
		else if (s[0] == '_' && s[1] == '_')
			s += 2;
		else if (s[0] == '_' || s[0] == '.')
			s++;
		else
			return s;
	}
}

static bool path_valid(const char *s)
{
	for (; (s = skip_path_part(s)) && *s == '/'; s++)
		;
	return s && !*s;
}

static bool port_valid(const char *s)
{
	size_t n = strspn(s, DIGITS);

	return n > 0 && n <= 5 && !s[n];
}

/* "[fd00::1]" or "[fd00::1]:5000" */
static bool address_valid(const char *s)
{
	size_t n = strspn(s + 1, "abcdefABCDEF" DIGITS ":");

	if (!n || s[1 + n] != ']')
		return false;
	s += n + 2;
	return !*s || (*s == ':' && port_valid(s + 1));
}

static bool domain_valid(const char *s)
{
	if (*s == '[')
		return address_valid(s);
	for (;;) {
		size_t n = strspn(s, ALNUM "-");

		if (!n || s[0] == '-' || s[n - 1] == '-')
			return false;
		s += n;
		if (*s != '.')
			break;
		s++;
	}
	return !*s || (*s == ':' && port_valid(s + 1));
}

/* The first part of a name is a domain only when it cannot be a directory of the default one. */
static bool is_domain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(".:[" UPPER, s[i]))
			return true;
	return len == strlen("localhost") && strncmp(s, "localhost", len) == 0;
}

static bool same_domain(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

/* The name of a reference without tag and digest, in its one form. */
static int read_name(char *text, struct arena *a, char **ret, const char **ret_wrong)
{
	const char *slash = strchr(text, '/'), *domain = NULL;
	char *path = text;

	if (slash && is_domain(text, (size_t)(slash - text))) {
		path += slash - text + 1;
		path[-1] = '\0';
		domain = text;
	}
	*ret_wrong = NULL;
	if (domain && !domain_valid(domain))
		*ret_wrong = "the part before the first \"/\" is no host name";
	else if (!path_valid(path))
		*ret_wrong = "a name is lower-case letters and digits, with single \".\", \"_\", "
			     "\"-\" and \"/\" between them";
	if (*ret_wrong)
		return -EINVAL;
	if (same_domain(domain, DEFAULT_DOMAIN) || same_domain(domain, "index." DEFAULT_DOMAIN))
		domain = NULL;
	if (!domain && strncmp(path, DEFAULT_DIRECTORY, strlen(DEFAULT_DIRECTORY)) == 0 &&
	    !strchr(path + strlen(DEFAULT_DIRECTORY), '/'))
		path += strlen(DEFAULT_DIRECTORY);
	slash = strchr(path, '/');
	if (!domain && slash && is_domain(path, (size_t)(slash - path)))
		domain = DEFAULT_DOMAIN; /* without it the directory would be a domain */
	*ret = domain ? arena_printf(a, "%s/%s", domain, path) : path;
	if (strlen(*ret) > MAX_NAME)
		*ret_wrong = "longer than 255 bytes";
	else if (!domain && strlen(path) == 64 && strspn(path, "abcdef" DIGITS) == 64)
		*ret_wrong = "64 hexadecimal digits name an image by its digest";
	else if (!domain && (strcmp(path, "sha256") == 0 || strcmp(path, "sha512") == 0))
		*ret_wrong = "what begins like a digest names an image by its ID";
	return *ret_wrong ? -EINVAL : 0;
}

static const char *tag_wrong(const char *tag)
{
	size_t n = strspn(tag, ALNUM "_.-");

	if (!n || tag[n] || tag[0] == '.' || tag[0] == '-')
		return "a tag is letters, digits, \"_\", \".\" and \"-\", the first neither \".\" "
		       "nor \"-\"";
	return n > MAX_TAG ? "its tag is longer than 128 bytes" : NULL;
}

/* Cuts text at its last ":" when that starts a tag and not a port. */
static char *cut_tag(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon || strchr(colon, '/'))
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static int parse(char *text, struct arena *a, struct reference *ret, const char **ret_wrong)
{
	char *at = strchr(text, '@');

	*ret = (struct reference){ 0 };
	if (at) {
		*at = '\0';
		ret->digest = at + 1;
		*ret_wrong = "its digest is none that is known (sha256:, sha512:)";
		if (!digest_valid(ret->digest))
			return -EINVAL;
	}
	ret->tag = cut_tag(text);
	*ret_wrong = ret->tag ? tag_wrong(ret->tag) : NULL;
	if (*ret_wrong)
		return -EINVAL;
	if (!ret->tag && !ret->digest)
		ret->tag = arena_strdup(a, DEFAULT_TAG);
	if (read_name(text, a, &ret->name, ret_wrong) < 0)
		return -EINVAL;
	ret->text = ret->digest ? arena_printf(a, "%s@%s", ret->name, ret->digest)
				: arena_printf(a, "%s:%s", ret->name, ret->tag);
	*ret_wrong = "too long to be kept";
	return strlen(reference_to_file(ret->text, a)) > MAX_FILE ? -EINVAL : 0;
}

/* For messages: a start of what was given, without control characters. */
static char *shown(const char *text, struct arena *a)
{
	char *copy = arena_strndup(a, text, strnlen(text, 80));

	for (char *c = copy; *c; c++)
		if (iscntrl((unsigned char)*c) || !isascii((unsigned char)*c))
			*c = '?';
	return copy;
}

int reference_parse(const char *text, struct arena *a, struct reference *ret, struct err *err)
{
	const char *wrong = "empty";

	/* No longer text is valid, and none is worth copying. */
	if (strlen(text) > MAX_NAME + 1 + MAX_TAG + DIGEST_SIZE + 64)
		wrong = "too long";
	else if (*text && parse(arena_strdup(a, text), a, ret, &wrong) == 0)
		return 0;
	return err_set(err, EINVAL, "image name \"%s\": %s", shown(text, a), wrong);
}

static bool plain_in_file(char c)
{
	return c && strchr(ALNUM ".:@_-", c);
}

char *reference_to_file(const char *text, struct arena *a)
{
	char *file = arena_alloc(a, 3 * strlen(text) + 1), *end = file;

	for (const char *c = text; *c; c++) {
		if (plain_in_file(*c) && !(c == text && *c == '.'))
			*end++ = *c;
		else
			end += snprintf(end, 4, "%%%02X", (unsigned char)*c);
	}
	return file;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *reference_from_file(const char *file, struct arena *a)
{
	char *text = arena_strdup(a, file), *end = text;
	struct reference r;
	struct err ignored;

	for (const char *c = file; *c; c++) {
		int high, low;

		if (*c != '%') {
			*end++ = *c;
			continue;
		}
		high = hex_digit(c[1]);
		low = high < 0 ? -1 : hex_digit(c[2]);
		if (low < 0 || high * 16 + low == 0)
			return NULL;
		*end++ = (char)(high * 16 + low);
		c += 2;
	}
	*end = '\0';
	/* One reference has one file: another spelling of either is none. */
	if (strcmp(reference_to_file(text, a), file) != 0 ||
	    reference_parse(text, a, &r, &ignored) < 0 || strcmp(r.text, text) != 0)
		return NULL;
	return text;
}
