/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an index's images this machine runs: image-spec image-index.md, "platform", with the
 * variants of ARM and x86-64. */
#ifndef OCI_IMAGE_PLATFORM_H
#define OCI_IMAGE_PLATFORM_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

struct platform {
	char *os, *architecture, *variant, *os_version;
	struct strv os_features;
};

struct platform_list {
	struct platform *items; /* best first */
	size_t count;
};

/* The spellings in use become one: aarch64 is arm64, x86_64 amd64, armhf arm/v7; arm64/v8 is arm64,
 * amd64/v1 amd64, arm arm/v7. */
void platform_normalize(struct platform *p, struct arena *a);

/* "linux/arm64/v8", "linux/amd64", "arm64", "arm/v7". -EINVAL with a message. The list holds this
 * one alone: who asks for a platform gets that or nothing. */
int platform_parse(const char *text, struct arena *a, struct platform_list *ret, struct err *err);

/*
 * What this machine runs, best first: amd64 variants by the processor's level, then 386; arm64,
 * then 32-bit ARM only where the kernel runs it (personality(2)).
 */
void platform_host(struct arena *a, struct platform_list *ret);
/* The same for a machine with that architecture, for tests: level of x86-64 (1 to 4) or of 32-bit
 * ARM (5 to 8), not looked at for others. */
void platform_of(const char *architecture, int level, bool runs_32bit, struct arena *a,
		 struct platform_list *ret);

/* The level of x86-64 of the first processor in a text like /proc/cpuinfo's. */
int platform_amd64_level(const char *cpuinfo);

/* The place of p (normalised inside) in the list, or -1. An os of "" or NULL counts as linux. */
int platform_rank(const struct platform_list *list, const struct platform *p, struct arena *a);

/* "linux/arm64/v8" */
char *platform_text(const struct platform *p, struct arena *a);

#endif
