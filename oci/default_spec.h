/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The config.json that `tote spec` starts people off with: a shell, a read-only root, few
 * capabilities, everything hidden that a container has no business with.
 */
#ifndef OCI_DEFAULT_SPEC_H
#define OCI_DEFAULT_SPEC_H

#include "lib/buf.h"

enum {
	/* For an ordinary user: a user namespace in which the caller's effective ids are 0, the
	   host's network and /sys. */
	DEFAULT_SPEC_ROOTLESS = 1,
	/* With the built-in seccomp profile written out, so that any runtime can run the file. */
	DEFAULT_SPEC_SECCOMP = 2,
};

/* Appends the text, indented by tabs. flags: DEFAULT_SPEC_*, or-ed. */
void default_spec_write(struct buf *ret_json, unsigned int flags);

#endif
