/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/scope.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define UNIT_NAME_LONGEST 255 /* as a file name */

/* systemd.unit(5), "Description". '@' is one as well, but makes an instance of a template. */
static bool is_unit_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr(":-_.\\", c));
}

static void escape(const char *text, struct buf *out)
{
	for (; *text; text++) {
		/* A leading dot would be a hidden file. */
		if (is_unit_char(*text) && (*text != '.' || out->len))
			buf_add(out, text, 1);
		else
			buf_addf(out, "\\x%02x", (unsigned char)*text);
	}
}

static int make_unit_name(const char *prefix, const char *name, struct arena *a, char **ret_unit,
			  struct err *err)
{
	autobuf unit = BUF_INIT;

	escape(prefix, &unit);
	if (unit.len)
		buf_adds(&unit, "-");
	escape(name, &unit);
	buf_adds(&unit, ".scope");
	if (unit.len > UNIT_NAME_LONGEST)
		return err_set(err, ENAMETOOLONG,
			       "the unit's name would have %zu bytes, at most %d are allowed: use "
			       "a shorter ID or cgroupsPath",
			       unit.len, UNIT_NAME_LONGEST);
	*ret_unit = arena_strdup(a, unit.data);
	return 0;
}

/* systemd.slice(5): "a-b.slice" lies in "a.slice"; "-.slice" is the root of all. */
static bool is_slice(const char *slice)
{
	static const char suffix[] = ".slice";
	size_t len = strlen(slice);

	if (len < sizeof(suffix) || len > UNIT_NAME_LONGEST ||
	    strcmp(slice + len - strlen(suffix), suffix) != 0)
		return false;
	if (strcmp(slice, "-.slice") == 0)
		return true;
	for (const char *s = slice; *s; s++)
		if (!is_unit_char(*s) || (*s == '-' && (s[1] == '-' || s[1] == '.')))
			return false;
	return slice[0] != '-' && slice[0] != '.';
}

/* The default when empty. */
static int choose_slice(const char *slice, bool user, struct scope *scope, struct arena *a,
			struct err *err)
{
	scope->slice = arena_strdup(a, *slice ? slice : user ? "user.slice" : "system.slice");
	if (is_slice(scope->slice))
		return 0;
	return err_set(err, EINVAL,
		       "linux.cgroupsPath: \"%s\" is not the name of a slice (like "
		       "\"machine.slice\")",
		       slice);
}

static int split(const char *cgroups_path, struct arena *a, char *parts[3], struct err *err)
{
	char *at = arena_strdup(a, cgroups_path);
	int n = 0;

	while (at && n < 3) {
		parts[n++] = at;
		at = strchr(at, ':');
		if (at)
			*at++ = '\0';
	}
	if (n < 3 || at || !parts[2][0])
		return err_set(
			err, EINVAL,
			"linux.cgroupsPath: the systemd manager expects \"slice:prefix:name\" "
			"(like \"machine.slice:tote:box1\"), found \"%s\"",
			cgroups_path);
	return 0;
}

/* Every dash of a slice's name is a level. */
static void slice_path(const char *slice, struct buf *out)
{
	size_t len = strlen(slice) - strlen(".slice");

	if (strcmp(slice, "-.slice") == 0)
		return;
	for (size_t i = 1; i <= len; i++)
		if (i == len || slice[i] == '-')
			buf_addf(out, "/%.*s.slice", (int)i, slice);
}

static char *expect_path(const struct scope *scope, struct arena *a)
{
	autobuf path = BUF_INIT;

	/* Where login managers have the user's systemd; the real place is asked for later. */
	if (scope->user)
		buf_addf(&path, "/user.slice/user-%u.slice/user@%u.service", geteuid(), geteuid());
	slice_path(scope->slice, &path);
	buf_addf(&path, "/%s", scope->unit);
	return arena_strdup(a, path.data);
}

int scope_name(const char *cgroups_path, const char *id, bool user, struct arena *a,
	       struct scope *ret_scope, struct err *err)
{
	char empty[] = "", own[] = "tote", *parts[3] = { empty, own, (char *)id };
	struct scope scope = { .user = user };
	int r = 0;

	if (cgroups_path && cgroups_path[0])
		r = split(cgroups_path, a, parts, err);
	if (r == 0)
		r = choose_slice(parts[0], user, &scope, a, err);
	if (r == 0)
		r = make_unit_name(parts[1], parts[2], a, &scope.unit, err);
	if (r < 0)
		return r;
	scope.path = expect_path(&scope, a);
	*ret_scope = scope;
	return 0;
}

bool scope_of_user(void)
{
	char map[64];

	/* The whole range mapped onto itself is the initial user namespace. */
	return geteuid() != 0 || file_peek(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map)) <= 0 ||
	       !strstr(map, "4294967295");
}

int scope_available(struct err *err)
{
	if (faccessat(AT_FDCWD, "/run/systemd/system", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return err_set(err, EOPNOTSUPP,
		       "systemd is not running here; use --cgroup-manager cgroupfs");
}
