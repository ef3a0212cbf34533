/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is asked something and answers, as exec_plugin.c needs it: unlike proc_run() it
 * hands stdout over also when the program fails, for that is where a plugin explains itself.
 */
#ifndef NETNS_EXEC_RUN_H
#define NETNS_EXEC_RUN_H

#include "lib/buf.h"

/*
 * Executes path without arguments and waits for its end, not for that of its descendants. What it
 * writes to stdout, a little more than JSON_MAX_SIZE at most, is appended to out; 64 KiB of stderr to
 * said and to our own. The exit code (128 + signal; 127: it could not be executed), -ETIMEDOUT after
 * it was killed, or another -errno.
 */
int exec_run(const char *path, char **env, const struct buf *input, int timeout_ms, struct buf *out,
	     struct buf *said);

#endif
