/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of small numbers as the kernel writes them ("0-3,7"): CPUs and memory nodes. */
#ifndef LIB_BITLIST_H
#define LIB_BITLIST_H

#include <stddef.h>

#define BITLIST_MAX 4096

/*
 * Sets the bits that text names in a mask of unsigned longs (bit n is bit n % BITS of long n /
 * BITS; the kernel's form). mask must hold BITLIST_MAX bits and is cleared first. Returns the
 * highest number + 1 (0: the list is empty), or -EINVAL.
 */
int bitlist_parse(const char *text, unsigned long *mask);

#endif
