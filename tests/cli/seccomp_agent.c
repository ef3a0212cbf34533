/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests/cli/seccomp.bats, one program in two roles.
 *
 * "listen PATH" takes a listener from the runtime, prints the JSON that came with it, and answers
 * every call with errno 77 (EBADFD, which nothing else gives) until the container is gone; then it
 * waits for the next listener.
 *
 * "call NR [ARG...]" makes a system call and prints its result or -errno.
 *
 * Both give up after 20 seconds.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define GIVE_UP_SECONDS 20
#define ANSWER 77

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

/* The text comes in one message with the descriptor, or in several of which the first has it. */
static int receive(int conn)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[4096];
	struct iovec iov = { text, sizeof(text) };
	int fd = -1;

	for (;;) {
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(conn, &msg, MSG_CMSG_CLOEXEC);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

		if (n <= 0)
			break;
		fwrite(text, 1, (size_t)n, stdout);
		if (c && c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	}
	printf("\n");
	fflush(stdout);
	return fd;
}

static void answer(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	while (poll(&p, 1, -1) > 0 && p.revents & POLLIN) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp reply = { 0 };

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue;
		reply.id = call.id;
		reply.error = -ANSWER;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
}

static int serve(const char *path)
{
	int sock = listen_at(path);

	alarm(GIVE_UP_SECONDS);
	for (;;) {
		int conn = accept(sock, NULL, NULL), listener;

		if (conn < 0)
			continue;
		listener = receive(conn);
		close(conn);
		if (listener < 0)
			return 3;
		if (fork() == 0) {
			alarm(GIVE_UP_SECONDS);
			answer(listener);
			_exit(0);
		}
		close(listener);
	}
}

static int call(char **argv)
{
	unsigned long a[7] = { 0 };
	long r;

	for (int i = 0; i < 7 && argv[i]; i++)
		a[i] = strtoul(argv[i], NULL, 0);
	r = syscall((long)a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	printf("%ld\n", r < 0 ? (long)-errno : r);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "listen") == 0)
		return serve(argv[2]);
	if (argc > 2 && strcmp(argv[1], "call") == 0)
		return call(argv + 2);
	return 2;
}
