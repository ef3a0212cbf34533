/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/image/digest.h"
#include "oci/image/ingest.h"
#include "oci/image/reference.h"
#include "oci/image/save.h"
#include "oci/image/save_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define LIST_MAX ((size_t)16 << 20)

struct save_options {
	const char *output, *format, *missing_from, *compress;
};

#define SAVE_OPTION(name, letter, member, value, help)                                             \
	{                                                                                          \
		name, letter, OPT_STRING, offsetof(struct save_options, member), value, help       \
	}

static const struct option items[] = {
	SAVE_OPTION("output", 'o', output, "FILE", "write to FILE instead of stdout"),
	SAVE_OPTION("format", 0, format, "FORM", "oci (default, Docker reads it too) or docker"),
	SAVE_OPTION("missing-from", 0, missing_from, "LIST",
		    "leave out the layers in LIST: \"tote images --layers\" of the target"),
	SAVE_OPTION("compress", 0, compress, "METHOD", "none (default), gzip or zstd"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static const char *const formats[] = { [SAVE_OCI] = "oci", [SAVE_DOCKER] = "docker", NULL };
static const char *const methods[] = {
	[COMPRESSION_NONE] = "none", [COMPRESSION_GZIP] = "gzip", [COMPRESSION_ZSTD] = "zstd", NULL
};

static int choose(const char *option, const char *const *names, const char *given, int *ret,
		  struct err *err)
{
	*ret = 0;
	for (int i = 0; given && names[i]; i++)
		if (strcmp(given, names[i]) == 0) {
			*ret = i;
			return 0;
		}
	return given ? err_set(err, EINVAL, "--%s: \"%s\" is not known", option, given) : 0;
}

static int read_options(const struct save_options *o, struct save_opts *ret, struct err *err)
{
	int format, compression, r = choose("format", formats, o->format, &format, err);

	if (r == 0)
		r = choose("compress", methods, o->compress, &compression, err);
	if (r < 0)
		return r;
	ret->format = (enum save_format)format;
	ret->compression = (enum compression)compression;
	if (format == SAVE_DOCKER && o->missing_from)
		return err_set(err, EINVAL, "--missing-from: --format docker cannot leave out any");
	if (format == SAVE_DOCKER && compression != COMPRESSION_NONE)
		return err_set(err, EINVAL,
			       "--compress: layers of --format docker are not compressed");
	return 0;
}

static int parse_list(char *text, const char *name, struct arena *a, struct strv *ret,
		      struct err *err)
{
	size_t lines = 1, number = 0;
	char *line, *rest = text;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	ret->items = arena_calloc(a, lines + 1, sizeof(*ret->items));
	while ((line = strsep(&rest, "\n"))) {
		size_t end = strlen(line);

		number++;
		while (end && (line[end - 1] == ' ' || line[end - 1] == '\r'))
			line[--end] = '\0';
		if (!end)
			continue;
		if (!digest_valid(line))
			return err_set(err, EINVAL, "%s: line %zu is no digest", name, number);
		ret->items[ret->count++] = line;
	}
	return 0;
}

static int read_list(const char *path, struct arena *a, struct strv *ret, struct err *err)
{
	bool is_stdin = path && strcmp(path, "-") == 0;
	char *text;
	size_t len;
	int r;

	if (!path)
		return 0;
	r = is_stdin ? file_read_fd(STDIN_FILENO, "stdin", LIST_MAX, a, &text, &len, err)
		     : file_read(AT_FDCWD, path, LIST_MAX, a, &text, &len, err);
	return r < 0 ? r : parse_list(text, is_stdin ? "stdin" : path, a, ret, err);
}

/* The one name that was asked for; who asked by an ID gets all there are. */
static struct strv choose_names(const char *asked, const struct listed_image *image,
				struct arena *a)
{
	struct strv ret = { arena_calloc(a, 2, sizeof(char *)), 1 };
	struct reference ref;
	struct err ignored;

	if (reference_parse(asked, a, &ref, &ignored) < 0)
		return image->references;
	for (int local = 0; local < 2; local++)
		for_each (name, &image->references)
			if (strcmp(*name, local ? arena_printf(a, "localhost/%s", ref.text)
						: ref.text) == 0) {
				ret.items[0] = *name;
				return ret;
			}
	return image->references;
}

static struct save_image *find_image(struct save_image *images, size_t count, const char *digest)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(images[i].record.digest, digest) == 0)
			return &images[i];
	return NULL;
}

