/* SPDX-License-Identifier: Apache-2.0 */
/* From what a user typed to an image of the store. */
#include "oci/image/store_private.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "oci/image/digest.h"
#include "oci/image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PREFIX_MIN 4
#define SHA256_DIGITS 64

int store_image_load(const struct store *s, const char *digest, struct arena *a,
		     struct store_image *ret, struct err *err)
{
	char path[STORE_NAME_SIZE], *text;
	size_t len;
	int r;

	store_image_path(digest, path);
	r = file_read(s->fd, path, JSON_MAX_SIZE, a, &text, &len, err);
	if (r == 0 && store_image_parse(text, len, a, ret, err) < 0)
		r = err->code = -EBADMSG;
	return r < 0 ? err_prefix(err, "image %.19s", digest) : 0;
}

int store_blob(const struct store *s, const char *digest, struct arena *a, char **ret,
	       size_t *ret_len, struct err *err)
{
	char path[STORE_NAME_SIZE];

	store_blob_path(digest, path);
	return file_read(s->fd, path, JSON_MAX_SIZE, a, ret, ret_len, err);
}

int store_config(const struct store *s, const struct store_image *image, struct arena *a,
		 struct image_config *ret, struct err *err)
{
	char *text;
	size_t len;
	int r = store_blob(s, image->config, a, &text, &len, err);

	if (r < 0 && r != -ENOENT)
		return r;
	/* A load let nothing in that cannot be parsed. */
	if (r == 0)
		r = image_config_parse(text, len, a, ret, err);
	if (r < 0)
		err->code = -EBADMSG;
	return r < 0 ? err_prefix(
			       err,
			       "image is damaged, load it again: configuration %.19s is not whole",
			       image->config)
		     : 0;
}

int store_ref(const struct store *s, const char *reference, struct arena *a, char **ret_digest,
	      struct err *err)
{
	char digest[DIGEST_SIZE + 1];
	const char *file = arena_printf(a, "refs/%s", reference_to_file(reference, a));
	ssize_t r = file_peek(s->fd, file, digest, sizeof(digest));

	if (r == -ENOENT)
		return err_set(err, ENOENT, "no image \"%s\"", reference);
	if (r < 0)
		return err_code(err, (int)r, "read %s", file);
	if (!digest_valid(digest))
		return err_set(err, EBADMSG, "%s holds no digest", file);
	*ret_digest = arena_strdup(a, digest);
	return 0;
}

static int by_reference(const struct store *s, const char *name, struct arena *a, char **ret_digest,
			struct err *err)
{
	struct reference ref;
	int r = reference_parse(name, a, &ref, err);

	if (r < 0)
		return r;
	/* A digest says what is meant; a name beside it could be anybody's. */
	if (ref.digest) {
		*ret_digest = ref.digest;
		return 0;
	}
	r = store_ref(s, ref.text, a, ret_digest, err);
	/* What Podman and Buildah save is named so. */
	if (r == -ENOENT && !strchr(ref.name, '/')) {
		struct err ignored;

		if (store_ref(s, arena_printf(a, "localhost/%s", ref.text), a, ret_digest,
			      &ignored) == 0)
			r = 0;
	}
	return r;
}

/* Of a record that is damaged only the manifest's digest is known. */
static bool begins_with(const struct store *s, const char *digest, const char *digits,
			struct arena *a, const char **ret_id)
{
	struct store_image image;
	struct err broken;
	int r = store_image_load(s, digest, a, &image, &broken);

	*ret_id = r == 0 ? image.config : digest;
	return strncmp(digest_hex(digest), digits, strlen(digits)) == 0 ||
	       (r == 0 && strncmp(digest_hex(image.config), digits, strlen(digits)) == 0);
}

/* An ID or the beginning of one: of the manifest, or of the config as Docker and Podman show it. */
static int by_digits(const struct store *s, const char *digits, struct arena *a, char **ret_digest,
		     struct err *err)
{
	const char *found_id = NULL, *id;
	struct strv names;
	size_t found = 0;
	int r = file_list(s->fd, "images", a, &names, err);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		char *digest = arena_printf(a, "sha256:%s", names.items[i]);

		if (strlen(names.items[i]) != SHA256_DIGITS ||
		    !begins_with(s, digest, digits, a, &id))
			continue;
		/* What differs is how the layers came, not what is in them. */
		if (found && strcmp(found_id, id) == 0)
			continue;
		*ret_digest = digest;
		found_id = id;
		found++;
	}
	if (r == 0 && found != 1)
		r = err_set(err, found ? ENOTUNIQ : ENOENT,
			    found ? "\"%s\" begins the IDs of %zu images" : "no image \"%s\"",
			    digits, found);
	return r;
}

static bool is_digits(const char *name)
{
	size_t len = strlen(name);

	return len >= PREFIX_MIN && len <= SHA256_DIGITS && strspn(name, "0123456789abcdef") == len;
}

int store_find_digest(const struct store *s, const char *name, struct arena *a, char **ret_digest,
		      struct err *err)
{
	bool is_id = strncmp(name, "sha256:", 7) == 0;
	const char *digits = is_id ? name + 7 : name;
	struct err by_id;
	int r = is_id ? -ENOENT : by_reference(s, name, a, ret_digest, err), id;

	if (is_id && !is_digits(digits))
		return err_set(err, EINVAL, "\"%s\" is no image ID", name);
	if ((r != -ENOENT && r != -EINVAL) || !is_digits(digits))
		return r;
	id = by_digits(s, digits, a, ret_digest, &by_id);
	/* Of a name that no image has, the message about names is the better one. */
	if (id < 0 && (is_id || id != -ENOENT))
		*err = by_id;
	return id < 0 && !is_id && id == -ENOENT ? r : id;
}

int store_find(const struct store *s, const char *name, struct arena *a, struct store_image *ret,
	       struct err *err)
{
	char *digest;
	int r = store_find_digest(s, name, a, &digest, err);

	return r < 0 ? r : store_image_load(s, digest, a, ret, err);
}
