/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the supervisor, the monitors and the commands of `tote up` find each other's files.
 *
 *	STATE/PROJECT.json             what should run (desired.h); lasts over reboots
 *	STATE/files/SHA256             contents of secrets and configs, 0600
 *	LOG/PROJECT/INSTANCE.log       what containers write; .log.1 is the one before
 *	RUN/control                    the supervisor's socket (control.h)
 *	RUN/lock                       flocked by the supervisor that runs
 *	RUN/metrics                    a socket that answers HTTP for Prometheus
 *	RUN/i/INSTANCE/                one container's (instance.h)
 *
 * For root they are /var/lib/tote-supervise, /var/log/tote and /run/tote-supervise; for others
 * tote-supervise below $XDG_DATA_HOME (~/.local/share), its log/, and below $XDG_RUNTIME_DIR.
 * $TOTE_SUPERVISE_DIR puts state/, log/ and run/ below one directory.
 */
#ifndef OCI_SUPERVISE_PATHS_H
#define OCI_SUPERVISE_PATHS_H

#include "lib/arena.h"
#include "lib/err.h"

#include <stdbool.h>

struct supervise_paths {
	char *state, *log, *run; /* absolute; in the arena */
};

/* 0, or -ENOENT where an ordinary user has no runtime directory (state and log are set then), or no
 * home (nothing is). Nothing is made. */
int supervise_paths(bool rootless, struct arena *a, struct supervise_paths *ret, struct err *err);

#endif
