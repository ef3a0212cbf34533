// SPDX-License-Identifier: Apache-2.0
/*
 * limits_cost: what the limits of memory, cpu and pids add to making and removing a group, in
 * microseconds: the median of many rounds with and without, in turns. A whole run varies by more
 * than that in an emulated machine.
 *
 *	limits_cost [ROUNDS]
 */
#include "cgroups/cg.h"
#include "cgroups/limits.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define V(n)                                                                                       \
	{                                                                                          \
		true, n                                                                            \
	}

static const struct cg_limits limits = {
	.memory = { .limit = V(64 << 20) },
	.cpu = { .shares = V(512), .quota = V(200000), .period = V(100000) },
	.pids_limit = V(100),
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int one_round(const struct cg_tree *tree, bool limited, double *ret_us, struct err *err)
{
	static const char path[] = "/tote-limits-cost";
	autocg cg = CG_INIT;
	double start = now_us();
	int r = cg_create(tree, path, &cg, err);

	if (r == 0 && limited)
		r = limits_apply(&cg, &limits, err);
	if (r == 0)
		r = cg_destroy(tree, path, 1, 1000, err);
	*ret_us = now_us() - start;
	return r;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 400;
	double *us = calloc(2 * rounds, sizeof(*us));
	struct cg_tree tree = { .fd = -1 };
	struct err err;
	int r = us && rounds ? cg_tree_find(&tree, &err) : err_set(&err, EINVAL, "no rounds");

	for (size_t i = 0; r == 0 && i < 2 * rounds; i++)
		r = one_round(&tree, i & 1, &us[(i & 1) * rounds + i / 2], &err);
	if (r < 0) {
		fprintf(stderr, "limits_cost: %s\n", err.msg);
		return 1;
	}
	for (size_t limited = 0; limited < 2; limited++)
		qsort(us + limited * rounds, rounds, sizeof(*us), by_value);
	printf("%.1f\n", us[rounds + rounds / 2] - us[rounds / 2]);
	cg_tree_close(&tree);
	free(us);
	return 0;
}
