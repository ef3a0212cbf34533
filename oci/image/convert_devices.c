/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of the host, as they are there: number, mode and owners are looked up. */
#include "oci/image/convert_private.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A directory of them, like /dev/snd, and what is below it. */
#define MAX_DEPTH 4
#define MAX_DEVICES 1024

struct devices {
	const struct convert_opts *opts;
	struct spec_linux *l;
	const char *access;
	struct arena *a;
	struct err *err;
};

static bool is_access(const char *text)
{
	return *text && strlen(text) <= 3 && strspn(text, "rwm") == strlen(text);
}

static void append_rule(struct devices *d, const struct cg_device_rule *rule)
{
	size_t n = d->l->resources.devices.count;
	struct cg_device_rule *items = arena_calloc(d->a, n + 1, sizeof(*items));

	if (n)
		memcpy(items, d->l->resources.devices.items, n * sizeof(*items));
	items[n] = *rule;
	d->l->resources.devices.items = items;
	d->l->resources.devices.count = n + 1;
}

static void append_device(struct devices *d, const struct spec_device *device)
{
	size_t n = d->l->devices.count;
	struct spec_device *items = arena_calloc(d->a, n + 1, sizeof(*items));

	if (n)
		memcpy(items, d->l->devices.items, n * sizeof(*items));
	items[n] = *device;
	d->l->devices.items = items;
	d->l->devices.count = n + 1;
}

static int add_node(struct devices *d, const char *host, const char *inside, const struct stat *st)
{
	const struct opt_i64 major_ = { true, major(st->st_rdev) },
			     minor_ = { true, minor(st->st_rdev) };
	char *type = arena_strdup(d->a, S_ISBLK(st->st_mode) ? "b" : "c");
	const struct spec_device device = {
		.path = arena_strdup(d->a, inside),
		.type = type,
		.major = major_,
		.minor = minor_,
		.file_mode = { true, st->st_mode & 0777 },
		.uid = { true, st->st_uid },
		.gid = { true, st->st_gid },
	};
	const struct cg_device_rule rule = { true, type, major_, minor_,
					     arena_strdup(d->a, d->access) };

	/* There the host's own node is mounted, on its own path. */
	if ((d->opts->rootless || d->opts->uid_mappings.count) && strcmp(host, inside) != 0)
		return err_set(
			d->err, EINVAL,
			"device \"%.80s\": a container with a user namespace has it by no other "
			"name than the host",
			host);
	if (d->l->devices.count >= MAX_DEVICES)
		return err_set(d->err, E2BIG, "device \"%.80s\": more than %d", host, MAX_DEVICES);
	append_device(d, &device);
	if (!d->opts->rootless)
		append_rule(d, &rule);
	return 0;
}

static int add_path(struct devices *d, const char *host, const char *inside, int depth);

static int add_directory(struct devices *d, const char *host, const char *inside, int depth)
{
	struct strv names;
	int r = depth < MAX_DEPTH ? file_list(AT_FDCWD, host, d->a, &names, d->err)
				  : err_set(d->err, ELOOP, "device \"%.80s\": too deep", host);

	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = add_path(d, arena_printf(d->a, "%s/%s", host, names.items[i]),
			     arena_printf(d->a, "%s/%s", inside, names.items[i]), depth + 1);
	return r;
}

/* A name of udev's is a link; in a directory those are passed over, as what they name is there too. */
static int add_path(struct devices *d, const char *host, const char *inside, int depth)
{
	struct stat st;

	if (fstatat(AT_FDCWD, host, &st, depth ? AT_SYMLINK_NOFOLLOW : 0) < 0)
		return err_errno(d->err, "device \"%.80s\"", host);
	if (S_ISDIR(st.st_mode))
		return add_directory(d, host, inside, depth);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return add_node(d, host, inside, &st);
	return depth ? 0 : err_set(d->err, ENODEV, "device \"%.80s\": it is none", host);
}

/* Where it is below /dev, a path that is no other's. */
static bool is_place(const char *path)
{
	return path[0] == '/' && path[1] && path[strlen(path) - 1] != '/' && !strstr(path, "//") &&
	       !strstr(path, "/./") && !strstr(path, "/../") &&
	       strcmp(strrchr(path, '/'), "/.") != 0 && strcmp(strrchr(path, '/'), "/..") != 0;
}

/* "HOST[:CONTAINER][:ACCESS]" */
static int add_device(struct devices *d, const char *text)
{
	char *rest = arena_strdup(d->a, text), *host = strsep(&rest, ":"),
	     *inside = strsep(&rest, ":");

	d->access = rest ? rest : "rwm";
	if (inside && !rest && is_access(inside)) {
		d->access = inside;
		inside = NULL;
	}
	inside = inside ? inside : host;
	if (!is_place(host) || !is_place(inside) || !is_access(d->access))
		return err_set(d->err, EINVAL, "device \"%.80s\" is not HOST[:CONTAINER][:rwm]",
			       text);
	return add_path(d, host, inside, 0);
}

int convert_devices(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
		    struct err *err)
{
	struct devices d = { .opts = opts, .l = l, .a = a, .err = err };

	for_each (text, &opts->devices) {
		int r = add_device(&d, *text);

		if (r < 0)
			return r;
	}
	return 0;
}
