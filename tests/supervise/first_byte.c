/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long it takes until somebody who connects has the first byte of an answer:
 *
 *	first_byte PORT ROUNDS PAUSE_MS   connects, sends a line, waits for a byte, closes; after each
 *	                                  round a pause, in which the service goes to sleep
 *
 * Prints "min p50 p99 max" in microseconds; 1 when an answer did not come within 30 s.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long one_round(int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long long before = now_us();
	char c;
	long long took;

	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || write(fd, "x\n", 2) != 2 ||
	    poll(&p, 1, 30000) != 1 || read(fd, &c, 1) != 1)
		took = -1;
	else
		took = now_us() - before;
	close(fd);
	return took;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int port = argc == 4 ? atoi(argv[1]) : 0, rounds = argc == 4 ? atoi(argv[2]) : 0;
	long long *took;

	if (rounds < 1)
		return 2;
	took = calloc((size_t)rounds, sizeof(*took));
	if (!took)
		return 1;
	for (int i = 0; i < rounds; i++) {
		took[i] = one_round(port);
		if (took[i] < 0) {
			fprintf(stderr, "round %d: no answer\n", i);
			return 1;
		}
		usleep((useconds_t)atoi(argv[3]) * 1000);
	}
	qsort(took, (size_t)rounds, sizeof(*took), compare);
	printf("%lld %lld %lld %lld\n", took[0], took[rounds / 2], took[(rounds * 99 - 1) / 100],
	       took[rounds - 1]);
	return 0;
}
