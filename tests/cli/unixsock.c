/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of the unix sockets that tote talks to, for the bats tests:
 *
 *   unixsock fd PATH [TEXT]   takes one descriptor as from --console-socket or --pidfd-socket;
 *                             prints its name, what it is, then, of a terminal, all that comes
 *                             out of it. TEXT is typed in first
 *   unixsock notify PATH N    prints N datagrams as an sd_notify(3) manager gets them
 *
 * Gives up after 20 seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GIVE_UP_SECONDS 20

static int bound_socket(const char *path, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

static int receive_fd(int conn, char *name, size_t size)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { name, size - 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(conn, &msg, 0);
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fd;

	if (n < 0 || !head || head->cmsg_type != SCM_RIGHTS)
		return -1;
	name[n] = '\0';
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static int take_fd(const char *path, const char *text)
{
	int sock = bound_socket(path, SOCK_STREAM), conn, fd;
	char name[256], link[64], what[256] = "", data[4096];
	ssize_t n;

	listen(sock, 1);
	conn = accept(sock, NULL, NULL);
	fd = receive_fd(conn, name, sizeof(name));
	if (fd < 0)
		return 1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, what, sizeof(what) - 1) < 0)
		return 1;
	printf("name %s\nis %s\n", name, what);
	fflush(stdout);
	if (text && write(fd, text, strlen(text)) < 0)
		return 1;
	/* The master of a terminal that nobody has open any more answers EIO. */
	while (isatty(fd) && (n = read(fd, data, sizeof(data))) > 0)
		if (write(1, data, (size_t)n) != n)
			return 1;
	return 0;
}

static int take_datagrams(const char *path, int count)
{
	int sock = bound_socket(path, SOCK_DGRAM);
	char data[4096];

	while (count-- > 0) {
		ssize_t n = recv(sock, data, sizeof(data) - 1, 0);

		if (n < 0)
			return 1;
		data[n] = '\0';
		printf("%s\n", data);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	alarm(GIVE_UP_SECONDS);
	if (argc >= 3 && strcmp(argv[1], "fd") == 0)
		return take_fd(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "notify") == 0)
		return take_datagrams(argv[2], atoi(argv[3]));
	return 2;
}
