/* SPDX-License-Identifier: Apache-2.0 */
/* Capability names (capabilities(7)) to masks, and back. */
#ifndef OCI_CAPS_H
#define OCI_CAPS_H

#include "lib/arena.h"
#include "lib/types.h"

/*
 * The mask of a list of names, with or without "CAP_", in any case. A name that this build does not
 * know is left out and, when ret_unknown is given, returned there (the last one): the spec asks for
 * a warning, not for an error.
 */
uint64_t caps_mask(const struct strv *names, const char **ret_unknown);

/* The names of a mask, without those that this build does not know; ends in NULL. */
struct strv caps_names(uint64_t mask, struct arena *a);

/* This process's effective set. */
uint64_t caps_effective(void);

/* The capabilities that the running kernel knows. */
uint64_t caps_kernel(void);

#endif
