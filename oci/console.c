/* SPDX-License-Identifier: Apache-2.0 */
/* What create and exec hand to their caller: terminals and pidfds over sockets, pids in files. */
#include "oci/container.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int send_fd_to_socket(const char *path, const char *name, int fd, struct err *err)
{
	autofd dir = -1, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char by_fd[32];
	int r;

	if (sock < 0)
		return err_errno(err, "make a socket");
	r = fd_connect(sock, path);
	if (r == -ENAMETOOLONG) {
		dir = fd_open(AT_FDCWD, path, O_PATH);
		snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", dir);
		r = dir < 0 ? -errno : fd_connect(sock, by_fd);
	}
	if (r < 0)
		return err_code(err, r, "connect to %s", path);
	r = fd_send(sock, name, strlen(name), fd);
	return r < 0 ? err_code(err, r, "send a descriptor to %s", path) : 0;
}

int write_pid_file(const char *path, pid_t pid, struct err *err)
{
	const char *slash = strrchr(path, '/');
	autofree char *dir_path =
		slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	autofd dir = dir_path ? fd_open(AT_FDCWD, dir_path, O_PATH | O_DIRECTORY) : -1;
	char text[16];
	int r;

	if (dir < 0)
		return err_errno(err, "open the directory of pid file %s", path);
	snprintf(text, sizeof(text), "%d", pid);
	r = file_replace(dir, slash ? slash + 1 : path, text, strlen(text), 0644, err);
	return r < 0 ? err_prefix(err, "pid file %s", path) : 0;
}
