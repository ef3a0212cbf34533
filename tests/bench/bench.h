/* SPDX-License-Identifier: Apache-2.0 */
/* What bench.c measures and report.c prints: contenders, their parts and the samples of each. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

enum { MAX_CONTENDERS = 16, MAX_PARTS = 8, MAX_WORDS = 64, MAX_ROUNDS = 100000 };
enum metric { WALL_MS, CPU_MS, RSS_KIB, METRICS };

struct sample {
	double value[METRICS];
};

/* One command of a sequence; argv still has its %i. */
struct part {
	char *argv[MAX_WORDS + 1];
	bool reap;
	struct sample *samples;
};

struct contender {
	const char *name;
	struct part parts[MAX_PARTS];
	size_t count;
	struct sample *sums; /* of the parts; memory is the maximum */
};

struct bench {
	long rounds, warmups, seconds;
	long driver_kib;  /* bench's own peak RSS while the commands ran */
	const char *base; /* name of the contender that ratios refer to, or NULL */
	const char *json; /* file for the results, or NULL */
	struct contender contenders[MAX_CONTENDERS];
	size_t count;
};

/* Prints "bench: message" and ends with exit code 1. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* An aligned table on stdout. */
void report_table(const struct bench *bench);
/*
 * {"rounds", "warmups", "driver_kib", "contenders": [{"name", METRIC..., "ratio", "parts":
 * [{"command", METRIC...}]}]}, each METRIC {"min", "median", "max"}.
 */
void report_json(const struct bench *bench, const char *path);

#endif