static void add_names(struct save_image *image, const struct strv *names, struct arena *a)
{
	struct strv all = { arena_calloc(a, image->names.count + names->count + 1, sizeof(char *)),
			    0 };

	for_each (name, &image->names)
		all.items[all.count++] = *name;
	for_each (name, names) {
		bool known = false;

		for_each (have, &all)
			known |= strcmp(*have, *name) == 0;
		if (!known)
			all.items[all.count++] = *name;
	}
	image->names = all;
}

static int add_image(const struct store *s, const char *asked, const struct listed_images *all,
		     struct arena *a, struct save_image *images, size_t *count, struct err *err)
{
	struct store_image record;
	struct save_image *image;
	int r = store_find(s, asked, a, &record, err);

	if (r < 0)
		return r;
	image = find_image(images, *count, record.digest);
	if (!image) {
		image = &images[(*count)++];
		*image = (struct save_image){ .record = record };
	}
	for_each (listed, all)
		if (strcmp(listed->image.digest, record.digest) == 0) {
			struct strv names = choose_names(asked, listed, a);

			add_names(image, &names, a);
		}
	return 0;
}

/* Under the store's lock, so that gc does not get between the look at the images and the lease. What
 * a lease does not keep is read here. */
static int choose_images(const struct store *s, struct ingest *in, char **names, size_t count,
			 struct arena *a, struct save_opts *ret, struct err *err)
{
	autofd lock = store_lock(s, false, err);
	struct save_image *images = arena_calloc(a, count, sizeof(*images));
	struct listed_images all;
	size_t n = 0;
	int r = lock < 0 ? lock : list_images(s, a, &all, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_image(s, names[i], &all, a, images, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = save_read_config(s, a, &images[i], err);
		if (r == 0)
			r = ingest_rely_image(in, &images[i].record, err);
	}
	ret->images = images;
	ret->count = n;
	return r;
}

static int save(const struct save_options *o, const struct store *s, char **names, size_t count,
		struct save_opts *opts, struct arena *a, struct err *err)
{
	autosave_file file = SAVE_FILE_INIT;
	autoingest in = INGEST_INIT;
	int r = read_list(o->missing_from, a, &opts->present, err);

	if (r == 0)
		r = ingest_open(s, &in, err);
	if (r == 0)
		r = choose_images(s, &in, names, count, a, opts, err);
	if (r == 0)
		r = save_file_open(o->output, &file, err);
	opts->store = s;
	opts->spool = in.fd;
	opts->interrupted = catch_interrupts();
	if (r == 0)
		r = save_images(opts, file.fd, err);
	if (r < 0 && o->output && r != -EBADMSG && r != -EINTR && file.fd >= 0)
		err_prefix(err, "%s", o->output);
	return r < 0 ? r : save_file_commit(&file, err);
}

static int run(char **args, size_t count, void *opts)
{
	struct save_options *o = opts;
	struct save_opts save_opts = { 0 };
	autostore store = STORE_INIT;
	autoarena a = ARENA_INIT;
	struct err err;
	int r = read_options(o, &save_opts, &err);

	/* Who reads our output no more shall be noticed, and cleaned up after. */
	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = open_store(false, &store, NULL, &err);
	if (r == 0)
		r = save(o, &store, args, count, &save_opts, &a, &err);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_save = { "save", "IMAGE...", "write images to an archive", &table, 1,
				1000,	run,	    sizeof(struct save_options),  0 };
