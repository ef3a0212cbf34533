/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The config.json that `tote spec` starts people off with: a shell, a read-only root, few
 * capabilities, everything hidden that a container has no business with. And what containers from
 * images begin with, before oci/image/convert.c adds what the image and the user say.
 */
#ifndef OCI_DEFAULT_SPEC_H
#define OCI_DEFAULT_SPEC_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "oci/spec.h"

#define DEFAULT_SPEC_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
	/* For an ordinary user: a user namespace in which the caller's effective ids are 0, the
	   host's network and /sys. */
	DEFAULT_SPEC_ROOTLESS = 1,
	/* With the built-in seccomp profile written out, so that any runtime can run the file. */
	DEFAULT_SPEC_SECCOMP = 2,
	/* For default_spec_fill() only, beside the above. */
	DEFAULT_SPEC_IMAGE = 4, /* capabilities of containers from images; no args, environment,
				   rlimits, hostname; the root is writable */
	DEFAULT_SPEC_USER_NS = 8,
	DEFAULT_SPEC_HOST_NETWORK = 16,
	DEFAULT_SPEC_NO_TTY_GROUP = 32, /* gid 5 is not mapped, so that terminals keep theirs */
};

/* The spec itself, in the arena. DEFAULT_SPEC_ROOTLESS means the mappings and no device rules here,
 * and no further flag. */
void default_spec_fill(struct spec *ret, unsigned int flags, struct arena *a);

/* Appends the text, indented by tabs. flags: DEFAULT_SPEC_*, or-ed. */
void default_spec_write(struct buf *ret_json, unsigned int flags);

#endif
