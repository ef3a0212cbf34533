/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/extract.h"

#include "lib/cleanup.h"
#include "oci/image/extract_private.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

int extract_new(const struct extract_opts *opts, struct extract **ret, struct err *err)
{
	struct extract *x = calloc(1, sizeof(*x));

	if (!x)
		return err_set(err, ENOMEM, "out of memory");
	x->opts = *opts;
	if (!x->opts.max_entries)
		x->opts.max_entries = UINT64_MAX;
	if (!x->opts.max_bytes)
		x->opts.max_bytes = UINT64_MAX;
	x->uid = geteuid();
	x->gid = getegid();
	x->umask = umask(0);
	*ret = x;
	return 0;
}

void extract_free(struct extract *x)
{
	if (!x)
		return;
	extract_dirs_close(x);
	free(x->opaque.slots);
	umask(x->umask);
	free(x);
}

int extract_count(struct extract *x, struct err *err)
{
	if (++x->result.entries > x->opts.max_entries)
		return err_set(err, EFBIG, "the layer has more than %llu entries",
			       (unsigned long long)x->opts.max_entries);
	return 0;
}

static bool has_content(struct archive_entry *entry)
{
	return archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0;
}

static int plain(struct extract *x, struct archive *archive, struct archive_entry *entry,
		 struct err *err)
{
	bool is_dir = archive_entry_filetype(entry) == AE_IFDIR && !archive_entry_hardlink(entry);
	bool first_pass = x->opts.whiteouts_only;
	struct extract_dir *dir;
	const char *leaf;
	size_t len;
	int r;

	if (first_pass && !is_dir)
		return 0;
	if (!*x->path)
		return first_pass ? 0 : extract_root(x, entry, err);
	leaf = extract_leaf(x->path, &len);
	r = extract_dir(x, x->path, len, !first_pass, &dir, err);
	if (r == -ENOENT && first_pass)
		return 0;
	if (r == -ENOENT && !x->opts.merged) {
		x->result.needs_lower = x->result.replaced = true;
		return 0;
	}
	if (r == -ENOENT)
		return err_set(err, EINVAL, "its directory is a symbolic link to nowhere");
	if (r < 0)
		return r;
	return first_pass ? extract_make_way(x, dir, leaf, err)
			  : extract_create(x, dir, leaf, archive, entry, err);
}

static int apply(struct extract *x, struct archive *archive, struct archive_entry *entry,
		 const char *name, struct err *err)
{
	enum extract_kind kind;
	int r = extract_count(x, err);

	if (r == 0)
		r = extract_check_ids(entry, err);
	if (r == 0)
		r = extract_clean(name, x->path, err);
	if (r < 0)
		return r;
	if (x->stale)
		extract_dirs_close(x);
	x->stale = false;
	kind = extract_kind(x->path);
	if (kind == EXTRACT_PLAIN)
		return plain(x, archive, entry, err);
	if (kind == EXTRACT_INVALID)
		return err_set(err, EINVAL, "no valid name of a whiteout");
	if (has_content(entry))
		x->result.replaced = true;
	return kind == EXTRACT_IGNORED ? 0 : extract_whiteout(x, kind, err);
}

/* What of a name can be shown in one line. */
static const char *shown(const char *name, char ret[128])
{
	size_t n = 0;

	for (; n < 124 && name[n]; n++)
		ret[n] = (unsigned char)name[n] < 0x20 || name[n] == 0x7f ? '?' : name[n];
	strcpy(ret + n, name[n] ? "..." : "");
	return ret;
}

int extract_entry(struct extract *x, struct archive *archive, struct archive_entry *entry,
		  struct err *err)
{
	const char *name = archive_entry_pathname(entry);
	char text[128];
	int r;

	if (!name)
		return err_set(err, EINVAL, "an entry without a name that can be read");
	r = apply(x, archive, entry, name, err);
	if (r < 0)
		err_prefix(err, "entry \"%s\"", shown(name, text));
	return r;
}

int extract_finish(struct extract *x, struct extract_result *ret, struct err *err)
{
	int r;

	extract_dirs_close(x);
	r = extract_sweep(x, err);
	if (r == 0)
		*ret = x->result;
	return r;
}
