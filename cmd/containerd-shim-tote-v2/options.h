/* SPDX-License-Identifier: Apache-2.0 */
/* The options of Create, whose form depends on the runtime's name and containerd's version. */
#ifndef SHIM_OPTIONS_H
#define SHIM_OPTIONS_H

#include "lib/arena.h"
#include "lib/err.h"
#include "shim/shim.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct shim_options {
	bool no_pivot, no_new_keyring, systemd_cgroup;
	uint32_t io_uid, io_gid;
	const char *root;	 /* "": the default */
	const char *binary_name; /* "": none */
	const char *shim_cgroup; /* "": none */
};

/*
 * Takes runc's, the generic (TOML in config_body or in the file at config_path: key = value lines,
 * those it knows), the old linux.runc ones, none; unknown types and keys are as none. In the
 * arena. -EINVAL for what is broken.
 */
int options_decode(const Shim__Any *any, struct arena *a, struct shim_options *ret,
		   struct err *err);

#endif
