/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive reading tar, and nothing else of it: no other format (most of its holes were there),
 * no filter, no writing to disk.
 */
#include "oci/image/extract.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

struct source {
	extract_pull *pull;
	void *arg;
	int failed;
	struct err err;
};

static la_ssize_t on_read(struct archive *archive, void *arg, const void **ret)
{
	struct source *s = arg;
	ssize_t n = s->pull(s->arg, ret, &s->err);

	if (n < 0) {
		s->failed = (int)n;
		archive_set_error(archive, EIO, "reading failed");
	}
	return n;
}

/* Names that are no UTF-8 come as the bytes that they are; every other warning means that something
 * was left out. */
static bool is_charset_warning(struct archive *archive)
{
	const char *text = archive_error_string(archive);

	return text && strstr(text, "can't be converted from");
}

static int archive_failed(struct archive *archive, const struct source *s, struct err *err)
{
	const char *text = archive_error_string(archive);

	if (s->failed) {
		*err = s->err;
		return s->failed;
	}
	if (archive_errno(archive) == ENOMEM)
		return err_set(err, EBADMSG, "the tar needs more memory than it may use");
	return err_set(err, EINVAL, "broken tar: %s", text ? text : "no reason given");
}

static int read_entries(struct extract *x, struct archive *archive, const struct source *s,
			struct err *err)
{
	for (;;) {
		struct archive_entry *entry;
		int r = archive_read_next_header(archive, &entry);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && is_charset_warning(archive)))
			return archive_failed(archive, s, err);
		r = extract_entry(x, archive, entry, err);
		if (r < 0 && s->failed)
			return archive_failed(archive, s, err);
		if (r < 0)
			return r;
	}
}

static struct archive *new_archive(void)
{
	struct archive *archive = archive_read_new();

	if (archive && (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
			archive_read_support_format_empty(archive) != ARCHIVE_OK)) {
		archive_read_free(archive);
		return NULL;
	}
	return archive;
}

void extract_prepare(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
}

int extract_archive(struct extract *x, extract_pull *pull, void *arg, struct err *err)
{
	struct source s = { .pull = pull, .arg = arg };
	struct archive *archive;
	int r;

	extract_prepare();
	archive = new_archive();
	if (!archive)
		return err_set(err, ENOMEM, "out of memory");
	r = archive_read_open(archive, &s, NULL, on_read, NULL);
	r = r == ARCHIVE_OK ? read_entries(x, archive, &s, err) : archive_failed(archive, &s, err);
	archive_read_free(archive);
	return r;
}
