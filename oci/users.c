/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/users.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX ((size_t)1 << 20)
#define MAX_GROUPS 65536 /* NGROUPS_MAX of the kernel */
/* 2^32-1 means "none" to the kernel. */
#define MAX_ID (UINT32_MAX - 1)

#define PASSWD "etc/passwd"
#define GROUP "etc/group"

/* passwd(5) has seven fields, group(5) four. */
enum { NAME, PASSWORD, ID, MEMBERS, PASSWD_GID = 3, PASSWD_HOME = 5, FIELDS = 7 };

struct line {
	char *field[FIELDS]; /* "" for those that are missing */
	uint32_t id;
};

/*
 * An image's file: below its root whatever links it holds, regular, of bounded size, never
 * blocking. Looked at before it is opened, as opening some devices does something.
 */
static int read_in_root(int root_fd, const char *path, struct arena *a, char **ret_text,
			struct err *err)
{
	autofd handle = fd_open_in_root(root_fd, path, O_PATH), fd = -1;
	struct stat st;

	*ret_text = arena_strdup(a, "");
	if (handle < 0)
		return err_errno(err, "open /%s of the image", path);
	if (fstat(handle, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "/%s of the image is no regular file", path);
	fd = fd_open_again(handle, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, "open /%s of the image", path);
	return file_read_fd(fd, path, FILE_MAX, a, ret_text, NULL, err);
}

static bool all_digits(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

static bool read_id(const char *s, uint32_t *ret)
{
	uint64_t n = 0;

	if (!all_digits(s))
		return false;
	for (; *s; s++) {
		n = n * 10 + (uint64_t)(*s - '0');
		if (n > MAX_ID)
			return false;
	}
	*ret = (uint32_t)n;
	return true;
}

/* The next line that has a number as its id. Cuts it out of *text, which moves on. */
static bool next_line(char **text, struct line *ret)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		for (int i = 0; i < FIELDS; i++) {
			char *field = strsep(&line, ":");

			ret->field[i] = field ? field : (char *)"";
		}
		if (read_id(ret->field[ID], &ret->id))
			return true;
	}
	return false;
}

/* The first line of that name, or with name NULL of that id. Cuts the text. */
static bool find_line(char *text, const char *name, uint32_t id, struct line *ret)
{
	while (next_line(&text, ret)) {
		if (name ? strcmp(ret->field[NAME], name) == 0 : ret->id == id)
			return true;
	}
	return false;
}

static bool has_member(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ",")))
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

/* runtime-spec: additionalGids come beside the primary one. */
static bool gid_known(const struct spec_user *user, uint32_t gid)
{
	if (gid == user->gid)
		return true;
	for_each (known, &user->additional_gids) {
		if (*known == gid)
			return true;
	}
	return false;
}

static void add_groups(char *text, const char *name, struct arena *a, struct spec_user *ret)
{
	size_t lines = 1;
	struct line line;

	for (const char *c = text; (c = strchr(c, '\n')); c++)
		lines++;
	if (lines > MAX_GROUPS)
		lines = MAX_GROUPS;
	ret->additional_gids.items = arena_calloc(a, lines, sizeof(uint32_t));
	while (ret->additional_gids.count < lines && next_line(&text, &line))
		if (has_member(line.field[MEMBERS], name) && !gid_known(ret, line.id))
			ret->additional_gids.items[ret->additional_gids.count++] = line.id;
}

/* Puts why a name was not found into words: the file may not be readable at all. */
static int not_found(const char *kind, const char *name, const char *path, const struct err *why,
		     struct err *err)
{
	if (why->code && why->code != -ENOENT)
		return err_set(err, ENOENT, "%s \"%.80s\": %s", kind, name, why->msg);
	return err_set(err, ENOENT, "%s \"%.80s\" is not in the image's /%s", kind, name, path);
}

static int out_of_range(const char *kind, const char *number, struct err *err)
{
	return err_set(err, EINVAL, "%s %.80s is out of range (0 to %u)", kind, number, MAX_ID);
}

static int find_user(int root_fd, const char *name, struct arena *a, struct spec_user *ret,
		     struct line *ret_line, bool *ret_listed, struct err *err)
{
	struct err why = { 0 };
	char *text;

	if (all_digits(name) && !read_id(name, &ret->uid))
		return out_of_range("user", name, err);
	if (read_in_root(root_fd, PASSWD, a, &text, &why) < 0)
		*text = '\0';
	*ret_listed = find_line(text, all_digits(name) ? NULL : name, ret->uid, ret_line);
	if (!*ret_listed && !all_digits(name))
		return not_found("user", name, PASSWD, &why, err);
	if (*ret_listed) {
		ret->uid = ret_line->id;
		if (!read_id(ret_line->field[PASSWD_GID], &ret->gid))
			ret->gid = 0;
	}
	return 0;
}

static int find_group(int root_fd, const char *name, struct arena *a, struct spec_user *ret,
		      struct err *err)
{
	struct err why = { 0 };
	struct line line;
	char *text;

	if (all_digits(name))
		return read_id(name, &ret->gid) ? 0 : out_of_range("group", name, err);
	if (read_in_root(root_fd, GROUP, a, &text, &why) < 0 || !find_line(text, name, 0, &line))
		return not_found("group", name, GROUP, &why, err);
	ret->gid = line.id;
	return 0;
}

int users_group(int root_fd, const char *name, struct arena *a, uint32_t *ret, struct err *err)
{
	struct spec_user user = { 0 };
	int r = *name ? find_group(root_fd, name, a, &user, err)
		      : err_set(err, EINVAL, "group \"\" is no name");

	if (r == 0)
		*ret = user.gid;
	return r;
}

/* A user by name has the groups that list it (image-spec conversion.md, "Config.User"). */
static void find_groups(int root_fd, const char *name, struct arena *a, struct spec_user *ret)
{
	struct err ignored;
	char *text;

	if (read_in_root(root_fd, GROUP, a, &text, &ignored) == 0)
		add_groups(text, name, a, ret);
}

static char *home_of(const struct line *line)
{
	return line->field[PASSWD_HOME][0] ? line->field[PASSWD_HOME] : NULL;
}

int users_resolve(int root_fd, const char *text, struct arena *a, struct spec_user *ret,
		  char **ret_home, struct err *err)
{
	char *group = arena_strdup(a, text && *text ? text : "0"), *user = strsep(&group, ":");
	bool listed = false;
	struct line line;
	int r;

	*ret = (struct spec_user){ 0 };
	if (ret_home)
		*ret_home = NULL;
	if (!*user)
		user = arena_strdup(a, "0");
	if (group && strchr(group, ':'))
		return err_set(err, EINVAL, "user \"%.80s\" is not USER[:GROUP]", text);
	r = find_user(root_fd, user, a, ret, &line, &listed, err);
	if (r < 0)
		return r;
	if (listed && ret_home)
		*ret_home = home_of(&line);
	if (group && *group)
		return find_group(root_fd, group, a, ret, err);
	if (!all_digits(user))
		find_groups(root_fd, user, a, ret);
	return 0;
}

char *users_home(int root_fd, uint32_t uid, struct arena *a)
{
	struct err ignored;
	struct line line;
	char *text;

	if (read_in_root(root_fd, PASSWD, a, &text, &ignored) < 0 ||
	    !find_line(text, NULL, uid, &line))
		return NULL;
	return home_of(&line);
}
