/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in seccomp profile: an allow-list for ordinary programs in a container without
 * dangerous capabilities. `tote spec --seccomp` writes it into config.json, containers from images
 * run under it, and cmd/tote-seccomp compiles it when tote is built.
 */
#ifndef OCI_SECCOMP_DEFAULT_H
#define OCI_SECCOMP_DEFAULT_H

#include "lib/arena.h"
#include "oci/spec.h"

/* The profile for the processor this program was built for. It and what it points to live in the
 * arena. */
struct spec_seccomp *seccomp_default_profile(struct arena *a);

#endif
