/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of units as words of a command line, "MemoryMax=t:67108864", and as D-Bus has them.
 * Which properties there are is none of this program's business: systemd judges them.
 */
#ifndef CMD_TOTE_SYSTEMD_WORDS_H
#define CMD_TOTE_SYSTEMD_WORDS_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

/* Points into the text that it was read from. */
struct word {
	const char *name;
	const char *type; /* b, t, s, as, ay, au */
	const char *value;
	bool optional; /* a systemd that refuses it is no obstacle */
};

/* Cuts up "[?]NAME=TYPE:VALUE"; -EINVAL when it is none. */
int word_parse(char *text, struct word *ret, struct err *err);

enum words_kind { WORDS_ALL, WORDS_REQUIRED };

/* Appends a(sv). 0 or -errno; -EINVAL for a value that its type cannot hold. */
int words_append(sd_bus_message *m, const struct word *words, size_t count, enum words_kind kind);

#endif
