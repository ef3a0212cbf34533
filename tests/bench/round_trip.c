/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long one byte takes there and back over TCP, as netperf's TCP_RR has it.
 *
 *   round_trip server ADDRESS PORT             answers one client, then ends
 *   round_trip client ADDRESS PORT SECONDS     prints the median of a round trip in microseconds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX 2000000

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "round_trip: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct sockaddr_storage address_of(const char *text, const char *port, socklen_t *ret_len)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		*ret_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(port));
		*ret_len = sizeof(*v6);
	} else {
		errno = EINVAL;
		die(text);
	}
	return address;
}

static int serve(const struct sockaddr_storage *address, socklen_t len)
{
	int listener = socket(address->ss_family, SOCK_STREAM, 0);
	int one = 1, sock;
	char byte;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const void *)address, len) < 0 || listen(listener, 1) < 0)
		die("listen");
	/* Whoever started us may go on. */
	puts("ready");
	fflush(stdout);
	sock = accept(listener, NULL, NULL);
	if (sock < 0)
		die("accept");
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (read(sock, &byte, 1) == 1)
		if (write(sock, &byte, 1) != 1)
			die("write");
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int ask(const struct sockaddr_storage *address, socklen_t len, double seconds)
{
	static uint32_t samples[SAMPLES_MAX];
	int sock = socket(address->ss_family, SOCK_STREAM, 0);
	uint64_t end, before, after;
	size_t count = 0;
	char byte = 'x';
	int one = 1;

	if (connect(sock, (const void *)address, len) < 0)
		die("connect");
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	before = now_ns();
	end = before + (uint64_t)(seconds * 1e9);
	for (; before < end && count < SAMPLES_MAX; before = after) {
		if (write(sock, &byte, 1) != 1 || read(sock, &byte, 1) != 1)
			die("exchange");
		after = now_ns();
		samples[count++] = (uint32_t)(after - before);
	}
	qsort(samples, count, sizeof(*samples), compare);
	printf("%.2f\n", samples[count / 2] / 1000.0);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_storage address;
	socklen_t len;

	if (argc < 4 || (strcmp(argv[1], "server") != 0 && argc < 5)) {
		fputs("usage: round_trip server|client ADDRESS PORT [SECONDS]\n", stderr);
		return 2;
	}
	address = address_of(argv[2], argv[3], &len);
	return strcmp(argv[1], "server") == 0 ? serve(&address, len)
					      : ask(&address, len, atof(argv[4]));
}
