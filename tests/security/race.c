// SPDX-License-Identifier: Apache-2.0
// Swaps pairs of paths with RENAME_EXCHANGE, as fast as it can, until it is killed or its parent
// ends.
//   race A B [A B...]
// On SIGTERM it prints how often it swapped.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

int main(int argc, char **argv)
{
	unsigned long swaps = 0;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGTERM, on_term);
	if (argc < 3 || argc % 2 == 0)
		return 2;
	while (!stop)
		for (int i = 1; i < argc; i += 2)
			swaps += renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1],
					   RENAME_EXCHANGE) == 0;
	printf("%lu\n", swaps);
	return 0;
}
