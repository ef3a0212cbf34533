/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/notify.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MESSAGE_MAX 4096 /* systemd takes no longer ones */

int notify_open(const struct container *c, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd sock = -1;
	struct stat st;

	if (fstatat(c->dir_fd, STATE_NOTIFY_DIR, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path),
		 "/proc/self/fd/%d/" STATE_NOTIFY_DIR "/" NOTIFY_SOCKET_NAME, c->dir_fd);
	unlinkat(c->dir_fd, STATE_NOTIFY_DIR "/" NOTIFY_SOCKET_NAME, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    /* The program may run as any user; who reaches the directory is inside, or root
	       outside. */
	    fchmodat(c->dir_fd, STATE_NOTIFY_DIR "/" NOTIFY_SOCKET_NAME, 0777, 0) < 0) {
		int r = err_errno(err, "container %s: make the notify socket", c->st.id);

		return r == -1 ? -EIO : r;
	}
	return take_fd(&sock);
}

static int connect_host(const char *host, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(host);

	if (len >= sizeof(addr.sun_path))
		return err_set(err, ENAMETOOLONG, "NOTIFY_SOCKET: %s is too long", host);
	memcpy(addr.sun_path, host, len);
	if (host[0] == '@')
		addr.sun_path[0] = '\0';
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
					    (host[0] != '@'))) < 0)
		return err_errno(err, "NOTIFY_SOCKET: connect to %s", host);
	return take_fd(&sock);
}

static bool has_line(const char *message, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = message; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, line, len) == 0 && (p[len] == '\n' || p[len] == '\0'))
			return true;
	return false;
}

/* The manager knows the program by its pid on the host, whatever it says of itself. */
static int pass_on(int host, const char *message, int fd, pid_t pid)
{
	autobuf text = BUF_INIT;
	char copy[MESSAGE_MAX + 1], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", message);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "MAINPID=", 8) != 0)
			buf_addf(&text, "%s\n", line);
	if (has_line(message, "READY=1"))
		buf_addf(&text, "MAINPID=%d\n", pid);
	return fd >= 0 ? fd_send(host, text.data, text.len, fd)
		       : fd_send_message(host, text.data, text.len);
}

int notify_relay(int sock, int pidfd, pid_t pid, const char *host, struct err *err)
{
	autofd to = connect_host(host, err);
	/* Looked at in this order: what it sent before its end is there then. */
	struct pollfd p[] = { { .fd = pidfd, .events = POLLIN }, { .fd = sock, .events = POLLIN } };

	if (to < 0)
		return to;
	for (;;) {
		char message[MESSAGE_MAX + 1] = "";
		autofd fd = -1;
		ssize_t n;
		int r;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_errno(err, "wait for the notify socket");
		if (!(p[1].revents & POLLIN)) {
			if (p[0].revents)
				return 0;
			continue;
		}
		n = fd_recv(sock, message, MESSAGE_MAX, &fd);
		if (n < 0)
			return err_code(err, (int)n, "read the notify socket");
		r = pass_on(to, message, fd, pid);
		if (r < 0)
			return err_code(err, r, "NOTIFY_SOCKET: send to %s", host);
		if (has_line(message, "READY=1"))
			return 0;
	}
}
