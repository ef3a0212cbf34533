/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service for tests, static and without dependencies: gives back what it is sent; what begins with
 * "GET /NUMBER" gets an answer of HTTP with that status, after which it closes.
 *
 *	echo_server ADDRESS PORT [DELAY_MS]   listens itself, after a delay
 *	echo_server fds                       takes the sockets of LISTEN_FDS
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 512
#define LISTENERS 4

static struct pollfd polled[LISTENERS + CLIENTS];
static size_t listeners, count;

static void listen_at(const char *address, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int v6 = inet_pton(AF_INET6, address, &in6.sin6_addr) == 1, on = 1;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	if (!v6 && inet_pton(AF_INET, address, &in.sin_addr) != 1)
		exit(2);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, v6 ? (void *)&in6 : (void *)&in, v6 ? sizeof(in6) : sizeof(in)) < 0 ||
	    listen(fd, 512) < 0) {
		perror("listen");
		exit(1);
	}
	polled[listeners++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static void take_sockets(void)
{
	const char *text = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	int n = text ? atoi(text) : 0;

	if (n < 1 || n > LISTENERS || !pid || atoi(pid) != getpid()) {
		fprintf(stderr, "LISTEN_FDS=%s LISTEN_PID=%s\n", text ? text : "", pid ? pid : "");
		exit(1);
	}
	while (n--)
		polled[listeners++] = (struct pollfd){ .fd = 3 + n, .events = POLLIN };
}

/* False: it is over. */
static int serve(int fd)
{
	static char text[65536];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int status, len;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (strncmp(text, "GET /", 5) != 0)
		return write(fd, text, (size_t)n) == n;
	status = atoi(text + 5);
	len = snprintf(text, sizeof(text), "HTTP/1.0 %d Words\r\nContent-Length: 3\r\n\r\nok\n",
		       status ? status : 200);
	if (write(fd, text, (size_t)len) != len)
		return 0;
	shutdown(fd, SHUT_WR);
	return 1;
}

static void leave(int sig)
{
	(void)sig;
	_exit(0);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	/* Process 1 has no default of it. */
	signal(SIGTERM, leave);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 3)
		usleep((useconds_t)atoi(argv[3]) * 1000);
	if (argc > 2)
		listen_at(argv[1], argv[2]);
	else
		take_sockets();
	printf("serving\n");
	count = listeners;
	while (poll(polled, count, -1) > 0) {
		for (size_t i = count; i-- > listeners;)
			if (polled[i].revents && !serve(polled[i].fd)) {
				close(polled[i].fd);
				polled[i] = polled[--count];
			}
		for (size_t i = 0; i < listeners; i++)
			if (polled[i].revents && count < LISTENERS + CLIENTS) {
				int fd = accept(polled[i].fd, NULL, NULL);

				if (fd >= 0)
					polled[count++] =
						(struct pollfd){ .fd = fd, .events = POLLIN };
			}
	}
	return 1;
}
