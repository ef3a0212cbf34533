/* SPDX-License-Identifier: Apache-2.0 */
/* Options as text, for options.c. */
#ifndef SHIM_OPTIONS_PRIVATE_H
#define SHIM_OPTIONS_PRIVATE_H

#include "cmd/containerd-shim-tote-v2/options.h"

#include <stddef.h>

/* The keys of runc's options by their names in containerd's configuration (SystemdCgroup), upper or
 * lower case, above the first table. Other keys may hold any TOML. -EINVAL "line 3: ...". */
int options_read_toml(const char *text, size_t len, struct arena *a, struct shim_options *ret,
		      struct err *err);

#endif
