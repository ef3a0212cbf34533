/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and times in text, without scanf, strtod and strftime: in a static program those three
 * alone bring 120 KiB of code, which every start would have to map.
 */
#ifndef LIB_NUMBER_H
#define LIB_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Skips blanks, reads decimal digits and moves *text behind them. False when there are none or they
 * overflow. */
bool number_scan(const char **text, uint64_t *ret);
/* Digits, perhaps with a point among them, in units of 1/scale: "1.5" by 1024 is 1536. What a unit
 * cannot hold is cut off. */
bool number_decimal(const char **text, uint64_t scale, uint64_t *ret);
/*
 * A size as docker, podman and Compose take it: "4096", "512k", "1.5g", "2 GiB", powers of 1024 up
 * to p. False for anything else, and above INT64_MAX.
 */
bool number_bytes(const char *text, uint64_t *ret);

#define TIME_TEXT_SIZE 36

/* RFC 3339 in UTC, with nanoseconds when asked for: "2026-11-22T08:04:13.267335547Z". */
void time_text(const struct timespec *t, bool nanoseconds, char *ret, size_t size);
/* The same of now. */
void time_now_text(bool nanoseconds, char *ret, size_t size);

#endif
