// SPDX-License-Identifier: Apache-2.0
/*
 * files_cost: what opening, reading and closing files takes, each once, in microseconds of
 * processor time: the median of many rounds.
 *
 *	files_cost ROUNDS FILE...
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* As large as what tote reads such files into. */
static char text[8 << 10];

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text)) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	double *us = calloc(rounds, sizeof(*us));

	if (!rounds || !us) {
		fprintf(stderr, "files_cost ROUNDS FILE...\n");
		return 2;
	}
	for (size_t i = 0; i < rounds; i++) {
		double start = now_us();

		for (char **path = argv + 2; *path; path++)
			read_file(*path);
		us[i] = now_us() - start;
	}
	qsort(us, rounds, sizeof(*us), by_value);
	printf("%.1f\n", us[rounds / 2]);
	free(us);
	return 0;
}
