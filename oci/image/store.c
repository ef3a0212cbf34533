/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/store.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define STORE_VERSION "1"

static const char *const directories[] = {
	"blobs",  "blobs/sha256", "blobs/sha512", "layers",	"l",
	"images", "refs",	  "ingest",	  "containers", "volumes",
};

int store_path(const char *given, bool rootless, struct arena *a, char **ret_path, struct err *err)
{
	const char *env = getenv("TOTE_STORE"), *data = getenv("XDG_DATA_HOME"),
		   *home = getenv("HOME");

	if (given || (env && env[0]))
		*ret_path = arena_strdup(a, given ? given : env);
	else if (!rootless)
		*ret_path = arena_strdup(a, "/var/lib/tote");
	else if (data && data[0] == '/')
		*ret_path = arena_printf(a, "%s/tote", data);
	else if (home && home[0] == '/')
		*ret_path = arena_printf(a, "%s/.local/share/tote", home);
	else
		return err_set(err, EINVAL,
			       "--store: needed, as neither XDG_DATA_HOME nor HOME is set");
	return 0;
}

/* The version comes last: what has one is complete. */
static int make(int fd, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (mkdirat(fd, directories[i], 0700) < 0 && errno != EEXIST)
			return err_errno(err, "make %s", directories[i]);
	if (syncfs(fd) < 0)
		return err_errno(err, "sync");
	return file_replace_durable(fd, "version", STORE_VERSION "\n", strlen(STORE_VERSION "\n"),
				    0600, err);
}

static int check_version(int fd, bool create, struct err *err)
{
	char version[16];
	ssize_t r = file_peek(fd, "version", version, sizeof(version));

	if (r == -ENOENT && create)
		return make(fd, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "no image was loaded into it yet");
	if (r < 0)
		return err_code(err, (int)r, "version");
	return strcmp(version, STORE_VERSION) == 0
		       ? 0
		       : err_set(err, EOPNOTSUPP, "version \"%s\" is not known here", version);
}

int store_open(const char *path, bool create, struct store *ret, struct err *err)
{
	autofd fd = file_private_dir(path, create, 0700, "image store", err);
	char *absolute;
	int r;

	if (fd < 0)
		return fd == -1 ? -EACCES : fd;
	r = check_version(fd, create, err);
	if (r < 0)
		return err_prefix(err, "image store %s", path);
	absolute = path[0] == '/' ? strdup(path) : realpath(path, NULL);
	if (!absolute)
		return err_errno(err, "image store %s", path);
	*ret = (struct store){ take_fd(&fd), absolute };
	return 0;
}

void store_close(struct store *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	*s = (struct store)STORE_INIT;
}

int store_lock(const struct store *s, bool exclusive, struct err *err)
{
	autofd fd = fd_create(s->fd, "lock", O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		return err_errno(err, "open the store's lock");
	while (flock(fd, exclusive ? LOCK_EX : LOCK_SH) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock the store");
	return take_fd(&fd);
}
