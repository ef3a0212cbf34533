/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images, of their files in the store, digests and platforms. What is taken has one form,
 * whose file name is one name (not hidden, no path) and leads back to it.
 */
#include "lib/cleanup.h"
#include "oci/image/digest.h"
#include "oci/image/platform.h"
#include "oci/image/reference.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_message(const struct err *err)
{
	check(err->msg[0] && !strchr(err->msg, '\n') && err->code == -EINVAL);
}

static void reference(const char *text, struct arena *a)
{
	struct reference r, again;
	struct err err = { 0 };
	char *file, *back;

	if (reference_parse(text, a, &r, &err) < 0) {
		check_message(&err);
		return;
	}
	check(strlen(r.name) <= 255 && (!r.tag || strlen(r.tag) <= 128) && (r.tag || r.digest));
	check(!r.digest || digest_valid(r.digest));
	/* A tag may have dots as it likes: it is never a path's part by itself. */
	check(!strstr(r.name, "..") && r.text[0] != '/');
	check(reference_parse(r.text, a, &again, &err) == 0 && strcmp(again.text, r.text) == 0);
	check(strcmp(again.name, r.name) == 0);
	file = reference_to_file(r.text, a);
	check(*file && *file != '.' && !strchr(file, '/') && strlen(file) <= NAME_MAX);
	back = reference_from_file(file, a);
	check(back && strcmp(back, r.text) == 0);
}

static void file_name(const char *text, struct arena *a)
{
	char *file = reference_to_file(text, a), *back = reference_from_file(text, a);

	check(!strchr(file, '/') && file[0] != '.');
	if (back)
		check(strcmp(reference_to_file(back, a), text) == 0);
}

static void digest(const char *text)
{
	if (!digest_valid(text))
		return;
	check(strlen(text) < DIGEST_SIZE && !strchr(text, '/') && !strchr(text, '.'));
	check(strlen(digest_hex(text)) == (strncmp(text, "sha256:", 7) == 0 ? 64 : 128));
}

static void platform(const char *text, struct arena *a)
{
	struct platform_list list, again;
	struct err err = { 0 };
	char *one_form;

	if (platform_parse(text, a, &list, &err) < 0) {
		check_message(&err);
		return;
	}
	check(list.count == 1 && platform_rank(&list, list.items, a) == 0);
	one_form = platform_text(list.items, a);
	check(platform_parse(one_form, a, &again, &err) == 0);
	check(strcmp(platform_text(again.items, a), one_form) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoarena a = ARENA_INIT;
	char *text = arena_strndup(&a, (const char *)data, size);

	reference(text, &a);
	file_name(text, &a);
	digest(text);
	platform(text, &a);
	check(platform_amd64_level(text) >= 1 && platform_amd64_level(text) <= 4);
	return 0;
}
