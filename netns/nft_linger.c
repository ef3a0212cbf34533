/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft_linger.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIET_MS 30  /* more than the kernel takes to free what was deleted */
#define LIFE_MS 5000 /* however busy it is; what arrives later goes to the next one */
#define KEPT_MAX 200

/*
 * Where the process gets sockets: an abstract address, which each network namespace has for itself.
 * Who took it in our place could do nothing with them, as the kernel wants CAP_NET_ADMIN of whoever
 * sends, too (netlink_net_capable()).
 */
static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0tote-nft" };
#define ADDRESS_LEN (offsetof(struct sockaddr_un, sun_path) + sizeof("\0tote-nft") - 1)

static bool stays;

void nft_linger_here(void)
{
	stays = true;
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool hand_over(int fd)
{
	union {
		struct cmsghdr head;
		char data[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)&address,
		.msg_namelen = ADDRESS_LEN,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.data,
		.msg_controllen = sizeof(control.data),
	};
	autofd sock = open_socket();

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sock >= 0 && sendmsg(sock, &msg, MSG_NOSIGNAL) > 0;
}

/* Keeps nothing else of its parent's: neither a lock, nor the pipe somebody reads our output from, nor
 * a directory that somebody wants to unmount. */
static void keep_only(int fd)
{
	if (fd > 0)
		close_range(0, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0U, 0);
	if (chdir("/") < 0)
		_exit(0);
}

int nft_linger_begin(void)
{
	int sock = open_socket();

	/* When it cannot have the address, another one has: then nothing arrives here. */
	if (sock >= 0)
		bind(sock, (const struct sockaddr *)&address, ADDRESS_LEN);
	return sock;
}

void nft_linger_end(int sock)
{
	struct deadline end = deadline_in(LIFE_MS);
	char byte;
	int kept;

	for (int n = 0; sock >= 0 && n < KEPT_MAX && !deadline_passed(&end); n++) {
		if (fd_wait_readable(sock, deadline_left(&end, QUIET_MS)) <= 0)
			break;
		fd_recv(sock, &byte, sizeof(byte), &kept);
	}
}

static void keep_until_quiet(int fd)
{
	keep_only(fd);
	nft_linger_end(nft_linger_begin());
	_exit(0);
}

/* Not our child, as a caller of the library may never wait for it. */
static bool start_keeper(int fd)
{
	pid_t pid = _Fork();
	int status;

	if (pid == 0) {
		pid = _Fork();
		if (pid == 0)
			keep_until_quiet(fd);
		_exit(pid < 0);
	}
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno == ECHILD;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void nft_linger(int fd, bool start)
{
	if (stays)
		fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else if (!hand_over(fd) && start)
		start_keeper(fd);
}
