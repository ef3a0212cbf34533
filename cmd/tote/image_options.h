/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container of an image is asked to be: options that `run IMAGE` and `create --image` share,
 * with the names that people know. Read by cmd/tote/run_image*.c.
 */
#ifndef CMD_TOTE_IMAGE_OPTIONS_H
#define CMD_TOTE_IMAGE_OPTIONS_H

#include "cmd/options.h"

#include <stddef.h>

struct image_options {
	bool interactive, tty, remove, read_only;
	const char *user, *workdir, *entrypoint, *hostname, *memory, *cpus, *pids_limit, *userns,
		*seccomp, *image_volumes;
	struct option_list env, env_files, volumes, tmpfs, cap_add, cap_drop;
};

#define IMAGE_OPTION(name, letter, kind, member, value, help)                                      \
	{                                                                                          \
		name, letter, kind, offsetof(struct run_options, image.member), value, help        \
	}

#define IMAGE_OPTIONS                                                                              \
	IMAGE_OPTION("interactive", 'i', OPT_FLAG, interactive, NULL, "image: keep stdin open"),   \
		IMAGE_OPTION("tty", 't', OPT_FLAG, tty, NULL, "image: give it a terminal"),        \
		IMAGE_OPTION("rm", 0, OPT_FLAG, remove, NULL,                                      \
			     "image: remove the container after its end"),                         \
		IMAGE_OPTION("env", 'e', OPT_LIST, env, "NAME[=VALUE]", "image: set a variable"),  \
		IMAGE_OPTION("env-file", 0, OPT_LIST, env_files, "FILE",                           \
			     "image: set variables, one a line"),                                  \
		IMAGE_OPTION("volume", 'v', OPT_LIST, volumes, "SOURCE:PATH[:ro]",                 \
			     "image: mount a directory or a named volume"),                        \
		IMAGE_OPTION("tmpfs", 0, OPT_LIST, tmpfs, "PATH[:OPTIONS]",                        \
			     "image: mount a tmpfs"),                                              \
		IMAGE_OPTION("image-volumes", 0, OPT_STRING, image_volumes, "HOW",                 \
			     "image: what it declares: dir (default), tmpfs or ignore"),           \
		IMAGE_OPTION("user", 'u', OPT_STRING, user, "USER[:GROUP]", "image: run as"),      \
		IMAGE_OPTION("workdir", 'w', OPT_STRING, workdir, "PATH",                          \
			     "image: the working directory"),                                      \
		IMAGE_OPTION("entrypoint", 0, OPT_STRING, entrypoint, "PROGRAM",                   \
			     "image: in place of its entrypoint"),                                 \
		IMAGE_OPTION("hostname", 0, OPT_STRING, hostname, "NAME", "image: the host name"), \
		IMAGE_OPTION("read-only", 0, OPT_FLAG, read_only, NULL,                            \
			     "image: nothing of it can be written"),                               \
		IMAGE_OPTION("memory", 'm', OPT_STRING, memory, "BYTES",                           \
			     "image: limit memory (k, m, g)"),                                     \
		IMAGE_OPTION("cpus", 0, OPT_STRING, cpus, "N",                                     \
			     "image: limit processor time (0.5: half a processor)"),               \
		IMAGE_OPTION("pids-limit", 0, OPT_STRING, pids_limit, "N",                         \
			     "image: limit processes (default 512, -1: none)"),                    \
		IMAGE_OPTION("cap-add", 0, OPT_LIST, cap_add, "CAP", "image: add a capability"),   \
		IMAGE_OPTION("cap-drop", 0, OPT_LIST, cap_drop, "CAP",                             \
			     "image: take one away, or ALL"),                                      \
		IMAGE_OPTION("userns", 0, OPT_STRING, userns, "HOW",                               \
			     "image: auto (default): ids of its own; host"),                       \
		IMAGE_OPTION("seccomp", 0, OPT_STRING, seccomp, "PROFILE",                         \
			     "image: a profile's file, or unconfined")

#endif
