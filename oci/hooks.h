/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks that run in the host's namespaces (config.md, "POSIX-platform Hooks"); those inside are
 * steps of the plan. */
#ifndef OCI_HOOKS_H
#define OCI_HOOKS_H

#include "lib/deadline.h"
#include "lib/err.h"
#include "oci/spec.h"

/*
 * Runs the hooks of a kind one after the other in the bundle (its absolute path; or in "/", when it
 * is gone), with the container's state on their stdin. The first that fails (an exit code other
 * than 0, or its time is over: then it is killed) ends the list, but not that of poststop hooks
 * (runtime.md, "Lifecycle", step 13): -EIO or -ETIMEDOUT, its stderr's first line in the message.
 * None lasts beyond the deadline (NULL: none).
 */
int hooks_run(const struct spec *spec, enum hook_kind kind, const char *bundle,
	      const char *state_json, const struct deadline *deadline, struct err *err);

#endif
