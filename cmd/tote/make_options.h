/* SPDX-License-Identifier: Apache-2.0 */
/* The options that `create` and `run` share. */
#ifndef CMD_TOTE_MAKE_OPTIONS_H
#define CMD_TOTE_MAKE_OPTIONS_H

#include "cmd/tote/tote.h"

#include <stddef.h>

struct make_options {
	const char *bundle, *config, *console_socket, *pid_file, *pidfd_socket;
	bool no_pivot, no_new_keyring, detach, keep;
	unsigned int preserve_fds;
	/* No options: what an image brings in place of config.json and root.path; NULL: those. */
	const char *config_text;
	const struct rootfs *rootfs;
	struct ahead *ahead;
	/* Of run; NULL: as config.json has it. */
	const struct network_wish *network_wish;
};

#define MAKE_OPTION(name, letter, kind, member, value, help)                                       \
	{                                                                                          \
		name, letter, kind, offsetof(struct make_options, member), value, help             \
	}

#define MAKE_OPTIONS                                                                               \
	MAKE_OPTION("bundle", 'b', OPT_STRING, bundle, "DIR",                                      \
		    "the bundle (default: the working directory)"),                                \
		MAKE_OPTION("config", 'f', OPT_STRING, config, "FILE",                             \
			    "the configuration (default: config.json of the bundle)"),             \
		MAKE_OPTION("console-socket", 0, OPT_STRING, console_socket, "PATH",               \
			    "send the terminal to this unix socket"),                              \
		MAKE_OPTION("pid-file", 0, OPT_STRING, pid_file, "FILE",                           \
			    "write the pid of the container's process to FILE"),                   \
		MAKE_OPTION("pidfd-socket", 0, OPT_STRING, pidfd_socket, "PATH",                   \
			    "send its pidfd to this unix socket"),                                 \
		MAKE_OPTION("no-pivot", 0, OPT_FLAG, no_pivot, NULL,                               \
			    "use chroot: for a root file system on initramfs"),                    \
		MAKE_OPTION("no-new-keyring", 0, OPT_FLAG, no_new_keyring, NULL,                   \
			    "keep the caller's session keyring"),                                  \
		MAKE_OPTION("preserve-fds", 0, OPT_UINT, preserve_fds, "N",                        \
			    "pass on N descriptors from 3 on"),                                    \
	{                                                                                          \
		"no-subreaper", 0, OPT_IGNORED, 0, NULL, "accepted, has no effect"                 \
	}

/* Makes the container `id`; logs warnings. *ret_pidfd and *ret_terminal as container_create(). */
int make_container(const char *id, const struct make_options *o, bool run, struct container *ret_c,
		   int *ret_root, int *ret_pidfd, int *ret_terminal, struct err *err);

#endif
