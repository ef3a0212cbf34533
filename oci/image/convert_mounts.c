/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/convert_private.h"

#include "oci/mount_options.h"

#include <errno.h>
#include <string.h>

static struct strv split(const char *list, struct arena *a)
{
	char *rest = arena_strdup(a, list ? list : ""), *word;
	struct strv ret = { NULL, 0 };
	size_t n = 2;

	for (const char *c = rest; *c; c++)
		n += *c == ',';
	ret.items = arena_calloc(a, n, sizeof(*ret.items));
	while ((word = strsep(&rest, ",")))
		if (*word)
			ret.items[ret.count++] = word;
	return ret;
}

static bool has_kind(const struct strv *options, enum mount_option_kind kind)
{
	for_each (s, options) {
		const struct mount_option *o = mount_option_find(*s);

		if (o && o->kind == kind)
			return true;
	}
	return false;
}

/* In front of the user's, which win where both speak of the same. */
static void add_options(struct spec_mount *m, bool tmpfs, const struct strv *asked, struct arena *a)
{
	m->options.items = arena_calloc(a, asked->count + 4, sizeof(*m->options.items));
	if (tmpfs) {
		m->options.items[m->options.count++] = arena_strdup(a, "nosuid");
		m->options.items[m->options.count++] = arena_strdup(a, "nodev");
		m->options.items[m->options.count++] = arena_strdup(a, "noexec");
	} else {
		if (!has_kind(asked, OPTION_BIND))
			m->options.items[m->options.count++] = arena_strdup(a, "rbind");
		if (!has_kind(asked, OPTION_PROPAGATION))
			m->options.items[m->options.count++] = arena_strdup(a, "rprivate");
	}
	for_each (s, asked)
		m->options.items[m->options.count++] = *s;
}

/* Only a plain path can be compared with the destinations of other mounts. */
static bool plain_path(const char *path)
{
	size_t len = strlen(path);

	return len > 1 && path[0] == '/' && path[len - 1] != '/' && !strstr(path, "//") &&
	       !strstr(path, "/./") && !strstr(path, "/../") &&
	       strcmp(strrchr(path, '/'), "/.") != 0 && strcmp(strrchr(path, '/'), "/..") != 0;
}

static int check_mount(const struct convert_mount *m, struct err *err)
{
	if (!m->destination || !plain_path(m->destination))
		return err_set(err, EINVAL,
			       "mount on \"%.80s\": not an absolute path below \"/\" without \".\" "
			       "and \"..\"",
			       m->destination ? m->destination : "");
	if (convert_guards(m->destination))
		return err_set(err, EINVAL,
			       "mount on %.80s: nothing can be mounted on /proc, /sys and /dev",
			       m->destination);
	if (!m->tmpfs && (!m->source || m->source[0] != '/'))
		return err_set(err, EINVAL, "mount on %.80s: source \"%.80s\" is not absolute",
			       m->destination, m->source ? m->source : "");
	return 0;
}

/* What the kernel shows there is the runtime's to guard (CVE-2019-16884, CVE-2019-19921). */
bool convert_guards(const char *path)
{
	static const char *const guarded[] = { "/proc", "/sys", "/dev" };

	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		size_t len = strlen(guarded[i]);

		if (strncmp(path, guarded[i], len) == 0 && (!path[len] || path[len] == '/'))
			return strcmp(path, "/dev/shm") != 0 && strcmp(path, "/dev/mqueue") != 0;
	}
	return false;
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* A mount must not hide one that was asked for below it, in whatever order they came. */
static void sort_by_depth(struct spec_mount *mounts, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = i;
		     j > 0 && depth(mounts[j - 1].destination) > depth(mounts[j].destination);
		     j--) {
			struct spec_mount m = mounts[j];

			mounts[j] = mounts[j - 1];
			mounts[j - 1] = m;
		}
}

/* What the user mounts takes the place of a default on the same path: order matters below it. */
static struct spec_mount *place_for(struct spec *spec, const char *destination)
{
	for_each (m, &spec->mounts) {
		if (strcmp(m->destination, destination) == 0)
			return m;
	}
	return &spec->mounts.items[spec->mounts.count++];
}

int convert_mounts(const struct convert_opts *opts, struct arena *a, struct spec *spec,
		   struct err *err)
{
	size_t defaults = spec->mounts.count;
	struct spec_mount *all =
		arena_calloc(a, spec->mounts.count + opts->mounts.count, sizeof(*all));

	for (size_t i = 0; i < spec->mounts.count; i++)
		all[i] = spec->mounts.items[i];
	spec->mounts.items = all;
	for_each (asked, &opts->mounts) {
		struct strv options = split(asked->options, a);
		struct spec_mount m = { 0 };
		int r = check_mount(asked, err);

		if (r < 0)
			return r;
		m.destination = arena_strdup(a, asked->destination);
		m.type = arena_strdup(a, asked->tmpfs ? "tmpfs" : "bind");
		m.source = arena_strdup(a, asked->tmpfs ? "tmpfs" : asked->source);
		add_options(&m, asked->tmpfs, &options, a);
		*place_for(spec, m.destination) = m;
	}
	sort_by_depth(all + defaults, spec->mounts.count - defaults);
	return 0;
}
