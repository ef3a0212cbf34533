/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/address.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/file.h"
#include "lib/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define SCHEME "unix://"
#define LOCK_MS 3000
#define CONNECT_MS 2000

/* Also checks that it has the form that address_make() gives it. */
static int to_socket(const char *address, struct sockaddr_un *ret, struct err *err)
{
	const char *path = address + strlen(SCHEME);
	const char *name;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strncmp(address, SCHEME, strlen(SCHEME)) != 0 || path[0] != '/')
		return err_set(err, EINVAL, "invalid address \"%.120s\"", address);
	name = strrchr(path, '/') + 1;
	if (strlen(name) != SHA256_TEXT_SIZE - 1 ||
	    strspn(name, "0123456789abcdef") != strlen(name))
		return err_set(err, EINVAL, "invalid address \"%.120s\"", address);
	if (strlen(path) >= sizeof(ret->sun_path))
		return err_set(err, ENAMETOOLONG, "the address \"%.120s\" is too long", address);
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

/*
 * One byte of a file that all share and that stays: as with a file of its own it is another for each
 * address, as good as always, but there is none to be removed while somebody waits for it.
 */
static struct flock byte_of(const struct sockaddr_un *to)
{
	const char *name = strrchr(to->sun_path, '/') + 1;
	/* Fits an off_t: 56 bits. */
	char digits[15] = { 0 };

	memcpy(digits, name, sizeof(digits) - 1);
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)strtoull(digits, NULL, 16),
		.l_len = 1,
	};
}

int address_lock(const char *address, struct err *err)
{
	struct deadline_pauses pauses = deadline_pauses_in(LOCK_MS);
	struct sockaddr_un to;
	struct timespec pause;
	struct flock byte;
	autofd dir = -1, fd = -1;
	int r = to_socket(address, &to, err);

	if (r < 0)
		return r;
	byte = byte_of(&to);
	*strrchr(to.sun_path, '/') = '\0';
	dir = file_private_dir(to.sun_path, true, 0700, "directory of sockets", err);
	if (dir < 0)
		return dir;
	fd = openat(dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return err_errno(err, "open %s/.lock", to.sun_path);
	while (fcntl(fd, F_OFD_SETLK, &byte) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_errno(err, "lock %s/.lock", to.sun_path);
		if (!deadline_pause(&pauses, &pause))
			return err_set(err, ETIMEDOUT, "somebody keeps %s locked", address);
		nanosleep(&pause, NULL);
	}
	return take_fd(&fd);
}

static int new_socket(int flags, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	return fd < 0 ? err_errno(err, "make a socket") : fd;
}

/* 1 somebody listens, 0 nobody does (a file that is no socket counts as that). */
static int is_served(const struct sockaddr_un *to, struct err *err)
{
	struct deadline_pauses pauses = deadline_pauses_in(CONNECT_MS);
	struct timespec pause;
	autofd fd = new_socket(SOCK_NONBLOCK, err);

	if (fd < 0)
		return fd;
	while (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		if (errno == ECONNREFUSED || errno == ENOENT)
			return 0;
		/* The queue of those that wait to be taken is full. */
		if (errno != EAGAIN && errno != EINTR)
			return err_errno(err, "connect to %s", to->sun_path);
		if (!deadline_pause(&pauses, &pause))
			return err_set(err, EBUSY, "the shim at %s takes no connections",
				       to->sun_path);
		nanosleep(&pause, NULL);
	}
	return 1;
}

static int bind_to(int fd, const struct sockaddr_un *to)
{
	return bind(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ? -errno : 0;
}

int address_listen(const char *address, int *ret_fd, struct err *err)
{
	struct sockaddr_un to;
	autofd fd = -1;
	int r = to_socket(address, &to, err);

	*ret_fd = -1;
	if (r < 0)
		return r;
	fd = new_socket(0, err);
	if (fd < 0)
		return fd;
	/* The file takes over the socket's mode when it is bound. */
	if (fchmod(fd, 0600) < 0)
		return err_errno(err, "set the mode of a socket");
	r = bind_to(fd, &to);
	if (r == -EADDRINUSE) {
		r = is_served(&to, err);
		if (r != 0)
			return r;
		if (unlink(to.sun_path) < 0 && errno != ENOENT)
			return err_errno(err, "remove %s", to.sun_path);
		r = bind_to(fd, &to);
	}
	if (r < 0)
		return err_code(err, r, "bind to %s", to.sun_path);
	if (listen(fd, SOMAXCONN) < 0) {
		err_errno(err, "listen");
		unlink(to.sun_path);
		return err->code;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

bool address_served(const char *address)
{
	struct sockaddr_un to;
	struct err err;

	return to_socket(address, &to, &err) == 0 && is_served(&to, &err) != 0;
}

void address_remove_stale(const char *address)
{
	struct sockaddr_un to;
	struct stat st;
	struct err err;
	autofd lock = -1;

	/* Without a look first the directory would be made. */
	if (to_socket(address, &to, &err) < 0 || lstat(to.sun_path, &st) < 0)
		return;
	lock = address_lock(address, &err);
	if (lock >= 0 && is_served(&to, &err) == 0)
		unlink(to.sun_path);
}

void address_unlink(int listener)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	if (getsockname(listener, (struct sockaddr *)&addr, &len) == 0 &&
	    len > offsetof(struct sockaddr_un, sun_path) && addr.sun_path[0])
		unlink(addr.sun_path);
}
