/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest service: says a byte to whoever connects. It takes its socket by LISTEN_FDS, or listens itself.
 *
 *   greeter [PORT]
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int own_socket(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 128))
		exit(1);
	return fd;
}

int main(int argc, char **argv)
{
	int fd = getenv("LISTEN_FDS") ? 3 : own_socket(argc > 1 ? atoi(argv[1]) : 80);

	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		if (write(c, "x", 1) != 1)
			return 1;
		close(c);
	}
}
